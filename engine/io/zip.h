/* Zip archives: which members there are and where they lie. Bytes only. */
#ifndef MICA_ENGINE_ZIP_H
#define MICA_ENGINE_ZIP_H

#include "base/base.h"

typedef struct mica__zip_member {
    const char *name; /* UTF-8 without NUL, in the archive: no NUL behind it */
    size_t name_bytes;
    bool deflated;           /* else stored as it is */
    uint32_t crc;            /* of the member's bytes */
    uint64_t offset, packed; /* where its bytes lie, and how many */
    uint64_t bytes;          /* how many they stand for */
    uint64_t described;      /* how many describe it */
} mica__zip_member;

/* A directory that is gone through, entry by entry. Takes no memory. */
typedef struct mica__zip {
    const unsigned char *file;
    uint64_t bytes;
    const char *what, *name; /* for messages */
    uint64_t shift;          /* bytes before the archive */
    uint64_t at, end;        /* the rest of the directory */
    size_t left;             /* members that are to come; after opening: all */
    uint64_t total;          /* bytes of the members so far */
} mica__zip;

/* Finds the directory of an archive of which all `bytes` are at hand; zip64 is known, what stands
   before the archive is skipped. `what` begins messages, `name` is in them; both are lent.
   MICA_EVALUE. */
int mica__zip_open(mica__zip *z, const void *file, uint64_t bytes, const char *what,
                   const char *name);
/* The next member, while some are left. All lie in the file, do not overlap as a whole, and claim
   no more bytes than they can hold. MICA_EVALUE. */
int mica__zip_next(mica__zip *z, mica__zip_member *m);

#endif
