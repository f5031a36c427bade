/* Construction of nodes: what every builder ends in, values, weak numbers, and checks of axes. */
#include "ops/builder.h"

#include "core/current.h"
#include "ops/fold.h"

_Thread_local mica_stream *mica__current_stream;
_Thread_local bool mica__sizes_vary;

/* ---- nodes ---- */

static bool usable(mica_scope *s, mica_prim prim, size_t n, mica_array *const inputs[])
{
    if (!mica__scope_ok(s)) return false;
    for (size_t i = 0; i < n; i++)
        if (!inputs[i]) {
            mica__error(s, MICA_EVALUE, "[%s] input %zu is NULL", mica__prims[prim].name, i);
            return false;
        }
    return true;
}

/* The node with its inputs retained and parameters copied; outputs have no shape yet. */
static mica_node *node_begin(mica_scope *s, mica_prim prim, const void *params, size_t ninputs,
                             mica_array *const inputs[], size_t noutputs, int64_t ndim)
{
    if (!usable(s, prim, ninputs, inputs)) return NULL;
    mica_node *n = mica__node_new(prim, noutputs, ndim, ninputs,
                                  params ? mica__params_bytes(prim, params) : 0);
    if (!n) return mica__scope_failed(s, MICA_EMEMORY);
    unsigned flags = mica__sizes_vary ? MICA_NODE_SIZED : 0;
    for (size_t i = 0; i < ninputs; i++) {
        n->inputs[i] = mica_retain(inputs[i]);
        flags |= mica__node_of(inputs[i])->flags & (MICA_NODE_TRACED | MICA_NODE_ABSTRACT);
    }
    n->flags |= (uint8_t)flags;
    n->origin = s->origin;
    n->stream = s->stream ? s->stream : mica__current_stream;
    if (params) mica__params_copy(prim, n->params, params);
    return n;
}

mica_array *mica__build(mica_scope *s, mica_prim prim, const void *params, size_t ninputs,
                        mica_array *const inputs[], mica_dtype dtype, mica_dims shape)
{
    if (prim == mica_prim_astype && mica__ready(s, inputs[0])) {
        mica_array *folded = mica__fold_cast(s, inputs[0], dtype);
        if (folded) return folded;
    }
    mica_node *n = node_begin(s, prim, params, ninputs, inputs, 1, shape.n);
    if (!n) return NULL;
    int status = mica__array_set_shape(&n->out[0], dtype, shape);
    if (status != MICA_OK) {
        mica__scope_failed(s, status);
        mica__node_discard(n);
        return NULL;
    }
    return mica__scope_take(s, n, 0);
}

bool mica__build_many(mica_scope *s, mica_prim prim, const void *params, size_t ninputs,
                      mica_array *const inputs[], size_t noutputs, const mica_dtype dtypes[],
                      const mica_dims shapes[], mica_array *out[])
{
    for (size_t i = 0; i < noutputs; i++) out[i] = NULL;
    int64_t ndim = noutputs ? shapes[0].n : 0;
    mica_node *n = node_begin(s, prim, params, ninputs, inputs, noutputs, ndim);
    if (!n) return false;
    for (size_t i = 0; i < noutputs; i++) {
        int status = mica__array_set_shape(&n->out[i], dtypes[i], shapes[i]);
        if (status == MICA_OK) continue;
        mica__scope_failed(s, status);
        mica__node_discard(n);
        return false;
    }
    mica_array *first = mica__node_output(n, 0);
    bool ok = true;
    for (size_t i = 0; i < noutputs && ok; i++) ok = (out[i] = mica__scope_take(s, n, i)) != NULL;
    mica_release(first);
    if (!ok)
        for (size_t i = 0; i < noutputs; i++) out[i] = NULL;
    return ok;
}

mica_array *mica__output(mica_scope *s, const mica_node *n, size_t i)
{
    return mica_scope_own(s, mica__node_output((mica_node *)(uintptr_t)n, i));
}

/* ---- values ---- */

static mica_array *constant_node(mica_scope *s, mica_dtype dtype, mica_dims shape)
{
    if (!mica__scope_ok(s)) return NULL;
    mica_node *n = mica__node_new(mica_prim_constant, 1, shape.n, 0, 0);
    if (!n) return mica__scope_failed(s, MICA_EMEMORY);
    int status = mica__array_set_shape(&n->out[0], dtype, shape);
    if (status != MICA_OK) {
        mica__scope_failed(s, status);
        mica__node_discard(n);
        return NULL;
    }
    atomic_store_explicit(&n->state, MICA_NODE_DONE, memory_order_relaxed);
    return &n->out[0];
}

