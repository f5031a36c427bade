/* Kernels of sort, argsort, partition, argpartition and searchsorted. Elements become unsigned keys
   in the same order, with NaN last. Vectors sort those that are the same when they are equal
   (sort_isa.c); others are sorted by their digits, which is stable and takes a few passes over
   memory whatever the values. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/sort.h"
#include "backend/cpu/sort_keys.h"

enum { TILE = 16, SHORT = 48, WORK = 16 * 1024, LARGE_ROW = 1 << 18 };

/* ---- sorting keys, and the indices that go with them ---- */

/* Each pass moves keys from one memory to the other by one digit, lowest first; digits that all
   keys share are skipped. Returns where the sorted keys are: `a` or `b`; indices (or NULL) are in
   the memory of the same letter. */
#define SORT(name, key)                                                                            \
    SHORT_SORT(name, key)                                                                          \
    /* True when the result lies in b. */                                                          \
    static bool sort_##name(key *a, key *b, uint32_t *ia, uint32_t *ib, int64_t n, int bytes)      \
    {                                                                                              \
        if (n < SHORT) {                                                                           \
            short_##name(a, ia, (size_t)n);                                                        \
            return false;                                                                          \
        }                                                                                          \
        uint32_t counts[sizeof(key)][256] = { { 0 } };                                             \
        MICA_SORT_EACH(i, n)                                                                       \
        for (int d = 0; d < bytes; d++) counts[d][a[i] >> 8 * d & 255]++;                          \
        if (mica__sort_given_up(n)) return false; /* counts of a part are no places */             \
        bool in_b = false;                                                                         \
        for (int d = 0; d < bytes; d++) {                                                          \
            uint32_t *count = counts[d], place = 0;                                                \
            if (mica__sort_given_up(n)) return false;                                              \
            if (count[a[0] >> 8 * d & 255] == n) continue;                                         \
            for (int v = 0; v < 256; v++) {                                                        \
                uint32_t c = count[v];                                                             \
                count[v] = place;                                                                  \
                place += c;                                                                        \
            }                                                                                      \
            if (ia) {                                                                              \
                MICA_SORT_EACH(i, n)                                                               \
                {                                                                                  \
                    uint32_t to = count[a[i] >> 8 * d & 255]++;                                    \
                    b[to] = a[i];                                                                  \
                    ib[to] = ia[i];                                                                \
                }                                                                                  \
                uint32_t *swap = ia;                                                               \
                ia = ib;                                                                           \
                ib = swap;                                                                         \
            } else {                                                                               \
                MICA_SORT_EACH(i, n) b[count[a[i] >> 8 * d & 255]++] = a[i];                       \
            }                                                                                      \
            key *swap = a;                                                                         \
            a = b;                                                                                 \
            b = swap;                                                                              \
            in_b = !in_b;                                                                          \
        }                                                                                          \
        return in_b;                                                                               \
    }                                                                                              \
    /* Into b: keys less than the kth smallest, those equal to it, those greater, each in their    \
     * order. */                                                                                   \
    static void select_##name(const key *a, key *b, const uint32_t *ia, uint32_t *ib, int64_t n,   \
                              int bytes, int64_t kth)                                              \
    {                                                                                              \
        const key *from =                                                                          \
            a; /* what still may be the kth: all, then what shares its first digits */             \
        key value = 0;                                                                             \
        int64_t left = n;                                                                          \
        if (n < SHORT) { /* quicker than to count digits */                                        \
            memcpy(b, a, (size_t)n * sizeof *b);                                                   \
            short_##name(b, NULL, (size_t)n);                                                      \
            value = b[kth];                                                                        \
            left = 0;                                                                              \
            for (int64_t i = 0; i < n; i++) left += b[i] == value;                                 \
        }                                                                                          \
        for (int d = bytes - 1; d >= 0 && n >= SHORT; d--) {                                       \
            int64_t count[256] = { 0 }, v = 0, kept = 0;                                           \
            MICA_SORT_EACH(i, left) count[from[i] >> 8 * d & 255]++;                               \
            if (mica__sort_given_up(n)) return;                                                    \
            while (kth >= count[v]) kth -= count[v++];                                             \
            value |= (key)v << 8 * d;                                                              \
            MICA_SORT_EACH(i, left)                                                                \
            {                                                                                      \
                key k = from[i];                                                                   \
                b[kept] = k;                                                                       \
                kept += (int64_t)(k >> 8 * d & 255) == v;                                          \
            }                                                                                      \
            from = b;                                                                              \
            left = kept;                                                                           \
        }                                                                                          \
        int64_t less = 0, equal = left;                                                            \
        MICA_SORT_EACH(i, n) less += a[i] < value;                                                 \
        if (mica__sort_given_up(n)) return;                                                        \
        int64_t place[3] = { 0, less, less + equal };                                              \
        MICA_SORT_EACH(i, n)                                                                       \
        {                                                                                          \
            int64_t to = place[(a[i] >= value) + (a[i] > value)]++;                                \
            b[to] = a[i];                                                                          \
            if (ia) ib[to] = ia[i];                                                                \
        }                                                                                          \
    }
