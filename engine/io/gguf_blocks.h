/* Blocks of gguf files as arrays: graphs over the bytes of the file, so that nothing is read before
   it is used. */
#ifndef MICA_ENGINE_GGUF_BLOCKS_H
#define MICA_ENGINE_GGUF_BLOCKS_H

#include "core/scope.h"
#include "io/gguf.h"

/* Q4_0, Q4_1, Q8_0: codes (uint32), scales and biases (float16) as mx.dequantize takes them, with a
   group of 32. bytes: uint8, the blocks of the tensor. */
bool mica__gguf_triple(mica_scope *s, const mica__gguf_tensor *t, mica_array *bytes,
                       mica_array *out[3]);
/* The other types that come in blocks: numbers, float16. */
mica_array *mica__gguf_numbers(mica_scope *s, const mica__gguf_tensor *t, mica_array *bytes);

#endif
