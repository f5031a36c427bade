/* Sorting in vectors what keys alone do not tell apart: the index goes into a key's low bits, so
   the order is unique again, and stable. */
#include "backend/cpu/choose.h"
#include "backend/cpu/sort.h"
#include "backend/cpu/sort_keys.h"

enum { ALIKE = 32 };

/* A key and its index as one number of 4 bytes, as one of 8, or as many bits of the key as the
 * index leaves. */
typedef enum packing { NO_INDEX, HALVES, WORDS, CUT } packing;

const mica__sort_loops *mica__sort_loops_in_use(void)
{
    return MICA_CHOOSE(mica__sort_);
}

static packing packing_of(const mica__sorting *q)
{
    mica_dtype d = (mica_dtype)q->in->dtype;
    if (d == MICA_COMPLEX64) return CUT; /* values are fetched: keys do not hold them */
    if (!q->indices) return NO_INDEX;
    if (mica__key_is_wide(d)) return CUT;
    return mica__key_bytes(d) <= 2 && q->n <= 1 << 16 ? HALVES : WORDS;
}

bool mica__sorts_in_vectors(const mica__sorting *q)
{
    return q->loops->narrow && q->n <= UINT32_MAX && (q->kth < 0 || packing_of(q) != CUT);
}

size_t mica__sort_bytes(const mica__sorting *q)
{
    /* Three times as many numbers, beside keys where these come with their indices. Digits take
     * keys and indices twice. */
    size_t key = mica__key_is_wide((mica_dtype)q->in->dtype) ? 8 : 4;
    return (size_t)(q->tile * q->n) * (q->indices ? 28 : 3 * key);
}

/* The stable order of n keys, in the low bits of a. Keys that differ only in what was cut off are
 * then put in order; where many do, digits are better: false. */
static bool order_cut(const mica__sorting *q, const uint64_t *keys, uint64_t *a, uint64_t *b,
                      uint64_t mask)
{
    uint64_t least = UINT64_MAX, most = 0;
    for (int64_t i = 0; i < q->n; i++) {
        least = keys[i] < least ? keys[i] : least;
        most = keys[i] > most ? keys[i] : most;
    }
    int lead = most > least ? __builtin_clzll(most - least) : 63;
    for (int64_t i = 0; i < q->n; i++) a[i] = ((keys[i] - least) << lead & ~mask) | (uint64_t)i;
    q->loops->wide(a, b, (size_t)q->n);
    if (mask >> lead == 0 || mica__sort_given_up(q->n)) return true; /* nothing was cut off */
    for (int64_t i = 1; i < q->n; i++) {
        uint64_t v = a[i], key = keys[v & mask];
        int64_t j = i;
        for (; j > 0 && (a[j - 1] ^ v) <= mask && keys[a[j - 1] & mask] > key; j--) {
            if (i - j == ALIKE) return false;
            a[j] = a[j - 1];
        }
        a[j] = v;
    }
    return true;
}

/* Sorts or partitions numbers of either width. */
static void narrow(const mica__sorting *q, uint32_t *a, uint32_t *b, uint32_t alike)
{
    if (q->kth < 0) q->loops->narrow(a, b, (size_t)q->n);
    else q->loops->part_narrow(a, b, b + q->n, (size_t)q->n, (size_t)q->kth, alike);
}
static void wide(const mica__sorting *q, uint64_t *a, uint64_t *b, uint64_t alike)
{
    if (q->kth < 0) q->loops->wide(a, b, (size_t)q->n);
    else q->loops->part_wide(a, b, b + q->n, (size_t)q->n, (size_t)q->kth, alike);
}

static bool order(const mica__sorting *q, packing packing, const void *keys, char *a, char *b,
                  uint64_t mask)
{
    uint32_t *a32 = (uint32_t *)(void *)a, *b32 = (uint32_t *)(void *)b;
    uint64_t *a64 = (uint64_t *)(void *)a, *b64 = (uint64_t *)(void *)b;
    const uint32_t *key = keys;
    switch (packing) {
    case NO_INDEX:
        if (mica__key_is_wide((mica_dtype)q->in->dtype)) wide(q, a64, b64, 0);
        else narrow(q, a32, b32, 0);
        return true;
    case HALVES:
        for (int64_t i = 0; i < q->n; i++) a32[i] = key[i] << 16 | (uint32_t)i;
        narrow(q, a32, b32, (uint32_t)mask);
        return true;
    case WORDS:
        for (int64_t i = 0; i < q->n; i++) a64[i] = (uint64_t)key[i] << 32 | (uint64_t)i;
        wide(q, a64, b64, mask);
        return true;
    default: return order_cut(q, keys, a64, b64, mask);
    }
}

/* Elements or indices in the order that was found. */
static void put(const mica__sorting *q, packing packing, const char *a, int64_t start, int64_t m,
                uint64_t mask)
{
    const uint32_t *a32 = (const uint32_t *)(const void *)a;
    const uint64_t *a64 = (const uint64_t *)(const void *)a;
    const uint64_t *from = (const uint64_t *)(const void *)q->in->data + start;
    uint32_t *indices = (uint32_t *)(void *)q->out->data + start;
    uint64_t *values = (uint64_t *)(void *)q->out->data + start;
    for (int64_t k = 0; k < q->n; k++)
        for (int64_t c = 0; c < m; c++) {
            int64_t at = c * q->n + k, to = k * q->inner + c;
            uint64_t index = (packing == HALVES ? a32[at] : a64[at]) & mask;
            if (q->indices) indices[to] = (uint32_t)index;
            else values[to] = from[(int64_t)index * q->inner + c];
        }
}

bool mica__sort_in_vectors(const mica__sorting *q, int64_t start, int64_t m, char *memory)
{
    mica_dtype d = (mica_dtype)q->in->dtype;
    packing packing = packing_of(q);
    size_t key = mica__key_is_wide(d) ? 8 : 4, count = (size_t)(m * q->n),
           item = packing == HALVES  ? 4
                  : packing == WORDS ? 8
                                     : key;
    char *a = memory, *keys = packing == NO_INDEX ? a : a + count * item, *b = keys + count * key;
    size_t offset = (size_t)start * mica__dtype_sizes[d];
    const char *in = q->in->data + offset;
    if (packing == NO_INDEX && q->inner == 1 && key == mica__dtype_sizes[d])
        a = keys = q->out->data + offset; /* the less memory the better for long rows */
    if (q->inner == 1) q->loops->load(d, in, q->n, !q->indices, keys);
    else mica__load_keys(d, in, q->n, q->inner, m, !q->indices, keys);
    int bits = 0;
    while ((q->n - 1) >> bits) bits++;
    uint64_t mask = packing == HALVES  ? UINT16_MAX
                    : packing == WORDS ? UINT32_MAX
                                       : ((uint64_t)1 << bits) - 1;
    if (mica__sort_given_up(q->n)) return true;
    for (int64_t c = 0; c < m; c++) {
        size_t at = (size_t)(c * q->n);
        if (!order(q, packing, keys + at * key, a + at * item, b, mask)) return false;
        if (mica__sort_given_up(q->n)) return true;
    }
    if (packing != NO_INDEX) put(q, packing, a, start, m, mask);
    else if (q->inner == 1) q->loops->store(d, a, q->n, q->out->data + offset);
    else mica__store_values(d, a, q->n, q->inner, m, q->out->data + offset);
    return true;
}
