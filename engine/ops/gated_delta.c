/* Builder of gated_delta_update: the recurrence S' = g S; S = S' + b (v - S' k) k^T; o = S q (Yang,
   Kautz and Hatamizadeh, "Gated Delta Networks", 2024). */
#include "ops/gated_delta.h"

#include "ops/shape.h"

#define NAME "gated_delta_update"

static const mica_arrays none = { 0, NULL };

static bool has_shape(mica_scope *s, const char *what, const mica_array *a, mica_dims wanted)
{
    if (mica__shape_equal(mica__dims_of(a), wanted)) return true;
    return mica__error(s, MICA_EVALUE, "[" NAME "] %s has shape %s; q, k and v ask for %s", what,
                       mica__shape_text(mica__dims_of(a)), mica__shape_text(wanted));
}

static bool check_queries(mica_scope *s, mica_array *const in[])
{
    static const char *const names[] = { "q", "k", "v" };
    for (int i = MICA_DELTA_Q; i <= MICA_DELTA_V; i++)
        if (in[i]->ndim != 4)
            return mica__error(s, MICA_EVALUE,
                               "[" NAME
                               "] %s must have 4 dimensions (batch, time, heads, features) but "
                               "has shape %s",
                               names[i], mica__shape_text(mica__dims_of(in[i])));
    const int64_t *q = in[MICA_DELTA_Q]->shape, *v = in[MICA_DELTA_V]->shape;
    if (!has_shape(s, "k", in[MICA_DELTA_K], mica__dims_of(in[MICA_DELTA_Q]))) return false;
    if (q[0] != v[0] || q[1] != v[1])
        return mica__error(s, MICA_EVALUE,
                           "[" NAME
                           "] q of shape %s and v of shape %s must agree in batch and time",
                           mica__shape_text(mica__dims_of(in[MICA_DELTA_Q])),
                           mica__shape_text(mica__dims_of(in[MICA_DELTA_V])));
    if (q[2] ? v[2] % q[2] : v[2])
        return mica__error(s, MICA_EVALUE,
                           "[" NAME
                           "] the %lld heads of v must be a multiple of the %lld of q and k",
                           (long long)v[2], (long long)q[2]);
    return true;
}

/* gamma and beta: one number a head, or one for all. */
static mica_array *a_head(mica_scope *s, const char *what, mica_array *a, mica_dims wanted)
{
    if (a->ndim == 3 && a->shape[2] == 1) {
        int64_t whole[3] = { a->shape[0], a->shape[1], wanted.at[2] };
        a = mica__broadcast_to(s, a, (mica_dims){ 3, whole });
    }
    return a && has_shape(s, what, a, wanted) ? a : NULL;
}

static bool check_others(mica_scope *s, mica_array *in[MICA_DELTA_INPUTS])
{
    const int64_t *q = in[MICA_DELTA_Q]->shape, *v = in[MICA_DELTA_V]->shape;
    const int64_t heads[3] = { v[0], v[1], v[2] }, state[4] = { v[0], v[2], v[3], q[3] };
    const int64_t keys[4] = { v[0], v[1], v[2], q[3] };
    mica_array **mask = &in[MICA_DELTA_MASK];
    if (in[MICA_DELTA_GAMMA]->ndim == 4) {
        if (!has_shape(s, "gamma", in[MICA_DELTA_GAMMA], (mica_dims){ 4, keys })) return false;
    } else if (!(in[MICA_DELTA_GAMMA] =
                     a_head(s, "gamma", in[MICA_DELTA_GAMMA], (mica_dims){ 3, heads }))) {
        return false;
    }
    if (!(in[MICA_DELTA_BETA] = a_head(s, "beta", in[MICA_DELTA_BETA], (mica_dims){ 3, heads })))
        return false;
    if (!in[MICA_DELTA_STATE])
        in[MICA_DELTA_STATE] = mica__full(s, (mica_dims){ 4, state }, 0, MICA_FLOAT32);
    else if (!has_shape(s, "initial_state", in[MICA_DELTA_STATE], (mica_dims){ 4, state }))
        return false;
    if (!*mask) return in[MICA_DELTA_STATE] != NULL;
    if ((*mask)->ndim == 3 && (*mask)->shape[2] == 1)
        *mask = mica__squeeze_axes(s, *mask, 1, (const int64_t[]){ 2 });
    if (!*mask || !has_shape(s, "mask", *mask, (mica_dims){ 2, heads })) return false;
    *mask = mica_not_equal(s, *mask, mica_integer(s, 0));
    return *mask != NULL;
}

