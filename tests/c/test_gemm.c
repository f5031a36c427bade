/* The matrix product against sums in float64: types, layouts, odd sizes, batches, threads,
   instruction sets, epilogues. */
#include <math.h>
#include <stdlib.h>

#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/isa.h"
#include "runtime/pool.h"
#include "check.h"

static const mica_dtype dtypes[] = { MICA_FLOAT32, MICA_FLOAT64, MICA_FLOAT16, MICA_BFLOAT16,
                                     MICA_COMPLEX64 };
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

static uint64_t state = 88172645463325252u;
/* Uniform in [-1, 1), a multiple of 2^-10 so that float16 holds it up to rounding. */
static double uniform(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(int64_t)(state >> 53) / 1024.0 - 1.0;
}

static double from_half(uint16_t x, mica_dtype dtype)
{
    union {
        uint32_t bits;
        float value;
    } w = { .bits = (uint32_t)x << 16 };
    if (dtype == MICA_BFLOAT16) return w.value;
    if ((x & 0x7c00) == 0x7c00) return x & 0x3ff ? NAN : x & 0x8000 ? -INFINITY : INFINITY;
    if (x & 0x7c00) w.bits = (uint32_t)(x & 0x8000) << 16 | ((x & 0x7fffu) + (112u << 10)) << 13;
    else w.value = (x & 0x8000 ? -0x1p-24f : 0x1p-24f) * (float)(x & 0x3ff);
    return w.value;
}

/* Rounds down in size: good enough for inputs. */
static uint16_t to_half(double v, mica_dtype dtype)
{
    int exponent_bits = dtype == MICA_FLOAT16 ? 5 : 8, fraction_bits = 15 - exponent_bits, e;
    int bias = (1 << (exponent_bits - 1)) - 1;
    uint16_t sign = v < 0 ? 0x8000 : 0;
    if (v == 0) return sign;
    double f = frexp(fabs(v), &e);
    return (uint16_t)(sign | (e - 1 + bias) << fraction_bits |
                      (int)ldexp(2 * f - 1, fraction_bits));
}

static void set(void *data, size_t i, mica_dtype dtype, double re, double im)
{
    switch (dtype) {
    case MICA_FLOAT32: ((float *)data)[i] = (float)re; break;
    case MICA_FLOAT64: ((double *)data)[i] = re; break;
    case MICA_COMPLEX64:
        ((mica_complex64 *)data)[i] = (mica_complex64){ (float)re, (float)im };
        break;
    default: ((uint16_t *)data)[i] = to_half(re, dtype); break;
    }
}

static void get(const void *data, ptrdiff_t i, mica_dtype dtype, double *re, double *im)
{
    *im = 0;
    switch (dtype) {
    case MICA_FLOAT32: *re = ((const float *)data)[i]; break;
    case MICA_FLOAT64: *re = ((const double *)data)[i]; break;
    case MICA_COMPLEX64:
        *re = ((const mica_complex64 *)data)[i].re;
        *im = ((const mica_complex64 *)data)[i].im;
        break;
    default: *re = from_half(((const uint16_t *)data)[i], dtype); break;
    }
}

/* A buffer of exactly `n` elements, so that the sanitizer sees any step beyond it. */
static void *random_buffer(size_t n, mica_dtype dtype)
{
    static unsigned char table[MICA_DTYPE_COUNT][8191 * 8];
    size_t item = mica_dtype_size(dtype), whole = 8191 * item, bytes = n * item;
    unsigned char *data = malloc(bytes + !n), *from = table[dtype];
    static bool filled[MICA_DTYPE_COUNT];
    for (size_t i = 0; i < 8191 && !filled[dtype]; i++) {
        double re = uniform(), im = uniform();
        set(from, i, dtype, re, im);
    }
    filled[dtype] = true;
    /* Starts elsewhere each time: operands differ. */
    size_t start = (size_t)(uniform() * 1000 + 1000) * item, some;
    for (size_t done = 0; done < bytes; done += some, start = 0) {
        some = bytes - done < whole - start ? bytes - done : whole - start;
        memcpy(data + done, from + start, some);
    }
    return data;
}

