/* Shapes: sizes, strides, broadcasting, their text for messages, and what arrays say of theirs. */
#include <stdio.h>

#include "core/node.h"

bool mica__shape_size(mica_dims shape, int64_t *size)
{
    int64_t product = 1;
    bool zero = false;
    for (int64_t i = 0; i < shape.n; i++) {
        if (shape.at[i] < 0) return false;
        if (shape.at[i] == 0) zero = true;
        else if (__builtin_mul_overflow(product, shape.at[i], &product)) return false;
    }
    if (product > INT64_MAX / 16) return false;
    *size = zero ? 0 : product;
    return true;
}

void mica__row_major(int64_t ndim, const int64_t *shape, int64_t *strides)
{
    int64_t stride = 1;
    for (int64_t i = ndim - 1; i >= 0; i--) {
        strides[i] = stride;
        if (shape[i] > 1) stride *= shape[i];
    }
}

bool mica__is_row_major(const mica_array *a)
{
    if (a->flags & MICA_ARRAY_ROW_MAJOR) return true;
    int64_t stride = 1;
    for (int i = a->ndim - 1; i >= 0; i--) {
        if (a->shape[i] == 1) continue;
        if (a->strides[i] != stride) return a->size == 0;
        stride *= a->shape[i];
    }
    return true;
}

const char *mica__shape_text(mica_dims shape)
{
    static _Thread_local char ring[4][MICA_MAX_NDIM * 21 + 8];
    static _Thread_local unsigned next;
    char *text = ring[next++ % 4];
    size_t room = sizeof ring[0], used = 0;
    used += (size_t)snprintf(text, room, "(");
    for (int64_t i = 0; i < shape.n && i < MICA_MAX_NDIM; i++)
        used += (size_t)snprintf(text + used, room - used, i ? ", %lld" : "%lld",
                                 (long long)shape.at[i]);
    snprintf(text + used, room - used, shape.n == 1 ? ",)" : ")");
    return text;
}

bool mica__shape_equal(mica_dims a, mica_dims b)
{
    if (a.n != b.n) return false;
    for (int64_t i = 0; i < a.n; i++)
        if (a.at[i] != b.at[i]) return false;
    return true;
}

int mica__broadcast(mica_dims a, mica_dims b, int64_t *out)
{
    int64_t n = a.n > b.n ? a.n : b.n;
    if (n > MICA_MAX_NDIM) return -1;
    for (int64_t i = 0; i < n; i++) {
        int64_t x = i < n - a.n ? 1 : a.at[i - (n - a.n)];
        int64_t y = i < n - b.n ? 1 : b.at[i - (n - b.n)];
        if (x != y && x != 1 && y != 1) return -1;
        out[i] = x == 1 ? y : x;
    }
    return (int)n;
}

/* ---- what is known of arrays without evaluation ---- */

mica_dtype mica_dtype_of(const mica_array *a)
{
    return a ? (mica_dtype)a->dtype : MICA_DEFAULT_DTYPE;
}
int mica_ndim(const mica_array *a)
{
    return a ? a->ndim : 0;
}
mica_dims mica_shape(const mica_array *a)
{
    return a ? mica__dims_of(a) : MICA_SCALAR;
}
int64_t mica_size(const mica_array *a)
{
    return a ? a->size : 0;
}
int64_t mica_dim(const mica_array *a, int axis)
{
    if (!a) return -1;
    if (axis < 0) axis += a->ndim;
    return axis < 0 || axis >= a->ndim ? -1 : a->shape[axis];
}
