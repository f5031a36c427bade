/* npz files: archives of npy files. Stored members are mapped, deflated ones unpacked when they are
   used. */
#include "base/checksum.h"
#include "base/inflate.h"
#include "io/array_io.h"
#include "io/npy.h"
#include "io/table.h"
#include "io/zip.h"
#include "ops/builder.h"

enum {
    CHECKED = 1 << 20, /* longer stored members are only mapped: nothing is read of them */
    HEAD = 256         /* most headers are shorter */
};

static int fail_member(const mica__source *from, const char *name, const char *why)
{
    return mica__fail(MICA_EVALUE, "[load_npz] '%s': the member '%s' cannot be read: %s",
                      from->name, name, why);
}

static mica_array *stored(mica_scope *s, const mica__source *from, const mica__zip_member *m)
{
    mica__source inner = *from;
    int status = MICA_OK;
    inner.base += m->offset;
    inner.bytes = m->bytes;
    inner.name = m->name;
    if (m->bytes <= CHECKED && mica__crc32(0, inner.base, (size_t)inner.bytes) != m->crc)
        status = fail_member(from, m->name, "its checksum is wrong");
    if (!status) status = mica__source_check(from);
    return status ? mica__scope_failed(s, status) : mica__npy_array(s, &inner, NULL);
}

static mica_array *inflated(mica_scope *s, const mica__source *from, const mica__zip_member *m)
{
    struct mica__inflate_params p = { .bytes = (int64_t)m->bytes, .crc = m->crc };
    int64_t packed = (int64_t)m->packed;
    mica_array *in =
        mica__tensor(s, from, m->offset, m->packed, MICA_UINT8, false, (mica_dims){ 1, &packed });
    if (!mica__ready(s, in)) return NULL;
    return mica__build(s, mica_prim_inflate, &p, 1, &in, MICA_UINT8, MICA_SHAPE(p.bytes));
}

/* The array's type and shape stand in the first bytes. */
static mica_array *deflated(mica_scope *s, const mica__source *from, const mica__zip_member *m)
{
    char start[HEAD], *text = start;
    const char *in = from->base + m->offset;
    size_t room = m->bytes < HEAD ? (size_t)m->bytes : HEAD;
    size_t n = mica__inflate_start(start, room, in, (size_t)m->packed);
    size_t more = mica__npy_header_bytes(start, n);
    if (more > n && more <= m->bytes) {
        text = mica__alloc(more);
        if (!text) return mica__scope_failed(s, MICA_EMEMORY);
        n = mica__inflate_start(text, more, in, (size_t)m->packed);
    }
    int status = mica__source_check(from);
    if (!status && (!n || m->bytes > INT64_MAX / 2))
        status = fail_member(from, m->name, "its compressed bytes are damaged");
    mica__source head = { .base = text, .bytes = n, .name = m->name };
    mica_array *a =
        status ? mica__scope_failed(s, status) : mica__npy_later(s, &head, inflated(s, from, m));
    if (text != start) mica__free(text);
    return a;
}

/* Without ".npy" at the end. */
static const char *array_name(mica_scope *s, const char *name)
{
    size_t n = strlen(name);
    if (n >= 4 && strcmp(name + n - 4, ".npy") == 0) n -= 4;
    const char *kept = mica__arena_text(&s->arena, name, n);
    return kept ? kept : mica__scope_failed(s, MICA_EMEMORY);
}

mica_table *mica__npz_table(mica_scope *s, const mica__source *from)
{
    mica__zip z;
    if (!mica__scope_ok(s)) return NULL;
    int status = mica__zip_parse(&z, from->base, from->bytes, "load_npz", from->name);
    if (status) return mica__scope_failed(s, status);
    mica_table *t = mica__table_new(s, z.count, 0, 0);
    for (size_t i = 0; t && i < z.count; i++) {
        t->names[i] = array_name(s, z.members[i].name);
        const mica__zip_member *m = &z.members[i];
        t->arrays[i] = m->deflated ? deflated(s, from, m) : stored(s, from, m);
        if (!t->names[i] || !t->arrays[i]) t = NULL;
    }
    mica__zip_free(&z);
    return t && mica__table_sort(s, t) ? t : NULL;
}
