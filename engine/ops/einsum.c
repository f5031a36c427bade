/* Builder of einsum: sums over labelled axes as views, sums and products of matrices. */
#include "ops/einsum.h"

#include "ops/shape.h"

typedef struct operand {
    mica_array *a;
    mica__term t;
} operand;

static const operand failed = { NULL, { 0, { 0 } } };

static int place_of(const mica__term *t, int label)
{
    for (int i = 0; i < t->n; i++)
        if (t->at[i] == label) return i;
    return -1;
}

/* The axes of x in the order of `order`, whose labels it has. */
static mica_array *arranged(mica_scope *s, operand x, const mica__term *order)
{
    int64_t axes[MICA_MAX_NDIM];
    for (int i = 0; i < order->n; i++) axes[i] = place_of(&x.t, order->at[i]);
    return mica__ready(s, x.a) ? mica__permute(s, x.a, axes) : NULL;
}

/* Sums over the axes whose labels nobody keeps. */
static operand reduced(mica_scope *s, operand x, const mica__label_set *keep,
                       const mica__label_set *more)
{
    int64_t axes[MICA_MAX_NDIM], n = 0;
    mica__term t = { 0, { 0 } };
    for (int i = 0; i < x.t.n; i++) {
        if (mica__label_in(keep, x.t.at[i]) || mica__label_in(more, x.t.at[i]))
            t.at[t.n++] = x.t.at[i];
        else axes[n++] = i;
    }
    if (!n || !mica__ready(s, x.a)) return x;
    return (operand){ mica_sum(s, x.a, (mica_dims){ n, axes }, false), t };
}

/* ---- products without sums ---- */

static operand multiplied(mica_scope *s, operand a, operand b, const mica__term *order)
{
    operand both[2] = { a, b };
    for (int k = 0; k < 2; k++) {
        mica__term own = { 0, { 0 } };
        int64_t missing[MICA_MAX_NDIM], n = 0;
        for (int i = 0; i < order->n; i++) {
            if (place_of(&both[k].t, order->at[i]) >= 0) own.at[own.n++] = order->at[i];
            else missing[n++] = i;
        }
        both[k].a = arranged(s, both[k], &own);
        if (n) both[k].a = mica_expand_dims(s, both[k].a, (mica_dims){ n, missing });
        if (!both[k].a) return failed;
    }
    return (operand){ mica_multiply(s, both[0].a, both[1].a), *order };
}

/* ---- products of matrices ---- */

/* x as matrices (batch..., rows, columns). Where the columns' labels come first in x they are
   joined first and the matrix is transposed, for which products need no copy. */
static mica_array *matrices(mica_scope *s, operand x, const mica__term *batch,
                            const mica__term *rows, const mica__term *columns)
{
    if (!mica__ready(s, x.a)) return NULL;
    bool turned = rows->n && columns->n && x.t.n && place_of(rows, x.t.at[x.t.n - 1]) >= 0;
    const mica__term *parts[3] = { batch, turned ? columns : rows, turned ? rows : columns };
    mica__term order = { 0, { 0 } };
    int64_t shape[MICA_MAX_NDIM + 2];
    int n = 0;
    for (int p = 0; p < 3; p++) {
        int64_t size = 1;
        for (int i = 0; i < parts[p]->n; i++) {
            int64_t one = x.a->shape[place_of(&x.t, parts[p]->at[i])];
            order.at[order.n++] = parts[p]->at[i];
            if (p == 0) shape[n++] = one;
            size *= one;
        }
        if (p) shape[n++] = size;
    }
    if (n > MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE, "[einsum] a product needs %d axes: an array has 0 to %d",
                           n, MICA_MAX_NDIM);
    mica_array *m = mica__reshape(s, arranged(s, x, &order), n, shape);
    return turned && m ? mica_swapaxes(s, m, -1, -2) : m;
}

