/* npz files: archives of npy files. Stored members are mapped, deflated ones unpacked. */
#include "base/checksum.h"
#include "io/array_io.h"
#include "io/inflate.h"
#include "io/table.h"
#include "io/zip.h"

enum { CHECKED = 1 << 20 }; /* longer stored members are only mapped: nothing is read of them */

static int fail_member(const mica__source *from, const char *name, const char *why)
{
    return mica__fail(MICA_EVALUE, "[load_npz] '%s': the member '%s' cannot be read: %s",
                      from->name, name, why);
}

static int unpack(const mica__source *from, const mica__zip_member *m, mica__source *out)
{
    mica__buffer *b = mica__buffer_new((size_t)m->bytes);
    if (!b) return MICA_EMEMORY;
    *out = (mica__source){ .memory = b, .base = b->data, .bytes = m->bytes, .name = m->name };
    if (!mica__inflate(b->data, (size_t)m->bytes, from->base + m->offset, (size_t)m->packed))
        return fail_member(from, m->name, "its compressed bytes are damaged");
    if (mica__crc32(0, b->data, (size_t)m->bytes) != m->crc)
        return fail_member(from, m->name, "its checksum is wrong");
    return MICA_OK;
}

static mica_array *member_array(mica_scope *s, const mica__source *from, const mica__zip_member *m)
{
    mica__source inner = *from;
    int status = MICA_OK;
    inner.base += m->offset;
    inner.bytes = m->bytes;
    inner.name = m->name;
    if (m->deflated) {
        inner = (mica__source){ 0 };
        status = unpack(from, m, &inner);
    } else if (m->bytes <= CHECKED && mica__crc32(0, inner.base, (size_t)inner.bytes) != m->crc) {
        status = fail_member(from, m->name, "its checksum is wrong");
    }
    if (!status && from->mapping) status = mica__mapping_check(from->mapping);
    mica_array *a = status ? mica__scope_failed(s, status) : mica__npy_array(s, &inner, NULL);
    if (m->deflated) mica__buffer_release(inner.memory);
    return a;
}

/* Without ".npy" at the end. */
static const char *array_name(mica_scope *s, const char *name)
{
    char *kept = (char *)(uintptr_t)mica__keep_text(s, name);
    size_t n = kept ? strlen(kept) : 0;
    if (n >= 4 && strcmp(kept + n - 4, ".npy") == 0) kept[n - 4] = 0;
    return kept;
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
        t->arrays[i] = member_array(s, from, &z.members[i]);
        if (!t->names[i] || !t->arrays[i]) t = NULL;
    }
    mica__zip_free(&z);
    return t && mica__table_sort(s, t) ? t : NULL;
}
