/* Products with quantized matrices. */
#include "ops/quantized_matmul.h"

#include "ops/gather_mm.h"

mica_array *mica__quantized_matmul(mica_scope *s, const mica__quant_format *f, mica_array *x,
                                   mica_array *w, mica_array *scales, mica_array *biases,
                                   mica_array *lhs, mica_array *rhs, bool transposed,
                                   mica_dtype dtype)
{
    if (!mica__scope_ok(s) || !x || !w || !scales) return NULL;
    struct mica__quantized_matmul_params p = { .mode = f->mode,
                                               .group = f->group,
                                               .bits = f->bits,
                                               .transposed = transposed,
                                               .gathered = lhs != NULL };
    mica_array *in[6] = { x, w, scales };
    size_t n = 3;
    if (biases) in[n++] = biases;
    if (lhs) in[n++] = lhs;
    if (lhs) in[n++] = rhs;
    int64_t shape[MICA_MAX_NDIM];
    const mica_array *lead = lhs ? lhs : x;
    int k = lhs ? lhs->ndim : x->ndim - 2;
    for (int i = 0; i < k; i++) shape[i] = lead->shape[i];
    shape[k] = x->shape[x->ndim - 2];
    shape[k + 1] =
        transposed ? w->shape[w->ndim - 2] : mica__quant_elements(f, w->shape[w->ndim - 1]);
    return mica__build(s, mica_prim_quantized_matmul, &p, n, in, dtype,
                       (mica_dims){ k + 2, shape });
}

/* One product as the caller gave it. */
typedef struct request {
    const char *name;
    mica__quant_format f;
    mica_array *x, *w, *scales, *biases, *lhs, *rhs;
    bool transposed;
    mica_dtype dtype; /* of the result */
} request;

/* The result's type; false when x is of none that can be multiplied. */
static bool result_type(mica_scope *s, request *r)
{
    mica_dtype x = (mica_dtype)r->x->dtype;
    if (r->biases) {
        mica_dtype d = mica__promote((mica_dtype)r->scales->dtype, (mica_dtype)r->biases->dtype);
        r->dtype = mica__promote(x, d);
    } else r->dtype = x;
    if (!mica__is_float(r->dtype))
        mica__error(s, MICA_EVALUE,
                    "[%s] Only real floating types are supported but x.dtype() == %s.", r->name,
                    mica_dtype_name(x));
    else if (r->dtype == MICA_FLOAT64)
        mica__error(s, MICA_ERUNTIME,
                    "[%s] float16, bfloat16 and float32 are supported but the operands give "
                    "float64; cast with astype.",
                    r->name);
    return mica__scope_ok(s);
}

static bool check_sizes(mica_scope *s, const request *r)
{
    const int64_t *shape = r->w->shape + r->w->ndim - 2;
    int64_t columns = mica__quant_elements(&r->f, shape[1]), k = r->x->shape[r->x->ndim - 1];
    int64_t inner = r->transposed ? columns : shape[0], outer = r->transposed ? shape[0] : columns;
    if (k == inner) return true;
    mica__error(s, MICA_EVALUE,
                "[%s] Last dimension of first input with shape (..., %lld) does not match the "
                "expanded quantized matrix (%lld, %lld) computed from shape %s with "
                "group_size=%lld, bits=%lld and transpose=%s",
                r->name, (long long)k, (long long)inner, (long long)outer,
                mica__shape_text(mica__dims_of(r->w)), (long long)r->f.group, (long long)r->f.bits,
                r->transposed ? "true" : "false");
    return false;
}

/* Everything but the indices. */
static bool check_request(mica_scope *s, request *r)
{
    if (!mica__scope_ok(s) || !r->x ||
        !mica__check_quantized(s, r->name, &r->f, r->w, r->scales, r->biases) || !result_type(s, r))
        return false;
    return check_sizes(s, r);
}

/* x, of the result's type or float32, and float scales as they are. */
static mica_array *product(mica_scope *s, const request *r, mica_array *x, mica_array *lhs,
                           mica_array *rhs, mica_dtype dtype)
{
    mica_array *biases = r->biases;
    mica_array *scales = r->scales;
    if (biases) {
        mica_dtype d = mica__promote((mica_dtype)scales->dtype, (mica_dtype)biases->dtype);
        scales = mica__matrices(s, mica__cast(s, scales, d));
        biases = mica__matrices(s, mica__cast(s, biases, d));
    } else scales = mica__matrices(s, scales);
    return mica__quantized_matmul(s, &r->f, x, mica__matrices(s, r->w), scales, biases, lhs, rhs,
                                  r->transposed, dtype);
}

