/* Values in and out of arrays: Python numbers, nested sequences, buffers, DLPack, pickles, text. */
#include "array.h"

#include "backend/cpu/kernel.h"
#include "core/print.h"
#include "watch.h"

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

static mica_array *raise_type(const char *format, PyObject *o)
{
    PyObject *name = PyType_GetName(Py_TYPE(o));
    if (name) PyErr_Format(PyExc_ValueError, format, name);
    Py_XDECREF(name);
    return NULL;
}

/* ---- buffers ---- */

/* The element type of a buffer's format; float64 and complex128 are read as such and narrowed by
 * the caller. -1: not one of ours. */
static int format_dtype(const char *format, Py_ssize_t item, bool *wide_complex)
{
    *wide_complex = false;
    if (!format) return MICA_UINT8;
    if (*format == '@' || *format == '=' || *format == '<') format++;
    if (!strcmp(format, "bfloat16") || !strcmp(format, "E")) return MICA_BFLOAT16;
    if (!strcmp(format, "Zf")) return MICA_COMPLEX64;
    if (!strcmp(format, "Zd")) {
        *wide_complex = true;
        return MICA_COMPLEX64;
    }
    if (!format[0] || format[1]) return -1;
    switch (*format) {
    case '?': return MICA_BOOL;
    case 'e': return MICA_FLOAT16;
    case 'f': return MICA_FLOAT32;
    case 'd': return MICA_FLOAT64;
    case 'b':
    case 'h':
    case 'i':
    case 'l':
    case 'q':
    case 'n':
        return item == 1 ? MICA_INT8 : item == 2 ? MICA_INT16 : item == 4 ? MICA_INT32 : MICA_INT64;
    case 'c':
    case 'B':
    case 'H':
    case 'I':
    case 'L':
    case 'Q':
    case 'N':
        return item == 1   ? MICA_UINT8
               : item == 2 ? MICA_UINT16
               : item == 4 ? MICA_UINT32
                           : MICA_UINT64;
    default: return -1;
    }
}

/* Copies a strided buffer of any byte strides to row-major memory. */
static void copy_buffer(const Py_buffer *b, char *to)
{
    int64_t index[MICA_MAX_NDIM] = { 0 };
    Py_ssize_t count = b->itemsize ? b->len / b->itemsize : 0;
    for (Py_ssize_t k = 0; k < count; k++) {
        const char *p = b->buf;
        for (int i = 0; i < b->ndim; i++) p += index[i] * b->strides[i];
        memcpy(to + k * b->itemsize, p, (size_t)b->itemsize);
        for (int i = b->ndim - 1; i >= 0 && ++index[i] == b->shape[i]; i--) index[i] = 0;
    }
}

static bool c_contiguous(const Py_buffer *b)
{
    Py_ssize_t stride = b->itemsize;
    for (int i = b->ndim - 1; i >= 0; i--) {
        if (b->shape[i] > 1 && b->strides[i] != stride) return false;
        stride *= b->shape[i];
    }
    return true;
}

/* complex128 becomes complex64 in place of a smaller array. */
static mica_array *narrow_complex(mica_scope *s, const Py_buffer *b, mica_dims shape)
{
    mica_array *a = mica__empty(s, MICA_COMPLEX64, shape);
    char *copy = a ? mica__alloc((size_t)b->len + 1) : NULL;
    if (!copy) return NULL;
    copy_buffer(b, copy);
    mica_complex64 *to = (void *)a->data;
    for (int64_t i = 0; i < a->size; i++) {
        double pair[2];
        memcpy(pair, copy + 16 * i, sizeof pair);
        to[i] = (mica_complex64){ (float)pair[0], (float)pair[1] };
    }
    mica__free(copy);
    return a;
}

