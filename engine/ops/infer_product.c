/* Outputs by rule: matrix products, convolutions, and what stores numbers in few bits. */
#include "ops/infer.h"
#include "ops/quantize.h"

static bool check_inexact(mica__inference *i, bool complex)
{
    mica_dtype d = (mica_dtype)i->in[0]->dtype;
    return mica__is_float(d) || (complex && d == MICA_COMPLEX64) ||
           mica__infer_refuse(i, "an input's type");
}

/* ---- products ---- */

bool mica__infer_matmul(mica__inference *i)
{
    int64_t shape[MICA_MAX_NDIM];
    if (!mica__infer_count(i, 2, 1) || !mica__infer_one_type(i, 0, 2) || !check_inexact(i, true))
        return false;
    const mica_array *a = i->in[0], *b = i->in[1];
    if (a->ndim < 2 || a->ndim != b->ndim || mica__size_from_end(a, 1) != mica__size_from_end(b, 2))
        return mica__infer_refuse(i, "an input's shape");
    if (!mica__infer_leading(i, 0, 1, a->ndim - 2)) return false;
    for (int k = 0; k < a->ndim - 1; k++) shape[k] = a->shape[k];
    shape[a->ndim - 1] = mica__size_from_end(b, 1);
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, (mica_dims){ a->ndim, shape });
}

/* Inputs lhs and lhs + 1 of (..., i) index the axis after `lead` leading ones. */
static bool check_pairs(mica__inference *i, size_t lhs, int lead)
{
    for (size_t k = lhs; k < lhs + 2; k++)
        if (!mica__infer_is_index(i->in[k]) || i->in[k]->ndim != lead + 1)
            return mica__infer_refuse(i, "an index");
    return mica__infer_leading(i, lhs, lhs + 1, lead + 1) && mica__infer_leading(i, 0, lhs, lead);
}

/* The sizes of index array k, then two more. */
static bool give_indexed(mica__inference *i, size_t k, int n, mica_dtype dtype, int64_t rows,
                         int64_t columns)
{
    int64_t shape[MICA_MAX_NDIM];
    if (n + 2 > MICA_MAX_NDIM) return mica__infer_refuse(i, "an input's shape");
    for (int axis = 0; axis < n; axis++) shape[axis] = i->in[k]->shape[axis];
    shape[n] = rows;
    shape[n + 1] = columns;
    mica_dims out = { n + 2, shape };
    return mica__infer_sizes(i, out) && mica__infer_give(i, 0, dtype, out);
}

bool mica__infer_gather_mm(mica__inference *i)
{
    if (!mica__infer_count(i, 4, 1) || !mica__infer_one_type(i, 0, 2) || !check_inexact(i, false))
        return false;
    const mica_array *a = i->in[0], *b = i->in[1];
    int lead = a->ndim - 3;
    if (lead < 0 || a->ndim != b->ndim || mica__size_from_end(a, 1) != mica__size_from_end(b, 2))
        return mica__infer_refuse(i, "an input's shape");
    return mica__infer_leading(i, 0, 1, lead) && check_pairs(i, 2, lead) &&
           give_indexed(i, 2, lead + 1, (mica_dtype)a->dtype, mica__size_from_end(a, 2),
                        mica__size_from_end(b, 1));
}

bool mica__infer_segmented_mm(mica__inference *i)
{
    if (!mica__infer_count(i, 3, 1) || !mica__infer_one_type(i, 0, 2) || !check_inexact(i, false))
        return false;
    const mica_array *a = i->in[0], *b = i->in[1], *segments = i->in[2];
    int lead = a->ndim - 2;
    bool fits = lead >= 0 && a->ndim == b->ndim && segments->ndim == a->ndim &&
                mica__infer_is_index(segments) && segments->shape[lead + 1] == 2 &&
                a->shape[lead + 1] == b->shape[lead];
    if (!fits) return mica__infer_refuse(i, "an input's shape");
    return mica__infer_leading(i, 0, 1, lead) && mica__infer_leading(i, 0, 2, lead) &&
           give_indexed(i, 2, lead + 1, (mica_dtype)a->dtype, a->shape[lead], b->shape[lead + 1]);
}

