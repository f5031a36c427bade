/* Derivatives of products with quantized matrices: linear in x, and linear in scales and biases
   together; none by the codes. Rounding has no derivative, but for quantize_through. */
#include "autodiff/rule.h"
#include "ops/gather_mm.h"
#include "ops/quantized_matmul.h"

/* ---- dequantize: codes * scale + bias ---- */

/* Codes as numbers: dequantized with scales of 1. */
static mica_array *codes_of(mica_scope *s, const mica__quant_format *f, mica_array *w,
                            const mica_array *scales)
{
    struct mica__dequantize_params p = {
        .mode = MICA_QUANT_AFFINE, .group = f->group, .bits = f->bits, .dtype = scales->dtype
    };
    int64_t shape[MICA_MAX_NDIM];
    for (int i = 0; i < w->ndim; i++) shape[i] = w->shape[i];
    shape[w->ndim - 1] = mica__quant_elements(f, w->shape[w->ndim - 1]);
    mica_array *in[3] = { w, mica__full_like(s, scales, 1), mica__full_like(s, scales, 0) };
    return mica__build(s, mica_prim_dequantize, &p, 3, in, (mica_dtype)scales->dtype,
                       (mica_dims){ w->ndim, shape });
}

/* The last axis as groups. */
static mica_array *split_groups(mica_scope *s, const char *name, const mica__quant_format *f,
                                mica_array *a)
{
    int64_t shape[MICA_MAX_NDIM + 1];
    if (!a) return NULL;
    if (a->ndim == MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE, "[%s] too many axes for a derivative", name);
    for (int i = 0; i < a->ndim; i++) shape[i] = a->shape[i];
    shape[a->ndim - 1] /= f->group;
    shape[a->ndim] = f->group;
    return mica__reshape(s, a, a->ndim + 1, shape);
}

/* Sums over the groups of the last axis. */
static mica_array *group_sums(mica_scope *s, const mica__quant_format *f, mica_array *a)
{
    return mica_sum(s, split_groups(s, "dequantize", f, a), MICA_AXES(-1), false);
}

VJP_RULE(dequantize)
{
    const struct mica__dequantize_params *p = MICA_PARAMS(n, dequantize);
    mica__quant_format f = { (mica__quant_mode)p->mode, p->group, p->bits };
    bool affine = f.mode == MICA_QUANT_AFFINE;
    if (!affine || !C) return;
    if (needed[1]) gradients[1] = group_sums(s, &f, mica_multiply(s, C, codes_of(s, &f, X, Y)));
    if (needed[2]) gradients[2] = group_sums(s, &f, C);
}

/* The node with the tangents of scales and biases. */
JVP_RULE(dequantize)
{
    const struct mica__dequantize_params *p = MICA_PARAMS(n, dequantize);
    if (p->mode != MICA_QUANT_AFFINE || (!tangents[1] && !tangents[2])) return;
    mica_array *in[3] = { X };
    for (size_t i = 1; i < 3; i++)
        in[i] = tangents[i] ? tangents[i] : mica__full_like(s, n->inputs[i], 0);
    mica__rebuild(s, n, in, NULL, results);
}

/* ---- quantize: codes are steps ---- */

/* The bias of an affine group is its end farther from 0, the scale is bias / code of 0, which is a
   step. So d bias = d end, and d scale = scale / bias d end. Here: the share that each element has
   in its group's end, (..., groups, group), and scale / bias; no share where the bias is 0. */
static mica_array *end_shares(mica_scope *s, const mica_node *n, mica_array **ratio)
{
    const struct mica__quantize_params *p = MICA_PARAMS(n, quantize);
    mica__quant_format f = { (mica__quant_mode)p->mode, p->group, p->bits };
    mica_array *scale = mica__output(s, n, 1), *bias = mica__output(s, n, 2);
    mica_array *x = split_groups(s, "quantize", &f, X);
    if (!x || !bias) return NULL;
    mica_array *nonzero = mica_not_equal(s, bias, NUM(0));
    *ratio = mica__kept(
        s, nonzero, mica_divide(s, scale, mica__replaced(s, mica_equal(s, bias, NUM(0)), 1, bias)));
    mica_array *end = mica_expand_dims(s, bias, MICA_AXES(-1));
    mica_array *at = mica_logical_and(s, mica_equal(s, x, end), mica_not_equal(s, end, NUM(0)));
    mica_array *share = mica__cast(s, at, (mica_dtype)bias->dtype);
    mica_array *count = mica_sum(s, share, MICA_AXES(-1), true);
    return mica_divide(s, share, mica_maximum(s, count, NUM(1)));
}