static mica_array *take_buffer(mica_scope *s, const Py_buffer *b, mica_dtype dtype)
{
    bool wide_complex;
    int found = format_dtype(b->format, b->itemsize, &wide_complex);
    if (found < 0 || (!wide_complex && b->itemsize != mica__dtype_sizes[found])) {
        PyErr_Format(PyExc_RuntimeError,
                     "[array] a buffer of format '%s' has no element type here; accepted are bool, "
                     "integers, floats and complex in native byte order",
                     b->format ? b->format : "B");
        return NULL;
    }
    if (b->ndim > MICA_MAX_NDIM) {
        PyErr_Format(PyExc_ValueError,
                     "[array] %d axes are more than the %d that an array can have", b->ndim,
                     MICA_MAX_NDIM);
        return NULL;
    }
    int64_t sizes[MICA_MAX_NDIM];
    for (int i = 0; i < b->ndim; i++) {
        sizes[i] = b->shape[i];
        if (b->strides[i] < 0 && b->shape[i] > 1) {
            PyErr_SetString(
                PyExc_ValueError,
                "[array] a buffer with negative strides is not accepted; copy it first");
            return NULL;
        }
    }
    mica_dims shape = { b->ndim, sizes };
    mica_array *a;
    if (wide_complex) {
        a = narrow_complex(s, b, shape);
    } else {
        a = mica__empty(s, (mica_dtype)found, shape);
        if (a && c_contiguous(b)) memcpy(a->data, b->buf, (size_t)b->len);
        else if (a) copy_buffer(b, a->data);
    }
    if (found == MICA_FLOAT64 && dtype == MICA_DEFAULT_DTYPE) dtype = MICA_FLOAT32;
    if (!a || dtype == MICA_DEFAULT_DTYPE || dtype == (mica_dtype)a->dtype) return a;
    mica_array *cast = mica__empty(s, dtype, shape);
    if (cast) mica__convert((size_t)a->size, a->data, (mica_dtype)a->dtype, cast->data, dtype);
    return cast;
}

/* ml_dtypes' bfloat16 comes as two opaque bytes: asked by the name of its dtype. */
static bool is_bfloat16(PyObject *o)
{
    PyObject *dtype = PyObject_GetAttrString(o, "dtype"),
             *name = dtype ? PyObject_GetAttrString(dtype, "name") : NULL;
    bool yes =
        name && PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "bfloat16") == 0;
    Py_XDECREF(dtype);
    Py_XDECREF(name);
    PyErr_Clear();
    return yes;
}

static mica_array *from_buffer(mica_scope *s, PyObject *o, mica_dtype dtype)
{
    Py_buffer b;
    if (PyObject_GetBuffer(o, &b, PyBUF_FORMAT | PyBUF_STRIDES) < 0) {
        /* bfloat16 arrays refuse to export their format: read as 16-bit integers. */
        PyErr_Clear();
        PyObject *view = is_bfloat16(o) ? PyObject_CallMethod(o, "view", "s", "uint16") : NULL;
        if (!view) {
            PyErr_Clear();
            raise_type("Invalid type %U received in array initialization.", o);
            return NULL;
        }
        mica_array *bits = from_buffer(s, view, MICA_DEFAULT_DTYPE);
        Py_DECREF(view);
        if (bits) bits->dtype = MICA_BFLOAT16;
        return bits && dtype != MICA_DEFAULT_DTYPE ? mica__cast(s, bits, dtype) : bits;
    }
    mica_array *a = NULL;
    if (b.ndim && (!b.shape || !b.strides))
        raise_type("Invalid type %U received in array initialization.", o); /* datetime64 */
    else a = take_buffer(s, &b, dtype);
    PyBuffer_Release(&b);
    return a;
}

/* ---- nested sequences ---- */

typedef enum leaf { LEAF_BOOL, LEAF_INT, LEAF_LONG, LEAF_FLOAT, LEAF_COMPLEX } leaf;

