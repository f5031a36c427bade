/* Norms of vectors and matrices, and cross products: made of primitives. */
#include <math.h>

#include "ops/linalg.h"

/* What is normed: magnitudes come from `a`, over n axes (ascending in `sorted`, as given in
 * `axes`); results have type `dtype`. */
typedef struct norming {
    mica_scope *s;
    mica_array *a;
    int n;
    int64_t axes[2], sorted[MICA_MAX_NDIM];
    mica_dtype dtype;
} norming;

static mica_array *over(const norming *g,
                        mica_array *(*reduce)(mica_scope *, mica_array *, mica_dims, bool),
                        mica_array *x)
{
    return x ? reduce(g->s, x, (mica_dims){ g->n, g->sorted }, true) : NULL;
}

/* sqrt(sum(|a|^2)), the sum in float32 for halves. */
static mica_array *euclidean(const norming *g)
{
    mica_scope *s = g->s;
    mica_dtype d = mica__float_dtype((mica_dtype)g->a->dtype);
    mica_array *x = mica__cast(s, g->a, mica__is_half(d) ? MICA_FLOAT32 : d);
    if (d == MICA_COMPLEX64) d = MICA_FLOAT32;
    return mica__cast(s, mica_sqrt(s, over(g, mica_sum, mica__abs_square(s, x))), d);
}

static mica_array *power_norm(const norming *g, double p)
{
    mica_scope *s = g->s;
    if (p == 2) return euclidean(g);
    if (p == 0) {
        mica_array *counted = mica_not_equal(s, g->a, mica_integer(s, 0));
        return mica__cast(s, over(g, mica_sum, mica__cast(s, counted, MICA_FLOAT32)), g->dtype);
    }
    mica_array *x = mica_abs(s, g->a);
    mica_dtype d = x ? mica__float_dtype((mica_dtype)x->dtype) : MICA_FLOAT32;
    x = mica__cast(s, x, mica__is_half(d) ? MICA_FLOAT32 : d);
    if (p == (double)INFINITY) x = over(g, mica_max, x);
    else if (p == -(double)INFINITY) x = over(g, mica_min, x);
    else if (p == 1) x = over(g, mica_sum, x);
    else
        x = mica_power(s, over(g, mica_sum, mica_power(s, x, mica_number(s, p))),
                       mica_number(s, 1 / p));
    return mica__cast(s, x, g->dtype);
}

/* The largest or smallest sum of magnitudes along the axis `along`, compared over `across`. */
static mica_array *sums_norm(const norming *g, int64_t along, int64_t across, bool largest)
{
    mica_scope *s = g->s;
    mica_array *x = mica_abs(s, g->a);
    mica_dtype d = x ? mica__float_dtype((mica_dtype)x->dtype) : MICA_FLOAT32;
    x = mica__cast(s, x, mica__is_half(d) ? MICA_FLOAT32 : d);
    x = mica__ready(s, x) ? mica_sum(s, x, (mica_dims){ 1, &along }, true) : NULL;
    if (x)
        x = largest ? mica_max(s, x, (mica_dims){ 1, &across }, true)
                    : mica_min(s, x, (mica_dims){ 1, &across }, true);
    return mica__cast(s, x, g->dtype);
}

/* Sum, maximum or minimum of the singular values; the normed axes stay with size 1. */
static mica_array *spectral_norm(const norming *g,
                                 mica_array *(*reduce)(mica_scope *, mica_array *, mica_dims, bool))
{
    mica_scope *s = g->s;
    int64_t order[MICA_MAX_NDIM], n = 0;
    mica_array *out[3];
    for (int i = 0; i < g->a->ndim; i++)
        if (i != g->axes[0] && i != g->axes[1]) order[n++] = i;
    order[n++] = g->axes[0];
    order[n++] = g->axes[1];
    if (!mica__svd(s, "norm", mica__permute(s, g->a, order), 0, out)) return NULL;
    mica_array *x = reduce(s, out[0], MICA_AXES(-1), false);
    return x ? mica_expand_dims(s, x, (mica_dims){ 2, g->sorted }) : NULL;
}

static mica_array *matrix_norm(const norming *g, double p)
{
    if (p == 1 || p == -1) return sums_norm(g, g->axes[0], g->axes[1], p > 0);
    if (p == 2 || p == -2)
        return mica__cast(g->s, spectral_norm(g, p > 0 ? mica_max : mica_min), g->dtype);
    return sums_norm(g, g->axes[1], g->axes[0], p > 0);
}

/* The reference takes "f" for "fro". */
static bool is_euclidean(mica_order ord)
{
    return !strcmp(ord.name, "fro") || !strcmp(ord.name, "f");
}

