/* What primitives become in files for MLX: reductions, order, masks, products, transforms, linear
   algebra. */
#include "io/mlx_write_rule.h"
#include "ops/quantize.h"

/* ---- reductions, scans, order ---- */

static bool reduction(const mlx_writing *c, int operation)
{
    mica__text p = { 0 };
    mlx_value in;
    if (!mica__mlx_cast(c, c->in[0], c->dtype, &in)) return false;
    mica__mlx_int(&p, operation);
    mica__mlx_list(&p, MICA_PARAMS(c->n, sum)->axes, 4);
    return mica__mlx_one(c, "Reduce", &p, 1, &in, c->dtype, c->shape, c->out);
}

static bool scan(const mlx_writing *c, int operation)
{
    const struct mica__cumsum_params *q = MICA_PARAMS(c->n, cumsum);
    mica__text p = { 0 };
    mica__mlx_int(&p, operation);
    mica__mlx_int(&p, q->axis);
    mica__mlx_truth(&p, q->reverse);
    mica__mlx_truth(&p, q->inclusive);
    return mica__mlx_whole(c, "Scan", &p);
}

bool mica__mlx_reductions(const mlx_writing *c)
{
    const mica_node *n = c->n;
    switch (n->prim) {
    case mica_prim_all: return reduction(c, 0);
    case mica_prim_any: return reduction(c, 1);
    case mica_prim_sum: return reduction(c, 2);
    case mica_prim_prod: return reduction(c, 3);
    case mica_prim_min: return reduction(c, 4);
    case mica_prim_max: return reduction(c, 5);
    case mica_prim_argmin:
        return mica__mlx_with_ints(c, "ArgReduce", 0, MICA_PARAMS(n, argmin)->axis);
    case mica_prim_argmax:
        return mica__mlx_with_ints(c, "ArgReduce", 1, MICA_PARAMS(n, argmax)->axis);
    case mica_prim_softmax:
        return mica__mlx_with_truths(c, "Softmax", 1, MICA_PARAMS(n, softmax)->precise, false);
    case mica_prim_logsumexp: return mica__mlx_whole(c, "LogSumExp", NULL);
    case mica_prim_cummax: return scan(c, 0);
    case mica_prim_cummin: return scan(c, 1);
    case mica_prim_cumsum: return scan(c, 2);
    case mica_prim_cumprod: return scan(c, 3);
    case mica_prim_sort: return mica__mlx_with_int(c, "Sort", MICA_PARAMS(n, sort)->axis);
    case mica_prim_argsort: return mica__mlx_with_int(c, "ArgSort", MICA_PARAMS(n, argsort)->axis);
    case mica_prim_partition:
        return mica__mlx_with_ints(c, "Partition", MICA_PARAMS(n, partition)->kth,
                                   MICA_PARAMS(n, partition)->axis);
    case mica_prim_argpartition:
        return mica__mlx_with_ints(c, "ArgPartition", MICA_PARAMS(n, argpartition)->kth,
                                   MICA_PARAMS(n, argpartition)->axis);
    default:
        return mica__mlx_with_truths(c, "SearchSorted", 1, MICA_PARAMS(n, searchsorted)->right,
                                     false);
    }
}

/* ---- masks ---- */

/* MLX batches along the first axis, and has a truth value for each element. */
bool mica__mlx_masked_scatter(const mlx_writing *c)
{
    int64_t wide[MICA_MAX_NDIM], size = c->n->inputs[0]->size, taken = c->n->inputs[2]->size;
    const int64_t whole[2] = { 1, size }, source[2] = { 1, taken };
    const mica_dims flat = { 2, whole };
    mlx_value in[3], mask = c->in[1], out;
    for (int64_t i = 0; i < c->shape.n; i++) wide[i] = i < mask.shape.n ? mask.shape.at[i] : 1;
    bool ok = mica__mlx_reshape(c, mask, (mica_dims){ c->shape.n, wide }, &mask) &&
              mica__mlx_repeat(c, mask, c->shape, &mask) &&
              mica__mlx_reshape(c, c->in[0], flat, &in[0]) &&
              mica__mlx_reshape(c, mask, flat, &in[1]) &&
              mica__mlx_reshape(c, c->in[2], (mica_dims){ 2, source }, &in[2]) &&
              mica__mlx_one(c, "MaskedScatter", NULL, 3, in, c->dtype, flat, &out) &&
              mica__mlx_reshape(c, out, c->shape, c->out);
    c->out[0].shape = c->shape; /* those above are only lent */
    return ok;
}

