/* Views, joining, indexing, order and random numbers: values on hand-checkable arrays, what meets
   in one place, faults, and the same result for any number of threads. */
#include <stdlib.h>

#include "backend/cpu/kernel.h"
#include "check.h"
#include "ops/builder.h"

static const float *floats(mica_scope *s, mica_array *a)
{
    mica_array *row = mica_contiguous(s, mica_astype(s, a, MICA_FLOAT32), false);
    return row && mica_eval(s, &row, 1) == MICA_OK ? (const float *)(const void *)row->data : NULL;
}

static bool same(mica_scope *s, mica_array *a, size_t n, const float *want)
{
    const float *got = floats(s, a);
    return got && a->size == (int64_t)n && memcmp(got, want, n * sizeof *want) == 0;
}
#define SAME(s, a, ...)                                                                            \
    CHECK(same(s, a, sizeof((float[]){ __VA_ARGS__ }) / sizeof(float), (float[]){ __VA_ARGS__ }))

static mica_array *counted(mica_scope *s, mica_dims shape)
{
    int64_t n = 1;
    for (int64_t i = 0; i < shape.n; i++) n *= shape.at[i];
    return mica_reshape(s, mica_arange_integer(s, 0, n, 1, MICA_FLOAT32), shape);
}

static mica_array *integers(mica_scope *s, mica_dims values)
{
    return mica_from_data(s, values.at, MICA_SHAPE(values.n), MICA_INT64);
}

static void test_views(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a = counted(s, MICA_SHAPE(2, 3));
    SAME(s, mica_transpose(s, a, MICA_ALL_AXES), 0, 3, 1, 4, 2, 5);
    SAME(s, mica_reshape(s, mica_transpose(s, a, MICA_ALL_AXES), MICA_SHAPE(-1)), 0, 3, 1, 4, 2, 5);
    SAME(s, mica_flip(s, a, MICA_AXES(1)), 2, 1, 0, 5, 4, 3);
    SAME(s, mica_roll(s, a, MICA_SHAPE(1), MICA_ALL_AXES), 5, 0, 1, 2, 3, 4);
    SAME(s, mica_tile(s, a, MICA_SHAPE(2)), 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5);
    SAME(s, mica_repeat(s, a, 2, 0), 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5);
    SAME(s,
         mica_slice_static(s, a, MICA_SHAPE(1, MICA_NO_INTEGER), MICA_SHAPE(9, MICA_NO_INTEGER),
                           MICA_SHAPE(1, -2)),
         5, 3);
    SAME(s, mica_diagonal(s, a, 1, 0, 1), 1, 5);
    SAME(s, mica_pad(s, a, MICA_SHAPE(0, 2), MICA_SHAPE(0, 1), "reflect", NULL), 2, 1, 0, 1, 2, 1,
         5, 4, 3, 4, 5, 4);
    SAME(s, mica_pad(s, a, MICA_SHAPE(1, 0), MICA_SHAPE(0, 1), "constant", mica_number(s, 7)), 7, 7,
         7, 7, 0, 1, 2, 7, 3, 4, 5, 7);
    SAME(s, mica_as_strided(s, a, MICA_SHAPE(2, 2), MICA_SHAPE(2, 1), 1), 1, 2, 3, 4);
    CHECK(mica_reshape(s, a, MICA_SHAPE(2, 3)) == a);
    CHECK(mica_broadcast_to(s, a, MICA_SHAPE(2, 3)) == a);
    CHECK(mica_squeeze(s, a, MICA_ALL_AXES) == a);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void fails(int status, const char *text, mica_array *(*build)(mica_scope *, mica_array *))
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *r = build(s, counted(s, MICA_SHAPE(3, 4)));
    int got = r ? mica_eval(s, &r, 1) : mica_scope_status(s);
    CHECK_EQUAL(got, status);
    mica_scope_close(s);
    CHECK_MENTIONS(mica_last_error(), text);
}

