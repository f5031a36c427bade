/* Scopes: ownership, sticky errors, moving arrays to the parent, and what a NULL scope does. */
#include <stdlib.h>

#include "core/origin.h"
#include "core/scope.h"
#include "live.h"
#include "mica/mica.h"

static mica_array *ones(mica_scope *s, int64_t n)
{
    return mica_ones(s, MICA_SHAPE(n), MICA_FLOAT32);
}

static void test_errors_stick(void)
{
    live before = live_now();
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a = ones(s, 3), *b = ones(s, 4);
    mica_array *wrong = mica_add(s, a, b);
    CHECK(!wrong);
    CHECK_EQUAL(mica_scope_status(s), MICA_EVALUE);
    CHECK(!mica_add(s, a, a)); /* a failed scope makes nothing */
    CHECK(!mica_exp(s, wrong));
    CHECK(!mica_exp(s, mica_reshape(s, a, MICA_SHAPE(7)))); /* a second error is not reported */
    CHECK_EQUAL(mica_eval(s, &a, 1), MICA_EVALUE);
    CHECK(mica_item(s, a) == 0);
    CHECK_TEXT(mica_describe(s, a), "");
    CHECK_EQUAL(mica_scope_close(s), MICA_EVALUE);
    CHECK_MENTIONS(mica_last_error(), "[add] shapes (3,) and (4,) cannot be broadcast");
    CHECK(live_same(before, live_now()));
}

static void test_null_scope(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a = ones(s, 3), *keep = a;
    CHECK(!mica_add(NULL, a, a));
    CHECK(!mica_number(NULL, 1));
    CHECK(!mica_zeros(NULL, MICA_SHAPE(1), MICA_FLOAT32));
    CHECK(!mica_from_data(NULL, "", MICA_SHAPE(0), MICA_FLOAT32));
    CHECK_EQUAL(mica_scope_status(NULL), MICA_EMEMORY);
    CHECK_EQUAL(mica_eval(NULL, &a, 1), MICA_EMEMORY);
    CHECK(mica_item(NULL, a) == 0);
    CHECK_EQUAL(mica_scope_close(NULL), MICA_EMEMORY);
    CHECK(mica_scope_close_replacing(NULL, &keep, &a, 1) != MICA_OK);
    CHECK(keep == a);
    CHECK(mica_scope_close_keeping(NULL, &keep, 1) != MICA_OK);
    CHECK(!keep);
    mica__inject_failure(0); /* a scope that cannot be opened fails its parent */
    mica_scope *t = mica_scope_open(s);
    CHECK(!t);
    CHECK_EQUAL(mica_scope_status(s), MICA_EMEMORY);
    CHECK_EQUAL(mica_scope_close(s), MICA_EMEMORY);
}

static void test_keeping(void)
{
    live before = live_now();
    mica_scope *s = mica_scope_open(NULL), *t = mica_scope_open(s);
    mica_array *kept[2] = { ones(t, 3), mica_exp(t, ones(t, 3)) };
    for (int i = 0; i < 100; i++) ones(t, i);
    CHECK_EQUAL(mica_scope_close_keeping(t, kept, 2), MICA_OK);
    CHECK(mica_item(s, mica_sum(s, kept[0], MICA_ALL_AXES, false)) == 3);
    t = mica_scope_open(s); /* a failure reaches the parent, and nothing is kept */
    kept[0] = ones(t, 3);
    kept[1] = mica_add(t, kept[0], ones(t, 2));
    CHECK_EQUAL(mica_scope_close_keeping(t, kept, 2), MICA_EVALUE);
    CHECK(!kept[0] && !kept[1]);
    CHECK_EQUAL(mica_scope_status(s), MICA_EVALUE);
    CHECK_EQUAL(mica_scope_close(s), MICA_EVALUE);

    mica_array *mine; /* without a parent the caller owns what is kept */
    t = mica_scope_open(NULL);
    mine = ones(t, 5);
    CHECK_EQUAL(mica_scope_close_keeping(t, &mine, 1), MICA_OK);
    CHECK_EQUAL(mica_size(mine), 5);
    mica_release(mine);
    CHECK(live_same(before, live_now()));
}

