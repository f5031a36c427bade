/* Rules of fused operations by composition: the node again, made of primitives, under the ordinary
 * walkers. */
#ifndef MICA_ENGINE_AUTODIFF_FAST_H
#define MICA_ENGINE_AUTODIFF_FAST_H

#include "autodiff/autodiff.h"

/* Inputs of the widest: q, k, v, mask, sinks, result, rows, cotangent; and one to spare. */
enum { MICA_FAST_INPUTS = 9 };

/* As the rules in autodiff.h. Only gradients of differentiable inputs are filled in; the rows of
 * attention have none. */
mica__vjp_rule mica__vjp_composed;
mica__jvp_rule mica__jvp_composed;
mica__vmap_rule mica__vmap_composed;

/* The outputs of a normalisation, a rotary embedding, an attention, or a derivative of these, from
   inputs of the node's shapes, made of other primitives. How many there are; 0 on failure. */
size_t mica__compose_fused(mica_scope *s, const mica_node *n, mica_array *const in[],
                           mica_array *out[]);
/* The same for a gated delta rule or its derivative. */
size_t mica__compose_gated_delta(mica_scope *s, const mica_node *n, mica_array *const in[],
                                 mica_array *out[]);

#endif
