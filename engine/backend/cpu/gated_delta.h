/* Inner loops of the gated delta rule, compiled once per instruction set. */
#ifndef MICA_ENGINE_GATED_DELTA_LOOPS_H
#define MICA_ENGINE_GATED_DELTA_LOOPS_H

#include "base/base.h"

/* One step of `rows` rows of a state, each of n elements and independent of the others. */
typedef struct mica__delta_step {
    size_t rows, n;
    const void *k, *q; /* n */
    const void *v;     /* a row */
    double gamma, beta;
} mica__delta_step;

/* What a derivative adds to and replaces. */
typedef struct mica__delta_gradients {
    void *dk, *dq;        /* n, added to */
    void *dv;             /* a row */
    double dgamma, dbeta; /* added to */
} mica__delta_gradients;

/* Sums run in 128 bytes of lanes, element i in lane i modulo their number, folded in halves. */
typedef struct mica__delta_loops {
    /* next = the state after the step; may be `state` itself. out, a row: next q; may be NULL. */
    void (*forward)(const mica__delta_step *step, const void *state, void *next, void *out);
    /* g: cotangent of `next` on entry, of `state` on return; d_out, a row. */
    void (*backward)(const mica__delta_step *step, const void *state, const void *next,
                     const void *d_out, void *g, mica__delta_gradients *gradients);
} mica__delta_loops;

/* [0] float32, [1] float64 */
extern const mica__delta_loops mica__delta_portable[2], mica__delta_v3[2], mica__delta_v4[2];

#endif
