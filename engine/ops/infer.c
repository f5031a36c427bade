/* Outputs by rule: the table, what rules share, and the rules of element-wise primitives. */
#include "ops/infer.h"

#include "base/text.h"
#include "ops/rule.h"

#define INFER(prim, rule) mica__infer_rule mica__infer_##rule;
#include "ops/infer.def"
#undef INFER

static mica__infer_rule *const rules[MICA_PRIM_COUNT] = {
#define INFER(prim, rule) [mica_prim_##prim] = mica__infer_##rule,
#include "ops/infer.def"
#undef INFER
};

/* ---- what rules share ---- */

/* With other sizes than those of the trace it is the call that is wrong, not the file. */
static bool refuse_sizes(mica__inference *i)
{
    mica__text shapes = { 0 };
    for (size_t k = 0; k < i->nin; k++)
        mica__text_add_format(&shapes, k ? ", %s" : "%s",
                              mica__shape_text(mica__dims_of(i->in[k])));
    mica__error(i->s, MICA_EVALUE,
                "[import_function] the function was exported for one shape, and for the sizes that "
                "are given its %s does not take arrays of shapes %s: export the function with each "
                "shape it is to take",
                mica__prims[i->prim].name, shapes.at ? shapes.at : "");
    mica__text_free(&shapes);
    return false;
}

bool mica__infer_refuse(mica__inference *i, const char *what)
{
    if (i->resized) return refuse_sizes(i);
    mica__error(i->s, MICA_EIO, "[import_function] the file is damaged: %s of %s", what,
                mica__prims[i->prim].name);
    return false;
}

bool mica__infer_give(mica__inference *i, size_t k, mica_dtype dtype, mica_dims shape)
{
    int64_t *sizes = mica__scope_alloc(i->s, ((size_t)shape.n + 1) * sizeof *sizes);
    if (!sizes) return false;
    if (shape.n) memcpy(sizes, shape.at, (size_t)shape.n * sizeof *sizes);
    i->dtypes[k] = dtype;
    i->shapes[k] = (mica_dims){ shape.n, sizes };
    return true;
}

bool mica__infer_like(mica__inference *i, size_t k, const mica_array *a)
{
    return mica__infer_give(i, k, (mica_dtype)a->dtype, mica__dims_of(a));
}

bool mica__infer_count(mica__inference *i, size_t nin, size_t nout)
{
    if (i->nin != nin) return mica__infer_refuse(i, "the number of inputs");
    return i->nout == nout || mica__infer_refuse(i, "the number of outputs");
}

bool mica__infer_one_type(mica__inference *i, size_t first, size_t last)
{
    for (size_t k = first; k < last; k++)
        if (i->in[k]->dtype != i->in[first]->dtype) return mica__infer_refuse(i, "an input's type");
    return true;
}

bool mica__infer_axis(mica__inference *i, int64_t axis, int ndim)
{
    return (axis >= 0 && axis < ndim) || mica__infer_refuse(i, "the axis");
}

bool mica__infer_axes(mica__inference *i, mica_dims axes, int64_t ndim, bool ascending)
{
    bool seen[MICA_MAX_NDIM] = { false };
    if (axes.n < 0 || axes.n > ndim || ndim > MICA_MAX_NDIM)
        return mica__infer_refuse(i, "the axes");
    for (int64_t k = 0; k < axes.n; k++) {
        int64_t axis = axes.at[k];
        if (axis < 0 || axis >= ndim || seen[axis] || (ascending && k && axis < axes.at[k - 1]))
            return mica__infer_refuse(i, "the axes");
        seen[axis] = true;
    }
    return true;
}

bool mica__infer_sizes(mica__inference *i, mica_dims sizes)
{
    int64_t size;
    return (sizes.n >= 0 && sizes.n <= MICA_MAX_NDIM && mica__shape_size(sizes, &size)) ||
           mica__infer_refuse(i, "the sizes");
}

bool mica__infer_leading(mica__inference *i, size_t a, size_t b, int n)
{
    const mica_array *x = i->in[a], *y = i->in[b];
    return (x->ndim >= n && y->ndim >= n &&
            mica__shape_equal((mica_dims){ n, x->shape }, (mica_dims){ n, y->shape })) ||
           mica__infer_refuse(i, "an input's shape");
}

