/* Threefry-2x32 with 20 rounds, many counters at once; and normal numbers from its words. */
#include <math.h>

#include "backend/cpu/loops.h"
#include "backend/cpu/random.h"

/* Blocks of 16 counters stay in registers through all rounds; four of them side by side hide the
 * latency of each. */
typedef uint32_t block __attribute__((vector_size(64)));
enum { BLOCKS = 4, LANES = 16 * BLOCKS };

#define ROUND(r)                                                                                   \
    for (int j = 0; j < BLOCKS; j++) {                                                             \
        a[j] += b[j];                                                                              \
        b[j] = (b[j] << (r) | b[j] >> (32 - (r))) ^ a[j];                                          \
    }
#define FOUR(r0, r1, r2, r3) ROUND(r0) ROUND(r1) ROUND(r2) ROUND(r3)
#define INJECT(i, x, y)                                                                            \
    for (int j = 0; j < BLOCKS; j++) {                                                             \
        a[j] += x;                                                                                 \
        b[j] += (y) + i;                                                                           \
    }

static void words(const uint32_t key[2], uint32_t first, uint32_t second, uint32_t x[LANES],
                  uint32_t y[LANES])
{
    static const block steps = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    uint32_t k0 = key[0], k1 = key[1], k2 = k0 ^ k1 ^ 0x1BD11BDAu;
    block a[BLOCKS], b[BLOCKS];
    for (int j = 0; j < BLOCKS; j++) {
        a[j] = steps + (first + 16 * (uint32_t)j + k0);
        b[j] = steps + (second + 16 * (uint32_t)j + k1);
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
    memcpy(x, a, sizeof a);
    memcpy(y, b, sizeof b);
}

void MICA_ISA_FUNCTION(mica__threefry_)(const uint32_t key[2], uint32_t first, uint32_t second,
                                        size_t n, uint32_t *a, uint32_t *b)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        words(key, first + (uint32_t)i, second + (uint32_t)i, a + i, b + i);
    if (i == n) return;
    uint32_t x[LANES], y[LANES];
    words(key, first + (uint32_t)i, second + (uint32_t)i, x, y);
    memcpy(a + i, x, (n - i) * sizeof *a);
    memcpy(b + i, y, (n - i) * sizeof *b);
}

#if defined(__FMA__)
#define FMA(a, b, c) __builtin_fmaf(a, b, c)
#else
#define FMA(a, b, c) fmaf(a, b, c)
#endif

/* erfinv as the reference computes it, bit by bit: Giles' polynomials in log(1 - x^2), fused
 * multiply-add throughout, the C library's logf. */
static void erfinv(const float *x, const float *t, size_t n, float *out)
{
    static const float tail[] = { 2.93243101e-8f, 1.22150334e-6f, 2.84108955e-5f,  3.93552968e-4f,
                                  3.02698812e-3f, 4.83185798e-3f, -2.64646143e-1f, 8.40016484e-1f };
    static const float middle[] = { 1.43285448e-7f,  1.22774793e-6f,  1.12963626e-7f,
                                    -5.61530760e-5f, -1.47697632e-4f, 2.31468678e-3f,
                                    1.15392581e-2f,  -2.32015476e-1f, 8.86226892e-1f };
    for (size_t i = 0; i < n; i++) {
        float p = 3.03697567e-10f, q = 5.43877832e-9f;
        for (int k = 0; k < 8; k++) p = FMA(p, t[i], tail[k]);
        for (int k = 0; k < 9; k++) q = FMA(q, t[i], middle[k]);
        out[i] = x[i] * (t[i] < -6.125f || t[i] > 6.125f ? p : q);
    }
}

void MICA_ISA_FUNCTION(mica__to_normal_)(uint32_t *numbers, size_t n)
{
    float x[LANES], t[LANES], low = -0x1.fffffep-1f, range = 1 - low;
    for (size_t i = 0; i < n; i += LANES) {
        size_t m = n - i < LANES ? n - i : LANES;
        for (size_t j = 0; j < m; j++) {
            float u = (float)numbers[i + j] * 0x1p-32f;
            x[j] = (u > 0x1.fffffep-1f ? 0x1.fffffep-1f : u) * range + low;
            t[j] = FMA(x[j], -x[j], 1.0f);
        }
        for (size_t j = 0; j < m; j++) t[j] = logf(t[j]);
        float out[LANES];
        erfinv(x, t, m, out);
        memcpy(numbers + i, out, m * sizeof *out);
    }
}
