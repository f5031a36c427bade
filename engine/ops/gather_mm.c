/* Products of gathered matrices, of segments of the inner axis, and of matrices masked by blocks.
 */
#include "ops/gather_mm.h"

/* ---- indices ---- */

static int64_t leading(const mica_array *a, int64_t shape[MICA_MAX_NDIM])
{
    int64_t n = 1;
    for (int i = 0; i < a->ndim - 2; i++) n *= shape[i] = a->shape[i];
    return n;
}

/* 0, 1, ... in the shape of a's leading axes. */
static mica_array *each_matrix(mica_scope *s, const mica_array *a)
{
    int64_t shape[MICA_MAX_NDIM];
    int64_t n = leading(a, shape);
    return mica__reshape(s, mica_arange_integer(s, 0, n, 1, MICA_UINT32), a->ndim - 2, shape);
}

static bool integral(mica_scope *s, const char *name, const char *which, const mica_array *i)
{
    if (!i || (mica__is_integer((mica_dtype)i->dtype) && i->dtype != MICA_BOOL)) return true;
    mica__error(s, MICA_EVALUE, "[%s] %s has type %s; accepted: integers", name, which,
                mica_dtype_name((mica_dtype)i->dtype));
    return false;
}

int mica__gather_indices(mica_scope *s, const char *name, const mica_array *a, const mica_array *b,
                         mica_array *lhs, mica_array *rhs, mica_array *out[2],
                         int64_t shape[MICA_MAX_NDIM])
{
    if (!integral(s, name, "lhs_indices", lhs) || !integral(s, name, "rhs_indices", rhs)) return -1;
    mica_array *l = lhs ? lhs : each_matrix(s, a), *r = rhs ? rhs : each_matrix(s, b);
    if (!l || !r) return -1;
    int n = mica__broadcast(mica__dims_of(l), mica__dims_of(r), shape);
    if (n < 0) {
        mica__error(s, MICA_EVALUE, "[%s] indices of shapes %s and %s cannot be broadcast.", name,
                    mica__shape_text(mica__dims_of(l)), mica__shape_text(mica__dims_of(r)));
        return -1;
    }
    int64_t count = 1;
    for (int i = 0; i < n; i++) count *= shape[i];
    out[0] = mica__reshape(s, mica__broadcast_to(s, l, (mica_dims){ n, shape }), 1, &count);
    out[1] = mica__reshape(s, mica__broadcast_to(s, r, (mica_dims){ n, shape }), 1, &count);
    return out[0] && out[1] ? n : -1;
}

mica_array *mica__matrices(mica_scope *s, mica_array *a)
{
    int64_t shape[MICA_MAX_NDIM];
    if (!a) return NULL;
    int64_t flat[3] = { leading(a, shape), a->shape[a->ndim - 2], a->shape[a->ndim - 1] };
    return mica__reshape(s, a, 3, flat);
}

mica_array *mica__unflatten_matrices(mica_scope *s, mica_array *a, int n, const int64_t *shape)
{
    int64_t full[MICA_MAX_NDIM + 2];
    if (!a) return NULL;
    if (n + 2 > MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE, "[gather_mm] more than %d axes", MICA_MAX_NDIM);
    for (int i = 0; i < n; i++) full[i] = shape[i];
    full[n] = a->shape[a->ndim - 2];
    full[n + 1] = a->shape[a->ndim - 1];
    return mica__reshape(s, a, n + 2, full);
}

/* ---- gather_mm ---- */

/* The type of a product of real floating point matrices. */
static bool real_type(mica_scope *s, const char *name, const mica_array *a, const mica_array *b,
                      mica_dtype *dtype)
{
    *dtype = mica__promote((mica_dtype)a->dtype, (mica_dtype)b->dtype);
    if (mica__is_float(*dtype)) return true;
    mica__error(s, MICA_EVALUE,
                "[%s] Only real floating point types are supported but %s and %s were provided "
                "which results in %s, which is not a real floating point type.",
                name, mica_dtype_name((mica_dtype)a->dtype), mica_dtype_name((mica_dtype)b->dtype),
                mica_dtype_name(*dtype));
    return false;
}

static bool check_inner(mica_scope *s, const char *name, const mica_array *a, const mica_array *b)
{
    if (a->shape[a->ndim - 1] == b->shape[b->ndim - 2]) return true;
    mica__error(s, MICA_EVALUE,
                "[%s] Last dimension of first input with shape %s must match second to last "
                "dimension of second input with shape %s.",
                name, mica__shape_text(mica__dims_of(a)), mica__shape_text(mica__dims_of(b)));
    return false;
}