VJP_RULE(quantize)
{
    if (MICA_PARAMS(n, quantize)->mode != MICA_QUANT_AFFINE || !needed[0]) return;
    mica_array *by_scale = cotangents[1], *by_bias = cotangents[2], *ratio = NULL;
    if (!by_scale && !by_bias) return;
    mica_array *share = end_shares(s, n, &ratio);
    if (!share) return;
    if (by_scale) by_scale = mica_multiply(s, by_scale, ratio);
    mica_array *by_end = by_scale && by_bias ? mica_add(s, by_scale, by_bias)
                         : by_scale          ? by_scale
                                             : by_bias;
    if (!by_end) return;
    share = mica_multiply(s, share, mica_expand_dims(s, by_end, MICA_AXES(-1)));
    gradients[0] =
        share ? mica__reshape(s, mica__cast(s, share, (mica_dtype)X->dtype), X->ndim, X->shape)
              : NULL;
}
JVP_RULE(quantize)
{
    const struct mica__quantize_params *p = MICA_PARAMS(n, quantize);
    mica__quant_format f = { (mica__quant_mode)p->mode, p->group, p->bits };
    mica_array *ratio = NULL;
    if (f.mode != MICA_QUANT_AFFINE || !T) return;
    mica_array *share = end_shares(s, n, &ratio);
    if (!share) return;
    mica_array *t = mica__cast(s, split_groups(s, "quantize", &f, T), (mica_dtype)share->dtype);
    results[2] = mica_sum(s, mica_multiply(s, share, t), MICA_AXES(-1), false);
    results[1] = mica_multiply(s, results[2], ratio);
}

/* ---- quantize_through: as if it were not there ---- */

VJP_RULE(quantize_through)
{
    if (needed[0] && C) gradients[0] = mica__cast(s, C, (mica_dtype)X->dtype);
}
JVP_RULE(quantize_through)
{
    if (T) results[0] = mica__cast(s, T, MICA_FLOAT32);
}

/* ---- products ---- */

static bool refuse(mica_scope *s, const char *name, bool affine, const bool needed[])
{
    if (needed[0])
        mica__error(s, MICA_EVALUE,
                    "[%s::vjp] no gradient wrt the quantized weights; differentiate by x, scales "
                    "and biases, or by float weights with qqmm (nn.QQLinear: call train() first).",
                    name);
    else if (!affine && needed[1])
        mica__error(s, MICA_EVALUE, "[%s::vjp] no gradient wrt the scales of this mode.", name);
    return mica__scope_ok(s);
}

/* A node taken apart; batches of several axes are not differentiated in place: vmap comes after. */
typedef struct parts {
    mica__quant_format f;
    bool affine, transposed;
    mica_array *x, *w, *scales, *biases, *lhs, *rhs;
} parts;

static parts parts_of(const mica_node *n)
{
    const struct mica__quantized_matmul_params *p = MICA_PARAMS(n, quantized_matmul);
    bool affine = p->mode == MICA_QUANT_AFFINE;
    return (parts){ .f = { (mica__quant_mode)p->mode, p->group, p->bits },
                    .affine = affine,
                    .transposed = p->transposed,
                    .x = n->inputs[0],
                    .w = n->inputs[1],
                    .scales = n->inputs[2],
                    .biases = affine ? n->inputs[3] : NULL,
                    .lhs = p->gathered ? n->inputs[3 + affine] : NULL,
                    .rhs = p->gathered ? n->inputs[4 + affine] : NULL };
}

mica_array *mica__scatter_matrices(mica_scope *s, mica_array *updates, mica_array *index,
                                   int64_t count)
{
    if (!updates || !index) return NULL;
    int lead = index->ndim - 1;
    int64_t shape[MICA_MAX_NDIM], axes[MICA_MAX_NDIM];
    mica_array *where[MICA_MAX_NDIM], *values = updates;
    for (int i = 0; i < updates->ndim; i++) shape[i] = updates->shape[i];
    shape[lead] = count;
    mica_array *zeros =
        mica__full(s, (mica_dims){ updates->ndim, shape }, 0, (mica_dtype)updates->dtype);
    for (int i = 0; i <= lead; i++) {
        axes[i] = i;
        where[i] = i < lead ? mica__positions(s, mica__dims_of(index), i) : index;
    }
    /* Updates: the indices' shape, then a slice of one element along each indexed axis. */
    int64_t full[2 * MICA_MAX_NDIM];
    int n = 0;
    for (int i = 0; i <= lead; i++) full[n++] = index->shape[i];
    for (int i = 0; i <= lead; i++) full[n++] = 1;
    full[n++] = updates->shape[updates->ndim - 2];
    full[n++] = updates->shape[updates->ndim - 1];
    if (n > MICA_MAX_NDIM) return mica__error(s, MICA_EVALUE, "[gather_mm] too many axes");
    values = mica__reshape(s, updates, n, full);
    return mica_scatter(s, zeros, (mica_arrays){ (size_t)lead + 1, where }, values,
                        (mica_dims){ lead + 1, axes }, MICA_SCATTER_SUM);
}

