/* Zip archives: which members there are and where they lie. Bytes only. */
#ifndef MICA_ENGINE_ZIP_H
#define MICA_ENGINE_ZIP_H

#include "base/base.h"

typedef struct mica__zip_member {
    const char *name;        /* UTF-8, without NUL */
    bool deflated;           /* else stored as it is */
    uint32_t crc;            /* of the member's bytes */
    uint64_t offset, packed; /* where its bytes lie, and how many */
    uint64_t bytes;          /* how many they stand for */
} mica__zip_member;

typedef struct mica__zip {
    mica__zip_member *members; /* in the order of the directory */
    size_t count;
    mica__arena arena;
} mica__zip;

/* Parses the directory of an archive of which all `bytes` are at hand; zip64 is known, what stands
   before the archive is skipped. All members lie in the file, do not overlap as a whole, and claim
   no more bytes than they can hold. `what` begins messages, `name` is in them. MICA_EVALUE (nothing
   to free then), MICA_EMEMORY. */
int mica__zip_parse(mica__zip *out, const void *file, uint64_t bytes, const char *what,
                    const char *name);
void mica__zip_free(mica__zip *z);

#endif
