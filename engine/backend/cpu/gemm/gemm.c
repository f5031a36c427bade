/* The entry of the matrix product: checks, choice of kernels and path, the common ending. */
#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/gemm/plan.h"
#include "backend/cpu/isa.h"
#include "runtime/pool.h"

const mica__gemm_isa *mica__gemm_kernels(void)
{
#if defined(MICA_WITH_V4)
    if (mica__isa_level() >= MICA_ISA_V4) return &mica__gemm_v4;
#endif
#if defined(MICA_WITH_V3)
    if (mica__isa_level() >= MICA_ISA_V3) return &mica__gemm_v3;
#endif
    return &mica__gemm_portable;
}

const mica__gemm_pairs *mica__gemm_pair_kernels(void)
{
#if defined(MICA_WITH_AMX)
    if (mica__isa_has(MICA_ISA_AMX_BF16)) return &mica__gemm_amx;
#endif
#if defined(MICA_WITH_BF16)
    if (mica__isa_has(MICA_ISA_AVX512_BF16)) return &mica__gemm_bf16;
#endif
    return NULL;
}

mica__gemm_store mica__gemm_store_of(mica_dtype dtype)
{
    switch (dtype) {
    case MICA_FLOAT64: return MICA_STORE_F64;
    case MICA_FLOAT16: return MICA_STORE_F16;
    case MICA_BFLOAT16: return MICA_STORE_BF16;
    default: return MICA_STORE_F32;
    }
}

static mica__gemm_form form_of(mica_dtype dtype, bool is_b)
{
    switch (dtype) {
    case MICA_FLOAT64: return MICA_FORM_F64;
    case MICA_FLOAT16:
    case MICA_BFLOAT16: return MICA_FORM_HALF;
    case MICA_COMPLEX64: return is_b ? MICA_FORM_COMPLEX_B : MICA_FORM_COMPLEX_A;
    default: return MICA_FORM_F32;
    }
}

static mica__gemm_plan plan_of(const mica__gemm *g)
{
    const mica__gemm_isa *isa = mica__gemm_kernels();
    mica__gemm_plan p = {
        .g = g, .isa = isa, .store = mica__gemm_store_of(g->dtype), .m = g->m, .n = g->n, .k = g->k
    };
    bool half = g->dtype == MICA_FLOAT16 || g->dtype == MICA_BFLOAT16;
    bool wide = g->dtype == MICA_FLOAT64;
    size_t element = mica_dtype_size(g->dtype);
    p.unit = wide ? 8 : 4;
    p.rounds = half && !g->wide;
    if (g->dtype == MICA_COMPLEX64) {
        p.n *= 2;
        p.k *= 2;
    }
    mica__gemm_widen *widen = isa->widen[p.store];
    p.a = (mica__gemm_operand){
        form_of(g->dtype, false), element, g->a, g->a_row, g->a_col, g->k, widen, NULL, NULL
    };
    p.b = (mica__gemm_operand){
        form_of(g->dtype, true), element, g->b, g->b_col, g->b_row, g->k, widen, NULL, NULL
    };
    if (g->b_fill) {
        p.b.form = MICA_FORM_FILLED;
        p.b.fill = g->b_fill;
        p.b.context = g->b_context;
    }
    p.tile = isa->tile[wide ? MICA_STORE_F64 : MICA_STORE_F32];
    p.strip_rows = isa->rows;
    p.strip_columns = isa->columns[wide ? MICA_STORE_F64 : MICA_STORE_F32];
    return p;
}

static void use_pairs(mica__gemm_plan *p)
{
    const mica__gemm_pairs *pairs = p->g->dtype == MICA_BFLOAT16 ? mica__gemm_pair_kernels() : NULL;
    if (!pairs || p->b.form == MICA_FORM_FILLED) return;
    p->a.form = p->b.form = MICA_FORM_PAIRS;
    p->k = mica__ceil_div(mica__ceil_div(p->g->k, 2), pairs->step) * pairs->step;
    p->tile = pairs->tile;
    p->strip_rows = pairs->rows;
    p->strip_columns = pairs->columns;
    p->a_rows = pairs->a_rows;
}