/* Labels by where they are: in both and kept, in a alone, in b alone, in both and summed over. */
typedef struct parts {
    mica__term batch, left, right, summed;
} parts;

static parts sorted_labels(operand a, operand b, const mica__label_set *keep)
{
    parts p = { .batch = { 0, { 0 } } };
    /* Labels that are summed over follow the larger operand, which is then not copied. */
    const mica__term *longer = a.a->size >= b.a->size ? &a.t : &b.t,
                     *other = longer == &a.t ? &b.t : &a.t;
    for (int i = 0; i < a.t.n; i++)
        if (place_of(&b.t, a.t.at[i]) < 0) p.left.at[p.left.n++] = a.t.at[i];
        else if (mica__label_in(keep, a.t.at[i])) p.batch.at[p.batch.n++] = a.t.at[i];
    for (int i = 0; i < b.t.n; i++)
        if (place_of(&a.t, b.t.at[i]) < 0) p.right.at[p.right.n++] = b.t.at[i];
    for (int i = 0; i < longer->n; i++)
        if (place_of(other, longer->at[i]) >= 0 && !mica__label_in(keep, longer->at[i]))
            p.summed.at[p.summed.n++] = longer->at[i];
    return p;
}

static void append(mica__term *t, const mica__term *more)
{
    for (int i = 0; i < more->n; i++) t->at[t->n++] = more->at[i];
}

static operand matrix_product(mica_scope *s, const char *name, operand a, operand b, const parts *p)
{
    mica_dtype dtype = mica__result_dtype((mica_array *const[]){ a.a, b.a }, 2);
    if (!mica__is_inexact(dtype)) {
        mica__error(s, MICA_EVALUE,
                    "[%s] sums of products are matrix products, which take inexact types only, but "
                    "%s and %s were "
                    "provided; cast one with astype.",
                    name, mica_dtype_name((mica_dtype)a.a->dtype),
                    mica_dtype_name((mica_dtype)b.a->dtype));
        return failed;
    }
    operand r = { NULL, { 0, { 0 } } };
    append(&r.t, &p->batch);
    append(&r.t, &p->left);
    append(&r.t, &p->right);
    int64_t shape[MICA_MAX_NDIM];
    for (int i = 0; i < r.t.n; i++) {
        int at = place_of(&a.t, r.t.at[i]);
        shape[i] = at >= 0 ? a.a->shape[at] : b.a->shape[place_of(&b.t, r.t.at[i])];
    }
    mica_array *x = matrices(s, a, &p->batch, &p->left, &p->summed),
               *y = matrices(s, b, &p->batch, &p->summed, &p->right);
    r.a = x && y ? mica__reshape(s, mica_matmul(s, x, y), r.t.n, shape) : NULL;
    return r;
}

/* The product of two operands, summed over all labels that are not kept. `order`: the labels of the
   result in the order that is wanted of it, or NULL. */
static operand pair(mica_scope *s, const char *name, operand a, operand b,
                    const mica__label_set *keep, const mica__term *order)
{
    mica__label_set in_a = mica__labels_of(&a.t), in_b = mica__labels_of(&b.t);
    a = reduced(s, a, keep, &in_b);
    b = reduced(s, b, keep, &in_a);
    if (!mica__ready(s, a.a) || !b.a) return failed;
    parts p = sorted_labels(a, b, keep);
    if (p.batch.n + p.left.n + p.right.n > MICA_MAX_NDIM) {
        mica__error(s, MICA_EVALUE, "[%s] a product has more than %d axes", name, MICA_MAX_NDIM);
        return failed;
    }
    if (p.summed.n) return matrix_product(s, name, a, b, &p);
    mica__term all = a.t;
    append(&all, &p.right);
    return multiplied(s, a, b, order ? order : &all);
}

