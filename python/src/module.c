/* The module mica.core: constants, types, functions of the table, and those by hand. */
#include "array.h"

#include <math.h>

#include "watch.h"
#include "call.h"
#include "core/print.h"

int mica_py_array_types(PyObject *module);

PyObject *mica_py_raise(int status)
{
    if (PyErr_Occurred()) return NULL;
    PyObject *type = PyExc_RuntimeError;
    switch (status) {
#define STATUS(name, value, exception, text)                                                       \
    case value:                                                                                    \
        type = PyExc_##exception;                                                                  \
        break;
#define PyExc_None PyExc_SystemError
#include "base/status.def"
#undef PyExc_None
#undef STATUS
    default: break;
    }
    PyErr_SetString(type, mica_last_error());
    return NULL;
}

/* ---- evaluation of trees ---- */

/* Collects the arrays in lists, tuples and dicts (modules are dicts). Recursion is bounded by
 * Python's own limit. */
static int collect(mica__vec *v, PyObject *o)
{
    mica_array *a = mica_py_array(o);
    if (a)
        return mica__vec_push(v, mica_retain(a))
                   ? (mica_release(a), mica_py_raise(MICA_EMEMORY), -1)
                   : 0;
    bool list = PyList_Check(o), tuple = PyTuple_Check(o);
    if (!list && !tuple && !PyDict_Check(o)) return 0;
    if (Py_EnterRecursiveCall(" while collecting arrays")) return -1;
    int status = 0;
    if (list || tuple) {
        for (Py_ssize_t i = 0; !status && i < (list ? PyList_Size(o) : PyTuple_Size(o)); i++)
            status = collect(v, list ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i));
    } else {
        PyObject *key, *value;
        Py_ssize_t at = 0;
        while (!status && PyDict_Next(o, &at, &key, &value)) status = collect(v, value);
    }
    Py_LeaveRecursiveCall();
    return status;
}

static PyObject *eval_trees(PyObject *args, bool wait)
{
    mica__vec v = { 0 };
    int status = collect(&v, args);
    mica_py_watch_reason(wait ? "eval" : "async_eval");
    if (!status && v.n) status = mica_py_eval((mica_array *const *)v.at, v.n, wait);
    for (size_t i = 0; i < v.n; i++) mica_release(v.at[i]);
    mica__vec_free(&v);
    if (status) return NULL;
    Py_RETURN_NONE;
}
static PyObject *eval(PyObject *m, PyObject *args)
{
    (void)m;
    return eval_trees(args, true);
}
static PyObject *async_eval(PyObject *m, PyObject *args)
{
    (void)m;
    if (mica_py_transforming())
        return PyErr_Format(PyExc_ValueError,
                            "[async_eval] Not allowed inside a graph transformation.");
    return eval_trees(args, false);
}

/* ---- creation by hand: overloads that the table's grammar does not say ---- */

static PyObject *asarray(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { "a", "dtype", "copy", NULL };
    PyObject *o, *dtype = Py_None, *copy = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|O$O:asarray", names, &o, &dtype, &copy))
        return NULL;
    mica_dtype d = MICA_DEFAULT_DTYPE;
    if (dtype != Py_None && mica_py_dtype(dtype, &d) < 0) return NULL;
    if (copy == Py_False)
        return PyErr_Format(
            PyExc_ValueError,
            "[asarray] the values must be copied on the CPU; pass copy=None or True");
    mica_scope s;
    mica__scope_begin(&s, NULL);
    return mica_py_finish(&s, mica_py_from_object(&s, o, d));
}

