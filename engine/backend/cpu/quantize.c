/* Kernels of quantize and dequantize, of both in one, and of E4M3 numbers. */
#include "backend/cpu/quantize.h"

#include "backend/cpu/choose.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/loop.h"
#include "kernel/half.h"
#include "kernel/quant.h"

/* Elements that are converted at a time: whole groups of any size. */
enum { PIECE = 1024, TASK = 64 * 1024 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

mica__quant_kind mica__quant_kind_of(const mica__quant_format *f)
{
    static const mica__quant_kind by_bits[9] = {
        [1] = MICA_QUANT_BITS_1, [2] = MICA_QUANT_BITS_2, [3] = MICA_QUANT_BITS_3,
        [4] = MICA_QUANT_BITS_4, [5] = MICA_QUANT_BITS_5, [6] = MICA_QUANT_BITS_6,
        [8] = MICA_QUANT_BITS_8
    };
    if (f->mode == MICA_QUANT_AFFINE) return by_bits[f->bits];
    return f->mode == MICA_QUANT_MXFP8 ? MICA_QUANT_E4M3 : MICA_QUANT_E2M1;
}

/* Any float type, contiguous, as float32: the memory itself, or `room`. */
static const float *as_f32(mica_dtype dtype, const void *data, size_t first, size_t n, float *room)
{
    const char *at = (const char *)data + first * (size_t)mica__dtype_sizes[dtype];
    if (dtype == MICA_FLOAT32) return (const float *)(const void *)at;
    mica__cast_find(dtype, MICA_FLOAT32)(n, (const void *const[]){ at }, 0, room);
    return room;
}

static void store_f32(mica_dtype dtype, void *data, size_t first, size_t n, const float *from)
{
    char *at = (char *)data + first * (size_t)mica__dtype_sizes[dtype];
    if (dtype == MICA_FLOAT32) memmove(at, from, n * sizeof *from);
    else mica__cast_find(MICA_FLOAT32, dtype)(n, (const void *const[]){ from }, 0, at);
}

void mica__quant_scales(const mica__quant_format *f, mica_dtype dtype, const void *scales,
                        size_t first, size_t n, float *out)
{
    const uint8_t *codes = (const uint8_t *)scales + first;
    if (f->mode == MICA_QUANT_AFFINE) {
        const float *from = as_f32(dtype, scales, first, n, out);
        if (from == out) return;
        for (size_t i = 0; i < n; i++) out[i] = from[i]; /* often a handful */
    } else if (f->mode == MICA_QUANT_NVFP4) {
        MICA_CHOOSE(mica__quant_)->from_e4m3(n, codes, out);
    } else {
        for (size_t i = 0; i < n; i++) out[i] = k_f32_from_e8m0(codes[i]);
    }
}

/* ---- quantize ---- */

typedef struct job {
    mica__quant_format f;
    const mica__quant_loops *loops;
    mica_dtype dtype; /* of the numbers */
    size_t size, row; /* numbers in all, and in a row */
    const void *x;    /* numbers, or codes when they are read */
    const float *global;
    void *codes, *scales, *biases, *y;
    mica_dtype scale_dtype;
} job;

static void task_range(const job *j, size_t task, size_t *first, size_t *last)
{
    *first = task * TASK;
    *last = least(*first + TASK, j->size);
}

/* Codes of `bits` bits, one a byte, to a stream of them; n is a multiple of 8. */
static void pack(unsigned bits, size_t n, const uint8_t *codes, uint8_t *out)
{
    if (bits == 8) {
        memcpy(out, codes, n);
        return;
    }
    if (bits == 4) {
        for (size_t i = 0; i < n / 2; i++) out[i] = (uint8_t)(codes[2 * i] | codes[2 * i + 1] << 4);
        return;
    }
    for (size_t i = 0; i < n; i += 8, out += bits) {
        uint64_t word = 0;
        for (unsigned k = 0; k < 8; k++) word |= (uint64_t)codes[i + k] << (k * bits);
        for (unsigned k = 0; k < bits; k++) out[k] = (uint8_t)(word >> (8 * k));
    }
}

/* The scale that a group of E2M1 or E4M3 numbers gets: its code, and the float by which elements
   are divided. Not a number: there is no scale. */
static uint8_t scale_of(const job *j, float largest, float encode, float *scale)
{
    float top = j->f.mode == MICA_QUANT_MXFP8 ? 448.0f : 6.0f, ratio = largest / top;
    if (j->dtype == MICA_FLOAT16) ratio = k_round_f16(ratio);
    if (j->dtype == MICA_BFLOAT16) ratio = k_round_bf16(ratio);
    if (j->f.mode == MICA_QUANT_NVFP4) {
        uint32_t code = k_e4m3_from_f32(ratio * encode) & 0x7fu;
        *scale = k_f32_from_e4m3(code);
        return (uint8_t)code;
    }
    uint32_t code = k_e8m0_above(ratio);
    bool finite = ratio - ratio == 0;
    if (!finite && mica__is_half(j->dtype)) code = 0; /* the reference's code for halves */
    *scale = finite ? k_f32_from_e8m0(code) : k_nan_f32();
    return (uint8_t)code;
}

/* Largest magnitude; NaN wins. */
static float largest_of(size_t n, const float *x)
{
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t u = k_bits_f32(x[i]) & 0x7fffffffu;
        most = u > most ? u : most;
    }
    return k_from_bits_f32(most);
}

