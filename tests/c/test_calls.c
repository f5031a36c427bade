/* Wrong calls: every function of the table gets thousands of arguments drawn from its signature:
   wrong ranks, axes, types, sizes, huge shapes, empty arrays, NULL, failed scopes. Each call gives
   a result that evaluates or fails cleanly, or a status with a message; nothing crashes, nothing
   leaks.

   Usage: test_calls [trials a function] [function [trial]]: the last two repeat one call. */
#include <math.h>
#include <stdlib.h>

#include "live.h"
#include "mica/mica.h"
#include "ops/function.h"

#if defined(__SANITIZE_ADDRESS__)
/* Requests that no machine can grant give NULL, as they do without the sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
#endif

enum { PARAMETERS = 16, EVALUATED = 1 << 12 };

/* ---- draws ---- */

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state * UINT64_C(0x2545F4914F6CDD1D) >> 33) % below;
}

static bool once_in(uint64_t n)
{
    return draw(n) == 0;
}

/* In every other call most arguments are tame: float32 arrays of shape (2, ..., 2) with one number
 * of axes, small numbers, sizes of 2. */
static bool tame;
static int tame_ndim, tame_length;
static bool be_tame(void)
{
    return tame && !once_in(12);
}

static int64_t draw_size(void)
{
    if (be_tame()) return 2;
    static const int64_t odd[] = {
        0, 0, 17, 33, -1, -2, INT64_C(1) << 31, INT64_C(1) << 40, INT64_MAX, INT64_MIN
    };
    return once_in(12) ? odd[draw(sizeof odd / sizeof *odd)] : 1 + (int64_t)draw(4);
}

static int64_t draw_integer(void)
{
    if (be_tame()) return 1 + (int64_t)draw(2);
    static const int64_t odd[] = {
        0,         1,        -1,   2,     3,         4,         8,
        31,        64,       1000, -1000, INT32_MAX, INT32_MIN, INT64_C(1) << 40,
        INT64_MAX, INT64_MIN
    };
    return once_in(3) ? odd[draw(sizeof odd / sizeof *odd)] : (int64_t)draw(7) - 2;
}

static int draw_axis(void)
{
    if (be_tame()) return (int)draw(2) - 1;
    static const int odd[] = { 5, -6, 31, 32, 33, -33, INT32_MAX, INT32_MIN, INT32_MIN + 1 };
    return once_in(8) ? odd[draw(sizeof odd / sizeof *odd)] : (int)draw(5) - 2;
}

static double draw_real(void)
{
    static const double odd[] = { 0,     -0.0,   INFINITY, -INFINITY, NAN,
                                  1e300, -1e300, 1e-320,   1e18,      0.5 };
    return once_in(4) ? odd[draw(sizeof odd / sizeof *odd)] : (double)draw(9) - 3;
}

static mica_dtype draw_dtype(void)
{
    static const int odd[] = { -2, 14, 99, INT32_MAX, INT32_MIN };
    return (mica_dtype)(once_in(20) ? odd[draw(5)] : (int)draw(MICA_DTYPE_COUNT));
}

/* Memory that outlives the call. */
static int64_t room[PARAMETERS][40];
static mica_array *arrays[PARAMETERS][8];

static mica_dims draw_dims(int place, bool sizes)
{
    if (be_tame()) {
        for (int i = 0; i < tame_ndim; i++) room[place][i] = sizes ? 1 + once_in(3) : i;
        return (mica_dims){ tame_length, room[place] };
    }
    int64_t n = once_in(30) ? 40 : once_in(20) ? 0 : 1 + (int64_t)draw(3);
    for (int64_t i = 0; i < n; i++)
        room[place][i] = sizes ? draw_size() : once_in(20) ? draw_integer() : draw_axis();
    return (mica_dims){ once_in(40) ? -1 : n, n ? room[place] : NULL };
}

/* The first array of a call: others often get its shape, so that many calls are right. */
static mica_array *model;