static PyObject *from_dlpack(PyObject *m, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "", "copy", NULL };
    PyObject *o, *copy = Py_None;
    (void)m;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|$O:from_dlpack", names, &o, &copy))
        return NULL;
    if (copy == Py_False)
        return PyErr_Format(
            PyExc_ValueError,
            "[from_dlpack] the values must be copied on the CPU; pass copy=None or True");
    if (!PyObject_HasAttrString(o, "__dlpack__"))
        return PyErr_Format(PyExc_TypeError,
                            "[from_dlpack] an object with __dlpack__ is needed, not %R",
                            (PyObject *)Py_TYPE(o));
    mica_scope s;
    mica__scope_begin(&s, NULL);
    return mica_py_finish(&s, mica_py_from_object(&s, o, MICA_DEFAULT_DTYPE));
}

static bool real_number(const char *name, PyObject *o, double *real, bool *is_integer,
                        int64_t *integer)
{
    *is_integer = false;
    if (PyBool_Check(o) || !(PyLong_Check(o) || PyFloat_Check(o))) {
        PyObject *type = PyType_GetName(Py_TYPE(o));
        if (type)
            PyErr_Format(PyBool_Check(o) ? PyExc_ValueError : PyExc_TypeError,
                         "[%s] an int or float is needed, not %U", name, type);
        Py_XDECREF(type);
        return false;
    }
    if (PyLong_Check(o)) {
        *is_integer = true;
        *integer = PyLong_AsLongLong(o);
        *real = (double)*integer;
    } else {
        *real = PyFloat_AsDouble(o);
    }
    return !PyErr_Occurred();
}

/* arange(stop), arange(start, stop), arange(start, stop, step), with keywords and None as in the
 * reference. */
static PyObject *arange(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { "start", "stop", "step", "dtype", "stream", NULL };
    PyObject *start = NULL, *stop = NULL, *step = NULL, *dtype = Py_None, *stream = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|OOOO$O:arange", names, &start, &stop, &step,
                                     &dtype, &stream))
        return NULL;
    if (stop && Py_TYPE(stop) == Py_TYPE(mica_py_dtype_object(MICA_BOOL)))
        return PyErr_Format(PyExc_TypeError,
                            "[arange] dtype is given where stop is expected; name it: dtype=");
    if (!start && !stop) return PyErr_Format(PyExc_TypeError, "[arange] stop is missing");
    if (!start || !stop || stop == Py_None) {
        if (!stop || stop == Py_None) stop = start;
        start = NULL;
    }
    if (!stop || stop == Py_None)
        return PyErr_Format(PyExc_TypeError, "[arange] stop must be a number, not None");
    double a = 0, b, c = 1;
    int64_t ia = 0, ib = 0, ic = 1;
    bool xa = true, xb, xc = true;
    if (start == Py_None) start = NULL;
    if (step == Py_None) step = NULL;
    if ((start && !real_number("arange", start, &a, &xa, &ia)) ||
        !real_number("arange", stop, &b, &xb, &ib) ||
        (step && !real_number("arange", step, &c, &xc, &ic)))
        return NULL;
    mica_dtype d = MICA_FLOAT32;
    if (xa && xb && xc)
        d = ia == (int32_t)ia && ib == (int32_t)ib && ic == (int32_t)ic ? MICA_INT32 : MICA_INT64;
    mica_stream *on;
    if ((dtype != Py_None && mica_py_dtype(dtype, &d) < 0) || mica_py_stream(stream, &on) < 0)
        return NULL;
    mica_scope s;
    mica__scope_begin(&s, on);
    return mica_py_finish(&s, mica_arange(&s, a, b, c, d));
}

