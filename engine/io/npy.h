/* The npy format: headers to descriptions of one array and back. Bytes only, no arrays. */
#ifndef MICA_ENGINE_NPY_H
#define MICA_ENGINE_NPY_H

#include "base/base.h"
#include "base/text.h"

typedef struct mica__npy {
    mica_dtype dtype;
    bool swapped; /* the bytes of each element (of each half of a complex one) are in big-endian
                     order */
    bool fortran_order; /* the first axis varies fastest */
    int ndim;
    int64_t shape[MICA_MAX_NDIM];
    uint64_t offset; /* of the data, from the start of the file */
    uint64_t bytes;  /* shape times element size; the file has them */
} mica__npy;

/* How many bytes of a file its header takes, which the first MICA__NPY_START tell; 0 when they are
   no npy file's. */
enum { MICA__NPY_START = 12 };
size_t mica__npy_header_bytes(const void *start, uint64_t bytes);
/* How many bytes of a stream that begins so have to be read: those of the file (known), more to
   learn more, or `bytes` where the beginning is wrong. */
uint64_t mica__npy_needed(const void *start, uint64_t bytes, bool *known);
/* Parses the header of a file that has `bytes`, of which the first `head` are at hand: versions 1
   to 3, keys in any order.
   "<V2" is bfloat16, as the reference writes it. Bytes of booleans are as the file has them,
   perhaps neither 0 nor 1. `name` is for messages. MICA_EVALUE: an element type that mica does not
   have; MICA_EIO: no npy file, or an incomplete one. */
int mica__npy_parse(mica__npy *out, const void *file, uint64_t head, uint64_t bytes,
                    const char *name);

/* Appends the header that numpy.save would write (version 1.0, data at a multiple of 64); the data
   follow in C order, or in Fortran order when told so. */
int mica__npy_header(mica__text *header, mica_dtype dtype, int ndim, const int64_t *shape,
                     bool fortran_order);

#endif