/* One matrix w: x is one tall matrix. */
static mica_array *with_one_matrix(mica_scope *s, const request *r)
{
    const mica_array *x = r->x;
    int64_t shape[MICA_MAX_NDIM], flat[3] = { 1, 1, x->shape[x->ndim - 1] };
    for (int i = 0; i < x->ndim - 1; i++) flat[1] *= shape[i] = x->shape[i];
    mica_array *y = product(s, r, mica__reshape(s, mica__cast(s, r->x, r->dtype), 3, flat), NULL,
                            NULL, r->dtype);
    if (!y) return NULL;
    shape[x->ndim - 1] = y->shape[2];
    return mica__reshape(s, y, x->ndim, shape);
}

static mica_array *gathered(mica_scope *s, const request *r, mica_dtype dtype)
{
    int64_t shape[MICA_MAX_NDIM];
    mica_array *index[2];
    int n = mica__gather_indices(s, r->name, r->x, r->w, r->lhs, r->rhs, index, shape);
    if (n < 0) return NULL;
    mica_array *x = mica__matrices(s, mica__cast(s, r->x, dtype));
    return mica__unflatten_matrices(s, product(s, r, x, index[0], index[1], dtype), n, shape);
}

mica_array *mica_quantized_matmul(mica_scope *s, mica_array *x, mica_array *w, mica_array *scales,
                                  mica_array *biases, bool transpose, int64_t group_size,
                                  int64_t bits, const char *mode)
{
    request r = { .name = "quantized_matmul",
                  .x = mica__operand(s, x),
                  .w = w,
                  .scales = scales,
                  .biases = biases,
                  .transposed = transpose };
    if (!mica__ready(s, r.x) || !mica__quant_format_of(s, r.name, mode, group_size, bits, &r.f))
        return NULL;
    if (!r.x->ndim)
        return mica__error(s, MICA_EINDEX,
                           "[quantized_matmul] x must have at least one dimension.");
    if (!check_request(s, &r)) return NULL;
    if (w->ndim == 2) return with_one_matrix(s, &r);
    bool row = r.x->ndim == 1;
    int64_t first = 0;
    if (row) r.x = mica_expand_dims(s, r.x, (mica_dims){ 1, &first });
    mica_array *y = r.x ? gathered(s, &r, r.dtype) : NULL;
    int64_t axis = y ? y->ndim - 2 : 0;
    return row && y ? mica__squeeze_axes(s, y, 1, &axis) : y;
}

/* A scale for each matrix of w: the product, in float32, is multiplied by that of its matrix. */
static mica_array *scaled(mica_scope *s, const request *r, mica_array *global_scale)
{
    const mica_array *w = r->w;
    if (!mica__shape_equal(mica__dims_of(global_scale), (mica_dims){ w->ndim - 2, w->shape }) &&
        global_scale->size != 1)
        return mica__error(
            s, MICA_EVALUE,
            "[%s] Global scale must have one entry per expert, shape %s, but got %s.", r->name,
            mica__shape_text((mica_dims){ w->ndim - 2, w->shape }),
            mica__shape_text(mica__dims_of(global_scale)));
    mica_array *y = gathered(s, r, MICA_FLOAT32);
    mica_array *factor = mica_divide(s, global_scale, mica_number(s, 2688));
    int64_t axes[2] = { -2, -1 }, all = -1;
    if (global_scale->size == 1) factor = mica__reshape(s, factor, 0, NULL);
    else {
        mica_array *flat = mica_reshape(s, factor, (mica_dims){ 1, &all });
        mica_array *rhs = r->rhs;
        if (!rhs) { /* each matrix in turn */
            rhs = mica__reshape(s, mica_arange_integer(s, 0, global_scale->size, 1, MICA_UINT32),
                                w->ndim - 2, w->shape);
        }
        factor = mica_expand_dims(s, mica_take(s, flat, rhs, 0), (mica_dims){ 2, axes });
    }
    return mica__cast(s, mica_multiply(s, y, factor), r->dtype);
}

