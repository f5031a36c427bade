/* Storing arrays in few bits and reading them again. */
#include "ops/quantize.h"

static const struct {
    const char *name;
    int64_t group, bits;
} modes[] = { [MICA_QUANT_AFFINE] = { "affine", 64, 4 },
              [MICA_QUANT_MXFP4] = { "mxfp4", 32, 4 },
              [MICA_QUANT_MXFP8] = { "mxfp8", 32, 8 },
              [MICA_QUANT_NVFP4] = { "nvfp4", 16, 4 } };
enum { MODES = sizeof modes / sizeof *modes };

/* What the mode can store. */
static bool check_exact(mica_scope *s, const char *name, const mica__quant_format *f)
{
    const char *mode = modes[f->mode].name;
    if (f->mode == MICA_QUANT_AFFINE) {
        if (f->group != 32 && f->group != 64 && f->group != 128)
            mica__error(s, MICA_EVALUE,
                        "[%s] The requested group size %lld is not supported. The supported group "
                        "sizes are 32, 64, and 128.",
                        name, (long long)f->group);
        else if (f->bits < 1 || f->bits > 8 || f->bits == 7)
            mica__error(s, MICA_EVALUE,
                        "[%s] The requested number of bits %lld is not supported. The supported "
                        "bits are 1, 2, 3, 4, 5, 6 and 8.",
                        name, (long long)f->bits);
    } else if (f->group != modes[f->mode].group) {
        mica__error(s, MICA_EVALUE, "[%s] %s quantization requires group size %lld but got %lld.",
                    name, mode, (long long)modes[f->mode].group, (long long)f->group);
    } else if (f->bits != modes[f->mode].bits) {
        mica__error(s, MICA_EVALUE, "[%s] %s quantization requires bits to be %lld but got %lld.",
                    name, mode, (long long)modes[f->mode].bits, (long long)f->bits);
    }
    return mica__scope_ok(s);
}

bool mica__quant_format_of(mica_scope *s, const char *name, const char *mode, int64_t group_size,
                           int64_t bits, mica__quant_format *f)
{
    if (!mica__scope_ok(s)) return false;
    int m = 0;
    while (m < MODES && (!mode || strcmp(mode, modes[m].name) != 0)) m++;
    if (m == MODES) {
        mica__error(s, MICA_EVALUE,
                    "[%s] Invalid quantization mode '%s'; accepted: affine, mxfp4, mxfp8, nvfp4.",
                    name, mode ? mode : "NULL");
        return false;
    }
    f->mode = (mica__quant_mode)m;
    f->group = group_size == MICA_NO_INTEGER ? modes[m].group : group_size;
    f->bits = bits == MICA_NO_INTEGER ? modes[m].bits : bits;
    return check_exact(s, name, f);
}

bool mica__check_global_scale(mica_scope *s, const char *name, const mica__quant_format *f,
                              const mica_array *scale)
{
    if (!scale || !mica__scope_ok(s)) return mica__scope_ok(s);
    if (f->mode != MICA_QUANT_NVFP4)
        mica__error(s, MICA_EVALUE,
                    "[%s] Global scale is only supported for 'nvfp4' quantization mode.", name);
    else if (scale->size != 1)
        mica__error(s, MICA_EVALUE, "[%s] Global scale must be a scalar but got shape %s.", name,
                    mica__shape_text(mica__dims_of(scale)));
    else if (scale->dtype != MICA_FLOAT32)
        mica__error(s, MICA_EVALUE, "[%s] Global scale must have dtype float32 but got %s.", name,
                    mica_dtype_name((mica_dtype)scale->dtype));
    return mica__scope_ok(s);
}

/* The types of scales and biases, and whether biases are there. */
static bool check_scale_types(mica_scope *s, const char *name, const mica__quant_format *f,
                              const mica_array *scales, const mica_array *biases)
{
    if (f->mode == MICA_QUANT_AFFINE) {
        if (!biases)
            mica__error(s, MICA_EVALUE, "[%s] Biases must be provided for affine quantization.",
                        name);
        else if (!mica__is_float(
                     mica__promote((mica_dtype)scales->dtype, (mica_dtype)biases->dtype)))
            mica__error(s, MICA_EVALUE,
                        "[%s] Only real floating types are supported but scales.dtype() == %s and "
                        "biases.dtype() == %s.",
                        name, mica_dtype_name((mica_dtype)scales->dtype),
                        mica_dtype_name((mica_dtype)biases->dtype));
    } else if (biases) {
        mica__error(s, MICA_EVALUE, "[%s] Biases must be null for quantization mode '%s'.", name,
                    modes[f->mode].name);
    } else if (scales->dtype != MICA_UINT8) {
        mica__error(s, MICA_EVALUE, "[%s] Scale type must be uint8 but received type %s.", name,
                    mica_dtype_name((mica_dtype)scales->dtype));
    }
    return mica__scope_ok(s);
}

