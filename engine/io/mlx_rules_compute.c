/* What primitives of MLX's files become here: indexing, reductions, order, products, transforms. */
#include "io/mlx_rule.h"
#include "mica/mica.h"
#include "ops/builder.h"
#include "ops/linalg.h"

#define MLX(name, parameters, rule, prim) mica__mlx_rule mica__mlx_rule_##rule;
#include "io/mlx.def"
#undef MLX

/* ---- indexing ---- */

bool mica__mlx_rule_gather(mlx_call *c)
{
    if (!c->nin) return mica__mlx_refuse(c, "the number of inputs");
    return mica__mlx_count(c, c->nin, 1) &&
           mica__mlx_give(c, mica_gather(c->s, c->in[0], (mica_arrays){ c->nin - 1, c->in + 1 },
                                         c->lists[0], c->lists[1]));
}
bool mica__mlx_rule_scatter(mlx_call *c)
{
    mica_scatter_mode mode = MICA_SCATTER_SET;
    if (c->nin < 2) return mica__mlx_refuse(c, "the number of inputs");
    return mica__mlx_count(c, c->nin, 1) && mica__mlx_scatter_mode(c, c->numbers[0], &mode) &&
           mica__mlx_give(c, mica_scatter(c->s, c->in[0], (mica_arrays){ c->nin - 2, c->in + 1 },
                                          c->in[c->nin - 1], c->lists[0], mode));
}
bool mica__mlx_rule_gather_axis(mlx_call *c)
{
    return mica__mlx_count(c, 2, 1) &&
           mica__mlx_give(
               c, mica_take_along_axis(c->s, c->in[0], c->in[1], mica__mlx_axis(c->numbers[0])));
}
/* Adds, or sets. */
bool mica__mlx_rule_scatter_axis(mlx_call *c)
{
    struct mica__scatter_axis_params p = { .axis = c->numbers[1],
                                           .mode = c->numbers[0] ? MICA_SCATTER_SET
                                                                 : MICA_SCATTER_SUM };
    if (c->numbers[0] < 0 || c->numbers[0] > 1) return mica__mlx_refuse(c, "the mode");
    return mica__mlx_node(c, mica_prim_scatter_axis, &p);
}

/* Rows of a batch, each with its mask and the elements that it takes in order. */
bool mica__mlx_rule_masked_scatter(mlx_call *c)
{
    if (!mica__mlx_count(c, 3, 1)) return false;
    const mica_array *a = c->in[0];
    int64_t rows = a->ndim ? a->shape[0] : 0;
    mica_array **row = mica__scope_alloc(c->s, ((size_t)rows + 1) * sizeof *row);
    for (int i = 0; i < 3; i++)
        if (!c->in[i]->ndim || c->in[i]->shape[0] != rows)
            return mica__mlx_refuse(c, "the shapes of the inputs");
    if (!row) return false;
    for (int64_t i = 0; i < rows; i++) {
        mica_array *source = mica__row(c->s, c->in[2], i);
        int64_t size = source ? source->size : 0;
        row[i] =
            mica_masked_scatter(c->s, mica__row(c->s, c->in[0], i), mica__row(c->s, c->in[1], i),
                                mica__reshape(c->s, source, 1, &size));
        if (!row[i]) return false;
    }
    return mica__mlx_give(c, rows ? mica_stack(c->s, (mica_arrays){ (size_t)rows, row }, 0)
                                  : c->in[0]);
}

/* ---- reductions, scans, order ---- */

