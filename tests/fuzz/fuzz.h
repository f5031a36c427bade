/* What fuzz targets share: bytes as a source, and a look at what was made of them. */
#ifndef MICA_FUZZ_H
#define MICA_FUZZ_H

#include <stdint.h>
#include <stdlib.h>

#include "io/array_io.h"
#include "mica/mica.h"
#include "ops/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- memory: at most the file's size and 64 MiB, told by the sanitizer's allocator ---- */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FUZZ_COUNTS 1
#endif
#endif

#ifdef FUZZ_COUNTS
#include <sanitizer/allocator_interface.h>
#include <stdio.h>

static _Atomic size_t fuzz_now, fuzz_most; /* bytes of the heap */

static void fuzz_taken(const volatile void *memory, size_t bytes)
{
    if (!memory) return;
    size_t now = atomic_fetch_add(&fuzz_now, bytes) + bytes;
    if (now > atomic_load(&fuzz_most)) atomic_store(&fuzz_most, now);
}

static void fuzz_given(const volatile void *memory)
{
    if (memory) atomic_fetch_sub(&fuzz_now, __sanitizer_get_allocated_size(memory));
}

static size_t fuzz_before;
static inline void fuzz_count(void)
{
    static bool installed;
    if (!installed) __sanitizer_install_malloc_and_free_hooks(fuzz_taken, fuzz_given);
    installed = true;
    fuzz_before = atomic_load(&fuzz_now);
    atomic_store(&fuzz_most, fuzz_before);
    mica_memory_reset_peak();
}

/* Large arrays are mapped, and counted by the engine; small ones count twice. */
static inline void fuzz_check_memory(size_t size)
{
    size_t most = atomic_load(&fuzz_most) - fuzz_before + mica_memory_peak();
    if (most <= size + ((size_t)64 << 20)) return;
    fprintf(stderr, "a file of %zu bytes took %zu bytes of memory\n", size, most);
    abort();
}
#else
static inline void fuzz_count(void) {}
static inline void fuzz_check_memory(size_t size)
{
    (void)size;
}
#endif

/* ---- bytes ---- */

/* Memory of the engine that ends where the bytes end, so that reading past them is found. */
static inline mica__source fuzz_source(const uint8_t *data, size_t size)
{
    fuzz_count();
    mica__source from = { .bytes = size, .name = "input" };
    char *copy = malloc(size + !size);
    if (copy && size) memcpy(copy, data, size);
    from.owner = mica__buffer_adopt(copy, size, free, copy);
    from.owner->parted = true;
    from.base = copy;
    return from;
}

static inline void fuzz_finish(const mica__source *from)
{
    size_t size = from->owner->bytes;
    mica__source_release(from);
    fuzz_check_memory(size);
}

/* Arrays of a file that are evaluated: each evaluation looks at all that its scope owns. */
enum { FUZZ_NODES = 1 << 12, FUZZ_ELEMENTS = 1 << 15, FUZZ_ARRAYS = 64 };

/* Whether evaluating the array is little work: nodes and elements are few. */
static inline bool fuzz_is_small(const mica_array *a)
{
    mica__vec pending = { 0 };
    mica__map seen = { 0 };
    size_t left = FUZZ_NODES;
    bool small = mica__vec_push(&pending, mica__node_of(a)) == MICA_OK;
    while (small && pending.n) {
        const mica_node *n = pending.at[--pending.n];
        void *known;
        if (mica__map_get(&seen, n, &known)) continue;
        small = left-- > 0 && mica__map_set(&seen, n, &left) == MICA_OK;
        for (size_t i = 0; i < n->noutputs; i++) small &= n->out[i].size <= FUZZ_ELEMENTS;
        for (size_t i = 0; i < n->ninputs && small; i++)
            small = mica__vec_push(&pending, mica__node_of(n->inputs[i])) == MICA_OK;
    }
    mica__vec_free(&pending);
    mica__map_free(&seen);
    return small;
}

/* Values are read too. */
static inline void fuzz_evaluate(mica_scope *s, mica_array *a)
{
    if (a && fuzz_is_small(a)) mica_eval(s, &a, 1);
}

/* needed: how far a stream is read that begins so, or NULL; what is a file is read no further. */
static inline int fuzz_table(const uint8_t *data, size_t size,
                             mica_table *(*load)(mica_scope *s, const mica__source *from),
                             uint64_t (*needed)(const void *start, uint64_t bytes, bool *known))
{
    mica__source from = fuzz_source(data, size);
    mica_scope *s = mica_scope_open(NULL);
    bool known = true;
    uint64_t most = needed ? needed(from.base, size, &known) : 0;
    const mica_table *t = s ? load(s, &from) : NULL;
    if (t && (!known || most > size)) abort();
    for (size_t i = 0; i < mica_table_count(t); i++) {
        if (i < FUZZ_ARRAYS) fuzz_evaluate(s, mica_table_array(t, i));
        mica_table_find(t, mica_table_name(t, i));
    }
    for (size_t i = 0; i < mica_table_value_count(t) && i < FUZZ_ARRAYS; i++)
        fuzz_evaluate(s, mica_table_values(t)[i].array);
    mica_scope_close(s);
    fuzz_finish(&from);
    return 0;
}

#endif
