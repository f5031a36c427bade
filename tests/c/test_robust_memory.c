/* Allocation failure at every allocation in turn: a clean error, nothing leaked, and the same work
 * succeeds when it is run again. */
#include "live.h"
#include "mica/mica.h"

enum { LAYERS = 2, PARAMETERS = 2 * LAYERS + 1, STATE = 3 * PARAMETERS + 1, RESULTS = 512 };

/* Work under test: builds all it needs, writes its results to `out`, frees everything. */
typedef int work(float *out);

static mica_array *values(mica_scope *s, mica_dims shape, int seed)
{
    float data[2048];
    int64_t n = 1;
    for (int64_t i = 0; i < shape.n; i++) n *= shape.at[i];
    for (int64_t i = 0; i < n; i++) data[i] = (float)((i * 37 + seed * 11) % 19 - 9) / 9.0f;
    return mica_from_data(s, data, shape, MICA_FLOAT32);
}

static int finish(mica_scope *s, mica_arrays arrays, float *out)
{
    for (size_t i = 0; i < arrays.n; i++) {
        int64_t n = mica_size(arrays.at[i]);
        mica_to_data(s, mica_astype(s, arrays.at[i], MICA_FLOAT32), out, (size_t)n * sizeof *out);
        out += n;
    }
    return mica_scope_close(s);
}

/* ---- a training step: forward, backward, AdamW ---- */

struct data {
    mica_array *x, *y;
};

static mica_array *times(mica_scope *s, double factor, mica_array *a)
{
    return mica_multiply(s, mica_number(s, factor), a);
}

static mica_array *loss(mica_scope *s, mica_array *const p[], void *user)
{
    const struct data *d = user;
    mica_array *x = mica_multiply(s, d->x, p[2 * LAYERS]);
    for (int i = 0; i < LAYERS; i++) {
        x = mica_add(s, mica_matmul(s, x, p[2 * i]), p[2 * i + 1]);
        if (i + 1 < LAYERS) x = mica_multiply(s, x, mica_sigmoid(s, x));
    }
    mica_array *chosen = mica_take_along_axis(s, x, d->y, -1);
    return mica_mean(s, mica_subtract(s, mica_logsumexp(s, x, MICA_AXES(-1), true), chosen),
                     MICA_ALL_AXES, false);
}

static mica_arrays train_step(mica_scope *s, mica_arrays state, void *data)
{
    static mica_array *next[STATE + 1];
    mica_array *const *p = state.at, *const *m = p + PARAMETERS, *const *v = m + PARAMETERS;
    mica_array *value = NULL, *grad[PARAMETERS] = { NULL };
    mica_value_and_grad(s, loss, data, p, PARAMETERS, &value, grad);
    mica_array *t = mica_add(s, state.at[STATE - 1], mica_number(s, 1));
    mica_array *correct =
        mica_subtract(s, mica_number(s, 1), mica_power(s, mica_number(s, 0.9), t));
    for (int i = 0; i < PARAMETERS; i++) {
        mica_array *mi = mica_add(s, times(s, 0.9, m[i]), times(s, 0.1, grad[i]));
        mica_array *vi = mica_add(s, times(s, 0.99, v[i]), times(s, 0.01, mica_square(s, grad[i])));
        mica_array *update = mica_divide(s, mica_divide(s, mi, correct),
                                         mica_add(s, mica_sqrt(s, vi), mica_number(s, 1e-6)));
        next[i] = mica_subtract(s, times(s, 0.999, p[i]), times(s, 0.01, update));
        next[PARAMETERS + i] = mi;
        next[2 * PARAMETERS + i] = vi;
    }
    next[STATE - 1] = t;
    next[STATE] = value;
    return (mica_arrays){ STATE + 1, next };
}

static void initial(mica_scope *s, struct data *d, mica_array *state[STATE])
{
    int32_t labels[12];
    for (int i = 0; i < 12; i++) labels[i] = i % 3;
    *d = (struct data){ values(s, MICA_SHAPE(12, 6), 1),
                        mica_from_data(s, labels, MICA_SHAPE(12, 1), MICA_INT32) };
    state[0] = values(s, MICA_SHAPE(6, 8), 2);
    state[1] = values(s, MICA_SHAPE(8), 3);
    state[2] = values(s, MICA_SHAPE(8, 3), 4);
    state[3] = values(s, MICA_SHAPE(3), 5);
    state[4] = values(s, MICA_SHAPE(6), 6);
    for (int i = PARAMETERS; i < STATE - 1; i++)
        state[i] = mica_zeros_like(s, state[i % PARAMETERS], MICA_DEFAULT_DTYPE);
    state[STATE - 1] = mica_scalar(s, 0, MICA_FLOAT32);
}