/* Mask k has one element for each block of rows x columns. */
static bool check_blocks(mica__inference *i, size_t k, int64_t rows, int64_t columns, int64_t block)
{
    const mica_array *m = i->in[k];
    int lead = i->in[0]->ndim - 2;
    return (m->dtype == MICA_BOOL && m->ndim == lead + 2 &&
            m->shape[lead] == rows / block + (rows % block > 0) &&
            m->shape[lead + 1] == columns / block + (columns % block > 0) &&
            mica__infer_leading(i, 0, k, lead)) ||
           mica__infer_refuse(i, "a mask");
}

bool mica__infer_masked_mm(mica__inference *i)
{
    const struct mica__masked_mm_params *p = i->params;
    if (!mica__infer_count(i, 5, 1) || !mica__infer_one_type(i, 0, 2) || !check_inexact(i, false))
        return false;
    const mica_array *a = i->in[0], *b = i->in[1];
    int lead = a->ndim - 2;
    if (lead < 0 || a->ndim != b->ndim || a->shape[lead + 1] != b->shape[lead] ||
        (p->block != 32 && p->block != 64))
        return mica__infer_refuse(i, "an input's shape");
    int64_t m = a->shape[lead], k = b->shape[lead], n = b->shape[lead + 1];
    return mica__infer_leading(i, 0, 1, lead) && check_blocks(i, 2, m, n, p->block) &&
           check_blocks(i, 3, m, k, p->block) && check_blocks(i, 4, k, n, p->block) &&
           give_indexed(i, 0, lead, (mica_dtype)a->dtype, m, n);
}

/* ---- convolutions ---- */

/* Products of two of these, and sums of such products, are far from overflow. */
static bool small(int64_t x, int64_t least)
{
    return x >= least && x < INT64_C(1) << 30;
}

/* x (N, places..., C), w (O, window..., C / groups), y (N, places..., O). */
static bool check_convolution(mica__inference *i, mica_dims x, mica_dims w, mica_dims y)
{
    const struct mica__conv_params *p = i->params; /* conv_weight has the same */
    int64_t n = x.n - 2;
    if (n < 1 || n > 3 || w.n != x.n || y.n != x.n)
        return mica__infer_refuse(i, "an input's shape");
    if (p->stride.n != n || p->low.n != n || p->kernel_dilation.n != n || p->input_dilation.n != n)
        return mica__infer_refuse(i, "the geometry");
    for (int64_t k = 0; k < n; k++)
        if (!small(p->stride.at[k], 1) || !small(p->kernel_dilation.at[k], 1) ||
            !small(p->input_dilation.at[k], 1) || !small(p->low.at[k], -(INT64_C(1) << 30)) ||
            !small(x.at[k + 1], 0) || !small(w.at[k + 1], 0) || !small(y.at[k + 1], 0))
            return mica__infer_refuse(i, "the geometry");
    int64_t channels = x.at[n + 1], outputs = w.at[0];
    if (p->groups < 1 || channels % p->groups || outputs % p->groups ||
        w.at[n + 1] != channels / p->groups)
        return mica__infer_refuse(i, "the groups");
    return (y.at[0] == x.at[0] && y.at[n + 1] == outputs) ||
           mica__infer_refuse(i, "the shape of a result");
}

/* The padding is not recorded, but the result's shape is: it says how far windows reach. */
bool mica__infer_conv(mica__inference *i)
{
    if (!mica__infer_count(i, 2, 1) || !mica__infer_one_type(i, 0, 2) || !check_inexact(i, false))
        return false;
    return check_convolution(i, mica__dims_of(i->in[0]), mica__dims_of(i->in[1]), i->shapes[0]) &&
           mica__infer_give(i, 0, (mica_dtype)i->in[0]->dtype, i->shapes[0]);
}

bool mica__infer_conv_weight(mica__inference *i)
{
    if (!mica__infer_count(i, 2, 1) || !mica__infer_one_type(i, 0, 2) || !check_inexact(i, false))
        return false;
    return check_convolution(i, mica__dims_of(i->in[0]), i->shapes[0], mica__dims_of(i->in[1])) &&
           mica__infer_give(i, 0, (mica_dtype)i->in[0]->dtype, i->shapes[0]);
}

