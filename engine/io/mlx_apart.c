/* Operations taken apart for MLX: as it composes them itself, where it does. */
#include "io/mlx_apart.h"

#include <math.h>

#include "autodiff/fast.h"
#include "ops/linalg.h"
#include "ops/quantize.h"

typedef mica_array *part_rule(mica_scope *s, const mica_node *n, mica_array *const in[]);

/* ---- linear algebra ---- */

static mica_array *triangular(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    struct mica__tri_inv_params p = { .upper = MICA_PARAMS(n, solve_triangular)->upper };
    mica_array *inverse = mica__build(s, mica_prim_tri_inv, &p, 1, in, (mica_dtype)in[0]->dtype,
                                      mica__dims_of(in[0]));
    return mica_matmul(s, inverse, in[1]);
}

static mica_array *adjoint(mica_scope *s, mica_array *a)
{
    a = mica_swapaxes(s, a, -1, -2);
    return a && a->dtype == MICA_COMPLEX64 ? mica_conjugate(s, a) : a;
}

/* V / S U^H of the singular values that count (the kernel's bound). */
static mica_array *pseudo_inverse(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    mica_array *svd[3];
    int axes = in[0]->ndim;
    int64_t rows = in[0]->shape[axes - 2], columns = in[0]->shape[axes - 1],
            k = rows < columns ? rows : columns;
    if (!mica__svd(s, "pinv", in[0], 1, svd)) return NULL;
    mica_dtype dtype = mica__real_dtype((mica_dtype)in[0]->dtype);
    double epsilon = dtype == MICA_FLOAT64 ? 0x1p-52 : 0x1p-23;
    double bound = 10.0 * (double)(rows > columns ? rows : columns) * epsilon;
    mica_array *largest = mica_max(s, svd[1], MICA_AXES(-1), true);
    mica_array *counts =
        mica_greater(s, svd[1], mica_multiply(s, largest, mica_scalar(s, bound, dtype)));
    mica_array *factors = mica_where(s, counts, mica_divide(s, mica_scalar(s, 1, dtype), svd[1]),
                                     mica_scalar(s, 0, dtype));
    mica_array *u = mica__slice_axis(s, svd[0], axes - 1, 0, k),
               *v = mica__slice_axis(s, svd[2], axes - 2, 0, k);
    (void)n;
    v = mica_multiply(s, adjoint(s, v), mica_expand_dims(s, factors, MICA_AXES(-2)));
    return mica_matmul(s, v, adjoint(s, u));
}

/* One element of each matrix. */
static mica_array *element(mica_scope *s, mica_array *a, int64_t i, int64_t j)
{
    const int64_t last[2] = { a->ndim - 2, a->ndim - 1 };
    a = mica__slice_axis(s, mica__slice_axis(s, a, a->ndim - 2, i, 1), a->ndim - 1, j, 1);
    return mica__squeeze_axes(s, a, 2, last);
}
static mica_array *minor_of(mica_scope *s, mica_array *a, int64_t i, int64_t j, int64_t k)
{
    return mica_subtract(s, mica_multiply(s, element(s, a, i, j), element(s, a, i + 1, k)),
                         mica_multiply(s, element(s, a, i, k), element(s, a, i + 1, j)));
}

/* Up to three rows, which MLX writes out; more it gets from a factorization that it cannot store.
 */
enum { WRITTEN_OUT = 3 };
static mica_array *determinant(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    mica_array *a = in[0];
    (void)n;
    switch (a->shape[a->ndim - 1]) {
    case 1: return element(s, a, 0, 0);
    case 2: return minor_of(s, a, 0, 0, 1);
    default: {
        mica_array *first = mica_multiply(s, element(s, a, 0, 0), minor_of(s, a, 1, 1, 2)),
                   *second = mica_multiply(s, element(s, a, 0, 1), minor_of(s, a, 1, 0, 2)),
                   *third = mica_multiply(s, element(s, a, 0, 2), minor_of(s, a, 1, 0, 1));
        return mica_add(s, mica_subtract(s, first, second), third);
    }
    }
}

/* ---- convolutions ---- */

