/* A traced function as a list of operations, to be built again on other inputs. */
#ifndef MICA_ENGINE_PROGRAM_H
#define MICA_ENGINE_PROGRAM_H

#include "core/scope.h"

typedef struct mica__program mica__program;

/* From the graph between placeholders and results. Operations that equal an earlier one (same
   primitive, parameters and inputs) are merged; copies without effect are dropped; what does not
   depend on a placeholder is captured as it is. NULL and a message on failure. */
mica__program *mica__program_make(mica_array *const results[], size_t nresults,
                                  mica_array *const placeholders[], size_t n);
/* The operations on inputs of the placeholders' shapes and types: fills results. False, and the
 * scope is marked, on failure. */
bool mica__program_run(mica_scope *s, const mica__program *p, mica_array *const inputs[],
                       mica_array *results[]);
size_t mica__program_length(const mica__program *p);
void mica__program_free(mica__program *p);

#endif
