/* From bytes to arrays and back, wherever the bytes come from or go to. */
#ifndef MICA_ENGINE_ARRAY_IO_H
#define MICA_ENGINE_ARRAY_IO_H

#include "base/file.h"
#include "core/scope.h"
#include "mica/io.h"

enum { MICA__SMALL = 4096 }; /* bytes of elements: what a graph of some nodes takes */

/* Memory that small arrays share, where they are not the bytes of a file themselves: what keeps an
   array of its own memory is much more than a few elements. For the time of one reading; starts as
   { 0 }. */
typedef struct mica__blocks {
    mica__buffer *last; /* owns what is handed out, a piece at a time */
    size_t used;
} mica__blocks;
void mica__blocks_free(mica__blocks *b); /* arrays keep what they lie in */

/* Bytes that arrays are made of: a mapped file, or memory that holds one. Its arrays share one
   owner, two for a mapping, and have no memory of their own. */
typedef struct mica__source {
    mica__buffer *owner; /* all of it; NULL: the bytes are gone after reading, arrays are copies */
    mica__buffer *end;   /* of what ends in a mapping's last page; NULL for memory */
    mica__mapping *mapping; /* the owner's, or NULL */
    mica__blocks *blocks;   /* of who reads, or NULL */
    const char *base;       /* the first byte of what is to be read */
    uint64_t bytes;
    const char *name; /* for messages; lent */
    bool arrays_only; /* what the file says about them is not wanted */
} mica__source;

/* A mapping from byte `start` on; a later start than the end is the end. MICA_EMEMORY. */
int mica__source_of_mapping(mica__source *from, mica__mapping *m, uint64_t start);
/* All bytes of a buffer. MICA_EMEMORY. */
int mica__source_of_memory(mica__source *from, mica__buffer *memory, const char *name);
/* One more to release. */
void mica__source_retain(const mica__source *from);
void mica__source_release(const mica__source *from); /* one that was never filled is fine */
/* After bytes have been read: as mica__mapping_check. */
int mica__source_check(const mica__source *from);

/* Lets pages of a mapped file that were read leave the process. */
void mica__source_forget(const mica__source *from);

/* The array whose row-major elements lie at `offset`: the bytes themselves wherever they allow it.
   swapped: in big-endian order. */
mica_array *mica__tensor(mica_scope *s, const mica__source *from, uint64_t offset, uint64_t bytes,
                         mica_dtype dtype, bool swapped, mica_dims shape);
/* The values of an array, evaluated, in memory that small ones share: instead of a graph that would
   take more than they do. */
mica_array *mica__settled(mica_scope *s, const mica__source *from, mica_array *a);
/* The array of an npy file; *used (may be NULL): the bytes that it takes. Arrays keep the mapping
   or the memory alive. */
mica_array *mica__npy_array(mica_scope *s, const mica__source *from, uint64_t *used);
/* The same of an npy file that is inflated when the array is evaluated: from `packed` bytes at `at`
   of a file (uint8, 1-d); it has `bytes`, of the CRC-32 `crc`, and `head` begins as it does. */
typedef struct mica__deflated {
    mica_array *file;
    uint64_t at, packed, bytes;
    uint32_t crc;
} mica__deflated;
mica_array *mica__npy_later(mica_scope *s, const mica__source *head, const mica__deflated *d);
mica_table *mica__safetensors_table(mica_scope *s, const mica__source *from);
mica_table *mica__gguf_table(mica_scope *s, const mica__source *from);
/* Members are named without ".npy". */
mica_table *mica__npz_table(mica_scope *s, const mica__source *from);
/* Whichever of the formats the first bytes tell. */
mica_table *mica__any_table(mica_scope *s, const mica__source *from);

/* Where bytes go: returns MICA_OK, or a status after mica__fail. */
typedef struct mica__sink {
    int (*write)(void *user, const void *data, size_t bytes);
    void *user;
} mica__sink;

/* Arrays are evaluated. */
int mica__write_npy(const mica__sink *to, const mica_array *a);
int mica__write_safetensors(const mica__sink *to, const char *const names[], mica_arrays arrays,
                            const mica_metadata *metadata, size_t count);

/* The elements in row-major order. */
int mica__write_row_major(const mica__sink *to, const mica_array *a);
/* Values whose arrays are evaluated and row-major, in memory of the scope. */
mica_value *mica__values_in_order(mica_scope *s, const mica_value *values, size_t count);
/* Values in order: see above. */
int mica__write_gguf(const mica__sink *to, const char *const names[], mica_arrays arrays,
                     const mica_value *values, size_t count);

#endif