/* pad widths: n, (n,), (before, after), [(before, after), ...] */
static int pad_widths(PyObject *o, int ndim, int64_t low[], int64_t high[])
{
    Py_ssize_t n = PySequence_Check(o) ? PySequence_Size(o) : -1;
    int64_t pair[2];
    bool nested = false;
    if (n > 0) {
        PyObject *first = PySequence_GetItem(o, 0);
        nested = first && PySequence_Check(first);
        Py_XDECREF(first);
    }
    if (nested && n != ndim && n != 1) {
        PyErr_Format(PyExc_ValueError,
                     "[pad] %zd pairs of widths are given for an array with %d axes", n, ndim);
        return -1;
    }
    for (int i = 0; i < ndim; i++) {
        PyObject *at = nested ? PySequence_GetItem(o, n == 1 ? 0 : i) : (Py_INCREF(o), o);
        if (!at) return -1;
        Py_ssize_t m = PySequence_Check(at) ? PySequence_Size(at) : 0;
        if (m > 2 || (m == 0 && !PyLong_Check(at))) {
            PyErr_SetString(PyExc_TypeError, "[pad] argument 'pad_width' must be an int, a pair "
                                             "(before, after), or a sequence of pairs");
            Py_DECREF(at);
            return -1;
        }
        for (int k = 0; k < 2; k++) {
            PyObject *w = m ? PySequence_GetItem(at, m == 1 ? 0 : k) : (Py_INCREF(at), at);
            pair[k] = w ? PyLong_AsLongLong(w) : -1;
            Py_XDECREF(w);
        }
        Py_DECREF(at);
        if (PyErr_Occurred()) return -1;
        low[i] = pair[0];
        high[i] = pair[1];
    }
    return 0;
}

static PyObject *pad(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { "a", "pad_width", "mode", "constant_values", "stream", NULL };
    PyObject *o, *width, *value = NULL, *stream = Py_None;
    const char *mode = "constant";
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OO|sO$O:pad", names, &o, &width, &mode,
                                     &value, &stream))
        return NULL;
    mica_array *a = mica_py_array(o);
    if (!a) return PyErr_Format(PyExc_TypeError, "[pad] argument 'a' must be an array");
    int64_t low[MICA_MAX_NDIM], high[MICA_MAX_NDIM];
    mica_stream *on;
    if (pad_widths(width, a->ndim, low, high) < 0 || mica_py_stream(stream, &on) < 0) return NULL;
    mica_scope s;
    mica__scope_begin(&s, on);
    mica_array *fill = value ? mica_py_operand(&s, value, a) : mica_integer(&s, 0);
    if (!fill) return mica_py_finish(&s, NULL);
    return mica_py_finish(
        &s, mica_pad(&s, a, (mica_dims){ a->ndim, low }, (mica_dims){ a->ndim, high }, mode, fill));
}

/* split(a, sections) and split(a, [index, ...]). `self`: an array when called as its method. */
PyObject *mica_py_split(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "", "indices_or_sections", "axis", "stream", NULL };
    PyObject *o, *cuts, *stream = Py_None, *result = NULL;
    int axis = 0;
    if (mica_py_array(self)) {
        o = self;
        if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|i$O:split", names + 1, &cuts, &axis,
                                         &stream))
            return NULL;
    } else if (!PyArg_ParseTupleAndKeywords(args, keywords, "OO|i$O:split", names, &o, &cuts, &axis,
                                            &stream)) {
        return NULL;
    }
    mica_array *a = mica_py_array(o);
    mica_stream *on;
    if (!a) return PyErr_Format(PyExc_TypeError, "[split] argument 'a' must be an array");
    if (mica_py_stream(stream, &on) < 0) return NULL;
    mica_scope s;
    mica_arrays parts = { 0 };
    mica__scope_begin(&s, on);
    if (PyIndex_Check(cuts)) {
        int64_t sections;
        if (!mica_py_int("[split] argument 'indices_or_sections'", cuts, &sections))
            parts = mica_split(&s, a, sections, axis);
    } else {
        mica_dims at;
        if (!mica_py_dims("[split] argument 'indices_or_sections'", &s, cuts, false, &at))
            parts = mica_split_at(&s, a, at, axis);
    }
    if (!PyErr_Occurred() && s.status == MICA_OK) result = PyList_New((Py_ssize_t)parts.n);
    for (size_t i = 0; result && i < parts.n; i++) {
        PyObject *part = mica_py_wrap(parts.at[i]);
        if (!part) Py_CLEAR(result);
        else PyList_SetItem(result, (Py_ssize_t)i, part);
    }
    int status = mica__scope_end(&s);
    return status && !PyErr_Occurred() ? mica_py_raise(status) : result;
}

