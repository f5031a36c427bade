/* Transformations of functions: derivatives, batching, compilation. A function takes a scope and
 * arrays and returns arrays; `user` is passed through. */
#ifndef MICA_TRANSFORMS_H
#define MICA_TRANSFORMS_H

#include "mica/array.h"

/** A function of arrays with one result. NULL stands for failure; the scope then holds the reason.
 */
typedef mica_array *mica_function(mica_scope *scope, mica_array *const arguments[], void *user);
/** A function of arrays with several results. n == 0 with a failed scope stands for failure. */
typedef mica_arrays mica_functions(mica_scope *scope, mica_arrays arguments, void *user);

/**
 * Value and gradient of a function with a 0-d real result, by all its arguments.
 *
 * value     receives the result; NULL when it is not wanted
 * gradients receives n arrays of the arguments' shapes and types
 * All are owned by the scope. Returns the scope's status; on failure nothing is written.
 * Fails with MICA_EVALUE when the result is not 0-d.
 */
MICA_API int mica_value_and_grad(mica_scope *scope, mica_function *function, void *user,
                                 mica_array *const arguments[], size_t n, mica_array **value,
                                 mica_array *gradients[]);

/** Results of a function and the vector-Jacobian product: cotangents (one a result) pulled back to
   the arguments. Writes results (if not NULL) and n gradients. Returns the scope's status. */
MICA_API int mica_vjp(mica_scope *scope, mica_functions *function, void *user,
                      mica_arrays arguments, mica_arrays cotangents, mica_arrays *results,
                      mica_arrays *gradients);

/** Results of a function and the Jacobian-vector product: tangents (one an argument) pushed
 * forward. Returns the scope's status. */
MICA_API int mica_jvp(mica_scope *scope, mica_functions *function, void *user,
                      mica_arrays arguments, mica_arrays tangents, mica_arrays *results,
                      mica_arrays *result_tangents);

/** Maps a function over axes of its arguments: in_axes[i] is the axis of argument i, or
   MICA_NO_AXIS to pass it whole; the results carry the mapped axis at out_axis. At least one axis
   is mapped, all of one size. Returns the scope's status. */
MICA_API int mica_vmap(mica_scope *scope, mica_functions *function, void *user,
                       mica_arrays arguments, const int in_axes[], int out_axis,
                       mica_arrays *results);
#define MICA_NO_AXIS INT32_MIN

/** A function that is traced once for each signature (shapes and types of its arguments) and then
 * replayed. */
typedef struct mica_compiled mica_compiled;
/** Makes one; free_user(user) is called with the last release. shapeless is accepted and
 * changes nothing: a function in C is traced for each shape. */
MICA_API int mica_compile(mica_functions *function, void *user, void (*free_user)(void *),
                          bool shapeless, mica_compiled **out);
/** Calls it. A call of itself, while it is traced, becomes part of the trace; without an end that
 * is MICA_ERUNTIME, 500 deep. Returns the scope's status. */
MICA_API int mica_compiled_call(mica_scope *scope, mica_compiled *compiled, mica_arrays arguments,
                                mica_arrays *results);
/** NULL is fine. */
MICA_API void mica_compiled_release(mica_compiled *compiled);

#endif