static double epsilon(mica_dtype dtype)
{
    switch (dtype) {
    case MICA_FLOAT64: return 0x1p-53;
    case MICA_FLOAT16: return 0x1p-11;
    case MICA_BFLOAT16: return 0x1p-8;
    default: return 0x1p-24;
    }
}

/* A product whose operands lie in buffers of their own. */
typedef struct product {
    mica__gemm g;
    void *a, *b, *c;
    size_t c_count; /* elements */
    mica_dtype out;
    ptrdiff_t offsets[3][8];
} product;

enum { STRIDED = 2 }; /* a layout: neither stride is 1 */

static size_t layout(int kind, size_t rows, size_t columns, ptrdiff_t *row, ptrdiff_t *column)
{
    *row = kind == 0 ? (ptrdiff_t)columns : kind == 1 ? 1 : (ptrdiff_t)(2 * columns + 1);
    *column = kind == 0 ? 1 : kind == 1 ? (ptrdiff_t)rows : 2;
    return kind == STRIDED ? rows * (2 * columns + 1) : rows * columns;
}

/* Matrices of a batch are used in an odd order: a backwards, b all the same when batch is 3. */
static product *make(mica_dtype dtype, bool wide, size_t m, size_t n, size_t k, size_t batch,
                     int la, int lb)
{
    product *p = calloc(1, sizeof *p);
    mica__gemm *g = &p->g;
    *g = (mica__gemm){
        .dtype = dtype, .wide = wide, .m = m, .n = n, .k = k, .batch = batch, .alpha = 1
    };
    size_t pad = n % 2 ? 3 : 0; /* c may have rows longer than n */
    size_t a_size = layout(la, m, k, &g->a_row, &g->a_col);
    size_t b_size = layout(lb, k, n, &g->b_row, &g->b_col);
    g->c_row = (ptrdiff_t)(n + pad);
    size_t c_size = m * (n + pad);
    p->out = wide ? MICA_FLOAT32 : dtype;
    p->c_count = c_size * batch;
    p->a = random_buffer(a_size * batch, dtype);
    p->b = random_buffer(b_size * batch, dtype);
    p->c = malloc(p->c_count * mica_dtype_size(p->out) + 1);
    memset(p->c, 0xee, p->c_count * mica_dtype_size(p->out));
    for (size_t i = 0; i < batch; i++) {
        p->offsets[0][i] = (ptrdiff_t)((batch - 1 - i) * a_size);
        p->offsets[1][i] = batch == 3 ? 0 : (ptrdiff_t)(i * b_size);
        p->offsets[2][i] = (ptrdiff_t)((i + 1) % batch * c_size);
    }
    if (batch != 1) {
        g->a_batch = p->offsets[0];
        g->b_batch = p->offsets[1];
        g->c_batch = p->offsets[2];
    }
    g->a = p->a;
    g->b = p->b;
    g->c = p->c;
    return p;
}

static void discard(product *p)
{
    free(p->a);
    free(p->b);
    free(p->c);
    free(p);
}

/* Rows of `count` numbers of a strided matrix, as pairs of doubles. */
static double *as_doubles(const void *data, ptrdiff_t offset, size_t rows, size_t count,
                          ptrdiff_t row, ptrdiff_t column, mica_dtype dtype)
{
    double *out = malloc(2 * rows * count * sizeof *out + 1);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < count; j++)
            get(data, offset + (ptrdiff_t)i * row + (ptrdiff_t)j * column, dtype,
                &out[2 * (i * count + j)], &out[2 * (i * count + j) + 1]);
    return out;
}

/* The bound: k roundings of the sums' type, one of C's type, in the size of what was added up. */
static bool element_holds(const product *p, const double *a, const double *b, double cr, double ci,
                          double added)
{
    double re = 0, im = 0, size = 0;
    for (size_t q = 0; q < p->g.k; q++, a += 2, b += 2) {
        re += a[0] * b[0] - a[1] * b[1];
        im += a[0] * b[1] + a[1] * b[0];
        size += (fabs(a[0]) + fabs(a[1])) * (fabs(b[0]) + fabs(b[1]));
    }
    double sums = p->g.dtype == MICA_FLOAT64 ? 0x1p-53 : 0x1p-24, alpha = fabs(p->g.alpha);
    double bound = (double)(p->g.k + 4) * sums * size * alpha +
                   1.01 * epsilon(p->out) * alpha * (fabs(re) + fabs(im)) + 1e-30;
    if (added != 0) bound += 2 * epsilon(p->out) * (fabs(cr) + fabs(added));
    return fabs(cr - added - p->g.alpha * re) <= bound && fabs(ci - p->g.alpha * im) <= bound;
}

