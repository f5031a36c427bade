/* Products with quantized matrices, as derivative rules build them. */
#ifndef MICA_ENGINE_QUANTIZED_MATMUL_H
#define MICA_ENGINE_QUANTIZED_MATMUL_H

#include "ops/quantize.h"

/* The primitive on operands in its form: x (..., a, m, k), w (..., e, rows, words), scales, biases
   or NULL, lhs and rhs (..., i) or both NULL. */
mica_array *mica__quantized_matmul(mica_scope *s, const mica__quant_format *f, mica_array *x,
                                   mica_array *w, mica_array *scales, mica_array *biases,
                                   mica_array *lhs, mica_array *rhs, bool transposed,
                                   mica_dtype dtype);

#endif
