/* Outputs by rule: operations in one pass, losses, recurrences. */
#include "ops/gated_delta.h"
#include "ops/infer.h"

static bool check_float(mica__inference *i, const mica_array *a)
{
    return mica__is_float((mica_dtype)a->dtype) || mica__infer_refuse(i, "an input's type");
}

static bool has_shape(mica__inference *i, const mica_array *a, mica_dims shape)
{
    return mica__shape_equal(mica__dims_of(a), shape) || mica__infer_refuse(i, "an input's shape");
}

/* What the statistics of rows are kept in. */
static mica_dtype wide(mica_dtype d)
{
    return d == MICA_FLOAT64 ? MICA_FLOAT64 : MICA_FLOAT32;
}

/* ---- normalisations ---- */

/* Weight and bias, if there are: as layer_norm has them, the other has no bias. */
static size_t vectors(const mica__inference *i)
{
    const struct mica__layer_norm_params *p = i->params;
    bool centred = i->prim == mica_prim_layer_norm || i->prim == mica_prim_layer_norm_vjp;
    return (size_t)p->weighted + (centred ? (size_t)p->biased : 0);
}

/* x of at least one axis; `n` vectors of its last one, from input 1 on. */
static bool check_norm(mica__inference *i, size_t n)
{
    const mica_array *x = i->in[0];
    if (!check_float(i, x) || !mica__infer_one_type(i, 0, i->nin)) return false;
    if (!x->ndim) return mica__infer_refuse(i, "an input's shape");
    for (size_t k = 1; k <= n; k++)
        if (!has_shape(i, i->in[k], (mica_dims){ 1, x->shape + x->ndim - 1 })) return false;
    return true;
}

bool mica__infer_norm(mica__inference *i)
{
    size_t n = vectors(i);
    return mica__infer_count(i, 1 + n, 1) && check_norm(i, n) && mica__infer_like(i, 0, i->in[0]);
}

/* Inputs x, weight if there is, cotangent; outputs for x, weight and bias. */
bool mica__infer_norm_vjp(mica__inference *i)
{
    const struct mica__rms_norm_vjp_params *p = i->params;
    size_t passed = (size_t)p->weighted, n = vectors(i);
    if (!mica__infer_count(i, 2 + passed, 1 + n) || !check_norm(i, passed)) return false;
    const mica_array *x = i->in[0];
    if (!has_shape(i, i->in[1 + passed], mica__dims_of(x)) || !mica__infer_like(i, 0, x))
        return false;
    for (size_t k = 1; k <= n; k++)
        if (!mica__infer_give(i, k, (mica_dtype)x->dtype, (mica_dims){ 1, x->shape + x->ndim - 1 }))
            return false;
    return true;
}

/* ---- rotary embedding ---- */

bool mica__infer_rope(mica__inference *i)
{
    const struct mica__rope_params *p = i->params;
    if (!mica__infer_count(i, 2 + (size_t)p->custom, 1) || !check_float(i, i->in[0])) return false;
    const mica_array *x = i->in[0], *offset = i->in[1];
    if (x->ndim < 3 || p->dims <= 0 || p->dims % 2 || p->dims > mica__size_from_end(x, 1))
        return mica__infer_refuse(i, "the features");
    if (!mica__infer_is_index(offset) || offset->ndim > 1 ||
        (offset->ndim && offset->shape[0] != x->shape[0]))
        return mica__infer_refuse(i, "the offset");
    int64_t half = p->dims / 2;
    if (p->custom && (i->in[2]->dtype != MICA_FLOAT32 ||
                      !mica__shape_equal(mica__dims_of(i->in[2]), (mica_dims){ 1, &half })))
        return mica__infer_refuse(i, "the periods");
    return mica__infer_like(i, 0, x);
}

/* ---- attention ---- */

