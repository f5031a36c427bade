/* Element-wise loops: the one signature, and the table that the instruction sets fill. */
#ifndef MICA_ENGINE_LOOP_H
#define MICA_ENGINE_LOOP_H

#include "base/base.h"
#include "ops/prim.h"

/* Computes n elements. Operand i is contiguous, or, where bit i of `scalars` is set, one value for
   all. `out` is contiguous, and may be the very pointer of an operand that has elements of the same
   size. Pointers are aligned to their element, no further. */
typedef void mica__loop(size_t n, const void *const in[], unsigned scalars, void *out);

/* The loop of an element-wise primitive for operands of type `dtype` (after the rule's conversion),
   or NULL. For float16 and bfloat16 there is none: the tape converts to float32, runs the float32
   loop and rounds. `where`: operand 0 is bool, dtype is that of operands 1 and 2. */
mica__loop *mica__loop_find(mica_prim prim, mica_dtype dtype);

/* Converts n contiguous elements between any two of the 14 types, as C does: float to integer
   truncates; out of range, infinite and NaN give the value that the reference's kernels give on
   x86; to bool: != 0 (NaN is true); complex to real drops the imaginary part. */
mica__loop *mica__cast_find(mica_dtype from, mica_dtype to);

/* Rounds float32 values to what the half type can hold, keeping them float32; in place allowed. */
mica__loop *mica__round_find(mica_dtype half);

#endif
