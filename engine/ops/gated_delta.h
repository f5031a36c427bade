/* The gated delta rule made of primitives: for element types and derivatives without kernel. */
#ifndef MICA_ENGINE_GATED_DELTA_H
#define MICA_ENGINE_GATED_DELTA_H

#include "ops/builder.h"

enum {
    MICA_DELTA_Q,
    MICA_DELTA_K,
    MICA_DELTA_V,
    MICA_DELTA_GAMMA,
    MICA_DELTA_BETA,
    MICA_DELTA_STATE,
    MICA_DELTA_MASK,
    MICA_DELTA_INPUTS
};

/* in: q, k (..., T, Hk, Dk), v (..., T, Hv, Dv), gamma, beta (..., T, Hv), state (..., Hv, Dv, Dk),
   and mask
   (..., T), bool, or NULL. out: (..., T, Hv, Dv) and the last state. */
bool mica__gated_delta_composed(mica_scope *s, mica_array *const in[MICA_DELTA_INPUTS],
                                mica_array *out[2]);

#endif
