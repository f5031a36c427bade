/* Derivatives of fused operations against finite differences, batches against loops, and what must
 * not change the bits. */
#include "fast_cases.h"

/* ---- derivatives: functions of several arrays, differentiated in float64 ---- */

typedef struct subject {
    const char *name;
    mica_array *(*call)(mica_scope *s, mica_array *const in[], const void *user);
    const void *user;
    size_t n, differentiable; /* arguments; the first ones are differentiated */
} subject;

static mica_arrays one_result(mica_scope *s, mica_arrays in, void *user)
{
    const subject *f = user;
    mica_array **out = mica__scope_alloc(s, sizeof *out);
    *out = f->call(s, in.at, f->user);
    return (mica_arrays){ 1, out };
}

/* Gradients of the sum of f * its last argument but one, as a function of its own. */
typedef struct gradient {
    const subject *f;
    mica_array *cotangent;
} gradient;

static mica_arrays gradients_of(mica_scope *s, mica_arrays in, void *user)
{
    const gradient *g = user;
    mica_arrays found = { 0, NULL };
    mica_vjp(s, one_result, (void *)(uintptr_t)g->f, in, (mica_arrays){ 1, &g->cotangent }, NULL,
             &found);
    return found;
}

static double inner(mica_scope *s, mica_array *a, mica_array *b)
{
    return mica_item(s, mica_sum(s, mica_multiply(s, a, b), MICA_ALL_AXES, false));
}

/* <cotangent, J tangent> by vjp, by jvp and by a central difference; `orders` 2: the same of the
 * gradient. */
static void check_derivatives(mica_scope *s, const char *name, mica_functions *f, void *user,
                              mica_array *const in[], size_t n, double tolerance)
{
    mica_array *tangents[6], *moved[2][6], *cotangents[6];
    const double step = 1e-5;
    for (size_t i = 0; i < n; i++) {
        tangents[i] = draw(s, mica_shape(in[i]), MICA_FLOAT64);
        for (int k = 0; k < 2; k++)
            moved[k][i] =
                mica_add(s, in[i], mica_multiply(s, tangents[i], mica_number(s, k ? -step : step)));
    }
    mica_arrays high = f(s, (mica_arrays){ n, moved[0] }, user),
                low = f(s, (mica_arrays){ n, moved[1] }, user), pulled, pushed;
    double difference = 0, backward = 0, forward = 0;
    for (size_t i = 0; i < high.n; i++) {
        cotangents[i] = draw(s, mica_shape(high.at[i]), MICA_FLOAT64);
        difference += inner(s, cotangents[i], mica_subtract(s, high.at[i], low.at[i])) / (2 * step);
    }
    mica_vjp(s, f, user, (mica_arrays){ n, in }, (mica_arrays){ high.n, cotangents }, NULL,
             &pulled);
    mica_jvp(s, f, user, (mica_arrays){ n, in }, (mica_arrays){ n, tangents }, NULL, &pushed);
    if (mica_scope_status(s) != MICA_OK) {
        CHECK(!"a transformation failed");
        return;
    }
    for (size_t i = 0; i < n; i++) backward += inner(s, pulled.at[i], tangents[i]);
    for (size_t i = 0; i < high.n; i++) forward += inner(s, pushed.at[i], cotangents[i]);
    double size = 1 + fabs(difference);
    bool good = fabs(backward - difference) < tolerance * size &&
                fabs(forward - difference) < tolerance * size;
    if (!good)
        fprintf(stderr, "%s: difference %.12g, vjp %.12g, jvp %.12g\n", name, difference, backward,
                forward);
    CHECK(good);
}

