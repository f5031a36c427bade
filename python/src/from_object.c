/* Any Python object as an array: numbers, nested sequences, and what other libraries offer. */
#include "array.h"
#include "convert.h"

#include "backend/cpu/kernel.h"
#include "core/watch.h"

/* ---- numbers ---- */

/* A weak number; NULL without exception when o is none. */
static mica_array *number(mica_scope *s, PyObject *o)
{
    mica_array *a = NULL;
    if (PyBool_Check(o)) {
        a = mica__truth(s, o == Py_True);
    } else if (PyFloat_Check(o)) {
        a = mica_number(s, PyFloat_AsDouble(o));
    } else if (PyLong_Check(o)) {
        int overflow;
        long long i = PyLong_AsLongLongAndOverflow(o, &overflow);
        if (overflow) {
            PyErr_Format(PyExc_RuntimeError, "the integer %R does not fit into 64 bits with sign",
                         o);
            return NULL;
        }
        if (i == -1 && PyErr_Occurred()) return NULL;
        a = mica_integer(s, i);
    } else if (PyComplex_Check(o)) {
        a = mica__complex(s, PyComplex_RealAsDouble(o), PyComplex_ImagAsDouble(o));
    }
    if (a) a->flags |= MICA_ARRAY_DISPOSABLE;
    return a;
}

/* ---- nested sequences ---- */

typedef enum leaf { LEAF_BOOL, LEAF_INT, LEAF_LONG, LEAF_FLOAT, LEAF_COMPLEX } leaf;

typedef struct nest {
    int ndim; /* -1 until the first leaf */
    int64_t shape[MICA_MAX_NDIM];
    leaf kind;
    bool has_arrays, has_number;
    int64_t place[MICA_MAX_NDIM]; /* of what is looked at, an index an axis */
    uint64_t seen; /* leaves, for signals: whose handlers may change the lists meanwhile */
} nest;

static bool is_sequence(PyObject *o)
{
    return PyList_Check(o) || PyTuple_Check(o);
}
static Py_ssize_t count(PyObject *o)
{
    return PyList_Check(o) ? PyList_Size(o) : PyTuple_Size(o);
}
static PyObject *item(PyObject *o, Py_ssize_t i)
{
    return PyList_Check(o) ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i);
}

static bool too_deep(void)
{
    PyErr_Format(PyExc_ValueError,
                 "[array] lists are nested deeper than the %d axes that an array can have",
                 MICA_MAX_NDIM);
    return false;
}

/* o, below `depth` axes, is not like what came before: says where it stands and what both are. */
static bool ragged(const nest *n, PyObject *o, int depth)
{
    char where[256] = "", before[160] = "numbers";
    for (int i = 0; i < depth; i++) {
        size_t used = strlen(where);
        PyOS_snprintf(where + used, sizeof where - used, "[%lld]", (long long)n->place[i]);
    }
    if (n->ndim > depth)
        PyOS_snprintf(before, sizeof before, "of shape %s",
                      mica__shape_text((mica_dims){ n->ndim - depth, n->shape + depth }));
    const char *text = "Initialization encountered non-uniform length or extra dimension";
    const mica_array *a = mica_py_array(o);
    if (a)
        PyErr_Format(PyExc_ValueError,
                     "[array] %s: item %s is an array of shape %s where those before it are %s",
                     text, where, mica__shape_text(mica__dims_of(a)), before);
    else if (is_sequence(o))
        PyErr_Format(PyExc_ValueError,
                     "[array] %s: item %s is a %s of length %zd where those before it are %s", text,
                     where, mica_py_type_name(o), count(o), before);
    else
        PyErr_Format(PyExc_ValueError,
                     "[array] %s: item %s is of type %s where those before it are %s", text, where,
                     mica_py_type_name(o), before);
    return false;
}

/* The lists are others than when they were measured. */
static bool changed(void)
{
    PyErr_SetString(PyExc_ValueError,
                    "[array] the lists changed their lengths while they were read");
    return false;
}

static bool measure_leaf(nest *n, PyObject *o)
{
    if (mica_py_interrupted(&n->seen)) return false;
    leaf kind;
    if (PyBool_Check(o)) kind = LEAF_BOOL;
    else if (PyLong_Check(o)) {
        int overflow;
        long long i = PyLong_AsLongLongAndOverflow(o, &overflow);
        kind = overflow || i != (int32_t)i ? LEAF_LONG : LEAF_INT;
    } else if (PyFloat_Check(o)) kind = LEAF_FLOAT;
    else if (PyComplex_Check(o)) kind = LEAF_COMPLEX;
    else {
        mica_py_refuse("Invalid type %U received in array initialization.", o);
        return false;
    }
    n->has_number = true;
    if (kind > n->kind) n->kind = kind;
    return true;
}

