/* npz files: archives of npy files. Stored members are mapped, deflated ones unpacked when they are
   used, but for the smallest. */
#include "base/checksum.h"
#include "base/inflate.h"
#include "io/array_io.h"
#include "io/npy.h"
#include "io/table.h"
#include "io/zip.h"
#include "ops/builder.h"

enum {
    CHECKED = 1 << 20, /* longer stored members are only mapped: nothing is read of them */
    HEAD = 256         /* most headers are shorter, and whole members that are small */
};

typedef struct archive {
    mica__source from;
    mica_array *bytes; /* all of it */
    mica__blocks blocks;
    mica__text name; /* of the member that is read, with a NUL */
} archive;

static int fail_member(const mica__source *from, const char *name, const char *why)
{
    return mica__fail(MICA_EVALUE, "[load_npz] '%s': the member '%s' cannot be read: %s",
                      from->name, name, why);
}

static mica_array *stored(mica_scope *s, const mica__source *from, const mica__zip_member *m,
                          const char *name)
{
    mica__source inner = *from;
    int status = MICA_OK;
    inner.base += m->offset;
    inner.bytes = m->bytes;
    inner.name = name;
    if (m->bytes <= CHECKED && mica__crc32(0, inner.base, (size_t)inner.bytes) != m->crc)
        status = fail_member(from, name, "its checksum is wrong");
    if (!status) status = mica__source_check(from);
    return status ? mica__scope_failed(s, status) : mica__npy_array(s, &inner, NULL);
}

/* What `head` begins, when it is used: the array's type and shape stand in the first bytes. */
static mica_array *inflated(mica_scope *s, const archive *a, const mica__zip_member *m,
                            const mica__source *head)
{
    const mica__deflated d = { a->bytes, m->offset, m->packed, m->bytes, m->crc };
    int status = mica__source_check(&a->from);
    if (!status && (!head->bytes || m->bytes > INT64_MAX / 2))
        status = fail_member(&a->from, head->name, "its compressed bytes are damaged");
    return status ? mica__scope_failed(s, status) : mica__npy_later(s, head, &d);
}

static mica_array *deflated(mica_scope *s, const archive *a, const mica__zip_member *m,
                            const char *name)
{
    const mica__source *from = &a->from;
    char start[HEAD];
    const char *in = from->base + m->offset;
    size_t packed = (size_t)m->packed, room = m->bytes < HEAD ? (size_t)m->bytes : HEAD;
    mica__source head = { .base = start, .blocks = from->blocks, .name = name };
    /* What is wrong with a small member is for the evaluation to tell, as with others. */
    if (room && room == m->bytes && mica__inflate(start, room, in, packed) &&
        mica__crc32(0, start, room) == m->crc) {
        head.bytes = room;
        int status = mica__source_check(from);
        return status ? mica__scope_failed(s, status) : mica__npy_array(s, &head, NULL);
    }
    head.bytes = mica__inflate_start(start, room, in, packed);
    size_t more = mica__npy_header_bytes(start, head.bytes);
    if (more <= head.bytes || more > m->bytes) return inflated(s, a, m, &head);
    char *text = mica__alloc(more);
    if (!text) return mica__scope_failed(s, MICA_EMEMORY);
    head.base = text;
    head.bytes = mica__inflate_start(text, more, in, packed);
    mica_array *made = inflated(s, a, m, &head);
    mica__free(text);
    return made;
}

/* Without ".npy" at the end. */
static size_t array_name(const mica__zip_member *m)
{
    bool npy = m->name_bytes >= 4 && memcmp(m->name + m->name_bytes - 4, ".npy", 4) == 0;
    return m->name_bytes - (npy ? 4 : 0);
}

static bool add_member(mica_scope *s, mica_table *t, archive *a, const mica__zip_member *m)
{
    mica__text *name = &a->name;
    name->n = 0;
    mica__text_add(name, m->name, m->name_bytes);
    mica__text_add(name, "", 1);
    if (name->status) return mica__scope_failed(s, name->status);
    mica_array *made = m->deflated ? deflated(s, a, m, name->at) : stored(s, &a->from, m, name->at);
    bool read = m->deflated || m->bytes <= CHECKED;
    mica__table_saw(t, &a->from, m->described + (read ? m->packed : 0));
    return mica__table_add(s, t, name->at, array_name(m), made);
}

static mica_table *read_members(mica_scope *s, archive *a)
{
    mica__zip z;
    mica__zip_member m;
    int64_t bytes = (int64_t)a->from.bytes;
    int status = mica__zip_open(&z, a->from.base, a->from.bytes, "load_npz", a->from.name);
    if (status) return mica__scope_failed(s, status);
    a->bytes =
        mica__tensor(s, &a->from, 0, a->from.bytes, MICA_UINT8, false, (mica_dims){ 1, &bytes });
    mica_table *t = a->bytes ? mica__table_new(s, z.left, 0, 0) : NULL;
    while (t && z.left) {
        status = mica__zip_next(&z, &m);
        if (status) return mica__scope_failed(s, status);
        if (!add_member(s, t, a, &m)) return NULL;
    }
    return t && mica__table_sort(s, t) ? t : NULL;
}

mica_table *mica__npz_table(mica_scope *s, const mica__source *from)
{
    archive a = { .from = *from };
    if (!mica__scope_ok(s)) return NULL;
    a.from.blocks = &a.blocks;
    mica_table *t = read_members(s, &a);
    mica__text_free(&a.name);
    mica__blocks_free(&a.blocks);
    return t;
}