static mica_array *take_beyond(mica_scope *s, mica_array *a)
{
    return mica_take(s, a, integers(s, MICA_SHAPE(1, 4, 0)), 1);
}
static mica_array *take_number_beyond(mica_scope *s, mica_array *a)
{
    return mica_take(s, a, mica_integer(s, 3), 0);
}
static mica_array *scatter_beyond(mica_scope *s, mica_array *a)
{
    return mica_scatter(s, a, MICA_ARRAYS(integers(s, MICA_SHAPE(0, -4))), mica_number(s, 1),
                        MICA_AXES(0), MICA_SCATTER_SUM);
}
static mica_array *along_beyond(mica_scope *s, mica_array *a)
{
    return mica_take_along_axis(
        s, a, mica_reshape(s, integers(s, MICA_SHAPE(0, 9, 1)), MICA_SHAPE(3, 1)), 1);
}
static mica_array *slice_beyond(mica_scope *s, mica_array *a)
{
    return mica_slice(s, a, integers(s, MICA_SHAPE(3)), MICA_AXES(1), MICA_SHAPE(3, 2));
}
static mica_array *strides_beyond(mica_scope *s, mica_array *a)
{
    return mica_as_strided(s, a, MICA_SHAPE(4), MICA_SHAPE(-1), 2);
}
static mica_array *reshape_wrong(mica_scope *s, mica_array *a)
{
    return mica_reshape(s, a, MICA_SHAPE(5, -1));
}
static mica_array *source_short(mica_scope *s, mica_array *a)
{
    mica_array *mask = mica_greater(s, a, mica_number(s, 5));
    return mica_masked_scatter(s, a, mask, mica_zeros(s, MICA_SHAPE(2), MICA_FLOAT32));
}

static void test_faults(void)
{
    fails(MICA_EINDEX, "index 4 is out of range for axis 1 with size 4", take_beyond);
    fails(MICA_EINDEX, "[take] index 3 is out of range for axis 0 with size 3", take_number_beyond);
    fails(MICA_EINDEX, "[scatter] index -4 is out of range for axis 0 with size 3", scatter_beyond);
    fails(MICA_EINDEX, "[take_along_axis] index 9", along_beyond);
    fails(MICA_EINDEX, "[slice] start 3 and size 2", slice_beyond);
    fails(MICA_EINDEX, "[as_strided]", strides_beyond);
    fails(MICA_EVALUE, "[reshape] 12 elements", reshape_wrong);
    fails(MICA_ERUNTIME, "[masked_scatter] the mask selects 6", source_short);
}

