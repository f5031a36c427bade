/* Inner loops of rms_norm and layer_norm, compiled once per instruction set. */
#ifndef MICA_ENGINE_NORM_H
#define MICA_ENGINE_NORM_H

#include "base/base.h"

/* What a row is multiplied with, and what its derivative needs; float32 arithmetic for halves.
 * Elements are contiguous. */
typedef struct mica__norm_row {
    double mean;          /* 0 for rms_norm */
    double reciprocal;    /* 1 / sqrt(variance + eps) */
    double shift, factor; /* vjp: the means of g and of g * normalised, g = cotangent * weight */
} mica__norm_row;

/* Sums run in 128 bytes of lanes, element k in lane k modulo their number, folded in halves. */
typedef struct mica__norm_loops {
    /* The sum of x. */
    double (*sum)(size_t n, const void *x);
    /* The sum of (x - mean)^2. */
    double (*squares)(size_t n, const void *x, double mean);
    /* out = (x - mean) * reciprocal. */
    void (*normalise)(size_t n, const void *x, const mica__norm_row *row, void *out);
    /* out *= by; out += what: in place. */
    void (*multiply)(size_t n, const void *by, void *out);
    void (*add)(size_t n, const void *what, void *out);
    /* Means and reciprocals of MICA_ABREAST short rows, one after the other (float32 only); `last`:
     * what lies behind them is not read. */
    void (*abreast)(size_t n, const float *x, bool last, bool centred, double eps,
                    mica__norm_row *rows);
    /* out = (x - mean) * reciprocal * weight + bias, rounded after each step; or NULL. */
    void (*apply)(size_t n, const void *x, const mica__norm_row *row, const void *weight,
                  const void *bias, void *out);
    /* The sums of g and of g * normalised. */
    void (*moments)(size_t n, const void *x, const void *weight, const void *cotangent,
                    const mica__norm_row *row, double sums[2]);
    /* dx = reciprocal * (g - shift - normalised * factor); dweight += cotangent * normalised, dbias
     * += cotangent, where not NULL. */
    void (*backward)(size_t n, const void *x, const void *weight, const void *cotangent,
                     const mica__norm_row *row, void *dx, void *dweight, void *dbias);
} mica__norm_loops;

/* [0] float32, [1] float64 */
extern const mica__norm_loops mica__norm_portable[2], mica__norm_v3[2], mica__norm_v4[2];

#endif
