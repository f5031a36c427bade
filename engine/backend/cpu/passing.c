/* Primitives whose outputs are some of their inputs: custom and depends. */
#include "backend/cpu/kernel.h"

/* Output i takes over the memory of input `first + i`. */
static int pass(mica__launch *l, size_t first)
{
    for (size_t i = 0; i < l->noutputs; i++)
        mica__share(&l->out[i], l->in[first + i], l->in[first + i]->strides, 0);
    return MICA_OK;
}

int mica__kernel_custom(mica__launch *l)
{
    return pass(l, (size_t)MICA_PARAMS(l->node, custom)->arguments);
}

int mica__kernel_depends(mica__launch *l)
{
    return pass(l, 0);
}