static mica_array *call_rms(mica_scope *s, mica_array *const in[], const void *user)
{
    (void)user;
    return mica_fast_rms_norm(s, in[0], in[1], 1e-3);
}
static mica_array *call_layer(mica_scope *s, mica_array *const in[], const void *user)
{
    (void)user;
    return mica_fast_layer_norm(s, in[0], in[1], in[2], 1e-3);
}
static mica_array *call_plain(mica_scope *s, mica_array *const in[], const void *user)
{
    (void)user;
    return mica_add(s, mica_fast_rms_norm(s, in[0], NULL, 1e-3),
                    mica_fast_layer_norm(s, in[0], NULL, in[1], 1e-3));
}
static mica_array *call_rope(mica_scope *s, mica_array *const in[], const void *user)
{
    (void)user;
    mica_array *y = mica_fast_rope(s, in[0], 6, true, 10, 0.5, mica_integer(s, 2), NULL);
    return mica_fast_rope(s, y, 8, false, 10, 1,
                          mica_from_data(s, (const int64_t[]){ 1, 5 }, MICA_SHAPE(2), MICA_INT64),
                          NULL);
}
static mica_array *call_attention(mica_scope *s, mica_array *const in[], const void *user)
{
    const operands *o = user;
    mica_array *all[5] = { in[0], in[1], in[2], o->in[3], o->in[4] };
    size_t next = 3;
    if (all[3] && all[3]->dtype != MICA_BOOL) all[3] = in[next++];
    if (all[4]) all[4] = in[next];
    return attend(s, o, all);
}