static void test_replacing(void)
{
    live before = live_now();
    mica_scope *s = mica_scope_open(NULL);
    mica_array *p[2] = { ones(s, 3), ones(s, 3) };
    live inside = { 0 };
    for (int i = 0; i < 50; i++) {
        mica_scope *t = mica_scope_open(s);
        mica_array *next[2] = { mica_add(t, p[0], mica_number(t, 1)),
                                mica_multiply(t, p[1], p[0]) };
        mica_eval(t, next, 2);
        CHECK_EQUAL(mica_scope_close_replacing(t, p, next, 2), MICA_OK);
        if (i == 0) inside = live_now();
    }
    CHECK(live_same(inside, live_now())); /* the old ones are gone */
    CHECK(mica_item(s, mica_max(s, p[0], MICA_ALL_AXES, false)) == 51);

    mica_array *same = ones(s, 2), *twice[40]; /* more than the scope owns: room is made */
    for (int i = 0; i < 40; i++) twice[i] = same;
    mica_scope *t = mica_scope_open(s);
    mica_array *next[40];
    for (int i = 0; i < 40; i++)
        next[i] = mica_full(t, MICA_SHAPE(1), mica_number(t, i), MICA_FLOAT32);
    CHECK_EQUAL(mica_scope_close_replacing(t, twice, next, 40), MICA_OK);
    for (int i = 0; i < 40; i++) CHECK(mica_item(s, twice[i]) == i);

    t = mica_scope_open(s); /* on failure all stay */
    mica_array *old[2] = { p[0], p[1] },
               *bad[2] = { ones(t, 1), mica_add(t, ones(t, 2), ones(t, 3)) };
    CHECK_EQUAL(mica_scope_close_replacing(t, p, bad, 2), MICA_EVALUE);
    CHECK(p[0] == old[0] && p[1] == old[1]);
    CHECK_EQUAL(mica_scope_close(s), MICA_EVALUE);

    t = mica_scope_open(NULL); /* without a parent: the caller's own references */
    mica_array *mine = ones(t, 5);
    mica_scope_close_keeping(t, &mine, 1);
    t = mica_scope_open(NULL);
    mica_array *fresh = mica_exp(t, mine);
    CHECK_EQUAL(mica_scope_close_replacing(t, &mine, &fresh, 1), MICA_OK);
    CHECK(mine == fresh);
    mica_release(mine);
    CHECK(live_same(before, live_now()));
}

/* Evaluation writes down what somebody beside the evaluating scope holds, and nothing else. */
static void test_holding(void)
{
    live before = live_now();
    mica_scope *s = mica_scope_open(NULL), *t = mica_scope_open(s);
    mica_array *x = ones(s, 2), *kept = mica_add(t, x, x);
    CHECK_EQUAL(mica_scope_close_keeping(t, &kept, 1), MICA_OK);
    mica_array *own = mica_retain(mica_add(s, x, kept)), *plain = mica_square(s, own);
    mica_array *y = mica_square(s, plain);
    CHECK_EQUAL(mica_eval(s, &y, 1), MICA_OK);
    CHECK(!mica__is_done(kept)); /* the scope alone holds it, since the inner one is closed */
    CHECK(mica__is_done(own));
    CHECK(!mica__is_done(plain));
    CHECK(mica_item(s, mica_max(s, plain, MICA_ALL_AXES, false)) == 9); /* and can be had later */
    CHECK(mica_item(s, mica_max(s, kept, MICA_ALL_AXES, false)) == 2);
    mica_release(own);

    /* What left the scope is held by who else retained it. */
    mica_array *p = mica_add(s, x, x), *old = mica_retain(p);
    t = mica_scope_open(s);
    mica_array *next = mica_square(t, p);
    CHECK_EQUAL(mica_scope_close_replacing(t, &p, &next, 1), MICA_OK);
    CHECK_EQUAL(mica_eval(s, &p, 1), MICA_OK);
    CHECK(mica__is_done(old));
    mica_release(old);

    /* Another scope's array stays for it. */
    t = mica_scope_open(NULL);
    mica_array *theirs = mica_add(t, x, x), *mine = mica_square(s, theirs);
    CHECK_EQUAL(mica_eval(s, &mine, 1), MICA_OK);
    CHECK(mica__is_done(theirs));
    CHECK_EQUAL(mica_scope_close(t), MICA_OK);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    CHECK(live_same(before, live_now()));
}

static int freed;
static void count_free(void *user)
{
    freed++;
    free(user);
}

static void test_memory(void)
{
    live before = live_now();
    mica_scope *s = mica_scope_open(NULL);
    float *values = calloc(4, sizeof *values);
    mica_array *a = mica_from_memory(s, values, MICA_SHAPE(2, 2), MICA_FLOAT32, count_free, values);
    mica_array *t = mica_transpose(s, a, MICA_ALL_AXES);
    mica_eval(s, &t, 1);
    CHECK(mica_item(s, mica_sum(s, t, MICA_ALL_AXES, false)) == 0);
    mica_retain(t);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    CHECK_EQUAL(freed, 0); /* a view still uses it */
    mica_release(t);
    CHECK_EQUAL(freed, 1);

    s = mica_scope_open(NULL);
    void *other = malloc(4);
    CHECK(!mica_from_memory(s, other, MICA_SHAPE(-1), MICA_FLOAT32, count_free, other));
    CHECK_EQUAL(freed, 2);
    CHECK_EQUAL(mica_scope_close(s), MICA_EVALUE);
    CHECK(live_same(before, live_now()));
}

