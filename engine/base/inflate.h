/* Deflated bytes (RFC 1951) read. */
#ifndef MICA_ENGINE_INFLATE_H
#define MICA_ENGINE_INFLATE_H

#include "base/base.h"

/* No deflated byte stands for more than this many. */
enum { MICA__INFLATE_MOST = 1032 };

/* Fills exactly `size` bytes at `out` from all of `bytes` at `in`. False when they are no deflated
   stream of that size. Takes no memory. */
bool mica__inflate(void *out, size_t size, const void *in, size_t bytes);
/* The first `size` bytes that a stream stands for, or all that there are: returns how many; those
   before a damaged place too. */
size_t mica__inflate_start(void *out, size_t size, const void *in, size_t bytes);

#endif