bool mica__mlx_rule_reduce(mlx_call *c)
{
    static const mica_prim prims[] = { mica_prim_all,  mica_prim_any, mica_prim_sum,
                                       mica_prim_prod, mica_prim_min, mica_prim_max };
    struct mica__sum_params p = { .axes = c->lists[0] };
    if (c->numbers[0] < 0 || c->numbers[0] > 5) return mica__mlx_refuse(c, "the operation");
    return mica__mlx_count(c, 1, 1) && mica__mlx_node(c, prims[c->numbers[0]], &p);
}
bool mica__mlx_rule_arg_reduce(mlx_call *c)
{
    struct mica__argmax_params p = { .axis = c->numbers[1] };
    return mica__mlx_count(c, 1, 1) &&
           mica__mlx_node(c, c->numbers[0] ? mica_prim_argmax : mica_prim_argmin, &p);
}
bool mica__mlx_rule_scan(mlx_call *c)
{
    static const mica_prim prims[] = { mica_prim_cummax, mica_prim_cummin, mica_prim_cumsum,
                                       mica_prim_cumprod };
    struct mica__cumsum_params p = { .axis = c->numbers[1],
                                     .reverse = c->numbers[2],
                                     .inclusive = c->numbers[3] };
    if (c->numbers[0] < 0 || c->numbers[0] > 3) return mica__mlx_refuse(c, "the operation");
    return mica__mlx_count(c, 1, 1) && mica__mlx_node(c, prims[c->numbers[0]], &p);
}
bool mica__mlx_rule_softmax(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) &&
           mica__mlx_give(c, mica_softmax(c->s, c->in[0], MICA_AXES(-1), c->numbers[0]));
}
bool mica__mlx_rule_logsumexp(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) &&
           mica__mlx_give(c, mica_logsumexp(c->s, c->in[0], MICA_AXES(-1), true));
}
bool mica__mlx_rule_sort(mlx_call *c)
{
    struct mica__sort_params p = { .axis = c->numbers[0] };
    return mica__mlx_count(c, 1, 1) && mica__mlx_node(c, c->p->prim, &p);
}
bool mica__mlx_rule_partition(mlx_call *c)
{
    struct mica__partition_params p = { .axis = c->numbers[1], .kth = c->numbers[0] };
    return mica__mlx_count(c, 1, 1) && mica__mlx_node(c, c->p->prim, &p);
}
bool mica__mlx_rule_searchsorted(mlx_call *c)
{
    return mica__mlx_count(c, 2, 1) &&
           mica__mlx_give(
               c, mica_searchsorted(c->s, c->in[0], c->in[1], c->numbers[0] ? "right" : "left"));
}

/* ---- products ---- */

bool mica__mlx_rule_matmul(mlx_call *c)
{
    return mica__mlx_count(c, 2, 1) && mica__mlx_give(c, mica_matmul(c->s, c->in[0], c->in[1]));
}
bool mica__mlx_rule_addmm(mlx_call *c)
{
    return mica__mlx_count(c, 3, 1) &&
           mica__mlx_give(c,
                          mica_addmm(c->s, c->in[2], c->in[0], c->in[1], c->reals[0], c->reals[1]));
}
bool mica__mlx_rule_gather_mm(mlx_call *c)
{
    return mica__mlx_count(c, 4, 1) &&
           mica__mlx_give(c, mica_gather_mm(c->s, c->in[0], c->in[1], c->in[2], c->in[3], false));
}
/* The mask of the result, then those of both operands, as there are. */
bool mica__mlx_rule_block_masked_mm(mlx_call *c)
{
    if (c->nin < 2 || c->nin > 5) return mica__mlx_refuse(c, "the number of inputs");
    bool out = c->nin == 3 || c->nin == 5, operands = c->nin > 3;
    size_t first = 2 + (size_t)out;
    return mica__mlx_count(c, c->nin, 1) &&
           mica__mlx_give(c, mica_block_masked_mm(c->s, c->in[0], c->in[1], c->numbers[0],
                                                  out ? c->in[2] : NULL,
                                                  operands ? c->in[first] : NULL,
                                                  operands ? c->in[first + 1] : NULL));
}
/* Strides, zeros before and behind, dilations of the window and of the input. */
bool mica__mlx_rule_convolution(mlx_call *c)
{
    return mica__mlx_count(c, 2, 1) &&
           mica__mlx_give(c, mica_conv_general(c->s, c->in[0], c->in[1], c->lists[0], c->lists[1],
                                               c->lists[3], c->lists[4], c->numbers[0],
                                               c->numbers[1], c->lists[2]));
}
bool mica__mlx_rule_quantize(mlx_call *c)
{
    const char *mode = mica__mlx_mode(c, c->numbers[2]);
    if (!mode) return false;
    if (!c->numbers[3])
        return mica__mlx_count(c, 1, c->nout) &&
               mica__mlx_give_many(
                   c, mica_quantize(c->s, c->in[0], c->numbers[0], c->numbers[1], mode, NULL));
    if (c->nin < 2 || c->nin > 3) return mica__mlx_refuse(c, "the number of inputs");
    return mica__mlx_count(c, c->nin, 1) &&
           mica__mlx_give(c,
                          mica_dequantize(c->s, c->in[0], c->in[1], c->nin > 2 ? c->in[2] : NULL,
                                          c->numbers[0], c->numbers[1], mode, NULL, c->dtypes[0]));
}
bool mica__mlx_rule_quantized_matmul(mlx_call *c)
{
    const char *mode = mica__mlx_mode(c, c->numbers[2]);
    if (!mode) return false;
    if (c->nin < 3 || c->nin > 4) return mica__mlx_refuse(c, "the number of inputs");
    return mica__mlx_count(c, c->nin, 1) &&
           mica__mlx_give(c, mica_quantized_matmul(c->s, c->in[0], c->in[1], c->in[2],
                                                   c->nin > 3 ? c->in[3] : NULL, c->numbers[3],
                                                   c->numbers[0], c->numbers[1], mode));
}
bool mica__mlx_rule_gather_qmm(mlx_call *c)
{
    const char *mode = mica__mlx_mode(c, c->numbers[2]);
    if (!mode) return false;
    if (c->nin < 5 || c->nin > 6) return mica__mlx_refuse(c, "the number of inputs");
    size_t lhs = c->nin - 2;
    return mica__mlx_count(c, c->nin, 1) &&
           mica__mlx_give(c, mica_gather_qmm(c->s, c->in[0], c->in[1], c->in[2],
                                             c->nin > 5 ? c->in[3] : NULL, c->in[lhs],
                                             c->in[lhs + 1], c->numbers[3], c->numbers[0],
                                             c->numbers[1], mode, NULL, false));
}