/* ---- element-wise ---- */

static bool broadcast(mica__inference *i)
{
    int64_t sizes[MICA_MAX_NDIM], wider[MICA_MAX_NDIM];
    mica_dims shape = { 0, sizes };
    for (size_t k = 0; k < i->nin; k++) {
        mica_dims next = mica__dims_of(i->in[k]);
        int ndim = mica__broadcast(shape, next, wider);
        if (ndim < 0) return mica__infer_refuse(i, "an input's shape");
        memcpy(sizes, wider, (size_t)ndim * sizeof *sizes);
        shape.n = ndim;
    }
    return mica__infer_give(i, 0, i->dtypes[0], shape);
}

static bool elementwise(mica__inference *i, size_t operands)
{
    const mica__rule_info *rule = &mica__rules[mica__prims[i->prim].rule];
    if (!mica__infer_count(i, operands, 1) || !mica__infer_one_type(i, 0, operands)) return false;
    mica_dtype d = (mica_dtype)i->in[0]->dtype;
    bool converted = rule->convert != MICA_CONVERT_FLOAT || mica__is_inexact(d);
    if (rule->convert == MICA_CONVERT_TRUTH) converted = d == MICA_BOOL;
    if (!converted || !(rule->accepts & mica__kind_of(d)))
        return mica__infer_refuse(i, "an input's type");
    i->dtypes[0] = mica__rule_out(i->prim, d);
    return broadcast(i);
}

static bool ternary(mica__inference *i)
{
    if (!mica__infer_count(i, 3, 1) || !mica__infer_one_type(i, 1, 3)) return false;
    if (i->in[0]->dtype != MICA_BOOL) return mica__infer_refuse(i, "the condition's type");
    i->dtypes[0] = (mica_dtype)i->in[1]->dtype;
    return broadcast(i);
}

static bool cast(mica__inference *i)
{
    const struct mica__astype_params *p = i->params;
    return mica__infer_count(i, 1, 1) &&
           mica__infer_give(i, 0, (mica_dtype)p->dtype, mica__dims_of(i->in[0]));
}

bool mica__infer_same(mica__inference *i)
{
    return mica__infer_count(i, 1, 1) && mica__infer_like(i, 0, i->in[0]);
}

/* The outputs are the first inputs. */
bool mica__infer_depends(mica__inference *i)
{
    if (i->nout > i->nin) return mica__infer_refuse(i, "the number of outputs");
    for (size_t k = 0; k < i->nout; k++)
        if (!mica__infer_like(i, k, i->in[k])) return false;
    return true;
}

/* ---- the driver ---- */

static bool by_class(mica__inference *i)
{
    switch (mica__prims[i->prim].class) {
    case MICA_CLASS_UNARY: return elementwise(i, 1);
    case MICA_CLASS_BINARY: return elementwise(i, 2);
    case MICA_CLASS_TERNARY: return ternary(i);
    case MICA_CLASS_CAST: return cast(i);
    default: return rules[i->prim](i);
    }
}

bool mica__infer_knows(mica_prim prim)
{
    mica__class c = mica__prims[prim].class;
    return c == MICA_CLASS_UNARY || c == MICA_CLASS_BINARY || c == MICA_CLASS_TERNARY ||
           c == MICA_CLASS_CAST || rules[prim];
}

bool mica__infer(mica__inference *i)
{
    if (!mica__infer_knows(i->prim)) return mica__infer_refuse(i, "the place in a file");
    mica_dtype *dtypes = mica__scope_alloc(i->s, i->nout * sizeof *dtypes);
    mica_dims *shapes = mica__scope_alloc(i->s, i->nout * sizeof *shapes);
    if (!dtypes || !shapes) return false;
    memcpy(dtypes, i->dtypes, i->nout * sizeof *dtypes);
    memcpy(shapes, i->shapes, i->nout * sizeof *shapes);
    if (!by_class(i)) return false;
    for (size_t k = 0; k < i->nout; k++) {
        if (i->dtypes[k] != dtypes[k]) return mica__infer_refuse(i, "the type of a result");
        if (!i->resized && !mica__shape_equal(i->shapes[k], shapes[k]))
            return mica__infer_refuse(i, "the shape of a result");
    }
    return true;
}
