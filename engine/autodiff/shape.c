/* Derivatives and batching of what moves elements without computing: views, contiguous,
   concatenate. Each is a linear map that copies elements; its transpose adds up what was copied
   from one place. */
#include "autodiff/rule.h"

/* ---- the same elements ---- */

VJP_RULE(alias)
{
    if (needed[0]) gradients[0] = C;
}
VMAP_RULE(alias)
{
    return mica__batched_result(results, in[0]);
}

VMAP_RULE(stop_gradient)
{
    return mica__batched_result(results, mica_stop_gradient(s, in[0]));
}

VJP_RULE(contiguous)
{
    if (needed[0]) gradients[0] = C;
}
VMAP_RULE(contiguous)
{
    return mica__batched_result(
        results, mica_contiguous(s, in[0], MICA_PARAMS(n, contiguous)->allow_col_major));
}

/* The last axis, which alone changes its size, stays the last; a 0-d example keeps its size. */
VMAP_RULE(view)
{
    return mica__batched_result(results,
                                mica_view(s, in[0], (mica_dtype)MICA_PARAMS(n, view)->dtype));
}

/* ---- other shapes ---- */

VJP_RULE(broadcast_to)
{
    if (needed[0])
        gradients[0] =
            mica__cast(s, mica__unbroadcast(s, C, mica__dims_of(X)), (mica_dtype)X->dtype);
}
VMAP_RULE(broadcast_to)
{
    /* (batch, x...) to (batch, 1..., x...), which lines up with (batch, shape...) */
    mica_dims shape = MICA_PARAMS(n, broadcast_to)->shape;
    int64_t aligned[MICA_MAX_NDIM + 1], room[MICA_MAX_NDIM + 1], lead = shape.n - X->ndim;
    aligned[0] = batch;
    for (int64_t i = 0; i < shape.n; i++) aligned[i + 1] = i < lead ? 1 : X->shape[i - lead];
    mica_array *a = mica__reshape(s, in[0], shape.n + 1, aligned);
    return mica__batched_result(results,
                                mica__broadcast_to(s, a, mica__prepend(batch, shape, 0, room)));
}

VJP_RULE(reshape)
{
    if (needed[0]) gradients[0] = mica__reshape(s, C, X->ndim, X->shape);
}
VMAP_RULE(reshape)
{
    int64_t room[MICA_MAX_NDIM + 1];
    mica_dims shape = mica__prepend(batch, MICA_PARAMS(n, reshape)->shape, 0, room);
    return mica__batched_result(results, mica__reshape(s, in[0], shape.n, shape.at));
}

VJP_RULE(transpose)
{
    mica_dims axes = MICA_PARAMS(n, transpose)->axes;
    int64_t inverse[MICA_MAX_NDIM];
    for (int64_t i = 0; i < axes.n; i++) inverse[axes.at[i]] = i;
    if (needed[0]) gradients[0] = mica__permute(s, C, inverse);
}
VMAP_RULE(transpose)
{
    int64_t room[MICA_MAX_NDIM + 1];
    return mica__batched_result(
        results,
        mica__permute(s, in[0], mica__prepend(0, MICA_PARAMS(n, transpose)->axes, 1, room).at));
}

VJP_RULE(expand_dims)
{
    mica_dims axes = MICA_PARAMS(n, expand_dims)->axes;
    if (needed[0]) gradients[0] = mica__squeeze_axes(s, C, axes.n, axes.at);
}
VMAP_RULE(expand_dims)
{
    int64_t room[MICA_MAX_NDIM];
    return mica__batched_result(
        results,
        mica_expand_dims(s, in[0], mica__shifted(MICA_PARAMS(n, expand_dims)->axes, room)));
}

VJP_RULE(squeeze)
{
    if (needed[0]) gradients[0] = mica_expand_dims(s, C, MICA_PARAMS(n, squeeze)->axes);
}
VMAP_RULE(squeeze)
{
    int64_t room[MICA_MAX_NDIM];
    mica_dims axes = mica__shifted(MICA_PARAMS(n, squeeze)->axes, room);
    return mica__batched_result(results, mica__squeeze_axes(s, in[0], axes.n, axes.at));
}

/* ---- some of the elements ---- */

