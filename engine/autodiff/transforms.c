/* The transformations of C functions: tracers in, the function, walkers over what it built. */
#include "autodiff/autodiff.h"

/* Calls a function of several results on tracers; false when it failed, and the scope says why. */
static bool call(mica_scope *s, mica_functions *function, void *user, mica_array *const arguments[],
                 size_t n, mica_arrays *results)
{
    *results = function(s, (mica_arrays){ n, arguments }, user);
    if (s->status != MICA_OK) return false;
    for (size_t i = 0; i < results->n; i++) {
        if (results->at[i]) continue;
        mica__error(s, MICA_EVALUE, "[transform] result %zu of the function is NULL", i);
        return false;
    }
    return true;
}

static bool check_arguments(mica_scope *s, const char *name, mica_arrays arguments)
{
    if (!mica__scope_ok(s)) return false;
    for (size_t i = 0; i < arguments.n; i++)
        if (!arguments.at[i]) {
            mica__error(s, MICA_EVALUE, "[%s] argument %zu is NULL", name, i);
            return false;
        }
    return true;
}

static bool check_like(mica_scope *s, const char *name, const char *what, mica_arrays given,
                       mica_arrays like)
{
    if (given.n != like.n) {
        mica__error(s, MICA_EVALUE, "[%s] %zu %ss are given for %zu arrays", name, given.n, what,
                    like.n);
        return false;
    }
    for (size_t i = 0; i < given.n; i++)
        if (!given.at[i] ||
            !mica__shape_equal(mica__dims_of(given.at[i]), mica__dims_of(like.at[i]))) {
            mica__error(s, MICA_EVALUE, "[%s] %s %zu has shape %s where %s is needed", name, what,
                        i, given.at[i] ? mica__shape_text(mica__dims_of(given.at[i])) : "NULL",
                        mica__shape_text(mica__dims_of(like.at[i])));
            return false;
        }
    return true;
}

/* Ends a trace in a scope that may have failed. */
static void end(mica_scope *s, mica_array *const results[], size_t n)
{
    if (!mica__trace_end(results, s->status == MICA_OK ? n : 0))
        mica__scope_failed(s, MICA_EMEMORY);
}

static void end_both(mica_scope *s, mica_arrays a, mica_arrays b)
{
    mica_array **all = mica__scope_alloc(s, (a.n + b.n + 1) * sizeof *all);
    if (all && a.n) memcpy(all, a.at, a.n * sizeof *all);
    if (all && b.n) memcpy(all + a.n, b.at, b.n * sizeof *all);
    end(s, all, a.n + b.n);
}

int mica_value_and_grad(mica_scope *s, mica_function *function, void *user,
                        mica_array *const arguments[], size_t n, mica_array **value,
                        mica_array *gradients[])
{
    if (!check_arguments(s, "value_and_grad", (mica_arrays){ n, arguments }))
        return mica_scope_status(s);
    mica_array **tracers = mica__scope_alloc(s, (n + 1) * sizeof *tracers);
    mica_array **found = mica__scope_alloc(s, (n + 1) * sizeof *found);
    if (!tracers || !found) return s->status;
    memset(found, 0, (n + 1) * sizeof *found);
    mica_array *result = NULL;
    if (mica__trace_begin(s, arguments, n, tracers)) {
        result = function(s, tracers, user);
        if (mica__scope_ok(s) && (!result || result->ndim))
            mica__error(s, MICA_EVALUE,
                        "[value_and_grad] the function must return a 0-d array, not %s",
                        result ? mica__shape_text(mica__dims_of(result)) : "NULL");
        mica_array *one = mica__scope_ok(s) ? mica__full_like(s, result, 1) : NULL;
        if (one) mica__pull_back(s, &result, &one, 1, tracers, n, found);
    }
    found[n] = result;
    end(s, found, n + 1);
    if (s->status != MICA_OK) return s->status;
    if (value) *value = result;
    memcpy(gradients, found, n * sizeof *found);
    return MICA_OK;
}

int mica_vjp(mica_scope *s, mica_functions *function, void *user, mica_arrays arguments,
             mica_arrays cotangents, mica_arrays *results, mica_arrays *gradients)
{
    if (!check_arguments(s, "vjp", arguments)) return mica_scope_status(s);
    size_t n = arguments.n;
    mica_array **tracers = mica__scope_alloc(s, (n + 1) * sizeof *tracers);
    mica_array **found = mica__scope_alloc(s, (n + 1) * sizeof *found);
    if (!tracers || !found) return s->status;
    memset(found, 0, (n + 1) * sizeof *found);
    mica_arrays out = { 0 };
    if (mica__trace_begin(s, arguments.at, n, tracers) &&
        call(s, function, user, tracers, n, &out) &&
        check_like(s, "vjp", "cotangent", cotangents, out))
        mica__pull_back(s, out.at, cotangents.at, out.n, tracers, n, found);
    end_both(s, out, (mica_arrays){ n, found });
    if (s->status != MICA_OK) return s->status;
    if (results) *results = out;
    *gradients = (mica_arrays){ n, found };
    return MICA_OK;
}

