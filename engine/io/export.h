/* Traced graphs as bytes and back: what exported functions are made of. */
#ifndef MICA_ENGINE_EXPORT_H
#define MICA_ENGINE_EXPORT_H

#include "base/text.h"
#include "core/scope.h"

/* Appends the graph between placeholders and results: primitives by name with their typed fields,
   captured arrays as constants. Captured arrays are evaluated. False, and the scope is marked, on
   failure. */
bool mica__graph_write(mica_scope *s, mica__text *to, mica_array *const results[], size_t nresults,
                       mica_array *const placeholders[], size_t n);
/* Builds the graph on inputs. Other sizes than were written pass through element-wise primitives
   only. Counts, names, types, shapes and edges are checked; what fields mean to a kernel is not, so
   the bytes must come from a trusted writer. Fills *results, owned by the scope. False, and the
   scope is marked, on failure. */
bool mica__graph_read(mica_scope *s, const void *bytes, size_t size, mica_array *const inputs[],
                      size_t n, mica_arrays *results);

#endif
