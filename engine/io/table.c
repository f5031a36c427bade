/* Tables of arrays. */
#include "io/table.h"

#include <stdlib.h>

mica_table *mica__table_new(mica_scope *s, size_t count, size_t metadata_count, size_t value_count)
{
    mica_table *t = mica__scope_alloc(s, sizeof *t);
    if (!t) return NULL;
    *t = (mica_table){ .count = count,
                       .metadata_count = metadata_count,
                       .value_count = value_count };
    /* Counts come from lists that were in memory: the products cannot overflow. */
    t->names = mica__scope_alloc(s, count * sizeof *t->names);
    t->arrays = mica__scope_alloc(s, count * sizeof *t->arrays);
    t->by_name = mica__scope_alloc(s, count * sizeof *t->by_name);
    t->metadata = mica__scope_alloc(s, metadata_count * sizeof *t->metadata);
    t->values = mica__scope_alloc(s, value_count * sizeof *t->values);
    return t->names && t->arrays && t->by_name && t->metadata && t->values ? t : NULL;
}

typedef struct named {
    const char *name;
    size_t index;
} named;

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

bool mica__table_sort(mica_scope *s, mica_table *t)
{
    named *list = mica__alloc_zero(t->count, sizeof *list);
    if (!list) return mica__scope_failed(s, MICA_EMEMORY);
    for (size_t i = 0; i < t->count; i++) list[i] = (named){ t->names[i], i };
    if (t->count) qsort(list, t->count, sizeof *list, compare_names);
    for (size_t i = 0; i < t->count; i++) t->by_name[i] = list[i].index;
    mica__free(list);
    return true;
}

size_t mica_table_count(const mica_table *t)
{
    return t ? t->count : 0;
}
const char *mica_table_name(const mica_table *t, size_t i)
{
    return t && i < t->count ? t->names[i] : NULL;
}
mica_array *mica_table_array(const mica_table *t, size_t i)
{
    return t && i < t->count ? t->arrays[i] : NULL;
}

mica_array *mica_table_find(const mica_table *t, const char *name)
{
    size_t low = 0, high = t && name ? t->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2, i = t->by_name[middle];
        int order = strcmp(name, t->names[i]);
        if (!order) return t->arrays[i];
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

mica_array *mica_table_get(mica_scope *s, const mica_table *t, const char *name)
{
    if (!mica__scope_ok(s)) return NULL;
    if (!t) return mica__error(s, MICA_EVALUE, "[table_get] the table is NULL");
    if (!name) return mica__error(s, MICA_EVALUE, "[table_get] the name is NULL");
    mica_array *a = mica_table_find(t, name);
    if (a) return a;
    return mica__error(s, MICA_EVALUE, "[table_get] none of the %zu arrays is named '%s'", t->count,
                       name);
}

size_t mica_table_metadata_count(const mica_table *t)
{
    return t ? t->metadata_count : 0;
}
const mica_metadata *mica_table_metadata(const mica_table *t)
{
    return t ? t->metadata : NULL;
}

const char *mica_table_text(const mica_table *t, const char *key)
{
    for (size_t i = 0; key && i < mica_table_metadata_count(t); i++)
        if (strcmp(t->metadata[i].key, key) == 0) return t->metadata[i].value;
    return NULL;
}

size_t mica_table_value_count(const mica_table *t)
{
    return t ? t->value_count : 0;
}
const mica_value *mica_table_values(const mica_table *t)
{
    return t ? t->values : NULL;
}
