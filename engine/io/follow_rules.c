/* Rules: the numbers of traces as affine functions of products of sizes. Those of a node's inputs
   are tried first, then those of the function's, then those of any array before. */
#include "io/follow_search.h"

enum { FACTORS = 1 << 12 };

/* Products of the sizes in each trace. */
static bool products(const mica__search *k, const mica__size_of *of, size_t n, int64_t out[])
{
    for (size_t t = 0; t < k->n; t++) {
        out[t] = 1;
        for (size_t i = 0; i < n; i++) {
            size_t at = k->layout.values[of[i].value].at + 8 * of[i].axis;
            if (__builtin_mul_overflow(out[t], mica__word_at(k->traces[t].at, at), &out[t]))
                return false;
        }
    }
    return true;
}

static int64_t common(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

/* Whether y is an affine function of x in all traces. */
static bool affine(const mica__search *k, const int64_t x[], const int64_t y[], mica__size_rule *r)
{
    int64_t dx = 0, dy = 0, left, right;
    for (size_t t = 1; t < k->n && !dx; t++)
        if (__builtin_sub_overflow(x[t], x[0], &dx) || __builtin_sub_overflow(y[t], y[0], &dy))
            return false;
    if (!dx) return false;
    int64_t g = common(dx, dy) * (dx < 0 ? -1 : 1);
    r->factor = dy / g;
    r->divisor = dx / g;
    if (r->factor < -FACTORS || r->factor > FACTORS || r->divisor > FACTORS) return false;
    if (__builtin_mul_overflow(r->divisor, y[0], &left) ||
        __builtin_mul_overflow(r->factor, x[0], &right) ||
        __builtin_sub_overflow(left, right, &r->addend))
        return false;
    for (size_t t = 1; t < k->n; t++)
        if (__builtin_mul_overflow(r->divisor, y[t], &left) ||
            __builtin_mul_overflow(r->factor, x[t], &right) ||
            __builtin_add_overflow(right, r->addend, &right) || left != right)
            return false;
    return true;
}

static bool fits(mica__search *k, const mica__size_of *of, size_t n, const int64_t y[], bool equal,
                 mica__size_rule *r)
{
    int64_t x[MICA__TRACES];
    if (!products(k, of, n, x) || !affine(k, x, y, r)) return false;
    if (equal && (r->factor != 1 || r->divisor != 1 || r->addend)) return false;
    mica__size_of *kept = mica__scope_alloc(k->s, (n + 1) * sizeof *kept);
    if (!kept) return false;
    memcpy(kept, of, n * sizeof *of);
    r->n = n;
    r->sizes = kept;
    return true;
}

/* Products of neighbouring axes of a value. */
static bool fits_value(mica__search *k, uint64_t v, const int64_t y[], bool equal,
                       mica__size_rule *r)
{
    mica__size_of of[MICA_MAX_NDIM];
    size_t ndim = k->layout.values[v].ndim;
    for (size_t from = 0; from < ndim; from++)
        for (size_t n = 1; from + n <= ndim; n++) {
            of[n - 1] = (mica__size_of){ v, from + n - 1 };
            if (fits(k, of, n, y, equal, r)) return true;
        }
    return false;
}

/* Products of sizes of the inputs that vary, each at most twice. */
static bool fits_ranges(mica__search *k, const int64_t y[], mica__size_rule *r)
{
    mica__size_of each[MICA__RANGES], of[2 * MICA__RANGES];
    size_t n = 0;
    for (size_t g = 1; g <= k->z->nranges; g++)
        for (size_t i = 0; i < k->naxes; i++)
            if (k->z->axes[i].range == g) {
                each[n++] = (mica__size_of){ k->axes[i].input, k->axes[i].place };
                break;
            }
    for (size_t i = 0; i < n; i++)
        if (fits(k, &each[i], 1, y, false, r)) return true;
    if (n > 6) n = 6;
    for (size_t code = 1; code < 729; code++) {
        size_t count = 0, rest = code;
        for (size_t i = 0; i < n; i++, rest /= 3)
            for (size_t m = rest % 3; m--;) of[count++] = each[i];
        if (rest) break;
        if (count > 1 && fits(k, of, count, y, false, r)) return true;
    }
    return false;
}

/* The rule for a number; 0: it is the same in all traces, 1: a rule, -1: none. */
static int rule_for(mica__search *k, size_t place, mica__size_rule *r)
{
    const struct mica__layout_number *number = &k->layout.numbers[place];
    const mica__layout_operation *o = &k->layout.operations[number->operation];
    int64_t y[MICA__TRACES];
    bool same = true;
    for (size_t t = 0; t < k->n; t++) {
        y[t] = mica__word_at(k->traces[t].at, number->at);
        same &= y[t] == y[0];
    }
    if (same) return 0;
    *r = (mica__size_rule){ .at = number->at };
    for (size_t i = 0; i < o->ninputs; i++)
        if (fits_value(k, k->layout.inputs[o->inputs + i], y, false, r)) return 1;
    if (fits_ranges(k, y, r)) return 1;
    for (uint64_t v = o->values; v-- > 0;)
        if (fits_value(k, v, y, true, r)) return 1;
    k->why = mica__prims[o->prim].name;
    return -1;
}

bool mica__find_rules(mica__search *k, bool keep)
{
    mica__size_rule r;
    size_t n = 0;
    for (size_t i = 0; i < k->layout.nnumbers; i++) {
        int found = rule_for(k, i, &r);
        if (found < 0) return false;
        if (found && keep) k->z->rules[n] = r;
        n += (size_t)found;
    }
    if (keep) k->z->nrules = n;
    return true;
}
