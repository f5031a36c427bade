/* Batching: rebuilds a graph of single examples as one of batches. The batch axis stands in front
 * of every batched array inside. */
#include "autodiff/autodiff.h"
#include "core/origin.h"

/* Room for one number more in front. */
static mica_dims with_batch(int64_t batch, mica_dims shape, int64_t out[MICA_MAX_NDIM + 1])
{
    out[0] = batch;
    for (int64_t i = 0; i < shape.n; i++) out[i + 1] = shape.at[i];
    return (mica_dims){ shape.n + 1, out };
}

/* Axes of size 1 between the batch axis and the rest, so that broadcasting lines up with operands
 * of `ndim` axes. */
static mica_array *align(mica_scope *s, mica_array *a, int ndim)
{
    if (!a || a->ndim - 1 >= ndim) return a;
    int64_t axes[MICA_MAX_NDIM], n = 0;
    for (int64_t i = a->ndim; i <= ndim; i++, n++) axes[n] = n + 1;
    return mica_expand_dims(s, a, (mica_dims){ n, axes });
}

static bool elementwise(mica_scope *s, const mica_node *n, mica_array *const in[],
                        const bool batched[], int64_t batch, mica_array *results[])
{
    mica_array *aligned[3];
    for (uint32_t i = 0; i < n->ninputs; i++)
        aligned[i] = batched[i] ? align(s, in[i], n->out[0].ndim) : in[i];
    int64_t shape[MICA_MAX_NDIM + 1];
    results[0] =
        mica__rebuild_as(s, n, aligned, NULL, with_batch(batch, mica__dims_of(&n->out[0]), shape));
    return results[0] != NULL;
}

/* Parameters whose axes count one more; lists live in `room`. */
static const void *shift_axes(mica_scope *s, const mica_node *n)
{
    size_t size = mica__params_bytes(n->prim, n->params);
    char *params = mica__scope_alloc(s, size + 8);
    if (!params) return NULL;
    mica__params_take(n, params);
    char *at = params;
    int64_t *tail = (int64_t *)(void *)(params + mica__prims[n->prim].params_size);
    for (const mica__field *f = mica__prims[n->prim].fields; f->kind != MICA_FIELD_END; f++) {
        if (f->kind == MICA_FIELD_AXIS) ++*(int64_t *)(void *)at;
        if (f->kind == MICA_FIELD_AXES) {
            mica_dims *d = (mica_dims *)(void *)at;
            for (int64_t i = 0; i < d->n; i++) tail[i] = d->at[i] + 1;
            d->at = tail;
            tail += d->n > 0 ? d->n : 0;
        }
        at += f->kind == MICA_FIELD_DIMS || f->kind == MICA_FIELD_AXES ? sizeof(mica_dims) : 8;
    }
    return params;
}

mica_array *mica__with_batch(mica_scope *s, mica_array *a, bool batched, int64_t batch)
{
    if (batched || !a) return a;
    int64_t shape[MICA_MAX_NDIM + 1];
    return mica__broadcast_to(s, a, with_batch(batch, mica__dims_of(a), shape));
}

/* All inputs get the batch axis; axes move by one; outputs get the batch axis. */
static bool shifted(mica_scope *s, const mica_node *n, mica_array *const in[], const bool batched[],
                    int64_t batch, mica_array *results[])
{
    const void *params = mica__prims[n->prim].params_size ? shift_axes(s, n) : NULL;
    mica_array **full = mica__scope_alloc(s, (n->ninputs + 1) * sizeof *full);
    int64_t(*shapes)[MICA_MAX_NDIM + 1] = mica__scope_alloc(s, n->noutputs * sizeof *shapes);
    mica_dims *dims = mica__scope_alloc(s, n->noutputs * sizeof *dims);
    mica_dtype *dtypes = mica__scope_alloc(s, n->noutputs * sizeof *dtypes);
    if (!full || !shapes || !dims || !dtypes || s->status != MICA_OK) return false;
    for (uint32_t i = 0; i < n->ninputs; i++)
        full[i] = mica__with_batch(s, in[i], batched[i], batch);
    for (size_t i = 0; i < n->noutputs; i++) {
        dims[i] = with_batch(batch, mica__dims_of(&n->out[i]), shapes[i]);
        dtypes[i] = (mica_dtype)n->out[i].dtype;
    }
    return mica__build_many(s, (mica_prim)n->prim, params, n->ninputs, full, n->noutputs, dtypes,
                            dims, results);
}

