/* Files of exported functions, of mica and of MLX: read, called with zeros, and evaluated. */
#include "fuzz.h"

#include "base/checksum.h"
#include "io/export.h"
#include "io/export_file.h"
#include "io/signature.h"

/* Sizes and checksums are made right, or nothing but them would be tested. */
static void mend(mica__source *from)
{
    char *file = (char *)(uintptr_t)from->base;
    uint64_t head[MICA__EXPORT_HEAD / 8];
    if (from->bytes < sizeof head || memcmp(file, MICA__EXPORT_MAGIC, 8) != 0) return;
    memcpy(head, file, sizeof head);
    uint64_t after = from->bytes - sizeof head;
    if (head[2] > after) head[2] = after;
    uint64_t start = sizeof head + head[2], rest = from->bytes - start,
             pad = -start % MICA__EXPORT_ALIGNMENT;
    if (pad <= rest) head[3] = rest - pad;
    head[4] = mica__crc32(0, file + start, (size_t)rest);
    head[5] =
        mica__crc32(mica__crc32(0, head, sizeof head - 8), file + sizeof head, (size_t)head[2]);
    memcpy(file, head, sizeof head);
}

/* With the sizes of the signature, and so much more. */
static void call(mica_imported *m, size_t i, int64_t more)
{
    const mica__signature *g = mica__imported_signature(m, i);
    mica_scope *s = mica_scope_open(NULL);
    mica_array **in = mica__scope_alloc(s, (g->n + 1) * sizeof(mica_array *));
    mica_arrays results = { 0 };
    bool small = in && g->n < 64;
    for (size_t k = 0; small && k < g->n; k++) {
        int64_t size = 0, sizes[MICA_MAX_NDIM];
        mica_dims shape = { g->shapes[k].n, sizes };
        small = mica__shape_size(g->shapes[k], &size) && size <= FUZZ_ELEMENTS;
        for (int64_t d = 0; small && d < shape.n; d++) sizes[d] = g->shapes[k].at[d] + more;
        small = small && mica__shape_size(shape, &size) && size <= FUZZ_ELEMENTS;
        in[k] = small ? mica_zeros(s, shape, g->dtypes[k]) : NULL;
        small = in[k] != NULL;
    }
    if (small)
        mica_imported_call(s, m, (mica_arrays){ g->n, in }, g->keywords, g->nkeywords, &results);
    for (size_t k = 0; k < results.n && k < FUZZ_ARRAYS; k++) fuzz_evaluate(s, results.at[k]);
    mica_scope_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mica__source from = fuzz_source(data, size);
    mica_imported *m = NULL;
    mend(&from);
    if (mica__import_source(&from, &m) == MICA_OK)
        for (size_t i = 0; i < mica__imported_count(m); i++)
            for (int64_t more = 0; more < 2; more++) call(m, i, more);
    mica_imported_release(m);
    fuzz_finish(&from);
    return 0;
}
