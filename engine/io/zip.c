/* Zip archives (APPNOTE 6.3): the directory at the end says where members lie. */
#include "io/zip.h"

#include "base/inflate.h"
#include "base/text.h"

enum {
    END = 22,     /* bytes of the end record, which a comment of up to 65535 may follow */
    LOCATOR = 20, /* that of zip64, right before it */
    END_64 = 56,  /* the end record of zip64 */
    ENTRY = 46,   /* of a directory entry, without its name, extra fields and comment */
    LOCAL = 30,   /* of what precedes the bytes of a member */
    STORED = 0,
    DEFLATED = 8
};

static uint64_t word(const mica__zip *z, uint64_t at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)z->file[at + (uint64_t)i] << 8 * i;
    return value;
}

static int fail(const mica__zip *z, const char *why)
{
    return mica__fail(MICA_EVALUE, "[%s] '%s' cannot be read as a zip file: %s", z->what, z->name,
                      why);
}

/* Where the end record is; bytes when there is none. */
static uint64_t find_end(const mica__zip *z)
{
    if (z->bytes < END) return z->bytes;
    uint64_t last = z->bytes - END, first = last > 65535 ? last - 65535 : 0;
    for (uint64_t at = last + 1; at-- > first;)
        if (word(z, at, 4) == 0x06054B50 && word(z, at + 20, 2) <= z->bytes - END - at) return at;
    return z->bytes;
}

typedef struct directory {
    uint64_t count, bytes, offset, end; /* end: where it ends by the place of what follows it */
} directory;

static int find_directory(mica__zip *z, directory *d)
{
    uint64_t at = find_end(z);
    if (at == z->bytes) return fail(z, "it has no directory; is it incomplete?");
    *d = (directory){ word(z, at + 10, 2), word(z, at + 12, 4), word(z, at + 16, 4), at };
    bool large = d->count == 0xFFFF || d->bytes == 0xFFFFFFFF || d->offset == 0xFFFFFFFF;
    if (at >= LOCATOR + END_64 && word(z, at - LOCATOR, 4) == 0x07064B50) {
        /* What precedes the archive shifts the offset: the record is looked for before its locator,
         * where writers put it, if it is not where the locator says. */
        uint64_t end = word(z, at - LOCATOR + 8, 8);
        if (end > at - LOCATOR - END_64 || word(z, end, 4) != 0x06064B50)
            end = at - LOCATOR - END_64;
        if (word(z, end, 4) != 0x06064B50) return fail(z, "its zip64 record is not there");
        *d = (directory){ word(z, end + 32, 8), word(z, end + 40, 8), word(z, end + 48, 8), end };
    } else if (large) {
        return fail(z, "its zip64 record is not there");
    }
    if (d->bytes > d->end || d->offset > d->end - d->bytes)
        return fail(z, "its directory lies outside of it");
    return d->count > d->bytes / ENTRY ? fail(z, "its directory is too short") : MICA_OK;
}

static int read_end(mica__zip *z)
{
    directory d = { 0 };
    MICA_TRY(find_directory(z, &d));
    z->at = d.end - d.bytes;
    z->end = d.end;
    z->shift = z->at - d.offset;
    z->left = (size_t)d.count;
    return MICA_OK;
}

/* 8-byte sizes and the offset, where the entry has all ones. */
static int read_zip64(const mica__zip *z, uint64_t at, uint64_t bytes, uint64_t *fields[3])
{
    const uint64_t end = at + bytes;
    while (end - at >= 4) {
        uint64_t kind = word(z, at, 2), size = word(z, at + 2, 2);
        at += 4;
        if (size > end - at) return fail(z, "an extra field is too long");
        if (kind == 1) {
            for (int i = 0; i < 3; i++) {
                if (*fields[i] != 0xFFFFFFFF) continue;
                if (size < 8) return fail(z, "a zip64 field is too short");
                *fields[i] = word(z, at, 8);
                at += 8;
                size -= 8;
            }
            return MICA_OK;
        }
        at += size;
    }
    return MICA_OK;
}

static int place_member(const mica__zip *z, mica__zip_member *m, uint64_t local)
{
    if (__builtin_add_overflow(local, z->shift, &local) || z->bytes < LOCAL ||
        local > z->bytes - LOCAL || word(z, local, 4) != 0x04034B50)
        return fail(z, "a member is not where the directory says");
    m->offset = local + LOCAL + word(z, local + 26, 2) + word(z, local + 28, 2);
    if (m->offset > z->bytes || m->packed > z->bytes - m->offset)
        return fail(z, "a member ends beyond it");
    if (m->deflated ? m->bytes / MICA__INFLATE_MOST > m->packed : m->bytes != m->packed)
        return fail(z, "a member claims more bytes than it can hold");
    return MICA_OK;
}

/* One entry; z->at moves behind it. */
static int read_entry(mica__zip *z, mica__zip_member *m)
{
    uint64_t here = z->at;
    if (z->end - here < ENTRY || word(z, here, 4) != 0x02014B50)
        return fail(z, "its directory is damaged");
    uint64_t flags = word(z, here + 8, 2), method = word(z, here + 10, 2),
             local = word(z, here + 42, 4), extra = word(z, here + 30, 2),
             comment = word(z, here + 32, 2);
    *m = (mica__zip_member){ .name = (const char *)z->file + here + ENTRY,
                             .name_bytes = (size_t)word(z, here + 28, 2),
                             .deflated = method == DEFLATED,
                             .crc = (uint32_t)word(z, here + 16, 4),
                             .packed = word(z, here + 20, 4),
                             .bytes = word(z, here + 24, 4) };
    here += ENTRY;
    uint64_t more = m->name_bytes + extra + comment;
    if (more > z->end - here) return fail(z, "its directory is damaged");
    if (memchr(m->name, 0, m->name_bytes) || !mica__utf8_valid(m->name, m->name_bytes))
        return fail(z, "the name of a member is not UTF-8 or has a NUL character");
    if (flags & 1) return fail(z, "a member is encrypted");
    if (method != STORED && method != DEFLATED)
        return fail(z, "a member is compressed by another method than deflate");
    uint64_t *fields[3] = { &m->bytes, &m->packed, &local };
    MICA_TRY(read_zip64(z, here + m->name_bytes, extra, fields));
    z->at = here + more;
    m->described = ENTRY + more + LOCAL + m->name_bytes;
    return place_member(z, m, local);
}

int mica__zip_open(mica__zip *z, const void *file, uint64_t bytes, const char *what,
                   const char *name)
{
    *z = (mica__zip){ .file = file, .bytes = bytes, .what = what, .name = name };
    return read_end(z);
}

int mica__zip_next(mica__zip *z, mica__zip_member *m)
{
    MICA_TRY(read_entry(z, m));
    z->left--;
    z->total += m->packed;
    return z->total > z->bytes ? fail(z, "its members overlap") : MICA_OK;
}