/* Both operands with at least two axes and of one type; false and a message when they do not fit.
 */
static bool prepare(mica_scope *s, const char *name, mica_array **a, mica_array **b, bool *row,
                    bool *column)
{
    mica_dtype dtype;
    *a = mica__operand(s, *a);
    *b = mica__operand(s, *b);
    if (!mica__ready(s, *a) || !*b) return false;
    if (!(*a)->ndim || !(*b)->ndim) {
        mica__error(s, MICA_EVALUE,
                    "[%s] a and b must have at least one dimension; their shapes are %s and %s",
                    name, mica__shape_text(mica__dims_of(*a)), mica__shape_text(mica__dims_of(*b)));
        return false;
    }
    if (!real_type(s, name, *a, *b, &dtype)) return false;
    *row = (*a)->ndim == 1;
    *column = (*b)->ndim == 1;
    int64_t first = 0, second = 1;
    if (*row) *a = mica_expand_dims(s, *a, (mica_dims){ 1, &first });
    if (*column) *b = mica_expand_dims(s, *b, (mica_dims){ 1, &second });
    if (!*a || !*b || !check_inner(s, name, *a, *b)) return false;
    *a = mica__cast(s, *a, dtype);
    *b = mica__cast(s, *b, dtype);
    return *a && *b;
}

static mica_array *drop_axes(mica_scope *s, mica_array *c, bool row, bool column)
{
    int64_t axes[2], n = 0;
    if (!c) return NULL;
    if (row) axes[n++] = c->ndim - 2;
    if (column) axes[n++] = c->ndim - 1;
    return n ? mica__squeeze_axes(s, c, n, axes) : c;
}

mica_array *mica__gather_mm(mica_scope *s, mica_array *a, mica_array *b, mica_array *lhs,
                            mica_array *rhs)
{
    int64_t shape[MICA_MAX_NDIM];
    if (!mica__scope_ok(s) || !a || !b || !lhs || !rhs) return NULL;
    int n = lhs->ndim;
    for (int i = 0; i < n; i++) shape[i] = lhs->shape[i];
    shape[n] = a->shape[a->ndim - 2];
    shape[n + 1] = b->shape[b->ndim - 1];
    return mica__build(s, mica_prim_gather_mm, NULL, 4, (mica_array *[]){ a, b, lhs, rhs },
                       (mica_dtype)a->dtype, (mica_dims){ n + 2, shape });
}

mica_array *mica_gather_mm(mica_scope *s, mica_array *a, mica_array *b, mica_array *lhs_indices,
                           mica_array *rhs_indices, bool sorted_indices)
{
    (void)sorted_indices; /* the kernel sorts for itself */
    bool row, column;
    int64_t shape[MICA_MAX_NDIM];
    mica_array *index[2];
    if (!lhs_indices && !rhs_indices) return mica_matmul(s, a, b);
    if (!prepare(s, "gather_mm", &a, &b, &row, &column)) return NULL;
    int n = mica__gather_indices(s, "gather_mm", a, b, lhs_indices, rhs_indices, index, shape);
    if (n < 0) return NULL;
    mica_array *c =
        mica__gather_mm(s, mica__matrices(s, a), mica__matrices(s, b), index[0], index[1]);
    return drop_axes(s, mica__unflatten_matrices(s, c, n, shape), row, column);
}

/* ---- segmented_mm ---- */

