/* Batching of slices whose start the data tell. Examples with one start are one longer slice; with
 * a start for each, they read and write at indices. */
#include "autodiff/rule.h"

/* A window of `sizes` in an array of shape `whole`: axes that start somewhere, or are not taken
 * whole, are indexed. */
typedef struct window {
    int64_t indexed[MICA_MAX_NDIM], n; /* those axes, ascending */
    int64_t order[MICA_MAX_NDIM +
                  1]; /* (batch, axes...) to (batch, indexed..., others...): as a permutation */
    int64_t joint[MICA_MAX_NDIM + 1]; /* (batch, sizes of indexed axes) */
    int64_t apart[2 * MICA_MAX_NDIM + 2],
        napart; /* (joint, 1 for the batch if `in_batch`, slice: 1 for indexed axes) */
    int64_t axes[MICA_MAX_NDIM + 1], naxes; /* of the index arrays */
    mica_array **index;
} window;

/* starts: (batch, one for each of `axes`). in_batch: the array itself has the batch axis. */
static bool window_make(mica_scope *s, window *w, mica_array *starts, mica_dims axes,
                        mica_dims sizes, const int64_t *whole, int64_t batch, bool in_batch)
{
    int64_t count = axes.n, start_of[MICA_MAX_NDIM], others[MICA_MAX_NDIM], nothers = 0;
    *w = (window){ .index = mica__scope_alloc(s, (MICA_MAX_NDIM + 1) * sizeof *w->index) };
    starts =
        mica__cast(s, mica__reshape(s, starts, 2, (const int64_t[]){ batch, count }), MICA_INT64);
    if (!w->index || !starts) return false;
    for (int64_t i = 0; i < sizes.n; i++) {
        start_of[i] = -1;
        for (int64_t k = 0; k < axes.n; k++)
            if (axes.at[k] == i) start_of[i] = k;
        if (start_of[i] >= 0 || sizes.at[i] != whole[i]) w->indexed[w->n++] = i;
        else others[nothers++] = i;
    }
    w->joint[0] = batch;
    w->order[0] = 0;
    for (int64_t j = 0; j < w->n; j++) {
        w->joint[j + 1] = sizes.at[w->indexed[j]];
        w->order[j + 1] = w->indexed[j] + 1;
    }
    for (int64_t j = 0; j < nothers; j++) w->order[1 + w->n + j] = others[j] + 1;
    mica_dims joint = { w->n + 1, w->joint };
    for (int64_t j = 0; j <= w->n; j++) w->apart[w->napart++] = w->joint[j];
    if (in_batch) {
        w->apart[w->napart++] = 1;
        w->index[w->naxes] = mica__positions(s, joint, 0);
        w->axes[w->naxes++] = 0;
    }
    for (int64_t i = 0, j = 0; i < sizes.n; i++) {
        bool indexed = j < w->n && w->indexed[j] == i;
        w->apart[w->napart++] = indexed ? 1 : sizes.at[i];
        if (!indexed) continue;
        mica_array *at = mica__positions(s, joint, j + 1);
        if (start_of[i] >= 0) {
            int64_t column[MICA_MAX_NDIM + 1] = { batch };
            for (int64_t k = 1; k < joint.n; k++) column[k] = 1;
            mica_array *start =
                mica__reshape(s, mica__slice_axis(s, starts, 1, start_of[i], 1), joint.n, column);
            /* A negative start is out of range, and must not become an index that counts from the
             * end. */
            start = mica_where(s, mica_less(s, start, mica_integer(s, 0)),
                               mica_scalar(s, (double)INT32_MAX * 65536, MICA_INT64), start);
            at = mica_add(s, at, start);
        }
        w->index[w->naxes] = at;
        w->axes[w->naxes++] = i + in_batch;
        j++;
    }
    return s->status == MICA_OK;
}

static mica_array *window_read(mica_scope *s, const mica_node *n, mica_array *const in[],
                               bool in_batch, int64_t batch)
{
    const struct mica__dynamic_slice_params *p = MICA_PARAMS(n, dynamic_slice);
    window w;
    int64_t together[MICA_MAX_NDIM + 1], back[MICA_MAX_NDIM + 1], ndim = X->ndim + 1;
    if (!window_make(s, &w, in[1], p->axes, p->shape, X->shape, batch, in_batch)) return NULL;
    mica_dims slice = { X->ndim + in_batch, w.apart + w.n + 1 };
    mica_array *r = mica_gather(s, in[0], (mica_arrays){ (size_t)w.naxes, w.index },
                                (mica_dims){ w.naxes, w.axes }, slice);
    for (int64_t i = 0; i < ndim; i++) {
        back[w.order[i]] = i;
        together[i] = w.order[i] ? p->shape.at[w.order[i] - 1] : batch;
    }
    r = mica__reshape(s, r, ndim, together);
    return r ? mica__permute(s, r, back) : NULL;
}

VMAP_RULE(dynamic_slice)
{
    const struct mica__dynamic_slice_params *p = MICA_PARAMS(n, dynamic_slice);
    if (batched[1]) return mica__batched_result(results, window_read(s, n, in, batched[0], batch));
    int64_t axes[MICA_MAX_NDIM], shape[MICA_MAX_NDIM + 1];
    struct mica__dynamic_slice_params q = { mica__shifted(p->axes, axes),
                                            mica__prepend(batch, p->shape, 0, shape), 0 };
    return mica__batched_result(
        results, mica__build(s, mica_prim_dynamic_slice, &q, 2, in, (mica_dtype)X->dtype, q.shape));
}

VMAP_RULE(dynamic_slice_update)
{
    mica_dims given = MICA_PARAMS(n, dynamic_slice_update)->axes;
    mica_array *full[3] = { mica__with_batch(s, in[0], batched[0], batch),
                            mica__with_batch(s, in[1], batched[1], batch), in[2] };
    if (!full[0] || !full[1]) return false;
    if (!batched[2]) {
        int64_t axes[MICA_MAX_NDIM];
        struct mica__dynamic_slice_update_params q = { mica__shifted(given, axes), 0 };
        return mica__batched_result(results,
                                    mica__build(s, mica_prim_dynamic_slice_update, &q, 3, full,
                                                (mica_dtype)X->dtype, mica__dims_of(full[0])));
    }
    window w;
    if (!window_make(s, &w, in[2], given, mica__dims_of(Y), X->shape, batch, true)) return false;
    mica_array *update = mica__reshape(s, mica__permute(s, full[1], w.order), w.napart, w.apart);
    return mica__batched_result(
        results, mica_scatter(s, full[0], (mica_arrays){ (size_t)w.naxes, w.index }, update,
                              (mica_dims){ w.naxes, w.axes }, MICA_SCATTER_SET));
}
