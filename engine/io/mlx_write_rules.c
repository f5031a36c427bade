/* What primitives become in files for MLX: its operations with their recorded parameters. What
   takes operands of different shapes here gets them repeated there. */
#include <math.h>

#include "io/mlx_write_rule.h"

bool mica__mlx_cannot(const mlx_writing *c, const char *why)
{
    mica__error(mica__mlx_scope(c->w), MICA_EVALUE,
                "[export_function] the primitive %s cannot be in a file of MLX%s%s",
                mica__prims[c->n->prim].name, *why ? ": " : "", why);
    return false;
}

/* An operation with one output of a given type. */
bool mica__mlx_one(const mlx_writing *c, const char *name, mica__text *p, size_t nin,
                   const mlx_value in[], mica_dtype dtype, mica_dims shape, mlx_value *out)
{
    return mica__mlx_emit(c->w, name, p, nin, in, 1, &dtype, &shape, out);
}
/* The node's own inputs and outputs. */
bool mica__mlx_whole(const mlx_writing *c, const char *name, mica__text *p)
{
    mica_dtype *dtypes = mica__scope_alloc(mica__mlx_scope(c->w), c->n->noutputs * sizeof *dtypes);
    mica_dims *shapes = mica__scope_alloc(mica__mlx_scope(c->w), c->n->noutputs * sizeof *shapes);
    if (!dtypes || !shapes) {
        if (p) mica__text_free(p);
        return false;
    }
    for (size_t i = 0; i < c->n->noutputs; i++) {
        dtypes[i] = (mica_dtype)c->n->out[i].dtype;
        shapes[i] = mica__dims_of(&c->n->out[i]);
    }
    return mica__mlx_emit(c->w, name, p, c->n->ninputs, c->in, c->n->noutputs, dtypes, shapes,
                          c->out);
}

bool mica__mlx_cast(const mlx_writing *c, mlx_value in, mica_dtype dtype, mlx_value *out)
{
    mica__text p = { 0 };
    *out = in;
    if (in.dtype == dtype) return true;
    mica__mlx_dtype(&p, dtype);
    return mica__mlx_one(c, "AsType", &p, 1, &in, dtype, in.shape, out);
}
bool mica__mlx_repeat(const mlx_writing *c, mlx_value in, mica_dims shape, mlx_value *out)
{
    mica__text p = { 0 };
    *out = in;
    if (mica__shape_equal(in.shape, shape)) return true;
    mica__mlx_list(&p, shape, 4);
    return mica__mlx_one(c, "Broadcast", &p, 1, &in, in.dtype, shape, out);
}
bool mica__mlx_reshape(const mlx_writing *c, mlx_value in, mica_dims shape, mlx_value *out)
{
    mica__text p = { 0 };
    *out = in;
    if (mica__shape_equal(in.shape, shape)) return true;
    mica__mlx_list(&p, shape, 4);
    return mica__mlx_one(c, "Reshape", &p, 1, &in, in.dtype, shape, out);
}

/* An element-wise operation on values, each repeated to the shape. */
bool mica__mlx_spread(const mlx_writing *c, const char *name, mica__text *p, size_t n,
                      const mlx_value in[], mica_dtype dtype, mica_dims shape, mlx_value *out)
{
    mlx_value full[3];
    for (size_t i = 0; i < n; i++)
        if (!mica__mlx_repeat(c, in[i], shape, &full[i])) {
            if (p) mica__text_free(p);
            return false;
        }
    return mica__mlx_one(c, name, p, n, full, dtype, shape, out);
}
/* The same, with a number as the second operand. */
bool mica__mlx_with_number(const mlx_writing *c, const char *name, mica__text *p, mlx_value a,
                           double number, mica_dtype dtype, mlx_value *out)
{
    mlx_value in[2] = { a, { 0 } };
    if (!mica__mlx_number(c->w, a.dtype, number, &in[1])) {
        if (p) mica__text_free(p);
        return false;
    }
    return mica__mlx_spread(c, name, p, 2, in, dtype, a.shape, out);
}