/* All axes but the last are equal. */
static bool same_rows(const mica_array *a, const mica_array *b)
{
    return a->ndim == b->ndim && mica__shape_equal((mica_dims){ a->ndim - 1, a->shape },
                                                   (mica_dims){ b->ndim - 1, b->shape });
}

bool mica__check_quantized(mica_scope *s, const char *name, const mica__quant_format *f,
                           const mica_array *w, const mica_array *scales, const mica_array *biases)
{
    if (!mica__scope_ok(s)) return false;
    if (!w || !scales) {
        mica__error(s, MICA_EVALUE, "[%s] the codes or the scales are NULL", name);
        return false;
    }
    if (!check_scale_types(s, name, f, scales, biases)) return false;
    if (w->dtype != MICA_UINT32)
        mica__error(s, MICA_EVALUE, "[%s] The weight matrix should be uint32 but received %s", name,
                    mica_dtype_name((mica_dtype)w->dtype));
    else if (w->ndim < 2)
        mica__error(s, MICA_EVALUE,
                    "[%s] The quantized matrix must have at least 2 dimensions but it has only %d.",
                    name, w->ndim);
    else if (!same_rows(w, scales))
        mica__error(s, MICA_EVALUE,
                    "[%s] Weight and scales should have the same shape but for the last axis. "
                    "Received weight with shape %s, scales with %s.",
                    name, mica__shape_text(mica__dims_of(w)),
                    mica__shape_text(mica__dims_of(scales)));
    else if (biases && !mica__shape_equal(mica__dims_of(scales), mica__dims_of(biases)))
        mica__error(s, MICA_EVALUE,
                    "[%s] Scales and biases should have the same shape. Received scales with shape "
                    "%s and biases with %s",
                    name, mica__shape_text(mica__dims_of(scales)),
                    mica__shape_text(mica__dims_of(biases)));
    else if (w->shape[w->ndim - 1] > INT64_MAX / 32 ||
             scales->shape[w->ndim - 1] > INT64_MAX / 128 / 8 ||
             w->shape[w->ndim - 1] * 32 != scales->shape[w->ndim - 1] * f->group * f->bits)
        mica__error(s, MICA_EVALUE,
                    "[%s] The shapes of the weight and scales are incompatible based on bits and "
                    "group_size: weight %s and scales %s with group_size=%lld and bits=%lld.",
                    name, mica__shape_text(mica__dims_of(w)),
                    mica__shape_text(mica__dims_of(scales)), (long long)f->group,
                    (long long)f->bits);
    return mica__scope_ok(s);
}

/* One value for each row of x: shape (..., 1). */
static mica_array *row_scale(mica_scope *s, mica_array *scale, const mica_array *x)
{
    int64_t shape[MICA_MAX_NDIM];
    for (int i = 0; i < x->ndim; i++) shape[i] = i == x->ndim - 1 ? 1 : x->shape[i];
    return mica__broadcast_to(s, mica__reshape(s, scale, 0, NULL), (mica_dims){ x->ndim, shape });
}

/* ---- quantize ---- */

static bool check_quantize(mica_scope *s, const char *name, const mica_array *w,
                           const mica__quant_format *f)
{
    if (!mica__scope_ok(s) || !w) return false;
    if (!mica__is_float((mica_dtype)w->dtype))
        mica__error(s, MICA_EVALUE,
                    "[%s] Only real floating types can be quantized but w has type %s.", name,
                    mica_dtype_name((mica_dtype)w->dtype));
    else if (w->ndim < 2)
        mica__error(
            s, MICA_EVALUE,
            "[%s] The matrix to be quantized must have at least 2 dimension but it has only %d.",
            name, w->ndim);
    else if (w->shape[w->ndim - 1] % f->group)
        mica__error(s, MICA_EVALUE,
                    "[%s] The last dimension of the matrix needs to be divisible by the "
                    "quantization group size %lld. However the provided matrix has shape %s",
                    name, (long long)f->group, mica__shape_text(mica__dims_of(w)));
    else if (w->dtype == MICA_FLOAT64 && f->mode == MICA_QUANT_AFFINE)
        mica__error(s, MICA_ERUNTIME,
                    "[%s] affine quantization takes float16, bfloat16 and float32 but not float64; "
                    "cast with astype.",
                    name);
    return mica__scope_ok(s);
}