/* ---- transforms and linear algebra ---- */

bool mica__mlx_rule_fft(mlx_call *c)
{
    mica_dims axes = c->lists[0];
    int64_t last, sizes[MICA_MAX_NDIM];
    if (!mica__mlx_count(c, 1, 1)) return false;
    if (axes.n < 1 || axes.n > c->in[0]->ndim) return mica__mlx_refuse(c, "the axes");
    bool inverse = c->numbers[0], real = c->numbers[1];
    if (!real)
        return mica__mlx_give(
            c, inverse ? mica_fft_ifftn(c->s, c->in[0], MICA_ALL_AXES, axes, "backward")
                       : mica_fft_fftn(c->s, c->in[0], MICA_ALL_AXES, axes, "backward"));
    if (!inverse)
        return mica__mlx_give(c, mica_fft_rfftn(c->s, c->in[0], MICA_ALL_AXES, axes, "backward"));
    last = axes.at[axes.n - 1]; /* whose length only the result tells */
    for (int64_t k = 0; k < axes.n; k++) {
        if (axes.at[k] < 0 || axes.at[k] >= c->in[0]->ndim) return mica__mlx_refuse(c, "the axes");
        sizes[k] = c->in[0]->shape[axes.at[k]];
    }
    if (c->shapes[0].n != c->in[0]->ndim) return mica__mlx_refuse(c, "the shape of a result");
    sizes[axes.n - 1] = c->shapes[0].at[last];
    return mica__mlx_give(
        c, mica_fft_irfftn(c->s, c->in[0], (mica_dims){ axes.n, sizes }, axes, "backward"));
}
bool mica__mlx_rule_hadamard(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) &&
           mica__mlx_give(c, mica_hadamard_transform(c->s, c->in[0], c->reals[0]));
}
bool mica__mlx_rule_cholesky(mlx_call *c)
{
    return mica__mlx_count(c, 1, 1) &&
           mica__mlx_give(c, mica_linalg_cholesky(c->s, c->in[0], c->numbers[0]));
}
bool mica__mlx_rule_inverse(mlx_call *c)
{
    if (!mica__mlx_count(c, 1, 1)) return false;
    return mica__mlx_give(c, c->numbers[0] ? mica_linalg_tri_inv(c->s, c->in[0], c->numbers[1])
                                           : mica_linalg_inv(c->s, c->in[0]));
}
bool mica__mlx_rule_qr(mlx_call *c)
{
    return mica__mlx_count(c, 1, 2) && mica__mlx_give_many(c, mica_linalg_qr(c->s, c->in[0]));
}
bool mica__mlx_rule_svd(mlx_call *c)
{
    return mica__mlx_count(c, 1, c->nout) &&
           mica__mlx_give_many(c, mica_linalg_svd(c->s, c->in[0], c->numbers[0]));
}
bool mica__mlx_rule_eigh(mlx_call *c)
{
    mica_array *out[2] = { NULL, NULL };
    if (!mica__mlx_count(c, 1, c->numbers[0] ? 2 : 1)) return false;
    bool upper = strcmp(c->text, "U") == 0;
    if (!upper && strcmp(c->text, "L") != 0) return mica__mlx_refuse(c, "the triangle");
    if (!mica__eigh(c->s, "eigh", c->in[0], upper, c->numbers[0], out)) return false;
    for (size_t i = 0; i < c->nout; i++) c->out[i] = out[i];
    return true;
}
bool mica__mlx_rule_eig(mlx_call *c)
{
    if (!c->numbers[0])
        return mica__mlx_count(c, 1, 1) && mica__mlx_give(c, mica_linalg_eigvals(c->s, c->in[0]));
    return mica__mlx_count(c, 1, 2) && mica__mlx_give_many(c, mica_linalg_eig(c->s, c->in[0]));
}
