/* Kernels that put arrays, or slices of them, beside each other: concatenate, contiguous,
 * slice_update and the dynamic slices. */
#include "backend/cpu/index.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/region.h"

int mica__kernel_concatenate(mica__launch *l)
{
    mica_array *out = &l->out[0];
    int axis = (int)MICA_PARAMS(l->node, concatenate)->axis;
    mica__combine set;
    MICA_TRY(mica__combine_init(&set, "concatenate", MICA_SCATTER_SET, (mica_dtype)out->dtype));
    char *to = out->data;
    for (size_t i = 0; i < l->ninputs; i++) {
        const mica_array *in = l->in[i];
        mica__combine_region(&set, in->ndim, in->shape, to, out->strides, in->data, in->strides);
        to += in->shape[axis] * out->strides[axis] * (int64_t)set.item;
    }
    return MICA_OK;
}

int mica__kernel_contiguous(mica__launch *l)
{
    mica__copy_to_row_major(l->in[0], l->out[0].data);
    return MICA_OK;
}

int mica__kernel_slice_update(mica__launch *l)
{
    const struct mica__slice_update_params *p = MICA_PARAMS(l->node, slice_update);
    const mica_array *update = l->in[1];
    mica_array *out = &l->out[0];
    mica__combine c;
    MICA_TRY(
        mica__combine_init(&c, "slice_update", (mica_scatter_mode)p->mode, (mica_dtype)out->dtype));
    MICA_TRY(mica__launch_donate(l));
    int64_t strides[MICA_MAX_NDIM], offset = 0;
    for (int i = 0; i < out->ndim; i++) {
        strides[i] = out->strides[i] * p->step.at[i];
        offset += out->strides[i] * p->start.at[i];
    }
    if (update->size)
        mica__combine_region(&c, out->ndim, update->shape, out->data + offset * (int64_t)c.item,
                             strides, update->data, update->strides);
    return MICA_OK;
}

/* The place of the first element of a slice whose start only the data tell; `sizes` is its shape.
 */
static int slice_offset(const mica_node *node, const char *name, const mica_array *a,
                        const mica_array *start, mica_dims axes, const int64_t *sizes,
                        int64_t *offset)
{
    *offset = 0;
    for (int64_t i = 0; i < axes.n; i++) {
        mica_dtype dtype = (mica_dtype)start->dtype;
        int64_t place = start->ndim ? i * start->strides[0] : 0, axis = axes.at[i],
                at = mica__index_at(start->data, dtype, place);
        if (at < 0 || at > a->shape[axis] - sizes[axis])
            return mica__fail(
                MICA_EINDEX,
                "[%s] start %s and size %lld are out of range for axis %lld with size %lld", name,
                mica__index_text_of(start->data, dtype, place).at, (long long)sizes[axis],
                (long long)mica__origin_axis(node->origin, axis), (long long)a->shape[axis]);
        *offset += at * a->strides[axis];
    }
    return MICA_OK;
}

int mica__kernel_dynamic_slice(mica__launch *l)
{
    const mica_array *a = l->in[0];
    mica_array *out = &l->out[0];
    size_t item = mica__dtype_sizes[a->dtype];
    int64_t offset;
    MICA_TRY(slice_offset(l->node, "slice", a, l->in[1], MICA_PARAMS(l->node, dynamic_slice)->axes,
                          out->shape, &offset));
    mica__gather_to_row_major(out->ndim, out->shape, a->strides, item,
                              a->data + offset * (int64_t)item, out->data);
    return MICA_OK;
}

int mica__kernel_dynamic_slice_update(mica__launch *l)
{
    const mica_array *update = l->in[1];
    mica_array *out = &l->out[0];
    mica__combine set;
    int64_t offset;
    MICA_TRY(mica__combine_init(&set, "slice_update", MICA_SCATTER_SET, (mica_dtype)out->dtype));
    MICA_TRY(slice_offset(l->node, "slice_update", l->in[0], l->in[2],
                          MICA_PARAMS(l->node, dynamic_slice_update)->axes, update->shape,
                          &offset));
    MICA_TRY(mica__launch_donate(l));
    if (update->size)
        mica__combine_region(&set, out->ndim, update->shape, out->data + offset * (int64_t)set.item,
                             out->strides, update->data, update->strides);
    return MICA_OK;
}
