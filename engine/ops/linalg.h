/* Nodes of decompositions for builders and rules. */
#ifndef MICA_ENGINE_OPS_LINALG_H
#define MICA_ENGINE_OPS_LINALG_H

#include "ops/shape.h"

/* Types that LAPACK computes in. */
static inline bool mica__lapack_has(mica_dtype d)
{
    return d == MICA_FLOAT32 || d == MICA_FLOAT64 || d == MICA_COMPLEX64;
}
/* The type of magnitudes. */
static inline mica_dtype mica__real_dtype(mica_dtype d)
{
    return d == MICA_COMPLEX64 ? MICA_FLOAT32 : d;
}
/* The operand, checked: a type that LAPACK has, at least two axes of sizes that it can count; of
 * square matrices. NULL, and the scope is marked, for others. */
mica_array *mica__matrix(mica_scope *s, const char *name, mica_array *a);
mica_array *mica__square_matrix(mica_scope *s, const char *name, mica_array *a);
/* The leading axes of a, then `n` sizes. */
mica_dims mica__batch_and(const mica_array *a, int n, int64_t first, int64_t second,
                          int64_t room[MICA_MAX_NDIM]);
/* The list of results; an empty one when any failed. */
mica_arrays mica__several(mica_scope *s, size_t n, mica_array *const arrays[]);

/* Singular values: mode 0 fills out[0] with them; 1 (all of U and V^H) and 2 (what belongs to
   values) fill U, values, V^H. False, and the scope is marked, on failure. */
bool mica__svd(mica_scope *s, const char *name, mica_array *a, int64_t mode, mica_array *out[3]);
/* Eigenvalues, and vectors if wanted, of a Hermitian matrix of which one triangle is read. */
bool mica__eigh(mica_scope *s, const char *name, mica_array *a, bool upper, bool vectors,
                mica_array *out[2]);

#endif
