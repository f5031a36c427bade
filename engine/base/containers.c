/* Vector, map, arena, hash: the few containers that the engine needs. */
#include <stdlib.h>

#include "base/base.h"

int mica__vec_push(mica__vec *v, void *item)
{
    if (v->n == v->capacity) {
        size_t capacity, bytes;
        if (mica__add_overflow(v->capacity, v->capacity / 2 + 8, &capacity) ||
            mica__mul_overflow(capacity, sizeof *v->at, &bytes))
            return mica__fail_memory("allocate", SIZE_MAX);
        void **at = mica__realloc(v->at, bytes);
        if (!at) return MICA_EMEMORY;
        v->at = at;
        v->capacity = capacity;
    }
    v->at[v->n++] = item;
    return MICA_OK;
}

void mica__vec_free(mica__vec *v)
{
    mica__free(v->at);
    *v = (mica__vec){ 0 };
}

/* ---- sorting ---- */

static void swap(char *a, char *b, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += sizeof(uintptr_t)) {
        uintptr_t x, y;
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        memcpy(a + i, &y, sizeof y);
        memcpy(b + i, &x, sizeof x);
    }
}

/* Lets what stands at `i` of a heap of n sink to where it belongs. */
static void sink(char *heap, size_t i, size_t n, size_t bytes,
                 int (*compare)(const void *a, const void *b))
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        char *lower = heap + child * bytes;
        if (child + 1 < n && compare(lower, lower + bytes) < 0) child++;
        if (compare(heap + i * bytes, heap + child * bytes) >= 0) break;
        swap(heap + i * bytes, heap + child * bytes, bytes);
    }
}

void mica__sort(void *list, size_t n, size_t bytes, int (*compare)(const void *a, const void *b))
{
    enum { SHORT = 4096 };
    char *at = list;
    size_t i = 1;
    while (i < n && compare(at + (i - 1) * bytes, at + i * bytes) <= 0) i++;
    if (i >= n) return;
    if (n <= SHORT) {
        qsort(list, n, bytes, compare);
        return;
    }
    for (i = n / 2; i-- > 0;) sink(at, i, n, bytes, compare);
    while (--n > 0) {
        swap(at, at + n * bytes, bytes);
        sink(at, 0, n, bytes, compare);
    }
}

/* ---- hashing ---- */

/* Both halves of the 128-bit product depend on all bits of both factors; their sum modulo 2 keeps
 * that. */
static uint64_t mix(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t x = a ^ (b * 0x9E3779B97F4A7C15u);
    x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93u;
    x = (x ^ (x >> 29)) * 0xD6E8FEB86659FD93u;
    return x ^ (x >> 32);
#endif
}

static uint64_t read_word(const unsigned char *p, size_t bytes)
{
    uint64_t word = 0;
    memcpy(&word, p, bytes);
    return word;
}

uint64_t mica__hash(uint64_t seed, const void *data, size_t bytes)
{
    const uint64_t k0 = 0xA24BAED4963EE407u, k1 = 0x9FB21C651E98DF25u, k2 = 0xD1B54A32D192ED03u;
    const unsigned char *p = data;
    uint64_t h = mix(seed ^ k0, (uint64_t)bytes ^ k1);
    size_t left = bytes;
    for (; left >= 16; left -= 16, p += 16)
        h = mix(h ^ read_word(p, 8) ^ k1, read_word(p + 8, 8) ^ k2);
    if (left >= 8) {
        h = mix(h ^ read_word(p, 8), k1);
        left -= 8;
        p += 8;
    }
    if (left) h = mix(h ^ read_word(p, left), k2);
    return mix(h ^ k0, k2);
}

/* Index of the key, or of the empty place where it belongs; capacity is a power of two and never
 * full. */
static size_t map_place(const mica__map *m, const void *key)
{
    size_t mask = m->capacity - 1;
    size_t i =
        (size_t)mix((uint64_t)(uintptr_t)key ^ 0x9FB21C651E98DF25u, 0xD1B54A32D192ED03u) & mask;
    while (m->keys[i] && m->keys[i] != key) i = (i + 1) & mask;
    return i;
}