/* ---- element-wise ---- */

static bool equal_to(const mlx_writing *c, mlx_value a, double number, mlx_value *out)
{
    mica__text p = { 0 };
    mica__mlx_truth(&p, false);
    return mica__mlx_with_number(c, "Equal", &p, a, number, MICA_BOOL, out);
}

static bool predicate(const mlx_writing *c)
{
    mlx_value x = c->in[0], parts[3], either[2];
    if (c->n->prim == mica_prim_isposinf) return equal_to(c, x, INFINITY, c->out);
    if (c->n->prim == mica_prim_isneginf) return equal_to(c, x, -INFINITY, c->out);
    mlx_value twice[2] = { x, x };
    if (c->n->prim == mica_prim_isnan)
        return mica__mlx_one(c, "NotEqual", NULL, 2, twice, MICA_BOOL, c->shape, c->out);
    if (!equal_to(c, x, INFINITY, &parts[0]) || !equal_to(c, x, -INFINITY, &parts[1])) return false;
    if (c->n->prim == mica_prim_isinf)
        return mica__mlx_one(c, "LogicalOr", NULL, 2, parts, MICA_BOOL, c->shape, c->out);
    if (!mica__mlx_one(c, "LogicalOr", NULL, 2, parts, MICA_BOOL, c->shape, &either[0]) ||
        !mica__mlx_one(c, "NotEqual", NULL, 2, twice, MICA_BOOL, c->shape, &either[1]) ||
        !mica__mlx_one(c, "LogicalOr", NULL, 2, either, MICA_BOOL, c->shape, &parts[2]))
        return false;
    return mica__mlx_one(c, "LogicalNot", NULL, 1, &parts[2], MICA_BOOL, c->shape, c->out);
}

static bool numbered(const mlx_writing *c, const char *name, int64_t number, bool truth)
{
    mica__text p = { 0 };
    if (truth) mica__mlx_truth(&p, number);
    else mica__mlx_int(&p, number);
    return mica__mlx_spread(c, name, &p, c->n->ninputs, c->in, c->dtype, c->shape, c->out);
}

static bool absolute(const mlx_writing *c)
{
    mlx_value magnitude;
    if (c->in[0].dtype != MICA_COMPLEX64) return mica__mlx_whole(c, "Abs", NULL);
    return mica__mlx_one(c, "Abs", NULL, 1, c->in, MICA_COMPLEX64, c->shape, &magnitude) &&
           mica__mlx_one(c, "Real", NULL, 1, &magnitude, MICA_FLOAT32, c->shape, c->out);
}

static bool truncated(const mlx_writing *c)
{
    mlx_value parts[3];
    return mica__mlx_with_number(c, "Less", NULL, c->in[0], 0, MICA_BOOL, &parts[0]) &&
           mica__mlx_one(c, "Ceil", NULL, 1, c->in, c->dtype, c->shape, &parts[1]) &&
           mica__mlx_one(c, "Floor", NULL, 1, c->in, c->dtype, c->shape, &parts[2]) &&
           mica__mlx_one(c, "Select", NULL, 3, parts, c->dtype, c->shape, c->out);
}

static bool reciprocal(const mlx_writing *c)
{
    mlx_value in[2] = { { 0 }, c->in[0] };
    return mica__mlx_number(c->w, c->dtype, 1, &in[0]) &&
           mica__mlx_spread(c, "Divide", NULL, 2, in, c->dtype, c->shape, c->out);
}

