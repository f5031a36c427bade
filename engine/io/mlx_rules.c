/* What primitives of MLX's files become here: builders check all that they are given. */
#include "io/mlx_write.h"
#include "mica/mica.h"
#include "ops/builder.h"
#include "ops/infer.h"
#include "ops/linalg.h"
#include "ops/shape.h"

#define MLX(name, parameters, rule, prim) static mica__mlx_rule rule_##rule;
#include "io/mlx.def"
#undef MLX

static const mica__mlx_primitive primitives[] = {
#define MLX(name, parameters, rule, prim) { name, parameters, rule_##rule, mica_prim_##prim },
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
        if (primitives[i].prim == prim &&
            (primitives[i].rule == rule_unary || primitives[i].rule == rule_binary))
            return &primitives[i];
    return NULL;
}

/* ---- what rules share ---- */

static bool refuse(const mlx_call *c, const char *what)
{
    mica__error(c->s, MICA_EIO, "[import_function] the file is damaged: %s of %s", what,
                c->p->name);
    return false;
}
static bool count(const mlx_call *c, size_t nin, size_t nout)
{
    if (c->nin != nin) return refuse(c, "the number of inputs");
    return c->nout == nout || refuse(c, "the number of outputs");
}
static bool give(mlx_call *c, mica_array *a)
{
    c->out[0] = a;
    return a != NULL;
}
static bool give_many(mlx_call *c, mica_arrays many)
{
    if (!mica__scope_ok(c->s)) return false;
    if (many.n != c->nout) return refuse(c, "the number of outputs");
    for (size_t i = 0; i < many.n; i++) c->out[i] = many.at[i];
    return true;
}

/* The node itself, with parameters of the primitive's type, checked by its rule. */
static bool node(mlx_call *c, mica_prim prim, void *params)
{
    mica_dims *was = mica__scope_alloc(c->s, (c->nin + 1) * sizeof *was);
    mica__join *joins = mica__scope_alloc(c->s, MICA_INFER_JOINS * sizeof *joins);
    size_t njoins = 0;
    if (!was || !joins) return false;
    for (size_t i = 0; i < c->nin; i++) was[i] = mica__dims_of(c->in[i]);
    mica__inference i = { .s = c->s,
                          .prim = prim,
                          .params = params,
                          .nin = c->nin,
                          .in = c->in,
                          .was = was,
                          .resized = c->shapeless,
                          .joins = joins,
                          .njoins = &njoins,
                          .nout = c->nout,
                          .dtypes = c->dtypes,
                          .shapes = c->shapes };
    return mica__infer(&i) && mica__build_many(c->s, prim, params, c->nin, c->in, c->nout,
                                               c->dtypes, c->shapes, c->out);
}

/* An axis as the builders take it: int, wherever it lies. */
static int axis_of(int64_t given)
{
    return given < INT16_MIN ? INT16_MIN : given > INT16_MAX ? INT16_MAX : (int)given;
}

static const char *mode_of(mlx_call *c, int64_t mode)
{
    static const char *const modes[] = { "affine", "mxfp4", "mxfp8", "nvfp4" };
    if (mode >= 0 && mode < 4) return modes[mode];
    refuse(c, "the mode");
    return NULL;
}

/* max, min, sum, prod, none. */
static bool scatter_mode(const mlx_call *c, int64_t given, mica_scatter_mode *mode)
{
    static const mica_scatter_mode modes[] = { MICA_SCATTER_MAX, MICA_SCATTER_MIN, MICA_SCATTER_SUM,
                                               MICA_SCATTER_PROD, MICA_SCATTER_SET };
    if (given < 0 || given > 4) return refuse(c, "the mode");
    *mode = modes[given];
    return true;
}

/* ---- element-wise ---- */

