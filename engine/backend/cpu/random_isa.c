/* Threefry-2x32 with 20 rounds, many counters at once. */
#include "backend/cpu/loops.h"
#include "backend/cpu/random.h"

enum { LANES = 64 };

#define ROUND(r)                                                                                   \
    for (int j = 0; j < LANES; j++) {                                                              \
        a[j] += b[j];                                                                              \
        b[j] = (b[j] << (r) | b[j] >> (32 - (r))) ^ a[j];                                          \
    }
#define FOUR(r0, r1, r2, r3) ROUND(r0) ROUND(r1) ROUND(r2) ROUND(r3)
#define INJECT(i, x, y)                                                                            \
    for (int j = 0; j < LANES; j++) {                                                              \
        a[j] += x;                                                                                 \
        b[j] += (y) + i;                                                                           \
    }

static void words(const uint32_t key[2], uint32_t first, uint32_t second, uint32_t a[LANES], uint32_t b[LANES])
{
    uint32_t k0 = key[0], k1 = key[1], k2 = k0 ^ k1 ^ 0x1BD11BDAu;
    for (uint32_t j = 0; j < LANES; j++) {
        a[j] = first + j + k0;
        b[j] = second + j + k1;
    }
    FOUR(13, 15, 26, 6)
    INJECT(1, k1, k2)
    FOUR(17, 29, 16, 24)
    INJECT(2, k2, k0)
    FOUR(13, 15, 26, 6)
    INJECT(3, k0, k1)
    FOUR(17, 29, 16, 24)
    INJECT(4, k1, k2)
    FOUR(13, 15, 26, 6)
    INJECT(5, k2, k0)
}

void MICA_ISA_FUNCTION(mica__threefry_)(const uint32_t key[2], uint32_t first, uint32_t second, size_t n, uint32_t *a, uint32_t *b)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) words(key, first + (uint32_t)i, second + (uint32_t)i, a + i, b + i);
    if (i == n) return;
    uint32_t x[LANES], y[LANES];
    words(key, first + (uint32_t)i, second + (uint32_t)i, x, y);
    memcpy(a + i, x, (n - i) * sizeof *a);
    memcpy(b + i, y, (n - i) * sizeof *b);
}
