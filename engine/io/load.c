/* Arrays over the bytes of npy and safetensors files: without a copy wherever the bytes allow it.
 */
#include <stdlib.h>

#include "base/system.h"
#include "io/array_io.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "mica/ops.h"
#include "ops/builder.h"

mica__source mica__source_of_mapping(mica__mapping *m, uint64_t start)
{
    uint64_t bytes = mica__mapping_bytes(m);
    if (start > bytes) start = bytes;
    return (mica__source){ .mapping = m,
                           .base = (const char *)mica__mapping_base(m) + start,
                           .bytes = bytes - start,
                           .name = mica__mapping_name(m) };
}

/* ---- arrays over bytes ---- */

static void release_mapping(void *m)
{
    mica__mapping_release(m);
}
static void release_memory(void *b)
{
    mica__buffer_release(b);
}

/* The end of the file's last page reads as zeros, without a fault, when the file is cut in it. */
static int check_all(void *m)
{
    return mica__mapping_check(m);
}
/* What ends before the last page needs no system call: a shorter file lacks that page. */
static int check_pages(void *m)
{
    return mica__mapping_intact(m) ? MICA_OK : mica__mapping_check(m);
}

static bool in_last_page(const mica__mapping *m, const char *end)
{
    uint64_t page = mica__page_size(), bytes = mica__mapping_bytes(m);
    return (uint64_t)(end - (const char *)mica__mapping_base(m)) > (bytes - 1) / page * page;
}

/* An array that is the bytes themselves. */
static mica_array *adopt(mica_scope *s, const mica__source *from, const char *data,
                         mica_dtype dtype, mica_dims shape)
{
    void *at = (void *)(uintptr_t)data;
    if (!from->mapping) {
        mica__buffer_retain(from->memory);
        return mica_from_memory(s, at, shape, dtype, release_memory, from->memory);
    }
    mica__mapping_retain(from->mapping);
    mica_array *a = mica_from_memory(s, at, shape, dtype, release_mapping, from->mapping);
    if (a)
        a->buffer->check =
            in_last_page(from->mapping, data + a->buffer->bytes) ? check_all : check_pages;
    return a;
}

/* After bytes have been read here. */
static mica_array *whole(mica_scope *s, const mica__source *from, mica_array *a)
{
    int status = a && from->mapping ? mica__mapping_check(from->mapping) : MICA_OK;
    return status ? mica__scope_failed(s, status) : a;
}

static bool all_zero_or_one(const char *data, size_t n)
{
    size_t done = 0;
    while (done < n) { /* in blocks: the inner loop is a plain OR */
        size_t end = n - done < 4096 ? n : done + 4096;
        unsigned char all = 0;
        for (; done < end; done++) all |= (unsigned char)data[done];
        if (all > 1) return false;
    }
    return true;
}

static mica_array *truths(mica_scope *s, const char *data, mica_dims shape)
{
    mica_array *a = mica__empty(s, MICA_BOOL, shape);
    for (int64_t i = 0; a && i < a->size; i++) a->data[i] = data[i] != 0;
    return a;
}

/* Each element, and each half of a complex one, with its bytes in this machine's order. */
static mica_array *swap_bytes(mica_scope *s, const char *data, mica_dtype dtype, mica_dims shape)
{
    mica_array *a = mica__empty(s, dtype, shape);
    if (!a) return NULL;
    size_t unit = dtype == MICA_COMPLEX64 ? 4 : mica_dtype_size(dtype);
    size_t bytes = (size_t)a->size * mica_dtype_size(dtype);
    for (size_t i = 0; i < bytes; i += unit)
        for (size_t k = 0; k < unit; k++) a->data[i + k] = data[i + unit - 1 - k];
    return a;
}

/* Bytes that do not lie where elements of the type may lie: read element by element
 * (mica__is_aligned). */
static mica_array *unaligned(mica_scope *s, const mica__source *from, const char *data,
                             mica_dtype dtype, mica_dims shape, int64_t bytes)
{
    mica_array *raw = adopt(s, from, data, MICA_UINT8, MICA_SHAPE(bytes));
    return mica_reshape(s, mica_view(s, raw, dtype), shape);
}

mica_array *mica__tensor(mica_scope *s, const mica__source *from, uint64_t offset, uint64_t bytes,
                         mica_dtype dtype, bool swapped, mica_dims shape)
{
    const char *data = from->base + offset;
    if (!bytes) return mica__empty(s, dtype, shape);
    if (swapped) return whole(s, from, swap_bytes(s, data, dtype, shape));
    if (dtype == MICA_BOOL && !all_zero_or_one(data, (size_t)bytes))
        return whole(s, from, truths(s, data, shape));
    if ((uintptr_t)data % mica_dtype_size(dtype) != 0)
        return unaligned(s, from, data, dtype, shape, (int64_t)bytes);
    return adopt(s, from, data, dtype, shape);
}

/* ---- npy ---- */

