/* Functions written for MLX: values, constants, operations in order. */
#include "io/mlx_write.h"

#include "autodiff/autodiff.h"
#include "io/mlx_apart.h"
#include "ops/builder.h"

struct mica__mlx_writer {
    mica_scope *s;
    mica__text arrays; /* entries so far */
    uint64_t count, next;
    mica__graph graph;
    mlx_value **values;  /* by place in the graph: one for each output */
    mica__map constants; /* captured array -> its value */
};

mica_scope *mica__mlx_scope(mica__mlx_writer *w)
{
    return w->s;
}

/* ---- bytes ---- */

static void put_word(mica__text *t, uint64_t word)
{
    mica__text_add(t, &word, sizeof word);
}
void mica__mlx_int(mica__text *t, int64_t value)
{
    int32_t small = (int32_t)value;
    mica__text_add(t, &small, sizeof small);
}
void mica__mlx_truth(mica__text *t, bool value)
{
    mica__text_add(t, value ? "\1" : "\0", 1);
}
void mica__mlx_text(mica__text *t, const char *text)
{
    put_word(t, strlen(text));
    mica__text_add_string(t, text);
}
void mica__mlx_list(mica__text *t, mica_dims list, size_t each)
{
    put_word(t, (uint64_t)list.n);
    for (int64_t i = 0; i < list.n; i++)
        if (each == 4) mica__mlx_int(t, list.at[i]);
        else put_word(t, (uint64_t)list.at[i]);
}
void mica__mlx_dtype(mica__text *t, mica_dtype dtype)
{
    unsigned char bytes = mica__dtype_sizes[dtype];
    mica__mlx_int(t, dtype);
    mica__text_add(t, &bytes, 1);
}
static void put_type(mica__text *t, mica_dtype dtype, mica_dims shape)
{
    mica__mlx_list(t, shape, 4);
    mica__mlx_dtype(t, dtype);
}

void mica__mlx_write_head(mica__text *to, size_t functions, const char *metadata)
{
    mica__mlx_text(to, "0.32.4");
    mica__mlx_int(to, (int64_t)functions);
    mica__mlx_truth(to, false);
    mica__mlx_text(to, metadata);
}

/* ---- entries ---- */

/* MLX counts sizes in 32 bits. */
static bool check_shape(mica__mlx_writer *w, mica_dims shape)
{
    for (int64_t i = 0; i < shape.n; i++)
        if (shape.at[i] > INT32_MAX)
            return mica__error(w->s, MICA_EVALUE,
                               "[export_function] a size of %lld is more than files of MLX hold",
                               (long long)shape.at[i]);
    return true;
}

bool mica__mlx_emit(mica__mlx_writer *w, const char *name, mica__text *parameters, size_t nin,
                    const mlx_value in[], size_t nout, const mica_dtype dtypes[],
                    const mica_dims shapes[], mlx_value out[])
{
    mica__text *t = &w->arrays;
    static const char stream[12];
    for (size_t i = 0; i < nout; i++) {
        if (!check_shape(w, shapes[i])) return false;
        out[i] = (mlx_value){ w->next++, dtypes[i], shapes[i] };
    }
    put_word(t, out[0].identity);
    mica__mlx_truth(t, true);
    put_word(t, nin);
    for (size_t i = 0; i < nin; i++) put_word(t, in[i].identity);
    mica__text_add(t, stream, sizeof stream);
    mica__mlx_text(t, name);
    if (parameters && parameters->n) mica__text_add(t, parameters->at, parameters->n);
    if (parameters && parameters->status && !t->status) t->status = parameters->status;
    if (parameters) mica__text_free(parameters);
    put_word(t, nout - 1);
    if (nout == 1) {
        put_type(t, dtypes[0], shapes[0]);
    } else {
        put_word(t, nout);
        for (size_t i = 0; i < nout; i++) put_word(t, out[i].identity);
        put_word(t, nout);
        for (size_t i = 0; i < nout; i++) mica__mlx_list(t, shapes[i], 4);
        put_word(t, nout);
        for (size_t i = 0; i < nout; i++) mica__mlx_dtype(t, dtypes[i]);
    }
    w->count++;
    return true;
}