/* ---- products, transforms, linear algebra ---- */

/* The part of a value from `start` on, of a shape: itself where that is all of it. */
static bool part_of(const mlx_writing *c, mlx_value in, mica_dims start, mica_dims shape,
                    mlx_value *out)
{
    int64_t stop[MICA_MAX_NDIM], step[MICA_MAX_NDIM];
    mica__text p = { 0 };
    *out = in;
    if (mica__shape_equal(in.shape, shape)) return true;
    for (int64_t k = 0; k < shape.n; k++) {
        stop[k] = start.at[k] + shape.at[k];
        step[k] = 1;
    }
    mica__mlx_list(&p, start, 4);
    mica__mlx_list(&p, (mica_dims){ shape.n, stop }, 4);
    mica__mlx_list(&p, (mica_dims){ shape.n, step }, 4);
    return mica__mlx_one(c, "Slice", &p, 1, &in, in.dtype, shape, out);
}

/* How windows meet an axis: zeros before and behind, and the part of the input that they reach.
   MLX's kernels take no negative number of zeros. False where nothing is reached. */
typedef struct meeting {
    int64_t low, high, start, size;
} meeting;
static bool meet(const mlx_writing *c, int64_t k, meeting *m)
{
    const struct mica__conv_params *q = MICA_PARAMS(c->n, conv);
    int64_t size = c->in[0].shape.at[k + 1], window = c->in[1].shape.at[k + 1],
            apart = q->input_dilation.at[k];
    int64_t reach =
        (c->shape.at[k + 1] - 1) * q->stride.at[k] + (window - 1) * q->kernel_dilation.at[k] + 1;
    m->start = q->low.at[k] < 0 ? (apart - 1 - q->low.at[k]) / apart : 0;
    m->low = q->low.at[k] + m->start * apart;
    m->size = reach > m->low ? (reach - m->low - 1) / apart + 1 : 0;
    if (m->size > size - m->start) m->size = size - m->start;
    m->high = reach - m->low - ((m->size - 1) * apart + 1);
    return m->size > 0;
}

bool mica__mlx_convolution(const mlx_writing *c)
{
    const struct mica__conv_params *q = MICA_PARAMS(c->n, conv);
    int64_t low[3], high[3], start[5] = { 0 }, size[5];
    mica__text p = { 0 };
    mlx_value in[2] = { c->in[0], c->in[1] };
    mica_dims part = { in[0].shape.n, size };
    for (int64_t k = 0; k < part.n; k++) size[k] = in[0].shape.at[k];
    for (int64_t k = 0; k < q->stride.n; k++) {
        meeting m;
        if (!meet(c, k, &m)) return mica__mlx_cannot(c, "whose windows meet nothing but zeros");
        low[k] = m.low;
        high[k] = m.high;
        start[k + 1] = m.start;
        size[k + 1] = m.size;
    }
    if (!part_of(c, in[0], (mica_dims){ part.n, start }, part, &in[0])) return false;
    mica__mlx_list(&p, q->stride, 4);
    mica__mlx_list(&p, (mica_dims){ q->stride.n, low }, 4);
    mica__mlx_list(&p, (mica_dims){ q->stride.n, high }, 4);
    mica__mlx_list(&p, q->kernel_dilation, 4);
    mica__mlx_list(&p, q->input_dilation, 4);
    mica__mlx_int(&p, q->groups);
    mica__mlx_truth(&p, q->flip);
    return mica__mlx_one(c, "Convolution", &p, 2, in, c->dtype, c->shape, c->out);
}

static void put_format(mica__text *p, int64_t group, int64_t bits, int64_t mode)
{
    mica__mlx_int(p, group);
    mica__mlx_int(p, bits);
    mica__mlx_int(p, mode);
}