/* Checks that o fits below `depth` axes; the first branch sets the shape. Recursion is bounded by
 * MICA_MAX_NDIM. */
static bool measure(nest *n, PyObject *o, int depth)
{
    if (is_sequence(o)) {
        if (depth >= MICA_MAX_NDIM) return too_deep();
        int64_t length = count(o);
        if (n->ndim >= 0 && (depth >= n->ndim || n->shape[depth] != length))
            return ragged(n, o, depth);
        if (n->ndim < 0) n->shape[depth] = length;
        if (!length) {
            if (n->ndim < 0) n->ndim = depth + 1;
            return depth + 1 == n->ndim ? true : ragged(n, o, depth);
        }
        bool good = true;
        for (int64_t i = 0; good && i < length; i++) {
            PyObject *part = item(o, i);
            Py_XINCREF(part);
            n->place[depth] = i;
            good = part && measure(n, part, depth + 1);
            Py_XDECREF(part);
        }
        return good;
    }
    if (mica_py_array(o)) {
        n->has_arrays = true;
        int below = mica_py_array(o)->ndim;
        if (n->ndim < 0) {
            n->ndim = depth + below;
            if (n->ndim > MICA_MAX_NDIM) return too_deep();
            for (int i = 0; i < below; i++) n->shape[depth + i] = mica_py_array(o)->shape[i];
        }
        if (n->ndim != depth + below) return ragged(n, o, depth);
        for (int i = 0; i < below; i++)
            if (n->shape[depth + i] != mica_py_array(o)->shape[i]) return ragged(n, o, depth);
        return true;
    }
    if (n->ndim < 0) n->ndim = depth;
    return depth == n->ndim ? measure_leaf(n, o) : ragged(n, o, depth);
}

static bool store(mica_dtype d, void *to, PyObject *o)
{
    if (PyComplex_Check(o)) {
        mica__store_number(d, to, false, 0, PyComplex_RealAsDouble(o), PyComplex_ImagAsDouble(o));
    } else if (PyFloat_Check(o)) {
        mica__store_number(d, to, false, 0, PyFloat_AsDouble(o), 0);
    } else {
        int overflow;
        long long i = PyLong_AsLongLongAndOverflow(o, &overflow);
        unsigned long long u = 0;
        if (!overflow) mica__store_number(d, to, true, i, 0, 0);
        else if (mica__is_inexact(d)) mica__store_number(d, to, false, 0, PyLong_AsDouble(o), 0);
        else if (d == MICA_UINT64 && overflow > 0) u = PyLong_AsUnsignedLongLong(o);
        else PyErr_SetNone(PyExc_OverflowError);
        if (overflow && d == MICA_UINT64) memcpy(to, &u, sizeof u);
        if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_OverflowError))
            PyErr_Format(PyExc_RuntimeError, "[array] the integer %R does not fit into %s", o,
                         mica_dtype_name(d));
    }
    return !PyErr_Occurred();
}

typedef struct filling {
    mica_dtype dtype;
    char *at, *end;
    uint64_t count;
} filling;

static bool fill(filling *f, PyObject *o)
{
    if (!is_sequence(o)) {
        if (f->at == f->end) return changed();
        if (!store(f->dtype, f->at, o)) return false;
        f->at += mica__dtype_sizes[f->dtype];
        return !mica_py_interrupted(&f->count);
    }
    Py_ssize_t n = count(o);
    bool good = true;
    for (Py_ssize_t i = 0; good && i < n; i++) {
        PyObject *part = item(o, i);
        Py_XINCREF(part);
        good = part && fill(f, part);
        Py_XDECREF(part);
    }
    return good;
}

/* Lists that hold arrays: each level is stacked. */
static mica_array *stack_nested(mica_scope *s, PyObject *o)
{
    if (!is_sequence(o))
        return mica_py_array(o) ? mica_py_array(o) : mica_py_from_object(s, o, MICA_DEFAULT_DTYPE);
    Py_ssize_t n = count(o);
    mica_array **parts = mica__scope_alloc(s, ((size_t)n + 1) * sizeof *parts);
    if (!parts) return NULL;
    for (Py_ssize_t i = 0; i < n; i++)
        if (!(parts[i] = stack_nested(s, item(o, i)))) return NULL;
    return mica_stack(s, (mica_arrays){ (size_t)n, parts }, 0);
}