static void check_subject(const subject *f, mica_array *const in[], bool second)
{
    mica_scope *s = mica_scope_open(NULL);
    check_derivatives(s, f->name, one_result, (void *)(uintptr_t)f, in, f->n, 1e-6);
    if (second) {
        gradient g = { f, draw(s, mica_shape(f->call(s, in, f->user)), MICA_FLOAT64) };
        check_derivatives(s, f->name, gradients_of, &g, in, f->n, 1e-6);
    }
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void test_derivatives(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *norm[3] = { draw(s, MICA_SHAPE(3, 2, 37), MICA_FLOAT64),
                            draw(s, MICA_SHAPE(37), MICA_FLOAT64),
                            draw(s, MICA_SHAPE(37), MICA_FLOAT64) };
    mica_array *turned[1] = { draw(s, MICA_SHAPE(2, 3, 5, 9), MICA_FLOAT64) };
    check_subject(&(subject){ "rms_norm", call_rms, NULL, 2, 2 }, norm, true);
    check_subject(&(subject){ "layer_norm", call_layer, NULL, 3, 3 }, norm, true);
    check_subject(&(subject){ "plain norms", call_plain, NULL, 2, 2 }, norm, true);
    check_subject(&(subject){ "rope", call_rope, NULL, 1, 1 }, turned, true);
    for (int i = 0; i < PROBLEMS; i++) {
        const problem *p = &problems[i];
        operands o = make(s, p, MICA_FLOAT64);
        mica_array *in[5] = { o.in[0], o.in[1], o.in[2] };
        size_t n = 3;
        if (o.in[3] && o.in[3]->dtype != MICA_BOOL) in[n++] = o.in[3];
        if (o.in[4]) in[n++] = o.in[4];
        char name[32];
        snprintf(name, sizeof name, "attention %d", i);
        check_subject(&(subject){ name, call_attention, &o, n, n }, in, p->queries < 100);
    }
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* Narrow types: the gradient against that of the same numbers in float64. */
static void test_narrow_gradients(void)
{
    for (int i = 0; i < PROBLEMS; i++)
        for (size_t d = 1; d < 4; d++) {
            mica_scope *s = mica_scope_open(NULL);
            operands o = make(s, &problems[i], floats[d]), wide = o;
            mica_array *in[2][5] = { { 0 } },
                       *g = draw(s, mica_shape(attend(s, &o, o.in)), floats[d]);
            size_t n = 0;
            for (int k = 0; k < 5; k++) {
                if (!o.in[k]) continue;
                if (o.in[k]->dtype != MICA_BOOL) wide.in[k] = mica_astype(s, o.in[k], MICA_FLOAT64);
                if (o.in[k]->dtype == MICA_BOOL) continue;
                in[0][n] = o.in[k];
                in[1][n++] = wide.in[k];
            }
            subject f[2] = { { "", call_attention, &o, n, n },
                             { "", call_attention, &wide, n, n } };
            mica_array *cotangents[2] = { g, mica_astype(s, g, MICA_FLOAT64) };
            mica_arrays found[2];
            for (int k = 0; k < 2; k++)
                mica_vjp(s, one_result, &f[k], (mica_arrays){ n, in[k] },
                         (mica_arrays){ 1, &cotangents[k] }, NULL, &found[k]);
            for (size_t k = 0; k < n && mica_scope_status(s) == MICA_OK; k++) {
                double *expected = values(s, found[1].at[k]),
                       away = distance(s, found[0].at[k], expected, floats[d]);
                if (!(away < 40))
                    fprintf(stderr, "problem %d, type %d, argument %zu: %g units\n", i,
                            (int)floats[d], k, away);
                CHECK(away < 40);
                free(expected);
            }
            CHECK_EQUAL(mica_scope_close(s), MICA_OK);
        }
}

/* ---- batching: vmap against a loop ---- */

static void check_batched(const char *name, const subject *f, mica_array *const in[],
                          const int axes[], mica_functions *function, void *user)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_arrays all, one;
    if (mica_vmap(s, function, user, (mica_arrays){ f->n, in }, axes, 0, &all) == MICA_OK)
        for (int64_t b = 0; b < 3; b++) {
            mica_array *row[6];
            for (size_t i = 0; i < f->n; i++)
                row[i] = axes[i] == 0 ? mica__row(s, in[i], b) : in[i];
            one = function(s, (mica_arrays){ f->n, row }, user);
            for (size_t k = 0; k < one.n && k < all.n; k++) {
                double *expected = values(s, one.at[k]),
                       away = distance(s, mica__row(s, all.at[k], b), expected, MICA_FLOAT32);
                if (!(away < 64)) fprintf(stderr, "%s, result %zu: %g units\n", name, k, away);
                CHECK(away < 64);
                free(expected);
            }
        }
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void check_vmap(const subject *f, mica_array *const in[], const int64_t unbatched)
{
    mica_scope *s = mica_scope_open(NULL);
    for (int64_t set = 1; set < (1 << f->n); set++) {
        int axes[6];
        mica_array *given[6], *plain[6];
        if (set & unbatched) continue;
        for (size_t i = 0; i < f->n; i++) {
            axes[i] = set >> i & 1 ? 0 : MICA_NO_AXIS;
            given[i] = set >> i & 1 ? in[i] : mica__row(s, in[i], 1);
            plain[i] = mica__row(s, in[i], 0);
        }
        gradient g = { f, draw(s, mica_shape(f->call(s, plain, f->user)), MICA_FLOAT32) };
        check_batched(f->name, f, given, axes, one_result, (void *)(uintptr_t)f);
        check_batched(f->name, f, given, axes, gradients_of, &g);
    }
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void test_vmap(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_dtype d = MICA_FLOAT32;
    mica_array *norm[3] = { draw(s, MICA_SHAPE(3, 2, 4, 19), d), draw(s, MICA_SHAPE(3, 19), d),
                            draw(s, MICA_SHAPE(3, 19), d) };
    mica_array *turned[1] = { draw(s, MICA_SHAPE(3, 2, 3, 5, 9), d) };
    check_vmap(&(subject){ "rms_norm", call_rms, NULL, 2, 2 }, norm, 0);
    check_vmap(&(subject){ "layer_norm", call_layer, NULL, 3, 3 }, norm, 0);
    check_vmap(&(subject){ "plain norms", call_plain, NULL, 2, 2 }, norm, 0);
    check_vmap(&(subject){ "rope", call_rope, NULL, 1, 1 }, turned, 0);
    operands o = { .scale = 0.5, .in = { [4] = draw(s, MICA_SHAPE(4), d) }, .causal = true };
    mica_array *qkv[4] = { draw(s, MICA_SHAPE(3, 2, 4, 9, 8), d),
                           draw(s, MICA_SHAPE(3, 2, 2, 11, 8), d),
                           draw(s, MICA_SHAPE(3, 2, 2, 11, 5), d), draw(s, MICA_SHAPE(3, 4), d) };
    check_vmap(&(subject){ "attention with sinks", call_attention, &o, 4, 4 }, qkv, 0);
    o.in[4] = NULL;
    check_vmap(&(subject){ "attention", call_attention, &o, 3, 3 }, qkv, 0);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* ---- the same bits for any number of threads ---- */

static void test_threads(void)
{
    mica_scope *s = mica_scope_open(NULL);
    for (int i = 0; i < PROBLEMS; i++) {
        operands o = make(s, &problems[i], MICA_FLOAT32);
        mica_array *in[5] = { o.in[0], o.in[1], o.in[2] },
                   *g = draw(s, mica_shape(attend(s, &o, o.in)), MICA_FLOAT32);
        size_t n = 3;
        if (o.in[3] && o.in[3]->dtype != MICA_BOOL) in[n++] = o.in[3];
        if (o.in[4]) in[n++] = o.in[4];
        subject f = { "", call_attention, &o, n, n };
        mica_array *first[6];
        for (size_t threads = 1; threads <= 3; threads += 2) {
            mica_arrays found, y;
            mica__set_thread_count(threads);
            mica_vjp(s, one_result, &f, (mica_arrays){ n, in }, (mica_arrays){ 1, &g }, &y, &found);
            mica_array *all[6] = { y.at[0] };
            for (size_t k = 0; k < n; k++) all[k + 1] = found.at[k];
            mica_eval(s, all, n + 1);
            for (size_t k = 0; k <= n; k++) {
                if (threads == 1) first[k] = all[k];
                else CHECK(mica_item(s, mica_array_equal(s, first[k], all[k], true)) == 1);
            }
        }
    }
    mica__set_thread_count(0);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* ---- every allocation may fail: a status, nothing lost, and the same call works afterwards ----
 */

static void test_memory(void)
{
    const int chosen[] = { 0, 4, 11 }; /* few queries; many; with a bool mask and sinks */
    for (size_t c = 0; c < sizeof chosen / sizeof *chosen; c++) {
        mica_scope *outer = mica_scope_open(NULL);
        operands o = make(outer, &problems[chosen[c]], MICA_BFLOAT16);
        mica_array *in[4] = { o.in[0], o.in[1], o.in[2], o.in[4] };
        size_t n = o.in[4] ? 4 : 3;
        subject f = { "", call_attention, &o, n, n };
        mica_array *g = draw(outer, mica_shape(attend(outer, &o, o.in)), MICA_BFLOAT16);
        mica_eval(outer, in, n);
        if (o.in[3]) mica_eval(outer, &o.in[3], 1);
        int status = MICA_EMEMORY, rounds = 0;
        int64_t nodes = mica__live(MICA_LIVE_NODE), buffers = mica__live(MICA_LIVE_BUFFER);
        for (; status == MICA_EMEMORY && rounds < 3000; rounds++) {
            mica_scope *s = mica_scope_open(NULL);
            mica_arrays found;
            mica__inject_failure(rounds);
            mica_vjp(s, one_result, &f, (mica_arrays){ n, in }, (mica_arrays){ 1, &g }, NULL,
                     &found);
            if (mica_scope_status(s) == MICA_OK) mica_eval(s, found.at, n);
            status = mica_scope_close(s);
            mica__inject_failure(-1);
            CHECK_EQUAL(mica__live(MICA_LIVE_NODE), nodes);
            CHECK_EQUAL(mica__live(MICA_LIVE_BUFFER), buffers);
        }
        CHECK_EQUAL(status, MICA_OK);
        if (rounds < 5) fprintf(stderr, "%d rounds\n", rounds);
        CHECK(rounds >= 5);
        CHECK_EQUAL(mica_scope_close(outer), MICA_OK);
    }
}

int main(void)
{
    mica__cpu_register();
    test_derivatives();
    const mica__isa best = mica__isa_cap(MICA_ISA_COUNT);
    for (int level = 0; level <= (int)best; level++) {
        mica__isa_cap((mica__isa)level);
        test_narrow_gradients();
        test_threads();
    }
    mica__isa_cap(MICA_ISA_COUNT);
    test_vmap();
    test_memory();
    return check_report("fast rules");
}