/* (n, window..., groups c) as (c, window..., groups n): examples and channels exchanged. */
static mica_array *channels_first(mica_scope *s, mica_array *a, int64_t groups)
{
    int64_t split[MICA_MAX_NDIM], order[MICA_MAX_NDIM], joined[MICA_MAX_NDIM];
    int n = a->ndim;
    for (int i = 0; i < n - 1; i++) split[i] = joined[i] = a->shape[i];
    split[n - 1] = groups;
    split[n] = joined[0] = a->shape[n - 1] / groups;
    joined[n - 1] = groups * a->shape[0];
    for (int i = 0; i <= n; i++) order[i] = i == 0 ? n : i == n ? 0 : i;
    a = mica__reshape(s, a, n + 1, split);
    return mica__reshape(s, a ? mica__permute(s, a, order) : NULL, n, joined);
}

/* A convolution over examples: strides of the windows are dilations of the cotangent. */
static mica_array *conv_weight(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    const struct mica__conv_params *p = n->params; /* conv_weight has the same */
    const mica_array *out = &n->out[0];
    int axes = out->ndim;
    struct mica__conv_params q = { .stride = p->kernel_dilation,
                                   .low = p->low,
                                   .kernel_dilation = p->stride,
                                   .input_dilation = p->input_dilation,
                                   .groups = p->groups };
    int64_t shape[MICA_MAX_NDIM], order[MICA_MAX_NDIM], turned[MICA_MAX_NDIM];
    for (int i = 0; i < axes; i++) {
        order[i] = i == 0 ? axes - 1 : i == axes - 1 ? 0 : i;
        shape[i] = out->shape[order[i]];
        turned[i] = i;
    }
    mica_array *both[2] = { channels_first(s, in[0], p->groups), channels_first(s, in[1], 1) };
    if (!both[0] || !both[1]) return NULL;
    mica_array *w = mica__build(s, mica_prim_conv, &q, 2, both, (mica_dtype)out->dtype,
                                (mica_dims){ axes, shape });
    w = w ? mica__permute(s, w, order) : NULL;
    return w && p->flip ? mica_flip(s, w, (mica_dims){ axes - 2, turned + 1 }) : w;
}

/* ---- losses and order ---- */

static mica_array *column_of(mica_scope *s, mica_array *a)
{
    return mica_expand_dims(s, a, MICA_AXES(-1));
}

static mica_array *cross_entropy(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    mica_array *x = mica__cast(s, in[0], (mica_dtype)n->out[0].dtype);
    mica_array *chosen = mica_take_along_axis(s, x, column_of(s, in[1]), -1);
    return mica_subtract(s, mica_logsumexp(s, x, MICA_AXES(-1), false),
                         mica_squeeze(s, chosen, MICA_AXES(-1)));
}

/* c (softmax(x) - e), e: 1 at the target, which may count from the end. */
static mica_array *cross_entropy_vjp(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    mica_array *x = mica__cast(s, in[0], MICA_FLOAT32), *target = column_of(s, in[1]);
    target = mica__cast(s, target, MICA_INT64);
    if (!x || !target) return NULL;
    int64_t classes = x->shape[x->ndim - 1];
    target = mica_where(s, mica_less(s, target, mica_integer(s, 0)),
                        mica_add(s, target, mica_integer(s, classes)), target);
    mica_array *there = mica_equal(s, mica_arange(s, 0, (double)classes, 1, MICA_INT64), target);
    mica_array *slope = mica_subtract(s, mica_softmax(s, x, MICA_AXES(-1), true),
                                      mica__cast(s, there, MICA_FLOAT32));
    return mica__cast(s, mica_multiply(s, slope, column_of(s, in[3])), (mica_dtype)n->out[0].dtype);
}

/* For each element of sorted rows, how many neighbours before it differ. */
static mica_array *run_ranks(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    int axis = in[0]->ndim - 1;
    int64_t length = in[0]->shape[axis];
    (void)n;
    if (!length) return mica__cast(s, in[0], MICA_UINT32);
    mica_array *changes = mica_not_equal(s, mica__slice_axis(s, in[0], axis, 1, length - 1),
                                         mica__slice_axis(s, in[0], axis, 0, length - 1));
    mica_array *first = mica__full_like(s, mica__slice_axis(s, in[0], axis, 0, 1), 0);
    changes = mica_concatenate(
        s, MICA_ARRAYS(mica__cast(s, first, MICA_UINT32), mica__cast(s, changes, MICA_UINT32)),
        axis);
    return mica_cumsum(s, changes, axis, false, true, MICA_UINT32);
}
static mica_array *run_starts(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    double count = (double)MICA_PARAMS(n, run_starts)->count;
    return mica_searchsorted(s, run_ranks(s, n, in), mica_arange(s, 0, count, 1, MICA_UINT32),
                             "left");
}

