/* Matrix products: NumPy's rules for axes; one primitive over equal leading axes. */
#include "ops/builder.h"

static bool check_operands(mica_scope *s, const char *name, mica_array *a, mica_array *b,
                           mica_dtype *dtype)
{
    mica_array *in[2] = { a, b };
    if (!mica__scope_ok(s) || !a || !b) {
        mica__error(s, MICA_EVALUE, "[%s] an operand is NULL", name);
        return false;
    }
    if (!a->ndim || !b->ndim) {
        mica__error(s, MICA_EVALUE,
                    "[%s] a and b must have at least one dimension; their shapes are %s and %s",
                    name, mica__shape_text(mica__dims_of(a)), mica__shape_text(mica__dims_of(b)));
        return false;
    }
    *dtype = mica__result_dtype(in, 2);
    if (!mica__is_inexact(*dtype)) {
        mica__error(s, MICA_EVALUE,
                    "[%s] Only inexact types are supported but %s and %s were provided; cast one "
                    "with astype.",
                    name, mica_dtype_name((mica_dtype)a->dtype),
                    mica_dtype_name((mica_dtype)b->dtype));
        return false;
    }
    int64_t k = a->shape[a->ndim - 1], other = b->shape[b->ndim > 1 ? b->ndim - 2 : 0];
    if (k != other) {
        mica__error(s, MICA_EVALUE,
                    "[%s] Last dimension of first input with shape %s must match second to last "
                    "dimension of second input "
                    "with shape %s.",
                    name, mica__shape_text(mica__dims_of(a)), mica__shape_text(mica__dims_of(b)));
        return false;
    }
    return true;
}

/* Leading axes broadcast without copying; both then have the result's. */
static bool align_batches(mica_scope *s, mica_array **a, mica_array **b,
                          int64_t shape[MICA_MAX_NDIM], int64_t *ndim)
{
    mica_dims x = { (*a)->ndim - 2, (*a)->shape }, y = { (*b)->ndim - 2, (*b)->shape };
    int64_t both[MICA_MAX_NDIM];
    int n = mica__broadcast(x, y, both);
    if (n < 0) {
        mica__error(s, MICA_EVALUE, "[matmul] leading axes of shapes %s and %s cannot be broadcast",
                    mica__shape_text(mica__dims_of(*a)), mica__shape_text(mica__dims_of(*b)));
        return false;
    }
    int64_t m = (*a)->shape[(*a)->ndim - 2], k = (*a)->shape[(*a)->ndim - 1],
            columns = (*b)->shape[(*b)->ndim - 1];
    both[n] = m;
    both[n + 1] = k;
    *a = mica__broadcast_to(s, *a, (mica_dims){ n + 2, both });
    both[n] = k;
    both[n + 1] = columns;
    *b = mica__broadcast_to(s, *b, (mica_dims){ n + 2, both });
    both[n] = m;
    memcpy(shape, both, sizeof both);
    *ndim = n + 2;
    return *a && *b;
}

/* Operands with at least two axes, of one type. */
static mica_array *product(mica_scope *s, mica_array *a, mica_array *b)
{
    int64_t shape[MICA_MAX_NDIM], n;
    if (a->ndim > 2 &&
        b->ndim == 2) { /* many rows, one matrix: one large product, also for the derivative */
        int64_t k = a->shape[a->ndim - 1], rows = k ? a->size / k : 0;
        for (int i = 0; i < a->ndim - 1; i++) shape[i] = a->shape[i];
        if (!k)
            for (rows = 1, n = 0; n < a->ndim - 1; n++) rows *= a->shape[n];
        shape[a->ndim - 1] = b->shape[1];
        int64_t flat[2] = { rows, k };
        mica_array *c = mica__reshape(s, a, 2, flat);
        c = c ? product(s, c, b) : NULL;
        return c ? mica__reshape(s, c, a->ndim, shape) : NULL;
    }
    if (!align_batches(s, &a, &b, shape, &n)) return NULL;
    return mica__build(s, mica_prim_matmul, NULL, 2, (mica_array *[]){ a, b }, (mica_dtype)a->dtype,
                       (mica_dims){ n, shape });
}

mica_array *mica_matmul(mica_scope *s, mica_array *a, mica_array *b)
{
    mica_dtype dtype;
    if (!check_operands(s, "matmul", a, b, &dtype)) return NULL;
    a = mica__cast(s, a, dtype);
    b = mica__cast(s, b, dtype);
    if (!a || !b) return NULL;
    bool row = a->ndim == 1, column = b->ndim == 1;
    int64_t first = 0, second = 1;
    if (row) a = mica_expand_dims(s, a, (mica_dims){ 1, &first });
    if (column) b = mica_expand_dims(s, b, (mica_dims){ 1, &second });
    mica_array *c = a && b ? product(s, a, b) : NULL;
    if (!c || (!row && !column)) return c;
    int64_t axes[2], n = 0;
    if (row) axes[n++] = c->ndim - 2;
    if (column) axes[n++] = c->ndim - 1;
    return mica__squeeze_axes(s, c, n, axes);
}

mica_array *mica_addmm(mica_scope *s, mica_array *c, mica_array *a, mica_array *b, double alpha,
                       double beta)
{
    mica_dtype dtype;
    if (!check_operands(s, "addmm", a, b, &dtype)) return NULL;
    if (!c) return mica__error(s, MICA_EVALUE, "[addmm] the addend is NULL");
    mica_array *all[3] = { a, b, c };
    dtype = mica__result_dtype(all, 3);
    mica_array *ab = mica_matmul(s, mica__cast(s, a, dtype), mica__cast(s, b, dtype));
    if (!ab) return NULL;
    c = mica__cast(s, c, dtype);
    int64_t room[MICA_MAX_NDIM];
    int n = c ? mica__broadcast(mica__dims_of(c), mica__dims_of(ab), room) : -1;
    if (c && (n != ab->ndim || !mica__shape_equal((mica_dims){ n, room }, mica__dims_of(ab))))
        return mica__error(
            s, MICA_EVALUE,
            "[addmm] shape %s of the addend does not broadcast to that of the product, %s",
            mica__shape_text(mica__dims_of(c)), mica__shape_text(mica__dims_of(ab)));
    /* A factor of 0 leaves its operand unread, NaN and infinities with it, as BLAS has it (Dongarra
     * et al., "A Set of Level 3 Basic Linear Algebra Subprograms", 1990, section 4). */
    if (alpha == 0 && beta == 0) return mica_zeros(s, mica__dims_of(ab), dtype);
    if (alpha == 0) ab = mica_broadcast_to(s, c, mica__dims_of(ab));
    double factor = alpha == 0 ? beta : alpha;
    if (factor != 1) ab = mica_multiply(s, ab, mica_number(s, factor));
    if (alpha == 0 || beta == 0) return ab;
    if (beta != 1) c = mica_multiply(s, c, mica_number(s, beta));
    mica_array *sum = mica_add(s, ab, c);
    if (sum) mica__node_of(sum)->flags |= MICA_NODE_ASKED; /* the doctor need not propose addmm */
    return sum;
}