static mica_array *dense(mica_scope *s)
{
    int32_t data[4096];
    int64_t shape[32], n = (int64_t)draw(4), size = 1;
    if (once_in(25)) n = 5 + (int64_t)draw(28);
    for (int64_t i = 0; i < n; i++)
        size *= shape[i] = n > 4         ? 1 + (i < 3 && once_in(2))
                           : once_in(15) ? 0
                                         : 1 + (int64_t)draw(once_in(10) ? 9 : 4);
    if (be_tame()) {
        n = tame_ndim;
        size = INT64_C(1) << n;
        for (int64_t i = 0; i < n; i++) shape[i] = 2;
    } else if (model && !once_in(3)) {
        n = mica_ndim(model);
        size = mica_size(model);
        for (int64_t i = 0; i < n; i++) shape[i] = mica_dim(model, (int)i);
        if (size > EVALUATED) size = n = 0, size = 1;
    }
    for (int64_t i = 0; i < size && i < 4096; i++)
        data[i] = (int32_t)draw(11) - (once_in(2) ? 4 : 0);
    if (size > 4096) return mica_zeros(s, MICA_SHAPE(2), MICA_FLOAT32);
    return mica_from_data(s, data, (mica_dims){ n, shape }, MICA_INT32);
}

static mica_array *draw_array(mica_scope *s)
{
    if (once_in(60)) return NULL;
    if (once_in(80))
        return mica_zeros(s, MICA_SHAPE(INT64_C(1) << 20, INT64_C(1) << 21), MICA_FLOAT32);
    mica_array *a = dense(s);
    mica_dtype d = be_tame() || once_in(2) ? MICA_FLOAT32 : (mica_dtype)draw(MICA_DTYPE_COUNT);
    if (d != MICA_INT32) a = mica_astype(s, a, d);
    switch (draw(8)) {
    case 0: a = mica_transpose(s, a, MICA_ALL_AXES); break;
    case 1: a = mica_flip(s, a, MICA_ALL_AXES); break;
    case 2:
        if (mica_ndim(a))
            a = mica_slice_static(s, a, MICA_SHAPE(MICA_NO_INTEGER), MICA_SHAPE(MICA_NO_INTEGER),
                                  MICA_SHAPE(once_in(2) ? 2 : -2));
        break;
    case 3: mica_eval(s, &a, 1); break;
    default: break;
    }
    if (!model) model = a;
    return a;
}

static mica_array *draw_operand(mica_scope *s)
{
    if (once_in(6)) return mica_number(s, draw_real());
    if (once_in(6)) return mica_integer(s, draw_integer());
    return draw_array(s);
}

static mica_arrays draw_arrays(mica_scope *s, int place)
{
    size_t n = once_in(15) ? 0 : 1 + draw(4);
    for (size_t i = 0; i < n; i++) arrays[place][i] = draw_operand(s);
    return (mica_arrays){ n, n ? arrays[place] : NULL };
}

static mica_array *draw_key(mica_scope *s)
{
    return once_in(10) ? draw_array(s) : mica_random_key(s, draw_integer());
}

static const char *draw_string(void)
{
    static const char *const texts[] = { "constant", "edge", "reflect", "symmetric", "xy",
                                         "ij",       "",     "?",       NULL,        "%s%n" };
    return texts[draw(sizeof texts / sizeof *texts)];
}

/* ---- signatures ---- */

typedef struct signature {
    int n;
    char kinds[PARAMETERS][16];
    bool many;
} signature;

/* "a: array, /, axis: axes = None -> arrays": the kinds in their order. */
static signature parse(const char *text)
{
    signature g = { 0 };
    const char *end = strstr(text, "->");
    g.many = end != NULL;
    if (!end) end = text + strlen(text);
    for (const char *at = strstr(text, ": "); at && at < end; at = strstr(at, ": ")) {
        at += 2;
        size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz?");
        if (g.n == PARAMETERS || length == 0 || length >= sizeof g.kinds[0]) break;
        memcpy(g.kinds[g.n++], at, length);
    }
    return g;
}

