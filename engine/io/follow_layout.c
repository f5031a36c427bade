/* Where things stand in a graph that was written (export_graph.c), what of it may differ between
   traces, and rules for sizes as words of a file. */
#include "io/follow.h"

/* ---- layout ---- */

typedef struct walk {
    mica__words w;
    mica__layout *l;
    size_t ninputs;
} walk;

static size_t place(const walk *k)
{
    return (size_t)(k->w.at - k->l->graph);
}

static void set_free(walk *k, size_t at, size_t words)
{
    memset(k->l->free + at, true, 8 * words);
}

/* A type and a shape: a value. Its sizes may differ. */
static bool take_value(walk *k, bool free)
{
    mica_dtype dtype;
    mica_dims shape = { 0 };
    size_t at = place(k) + 16;
    if (!mica__words_type(&k->w, &dtype, &shape)) return false;
    if (free) set_free(k, at, (size_t)shape.n);
    k->l->values[k->l->nvalues++] = (mica__layout_value){ at, (size_t)shape.n };
    return true;
}

static void take_number(walk *k, size_t at)
{
    set_free(k, at, 1);
    k->l->numbers[k->l->nnumbers++] = (struct mica__layout_number){ at, k->l->noperations };
}

static bool take_fields(walk *k, mica_prim prim)
{
    for (const mica__field *f = mica__prims[prim].fields; f->kind != MICA_FIELD_END; f++) {
        size_t at = place(k);
        mica_dims list = { 0 };
        uint64_t word;
        if (f->kind == MICA_FIELD_DIMS || f->kind == MICA_FIELD_AXES) {
            if (!mica__words_list(&k->w, &list)) return false;
            for (int64_t i = 0; f->kind == MICA_FIELD_DIMS && i < list.n; i++)
                take_number(k, at + 8 + 8 * (size_t)i);
            continue;
        }
        if (!mica__words_get(&k->w, &word)) return false;
        if (f->kind == MICA_FIELD_INT) take_number(k, at);
    }
    return true;
}

static bool take_operation(walk *k)
{
    mica__layout *l = k->l;
    uint64_t n, in;
    mica__layout_operation o = { .begin = place(k) - 8,
                                 .inputs = k->ninputs,
                                 .values = l->nvalues };
    if (!mica__words_get(&k->w, &n)) return false;
    const char *name = mica__words_take(&k->w, (size_t)n);
    if (!name) return false;
    for (int i = 0; i < MICA_PRIM_COUNT; i++)
        if (strlen(mica__prims[i].name) == n && !memcmp(mica__prims[i].name, name, (size_t)n))
            o.prim = (mica_prim)i;
    if (!take_fields(k, o.prim) || !mica__words_get(&k->w, &n)) return false;
    for (o.ninputs = (size_t)n; n--;) {
        if (!mica__words_get(&k->w, &in)) return false;
        l->inputs[k->ninputs++] = in;
    }
    if (!mica__words_get(&k->w, &n)) return false;
    /* The sizes of other results are worked out from inputs and fields (ops/infer.def). */
    bool given = o.prim == mica_prim_conv || o.prim == mica_prim_conv_weight;
    while (n--) {
        size_t first = l->nvalues;
        if (!take_value(k, true)) return false;
        for (size_t i = 0; given && i < l->values[first].ndim; i++)
            take_number(k, l->values[first].at + 8 * i);
    }
    o.end = place(k);
    l->operations[l->noperations++] = o;
    return true;
}

bool mica__layout_make(mica_scope *s, mica__layout *l, const mica__text *graph)
{
    size_t most = graph->n / 8 + 1;
    *l = (mica__layout){ .graph = graph->at,
                         .bytes = graph->n,
                         .free = mica__scope_alloc(s, graph->n + 1),
                         .operations = mica__scope_alloc(s, most * sizeof *l->operations),
                         .values = mica__scope_alloc(s, most * sizeof *l->values),
                         .inputs = mica__scope_alloc(s, most * sizeof *l->inputs),
                         .numbers = mica__scope_alloc(s, most * sizeof *l->numbers) };
    if (!l->free || !l->operations || !l->values || !l->inputs || !l->numbers) return false;
    memset(l->free, false, graph->n);
    walk k = { { s, graph->at, graph->n }, l, 0 };
    uint64_t n, kind;
    if (!mica__words_get(&k.w, &n)) return false;
    while (n--)
        if (!take_value(&k, true)) return false;
    while (mica__words_get(&k.w, &kind) && kind != MICA__ENTRY_END) {
        if (kind == MICA__ENTRY_OPERATION) {
            if (!take_operation(&k)) return false;
        } else if (!take_value(&k, false) || !mica__words_get(&k.w, &n)) {
            return false;
        }
    }
    return mica__scope_ok(s);
}

const char *mica__layout_differs(const mica__layout *l, const mica__text *other)
{
    size_t at = 0, least = l->bytes < other->n ? l->bytes : other->n;
    while (at < least && (l->free[at] || l->graph[at] == other->at[at])) at++;
    if (at == least && l->bytes == other->n) return NULL;
    for (size_t i = 0; i < l->noperations; i++)
        if (at < l->operations[i].end) return mica__prims[l->operations[i].prim].name;
    return "the result";
}

/* ---- in files ---- */

static void put(mica__text *t, uint64_t word)
{
    mica__text_add(t, &word, sizeof word);
}