/* ---- few bits ---- */

/* The first three fields of all such primitives. */
static bool read_format(mica__inference *i, mica__quant_format *f)
{
    static const char *const names[] = { "affine", "mxfp4", "mxfp8", "nvfp4" };
    const struct mica__quantized_matmul_params *p = i->params;
    if (p->mode < 0 || p->mode > MICA_QUANT_NVFP4 || p->group == MICA_NO_INTEGER ||
        p->bits == MICA_NO_INTEGER)
        return mica__infer_refuse(i, "the mode");
    return mica__quant_format_of(i->s, "import_function", names[p->mode], p->group, p->bits, f);
}

/* One factor for each row of input 0. */
static bool check_row_scale(mica__inference *i, const mica__quant_format *f, size_t k)
{
    const mica_array *a = i->in[0], *scale = i->in[k];
    bool fits = f->mode == MICA_QUANT_NVFP4 && scale->dtype == MICA_FLOAT32 &&
                scale->ndim == a->ndim && a->ndim && mica__size_from_end(scale, 1) == 1;
    return (fits || mica__infer_refuse(i, "the scale")) &&
           mica__infer_leading(i, 0, k, a->ndim - 1);
}

/* Numbers in whole groups along the last axis. */
static bool check_groups(mica__inference *i, const mica__quant_format *f)
{
    const mica_array *a = i->in[0];
    if (!mica__is_float((mica_dtype)a->dtype)) return mica__infer_refuse(i, "an input's type");
    return (a->ndim && mica__size_from_end(a, 1) % f->group == 0) ||
           mica__infer_refuse(i, "an input's shape");
}

bool mica__infer_quantize(mica__inference *i)
{
    const struct mica__quantize_params *p = i->params;
    mica__quant_format f;
    int64_t shape[MICA_MAX_NDIM];
    if (!read_format(i, &f)) return false;
    bool affine = f.mode == MICA_QUANT_AFFINE;
    if (!mica__infer_count(i, 1 + (size_t)p->scaled, affine ? 3 : 2) || !check_groups(i, &f) ||
        (p->scaled && !check_row_scale(i, &f, 1)))
        return false;
    const mica_array *a = i->in[0];
    if (affine && a->dtype == MICA_FLOAT64) return mica__infer_refuse(i, "an input's type");
    for (int k = 0; k < a->ndim; k++) shape[k] = a->shape[k];
    mica_dims out = { a->ndim, shape };
    int64_t groups = mica__size_from_end(a, 1) / f.group;
    shape[a->ndim - 1] = groups * (f.group * f.bits / 32);
    if (!mica__infer_give(i, 0, MICA_UINT32, out)) return false;
    shape[a->ndim - 1] = groups;
    mica_dtype scale = affine ? (mica_dtype)a->dtype : MICA_UINT8;
    return mica__infer_give(i, 1, scale, out) && (!affine || mica__infer_give(i, 2, scale, out));
}

bool mica__infer_quantize_through(mica__inference *i)
{
    const struct mica__quantize_through_params *p = i->params;
    mica__quant_format f;
    if (!read_format(i, &f) || !mica__infer_count(i, 1 + (size_t)p->scaled, 1) ||
        !check_groups(i, &f) || (p->scaled && !check_row_scale(i, &f, 1)))
        return false;
    if (f.mode == MICA_QUANT_AFFINE || i->in[0]->dtype == MICA_FLOAT64)
        return mica__infer_refuse(i, "an input's type");
    return mica__infer_give(i, 0, MICA_FLOAT32, mica__dims_of(i->in[0]));
}

/* Codes at input k, then scales and, in the affine mode, biases: of one shape but for the last
   axis, where both have their sizes. */
