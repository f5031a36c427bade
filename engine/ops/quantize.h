/* How weights are stored in few bits: the modes, and what a mode asks of group size and bits. */
#ifndef MICA_ENGINE_QUANTIZE_H
#define MICA_ENGINE_QUANTIZE_H

#include "ops/builder.h"

/* Codes of `bits` bits lie one after another, low bits first, in words of 32 bits; each `group` of
   them along the last axis shares a scale. */
typedef enum mica__quant_mode {
    MICA_QUANT_AFFINE, /* q * scale + bias, both of the weights' type */
    MICA_QUANT_MXFP4,  /* E2M1 * E8M0 */
    MICA_QUANT_MXFP8,  /* E4M3 * E8M0 */
    MICA_QUANT_NVFP4   /* E2M1 * E4M3, times global_scale / 2688 if there is one */
} mica__quant_mode;

typedef struct mica__quant_format {
    mica__quant_mode mode;
    int64_t group, bits;
} mica__quant_format;

/* Reads mode, group_size and bits (MICA_NO_INTEGER: the mode's own); they must be what the mode
 * offers. */
bool mica__quant_format_of(mica_scope *s, const char *name, const char *mode, int64_t group_size,
                           int64_t bits, mica__quant_format *f);
bool mica__check_global_scale(mica_scope *s, const char *name, const mica__quant_format *f,
                              const mica_array *scale);
/* w, scales and biases of one matrix or of a batch of them; true when they fit each other. */
bool mica__check_quantized(mica_scope *s, const char *name, const mica__quant_format *f,
                           const mica_array *w, const mica_array *scales, const mica_array *biases);
/* The elements that a row of n words holds. */
static inline int64_t mica__quant_elements(const mica__quant_format *f, int64_t words)
{
    return words * 32 / f->bits;
}

/* quantize, then dequantize to float32; its derivative is that of the identity (straight-through,
   Bengio et al. 2013). Along the last axis, of any shape. */
mica_array *mica__quantize_through(mica_scope *s, mica_array *x, const mica__quant_format *f,
                                   mica_array *global_scale);

#endif