mica_array *mica_segmented_mm(mica_scope *s, mica_array *a, mica_array *b, mica_array *segments)
{
    mica_dtype dtype;
    a = mica__operand(s, a);
    b = mica__operand(s, b);
    segments = mica__operand(s, segments);
    if (!mica__ready(s, a) || !b || !segments) return NULL;
    if (a->ndim != 2 || b->ndim != 2)
        return mica__error(s, MICA_EVALUE,
                           "[segmented_mm] Batched matmul not supported: a and b must have two "
                           "dimensions but have %d and %d; use vmap.",
                           a->ndim, b->ndim);
    if (!real_type(s, "segmented_mm", a, b, &dtype) || !check_inner(s, "segmented_mm", a, b))
        return NULL;
    if (!mica__is_integer((mica_dtype)segments->dtype) || segments->dtype == MICA_BOOL)
        return mica__error(
            s, MICA_EVALUE,
            "[segmented_mm] Got segments with invalid dtype %s. Segments must be integral.",
            mica_dtype_name((mica_dtype)segments->dtype));
    if (!segments->ndim || segments->shape[segments->ndim - 1] != 2)
        return mica__error(
            s, MICA_EVALUE,
            "[segmented_mm] The segments should have shape (..., 2) but %s was provided.",
            mica__shape_text(mica__dims_of(segments)));
    int64_t pairs[2] = { segments->size / 2, 2 }, shape[3] = { pairs[0], a->shape[0], b->shape[1] };
    mica_array *in[3] = { mica__cast(s, a, dtype), mica__cast(s, b, dtype),
                          mica__reshape(s, segments, 2, pairs) };
    mica_array *c =
        mica__build(s, mica_prim_segmented_mm, NULL, 3, in, dtype, (mica_dims){ 3, shape });
    return mica__unflatten_matrices(s, c, segments->ndim - 1, segments->shape);
}

/* ---- block_masked_mm ---- */

/* The mask for each element of a matrix of m x n: blocks repeated, what goes beyond cut off. */
static mica_array *spread_mask(mica_scope *s, mica_array *mask, int64_t block, int64_t m, int64_t n)
{
    int64_t start[MICA_MAX_NDIM] = { 0 }, step[MICA_MAX_NDIM], shape[MICA_MAX_NDIM];
    mask = mica_repeat(s, mica_repeat(s, mask, block, -1), block, -2);
    if (!mask) return NULL;
    for (int i = 0; i < mask->ndim; i++) {
        step[i] = 1;
        shape[i] = mask->shape[i];
    }
    shape[mask->ndim - 2] = m;
    shape[mask->ndim - 1] = n;
    struct mica__slice_params p = {
        { mask->ndim, start }, { mask->ndim, step }, { mask->ndim, shape }, 0
    };
    return mica__build(s, mica_prim_slice, &p, 1, &mask, (mica_dtype)mask->dtype, p.shape);
}

/* The sizes of x in blocks. */
static mica_dims blocks_of(const mica_array *x, int64_t block, int64_t shape[MICA_MAX_NDIM])
{
    for (int i = 0; i < x->ndim; i++) shape[i] = x->shape[i];
    for (int i = x->ndim - 2; i < x->ndim; i++)
        shape[i] = x->shape[i] / block + (x->shape[i] % block > 0);
    return (mica_dims){ x->ndim, shape };
}

/* The mask with one element for each block of x. */
static mica_array *mask_of(mica_scope *s, mica_array *mask, const mica_array *x, int64_t block)
{
    int64_t shape[MICA_MAX_NDIM], both[MICA_MAX_NDIM];
    mica_dims blocks = blocks_of(x, block, shape);
    int k = mica__broadcast(mica__dims_of(mask), blocks, both);
    if (k < 0 || !mica__shape_equal((mica_dims){ k, both }, blocks))
        return mica__error(s, MICA_EVALUE,
                           "[block_masked_mm] a mask of shape %s does not broadcast to the blocks "
                           "%s of an operand of shape %s.",
                           mica__shape_text(mica__dims_of(mask)), mica__shape_text(blocks),
                           mica__shape_text(mica__dims_of(x)));
    return mica__broadcast_to(s, mask, blocks);
}

/* x with its blocks masked: left out where a truth value is false, multiplied by a number. */
static mica_array *apply_mask(mica_scope *s, mica_array *x, mica_array *mask, int64_t block)
{
    if (!x || !mask) return mica__scope_ok(s) ? x : NULL;
    mask = mask_of(s, mask, x, block);
    mica_array *full =
        mask ? spread_mask(s, mask, block, x->shape[x->ndim - 2], x->shape[x->ndim - 1]) : NULL;
    if (!full) return NULL;
    if (full->dtype == MICA_BOOL) return mica_where(s, full, x, mica__full_like(s, x, 0));
    return mica_multiply(s, x, mica__cast(s, full, (mica_dtype)x->dtype));
}

/* The leading axes that a mask adds to an operand. */
static mica_array *widen(mica_scope *s, mica_array *x, const mica_array *mask)
{
    int64_t both[MICA_MAX_NDIM];
    if (!x || !mask || mask->ndim < 2) return x;
    int n = mica__broadcast((mica_dims){ x->ndim - 2, x->shape },
                            (mica_dims){ mask->ndim - 2, mask->shape }, both);
    if (n < 0 || n + 2 > MICA_MAX_NDIM) return x; /* the mask will be refused */
    both[n] = x->shape[x->ndim - 2];
    both[n + 1] = x->shape[x->ndim - 1];
    return mica__broadcast_to(s, x, (mica_dims){ n + 2, both });
}