/* Whether `ord` is one for this number of axes. */
static bool check_order(mica_scope *s, mica_order ord, int64_t n)
{
    bool named = ord.name && *ord.name;
    double p = ord.number;
    if (named && n != 2)
        mica__error(
            s, MICA_EVALUE,
            "[linalg.norm] Norm '%s' only supported for matrices, but received %lld axis/axes.",
            ord.name, (long long)n);
    else if (named && !is_euclidean(ord) && strcmp(ord.name, "nuc") != 0)
        mica__error(s, MICA_EVALUE,
                    "[linalg.norm] Invalid ord value '%s' for matrix norm; accepted: 'fro', 'nuc', "
                    "1, -1, 2, -2, inf, -inf.",
                    ord.name);
    else if (n > 2 || (ord.name && n == 0))
        mica__error(s, MICA_EVALUE,
                    "[linalg.norm] Received too many axes for norm: %lld, where 1 (vectors) or 2 "
                    "(matrices) are accepted.",
                    (long long)n);
    else if (ord.name && !named && n == 2 && p != 1 && p != -1 && p != 2 && p != -2 && !isinf(p))
        mica__error(s, MICA_EVALUE,
                    "[linalg.norm] Invalid ord %g for matrix norm; accepted: 'fro', 'nuc', 1, -1, "
                    "2, -2, inf, -inf.",
                    p);
    return mica__scope_ok(s);
}

mica_array *mica_linalg_norm(mica_scope *s, mica_array *a, mica_order ord, mica_dims axis,
                             bool keepdims)
{
    norming g = { .s = s, .a = mica__operand(s, a) };
    if (!mica__ready(s, g.a)) return NULL;
    int64_t n = axis.n < 0 ? g.a->ndim : axis.n;
    bool all = axis.n < 0 && !ord.name;
    if (!all && !check_order(s, ord, n)) return NULL;
    g.dtype = mica__float_dtype((mica_dtype)g.a->dtype);
    g.n = mica__check_axes(s, "linalg.norm", MICA_EINDEX, g.a, axis, g.sorted);
    if (g.n < 0) return NULL;
    for (int64_t i = 0; i < n && i < 2; i++) {
        int64_t given = axis.n < 0 ? i : axis.at[i];
        g.axes[i] = given < 0 ? given + g.a->ndim : given;
    }
    mica_array *x;
    if (ord.name && !strcmp(ord.name, "nuc")) x = spectral_norm(&g, mica_sum);
    else if (!ord.name || is_euclidean(ord)) x = euclidean(&g);
    else x = n == 1 ? power_norm(&g, ord.number) : matrix_norm(&g, ord.number);
    return x && !keepdims && g.n ? mica__squeeze_axes(s, x, g.n, g.sorted) : x;
}

/* ---- cross products ---- */

/* a with the leading axes of `shape`; its own size along the axis, which is counted from the end
 * there. */
static mica_array *spread(mica_scope *s, mica_array *a, int axis, mica_dims shape)
{
    int64_t room[MICA_MAX_NDIM];
    for (int64_t i = 0; i < shape.n; i++) room[i] = shape.at[i];
    room[shape.n - a->ndim + axis] = a->shape[axis];
    return mica__broadcast_to(s, a, (mica_dims){ shape.n, room });
}

/* a[i] b[j] - a[j] b[i]; NULL stands for 0. */
static mica_array *minor(mica_scope *s, mica_array *const a[3], mica_array *const b[3], int i,
                         int j)
{
    mica_array *x = a[i] && b[j] ? mica_multiply(s, a[i], b[j]) : NULL,
               *y = a[j] && b[i] ? mica_multiply(s, a[j], b[i]) : NULL;
    if (x && y) return mica_subtract(s, x, y);
    return x ? x : y ? mica_negative(s, y) : mica__full_like(s, a[0], 0);
}