static int train(float *out)
{
    mica_scope *s = mica_scope_open(NULL);
    struct data d;
    mica_array *state[STATE], *value = NULL;
    initial(s, &d, state);
    for (int i = 0; i < 2; i++) {
        mica_scope *t = mica_scope_open(s);
        mica_arrays next = train_step(t, (mica_arrays){ STATE, state }, &d);
        mica_eval(t, next.at, next.n);
        value = mica_retain(next.at[STATE]);
        mica_scope_close_replacing(t, state, next.at, STATE);
        mica_scope_own(s, value);
    }
    return finish(s, (mica_arrays){ 2, (mica_array *[]){ value, state[0] } }, out);
}

static int train_compiled(float *out)
{
    mica_scope *s = mica_scope_open(NULL);
    struct data d;
    mica_array *state[STATE];
    initial(s, &d, state);
    mica_compiled *c = NULL;
    int status = mica_compile(train_step, &d, NULL, false, &c);
    for (int i = 0; i < 2 && status == MICA_OK; i++) {
        mica_scope *t = mica_scope_open(s);
        mica_arrays next = { 0 };
        mica_compiled_call(t, c, (mica_arrays){ STATE, state }, &next);
        mica_eval(t, next.at, next.n);
        mica_scope_close_replacing(t, state, next.at, next.n ? STATE : 0);
    }
    int closed =
        finish(s, (mica_arrays){ 2, (mica_array *[]){ state[0], state[PARAMETERS] } }, out);
    mica_compiled_release(c);
    return status ? status : closed;
}

/* ---- the other transformations ---- */

static mica_arrays per_example(mica_scope *s, mica_arrays a, void *user)
{
    static mica_array *out[2];
    (void)user;
    mica_array *h = mica_softmax(s, mica_matmul(s, a.at[0], a.at[1]), MICA_AXES(-1), false);
    out[0] = mica_concatenate(
        s, MICA_ARRAYS(mica_sort(s, h, -1), mica_cumsum(s, h, 0, false, true, MICA_DEFAULT_DTYPE)),
        0);
    out[1] = mica_sum(s, mica_take(s, h, mica_argmax(s, h, -1, true), 0), MICA_ALL_AXES, false);
    return (mica_arrays){ 2, out };
}

static int map(float *out)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_arrays results = { 0 };
    mica_arrays in = MICA_ARRAYS(values(s, MICA_SHAPE(6, 5), 1), values(s, MICA_SHAPE(6, 4), 2));
    mica_vmap(s, per_example, NULL, in, (int[]){ 1, MICA_NO_AXIS }, 0, &results);
    return finish(s, results, out);
}

static mica_arrays smooth(mica_scope *s, mica_arrays a, void *user)
{
    static mica_array *out[2];
    (void)user;
    out[0] = mica_tanh(s, mica_matmul(s, a.at[0], a.at[1]));
    out[1] = mica_multiply(s, mica_transpose(s, a.at[0], MICA_ALL_AXES), mica_number(s, 3));
    return (mica_arrays){ 2, out };
}

static int differentiate(float *out)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_arrays results = { 0 }, pulled = { 0 }, pushed = { 0 };
    mica_arrays in = MICA_ARRAYS(values(s, MICA_SHAPE(4, 5), 1), values(s, MICA_SHAPE(5, 3), 2));
    mica_arrays co = MICA_ARRAYS(values(s, MICA_SHAPE(4, 3), 3), values(s, MICA_SHAPE(5, 4), 4));
    mica_jvp(s, smooth, NULL, in, in, &results, &pushed);
    mica_vjp(s, smooth, NULL, in, co, &results, &pulled);
    mica_array *all[4] = { 0 };
    if (pushed.n && pulled.n)
        memcpy(all, (mica_array *[]){ pushed.at[0], pushed.at[1], pulled.at[0], pulled.at[1] },
               sizeof all);
    return finish(s, (mica_arrays){ 4, all }, out);
}

/* ---- a walk through the families ---- */

