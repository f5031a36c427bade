/* Arrays as Python values: numbers, lists, text, NumPy, pickles. */
#include "array.h"

#include "backend/cpu/kernel.h"
#include "core/print.h"
#include "watch.h"

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

/* made: the elements before, of all lists. */
static PyObject *list_of(const mica_array *a, int axis, const char *p, uint64_t *made)
{
    if (axis == a->ndim)
        return mica_py_interrupted(made) ? NULL : mica_py_element((mica_dtype)a->dtype, p);
    PyObject *list = PyList_New((Py_ssize_t)a->shape[axis]);
    ptrdiff_t step = a->strides[axis] * mica__dtype_sizes[a->dtype];
    for (int64_t i = 0; list && i < a->shape[axis]; i++) {
        PyObject *o = list_of(a, axis + 1, p + i * step, made);
        if (!o) Py_CLEAR(list);
        else PyList_SetItem(list, (Py_ssize_t)i, o);
    }
    return list;
}

PyObject *mica_py_tolist(mica_array *a)
{
    mica_py_watch_read(a, "tolist");
    if (mica_py_need(a) < 0) return NULL;
    uint64_t made = 0;
    mica_retain(a);
    PyObject *list = checked(a, list_of(a, 0, a->data, &made));
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
    if (!mica_py_parse(args, keywords, "|OO:__array__", names, &dtype, &copy)) return NULL;
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

/* What the reference pickles: a NumPy array and the number of the element type; bfloat16 as uint16.
 */
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
    mica_array *a = mica_py_from_object(&s, values, is_bfloat16 ? MICA_UINT16 : (mica_dtype)dtype);
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
