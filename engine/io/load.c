/* Arrays over the bytes of files: without a copy wherever the bytes allow it. */
#include "base/system.h"
#include "io/array_io.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "io/table.h"
#include "mica/ops.h"
#include "ops/builder.h"
#include "ops/shape.h"

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

/* The shape that the elements have as they lie. */
static mica_dims shape_in_order(const mica__npy *h, int64_t room[MICA_MAX_NDIM])
{
    for (int i = 0; i < h->ndim; i++) room[i] = h->shape[h->fortran_order ? h->ndim - 1 - i : i];
    return (mica_dims){ h->ndim, room };
}

static mica_array *in_order(mica_scope *s, const mica__npy *h, mica_array *a)
{
    return h->fortran_order && h->ndim > 1 ? mica_transpose(s, a, MICA_ALL_AXES) : a;
}

mica_array *mica__npy_array(mica_scope *s, const mica__source *from, uint64_t *used)
{
    mica__npy h;
    int64_t room[MICA_MAX_NDIM];
    if (!mica__scope_ok(s)) return NULL;
    int status = mica__npy_parse(&h, from->base, from->bytes, from->bytes, from->name);
    if (status) return mica__scope_failed(s, status);
    if (used) *used = h.offset + h.bytes;
    mica_dims shape = shape_in_order(&h, room);
    return in_order(s, &h, mica__tensor(s, from, h.offset, h.bytes, h.dtype, h.swapped, shape));
}

/* Elements of other bytes than this machine's, from bytes in order. */
static mica_array *swapped_later(mica_scope *s, mica_array *bytes, mica_dtype dtype)
{
    int64_t unit = dtype == MICA_COMPLEX64 ? 4 : (int64_t)mica_dtype_size(dtype);
    mica_array *rows = mica_reshape(s, bytes, MICA_SHAPE(-1, unit));
    return mica_reshape(s, mica_flip(s, rows, MICA_AXES(1)), MICA_SHAPE(-1));
}

mica_array *mica__npy_later(mica_scope *s, const mica__source *head, mica_array *file)
{
    mica__npy h;
    int64_t room[MICA_MAX_NDIM];
    if (!mica__ready(s, file)) return NULL;
    int status = mica__npy_parse(&h, head->base, head->bytes, (uint64_t)file->size, head->name);
    if (status) return mica__scope_failed(s, status);
    mica_dims shape = shape_in_order(&h, room);
    if (!h.bytes) return in_order(s, &h, mica__empty(s, h.dtype, shape));
    mica_array *a = mica__slice_axis(s, file, 0, (int64_t)h.offset, (int64_t)h.bytes);
    if (h.swapped) a = swapped_later(s, a, h.dtype);
    a = h.dtype == MICA_BOOL ? mica__cast(s, a, MICA_BOOL) : mica_view(s, a, h.dtype);
    return in_order(s, &h, mica_reshape(s, a, shape));
}

/* ---- tables ---- */

static bool fill_table(mica_scope *s, mica_table *t, const mica__source *from,
                       const mica__safetensors *f)
{
    for (size_t i = 0; i < f->count; i++) {
        const mica__tensor_entry *e = &f->entries[i];
        mica_dims shape = { e->ndim, e->shape };
        t->names[i] = e->name;
        t->arrays[i] = mica__tensor(s, from, e->offset, e->bytes, e->dtype, false, shape);
        if (!t->arrays[i]) return false;
    }
    for (size_t i = 0; i < f->metadata_count; i++)
        t->metadata[i] = (mica_metadata){ f->metadata[i].key, f->metadata[i].value };
    return mica__table_sort(s, t);
}

mica_table *mica__safetensors_table(mica_scope *s, const mica__source *from)
{
    mica__safetensors f;
    if (!mica__scope_ok(s)) return NULL;
    int status = mica__safetensors_parse(&f, from->base, from->bytes, from->name);
    if (status) return mica__scope_failed(s, status);
    if (from->arrays_only) f.metadata_count = 0;
    mica_table *t = mica__table_new(s, f.count, f.metadata_count, 0);
    mica__arena_move(&s->arena, &f.arena); /* the texts are the table's */
    if (t && !fill_table(s, t, from, &f)) t = NULL;
    mica__safetensors_free(&f);
    return t;
}

static mica_table *table_of_one(mica_scope *s, mica_array *a)
{
    mica_table *t = a ? mica__table_new(s, 1, 0, 0) : NULL;
    if (!t) return NULL;
    t->names[0] = "";
    t->arrays[0] = a;
    t->by_name[0] = 0;
    return t;
}

static bool begins(const mica__source *from, const char *with, size_t n)
{
    return from->bytes >= n && memcmp(from->base, with, n) == 0;
}

mica_table *mica__any_table(mica_scope *s, const mica__source *from)
{
    if (begins(from, "\x93NUMPY", 6)) return table_of_one(s, mica__npy_array(s, from, NULL));
    if (begins(from, "GGUF", 4)) return mica__gguf_table(s, from);
    if (begins(from, "PK\3\4", 4) || begins(from, "PK\5\6", 4)) return mica__npz_table(s, from);
    return mica__safetensors_table(s, from);
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
    mica_table *t = mica__any_table(s, &from);
    mica__mapping_release(from.mapping);
    return t;
}