static void test_scatter(void)
{
    static const mica_scatter_mode modes[] = { MICA_SCATTER_SET, MICA_SCATTER_SUM,
                                               MICA_SCATTER_PROD, MICA_SCATTER_MAX,
                                               MICA_SCATTER_MIN };
    static const float want[][3] = {
        { 5, 1, 3 }, { 10, 1, 5 }, { 0, 1, 6 }, { 5, 1, 3 }, { 0, 1, 2 }
    };
    for (int i = 0; i < 5; i++) {
        mica_scope *s = mica_scope_open(NULL);
        mica_array *updates = mica_reshape(
            s, mica_astype(s, integers(s, MICA_SHAPE(5, 3, 5)), MICA_FLOAT32), MICA_SHAPE(3, 1));
        mica_array *r = mica_scatter(s, counted(s, MICA_SHAPE(3)),
                                     MICA_ARRAYS(integers(s, MICA_SHAPE(0, 2, -3))), updates,
                                     MICA_AXES(0), modes[i]);
        CHECK(same(s, r, 3, want[i]));
        mica_array *half = mica_scatter(s, mica_astype(s, counted(s, MICA_SHAPE(3)), MICA_BFLOAT16),
                                        MICA_ARRAYS(integers(s, MICA_SHAPE(0, 2, -3))), updates,
                                        MICA_AXES(0), modes[i]);
        CHECK(same(s, half, 3, want[i]));
        CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    }
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a = counted(s, MICA_SHAPE(2, 3));
    SAME(s,
         mica_slice_assign(s, a, mica_number(s, 9), MICA_SHAPE(0, 0), MICA_SHAPE(2, 3),
                           MICA_SHAPE(1, 2), MICA_SCATTER_SUM),
         9, 1, 11, 12, 4, 14);
    mica_array *mask = mica_greater(s, a, mica_number(s, 3));
    SAME(s, mica_masked_scatter(s, a, mask, mica_add(s, a, mica_number(s, 10))), 0, 1, 2, 3, 10,
         11);
    SAME(s, mica_masked_select(s, a, mask), 4, 5);
    SAME(s,
         mica_put_along_axis(s, a, mica_reshape(s, integers(s, MICA_SHAPE(2, 0)), MICA_SHAPE(2, 1)),
                             mica_number(s, 8), 1),
         0, 1, 8, 8, 4, 5);
    mica_array *pair = mica_gather(
        s, a, MICA_ARRAYS(integers(s, MICA_SHAPE(1, 0)), integers(s, MICA_SHAPE(-1, 0))),
        MICA_AXES(0, 1), MICA_SHAPE(1, 1));
    SAME(s, pair, 5, 0);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* Rows that meet in one place add up in the order of their indices, whoever adds them. */
static void test_threads(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *key = mica_random_key(s, 3);
    mica_array *rows =
        mica_random_normal(s, MICA_SHAPE(5000, 1, 130), MICA_FLOAT32, NULL, NULL, key);
    mica_array *single = mica_random_normal(s, MICA_SHAPE(50000, 1), MICA_FLOAT32, NULL, NULL, key);
    mica_array *few = mica_random_randint(s, mica_integer(s, 0), mica_integer(s, 17),
                                          MICA_SHAPE(5000), MICA_INT32, key);
    mica_array *many = mica_random_randint(s, mica_integer(s, 0), mica_integer(s, 17),
                                           MICA_SHAPE(50000), MICA_INT32, key);
    mica_array *first[3] = { NULL };
    for (size_t threads = 1; threads <= 4; threads++) {
        mica__set_thread_count(threads);
        mica_array *r[3] = {
            mica_scatter(s, mica_zeros(s, MICA_SHAPE(17, 130), MICA_FLOAT32), MICA_ARRAYS(few),
                         rows, MICA_AXES(0), MICA_SCATTER_SUM),
            mica_scatter(s, mica_zeros(s, MICA_SHAPE(17), MICA_FLOAT32), MICA_ARRAYS(many), single,
                         MICA_AXES(0), MICA_SCATTER_SUM),
            mica_random_normal(s, MICA_SHAPE(100001), MICA_FLOAT32, NULL, NULL, key)
        };
        CHECK_EQUAL(mica_eval(s, r, 3), MICA_OK);
        for (int i = 0; i < 3; i++) {
            if (threads == 1) first[i] = r[i];
            CHECK(memcmp(first[i]->data, r[i]->data, (size_t)r[i]->size * 4) == 0);
        }
    }
    mica__set_thread_count(0);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void test_order(void)
{
    static const mica_dtype types[] = { MICA_UINT8,   MICA_INT8,    MICA_INT16,
                                        MICA_INT32,   MICA_UINT64,  MICA_INT64,
                                        MICA_FLOAT16, MICA_FLOAT32, MICA_FLOAT64 };
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int64_t n = 1; n < 3000; n = 5 * n + 2)
            for (int axis = 0; axis < 2; axis++) {
                mica_scope *s = mica_scope_open(NULL);
                mica_array *a = mica_random_randint(
                    s, mica_integer(s, mica__is_unsigned(types[t]) ? 0 : -60), mica_integer(s, 60),
                    MICA_SHAPE(n, n > 500 ? 3 : 20), MICA_INT32, mica_random_key(s, n));
                a = mica_astype(s, a, types[t]);
                mica_array *order = mica_argsort(s, a, axis);
                const float *v = floats(s, mica_sort(s, a, axis)),
                            *by = floats(s, mica_take_along_axis(s, a, order, axis)),
                            *at = floats(s, order);
                int64_t m = a->shape[1], step = axis ? 1 : m, wrong = 0;
                for (int64_t i = 0; v && by && at && i < a->size; i++) {
                    wrong += v[i] != by[i];
                    bool last = axis ? i % m == m - 1 : i + m >= a->size;
                    if (!last)
                        wrong += v[i] > v[i + step] ||
                                 (v[i] == v[i + step] && at[i] > at[i + step]); /* stable */
                }
                CHECK(v && by && at && wrong == 0);
                CHECK_EQUAL(mica_scope_close(s), MICA_OK);
            }
    mica_scope *s = mica_scope_open(NULL);
    mica_array *sorted = mica_astype(s, integers(s, MICA_SHAPE(1, 2, 2, 3)), MICA_FLOAT32);
    SAME(s, mica_searchsorted(s, sorted, integers(s, MICA_SHAPE(2, 0, 9)), "left"), 1, 0, 4);
    SAME(s, mica_searchsorted(s, sorted, integers(s, MICA_SHAPE(2, 0, 9)), "right"), 3, 0, 4);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* Numbers that the reference draws. */
static void test_random(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *key = mica_random_key(s, 0), *split = mica_random_split(s, key, 3),
               *words = mica_random_key(s, (INT64_C(1) << 40) + 5);
    CHECK_EQUAL(mica_eval(s, (mica_array *const[]){ split, words }, 2), MICA_OK);
    CHECK(memcmp(split->data,
                 (uint32_t[]){ 2467461003u, 428148500u, 3186719485u, 3840466878u, 2562233961u,
                               1946702221u },
                 24) == 0);
    CHECK(memcmp(words->data, (uint32_t[]){ 256, 5 }, 8) == 0);
    mica_array *zero = mica_number(s, 0), *one = mica_number(s, 1);
    SAME(s, mica_random_uniform(s, zero, one, MICA_SHAPE(5), MICA_FLOAT32, key), 0.574500560760498f,
         0.09968609362840652f, 0.39316028356552124f, 0.8941783905029297f, 0.5965665578842163f);
    SAME(s, mica_random_uniform(s, zero, one, MICA_SHAPE(3), MICA_BFLOAT16, key), 0.96484375f,
         0.314453125f, 0.6328125f);
    SAME(s, mica_random_normal(s, MICA_SHAPE(5), MICA_FLOAT32, NULL, NULL, key),
         0.1878441572189331f, -1.2833421230316162f, -0.2710915505886078f, 1.2490599155426025f,
         0.24447001516819f);
    SAME(s,
         mica_random_randint(s, mica_integer(s, 0), mica_integer(s, 10), MICA_SHAPE(8), MICA_INT32,
                             key),
         5, 3, 3, 9, 1, 9, 1, 8);
    SAME(s, mica_random_bernoulli(s, mica_number(s, 0.5), MICA_SHAPE(8), key), 0, 1, 1, 0, 1, 0, 1,
         0);
    SAME(s, mica_random_permutation_of(s, 6, key), 1, 5, 0, 4, 2, 3);
    mica_array *flat = mica_zeros(s, MICA_SHAPE(3, 4), MICA_FLOAT32);
    SAME(s, mica_random_categorical(s, flat, -1, MICA_ALL_AXES, MICA_NO_INTEGER, key), 0, 1, 3);
    SAME(s, mica_random_categorical(s, flat, -1, MICA_ALL_AXES, 2, key), 0, 1, 3, 3, 1, 3);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* Every allocation fails once: nothing leaks, nothing crashes, and the scope says so. */
static void test_memory(void)
{
    int64_t before = 0;
    for (int64_t fail = -1; fail < 400; fail++) {
        mica_scope *s = mica_scope_open(NULL);
        mica__inject_failure(fail);
        mica_array *a = counted(s, MICA_SHAPE(64, 70));
        mica_array *r[4] = {
            mica_softmax(s, mica_transpose(s, a, MICA_ALL_AXES), MICA_AXES(0), false),
            mica_median(s, a, MICA_AXES(0), false), mica_roll(s, a, MICA_SHAPE(3), MICA_ALL_AXES),
            mica_var(s, a, MICA_ALL_AXES, false, 1, MICA_NO_INTEGER)
        };
        int status = mica_scope_status(s) == MICA_OK ? mica_eval(s, r, 4) : mica_scope_status(s);
        mica__inject_failure(-1);
        CHECK(status == MICA_OK || status == MICA_EMEMORY);
        mica_scope_close(s);
        if (fail < 0) before = mica__live(MICA_LIVE_NODE) + mica__live(MICA_LIVE_BUFFER);
        CHECK_EQUAL(mica__live(MICA_LIVE_NODE) + mica__live(MICA_LIVE_BUFFER), before);
        if (fail >= 0 && status == MICA_OK) break;
    }
}

int main(void)
{
    test_views();
    test_faults();
    test_scatter();
    test_threads();
    test_order();
    test_random();
    test_memory();
    return check_report("families_index");
}
