/* Slices and permutations for builders and derivative rules: no checks, axes are normal. */
#ifndef MICA_ENGINE_SHAPE_H
#define MICA_ENGINE_SHAPE_H

#include "ops/builder.h"

/* a[start : : step] with `shape` elements along each axis; a itself when that is all of it. */
mica_array *mica__slice(mica_scope *s, mica_array *a, const int64_t *start, const int64_t *step,
                        const int64_t *shape);
/* `count` elements from `start` of one axis. */
mica_array *mica__slice_axis(mica_scope *s, mica_array *a, int axis, int64_t start, int64_t count);
/* a with axes in the given order. */
mica_array *mica__permute(mica_scope *s, mica_array *a, const int64_t *order);
/* Joins arrays of one type and rank along an axis; one array alone is returned itself. */
mica_array *mica__concatenate(mica_scope *s, size_t n, mica_array *const arrays[], int axis);
/* Moves the given axes (ascending) behind the others, in order, and joins them into one last axis;
   `restore` undoes both for a result of the joined shape (its last axis has the joined size, or 1).
 */
mica_array *mica__axes_last(mica_scope *s, mica_array *a, int n, const int64_t *axes);
mica_array *mica__axes_restore(mica_scope *s, mica_array *result, const mica_array *a, int n,
                               const int64_t *axes);

#endif
