/* What primitives of MLX's files become here, element-wise ones and views: builders check all that
   they are given. */
#include "io/mlx_rule.h"
#include "io/mlx_write.h"
#include "mica/mica.h"
#include "ops/builder.h"
#include "ops/infer.h"
#include "ops/linalg.h"
#include "ops/shape.h"

#define MLX(name, parameters, rule, prim) mica__mlx_rule mica__mlx_rule_##rule;
#include "io/mlx.def"
#undef MLX

static const mica__mlx_primitive primitives[] = {
#define MLX(name, parameters, rule, prim)                                                          \
    { name, parameters, mica__mlx_rule_##rule, mica_prim_##prim },
#include "io/mlx.def"
#undef MLX
};

const mica__mlx_primitive *mica__mlx_find(const char *name, size_t bytes)
{
    for (size_t i = 0; i < sizeof primitives / sizeof *primitives; i++)
        if (strlen(primitives[i].name) == bytes && !memcmp(primitives[i].name, name, bytes))
            return &primitives[i];
    return NULL;
}

const mica__mlx_primitive *mica__mlx_plain(mica_prim prim)
{
    for (size_t i = 0; i < sizeof primitives / sizeof *primitives; i++)
        if (primitives[i].prim == prim && (primitives[i].rule == mica__mlx_rule_unary ||
                                           primitives[i].rule == mica__mlx_rule_binary))
            return &primitives[i];
    return NULL;
}

/* ---- what rules share ---- */

bool mica__mlx_refuse(const mlx_call *c, const char *what)
{
    mica__error(c->s, MICA_EIO, "[import_function] the file is damaged: %s of %s", what,
                c->p->name);
    return false;
}
bool mica__mlx_count(const mlx_call *c, size_t nin, size_t nout)
{
    if (c->nin != nin) return mica__mlx_refuse(c, "the number of inputs");
    return c->nout == nout || mica__mlx_refuse(c, "the number of outputs");
}
bool mica__mlx_give(mlx_call *c, mica_array *a)
{
    c->out[0] = a;
    return a != NULL;
}
bool mica__mlx_give_many(mlx_call *c, mica_arrays many)
{
    if (!mica__scope_ok(c->s)) return false;
    if (many.n != c->nout) return mica__mlx_refuse(c, "the number of outputs");
    for (size_t i = 0; i < many.n; i++) c->out[i] = many.at[i];
    return true;
}

/* The node itself, with parameters of the primitive's type, checked by its rule. */
bool mica__mlx_node(mlx_call *c, mica_prim prim, void *params)
{
    mica__inference i = { .s = c->s,
                          .prim = prim,
                          .params = params,
                          .nin = c->nin,
                          .in = c->in,
                          .resized = c->shapeless,
                          .nout = c->nout,
                          .dtypes = c->dtypes,
                          .shapes = c->shapes };
    return mica__infer(&i) && mica__build_many(c->s, prim, params, c->nin, c->in, c->nout,
                                               c->dtypes, c->shapes, c->out);
}

/* An axis as the builders take it: int, wherever it lies. */
int mica__mlx_axis(int64_t given)
{
    return given < INT16_MIN ? INT16_MIN : given > INT16_MAX ? INT16_MAX : (int)given;
}

const char *mica__mlx_mode(mlx_call *c, int64_t mode)
{
    static const char *const modes[] = { "affine", "mxfp4", "mxfp8", "nvfp4" };
    if (mode >= 0 && mode < 4) return modes[mode];
    mica__mlx_refuse(c, "the mode");
    return NULL;
}

/* max, min, sum, prod, none. */
bool mica__mlx_scatter_mode(const mlx_call *c, int64_t given, mica_scatter_mode *mode)
{
    static const mica_scatter_mode modes[] = { MICA_SCATTER_MAX, MICA_SCATTER_MIN, MICA_SCATTER_SUM,
                                               MICA_SCATTER_PROD, MICA_SCATTER_SET };
    if (given < 0 || given > 4) return mica__mlx_refuse(c, "the mode");
    *mode = modes[given];
    return true;
}

/* ---- element-wise ---- */

bool mica__mlx_rule_unary(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) && mica__mlx_give(c, mica__unary(c->s, c->p->prim, c->in[0]));
}
bool mica__mlx_rule_binary(mlx_call *c)
{
    return mica__mlx_count(c, 2, 1) &&
           mica__mlx_give(c, mica__binary(c->s, c->p->prim, c->in[0], c->in[1]));
}
bool mica__mlx_rule_select(mlx_call *c)
{
    return mica__mlx_count(c, 3, 1) &&
           mica__mlx_give(c, mica_where(c->s, c->in[0], c->in[1], c->in[2]));
}
bool mica__mlx_rule_log(mlx_call *c)
{
    static const mica_prim bases[] = { mica_prim_log2, mica_prim_log10, mica_prim_log };
    if (c->numbers[0] < 0 || c->numbers[0] > 2) return mica__mlx_refuse(c, "the base");
    return mica__mlx_count(c, 1, 1) &&
           mica__mlx_give(c, mica__unary(c->s, bases[c->numbers[0]], c->in[0]));
}
bool mica__mlx_rule_sqrt(mlx_call *c)
{
    mica_prim prim = c->numbers[0] ? mica_prim_rsqrt : mica_prim_sqrt;
    return mica__mlx_count(c, 1, 1) && mica__mlx_give(c, mica__unary(c->s, prim, c->in[0]));
}
bool mica__mlx_rule_bitwise(mlx_call *c)
{
    static const mica_prim prims[] = { mica_prim_bitwise_and, mica_prim_bitwise_or,
                                       mica_prim_bitwise_xor, mica_prim_left_shift,
                                       mica_prim_right_shift };
    if (c->numbers[0] < 0 || c->numbers[0] > 4) return mica__mlx_refuse(c, "the operation");
    return mica__mlx_count(c, 2, 1) &&
           mica__mlx_give(c, mica__binary(c->s, prims[c->numbers[0]], c->in[0], c->in[1]));
}
/* equal_nan: NaN equals NaN. */
bool mica__mlx_rule_equal(mlx_call *c)
{
    if (!mica__mlx_count(c, 2, 1)) return false;
    mica_array *x = c->in[0], *y = c->in[1], *same = mica_equal(c->s, x, y);
    if (c->numbers[0])
        same = mica_logical_or(c->s, same,
                               mica_logical_and(c->s, mica_isnan(c->s, x), mica_isnan(c->s, y)));
    return mica__mlx_give(c, same);
}
bool mica__mlx_rule_divmod(mlx_call *c)
{
    return mica__mlx_count(c, 2, 2) &&
           mica__mlx_give_many(c, mica_divmod(c->s, c->in[0], c->in[1]));
}
bool mica__mlx_rule_astype(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) &&
           mica__mlx_give(c, mica_astype(c->s, c->in[0], (mica_dtype)c->numbers[0]));
}
bool mica__mlx_rule_view(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) &&
           mica__mlx_give(c, mica_view(c->s, c->in[0], (mica_dtype)c->numbers[0]));
}

