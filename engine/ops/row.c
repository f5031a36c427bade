/* Rows of evaluated arrays without a graph: iteration and x[i] cost no evaluation. */
#include "ops/builder.h"

bool mica__has_rows(const mica_array *a)
{
    return mica__is_done(a) && !mica__is_traced(a) && (a->buffer || a->size == 1);
}

mica_array *mica__finished_row(const mica_array *a, int64_t index)
{
    mica_dims shape = { a->ndim - 1, a->shape + 1 };
    mica_node *n = mica__node_new(mica_prim_constant, 1, shape.n, 0, 0);
    if (!n) return NULL;
    mica_array *row = &n->out[0];
    if (mica__array_set_shape(row, (mica_dtype)a->dtype, shape) != MICA_OK) {
        mica__node_discard(n);
        return NULL;
    }
    size_t item = mica__dtype_sizes[a->dtype];
    char *data = a->data + index * a->strides[0] * (int64_t)item;
    bool mapped =
        a->buffer && a->buffer->check; /* whoever reads the value has to ask about the file */
    if (row->ndim == 0 &&
        !mapped) { /* one element: copied into the node, so that it does not hold the whole array */
        memcpy(row->value.bytes, data, item);
        row->data = row->value.bytes;
        atomic_store_explicit(&row->flags, MICA_ARRAY_ROW_MAJOR, memory_order_relaxed);
    } else {
        mica__buffer_retain(a->buffer);
        mica__array_set_data(row, a->buffer, data, a->strides + 1);
    }
    /* The first reference; nobody else knows the node yet. */
    atomic_store_explicit(&row->uses, 1, memory_order_relaxed);
    atomic_store_explicit(&n->slots, 1, memory_order_relaxed);
    atomic_store_explicit(&n->state, MICA_NODE_DONE, memory_order_relaxed);
    return row;
}

/* a[index] along axis 0. An evaluated array that nobody traces gives a finished view at once. */
mica_array *mica__row(mica_scope *s, mica_array *a, int64_t index)
{
    if (!mica__ready(s, a)) return NULL;
    if (mica__has_rows(a)) {
        mica_array *row = mica__finished_row(a, index);
        return row ? mica_scope_own(s, row) : mica__scope_failed(s, mica__last_status());
    }
    int64_t start[MICA_MAX_NDIM] = { index }, step[MICA_MAX_NDIM], sizes[MICA_MAX_NDIM];
    for (int i = 0; i < a->ndim; i++) {
        step[i] = 1;
        sizes[i] = i ? a->shape[i] : 1;
    }
    struct mica__slice_params p = { { a->ndim, start }, { a->ndim, step }, { a->ndim, sizes }, 0 };
    mica_array *row = mica__build(s, mica_prim_slice, &p, 1, &a, (mica_dtype)a->dtype, p.shape);
    int64_t axis = 0;
    return row ? mica__squeeze_axes(s, row, 1, &axis) : NULL;
}
