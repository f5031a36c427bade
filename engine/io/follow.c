/* The search for how numbers follow from sizes: traces of other sizes, of one axis after another,
   and rules that hold in all of them. An axis varies alone, or with others of its size; in every
   size or in multiples of a divisor. */
#include "io/follow_search.h"

typedef mica__search search;

/* ---- traces ---- */

/* Whether both captured the same values. */
static bool same_constants(const mica__constants *a, const mica__constants *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        const mica_array *x = a->dense[i], *y = b->dense[i];
        if (a->keys[i] == b->keys[i]) continue;
        size_t bytes = (size_t)x->size * mica__dtype_sizes[x->dtype];
        if (x->dtype != y->dtype || !mica__shape_equal(mica__dims_of(x), mica__dims_of(y)) ||
            (bytes && memcmp(x->data, y->data, bytes) != 0))
            return false;
    }
    return true;
}

static bool write_trace(search *k, mica__text *to)
{
    mica_arrays holders = { 0 }, results = { 0 };
    mica__constants constants = { 0 };
    mica_scope *t = mica_scope_open(NULL);
    if (!t) return mica__scope_failed(k->s, MICA_EMEMORY);
    k->why = "the function";
    int traced = k->again(t, k->shapes, k->ninputs, &holders, &results, k->user);
    bool ok = traced > 0 && t->status == MICA_OK &&
              mica__graph_write(t, to, &constants, results.at, results.n, holders.at, holders.n);
    k->stopped |= traced < 0;
    if (ok) {
        const char *differs = mica__layout_differs(&k->layout, to);
        ok = !differs && same_constants(&k->constants, &constants);
        k->why = differs ? differs : "a captured array";
    }
    mica__constants_free(&constants);
    mica_scope_close(t);
    return ok;
}

/* Traces for k->sizes; kept when rules hold in this trace too. */
static bool follows(search *k)
{
    mica__text *to = &k->traces[k->n];
    if (k->stopped || k->n == MICA__TRACES || k->spent++ == MICA__TRACES || !mica__scope_ok(k->s))
        return false;
    *to = (mica__text){ 0 };
    if (write_trace(k, to)) {
        k->n++;
        if (mica__find_rules(k, false)) return true;
        k->n--;
    }
    mica__text_free(to);
    return false;
}

static int64_t next_prime(int64_t after)
{
    for (int64_t p = after + 1;; p++) {
        int64_t d = 2;
        while (d * d <= p && p % d) d++;
        if (d * d > p) return p;
    }
}

static void as_traced(search *k)
{
    for (size_t i = 0; i < k->naxes; i++) k->sizes[i] = k->axes[i].was;
}

static void set_range(search *k, size_t range, int64_t size)
{
    for (size_t i = 0; i < k->naxes; i++)
        if (k->z->axes[i].range == range) k->sizes[i] = size;
}

/* All ranges at new sizes, odd or even. */
static bool all_vary(search *k, int64_t times)
{
    as_traced(k);
    for (size_t g = 1; g <= k->z->nranges; g++) {
        k->prime = next_prime(k->prime);
        int64_t size = times * k->prime * k->z->ranges[g - 1].step;
        set_range(k, g, size);
        if (size > k->z->ranges[g - 1].most) k->z->ranges[g - 1].most = size;
    }
    return follows(k);
}

static void drop_traces(search *k, size_t n)
{
    while (k->n > n) mica__text_free(&k->traces[--k->n]);
}

/* ---- which axes vary ---- */

/* Whether the last range, of axes given to it, varies. */
static bool varies(search *k, int64_t step)
{
    size_t before = k->n;
    mica__size_range *r = &k->z->ranges[k->z->nranges++];
    *r = (mica__size_range){ .step = step };
    for (size_t i = 0; i < k->naxes; i++)
        if (k->z->axes[i].range == k->z->nranges) r->least = k->axes[i].was;
    if (all_vary(k, 1) && all_vary(k, 2)) return true;
    drop_traces(k, before);
    for (size_t i = 0; i < k->naxes; i++)
        if (k->z->axes[i].range == k->z->nranges) k->z->axes[i].range = 0;
    k->z->nranges--;
    return false;
}

static bool may_join(const search *k, size_t a, size_t b)
{
    return !k->z->axes[b].range && k->axes[a].was == k->axes[b].was;
}

/* With others of its size: with one of them, with those that lie alike, with all. */
static bool varies_with_others(search *k, size_t a, int64_t step)
{
    size_t range = k->z->nranges + 1, others = 0, alike = 0;
    for (size_t b = 0; b < k->naxes; b++) {
        if (b == a || !may_join(k, a, b)) continue;
        others++;
        alike += k->axes[a].place == k->axes[b].place;
        if (b < a) continue; /* it was tried from there */
        k->z->axes[a].range = k->z->axes[b].range = range;
        if (varies(k, step)) return true;
    }
    for (int all = 0; all < 2; all++) {
        if ((all ? others : alike) < 2 || (all && others == alike)) continue;
        for (size_t b = 0; b < k->naxes; b++)
            if (may_join(k, a, b) && (all || k->axes[a].place == k->axes[b].place))
                k->z->axes[b].range = range;
        k->z->axes[a].range = range;
        if (varies(k, step)) return true;
    }
    return false;
}