static mica_array *number(mica_scope *s, mica_dtype dtype)
{
    mica_array *a = constant_node(s, dtype, MICA_SCALAR);
    if (!a) return NULL;
    a->data = a->value.bytes;
    a->flags = MICA_ARRAY_WEAK | MICA_ARRAY_ROW_MAJOR;
    return mica__scope_take(s, mica__node_of(a), 0);
}

mica_array *mica_number(mica_scope *s, double value)
{
    mica_array *a = number(s, MICA_FLOAT32);
    if (!a) return NULL;
    a->number.real = value;
    mica__store_number(MICA_FLOAT32, a->value.bytes, false, 0, value, 0);
    return a;
}

mica_array *mica_integer(mica_scope *s, int64_t value)
{
    mica_array *a = number(s, value == (int32_t)value ? MICA_INT32 : MICA_INT64);
    if (!a) return NULL;
    a->number.integer = value;
    mica__store_number((mica_dtype)a->dtype, a->value.bytes, true, value, 0, 0);
    return a;
}

mica_array *mica__truth(mica_scope *s, bool value)
{
    mica_array *a = number(s, MICA_BOOL);
    if (!a) return NULL;
    a->number.integer = value;
    a->value.bytes[0] = value;
    return a;
}

mica_array *mica__complex(mica_scope *s, double real, double imaginary)
{
    mica_array *a = number(s, MICA_COMPLEX64);
    if (!a) return NULL;
    a->number.complex = (mica_complex64){ (float)real, (float)imaginary };
    memcpy(a->value.bytes, &a->number.complex, sizeof a->number.complex);
    return a;
}

mica_array *mica_scalar(mica_scope *s, double value, mica_dtype dtype)
{
    if ((unsigned)dtype >= MICA_DTYPE_COUNT)
        return mica__error(s, MICA_EVALUE, "[scalar] %d is no element type", (int)dtype);
    mica_array *a = number(s, dtype);
    if (!a) return NULL;
    a->flags = MICA_ARRAY_ROW_MAJOR;
    mica__store_number(dtype, a->value.bytes, false, 0, value, 0);
    return a;
}

/* A weak integer must fit into integer types of less than 8 bytes. */
static bool check_fits(mica_scope *s, int64_t i, mica_dtype dtype)
{
    if (!mica__is_integer(dtype) || mica__dtype_sizes[dtype] == 8) return true;
    int bits = 8 * mica__dtype_sizes[dtype];
    bool fits = mica__is_unsigned(dtype)
                    ? i >= 0 && i < (INT64_C(1) << bits)
                    : i >= -(INT64_C(1) << (bits - 1)) && i < (INT64_C(1) << (bits - 1));
    if (!fits)
        mica__error(s, MICA_EVALUE, "Converting %lld to %s would result in overflow.", (long long)i,
                    mica_dtype_name(dtype));
    return fits;
}

/* The type that a weak number has alone. Traced ones come as float64 or int64, to lose nothing
 * until they meet an array. */
static mica_dtype weak_dtype(mica_array *a)
{
    if (a->dtype == MICA_FLOAT64) return MICA_FLOAT32;
    if (a->dtype != MICA_INT64 || mica__node_of(a)->prim == mica_prim_constant)
        return (mica_dtype)a->dtype;
    a->flags |= MICA_ARRAY_SIZED;
    return a->number.integer == (int32_t)a->number.integer ? MICA_INT32 : MICA_INT64;
}

/* The value of a weak number as an element of `dtype`. */
static bool store_weak(mica_scope *s, const mica_array *weak, mica_dtype dtype, void *out)
{
    switch ((mica_dtype)weak->dtype) {
    case MICA_FLOAT32:
    case MICA_FLOAT64: mica__store_number(dtype, out, false, 0, weak->number.real, 0); return true;
    case MICA_COMPLEX64:
        mica__store_number(dtype, out, false, 0, weak->number.complex.re, weak->number.complex.im);
        return true;
    default: break;
    }
    int64_t i = weak->number.integer;
    if (!check_fits(s, i, dtype)) return false;
    mica__store_number(dtype, out, true, i, 0, 0);
    return true;
}