static bool rule_unary(mlx_call *c)
{
    return count(c, 1, 1) && give(c, mica__unary(c->s, c->p->prim, c->in[0]));
}
static bool rule_binary(mlx_call *c)
{
    return count(c, 2, 1) && give(c, mica__binary(c->s, c->p->prim, c->in[0], c->in[1]));
}
static bool rule_select(mlx_call *c)
{
    return count(c, 3, 1) && give(c, mica_where(c->s, c->in[0], c->in[1], c->in[2]));
}
static bool rule_log(mlx_call *c)
{
    static const mica_prim bases[] = { mica_prim_log2, mica_prim_log10, mica_prim_log };
    if (c->numbers[0] < 0 || c->numbers[0] > 2) return refuse(c, "the base");
    return count(c, 1, 1) && give(c, mica__unary(c->s, bases[c->numbers[0]], c->in[0]));
}
static bool rule_sqrt(mlx_call *c)
{
    mica_prim prim = c->numbers[0] ? mica_prim_rsqrt : mica_prim_sqrt;
    return count(c, 1, 1) && give(c, mica__unary(c->s, prim, c->in[0]));
}
static bool rule_bitwise(mlx_call *c)
{
    static const mica_prim prims[] = { mica_prim_bitwise_and, mica_prim_bitwise_or,
                                       mica_prim_bitwise_xor, mica_prim_left_shift,
                                       mica_prim_right_shift };
    if (c->numbers[0] < 0 || c->numbers[0] > 4) return refuse(c, "the operation");
    return count(c, 2, 1) && give(c, mica__binary(c->s, prims[c->numbers[0]], c->in[0], c->in[1]));
}
/* equal_nan: NaN equals NaN. */
static bool rule_equal(mlx_call *c)
{
    if (!count(c, 2, 1)) return false;
    mica_array *x = c->in[0], *y = c->in[1], *same = mica_equal(c->s, x, y);
    if (c->numbers[0])
        same = mica_logical_or(c->s, same,
                               mica_logical_and(c->s, mica_isnan(c->s, x), mica_isnan(c->s, y)));
    return give(c, same);
}
static bool rule_divmod(mlx_call *c)
{
    return count(c, 2, 2) && give_many(c, mica_divmod(c->s, c->in[0], c->in[1]));
}
static bool rule_astype(mlx_call *c)
{
    return count(c, 1, 1) && give(c, mica_astype(c->s, c->in[0], (mica_dtype)c->numbers[0]));
}
static bool rule_view(mlx_call *c)
{
    return count(c, 1, 1) && give(c, mica_view(c->s, c->in[0], (mica_dtype)c->numbers[0]));
}

/* ---- sources, and what passes ---- */

static bool rule_arange(mlx_call *c)
{
    return count(c, 0, 1) &&
           give(c, mica_arange(c->s, c->reals[0], c->reals[1], c->reals[2], c->dtypes[0]));
}
static bool rule_random_bits(mlx_call *c)
{
    return count(c, 1, 1) && give(c, mica_random_bits(c->s, c->lists[0], c->numbers[0], c->in[0]));
}
static bool rule_pass(mlx_call *c)
{
    return count(c, 1, 1) && give(c, c->in[0]);
}
static bool rule_stop_gradient(mlx_call *c)
{
    return count(c, 1, 1) && give(c, mica_stop_gradient(c->s, c->in[0]));
}
static bool rule_depends(mlx_call *c)
{
    return node(c, mica_prim_depends, NULL);
}

/* ---- shapes ---- */

/* What all inputs broadcast to; `kept` last axes are the first input's own. */
static bool joint_shape(mlx_call *c, int kept, int64_t *sizes, int *n)
{
    int64_t before[MICA_MAX_NDIM];
    *n = 0;
    for (size_t i = 0; i < c->nin; i++) {
        memcpy(before, sizes, (size_t)*n * sizeof *sizes);
        if (c->in[i]->ndim < kept) return refuse(c, "an input's shape");
        int both = mica__broadcast((mica_dims){ *n, before },
                                   (mica_dims){ c->in[i]->ndim - kept, c->in[i]->shape }, sizes);
        if (both < 0 || both + kept > MICA_MAX_NDIM) return refuse(c, "an input's shape");
        *n = both;
    }
    for (int k = 0; k < kept; k++) sizes[(*n)++] = c->in[0]->shape[c->in[0]->ndim - kept + k];
    return true;
}

