/* Scopes and arrays: who owns what is made, where it runs, what failed; and how values get in and
 * out. */
#ifndef MICA_ARRAY_H
#define MICA_ARRAY_H

#include "mica/base.h"

/** A lazy n-dimensional array: a value, or the promise of one. Immutable. */
typedef struct mica_array mica_array;

/** Where work runs (stream), who owns it, and what failed. */
typedef struct mica_scope mica_scope;

/** A queue of work on a device. See stream.h. */
typedef struct mica_stream mica_stream;

/** Sizes or axes: n numbers at `at`. n == -1 stands for "all axes" or "not given". */
typedef struct mica_dims {
    int64_t n;
    const int64_t *at;
} mica_dims;

/** Several arrays. */
typedef struct mica_arrays {
    size_t n;
    mica_array *const *at;
} mica_arrays;

/** What attention leaves out: nothing (MICA_NO_MASK), later keys (MICA_CAUSAL), or what an array
   says: a bool one is false there, any other is added to the scores. */
typedef struct mica_mask {
    bool causal;
    mica_array *array;
} mica_mask;
#define MICA_NO_MASK ((mica_mask){ .causal = false, .array = NULL })
#define MICA_CAUSAL  ((mica_mask){ .causal = true, .array = NULL })

/** Which norm mica_linalg_norm takes: the default one, one with a number (MICA_ORDER(2)), or one
 * with a name (MICA_ORDER_NAMED("nuc")). */
typedef struct mica_order {
    const char *name; /* NULL: the default; "": the number */
    double number;
} mica_order;
#define MICA_DEFAULT_ORDER     ((mica_order){ .name = NULL, .number = 0 })
#define MICA_ORDER(p)          ((mica_order){ .name = "", .number = (p) })
#define MICA_ORDER_NAMED(text) ((mica_order){ .name = (text), .number = 0 })

/** A shape or a list of axes, written in place: MICA_SHAPE(8, 1). */
#define MICA_SHAPE(...)                                                                            \
    ((mica_dims){ .n = (int64_t)(sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)),      \
                  .at = (const int64_t[]){ __VA_ARGS__ } })
#define MICA_AXES(...) MICA_SHAPE(__VA_ARGS__)
/** The shape of a 0-d array. */
#define MICA_SCALAR ((mica_dims){ .n = 0, .at = NULL })
/** Every axis, where a function takes axes. */
#define MICA_ALL_AXES ((mica_dims){ .n = -1, .at = NULL })
/** The flattened array, where a function takes one axis. */
#define MICA_FLATTEN INT32_MIN
/** Several arrays, written in place: MICA_ARRAYS(a, b). */
#define MICA_ARRAYS(...)                                                                           \
    ((mica_arrays){ .n = sizeof((mica_array *const[]){ __VA_ARGS__ }) / sizeof(mica_array *),      \
                    .at = (mica_array *const[]){ __VA_ARGS__ } })
/** No element type given, no number given: the function's default. */
#define MICA_DEFAULT_DTYPE ((mica_dtype)-1)
#define MICA_NO_INTEGER    INT64_MIN

/* ---- scopes ----
   Every builder takes a scope first, returns an array that the scope owns, and never needs its
   result checked: a builder that fails marks the scope, keeps the first message and returns NULL,
   and builders given NULL return NULL. Close the scope and read the status once. */

/** Opens a scope. Its stream is the parent's, or the calling thread's default. parent: NULL, or the
   scope that kept arrays move to. Returns NULL only when memory is exhausted; the parent then takes
   over the failure. Every function accepts a NULL scope and fails, so this needs no check either.
   One thread at a time may use a scope. */
MICA_API mica_scope *mica_scope_open(mica_scope *parent);
/** Opens a scope whose work runs on `stream`. */
MICA_API mica_scope *mica_scope_open_on(mica_scope *parent, mica_stream *stream);
/** Releases all that the scope owns. Returns the status of its first failure, whose message is then
   mica_last_error(); MICA_EMEMORY for NULL, the scope that could not be opened. */