/* Element (row, column) of a matrix of C, in bytes from the start of C. */
static char *place(const mica__gemm *g, size_t size, size_t matrix, size_t row, size_t column)
{
    ptrdiff_t offset = g->c_batch ? g->c_batch[matrix] : 0;
    offset += (ptrdiff_t)row * g->c_row + (ptrdiff_t)column;
    return (char *)g->c + offset * (ptrdiff_t)size;
}

static void scale_f32(size_t n, float alpha, const float *in, ptrdiff_t stride, float *out)
{
    for (size_t i = 0; i < n; i++) out[i] = alpha * in[(ptrdiff_t)i * stride];
}

static void scale_f64(size_t n, double alpha, const double *in, ptrdiff_t stride, double *out)
{
    for (size_t i = 0; i < n; i++) out[i] = alpha * in[(ptrdiff_t)i * stride];
}

static void scale_and_round(const mica__gemm_plan *p, size_t n, const float *in, ptrdiff_t stride,
                            uint16_t *out)
{
    float scaled[64];
    for (size_t done = 0; done < n; done += 64) {
        size_t some = mica__least(64, n - done);
        scale_f32(some, (float)p->g->alpha, in + (ptrdiff_t)done * stride, stride, scaled);
        p->isa->narrow[p->store](some, scaled, out + done);
    }
}

void mica__gemm_finish(const mica__gemm_plan *p, size_t matrix, size_t row, size_t column,
                       size_t rows, size_t columns, const void *sums, ptrdiff_t row_stride,
                       ptrdiff_t column_stride)
{
    const mica__gemm *g = p->g;
    size_t numbers = g->dtype == MICA_COMPLEX64 ? 2 : 1;
    size_t size = p->rounds ? 2 : p->unit * numbers;
    const size_t all_rows = rows, all_columns = columns;
    if (columns == 1 && g->c_row == 1) { /* one column, contiguous: as good as a row */
        columns = rows;
        rows = 1;
        column_stride = row_stride;
    }
    for (size_t i = 0; i < rows; i++) {
        const char *in = (const char *)sums + (ptrdiff_t)i * row_stride * (ptrdiff_t)p->unit;
        char *out = place(g, size, matrix, row + i, column / numbers);
        if (in == out && g->alpha == 1) break;
        if (p->rounds && g->alpha == 1 && column_stride == 1)
            p->isa->narrow[p->store](columns, (const void *)in, out);
        else if (p->rounds)
            scale_and_round(p, columns, (const void *)in, column_stride, (void *)out);
        else if (p->unit == 8)
            scale_f64(columns, g->alpha, (const void *)in, column_stride, (void *)out);
        else scale_f32(columns, (float)g->alpha, (const void *)in, column_stride, (void *)out);
    }
    if (g->epilogue)
        g->epilogue(g->epilogue_context, matrix, row, column / numbers, all_rows,
                    all_columns / numbers);
}

static void zero_task(void *context, size_t index)
{
    const mica__gemm *g = context;
    size_t size = g->wide ? 4 : mica_dtype_size(g->dtype);
    for (size_t i = 0; i < g->m; i++) memset(place(g, size, index, i, 0), 0, g->n * size);
    if (g->epilogue) g->epilogue(g->epilogue_context, index, 0, 0, g->m, g->n);
}

int mica__gemm_run(const mica__gemm *g)
{
    bool half = g->dtype == MICA_FLOAT16 || g->dtype == MICA_BFLOAT16;
    if (!half && g->dtype != MICA_FLOAT32 && g->dtype != MICA_FLOAT64 && g->dtype != MICA_COMPLEX64)
        return mica__fail(MICA_ETYPE, "[matmul] no product for %s: floating and complex types only",
                          mica_dtype_name(g->dtype));
    if (!g->m || !g->n || !g->batch) return MICA_OK;
    mica__gemm plain = *g;
    plain.wide = half && g->wide;
    if (!g->k) {
        mica__parallel(g->batch, zero_task, &plain);
        return MICA_OK;
    }
    mica__gemm_plan plan = plan_of(&plain);
    if (mica__gemm_is_narrow(&plan)) return mica__gemm_narrow_run(&plan);
    use_pairs(&plan);
    return mica__gemm_tiles(&plan);
}