static void test_numbers(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *half = mica_ones(s, MICA_SHAPE(2), MICA_FLOAT16);
    CHECK_EQUAL(mica_dtype_of(mica_add(s, half, mica_number(s, 1))), MICA_FLOAT16);
    CHECK_EQUAL(mica_dtype_of(mica_add(s, half, mica_scalar(s, 1, MICA_FLOAT32))), MICA_FLOAT32);
    CHECK_EQUAL(mica_dtype_of(mica_integer(s, INT64_C(1) << 40)), MICA_INT64);
    CHECK(mica_item(s, mica_scalar(s, 300, MICA_INT32)) == 300);
    int16_t out[6], in[6] = { 1, 2, 3, 4, 5, 6 };
    mica_array *a =
        mica_transpose(s, mica_from_data(s, in, MICA_SHAPE(2, 3), MICA_INT16), MICA_ALL_AXES);
    CHECK_EQUAL(mica_to_data(s, a, out, sizeof out), MICA_OK);
    CHECK(out[0] == 1 && out[1] == 4 && out[2] == 2 && out[5] == 6);
    CHECK_TEXT(mica_describe(s, mica_reshape(s, a, MICA_SHAPE(6))),
               "array([1, 4, 2, 5, 3, 6], dtype=int16)");
    CHECK_EQUAL(mica_to_data(s, a, out, 11), MICA_EVALUE);
    CHECK_EQUAL(mica_scope_close(s), MICA_EVALUE);
    CHECK_MENTIONS(mica_last_error(), "[to_data]");
}

/* A front end's scope lets errors begin with the function that was called, at once and at
 * evaluation. */
static void test_origins(void)
{
    uint16_t origin = mica__origin_of("my_function");
    CHECK(origin && origin == mica__origin_of("my_function"));
    CHECK(origin != mica__origin_of("other_function"));
    mica_scope *s = mica_scope_open(NULL);
    s->origin = origin;
    mica_scope *inner = mica_scope_open(s);
    CHECK(!mica_add(inner, ones(inner, 3), ones(inner, 4)));
    CHECK_EQUAL(mica_scope_close(inner), MICA_EVALUE);
    CHECK_TEXT(mica_last_error(),
               "[my_function] shapes (3,) and (4,) cannot be broadcast together");
    mica_array *late =
        mica_take(s, ones(s, 3), mica_full(s, MICA_SHAPE(2), mica_integer(s, 7), MICA_INT32), 0);
    CHECK_EQUAL(mica_eval(s, &late, 1), MICA_EINDEX);
    CHECK_MENTIONS(mica_last_error(), "[my_function] index 7 is out of range");
    mica_scope_close(s);
    mica__fail(MICA_EVALUE, "a text without a name");
    mica__origin_name_error(origin);
    CHECK_TEXT(mica_last_error(), "[my_function] a text without a name");
    mica__origin_name_error(0);
    CHECK_TEXT(mica_last_error(), "[my_function] a text without a name");
}

static void test_buffers(void)
{
    size_t active = mica_memory_active(), bytes;
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a[3] = { mica_arange(s, 0, 5000, 1, MICA_FLOAT32), mica_number(s, 3), NULL };
    CHECK_EQUAL(mica_array_buffer_size((mica_arrays){ .n = 2, .at = a }, &bytes), MICA_EVALUE);
    CHECK_MENTIONS(mica_last_error(), "array 0 of shape (5000,) is not evaluated");
    CHECK_EQUAL(bytes, 0);
    CHECK_EQUAL(mica_eval(s, a, 2), MICA_OK);
    CHECK_EQUAL(mica_array_buffer_size((mica_arrays){ .n = 2, .at = a }, &bytes), MICA_OK);
    CHECK(bytes >= 20000 && bytes == mica_memory_active() - active);
    mica_array *twice[2] = { a[0], mica_reshape(s, a[0], MICA_SHAPE(50, 100)) };
    CHECK_EQUAL(mica_eval(s, twice, 2), MICA_OK);
    CHECK_EQUAL(mica_array_buffer_size((mica_arrays){ .n = 2, .at = twice }, &bytes), MICA_OK);
    CHECK_EQUAL(bytes, mica_memory_active() - active);
    CHECK_EQUAL(mica_array_buffer_size((mica_arrays){ .n = 3, .at = a }, &bytes), MICA_EVALUE);
    CHECK_MENTIONS(mica_last_error(), "array 2 is NULL");
    CHECK_EQUAL(mica_array_buffer_size((mica_arrays){ .n = 2, .at = a }, NULL), MICA_EVALUE);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

int main(void)
{
    test_buffers();
    test_origins();
    test_errors_stick();
    test_null_scope();
    test_keeping();
    test_replacing();
    test_holding();
    test_memory();
    test_numbers();
    return check_report("scope");
}
