/* Nodes of decompositions for builders and rules. */
#ifndef MICA_ENGINE_OPS_LINALG_H
#define MICA_ENGINE_OPS_LINALG_H

#include "ops/shape.h"

/* Checks: a type that LAPACK has (complex64 where `complex`); at least two axes of sizes it can
 * count; a square matrix of both. */
bool mica__check_lapack_type(mica_scope *s, const char *name, mica_dtype d, bool complex);
bool mica__check_matrix(mica_scope *s, const char *name, const mica_array *a);
mica_array *mica__square_matrix(mica_scope *s, const char *name, mica_array *a, bool complex);
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