/* ---- random numbers ---- */

static mica_array *normal(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    double low = (double)nextafterf(-1, 0);
    mica_array *u = mica_random_bits(s, MICA_PARAMS(n, random_normal)->shape, 4, in[0]);
    u = mica_divide(s, mica__cast(s, u, MICA_FLOAT32), mica_scalar(s, UINT32_MAX, MICA_FLOAT32));
    u = mica_minimum(s, u, mica_scalar(s, (double)nextafterf(1, 0), MICA_FLOAT32));
    u = mica_multiply(s, u, mica_scalar(s, 1 - low, MICA_FLOAT32));
    return mica_erfinv(s, mica_add(s, u, mica_scalar(s, low, MICA_FLOAT32)));
}

/* ---- few bits ---- */

/* What codes stand for, from a table that is at hand. */
static mica_array *looked_up(mica_scope *s, mica_array *table, mica_array *codes)
{
    return mica_take(s, table, mica__cast(s, codes, MICA_UINT32), 0);
}
static mica_array *of_e2m1(mica_scope *s, mica_array *codes)
{
    static const float table[16] = { 0,     0.5f,  1,  1.5f,  2,  3,  4,  6,
                                     -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6 };
    return looked_up(s, mica_from_data(s, table, MICA_SHAPE(16), MICA_FLOAT32), codes);
}
static mica_array *of_e8m0(mica_scope *s, mica_array *codes)
{
    float table[256];
    for (int i = 0; i < 255; i++) table[i] = ldexpf(1, i - 127);
    table[255] = INFINITY;
    return looked_up(s, mica_from_data(s, table, MICA_SHAPE(256), MICA_FLOAT32), codes);
}
static mica_array *of_e4m3(mica_scope *s, mica_array *codes)
{
    mica_array *table = mica_from_fp8(s, mica_arange(s, 0, 256, 1, MICA_UINT8), MICA_FLOAT32);
    return table && mica_eval(s, &table, 1) == MICA_OK ? looked_up(s, table, codes) : NULL;
}

static mica_array *from_fp8(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    return mica__cast(s, of_e4m3(s, in[0]), MICA_PARAMS(n, from_fp8)->dtype);
}

/* Codes of `bits` bits along the last axis: each is cut from the one or two words it lies in. */
static mica_array *codes_of(mica_scope *s, mica_array *words, int64_t bits)
{
    int last = words->ndim - 1;
    int64_t n = words->shape[last], count = n * 32 / bits;
    mica_array *place = mica_multiply(s, mica_arange(s, 0, (double)count, 1, MICA_INT64),
                                      mica_scalar(s, (double)bits, MICA_INT64));
    mica_array *word = mica_right_shift(s, place, mica_scalar(s, 5, MICA_INT64)),
               *offset = mica_bitwise_and(s, place, mica_scalar(s, 31, MICA_INT64)),
               *next = mica_minimum(s, mica_add(s, word, mica_scalar(s, 1, MICA_INT64)),
                                    mica_scalar(s, (double)(n - 1), MICA_INT64));
    words = mica__cast(s, words, MICA_UINT64);
    mica_array *both = mica_bitwise_or(
        s, mica_take(s, words, word, last),
        mica_left_shift(s, mica_take(s, words, next, last), mica_scalar(s, 32, MICA_UINT64)));
    both = mica_right_shift(s, both, mica__cast(s, offset, MICA_UINT64));
    return mica_bitwise_and(s, both, mica_scalar(s, (double)((1 << bits) - 1), MICA_UINT64));
}