/* Zeros, but for the slice. */
VJP_RULE(slice)
{
    const struct mica__slice_params *p = MICA_PARAMS(n, slice);
    if (!needed[0] || n->out[0].size == 0) return;
    struct mica__slice_update_params u = { .start = p->start,
                                           .step = p->step,
                                           .mode = MICA_SCATTER_SET };
    gradients[0] = mica__build(s, mica_prim_slice_update, &u, 2,
                               (mica_array *const[]){ mica__full_like(s, X, 0), C },
                               (mica_dtype)X->dtype, mica__dims_of(X));
}
VMAP_RULE(slice)
{
    const struct mica__slice_params *p = MICA_PARAMS(n, slice);
    int64_t start[MICA_MAX_NDIM + 1], step[MICA_MAX_NDIM + 1], shape[MICA_MAX_NDIM + 1];
    return mica__batched_result(results,
                                mica__slice(s, in[0], mica__prepend(0, p->start, 0, start).at,
                                            mica__prepend(1, p->step, 0, step).at,
                                            mica__prepend(batch, p->shape, 0, shape).at));
}

mica_array *mica__positions(mica_scope *s, mica_dims shape, int64_t axis)
{
    int64_t ones[MICA_MAX_NDIM];
    if (shape.n > MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE,
                           "[vmap] %lld axes are more than the %d that an array can have",
                           (long long)shape.n, MICA_MAX_NDIM);
    for (int64_t i = 0; i < shape.n; i++) ones[i] = i == axis ? shape.at[i] : 1;
    int64_t count = shape.at[axis];
    mica_array *line =
        mica_arange_integer(s, 0, count, 1, count <= INT32_MAX ? MICA_INT32 : MICA_INT64);
    return mica__broadcast_to(s, mica__reshape(s, line, shape.n, ones), shape);
}

/* The place in the row-major elements of the input that each element of the view has: offset +
 * sum_k i_k stride_k. */
static mica_array *strided_places(mica_scope *s, const struct mica__as_strided_params *p)
{
    mica_array *places = mica__full(s, p->shape, 0, MICA_INT64);
    places = mica_add(s, places, mica_integer(s, p->offset));
    for (int64_t k = 0; k < p->shape.n; k++)
        places = mica_add(s, places,
                          mica_multiply(s, mica__positions(s, p->shape, k),
                                        mica_scalar(s, (double)p->strides.at[k], MICA_INT64)));
    return places;
}

VJP_RULE(as_strided)
{
    if (!needed[0] || n->out[0].size == 0) return;
    int64_t count = n->out[0].size, row[2] = { count, 1 };
    mica_array *places = mica__reshape(s, strided_places(s, MICA_PARAMS(n, as_strided)), 1, row);
    mica_array *flat = mica_scatter(s, mica__full(s, MICA_SHAPE(X->size), 0, (mica_dtype)X->dtype),
                                    MICA_ARRAYS(places), mica__reshape(s, C, 2, row), MICA_AXES(0),
                                    MICA_SCATTER_SUM);
    gradients[0] = mica__reshape(s, flat, X->ndim, X->shape);
}
VMAP_RULE(as_strided)
{
    /* Examples lie behind one another. */
    const struct mica__as_strided_params *p = MICA_PARAMS(n, as_strided);
    int64_t shape[MICA_MAX_NDIM + 1], strides[MICA_MAX_NDIM + 1];
    struct mica__as_strided_params q = { .shape = mica__prepend(batch, p->shape, 0, shape),
                                         .strides = mica__prepend(X->size, p->strides, 0, strides),
                                         .offset = p->offset };
    return mica__batched_result(
        results, mica__build(s, mica_prim_as_strided, &q, 1, in, (mica_dtype)X->dtype, q.shape));
}

/* ---- joined ---- */

VJP_RULE(concatenate)
{
    int axis = (int)MICA_PARAMS(n, concatenate)->axis;
    int64_t start = 0;
    for (uint32_t i = 0; i < n->ninputs; i++) {
        int64_t size = mica__input(n, i)->shape[axis];
        if (needed[i]) gradients[i] = mica__slice_axis(s, C, axis, start, size);
        start += size;
    }
}
JVP_RULE(concatenate)
{
    mica_array **parts = mica__scope_alloc(s, n->ninputs * sizeof *parts);
    if (!parts) return;
    for (uint32_t i = 0; i < n->ninputs; i++)
        parts[i] = tangents[i] ? tangents[i] : mica__full_like(s, mica__input(n, i), 0);
    mica__rebuild(s, n, parts, NULL, results);
}
