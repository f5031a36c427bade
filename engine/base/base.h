/* The engine's ground: errors, host allocation (injectable failures), checked sizes, vectors. No
 * arrays here. */
#ifndef MICA_ENGINE_BASE_H
#define MICA_ENGINE_BASE_H

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include "mica/base.h"

/* Writes the calling thread's message and returns `status`. Who detects an error calls this once;
 * who forwards it only returns the status. */
int mica__fail(int status, const char *format, ...) MICA_PRINTF(2, 3);
int mica__fail_v(int status, const char *format, va_list args) MICA_PRINTF(2, 0);
/* As mica__fail for MICA_EMEMORY, naming what was asked for. */
int mica__fail_memory(const char *operation, size_t bytes);
/* What the caching allocator adds to such a message: "; active ..., cached ..., limit ...". Set by
 * it. */
extern void (*_Atomic mica__describe_memory)(char *text, size_t room);
/* The status that belongs to the last message. */
int mica__last_status(void);
void mica__clear_error(void);

#define MICA_TRY(expression)                                                                       \
    do {                                                                                           \
        int mica_try_status = (expression);                                                        \
        if (mica_try_status != MICA_OK) return mica_try_status;                                    \
    } while (0)

/* Host memory: every allocation of the engine passes here, so tests can make each one fail in turn.
 * Nothing is written on failure but the message. */
void *mica__alloc(
    size_t bytes); /* uninitialised; NULL and a message on failure; 0 bytes gives a valid pointer */
void *mica__alloc_zero(size_t count, size_t size); /* checks the product */
void *mica__realloc(void *memory, size_t bytes);
void mica__free(void *memory);
/* For whoever found no memory at the system, and asks it once more: what the caching allocator
 * keeps for reuse goes back. Takes no lock but the allocator's own, which is never held across a
 * call. */
void mica__reclaim_memory(void);
/* Set by the caching allocator: how to. */
extern void (*_Atomic mica__reclaim_cache)(void);
/* Test hook: lets `count` more allocations succeed, then fails one and switches itself off;
 * negative: never fail. */
MICA_API void mica__inject_failure(int64_t count);
/* True (once, with the message set) when the injected failure falls on this call: for pools and
 * free lists that do not call mica__alloc. */
bool mica__injected_failure(void);

/* Live objects by kind, for leak tests. */
typedef enum mica__live_kind {
    MICA_LIVE_NODE,
    MICA_LIVE_BUFFER,
    MICA_LIVE_SCOPE,
    MICA_LIVE_HOST,
    MICA_LIVE_COUNT
} mica__live_kind;
void mica__live_add(mica__live_kind kind, int64_t change);
/* For objects in memory that free lists hand out: as many of MICA_LIVE_HOST too, in one step. */
void mica__live_add_listed(mica__live_kind kind, int64_t change);
MICA_API int64_t mica__live(mica__live_kind kind);

static inline bool mica__mul_overflow(size_t a, size_t b, size_t *out)
{
    return __builtin_mul_overflow(a, b, out);
}
static inline bool mica__add_overflow(size_t a, size_t b, size_t *out)
{
    return __builtin_add_overflow(a, b, out);
}

/* A growing array of pointers. */
typedef struct mica__vec {
    void **at;
    size_t n, capacity;
} mica__vec;
int mica__vec_push(mica__vec *v, void *item);
void mica__vec_free(mica__vec *v);

/* Sorts elements as large as some pointers: long lists in place, where qsort may take memory for a
   copy, and lists that are in order with one look at each. */
void mica__sort(void *list, size_t n, size_t bytes, int (*compare)(const void *a, const void *b));

/* Hash of bytes, 64 bit (wyhash-like mixing of our own; not for hostile keys). */
uint64_t mica__hash(uint64_t seed, const void *data, size_t bytes);

/* A map from pointers to pointers, open addressing; keys are never NULL. */
typedef struct mica__map {
    const void **keys;
    void **values;
    size_t n, capacity;
} mica__map;
int mica__map_set(mica__map *m, const void *key, void *value);
bool mica__map_get(const mica__map *m, const void *key, void **value);
void mica__map_free(mica__map *m);

/* Memory that lives until the arena is freed: for walkers and planners. */
typedef struct mica__arena {
    struct mica__arena_block *blocks;
} mica__arena;
void *mica__arena_alloc(mica__arena *a,
                        size_t bytes); /* 16-byte aligned; NULL and a message on failure */
/* A copy with a NUL behind it, right behind the text before it. */
char *mica__arena_text(mica__arena *a, const char *text, size_t bytes);
/* Everything is free again; one block stays for what comes. */
void mica__arena_reset(mica__arena *a);
/* All that `from` holds lives as long as `to`. */
void mica__arena_move(mica__arena *to, mica__arena *from);
void mica__arena_free(mica__arena *a);

/* Uninitialised, 64-byte aligned memory from the caching allocator, for arrays' buffers and for
 * kernels' scratch. */
int mica__memory_take(size_t bytes, void **memory);
void mica__memory_give(void *memory, size_t bytes); /* the same `bytes` as taken; NULL is fine */

#endif
