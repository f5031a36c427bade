/* Fused operations against plain loops, at every instruction set. */
#include "fast_cases.h"

/* ---- normalisations ---- */

static void check_norm(int64_t rows, int64_t n, mica_dtype dtype, bool centred, bool weighted,
                       bool biased)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *x = draw(s, MICA_SHAPE(rows, n), dtype),
               *w = weighted ? draw(s, MICA_SHAPE(n), dtype) : NULL;
    mica_array *b = biased ? draw(s, MICA_SHAPE(n), dtype) : NULL;
    double *xs = values(s, x), *ws = w ? values(s, w) : NULL, *bs = b ? values(s, b) : NULL;
    double *expected = malloc((size_t)(rows * n + 1) * sizeof *expected);
    for (int64_t r = 0; r < rows; r++) {
        long double mean = 0, square = 0;
        for (int64_t i = 0; centred && i < n; i++) mean += xs[r * n + i] / (long double)n;
        for (int64_t i = 0; i < n; i++)
            square += (xs[r * n + i] - mean) * (xs[r * n + i] - mean) / (long double)n;
        for (int64_t i = 0; i < n; i++)
            expected[r * n + i] =
                (double)((xs[r * n + i] - mean) / sqrtl(square + 1e-5L) * (ws ? ws[i] : 1) +
                         (bs ? bs[i] : 0));
    }
    mica_array *y =
        centred ? mica_fast_layer_norm(s, x, w, b, 1e-5) : mica_fast_rms_norm(s, x, w, 1e-5);
    double away = distance(s, y, expected, dtype);
    if (!(away < 4))
        fprintf(stderr, "norm of (%d, %d), type %d, %d %d %d: %g units\n", (int)rows, (int)n,
                (int)dtype, centred, weighted, biased, away);
    CHECK(away < 4);
    free(xs), free(ws), free(bs), free(expected);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void test_norms(void)
{
    const int64_t sizes[][2] = { { 1, 1 },    { 3, 7 },     { 5, 64 }, { 2, 4096 },
                                 { 2, 4097 }, { 70, 1030 }, { 0, 4 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t d = 0; d < 4; d++)
            for (int form = 0; form < 6; form++)
                check_norm(sizes[i][0], sizes[i][1], floats[d], form >= 2, form % 2,
                           form == 3 || form == 4);
}

/* ---- rotary embedding ---- */

static void check_rope(mica_dtype dtype, bool traditional, bool custom, bool transposed,
                       bool offsets)
{
    mica_scope *s = mica_scope_open(NULL);
    enum { B = 2, H = 3, T = 37, D = 20, DIMS = 14, HALF = DIMS / 2 };
    mica_array *x = transposed ? mica_transpose(s, draw(s, MICA_SHAPE(B, D, T, H), dtype),
                                                MICA_AXES(0, 3, 2, 1))
                               : draw(s, MICA_SHAPE(B, H, T, D), dtype);
    const float periods[HALF] = { 1, 2, 3, 5, 8, 13, 21 };
    const int32_t starts[B] = { 1000, -4 };
    double *xs = values(s, x), *expected = values(s, x);
    for (int64_t r = 0; r < B * H * T; r++)
        for (int64_t i = 0; i < HALF; i++) {
            double frequency = custom ? 1 / (double)periods[i] : pow(100.0, -(double)i / HALF);
            double angle = (double)(r % T + (offsets ? starts[r / (H * T)] : 11)) * 0.5 * frequency;
            int64_t a = r * D + (traditional ? 2 * i : i),
                    b = r * D + (traditional ? 2 * i + 1 : i + HALF);
            expected[a] = xs[a] * cos(angle) - xs[b] * sin(angle);
            expected[b] = xs[a] * sin(angle) + xs[b] * cos(angle);
        }
    mica_array *offset =
        offsets ? mica_from_data(s, starts, MICA_SHAPE(B), MICA_INT32) : mica_integer(s, 11);
    mica_array *y =
        mica_fast_rope(s, x, DIMS, traditional, custom ? NAN : 100.0, 0.5, offset,
                       custom ? mica_from_data(s, periods, MICA_SHAPE(HALF), MICA_FLOAT32) : NULL);
    double away = distance(s, y, expected, dtype);
    double limit =
        dtype == MICA_FLOAT64 ? 600 : 4; /* angles of 500 are themselves known to so many units */
    if (!(away < limit))
        fprintf(stderr, "rope, type %d, %d %d %d %d: %g units\n", (int)dtype, traditional, custom,
                transposed, offsets, away);
    CHECK(away < limit);
    free(xs), free(expected);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void test_rope(void)
{
    for (size_t d = 0; d < 4; d++)
        for (int form = 0; form < 16; form++)
            check_rope(floats[d], form & 1, form & 2, form & 4, form & 8);
}

/* ---- attention ---- */

/* The masked score of one query and key. */
static double score(const problem *p, const double *q, const double *k, int64_t i, int64_t j,
                    double mask)
{
    double sum = 0;
    for (int64_t f = 0; f < p->features; f++) sum += q[f] * k[f];
    sum *= 0.7;
    if (p->mask == CAUSAL && j > i + p->keys - p->queries) return -3e38;
    if (p->mask == TRUTH) return mask != 0 ? sum : -3e38;
    return sum + mask;
}

static double *expected_attention(mica_scope *s, const problem *p, const operands *o)
{
    double *x[5] = { 0 },
           *out = malloc((size_t)(p->batch * p->heads * p->queries * p->values + 1) * sizeof *out);
    double *e = malloc((size_t)(p->keys + 1) * sizeof *e);
    for (int i = 0; i < 5; i++) {
        mica_array *a = o->in[i];
        if (a && i == 3)
            a = mica_broadcast_to(s, a, MICA_SHAPE(p->batch, p->heads, p->queries, p->keys));
        x[i] = a ? values(s, a) : NULL;
    }
    for (int64_t r = 0; r < p->batch * p->heads * p->queries; r++) {
        int64_t i = r % p->queries, head = r / p->queries % p->heads,
                batch = r / p->queries / p->heads;
        int64_t group = (batch * p->shared + head / (p->heads / p->shared)) * p->keys;
        double top = x[4] ? x[4][head] : -INFINITY, sum;
        for (int64_t j = 0; j < p->keys; j++) {
            e[j] = score(p, x[0] + r * p->features, x[1] + (group + j) * p->features, i, j,
                         x[3] ? x[3][r * p->keys + j] : 0);
            top = fmax(top, e[j]);
        }
        sum = x[4] ? exp(x[4][head] - top) : 0;
        for (int64_t j = 0; j < p->keys; j++) sum += e[j] = exp(e[j] - top);
        for (int64_t f = 0; f < p->values; f++) {
            double y = 0;
            for (int64_t j = 0; j < p->keys; j++) y += e[j] * x[2][(group + j) * p->values + f];
            out[r * p->values + f] = p->keys ? y / sum : 0;
        }
    }
    for (int i = 0; i < 5; i++) free(x[i]);
    free(e);
    return out;
}

static void test_attention(void)
{
    for (int i = 0; i < PROBLEMS; i++)
        for (size_t d = 0; d < 4; d++) {
            mica_scope *s = mica_scope_open(NULL);
            operands o = make(s, &problems[i], floats[d]);
            double *expected = expected_attention(s, &problems[i], &o);
            double away = distance(s, attend(s, &o, o.in), expected, floats[d]);
            if (!(away < 16))
                fprintf(stderr, "problem %d, type %d: %g units\n", i, (int)floats[d], away);
            CHECK(away < 16);
            free(expected);
            CHECK_EQUAL(mica_scope_close(s), MICA_OK);
        }
}

/* Rows of which nothing is seen: the average of the values for a bool mask, NaN for -inf. */
static void test_masked_rows(void)
{
    const int64_t lengths[] = { 3, 40 };
    for (int i = 0; i < 2; i++) {
        mica_scope *s = mica_scope_open(NULL);
        int64_t n = lengths[i];
        mica_array *q = draw(s, MICA_SHAPE(1, 1, n, 8), MICA_FLOAT32),
                   *k = draw(s, MICA_SHAPE(1, 1, 300, 8), MICA_FLOAT32);
        mica_array *none = mica_zeros(s, MICA_SHAPE(n, 300), MICA_BOOL),
                   *infinite =
                       mica_full(s, MICA_SHAPE(n, 300), mica_number(s, -INFINITY), MICA_FLOAT32);
        mica_array *mean =
            mica_broadcast_to(s, mica_mean(s, k, MICA_AXES(2), true), MICA_SHAPE(1, 1, n, 8));
        double *expected = values(s, mean);
        mica_array *y = mica_fast_scaled_dot_product_attention(
            s, q, k, k, 1, (mica_mask){ .array = none }, NULL, false);
        CHECK(distance(s, y, expected, MICA_FLOAT32) < 8);
        y = mica_fast_scaled_dot_product_attention(s, q, k, k, 1, (mica_mask){ .array = infinite },
                                                   NULL, false);
        CHECK(mica_item(s, mica_all(s, mica_isnan(s, y), MICA_ALL_AXES, false)) == 1);
        /* -inf on the first block of keys alone does no harm. */
        mica_array *start = mica_where(
            s, mica_less(s, mica_arange(s, 0, 300, 1, MICA_FLOAT32), mica_number(s, 200)),
            mica_number(s, -INFINITY), mica_number(s, 0));
        y = mica_fast_scaled_dot_product_attention(s, q, k, k, 1, (mica_mask){ .array = start },
                                                   NULL, false);
        CHECK(mica_item(s, mica_any(s, mica_isnan(s, y), MICA_ALL_AXES, false)) == 0);
        free(expected);
        CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    }
}

/* ---- mistakes ---- */

static void check_message(mica_scope *s, const char *part)
{
    CHECK(mica_scope_close(s) == MICA_EVALUE);
    CHECK_MENTIONS(mica_last_error(), part);
}

static void test_errors(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_fast_rms_norm(s, mica_zeros(s, MICA_SHAPE(2, 3), MICA_INT32), NULL, 1e-5);
    check_message(s, "[rms_norm] Received unsupported type int32");
    s = mica_scope_open(NULL);
    mica_fast_layer_norm(s, draw(s, MICA_SHAPE(2, 3), MICA_FLOAT32),
                         draw(s, MICA_SHAPE(4), MICA_FLOAT32), NULL, 1e-5);
    check_message(s, "[layer_norm] weight must have the same size");
    s = mica_scope_open(NULL);
    mica_fast_rope(s, draw(s, MICA_SHAPE(1, 2, 4), MICA_FLOAT32), 6, false, 10, 1,
                   mica_integer(s, 0), NULL);
    check_message(s, "dims must not exceed");
    s = mica_scope_open(NULL);
    mica_fast_rope(s, draw(s, MICA_SHAPE(1, 2, 4), MICA_FLOAT32), 4, false, 10, 1,
                   mica_number(s, 0), NULL);
    check_message(s, "offset must be an integer");
    s = mica_scope_open(NULL);
    mica_array *q = draw(s, MICA_SHAPE(1, 2, 3, 4), MICA_FLOAT16);
    mica_fast_scaled_dot_product_attention(
        s, q, q, q, 1, (mica_mask){ .array = mica_zeros(s, MICA_SHAPE(3, 3), MICA_FLOAT32) }, NULL,
        false);
    check_message(s, "Mask type must promote to output type float16");
}

int main(void)
{
    mica__cpu_register();
    const mica__isa best = mica__isa_cap(MICA_ISA_COUNT);
    for (int level = 0; level <= (int)best; level++) {
        mica__isa_cap((mica__isa)level);
        test_norms();
        test_rope();
        test_attention();
        test_masked_rows();
    }
    mica__isa_cap(MICA_ISA_COUNT);
    test_errors();
    return check_report("fast");
}
