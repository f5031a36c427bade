/* Tables of arrays. */
#include "io/table.h"

enum { PIECE = 1 << 20 /* bytes of a file */ };

mica_table *mica__table_new(mica_scope *s, size_t room, size_t metadata_count, size_t value_count)
{
    mica_table *t = mica__scope_alloc(s, sizeof *t);
    if (!t) return NULL;
    *t = (mica_table){ .room = room, .metadata_count = metadata_count, .value_count = value_count };
    /* Counts are less than the bytes of a file that is in memory: the products cannot overflow. */
    t->names = mica__scope_alloc(s, room * sizeof *t->names);
    t->arrays = mica__scope_alloc(s, room * sizeof *t->arrays);
    t->metadata = mica__scope_alloc(s, metadata_count * sizeof *t->metadata);
    t->values = mica__scope_alloc(s, value_count * sizeof *t->values);
    return t->names && t->arrays && t->metadata && t->values ? t : NULL;
}

bool mica__table_add(mica_scope *s, mica_table *t, const char *name, size_t bytes, mica_array *a)
{
    if (!t || !a) return false;
    if (t->count == t->room) {
        mica__error(s, MICA_EIO, "[load] the file changed while it was read");
        return false;
    }
    t->names[t->count] = mica__arena_text(&s->arena, name, bytes);
    if (!t->names[t->count]) return mica__scope_failed(s, MICA_EMEMORY);
    t->arrays[t->count++] = a;
    return true;
}

void mica__table_saw(mica_table *t, const mica__source *from, uint64_t bytes)
{
    t->read += bytes;
    if (t->read < PIECE) return;
    mica__source_forget(from);
    t->read = 0;
}

/* By name; of the same names the earlier one first. */
static int compare(const void *a, const void *b)
{
    const char **x = *(const char **const *)a, **y = *(const char **const *)b;
    int order = strcmp(*x, *y);
    return order ? order : (x > y) - (x < y);
}

bool mica__table_sort(mica_scope *s, mica_table *t)
{
    t->by_name = mica__scope_alloc(s, t->count * sizeof *t->by_name);
    if (!t->by_name) return false;
    for (size_t i = 0; i < t->count; i++) t->by_name[i] = &t->names[i];
    mica__sort(t->by_name, t->count, sizeof *t->by_name, compare);
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
