/* Buffers, those of NumPy above all, as arrays. */
#include "array.h"

#include "backend/cpu/kernel.h"

mica_array *mica_py_refuse(const char *format, PyObject *o)
{
    PyObject *name = PyType_GetName(Py_TYPE(o));
    if (name) PyErr_Format(PyExc_ValueError, format, name);
    Py_XDECREF(name);
    return NULL;
}

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

mica_array *mica_py_from_buffer(mica_scope *s, PyObject *o, mica_dtype dtype)
{
    Py_buffer b;
    if (PyObject_GetBuffer(o, &b, PyBUF_FORMAT | PyBUF_STRIDES) < 0) {
        /* bfloat16 arrays refuse to export their format: read as 16-bit integers. */
        PyErr_Clear();
        PyObject *view = is_bfloat16(o) ? PyObject_CallMethod(o, "view", "s", "uint16") : NULL;
        if (!view) {
            PyErr_Clear();
            mica_py_refuse("Invalid type %U received in array initialization.", o);
            return NULL;
        }
        mica_array *bits = mica_py_from_buffer(s, view, MICA_DEFAULT_DTYPE);
        Py_DECREF(view);
        if (bits) bits->dtype = MICA_BFLOAT16;
        return bits && dtype != MICA_DEFAULT_DTYPE ? mica__cast(s, bits, dtype) : bits;
    }
    mica_array *a = NULL;
    if (b.ndim && (!b.shape || !b.strides))
        mica_py_refuse("Invalid type %U received in array initialization.", o); /* datetime64 */
    else a = take_buffer(s, &b, dtype);
    PyBuffer_Release(&b);
    return a;
}