/* The derivative by the matrix, dense: (..., e, rows, columns), in float32 sums. */
static mica_array *weight_gradient(mica_scope *s, const parts *p, mica_array *c)
{
    mica_array *x = p->x;
    if (!p->lhs) {
        mica_array *left = p->transposed ? c : x, *right = p->transposed ? x : c;
        return mica_matmul(s, mica_swapaxes(s, left, -1, -2), right);
    }
    /* Each pair's own, then added up by rhs. */
    int64_t count = p->lhs->shape[p->lhs->ndim - 1], each = p->lhs->ndim - 1;
    mica_array *turn = mica_arange_integer(s, 0, count, 1, MICA_UINT32);
    turn = mica__broadcast_to(s, turn, mica__dims_of(p->lhs));
    mica_array *g;
    if (p->transposed) g = mica__gather_mm(s, mica_swapaxes(s, c, -1, -2), x, turn, p->lhs);
    else g = mica__gather_mm(s, mica_swapaxes(s, x, -1, -2), c, p->lhs, turn);
    return mica__scatter_matrices(s, g, p->rhs, p->w->shape[each]);
}

VJP_RULE(quantized_matmul)
{
    parts p = parts_of(n);
    const char *name = p.lhs ? "gather_qmm" : "quantized_matmul";
    size_t first = p.affine ? 4 : 3;
    if (!refuse(s, name, p.affine, needed + 1)) return;
    if (p.lhs && (needed[first] || needed[first + 1])) {
        mica__error(s, MICA_EVALUE,
                    "[%s] Cannot calculate VJP with respect to indices. Use stop_gradient on "
                    "indices to stop gradients from being computed.",
                    name);
        return;
    }
    mica_array *c = C;
    if (!c) return;
    if (needed[0]) {
        mica_array *turn = NULL;
        if (p.lhs) {
            int64_t count = p.lhs->shape[p.lhs->ndim - 1];
            turn = mica__broadcast_to(s, mica_arange_integer(s, 0, count, 1, MICA_UINT32),
                                      mica__dims_of(p.lhs));
        }
        mica_array *g = mica__quantized_matmul(s, &p.f, c, p.w, p.scales, p.biases, turn, p.rhs,
                                               !p.transposed, (mica_dtype)c->dtype);
        if (p.lhs) g = mica__scatter_matrices(s, g, p.lhs, X->shape[p.lhs->ndim - 1]);
        gradients[0] = mica__cast(s, g, (mica_dtype)X->dtype);
    }
    if (!p.affine || !(needed[2] || needed[3])) return;
    mica_array *g = weight_gradient(s, &p, c);
    mica_dtype dtype = (mica_dtype)p.scales->dtype;
    if (needed[2]) {
        mica_array *q = mica__cast(s, codes_of(s, &p.f, p.w, p.scales), (mica_dtype)c->dtype);
        gradients[2] = mica__cast(s, group_sums(s, &p.f, mica_multiply(s, g, q)), dtype);
    }
    if (needed[3]) gradients[3] = mica__cast(s, group_sums(s, &p.f, g), dtype);
}

JVP_RULE(quantized_matmul)
{
    parts p = parts_of(n);
    mica_dtype dtype = (mica_dtype)n->out[0].dtype;
    mica_array *a = NULL, *b = NULL;
    if (T)
        a = mica__quantized_matmul(s, &p.f, T, p.w, p.scales, p.biases, p.lhs, p.rhs, p.transposed,
                                   dtype);
    if (p.affine && (tangents[2] || tangents[3])) {
        mica_array *scales = tangents[2] ? tangents[2] : mica__full_like(s, p.scales, 0);
        mica_array *biases = tangents[3] ? tangents[3] : mica__full_like(s, p.biases, 0);
        b = mica__quantized_matmul(s, &p.f, X, p.w, scales, biases, p.lhs, p.rhs, p.transposed,
                                   dtype);
    }
    results[0] = a && b ? mica_add(s, a, b) : a ? a : b;
}

/* Rows of x alone carry the batch: one taller matrix. Else a batch is one more leading axis. */
VMAP_RULE(quantized_matmul)
{
    parts p = parts_of(n);
    bool tall = !p.lhs && batched[0] && X->ndim == 3;
    for (uint32_t i = 1; i < n->ninputs; i++) tall &= !batched[i];
    if (!tall) {
        mica_array *all[6];
        int64_t shape[MICA_MAX_NDIM + 1];
        for (uint32_t i = 0; i < n->ninputs; i++)
            all[i] = mica__with_batch(s, in[i], batched[i], batch);
        results[0] = mica__rebuild_as(s, n, all, NULL,
                                      mica__prepend(batch, mica__dims_of(&n->out[0]), 0, shape));
        return results[0] != NULL;
    }
    int64_t m = X->shape[1], flat[3] = { 1, batch * m, X->shape[2] };
    mica_array *x = mica__reshape(s, in[0], 3, flat);
    mica_array *y = mica__quantized_matmul(s, &p.f, x, in[1], in[2], p.affine ? in[3] : NULL, NULL,
                                           NULL, p.transposed, (mica_dtype)n->out[0].dtype);
    int64_t shape[4] = { batch, 1, m, y ? y->shape[2] : 0 };
    results[0] = y ? mica__reshape(s, y, 4, shape) : NULL;
    return results[0] != NULL;
}
