/* Inner loops of the gated delta rule, compiled once per instruction set. */
#ifndef MICA_ENGINE_GATED_DELTA_LOOPS_H
#define MICA_ENGINE_GATED_DELTA_LOOPS_H

#include "base/base.h"

/* Rows of a state do not depend on each other. A block of them lies side by side: element i of all
   rows, then element i + 1 of all; MICA_DELTA_BLOCK bytes each. So sums over a row are sums of
   blocks. */
enum { MICA_DELTA_BLOCK = 64 };

/* One step of a block. */
typedef struct mica__delta_step {
    size_t n;          /* elements of a row */
    const void *k, *q; /* n */
    double gamma, beta;
    char v[MICA_DELTA_BLOCK], d_out[MICA_DELTA_BLOCK]; /* a number each row; d_out: vjp */
} mica__delta_step;

/* What a derivative adds to and replaces. */
typedef struct mica__delta_gradients {
    void *dk, *dq;        /* n, added to */
    double dgamma, dbeta; /* added to */
    char dv[MICA_DELTA_BLOCK];
} mica__delta_gradients;

typedef struct mica__delta_loops {
    /* next = the state after the step; may be `state` itself. out, a number each row: next q. */
    void (*forward)(const mica__delta_step *step, const void *state, void *next, void *out);
    /* g: cotangent of `next` on entry, of `state` on return. */
    void (*backward)(const mica__delta_step *step, const void *state, const void *next, void *g,
                     mica__delta_gradients *gradients);
    /* Between rows one after another, `n` apart, and a block; missing rows are zeros. */
    void (*gather)(size_t rows, size_t n, const void *from, void *block);
    void (*scatter)(size_t rows, size_t n, const void *block, void *to);
} mica__delta_loops;

/* [0] float32, [1] float64 */
extern const mica__delta_loops mica__delta_portable[2], mica__delta_v3[2], mica__delta_v4[2];

#endif
