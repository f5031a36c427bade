/* Inner loops of convolutions of single channels, compiled once per instruction set. */
#ifndef MICA_ENGINE_CONV_LOOPS_H
#define MICA_ENGINE_CONV_LOOPS_H

#include "base/base.h"

/* A row of places that are `place` elements apart in x; taps at[t] elements behind each. Channels
   lie side by side, weights and their sums are [tap][channel]. */
typedef struct mica__depthwise_row {
    int64_t places, channels, taps;
    const int64_t *at;
    const void *x;
    int64_t place;
} mica__depthwise_row;

typedef struct mica__depthwise_loops {
    /* y[p][channel] = sum over t of x[p][t][channel] * w[t][channel]; places of y are y_place
     * apart. */
    void (*forward)(const mica__depthwise_row *row, const void *w, void *y, int64_t y_place);
    /* w[t][channel] += sum over p of x[p][t][channel] * y[p][channel]. */
    void (*weight)(const mica__depthwise_row *row, const void *y, int64_t y_place, void *w);
} mica__depthwise_loops;

/* [0] float32, [1] float64 */
extern const mica__depthwise_loops mica__depthwise_portable[2], mica__depthwise_v3[2],
    mica__depthwise_v4[2];

#endif
