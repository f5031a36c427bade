/* Fourier transforms: the same bits for any number of threads and instruction set, errors of the
   size of rounding, plans that come and go, failing memory. */
#include <math.h>
#include <stdlib.h>

#include "backend/cpu/fft.h"
#include "backend/cpu/isa.h"
#include "base/thread.h"
#include "live.h"
#include "mica/mica.h"
#include "runtime/pool.h"

enum { MOST = 1 << 18 };
static float numbers[2 * MOST], first[2 * MOST], second[2 * MOST];

static void fill(void)
{
    uint32_t state = 1;
    for (int i = 0; i < 2 * MOST; i++) {
        state = state * 1664525u + 1013904223u;
        numbers[i] = (float)(int32_t)state * 0x1p-31f;
    }
}

/* fft along an axis of `rows` x `n` pairs into `out`. */
static int transform(int64_t rows, int64_t n, int axis, bool inverse, float *out)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a = mica_from_data(s, numbers, MICA_SHAPE(rows, n), MICA_COMPLEX64);
    a = inverse ? mica_fft_ifft(s, a, MICA_NO_INTEGER, axis, "forward")
                : mica_fft_fft(s, a, MICA_NO_INTEGER, axis, "backward");
    mica_to_data(s, a, out, (size_t)(rows * n) * 8);
    return mica_scope_close(s);
}

/* Real numbers there and back: 2 spectra of the same bits. */
static int real_transform(int64_t rows, int64_t n, float *out)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a = mica_from_data(s, numbers, MICA_SHAPE(rows, n), MICA_FLOAT32);
    a = mica_fft_rfft(s, a, MICA_NO_INTEGER, -1, "backward");
    mica_array *b = mica_fft_irfft(s, a, n, -1, "backward");
    mica_to_data(s, b, out, (size_t)(rows * n) * 4);
    return mica_scope_close(s);
}

static const int64_t shapes[][2] = { { 1, 1 << 18 }, { 1, 100003 }, { 1, 99990 }, { 300, 256 },
                                     { 17, 1009 },   { 64, 4096 },  { 5, 720 },   { 2, 61 },
                                     { 33, 509 },    { 1, 1009 },   { 6, 2018 } };
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void test_bits_do_not_depend_on_threads(void)
{
    for (int i = 0; i < SHAPES; i++)
        for (int axis = 0; axis < 2; axis++) {
            size_t bytes = (size_t)(shapes[i][0] * shapes[i][1]) * 8;
            mica__set_thread_count(1);
            CHECK(transform(shapes[i][0], shapes[i][1], axis, false, first) == MICA_OK);
            mica__set_thread_count(3);
            CHECK(transform(shapes[i][0], shapes[i][1], axis, false, second) == MICA_OK);
            CHECK(memcmp(first, second, bytes) == 0);
        }
    mica__set_thread_count(1);
    CHECK(real_transform(1, 200000, first) == MICA_OK);
    mica__set_thread_count(3);
    CHECK(real_transform(1, 200000, second) == MICA_OK);
    CHECK(memcmp(first, second, 200000 * 4) == 0);
    mica__set_thread_count(0);
}

static void test_bits_do_not_depend_on_vectors(void)
{
    for (int i = 0; i < SHAPES; i++) {
        size_t bytes = (size_t)(shapes[i][0] * shapes[i][1]) * 8;
        mica__isa_cap(MICA_ISA_PORTABLE);
        CHECK(transform(shapes[i][0], shapes[i][1], -1, true, first) == MICA_OK);
        for (mica__isa isa = MICA_ISA_V3; isa < MICA_ISA_COUNT; isa++) {
            if (mica__isa_cap(isa) != isa) continue;
            CHECK(transform(shapes[i][0], shapes[i][1], -1, true, second) == MICA_OK);
            CHECK(memcmp(first, second, bytes) == 0);
        }
    }
    mica__isa_cap(MICA_ISA_COUNT);
}

/* The L2 norm of a difference, relative to that of b. */
static double distance(const float *a, const float *b, int64_t n)
{
    double wrong = 0, size = 0;
    for (int64_t j = 0; j < n; j++) {
        wrong += pow((double)a[j] - (double)b[j], 2);
        size += pow((double)b[j], 2);
    }
    return sqrt(wrong / size);
}

