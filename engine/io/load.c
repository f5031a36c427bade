/* Arrays over the bytes of files: without a copy wherever the bytes allow it. */
#include "base/system.h"
#include "io/array_io.h"
#include "io/npy.h"
#include "io/table.h"
#include "mica/ops.h"
#include "ops/builder.h"
#include "ops/shape.h"

/* ---- sources ---- */

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

static mica__buffer *owner_of(mica__mapping *m, int (*check)(void *m))
{
    mica__buffer *b = mica__buffer_adopt((void *)(uintptr_t)mica__mapping_base(m),
                                         (size_t)mica__mapping_bytes(m), release_mapping, m);
    if (!b) return NULL;
    mica__mapping_retain(m);
    b->check = check;
    b->parted = true;
    return b;
}

int mica__source_of_mapping(mica__source *from, mica__mapping *m, uint64_t start)
{
    uint64_t bytes = mica__mapping_bytes(m);
    if (start > bytes) start = bytes;
    mica__source made = { .owner = owner_of(m, check_pages),
                          .end = owner_of(m, check_all),
                          .mapping = m,
                          .base = (const char *)mica__mapping_base(m) + start,
                          .bytes = bytes - start,
                          .name = mica__mapping_name(m) };
    if (!made.owner || !made.end) {
        mica__source_release(&made);
        return MICA_EMEMORY;
    }
    *from = made;
    return MICA_OK;
}

int mica__source_of_memory(mica__source *from, mica__buffer *memory, const char *name)
{
    /* An owner of its own, which is never donated. */
    mica__buffer *b = mica__buffer_adopt(memory->data, memory->bytes, release_memory, memory);
    if (!b) return MICA_EMEMORY;
    mica__buffer_retain(memory);
    b->parted = true;
    *from = (mica__source){ .owner = b, .base = b->data, .bytes = b->bytes, .name = name };
    return MICA_OK;
}

void mica__source_retain(const mica__source *from)
{
    mica__buffer_retain(from->owner);
    mica__buffer_retain(from->end);
}

void mica__source_release(const mica__source *from)
{
    mica__buffer_release(from->owner);
    mica__buffer_release(from->end);
}

int mica__source_check(const mica__source *from)
{
    return from->mapping ? mica__mapping_check(from->mapping) : MICA_OK;
}

void mica__source_forget(const mica__source *from)
{
    if (from->mapping) mica__mapping_forget(from->mapping);
}

/* ---- memory that small arrays share ---- */

enum { FIRST_BLOCK = MICA__SMALL, LARGEST_BLOCK = 1 << 16, ALIGNMENT = 16 };

void mica__blocks_free(mica__blocks *b)
{
    mica__buffer_release(b->last);
    *b = (mica__blocks){ NULL };
}

/* As that of a file, a block is never donated: its arrays are parts of it. */
static int next_block(mica__blocks *b)
{
    size_t bytes = b->last ? 2 * b->last->bytes : FIRST_BLOCK;
    mica__buffer *memory = mica__buffer_new(bytes < LARGEST_BLOCK ? bytes : LARGEST_BLOCK);
    mica__source whole = { 0 };
    int status = memory ? mica__source_of_memory(&whole, memory, "") : MICA_EMEMORY;
    mica__buffer_release(memory);
    MICA_TRY(status);
    mica__blocks_free(b);
    b->last = whole.owner;
    return MICA_OK;
}

/* An array that is filled by who asks. */
static mica_array *room_for(mica_scope *s, const mica__source *from, mica_dtype dtype,
                            mica_dims shape)
{
    int64_t size;
    mica__blocks *b = from->blocks;
    if (!b || !mica__shape_size(shape, &size) || size > MICA__SMALL / 8)
        return mica__empty(s, dtype, shape);
    size_t bytes = (size_t)size * mica_dtype_size(dtype);
    if (!b->last || bytes > b->last->bytes - b->used) {
        int status = next_block(b);
        if (status) return mica__scope_failed(s, status);
    }
    char *at = (char *)b->last->data + b->used;
    b->used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return mica__part(s, b->last, at, dtype, shape);
}

mica_array *mica__settled(mica_scope *s, const mica__source *from, mica_array *a)
{
    mica_array *copy = a ? room_for(s, from, (mica_dtype)a->dtype, mica__dims_of(a)) : NULL;
    if (!copy) return NULL;
    int status =
        mica_to_data(s, a, copy->data, (size_t)a->size * mica_dtype_size((mica_dtype)a->dtype));
    return status ? mica__scope_failed(s, status) : copy;
}

/* ---- arrays over bytes ---- */

static bool in_last_page(const mica__mapping *m, const char *end)
{
    uint64_t page = mica__page_size(), bytes = mica__mapping_bytes(m);
    return bytes &&
           (uint64_t)(end - (const char *)mica__mapping_base(m)) > (bytes - 1) / page * page;
}

/* An array that is the bytes themselves, which need not lie where elements of the type may lie:
   then they are read element by element (mica__is_aligned). */