/* Elements of C beyond the bound, and bytes between its rows that changed. Of large matrices the
   last row, the last column and a sample are looked at. */
static size_t wrong(const product *p, double added)
{
    const mica__gemm *g = &p->g;
    size_t bad = 0, step = g->m * g->n > 1024 ? g->m * g->n / 256 | 1 : 1;
    for (size_t x = 0; x < g->batch; x++) {
        double *a = as_doubles(p->a, p->offsets[0][x], g->m, g->k, g->a_row, g->a_col, g->dtype);
        double *b = as_doubles(p->b, p->offsets[1][x], g->n, g->k, g->b_col, g->b_row, g->dtype);
        for (size_t e = 0; e < g->m * g->n; e++) {
            size_t i = e / g->n, j = e % g->n;
            double cr, ci;
            if (e % step && i != g->m - 1 && j != g->n - 1) continue;
            get(p->c, p->offsets[2][x] + (ptrdiff_t)i * g->c_row + (ptrdiff_t)j, p->out, &cr, &ci);
            bad += !element_holds(p, a + 2 * i * g->k, b + 2 * j * g->k, cr, ci, added);
        }
        free(a);
        free(b);
    }
    size_t item = mica_dtype_size(p->out), pad = (size_t)g->c_row - g->n;
    for (size_t row = 0; row < g->m * g->batch; row++)
        for (size_t i = 0; i < pad * item; i++)
            if (((unsigned char *)p->c)[(row * (size_t)g->c_row + g->n) * item + i] != 0xee) bad++;
    return bad;
}

static const char *describe(const product *p)
{
    static char text[200];
    snprintf(text, sizeof text,
             "%s%s m %zu n %zu k %zu batch %zu a (%td, %td) b (%td, %td) level %d",
             mica_dtype_name(p->g.dtype), p->g.wide ? " wide" : "", p->g.m, p->g.n, p->g.k,
             p->g.batch, p->g.a_row, p->g.a_col, p->g.b_row, p->g.b_col, (int)mica__isa_level());
    return text;
}

static void check_product(product *p)
{
    int status = mica__gemm_run(&p->g);
    size_t bad = status == MICA_OK ? wrong(p, 0) : 1;
    checks++;
    if (!bad) return;
    failures++;
    if (failures < 30) fprintf(stderr, "%s: status %d, %zu wrong\n", describe(p), status, bad);
}

/* Every pair of sizes meets, the third varies along. */
static void test_sizes(mica_dtype dtype)
{
    static const size_t sizes[] = { 0, 1, 2, 3, 5, 17, 31, 33, 64, 65, 100, 257 };
    enum { N = sizeof sizes / sizeof *sizes };
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            for (int l = (int)(i + j) % 2; l < 4; l += 2) {
                size_t q = (i * 5 + j * 7 + (size_t)l * 3) % N;
                product *p = make(dtype, false, sizes[i], sizes[j], sizes[q], 1, l & 1, l >> 1);
                check_product(p);
                discard(p);
                p = make(dtype, false, sizes[q], sizes[i], sizes[j], 1, l & 1, l >> 1);
                check_product(p);
                discard(p);
            }
}

/* Shapes that take each path: narrow, split, direct, own and shared packing, several blocks of k.
 */
static const size_t shapes[][4] = {
    { 1, 700, 900, 1 },   { 4, 600, 520, 1 },   { 16, 530, 300, 1 },  { 500, 1, 700, 1 },
    { 600, 5, 400, 1 },   { 1, 1, 70000, 1 },   { 2, 40, 9000, 1 },   { 64, 64, 4000, 1 },
    { 20, 17, 40000, 1 }, { 150, 290, 800, 1 }, { 300, 500, 401, 1 }, { 60, 300, 500, 1 },
    { 33, 40, 17, 8 },    { 1, 70, 65, 5 },     { 65, 1, 40, 3 },     { 128, 100, 64, 3 },
    { 200, 130, 390, 3 }
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void test_shapes(mica_dtype dtype, bool wide)
{
    for (size_t s = 0; s < SHAPES; s++)
        for (int l = 0; l < 9; l++) {
            bool strided = l % 3 == STRIDED || l / 3 == STRIDED;
            if (strided && ((s + (size_t)l) % 3 || shapes[s][2] > 20000)) continue;
            product *p = make(dtype, wide, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3],
                              l % 3, l / 3);
            if (l == 4) p->g.alpha = -0.37;
            check_product(p);
            discard(p);
        }
}