static bool check_codes(mica__inference *i, const mica__quant_format *f, size_t k)
{
    const mica_array *w = i->in[k], *scales = i->in[k + 1];
    bool affine = f->mode == MICA_QUANT_AFFINE;
    bool types = w->dtype == MICA_UINT32 && w->ndim && scales->ndim == w->ndim &&
                 (affine ? mica__is_float((mica_dtype)scales->dtype) : scales->dtype == MICA_UINT8);
    if (!types) return mica__infer_refuse(i, "an input's type");
    if (!mica__infer_leading(i, k, k + 1, w->ndim - 1)) return false;
    if (affine && (!mica__infer_one_type(i, k + 1, k + 3) ||
                   !mica__shape_equal(mica__dims_of(scales), mica__dims_of(i->in[k + 2]))))
        return mica__scope_ok(i->s) ? mica__infer_refuse(i, "an input's shape") : false;
    int64_t words = mica__size_from_end(w, 1), groups = mica__size_from_end(scales, 1);
    return (words <= INT64_MAX / 32 && groups <= INT64_MAX / 1024 &&
            words * 32 == groups * f->group * f->bits) ||
           mica__infer_refuse(i, "an input's shape");
}

bool mica__infer_dequantize(mica__inference *i)
{
    const struct mica__dequantize_params *p = i->params;
    mica__quant_format f;
    int64_t shape[MICA_MAX_NDIM];
    if (!read_format(i, &f)) return false;
    bool affine = f.mode == MICA_QUANT_AFFINE;
    if (!mica__infer_count(i, 2 + (size_t)affine + (size_t)p->scaled, 1) ||
        !check_codes(i, &f, 0) || (p->scaled && !check_row_scale(i, &f, i->nin - 1)))
        return false;
    if (!mica__is_float((mica_dtype)p->dtype) || (affine && p->dtype != i->in[1]->dtype))
        return mica__infer_refuse(i, "the type of a result");
    const mica_array *w = i->in[0];
    for (int k = 0; k < w->ndim; k++) shape[k] = w->shape[k];
    shape[w->ndim - 1] = mica__quant_elements(&f, mica__size_from_end(w, 1));
    mica_dims out = { w->ndim, shape };
    return mica__infer_sizes(i, out) && mica__infer_give(i, 0, (mica_dtype)p->dtype, out);
}

bool mica__infer_quantized_matmul(mica__inference *i)
{
    const struct mica__quantized_matmul_params *p = i->params;
    mica__quant_format f;
    if (!read_format(i, &f)) return false;
    bool affine = f.mode == MICA_QUANT_AFFINE;
    size_t lhs = 3 + (size_t)affine;
    if (!mica__infer_count(i, lhs + 2 * (size_t)p->gathered, 1) || !check_codes(i, &f, 1) ||
        !check_inexact(i, false))
        return false;
    const mica_array *x = i->in[0], *w = i->in[1];
    int lead = x->ndim - 3;
    if (x->dtype == MICA_FLOAT64 || (affine && i->in[2]->dtype == MICA_FLOAT64))
        return mica__infer_refuse(i, "an input's type");
    if (lead < 0 || w->ndim != x->ndim) return mica__infer_refuse(i, "an input's shape");
    int64_t columns = mica__quant_elements(&f, mica__size_from_end(w, 1)),
            rows = mica__size_from_end(w, 2);
    if (mica__size_from_end(x, 1) != (p->transposed ? columns : rows) ||
        (!p->gathered && (x->shape[lead] != 1 || w->shape[lead] != 1)))
        return mica__infer_refuse(i, "an input's shape");
    if (!mica__infer_leading(i, 0, 1, lead) || (p->gathered && !check_pairs(i, lhs, lead)))
        return false;
    return give_indexed(i, p->gathered ? lhs : 0, lead + 1, (mica_dtype)x->dtype,
                        mica__size_from_end(x, 2), p->transposed ? rows : columns);
}

bool mica__infer_to_fp8(mica__inference *i)
{
    return mica__infer_count(i, 1, 1) && check_inexact(i, false) &&
           mica__infer_give(i, 0, MICA_UINT8, mica__dims_of(i->in[0]));
}

bool mica__infer_from_fp8(mica__inference *i)
{
    const struct mica__from_fp8_params *p = i->params;
    if (!mica__infer_count(i, 1, 1)) return false;
    if (i->in[0]->dtype != MICA_UINT8 || !mica__is_float((mica_dtype)p->dtype))
        return mica__infer_refuse(i, "an input's type");
    return mica__infer_give(i, 0, (mica_dtype)p->dtype, mica__dims_of(i->in[0]));
}
