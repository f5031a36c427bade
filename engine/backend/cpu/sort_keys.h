/* Elements of every type to unsigned keys in the same order, NaN last, and back. */
#ifndef MICA_ENGINE_SORT_KEYS_H
#define MICA_ENGINE_SORT_KEYS_H

#include "core/node.h"
#include "runtime/pool.h"

/* For each of n elements; in long sequences it looks now and then whether the section is given up,
 * and then ends early: what comes next must ask mica__sort_given_up. */
#define MICA_SORT_EACH(i, n)                                                                       \
    for (int64_t i = 0, i##_stop; i < (n) && (!i || !mica__parallel_given_up());)                  \
        for (i##_stop = (n)-i < MICA_SORT_LOOK ? (n) : i + MICA_SORT_LOOK; i < i##_stop; i++)
enum { MICA_SORT_LOOK = 1 << 18 };

static inline bool mica__sort_given_up(int64_t n)
{
    return n > MICA_SORT_LOOK && mica__parallel_given_up();
}

/* Bits of a float, as sign and magnitude, to a number in the same order. -0 comes before 0
 * (`signed_zero`), or is the same. */
static inline uint32_t mica__key_f32(uint32_t u, bool signed_zero)
{
    if ((u & 0x7fffffffu) > 0x7f800000u) return UINT32_MAX;
    if (!signed_zero && u == 0x80000000u) u = 0;
    return u >> 31 ? ~u : u | 0x80000000u;
}
static inline uint64_t mica__key_f64(uint64_t u, bool signed_zero)
{
    if ((u & INT64_MAX) > 0x7ff0000000000000u) return UINT64_MAX;
    if (!signed_zero && u == 0x8000000000000000u) u = 0;
    return u >> 63 ? ~u : u | 0x8000000000000000u;
}
static inline uint32_t mica__key_half(uint32_t u, uint32_t infinity, bool signed_zero)
{
    if ((u & 0x7fffu) > infinity) return UINT16_MAX;
    if (!signed_zero && u == 0x8000u) u = 0;
    return u >> 15 ? ~u & 0xffffu : u | 0x8000u;
}

static inline uint32_t mica__value_f32(uint32_t k)
{
    return k == UINT32_MAX ? 0x7fc00000u : k >> 31 ? k & 0x7fffffffu : ~k;
}
static inline uint64_t mica__value_f64(uint64_t k)
{
    return k == UINT64_MAX ? 0x7ff8000000000000u : k >> 63 ? k & INT64_MAX : ~k;
}
static inline uint16_t mica__value_half(uint32_t k, uint32_t nan)
{
    return (uint16_t)(k == UINT16_MAX ? nan : k >> 15 ? k & 0x7fffu : ~k);
}

/* Bytes of a key that matter: passes of the sort. */
static inline int mica__key_bytes(mica_dtype d)
{
    return d == MICA_COMPLEX64 ? 8 : mica__dtype_sizes[d];
}
static inline bool mica__key_is_wide(mica_dtype d)
{
    return mica__dtype_sizes[d] == 8;
}

static inline uint32_t mica__key32(mica_dtype d, const void *x, int64_t i, bool signed_zero)
{
    switch (d) {
    case MICA_BOOL:
    case MICA_UINT8: return ((const uint8_t *)x)[i];
    case MICA_INT8: return ((const uint8_t *)x)[i] ^ 0x80u;
    case MICA_UINT16: return ((const uint16_t *)x)[i];
    case MICA_INT16: return ((const uint16_t *)x)[i] ^ 0x8000u;
    case MICA_FLOAT16: return mica__key_half(((const uint16_t *)x)[i], 0x7c00u, signed_zero);
    case MICA_BFLOAT16: return mica__key_half(((const uint16_t *)x)[i], 0x7f80u, signed_zero);
    case MICA_UINT32: return ((const uint32_t *)x)[i];
    case MICA_INT32: return ((const uint32_t *)x)[i] ^ 0x80000000u;
    default: return mica__key_f32(((const uint32_t *)x)[i], signed_zero);
    }
}

static inline uint64_t mica__key64(mica_dtype d, const void *x, int64_t i, bool signed_zero)
{
    switch (d) {
    case MICA_UINT64: return ((const uint64_t *)x)[i];
    case MICA_INT64: return ((const uint64_t *)x)[i] ^ 0x8000000000000000u;
    case MICA_FLOAT64: return mica__key_f64(((const uint64_t *)x)[i], signed_zero);
    default: { /* complex64: real part first; a NaN in either part sends it to the end */
        uint32_t re = mica__key_f32(((const uint32_t *)x)[2 * i], false),
                 im = mica__key_f32(((const uint32_t *)x)[2 * i + 1], false);
        return re == UINT32_MAX || im == UINT32_MAX ? UINT64_MAX : (uint64_t)re << 32 | im;
    }
    }
}

/* The switch stands outside of the loop: the calls are inlined with a constant type. */
#define EACH_TYPE(d, M)                                                                            \
    switch (d) {                                                                                   \
    case MICA_BOOL:                                                                                \
    case MICA_UINT8: M(MICA_UINT8); break;                                                         \
    case MICA_INT8: M(MICA_INT8); break;                                                           \
    case MICA_UINT16: M(MICA_UINT16); break;                                                       \
    case MICA_INT16: M(MICA_INT16); break;                                                         \
    case MICA_FLOAT16: M(MICA_FLOAT16); break;                                                     \
    case MICA_BFLOAT16: M(MICA_BFLOAT16); break;                                                   \
    case MICA_UINT32: M(MICA_UINT32); break;                                                       \
    case MICA_INT32: M(MICA_INT32); break;                                                         \
    default: M(MICA_FLOAT32); break;                                                               \
    }
#define EACH_WIDE_TYPE(d, M)                                                                       \
    switch (d) {                                                                                   \
    case MICA_UINT64: M(MICA_UINT64); break;                                                       \
    case MICA_INT64: M(MICA_INT64); break;                                                         \
    case MICA_FLOAT64: M(MICA_FLOAT64); break;                                                     \
    default: M(MICA_COMPLEX64); break;                                                             \
    }

/* Keys of columns [0, m) that stand `inner` apart in rows, column after column. */
static inline void mica__load_keys(mica_dtype d, const void *x, int64_t n, int64_t inner, int64_t m,
                                   bool signed_zero, void *keys)
{
#define LOAD(type)                                                                                 \
    MICA_SORT_EACH(k, n)                                                                           \
    for (int64_t c = 0; c < m; c++)                                                                \
    ((uint32_t *)keys)[c * n + k] = mica__key32(type, x, k * inner + c, signed_zero)
#define LOAD_WIDE(type)                                                                            \
    MICA_SORT_EACH(k, n)                                                                           \
    for (int64_t c = 0; c < m; c++)                                                                \
    ((uint64_t *)keys)[c * n + k] = mica__key64(type, x, k * inner + c, signed_zero)
    if (mica__key_is_wide(d)) EACH_WIDE_TYPE(d, LOAD_WIDE)
    else EACH_TYPE(d, LOAD)
}

/* The element that a key came from; complex numbers are not stored this way. */
static inline void mica__value_of(mica_dtype d, uint64_t k, void *out, int64_t i)
{
    switch (d) {
    case MICA_UINT8: ((uint8_t *)out)[i] = (uint8_t)k; break;
    case MICA_INT8: ((uint8_t *)out)[i] = (uint8_t)(k ^ 0x80u); break;
    case MICA_UINT16: ((uint16_t *)out)[i] = (uint16_t)k; break;
    case MICA_INT16: ((uint16_t *)out)[i] = (uint16_t)(k ^ 0x8000u); break;
    case MICA_FLOAT16: ((uint16_t *)out)[i] = mica__value_half((uint32_t)k, 0x7e00u); break;
    case MICA_BFLOAT16: ((uint16_t *)out)[i] = mica__value_half((uint32_t)k, 0x7fc0u); break;
    case MICA_UINT32: ((uint32_t *)out)[i] = (uint32_t)k; break;
    case MICA_INT32: ((uint32_t *)out)[i] = (uint32_t)k ^ 0x80000000u; break;
    case MICA_FLOAT32: ((uint32_t *)out)[i] = mica__value_f32((uint32_t)k); break;
    case MICA_UINT64: ((uint64_t *)out)[i] = k; break;
    case MICA_INT64: ((uint64_t *)out)[i] = k ^ 0x8000000000000000u; break;
    default: ((uint64_t *)out)[i] = mica__value_f64(k); break;
    }
}

static inline void mica__store_values(mica_dtype d, const void *keys, int64_t n, int64_t inner,
                                      int64_t m, void *out)
{
#define STORE(type)                                                                                \
    MICA_SORT_EACH(k, n)                                                                           \
    for (int64_t c = 0; c < m; c++)                                                                \
    mica__value_of(type, ((const uint32_t *)keys)[c * n + k], out, k *inner + c)
#define STORE_WIDE(type)                                                                           \
    MICA_SORT_EACH(k, n)                                                                           \
    for (int64_t c = 0; c < m; c++)                                                                \
    mica__value_of(type, ((const uint64_t *)keys)[c * n + k], out, k *inner + c)
    if (mica__key_is_wide(d)) EACH_WIDE_TYPE(d, STORE_WIDE)
    else EACH_TYPE(d, STORE)
}

/* short_<name>: sorts a few keys, stably, by insertion; their indices (or NULL) go with them. */
#define SHORT_SORT(name, key)                                                                      \
    static void short_##name(key *a, uint32_t *ia, size_t n)                                       \
    {                                                                                              \
        for (size_t i = 1; i < n; i++) {                                                           \
            key k = a[i];                                                                          \
            uint32_t index = ia ? ia[i] : 0;                                                       \
            size_t j = i;                                                                          \
            for (; j > 0 && a[j - 1] > k; j--) {                                                   \
                a[j] = a[j - 1];                                                                   \
                if (ia) ia[j] = ia[j - 1];                                                         \
            }                                                                                      \
            a[j] = k;                                                                              \
            if (ia) ia[j] = index;                                                                 \
        }                                                                                          \
    }

#endif
