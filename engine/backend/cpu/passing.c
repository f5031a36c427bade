/* Primitives whose outputs are some of their inputs: custom and depends. */
#include "backend/cpu/kernel.h"

/* Output i takes over the memory of input `first + i`. */
static int pass(mica__launch *l, size_t first)
{
    for (size_t i = 0; i < l->noutputs; i++) {
        const mica_array *in = l->in[first + i];
        mica_array *out = &l->out[i];
        mica__buffer *own = out->buffer;
        if (in->buffer) {
            mica__buffer_retain(in->buffer);
            out->flags &= (uint8_t)~MICA_ARRAY_ROW_MAJOR;
            mica__array_set_data(out, in->buffer, in->data, in->strides);
            mica__buffer_release(own);
        } else {
            mica__copy_to_row_major(in, out->data);
        }
    }
    return MICA_OK;
}

int mica__kernel_custom(mica__launch *l) { return pass(l, (size_t)MICA_PARAMS(l->node, custom)->arguments); }
int mica__kernel_depends(mica__launch *l) { return pass(l, 0); }