/* ---- sources, and what passes ---- */

bool mica__mlx_rule_arange(mlx_call *c)
{
    return mica__mlx_count(c, 0, 1) && mica__mlx_give(c, mica_arange(c->s, c->reals[0], c->reals[1],
                                                                     c->reals[2], c->dtypes[0]));
}
/* MLX records the whole shape, with the axes of the keys in front. */
bool mica__mlx_rule_random_bits(mlx_call *c)
{
    if (!mica__mlx_count(c, 1, 1)) return false;
    int64_t keys = c->in[0]->ndim ? c->in[0]->ndim - 1 : 0;
    if (c->lists[0].n < keys) return mica__mlx_refuse(c, "the shape");
    mica_dims each = { c->lists[0].n - keys, c->lists[0].at + keys };
    return mica__mlx_give(c, mica_random_bits(c->s, each, c->numbers[0], c->in[0]));
}
bool mica__mlx_rule_pass(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) && mica__mlx_give(c, c->in[0]);
}
bool mica__mlx_rule_stop_gradient(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) && mica__mlx_give(c, mica_stop_gradient(c->s, c->in[0]));
}
bool mica__mlx_rule_depends(mlx_call *c)
{
    return mica__mlx_node(c, mica_prim_depends, NULL);
}

/* ---- shapes ---- */