int mica_jvp(mica_scope *s, mica_functions *function, void *user, mica_arrays arguments,
             mica_arrays tangents, mica_arrays *results, mica_arrays *result_tangents)
{
    if (!check_arguments(s, "jvp", arguments) ||
        !check_like(s, "jvp", "tangent", tangents, arguments))
        return mica_scope_status(s);
    size_t n = arguments.n;
    mica_array **tracers = mica__scope_alloc(s, (n + 1) * sizeof *tracers);
    if (!tracers) return s->status;
    mica_arrays out = { 0 };
    mica_array **found = NULL;
    if (mica__trace_begin(s, arguments.at, n, tracers) &&
        call(s, function, user, tracers, n, &out) &&
        (found = mica__scope_alloc(s, (out.n + 1) * sizeof *found)))
        mica__push_forward(s, out.at, out.n, tracers, tangents.at, n, found);
    end_both(s, out, (mica_arrays){ found ? out.n : 0, found });
    if (s->status != MICA_OK) return s->status;
    if (results) *results = out;
    *result_tangents = (mica_arrays){ out.n, found };
    return MICA_OK;
}

/* The size of the mapped axes, or -1 with the scope marked. axes are normalised into `axes`. */
static int64_t batch_size(mica_scope *s, mica_arrays arguments, const int in_axes[], int axes[])
{
    int64_t batch = -1;
    for (size_t i = 0; i < arguments.n; i++) {
        axes[i] = in_axes[i];
        if (in_axes[i] == MICA_NO_AXIS) continue;
        if (!mica__check_axis(s, "vmap", MICA_EINDEX, arguments.at[i], in_axes[i], &axes[i]))
            return -1;
        int64_t size = arguments.at[i]->shape[axes[i]];
        if (batch >= 0 && size != batch) {
            mica__error(s, MICA_EVALUE, "[vmap] Inconsistent axis sizes: %lld and %lld.",
                        (long long)batch, (long long)size);
            return -1;
        }
        batch = size;
    }
    if (batch < 0) mica__error(s, MICA_EVALUE, "[vmap] At least one of in_axes must be non-None.");
    return batch;
}

int mica_vmap(mica_scope *s, mica_functions *function, void *user, mica_arrays arguments,
              const int in_axes[], int out_axis, mica_arrays *results)
{
    if (!check_arguments(s, "vmap", arguments)) return mica_scope_status(s);
    size_t n = arguments.n;
    mica_array **holders = mica__scope_alloc(s, (n + 1) * sizeof *holders);
    mica_array **fronted = mica__scope_alloc(s, (n + 1) * sizeof *fronted);
    int *axes = mica__scope_alloc(s, (n + 1) * sizeof *axes);
    bool *batched = mica__scope_alloc(s, n + 1);
    if (!holders || !fronted || !axes || !batched) return s->status;
    int64_t batch = batch_size(s, arguments, in_axes, axes);
    if (batch < 0) return s->status;
    if (!mica__batch_begin(s, arguments.at, axes, n, holders, fronted, batched)) return s->status;
    mica_arrays traced;
    if (!call(s, function, user, holders, n, &traced)) return s->status;
    mica_array **out = mica__scope_alloc(s, (traced.n + 1) * sizeof *out);
    if (!out || !mica__batch_end(s, traced.at, traced.n, holders, fronted, batched, n, batch,
                                 &out_axis, false, out))
        return s->status;
    *results = (mica_arrays){ traced.n, out };
    return MICA_OK;
}

bool mica__batch_begin(mica_scope *s, mica_array *const arguments[], const int axes[], size_t n,
                       mica_array *holders[], mica_array *fronted[], bool batched[])
{
    for (size_t i = 0; i < n && s->status == MICA_OK; i++) {
        mica_array *a = mica__operand(s, arguments[i]);
        if (!a) return false;
        batched[i] = axes[i] != MICA_NO_AXIS;
        if (!batched[i]) {
            holders[i] = mica__placeholder(s, (mica_dtype)a->dtype, mica__dims_of(a));
            fronted[i] = a;
            continue;
        }
        int64_t shape[MICA_MAX_NDIM], m = 0;
        for (int k = 0; k < a->ndim; k++)
            if (k != axes[i]) shape[m++] = a->shape[k];
        holders[i] = mica__placeholder(s, (mica_dtype)a->dtype, (mica_dims){ m, shape });
        fronted[i] = axes[i] ? mica_moveaxis(s, a, axes[i], 0) : a;
    }
    return s->status == MICA_OK;
}

bool mica__batch_end(mica_scope *s, mica_array *const results[], size_t nresults,
                     mica_array *const holders[], mica_array *const fronted[], const bool batched[],
                     size_t n, int64_t batch, const int out_axes[], bool each, mica_array *out[])
{
    bool *carries = mica__scope_alloc(s, nresults + 1);
    if (!carries ||
        !mica__batch(s, results, nresults, holders, fronted, batched, n, batch, out, carries))
        return false;
    for (size_t i = 0; i < nresults; i++) {
        out[i] = mica__with_batch(s, out[i], carries[i], batch);
        int axis = each ? out_axes[i] : out_axes[0], normal;
        if (!out[i] || !mica__check_axis(s, "vmap", MICA_EINDEX, out[i], axis, &normal))
            return false;
        if (normal) out[i] = mica_moveaxis(s, out[i], 0, normal);
    }
    return s->status == MICA_OK;
}