mica_arrays mica_quantize(mica_scope *s, mica_array *w, int64_t group_size, int64_t bits,
                          const char *mode, mica_array *global_scale)
{
    mica_arrays none = { 0, NULL };
    mica__quant_format f;
    w = mica__operand(s, w);
    if (!mica__ready(s, w)) return none;
    if (!mica__quant_format_of(s, "quantize", mode, group_size, bits, &f) ||
        !mica__check_global_scale(s, "quantize", &f, global_scale) ||
        !check_quantize(s, "quantize", w, &f))
        return none;
    struct mica__quantize_params p = {
        .mode = f.mode, .group = f.group, .bits = f.bits, .scaled = global_scale != NULL
    };
    int last = w->ndim - 1;
    int64_t words[MICA_MAX_NDIM], groups[MICA_MAX_NDIM];
    for (int i = 0; i < last; i++) words[i] = groups[i] = w->shape[i];
    groups[last] = w->shape[last] / f.group;
    words[last] = groups[last] * (f.group * f.bits / 32);
    bool affine = f.mode == MICA_QUANT_AFFINE;
    mica_dtype scale = affine ? (mica_dtype)w->dtype : MICA_UINT8;
    mica_dtype dtypes[3] = { MICA_UINT32, scale, scale };
    mica_dims shapes[3] = { { w->ndim, words }, { w->ndim, groups }, { w->ndim, groups } };
    mica_array *in[2] = { w, global_scale ? row_scale(s, global_scale, w) : NULL };
    mica_array **out = mica__scope_alloc(s, 3 * sizeof *out);
    size_t n = affine ? 3 : 2;
    if (!out || !mica__build_many(s, mica_prim_quantize, &p, global_scale ? 2 : 1, in, n, dtypes,
                                  shapes, out))
        return none;
    return (mica_arrays){ n, out };
}

mica_array *mica__quantize_through(mica_scope *s, mica_array *x, const mica__quant_format *f,
                                   mica_array *global_scale)
{
    if (!mica__ready(s, x)) return NULL;
    struct mica__quantize_through_params p = {
        .mode = f->mode, .group = f->group, .bits = f->bits, .scaled = global_scale != NULL
    };
    mica_array *in[2] = { x, global_scale ? row_scale(s, global_scale, x) : NULL };
    return mica__build(s, mica_prim_quantize_through, &p, global_scale ? 2 : 1, in, MICA_FLOAT32,
                       mica__dims_of(x));
}

/* ---- dequantize ---- */

mica_array *mica_dequantize(mica_scope *s, mica_array *w, mica_array *scales, mica_array *biases,
                            int64_t group_size, int64_t bits, const char *mode,
                            mica_array *global_scale, mica_dtype dtype)
{
    mica__quant_format f;
    if (!mica__quant_format_of(s, "dequantize", mode, group_size, bits, &f) ||
        !mica__check_global_scale(s, "dequantize", &f, global_scale) ||
        !mica__check_quantized(s, "dequantize", &f, w, scales, biases))
        return NULL;
    mica_dtype own = global_scale ? MICA_FLOAT32 : MICA_BFLOAT16;
    if (biases) own = mica__promote((mica_dtype)scales->dtype, (mica_dtype)biases->dtype);
    if (dtype == MICA_DEFAULT_DTYPE) dtype = own;
    if (!mica__is_float(dtype))
        return mica__error(
            s, MICA_EVALUE,
            "[dequantize] Only real floating types are supported but output dtype == %s.",
            mica_dtype_name(dtype));
    mica_dtype made = biases ? own : dtype; /* affine arithmetic is in the scales' type */
    struct mica__dequantize_params p = { .mode = f.mode,
                                         .group = f.group,
                                         .bits = f.bits,
                                         .scaled = global_scale != NULL,
                                         .dtype = made };
    mica_array *in[4] = { w, biases ? mica__cast(s, scales, own) : scales };
    size_t n = 2;
    if (biases) in[n++] = mica__cast(s, biases, own);
    if (global_scale) in[n++] = row_scale(s, global_scale, w);
    int64_t shape[MICA_MAX_NDIM];
    for (int i = 0; i < w->ndim; i++) shape[i] = w->shape[i];
    shape[w->ndim - 1] = mica__quant_elements(&f, w->shape[w->ndim - 1]);
    mica_array *y =
        mica__build(s, mica_prim_dequantize, &p, n, in, made, (mica_dims){ w->ndim, shape });
    return mica__cast(s, y, dtype);
}

/* ---- eight bits ---- */

mica_array *mica_to_fp8(mica_scope *s, mica_array *x)
{
    x = mica__operand(s, x);
    if (!mica__ready(s, x)) return NULL;
    if (!mica__is_float((mica_dtype)x->dtype))
        return mica__error(s, MICA_EVALUE,
                           "[to_fp8] Only real floating types are supported but x.dtype() == %s.",
                           mica_dtype_name((mica_dtype)x->dtype));
    return mica__build(s, mica_prim_to_fp8, NULL, 1, &x, MICA_UINT8, mica__dims_of(x));
}

mica_array *mica_from_fp8(mica_scope *s, mica_array *x, mica_dtype dtype)
{
    if (!mica__ready(s, x)) return NULL;
    if (x->dtype != MICA_UINT8)
        return mica__error(s, MICA_EVALUE,
                           "[from_fp8] Input must have type uint8 but x.dtype() == %s.",
                           mica_dtype_name((mica_dtype)x->dtype));
    if (!mica__is_float(dtype))
        return mica__error(s, MICA_EVALUE,
                           "[from_fp8] Only real floating types are supported but dtype == %s.",
                           mica_dtype_name(dtype));
    struct mica__from_fp8_params p = { .dtype = dtype };
    return mica__build(s, mica_prim_from_fp8, &p, 1, &x, dtype, mica__dims_of(x));
}