static PyObject *broadcast_shapes(PyObject *m, PyObject *args)
{
    (void)m;
    int64_t common[MICA_MAX_NDIM], next[MICA_MAX_NDIM], out[MICA_MAX_NDIM];
    int n = 0;
    if (!PyTuple_Size(args))
        return PyErr_Format(PyExc_ValueError,
                            "[broadcast_shapes] Must provide at least one shape.");
    for (Py_ssize_t i = 0; i < PyTuple_Size(args); i++) {
        PyObject *shape = PyTuple_GetItem(args, i);
        Py_ssize_t k = PySequence_Size(shape);
        if (k < 0) return NULL;
        if (k > MICA_MAX_NDIM)
            return PyErr_Format(PyExc_ValueError, "[broadcast_shapes] a shape has too many axes");
        for (Py_ssize_t j = 0; j < k; j++) {
            PyObject *size = PySequence_GetItem(shape, j),
                     *index = size ? PyNumber_Index(size) : NULL;
            next[j] = index ? PyLong_AsLongLong(index) : -1;
            Py_XDECREF(size);
            Py_XDECREF(index);
            if (PyErr_Occurred()) return NULL;
        }
        n = mica__broadcast((mica_dims){ n, common }, (mica_dims){ k, next }, out);
        if (n < 0)
            return PyErr_Format(PyExc_ValueError,
                                "[broadcast_shapes] the shapes cannot be broadcast together");
        memcpy(common, out, sizeof common);
    }
    PyObject *t = PyTuple_New(n);
    for (int i = 0; t && i < n; i++) PyTuple_SetItem(t, i, PyLong_FromLongLong(common[i]));
    return t;
}

/* ---- printing options ---- */

static PyObject *set_printoptions(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { "precision", NULL };
    int precision = -1;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|i:set_printoptions", names, &precision))
        return NULL;
    mica__print_precision = precision;
    Py_RETURN_NONE;
}
static PyObject *print_precision(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    return PyLong_FromLong(mica__print_precision);
}

static PyObject *live(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    return Py_BuildValue("{s:L,s:L,s:L}", "nodes", (long long)mica__live(MICA_LIVE_NODE), "buffers",
                         (long long)mica__live(MICA_LIVE_BUFFER), "host",
                         (long long)mica__live(MICA_LIVE_HOST));
}
static PyObject *fail_after(PyObject *m, PyObject *count)
{
    (void)m;
    long long n = PyLong_AsLongLong(count);
    if (PyErr_Occurred()) return NULL;
    mica__inject_failure(n);
    Py_RETURN_NONE;
}

/* What a module answers for names that it has not. */
static PyObject *missing_name(PyObject *m, PyObject *name)
{
    if (PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "state") == 0)
        return PyObject_GetAttrString(m, "state");
    return PyErr_Format(PyExc_AttributeError, "Module 'random' has no attribute %R", name);
}

#define KEYWORDS(f) ((PyCFunction)(void (*)(void))(f))
static PyMethodDef for_random[] = { { "__getattr__", missing_name, METH_O, NULL },
                                    { NULL, NULL, 0, NULL } };
