/* Attributes and methods of mica.core.array. */
#include "array.h"

#include <string.h>

#include "call.h"
#include "convert.h"
#include "record.h"
#include "backend/cpu/kernel.h"

/* ---- attributes ---- */

PyObject *mica_py_shape_tuple(const mica_array *a)
{
    PyObject *t = PyTuple_New(a->ndim);
    for (int i = 0; t && i < a->ndim; i++) {
        PyObject *n = PyLong_FromLongLong(a->shape[i]);
        if (!n || PyTuple_SetItem(t, i, n)) {
            Py_DECREF(t);
            return NULL;
        }
    }
    return t;
}

static PyObject *get_shape(PyObject *self, void *unused)
{
    (void)unused;
    mica_py_observe(self);
    return mica_py_shape_tuple(SELF(self));
}
static PyObject *get_ndim(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(SELF(self)->ndim);
}
static PyObject *get_size(PyObject *self, void *unused)
{
    (void)unused;
    mica_py_observe(self);
    return PyLong_FromLongLong(SELF(self)->size);
}
static PyObject *get_itemsize(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(mica__dtype_sizes[SELF(self)->dtype]);
}
static PyObject *get_nbytes(PyObject *self, void *unused)
{
    (void)unused;
    mica_py_observe(self);
    return PyLong_FromLongLong(SELF(self)->size * mica__dtype_sizes[SELF(self)->dtype]);
}
static PyObject *get_dtype(PyObject *self, void *unused)
{
    (void)unused;
    PyObject *d = mica_py_dtype_object((mica_dtype)SELF(self)->dtype);
    Py_XINCREF(d);
    return d;
}

static PyObject *apply(const char *name, PyObject *self,
                       mica_array *(*builder)(mica_scope *, mica_array *))
{
    mica_scope s;
    mica__scope_begin(&s, NULL);
    return mica_py_recorded(name, mica_py_finish(&s, builder(&s, SELF(self))), self, NULL);
}
static mica_array *reverse_axes(mica_scope *s, mica_array *a)
{
    return mica_transpose(s, a, MICA_ALL_AXES);
}
static PyObject *get_real(PyObject *self, void *unused)
{
    (void)unused;
    return apply("real", self, mica_real);
}
static PyObject *get_imag(PyObject *self, void *unused)
{
    (void)unused;
    return apply("imag", self, mica_imag);
}
static PyObject *get_T(PyObject *self, void *unused)
{
    (void)unused;
    return apply("T", self, reverse_axes);
}

static PyObject *get_mT(PyObject *self, void *unused)
{
    (void)unused;
    return apply("mT", self, mica_matrix_transpose);
}

