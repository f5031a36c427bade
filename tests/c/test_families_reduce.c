/* Reductions, softmax and scans: every layout, type and number of threads against plain loops, and
 * the same bits on all of them. */
#include <math.h>
#include <stdlib.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/kernel.h"
#include "check.h"
#include "ops/builder.h"

static uint32_t state = 1;
static double noise(void)
{
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / 8388608.0 - 1;
}

/* An array of any type with values that all types hold. */
static mica_array *filled(mica_scope *s, mica_dtype d, mica_dims shape, bool small)
{
    mica_array *a = mica__empty(s, d, shape);
    for (int64_t i = 0; i < a->size; i++) {
        double x = small ? floor(noise() * 4) : noise() * 3;
        if (d == MICA_BOOL || mica__is_unsigned(d)) x = fabs(floor(x));
        mica__store_number(d, a->data + (size_t)i * mica__dtype_sizes[d], false, 0, x, 0);
    }
    return a;
}

static double *values(mica_scope *s, mica_array *a)
{
    mica_array *row = mica_contiguous(s, a, false);
    if (!row || mica_eval(s, &row, 1) != MICA_OK) return NULL;
    double *v = mica__scope_alloc(s, (size_t)(a->size + 1) * sizeof *v);
    for (int64_t i = 0; i < a->size; i++)
        v[i] = mica__load_number((mica_dtype)a->dtype,
                                 row->data + (size_t)i * mica__dtype_sizes[a->dtype]);
    return v;
}

/* The same elements behind other strides: transposed, reversed, every other one, broadcast. */
static mica_array *layout(mica_scope *s, mica_dtype d, int64_t n, const int64_t *shape, int kind)
{
    int64_t big[8], back[8], start[8], stop[8], step[8];
    for (int64_t i = 0; i < n; i++) {
        big[i] = kind == 2             ? 2 * shape[i] + 1
                 : kind == 1           ? shape[n - 1 - i]
                 : kind == 4 && i == 1 ? 1
                                       : shape[i];
        back[i] = n - 1 - i;
        start[i] = kind == 3 ? MICA_NO_INTEGER : 1;
        stop[i] = MICA_NO_INTEGER;
        step[i] = kind == 3 ? -1 : 2;
    }
    mica_array *a = filled(s, d, (mica_dims){ n, big }, true);
    if (kind == 1) a = mica_transpose(s, a, (mica_dims){ n, back });
    if (kind == 2 || kind == 3)
        a = mica_slice_static(s, a, (mica_dims){ n, start }, (mica_dims){ n, stop },
                              (mica_dims){ n, step });
    if (kind == 4) a = mica_broadcast_to(s, a, (mica_dims){ n, shape });
    return a;
}

typedef mica_array *reduction(mica_scope *, mica_array *, mica_dims, bool);

static double plain(int op, double a, double b)
{
    switch (op) {
    case 0: return a + b;
    case 1: return b > a ? b : a;
    case 2: return b < a ? b : a;
    case 3: return a && b;
    default: return a || b;
    }
}