static bool elementwise(const mlx_writing *c)
{
    switch (c->n->prim) {
    case mica_prim_abs: return absolute(c);
    case mica_prim_log2: return numbered(c, "Log", 0, false);
    case mica_prim_log10: return numbered(c, "Log", 1, false);
    case mica_prim_log: return numbered(c, "Log", 2, false);
    case mica_prim_sqrt: return numbered(c, "Sqrt", false, true);
    case mica_prim_rsqrt: return numbered(c, "Sqrt", true, true);
    case mica_prim_equal: return numbered(c, "Equal", false, true);
    case mica_prim_bitwise_and: return numbered(c, "BitwiseBinary", 0, false);
    case mica_prim_bitwise_or: return numbered(c, "BitwiseBinary", 1, false);
    case mica_prim_bitwise_xor: return numbered(c, "BitwiseBinary", 2, false);
    case mica_prim_left_shift: return numbered(c, "BitwiseBinary", 3, false);
    case mica_prim_right_shift: return numbered(c, "BitwiseBinary", 4, false);
    case mica_prim_reciprocal: return reciprocal(c);
    case mica_prim_trunc: return truncated(c);
    case mica_prim_isnan:
    case mica_prim_isinf:
    case mica_prim_isfinite:
    case mica_prim_isposinf:
    case mica_prim_isneginf: return predicate(c);
    case mica_prim_astype: return mica__mlx_cast(c, c->in[0], c->dtype, c->out);
    case mica_prim_where:
        return mica__mlx_spread(c, "Select", NULL, 3, c->in, c->dtype, c->shape, c->out);
    default: break;
    }
    const mica__mlx_primitive *p = mica__mlx_plain((mica_prim)c->n->prim);
    if (!p) return mica__mlx_cannot(c, "MLX does not record it");
    if (c->in[0].dtype != MICA_COMPLEX64 &&
        (c->n->prim == mica_prim_real || c->n->prim == mica_prim_imag ||
         c->n->prim == mica_prim_conjugate))
        return mica__mlx_cannot(c, "of real numbers");
    return mica__mlx_spread(c, p->name, NULL, c->n->ninputs, c->in, c->dtype, c->shape, c->out);
}

/* ---- with lists and numbers ---- */

static bool listed(const mlx_writing *c, const char *name, mica_dims list)
{
    mica__text p = { 0 };
    mica__mlx_list(&p, list, 4);
    return mica__mlx_whole(c, name, &p);
}
bool mica__mlx_with_int(const mlx_writing *c, const char *name, int64_t value)
{
    mica__text p = { 0 };
    mica__mlx_int(&p, value);
    return mica__mlx_whole(c, name, &p);
}
bool mica__mlx_with_ints(const mlx_writing *c, const char *name, int64_t first, int64_t second)
{
    mica__text p = { 0 };
    mica__mlx_int(&p, first);
    mica__mlx_int(&p, second);
    return mica__mlx_whole(c, name, &p);
}
bool mica__mlx_with_truths(const mlx_writing *c, const char *name, int n, bool first, bool second)
{
    mica__text p = { 0 };
    if (n > 0) mica__mlx_truth(&p, first);
    if (n > 1) mica__mlx_truth(&p, second);
    return mica__mlx_whole(c, name, &p);
}

/* Ends of a slice as MLX counts them: before the first element is -size - 1. */
static void put_slice(mica__text *p, mica_dims start, mica_dims step, mica_dims sizes,
                      mica_dims whole_shape)
{
    int64_t stop[MICA_MAX_NDIM];
    for (int64_t k = 0; k < start.n; k++) {
        int64_t last = start.at[k] + (sizes.at[k] - 1) * step.at[k];
        stop[k] = !sizes.at[k] ? start.at[k] : last + (step.at[k] > 0 ? 1 : -1);
        if (stop[k] < 0) stop[k] = -whole_shape.at[k] - 1;
    }
    mica__mlx_list(p, start, 4);
    mica__mlx_list(p, (mica_dims){ start.n, stop }, 4);
    mica__mlx_list(p, step, 4);
}

static int scatter_mode(int64_t mode)
{
    switch (mode) {
    case MICA_SCATTER_MAX: return 0;
    case MICA_SCATTER_MIN: return 1;
    case MICA_SCATTER_SUM: return 2;
    case MICA_SCATTER_PROD: return 3;
    default: return 4;
    }
}

