/* Sorting one long sequence with several threads. Keys are first distributed by their highest
   digit, counted from the highest bit in which any two of them differ: part by part, so that equal
   keys keep their order. The buckets are then sorted apart, each in the cache, by the digits that
   remain. A stable order is unique: the result does not depend on how the work was cut. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/sort.h"
#include "backend/cpu/sort_keys.h"

enum { DIGIT = 11, BUCKETS = 1 << DIGIT, PARTS = 32, PART = 1 << 14, SHORT = 48, SMALL = 1024 };

typedef struct sorting {
    mica_dtype dtype;
    const char *in;
    void *out;
    bool indices, by_index;
    const mica__sort_loops *loops;
    int64_t n, part; /* keys in all, in a part */
    char *a, *b;     /* keys as they come, keys in buckets */
    uint32_t *ia, *ib;
    uint64_t differ[PARTS];      /* bits in which a part's keys differ from the first key */
    int shift;                   /* bits below the first digit */
    uint32_t (*place)[BUCKETS];  /* of each part: counts, then where the next key goes */
    uint32_t start[BUCKETS + 1]; /* of the buckets */
} sorting;

static int64_t part_end(const sorting *q, int64_t first)
{
    return first + q->part < q->n ? first + q->part : q->n;
}

#define SORT_LARGE(name, key)                                                                      \
    static void load_##name(void *context, size_t part)                                            \
    {                                                                                              \
        sorting *q = context;                                                                      \
        int64_t first = (int64_t)part * q->part, end = part_end(q, first);                         \
        key *a = (key *)(void *)q->a, zeroth, differ = 0;                                          \
        size_t item = mica__dtype_sizes[q->dtype];                                                 \
        mica__load_keys(q->dtype, q->in, 1, 1, 1, !q->indices, &zeroth);                           \
        q->loops->load(q->dtype, q->in + (size_t)first * item, end - first, !q->indices,           \
                       a + first);                                                                 \
        for (int64_t i = first; i < end; i++) differ |= a[i] ^ zeroth;                             \
        q->differ[part] = differ;                                                                  \
    }                                                                                              \
    static void count_##name(void *context, size_t part)                                           \
    {                                                                                              \
        sorting *q = context;                                                                      \
        int64_t first = (int64_t)part * q->part, end = part_end(q, first);                         \
        const key *a = (const key *)(const void *)q->a;                                            \
        uint32_t *count = q->place[part];                                                          \
        memset(count, 0, sizeof *q->place);                                                        \
        for (int64_t i = first; i < end; i++) count[a[i] >> q->shift & (BUCKETS - 1)]++;           \
    }                                                                                              \
    static void distribute_##name(void *context, size_t part)                                      \
    {                                                                                              \
        sorting *q = context;                                                                      \
        int64_t first = (int64_t)part * q->part, end = part_end(q, first);                         \
        const key *a = (const key *)(const void *)q->a;                                            \
        key *b = (key *)(void *)q->b;                                                              \
        uint32_t *place = q->place[part];                                                          \
        int shift = q->shift;                                                                      \
        if (!q->by_index) {                                                                        \
            for (int64_t i = first; i < end; i++)                                                  \
                b[place[a[i] >> shift & (BUCKETS - 1)]++] = a[i];                                  \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = first; i < end; i++) {                                                    \
            uint32_t to = place[a[i] >> shift & (BUCKETS - 1)]++;                                  \
            b[to] = a[i];                                                                          \
            q->ib[to] = (uint32_t)i;                                                               \
        }                                                                                          \
    }                                                                                              \
    SHORT_SORT(name, key)                                                                          \
    /* One pass: by `width` bits from `low` on. False when all keys share them. */                 \
    static bool pass_##name(const key *a, key *b, const uint32_t *ia, uint32_t *ib, size_t n,      \
                            int low, int width)                                                    \
    {                                                                                              \
        uint32_t count[BUCKETS], place = 0, mask = (1u << width) - 1;                              \
        memset(count, 0, sizeof *count << width);                                                  \
        MICA_SORT_EACH(i, (int64_t)n) count[(uint32_t)(a[i] >> low) & mask]++;                     \
        if (mica__sort_given_up((int64_t)n)) return false;                                         \
        if (count[(uint32_t)(a[0] >> low) & mask] == n) return false;                              \
        for (uint32_t v = 0; v <= mask; v++) {                                                     \
            uint32_t c = count[v];                                                                 \
            count[v] = place;                                                                      \
            place += c;                                                                            \
        }                                                                                          \
        if (!ia) {                                                                                 \
            MICA_SORT_EACH(i, (int64_t)n) b[count[(uint32_t)(a[i] >> low) & mask]++] = a[i];       \
            return true;                                                                           \
        }                                                                                          \
        MICA_SORT_EACH(i, (int64_t)n)                                                              \
        {                                                                                          \
            uint32_t to = count[(uint32_t)(a[i] >> low) & mask]++;                                 \
            b[to] = a[i];                                                                          \
            ib[to] = ia[i];                                                                        \
        }                                                                                          \
        return true;                                                                               \
    }                                                                                              \
    static void sort_##name(void *context, size_t bucket)                                          \
    {                                                                                              \
        sorting *q = context;                                                                      \
        size_t first = q->start[bucket], n = q->start[bucket + 1] - first;                         \
        if (n == 0) return;                                                                        \
        key *a = (key *)(void *)q->b + first, *b = (key *)(void *)q->a + first;                    \
        uint32_t *ia = q->by_index ? q->ib + first : NULL,                                         \
                 *ib = q->by_index ? q->ia + first : NULL;                                         \
        if (q->loops->name && !ia) {                                                               \
            if (q->shift > 0) q->loops->name(a, b, n);                                             \
        } else if (n < SHORT) {                                                                    \
            short_##name(a, ia, n);                                                                \
        } else {                                                                                   \
            int most = n < SMALL ? 8 : DIGIT, passes = (q->shift + most - 1) / most;               \
            for (int p = 0, low = 0; p < passes; p++) {                                            \
                int width = (q->shift - low + passes - p - 1) / (passes - p);                      \
                if (pass_##name(a, b, ia, ib, n, low, width)) {                                    \
                    key *swap = a;                                                                 \
                    a = b;                                                                         \
                    b = swap;                                                                      \
                    uint32_t *other = ia;                                                          \
                    ia = ib;                                                                       \
                    ib = other;                                                                    \
                }                                                                                  \
                low += width;                                                                      \
            }                                                                                      \
        }                                                                                          \
        if (mica__sort_given_up((int64_t)n)) return;                                               \
        store(q, first, n, a, ia);                                                                 \
    }

