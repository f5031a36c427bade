/* Rewrites while a graph is built that change neither shapes nor types nor bits. */
#ifndef MICA_ENGINE_FOLD_H
#define MICA_ENGINE_FOLD_H

#include "ops/builder.h"

/* The cast of a result to `dtype`, as another way to compute the result; NULL where there is none.
 */
mica_array *mica__fold_cast(mica_scope *s, const mica_array *a, mica_dtype dtype);

#endif