MICA_API int mica_scope_close(mica_scope *scope);
/** Moves `arrays` to the parent scope and closes. On failure nothing is kept and the arrays are set
 * to NULL. The parent takes over a failure. */
MICA_API int mica_scope_close_keeping(mica_scope *scope, mica_array **arrays, size_t n);
/** Closes with `values` in the place of `arrays`, which the parent owns (without a parent: the
   caller): arrays[i] is released and becomes values[i]. What a training step does with its
   parameters. On failure `arrays` stay as they are; the parent takes over the failure. */
MICA_API int mica_scope_close_replacing(mica_scope *scope, mica_array **arrays,
                                        mica_array *const values[], size_t n);
/** The status so far, without closing. */
MICA_API int mica_scope_status(const mica_scope *scope);
/** Makes the scope own one reference to `array` (which may come from mica_retain). Returns the
 * array, NULL on failure. */
MICA_API mica_array *mica_scope_own(mica_scope *scope, mica_array *array);

/** Takes one more reference that belongs to the caller. Returns the array. NULL is fine. */
MICA_API mica_array *mica_retain(mica_array *array);
/** Gives a reference back. NULL is fine. */
MICA_API void mica_release(mica_array *array);

/* ---- from and to memory ---- */

/** Copies row-major elements of `dtype` from memory. */
MICA_API mica_array *mica_from_data(mica_scope *scope, const void *data, mica_dims shape,
                                    mica_dtype dtype);
/** Adopts memory without copying: free_user(user) is called when the last array that uses it is
 * gone (also when this fails). Row-major, aligned to its element. */
MICA_API mica_array *mica_from_memory(mica_scope *scope, void *data, mica_dims shape,
                                      mica_dtype dtype, void (*free_user)(void *user), void *user);
/** A weakly typed number: it takes the type of the array it meets, as a Python float does. 0-d
 * float32 on its own. */
MICA_API mica_array *mica_number(mica_scope *scope, double value);
/** A weakly typed integer. 0-d int32 (int64 where it does not fit) on its own. */
MICA_API mica_array *mica_integer(mica_scope *scope, int64_t value);
/** A 0-d array of `dtype`. */
MICA_API mica_array *mica_scalar(mica_scope *scope, double value, mica_dtype dtype);

/** The element type: known without evaluation, like shape and sizes. */
MICA_API mica_dtype mica_dtype_of(const mica_array *array);
/** The number of axes. */
/** The number of axes. */
MICA_API int mica_ndim(const mica_array *array);
/** The sizes of all axes; valid as long as the array. */
MICA_API mica_dims mica_shape(const mica_array *array);
/** The size of one axis; negative axes count from the end; -1 when there is no such axis. */
MICA_API int64_t mica_dim(const mica_array *array, int axis);
/** The number of elements. */
/** The number of elements. */
MICA_API int64_t mica_size(const mica_array *array);

/** Evaluates arrays: their values are in memory afterwards. Returns the scope's status; arrays that
 * could not be evaluated stay pending. */
MICA_API int mica_eval(mica_scope *scope, mica_array *const arrays[], size_t n);
/** Starts the evaluation and returns; faults surface where the values are needed. */
MICA_API int mica_async_eval(mica_scope *scope, mica_array *const arrays[], size_t n);
/** Evaluates and copies all elements, row-major, to `data` of `bytes` bytes. */
MICA_API int mica_to_data(mica_scope *scope, mica_array *array, void *data, size_t bytes);
/** Evaluates a one-element array and converts it to double. 0 on failure. */
MICA_API double mica_item(mica_scope *scope, mica_array *array);
/** Evaluates and prints as Python's repr does: "array([1, 2], dtype=float32)". The text belongs to
 * the scope. */
MICA_API const char *mica_describe(mica_scope *scope, mica_array *array);

#endif
