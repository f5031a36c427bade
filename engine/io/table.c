/* Tables of arrays. */
#include "io/table.h"

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
    t->metadata = mica__scope_alloc(s, metadata_count * sizeof *t->metadata);
    t->values = mica__scope_alloc(s, value_count * sizeof *t->values);
    return t->names && t->arrays && t->metadata && t->values ? t : NULL;
}

static bool before(const char *const *a, const char *const *b)
{
    int order = strcmp(*a, *b);
    return order ? order < 0 : a < b;
}

/* Lets what stands at `i` of a heap of n sink to where it belongs. */
static void sink(const char ***heap, size_t i, size_t n)
{
    const char **moved = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(heap[child], heap[child + 1])) child++;
        if (!before(moved, heap[child])) break;
        heap[i] = heap[child];
    }
    heap[i] = moved;
}

/* In place, where qsort may take memory for a copy, which would be more than anything else that
   a file of many arrays needs for a moment. Most files are in order. */
static void sort(const char ***list, size_t n)
{
    size_t i = 1;
    while (i < n && before(list[i - 1], list[i])) i++;
    if (i >= n) return;
    for (i = n / 2; i-- > 0;) sink(list, i, n);
    while (--n > 0) {
        const char **last = list[n];
        list[n] = list[0];
        list[0] = last;
        sink(list, 0, n);
    }
}

bool mica__table_sort(mica_scope *s, mica_table *t)
{
    t->by_name = mica__scope_alloc(s, t->count * sizeof *t->by_name);
    if (!t->by_name) return false;
    for (size_t i = 0; i < t->count; i++) t->by_name[i] = &t->names[i];
    sort(t->by_name, t->count);
    return true;
}

const char *mica__table_twin(const mica_table *t)
{
    for (size_t i = 1; i < t->count; i++)
        if (strcmp(*t->by_name[i - 1], *t->by_name[i]) == 0) return *t->by_name[i];
    return NULL;
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
        size_t middle = low + (high - low) / 2;
        const char **at = t->by_name[middle];
        int order = strcmp(name, *at);
        if (!order) return t->arrays[at - t->names];
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
