/* What primitives become in files for MLX: its operations with their recorded parameters. What
   takes operands of different shapes here gets them repeated there. */
#include <math.h>

#include "io/mlx_write.h"
#include "ops/quantize.h"

typedef struct call {
    mica__mlx_writer *w;
    const mica_node *n;
    const mlx_value *in;
    mlx_value *out;
    mica_dtype dtype; /* of output 0 */
    mica_dims shape;
} call;

static bool refuse(const call *c, const char *why)
{
    mica__error(mica__mlx_scope(c->w), MICA_EVALUE,
                "[export_function] the primitive %s cannot be in a file of MLX%s%s",
                mica__prims[c->n->prim].name, *why ? ": " : "", why);
    return false;
}

/* An operation with one output of a given type. */
static bool one(const call *c, const char *name, mica__text *p, size_t nin, const mlx_value in[],
                mica_dtype dtype, mica_dims shape, mlx_value *out)
{
    return mica__mlx_emit(c->w, name, p, nin, in, 1, &dtype, &shape, out);
}
/* The node's own inputs and outputs. */
static bool whole(const call *c, const char *name, mica__text *p)
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

static bool cast(const call *c, mlx_value in, mica_dtype dtype, mlx_value *out)
{
    mica__text p = { 0 };
    *out = in;
    if (in.dtype == dtype) return true;
    mica__mlx_dtype(&p, dtype);
    return one(c, "AsType", &p, 1, &in, dtype, in.shape, out);
}
static bool repeat(const call *c, mlx_value in, mica_dims shape, mlx_value *out)
{
    mica__text p = { 0 };
    *out = in;
    if (mica__shape_equal(in.shape, shape)) return true;
    mica__mlx_list(&p, shape, 4);
    return one(c, "Broadcast", &p, 1, &in, in.dtype, shape, out);
}
static bool reshape(const call *c, mlx_value in, mica_dims shape, mlx_value *out)
{
    mica__text p = { 0 };
    *out = in;
    if (mica__shape_equal(in.shape, shape)) return true;
    mica__mlx_list(&p, shape, 4);
    return one(c, "Reshape", &p, 1, &in, in.dtype, shape, out);
}

/* An element-wise operation on values, each repeated to the shape. */
static bool spread(const call *c, const char *name, mica__text *p, size_t n, const mlx_value in[],
                   mica_dtype dtype, mica_dims shape, mlx_value *out)
{
    mlx_value full[3];
    for (size_t i = 0; i < n; i++)
        if (!repeat(c, in[i], shape, &full[i])) {
            if (p) mica__text_free(p);
            return false;
        }
    return one(c, name, p, n, full, dtype, shape, out);
}
/* The same, with a number as the second operand. */
static bool with_number(const call *c, const char *name, mica__text *p, mlx_value a, double number,
                        mica_dtype dtype, mlx_value *out)
{
    mlx_value in[2] = { a, { 0 } };
    if (!mica__mlx_number(c->w, a.dtype, number, &in[1])) {
        if (p) mica__text_free(p);
        return false;
    }
    return spread(c, name, p, 2, in, dtype, a.shape, out);
}

/* ---- element-wise ---- */

static bool equal_to(const call *c, mlx_value a, double number, mlx_value *out)
{
    mica__text p = { 0 };
    mica__mlx_truth(&p, false);
    return with_number(c, "Equal", &p, a, number, MICA_BOOL, out);
}

static bool predicate(const call *c)
{
    mlx_value x = c->in[0], parts[3], either[2];
    if (c->n->prim == mica_prim_isposinf) return equal_to(c, x, INFINITY, c->out);
    if (c->n->prim == mica_prim_isneginf) return equal_to(c, x, -INFINITY, c->out);
    mlx_value twice[2] = { x, x };
    if (c->n->prim == mica_prim_isnan)
        return one(c, "NotEqual", NULL, 2, twice, MICA_BOOL, c->shape, c->out);
    if (!equal_to(c, x, INFINITY, &parts[0]) || !equal_to(c, x, -INFINITY, &parts[1])) return false;
    if (c->n->prim == mica_prim_isinf)
        return one(c, "LogicalOr", NULL, 2, parts, MICA_BOOL, c->shape, c->out);
    if (!one(c, "LogicalOr", NULL, 2, parts, MICA_BOOL, c->shape, &either[0]) ||
        !one(c, "NotEqual", NULL, 2, twice, MICA_BOOL, c->shape, &either[1]) ||
        !one(c, "LogicalOr", NULL, 2, either, MICA_BOOL, c->shape, &parts[2]))
        return false;
    return one(c, "LogicalNot", NULL, 1, &parts[2], MICA_BOOL, c->shape, c->out);
}

