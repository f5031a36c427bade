/* Outputs by rule: sources and views. */
#include "base/inflate.h"
#include "ops/infer.h"
#include "ops/shape.h"

/* ---- sources ---- */

bool mica__infer_arange(mica__inference *i)
{
    const struct mica__arange_params *p = i->params;
    if (!mica__infer_count(i, 0, 1)) return false;
    if (p->dtype == MICA_BOOL || p->count < 0 || p->count > INT64_MAX / 16)
        return mica__infer_refuse(i, "the type or the count");
    return mica__infer_give(i, 0, (mica_dtype)p->dtype, (mica_dims){ 1, &p->count });
}

/* Each row of keys draws an array of `shape`. Both primitives begin with that field. */
bool mica__infer_random(mica__inference *i)
{
    mica_dims shape = ((const struct mica__random_normal_params *)i->params)->shape;
    int64_t out[MICA_MAX_NDIM];
    if (!mica__infer_count(i, 1, 1) || !mica__infer_sizes(i, shape)) return false;
    const mica_array *key = i->in[0];
    int lead = key->ndim - 1;
    if (key->dtype != MICA_UINT32 || lead < 0 || key->shape[lead] != 2 ||
        lead + shape.n > MICA_MAX_NDIM)
        return mica__infer_refuse(i, "the key");
    mica_dtype dtype = MICA_FLOAT32;
    if (i->prim == mica_prim_random_bits) {
        int64_t width = ((const struct mica__random_bits_params *)i->params)->width;
        if (width != 1 && width != 2 && width != 4 && width != 8)
            return mica__infer_refuse(i, "the width");
        dtype = width == 1   ? MICA_UINT8
                : width == 2 ? MICA_UINT16
                : width == 4 ? MICA_UINT32
                             : MICA_UINT64;
    }
    for (int k = 0; k < lead; k++) out[k] = key->shape[k];
    for (int64_t k = 0; k < shape.n; k++) out[lead + k] = shape.at[k];
    return mica__infer_give(i, 0, dtype, (mica_dims){ lead + shape.n, out });
}

/* ---- views ---- */

bool mica__infer_broadcast_to(mica__inference *i)
{
    const struct mica__broadcast_to_params *p = i->params;
    if (!mica__infer_count(i, 1, 1) || !mica__infer_sizes(i, p->shape)) return false;
    const mica_array *a = i->in[0];
    int64_t lead = p->shape.n - a->ndim;
    if (lead < 0) return mica__infer_refuse(i, "the shape");
    for (int k = 0; k < a->ndim; k++)
        if (a->shape[k] != 1 && a->shape[k] != p->shape.at[lead + k])
            return mica__infer_refuse(i, "the shape");
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, p->shape);
}

bool mica__infer_reshape(mica__inference *i)
{
    const struct mica__reshape_params *p = i->params;
    int64_t size;
    if (!mica__infer_count(i, 1, 1) || !mica__infer_sizes(i, p->shape)) return false;
    const mica_array *a = i->in[0];
    if (!mica__shape_size(p->shape, &size) || size != a->size)
        return mica__infer_refuse(i, "the shape");
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, p->shape);
}

bool mica__infer_transpose(mica__inference *i)
{
    mica_dims axes = ((const struct mica__transpose_params *)i->params)->axes;
    int64_t shape[MICA_MAX_NDIM];
    if (!mica__infer_count(i, 1, 1)) return false;
    const mica_array *a = i->in[0];
    if (!mica__infer_axes(i, axes, a->ndim, false)) return false;
    if (axes.n != a->ndim) return mica__infer_refuse(i, "the axes");
    for (int k = 0; k < a->ndim; k++) shape[k] = a->shape[axes.at[k]];
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, (mica_dims){ a->ndim, shape });
}

bool mica__infer_expand_dims(mica__inference *i)
{
    mica_dims axes = ((const struct mica__expand_dims_params *)i->params)->axes;
    int64_t shape[MICA_MAX_NDIM], n = 0;
    if (!mica__infer_count(i, 1, 1)) return false;
    const mica_array *a = i->in[0];
    if (!mica__infer_axes(i, axes, a->ndim + axes.n, true)) return false;
    for (int64_t k = 0, from = 0; k < a->ndim + axes.n; k++) {
        bool inserted = n < axes.n && axes.at[n] == k;
        shape[k] = inserted ? 1 : a->shape[from++];
        n += inserted;
    }
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, (mica_dims){ a->ndim + axes.n, shape });
}

bool mica__infer_squeeze(mica__inference *i)
{
    mica_dims axes = ((const struct mica__squeeze_params *)i->params)->axes;
    int64_t shape[MICA_MAX_NDIM], n = 0, kept = 0;
    if (!mica__infer_count(i, 1, 1)) return false;
    const mica_array *a = i->in[0];
    if (!mica__infer_axes(i, axes, a->ndim, true)) return false;
    for (int k = 0; k < a->ndim; k++) {
        if (n == axes.n || axes.at[n] != k) {
            shape[kept++] = a->shape[k];
            continue;
        }
        n++;
        if (a->shape[k] != 1) return mica__infer_refuse(i, "the axes");
    }
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, (mica_dims){ kept, shape });
}

bool mica__infer_as_strided(mica__inference *i)
{
    const struct mica__as_strided_params *p = i->params;
    if (!mica__infer_count(i, 1, 1) || !mica__infer_sizes(i, p->shape)) return false;
    if (p->strides.n != p->shape.n) return mica__infer_refuse(i, "the strides");
    const mica_array *a = mica_as_strided(i->s, i->in[0], p->shape, p->strides, p->offset);
    return a && mica__infer_like(i, 0, a);
}

bool mica__infer_view(mica__inference *i)
{
    const struct mica__view_params *p = i->params;
    if (!mica__infer_count(i, 1, 1)) return false;
    const mica_array *a = mica_view(i->s, i->in[0], (mica_dtype)p->dtype);
    return a && mica__infer_like(i, 0, a);
}

/* ---- files ---- */

/* Type and shape are those that were recorded, if the bytes are theirs. Truth values could be
   neither 0 nor 1. */
bool mica__infer_inflate(mica__inference *i)
{
    const struct mica__inflate_params *p = i->params;
    int64_t size;
    if (!mica__infer_count(i, 1, 1)) return false;
    const mica_array *a = i->in[0];
    if (a->ndim != 1 || a->dtype != MICA_UINT8) return mica__infer_refuse(i, "an input");
    if (i->dtypes[0] == MICA_BOOL) return mica__infer_refuse(i, "the type");
    if (p->at < 0 || p->at > a->size || p->packed < 0 || p->packed > a->size - p->at)
        return mica__infer_refuse(i, "the place");
    if (p->bytes < 0 || p->bytes / MICA__INFLATE_MOST > p->packed || p->start < 0 ||
        p->start > p->bytes || !mica__infer_sizes(i, i->shapes[0]) ||
        !mica__shape_size(i->shapes[0], &size) ||
        size * mica__dtype_sizes[i->dtypes[0]] != p->bytes - p->start)
        return mica__infer_refuse(i, "the number of bytes");
    return mica__infer_give(i, 0, i->dtypes[0], i->shapes[0]);
}