/* Codes and scales of n elements: whole groups of one row. z: what the codes round; scales in
   float32, without the global scale. */
static void quantize_float(const job *j, size_t n, const float *x, float global, float *z,
                           uint8_t *codes, uint8_t *scale_codes, float *scales)
{
    size_t group = (size_t)j->f.group;
    float encode = j->global ? 2688.0f / global : 1;
    for (size_t g = 0; g < n / group; g++) {
        const float *from = x + g * group;
        float *to = z + g * group, scale;
        scale_codes[g] = scale_of(j, largest_of(group, from), encode, &scale);
        scales[g] = scale;
        if (scale == 0) memset(to, 0, group * sizeof *to);
        else
            for (size_t i = 0; i < group; i++) to[i] = from[i] / scale;
        if (!j->global || scale == 0) continue;
        if (mica__is_half(j->dtype))
            mica__round_find(j->dtype)(group, (const void *const[]){ to }, 0, to);
        for (size_t i = 0; i < group; i++) to[i] *= encode;
    }
    if (j->f.mode == MICA_QUANT_MXFP8) {
        j->loops->e4m3(n, z, codes);
        for (size_t i = 0; i < n; i++) /* what has no scale keeps its sign */
            if (z[i] != z[i]) codes[i] = (uint8_t)(0x7e | (k_bits_f32(x[i]) >> 24 & 0x80));
    } else j->loops->e2m1(n, z, codes);
}

/* Pieces end with rows, so that each has one global scale. */
static size_t piece_of(const job *j, size_t at, size_t last)
{
    size_t n = least(PIECE, last - at);
    return j->global ? least(n, j->row - at % j->row) : n;
}

static float global_of(const job *j, size_t at)
{
    return j->global ? j->global[at / j->row] : 1;
}

static void quantize_task(void *context, size_t task)
{
    const job *j = context;
    float room[PIECE], z[PIECE], scales[PIECE / 16], biases[PIECE / 16];
    uint8_t codes[PIECE], scale_codes[PIECE / 16];
    size_t at, last, bits = (size_t)j->f.bits, group = (size_t)j->f.group;
    task_range(j, task, &at, &last);
    for (size_t n; at < last; at += n) {
        n = piece_of(j, at, last);
        const float *x = as_f32(j->dtype, j->x, at, n, room);
        if (j->f.mode == MICA_QUANT_AFFINE) {
            j->loops->affine(n, group, (unsigned)bits, x, codes, scales, biases);
            store_f32(j->dtype, j->scales, at / group, n / group, scales);
            store_f32(j->dtype, j->biases, at / group, n / group, biases);
        } else {
            quantize_float(j, n, x, global_of(j, at), z, codes, scale_codes, scales);
            memcpy((uint8_t *)j->scales + at / group, scale_codes, n / group);
        }
        pack((unsigned)bits, n, codes, (uint8_t *)j->codes + at / 8 * bits);
    }
}