static bool put_constant(mica__mlx_writer *w, mica_array *a, mlx_value *out)
{
    mica_array *dense = mica_contiguous(w->s, a, false);
    if (!dense || mica_eval(w->s, &dense, 1) != MICA_OK || !check_shape(w, mica__dims_of(dense)))
        return false;
    *out = (mlx_value){ w->next++, (mica_dtype)dense->dtype, mica__dims_of(a) };
    put_word(&w->arrays, out->identity);
    mica__text_add(&w->arrays, "\0\1", 2);
    put_type(&w->arrays, out->dtype, out->shape);
    mica__text_add(&w->arrays, dense->data, (size_t)dense->size * mica__dtype_sizes[dense->dtype]);
    w->count++;
    int status = mica__check_values(dense);
    return status ? mica__scope_failed(w->s, status) != NULL : true;
}

bool mica__mlx_number(mica__mlx_writer *w, mica_dtype dtype, double value, mlx_value *out)
{
    mica_array *a = mica_scalar(w->s, value, dtype);
    return a && put_constant(w, a, out);
}

/* ---- graphs ---- */

static mica_array *passed(const mica_node *n, size_t slot)
{
    if (n->prim == mica_prim_alias) return n->inputs[0];
    if (n->prim == mica_prim_depends) return n->inputs[slot];
    if (n->prim == mica_prim_custom)
        return n->inputs[(size_t)MICA_PARAMS(n, custom)->arguments + slot];
    return NULL;
}

static bool value_of(mica__mlx_writer *w, mica_array *a, mlx_value *out)
{
    int64_t at;
    void *known;
    while ((at = mica__graph_find(&w->graph, a)) >= 0) {
        mica_array *behind = passed(mica__node_of(a), a->slot);
        if (!behind) {
            *out = w->values[at][a->slot];
            return true;
        }
        a = behind;
    }
    if (mica__map_get(&w->constants, a, &known)) {
        *out = *(mlx_value *)known;
        return true;
    }
    mlx_value *kept = mica__scope_alloc(w->s, sizeof *kept);
    if (!kept || !put_constant(w, a, kept)) return false;
    int status = mica__map_set(&w->constants, a, kept);
    *out = *kept;
    return status ? mica__scope_failed(w->s, status) != NULL : true;
}

static bool put_node(mica__mlx_writer *w, size_t place)
{
    const mica_node *n = w->graph.nodes.at[place];
    if (passed(n, 0)) return true;
    mlx_value *in = mica__scope_alloc(w->s, (n->ninputs + 1) * sizeof *in);
    w->values[place] = mica__scope_alloc(w->s, n->noutputs * sizeof **w->values);
    if (!in || !w->values[place]) return false;
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (!value_of(w, n->inputs[i], &in[i])) return false;
    return mica__mlx_write_node(w, n, in, w->values[place]);
}

static bool put_input(mica__mlx_writer *w, const mica_array *a)
{
    int64_t at = mica__graph_find(&w->graph, a);
    mlx_value *v = mica__scope_alloc(w->s, sizeof *v);
    if (!v || !check_shape(w, mica__dims_of(a))) return false;
    *v = (mlx_value){ w->next++, (mica_dtype)a->dtype, mica__dims_of(a) };
    w->values[at] = v;
    put_word(&w->arrays, v->identity);
    mica__text_add(&w->arrays, "\0\0", 2);
    w->count++;
    return true;
}

/* ---- operations of which MLX's CPU build has none ---- */

/* What stands for an array once operations are taken apart. */
static mica_array *other_for(const mica__map *others, mica_array *a)
{
    void *found;
    return mica__map_get(others, a, &found) ? found : a;
}

