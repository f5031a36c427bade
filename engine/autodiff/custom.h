/* Functions with derivative rules of their own: what the `custom` primitive's parameter points to.
 */
#ifndef MICA_ENGINE_CUSTOM_H
#define MICA_ENGINE_CUSTOM_H

#include "autodiff/autodiff.h"

typedef struct mica__custom_rules {
    mica__owner owner;
    /* Each may be NULL: then the results' own graph is transformed. Arrays are borrowed; what is
     * handed out belongs to the scope. */
    bool (*vjp)(struct mica__custom_rules *self, mica_scope *s, mica_array *const arguments[],
                size_t n, mica_array *const cotangents[], mica_array *const results[],
                size_t nresults, mica_array *gradients[]);
    bool (*jvp)(struct mica__custom_rules *self, mica_scope *s, mica_array *const arguments[],
                mica_array *const tangents[], size_t n, mica_array *results[], size_t nresults);
    bool (*vmap)(struct mica__custom_rules *self, mica_scope *s, mica_array *const arguments[],
                 const bool batched[], size_t n, int64_t batch, mica_array *results[],
                 size_t nresults);
} mica__custom_rules;

/* Outputs equal to `results`, with the rules attached. arguments: what the rules are about. */
bool mica__custom_build(mica_scope *s, mica__custom_rules *rules, mica_array *const arguments[],
                        size_t n, mica_array *const results[], size_t nresults, mica_array *out[]);
/* Outputs equal to inputs[0 .. n), which wait for the dependencies too. */
bool mica__depends_build(mica_scope *s, mica_array *const inputs[], size_t n,
                         mica_array *const dependencies[], size_t ndependencies, mica_array *out[]);

#endif
