/* Builders of normalisations, rotary embedding and attention: one node each. */
#include <math.h>

#include "ops/builder.h"

static mica_array *fail_type(mica_scope *s, const char *name, mica_dtype d)
{
    return mica__error(
        s, MICA_EVALUE,
        "[%s] Received unsupported type %s; accepted: float16, bfloat16, float32, float64.", name,
        mica_dtype_name(d));
}

/* ---- normalisations ---- */

/* weight or bias: NULL passes. */
static bool check_vector(mica_scope *s, const char *name, const char *what, const mica_array *x,
                         const mica_array *v)
{
    if (!v) return mica__scope_ok(s);
    if (v->ndim != 1)
        mica__error(s, MICA_EVALUE, "[%s] %s must have 1 dimension but has shape %s.", name, what,
                    mica__shape_text(mica__dims_of(v)));
    else if (v->shape[0] != x->shape[x->ndim - 1])
        mica__error(s, MICA_EVALUE,
                    "[%s] %s must have the same size as the last dimension of x but has %lld "
                    "elements, and x shape %s.",
                    name, what, (long long)v->shape[0], mica__shape_text(mica__dims_of(x)));
    return mica__scope_ok(s);
}

/* The type of the result: a bias alone has no say. */
static bool check_norm(mica_scope *s, const char *name, mica_array *x, mica_array *weight,
                       mica_array *bias, mica_dtype *dtype)
{
    if (!mica__ready(s, x)) return false;
    if (!x->ndim) {
        mica__error(s, MICA_EVALUE, "[%s] x must have at least 1 dimension but has shape ().",
                    name);
        return false;
    }
    if (!check_vector(s, name, "weight", x, weight) || !check_vector(s, name, "bias", x, bias))
        return false;
    mica_array *all[3] = { x, weight, bias };
    *dtype = mica__result_dtype(all, !weight ? 1 : !bias ? 2 : 3);
    if (!mica__is_float(*dtype)) {
        static const char *const names[3] = { "x", "weight", "bias" };
        int i = 0; /* the first that alone is refused, else x */
        for (int k = 2; k >= 0; k--)
            if (all[k] && !mica__is_float((mica_dtype)all[k]->dtype)) i = k;
        mica__error(s, MICA_EVALUE,
                    "[%s] Received unsupported type %s of %s; accepted: float16, bfloat16, "
                    "float32, float64.",
                    name, mica_dtype_name((mica_dtype)all[i]->dtype), names[i]);
    }
    return mica__scope_ok(s);
}

mica_array *mica_fast_rms_norm(mica_scope *s, mica_array *x, mica_array *weight, double eps)
{
    mica_dtype dtype;
    x = mica__operand(s, x);
    weight = mica__operand(s, weight);
    if (!check_norm(s, "rms_norm", x, weight, NULL, &dtype)) return NULL;
    struct mica__rms_norm_params p = { .eps = eps, .weighted = weight != NULL };
    mica_array *in[2] = { mica__cast(s, x, dtype), weight ? mica__cast(s, weight, dtype) : NULL };
    return mica__build(s, mica_prim_rms_norm, &p, 1 + (weight != NULL), in, dtype,
                       mica__dims_of(x));
}

mica_array *mica_fast_layer_norm(mica_scope *s, mica_array *x, mica_array *weight, mica_array *bias,
                                 double eps)
{
    mica_dtype dtype;
    x = mica__operand(s, x);
    weight = mica__operand(s, weight);
    bias = mica__operand(s, bias);
    if (!check_norm(s, "layer_norm", x, weight, bias, &dtype)) return NULL;
    struct mica__layer_norm_params p = { .eps = eps,
                                         .weighted = weight != NULL,
                                         .biased = bias != NULL };
    mica_array *in[3] = { mica__cast(s, x, dtype), NULL, NULL };
    size_t n = 1;
    if (weight) in[n++] = mica__cast(s, weight, dtype);
    if (bias) in[n++] = mica__cast(s, bias, dtype);
    return mica__build(s, mica_prim_layer_norm, &p, n, in, dtype, mica__dims_of(x));
}

/* ---- rotary embedding ---- */