static bool numbered(const call *c, const char *name, int64_t number, bool truth)
{
    mica__text p = { 0 };
    if (truth) mica__mlx_truth(&p, number);
    else mica__mlx_int(&p, number);
    return spread(c, name, &p, c->n->ninputs, c->in, c->dtype, c->shape, c->out);
}

static bool absolute(const call *c)
{
    mlx_value magnitude;
    if (c->in[0].dtype != MICA_COMPLEX64) return whole(c, "Abs", NULL);
    return one(c, "Abs", NULL, 1, c->in, MICA_COMPLEX64, c->shape, &magnitude) &&
           one(c, "Real", NULL, 1, &magnitude, MICA_FLOAT32, c->shape, c->out);
}

static bool truncated(const call *c)
{
    mlx_value parts[3];
    return with_number(c, "Less", NULL, c->in[0], 0, MICA_BOOL, &parts[0]) &&
           one(c, "Ceil", NULL, 1, c->in, c->dtype, c->shape, &parts[1]) &&
           one(c, "Floor", NULL, 1, c->in, c->dtype, c->shape, &parts[2]) &&
           one(c, "Select", NULL, 3, parts, c->dtype, c->shape, c->out);
}

static bool reciprocal(const call *c)
{
    mlx_value in[2] = { { 0 }, c->in[0] };
    return mica__mlx_number(c->w, c->dtype, 1, &in[0]) &&
           spread(c, "Divide", NULL, 2, in, c->dtype, c->shape, c->out);
}

static bool elementwise(const call *c)
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
    case mica_prim_astype: return cast(c, c->in[0], c->dtype, c->out);
    case mica_prim_where: return spread(c, "Select", NULL, 3, c->in, c->dtype, c->shape, c->out);
    default: break;
    }
    const mica__mlx_primitive *p = mica__mlx_plain((mica_prim)c->n->prim);
    if (!p) return refuse(c, "MLX does not record it");
    if (c->in[0].dtype != MICA_COMPLEX64 &&
        (c->n->prim == mica_prim_real || c->n->prim == mica_prim_imag ||
         c->n->prim == mica_prim_conjugate))
        return refuse(c, "of real numbers");
    return spread(c, p->name, NULL, c->n->ninputs, c->in, c->dtype, c->shape, c->out);
}

/* ---- with lists and numbers ---- */

