/* What rules for MLX's primitives are written with. */
#ifndef MICA_ENGINE_MLX_RULE_H
#define MICA_ENGINE_MLX_RULE_H

#include "io/mlx.h"
#include "mica/index.h"

/* Marks the scope: damage. Returns false. */
bool mica__mlx_refuse(const mlx_call *c, const char *what);
/* So many inputs and outputs, or a refusal. */
bool mica__mlx_count(const mlx_call *c, size_t nin, size_t nout);
/* Output 0; all outputs. */
bool mica__mlx_give(mlx_call *c, mica_array *a);
bool mica__mlx_give_many(mlx_call *c, mica_arrays many);
/* The node itself, with parameters of the primitive's type, checked by its rule (ops/infer.h). */
bool mica__mlx_node(mlx_call *c, mica_prim prim, void *params);
/* An axis as the builders take it: int, wherever it lies. */
int mica__mlx_axis(int64_t given);
/* The name of a mode of quantization; NULL after a refusal. */
const char *mica__mlx_mode(mlx_call *c, int64_t mode);
/* max, min, sum, prod, none. */
bool mica__mlx_scatter_mode(const mlx_call *c, int64_t given, mica_scatter_mode *mode);

#endif