/* To a shape; several inputs: to what they have in common. */
static bool rule_broadcast(mlx_call *c)
{
    int64_t sizes[MICA_MAX_NDIM];
    int n;
    if (!c->nin) return refuse(c, "the number of inputs");
    if (c->nin == 1)
        return count(c, 1, 1) && give(c, mica_broadcast_to(c->s, c->in[0], c->lists[0]));
    return count(c, c->nin, 1) && joint_shape(c, 0, sizes, &n) &&
           give(c, mica_broadcast_to(c->s, c->in[0], (mica_dims){ n, sizes }));
}
/* The same, for all axes but the last ones that are listed. */
static bool rule_broadcast_axes(mlx_call *c)
{
    int64_t sizes[MICA_MAX_NDIM], kept = c->lists[0].n;
    int n;
    if (kept < 0 || kept > MICA_MAX_NDIM) return refuse(c, "the axes");
    for (int64_t k = 0; k < kept; k++)
        if (c->lists[0].at[k] != k - kept) return refuse(c, "the axes");
    if (!c->nin) return refuse(c, "the number of inputs");
    return count(c, c->nin, 1) && joint_shape(c, (int)kept, sizes, &n) &&
           give(c, mica_broadcast_to(c->s, c->in[0], (mica_dims){ n, sizes }));
}
static bool rule_number_of_elements(mlx_call *c)
{
    int64_t axes[MICA_MAX_NDIM], elements = 1;
    if (!count(c, 1, 1)) return false;
    if (c->lists[0].n < 0) return refuse(c, "the axes");
    int n = mica__check_axes(c->s, "import_function", MICA_EIO, c->in[0], c->lists[0], axes);
    if (n < 0) return false;
    for (int k = 0; k < n; k++) elements *= c->in[0]->shape[axes[k]];
    double value = c->numbers[0] ? 1.0 / (double)elements : (double)elements;
    return give(c, mica_scalar(c->s, value, (mica_dtype)c->numbers[1]));
}
static bool rule_reshape(mlx_call *c)
{
    return count(c, 1, 1) && give(c, mica_reshape(c->s, c->in[0], c->lists[0]));
}
static bool rule_flatten(mlx_call *c)
{
    return count(c, 1, 1) &&
           give(c, mica_flatten(c->s, c->in[0], axis_of(c->numbers[0]), axis_of(c->numbers[1])));
}
static bool rule_unflatten(mlx_call *c)
{
    return count(c, 1, 1) &&
           give(c, mica_unflatten(c->s, c->in[0], axis_of(c->numbers[0]), c->lists[0]));
}
static bool rule_transpose(mlx_call *c)
{
    return count(c, 1, 1) && give(c, mica_transpose(c->s, c->in[0], c->lists[0]));
}
static bool rule_expand_dims(mlx_call *c)
{
    return count(c, 1, 1) && give(c, mica_expand_dims(c->s, c->in[0], c->lists[0]));
}
static bool rule_squeeze(mlx_call *c)
{
    return count(c, 1, 1) && give(c, mica_squeeze(c->s, c->in[0], c->lists[0]));
}
static bool rule_slice(mlx_call *c)
{
    return count(c, 1, 1) &&
           give(c, mica_slice_static(c->s, c->in[0], c->lists[0], c->lists[1], c->lists[2]));
}
static bool rule_slice_update(mlx_call *c)
{
    mica_scatter_mode mode = MICA_SCATTER_SET;
    return count(c, 2, 1) && scatter_mode(c, c->numbers[0], &mode) &&
           give(c, mica_slice_assign(c->s, c->in[0], c->in[1], c->lists[0], c->lists[1],
                                     c->lists[2], mode));
}
static bool rule_dynamic_slice(mlx_call *c)
{
    return count(c, 2, 1) &&
           give(c, mica_slice(c->s, c->in[0], c->in[1], c->lists[0], c->lists[1]));
}
static bool rule_dynamic_slice_update(mlx_call *c)
{
    return count(c, 3, 1) &&
           give(c, mica_slice_update(c->s, c->in[0], c->in[1], c->in[2], c->lists[0]));
}
static bool rule_as_strided(mlx_call *c)
{
    if (!count(c, 1, 1) || c->lists[0].n < 0 || c->lists[1].n < 0) return false;
    return give(c, mica_as_strided(c->s, c->in[0], c->lists[0], c->lists[1], c->numbers[0]));
}
static bool rule_split(mlx_call *c)
{
    int axis;
    if (!count(c, 1, (size_t)c->lists[0].n + 1)) return false;
    mica_array *a = c->in[0];
    if (!mica__check_axis(c->s, "import_function", MICA_EIO, a, axis_of(c->numbers[0]), &axis))
        return false;
    int64_t from = 0;
    for (size_t k = 0; k < c->nout; k++) {
        int64_t to = k + 1 < c->nout ? c->lists[0].at[k] : a->shape[axis];
        if (to < from || to > a->shape[axis]) return refuse(c, "the places");
        if (!(c->out[k] = mica__slice_axis(c->s, a, axis, from, to - from))) return false;
        from = to;
    }
    return true;
}
static bool rule_concatenate(mlx_call *c)
{
    return count(c, c->nin, 1) &&
           give(c, mica_concatenate(c->s, (mica_arrays){ c->nin, c->in }, axis_of(c->numbers[0])));
}
/* Axes, zeros before, zeros behind. */
static bool rule_pad(mlx_call *c)
{
    int64_t low[MICA_MAX_NDIM] = { 0 }, high[MICA_MAX_NDIM] = { 0 };
    if (!count(c, 2, 1)) return false;
    int ndim = c->in[0]->ndim;
    if (c->lists[1].n != c->lists[0].n || c->lists[2].n != c->lists[0].n)
        return refuse(c, "the sizes");
    for (int64_t k = 0; k < c->lists[0].n; k++) {
        int64_t axis = c->lists[0].at[k] < 0 ? c->lists[0].at[k] + ndim : c->lists[0].at[k];
        if (axis < 0 || axis >= ndim) return refuse(c, "the axes");
        low[axis] = c->lists[1].at[k];
        high[axis] = c->lists[2].at[k];
    }
    return give(c, mica_pad(c->s, c->in[0], (mica_dims){ ndim, low }, (mica_dims){ ndim, high },
                            "constant", c->in[1]));
}

