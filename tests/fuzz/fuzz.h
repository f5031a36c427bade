/* What fuzz targets share: bytes as a source, and a look at what was made of them. */
#ifndef MICA_FUZZ_H
#define MICA_FUZZ_H

#include <stdint.h>
#include <stdlib.h>

#include "io/array_io.h"
#include "mica/mica.h"
#include "ops/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Memory of the engine that ends where the bytes end, so that reading past them is found. */
static inline mica__source fuzz_source(const uint8_t *data, size_t size)
{
    mica__source from = { .bytes = size, .name = "input" };
    char *copy = malloc(size + !size);
    if (copy && size) memcpy(copy, data, size);
    from.owner = mica__buffer_adopt(copy, size, free, copy);
    from.owner->parted = true;
    from.base = copy;
    return from;
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
    mica__source_release(&from);
    return 0;
}

#endif
