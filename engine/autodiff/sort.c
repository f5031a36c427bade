/* Derivatives of sorts and partitions, which move elements; batching of searchsorted. */
#include "autodiff/rule.h"

/* Where the elements of the result come from: stable, as the sort itself. */
static mica_array *origins(mica_scope *s, const mica_node *n)
{
    if (n->prim == mica_prim_sort) return mica_argsort(s, X, (int)MICA_PARAMS(n, sort)->axis);
    return mica_argpartition(s, X, MICA_PARAMS(n, partition)->kth,
                             (int)MICA_PARAMS(n, partition)->axis);
}

static void order_vjp(mica_scope *s, const mica_node *n, mica_array *c, const bool needed[],
                      mica_array *gradients[])
{
    if (needed[0])
        gradients[0] = mica_put_along_axis(s, mica__full_like(s, X, 0), origins(s, n), c,
                                           (int)MICA_PARAMS(n, sort)->axis);
}
static void order_jvp(mica_scope *s, const mica_node *n, mica_array *t, mica_array *results[])
{
    results[0] = mica_take_along_axis(s, t, origins(s, n), (int)MICA_PARAMS(n, sort)->axis);
}
VJP_RULE(sort)
{
    order_vjp(s, n, C, needed, gradients);
}
JVP_RULE(sort)
{
    order_jvp(s, n, T, results);
}
VJP_RULE(partition)
{
    order_vjp(s, n, C, needed, gradients);
}
JVP_RULE(partition)
{
    order_jvp(s, n, T, results);
}

/* ---- searchsorted ---- */

/* a < b in the order of sorting, where NaN comes last. */
static mica_array *precedes(mica_scope *s, mica_array *a, mica_array *b)
{
    mica_array *less = mica_less(s, a, b);
    if (!less || !mica__is_inexact((mica_dtype)a->dtype)) return less;
    return mica_logical_or(
        s, less, mica_logical_and(s, mica_isnan(s, b), mica_logical_not(s, mica_isnan(s, a))));
}

/* A sequence for each example, (batch, size), values (batch, count): bisection of all values at
 * once. */
static mica_array *bisect(mica_scope *s, mica_array *sequences, mica_array *values, bool right)
{
    if (!sequences || !values) return NULL;
    int64_t size = sequences->shape[1];
    mica_array *low = mica__full(s, mica__dims_of(values), 0, MICA_INT64),
               *high = mica_add(s, low, mica_integer(s, size));
    for (int64_t left = size; left > 0; left /= 2) {
        mica_array *middle = mica_floor_divide(s, mica_add(s, low, high), mica_integer(s, 2));
        mica_array *at = mica_take_along_axis(
            s, sequences, mica_minimum(s, middle, mica_integer(s, size - 1)), 1);
        mica_array *behind =
            right ? mica_logical_not(s, precedes(s, values, at)) : precedes(s, at, values);
        behind = mica_logical_and(s, behind, mica_less(s, low, high));
        low = mica_where(s, behind, mica_add(s, middle, mica_integer(s, 1)), low);
        high = mica_where(s, behind, high, middle);
    }
    return mica__cast(s, low, MICA_UINT32);
}

VMAP_RULE(searchsorted)
{
    int64_t room[MICA_MAX_NDIM + 1], rows[2] = { batch, Y->size };
    mica_dims shape = mica__prepend(batch, mica__dims_of(Y), 0, room);
    if (!batched[0]) return mica__batched_result(results, mica__rebuild_as(s, n, in, NULL, shape));
    mica_array *values = mica__reshape(s, mica__with_batch(s, in[1], batched[1], batch), 2, rows);
    mica_array *found = bisect(s, in[0], values, MICA_PARAMS(n, searchsorted)->right);
    return mica__batched_result(results, mica__reshape(s, found, shape.n, shape.at));
}