/* What all inputs broadcast to; `kept` last axes are the first input's own. */
static bool joint_shape(mlx_call *c, int kept, int64_t *sizes, int *n)
{
    int64_t before[MICA_MAX_NDIM];
    *n = 0;
    for (size_t i = 0; i < c->nin; i++) {
        memcpy(before, sizes, (size_t)*n * sizeof *sizes);
        if (c->in[i]->ndim < kept) return mica__mlx_refuse(c, "an input's shape");
        int both = mica__broadcast((mica_dims){ *n, before },
                                   (mica_dims){ c->in[i]->ndim - kept, c->in[i]->shape }, sizes);
        if (both < 0 || both + kept > MICA_MAX_NDIM) return mica__mlx_refuse(c, "an input's shape");
        *n = both;
    }
    for (int k = 0; k < kept; k++) sizes[(*n)++] = c->in[0]->shape[c->in[0]->ndim - kept + k];
    return true;
}

/* To a shape; several inputs: to what they have in common. */
bool mica__mlx_rule_broadcast(mlx_call *c)
{
    int64_t sizes[MICA_MAX_NDIM];
    int n;
    if (!c->nin) return mica__mlx_refuse(c, "the number of inputs");
    if (c->nin == 1)
        return mica__mlx_count(c, 1, 1) &&
               mica__mlx_give(c, mica_broadcast_to(c->s, c->in[0], c->lists[0]));
    return mica__mlx_count(c, c->nin, 1) && joint_shape(c, 0, sizes, &n) &&
           mica__mlx_give(c, mica_broadcast_to(c->s, c->in[0], (mica_dims){ n, sizes }));
}
/* The same, for all axes but the last ones that are listed. */
bool mica__mlx_rule_broadcast_axes(mlx_call *c)
{
    int64_t sizes[MICA_MAX_NDIM], kept = c->lists[0].n;
    int n;
    if (kept < 0 || kept > MICA_MAX_NDIM) return mica__mlx_refuse(c, "the axes");
    for (int64_t k = 0; k < kept; k++)
        if (c->lists[0].at[k] != k - kept) return mica__mlx_refuse(c, "the axes");
    if (!c->nin) return mica__mlx_refuse(c, "the number of inputs");
    return mica__mlx_count(c, c->nin, 1) && joint_shape(c, (int)kept, sizes, &n) &&
           mica__mlx_give(c, mica_broadcast_to(c->s, c->in[0], (mica_dims){ n, sizes }));
}
bool mica__mlx_rule_number_of_elements(mlx_call *c)
{
    int64_t axes[MICA_MAX_NDIM], elements = 1;
    if (!mica__mlx_count(c, 1, 1)) return false;
    if (c->lists[0].n < 0) return mica__mlx_refuse(c, "the axes");
    int n = mica__check_axes(c->s, "import_function", MICA_EIO, c->in[0], c->lists[0], axes);
    if (n < 0) return false;
    for (int k = 0; k < n; k++) elements *= c->in[0]->shape[axes[k]];
    double value = c->numbers[0] ? 1.0 / (double)elements : (double)elements;
    return mica__mlx_give(c, mica_scalar(c->s, value, (mica_dtype)c->numbers[1]));
}
bool mica__mlx_rule_reshape(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) && mica__mlx_give(c, mica_reshape(c->s, c->in[0], c->lists[0]));
}
bool mica__mlx_rule_flatten(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) &&
           mica__mlx_give(c, mica_flatten(c->s, c->in[0], mica__mlx_axis(c->numbers[0]),
                                          mica__mlx_axis(c->numbers[1])));
}
bool mica__mlx_rule_unflatten(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) &&
           mica__mlx_give(
               c, mica_unflatten(c->s, c->in[0], mica__mlx_axis(c->numbers[0]), c->lists[0]));
}
bool mica__mlx_rule_transpose(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) &&
           mica__mlx_give(c, mica_transpose(c->s, c->in[0], c->lists[0]));
}
bool mica__mlx_rule_expand_dims(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) &&
           mica__mlx_give(c, mica_expand_dims(c->s, c->in[0], c->lists[0]));
}
bool mica__mlx_rule_squeeze(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) && mica__mlx_give(c, mica_squeeze(c->s, c->in[0], c->lists[0]));
}
bool mica__mlx_rule_slice(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) &&
           mica__mlx_give(c,
                          mica_slice_static(c->s, c->in[0], c->lists[0], c->lists[1], c->lists[2]));
}
bool mica__mlx_rule_slice_update(mlx_call *c)
{
    mica_scatter_mode mode = MICA_SCATTER_SET;
    return mica__mlx_count(c, 2, 1) && mica__mlx_scatter_mode(c, c->numbers[0], &mode) &&
           mica__mlx_give(c, mica_slice_assign(c->s, c->in[0], c->in[1], c->lists[0], c->lists[1],
                                               c->lists[2], mode));
}
bool mica__mlx_rule_dynamic_slice(mlx_call *c)
{
    return mica__mlx_count(c, 2, 1) &&
           mica__mlx_give(c, mica_slice(c->s, c->in[0], c->in[1], c->lists[0], c->lists[1]));
}
bool mica__mlx_rule_dynamic_slice_update(mlx_call *c)
{
    return mica__mlx_count(c, 3, 1) &&
           mica__mlx_give(c, mica_slice_update(c->s, c->in[0], c->in[1], c->in[2], c->lists[0]));
}
bool mica__mlx_rule_as_strided(mlx_call *c)
{
    if (!mica__mlx_count(c, 1, 1) || c->lists[0].n < 0 || c->lists[1].n < 0) return false;
    return mica__mlx_give(c,
                          mica_as_strided(c->s, c->in[0], c->lists[0], c->lists[1], c->numbers[0]));
}
bool mica__mlx_rule_split(mlx_call *c)
{
    int axis;
    if (!mica__mlx_count(c, 1, (size_t)c->lists[0].n + 1)) return false;
    mica_array *a = c->in[0];
    if (!mica__check_axis(c->s, "import_function", MICA_EIO, a, mica__mlx_axis(c->numbers[0]),
                          &axis))
        return false;
    int64_t from = 0;
    for (size_t k = 0; k < c->nout; k++) {
        int64_t to = k + 1 < c->nout ? c->lists[0].at[k] : a->shape[axis];
        if (to < from || to > a->shape[axis]) return mica__mlx_refuse(c, "the places");
        if (!(c->out[k] = mica__slice_axis(c->s, a, axis, from, to - from))) return false;
        from = to;
    }
    return true;
}
bool mica__mlx_rule_concatenate(mlx_call *c)
{
    return mica__mlx_count(c, c->nin, 1) &&
           mica__mlx_give(c, mica_concatenate(c->s, (mica_arrays){ c->nin, c->in },
                                              mica__mlx_axis(c->numbers[0])));
}
/* Axes, zeros before, zeros behind. */
bool mica__mlx_rule_pad(mlx_call *c)
{
    int64_t low[MICA_MAX_NDIM] = { 0 }, high[MICA_MAX_NDIM] = { 0 };
    if (!mica__mlx_count(c, 2, 1)) return false;
    int ndim = c->in[0]->ndim;
    if (c->lists[1].n != c->lists[0].n || c->lists[2].n != c->lists[0].n)
        return mica__mlx_refuse(c, "the sizes");
    for (int64_t k = 0; k < c->lists[0].n; k++) {
        int64_t axis = c->lists[0].at[k] < 0 ? c->lists[0].at[k] + ndim : c->lists[0].at[k];
        if (axis < 0 || axis >= ndim) return mica__mlx_refuse(c, "the axes");
        low[axis] = c->lists[1].at[k];
        high[axis] = c->lists[2].at[k];
    }
    return mica__mlx_give(c, mica_pad(c->s, c->in[0], (mica_dims){ ndim, low },
                                      (mica_dims){ ndim, high }, "constant", c->in[1]));
}