mica_array *mica__strong(mica_scope *s, mica_array *a, mica_dtype dtype)
{
    if (!mica__ready(s, a)) return NULL;
    if (!(a->flags & MICA_ARRAY_WEAK)) return mica__cast(s, a, dtype);
    if (mica__node_of(a)->prim != mica_prim_constant) {
        /* A number that is being traced. */
        if (a->dtype == MICA_INT64 && mica__is_integer(dtype) && mica__dtype_sizes[dtype] < 8) {
            a->flags |= MICA_ARRAY_SIZED;
            if (!check_fits(s, a->number.integer, dtype)) return NULL;
        }
        struct mica__astype_params p = { .dtype = dtype };
        return mica__build(s, mica_prim_astype, &p, 1, &a, dtype, mica__dims_of(a));
    }
    char bytes[16];
    if (!store_weak(s, a, dtype, bytes)) return NULL;
    mica_array *strong = a;
    if (!(a->flags & MICA_ARRAY_DISPOSABLE)) {
        strong = number(s, dtype);
        if (!strong) return NULL;
    }
    memcpy(strong->value.bytes, bytes, sizeof bytes);
    strong->dtype = (uint8_t)dtype;
    strong->flags = MICA_ARRAY_ROW_MAJOR;
    return strong;
}

mica_array *mica__operand(mica_scope *s, mica_array *a)
{
    if (!a || !(a->flags & MICA_ARRAY_WEAK)) return a;
    return mica__strong(s, a, weak_dtype(a));
}

mica_array *mica__cast(mica_scope *s, mica_array *a, mica_dtype dtype)
{
    if (!mica__ready(s, a)) return NULL;
    if (a->flags & MICA_ARRAY_WEAK) return mica__strong(s, a, dtype);
    if (a->dtype == dtype) return a;
    struct mica__astype_params p = { .dtype = dtype };
    return mica__build(s, mica_prim_astype, &p, 1, &a, dtype, mica__dims_of(a));
}

mica_array *mica_astype(mica_scope *s, mica_array *a, mica_dtype dtype)
{
    if ((unsigned)dtype >= MICA_DTYPE_COUNT)
        return mica__error(s, MICA_EVALUE, "[astype] %d is no element type", (int)dtype);
    mica_array *cast = mica__cast(s, a, dtype);
    if (cast && cast != a) mica__node_of(cast)->flags |= MICA_NODE_ASKED;
    return cast;
}

static mica_dtype meet_weak(mica_dtype strong, mica_dtype weak)
{
    if (weak == MICA_COMPLEX64) return MICA_COMPLEX64;
    if (weak == MICA_BOOL || mica__is_inexact(strong)) return strong;
    if (mica__is_float(weak)) return MICA_FLOAT32;
    return strong == MICA_BOOL ? weak : strong;
}

mica_dtype mica__result_dtype(mica_array *const arrays[], size_t n)
{
    mica_dtype d = MICA_BOOL;
    bool strong = false;
    for (size_t i = 0; i < n; i++)
        if (!(arrays[i]->flags & MICA_ARRAY_WEAK)) {
            d = strong ? mica__promote(d, (mica_dtype)arrays[i]->dtype)
                       : (mica_dtype)arrays[i]->dtype;
            strong = true;
        }
    for (size_t i = 0; i < n; i++)
        if (arrays[i]->flags & MICA_ARRAY_WEAK) {
            bool alone = !strong ||
                         d == MICA_BOOL; /* beside a number the size of an integer does not count */
            mica_dtype w = alone ? weak_dtype(arrays[i]) : (mica_dtype)arrays[i]->dtype;
            d = strong ? meet_weak(d, w) : mica__promote(d, w);
        }
    return d;
}

mica_dtype mica__float_dtype(mica_dtype d)
{
    return mica__is_inexact(d) ? d : MICA_FLOAT32;
}

mica_array *mica__full(mica_scope *s, mica_dims shape, double value, mica_dtype dtype)
{
    mica_array *a = mica_scalar(s, value, dtype);
    return a ? mica__broadcast_to(s, a, shape) : NULL;
}

mica_array *mica__abs_square(mica_scope *s, mica_array *a)
{
    if (!mica__ready(s, a)) return NULL;
    if (a->dtype != MICA_COMPLEX64) return mica_square(s, a);
    return mica_add(s, mica_square(s, mica_real(s, a)), mica_square(s, mica_imag(s, a)));
}

mica_array *mica__full_like(mica_scope *s, const mica_array *a, double value)
{
    return a ? mica__full(s, mica__dims_of(a), value, (mica_dtype)a->dtype) : NULL;
}