static int map_grow(mica__map *m)
{
    size_t capacity = m->capacity ? m->capacity * 2 : 16;
    mica__map bigger = { .capacity = capacity };
    bigger.keys = mica__alloc_zero(capacity, sizeof *bigger.keys);
    if (!bigger.keys) return MICA_EMEMORY;
    bigger.values = mica__alloc_zero(capacity, sizeof *bigger.values);
    if (!bigger.values) {
        mica__free((void *)bigger.keys);
        return MICA_EMEMORY;
    }
    for (size_t i = 0; i < m->capacity; i++)
        if (m->keys[i]) {
            size_t place = map_place(&bigger, m->keys[i]);
            bigger.keys[place] = m->keys[i];
            bigger.values[place] = m->values[i];
        }
    bigger.n = m->n;
    mica__map_free(m);
    *m = bigger;
    return MICA_OK;
}

int mica__map_set(mica__map *m, const void *key, void *value)
{
    if (m->capacity) {
        size_t i = map_place(m, key);
        if (m->keys[i]) {
            m->values[i] = value;
            return MICA_OK;
        }
    }
    if (m->n >= m->capacity / 2) MICA_TRY(map_grow(m));
    size_t i = map_place(m, key);
    m->keys[i] = key;
    m->values[i] = value;
    m->n++;
    return MICA_OK;
}

bool mica__map_get(const mica__map *m, const void *key, void **value)
{
    if (!m->n) return false;
    size_t i = map_place(m, key);
    if (!m->keys[i]) return false;
    if (value) *value = m->values[i];
    return true;
}

void mica__map_free(mica__map *m)
{
    mica__free((void *)m->keys);
    mica__free(m->values);
    *m = (mica__map){ 0 };
}

struct mica__arena_block {
    struct mica__arena_block *next;
    size_t used, capacity;
    _Alignas(16) unsigned char data[];
};

enum { ARENA_FIRST = 1024, ARENA_LARGEST = 1 << 20 };

/* From a block's start that is a multiple of `align`, a power of 2 of at most 16. */
static void *arena_take(mica__arena *a, size_t need, size_t align)
{
    if (need > SIZE_MAX - 64) {
        mica__fail_memory("allocate", need);
        return NULL;
    }
    struct mica__arena_block *b = a->blocks;
    size_t start = b ? (b->used + align - 1) & ~(align - 1) : 0;
    if (!b || start > b->capacity || b->capacity - start < need) {
        size_t capacity = !b                            ? ARENA_FIRST
                          : b->capacity < ARENA_LARGEST ? b->capacity * 2
                                                        : b->capacity;
        if (capacity > ARENA_LARGEST) capacity = ARENA_LARGEST;
        bool alone = need > capacity / 2 && b;
        if (need > capacity || alone) capacity = need;
        struct mica__arena_block *fresh = mica__alloc(sizeof *fresh + capacity);
        if (!fresh) return NULL;
        fresh->used = 0;
        fresh->capacity = capacity;
        if (alone) { /* one large piece: the half-filled block stays in front */
            fresh->next = b->next;
            b->next = fresh;
        } else {
            fresh->next = b;
            a->blocks = fresh;
        }
        b = fresh;
        start = 0;
    }
    b->used = start + need;
    return b->data + start;
}

void *mica__arena_alloc(mica__arena *a, size_t bytes)
{
    return arena_take(a, bytes, 16);
}

char *mica__arena_text(mica__arena *a, const char *text, size_t bytes)
{
    char *copy = arena_take(a, bytes == SIZE_MAX ? bytes : bytes + 1, 1);
    if (!copy) return NULL;
    if (bytes) memcpy(copy, text, bytes);
    copy[bytes] = 0;
    return copy;
}

void mica__arena_reset(mica__arena *a)
{
    struct mica__arena_block *kept = a->blocks;
    if (!kept) return;
    a->blocks = kept->next;
    mica__arena_free(a);
    *kept = (struct mica__arena_block){ .capacity = kept->capacity };
    a->blocks = kept;
}

void mica__arena_move(mica__arena *to, mica__arena *from)
{
    struct mica__arena_block **end = &from->blocks;
    while (*end) end = &(*end)->next;
    if (to->blocks) { /* its half-filled block stays in front */
        *end = to->blocks->next;
        to->blocks->next = from->blocks;
    } else {
        to->blocks = from->blocks;
    }
    from->blocks = NULL;
}

void mica__arena_free(mica__arena *a)
{
    while (a->blocks) {
        struct mica__arena_block *next = a->blocks->next;
        mica__free(a->blocks);
        a->blocks = next;
    }
}