static mica_array *adopt(mica_scope *s, const mica__source *from, const char *data, uint64_t bytes,
                         mica_dtype dtype, mica_dims shape)
{
    if (!from->owner) {
        mica_array *a = room_for(s, from, dtype, shape);
        if (a && bytes) memcpy(a->data, data, (size_t)bytes);
        return a;
    }
    bool last = from->mapping && in_last_page(from->mapping, data + bytes);
    return mica__part(s, last ? from->end : from->owner, data, dtype, shape);
}

/* After bytes have been read here. */
static mica_array *whole(mica_scope *s, const mica__source *from, mica_array *a)
{
    int status = a ? mica__source_check(from) : MICA_OK;
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

static mica_array *truths(mica_scope *s, const mica__source *from, const char *data,
                          mica_dims shape)
{
    mica_array *a = room_for(s, from, MICA_BOOL, shape);
    for (int64_t i = 0; a && i < a->size; i++) a->data[i] = data[i] != 0;
    return a;
}

/* Each element, and each half of a complex one, with its bytes in this machine's order. */
static mica_array *swap_bytes(mica_scope *s, const mica__source *from, const char *data,
                              mica_dtype dtype, mica_dims shape)
{
    mica_array *a = room_for(s, from, dtype, shape);
    if (!a) return NULL;
    size_t unit = dtype == MICA_COMPLEX64 ? 4 : mica_dtype_size(dtype);
    size_t bytes = (size_t)a->size * mica_dtype_size(dtype);
    for (size_t i = 0; i < bytes; i += unit)
        for (size_t k = 0; k < unit; k++) a->data[i + k] = data[i + unit - 1 - k];
    return a;
}

mica_array *mica__tensor(mica_scope *s, const mica__source *from, uint64_t offset, uint64_t bytes,
                         mica_dtype dtype, bool swapped, mica_dims shape)
{
    if (!mica__scope_ok(s)) return NULL;
    if (!bytes) return adopt(s, from, from->owner ? from->owner->data : NULL, 0, dtype, shape);
    const char *data = from->base + offset;
    if (swapped) return whole(s, from, swap_bytes(s, from, data, dtype, shape));
    if (dtype == MICA_BOOL && !all_zero_or_one(data, (size_t)bytes))
        return whole(s, from, truths(s, from, data, shape));
    if (!from->owner) return whole(s, from, adopt(s, from, data, bytes, dtype, shape));
    return adopt(s, from, data, bytes, dtype, shape);
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

mica_array *mica__npy_later(mica_scope *s, const mica__source *head, const mica__deflated *d)
{
    mica__npy h;
    int64_t room[MICA_MAX_NDIM];
    if (!mica__ready(s, d->file)) return NULL;
    int status = mica__npy_parse(&h, head->base, head->bytes, d->bytes, head->name);
    if (status) return mica__scope_failed(s, status);
    mica_dims shape = shape_in_order(&h, room);
    if (!h.bytes) return in_order(s, &h, room_for(s, head, h.dtype, shape));
    /* Bytes that are to be changed come as bytes, others as the elements that they are. */
    bool plain = !h.swapped && h.dtype != MICA_BOOL;
    int64_t n = (int64_t)h.bytes;
    struct mica__inflate_params p = { .at = (int64_t)d->at,
                                      .packed = (int64_t)d->packed,
                                      .start = (int64_t)h.offset,
                                      .bytes = (int64_t)d->bytes,
                                      .crc = d->crc };
    mica_array *file = d->file;
    mica_array *a = mica__build(s, mica_prim_inflate, &p, 1, &file, plain ? h.dtype : MICA_UINT8,
                                plain ? shape : (mica_dims){ 1, &n });
    if (plain) return in_order(s, &h, a);
    if (h.swapped) a = swapped_later(s, a, h.dtype);
    a = h.dtype == MICA_BOOL ? mica__cast(s, a, MICA_BOOL) : mica_view(s, a, h.dtype);
    return in_order(s, &h, mica_reshape(s, a, shape));
}

/* ---- tables ---- */

static mica_table *table_of_one(mica_scope *s, mica_array *a)
{
    mica_table *t = a ? mica__table_new(s, 1, 0, 0) : NULL;
    return mica__table_add(s, t, "", 0, a) && mica__table_sort(s, t) ? t : NULL;
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
    status = mica__source_of_mapping(from, m, 0);
    mica__mapping_release(m);
    return status == MICA_OK || mica__scope_failed(s, status);
}

mica_array *mica_load_npy(mica_scope *s, const char *path)
{
    mica__source from;
    if (!open_file(s, path, &from)) return NULL;
    mica_array *a = mica__npy_array(s, &from, NULL);
    mica__source_release(&from);
    return a;
}

mica_table *mica_load(mica_scope *s, const char *path)
{
    mica__source from;
    if (!open_file(s, path, &from)) return NULL;
    mica_table *t = mica__any_table(s, &from);
    mica__source_release(&from);
    return t;
}