mica_arrays mica_fast_gated_delta_update(mica_scope *s, mica_array *q, mica_array *k, mica_array *v,
                                         mica_array *gamma, mica_array *beta,
                                         mica_array *initial_state, mica_array *mask)
{
    mica_array *in[MICA_DELTA_INPUTS] = { q, k, v, gamma, beta, initial_state, mask };
    mica_array **out = mica__scope_alloc(s, 2 * sizeof *out);
    for (int i = 0; i < MICA_DELTA_INPUTS; i++) {
        in[i] = mica__operand(s, in[i]);
        if (i <= MICA_DELTA_BETA && !in[i] && mica__scope_ok(s))
            mica__error(s, MICA_EVALUE, "[" NAME "] an operand is NULL");
    }
    if (!out || !mica__scope_ok(s) || !check_queries(s, in) || !check_others(s, in)) return none;
    /* The result has the type of q and k; states are never halves. */
    mica_dtype given = mica__float_dtype(mica__result_dtype(in, 2)),
               all = mica__result_dtype(in, MICA_DELTA_MASK);
    mica_dtype work = all == MICA_COMPLEX64 ? all : given == MICA_FLOAT64 ? given : MICA_FLOAT32;
    for (int i = 0; i < MICA_DELTA_MASK; i++)
        if (!(in[i] = mica__cast(s, in[i], work))) return none;
    if (work == MICA_COMPLEX64 || in[MICA_DELTA_GAMMA]->ndim == 4) { /* no kernel of their own */
        if (!mica__gated_delta_composed(s, in, out)) return none;
        if (work != MICA_COMPLEX64) out[0] = mica__cast(s, out[0], given);
        return out[0] ? (mica_arrays){ 2, out } : none;
    }
    struct mica__gated_delta_params p = { .masked = in[MICA_DELTA_MASK] != NULL };
    mica_dtype dtypes[2] = { work, work };
    mica_dims shapes[2] = { mica__dims_of(in[MICA_DELTA_V]), mica__dims_of(in[MICA_DELTA_STATE]) };
    if (!mica__build_many(s, mica_prim_gated_delta, &p, MICA_DELTA_MASK + (size_t)p.masked, in, 2,
                          dtypes, shapes, out))
        return none;
    out[0] = mica__cast(s, out[0], given);
    return out[0] ? (mica_arrays){ 2, out } : none;
}

/* ---- composition ---- */

/* What stands at one time, without that axis. */
static mica_array *at_time(mica_scope *s, mica_array *a, int axis, int64_t t)
{
    return mica__squeeze_axes(s, mica__slice_axis(s, a, axis, t, 1), 1, (const int64_t[]){ axis });
}

/* Each head of q and k stands for as many of v as share it. */
static mica_array *shared_heads(mica_scope *s, mica_array *a, int64_t heads)
{
    int64_t own = mica__ready(s, a) ? a->shape[a->ndim - 2] : 1;
    return own == heads || !own ? a : mica_repeat(s, a, heads / own, a->ndim - 2);
}

static mica_array *widened(mica_scope *s, mica_array *a, int axes)
{
    for (int i = 0; i < axes && a; i++) a = mica_expand_dims(s, a, MICA_AXES(-1));
    return a;
}

/* S k for each head: (..., Dv, Dk) and (..., Dk) to (..., Dv). */
static mica_array *applied(mica_scope *s, mica_array *state, mica_array *k)
{
    return mica_sum(s, mica_multiply(s, state, mica_expand_dims(s, k, MICA_AXES(-2))),
                    MICA_AXES(-1), false);
}

bool mica__gated_delta_composed(mica_scope *s, mica_array *const in[MICA_DELTA_INPUTS],
                                mica_array *out[2])
{
    int axis = in[MICA_DELTA_V]->ndim - 3; /* of time, in all but the state */
    int64_t steps = in[MICA_DELTA_V]->shape[axis], heads = in[MICA_DELTA_V]->shape[axis + 1];
    bool by_key = in[MICA_DELTA_GAMMA]->ndim == in[MICA_DELTA_V]->ndim; /* a decay for each key */
    mica_array *q = shared_heads(s, in[MICA_DELTA_Q], heads),
               *k = shared_heads(s, in[MICA_DELTA_K], heads);
    mica_array *state = in[MICA_DELTA_STATE],
               **y = mica__scope_alloc(s, ((size_t)steps + 1) * sizeof *y);
    if (!y) return false;
    for (int64_t t = 0; t < steps && mica__scope_ok(s); t++) {
        mica_array *kt = at_time(s, k, axis, t), *gamma = at_time(s, in[MICA_DELTA_GAMMA], axis, t),
                   *beta = at_time(s, in[MICA_DELTA_BETA], axis, t);
        gamma = by_key ? mica_expand_dims(s, gamma, MICA_AXES(-2)) : widened(s, gamma, 2);
        mica_array *decayed = mica_multiply(s, state, gamma);
        mica_array *error =
            mica_subtract(s, at_time(s, in[MICA_DELTA_V], axis, t), applied(s, decayed, kt));
        mica_array *change = mica_multiply(
            s, mica_expand_dims(s, mica_multiply(s, error, widened(s, beta, 1)), MICA_AXES(-1)),
            mica_expand_dims(s, kt, MICA_AXES(-2)));
        mica_array *next = mica_add(s, decayed, change);
        y[t] = applied(s, next, at_time(s, q, axis, t));
        if (in[MICA_DELTA_MASK]) {
            mica_array *seen = widened(s, at_time(s, in[MICA_DELTA_MASK], axis, t), 2);
            y[t] = mica_where(s, seen, y[t], mica_number(s, 0));
            next = mica_where(s, widened(s, seen, 1), next, state);
        }
        state = next;
    }
    out[0] = steps ? mica_stack(s, (mica_arrays){ (size_t)steps, y }, axis)
                   : mica__full_like(s, in[MICA_DELTA_V], 0);
    out[1] = state;
    return out[0] && out[1];
}