static bool views(const mlx_writing *c)
{
    const mica_node *n = c->n;
    mica__text p = { 0 };
    switch (n->prim) {
    case mica_prim_stop_gradient: return mica__mlx_whole(c, "StopGradient", NULL);
    case mica_prim_contiguous: c->out[0] = c->in[0]; return true;
    case mica_prim_broadcast_to: return mica__mlx_repeat(c, c->in[0], c->shape, c->out);
    case mica_prim_reshape: return mica__mlx_reshape(c, c->in[0], c->shape, c->out);
    case mica_prim_transpose: return listed(c, "Transpose", MICA_PARAMS(n, transpose)->axes);
    case mica_prim_expand_dims: return listed(c, "ExpandDims", MICA_PARAMS(n, expand_dims)->axes);
    case mica_prim_squeeze: return listed(c, "Squeeze", MICA_PARAMS(n, squeeze)->axes);
    case mica_prim_slice:
        put_slice(&p, MICA_PARAMS(n, slice)->start, MICA_PARAMS(n, slice)->step, c->shape,
                  c->in[0].shape);
        return mica__mlx_whole(c, "Slice", &p);
    case mica_prim_view: mica__mlx_dtype(&p, c->dtype); return mica__mlx_whole(c, "View", &p);
    default: break;
    }
    const struct mica__as_strided_params *q = MICA_PARAMS(n, as_strided);
    int64_t size = n->inputs[0]->size, offset = q->offset;
    mlx_value flat;
    if (!mica__mlx_reshape(c, c->in[0], (mica_dims){ 1, &size }, &flat)) return false;
    mica__mlx_list(&p, q->shape, 4);
    mica__mlx_list(&p, q->strides, 8);
    mica__text_add(&p, &offset, sizeof offset);
    /* The flat shape is only lent. */
    return mica__mlx_one(c, "AsStrided", &p, 1, &flat, c->dtype, c->shape, c->out);
}

static bool indexing(const mlx_writing *c)
{
    const mica_node *n = c->n;
    mica__text p = { 0 };
    switch (n->prim) {
    case mica_prim_gather:
        mica__mlx_list(&p, MICA_PARAMS(n, gather)->axes, 4);
        mica__mlx_list(&p, MICA_PARAMS(n, gather)->slice_sizes, 4);
        return mica__mlx_whole(c, "Gather", &p);
    case mica_prim_scatter:
        mica__mlx_int(&p, scatter_mode(MICA_PARAMS(n, scatter)->mode));
        mica__mlx_list(&p, MICA_PARAMS(n, scatter)->axes, 4);
        return mica__mlx_whole(c, "Scatter", &p);
    case mica_prim_gather_axis:
        return mica__mlx_with_int(c, "GatherAxis", MICA_PARAMS(n, gather_axis)->axis);
    case mica_prim_scatter_axis: {
        int64_t mode = MICA_PARAMS(n, scatter_axis)->mode;
        if (mode != MICA_SCATTER_SET && mode != MICA_SCATTER_SUM)
            return mica__mlx_cannot(c, "MLX only adds or sets along an axis");
        return mica__mlx_with_ints(c, "ScatterAxis", mode == MICA_SCATTER_SET,
                                   MICA_PARAMS(n, scatter_axis)->axis);
    }
    case mica_prim_slice_update:
        mica__mlx_int(&p, scatter_mode(MICA_PARAMS(n, slice_update)->mode));
        put_slice(&p, MICA_PARAMS(n, slice_update)->start, MICA_PARAMS(n, slice_update)->step,
                  c->in[1].shape, c->shape);
        return mica__mlx_whole(c, "SliceUpdate", &p);
    case mica_prim_dynamic_slice:
        mica__mlx_list(&p, MICA_PARAMS(n, dynamic_slice)->axes, 4);
        mica__mlx_list(&p, MICA_PARAMS(n, dynamic_slice)->shape, 4);
        return mica__mlx_whole(c, "DynamicSlice", &p);
    case mica_prim_dynamic_slice_update:
        return listed(c, "DynamicSliceUpdate", MICA_PARAMS(n, dynamic_slice_update)->axes);
    default: return mica__mlx_with_int(c, "Concatenate", MICA_PARAMS(n, concatenate)->axis);
    }
}