/* q, k, v, and mask and sinks as the parameters say. */
static bool check_attention(mica__inference *i)
{
    const struct mica__attention_params *p = i->params; /* attention_vjp has the same */
    const mica_array *q = i->in[0], *k = i->in[1], *v = i->in[2];
    int lead = q->ndim - 3;
    if (!check_float(i, q) || !mica__infer_one_type(i, 0, 3)) return false;
    if (lead < 0 || k->ndim != q->ndim || v->ndim != q->ndim)
        return mica__infer_refuse(i, "an input's shape");
    if (!mica__infer_leading(i, 0, 1, lead) || !mica__infer_leading(i, 1, 2, q->ndim - 1))
        return false;
    int64_t heads = q->shape[lead], shared = k->shape[lead], sizes[MICA_MAX_NDIM];
    if (mica__size_from_end(q, 1) != mica__size_from_end(k, 1) || (shared ? heads % shared : heads))
        return mica__infer_refuse(i, "an input's shape");
    for (int axis = 0; axis < q->ndim - 1; axis++) sizes[axis] = q->shape[axis];
    sizes[q->ndim - 1] = mica__size_from_end(k, 2);
    if (p->masked) {
        const mica_array *mask = i->in[3];
        if (mask->dtype != MICA_BOOL && mask->dtype != q->dtype)
            return mica__infer_refuse(i, "the mask");
        if (!has_shape(i, mask, (mica_dims){ q->ndim, sizes })) return false;
    }
    if (!p->sinks) return true;
    const mica_array *sinks = i->in[3 + p->masked];
    return (sinks->dtype == q->dtype || mica__infer_refuse(i, "the sinks")) &&
           has_shape(i, sinks, (mica_dims){ 1, &heads });
}

/* The shapes of the result and of what belongs to its rows. */
static void attention_shapes(const mica__inference *i, int64_t result[], int64_t rows[])
{
    const mica_array *q = i->in[0];
    for (int axis = 0; axis < q->ndim - 1; axis++) result[axis] = rows[axis] = q->shape[axis];
    result[q->ndim - 1] = mica__size_from_end(i->in[2], 1);
    rows[q->ndim - 1] = 2;
}

bool mica__infer_attention(mica__inference *i)
{
    const struct mica__attention_params *p = i->params;
    int64_t result[MICA_MAX_NDIM], rows[MICA_MAX_NDIM];
    if (!mica__infer_count(i, 3 + (size_t)p->masked + (size_t)p->sinks, 2) || !check_attention(i))
        return false;
    mica_dtype d = (mica_dtype)i->in[0]->dtype;
    attention_shapes(i, result, rows);
    return mica__infer_give(i, 0, d, (mica_dims){ i->in[0]->ndim, result }) &&
           mica__infer_give(i, 1, wide(d), (mica_dims){ i->in[0]->ndim, rows });
}

bool mica__infer_attention_vjp(mica__inference *i)
{
    const struct mica__attention_params *p = i->params;
    int64_t result[MICA_MAX_NDIM], rows[MICA_MAX_NDIM];
    size_t n = 3 + (size_t)p->masked + (size_t)p->sinks;
    if (!mica__infer_count(i, n + 3, 3 + (size_t)p->sinks) || !check_attention(i)) return false;
    const mica_array *q = i->in[0];
    attention_shapes(i, result, rows);
    if (i->in[n]->dtype != q->dtype || i->in[n + 2]->dtype != q->dtype ||
        i->in[n + 1]->dtype != wide((mica_dtype)q->dtype))
        return mica__infer_refuse(i, "an input's type");
    if (!has_shape(i, i->in[n], (mica_dims){ q->ndim, result }) ||
        !has_shape(i, i->in[n + 1], (mica_dims){ q->ndim, rows }) ||
        !has_shape(i, i->in[n + 2], (mica_dims){ q->ndim, result }))
        return false;
    for (size_t k = 0; k < i->nout; k++)
        if (!mica__infer_like(i, k, i->in[k < 3 ? k : n - 1])) return false;
    return true;
}

/* ---- losses ---- */

/* Numbers in rows and an integer for each row. */
static bool check_entropy(mica__inference *i)
{
    const mica_array *x = i->in[0], *target = i->in[1];
    if (!check_float(i, x)) return false;
    if (!x->ndim || !mica__size_from_end(x, 1)) return mica__infer_refuse(i, "an input's shape");
    return (mica__infer_is_index(target) || mica__infer_refuse(i, "an input's type")) &&
           has_shape(i, target, (mica_dims){ x->ndim - 1, x->shape });
}

static mica_dims pairs_of_rows(const mica_array *x, int64_t sizes[])
{
    for (int k = 0; k < x->ndim; k++) sizes[k] = k == x->ndim - 1 ? 2 : x->shape[k];
    return (mica_dims){ x->ndim, sizes };
}