mica_array *mica__empty(mica_scope *s, mica_dtype dtype, mica_dims shape)
{
    mica_array *a = constant_node(s, dtype, shape);
    if (!a) return NULL;
    size_t bytes = (size_t)a->size * mica__dtype_sizes[dtype];
    mica__buffer *b = mica__buffer_new(bytes);
    if (!b) {
        mica__scope_failed(s, MICA_EMEMORY);
        mica__node_discard(mica__node_of(a));
        return NULL;
    }
    mica__array_set_data(a, b, b->data, NULL);
    return mica__scope_take(s, mica__node_of(a), 0);
}

mica_array *mica__part(mica_scope *s, mica__buffer *owner, const char *data, mica_dtype dtype,
                       mica_dims shape)
{
    mica_node *n;
    if (!mica__scope_ok(s)) return NULL;
    int status = mica__node_slim(&n, mica_prim_constant, dtype, shape, owner, data);
    return status ? mica__scope_failed(s, status) : mica__scope_take(s, n, 0);
}

mica_array *mica_from_data(mica_scope *s, const void *data, mica_dims shape, mica_dtype dtype)
{
    if ((unsigned)dtype >= MICA_DTYPE_COUNT)
        return mica__error(s, MICA_EVALUE, "[from_data] %d is no element type", (int)dtype);
    mica_array *a = mica__empty(s, dtype, shape);
    if (a && a->size) memcpy(a->data, data, (size_t)a->size * mica__dtype_sizes[dtype]);
    return a;
}

mica_array *mica_from_memory(mica_scope *s, void *data, mica_dims shape, mica_dtype dtype,
                             void (*free_user)(void *), void *user)
{
    mica_array *a = NULL;
    if ((unsigned)dtype >= MICA_DTYPE_COUNT)
        mica__error(s, MICA_EVALUE, "[from_memory] %d is no element type", (int)dtype);
    else a = constant_node(s, dtype, shape);
    mica__buffer *b =
        a ? mica__buffer_adopt(data, (size_t)a->size * mica__dtype_sizes[dtype], free_user, user)
          : NULL;
    if (!b) {
        if (a) {
            mica__scope_failed(s, MICA_EMEMORY);
            mica__node_discard(mica__node_of(a));
        }
        if (free_user) free_user(user);
        return NULL;
    }
    mica__array_set_data(a, b, data, NULL);
    return mica__scope_take(s, mica__node_of(a), 0);
}

/* ---- checks ---- */

static bool normal_axis(mica_scope *s, const char *name, int status, const mica_array *a,
                        int64_t axis, int *normal)
{
    if (axis < -a->ndim || axis >= a->ndim) {
        mica__error(s, status,
                    "[%s] axis %lld is out of range for an array with %d dimensions, shape %s",
                    name, (long long)axis, a->ndim, mica__shape_text(mica__dims_of(a)));
        return false;
    }
    *normal = (int)(axis < 0 ? axis + a->ndim : axis);
    return true;
}

bool mica__check_axis(mica_scope *s, const char *name, int status, const mica_array *a, int axis,
                      int *normal)
{
    return normal_axis(s, name, status, a, axis, normal);
}

int mica__check_axes(mica_scope *s, const char *name, int status, const mica_array *a,
                     mica_dims axes, int64_t out[MICA_MAX_NDIM])
{
    bool chosen[MICA_MAX_NDIM] = { false };
    int axis, twice = -1;
    /* A wrong axis is reported before one that is given twice. */
    for (int64_t i = 0; i < axes.n; i++) {
        if (!normal_axis(s, name, status, a, axes.at[i], &axis)) return -1;
        if (chosen[axis]) twice = axis;
        chosen[axis] = true;
    }
    if (twice >= 0) {
        mica__error(s, MICA_EVALUE, "[%s] axis %d is given twice", name, twice);
        return -1;
    }
    int n = 0;
    for (int i = 0; i < a->ndim; i++)
        if (axes.n < 0 || chosen[i]) out[n++] = i;
    return n;
}

mica_array *mica__unbroadcast(mica_scope *s, mica_array *a, mica_dims shape)
{
    if (!mica__ready(s, a) || mica__shape_equal(mica__dims_of(a), shape)) return a;
    int64_t axes[MICA_MAX_NDIM], n = 0, lead = a->ndim - shape.n;
    for (int64_t i = 0; i < a->ndim; i++)
        if (i < lead || (shape.at[i - lead] == 1 && a->shape[i] != 1)) axes[n++] = i;
    if (n) a = mica_sum(s, a, (mica_dims){ n, axes }, true);
    return mica__reshape(s, a, shape.n, shape.at);
}