PyGetSetDef mica_py_getters[] = {
    { "shape", get_shape, NULL, "The sizes of all axes, a tuple of ints.", NULL },
    { "ndim", get_ndim, NULL, "The number of axes.", NULL },
    { "size", get_size, NULL, "The number of elements.", NULL },
    { "itemsize", get_itemsize, NULL, "Bytes of one element.", NULL },
    { "nbytes", get_nbytes, NULL, "Bytes of all elements.", NULL },
    { "dtype", get_dtype, NULL, "The element type.", NULL },
    { "real", get_real, NULL, "The real part.", NULL },
    { "imag", get_imag, NULL, "The imaginary part; zeros for real arrays.", NULL },
    { "T", get_T, NULL, "The array with all axes in reverse order.", NULL },
    { "mT", get_mT, NULL, "The array with its last two axes exchanged.", NULL },
    { "at", mica_py_at, NULL, "Indexed updates that return a new array: x.at[idx].add(v).", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

/* ---- methods ---- */

/* reshape(2, 3) and reshape((2, 3)), transpose(1, 0) and transpose((1, 0)). */
static PyObject *call_with_numbers(const char *function, PyObject *self, PyObject *const *args,
                                   Py_ssize_t nargs, PyObject *names)
{
    const mica_row *row = mica_py_row(function);
    if (!row)
        return PyErr_Format(PyExc_RuntimeError, "[%s] is not in the table of functions", function);
    bool spread = nargs > 1 || (nargs == 1 && PyLong_Check(args[0])) ||
                  (nargs == 0 && !strcmp(function, "reshape"));
    if (!spread) return mica_py_call(row, self, args, nargs, names);
    PyObject *packed = PyTuple_New(nargs);
    if (!packed) return NULL;
    for (Py_ssize_t i = 0; i < nargs; i++) {
        Py_INCREF(args[i]);
        PyTuple_SetItem(packed, i, args[i]);
    }
    Py_ssize_t nnames = names ? PyTuple_Size(names) : 0;
    PyObject *stack[4] = { packed };
    if (nnames > 3) nnames = 3;
    for (Py_ssize_t i = 0; i < nnames; i++) stack[1 + i] = args[nargs + i];
    PyObject *result = mica_py_call(row, self, stack, 1, names);
    Py_DECREF(packed);
    return result;
}

static PyObject *method_reshape(PyObject *self, PyObject *const *args, Py_ssize_t n,
                                PyObject *names)
{
    return call_with_numbers("reshape", self, args, n, names);
}
static PyObject *method_transpose(PyObject *self, PyObject *const *args, Py_ssize_t n,
                                  PyObject *names)
{
    return call_with_numbers("transpose", self, args, n, names);
}

#define ROW_METHOD(name, function)                                                                 \
    static PyObject *method_##name(PyObject *self, PyObject *const *args, Py_ssize_t n,            \
                                   PyObject *names)                                                \
    {                                                                                              \
        static const mica_row *row;                                                                \
        if (!row && !(row = mica_py_row(#function)))                                               \
            return PyErr_Format(PyExc_RuntimeError, "[%s] is not in the table of functions",       \
                                #function);                                                        \
        return mica_py_call(row, self, args, n, names);                                            \
    }
#include "methods.def"
#undef ROW_METHOD

#define FAST(f) ((PyCFunction)(void (*)(void))(f))

static PyObject *method_item(PyObject *self, PyObject *unused)
{
    (void)unused;
    return mica_py_item(SELF(self));
}
static PyObject *method_tolist(PyObject *self, PyObject *unused)
{
    (void)unused;
    return mica_py_tolist(SELF(self));
}
static PyObject *method_copy(PyObject *self, PyObject *unused)
{
    (void)unused;
    return mica_py_wrap(SELF(self));
}
static PyObject *method_namespace(PyObject *self, PyObject *args, PyObject *keywords)
{
    (void)self;
    static char *names[] = { "api_version", NULL };
    static const char *const versions[] = { "2021.12", "2022.12", "2023.12", "2024.12" };
    const char *version = NULL;
    bool known = false;
    if (!mica_py_parse(args, keywords, "|z:__array_namespace__", names, &version)) return NULL;
    for (size_t i = 0; version && i < sizeof versions / sizeof *versions; i++)
        known |= !strcmp(version, versions[i]);
    if (version && !known)
        return PyErr_Format(PyExc_ValueError,
                            "[__array_namespace__] there is no version '%s' of the array API "
                            "standard here; accepted: None, 2021.12 to 2024.12",
                            version);
    return PyImport_ImportModule("mica.core");
}
/* The elements' bytes in row-major order. */
static PyObject *method_bytes(PyObject *self, PyObject *unused)
{
    (void)unused;
    mica_array *a = SELF(self);
    if (mica_py_need(a) < 0) return NULL;
    PyObject *bytes =
        PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(a->size * mica__dtype_sizes[a->dtype]));
    if (bytes) mica__copy_to_row_major(a, PyBytes_AsString(bytes));
    int status = mica__check_values(a);
    if (status == MICA_OK) return bytes;
    Py_XDECREF(bytes);
    return mica_py_raise(status);
}
static PyObject *method_div(PyObject *self, PyObject *other)
{
    return PyNumber_TrueDivide(self, other);
}
static PyObject *method_rdiv(PyObject *self, PyObject *other)
{
    return PyNumber_TrueDivide(other, self);
}
static PyObject *method_backward(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    PyErr_SetString(PyExc_AttributeError, "arrays have no backward(): gradients are functions "
                                          "here. Write the loss as a function and call "
                                          "nn.value_and_grad(model, loss_fn) or mx.grad(loss_fn).");
    return NULL;
}

PyMethodDef mica_py_methods[] = {
#define ROW_METHOD(name, function)                                                                 \
    { #name, FAST(method_##name), METH_FASTCALL | METH_KEYWORDS,                                   \
      "As the function of the same name in mica.core." },
#include "methods.def"
#undef ROW_METHOD
    { "reshape", FAST(method_reshape), METH_FASTCALL | METH_KEYWORDS,
      "reshape(*shape): the same elements under another shape." },
    { "transpose", FAST(method_transpose), METH_FASTCALL | METH_KEYWORDS,
      "transpose(*axes): permutes axes; reverses them without arguments." },
    { "split", FAST(mica_py_split), METH_VARARGS | METH_KEYWORDS,
      "split(indices_or_sections, axis=0): a list of arrays." },
    { "item", method_item, METH_NOARGS, "The only element as a Python number. Evaluates." },
    { "tolist", method_tolist, METH_NOARGS, "Nested lists of Python numbers. Evaluates." },
    { "__copy__", method_copy, METH_NOARGS, NULL },
    { "__deepcopy__", method_copy, METH_O, NULL },
    { "__array_namespace__", FAST(method_namespace), METH_VARARGS | METH_KEYWORDS,
      "__array_namespace__(api_version=None): the module mica.core." },
    { "__bytes__", method_bytes, METH_NOARGS,
      "The elements' bytes in row-major order. Evaluates." },
    { "__div__", method_div, METH_O, "As the operator /." },
    { "__rdiv__", method_rdiv, METH_O, "As the operator / with the operands exchanged." },
    { "backward", method_backward, METH_NOARGS,
      "Not there: raises AttributeError that says what to use." },
    { NULL, NULL, 0, NULL },
};
