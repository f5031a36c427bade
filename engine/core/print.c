/* Printing in the reference's layout: nested brackets, at most six items an axis (else three, dots,
 * three), six digits. */
#include "core/print.h"

#include <math.h>
#include <stdio.h>

_Atomic int mica__print_precision = -1;

enum { SHOWN = 6, EDGE = 3 };

typedef struct text {
    char *at;
    size_t n, capacity;
    bool failed;
} text;

static void put(text *t, const char *s, size_t length)
{
    if (t->failed) return;
    if (t->n + length + 1 > t->capacity) {
        size_t capacity = 2 * t->capacity + length + 64;
        char *at = mica__realloc(t->at, capacity);
        if (!at) {
            t->failed = true;
            return;
        }
        t->at = at;
        t->capacity = capacity;
    }
    memcpy(t->at + t->n, s, length);
    t->n += length;
    t->at[t->n] = 0;
}

static void put_text(text *t, const char *s)
{
    put(t, s, strlen(s));
}

static void put_real(text *t, double x)
{
    char s[400];
    int precision = mica__print_precision;
    if (isnan(x)) snprintf(s, sizeof s, signbit(x) ? "-nan" : "nan");
    else if (isinf(x)) snprintf(s, sizeof s, x < 0 ? "-inf" : "inf");
    else if (precision >= 0) snprintf(s, sizeof s, "%.*f", precision > 60 ? 60 : precision, x);
    else snprintf(s, sizeof s, "%.6g", x);
    put_text(t, s);
}

static void put_element(text *t, mica_dtype d, const char *p)
{
    char s[32];
    switch (d) {
    case MICA_BOOL: put_text(t, *(const uint8_t *)p ? "True" : "False"); return;
    case MICA_UINT64: {
        uint64_t u;
        memcpy(&u, p, sizeof u);
        snprintf(s, sizeof s, "%llu", (unsigned long long)u);
        break;
    }
    case MICA_INT64: {
        int64_t i;
        memcpy(&i, p, sizeof i);
        snprintf(s, sizeof s, "%lld", (long long)i);
        break;
    }
    case MICA_COMPLEX64: {
        mica_complex64 c;
        memcpy(&c, p, sizeof c);
        put_real(t, c.re);
        if (!(c.im < 0)) put_text(t, "+");
        put_real(t, c.im);
        put_text(t, "j");
        return;
    }
    default:
        if (mica__is_float(d)) {
            put_real(t, mica__load_number(d, p));
            return;
        }
        snprintf(s, sizeof s, "%lld", (long long)mica__load_number(d, p));
    }
    put_text(t, s);
}

/* Separators: ", " between the innermost, a line break and the depth's indentation between blocks.
 */
static void put_axis(text *t, const mica_array *a, int axis, const char *p)
{
    if (axis == a->ndim) {
        put_element(t, (mica_dtype)a->dtype, p);
        return;
    }
    char between[MICA_MAX_NDIM + 12] = ", ";
    bool inner = axis == a->ndim - 1;
    if (!inner) snprintf(between, sizeof between, ",\n%*s", 6 + axis + 1, "");
    ptrdiff_t step = a->strides[axis] * mica__dtype_sizes[a->dtype];
    int64_t n = a->shape[axis];
    put_text(t, "[");
    for (int64_t i = 0; i < n; i++) {
        if (i) put_text(t, between);
        if (n > SHOWN && i == EDGE) {
            put_text(t, "...");
            i = n - EDGE - 1;
            continue;
        }
        put_axis(t, a, axis + 1, p + i * step); /* at most MICA_MAX_NDIM deep */
    }
    put_text(t, "]");
}

char *mica__describe(const mica_array *a)
{
    text t = { 0 };
    put_text(&t, "array(");
    if (a->ndim && a->shape[0] == 0) put_text(&t, "[]");
    else put_axis(&t, a, 0, a->data);
    put_text(&t, ", dtype=");
    put_text(&t, mica_dtype_name((mica_dtype)a->dtype));
    put_text(&t, ")");
    if (!t.failed) return t.at;
    mica__free(t.at);
    return NULL;
}