static void check_reduction(mica_dtype d, int64_t n, const int64_t *shape, int kind, unsigned axes)
{
    static reduction *const reductions[] = { mica_sum, mica_max, mica_min, mica_all, mica_any };
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a = layout(s, d, n, shape, kind);
    double *x = values(s, a);
    int64_t list[8], count = 0, out_size = 1, strides[8];
    for (int64_t i = n - 1; i >= 0; i--) {
        strides[i] = axes >> i & 1 ? 0 : out_size;
        if (!(axes >> i & 1)) out_size *= shape[i];
    }
    for (int64_t i = 0; i < n; i++)
        if (axes >> i & 1) list[count++] = i;
    for (int op = 0; op < 5; op++) {
        static const double starts[] = { 0, -INFINITY, INFINITY, 1, 0 };
        double *want = malloc((size_t)out_size * sizeof *want);
        for (int64_t i = 0; i < out_size; i++) want[i] = starts[op];
        for (int64_t i = 0; i < a->size; i++) {
            int64_t rest = i, to = 0;
            for (int64_t k = n - 1; k >= 0; k--) {
                to += rest % shape[k] * strides[k];
                rest /= shape[k];
            }
            want[to] = plain(op, want[to], x[i]);
        }
        double *got = values(s, reductions[op](s, a, (mica_dims){ count, list }, op % 2));
        int64_t wrong = 0;
        for (int64_t i = 0; got && i < out_size; i++) {
            char rounded[16];
            mica_dtype to = op == 0 && mica__is_half(d) ? d : MICA_FLOAT64;
            mica__store_number(to, rounded, false, 0, want[i], 0);
            wrong += got[i] != mica__load_number(to, rounded);
        }
        CHECK(got && wrong == 0);
        if (wrong)
            fprintf(stderr, "  op %d type %s kind %d axes %u: %lld of %lld\n", op,
                    mica_dtype_name(d), kind, axes, (long long)wrong, (long long)out_size);
        free(want);
    }
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void test_layouts(void)
{
    static const mica_dtype types[] = { MICA_BOOL,     MICA_UINT8,   MICA_INT16,
                                        MICA_INT32,    MICA_INT64,   MICA_FLOAT16,
                                        MICA_BFLOAT16, MICA_FLOAT32, MICA_FLOAT64 };
    static const int64_t shapes[][3] = {
        { 3, 5, 7 }, { 40, 3, 33 }, { 2, 1500, 2 }, { 1, 9, 130 }, { 70, 1, 20 }
    };
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
            for (int kind = 0; kind < 5; kind++)
                for (unsigned axes = 1; axes < 8; axes++) {
                    if (kind == 4 && shapes[k][1] == 1) continue;
                    if (k > 0 && t % 2) continue;
                    check_reduction(types[t], 3, shapes[k], kind, axes);
                }
}

/* The sum of floats depends on their order in the array alone: not on threads, strides, or how many
 * rows there are. */
static void test_order(void)
{
    mica_scope *s = mica_scope_open(NULL);
    enum { N = 200000, M = 3 };
    mica_array *a = filled(s, MICA_FLOAT32, MICA_SHAPE(M, N), false);
    float first[M];
    for (size_t threads = 1; threads <= 4; threads += 3)
        for (int form = 0; form < 4; form++) {
            mica__set_thread_count(threads);
            mica_array *x = a; /* rows; columns of the same values; rows by rows; one row, gathered
                                  with stride 2 */
            mica_array *t = mica_contiguous(s, mica_transpose(s, a, MICA_ALL_AXES), false);
            mica_array *doubled = mica_repeat(s, a, 2, 1);
            mica_array *r =
                form == 0   ? mica_sum(s, x, MICA_AXES(1), false)
                : form == 1 ? mica_sum(s, t, MICA_AXES(0), false)
                : form == 2 ? mica_sum(s, mica_reshape(s, x, MICA_SHAPE(M, 10, N / 10)),
                                       MICA_AXES(1, 2), false)
                            : mica_sum(s,
                                       mica_slice_static(s, doubled, MICA_SHAPE(0, 0),
                                                         MICA_SHAPE(M, 2 * N), MICA_SHAPE(1, 2)),
                                       MICA_AXES(1), false);
            CHECK_EQUAL(mica_eval(s, &r, 1), MICA_OK);
            if (threads == 1 && form == 0) memcpy(first, r->data, sizeof first);
            CHECK(memcmp(first, r->data, sizeof first) == 0);
        }
    mica__set_thread_count(0);
    double exact = 0;
    for (int64_t i = 0; i < N; i++) exact += ((const float *)(const void *)a->data)[i];
    CHECK(fabs(first[0] - exact) < 1e-5 * N / 100);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* Wide accumulation: neither halves nor integers run over on the way to a mean. */
static void test_width(void)
{
    mica_scope *s = mica_scope_open(NULL);
    double *v = values(
        s, mica_mean(s, mica__full(s, MICA_SHAPE(70000), 1, MICA_FLOAT16), MICA_ALL_AXES, false));
    CHECK(v && v[0] == 1);
    v = values(s,
               mica_sum(s, mica__full(s, MICA_SHAPE(8192), 1, MICA_FLOAT16), MICA_ALL_AXES, false));
    CHECK(v && v[0] == 8192);
    v = values(
        s, mica_mean(s, mica__full(s, MICA_SHAPE(4), 1 << 30, MICA_INT32), MICA_ALL_AXES, false));
    CHECK(v && v[0] == 1 << 30);
    v = values(s, mica_cumsum(s, mica__full(s, MICA_SHAPE(5000), 1, MICA_BFLOAT16), 0, false, true,
                              MICA_DEFAULT_DTYPE));
    CHECK(v && v[4095] == 4096);
    mica_array *none = mica_zeros(s, MICA_SHAPE(0, 3), MICA_FLOAT32);
    v = values(s, mica_prod(s, none, MICA_AXES(0), false));
    CHECK(v && v[0] == 1 && v[2] == 1);
    CHECK(mica_scope_status(s) == MICA_OK);
    CHECK(mica_max(s, none, MICA_ALL_AXES, false) == NULL);
    CHECK_EQUAL(mica_scope_close(s), MICA_EVALUE);
    CHECK(strstr(mica_last_error(), "[max] axis 0") != NULL);
}

static void test_softmax(void)
{
    static const mica_dtype types[] = { MICA_FLOAT16, MICA_BFLOAT16, MICA_FLOAT32, MICA_FLOAT64 };
    static const double bounds[] = { 1e-3, 8e-3, 2e-6, 1e-14 };
    for (int level = 0; level < MICA_ISA_COUNT; level++) {
        mica__isa_cap((mica__isa)level);
        for (int t = 0; t < 4; t++)
            for (int64_t n = 1; n < 6000; n = 3 * n + 1) {
                mica_scope *s = mica_scope_open(NULL);
                mica_array *a = filled(s, types[t], MICA_SHAPE(3, n), false);
                double *x = values(s, a), *p = values(s, mica_softmax(s, a, MICA_AXES(-1), false)),
                       *l = values(s, mica_logsumexp(s, a, MICA_AXES(-1), false));
                double worst = 0;
                for (int64_t r = 0; p && l && r < 3; r++) {
                    double total = 0;
                    for (int64_t i = 0; i < n; i++) total += exp(x[r * n + i]);
                    for (int64_t i = 0; i < n; i++)
                        worst = fmax(worst, fabs(p[r * n + i] * total / exp(x[r * n + i]) - 1) *
                                                (types[t] == MICA_FLOAT16 ? p[r * n + i] : 1));
                    worst = fmax(worst, fabs(l[r] - log(total)) / fmax(1, fabs(l[r])));
                }
                CHECK(p && l && worst < bounds[t]);
                CHECK_EQUAL(mica_scope_close(s), MICA_OK);
            }
    }
    mica__isa_cap(MICA_ISA_COUNT);
}

int main(void)
{
    test_layouts();
    test_order();
    test_width();
    test_softmax();
    return check_report("families_reduce");
}