static PyMethodDef functions[] = {
    { "eval", eval, METH_VARARGS,
      "eval(*args)\n--\n\nEvaluate arrays, or trees (list, tuple, dict) of them." },
    { "async_eval", async_eval, METH_VARARGS,
      "async_eval(*args)\n--\n\nStart the evaluation of arrays or trees of them and return." },
    { "asarray", KEYWORDS(asarray), METH_VARARGS | METH_KEYWORDS,
      "asarray(a, dtype=None, *, copy=None)\n--\n\nAn array of the values of a." },
    { "from_dlpack", KEYWORDS(from_dlpack), METH_VARARGS | METH_KEYWORDS,
      "from_dlpack(x, /, *, copy=None)\n--\n\nAn array of the values of a DLPack tensor." },
    { "arange", KEYWORDS(arange), METH_VARARGS | METH_KEYWORDS,
      "arange(start, stop, step, dtype=None, *, stream=None)\n\nstart, start + step, ... below "
      "stop. Also arange(stop, step=None)." },
    { "pad", KEYWORDS(pad), METH_VARARGS | METH_KEYWORDS,
      "pad(a, pad_width, mode='constant', constant_values=0, *, stream=None)\n\nPads axes. mode: "
      "constant, edge, reflect, symmetric." },
    { "split", KEYWORDS(mica_py_split), METH_VARARGS | METH_KEYWORDS,
      "split(a, /, indices_or_sections, axis=0, *, stream=None) -> list of arrays\n\nEqual "
      "sections, or cuts before the given indices." },
    { "tensordot", KEYWORDS(mica_py_tensordot), METH_VARARGS | METH_KEYWORDS,
      "tensordot(a, b, /, axes=2, *, stream=None)\n\nSum of products over the last axes of a and "
      "the first of b (axes: their number), or over the axes in a pair of lists." },
    { "einsum_path", mica_py_einsum_path, METH_VARARGS,
      "einsum_path(subscripts, *operands) -> (list of tuples, str)\n\nThe order in which einsum "
      "contracts, and what it costs." },
    { "conv_general", KEYWORDS(mica_py_conv_general), METH_VARARGS | METH_KEYWORDS,
      "conv_general(input, weight, /, stride=1, padding=0, kernel_dilation=1, input_dilation=1, "
      "groups=1, flip=False, *, stream=None)\n\nCross-correlation over one to three axes. padding: "
      "int, one an axis, or (before, after), each with one an axis." },
    { "broadcast_shapes", broadcast_shapes, METH_VARARGS,
      "broadcast_shapes(*shapes) -> tuple of int" },
    { "set_printoptions", KEYWORDS(set_printoptions), METH_VARARGS | METH_KEYWORDS,
      "set_printoptions(precision=-1)\n--\n\nDigits after the point; -1: six significant digits." },
    { "_print_precision", print_precision, METH_NOARGS, NULL },
    { "_live", live, METH_NOARGS, "Counts of live engine objects, for leak tests." },
    { "_fail_after", fail_after, METH_O,
      "Lets n allocations succeed and one fail, for tests; negative: none fails." },
    { NULL, NULL, 0, NULL },
};

static int add_constants(PyObject *m)
{
    PyObject *none = Py_None;
    struct {
        const char *name;
        double value;
    } numbers[] = { { "pi", 3.14159265358979323846 },
                    { "e", 2.71828182845904523536 },
                    { "euler_gamma", 0.57721566490153286061 },
                    { "inf", INFINITY },
                    { "nan", NAN } };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        PyObject *x = PyFloat_FromDouble(numbers[i].value);
        int status = PyModule_AddObjectRef(m, numbers[i].name, x);
        Py_XDECREF(x);
        if (status < 0) return -1;
    }
    if (PyModule_AddObjectRef(m, "newaxis", none) < 0) return -1;
    return PyModule_AddStringConstant(m, "__version__", MICA_VERSION);
}

/* Names of Python modules that belong to mica.core. */
static int adopt(PyObject *m, const char *module, const char *const names[])
{
    PyObject *from = PyImport_ImportModule(module);
    int status = from ? 0 : -1;
    for (; !status && *names; names++) {
        PyObject *o = PyObject_GetAttrString(from, *names);
        status = o ? PyModule_AddObjectRef(m, *names, o) : -1;
        Py_XDECREF(o);
    }
    Py_XDECREF(from);
    return status;
}