SORT(narrow, uint32_t)
SORT(wide, uint64_t)

/* ---- one task: some rows, or some columns side by side ---- */

/* Sorts m sequences that begin at element `start`, inner apart. `memory` holds keys and indices
 * twice. */
static void sort_tile(const mica__sorting *q, int64_t start, int64_t m, char *memory)
{
    if (mica__sorts_in_vectors(q) && mica__sort_in_vectors(q, start, m, memory)) return;
    mica_dtype d = (mica_dtype)q->in->dtype;
    size_t key = mica__key_is_wide(d) ? 8 : 4, item = mica__dtype_sizes[d],
           count = (size_t)(m * q->n);
    bool by_index =
        q->indices ||
        d == MICA_COMPLEX64; /* complex values are fetched: their keys do not hold them */
    char *a = memory, *b = a + count * key;
    uint32_t *ia = by_index ? (uint32_t *)(void *)(b + count * key) : NULL,
             *ib = by_index ? ia + count : NULL;
    const char *from = q->in->data + (size_t)start * item;
    mica__load_keys(d, from, q->n, q->inner, m, !q->indices, a);
    if (mica__sort_given_up(q->n)) return;
    for (int64_t c = 0; c < m; c++) {
        size_t at = (size_t)(c * q->n);
        uint32_t *pa = by_index ? ia + at : NULL, *pb = by_index ? ib + at : NULL;
        for (int64_t i = 0; by_index && i < q->n; i++) pa[i] = (uint32_t)i;
        char *ka = a + at * key, *kb = b + at * key;
        if (q->kth >= 0) {
            if (key == 8)
                select_wide((uint64_t *)(void *)ka, (uint64_t *)(void *)kb, pa, pb, q->n,
                            mica__key_bytes(d), q->kth);
            else
                select_narrow((uint32_t *)(void *)ka, (uint32_t *)(void *)kb, pa, pb, q->n,
                              mica__key_bytes(d), q->kth);
        }
        bool in_b =
            q->kth >= 0 || (key == 8 ? sort_wide((uint64_t *)(void *)ka, (uint64_t *)(void *)kb, pa,
                                                 pb, q->n, mica__key_bytes(d))
                                     : sort_narrow((uint32_t *)(void *)ka, (uint32_t *)(void *)kb,
                                                   pa, pb, q->n, mica__key_bytes(d)));
        if (mica__sort_given_up(q->n)) return;
        if (!in_b) continue;
        memcpy(ka, kb, (size_t)q->n * key);
        if (by_index) memcpy(pa, pb, (size_t)q->n * sizeof *pa);
    }
    if (!by_index) {
        mica__store_values(d, a, q->n, q->inner, m, q->out->data + (size_t)start * item);
        return;
    }
    MICA_SORT_EACH(k, q->n)
    for (int64_t c = 0; c < m; c++) {
        uint32_t index = ia[c * q->n + k];
        int64_t to = start + k * q->inner + c;
        if (q->indices) ((uint32_t *)(void *)q->out->data)[to] = index;
        else
            ((uint64_t *)(void *)q->out->data)[to] =
                ((const uint64_t *)(const void *)from)[index * q->inner + c];
    }
}

static void sort_task(void *context, size_t task)
{
    mica__sorting *q = context;
    size_t bytes = mica__sort_bytes(q);
    void *memory;
    int status = mica__memory_take(bytes, &memory);
    if (status != MICA_OK) {
        atomic_store(&q->status, status);
        return;
    }
    int64_t first = (int64_t)task * q->a_task, last = first + q->a_task, all = q->outer * q->tiles;
    if (last > all) last = all;
    for (int64_t i = first; i < last; i++) {
        int64_t column = i % q->tiles * q->tile,
                m = q->inner - column < q->tile ? q->inner - column : q->tile;
        sort_tile(q, i / q->tiles * q->n * q->inner + column, m, memory);
    }
    mica__memory_give(memory, bytes);
}

