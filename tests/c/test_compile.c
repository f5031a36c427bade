/* Compiled C functions: one trace for each signature, calls within calls, failures, ownership. */
#include "live.h"
#include "mica/mica.h"

typedef struct counted {
    mica_compiled *self;
    int traces, frees;
} counted;

static void count_free(void *user)
{
    ((counted *)user)->frees++;
}

static mica_arrays one(mica_scope *s, mica_array *a)
{
    static _Thread_local mica_array *result[1];
    (void)s;
    result[0] = a;
    return (mica_arrays){ 1, result };
}

static mica_array *call(mica_scope *s, mica_compiled *c, mica_array *x)
{
    mica_arrays results = { 0 };
    int status = mica_compiled_call(s, c, (mica_arrays){ 1, &x }, &results);
    return status == MICA_OK && results.n == 1 ? results.at[0] : NULL;
}

/* x^2 + 1 */
static mica_arrays square_and_one(mica_scope *s, mica_arrays in, void *user)
{
    ((counted *)user)->traces++;
    return one(s, mica_add(s, mica_multiply(s, in.at[0], in.at[0]), mica_number(s, 1)));
}

static void test_signatures(void)
{
    live before = live_now();
    counted count = { 0 };
    mica_compiled *c = NULL;
    CHECK_EQUAL(mica_compile(square_and_one, &count, count_free, false, &c), MICA_OK);
    mica_scope *s = mica_scope_open(NULL);
    for (int i = 0; i < 3; i++)
        CHECK(mica_item(s, call(s, c, mica_scalar(s, i, MICA_FLOAT32))) == i * i + 1);
    CHECK_EQUAL(count.traces, 1);
    mica_array *x = mica_arange(s, 0, 4, 1, MICA_FLOAT32);
    CHECK(mica_item(s, mica_sum(s, call(s, c, x), MICA_ALL_AXES, false)) == 18);
    CHECK_EQUAL(count.traces, 2);
    CHECK(mica_item(s, call(s, c, mica_scalar(s, 3, MICA_INT32))) == 10);
    CHECK_EQUAL(count.traces, 3);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    CHECK_EQUAL(count.frees, 0);
    mica_compiled_release(c);
    CHECK_EQUAL(count.frees, 1);
    CHECK_EQUAL(mica_compile(NULL, NULL, NULL, false, &c), MICA_EVALUE);
    CHECK(live_same(before, live_now()));
}

/* Differentiated, a compiled function takes part in the graph. */
static mica_array *compiled_loss(mica_scope *s, mica_array *const p[], void *user)
{
    return mica_sum(s, call(s, user, p[0]), MICA_ALL_AXES, false);
}

static void test_gradient(void)
{
    counted count = { 0 };
    mica_compiled *c = NULL;
    mica_compile(square_and_one, &count, NULL, false, &c);
    mica_scope *s = mica_scope_open(NULL);
    mica_array *x = mica_scalar(s, 5, MICA_FLOAT32), *value = NULL, *gradient = NULL;
    mica_value_and_grad(s, compiled_loss, c, &x, 1, &value, &gradient);
    CHECK(mica_item(s, value) == 26);
    CHECK(mica_item(s, gradient) == 10);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    mica_compiled_release(c);
}

/* Calls itself on what it is given, without end. */
static mica_arrays endless(mica_scope *s, mica_arrays in, void *user)
{
    counted *count = user;
    count->traces++;
    return one(s, call(s, count->self, mica_add(s, in.at[0], mica_number(s, 1))));
}

/* Calls itself on a constant of another shape, once. */
static mica_arrays of_itself(mica_scope *s, mica_arrays in, void *user)
{
    counted *count = user;
    count->traces++;
    if (mica_ndim(in.at[0]) == 0) return one(s, mica_multiply(s, in.at[0], mica_number(s, 3)));
    return one(s, mica_add(s, in.at[0], call(s, count->self, mica_scalar(s, 2, MICA_FLOAT32))));
}

static void test_recursion(void)
{
    counted count = { 0 };
    mica_compile(endless, &count, NULL, false, &count.self);
    for (int i = 0; i < 2; i++) { /* after the error all is as before */
        mica_scope *s = mica_scope_open(NULL);
        CHECK(!call(s, count.self, mica_scalar(s, 1, MICA_FLOAT32)));
        CHECK_EQUAL(mica_scope_close(s), MICA_ERUNTIME);
        CHECK_MENTIONS(mica_last_error(), "[compile] compiled functions call each other");
    }
    mica_compiled_release(count.self);

    count = (counted){ 0 };
    mica_compile(of_itself, &count, NULL, false, &count.self);
    mica_scope *s = mica_scope_open(NULL);
    for (int i = 0; i < 2; i++)
        CHECK(
            mica_item(s, mica_sum(s, call(s, count.self, mica_ones(s, MICA_SHAPE(3), MICA_FLOAT32)),
                                  MICA_ALL_AXES, false)) == 21);
    CHECK_EQUAL(count.traces, 2);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    mica_compiled_release(count.self);
}

static mica_arrays fails_first(mica_scope *s, mica_arrays in, void *user)
{
    counted *count = user;
    if (!count->traces++) return one(s, mica_reshape(s, in.at[0], MICA_SHAPE(7)));
    return one(s, mica_negative(s, in.at[0]));
}

static void test_failures(void)
{
    live before = live_now();
    counted count = { 0 };
    mica_compiled *c = NULL;
    mica_compile(fails_first, &count, NULL, false, &c);
    mica_scope *s = mica_scope_open(NULL);
    CHECK(!call(s, c, mica_ones(s, MICA_SHAPE(3), MICA_FLOAT32)));
    CHECK_EQUAL(mica_scope_close(s), MICA_EVALUE);
    s = mica_scope_open(NULL); /* nothing of the failed trace is kept */
    mica_array *y = call(s, c, mica_ones(s, MICA_SHAPE(3), MICA_FLOAT32));
    CHECK(mica_item(s, mica_sum(s, y, MICA_ALL_AXES, false)) == -3);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    s = mica_scope_open(NULL);
    CHECK(!call(s, c, NULL));
    CHECK_EQUAL(mica_scope_close(s), MICA_EVALUE);
    CHECK_MENTIONS(mica_last_error(), "[compile] argument 0 is NULL");
    s = mica_scope_open(NULL);
    mica_arrays none = { 0 };
    CHECK_EQUAL(mica_compiled_call(s, NULL, none, &none), MICA_EVALUE);
    CHECK_EQUAL(mica_scope_close(s), MICA_EVALUE);
    mica_compiled_release(c);
    mica_compiled_release(NULL);
    CHECK(live_same(before, live_now()));
}

int main(void)
{
    test_signatures();
    test_gradient();
    test_recursion();
    test_failures();
    return check_report("compile");
}