mica_array *mica__contract(mica_scope *s, const char *name, mica_array *a, const mica__term *a_term,
                           mica_array *b, const mica__term *b_term, const mica__term *out)
{
    mica__label_set keep = mica__labels_of(out);
    if (!mica__ready(s, a) || !b) return NULL;
    return arranged(s, pair(s, name, (operand){ a, *a_term }, (operand){ b, *b_term }, &keep, out),
                    out);
}

/* ---- einsum ---- */

static void without(mica__term *t, int axis)
{
    t->n--;
    for (int i = axis; i < t->n; i++) t->at[i] = t->at[i + 1];
}

/* An operand as it enters: diagonals of repeated labels; axes of size 1 that meet larger ones
 * vanish. */
static operand entering(mica_scope *s, const char *name, const mica__einsum *e, size_t i,
                        mica_array *a)
{
    operand x = { mica__operand(s, a), e->in[i] };
    for (int first = 0; first < x.t.n; first++)
        for (int second = first + 1; second < x.t.n; second++) {
            if (x.t.at[first] != x.t.at[second]) continue;
            if (!mica__ready(s, x.a)) return failed;
            if (x.a->shape[first] != x.a->shape[second]) {
                mica__error(s, MICA_EVALUE,
                            "[%s] input %zu with shape %s repeats a subscript for different sizes",
                            name, i, mica__shape_text(mica__dims_of(a)));
                return failed;
            }
            x.a = mica_diagonal(s, x.a, 0, first, second);
            uint8_t label = x.t.at[first];
            without(&x.t, second);
            without(&x.t, first);
            x.t.at[x.t.n++] = label;
            first = -1; /* the axes have moved */
            break;
        }
    int64_t axes[MICA_MAX_NDIM], n = 0;
    if (!mica__ready(s, x.a)) return failed;
    mica__term t = { 0, { 0 } };
    for (int k = 0; k < x.t.n; k++) {
        if (x.a->shape[k] == 1 && e->size[x.t.at[k]] != 1) axes[n++] = k;
        else t.at[t.n++] = x.t.at[k];
    }
    return (operand){ mica__squeeze_axes(s, x.a, n, axes), t };
}

/* Contracts operands first and second, puts the result at the end. */
static size_t take_pair(mica_scope *s, const mica__einsum *e, operand *left, size_t n, size_t first,
                        size_t second)
{
    mica__label_set keep = mica__labels_of(&e->out);
    size_t kept = 0;
    operand a = left[first], b = left[second];
    for (size_t i = 0; i < n; i++) {
        if (i == first || i == second) continue;
        for (int k = 0; k < left[i].t.n; k++) mica__label_add(&keep, left[i].t.at[k]);
        left[kept++] = left[i];
    }
    left[kept] = pair(s, "einsum", a, b, &keep, kept ? NULL : &e->out);
    return kept + 1;
}

mica_array *mica_einsum(mica_scope *s, const char *subscripts, mica_arrays operands)
{
    mica__einsum e;
    mica__einsum_step *steps = NULL;
    if (!mica__einsum_parse(s, "einsum", subscripts, operands, &e)) return NULL;
    size_t count = mica__einsum_plan(s, &e, &steps), n = e.n;
    operand *left = mica__scope_alloc(s, n * sizeof *left);
    if (!count || !left) return NULL;
    for (size_t i = 0; i < n; i++) left[i] = entering(s, "einsum", &e, i, operands.at[i]);
    for (size_t i = 0; i < count && mica__scope_ok(s); i++) {
        if (!steps[i].all)
            n = take_pair(s, &e, left, n, (size_t)steps[i].first, (size_t)steps[i].second);
        while (steps[i].all && n > 1 && mica__scope_ok(s)) n = take_pair(s, &e, left, n, 0, 1);
    }
    mica__label_set keep = mica__labels_of(&e.out), none = { { 0, 0 } };
    operand r = reduced(s, left[0], &keep, &none);
    return mica__ready(s, r.a) ? arranged(s, r, &e.out) : NULL;
}