static bool check_expert_scale(mica_scope *s, const char *name, const mica__quant_format *f,
                               const mica_array *scale)
{
    if (!scale) return mica__scope_ok(s);
    if (f->mode != MICA_QUANT_NVFP4)
        mica__error(s, MICA_EVALUE,
                    "[%s] Global scale is only supported for 'nvfp4' quantization mode.", name);
    else if (scale->dtype != MICA_FLOAT32)
        mica__error(s, MICA_EVALUE, "[%s] Global scale must have dtype float32 but got %s.", name,
                    mica_dtype_name((mica_dtype)scale->dtype));
    return mica__scope_ok(s);
}

static bool check_matrices(mica_scope *s, const char *name, const mica_array *x)
{
    if (x->ndim >= 2) return true;
    mica__error(s, MICA_EVALUE,
                "[%s] Input must have at least two dimensions but got input with shape %s.", name,
                mica__shape_text(mica__dims_of(x)));
    return false;
}

mica_array *mica_gather_qmm(mica_scope *s, mica_array *x, mica_array *w, mica_array *scales,
                            mica_array *biases, mica_array *lhs_indices, mica_array *rhs_indices,
                            bool transpose, int64_t group_size, int64_t bits, const char *mode,
                            mica_array *global_scale, bool sorted_indices)
{
    (void)sorted_indices; /* the kernel sorts for itself */
    if (x && x->ndim == 1 && !lhs_indices && !rhs_indices && !global_scale)
        return mica_quantized_matmul(s, x, w, scales, biases, transpose, group_size, bits, mode);
    request r = { .name = "gather_qmm",
                  .x = mica__operand(s, x),
                  .w = w,
                  .scales = scales,
                  .biases = biases,
                  .lhs = lhs_indices,
                  .rhs = rhs_indices,
                  .transposed = transpose };
    if (!mica__ready(s, r.x) || !mica__quant_format_of(s, r.name, mode, group_size, bits, &r.f) ||
        !check_expert_scale(s, r.name, &r.f, global_scale) || !check_matrices(s, r.name, r.x) ||
        !check_request(s, &r))
        return NULL;
    return global_scale ? scaled(s, &r, global_scale) : gathered(s, &r, r.dtype);
}

/* ---- both operands quantized ---- */

static bool check_half_or_single(mica_scope *s, const char *name, const char *which,
                                 const mica_array *a)
{
    if (mica__is_float((mica_dtype)a->dtype) && a->dtype != MICA_FLOAT64) return true;
    mica__error(s, MICA_EVALUE,
                "[%s] Only real floating types except float64 are supported but %s argument dtype "
                "== %s.",
                name, which, mica_dtype_name((mica_dtype)a->dtype));
    return false;
}

static bool check_pair_of_scales(mica_scope *s, const char *name, mica_array *x, mica_array *w)
{
    if (!x == !w) return true;
    mica__error(s, MICA_EVALUE,
                "[%s] For nvfp4 mode, either both global_scale_x and global_scale_w must be "
                "provided, or neither.",
                name);
    return false;
}

/* w as stored, checked, or the quantized numbers of a matrix of floats. */
static bool check_weight(mica_scope *s, request *r)
{
    if (!r->w) return false;
    if (r->scales) {
        if (r->w->dtype != MICA_UINT32)
            mica__error(s, MICA_EVALUE,
                        "[%s] The weight matrix should be uint32 when scales are given but "
                        "received %s.",
                        r->name, mica_dtype_name((mica_dtype)r->w->dtype));
        else if (mica__check_quantized(s, r->name, &r->f, r->w, r->scales, NULL)) check_sizes(s, r);
        return mica__scope_ok(s);
    }
    const mica_array *x = r->x, *w = r->w;
    if (w->dtype == MICA_UINT32)
        mica__error(s, MICA_EVALUE, "[%s] Scales must be provided if second argument is quantized.",
                    r->name);
    else if (!check_half_or_single(s, r->name, "second", w)) return false;
    else if (w->ndim < 2)
        mica__error(s, MICA_EINDEX, "[%s] w must have at least two dimensions but has %d.", r->name,
                    w->ndim);
    else if (x->shape[x->ndim - 1] != w->shape[w->ndim - 1])
        mica__error(s, MICA_EVALUE,
                    "[%s] Last dimension of first input with shape %s must match last dimension of "
                    "second input with shape %s.",
                    r->name, mica__shape_text(mica__dims_of(x)),
                    mica__shape_text(mica__dims_of(w)));
    return mica__scope_ok(s);
}

