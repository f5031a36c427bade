/* What products of gathered matrices share. */
#ifndef MICA_ENGINE_GATHER_MM_H
#define MICA_ENGINE_GATHER_MM_H

#include "ops/builder.h"

/* Indices of both operands, flat and of one shape: missing ones take each matrix in turn. Fills
   `shape` with what they broadcast to; its length or -1. */
int mica__gather_indices(mica_scope *s, const char *name, const mica_array *a, const mica_array *b,
                         mica_array *lhs, mica_array *rhs, mica_array *out[2],
                         int64_t shape[MICA_MAX_NDIM]);
/* (..., r, c) as (n, r, c). */
mica_array *mica__matrices(mica_scope *s, mica_array *a);
/* (n, r, c) with n as `shape`, n axes of it. */
mica_array *mica__unflatten_matrices(mica_scope *s, mica_array *a, int n, const int64_t *shape);
/* Products of flat operands (..., a, m, k), (..., b, k, n) at indices (..., i). */
mica_array *mica__gather_mm(mica_scope *s, mica_array *a, mica_array *b, mica_array *lhs,
                            mica_array *rhs);

/* a @ b of (..., rows, columns) by blocks, for which the bool masks of the result and of both have
   one element each; all have the same leading axes. */
mica_array *mica__masked_mm(mica_scope *s, mica_array *a, mica_array *b, mica_array *out,
                            mica_array *left, mica_array *right, int64_t block);

#endif
