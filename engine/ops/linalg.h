/* Nodes of decompositions for builders and rules. */
#ifndef MICA_ENGINE_OPS_LINALG_H
#define MICA_ENGINE_OPS_LINALG_H

#include "ops/shape.h"

/* Singular values: mode 0 fills out[0] with them; 1 (all of U and V^H) and 2 (what belongs to values) fill U, values, V^H.
   False, and the scope is marked, on failure. */
bool mica__svd(mica_scope *s, const char *name, mica_array *a, int64_t mode, mica_array *out[3]);
/* Eigenvalues, and vectors if wanted, of a Hermitian matrix of which one triangle is read. */
bool mica__eigh(mica_scope *s, const char *name, mica_array *a, bool upper, bool vectors, mica_array *out[2]);

#endif