typedef struct nest {
    int ndim; /* -1 until the first leaf */
    int64_t shape[MICA_MAX_NDIM];
    leaf kind;
    bool has_arrays, has_number;
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

static bool ragged(void)
{
    PyErr_SetString(PyExc_ValueError,
                    "Initialization encountered non-uniform length or extra dimension.");
    return false;
}

static bool measure_leaf(nest *n, PyObject *o)
{
    leaf kind;
    if (PyBool_Check(o)) kind = LEAF_BOOL;
    else if (PyLong_Check(o)) {
        int overflow;
        long long i = PyLong_AsLongLongAndOverflow(o, &overflow);
        kind = overflow || i != (int32_t)i ? LEAF_LONG : LEAF_INT;
    } else if (PyFloat_Check(o)) kind = LEAF_FLOAT;
    else if (PyComplex_Check(o)) kind = LEAF_COMPLEX;
    else {
        raise_type("Invalid type %U received in array initialization.", o);
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
        if (depth >= MICA_MAX_NDIM) {
            PyErr_Format(PyExc_ValueError,
                         "[array] lists are nested deeper than the %d axes that an array can have",
                         MICA_MAX_NDIM);
            return false;
        }
        int64_t length = count(o);
        if (n->ndim >= 0 && (depth >= n->ndim || n->shape[depth] != length)) return ragged();
        if (n->ndim < 0) n->shape[depth] = length;
        if (!length) {
            if (n->ndim < 0) n->ndim = depth + 1;
            return depth + 1 == n->ndim ? true : ragged();
        }
        for (int64_t i = 0; i < length; i++)
            if (!measure(n, item(o, i), depth + 1)) return false;
        return true;
    }
    if (mica_py_array(o)) {
        n->has_arrays = true;
        int below = mica_py_array(o)->ndim;
        if (n->ndim < 0) {
            n->ndim = depth + below;
            if (n->ndim > MICA_MAX_NDIM) return ragged();
            for (int i = 0; i < below; i++) n->shape[depth + i] = mica_py_array(o)->shape[i];
        }
        if (n->ndim != depth + below) return ragged();
        for (int i = 0; i < below; i++)
            if (n->shape[depth + i] != mica_py_array(o)->shape[i]) return ragged();
        return true;
    }
    if (n->ndim < 0) n->ndim = depth;
    return depth == n->ndim ? measure_leaf(n, o) : ragged();
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

static bool fill(mica_dtype d, char **to, PyObject *o)
{
    if (!is_sequence(o)) {
        if (!store(d, *to, o)) return false;
        *to += mica__dtype_sizes[d];
        return true;
    }
    Py_ssize_t n = count(o);
    for (Py_ssize_t i = 0; i < n; i++)
        if (!fill(d, to, item(o, i))) return false;
    return true;
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
    if (dtype == MICA_DEFAULT_DTYPE) dtype = n.has_number ? kinds[n.kind] : MICA_FLOAT32;
    mica_array *a = mica__empty(s, dtype, (mica_dims){ n.ndim, n.shape });
    char *to = a ? a->data : NULL;
    return a && fill(dtype, &to, o) ? a : NULL;
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
    if (a && !array) raise_type("__mlx_array__ of %U gives no array", o);
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
    if (PyObject_CheckBuffer(o)) return from_buffer(s, o, dtype);
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
    if (PyObject_CheckBuffer(o))
        return from_buffer(s, o,
                           peer && !(peer->flags & MICA_ARRAY_WEAK) ? (mica_dtype)peer->dtype
                                                                    : MICA_DEFAULT_DTYPE);
    return raise_type("Cannot convert %U to an array", o);
}

/* ---- out ---- */

PyObject *mica_py_element(mica_dtype d, const void *p)
{
    switch (d) {
    case MICA_BOOL: return PyBool_FromLong(*(const uint8_t *)p);
    case MICA_UINT64: {
        uint64_t u;
        memcpy(&u, p, sizeof u);
        return PyLong_FromUnsignedLongLong(u);
    }
    case MICA_INT64: {
        int64_t i;
        memcpy(&i, p, sizeof i);
        return PyLong_FromLongLong(i);
    }
    case MICA_COMPLEX64: {
        mica_complex64 c;
        memcpy(&c, p, sizeof c);
        return PyComplex_FromDoubles(c.re, c.im);
    }
    default: break;
    }
    double x = mica__load_number(d, p);
    return mica__is_float(d) ? PyFloat_FromDouble(x) : PyLong_FromLongLong((long long)x);
}

/* o, or an exception in its place when it was read from a mapped file that is no longer whole. */
static PyObject *checked(const mica_array *a, PyObject *o)
{
    int status = mica__check_values(a);
    if (status == MICA_OK || !o) return o;
    Py_DECREF(o);
    return mica_py_raise(status);
}

PyObject *mica_py_item(mica_array *a)
{
    if (a->size != 1) {
        PyErr_Format(PyExc_ValueError,
                     "[item] Only length-1 arrays can be converted to Python scalars, not an array "
                     "of shape %s; index it, or use tolist().",
                     mica__shape_text(mica__dims_of(a)));
        return NULL;
    }
    mica_py_watch_read(a, "item");
    if (mica_py_need(a) < 0) return NULL;
    return checked(a, mica_py_element((mica_dtype)a->dtype, a->data));
}

static PyObject *list_of(const mica_array *a, int axis, const char *p)
{
    if (axis == a->ndim) return mica_py_element((mica_dtype)a->dtype, p);
    PyObject *list = PyList_New((Py_ssize_t)a->shape[axis]);
    ptrdiff_t step = a->strides[axis] * mica__dtype_sizes[a->dtype];
    for (int64_t i = 0; list && i < a->shape[axis]; i++) {
        PyObject *o = list_of(a, axis + 1, p + i * step);
        if (!o) Py_CLEAR(list);
        else PyList_SetItem(list, (Py_ssize_t)i, o);
    }
    return list;
}

PyObject *mica_py_tolist(mica_array *a)
{
    mica_py_watch_read(a, "tolist");
    if (mica_py_need(a) < 0) return NULL;
    mica_retain(a);
    PyObject *list = checked(a, list_of(a, 0, a->data));
    mica_release(a);
    return list;
}

PyObject *mica_py_repr(mica_array *a)
{
    if (!mica__is_done(a)) mica_py_watch_reason("print");
    if (mica_py_need(a) < 0) return NULL;
    char *text = mica__describe(a);
    if (!text) return mica_py_raise(MICA_EMEMORY);
    PyObject *o = PyUnicode_FromString(text);
    mica__free(text);
    return checked(a, o);
}

/* ---- methods: NumPy, formatting, pickling, complex ---- */

static PyObject *numpy_call(const char *function, PyObject *argument, PyObject *dtype)
{
    PyObject *numpy = PyImport_ImportModule("numpy");
    PyObject *view = numpy ? PyMemoryView_FromObject(argument) : NULL;
    PyObject *r = view ? PyObject_CallMethod(numpy, function, "O", view) : NULL;
    if (r && dtype && dtype != Py_None) {
        PyObject *cast = PyObject_CallMethod(r, "astype", "O", dtype);
        Py_DECREF(r);
        r = cast;
    }
    Py_XDECREF(view);
    Py_XDECREF(numpy);
    return r;
}

static PyObject *method_numpy(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "dtype", "copy", NULL };
    PyObject *dtype = NULL, *copy = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|OO:__array__", names, &dtype, &copy))
        return NULL;
    int copies = copy && copy != Py_None ? PyObject_IsTrue(copy) : 0;
    if (copies < 0) return NULL;
    return numpy_call(copies ? "array" : "asarray", self, dtype);
}

static PyObject *method_format(PyObject *self, PyObject *spec)
{
    mica_array *a = mica_py_array(self);
    if (!PyUnicode_Check(spec))
        return PyErr_Format(PyExc_TypeError, "[__format__] a format specification is text, not %R",
                            (PyObject *)Py_TYPE(spec));
    if (a->ndim == 0) {
        PyObject *number = mica_py_item(a), *text = number ? PyObject_Format(number, spec) : NULL;
        Py_XDECREF(number);
        return text;
    }
    if (PyObject_Length(spec) == 0) return mica_py_repr(a);
    return PyErr_Format(
        PyExc_TypeError,
        "unsupported format string passed to mlx.core.array.__format__: %R of an array with axes",
        spec);
}

static PyObject *method_complex(PyObject *self, PyObject *unused)
{
    (void)unused;
    PyObject *number = mica_py_item(mica_py_array(self));
    if (!number) return NULL;
    PyObject *c = PyComplex_FromDoubles(
        PyComplex_Check(number) ? PyComplex_RealAsDouble(number) : PyFloat_AsDouble(number),
        PyComplex_Check(number) ? PyComplex_ImagAsDouble(number) : 0.0);
    Py_DECREF(number);
    return PyErr_Occurred() ? (Py_XDECREF(c), NULL) : c;
}

static PyObject *method_reversed(PyObject *self, PyObject *unused)
{
    (void)unused;
    PyObject *rows = PySequence_List(self);
    if (!rows || PyList_Reverse(rows) < 0) {
        Py_XDECREF(rows);
        return NULL;
    }
    PyObject *iterator = PyObject_GetIter(rows);
    Py_DECREF(rows);
    return iterator;
}

static PyObject *method_round(PyObject *self, PyObject *args)
{
    long digits = 0;
    PyObject *o = NULL;
    if (!PyArg_ParseTuple(args, "|O:__round__", &o)) return NULL;
    if (o && o != Py_None && (digits = PyLong_AsLong(o)) == -1 && PyErr_Occurred()) return NULL;
    mica_scope s;
    mica__scope_begin(&s, NULL);
    return mica_py_finish(&s, mica_round(&s, mica_py_array(self), digits));
}

/* A pickle holds shape, element type and row-major bytes. */
static PyObject *method_getstate(PyObject *self, PyObject *unused)
{
    (void)unused;
    mica_array *a = mica_py_array(self);
    if (mica_py_need(a) < 0) return NULL;
    PyObject *bytes =
        PyBytes_FromStringAndSize(NULL, (Py_ssize_t)a->size * mica__dtype_sizes[a->dtype]);
    PyObject *shape = mica_py_shape_tuple(a);
    if (bytes && a->size) mica__copy_to_row_major(a, PyBytes_AsString(bytes));
    bytes = checked(a, bytes);
    return bytes && shape ? Py_BuildValue("(NNi)", bytes, shape, (int)a->dtype) : NULL;
}

/* What the reference pickles: a NumPy array and the number of the element type; bfloat16 as uint16. */
static PyObject *set_reference_state(PyObject *self, PyObject *state)
{
    PyObject *values;
    int dtype;
    if (!PyArg_ParseTuple(state, "Oi:__setstate__", &values, &dtype)) return NULL;
    if (dtype < 0 || dtype >= MICA_DTYPE_COUNT)
        return PyErr_Format(PyExc_ValueError, "[array] the pickled state is not that of an array");
    bool is_bfloat16 = dtype == MICA_BFLOAT16;
    mica_scope s;
    mica__scope_begin(&s, NULL);
    mica_array *a =
        mica_py_from_object(&s, values, is_bfloat16 ? MICA_UINT16 : (mica_dtype)dtype);
    if (a && is_bfloat16) a = mica_view(&s, a, MICA_BFLOAT16);
    if (a) mica_py_replace(self, a);
    int status = mica__scope_end(&s);
    if (status != MICA_OK) return mica_py_raise(status);
    return a ? Py_NewRef(Py_None) : NULL;
}

static PyObject *method_setstate(PyObject *self, PyObject *state)
{
    PyObject *bytes, *shape;
    int dtype;
    int64_t sizes[MICA_MAX_NDIM], size;
    if (!PyTuple_Check(state))
        return PyErr_Format(PyExc_TypeError, "[__setstate__] the state is a tuple, not %R",
                            (PyObject *)Py_TYPE(state));
    if (PyTuple_Size(state) == 2) return set_reference_state(self, state);
    if (!PyArg_ParseTuple(state, "SO!i:__setstate__", &bytes, &PyTuple_Type, &shape, &dtype))
        return NULL;
    Py_ssize_t n = PyTuple_Size(shape);
    bool good = n <= MICA_MAX_NDIM && dtype >= 0 && dtype < MICA_DTYPE_COUNT;
    for (Py_ssize_t i = 0; good && i < n; i++) {
        sizes[i] = PyLong_AsLongLong(PyTuple_GetItem(shape, i));
        if (PyErr_Occurred()) return NULL;
    }
    good = good && mica__shape_size((mica_dims){ n, sizes }, &size) &&
           size * mica__dtype_sizes[dtype] == PyBytes_Size(bytes);
    if (!good)
        return PyErr_Format(PyExc_ValueError, "[array] the pickled state is not that of an array");
    mica_scope s;
    mica__scope_begin(&s, NULL);
    mica_array *a =
        mica_from_data(&s, PyBytes_AsString(bytes), (mica_dims){ n, sizes }, (mica_dtype)dtype);
    if (a) mica_py_replace(self, a);
    int status = mica__scope_end(&s);
    if (status != MICA_OK) return mica_py_raise(status);
    Py_RETURN_NONE;
}

static PyObject *method_reduce(PyObject *self, PyObject *unused)
{
    PyObject *state = method_getstate(self, unused);
    return state ? Py_BuildValue("(O(i)N)", (PyObject *)mica_py_array_type, 0, state) : NULL;
}

static PyObject *method_dlpack_device(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    return Py_BuildValue("(ii)", 1, 0);
}

#define KEYWORDS(f) ((PyCFunction)(void (*)(void))(f))

PyMethodDef mica_py_value_methods[] = {
    { "__array__", KEYWORDS(method_numpy), METH_VARARGS | METH_KEYWORDS,
      "A NumPy array over the same memory. Evaluates." },
    { "__format__", method_format, METH_O, NULL },
    { "__reversed__", method_reversed, METH_NOARGS,
      "An iterator over the first axis, from its end." },
    { "__complex__", method_complex, METH_NOARGS, NULL },
    { "__round__", method_round, METH_VARARGS, NULL },
    { "__getstate__", method_getstate, METH_NOARGS, NULL },
    { "__setstate__", method_setstate, METH_O, NULL },
    { "__reduce__", method_reduce, METH_NOARGS, NULL },
    { "__dlpack__", KEYWORDS(mica_py_dlpack), METH_VARARGS | METH_KEYWORDS,
      "A DLPack capsule over the same memory. Evaluates." },
    { "__dlpack_device__", method_dlpack_device, METH_NOARGS, "(1, 0): the CPU." },
    { NULL, NULL, 0, NULL },
};