static bool check_rope(mica_scope *s, const mica_array *a, int64_t dims, double base,
                       const mica_array *freqs)
{
    if (a->ndim < 3)
        mica__error(
            s, MICA_EVALUE,
            "[rope] Input must have at least 3 dimensions but got input with %d dimensions.",
            a->ndim);
    else if (!mica__is_float((mica_dtype)a->dtype))
        mica__error(s, MICA_EVALUE, "[rope] Input must be a floating type but got %s.",
                    mica_dtype_name((mica_dtype)a->dtype));
    else if (dims <= 0)
        mica__error(s, MICA_EVALUE, "[rope] dims must be positive but got %lld.", (long long)dims);
    else if (dims % 2)
        mica__error(s, MICA_EVALUE, "[rope] dims must be even but got %lld.", (long long)dims);
    else if (dims > a->shape[a->ndim - 1])
        mica__error(s, MICA_EVALUE,
                    "[rope] dims must not exceed the input's last dimension (%lld) but got %lld.",
                    (long long)a->shape[a->ndim - 1], (long long)dims);
    else if (freqs && !isnan(base))
        mica__error(s, MICA_EVALUE, "[rope] Only one of base or freqs can have a value.");
    else if (!freqs && isnan(base))
        mica__error(s, MICA_EVALUE, "[rope] Neither base nor freqs has a value.");
    else if (freqs && (freqs->ndim != 1 || freqs->shape[0] != dims / 2))
        mica__error(s, MICA_EVALUE,
                    "[rope] freqs must be one dimensional with size %lld but got shape %s.",
                    (long long)(dims / 2), mica__shape_text(mica__dims_of(freqs)));
    else if (freqs && freqs->dtype == MICA_COMPLEX64)
        mica__error(s, MICA_EVALUE, "[rope] freqs must be real but got type complex64.");
    return mica__scope_ok(s);
}

static bool check_offset(mica_scope *s, const mica_array *a, const mica_array *offset)
{
    if (!mica__is_integer((mica_dtype)offset->dtype))
        mica__error(s, MICA_EVALUE, "[rope] offset must be an integer but got type %s.",
                    mica_dtype_name((mica_dtype)offset->dtype));
    else if (offset->ndim > 1)
        mica__error(s, MICA_EVALUE,
                    "[rope] offset must have at most one dimension but has shape %s.",
                    mica__shape_text(mica__dims_of(offset)));
    else if (offset->ndim && offset->shape[0] != 1 && offset->shape[0] != a->shape[0])
        mica__error(s, MICA_EVALUE,
                    "[rope] offset must be a scalar or vector with %lld elements but has shape %s.",
                    (long long)a->shape[0], mica__shape_text(mica__dims_of(offset)));
    return mica__scope_ok(s);
}

mica_array *mica_fast_rope(mica_scope *s, mica_array *a, int64_t dims, bool traditional,
                           double base, double scale, mica_array *offset, mica_array *freqs)
{
    a = mica__operand(s, a);
    offset = mica__operand(s, offset);
    freqs = mica__operand(s, freqs);
    if (!mica__ready(s, a)) return NULL;
    if (!offset) return mica__error(s, MICA_EVALUE, "[rope] the offset is NULL");
    if (!check_rope(s, a, dims, base, freqs) || !check_offset(s, a, offset)) return NULL;
    if (offset->ndim && offset->shape[0] == 1) offset = mica__reshape(s, offset, 0, NULL);
    struct mica__rope_params p = { .dims = dims,
                                   .traditional = traditional,
                                   .base = freqs ? 0 : base,
                                   .scale = scale,
                                   .custom = freqs != NULL };
    mica_array *in[3] = { a, offset, freqs ? mica__cast(s, freqs, MICA_FLOAT32) : NULL };
    return mica__build(s, mica_prim_rope, &p, freqs ? 3 : 2, in, (mica_dtype)a->dtype,
                       mica__dims_of(a));
}

/* ---- attention ---- */

#define NAME "scaled_dot_product_attention"

static bool check_shapes(mica_scope *s, mica_array *const qkv[3])
{
    for (int i = 0; i < 3; i++)
        if (qkv[i]->ndim != 4) {
            mica__error(s, MICA_EVALUE, "[" NAME "] input with shape %s expected to be rank 4",
                        mica__shape_text(mica__dims_of(qkv[i])));
            return false;
        }
    const int64_t *q = qkv[0]->shape, *k = qkv[1]->shape, *v = qkv[2]->shape;
    if (q[0] != k[0] || q[0] != v[0])
        mica__error(s, MICA_EVALUE,
                    "[" NAME
                    "] mismatching batch dimension for input with shape %s; q has shape %s.",
                    mica__shape_text(mica__dims_of(q[0] != k[0] ? qkv[1] : qkv[2])),
                    mica__shape_text(mica__dims_of(qkv[0])));
    else if (q[3] != k[3])
        mica__error(s, MICA_EVALUE,
                    "[" NAME "] query, keys expected to have matching last dimension; found query "
                    "shape %s for keys shape %s.",
                    mica__shape_text(mica__dims_of(qkv[0])),
                    mica__shape_text(mica__dims_of(qkv[1])));
    else if (k[1] != v[1])
        mica__error(s, MICA_EVALUE,
                    "[" NAME "] keys, values expected to have matching n_kv_heads; found keys with "
                    "n_heads %lld for values with n_heads %lld.",
                    (long long)k[1], (long long)v[1]);
    else if (k[1] ? q[1] % k[1] : q[1])
        mica__error(
            s, MICA_EVALUE,
            "[" NAME
            "] n_heads must be a multiple of n_kv_heads, found n_heads %lld for n_kv_heads %lld.",
            (long long)q[1], (long long)k[1]);
    else if (k[2] != v[2])
        mica__error(
            s, MICA_EVALUE,
            "[" NAME
            "] keys and values must have the same length; found keys shape %s for values shape %s.",
            mica__shape_text(mica__dims_of(qkv[1])), mica__shape_text(mica__dims_of(qkv[2])));
    return mica__scope_ok(s);
}