/* Against the sum itself, in double with exact angles: relative error in the L2 norm. */
static void test_errors_are_small(void)
{
    for (int64_t n = 1; n <= 400; n++) {
        CHECK(transform(1, n, -1, false, first) == MICA_OK);
        CHECK(transform(5, n, -1, false, second) == MICA_OK);
        CHECK(distance(first, second, 2 * n) < 4e-7);
        double wrong = 0, size = 0;
        for (int64_t k = 0; k < n; k++) {
            double re = 0, im = 0;
            for (int64_t j = 0; j < n; j++) {
                double angle = -6.283185307179586477 * (double)(j * k % n) / (double)n,
                       c = cos(angle), d = sin(angle);
                re += numbers[2 * j] * c - numbers[2 * j + 1] * d;
                im += numbers[2 * j] * d + numbers[2 * j + 1] * c;
            }
            wrong += pow(first[2 * k] - re, 2) + pow(first[2 * k + 1] - im, 2);
            size += re * re + im * im;
        }
        CHECK(sqrt(wrong / size) < 2.5e-7); /* half a unit is 6e-8 */
    }
}

static void test_there_and_back(void)
{
    for (int64_t n = 1; n < 3000; n = n * 3 / 2 + 1)
        for (int64_t rows = 1; rows <= 9; rows += 8) {
            CHECK(real_transform(rows, n, first) == MICA_OK);
            CHECK(distance(first, numbers, rows * n) < 4e-7);
        }
}

/* Lengths with a prime factor without a pass, one by one and side by side, along both axes. */
static void test_convolutions(void)
{
    static const int64_t lengths[] = { 67, 127, 134, 251, 509, 1009, 1018, 1151, 2039, 4093 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int64_t rows = 1; rows <= 19; rows += 9) {
            int64_t n = lengths[i];
            mica_scope *s = mica_scope_open(NULL);
            mica_array *a = mica_from_data(s, numbers, MICA_SHAPE(rows, n), MICA_COMPLEX64);
            mica_array *b = mica_swapaxes(s, a, 0, 1);
            b = mica_fft_fft(s, b, MICA_NO_INTEGER, 0, "backward");
            b = mica_swapaxes(s, mica_fft_ifft(s, b, MICA_NO_INTEGER, 0, "backward"), 0, 1);
            a = mica_fft_fft(s, a, MICA_NO_INTEGER, 1, "backward");
            a = mica_fft_ifft(s, a, MICA_NO_INTEGER, 1, "backward");
            mica_to_data(s, a, first, (size_t)(rows * n) * 8);
            mica_to_data(s, b, second, (size_t)(rows * n) * 8);
            CHECK(mica_scope_close(s) == MICA_OK);
            CHECK(distance(first, numbers, 2 * rows * n) < 4e-7);
            CHECK(distance(second, numbers, 2 * rows * n) < 4e-7);
        }
}

static void many_plans(void *wrong)
{
    for (int round = 0; round < 3; round++)
        for (int64_t n = 1; n < 150; n++) {
            const mica__fft_plan *row = NULL, *real = NULL;
            if (mica__fft_plan_take(n, MICA_FFT_ROW, &row) != MICA_OK || row->n != n)
                atomic_store((atomic_int *)wrong, 1);
            if (mica__fft_plan_take(n, MICA_FFT_REAL, &real) != MICA_OK || real->n != n)
                atomic_store((atomic_int *)wrong, 1);
            mica__fft_plan_give(row);
            mica__fft_plan_give(real);
        }
}

static void test_plans_from_several_threads(void)
{
    mica__thread threads[3];
    atomic_int wrong = 0;
    for (int i = 0; i < 3; i++)
        CHECK(mica__thread_start(&threads[i], "plans", many_plans, &wrong) == MICA_OK);
    for (int i = 0; i < 3; i++) mica__thread_join(&threads[i]);
    CHECK_EQUAL(atomic_load(&wrong), 0);
}

/* Each allocation fails in turn; lengths are new each time, so that their plans are made. */
static void test_failing_memory(void)
{
    int64_t n = 3000, failed = 0;
    for (int64_t count = 0; count < 60; count++, n += 7) {
        live before = live_now();
        mica__inject_failure(count);
        int status = count % 2 ? transform(1, n, -1, false, first)
                               : real_transform(count / 2 % 2 ? 1 : 8, n, first);
        mica__inject_failure(-1);
        CHECK(status == MICA_OK || status == MICA_EMEMORY);
        CHECK(live_same(before, live_now()));
        failed += status != MICA_OK;
        CHECK(transform(1, n, -1, false, first) == MICA_OK);
    }
    CHECK(failed > 20);
}

int main(void)
{
    fill();
    test_bits_do_not_depend_on_threads();
    test_bits_do_not_depend_on_vectors();
    test_errors_are_small();
    test_there_and_back();
    test_convolutions();
    test_plans_from_several_threads();
    test_failing_memory();
    return check_report("fft");
}