/* ---- indexing ---- */

static bool rule_gather(mlx_call *c)
{
    if (!c->nin) return refuse(c, "the number of inputs");
    return count(c, c->nin, 1) &&
           give(c, mica_gather(c->s, c->in[0], (mica_arrays){ c->nin - 1, c->in + 1 }, c->lists[0],
                               c->lists[1]));
}
static bool rule_scatter(mlx_call *c)
{
    mica_scatter_mode mode = MICA_SCATTER_SET;
    if (c->nin < 2) return refuse(c, "the number of inputs");
    return count(c, c->nin, 1) && scatter_mode(c, c->numbers[0], &mode) &&
           give(c, mica_scatter(c->s, c->in[0], (mica_arrays){ c->nin - 2, c->in + 1 },
                                c->in[c->nin - 1], c->lists[0], mode));
}
static bool rule_gather_axis(mlx_call *c)
{
    return count(c, 2, 1) &&
           give(c, mica_take_along_axis(c->s, c->in[0], c->in[1], axis_of(c->numbers[0])));
}
/* Adds, or sets. */
static bool rule_scatter_axis(mlx_call *c)
{
    struct mica__scatter_axis_params p = { .axis = c->numbers[1],
                                           .mode = c->numbers[0] ? MICA_SCATTER_SET
                                                                 : MICA_SCATTER_SUM };
    if (c->numbers[0] < 0 || c->numbers[0] > 1) return refuse(c, "the mode");
    return node(c, mica_prim_scatter_axis, &p);
}

/* ---- reductions, scans, order ---- */