/* The mask in the scores' shape: bool, or of the result's type. */
static mica_array *prepare_mask(mica_scope *s, mica_array *mask, mica_dtype dtype, mica_dims scores)
{
    int64_t both[MICA_MAX_NDIM];
    mask = mica__operand(s, mask);
    if (!mask) return NULL;
    if (mask->ndim > 4)
        return mica__error(s, MICA_EVALUE,
                           "[" NAME "] the mask with shape %s expected to have at most rank 4.",
                           mica__shape_text(mica__dims_of(mask)));
    if (mica__promote((mica_dtype)mask->dtype, dtype) != dtype)
        return mica__error(
            s, MICA_EVALUE,
            "[" NAME
            "] Mask type must promote to output type %s, but it is %s; cast it with astype.",
            mica_dtype_name(dtype), mica_dtype_name((mica_dtype)mask->dtype));
    int n = mica__broadcast(mica__dims_of(mask), scores, both);
    if (n < 0 || !mica__shape_equal((mica_dims){ n, both }, scores))
        return mica__error(s, MICA_EVALUE,
                           "[" NAME
                           "] the mask's shape %s does not broadcast to that of the scores, %s.",
                           mica__shape_text(mica__dims_of(mask)), mica__shape_text(scores));
    if (mask->dtype != MICA_BOOL) mask = mica__cast(s, mask, dtype);
    return mica__broadcast_to(s, mask, scores);
}

static mica_array *prepare_sinks(mica_scope *s, mica_array *sinks, mica_dtype dtype, int64_t heads)
{
    sinks = mica__operand(s, sinks);
    if (!sinks) return NULL;
    if (sinks->ndim != 1 || sinks->shape[0] != heads)
        return mica__error(
            s, MICA_EVALUE,
            "[" NAME
            "] Received invalid shape for sinks %s; accepted: (%lld,), one for each head of q.",
            mica__shape_text(mica__dims_of(sinks)), (long long)heads);
    if (mica__promote((mica_dtype)sinks->dtype, dtype) != dtype)
        return mica__error(
            s, MICA_EVALUE,
            "[" NAME
            "] Type of sinks must promote to output type %s, but it is %s; cast it with astype.",
            mica_dtype_name(dtype), mica_dtype_name((mica_dtype)sinks->dtype));
    return mica__cast(s, sinks, dtype);
}

mica_array *mica_fast_scaled_dot_product_attention(mica_scope *s, mica_array *q, mica_array *k,
                                                   mica_array *v, double scale, mica_mask mask,
                                                   mica_array *sinks, bool force_fused)
{
    (void)force_fused;
    mica_array *in[5] = { mica__operand(s, q), mica__operand(s, k), mica__operand(s, v) }, *out[2];
    if (!mica__ready(s, in[0]) || !in[1] || !in[2])
        return mica__error(s, MICA_EVALUE, "[" NAME "] an operand is NULL");
    if (!check_shapes(s, in)) return NULL;
    mica_dtype dtype = mica__result_dtype(in, 3);
    if (!mica__is_float(dtype)) return fail_type(s, NAME, dtype);
    int64_t scores[4] = { in[0]->shape[0], in[0]->shape[1], in[0]->shape[2], in[1]->shape[2] };
    struct mica__attention_params p = {
        .scale = scale, .causal = mask.causal, .masked = mask.array != NULL, .sinks = sinks != NULL
    };
    size_t n = 3;
    for (size_t i = 0; i < 3; i++) in[i] = mica__cast(s, in[i], dtype);
    if (mask.array) in[n++] = prepare_mask(s, mask.array, dtype, (mica_dims){ 4, scores });
    if (sinks) in[n++] = prepare_sinks(s, sinks, dtype, scores[1]);
    if (!mica__scope_ok(s)) return NULL;
    int64_t result[4] = { scores[0], scores[1], scores[2], in[2]->shape[3] },
            rows[4] = { scores[0], scores[1], scores[2], 2 };
    mica_dtype dtypes[2] = { dtype, dtype == MICA_FLOAT64 ? MICA_FLOAT64 : MICA_FLOAT32 };
    mica_dims shapes[2] = { { 4, result }, { 4, rows } };
    mica__build_many(s, mica_prim_attention, &p, n, in, 2, dtypes, shapes, out);
    return out[0];
}