mica_array *mica__masked_mm(mica_scope *s, mica_array *a, mica_array *b, mica_array *out,
                            mica_array *left, mica_array *right, int64_t block)
{
    int64_t shape[MICA_MAX_NDIM];
    if (!mica__scope_ok(s) || !a || !b || !out || !left || !right) return NULL;
    for (int i = 0; i < a->ndim - 1; i++) shape[i] = a->shape[i];
    shape[a->ndim - 1] = b->shape[b->ndim - 1];
    struct mica__masked_mm_params p = { .block = block };
    return mica__build(s, mica_prim_masked_mm, &p, 5, (mica_array *[]){ a, b, out, left, right },
                       (mica_dtype)a->dtype, (mica_dims){ a->ndim, shape });
}

/* Masks are truth values: what they leave out is not multiplied. */
static mica_array *skip_blocks(mica_scope *s, mica_array *a, mica_array *b,
                               mica_array *const masks[3], int64_t block)
{
    int64_t shape[3][MICA_MAX_NDIM], blocks[MICA_MAX_NDIM];
    int n = mica__broadcast((mica_dims){ a->ndim - 2, a->shape },
                            (mica_dims){ b->ndim - 2, b->shape }, shape[0]);
    if (n < 0 || n + 2 > MICA_MAX_NDIM) return mica_matmul(s, a, b); /* is refused there */
    for (int i = 0; i < n; i++) shape[1][i] = shape[2][i] = shape[0][i];
    const int64_t m = a->shape[a->ndim - 2], k = a->shape[a->ndim - 1],
                  columns = b->shape[b->ndim - 1];
    const int64_t sizes[3][2] = { { m, columns }, { m, k }, { k, columns } };
    mica_array *in[3], *of[3] = { NULL, a, b };
    for (int i = 0; i < 3; i++) {
        memcpy(shape[i] + n, sizes[i], sizeof sizes[i]);
        if (i) of[i] = mica__broadcast_to(s, of[i], (mica_dims){ n + 2, shape[i] });
        mica_array whole = { .ndim = n + 2, .shape = shape[i] };
        if (masks[i]) in[i] = mask_of(s, masks[i], &whole, block);
        else in[i] = mica__full(s, blocks_of(&whole, block, blocks), 1, MICA_BOOL);
        if (!in[i]) return NULL;
    }
    return mica__masked_mm(s, of[1], of[2], in[0], in[1], in[2], block);
}

static bool skips(const mica_array *mask)
{
    return !mask || mask->dtype == MICA_BOOL;
}

mica_array *mica_block_masked_mm(mica_scope *s, mica_array *a, mica_array *b, int64_t block_size,
                                 mica_array *mask_out, mica_array *mask_lhs, mica_array *mask_rhs)
{
    bool row, column;
    if (!mask_out && !mask_lhs && !mask_rhs) return mica_matmul(s, a, b);
    if (!prepare(s, "block_masked_mm", &a, &b, &row, &column)) return NULL;
    if (block_size != 32 && block_size != 64)
        return mica__error(
            s, MICA_EVALUE,
            "[block_masked_mm] Only block_sizes 32, 64 are supported. Got block size %lld.",
            (long long)block_size);
    mask_out = mica__operand(s, mask_out);
    mask_lhs = mica__operand(s, mask_lhs);
    mask_rhs = mica__operand(s, mask_rhs);
    a = widen(s, a, mask_lhs);
    b = widen(s, b, mask_rhs);
    if (!mica__scope_ok(s) || !a || !b) return NULL;
    if (skips(mask_out) && skips(mask_lhs) && skips(mask_rhs)) {
        mica_array *const masks[3] = { mask_out, mask_lhs, mask_rhs };
        return drop_axes(s, skip_blocks(s, a, b, masks, block_size), row, column);
    }
    a = apply_mask(s, a, mask_lhs, block_size);
    b = apply_mask(s, b, mask_rhs, block_size);
    mica_array *c = a && b ? mica_matmul(s, a, b) : NULL;
    return drop_axes(s, apply_mask(s, c, mask_out, block_size), row, column);
}
