/* The safetensors format: headers to lists of tensors and back. Bytes only, no arrays. */
#ifndef MICA_ENGINE_SAFETENSORS_H
#define MICA_ENGINE_SAFETENSORS_H

#include "base/base.h"
#include "base/text.h"

typedef struct mica__tensor_entry {
    const char *name; /* UTF-8 */
    mica_dtype dtype;
    int ndim;
    const int64_t *shape;
    uint64_t offset; /* of the data, from the start of the file; may be unaligned */
    uint64_t bytes;  /* shape times element size */
    void *user;      /* the caller's */
} mica__tensor_entry;

typedef struct mica__text_pair {
    const char *key, *value;
} mica__text_pair;

/* Who is told what a header says: what is given lives until the function returns. A status other
   than MICA_OK ends the reading. */
typedef struct mica__safetensors_visitor {
    int (*tensor)(void *user, const mica__tensor_entry *e);
    int (*metadata)(void *user, const char *key, const char *value);
    void *user;
} mica__safetensors_visitor;

/* Reads the header of a file of which all `bytes` are at hand (mapped), in the order of the header.
   Every entry's range lies in the file and has the size of its shape. Ranges may overlap and leave
   holes: they are only read. That a name occurs twice is for the visitor to find. The 8-bit floats
   that the reference accepts (F8_E4M3, F8_E8M0) become uint8. BOOL bytes are as the file has them,
   perhaps neither 0 nor 1. `name` is for messages. MICA_EIO, MICA_EMEMORY, or what a visitor
   returns. */
int mica__safetensors_read(const void *file, uint64_t bytes, const char *name,
                           const mica__safetensors_visitor *visitor);
/* As many tensors as such a file may have at most, told by the length of its header. */
size_t mica__safetensors_most(const void *file, uint64_t bytes);
/* How many bytes of a stream that begins so have to be read: those of the file (known), more to
   learn more, or `bytes` where the beginning is wrong. */
uint64_t mica__safetensors_needed(const void *start, uint64_t bytes, bool *known);

/* Appends the header of a file with these tensors and sets their offset and bytes. Entries are
   sorted into the order in which their data have to be written, without gaps: larger elements
   first, so that each tensor is aligned for its elements; the data start at a multiple of 64.
   MICA_EVALUE: a name twice, not UTF-8, or "__metadata__"; MICA_EOVERFLOW. */
int mica__safetensors_header(mica__text *header, mica__tensor_entry *entries, size_t count,
                             const mica__text_pair *metadata, size_t metadata_count);

#endif