static void run(job *j, void (*task)(void *, size_t))
{
    mica__spread_tasks((int64_t)((j->size + TASK - 1) / TASK), (int64_t)j->size, task, j);
}

#define FORMAT(p)                                                                                  \
    {                                                                                              \
        (mica__quant_mode)(p)->mode, (p)->group, (p)->bits                                         \
    }

int mica__kernel_quantize(mica__launch *l)
{
    const struct mica__quantize_params *p = MICA_PARAMS(l->node, quantize);
    const mica_array *w = l->in[0];
    job j = { .f = FORMAT(p),
              .loops = MICA_CHOOSE(mica__quant_),
              .dtype = (mica_dtype)w->dtype,
              .size = (size_t)w->size,
              .row = (size_t)w->shape[w->ndim - 1],
              .x = w->data,
              .global = p->scaled ? (const float *)(const void *)l->in[1]->data : NULL,
              .codes = l->out[0].data,
              .scales = l->out[1].data,
              .biases = l->noutputs > 2 ? l->out[2].data : NULL };
    run(&j, quantize_task);
    return MICA_OK;
}

/* ---- quantize and dequantize ---- */

static void through_task(void *context, size_t task)
{
    const job *j = context;
    float room[PIECE], z[PIECE], scales[PIECE / 16];
    uint8_t codes[PIECE], scale_codes[PIECE / 16];
    size_t at, last, group = (size_t)j->f.group;
    task_range(j, task, &at, &last);
    for (size_t n; at < last; at += n) {
        n = piece_of(j, at, last);
        float global = global_of(j, at), *y = (float *)j->y + at;
        quantize_float(j, n, as_f32(j->dtype, j->x, at, n, room), global, z, codes, scale_codes,
                       scales);
        mica__quant_scales(&j->f, MICA_UINT8, scale_codes, 0, n / group, scales);
        for (size_t i = 0; i < n; i++) {
            float scale = scales[i / group];
            if (j->global) scale *= global / 2688.0f;
            y[i] = scale * (j->f.mode == MICA_QUANT_MXFP8 ? k_f32_from_e4m3(codes[i])
                                                          : k_f32_from_e2m1(codes[i]));
        }
    }
}

int mica__kernel_quantize_through(mica__launch *l)
{
    const struct mica__quantize_through_params *p = MICA_PARAMS(l->node, quantize_through);
    const mica_array *x = l->in[0];
    if (!x->size) return MICA_OK;
    job j = { .f = FORMAT(p),
              .loops = MICA_CHOOSE(mica__quant_),
              .dtype = (mica_dtype)x->dtype,
              .size = (size_t)x->size,
              .row = (size_t)x->shape[x->ndim - 1],
              .x = x->data,
              .global = p->scaled ? (const float *)(const void *)l->in[1]->data : NULL,
              .y = l->out[0].data };
    run(&j, through_task);
    return MICA_OK;
}

/* ---- dequantize ---- */

/* Affine numbers of halves are rounded after the product and after the sum, as if each were an
   operation of its own. */
static void round_twice(const job *j, size_t n, const float *biases, float *y)
{
    mica__loop *round = mica__round_find(j->dtype);
    size_t group = (size_t)j->f.group;
    round(n, (const void *const[]){ y }, 0, y);
    for (size_t i = 0; i < n; i++) y[i] += biases[i / group];
}

static void affine_f64(const job *j, size_t at, size_t n, const float *q)
{
    const double *scales = j->scales, *biases = j->biases;
    double *y = (double *)j->y + at;
    for (size_t i = 0; i < n; i++) {
        size_t g = (at + i) / (size_t)j->f.group;
        y[i] = (double)q[i] * scales[g] + biases[g];
    }
}

