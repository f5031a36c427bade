/* Signatures of exported functions. */
#include "io/signature.h"

#include <stdlib.h>

typedef struct named {
    const char *name;
    size_t place;
} named;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static bool order_of(mica_scope *s, mica_arrays arguments, const char *const keywords[],
                     size_t nkeywords, mica__signature *out, size_t *order)
{
    named *list = mica__alloc_zero(nkeywords, sizeof *list);
    if (!list) return mica__scope_failed(s, MICA_EMEMORY);
    size_t first = arguments.n - nkeywords;
    for (size_t i = 0; i < first; i++) order[i] = i;
    for (size_t i = 0; i < nkeywords; i++) list[i] = (named){ keywords[i], first + i };
    if (nkeywords) qsort(list, nkeywords, sizeof *list, by_name);
    bool ok = true;
    for (size_t i = 0; i < nkeywords && ok; i++) {
        size_t bytes = strlen(list[i].name) + 1;
        char *kept = mica__scope_alloc(s, bytes);
        if (i && !strcmp(list[i].name, list[i - 1].name))
            ok = mica__error(s, MICA_EVALUE, "[export_function] the keyword '%s' is there twice",
                             list[i].name) != NULL;
        else if (!kept) ok = false;
        else out->keywords[i] = memcpy(kept, list[i].name, bytes);
        order[first + i] = list[i].place;
    }
    mica__free(list);
    return ok;
}

bool mica__signature_of(mica_scope *s, mica__signature *out, mica_arrays arguments,
                        const char *const keywords[], size_t nkeywords, size_t *order)
{
    size_t n = arguments.n;
    if (nkeywords > n)
        return mica__error(s, MICA_EVALUE, "[export_function] %zu keywords for %zu arguments",
                           nkeywords, n);
    for (size_t i = 0; i < n; i++)
        if (!arguments.at[i] || (i >= n - nkeywords && !keywords[i - (n - nkeywords)]))
            return mica__error(s, MICA_EVALUE, "[export_function] argument %zu is NULL", i);
    *out = (mica__signature){ .n = n, .nkeywords = nkeywords };
    out->dtypes = mica__scope_alloc(s, (n + 1) * sizeof *out->dtypes);
    out->shapes = mica__scope_alloc(s, (n + 1) * sizeof *out->shapes);
    out->keywords = mica__scope_alloc(s, (nkeywords + 1) * sizeof *out->keywords);
    if (!out->dtypes || !out->shapes || !out->keywords ||
        !order_of(s, arguments, keywords, nkeywords, out, order))
        return false;
    for (size_t i = 0; i < n; i++) {
        const mica_array *a = arguments.at[order[i]];
        int64_t *sizes = mica__scope_alloc(s, ((size_t)a->ndim + 1) * sizeof *sizes);
        if (!sizes) return false;
        for (int k = 0; k < a->ndim; k++) sizes[k] = a->shape[k];
        out->dtypes[i] = (mica_dtype)a->dtype;
        out->shapes[i] = (mica_dims){ a->ndim, sizes };
    }
    return true;
}

bool mica__signature_accepts(const mica__signature *own, const mica__signature *given,
                             bool shapeless)
{
    if (own->n != given->n || own->nkeywords != given->nkeywords) return false;
    for (size_t i = 0; i < own->nkeywords; i++)
        if (strcmp(own->keywords[i], given->keywords[i]) != 0) return false;
    for (size_t i = 0; i < own->n; i++)
        if (own->dtypes[i] != given->dtypes[i] ||
            (shapeless ? own->shapes[i].n != given->shapes[i].n
                       : !mica__shape_equal(own->shapes[i], given->shapes[i])))
            return false;
    return true;
}

void mica__signature_describe(mica__text *to, const mica__signature *g, const char *indent)
{
    size_t positional = g->n - g->nkeywords;
    mica__text_add_format(to, "%zu positional inputs and %zu keyword inputs:\n", positional,
                          g->nkeywords);
    for (size_t i = 0; i < g->n; i++) {
        mica__text_add_string(to, indent);
        if (i < positional) mica__text_add_format(to, "%zu: (", i + 1);
        else mica__text_add_format(to, "\"%s\": (", g->keywords[i - positional]);
        for (int64_t k = 0; k < g->shapes[i].n; k++)
            mica__text_add_format(to, k ? ",%lld" : "%lld", (long long)g->shapes[i].at[k]);
        mica__text_add_format(to, ") %s\n", mica_dtype_name(g->dtypes[i]));
    }
}