static int adopt_into(PyObject *m, const char *submodule, const char *module,
                      const char *const names[])
{
    PyObject *to = mica_py_submodule(m, submodule);
    return to ? adopt(to, module, names) : -1;
}

static int execute(PyObject *m)
{
    static const char *const transforms[] = {
        "grad", "value_and_grad", "vjp", "jvp", "vmap", NULL
    };
    static const char *const custom[] = { "custom_function", "checkpoint", "depends", NULL };
    static const char *const compile[] = { "compile", "disable_compile", "enable_compile", NULL };
    static const char *const export[] = { "FunctionExporter", "export_function", "export_to_dot",
                                          "exporter",         "import_function", NULL };
    static const char *const printing[] = { "PrintOptions", "get_printoptions", "printoptions",
                                            "_PrintOptionsContext", NULL };
    static const char *const array_api[] = { "ArrayLike", "__array_namespace_info__", NULL };
    static const char *const kernels[] = { "metal_kernel", "cuda_kernel", "precompiled_cuda_kernel",
                                           NULL };
    static const char *const metal[] = { "clear_cache",       "device_info",
                                         "get_active_memory", "get_cache_memory",
                                         "get_peak_memory",   "reset_peak_memory",
                                         "set_cache_limit",   "set_memory_limit",
                                         "set_wired_limit",   NULL };
    static const char *const distributed[] = { "Group",     "all_gather", "all_max",      "all_min",
                                               "all_sum",   "init",       "is_available", "recv",
                                               "recv_like", "send",       "sum_scatter",  NULL };
    static bool loaded;
    if (loaded) {
        PyErr_SetString(PyExc_ImportError,
                        "mica.core is loaded already: one interpreter of a process can use it");
        return -1;
    }
    loaded = true;
    if (add_constants(m) < 0 || mica_py_dtype_types(m) < 0 || mica_py_array_types(m) < 0 ||
        mica_py_stream_types(m) < 0 || mica_py_add_functions(m) < 0 || mica_py_index_types(m) < 0 ||
        mica_py_transform_types(m) < 0 || mica_py_random_types(m) < 0 ||
        mica_py_io_functions(m) < 0 || mica_py_export_functions(m) < 0 ||
        mica_py_memory_functions(m) < 0 || mica_py_watch_functions(m) < 0 || mica_py_find_lapack() < 0 ||
        PyModule_AddFunctions(m, functions) < 0)
        return -1;
    /* Rows that are one function with others in Python. */
    PyObject *random = mica_py_submodule(m, "random");
    if (!random || PyModule_AddFunctions(random, for_random) < 0 ||
        PyObject_DelAttrString(m, "tensordot_axes") < 0 ||
        PyObject_DelAttrString(m, "arange_integer") < 0 ||
        PyObject_DelAttrString(m, "split_at") < 0 ||
        PyObject_DelAttrString(random, "permutation_of") < 0)
        return -1;
    return adopt(m, "mica._transforms", transforms) < 0 || adopt(m, "mica._custom", custom) < 0 ||
                   adopt(m, "mica._compile", compile) < 0 || adopt(m, "mica._export", export) < 0 ||
                   adopt(m, "mica._printing", printing) < 0 ||
                   adopt(m, "mica._array_api", array_api) < 0 ||
                   adopt_into(m, "fast", "mica._kernels", kernels) < 0 ||
                   adopt_into(m, "metal", "mica._metal", metal) < 0 ||
                   adopt_into(m, "distributed", "mica._distributed", distributed) < 0
               ? -1
               : 0;
}

static PyModuleDef_Slot slots[] = { { Py_mod_exec, execute }, { 0, NULL } };
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "mica.core",
    "Arrays, functions on them, and transformations of functions.",
    0,
    NULL,
    slots,
    NULL,
    NULL,
    NULL
};

PyMODINIT_FUNC PyInit_core(void)
{
    return PyModuleDef_Init(&definition);
}