static mica_array *from_sequence(mica_scope *s, PyObject *o, mica_dtype dtype)
{
    static const mica_dtype kinds[] = { MICA_BOOL, MICA_INT32, MICA_INT64, MICA_FLOAT32,
                                        MICA_COMPLEX64 };
    nest n = { .ndim = -1 };
    if (!measure(&n, o, 0)) return NULL;
    if (n.has_arrays) {
        mica_array *a = stack_nested(s, o);
        return a && dtype != MICA_DEFAULT_DTYPE ? mica__cast(s, a, dtype) : a;
    }
    bool asked = dtype != MICA_DEFAULT_DTYPE;
    if (!asked) dtype = n.has_number ? kinds[n.kind] : MICA_FLOAT32;
    mica_array *a = mica__empty(s, dtype, (mica_dims){ n.ndim, n.shape });
    if (a && !asked && mica__watching()) a->flags |= MICA_ARRAY_MADE;
    if (!a) return NULL;
    filling f = { dtype, a->data, a->data + a->size * mica__dtype_sizes[dtype], 0 };
    if (!fill(&f, o)) return NULL;
    return f.at == f.end || changed() ? a : NULL;
}

/* ---- any object ---- */

static mica_array *from_protocol(mica_scope *s, PyObject *o, mica_dtype dtype)
{
    PyObject *a = PyObject_GetAttrString(o, "__mlx_array__");
    if (a && !mica_py_array(a) && PyCallable_Check(a)) {
        PyObject *called = PyObject_CallNoArgs(a);
        Py_DECREF(a);
        a = called;
    }
    mica_array *array = a ? mica_py_array(a) : NULL;
    if (a && !array) mica_py_refuse("__mlx_array__ of %U gives no array", o);
    if (array) mica_scope_own(s, mica_retain(array));
    Py_XDECREF(a);
    return array && dtype != MICA_DEFAULT_DTYPE ? mica__cast(s, array, dtype) : array;
}

mica_array *mica_py_from_object(mica_scope *s, PyObject *o, mica_dtype dtype)
{
    mica_array *a = mica_py_array(o);
    if (a) return dtype == MICA_DEFAULT_DTYPE ? a : mica__cast(s, a, dtype);
    if (PyBool_Check(o) || PyLong_Check(o) || PyFloat_Check(o) || PyComplex_Check(o)) {
        nest n = { .ndim = -1 };
        if (!measure(&n, o, 0)) return NULL;
        static const mica_dtype kinds[] = { MICA_BOOL, MICA_INT32, MICA_INT64, MICA_FLOAT32,
                                            MICA_COMPLEX64 };
        if (dtype == MICA_DEFAULT_DTYPE) dtype = kinds[n.kind];
        a = mica_scalar(s, 0, dtype);
        return a && store(dtype, a->data, o) ? a : NULL;
    }
    if (is_sequence(o)) return from_sequence(s, o, dtype);
    if (PyObject_HasAttrString(o, "__mlx_array__")) return from_protocol(s, o, dtype);
    if (PyObject_CheckBuffer(o)) return mica_py_from_buffer(s, o, dtype);
    if (PyObject_HasAttrString(o, "__dlpack__")) {
        a = mica_py_from_dlpack(s, o);
        /* As with buffers: float64 is narrowed unless it is asked for. */
        if (a && dtype == MICA_DEFAULT_DTYPE && a->dtype == MICA_FLOAT64) dtype = MICA_FLOAT32;
        return a && dtype != MICA_DEFAULT_DTYPE ? mica__cast(s, a, dtype) : a;
    }
    PyObject *name = PyType_GetName(Py_TYPE(o));
    if (name)
        PyErr_Format(o == Py_None ? PyExc_TypeError : PyExc_ValueError,
                     "[array] Invalid type %U received in array initialization; a %U cannot become "
                     "an array; accepted are numbers, nested lists and tuples of them, arrays, "
                     "buffers (NumPy) and DLPack tensors",
                     name, name);
    Py_XDECREF(name);
    return NULL;
}

mica_array *mica_py_operand(mica_scope *s, PyObject *o, mica_array *peer)
{
    mica_array *a = mica_py_array(o);
    if (a) return a;
    if ((a = number(s, o)) || PyErr_Occurred()) return a;
    if (s->status != MICA_OK) return NULL;
    if (PyObject_HasAttrString(o, "__mlx_array__")) return from_protocol(s, o, MICA_DEFAULT_DTYPE);
    if (!PyObject_CheckBuffer(o))
        return mica_py_refuse("cannot convert %U to an array; accepted: array, number", o);
    bool typed = peer && !(peer->flags & MICA_ARRAY_WEAK);
    a = mica_py_from_buffer(s, o, typed ? (mica_dtype)peer->dtype : MICA_DEFAULT_DTYPE);
    if (!a && PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_RuntimeError)) {
        PyErr_Clear(); /* array() raises RuntimeError there */
        return mica_py_refuse("cannot convert the elements of %U to an array", o);
    }
    return a;
}
