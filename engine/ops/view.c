/* Geometry of views: the strides and the first element of each VIEW primitive, or that a copy is
 * needed. */
#include "ops/view.h"

#include "ops/params.h"

static void broadcast_geometry(const mica_array *out, const mica_array *in, int64_t *strides)
{
    int lead = out->ndim - in->ndim;
    for (int i = 0; i < out->ndim; i++)
        strides[i] = i < lead || in->shape[i - lead] == 1 ? 0 : in->strides[i - lead];
}

/* Splits and joins axes: runs of input axes that are dense among themselves can be cut anew. */
static bool reshape_geometry(const mica_array *out, const mica_array *in, int64_t *strides)
{
    if (out->size <= 1) {
        mica__row_major(out->ndim, out->shape, strides);
        return true;
    }
    int64_t sizes[MICA_MAX_NDIM], steps[MICA_MAX_NDIM];
    int runs = 0; /* maximal dense runs of the input, outermost first: `sizes` elements at distance
                     `steps` */
    for (int i = 0; i < in->ndim; i++) {
        if (in->shape[i] == 1) continue;
        if (runs && steps[runs - 1] == in->strides[i] * in->shape[i]) {
            sizes[runs - 1] *= in->shape[i];
            steps[runs - 1] = in->strides[i];
        } else {
            sizes[runs] = in->shape[i];
            steps[runs++] = in->strides[i];
        }
    }
    int run = runs - 1;
    int64_t done = 1; /* elements of the current run that inner output axes have used */
    for (int i = out->ndim - 1; i >= 0; i--) {
        if (run < 0) { /* only axes of size 1 are left */
            strides[i] = 0;
            continue;
        }
        strides[i] = steps[run] * done;
        done *= out->shape[i];
        if (done > sizes[run]) return false;
        if (done == sizes[run]) {
            run--;
            done = 1;
        } else if (sizes[run] % done != 0) {
            return false;
        }
    }
    return true;
}

static void transpose_geometry(const mica_node *n, const mica_array *in, int64_t *strides)
{
    mica_dims axes = MICA_PARAMS(n, transpose)->axes;
    for (int64_t i = 0; i < axes.n; i++) strides[i] = in->strides[axes.at[i]];
}

static void expand_geometry(const mica_node *n, const mica_array *in, int64_t *strides)
{
    mica_dims axes = MICA_PARAMS(n, expand_dims)->axes;
    int64_t next = 0;
    int from = 0;
    for (int i = 0; i < n->out[0].ndim; i++) {
        bool inserted = next < axes.n && axes.at[next] == i;
        strides[i] = inserted ? 0 : in->strides[from++];
        next += inserted;
    }
}

static void squeeze_geometry(const mica_node *n, const mica_array *in, int64_t *strides)
{
    mica_dims axes = MICA_PARAMS(n, squeeze)->axes;
    int64_t next = 0;
    for (int i = 0, to = 0; i < in->ndim; i++) {
        if (next < axes.n && axes.at[next] == i) next++;
        else strides[to++] = in->strides[i];
    }
}

static void slice_geometry(const mica_node *n, const mica_array *in, int64_t *strides,
                           ptrdiff_t *offset)
{
    const struct mica__slice_params *p = MICA_PARAMS(n, slice);
    int64_t first = 0;
    for (int i = 0; i < in->ndim; i++) {
        strides[i] = in->strides[i] * p->step.at[i];
        first += in->strides[i] * p->start.at[i];
    }
    *offset = n->out[0].size ? (ptrdiff_t)first * mica__dtype_sizes[in->dtype] : 0;
}

static bool strided_geometry(const mica_node *n, const mica_array *in, int64_t *strides,
                             ptrdiff_t *offset)
{
    const struct mica__as_strided_params *p = MICA_PARAMS(n, as_strided);
    for (int64_t i = 0; i < p->shape.n; i++) /* where no step is taken any stride is accepted */
        strides[i] = p->shape.at[i] > 1 && n->out[0].size ? p->strides.at[i] : 0;
    *offset = n->out[0].size ? (ptrdiff_t)p->offset * mica__dtype_sizes[in->dtype] : 0;
    return mica__is_row_major(in);
}

/* Another type of the same size keeps the strides; of another size it needs a dense last axis and
 * rows that are whole elements apart. */
static bool type_geometry(const mica_array *out, const mica_array *in, int64_t *strides)
{
    int64_t from = mica__dtype_sizes[in->dtype], to = mica__dtype_sizes[out->dtype];
    int last = in->ndim - 1;
    for (int i = 0; i <= last; i++) strides[i] = in->strides[i];
    if (from == to) return true;
    if (!out->size) {
        mica__row_major(out->ndim, out->shape, strides);
        return true;
    }
    if (in->shape[last] != 1 && in->strides[last] != 1) return false;
    for (int i = 0; i < last; i++) {
        if (in->shape[i] == 1) {
            strides[i] = 0;
            continue;
        }
        if (in->strides[i] * from % to != 0) return false;
        strides[i] = in->strides[i] * from / to;
    }
    strides[last] = 1;
    return true;
}

bool mica__view_geometry(const mica_node *n, const mica_array *in, int64_t *strides,
                         ptrdiff_t *offset_bytes)
{
    const mica_array *out = &n->out[0];
    *offset_bytes = 0;
    switch (n->prim) {
    case mica_prim_broadcast_to: broadcast_geometry(out, in, strides); return true;
    case mica_prim_reshape: return reshape_geometry(out, in, strides);
    case mica_prim_transpose: transpose_geometry(n, in, strides); return true;
    case mica_prim_expand_dims: expand_geometry(n, in, strides); return true;
    case mica_prim_squeeze: squeeze_geometry(n, in, strides); return true;
    case mica_prim_slice: slice_geometry(n, in, strides, offset_bytes); return true;
    case mica_prim_as_strided: return strided_geometry(n, in, strides, offset_bytes);
    case mica_prim_view: return type_geometry(out, in, strides);
    default: /* alias, stop_gradient */
        for (int i = 0; i < in->ndim; i++) strides[i] = in->strides[i];
        return true;
    }
}