static void store(const sorting *q, size_t first, size_t n, const void *keys, const uint32_t *index)
{
    if (q->indices) {
        memcpy((uint32_t *)q->out + first, index, n * sizeof *index);
        return;
    }
    if (!q->by_index) {
        char *out = (char *)q->out + first * mica__dtype_sizes[q->dtype];
        q->loops->store(q->dtype, keys, (int64_t)n, out);
        return;
    }
    const uint64_t *in = (const uint64_t *)(const void *)q->in;
    uint64_t *out = (uint64_t *)q->out + first;
    MICA_SORT_EACH(i, (int64_t)n) out[i] = in[index[i]];
}

SORT_LARGE(narrow, uint32_t)
SORT_LARGE(wide, uint64_t)

/* From counts to places: bucket after bucket, in each the parts in order. */
static void lay_out(sorting *q, size_t parts)
{
    uint32_t place = 0;
    for (size_t v = 0; v < BUCKETS; v++) {
        q->start[v] = place;
        for (size_t p = 0; p < parts; p++) {
            uint32_t c = q->place[p][v];
            q->place[p][v] = place;
            place += c;
        }
    }
    q->start[BUCKETS] = place;
}

static void run(sorting *q, bool wide)
{
    size_t parts = (size_t)((q->n + q->part - 1) / q->part);
    uint64_t differ = 0;
    mica__parallel(parts, wide ? load_wide : load_narrow, q);
    if (mica__parallel_given_up()) return; /* what has not been written is no place to write to */
    for (size_t p = 0; p < parts; p++) differ |= q->differ[p];
    q->shift = 0;
    while (differ >> q->shift >> DIGIT) q->shift++;
    mica__parallel(parts, wide ? count_wide : count_narrow, q);
    if (mica__parallel_given_up()) return;
    lay_out(q, parts);
    mica__parallel(parts, wide ? distribute_wide : distribute_narrow, q);
    if (mica__parallel_given_up()) return;
    mica__parallel(BUCKETS, wide ? sort_wide : sort_narrow, q);
}

int mica__sort_large(mica_dtype dtype, const void *in, int64_t n, bool indices, void *out)
{
    sorting q = { .dtype = dtype,
                  .in = in,
                  .out = out,
                  .indices = indices,
                  .n = n,
                  .loops = mica__sort_loops_in_use() };
    /* Complex values are fetched: their keys do not hold them. */
    q.by_index = indices || dtype == MICA_COMPLEX64;
    q.part = (n + PARTS - 1) / PARTS < PART ? PART : (n + PARTS - 1) / PARTS;
    bool wide = mica__key_is_wide(dtype);
    size_t keys = (size_t)n * (wide ? 8 : 4), index = q.by_index ? (size_t)n * 4 : 0;
    size_t bytes = 2 * (keys + index) + PARTS * sizeof *q.place;
    void *memory;
    int status = mica__memory_take(bytes, &memory);
    if (status != MICA_OK) return mica__fail_memory(indices ? "argsort" : "sort", bytes);
    q.a = memory;
    q.b = q.a + keys;
    q.place = (uint32_t(*)[BUCKETS])(void *)(q.b + keys);
    q.ia = (uint32_t *)(void *)(q.place + PARTS);
    q.ib = q.ia + (q.by_index ? n : 0);
    run(&q, wide);
    mica__memory_give(memory, bytes);
    return MICA_OK;
}