static bool take_apart(mica_scope *s, const mica_node *n, mica__map *others)
{
    mica_array **in = mica__scope_alloc(s, (n->ninputs + 1) * sizeof(mica_array *));
    mica_array **out = mica__scope_alloc(s, (n->noutputs + 8u) * sizeof(mica_array *));
    bool changed = false;
    if (!in || !out) return false;
    for (uint32_t i = 0; i < n->ninputs; i++) {
        in[i] = other_for(others, n->inputs[i]);
        changed |= in[i] != n->inputs[i];
    }
    size_t count = n->noutputs;
    if (mica__mlx_is_apart(n)) count = mica__mlx_take_apart(s, n, in, out);
    else if (!changed) return true;
    else if (!mica__rebuild(s, n, in, NULL, out)) return false;
    for (size_t i = 0; i < count; i++) {
        const mica_array *of = &n->out[i];
        if (mica__map_set(others, of, out[i])) return mica__scope_failed(s, MICA_EMEMORY);
    }
    return count > 0;
}

/* Results of a graph without operations that have to be taken apart; in memory of the scope. NULL
 * on failure. */
static mica_array **in_parts(mica_scope *s, mica_array *const results[], size_t nresults,
                             mica_array *const placeholders[], size_t n)
{
    mica__graph g = { 0 };
    mica__map others = { 0 };
    mica_array **out = mica__scope_alloc(s, (nresults + 1) * sizeof(mica_array *));
    bool ok = out && mica__graph_make(s, &g, results, nresults, placeholders, n);
    for (size_t i = n; ok && i < g.nodes.n; i++) ok = take_apart(s, g.nodes.at[i], &others);
    for (size_t i = 0; ok && i < nresults; i++) out[i] = other_for(&others, results[i]);
    mica__graph_free(&g);
    mica__map_free(&others);
    return ok ? out : NULL;
}

static bool put_function(mica__mlx_writer *w, mica__text *to, const mica__signature *g,
                         mica_array *const results[], size_t nresults,
                         mica_array *const placeholders[], size_t n)
{
    mica_array **plain = in_parts(w->s, results, nresults, placeholders, n);
    if (!plain || !mica__graph_make(w->s, &w->graph, plain, nresults, placeholders, n))
        return false;
    w->values = mica__scope_alloc(w->s, (w->graph.nodes.n + 1) * sizeof *w->values);
    mlx_value *out = mica__scope_alloc(w->s, (nresults + 1) * sizeof *out);
    if (!w->values || !out) return false;
    for (size_t i = 0; i < n; i++)
        if (!put_input(w, placeholders[i])) return false;
    for (size_t i = n; i < w->graph.nodes.n; i++)
        if (!put_node(w, i)) return false;
    for (size_t i = 0; i < nresults; i++)
        if (!value_of(w, plain[i], &out[i])) return false;
    put_word(to, g->nkeywords);
    for (size_t i = 0; i < g->nkeywords; i++) mica__mlx_text(to, g->keywords[i]);
    put_word(to, n);
    for (size_t i = 0; i < n; i++)
        put_word(to, w->values[mica__graph_find(&w->graph, placeholders[i])]->identity);
    put_word(to, n);
    for (size_t i = 0; i < n; i++) put_type(to, g->dtypes[i], g->shapes[i]);
    put_word(to, nresults);
    for (size_t i = 0; i < nresults; i++) put_word(to, out[i].identity);
    put_word(to, w->count);
    if (w->arrays.n) mica__text_add(to, w->arrays.at, w->arrays.n);
    int status = w->arrays.status ? w->arrays.status : to->status;
    if (status) mica__scope_failed(w->s, status);
    return mica__scope_ok(w->s);
}

bool mica__mlx_write(mica_scope *s, mica__text *to, const mica__signature *g,
                     mica_array *const results[], size_t nresults, mica_array *const placeholders[],
                     size_t n)
{
    mica__mlx_writer w = { .s = s, .next = 1 };
    bool ok = put_function(&w, to, g, results, nresults, placeholders, n);
    mica__graph_free(&w.graph);
    mica__map_free(&w.constants);
    mica__text_free(&w.arrays);
    if (!ok) mica__scope_failed(s, MICA_EMEMORY);
    return ok;
}