bool mica__infer_cross_entropy(mica__inference *i)
{
    int64_t sizes[MICA_MAX_NDIM];
    if (!mica__infer_count(i, 2, 2) || !check_entropy(i)) return false;
    const mica_array *x = i->in[0];
    return mica__infer_give(i, 0, MICA_FLOAT32, (mica_dims){ x->ndim - 1, x->shape }) &&
           mica__infer_give(i, 1, wide((mica_dtype)x->dtype), pairs_of_rows(x, sizes));
}

bool mica__infer_cross_entropy_vjp(mica__inference *i)
{
    int64_t sizes[MICA_MAX_NDIM];
    if (!mica__infer_count(i, 4, 1) || !check_entropy(i)) return false;
    const mica_array *x = i->in[0];
    if (i->in[2]->dtype != wide((mica_dtype)x->dtype) || i->in[3]->dtype != MICA_FLOAT32)
        return mica__infer_refuse(i, "an input's type");
    return has_shape(i, i->in[2], pairs_of_rows(x, sizes)) &&
           has_shape(i, i->in[3], (mica_dims){ x->ndim - 1, x->shape }) &&
           mica__infer_like(i, 0, x);
}

/* ---- recurrences ---- */

/* q, k (..., time, heads, keys), v (..., time, heads, values), gamma, beta (..., time, heads),
   state
   (..., heads, values, keys), then mask (..., time) if there is. */
static bool check_delta(mica__inference *i)
{
    const struct mica__gated_delta_params *p = i->params;
    const mica_array *q = i->in[MICA_DELTA_Q], *v = i->in[MICA_DELTA_V];
    int lead = q->ndim - 3;
    int64_t state[MICA_MAX_NDIM];
    if (!mica__infer_one_type(i, 0, MICA_DELTA_MASK)) return false;
    if (q->dtype != MICA_FLOAT32 && q->dtype != MICA_FLOAT64)
        return mica__infer_refuse(i, "an input's type");
    if (lead < 0 || v->ndim != q->ndim) return mica__infer_refuse(i, "an input's shape");
    int64_t heads = v->shape[lead + 1], shared = q->shape[lead + 1];
    if (shared ? heads % shared : heads) return mica__infer_refuse(i, "an input's shape");
    for (int k = 0; k < lead; k++) state[k] = v->shape[k];
    state[lead] = heads;
    state[lead + 1] = v->shape[lead + 2];
    state[lead + 2] = q->shape[lead + 2];
    mica_dims numbers = { lead + 2, v->shape };
    if (!has_shape(i, i->in[MICA_DELTA_K], mica__dims_of(q)) ||
        !mica__infer_leading(i, MICA_DELTA_Q, MICA_DELTA_V, lead + 1) ||
        !has_shape(i, i->in[MICA_DELTA_GAMMA], numbers) ||
        !has_shape(i, i->in[MICA_DELTA_BETA], numbers) ||
        !has_shape(i, i->in[MICA_DELTA_STATE], (mica_dims){ lead + 3, state }))
        return false;
    if (!p->masked) return true;
    const mica_array *mask = i->in[MICA_DELTA_MASK];
    return (mask->dtype == MICA_BOOL || mica__infer_refuse(i, "the mask")) &&
           has_shape(i, mask, (mica_dims){ lead + 1, v->shape });
}

bool mica__infer_gated_delta(mica__inference *i)
{
    const struct mica__gated_delta_params *p = i->params;
    return mica__infer_count(i, MICA_DELTA_MASK + (size_t)p->masked, 2) && check_delta(i) &&
           mica__infer_like(i, 0, i->in[MICA_DELTA_V]) &&
           mica__infer_like(i, 1, i->in[MICA_DELTA_STATE]);
}

bool mica__infer_gated_delta_vjp(mica__inference *i)
{
    const struct mica__gated_delta_params *p = i->params;
    size_t n = MICA_DELTA_MASK + (size_t)p->masked;
    if (!mica__infer_count(i, n + 2, MICA_DELTA_MASK) || !check_delta(i)) return false;
    for (size_t k = n; k < n + 2; k++) {
        const mica_array *of = i->in[k == n ? MICA_DELTA_V : MICA_DELTA_STATE];
        if (i->in[k]->dtype != of->dtype) return mica__infer_refuse(i, "an input's type");
        if (!has_shape(i, i->in[k], mica__dims_of(of))) return false;
    }
    for (size_t k = 0; k < i->nout; k++)
        if (!mica__infer_like(i, k, i->in[k])) return false;
    return true;
}
