/* What is written with for each primitive that goes to MLX. */
#ifndef MICA_ENGINE_MLX_WRITE_RULE_H
#define MICA_ENGINE_MLX_WRITE_RULE_H

#include "io/mlx_write.h"
#include "ops/builder.h"

/* A node that is being written. */
typedef struct mlx_writing {
    mica__mlx_writer *w;
    const mica_node *n;
    const mlx_value *in;
    mlx_value *out;
    mica_dtype dtype; /* of output 0 */
    mica_dims shape;
} mlx_writing;

/* Marks the scope: it cannot be in a file of MLX, and why. Returns false. */
bool mica__mlx_cannot(const mlx_writing *c, const char *why);
/* An operation with one output of a given type; frees the parameters. */
bool mica__mlx_one(const mlx_writing *c, const char *name, mica__text *p, size_t nin,
                   const mlx_value in[], mica_dtype dtype, mica_dims shape, mlx_value *out);
/* The same with the node's own inputs and outputs. */
bool mica__mlx_whole(const mlx_writing *c, const char *name, mica__text *p);
/* Whole, with up to two truth values as parameters. */
bool mica__mlx_with_truths(const mlx_writing *c, const char *name, int n, bool first, bool second);
/* Whole, with one or two integers as parameters. */
bool mica__mlx_with_int(const mlx_writing *c, const char *name, int64_t value);
bool mica__mlx_with_ints(const mlx_writing *c, const char *name, int64_t first, int64_t second);
/* A value in another type, or another shape: itself where it has it. */
bool mica__mlx_cast(const mlx_writing *c, mlx_value in, mica_dtype dtype, mlx_value *out);
bool mica__mlx_repeat(const mlx_writing *c, mlx_value in, mica_dims shape, mlx_value *out);
bool mica__mlx_reshape(const mlx_writing *c, mlx_value in, mica_dims shape, mlx_value *out);
/* An element-wise operation on values, each repeated to the shape. */
bool mica__mlx_spread(const mlx_writing *c, const char *name, mica__text *p, size_t n,
                      const mlx_value in[], mica_dtype dtype, mica_dims shape, mlx_value *out);
/* The same, with a number as the second operand. */
bool mica__mlx_with_number(const mlx_writing *c, const char *name, mica__text *p, mlx_value a,
                           double number, mica_dtype dtype, mlx_value *out);

/* ---- families (mlx_write_products.c) ---- */
bool mica__mlx_reductions(const mlx_writing *c);
bool mica__mlx_masked_scatter(const mlx_writing *c);
bool mica__mlx_convolution(const mlx_writing *c);
bool mica__mlx_quantized(const mlx_writing *c);
bool mica__mlx_quantization(const mlx_writing *c);
bool mica__mlx_transforms(const mlx_writing *c);

#endif