static void dequantize_task(void *context, size_t task)
{
    const job *j = context;
    float y[PIECE], scales[PIECE / 16], biases[PIECE / 16];
    size_t at, last, group = (size_t)j->f.group, bits = (size_t)j->f.bits;
    bool affine = j->f.mode == MICA_QUANT_AFFINE, half = mica__is_half(j->dtype);
    mica__quant_expand *expand = j->loops->expand[mica__quant_kind_of(&j->f)];
    task_range(j, task, &at, &last);
    for (size_t n; at < last; at += n) {
        n = piece_of(j, at, last);
        size_t groups = n / group;
        const char *codes = (const char *)j->x + at / 8 * bits;
        if (affine && j->dtype == MICA_FLOAT64) {
            for (size_t g = 0; g < groups; g++) scales[g] = 1;
            expand(0, n, group, codes, scales, NULL, y);
            affine_f64(j, at, n, y);
            continue;
        }
        mica__quant_scales(&j->f, j->scale_dtype, j->scales, at / group, groups, scales);
        if (affine)
            mica__quant_scales(&j->f, j->scale_dtype, j->biases, at / group, groups, biases);
        if (j->global)
            for (size_t g = 0; g < groups; g++) scales[g] *= global_of(j, at) / 2688.0f;
        expand(0, n, group, codes, scales, affine && !half ? biases : NULL, y);
        if (affine && half) round_twice(j, n, biases, y);
        store_f32(j->dtype, j->y, at, n, y);
    }
}

int mica__kernel_dequantize(mica__launch *l)
{
    const struct mica__dequantize_params *p = MICA_PARAMS(l->node, dequantize);
    const mica_array *y = &l->out[0];
    bool affine = p->mode == MICA_QUANT_AFFINE;
    if (!y->size) return MICA_OK;
    job j = { .f = FORMAT(p),
              .loops = MICA_CHOOSE(mica__quant_),
              .dtype = (mica_dtype)y->dtype,
              .size = (size_t)y->size,
              .row = (size_t)y->shape[y->ndim - 1],
              .x = l->in[0]->data,
              .scales = l->in[1]->data,
              .biases = affine ? l->in[2]->data : NULL,
              .scale_dtype = (mica_dtype)l->in[1]->dtype,
              .global = p->scaled ? (const float *)(const void *)l->in[l->ninputs - 1]->data : NULL,
              .y = y->data };
    run(&j, dequantize_task);
    return MICA_OK;
}

/* ---- E4M3 ---- */

static void to_fp8_task(void *context, size_t task)
{
    const job *j = context;
    float room[PIECE];
    size_t at, last;
    task_range(j, task, &at, &last);
    for (size_t n; at < last; at += n) {
        n = least(PIECE, last - at);
        j->loops->e4m3(n, as_f32(j->dtype, j->x, at, n, room), (uint8_t *)j->codes + at);
    }
}

int mica__kernel_to_fp8(mica__launch *l)
{
    job j = { .loops = MICA_CHOOSE(mica__quant_),
              .dtype = (mica_dtype)l->in[0]->dtype,
              .size = (size_t)l->in[0]->size,
              .x = l->in[0]->data,
              .codes = l->out[0].data };
    run(&j, to_fp8_task);
    return MICA_OK;
}

static void from_fp8_task(void *context, size_t task)
{
    const job *j = context;
    float y[PIECE];
    size_t at, last;
    task_range(j, task, &at, &last);
    for (size_t n; at < last; at += n) {
        n = least(PIECE, last - at);
        j->loops->from_e4m3(n, (const uint8_t *)j->x + at, y);
        store_f32(j->dtype, j->y, at, n, y);
    }
}

int mica__kernel_from_fp8(mica__launch *l)
{
    job j = { .loops = MICA_CHOOSE(mica__quant_),
              .dtype = (mica_dtype)l->out[0].dtype,
              .size = (size_t)l->out[0].size,
              .x = l->in[0]->data,
              .y = l->out[0].data };
    run(&j, from_fp8_task);
    return MICA_OK;
}