mica_array *mica__npy_array(mica_scope *s, const mica__source *from, uint64_t *used)
{
    mica__npy h;
    if (!mica__scope_ok(s)) return NULL;
    int status = mica__npy_parse(&h, from->base, from->bytes, from->name);
    if (status) return mica__scope_failed(s, status);
    if (used) *used = h.offset + h.bytes;
    mica_dims shape = { h.ndim, h.shape };
    if (!h.fortran_order || h.ndim < 2)
        return mica__tensor(s, from, h.offset, h.bytes, h.dtype, h.swapped, shape);
    int64_t reversed[MICA_MAX_NDIM];
    for (int i = 0; i < h.ndim; i++) reversed[i] = h.shape[h.ndim - 1 - i];
    shape.at = reversed;
    mica_array *a = mica__tensor(s, from, h.offset, h.bytes, h.dtype, h.swapped, shape);
    return mica_transpose(s, a, MICA_ALL_AXES);
}

/* ---- tables ---- */

struct mica_table {
    size_t count, metadata_count;
    const char **names;
    mica_array **arrays;
    size_t *by_name; /* indices in the order of the names */
    mica_metadata *metadata;
};

static mica_table *new_table(mica_scope *s, size_t count, size_t metadata_count)
{
    mica_table *t = mica__scope_alloc(s, sizeof *t);
    if (!t) return NULL;
    *t = (mica_table){ .count = count, .metadata_count = metadata_count };
    /* Counts come from lists that were in memory: the products cannot overflow. */
    t->names = mica__scope_alloc(s, count * sizeof *t->names);
    t->arrays = mica__scope_alloc(s, count * sizeof *t->arrays);
    t->by_name = mica__scope_alloc(s, count * sizeof *t->by_name);
    t->metadata = mica__scope_alloc(s, metadata_count * sizeof *t->metadata);
    return t->names && t->arrays && t->by_name && t->metadata ? t : NULL;
}

static const char *keep_text(mica_scope *s, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *kept = mica__scope_alloc(s, bytes);
    return kept ? memcpy(kept, text, bytes) : NULL;
}

typedef struct named {
    const char *name;
    size_t index;
} named;

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static bool sort_names(mica_scope *s, mica_table *t)
{
    named *list = mica__alloc_zero(t->count, sizeof *list);
    if (!list) return mica__scope_failed(s, MICA_EMEMORY);
    for (size_t i = 0; i < t->count; i++) list[i] = (named){ t->names[i], i };
    if (t->count) qsort(list, t->count, sizeof *list, compare_names);
    for (size_t i = 0; i < t->count; i++) t->by_name[i] = list[i].index;
    mica__free(list);
    return true;
}

static bool fill_table(mica_scope *s, mica_table *t, const mica__source *from,
                       const mica__safetensors *f)
{
    for (size_t i = 0; i < f->count; i++) {
        const mica__tensor_entry *e = &f->entries[i];
        mica_dims shape = { e->ndim, e->shape };
        t->names[i] = keep_text(s, e->name);
        t->arrays[i] = mica__tensor(s, from, e->offset, e->bytes, e->dtype, false, shape);
        if (!t->names[i] || !t->arrays[i]) return false;
    }
    for (size_t i = 0; i < f->metadata_count; i++) {
        mica_metadata *m = &t->metadata[i];
        m->key = keep_text(s, f->metadata[i].key);
        m->value = keep_text(s, f->metadata[i].value);
        if (!m->key || !m->value) return false;
    }
    return sort_names(s, t);
}

mica_table *mica__safetensors_table(mica_scope *s, const mica__source *from)
{
    mica__safetensors f;
    if (!mica__scope_ok(s)) return NULL;
    int status = mica__safetensors_parse(&f, from->base, from->bytes, from->name);
    if (status) return mica__scope_failed(s, status);
    mica_table *t = new_table(s, f.count, f.metadata_count);
    if (t && !fill_table(s, t, from, &f)) t = NULL;
    mica__safetensors_free(&f);
    return t;
}

static mica_table *table_of_one(mica_scope *s, mica_array *a)
{
    mica_table *t = a ? new_table(s, 1, 0) : NULL;
    if (!t) return NULL;
    t->names[0] = "";
    t->arrays[0] = a;
    t->by_name[0] = 0;
    return t;
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

/* ---- files ---- */

static bool open_file(mica_scope *s, const char *path, mica__source *from)
{
    mica__mapping *m;
    if (!mica__scope_ok(s)) return false;
    if (!path) return mica__error(s, MICA_EVALUE, "[load] the path is NULL");
    int status = mica__mapping_open(&m, path);
    if (status) return mica__scope_failed(s, status);
    *from = mica__source_of_mapping(m, 0);
    return true;
}

mica_array *mica_load_npy(mica_scope *s, const char *path)
{
    mica__source from;
    if (!open_file(s, path, &from)) return NULL;
    mica_array *a = mica__npy_array(s, &from, NULL);
    mica__mapping_release(from.mapping);
    return a;
}

mica_table *mica_load(mica_scope *s, const char *path)
{
    mica__source from;
    if (!open_file(s, path, &from)) return NULL;
    bool npy = from.bytes >= 6 && memcmp(from.base, "\x93NUMPY", 6) == 0;
    mica_table *t =
        npy ? table_of_one(s, mica__npy_array(s, &from, NULL)) : mica__safetensors_table(s, &from);
    mica__mapping_release(from.mapping);
    return t;
}