static bool batch_node(mica_scope *s, const mica_node *n, mica_array *const in[],
                       const bool batched[], int64_t batch, mica_array *results[])
{
    const mica__rule_set *rules = &mica__rule_sets[n->prim];
    if (rules->vmap) return rules->vmap(s, n, in, batched, batch, results);
    switch (mica__prims[n->prim].class) {
    case MICA_CLASS_UNARY:
    case MICA_CLASS_BINARY:
    case MICA_CLASS_TERNARY:
    case MICA_CLASS_CAST: return elementwise(s, n, in, batched, batch, results);
    case MICA_CLASS_REDUCE:
    case MICA_CLASS_AXISOP:
    case MICA_CLASS_BATCHED: return shifted(s, n, in, batched, batch, results);
    default: break;
    }
    mica__error(
        s, MICA_EVALUE,
        "[Primitive::vmap] Not implemented for %s; call it outside of vmap or loop over the axis.",
        mica__prims[n->prim].name);
    return false;
}

/* What stands for each output of each node: the batched (or plain) array. */
typedef struct mapped {
    mica_array *array;
    bool batched;
} mapped;

typedef struct mapping {
    mica__graph graph;
    size_t *offset;
    mapped *outputs;
} mapping;

static mapped look_up(const mapping *m, mica_array *a)
{
    int64_t at = mica__graph_find(&m->graph, a);
    return at < 0 ? (mapped){ a, false } : m->outputs[m->offset[at] + a->slot];
}

/* Whether the batched operation counts axes of its first input with the batch axis in front. */
static bool in_front(const mica_node *n, const bool batched[])
{
    return (n->prim != mica_prim_gather && n->prim != mica_prim_dynamic_slice) || batched[0];
}

static void map_node(mica_scope *s, mapping *m, size_t place, int64_t batch)
{
    mica_node *n = m->graph.nodes.at[place];
    mapped *out = &m->outputs[m->offset[place]];
    mica_array **in = mica__scope_alloc(s, (n->ninputs + 1) * sizeof *in);
    mica_array **results = mica__scope_alloc(s, n->noutputs * sizeof *results);
    bool *batched = mica__scope_alloc(s, n->ninputs + 1);
    if (!in || !results || !batched) return;
    bool any = false;
    for (uint32_t k = 0; k < n->ninputs; k++) {
        mapped v = look_up(m, n->inputs[k]);
        in[k] = v.array;
        batched[k] = v.batched;
        any = any || v.batched;
    }
    for (size_t k = 0; k < n->noutputs; k++) results[k] = NULL;
    uint16_t caller = s->origin; /* errors name the function and the axis of one example */
    s->origin = any && in_front(n, batched) ? mica__origin_batched(n->origin) : n->origin;
    bool good = any ? batch_node(s, n, in, batched, batch, results)
                    : mica__rebuild(s, n, in, NULL, results);
    s->origin = caller;
    if (!good) return;
    for (size_t k = 0; k < n->noutputs; k++) out[k] = (mapped){ results[k], any };
}

bool mica__batch(mica_scope *s, mica_array *const results[], size_t nresults,
                 mica_array *const placeholders[], mica_array *const inputs[], const bool batched[],
                 size_t n, int64_t batch, mica_array *out[], bool out_batched[])
{
    mapping m = { 0 };
    if (!mica__scope_ok(s) || !mica__graph_make(s, &m.graph, results, nresults, placeholders, n))
        return false;
    size_t count = m.graph.nodes.n, outputs = 0;
    m.offset = mica__scope_alloc(s, (count + 1) * sizeof *m.offset);
    for (size_t i = 0; i < count && m.offset; i++) {
        m.offset[i] = outputs;
        outputs += ((mica_node *)m.graph.nodes.at[i])->noutputs;
    }
    m.outputs = mica__scope_alloc(s, (outputs + 1) * sizeof *m.outputs);
    if (m.offset && m.outputs) {
        for (size_t i = 0; i < n; i++)
            m.outputs[m.offset[mica__graph_find(&m.graph, placeholders[i])]] =
                (mapped){ inputs[i], batched[i] };
        for (size_t i = n; i < count && s->status == MICA_OK; i++) map_node(s, &m, i, batch);
        for (size_t i = 0; i < nresults && s->status == MICA_OK; i++) {
            mapped v = look_up(&m, results[i]);
            out[i] = v.array;
            out_batched[i] = v.batched;
        }
    }
    mica__graph_free(&m.graph);
    return s->status == MICA_OK;
}
