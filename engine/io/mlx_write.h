/* Graphs as functions in files for MLX (the format is described in mlx.h). */
#ifndef MICA_ENGINE_MLX_WRITE_H
#define MICA_ENGINE_MLX_WRITE_H

#include "io/mlx.h"

/* Appends the head of a file with `functions` functions. */
void mica__mlx_write_head(mica__text *to, size_t functions, const char *metadata);
/* Appends the function between placeholders, of the types of the signature, and results. False, and
   the scope is marked, on failure: EVALUE for what MLX's files cannot hold. */
bool mica__mlx_write(mica_scope *s, mica__text *to, const mica__signature *g,
                     mica_array *const results[], size_t nresults, mica_array *const placeholders[],
                     size_t n);

/* ---- for what writes operations (mlx_write_rules.c) ---- */

typedef struct mica__mlx_writer mica__mlx_writer;

/* A value of the file under construction: an identity with its type. */
typedef struct mlx_value {
    uint64_t identity;
    mica_dtype dtype;
    mica_dims shape;
} mlx_value;

/* Parameters of one operation, appended in order. */
void mica__mlx_int(mica__text *t, int64_t value);
void mica__mlx_truth(mica__text *t, bool value);
void mica__mlx_list(mica__text *t, mica_dims list, size_t each);
void mica__mlx_dtype(mica__text *t, mica_dtype dtype);
void mica__mlx_text(mica__text *t, const char *text);

/* Writes an operation; the parameters are freed. Fills `out`, of the given types and shapes. */
bool mica__mlx_emit(mica__mlx_writer *w, const char *name, mica__text *parameters, size_t nin,
                    const mlx_value in[], size_t nout, const mica_dtype dtypes[],
                    const mica_dims shapes[], mlx_value out[]);
/* A constant of one element. */
bool mica__mlx_number(mica__mlx_writer *w, mica_dtype dtype, double value, mlx_value *out);
mica_scope *mica__mlx_scope(mica__mlx_writer *w);
/* What a node becomes: fills out, one value an output. */
bool mica__mlx_write_node(mica__mlx_writer *w, const mica_node *n, const mlx_value in[],
                          mlx_value out[]);
/* The row of an element-wise primitive that MLX has as it is; NULL for others. */
const mica__mlx_primitive *mica__mlx_plain(mica_prim prim);

#endif
