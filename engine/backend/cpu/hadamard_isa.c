/* Inner loops of the Hadamard transform. */
#include "backend/cpu/hadamard.h"

#include "kernel/body.h"

/* Butterflies over 2^k elements; a block that fits the first-level cache is finished before the
   next, and neighbours (distance 1, 2, 4) take one pass. T: the type. */
#define LOOPS(name, T)                                                                             \
    MICA_BODY void name##_pairs(T *a, T *b, int64_t n)                                             \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                          \
            T x = a[i], y = b[i];                                                                  \
            a[i] = x + y;                                                                          \
            b[i] = x - y;                                                                          \
        }                                                                                          \
    }                                                                                              \
    MICA_BODY void name##_eight(T *x)                                                              \
    {                                                                                              \
        T a[8], b[8];                                                                              \
        for (int i = 0; i < 4; i++) {                                                              \
            a[i] = x[2 * i] + x[2 * i + 1];                                                        \
            a[i + 4] = x[2 * i] - x[2 * i + 1];                                                    \
        }                                                                                          \
        for (int i = 0; i < 8; i += 4) {                                                           \
            b[i] = a[i] + a[i + 1];                                                                \
            b[i + 1] = a[i] - a[i + 1];                                                            \
            b[i + 2] = a[i + 2] + a[i + 3];                                                        \
            b[i + 3] = a[i + 2] - a[i + 3];                                                        \
        }                                                                                          \
        for (int i = 0; i < 2; i++) {                                                              \
            x[i] = b[4 * i] + b[4 * i + 2];                                                        \
            x[i + 2] = b[4 * i + 1] + b[4 * i + 3];                                                \
            x[i + 4] = b[4 * i] - b[4 * i + 2];                                                    \
            x[i + 6] = b[4 * i + 1] - b[4 * i + 3];                                                \
        }                                                                                          \
    }                                                                                              \
    static void name##_block(T *x, int64_t n, int64_t from)                                        \
    {                                                                                              \
        int64_t d = from;                                                                          \
        if (d == 1 && n >= 8) {                                                                    \
            for (int64_t i = 0; i < n; i += 8) name##_eight(x + i);                                \
            d = 8;                                                                                 \
        }                                                                                          \
        for (; d < n; d *= 2)                                                                      \
            for (int64_t i = 0; i < n; i += 2 * d) name##_pairs(x + i, x + i + d, d);              \
    }                                                                                              \
    static void name##_matrix(const mica__hadamard_matrix *m, T *x, int64_t apart)                 \
    {                                                                                              \
        T sign[28][28];                                                                            \
        for (int i = 0; i < m->size; i++)                                                          \
            for (int j = 0; j < m->size; j++)                                                      \
                sign[i][j] = (m->transposed ? m->signs[j] >> i : m->signs[i] >> j) & 1 ? -1 : 1;   \
        for (int64_t c = 0; c < apart; c += COLUMNS) {                                             \
            T in[28][COLUMNS] = { { 0 } };                                                         \
            size_t bytes = (size_t)(apart - c < COLUMNS ? apart - c : COLUMNS) * sizeof(T);        \
            for (int i = 0; i < m->size; i++) memcpy(in[i], x + i * apart + c, bytes);             \
            for (int i = 0; i < m->size; i++) {                                                    \
                T sum[COLUMNS] = { 0 };                                                            \
                for (int j = 0; j < m->size; j++)                                                  \
                    for (int k = 0; k < COLUMNS; k++) sum[k] += sign[i][j] * in[j][k];             \
                memcpy(x + i * apart + c, sum, bytes);                                             \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void name(const mica__hadamard_matrix *m, int64_t n, double scale, T *x)                \
    {                                                                                              \
        int64_t length = n / m->size, block = length < BLOCK ? length : BLOCK;                     \
        for (int64_t i = 0; i < n; i += block) name##_block(x + i, block, 1);                      \
        for (int64_t i = 0; i < n && block < length; i += length)                                  \
            name##_block(x + i, length, block);                                                    \
        if (m->size > 1) name##_matrix(m, x, length);                                              \
        for (int64_t i = 0; i < n; i++) x[i] *= (T)scale;                                          \
    }

enum { BLOCK = 2048, COLUMNS = 16 };
LOOPS(single, float)
LOOPS(wide, double)

const mica__hadamard_loops MICA_PASTE(mica__hadamard_, MICA_ISA_NAME) = { single, wide };