static void find_range(search *k, size_t a)
{
    int64_t was = k->axes[a].was;
    const char *why = NULL;
    for (int64_t step = 1; step <= was && step <= 4096; step++) {
        if (step > 1 && (was % step || (step & (step - 1) && step != was))) continue;
        k->z->axes[a].range = k->z->nranges + 1;
        if (varies(k, step)) return;
        if (!why || !strcmp(why, "the function")) why = k->why;
        if (varies_with_others(k, a, step)) return;
    }
    k->z->axes[a].primitive = why ? why : "the function";
}

/* ---- how far ranges reach ---- */

static bool reaches(search *k, size_t range, int64_t size)
{
    as_traced(k);
    set_range(k, range, size);
    return follows(k);
}

/* The multiple of step next to `bad` that is as `good` is: between them lies one change. */
static int64_t last_good(search *k, size_t range, int64_t good, int64_t bad)
{
    int64_t step = k->z->ranges[range - 1].step;
    good /= step;
    bad /= step;
    while (good - bad > 1 || bad - good > 1) {
        int64_t middle = good + (bad - good) / 2;
        if (reaches(k, range, middle * step)) good = middle;
        else bad = middle;
    }
    return good * step;
}

static void find_ends(search *k, size_t range)
{
    static const int64_t far[] = { 2147483647, 1000003, 10007, 1009 };
    mica__size_range *r = &k->z->ranges[range - 1];
    int64_t bad = 0;
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        int64_t size = far[i] / r->step * r->step;
        if (size <= r->most) break;
        if (reaches(k, range, size)) {
            r->most = size;
            break;
        }
        bad = size;
    }
    if (bad) r->most = last_good(k, range, r->most, bad);
    if (r->least > r->step)
        r->least = reaches(k, range, r->step) ? r->step : last_good(k, range, r->least, r->step);
    if (r->least == r->step && reaches(k, range, 0)) r->least = 0;
}

/* How small all may be at once: one range after another joins those that are at their least. */
static void find_corner(search *k)
{
    for (size_t g = 1; g <= k->z->nranges; g++) {
        mica__size_range *r = &k->z->ranges[g - 1];
        int64_t was = 0;
        for (size_t a = 0; a < k->naxes; a++)
            if (k->z->axes[a].range == g) was = k->axes[a].was;
        for (int64_t least = r->least;; least = least < 3 * r->step ? least + r->step : was) {
            r->together = least < was ? least : was;
            as_traced(k);
            for (size_t h = 1; h <= g; h++) set_range(k, h, k->z->ranges[h - 1].together);
            if (k->z->nranges == 1 || r->together == was || follows(k)) break;
        }
    }
}

/* ---- all of it ---- */

static bool prepare(search *k, mica_array *const placeholders[], size_t n)
{
    for (size_t i = 0; i < n; i++) k->naxes += placeholders[i]->ndim;
    mica__sizes *z = k->z;
    *z = (mica__sizes){ .naxes = k->naxes };
    z->axes = mica__scope_alloc(k->s, (k->naxes + 1) * sizeof *z->axes);
    z->ranges = mica__scope_alloc(k->s, (MICA__RANGES + 1) * sizeof *z->ranges);
    z->rules = mica__scope_alloc(k->s, (k->layout.nnumbers + 1) * sizeof *z->rules);
    k->axes = mica__scope_alloc(k->s, (k->naxes + 1) * sizeof *k->axes);
    k->sizes = mica__scope_alloc(k->s, (k->naxes + 1) * sizeof *k->sizes);
    k->shapes = mica__scope_alloc(k->s, (n + 1) * sizeof *k->shapes);
    if (!z->axes || !z->ranges || !z->rules || !k->axes || !k->sizes || !k->shapes) return false;
    k->prime = 10;
    for (size_t i = 0, at = 0; i < n; i++) {
        k->shapes[i] = (mica_dims){ placeholders[i]->ndim, k->sizes + at };
        for (int p = 0; p < placeholders[i]->ndim; p++, at++) {
            k->axes[at] = (mica__search_axis){ i, (size_t)p, placeholders[i]->shape[p] };
            z->axes[at] = (mica__size_axis){ 0, "the function" };
            if (k->prime < k->axes[at].was) k->prime = k->axes[at].was;
        }
    }
    return true;
}

static bool run(search *k, mica_array *const results[], size_t nresults,
                mica_array *const placeholders[], size_t n)
{
    if (!mica__graph_write(k->s, &k->traces[0], &k->constants, results, nresults, placeholders,
                           n) ||
        !mica__layout_make(k->s, &k->layout, &k->traces[0]) || !prepare(k, placeholders, n))
        return false;
    k->n = 1;
    for (size_t i = 0; i < k->naxes && k->z->nranges < MICA__RANGES; i++)
        if (!k->z->axes[i].range) find_range(k, i);
    for (size_t g = 1; g <= k->z->nranges; g++) find_ends(k, g);
    find_corner(k);
    return !k->stopped && mica__scope_ok(k->s) && mica__find_rules(k, true);
}

bool mica__sizes_find(mica_scope *s, mica__sizes *z, mica_array *const results[], size_t nresults,
                      mica_array *const placeholders[], size_t n, mica__retrace *again, void *user)
{
    search *k = mica__alloc_zero(1, sizeof *k);
    if (!k) return mica__scope_failed(s, MICA_EMEMORY);
    k->s = s;
    k->z = z;
    k->again = again;
    k->user = user;
    k->ninputs = n;
    bool ok = run(k, results, nresults, placeholders, n);
    if (!ok && s->status == MICA_OK)
        mica__error(s, MICA_ERUNTIME, "[export_function] tracing for other sizes was stopped");
    drop_traces(k, 0);
    mica__constants_free(&k->constants);
    mica__free(k);
    return ok;
}