/* (..., groups group) times or plus one number a group. */
static mica_array *grouped(mica_scope *s, mica_array *a, int64_t group)
{
    int64_t shape[MICA_MAX_NDIM];
    if (!a) return NULL;
    int last = a->ndim - 1;
    for (int i = 0; i < last; i++) shape[i] = a->shape[i];
    shape[last] = a->shape[last] / group;
    shape[last + 1] = group;
    return mica__reshape(s, a, last + 2, shape);
}

static mica_array *dequantize(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    const struct mica__dequantize_params *p = n->params;
    mica_array *codes = codes_of(s, in[0], p->bits), *scales = in[1], *y;
    if (p->mode == MICA_QUANT_AFFINE) {
        y = grouped(s, mica__cast(s, codes, p->dtype), p->group);
        y = mica_add(s, mica_multiply(s, y, column_of(s, scales)), column_of(s, in[2]));
    } else {
        bool wide = p->mode == MICA_QUANT_MXFP8, e4m3 = p->mode == MICA_QUANT_NVFP4;
        y = wide ? of_e4m3(s, codes) : of_e2m1(s, codes);
        scales = e4m3 ? of_e4m3(s, scales) : of_e8m0(s, scales);
        if (p->scaled)
            scales =
                mica_multiply(s, scales, mica_divide(s, in[2], mica_scalar(s, 2688, MICA_FLOAT32)));
        y = mica_multiply(s, grouped(s, y, p->group), column_of(s, scales));
        y = mica__cast(s, y, p->dtype);
    }
    return y ? mica__reshape(s, y, n->out[0].ndim, n->out[0].shape) : NULL;
}

static mica_array *inverted(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    mica_dtype dtype = (mica_dtype)n->out[0].dtype;
    if (dtype == MICA_BOOL) return mica_logical_not(s, in[0]);
    return mica_bitwise_xor(s, in[0], mica__cast(s, mica_scalar(s, -1, MICA_INT64), dtype));
}

/* ---- which, and how ---- */

static part_rule *rule_of(const mica_node *n)
{
    const mica_array *a = n->ninputs ? n->inputs[0] : NULL;
    switch (n->prim) {
    case mica_prim_bitwise_invert: return inverted;
    case mica_prim_solve_triangular: return triangular;
    case mica_prim_pinv: return a->size ? pseudo_inverse : NULL;
    case mica_prim_det:
    case mica_prim_slogdet:
        return a->shape[a->ndim - 1] && a->shape[a->ndim - 1] <= WRITTEN_OUT ? determinant : NULL;
    case mica_prim_conv_weight: return conv_weight;
    case mica_prim_cross_entropy: return cross_entropy;
    case mica_prim_cross_entropy_vjp: return cross_entropy_vjp;
    case mica_prim_run_ranks: return run_ranks;
    case mica_prim_run_starts: return a->ndim == 1 ? run_starts : NULL;
    case mica_prim_random_normal: return normal;
    case mica_prim_from_fp8: return from_fp8;
    case mica_prim_dequantize: return a->size ? dequantize : NULL;
    default: return NULL;
    }
}

static bool has_composition(unsigned prim)
{
    return prim == mica_prim_rms_norm || prim == mica_prim_rms_norm_vjp ||
           prim == mica_prim_layer_norm || prim == mica_prim_layer_norm_vjp ||
           prim == mica_prim_rope || prim == mica_prim_attention || prim == mica_prim_attention_vjp;
}

bool mica__mlx_is_apart(const mica_node *n)
{
    return has_composition(n->prim) || n->prim == mica_prim_gated_delta ||
           n->prim == mica_prim_gated_delta_vjp || rule_of(n);
}

size_t mica__mlx_take_apart(mica_scope *s, const mica_node *n, mica_array *const in[],
                            mica_array *out[])
{
    part_rule *rule = rule_of(n);
    if (has_composition(n->prim)) return mica__compose_fused(s, n, in, out);
    if (!rule) return mica__compose_gated_delta(s, n, in, out);
    out[0] = rule(s, n, in);
    if (!out[0]) return 0;
    if (n->prim != mica_prim_slogdet) return 1;
    mica_array *det = out[0];
    out[0] = mica_sign(s, det);
    out[1] = mica_log(s, mica_abs(s, det));
    return out[1] ? 2 : 0;
}
