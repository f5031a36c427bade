/* Inner loops of rotary embeddings, compiled once per instruction set. */
#ifndef MICA_ENGINE_ROPE_H
#define MICA_ENGINE_ROPE_H

#include "base/base.h"

/* Angles from here on are left to the C library. */
#define MICA_ROPE_LIMIT 8388608.0

typedef struct mica__rope_loops {
    /* cosine[i], sine[i] of position * frequency[i], below MICA_ROPE_LIMIT, good to 2^-45. */
    void (*angles)(size_t n, double position, const double *frequency, float *cosine, float *sine);
    /* Turns the pairs (x[i], x[i + half]), or (x[2 i], x[2 i + 1]) if `traditional`; x and out
     * differ. */
    void (*turn_f32)(size_t half, bool traditional, const float *x, const float *cosine,
                     const float *sine, float *out);
    void (*turn_f64)(size_t half, bool traditional, const double *x, const double *cosine,
                     const double *sine, double *out);
} mica__rope_loops;

extern const mica__rope_loops mica__rope_portable, mica__rope_v3, mica__rope_v4;

#endif