typedef struct cover {
    mica__gemm *g;
    unsigned char *seen;
    double add;
} cover;

/* Adds a constant to each element and notes that it was reached. */
static void add_constant(void *context, size_t batch, size_t row, size_t col, size_t rows,
                         size_t cols)
{
    cover *v = context;
    mica__gemm *g = v->g;
    mica_dtype out = g->wide ? MICA_FLOAT32 : g->dtype;
    ptrdiff_t offset = g->c_batch ? g->c_batch[batch] : 0;
    for (size_t i = row; i < row + rows; i++)
        for (size_t j = col; j < col + cols; j++) {
            double re, im;
            ptrdiff_t at = offset + (ptrdiff_t)i * g->c_row + (ptrdiff_t)j;
            v->seen[(batch * g->m + i) * g->n + j]++;
            if (v->add == 0) continue;
            get(g->c, at, out, &re, &im);
            set(g->c, (size_t)at, out, re + v->add, im);
        }
}

/* The same bits for any number of threads, with and without an epilogue that changes nothing. */
static void test_bits(mica_dtype dtype)
{
    for (size_t s = 0; s < SHAPES; s++) {
        const size_t *shape = shapes[s];
        product *p = make(dtype, false, shape[0], shape[1], shape[2], shape[3], (int)(s & 1),
                          (int)(s >> 1 & 1));
        size_t bytes = p->c_count * mica_dtype_size(p->out),
               elements = shape[0] * shape[1] * shape[3];
        void *first = malloc(bytes);
        cover v = { &p->g, NULL, 0 };
        for (size_t threads = 1; threads <= 3; threads++)
            for (int with = 0; with < 2; with++) {
                mica__set_thread_count(threads);
                memset(p->c, 0xee, bytes);
                v.seen = calloc(elements, 1);
                p->g.epilogue = with ? add_constant : NULL;
                p->g.epilogue_context = &v;
                CHECK_EQUAL(mica__gemm_run(&p->g), MICA_OK);
                size_t missed = 0;
                for (size_t i = 0; i < elements; i++) missed += v.seen[i] != with;
                CHECK_EQUAL(missed, 0);
                free(v.seen);
                if (threads == 1 && !with) memcpy(first, p->c, bytes);
                CHECK(memcmp(first, p->c, bytes) == 0);
            }
        mica__set_thread_count(0);
        /* An epilogue that changes C sees finished values. */
        if (dtype != MICA_FLOAT16 && dtype != MICA_BFLOAT16) {
            v.add = 3;
            v.seen = calloc(elements, 1);
            CHECK_EQUAL(mica__gemm_run(&p->g), MICA_OK);
            CHECK_EQUAL(wrong(p, 3), 0);
            free(v.seen);
        }
        free(first);
        discard(p);
    }
}

/* Equal matrices give equal bits wherever they stand in the batch. */
static void test_batch_position(mica_dtype dtype)
{
    static const size_t sizes[][3] = { { 37, 45, 50 }, { 1, 100, 70 }, { 90, 3, 600 } };
    for (size_t s = 0; s < 3; s++) {
        product *p = make(dtype, false, sizes[s][0], sizes[s][1], sizes[s][2], 7, 0, 1);
        for (size_t i = 0; i < 7; i++) p->offsets[0][i] = p->offsets[1][i] = 0;
        CHECK_EQUAL(mica__gemm_run(&p->g), MICA_OK);
        size_t bytes = p->c_count / 7 * mica_dtype_size(p->out);
        for (size_t i = 1; i < 7; i++) CHECK(memcmp(p->c, (char *)p->c + i * bytes, bytes) == 0);
        discard(p);
    }
}