static mica__value draw_value(mica_scope *s, int place, const char *kind)
{
    mica__value v;
    memset(&v, 0, sizeof v);
    bool left_out = kind[strlen(kind) - 1] == '?' && once_in(2);
#define IS(name) (!strncmp(kind, name, sizeof name - 1))
    if (IS("arrays")) v.arrays = draw_arrays(s, place);
    else if (IS("array")) v.array = left_out ? NULL : draw_array(s);
    else if (IS("operand") || IS("index")) v.array = left_out ? NULL : draw_operand(s);
    else if (IS("key")) v.array = draw_key(s);
    else if (IS("mask"))
        v.mask = (mica_mask){ .causal = once_in(3), .array = once_in(2) ? draw_array(s) : NULL };
    else if (IS("order"))
        v.order = (mica_order){ once_in(3) ? NULL : once_in(3) ? draw_string() : "", draw_real() };
    else if (IS("axes")) v.dims = once_in(3) ? MICA_ALL_AXES : draw_dims(place, false);
    else if (IS("axis")) v.axis = left_out ? MICA_FLATTEN : draw_axis();
    else if (IS("dims") || IS("shape"))
        v.dims = left_out ? MICA_ALL_AXES : draw_dims(place, !once_in(8));
    else if (IS("int")) v.integer = left_out ? MICA_NO_INTEGER : draw_integer();
    else if (IS("bool")) v.boolean = once_in(2);
    else if (IS("float")) v.real = left_out ? NAN : draw_real();
    else if (IS("dtype")) v.dtype = left_out ? MICA_DEFAULT_DTYPE : draw_dtype();
    else if (IS("string")) v.string = draw_string();
    else CHECK(!"a kind that this test does not know");
    return v;
#undef IS
}

/* ---- calls ---- */

static const mica__function *function;
static signature sig;
static mica__value values[PARAMETERS];
static int trial, right, failed;

static void complain(const char *what, int status)
{
    failures++;
    fprintf(stderr, "%s, trial %d: %s; status %d, '%s'\n", function->name, trial, what, status,
            mica_last_error());
}

static bool is_array(int i)
{
    return !strncmp(sig.kinds[i], "array", 5) && sig.kinds[i][5] != 's';
}
static bool holds_array(int i)
{
    return is_array(i) || !strncmp(sig.kinds[i], "operand", 7) ||
           !strncmp(sig.kinds[i], "index", 5) || !strncmp(sig.kinds[i], "key", 3);
}

static bool null_given(void)
{
    for (int i = 0; i < sig.n; i++) {
        if (holds_array(i) && !values[i].array) return true;
        if (!strncmp(sig.kinds[i], "arrays", 6))
            for (size_t k = 0; k < values[i].arrays.n; k++)
                if (!values[i].arrays.at[k]) return true;
    }
    return false;
}

/* A huge array that is never stored makes any function over it run for ever: such calls are built
 * only. */
static bool affordable(mica_arrays results)
{
    for (int i = 0; i < sig.n; i++)
        if (holds_array(i) && values[i].array && mica_size(values[i].array) > EVALUATED)
            return false;
    for (size_t i = 0; i < results.n; i++)
        if (mica_size(results.at[i]) > 1 << 16 && mica_size(results.at[i]) < 1 << 26) return false;
    return true;
}

static mica_arrays call(mica_scope *s, mica_array **one)
{
    mica_arrays many = { 0 };
    *one = function->call(s, values, &many);
    return sig.many ? many : (mica_arrays){ *one != NULL, one };
}

/* What a failure must leave: a status, and a message that says where it comes from. */
static void check_failure(int status)
{
    const char *text = mica_last_error();
    if (status >= MICA_OK || status < MICA_EOS) complain("no status of the table", status);
    else if (strcmp(text, mica_status_text(status)) == 0) return; /* there was no memory for more */
    else if (text[0] != '[' && strncmp(text, "Converting", 10) != 0)
        complain("a message without its function", status);
}

/* The function of its array arguments alone, for the transformations. */
static mica_arrays of_arrays(mica_scope *s, mica_arrays a, void *user)
{
    static mica_array *one;
    mica__value given[PARAMETERS];
    (void)user;
    memcpy(given, values, sizeof given);
    size_t k = 0;
    for (int i = 0; i < sig.n; i++)
        if (holds_array(i) && values[i].array) values[i].array = a.at[k++];
    mica_arrays results = call(s, &one);
    memcpy(values, given, sizeof given);
    return results;
}