void mica__sizes_put(mica__text *to, const mica__sizes *z)
{
    put(to, z->naxes);
    for (size_t i = 0; i < z->naxes; i++) {
        const char *text = z->axes[i].range ? "" : z->axes[i].primitive;
        put(to, z->axes[i].range);
        put(to, strlen(text));
        mica__text_add_string(to, text);
    }
    put(to, z->nranges);
    for (size_t i = 0; i < z->nranges; i++) {
        put(to, (uint64_t)z->ranges[i].least);
        put(to, (uint64_t)z->ranges[i].together);
        put(to, (uint64_t)z->ranges[i].most);
        put(to, (uint64_t)z->ranges[i].step);
    }
    put(to, z->nrules);
    for (size_t i = 0; i < z->nrules; i++) {
        const mica__size_rule *r = &z->rules[i];
        put(to, r->at);
        put(to, (uint64_t)r->factor);
        put(to, (uint64_t)r->addend);
        put(to, (uint64_t)r->divisor);
        put(to, r->n);
        mica__text_add(to, r->sizes, r->n * sizeof *r->sizes);
    }
}

static bool get_axes(mica__words *w, mica__sizes *z)
{
    uint64_t n;
    if (!mica__words_count(w, 16, &n)) return false;
    z->naxes = (size_t)n;
    z->axes = mica__scope_alloc(w->s, (z->naxes + 1) * sizeof *z->axes);
    for (size_t i = 0; z->axes && i < n; i++)
        if (!mica__words_get(w, &z->axes[i].range) || !mica__words_text(w, &z->axes[i].primitive))
            return false;
    if (!z->axes || !mica__words_count(w, 32, &n)) return false;
    z->nranges = (size_t)n;
    for (size_t i = 0; i < z->naxes; i++)
        if (z->axes[i].range > n) return mica__words_broken(w, "the range of an axis");
    z->ranges = mica__scope_alloc(w->s, (z->nranges + 1) * sizeof *z->ranges);
    for (size_t i = 0; z->ranges && i < n; i++) {
        const void *at = mica__words_take(w, 32);
        if (!at) return false;
        memcpy(&z->ranges[i], at, 32);
        if (z->ranges[i].step < 1 || z->ranges[i].least < 0)
            return mica__words_broken(w, "the range of an axis");
    }
    return z->ranges != NULL;
}

bool mica__sizes_get(mica__words *w, mica__sizes *z)
{
    uint64_t n;
    if (!get_axes(w, z) || !mica__words_count(w, 40, &n)) return false;
    z->nrules = (size_t)n;
    z->rules = mica__scope_alloc(w->s, (z->nrules + 1) * sizeof *z->rules);
    for (size_t i = 0; z->rules && i < z->nrules; i++) {
        mica__size_rule *r = &z->rules[i];
        const void *at = mica__words_take(w, 32);
        if (!at || !mica__words_count(w, sizeof *r->sizes, &n)) return false;
        memcpy(r, at, 32);
        r->n = (size_t)n;
        mica__size_of *sizes = mica__scope_alloc(w->s, (r->n + 1) * sizeof *sizes);
        if (!sizes) return false;
        memcpy(sizes, mica__words_take(w, r->n * sizeof *sizes), r->n * sizeof *sizes);
        r->sizes = sizes;
        if (r->divisor < 1 || (i && r->at <= z->rules[i - 1].at))
            return mica__words_broken(w, "a rule for sizes");
    }
    return z->rules && (!w->left || mica__words_broken(w, "bytes after its end"));
}

/* ---- calls ---- */

static bool allowed(const mica__sizes *z, const int64_t was[], const int64_t now[], size_t i)
{
    uint64_t range = z->axes[i].range;
    if (now[i] == was[i] && !range) return true;
    if (!range) return false;
    const mica__size_range *r = &z->ranges[range - 1];
    for (size_t k = 0; k < i; k++)
        if (z->axes[k].range == range && now[k] != now[i]) return false;
    for (size_t k = 0; k < z->naxes && now[i] < r->together && now[i] != was[i]; k++)
        if (z->axes[k].range != range && now[k] < was[k]) return false;
    return now[i] == was[i] || (now[i] >= r->least && now[i] <= r->most && now[i] % r->step == 0);
}

static void refuse(mica_scope *s, const mica__sizes *z, size_t at, int axis, size_t input,
                   mica_dims was, const mica_array *a)
{
    uint64_t range = z->axes[at].range;
    const mica__size_range *r = &z->ranges[range ? range - 1 : 0];
    if (range)
        mica__error(
            s, MICA_EVALUE,
            "[import_function] the function was exported for sizes of %lld to %lld in "
            "multiples of %lld in axis %d of input %zu, equal where traced together and not "
            "all small at once, not for shape %s (traced with %s): export it with each "
            "shape it is to take",
            (long long)r->least, (long long)r->most, (long long)r->step, axis, input + 1,
            mica__shape_text(mica__dims_of(a)), mica__shape_text(was));
    else
        mica__error(
            s, MICA_EVALUE,
            "[import_function] %s was exported for one shape: what other sizes than that of "
            "axis %d of input %zu mean to it is not in the file, and shape %s is given "
            "(traced with %s): export the function with each shape it is to take",
            z->axes[at].primitive, axis, input + 1, mica__shape_text(mica__dims_of(a)),
            mica__shape_text(was));
}

bool mica__sizes_allow(mica_scope *s, const mica__sizes *z, const mica_dims was[],
                       mica_array *const inputs[], size_t n)
{
    int64_t *before = mica__scope_alloc(s, 2 * (z->naxes + 1) * sizeof *before);
    size_t at = 0;
    if (!before) return false;
    int64_t *now = before + z->naxes;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < inputs[i]->ndim && at < z->naxes; k++, at++) {
            before[at] = was[i].at[k];
            now[at] = inputs[i]->shape[k];
        }
    at = 0;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < inputs[i]->ndim && at < z->naxes; k++, at++) {
            if (allowed(z, before, now, at)) continue;
            refuse(s, z, at, (int)k, i, was[i], inputs[i]);
            return false;
        }
    return true;
}
