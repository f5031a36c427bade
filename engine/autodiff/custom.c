/* The primitives custom and depends: outputs that are some of their inputs. */
#include "autodiff/custom.h"

static bool build(mica_scope *s, mica_prim prim, const void *params, mica_array *const first[],
                  size_t nfirst, mica_array *const second[], size_t nsecond,
                  mica_array *const like[], size_t nout, mica_array *out[])
{
    mica_array **in = mica__scope_alloc(s, (nfirst + nsecond + 1) * sizeof *in);
    mica_dtype *dtypes = mica__scope_alloc(s, (nout + 1) * sizeof *dtypes);
    mica_dims *shapes = mica__scope_alloc(s, (nout + 1) * sizeof *shapes);
    if (!in || !dtypes || !shapes) return false;
    memcpy(in, first, nfirst * sizeof *in);
    memcpy(in + nfirst, second, nsecond * sizeof *in);
    for (size_t i = 0; i < nout; i++) {
        dtypes[i] = (mica_dtype)like[i]->dtype;
        shapes[i] = mica__dims_of(like[i]);
    }
    return mica__build_many(s, prim, params, nfirst + nsecond, in, nout, dtypes, shapes, out);
}

bool mica__custom_build(mica_scope *s, mica__custom_rules *rules, mica_array *const arguments[],
                        size_t n, mica_array *const results[], size_t nresults, mica_array *out[])
{
    struct mica__custom_params p = { (int64_t)n, rules, 0 };
    return build(s, mica_prim_custom, &p, arguments, n, results, nresults, results, nresults, out);
}

bool mica__depends_build(mica_scope *s, mica_array *const inputs[], size_t n,
                         mica_array *const dependencies[], size_t ndependencies, mica_array *out[])
{
    return build(s, mica_prim_depends, NULL, inputs, n, dependencies, ndependencies, inputs, n,
                 out);
}

/* ---- custom ---- */

static mica__custom_rules *rules_of(const mica_node *n)
{
    return MICA_PARAMS(n, custom)->rules;
}
static size_t arguments_of(const mica_node *n)
{
    return (size_t)MICA_PARAMS(n, custom)->arguments;
}

void mica__vjp_custom(mica_scope *s, const mica_node *n, mica_array *const cotangents[],
                      const bool needed[], mica_array *gradients[])
{
    mica__custom_rules *r = rules_of(n);
    size_t k = arguments_of(n);
    if (!r->vjp) { /* through the results' own graph */
        for (size_t i = 0; i < n->noutputs; i++)
            if (needed[k + i]) gradients[k + i] = cotangents[i];
        return;
    }
    mica_array *full[255], *outputs[255];
    for (size_t i = 0; i < n->noutputs; i++) {
        outputs[i] = mica__output(s, n, i);
        full[i] = cotangents[i] ? cotangents[i] : mica__full_like(s, &n->out[i], 0);
        if (!full[i] || !outputs[i]) return;
    }
    mica_array **found = mica__scope_alloc(s, (k + 1) * sizeof *found);
    if (!found) return;
    memset(found, 0, k * sizeof *found);
    if (!r->vjp(r, s, n->inputs, k, full, outputs, n->noutputs, found)) return;
    for (size_t i = 0; i < k; i++)
        if (needed[i]) gradients[i] = found[i];
}

void mica__jvp_custom(mica_scope *s, const mica_node *n, mica_array *const tangents[],
                      mica_array *results[])
{
    mica__custom_rules *r = rules_of(n);
    size_t k = arguments_of(n);
    if (r->jvp) {
        r->jvp(r, s, n->inputs, tangents, k, results, n->noutputs);
        return;
    }
    for (size_t i = 0; i < n->noutputs; i++) results[i] = tangents[k + i];
}

bool mica__vmap_custom(mica_scope *s, const mica_node *n, mica_array *const in[],
                       const bool batched[], int64_t batch, mica_array *results[])
{
    mica__custom_rules *r = rules_of(n);
    size_t k = arguments_of(n);
    if (r->vmap) return r->vmap(r, s, in, batched, k, batch, results, n->noutputs);
    for (size_t i = 0; i < n->noutputs; i++)
        results[i] = mica__with_batch(s, in[k + i], batched[k + i], batch);
    return s->status == MICA_OK;
}

/* ---- depends ---- */

void mica__vjp_depends(mica_scope *s, const mica_node *n, mica_array *const cotangents[],
                       const bool needed[], mica_array *gradients[])
{
    (void)s;
    for (size_t i = 0; i < n->noutputs; i++)
        if (needed[i]) gradients[i] = cotangents[i];
}

void mica__jvp_depends(mica_scope *s, const mica_node *n, mica_array *const tangents[],
                       mica_array *results[])
{
    (void)s;
    for (size_t i = 0; i < n->noutputs; i++) results[i] = tangents[i];
}

bool mica__vmap_depends(mica_scope *s, const mica_node *n, mica_array *const in[],
                        const bool batched[], int64_t batch, mica_array *results[])
{
    mica_array **full = mica__scope_alloc(s, n->noutputs * sizeof *full);
    if (!full) return false;
    for (size_t i = 0; i < n->noutputs; i++)
        full[i] = mica__with_batch(s, in[i], batched[i], batch);
    return mica__depends_build(s, full, n->noutputs, in + n->noutputs, n->ninputs - n->noutputs,
                               results);
}