static bool rule_reduce(mlx_call *c)
{
    static const mica_prim prims[] = { mica_prim_all,  mica_prim_any, mica_prim_sum,
                                       mica_prim_prod, mica_prim_min, mica_prim_max };
    struct mica__sum_params p = { .axes = c->lists[0] };
    if (c->numbers[0] < 0 || c->numbers[0] > 5) return refuse(c, "the operation");
    return count(c, 1, 1) && node(c, prims[c->numbers[0]], &p);
}
static bool rule_arg_reduce(mlx_call *c)
{
    struct mica__argmax_params p = { .axis = c->numbers[1] };
    return count(c, 1, 1) && node(c, c->numbers[0] ? mica_prim_argmax : mica_prim_argmin, &p);
}
static bool rule_scan(mlx_call *c)
{
    static const mica_prim prims[] = { mica_prim_cummax, mica_prim_cummin, mica_prim_cumsum,
                                       mica_prim_cumprod };
    struct mica__cumsum_params p = { .axis = c->numbers[1],
                                     .reverse = c->numbers[2],
                                     .inclusive = c->numbers[3] };
    if (c->numbers[0] < 0 || c->numbers[0] > 3) return refuse(c, "the operation");
    return count(c, 1, 1) && node(c, prims[c->numbers[0]], &p);
}
static bool rule_softmax(mlx_call *c)
{
    return count(c, 1, 1) && give(c, mica_softmax(c->s, c->in[0], MICA_AXES(-1), c->numbers[0]));
}
static bool rule_logsumexp(mlx_call *c)
{
    return count(c, 1, 1) && give(c, mica_logsumexp(c->s, c->in[0], MICA_AXES(-1), true));
}
static bool rule_sort(mlx_call *c)
{
    struct mica__sort_params p = { .axis = c->numbers[0] };
    return count(c, 1, 1) && node(c, c->p->prim, &p);
}
static bool rule_partition(mlx_call *c)
{
    struct mica__partition_params p = { .axis = c->numbers[1], .kth = c->numbers[0] };
    return count(c, 1, 1) && node(c, c->p->prim, &p);
}
static bool rule_searchsorted(mlx_call *c)
{
    return count(c, 2, 1) &&
           give(c, mica_searchsorted(c->s, c->in[0], c->in[1], c->numbers[0] ? "right" : "left"));
}

/* ---- products ---- */

static bool rule_matmul(mlx_call *c)
{
    return count(c, 2, 1) && give(c, mica_matmul(c->s, c->in[0], c->in[1]));
}
static bool rule_addmm(mlx_call *c)
{
    return count(c, 3, 1) &&
           give(c, mica_addmm(c->s, c->in[2], c->in[0], c->in[1], c->reals[0], c->reals[1]));
}
static bool rule_gather_mm(mlx_call *c)
{
    return count(c, 4, 1) &&
           give(c, mica_gather_mm(c->s, c->in[0], c->in[1], c->in[2], c->in[3], false));
}
/* The mask of the result, then those of both operands, as there are. */
static bool rule_block_masked_mm(mlx_call *c)
{
    if (c->nin < 2 || c->nin > 5) return refuse(c, "the number of inputs");
    bool out = c->nin == 3 || c->nin == 5, operands = c->nin > 3;
    size_t first = 2 + (size_t)out;
    return count(c, c->nin, 1) &&
           give(c, mica_block_masked_mm(c->s, c->in[0], c->in[1], c->numbers[0],
                                        out ? c->in[2] : NULL, operands ? c->in[first] : NULL,
                                        operands ? c->in[first + 1] : NULL));
}
/* Strides, zeros before and behind, dilations of the window and of the input. */
static bool rule_convolution(mlx_call *c)
{
    return count(c, 2, 1) && give(c, mica_conv_general(c->s, c->in[0], c->in[1], c->lists[0],
                                                       c->lists[1], c->lists[3], c->lists[4],
                                                       c->numbers[0], c->numbers[1], c->lists[2]));
}
static bool rule_quantize(mlx_call *c)
{
    const char *mode = mode_of(c, c->numbers[2]);
    if (!mode) return false;
    if (!c->numbers[3])
        return count(c, 1, c->nout) && give_many(c, mica_quantize(c->s, c->in[0], c->numbers[0],
                                                                  c->numbers[1], mode, NULL));
    if (c->nin < 2 || c->nin > 3) return refuse(c, "the number of inputs");
    return count(c, c->nin, 1) &&
           give(c, mica_dequantize(c->s, c->in[0], c->in[1], c->nin > 2 ? c->in[2] : NULL,
                                   c->numbers[0], c->numbers[1], mode, NULL, c->dtypes[0]));
}
static bool rule_quantized_matmul(mlx_call *c)
{
    const char *mode = mode_of(c, c->numbers[2]);
    if (!mode) return false;
    if (c->nin < 3 || c->nin > 4) return refuse(c, "the number of inputs");
    return count(c, c->nin, 1) &&
           give(c, mica_quantized_matmul(c->s, c->in[0], c->in[1], c->in[2],
                                         c->nin > 3 ? c->in[3] : NULL, c->numbers[3], c->numbers[0],
                                         c->numbers[1], mode));
}
static bool rule_gather_qmm(mlx_call *c)
{
    const char *mode = mode_of(c, c->numbers[2]);
    if (!mode) return false;
    if (c->nin < 5 || c->nin > 6) return refuse(c, "the number of inputs");
    size_t lhs = c->nin - 2;
    return count(c, c->nin, 1) &&
           give(c, mica_gather_qmm(c->s, c->in[0], c->in[1], c->in[2], c->nin > 5 ? c->in[3] : NULL,
                                   c->in[lhs], c->in[lhs + 1], c->numbers[3], c->numbers[0],
                                   c->numbers[1], mode, NULL, false));
}

