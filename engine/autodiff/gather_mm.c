/* Derivatives of products of gathered matrices and of segments. */
#include "autodiff/rule.h"
#include "ops/gather_mm.h"

mica_array *mica__scatter_matrices(mica_scope *s, mica_array *updates, mica_array *index,
                                   int64_t count);

/* 0, 1, ... along the last axis: each of the indices' own matrices. */
static mica_array *in_turn(mica_scope *s, const mica_array *index)
{
    int64_t count = index->shape[index->ndim - 1];
    return mica__broadcast_to(s, mica_arange_integer(s, 0, count, 1, MICA_UINT32),
                              mica__dims_of(index));
}

VJP_RULE(gather_mm)
{
    mica_array *lhs = n->inputs[2], *rhs = n->inputs[3];
    if (needed[2] || needed[3]) {
        mica__error(s, MICA_EVALUE,
                    "[gather_mm] Cannot calculate VJP with respect to indices. Use stop_gradient "
                    "on indices to stop gradients from being computed.");
        return;
    }
    if (!C) return;
    int axis = lhs->ndim - 1;
    if (needed[0]) {
        mica_array *g = mica__gather_mm(s, C, mica_swapaxes(s, Y, -1, -2), in_turn(s, lhs), rhs);
        gradients[0] = mica__scatter_matrices(s, g, lhs, X->shape[axis]);
    }
    if (needed[1]) {
        mica_array *g = mica__gather_mm(s, mica_swapaxes(s, X, -1, -2), C, lhs, in_turn(s, lhs));
        gradients[1] = mica__scatter_matrices(s, g, rhs, Y->shape[axis]);
    }
}

JVP_RULE(gather_mm)
{
    mica_array *lhs = n->inputs[2], *rhs = n->inputs[3];
    mica_array *a = T ? mica__gather_mm(s, T, Y, lhs, rhs) : NULL;
    mica_array *b = tangents[1] ? mica__gather_mm(s, X, tangents[1], lhs, rhs) : NULL;
    results[0] = a && b ? mica_add(s, a, b) : a ? a : b;
}

/* ---- segmented_mm ---- */

/* 1 where a step lies in a segment: (..., s, k), of the operands' type. */
static mica_array *membership(mica_scope *s, mica_array *segments, int64_t k, mica_dtype dtype)
{
    int64_t start[MICA_MAX_NDIM] = { 0 }, shape[MICA_MAX_NDIM];
    int last = segments->ndim - 1;
    for (int i = 0; i <= last; i++) shape[i] = segments->shape[i];
    shape[last] = 1;
    int64_t step[MICA_MAX_NDIM];
    for (int i = 0; i <= last; i++) step[i] = 1;
    mica_array *wide = mica__cast(s, segments, MICA_INT64);
    mica_array *from = mica__slice(s, wide, start, step, shape);
    start[last] = 1;
    mica_array *to = mica__slice(s, wide, start, step, shape);
    mica_array *at = mica_arange_integer(s, 0, k, 1, MICA_INT64);
    return mica__cast(s, mica_logical_and(s, mica_greater_equal(s, at, from), mica_less(s, at, to)),
                      dtype);
}

/* Each segment's product reaches the steps it was made of. */
VJP_RULE(segmented_mm)
{
    mica_array *segments = n->inputs[2];
    if (needed[2]) {
        mica__error(s, MICA_EVALUE,
                    "[segmented_mm] no derivative wrt the segments; use "
                    "stop_gradient on them.");
        return;
    }
    if (!C) return;
    int64_t k = X->shape[X->ndim - 1], axis = X->ndim - 2, before = -2, behind = -1;
    mica_array *inside = membership(s, segments, k, (mica_dtype)X->dtype);
    mica_dims segment = { 1, &axis };
    if (needed[0]) { /* sum over s of (c_s b^T) * inside_s */
        mica_array *bt = mica_expand_dims(s, mica_swapaxes(s, Y, -1, -2), segment);
        mica_array *g = mica_matmul(s, C, bt);
        g = mica_multiply(s, g, mica_expand_dims(s, inside, (mica_dims){ 1, &before }));
        gradients[0] = mica_sum(s, g, segment, false);
    }
    if (needed[1]) { /* sum over s of inside_s * (a^T c_s) */
        mica_array *at = mica_expand_dims(s, mica_swapaxes(s, X, -1, -2), segment);
        mica_array *g = mica_matmul(s, at, C);
        g = mica_multiply(s, g, mica_expand_dims(s, inside, (mica_dims){ 1, &behind }));
        gradients[1] = mica_sum(s, g, segment, false);
    }
}

/* Of products that are linear in both operands, whose other inputs have no derivative. */
static void linear_in_both(mica_scope *s, const mica_node *n, mica_array *const tangents[],
                           mica_array *results[])
{
    mica_array *out = NULL, *in[5];
    for (uint32_t i = 0; i < n->ninputs; i++) in[i] = n->inputs[i];
    for (int i = 0; i < 2; i++) {
        if (!tangents[i]) continue;
        in[i] = tangents[i];
        in[1 - i] = n->inputs[1 - i];
        mica_array *part[1] = { NULL };
        if (!mica__rebuild(s, n, in, NULL, part)) return;
        out = out ? mica_add(s, out, part[0]) : part[0];
    }
    results[0] = out;
}

JVP_RULE(segmented_mm)
{
    linear_in_both(s, n, tangents, results);
}

/* ---- masked_mm ---- */

/* Products again: what the mask of the result left out sends nothing back. */
VJP_RULE(masked_mm)
{
    int64_t block = MICA_PARAMS(n, masked_mm)->block;
    mica_array *out = n->inputs[2], *left = n->inputs[3], *right = n->inputs[4];
    if (!C) return;
    if (needed[0])
        gradients[0] = mica__masked_mm(s, C, mica_swapaxes(s, Y, -1, -2), left, out,
                                       mica_swapaxes(s, right, -1, -2), block);
    if (needed[1])
        gradients[1] = mica__masked_mm(s, mica_swapaxes(s, X, -1, -2), C, right,
                                       mica_swapaxes(s, left, -1, -2), out, block);
}

JVP_RULE(masked_mm)
{
    linear_in_both(s, n, tangents, results);
}