mica_array *mica_linalg_cross(mica_scope *s, mica_array *a, mica_array *b, int axis)
{
    mica_array *in[2] = { mica__operand(s, a), mica__operand(s, b) }, *parts[2][3] = { { NULL } };
    int64_t shapes[2][MICA_MAX_NDIM], common[MICA_MAX_NDIM];
    int own[2];
    if (!mica__ready(s, in[0]) || !in[1]) return NULL;
    for (int i = 0; i < 2; i++)
        if (!mica__check_axis(s, "linalg.cross", MICA_EINDEX, in[i], axis, &own[i])) return NULL;
    if (in[0]->ndim != in[1]->ndim &&
        axis >= 0) { /* counted from the front, the axis is not one place of both */
        mica_array *x = mica_moveaxis(s, in[0], axis, -1), *y = mica_moveaxis(s, in[1], axis, -1);
        mica_array *product = x && y ? mica_linalg_cross(s, x, y, -1) : NULL;
        return product ? mica_moveaxis(s, product, -1, axis) : NULL;
    }
    int64_t sizes[2] = { in[0]->shape[own[0]], in[1]->shape[own[1]] };
    for (int i = 0; i < 2; i++) {
        if (sizes[i] != 2 && sizes[i] != 3)
            return mica__error(s, MICA_EVALUE,
                               "[linalg.cross] The specified axis must have size 2 or 3; shapes %s "
                               "and %s have %lld and %lld along "
                               "axis %d",
                               mica__shape_text(mica__dims_of(in[0])),
                               mica__shape_text(mica__dims_of(in[1])), (long long)sizes[0],
                               (long long)sizes[1], axis);
        memcpy(shapes[i], in[i]->shape, (size_t)in[i]->ndim * sizeof(int64_t));
        shapes[i][own[i]] = 3;
    }
    int n = mica__broadcast((mica_dims){ in[0]->ndim, shapes[0] },
                            (mica_dims){ in[1]->ndim, shapes[1] }, common);
    if (n < 0 || n - in[0]->ndim + own[0] != n - in[1]->ndim + own[1])
        return mica__error(s, MICA_EVALUE, "[linalg.cross] shapes %s and %s cannot be broadcast",
                           mica__shape_text(mica__dims_of(in[0])),
                           mica__shape_text(mica__dims_of(in[1])));
    mica_dtype d = mica__result_dtype(in, 2);
    int at = n - in[0]->ndim + own[0];
    for (int i = 0; i < 2; i++) {
        mica_array *x = spread(s, mica__cast(s, in[i], d), own[i], (mica_dims){ n, common });
        for (int k = 0; k < sizes[i]; k++)
            if (!x || !(parts[i][k] = mica__slice_axis(s, x, at, k, 1))) return NULL;
    }
    mica_array *out[3] = { minor(s, parts[0], parts[1], 1, 2), minor(s, parts[0], parts[1], 2, 0),
                           minor(s, parts[0], parts[1], 0, 1) };
    for (int i = 0; i < 3; i++)
        if (!(out[i] = mica__cast(s, out[i], d))) return NULL;
    return mica__concatenate(s, 3, out, at);
}

/* ---- normal numbers that depend on each other ---- */

/* mean + sqrt(cov) z, with the symmetric root U sqrt(S) V^T, which is unique. */
mica_array *mica_random_multivariate_normal(mica_scope *s, mica_array *mean, mica_array *cov,
                                            mica_dims shape, mica_dtype dtype, mica_array *key)
{
    static const char name[] = "random.multivariate_normal";
    mean = mica__operand(s, mean);
    cov = mica__operand(s, cov);
    if (!mica__ready(s, mean) || !cov) return NULL;
    if (dtype != MICA_FLOAT32 && dtype != MICA_DEFAULT_DTYPE)
        return mica__error(s, MICA_EVALUE, "[%s] dtype must be float32, not %s", name,
                           mica_dtype_name(dtype));
    if (mean->ndim < 1 || cov->ndim < 2)
        return mica__error(s, MICA_EVALUE,
                           "[%s] the mean needs at least one dimension and the covariance two; "
                           "their shapes are %s and %s",
                           name, mica__shape_text(mica__dims_of(mean)),
                           mica__shape_text(mica__dims_of(cov)));
    int64_t size = cov->shape[cov->ndim - 1], joint[MICA_MAX_NDIM], room[MICA_MAX_NDIM];
    if (cov->shape[cov->ndim - 2] != size || mean->shape[mean->ndim - 1] != size)
        return mica__error(s, MICA_EVALUE,
                           "[%s] a covariance of shape (..., n, n) and a mean of shape (..., n) "
                           "are needed, not %s and %s",
                           name, mica__shape_text(mica__dims_of(cov)),
                           mica__shape_text(mica__dims_of(mean)));
    int n = mica__broadcast((mica_dims){ mean->ndim - 1, mean->shape },
                            (mica_dims){ cov->ndim - 2, cov->shape }, joint);
    if (n >= 0)
        n = shape.n < MICA_MAX_NDIM ? mica__broadcast((mica_dims){ n, joint }, shape, room) : -1;
    if (n < 0 || n >= MICA_MAX_NDIM)
        return mica__error(
            s, MICA_EVALUE,
            "[%s] leading axes of mean %s and covariance %s do not broadcast to shape %s", name,
            mica__shape_text(mica__dims_of(mean)), mica__shape_text(mica__dims_of(cov)),
            mica__shape_text(shape));
    room[n] = size;
    mica_array *parts[3],
        *z = mica_random_normal(s, (mica_dims){ n + 1, room }, MICA_FLOAT32, NULL, NULL, key);
    if (!z || !mica__svd(s, name, mica__cast(s, cov, MICA_FLOAT32), 2, parts)) return NULL;
    mica_array *half = mica_expand_dims(s, mica_sqrt(s, parts[1]), MICA_AXES(-2));
    mica_array *root = mica_matmul(s, mica_multiply(s, parts[0], half), parts[2]);
    mica_array *x = mica_matmul(s, root, mica_expand_dims(s, z, MICA_AXES(-1)));
    x = x ? mica_squeeze(s, x, MICA_AXES(-1)) : NULL;
    return x ? mica_add(s, x, mica__cast(s, mean, MICA_FLOAT32)) : NULL;
}