bool mica__mlx_quantized(const mlx_writing *c)
{
    const struct mica__quantized_matmul_params *q = MICA_PARAMS(c->n, quantized_matmul);
    mica__text p = { 0 };
    mlx_value in[6];
    if (c->in[0].shape.n != 3) return mica__mlx_cannot(c, "of batches of matrices");
    put_format(&p, q->group, q->bits, q->mode);
    mica__mlx_truth(&p, q->transposed);
    if (q->gathered) {
        mica__mlx_truth(&p, false);
        mica__mlx_truth(&p, false);
        return mica__mlx_whole(c, "GatherQMM", &p);
    }
    in[0] = c->in[0];
    for (uint32_t i = 1; i < c->n->ninputs; i++) /* one matrix */
        if (!mica__mlx_reshape(c, c->in[i], (mica_dims){ 2, c->in[i].shape.at + 1 }, &in[i])) {
            mica__text_free(&p);
            return false;
        }
    return mica__mlx_one(c, "QuantizedMatmul", &p, c->n->ninputs, in, c->dtype, c->shape, c->out);
}

bool mica__mlx_quantization(const mlx_writing *c)
{
    const struct mica__quantize_params *q = MICA_PARAMS(c->n, quantize);
    mica__text p = { 0 };
    if (q->scaled) return mica__mlx_cannot(c, "with a global scale");
    /* MLX 0.32.4 ends in a fault when it imports what it is told of other modes. */
    if (q->mode != MICA_QUANT_AFFINE) return mica__mlx_cannot(c, "in modes other than affine");
    put_format(&p, q->group, q->bits, q->mode);
    mica__mlx_truth(&p, false);
    return mica__mlx_whole(c, "Quantize", &p);
}

/* MLX scales inverse transforms by 1 / n, others by 1. */
static bool fourier(const mlx_writing *c, int64_t axis, int64_t n, bool inverse, bool real,
                    double scale)
{
    mica__text p = { 0 };
    mlx_value out;
    mica__mlx_list(&p, (mica_dims){ 1, &axis }, 8);
    mica__mlx_truth(&p, inverse);
    mica__mlx_truth(&p, real);
    mica__mlx_truth(&p, inverse && real && n % 2);
    if (!mica__mlx_one(c, "FFT", &p, 1, c->in, c->dtype, c->shape, &out)) return false;
    double factor = inverse ? scale * (double)n : scale;
    c->out[0] = out;
    return factor == 1 || mica__mlx_with_number(c, "Multiply", NULL, out, factor, c->dtype, c->out);
}

/* Factorizations that MLX evaluates for real numbers alone. */
static bool only_of_reals(mica_prim prim)
{
    return prim == mica_prim_cholesky || prim == mica_prim_inv || prim == mica_prim_tri_inv ||
           prim == mica_prim_qr;
}

bool mica__mlx_transforms(const mlx_writing *c)
{
    const mica_node *n = c->n;
    mica__text p = { 0 };
    if (c->dtype == MICA_COMPLEX64 && only_of_reals(n->prim))
        return mica__mlx_cannot(c, "MLX does not compute it for complex64");
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
        if (q->transposed) return mica__mlx_cannot(c, "transposed");
        mica__text_add(&p, &scale, sizeof scale);
        return mica__mlx_whole(c, "Hadamard", &p);
    }
    case mica_prim_cholesky:
        return mica__mlx_with_truths(c, "Cholesky", 1, MICA_PARAMS(n, cholesky)->upper, false);
    case mica_prim_inv: return mica__mlx_with_truths(c, "Inverse", 2, false, true);
    case mica_prim_tri_inv:
        return mica__mlx_with_truths(c, "Inverse", 2, true, MICA_PARAMS(n, tri_inv)->upper);
    case mica_prim_qr: return mica__mlx_whole(c, "QRF", NULL);
    case mica_prim_svd:
        if (MICA_PARAMS(n, svd)->mode == 2) return mica__mlx_cannot(c, "without all columns");
        return mica__mlx_with_truths(c, "SVD", 1, MICA_PARAMS(n, svd)->mode, false);
    case mica_prim_eigh:
        mica__mlx_text(&p, MICA_PARAMS(n, eigh)->upper ? "U" : "L");
        mica__mlx_truth(&p, MICA_PARAMS(n, eigh)->vectors);
        return mica__mlx_whole(c, "Eigh", &p);
    default: return mica__mlx_with_truths(c, "Eig", 1, MICA_PARAMS(n, eig)->vectors, false);
    }
}
