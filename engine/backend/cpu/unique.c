/* Kernels of run_starts and run_ranks: runs of equal elements in sorted rows, one pass each. */
#include "backend/cpu/choose.h"
#include "backend/cpu/kernel.h"

typedef struct runs {
    const char *in;
    uint32_t *out;
    int64_t n, count; /* of a row's elements and of its results */
    mica_dtype dtype;
    bool ranks;
} runs;

/* Whether two neighbours differ; NaN differs from all, -0 equals 0. */
static inline bool differ_half(uint16_t a, uint16_t b, uint16_t infinity)
{
    bool nan = (a & 0x7fff) > infinity || (b & 0x7fff) > infinity;
    return nan || (a != b && ((a | b) & 0x7fff) != 0);
}
static inline bool differ_complex(mica_complex64 a, mica_complex64 b)
{
    return !(a.re == b.re && a.im == b.im);
}

#define PLAIN(a, b)    (!((a) == (b)))
#define FLOAT16(a, b)  differ_half(a, b, 0x7c00)
#define BFLOAT16(a, b) differ_half(a, b, 0x7f80)
#define COMPLEX(a, b)  differ_complex(a, b)

#define ROW(T, DIFFER)                                                                             \
    {                                                                                              \
        const T *x = row;                                                                          \
        if (r->ranks) {                                                                            \
            uint32_t rank = 0;                                                                     \
            out[0] = 0;                                                                            \
            for (int64_t i = 1; i < r->n; i++) out[i] = rank += DIFFER(x[i - 1], x[i]);            \
            return;                                                                                \
        }                                                                                          \
        out[found++] = 0;                                                                          \
        for (int64_t i = 1; i < r->n && found < r->count; i++)                                     \
            if (DIFFER(x[i - 1], x[i])) out[found++] = (uint32_t)i;                                \
        break;                                                                                     \
    }

static void run_row(const runs *r, const void *row, uint32_t *out)
{
    int64_t found = 0;
    if (!r->count) return;
    switch (r->n ? r->dtype : MICA_DTYPE_COUNT) {
    case MICA_BOOL:
    case MICA_UINT8:
    case MICA_INT8: ROW(uint8_t, PLAIN)
    case MICA_UINT16:
    case MICA_INT16: ROW(uint16_t, PLAIN)
    case MICA_UINT32:
    case MICA_INT32: ROW(uint32_t, PLAIN)
    case MICA_UINT64:
    case MICA_INT64: ROW(uint64_t, PLAIN)
    case MICA_FLOAT16: ROW(uint16_t, FLOAT16)
    case MICA_BFLOAT16: ROW(uint16_t, BFLOAT16)
    case MICA_FLOAT32: ROW(float, PLAIN)
    case MICA_FLOAT64: ROW(double, PLAIN)
    case MICA_COMPLEX64: ROW(mica_complex64, COMPLEX)
    default: break;
    }
    for (; found < r->count; found++) out[found] = (uint32_t)r->n;
}

static void task(void *context, size_t index)
{
    const runs *r = context;
    run_row(r, r->in + (int64_t)index * r->n * mica__dtype_sizes[r->dtype],
            r->out + (int64_t)index * r->count);
}

static int run(mica__launch *l, bool ranks)
{
    const mica_array *in = l->in[0], *out = &l->out[0];
    runs r = { .in = in->data,
               .out = (uint32_t *)(void *)out->data,
               .dtype = (mica_dtype)in->dtype,
               .ranks = ranks };
    r.n = in->shape[in->ndim - 1];
    r.count = out->shape[out->ndim - 1];
    if (!out->size) return MICA_OK;
    mica__spread_tasks(out->size / r.count, in->size + out->size, task, &r);
    return MICA_OK;
}

int mica__kernel_run_starts(mica__launch *l)
{
    return run(l, false);
}
int mica__kernel_run_ranks(mica__launch *l)
{
    return run(l, true);
}
