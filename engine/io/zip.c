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

typedef struct reader {
    const unsigned char *file;
    uint64_t bytes;
    const char *what, *name;
    uint64_t shift; /* bytes before the archive */
    mica__zip *out;
} reader;

static uint64_t word(const reader *r, uint64_t at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)r->file[at + (uint64_t)i] << 8 * i;
    return value;
}

static int fail(const reader *r, const char *why)
{
    return mica__fail(MICA_EVALUE, "[%s] '%s' cannot be read as a zip file: %s", r->what, r->name,
                      why);
}

/* Where the end record is; bytes when there is none. */
static uint64_t find_end(const reader *r)
{
    if (r->bytes < END) return r->bytes;
    uint64_t last = r->bytes - END, first = last > 65535 ? last - 65535 : 0;
    for (uint64_t at = last + 1; at-- > first;)
        if (word(r, at, 4) == 0x06054B50 && word(r, at + 20, 2) <= r->bytes - END - at) return at;
    return r->bytes;
}

typedef struct directory {
    uint64_t count, bytes, offset, end; /* end: where it ends by the place of what follows it */
} directory;

static int read_end(reader *r, directory *d)
{
    uint64_t at = find_end(r);
    if (at == r->bytes) return fail(r, "it has no directory; is it incomplete?");
    *d = (directory){ word(r, at + 10, 2), word(r, at + 12, 4), word(r, at + 16, 4), at };
    bool large = d->count == 0xFFFF || d->bytes == 0xFFFFFFFF || d->offset == 0xFFFFFFFF;
    if (at >= LOCATOR + END_64 && word(r, at - LOCATOR, 4) == 0x07064B50) {
        /* What precedes the archive shifts the offset: the record is looked for before its locator,
         * where writers put it, if it is not where the locator says. */
        uint64_t end = word(r, at - LOCATOR + 8, 8);
        if (end > at - LOCATOR - END_64 || word(r, end, 4) != 0x06064B50)
            end = at - LOCATOR - END_64;
        if (word(r, end, 4) != 0x06064B50) return fail(r, "its zip64 record is not there");
        *d = (directory){ word(r, end + 32, 8), word(r, end + 40, 8), word(r, end + 48, 8), end };
    } else if (large) {
        return fail(r, "its zip64 record is not there");
    }
    if (d->bytes > d->end || d->offset > d->end - d->bytes)
        return fail(r, "its directory lies outside of it");
    r->shift = d->end - d->bytes - d->offset;
    if (d->count > d->bytes / ENTRY) return fail(r, "its directory is too short");
    return MICA_OK;
}

/* 8-byte sizes and the offset, where the entry has all ones. */
static int read_zip64(const reader *r, uint64_t at, uint64_t bytes, uint64_t *fields[3])
{
    const uint64_t end = at + bytes;
    while (end - at >= 4) {
        uint64_t kind = word(r, at, 2), size = word(r, at + 2, 2);
        at += 4;
        if (size > end - at) return fail(r, "an extra field is too long");
        if (kind == 1) {
            for (int i = 0; i < 3; i++) {
                if (*fields[i] != 0xFFFFFFFF) continue;
                if (size < 8) return fail(r, "a zip64 field is too short");
                *fields[i] = word(r, at, 8);
                at += 8;
                size -= 8;
            }
            return MICA_OK;
        }
        at += size;
    }
    return MICA_OK;
}

static int read_name(const reader *r, uint64_t at, size_t n, const char **name)
{
    const char *copy = mica__arena_text(&r->out->arena, (const char *)r->file + at, n);
    if (!copy) return MICA_EMEMORY;
    *name = copy;
    if (strlen(copy) != n || !mica__utf8_valid(copy, n))
        return fail(r, "the name of a member is not UTF-8 or has a NUL character");
    return MICA_OK;
}

static int place_member(const reader *r, mica__zip_member *m, uint64_t local)
{
    if (__builtin_add_overflow(local, r->shift, &local) || r->bytes < LOCAL ||
        local > r->bytes - LOCAL || word(r, local, 4) != 0x04034B50)
        return fail(r, "a member is not where the directory says");
    m->offset = local + LOCAL + word(r, local + 26, 2) + word(r, local + 28, 2);
    if (m->offset > r->bytes || m->packed > r->bytes - m->offset)
        return fail(r, "a member ends beyond it");
    if (m->deflated ? m->bytes / MICA__INFLATE_MOST > m->packed : m->bytes != m->packed)
        return fail(r, "a member claims more bytes than it can hold");
    return MICA_OK;
}

/* One entry; *at moves behind it. */
static int read_entry(const reader *r, uint64_t *at, uint64_t end, mica__zip_member *m)
{
    uint64_t here = *at;
    if (end - here < ENTRY || word(r, here, 4) != 0x02014B50)
        return fail(r, "its directory is damaged");
    uint64_t flags = word(r, here + 8, 2), method = word(r, here + 10, 2),
             local = word(r, here + 42, 4), names = word(r, here + 28, 2),
             extra = word(r, here + 30, 2), comment = word(r, here + 32, 2);
    *m = (mica__zip_member){ .deflated = method == DEFLATED,
                             .crc = (uint32_t)word(r, here + 16, 4),
                             .packed = word(r, here + 20, 4),
                             .bytes = word(r, here + 24, 4) };
    here += ENTRY;
    if (names + extra + comment > end - here) return fail(r, "its directory is damaged");
    MICA_TRY(read_name(r, here, (size_t)names, &m->name));
    if (flags & 1) return fail(r, "a member is encrypted");
    if (method != STORED && method != DEFLATED)
        return fail(r, "a member is compressed by another method than deflate");
    uint64_t *fields[3] = { &m->bytes, &m->packed, &local };
    MICA_TRY(read_zip64(r, here + names, extra, fields));
    *at = here + names + extra + comment;
    return place_member(r, m, local);
}

static int read_all(reader *r)
{
    directory d = { 0 };
    uint64_t total = 0;
    MICA_TRY(read_end(r, &d));
    r->out->members = mica__arena_alloc(&r->out->arena, (size_t)d.count * sizeof *r->out->members);
    if (!r->out->members) return MICA_EMEMORY;
    uint64_t at = d.end - d.bytes;
    for (uint64_t i = 0; i < d.count; i++) {
        mica__zip_member *m = &r->out->members[r->out->count];
        MICA_TRY(read_entry(r, &at, d.end, m));
        total += m->packed;
        if (total > r->bytes) return fail(r, "its members overlap");
        r->out->count++;
    }
    return MICA_OK;
}

int mica__zip_parse(mica__zip *out, const void *file, uint64_t bytes, const char *what,
                    const char *name)
{
    mica__zip result = { 0 };
    reader r = { file, bytes, what, name, 0, &result };
    int status = read_all(&r);
    if (status) mica__zip_free(&result);
    else *out = result;
    return status;
}

void mica__zip_free(mica__zip *z)
{
    mica__arena_free(&z->arena);
    *z = (mica__zip){ 0 };
}