static int families(float *out)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a = values(s, MICA_SHAPE(4, 6), 1), *key = mica_random_key(s, 7),
               *t = mica_transpose(s, a, MICA_ALL_AXES);
    int32_t places[3] = { 2, 0, -1 };
    mica_array *index = mica_from_data(s, places, MICA_SHAPE(3), MICA_INT32);
    mica_array *five =
        mica_reshape(s, t, MICA_SHAPE(1, 2, 3, 2, 2)); /* shapes of more than 4 axes lie apart */
    mica_arrays halves = mica_split(s, a, 2, 1);
    mica_array *all[] = {
        mica_take(s, a, index, 1),
        mica_slice_assign(s, a, mica_number(s, 5), MICA_SHAPE(1), MICA_SHAPE(3), MICA_SHAPE(1),
                          MICA_SCATTER_SUM),
        mica_scatter(s, a, MICA_ARRAYS(index), mica_ones(s, MICA_SHAPE(3, 1, 6), MICA_FLOAT32),
                     MICA_AXES(0), MICA_SCATTER_SUM),
        mica_gather(s, a, MICA_ARRAYS(index), MICA_AXES(0), MICA_SHAPE(1, 6)),
        mica_concatenate(s, halves, 0),
        mica_random_normal(s, MICA_SHAPE(5), MICA_FLOAT32, NULL, NULL, key),
        mica_random_permutation(s, a, 0, key),
        mica_random_categorical(s, a, -1, (mica_dims){ .n = -1 }, MICA_NO_INTEGER, key),
        mica_cumsum(s, t, 0, true, false, MICA_DEFAULT_DTYPE),
        mica_argsort(s, t, 0),
        mica_var(s, t, MICA_AXES(1), false, 1, MICA_NO_INTEGER),
        mica_transpose(s, mica_exp(s, five), MICA_ALL_AXES),
        mica_masked_select(s, a, mica_greater(s, a, mica_number(s, 0))),
        mica_pad(s, a, MICA_SHAPE(0, 1), MICA_SHAPE(1, 0), "edge", mica_number(s, 0)),
        mica_matmul(s, t, mica_astype(s, a, MICA_FLOAT16)),
        mica_divide(s, mica_astype(s, a, MICA_BFLOAT16), mica_integer(s, 3)),
    };
    mica_describe(s, five);
    return finish(s, (mica_arrays){ sizeof all / sizeof *all, all }, out);
}

/* ---- the injection ---- */

static float expected[RESULTS], found[RESULTS];

static int run_into(work *run, float *out)
{
    memset(out, 0, sizeof expected);
    return run(out);
}

/* Runs with the k-th allocation failing, then again without. Sets *reached when the work has so
 * many allocations. */
static bool fails_cleanly(work *run, int64_t k, bool *reached)
{
    mica__inject_failure(k);
    int status = run_into(run, found);
    *reached = true; /* what is left of the countdown tells whether the failure took place */
    for (int64_t i = 0; i <= k && *reached; i++) *reached = !mica__injected_failure();
    mica__inject_failure(-1);
    bool same = !memcmp(found, expected, sizeof found);
    if (status == MICA_OK ? !same
                          : !*reached || status != MICA_EMEMORY || mica_last_error()[0] != '[') {
        fprintf(stderr, "status %d, %s results, %s\n", status, same ? "equal" : "other",
                mica_last_error());
        return false;
    }
    status = run_into(run, found);
    if (status == MICA_OK && !memcmp(found, expected, sizeof found)) return true;
    fprintf(stderr, "again: status %d, %s\n", status, mica_last_error());
    return false;
}

static void fail_each_allocation(const char *name, work *run)
{
    bool reached = true;
    int wrong = 0;
    int64_t k = 0;
    CHECK_EQUAL(run_into(run, expected), MICA_OK);
    for (; reached && wrong < 5; k++) {
        bool good = fails_cleanly(run, k, &reached); /* fills the free lists for this way to fail */
        live before = live_now();
        good = fails_cleanly(run, k, &reached) && live_same_host(before, live_now()) && good;
        if (!good) fprintf(stderr, "%s: allocation %lld\n", name, (long long)k);
        wrong += !good;
    }
    CHECK_EQUAL(wrong, 0);
    CHECK(k > 50);
    printf("%s: %lld allocations\n", name, (long long)k - 1);
}

int main(void)
{
    fail_each_allocation("train", train);
    fail_each_allocation("train_compiled", train_compiled);
    fail_each_allocation("map", map);
    fail_each_allocation("differentiate", differentiate);
    fail_each_allocation("families", families);
    return check_report("robust_memory");
}
