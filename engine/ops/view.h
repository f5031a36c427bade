/* What a VIEW primitive makes of its input's geometry. */
#ifndef MICA_ENGINE_VIEW_H
#define MICA_ENGINE_VIEW_H

#include "core/node.h"

/* Strides (elements of the output's type) and the place of the first element, relative to in->data,
   of the view node n over the evaluated array `in`. False: no strides express it, so `in` must
   first be copied to row-major memory; with a row-major input it never fails. */
bool mica__view_geometry(const mica_node *n, const mica_array *in, int64_t *strides,
                         ptrdiff_t *offset_bytes);

#endif
