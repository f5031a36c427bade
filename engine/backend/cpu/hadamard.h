/* Inner loops of the Hadamard transform, compiled once per instruction set. */
#ifndef MICA_ENGINE_HADAMARD_H
#define MICA_ENGINE_HADAMARD_H

#include "base/base.h"

typedef struct mica__hadamard_matrix {
    int size; /* 1, 12, 20, 28 */
    bool transposed;
    const uint32_t *signs; /* bit j of line i: element (i, j) is -1 */
} mica__hadamard_matrix;

typedef struct mica__hadamard_loops {
    /* One row of n = matrix->size * 2^k elements, in place. */
    void (*single)(const mica__hadamard_matrix *matrix, int64_t n, double scale, float *row);
    void (*wide)(const mica__hadamard_matrix *matrix, int64_t n, double scale, double *row);
} mica__hadamard_loops;

extern const mica__hadamard_loops mica__hadamard_portable, mica__hadamard_v3, mica__hadamard_v4;

#endif