/* Broadcast and reversed operands: strides 0 and -1. */
static void test_strange_strides(void)
{
    enum { M = 70, N = 50, K = 40 };
    float *a = random_buffer(M * K, MICA_FLOAT32), *b = random_buffer(K * N, MICA_FLOAT32);
    float *c = malloc(sizeof *c * M * N);
    mica__gemm g = { .dtype = MICA_FLOAT32,
                     .m = M,
                     .n = N,
                     .k = K,
                     .batch = 1,
                     .alpha = 1,
                     .a = a + M * K - 1,
                     .a_row = -K,
                     .a_col = -1,
                     .b = b,
                     .b_row = 1,
                     .b_col = 0,
                     .c = c,
                     .c_row = N };
    for (g.m = 5; g.m <= M; g.m += M - 5) {
        CHECK_EQUAL(mica__gemm_run(&g), MICA_OK);
        size_t bad = 0;
        for (size_t i = 0; i < g.m; i++)
            for (int j = 0; j < N; j++) {
                double sum = 0;
                for (int q = 0; q < K; q++) sum += (double)a[M * K - 1 - (int)i * K - q] * b[q];
                bad += !(fabs(c[i * N + (size_t)j] - sum) < 1e-4);
            }
        CHECK_EQUAL(bad, 0);
    }
    free(a);
    free(b);
    free(c);
}

static void test_errors(void)
{
    float a[4] = { 1, 2, 3, 4 }, c[4] = { 9, 9, 9, 9 };
    mica__gemm g = { .dtype = MICA_INT32,
                     .m = 2,
                     .n = 2,
                     .k = 2,
                     .batch = 1,
                     .alpha = 1,
                     .a = a,
                     .a_row = 2,
                     .a_col = 1,
                     .b = a,
                     .b_row = 2,
                     .b_col = 1,
                     .c = c,
                     .c_row = 2 };
    CHECK_EQUAL(mica__gemm_run(&g), MICA_ETYPE);
    CHECK_MENTIONS(mica_last_error(), "int32");
    g.dtype = MICA_FLOAT32;
    g.k = 0;
    CHECK_EQUAL(mica__gemm_run(&g), MICA_OK);
    CHECK(c[0] == 0 && c[3] == 0);
    g.k = 2;
    g.batch = 0;
    c[0] = 5;
    CHECK_EQUAL(mica__gemm_run(&g), MICA_OK);
    CHECK(c[0] == 5);
    product *p = make(MICA_FLOAT32, false, 300, 300, 300, 1, 0, 0);
    mica__inject_failure(0);
    CHECK_EQUAL(mica__gemm_run(&p->g), MICA_EMEMORY);
    mica__inject_failure(-1);
    check_product(p);
    discard(p);
}

/* Infinities and NaN stay in their row and column. */
static void test_not_finite(void)
{
    for (size_t d = 0; d < 4; d++) {
        product *p = make(dtypes[d], false, 40, 50, 30, 1, 0, 0);
        if (dtypes[d] == MICA_FLOAT32) ((float *)p->a)[3 * 30 + 4] = NAN;
        else if (dtypes[d] == MICA_FLOAT64) ((double *)p->a)[3 * 30 + 4] = NAN;
        else ((uint16_t *)p->a)[3 * 30 + 4] = 0x7fff;
        CHECK_EQUAL(mica__gemm_run(&p->g), MICA_OK);
        size_t bad = 0;
        for (ptrdiff_t i = 0; i < 40; i++)
            for (ptrdiff_t j = 0; j < 50; j++) {
                double re, im;
                get(p->c, i * p->g.c_row + j, dtypes[d], &re, &im);
                bad += isnan(re) != (i == 3);
            }
        CHECK_EQUAL(bad, 0);
        discard(p);
    }
}

int main(void)
{
    mica__isa best = mica__isa_cap(MICA_ISA_COUNT);
    for (int level = 0; level <= (int)best; level++) {
        mica__isa_cap((mica__isa)level);
        for (size_t d = 0; d < DTYPES; d++) {
            mica__set_thread_count(2);
            test_sizes(dtypes[d]);
            test_shapes(dtypes[d], false);
            test_bits(dtypes[d]);
            test_batch_position(dtypes[d]);
        }
        test_shapes(MICA_FLOAT16, true);
        test_shapes(MICA_BFLOAT16, true);
        test_strange_strides();
        test_not_finite();
    }
    test_errors();
    return check_report("gemm");
}