static bool sources(const mlx_writing *c)
{
    mica__text p = { 0 };
    if (c->n->prim == mica_prim_random_bits) {
        mica__mlx_list(&p, c->shape, 4);
        mica__mlx_int(&p, MICA_PARAMS(c->n, random_bits)->width);
        return mica__mlx_whole(c, "RandomBits", &p);
    }
    const struct mica__arange_params *q = MICA_PARAMS(c->n, arange);
    bool integer = mica__is_integer(c->dtype);
    double start = integer ? (double)q->integer_start : q->start,
           step = integer ? (double)q->integer_step : q->step;
    double stop = start + step * (double)q->count;
    mica__text_add(&p, &start, sizeof start);
    mica__text_add(&p, &stop, sizeof stop);
    mica__text_add(&p, &step, sizeof step);
    return mica__mlx_whole(c, "Arange", &p);
}

bool mica__mlx_write_node(mica__mlx_writer *w, const mica_node *n, const mlx_value in[],
                          mlx_value out[])
{
    mlx_writing c = { w, n, in, out, (mica_dtype)n->out[0].dtype, mica__dims_of(&n->out[0]) };
    mica__class class = mica__prims[n->prim].class;
    if (class == MICA_CLASS_UNARY || class == MICA_CLASS_BINARY || class == MICA_CLASS_TERNARY ||
        class == MICA_CLASS_CAST)
        return elementwise(&c);
    if (class == MICA_CLASS_VIEW || n->prim == mica_prim_contiguous) return views(&c);
    switch (n->prim) {
    case mica_prim_arange:
    case mica_prim_random_bits: return sources(&c);
    case mica_prim_sum:
    case mica_prim_prod:
    case mica_prim_max:
    case mica_prim_min:
    case mica_prim_all:
    case mica_prim_any:
    case mica_prim_argmax:
    case mica_prim_argmin:
    case mica_prim_softmax:
    case mica_prim_logsumexp:
    case mica_prim_cumsum:
    case mica_prim_cumprod:
    case mica_prim_cummax:
    case mica_prim_cummin:
    case mica_prim_sort:
    case mica_prim_argsort:
    case mica_prim_partition:
    case mica_prim_argpartition:
    case mica_prim_searchsorted: return mica__mlx_reductions(&c);
    case mica_prim_gather:
    case mica_prim_scatter:
    case mica_prim_gather_axis:
    case mica_prim_scatter_axis:
    case mica_prim_slice_update:
    case mica_prim_dynamic_slice:
    case mica_prim_dynamic_slice_update:
    case mica_prim_concatenate: return indexing(&c);
    case mica_prim_masked_scatter: return mica__mlx_masked_scatter(&c);
    case mica_prim_matmul: return mica__mlx_whole(&c, "Matmul", NULL);
    case mica_prim_masked_mm:
        return mica__mlx_with_int(&c, "BlockMaskedMM", MICA_PARAMS(n, masked_mm)->block);
    case mica_prim_gather_mm:
        return in[0].shape.n == 3 ? mica__mlx_with_truths(&c, "GatherMM", 2, false, false)
                                  : mica__mlx_cannot(&c, "of batches of matrices");
    case mica_prim_conv: return mica__mlx_convolution(&c);
    case mica_prim_quantize: return mica__mlx_quantization(&c);
    case mica_prim_quantized_matmul: return mica__mlx_quantized(&c);
    case mica_prim_fft:
    case mica_prim_rfft:
    case mica_prim_irfft:
    case mica_prim_hadamard:
    case mica_prim_cholesky:
    case mica_prim_inv:
    case mica_prim_tri_inv:
    case mica_prim_qr:
    case mica_prim_svd:
    case mica_prim_eigh:
    case mica_prim_eig: return mica__mlx_transforms(&c);
    default: return mica__mlx_cannot(&c, "its parameters there are not known");
    }
}