/* Long rows, one after the other, each by all threads. */
static int sort_rows(const mica__sorting *q)
{
    mica_dtype d = (mica_dtype)q->in->dtype;
    size_t item = mica__dtype_sizes[d], made = q->indices ? sizeof(uint32_t) : item;
    int status = MICA_OK;
    for (int64_t i = 0; i < q->outer && status == MICA_OK && !mica__parallel_given_up(); i++)
        status = mica__sort_large(d, q->in->data + (size_t)(i * q->n) * item, q->n, q->indices,
                                  q->out->data + (size_t)(i * q->n) * made);
    return status;
}

static int sort(mica__launch *l, bool indices, int64_t kth)
{
    int64_t axis = MICA_PARAMS(l->node, sort)->axis; /* the first field of all of them */
    mica__sorting q = { .in = l->in[0],
                        .out = &l->out[0],
                        .indices = indices,
                        .kth = kth,
                        .outer = 1,
                        .inner = 1,
                        .n = l->in[0]->shape[axis],
                        .loops = mica__sort_loops_in_use() };
    if (q.in->size == 0) return MICA_OK;
    for (int i = 0; i < q.in->ndim; i++) {
        if (i < axis) q.outer *= q.in->shape[i];
        if (i > axis) q.inner *= q.in->shape[i];
    }
    bool alone = mica__thread_count() == 1 && !indices && mica__sorts_in_vectors(&q);
    if (kth < 0 && q.inner == 1 && q.n >= MICA_SORT_LARGE && q.n <= UINT32_MAX && !alone &&
        (q.outer < 4 || q.n >= LARGE_ROW))
        return sort_rows(&q);
    atomic_init(&q.status, MICA_OK);
    q.tile = q.inner < TILE ? q.inner : TILE;
    q.tiles = (q.inner + q.tile - 1) / q.tile;
    int64_t work = q.tile * q.n;
    q.a_task = work < WORK ? WORK / work : 1;
    mica__parallel((size_t)((q.outer * q.tiles + q.a_task - 1) / q.a_task), sort_task, &q);
    return atomic_load(&q.status) == MICA_OK
               ? MICA_OK
               : mica__fail_memory(mica__prims[l->node->prim].name, mica__sort_bytes(&q));
}

int mica__kernel_sort(mica__launch *l)
{
    return sort(l, false, -1);
}
int mica__kernel_argsort(mica__launch *l)
{
    return sort(l, true, -1);
}
int mica__kernel_partition(mica__launch *l)
{
    return sort(l, false, MICA_PARAMS(l->node, partition)->kth);
}
int mica__kernel_argpartition(mica__launch *l)
{
    return sort(l, true, MICA_PARAMS(l->node, argpartition)->kth);
}

/* ---- searchsorted ---- */

typedef struct searching {
    const mica_array *sorted, *values;
    uint32_t *out;
    bool right;
} searching;

static inline uint64_t any_key(mica_dtype d, const void *x, int64_t i)
{
    return mica__key_is_wide(d) ? mica__key64(d, x, i, false) : mica__key32(d, x, i, false);
}

static void search_task(void *context, size_t task)
{
    const searching *q = context;
    mica_dtype d = (mica_dtype)q->sorted->dtype;
    int64_t first = (int64_t)task * WORK,
            last = first + WORK < q->values->size ? first + WORK : q->values->size;
    for (int64_t i = first; i < last; i++) {
        uint64_t key = any_key(d, q->values->data, i);
        int64_t low = 0, high = q->sorted->size;
        while (low < high) {
            int64_t middle = low + (high - low) / 2;
            uint64_t k = any_key(d, q->sorted->data, middle);
            if (k < key || (q->right && k == key)) low = middle + 1;
            else high = middle;
        }
        q->out[i] = (uint32_t)low;
    }
}

int mica__kernel_searchsorted(mica__launch *l)
{
    searching q = { .sorted = l->in[0],
                    .values = l->in[1],
                    .out = (uint32_t *)(void *)l->out[0].data,
                    .right = MICA_PARAMS(l->node, searchsorted)->right };
    mica__parallel((size_t)((q.values->size + WORK - 1) / WORK), search_task, &q);
    return MICA_OK;
}