/* ---- transforms and linear algebra ---- */

static bool rule_fft(mlx_call *c)
{
    mica_dims axes = c->lists[0];
    int64_t last, sizes[MICA_MAX_NDIM];
    if (!count(c, 1, 1)) return false;
    if (axes.n < 1 || axes.n > c->in[0]->ndim) return refuse(c, "the axes");
    bool inverse = c->numbers[0], real = c->numbers[1];
    if (!real)
        return give(c, inverse ? mica_fft_ifftn(c->s, c->in[0], MICA_ALL_AXES, axes, "backward")
                               : mica_fft_fftn(c->s, c->in[0], MICA_ALL_AXES, axes, "backward"));
    if (!inverse) return give(c, mica_fft_rfftn(c->s, c->in[0], MICA_ALL_AXES, axes, "backward"));
    last = axes.at[axes.n - 1]; /* whose length only the result tells */
    for (int64_t k = 0; k < axes.n; k++) {
        if (axes.at[k] < 0 || axes.at[k] >= c->in[0]->ndim) return refuse(c, "the axes");
        sizes[k] = c->in[0]->shape[axes.at[k]];
    }
    if (c->shapes[0].n != c->in[0]->ndim) return refuse(c, "the shape of a result");
    sizes[axes.n - 1] = c->shapes[0].at[last];
    return give(c, mica_fft_irfftn(c->s, c->in[0], (mica_dims){ axes.n, sizes }, axes, "backward"));
}
static bool rule_hadamard(mlx_call *c)
{
    return count(c, 1, 1) && give(c, mica_hadamard_transform(c->s, c->in[0], c->reals[0]));
}
static bool rule_cholesky(mlx_call *c)
{
    return count(c, 1, 1) && give(c, mica_linalg_cholesky(c->s, c->in[0], c->numbers[0]));
}
static bool rule_inverse(mlx_call *c)
{
    if (!count(c, 1, 1)) return false;
    return give(c, c->numbers[0] ? mica_linalg_tri_inv(c->s, c->in[0], c->numbers[1])
                                 : mica_linalg_inv(c->s, c->in[0]));
}
static bool rule_qr(mlx_call *c)
{
    return count(c, 1, 2) && give_many(c, mica_linalg_qr(c->s, c->in[0]));
}
static bool rule_svd(mlx_call *c)
{
    return count(c, 1, c->nout) && give_many(c, mica_linalg_svd(c->s, c->in[0], c->numbers[0]));
}
static bool rule_eigh(mlx_call *c)
{
    mica_array *out[2] = { NULL, NULL };
    if (!count(c, 1, c->numbers[0] ? 2 : 1)) return false;
    bool upper = strcmp(c->text, "U") == 0;
    if (!upper && strcmp(c->text, "L") != 0) return refuse(c, "the triangle");
    if (!mica__eigh(c->s, "eigh", c->in[0], upper, c->numbers[0], out)) return false;
    for (size_t i = 0; i < c->nout; i++) c->out[i] = out[i];
    return true;
}
static bool rule_eig(mlx_call *c)
{
    if (!c->numbers[0]) return count(c, 1, 1) && give(c, mica_linalg_eigvals(c->s, c->in[0]));
    return count(c, 1, 2) && give_many(c, mica_linalg_eig(c->s, c->in[0]));
}