static bool listed(const call *c, const char *name, mica_dims list)
{
    mica__text p = { 0 };
    mica__mlx_list(&p, list, 4);
    return whole(c, name, &p);
}
static bool with_int(const call *c, const char *name, int64_t value)
{
    mica__text p = { 0 };
    mica__mlx_int(&p, value);
    return whole(c, name, &p);
}
static bool with_ints(const call *c, const char *name, int64_t first, int64_t second)
{
    mica__text p = { 0 };
    mica__mlx_int(&p, first);
    mica__mlx_int(&p, second);
    return whole(c, name, &p);
}
static bool with_truths(const call *c, const char *name, int n, bool first, bool second)
{
    mica__text p = { 0 };
    if (n > 0) mica__mlx_truth(&p, first);
    if (n > 1) mica__mlx_truth(&p, second);
    return whole(c, name, &p);
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

static bool views(const call *c)
{
    const mica_node *n = c->n;
    mica__text p = { 0 };
    switch (n->prim) {
    case mica_prim_stop_gradient: return whole(c, "StopGradient", NULL);
    case mica_prim_contiguous: c->out[0] = c->in[0]; return true;
    case mica_prim_broadcast_to: return repeat(c, c->in[0], c->shape, c->out);
    case mica_prim_reshape: return reshape(c, c->in[0], c->shape, c->out);
    case mica_prim_transpose: return listed(c, "Transpose", MICA_PARAMS(n, transpose)->axes);
    case mica_prim_expand_dims: return listed(c, "ExpandDims", MICA_PARAMS(n, expand_dims)->axes);
    case mica_prim_squeeze: return listed(c, "Squeeze", MICA_PARAMS(n, squeeze)->axes);
    case mica_prim_slice:
        put_slice(&p, MICA_PARAMS(n, slice)->start, MICA_PARAMS(n, slice)->step, c->shape,
                  c->in[0].shape);
        return whole(c, "Slice", &p);
    case mica_prim_view: mica__mlx_dtype(&p, c->dtype); return whole(c, "View", &p);
    default: break;
    }
    const struct mica__as_strided_params *q = MICA_PARAMS(n, as_strided);
    int64_t size = n->inputs[0]->size, offset = q->offset;
    mlx_value flat;
    if (!reshape(c, c->in[0], (mica_dims){ 1, &size }, &flat)) return false;
    mica__mlx_list(&p, q->shape, 4);
    mica__mlx_list(&p, q->strides, 8);
    mica__text_add(&p, &offset, sizeof offset);
    /* The flat shape is only lent. */
    return one(c, "AsStrided", &p, 1, &flat, c->dtype, c->shape, c->out);
}

static bool reduction(const call *c, int operation)
{
    mica__text p = { 0 };
    mlx_value in;
    if (!cast(c, c->in[0], c->dtype, &in)) return false;
    mica__mlx_int(&p, operation);
    mica__mlx_list(&p, MICA_PARAMS(c->n, sum)->axes, 4);
    return one(c, "Reduce", &p, 1, &in, c->dtype, c->shape, c->out);
}

static bool scan(const call *c, int operation)
{
    const struct mica__cumsum_params *q = MICA_PARAMS(c->n, cumsum);
    mica__text p = { 0 };
    mica__mlx_int(&p, operation);
    mica__mlx_int(&p, q->axis);
    mica__mlx_truth(&p, q->reverse);
    mica__mlx_truth(&p, q->inclusive);
    return whole(c, "Scan", &p);
}

static bool reductions(const call *c)
{
    const mica_node *n = c->n;
    switch (n->prim) {
    case mica_prim_all: return reduction(c, 0);
    case mica_prim_any: return reduction(c, 1);
    case mica_prim_sum: return reduction(c, 2);
    case mica_prim_prod: return reduction(c, 3);
    case mica_prim_min: return reduction(c, 4);
    case mica_prim_max: return reduction(c, 5);
    case mica_prim_argmin: return with_ints(c, "ArgReduce", 0, MICA_PARAMS(n, argmin)->axis);
    case mica_prim_argmax: return with_ints(c, "ArgReduce", 1, MICA_PARAMS(n, argmax)->axis);
    case mica_prim_softmax:
        return with_truths(c, "Softmax", 1, MICA_PARAMS(n, softmax)->precise, false);
    case mica_prim_logsumexp: return whole(c, "LogSumExp", NULL);
    case mica_prim_cummax: return scan(c, 0);
    case mica_prim_cummin: return scan(c, 1);
    case mica_prim_cumsum: return scan(c, 2);
    case mica_prim_cumprod: return scan(c, 3);
    case mica_prim_sort: return with_int(c, "Sort", MICA_PARAMS(n, sort)->axis);
    case mica_prim_argsort: return with_int(c, "ArgSort", MICA_PARAMS(n, argsort)->axis);
    case mica_prim_partition:
        return with_ints(c, "Partition", MICA_PARAMS(n, partition)->kth,
                         MICA_PARAMS(n, partition)->axis);
    case mica_prim_argpartition:
        return with_ints(c, "ArgPartition", MICA_PARAMS(n, argpartition)->kth,
                         MICA_PARAMS(n, argpartition)->axis);
    default: return with_truths(c, "SearchSorted", 1, MICA_PARAMS(n, searchsorted)->right, false);
    }
}

static bool indexing(const call *c)
{
    const mica_node *n = c->n;
    mica__text p = { 0 };
    switch (n->prim) {
    case mica_prim_gather:
        mica__mlx_list(&p, MICA_PARAMS(n, gather)->axes, 4);
        mica__mlx_list(&p, MICA_PARAMS(n, gather)->slice_sizes, 4);
        return whole(c, "Gather", &p);
    case mica_prim_scatter:
        mica__mlx_int(&p, scatter_mode(MICA_PARAMS(n, scatter)->mode));
        mica__mlx_list(&p, MICA_PARAMS(n, scatter)->axes, 4);
        return whole(c, "Scatter", &p);
    case mica_prim_gather_axis: return with_int(c, "GatherAxis", MICA_PARAMS(n, gather_axis)->axis);
    case mica_prim_scatter_axis: {
        int64_t mode = MICA_PARAMS(n, scatter_axis)->mode;
        if (mode != MICA_SCATTER_SET && mode != MICA_SCATTER_SUM)
            return refuse(c, "MLX only adds or sets along an axis");
        return with_ints(c, "ScatterAxis", mode == MICA_SCATTER_SET,
                         MICA_PARAMS(n, scatter_axis)->axis);
    }
    case mica_prim_slice_update:
        mica__mlx_int(&p, scatter_mode(MICA_PARAMS(n, slice_update)->mode));
        put_slice(&p, MICA_PARAMS(n, slice_update)->start, MICA_PARAMS(n, slice_update)->step,
                  c->in[1].shape, c->shape);
        return whole(c, "SliceUpdate", &p);
    case mica_prim_dynamic_slice:
        mica__mlx_list(&p, MICA_PARAMS(n, dynamic_slice)->axes, 4);
        mica__mlx_list(&p, MICA_PARAMS(n, dynamic_slice)->shape, 4);
        return whole(c, "DynamicSlice", &p);
    case mica_prim_dynamic_slice_update:
        return listed(c, "DynamicSliceUpdate", MICA_PARAMS(n, dynamic_slice_update)->axes);
    default: return with_int(c, "Concatenate", MICA_PARAMS(n, concatenate)->axis);
    }
}

/* ---- products, transforms, linear algebra ---- */

static bool convolution(const call *c)
{
    const struct mica__conv_params *q = MICA_PARAMS(c->n, conv);
    int64_t high[3];
    mica__text p = { 0 };
    for (int64_t k = 0; k < q->stride.n; k++) {
        int64_t size = c->in[0].shape.at[k + 1], window = c->in[1].shape.at[k + 1];
        int64_t reach = (c->shape.at[k + 1] - 1) * q->stride.at[k] +
                        (window - 1) * q->kernel_dilation.at[k] + 1;
        high[k] = reach - q->low.at[k] - ((size - 1) * q->input_dilation.at[k] + 1);
    }
    mica__mlx_list(&p, q->stride, 4);
    mica__mlx_list(&p, q->low, 4);
    mica__mlx_list(&p, (mica_dims){ q->stride.n, high }, 4);
    mica__mlx_list(&p, q->kernel_dilation, 4);
    mica__mlx_list(&p, q->input_dilation, 4);
    mica__mlx_int(&p, q->groups);
    mica__mlx_truth(&p, q->flip);
    return whole(c, "Convolution", &p);
}

static void put_format(mica__text *p, int64_t group, int64_t bits, int64_t mode)
{
    mica__mlx_int(p, group);
    mica__mlx_int(p, bits);
    mica__mlx_int(p, mode);
}

static bool quantized(const call *c)
{
    const struct mica__quantized_matmul_params *q = MICA_PARAMS(c->n, quantized_matmul);
    mica__text p = { 0 };
    mlx_value in[6];
    if (c->in[0].shape.n != 3) return refuse(c, "of batches of matrices");
    put_format(&p, q->group, q->bits, q->mode);
    mica__mlx_truth(&p, q->transposed);
    if (q->gathered) {
        mica__mlx_truth(&p, false);
        mica__mlx_truth(&p, false);
        return whole(c, "GatherQMM", &p);
    }
    in[0] = c->in[0];
    for (uint32_t i = 1; i < c->n->ninputs; i++) /* one matrix */
        if (!reshape(c, c->in[i], (mica_dims){ 2, c->in[i].shape.at + 1 }, &in[i])) {
            mica__text_free(&p);
            return false;
        }
    return one(c, "QuantizedMatmul", &p, c->n->ninputs, in, c->dtype, c->shape, c->out);
}

static bool quantization(const call *c)
{
    const struct mica__quantize_params *q = MICA_PARAMS(c->n, quantize);
    mica__text p = { 0 };
    if (q->scaled) return refuse(c, "with a global scale");
    put_format(&p, q->group, q->bits, q->mode);
    mica__mlx_truth(&p, false);
    return whole(c, "Quantize", &p);
}

/* MLX scales inverse transforms by 1 / n, others by 1. */
static bool fourier(const call *c, int64_t axis, int64_t n, bool inverse, bool real, double scale)
{
    mica__text p = { 0 };
    mlx_value out;
    mica__mlx_list(&p, (mica_dims){ 1, &axis }, 8);
    mica__mlx_truth(&p, inverse);
    mica__mlx_truth(&p, real);
    mica__mlx_truth(&p, inverse && real && n % 2);
    if (!one(c, "FFT", &p, 1, c->in, c->dtype, c->shape, &out)) return false;
    double factor = inverse ? scale * (double)n : scale;
    c->out[0] = out;
    return factor == 1 || with_number(c, "Multiply", NULL, out, factor, c->dtype, c->out);
}

static bool transforms(const call *c)
{
    const mica_node *n = c->n;
    mica__text p = { 0 };
    switch (n->prim) {
    case mica_prim_fft: {
        const struct mica__fft_params *q = n->params;
        return fourier(c, q->axis, c->shape.at[q->axis], q->inverse, false, q->scale);
    }
    case mica_prim_rfft: {
        const struct mica__rfft_params *q = n->params;
        return fourier(c, q->axis, c->in[0].shape.at[q->axis], false, true, q->scale);
    }
    case mica_prim_irfft: {
        const struct mica__irfft_params *q = n->params;
        return fourier(c, q->axis, q->n, true, true, q->scale);
    }
    case mica_prim_hadamard: {
        const struct mica__hadamard_params *q = n->params;
        float scale = (float)q->scale;
        if (q->transposed) return refuse(c, "transposed");
        mica__text_add(&p, &scale, sizeof scale);
        return whole(c, "Hadamard", &p);
    }
    case mica_prim_cholesky:
        return with_truths(c, "Cholesky", 1, MICA_PARAMS(n, cholesky)->upper, false);
    case mica_prim_inv: return with_truths(c, "Inverse", 2, false, true);
    case mica_prim_tri_inv:
        return with_truths(c, "Inverse", 2, true, MICA_PARAMS(n, tri_inv)->upper);
    case mica_prim_qr: return whole(c, "QRF", NULL);
    case mica_prim_svd:
        if (MICA_PARAMS(n, svd)->mode == 2) return refuse(c, "without all columns");
        return with_truths(c, "SVD", 1, MICA_PARAMS(n, svd)->mode, false);
    case mica_prim_eigh:
        mica__mlx_text(&p, MICA_PARAMS(n, eigh)->upper ? "U" : "L");
        mica__mlx_truth(&p, MICA_PARAMS(n, eigh)->vectors);
        return whole(c, "Eigh", &p);
    default: return with_truths(c, "Eig", 1, MICA_PARAMS(n, eig)->vectors, false);
    }
}

static bool sources(const call *c)
{
    mica__text p = { 0 };
    if (c->n->prim == mica_prim_random_bits) {
        mica__mlx_list(&p, MICA_PARAMS(c->n, random_bits)->shape, 4);
        mica__mlx_int(&p, MICA_PARAMS(c->n, random_bits)->width);
        return whole(c, "RandomBits", &p);
    }
    const struct mica__arange_params *q = MICA_PARAMS(c->n, arange);
    bool integer = mica__is_integer(c->dtype);
    double start = integer ? (double)q->integer_start : q->start,
           step = integer ? (double)q->integer_step : q->step;
    double stop = start + step * (double)q->count;
    mica__text_add(&p, &start, sizeof start);
    mica__text_add(&p, &stop, sizeof stop);
    mica__text_add(&p, &step, sizeof step);
    return whole(c, "Arange", &p);
}

bool mica__mlx_write_node(mica__mlx_writer *w, const mica_node *n, const mlx_value in[],
                          mlx_value out[])
{
    call c = { w, n, in, out, (mica_dtype)n->out[0].dtype, mica__dims_of(&n->out[0]) };
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
    case mica_prim_searchsorted: return reductions(&c);
    case mica_prim_gather:
    case mica_prim_scatter:
    case mica_prim_gather_axis:
    case mica_prim_scatter_axis:
    case mica_prim_slice_update:
    case mica_prim_dynamic_slice:
    case mica_prim_dynamic_slice_update:
    case mica_prim_concatenate: return indexing(&c);
    case mica_prim_matmul: return whole(&c, "Matmul", NULL);
    case mica_prim_gather_mm:
        return in[0].shape.n == 3 ? with_truths(&c, "GatherMM", 2, false, false)
                                  : refuse(&c, "of batches of matrices");
    case mica_prim_conv: return convolution(&c);
    case mica_prim_quantize: return quantization(&c);
    case mica_prim_quantized_matmul: return quantized(&c);
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
    case mica_prim_eig: return transforms(&c);
    default: return refuse(&c, "its parameters there are not known");
    }
}
