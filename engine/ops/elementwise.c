/* Element-wise builders: one function a number of operands; types by the row's rule, shapes by
 * broadcasting. */
#include <stdio.h>

#include "ops/builder.h"
#include "ops/rule.h"

const mica__rule_info mica__rules[] = {
#define B MICA_KIND_B
#define I MICA_KIND_I
#define F MICA_KIND_F
#define C MICA_KIND_C
#define RULE(name, convert, accepts, out)                                                          \
    [MICA_RULE_##name] = { MICA_CONVERT_##convert, accepts, MICA_OUT_##out },
#include "ops/rule.def"
#undef RULE
#undef B
#undef I
#undef F
#undef C
};

unsigned mica__kind_of(mica_dtype d)
{
    if (d == MICA_BOOL) return MICA_KIND_B;
    if (d == MICA_COMPLEX64) return MICA_KIND_C;
    return mica__is_float(d) ? MICA_KIND_F : MICA_KIND_I;
}

/* "bool, integers": for messages. */
static const char *kind_names(unsigned kinds, char out[64])
{
    static const struct {
        unsigned kind;
        const char *name;
    } all[] = { { MICA_KIND_B, "bool" },
                { MICA_KIND_I, "integers" },
                { MICA_KIND_F, "real floats" },
                { MICA_KIND_C, "complex64" } };
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (kinds & all[i].kind)
            n += (size_t)snprintf(out + n, 64 - n, "%s%s", n ? ", " : "", all[i].name);
    return out;
}

/* The common type of the operands under a rule; false when the primitive does not take it. */
static bool apply_rule(mica_scope *s, mica_prim prim, mica_array *const in[], size_t n,
                       mica_dtype *dtype)
{
    const mica__rule_info *r = &mica__rules[mica__prims[prim].rule];
    mica_dtype d = mica__result_dtype(in, n);
    if (r->convert == MICA_CONVERT_FLOAT) d = mica__float_dtype(d);
    if (r->convert == MICA_CONVERT_TRUTH) d = MICA_BOOL;
    if (!(r->accepts & mica__kind_of(d))) {
        /* The reference's classes: RuntimeError for bitwise functions of two operands, ValueError
         * for the rest. */
        bool bitwise = mica__prims[prim].rule == MICA_RULE_INTEGRAL && n == 2;
        bool mixed = n == 2 && in[0]->dtype != in[1]->dtype;
        char names[64], met[64] = "";
        if (mixed)
            snprintf(met, sizeof met, ", which %s and %s promote to,",
                     mica_dtype_name((mica_dtype)in[0]->dtype),
                     mica_dtype_name((mica_dtype)in[1]->dtype));
        mica__error(s, bitwise ? MICA_ERUNTIME : MICA_EVALUE,
                    "[%s] %s%s is not accepted; accepted: %s", mica__prims[prim].name,
                    mica_dtype_name(d), met, kind_names(r->accepts, names));
        return false;
    }
    *dtype = d;
    return true;
}

mica_dtype mica__rule_out(mica_prim prim, mica_dtype in)
{
    bool shift = prim == mica_prim_left_shift || prim == mica_prim_right_shift;
    if (shift && in == MICA_BOOL) return MICA_UINT8; /* True << True is 2 */
    switch (mica__rules[mica__prims[prim].rule].out) {
    case MICA_OUT_TRUTH: return MICA_BOOL;
    case MICA_OUT_REAL: return in == MICA_COMPLEX64 ? MICA_FLOAT32 : in;
    default: return in;
    }
}

static bool present(mica_scope *s, mica_prim prim, mica_array *const in[], size_t n)
{
    if (!mica__scope_ok(s)) return false;
    for (size_t i = 0; i < n; i++)
        if (!in[i]) {
            mica__error(s, MICA_EVALUE, "[%s] operand %zu is NULL", mica__prims[prim].name, i);
            return false;
        }
    return true;
}

mica_array *mica__unary(mica_scope *s, mica_prim prim, mica_array *a)
{
    mica_dtype d;
    if (!present(s, prim, &a, 1) || !apply_rule(s, prim, &a, 1, &d)) return NULL;
    a = mica__cast(s, a, d);
    return a ? mica__build(s, prim, NULL, 1, &a, mica__rule_out(prim, d), mica__dims_of(a)) : NULL;
}

/* The broadcast shape of the operands, with a hint where the likely intention is known. */
static bool broadcast(mica_scope *s, mica_prim prim, mica_array *const in[], size_t n,
                      int64_t shape[], mica_dims *out)
{
    int64_t common[MICA_MAX_NDIM];
    *out = mica__dims_of(in[0]);
    for (size_t i = 1; i < n; i++) {
        mica_dims next = mica__dims_of(in[i]);
        if (mica__shape_equal(*out, next)) continue;
        int ndim = mica__broadcast(*out, next, common);
        if (ndim < 0) {
            const char *a = mica__shape_text(*out), *b = mica__shape_text(next);
            bool column = out->n == 2 && next.n == 1 && out->at[0] == next.at[0];
            mica__error(s, MICA_EVALUE, "[%s] shapes %s and %s cannot be broadcast together%s",
                        mica__prims[prim].name, a, b,
                        column ? "; did you mean y[:, None] for the second?" : "");
            return false;
        }
        memcpy(shape, common, (size_t)ndim * sizeof *shape);
        *out = (mica_dims){ ndim, shape };
    }
    return true;
}

mica_array *mica__binary(mica_scope *s, mica_prim prim, mica_array *a, mica_array *b)
{
    mica_array *in[2] = { a, b };
    mica_dtype d;
    mica_dims shape;
    int64_t room[MICA_MAX_NDIM];
    if (!present(s, prim, in, 2) || !apply_rule(s, prim, in, 2, &d)) return NULL;
    if (!(in[0] = mica__cast(s, a, d)) || !(in[1] = mica__cast(s, b, d))) return NULL;
    if (!broadcast(s, prim, in, 2, room, &shape)) return NULL;
    return mica__build(s, prim, NULL, 2, in, mica__rule_out(prim, d), shape);
}

/* where: the condition becomes bool, the others meet. */
mica_array *mica__ternary(mica_scope *s, mica_prim prim, mica_array *a, mica_array *b,
                          mica_array *c)
{
    mica_array *in[3] = { a, b, c };
    mica_dims shape;
    int64_t room[MICA_MAX_NDIM];
    if (!present(s, prim, in, 3)) return NULL;
    mica_dtype d = mica__result_dtype(in + 1, 2);
    if (!(in[0] = mica__cast(s, a, MICA_BOOL)) || !(in[1] = mica__cast(s, b, d)) ||
        !(in[2] = mica__cast(s, c, d)))
        return NULL;
    if (!broadcast(s, prim, in, 3, room, &shape)) return NULL;
    return mica__build(s, prim, NULL, 3, in, d, shape);
}