static void transform(mica_scope *s, mica_arrays like)
{
    mica_array *in[PARAMETERS], *full[64];
    int axes[PARAMETERS];
    size_t n = 0;
    for (int i = 0; i < sig.n; i++)
        if (holds_array(i) && values[i].array) in[n++] = values[i].array;
    if (!n || like.n > 64) return;
    mica_arrays a = { n, in }, results = { 0 }, out = { 0 };
    switch (draw(3)) {
    case 0:
        for (size_t i = 0; i < like.n; i++)
            full[i] = mica_ones_like(s, like.at[i], MICA_DEFAULT_DTYPE);
        mica_vjp(s, of_arrays, NULL, a, (mica_arrays){ like.n, full }, &results, &out);
        break;
    case 1:
        for (size_t i = 0; i < n; i++) full[i] = mica_ones_like(s, in[i], MICA_DEFAULT_DTYPE);
        mica_jvp(s, of_arrays, NULL, a, (mica_arrays){ n, full }, &results, &out);
        break;
    default:
        for (size_t i = 0; i < n; i++)
            axes[i] = once_in(4) ? MICA_NO_AXIS : once_in(20) ? draw_axis() : 0;
        mica_vmap(s, of_arrays, NULL, a, axes, once_in(10) ? draw_axis() : 0, &out);
    }
    if (mica_scope_status(s) == MICA_OK && affordable(out)) mica_eval(s, out.at, out.n);
}

static void try_once(void)
{
    state = (uint64_t)(function - mica__functions + 1) * 1000003 + (uint64_t)trial * 7919 +
            88172645463325252u;
    for (int i = 0; i < 10; i++) draw(2);
    model = NULL;
    tame = once_in(2);
    tame_ndim = (int)draw(6);
    tame_length = tame_ndim > 2 ? tame_ndim - (int)draw(3) : tame_ndim;
    mica_scope *s = mica_scope_open(NULL), *t = mica_scope_open(NULL);
    for (int i = 0; i < sig.n; i++) values[i] = draw_value(s, i, sig.kinds[i]);
    bool dead = once_in(50), memory = once_in(20);
    if (dead) mica_reshape(t, mica_ones(t, MICA_SHAPE(3), MICA_FLOAT32), MICA_SHAPE(2));
    if (memory) mica__inject_failure((int64_t)draw(8));
    mica_array *one = NULL;
    mica_arrays results = call(t, &one);
    checks++;
    int status = mica_scope_status(t);
    bool null = !sig.many && !one; /* several results may be none: the slices of an empty axis */
    for (size_t i = 0; i < results.n; i++) null = null || !results.at[i];
    if (null && status == MICA_OK && !null_given()) complain("no result and no failure", status);
    if (!null && results.n && status != MICA_OK) complain("a result in spite of a failure", status);
    if (!null && status == MICA_OK) {
        for (size_t i = 0; i < results.n; i++)
            if (mica_ndim(results.at[i]) > MICA_MAX_NDIM || mica_size(results.at[i]) < 0)
                complain("an impossible shape", status);
        if (affordable(results)) {
            status = mica_eval(t, results.at, results.n);
            if (status == MICA_OK && results.n && mica_size(results.at[0]) < 100)
                mica_describe(t, results.at[0]);
            if (status == MICA_OK && !memory && once_in(2)) transform(t, results);
        }
    }
    mica__inject_failure(-1);
    right += mica_scope_status(t) == MICA_OK;
    failed += mica_scope_status(t) != MICA_OK;
    status = mica_scope_close(t);
    if (status != MICA_OK) check_failure(status);
    status = mica_scope_close(s);
    if (status != MICA_OK) complain("the arguments could not be made", status);
}

int main(int argc, char **argv)
{
    int trials = argc > 1 ? atoi(argv[1]) : 300;
    mica_memory_set_limit((size_t)64 << 20);
    for (function = mica__functions; function->name; function++) {
        if (argc > 2 && strcmp(argv[2], function->name) != 0) continue;
        sig = parse(function->signature);
        if (getenv("MICA_TEST_VERBOSE")) fprintf(stderr, "%s\n", function->name);
        live before = live_now();
        int right_before = right;
        for (trial = argc > 3 ? atoi(argv[3]) : 0; trial < trials; trial++) {
            if (argc > 2) fprintf(stderr, "%s %d\n", function->name, trial);
            try_once();
        }
        if (!live_same(before, live_now())) complain("something leaked", 0);
        if (getenv("MICA_TEST_VERBOSE"))
            printf("%s: %d of %d went well\n", function->name, right - right_before, trials);
    }
    printf("%d calls went well, %d failed as they should\n", right, failed);
    CHECK(right > trials / 3 && failed > trials / 3);
    return check_report("calls");
}
