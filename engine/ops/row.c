/* Rows of evaluated arrays without a graph: iteration and x[i] cost no evaluation. */
#include "ops/builder.h"

/* a[index] along axis 0. An evaluated array that nobody traces gives a finished view at once. */
mica_array *mica__row(mica_scope *s, mica_array *a, int64_t index)
{
    if (!mica__ready(s, a)) return NULL;
    mica_dims shape = { a->ndim - 1, a->shape + 1 };
    if (!mica__is_done(a) || mica__is_traced(a) || (!a->buffer && a->size != 1)) {
        int64_t start[MICA_MAX_NDIM] = { index }, step[MICA_MAX_NDIM], sizes[MICA_MAX_NDIM];
        for (int i = 0; i < a->ndim; i++) {
            step[i] = 1;
            sizes[i] = i ? a->shape[i] : 1;
        }
        struct mica__slice_params p = {
            { a->ndim, start }, { a->ndim, step }, { a->ndim, sizes }, 0
        };
        mica_array *row = mica__build(s, mica_prim_slice, &p, 1, &a, (mica_dtype)a->dtype, p.shape);
        int64_t axis = 0;
        return row ? mica__squeeze_axes(s, row, 1, &axis) : NULL;
    }
    mica_node *n = mica__node_new(mica_prim_constant, 1, 0, 0);
    if (!n) return mica__scope_failed(s, MICA_EMEMORY);
    mica_array *row = &n->out[0];
    int status = mica__array_set_shape(row, (mica_dtype)a->dtype, shape);
    if (status != MICA_OK) {
        mica__scope_failed(s, status);
        mica__node_discard(n);
        return NULL;
    }
    bool mapped =
        a->buffer && a->buffer->check; /* whoever reads the value has to ask about the file */
    if (row->ndim == 0 &&
        !mapped) { /* one element: copied into the node, so that it does not hold the whole array */
        memcpy(row->value.bytes, a->data + index * a->strides[0] * mica__dtype_sizes[a->dtype],
               mica__dtype_sizes[a->dtype]);
        mica__array_set_data(row, NULL, row->value.bytes, NULL);
    } else {
        mica__buffer_retain(a->buffer);
        mica__array_set_data(row, a->buffer,
                             a->data + index * a->strides[0] * mica__dtype_sizes[a->dtype],
                             a->strides + 1);
    }
    atomic_store_explicit(&n->state, MICA_NODE_DONE, memory_order_relaxed);
    return mica__scope_take(s, n, 0);
}
