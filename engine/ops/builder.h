/* What builders and derivative rules are written with: checks, type rules, node construction. */
#ifndef MICA_ENGINE_BUILDER_H
#define MICA_ENGINE_BUILDER_H

#include "core/scope.h"
#include "mica/index.h"
#include "mica/ops.h"
#include "ops/params.h"

/* ---- element-wise builders: weak numbers, promotion, the rule's conversion, broadcasting ---- */
mica_array *mica__unary(mica_scope *s, mica_prim prim, mica_array *a);
mica_array *mica__binary(mica_scope *s, mica_prim prim, mica_array *a, mica_array *b);
mica_array *mica__ternary(mica_scope *s, mica_prim prim, mica_array *a, mica_array *b,
                          mica_array *c);

/* ---- nodes ---- */
/* A node with one output. Returns NULL, and the scope is marked, when an input is NULL or anything
 * fails. params: struct mica__<prim>_params or NULL. */
mica_array *mica__build(mica_scope *s, mica_prim prim, const void *params, size_t ninputs,
                        mica_array *const inputs[], mica_dtype dtype, mica_dims shape);
/* Several outputs: fills out[]; false on failure (all NULL). */
bool mica__build_many(mica_scope *s, mica_prim prim, const void *params, size_t ninputs,
                      mica_array *const inputs[], size_t noutputs, const mica_dtype dtypes[],
                      const mica_dims shapes[], mica_array *out[]);
/* The node of an array, and input i, output i of a node as arrays (borrowed; outputs are retained
 * by the scope). */
static inline mica_array *mica__input(const mica_node *n, size_t i)
{
    return n->inputs[i];
}
mica_array *mica__output(mica_scope *s, const mica_node *n, size_t i);

/* Set while a function is traced whose graph will be used for other sizes: what depends on a size
 * must then be part of the graph. */
extern _Thread_local bool mica__sizes_vary;

/* ---- values ---- */
/* An array with uninitialised row-major memory, to be filled before anyone sees it: data at
 * (*out)->data. */
/* False, and what to do instead, for a mask that only a placeholder's value would tell. */
bool mica__mask_has_values(mica_scope *s, const char *name, const mica_array *mask);
/* A weakly typed bool and complex number. */
mica_array *mica__truth(mica_scope *s, bool value);
mica_array *mica__complex(mica_scope *s, double real, double imaginary);
mica_array *mica__empty(mica_scope *s, mica_dtype dtype, mica_dims shape);
/* The row-major elements at `data`, a place in `owner`. */
mica_array *mica__part(mica_scope *s, mica__buffer *owner, const char *data, mica_dtype dtype,
                       mica_dims shape);
/* A strongly typed 0-d constant with the exact weak number's value. Fails with EVALUE when an
 * integer does not fit (semantics of weak integers). */
mica_array *mica__strong(mica_scope *s, mica_array *weak, mica_dtype dtype);
/* a itself, or a weak number as its default type: what non-element-wise builders call first on each
 * input. NULL passes. */
mica_array *mica__operand(mica_scope *s, mica_array *a);
/* astype that returns `a` itself when the type is right. */
mica_array *mica__cast(mica_scope *s, mica_array *a, mica_dtype dtype);
/* The type of a result of several operands under weak rules. */
mica_dtype mica__result_dtype(mica_array *const arrays[], size_t n);
/* Sums and products of small integers are 32 bits wide. */
mica_dtype mica__sum_dtype(mica_dtype d);
mica_dtype mica__float_dtype(mica_dtype d); /* bool and integers: float32 */
/* |a|^2, of complex numbers real: by the parts, whose derivatives do not stop at 0 as |a| does. */
mica_array *mica__abs_square(mica_scope *s, mica_array *a);
/* zeros/ones like: broadcast constants, no memory. */
mica_array *mica__full_like(mica_scope *s, const mica_array *a, double value);
mica_array *mica__full(mica_scope *s, mica_dims shape, double value, mica_dtype dtype);

/* Row number compared with column number minus k, for the matrices of x: its diagonals and
 * triangles. */
mica_array *mica__compare_places(mica_scope *s, mica_prim prim, mica_array *x, int64_t k);

/* ---- checks: each returns false, and the scope is marked, with a message "[name] ..." ---- */
bool mica__check_axis(mica_scope *s, const char *name, int status, const mica_array *a, int axis,
                      int *normal); /* status: EINDEX or EVALUE, as the reference has it */
/* Normalises axes (n == -1: all) into `out`, ascending; duplicates fail with EVALUE. Returns their
 * number or -1. */
int mica__check_axes(mica_scope *s, const char *name, int status, const mica_array *a,
                     mica_dims axes, int64_t out[MICA_MAX_NDIM]);
/* All arrays present and the scope healthy: the first line of a builder. */
static inline bool mica__ready(mica_scope *s, mica_array *a)
{
    return mica__scope_ok(s) && a;
}

/* ---- short cuts for builders and rules ---- */
mica_array *mica__reshape(mica_scope *s, mica_array *a, int64_t n, const int64_t *shape);
mica_array *mica__broadcast_to(mica_scope *s, mica_array *a, mica_dims shape);
/* a[index] along axis 0, 0 <= index < size: a finished view when a is evaluated. */
mica_array *mica__row(mica_scope *s, mica_array *a, int64_t index);
/* The same without a scope, for loops over elements: whether rows can be had at once, and one of
 * them; the caller owns it. NULL: an error is set. */
bool mica__has_rows(const mica_array *a);
mica_array *mica__finished_row(const mica_array *a, int64_t index);
/* Sums a down to `shape`, undoing a broadcast. */
mica_array *mica__unbroadcast(mica_scope *s, mica_array *a, mica_dims shape);
mica_array *mica__squeeze_axes(mica_scope *s, mica_array *a, int64_t n, const int64_t *axes);

/* How scattered values meet what is there. */
typedef mica_scatter_mode mica__scatter_mode;

#endif