static bool check_both(mica_scope *s, request *r, const char *mode, int64_t group_size,
                       int64_t bits, mica_array *global_x, mica_array *global_w)
{
    r->transposed = true;
    if (!mica__ready(s, r->x) || !mica__quant_format_of(s, r->name, mode, group_size, bits, &r->f))
        return false;
    if (r->f.mode == MICA_QUANT_AFFINE)
        mica__error(s, MICA_EVALUE,
                    "[%s] mode 'affine' stores only weights; accepted: nvfp4, mxfp8, mxfp4.",
                    r->name);
    if (!mica__check_global_scale(s, r->name, &r->f, global_x) ||
        !check_half_or_single(s, r->name, "first", r->x) ||
        !check_pair_of_scales(s, r->name, global_x, global_w) || !check_weight(s, r))
        return false;
    r->dtype = (mica_dtype)r->x->dtype;
    if (r->x->shape[r->x->ndim - 1] % r->f.group)
        mica__error(s, MICA_EVALUE,
                    "[%s] The last dimension of x with shape %s needs to be divisible by the "
                    "quantization group size %lld.",
                    r->name, mica__shape_text(mica__dims_of(r->x)), (long long)r->f.group);
    return mica__scope_ok(s);
}

mica_array *mica_qqmm(mica_scope *s, mica_array *x, mica_array *w, mica_array *scales,
                      int64_t group_size, int64_t bits, const char *mode,
                      mica_array *global_scale_x, mica_array *global_scale_w)
{
    request r = { .name = "qqmm", .x = mica__operand(s, x), .w = w, .scales = scales };
    if (!mica__ready(s, r.x)) return NULL;
    if (!r.x->ndim)
        return mica__error(s, MICA_EINDEX, "[qqmm] x must have at least one dimension.");
    if (w && w->ndim > 2)
        return mica__error(
            s, MICA_EVALUE,
            "[qqmm] Only a 2D w is supported but w.ndim() == %d; gather_qqmm takes several.",
            w->ndim);
    if (!check_both(s, &r, mode, group_size, bits, global_scale_x, global_scale_w) ||
        !mica__check_global_scale(s, "qqmm", &r.f, global_scale_w))
        return NULL;
    mica_array *q = mica__quantize_through(s, r.x, &r.f, global_scale_x);
    if (!scales) {
        mica_array *v = mica__quantize_through(s, w, &r.f, global_scale_w);
        return mica__cast(s, mica_matmul(s, q, mica_swapaxes(s, v, 0, 1)), r.dtype);
    }
    mica_dtype dtype = r.dtype;
    r.x = q;
    r.dtype = MICA_FLOAT32;
    mica_array *y = q ? with_one_matrix(s, &r) : NULL;
    if (global_scale_w) {
        mica_array *g = mica__reshape(s, global_scale_w, 0, NULL);
        y = mica_multiply(s, y, mica_divide(s, g, mica_number(s, 2688)));
    }
    return mica__cast(s, y, dtype);
}

mica_array *mica_gather_qqmm(mica_scope *s, mica_array *x, mica_array *w, mica_array *scales,
                             mica_array *lhs_indices, mica_array *rhs_indices, int64_t group_size,
                             int64_t bits, const char *mode, mica_array *global_scale_x,
                             mica_array *global_scale_w, bool sorted_indices)
{
    request r = { .name = "gather_qqmm",
                  .x = mica__operand(s, x),
                  .w = w,
                  .scales = scales,
                  .lhs = lhs_indices,
                  .rhs = rhs_indices };
    if (!mica__ready(s, r.x) || !check_matrices(s, r.name, r.x) ||
        !check_both(s, &r, mode, group_size, bits, global_scale_x, global_scale_w) ||
        !check_expert_scale(s, r.name, &r.f, global_scale_w))
        return NULL;
    r.x = mica__quantize_through(s, r.x, &r.f, global_scale_x);
    if (!r.x) return NULL;
    if (scales)
        return global_scale_w ? scaled(s, &r, global_scale_w)
                              : mica__cast(s, gathered(s, &r, MICA_FLOAT32), r.dtype);
    if (!mica__check_global_scale(s, r.name, &r.f, global_scale_w)) return NULL;
    mica_array *v = mica__quantize_through(s, w, &r.f, global_scale_w);
    mica_array *y = mica_gather_mm(s, r.x, mica_swapaxes(s, v, -1, -2), lhs_indices, rhs_indices,
                                   sorted_indices);
    return mica__cast(s, y, r.dtype);
}
