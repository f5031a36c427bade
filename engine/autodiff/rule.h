/* What rules written by hand share: their heads, and parameters with a batch axis in front. */
#ifndef MICA_ENGINE_AUTODIFF_RULE_H
#define MICA_ENGINE_AUTODIFF_RULE_H

#include "autodiff/autodiff.h"
#include "ops/shape.h"

/* Heads; a rule need not use all that it gets. */
#define MICA_SPARE __attribute__((unused))
#define VJP_RULE(prim)                                                                             \
    void mica__vjp_##prim(MICA_SPARE mica_scope *s, MICA_SPARE const mica_node *n,                 \
                          mica_array *const cotangents[], const bool needed[],                     \
                          mica_array *gradients[])
#define JVP_RULE(prim)                                                                             \
    void mica__jvp_##prim(MICA_SPARE mica_scope *s, MICA_SPARE const mica_node *n,                 \
                          mica_array *const tangents[], mica_array *results[])
#define VMAP_RULE(prim)                                                                            \
    bool mica__vmap_##prim(MICA_SPARE mica_scope *s, MICA_SPARE const mica_node *n,                \
                           mica_array *const in[], MICA_SPARE const bool batched[],                \
                           MICA_SPARE int64_t batch, mica_array *results[])

/* Input 0, input 1, the output, the cotangent of the output, the tangent of input 0; a number. */
#define X      mica__input(n, 0)
#define Y      mica__input(n, 1)
#define OUTPUT mica__output(s, n, 0)
#define C      cotangents[0]
#define T      tangents[0]
#define NUM(v) mica_number(s, v)

/* `first`, then the list with `add` on each number: sizes with a batch axis (batch, sizes, 0), axes
 * after one (0, axes, 1). */
static inline mica_dims mica__prepend(int64_t first, mica_dims list, int64_t add,
                                      int64_t room[MICA_MAX_NDIM + 1])
{
    room[0] = first;
    for (int64_t i = 0; i < list.n; i++) room[i + 1] = list.at[i] + add;
    return (mica_dims){ list.n + 1, room };
}

/* Axes after a batch axis was put in front. */
static inline mica_dims mica__shifted(mica_dims axes, int64_t room[MICA_MAX_NDIM])
{
    for (int64_t i = 0; i < axes.n; i++) room[i] = axes.at[i] + 1;
    return (mica_dims){ axes.n, room };
}

/* The result of a rule with one. */
static inline bool mica__batched_result(mica_array *results[], mica_array *a)
{
    results[0] = a;
    return a != NULL;
}

/* `value` where the condition holds, a elsewhere; a where it holds, 0 elsewhere. In a's type. */
static inline mica_array *mica__replaced(mica_scope *s, mica_array *condition, double value,
                                         mica_array *a)
{
    return a ? mica_where(s, condition, mica_scalar(s, value, (mica_dtype)a->dtype), a) : NULL;
}
static inline mica_array *mica__kept(mica_scope *s, mica_array *condition, mica_array *a)
{
    return a ? mica_where(s, condition, a, mica_scalar(s, 0, (mica_dtype)a->dtype)) : NULL;
}

static inline mica_array *mica__conjugated(mica_scope *s, mica_array *a)
{
    return a && a->dtype == MICA_COMPLEX64 ? mica_conjugate(s, a) : a;
}

/* 0, 1, ..., shape[axis] - 1 along one axis of `shape`, repeated along the others. */
mica_array *mica__positions(mica_scope *s, mica_dims shape, int64_t axis);

/* False, with the reference's message, when a derivative by an index is asked for. */
bool mica__indices_constant(mica_scope *s, const mica_node *n, const bool needed[], size_t first,
                            size_t count);

#endif
