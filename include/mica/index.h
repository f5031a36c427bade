/* General indexing: slices, gathering and scattering at index arrays, masks. take, take_along_axis
 * and their like are in ops.h. */
#ifndef MICA_INDEX_H
#define MICA_INDEX_H

#include "mica/array.h"

/** How values that are put into an array meet what is there. Duplicate indices: SET keeps the last,
 * the others combine all. */
typedef enum mica_scatter_mode {
    MICA_SCATTER_SET,
    MICA_SCATTER_SUM,
    MICA_SCATTER_PROD,
    MICA_SCATTER_MAX,
    MICA_SCATTER_MIN
} mica_scatter_mode;

/** Elements start, start + step, ... before stop of the leading axes; further axes are taken whole.
   Negative bounds count from the end and all are clamped, as in Python; MICA_NO_INTEGER in start or
   stop stands for None. step.n may be 0: all 1. Nothing is copied. Fails with MICA_EVALUE for a
   step of 0 or more axes than there are. */
MICA_API mica_array *mica_slice_static(mica_scope *scope, mica_array *a, mica_dims start,
                                       mica_dims stop, mica_dims step);

/** A copy of `a` in which the slice (bounds as in mica_slice_static) is combined with `update`,
 * which is cast to a's type and broadcast to the slice. */
MICA_API mica_array *mica_slice_assign(mica_scope *scope, mica_array *a, mica_array *update,
                                       mica_dims start, mica_dims stop, mica_dims step,
                                       mica_scatter_mode mode);

/** Slices of `slice_sizes` (one size an axis of a; 1 on indexed axes) that begin at indexed places.
   Index arrays are integers, one for each of `axes`, and broadcast to a common shape. Result: that
   shape, followed by slice_sizes. Negative indices count from the end. An index out of range fails
   the evaluation with MICA_EINDEX. */
MICA_API mica_array *mica_gather(mica_scope *scope, mica_array *a, mica_arrays indices,
                                 mica_dims axes, mica_dims slice_sizes);

/** A copy of `a` in which slices of `updates` are combined with the places that mica_gather would
   read. updates: any type (cast), its shape broadcasts to the common index shape followed by the
   slice sizes, which are 1 on indexed axes and whole on the others. */
MICA_API mica_array *mica_scatter(mica_scope *scope, mica_array *a, mica_arrays indices,
                                  mica_array *updates, mica_dims axes, mica_scatter_mode mode);

/** A copy of `a` whose places under the true elements of `mask` (bool; its shape is that of a's
   leading axes) take consecutive elements of `source`, in row-major order. Further elements of
   source are not used; too few fail the evaluation with MICA_ERUNTIME. */
MICA_API mica_array *mica_masked_scatter(mica_scope *scope, mica_array *a, mica_array *mask,
                                         mica_array *source);

/** The parts of `a` under the true elements of `mask`, joined along the first axis. Evaluates the
 * mask. */
MICA_API mica_array *mica_masked_select(mica_scope *scope, mica_array *a, mica_array *mask);

#endif
