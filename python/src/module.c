/* The module mica.core: constants, types, functions of the table, and those by hand. */
#include "array.h"

#include <math.h>

#include "base/config.h"
#include "call.h"
#include "convert.h"
#include "core/print.h"
#include "transforms.h"
#include "watch.h"

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
    const char *text = mica_last_error(); /* what a file holds need not be UTF-8 */
    PyObject *message = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    if (message) PyErr_SetObject(type, message);
    Py_XDECREF(message);
    return NULL;
}

/* ---- evaluation of trees ---- */

static PyObject *eval_trees(PyObject *args, bool wait)
{
    mica__vec v = { 0 };
    int status = mica_py_collect(&v, args);
    mica_py_watch_reason(wait ? "eval" : "async_eval");
    if (!status) mica_py_watch_evaluated((mica_array *const *)v.at, v.n);
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
    if (!mica_py_parse(args, keywords, "O|O$O:asarray", names, &o, &dtype, &copy)) return NULL;
    mica_dtype d = MICA_DEFAULT_DTYPE;
    if (dtype != Py_None && mica_py_dtype(dtype, &d) < 0) {
        mica_py_name_error("asarray", "dtype");
        return NULL;
    }
    if (copy == Py_False)
        return PyErr_Format(
            PyExc_ValueError,
            "[asarray] the values must be copied on the CPU; pass copy=None or True");
    static uint16_t origin;
    mica_scope s;
    mica_py_begin(&s, NULL, "asarray", &origin);
    mica_array *a = mica_py_from_object(&s, o, d);
    if (!a && PyErr_Occurred()) mica_py_name_error("asarray", NULL);
    return mica_py_finish(&s, a);
}

static PyObject *from_dlpack(PyObject *m, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "", "copy", NULL };
    PyObject *o, *copy = Py_None;
    (void)m;
    if (!mica_py_parse(args, keywords, "O|$O:from_dlpack", names, &o, &copy)) return NULL;
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
    mica_array *a = mica_py_from_object(&s, o, MICA_DEFAULT_DTYPE);
    if (!a && PyErr_Occurred()) mica_py_name_error("from_dlpack", NULL);
    return mica_py_finish(&s, a);
}

/* ---- printing options ---- */

static PyObject *set_printoptions(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { "precision", NULL };
    PyObject *o = NULL;
    int precision = -1;
    if (!mica_py_parse(args, keywords, "|O:set_printoptions", names, &o) ||
        (o && mica_py_axis("[set_printoptions] argument 'precision'", o, &precision) < 0))
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
    static const char *const transforms[] = { "grad", "value_and_grad", "vjp", "jvp",
                                              "vmap", "_gc_func",       NULL };
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
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
        /* Types and arrays would outlive it, and the main interpreter could not load them again. */
        PyErr_SetString(PyExc_ImportError,
                        "mica.core cannot be used in a sub-interpreter; import it in the main "
                        "interpreter of the process, or in a process of multiprocessing");
        return -1;
    }
    if (loaded) {
        PyErr_SetString(PyExc_ImportError,
                        "mica.core is loaded already, and a process can load it once");
        return -1;
    }
    loaded = true;
    int settings = mica__settings_check();
    if (settings != MICA_OK) {
        mica_py_raise(settings);
        return -1;
    }
    if (add_constants(m) < 0 || mica_py_dtype_types(m) < 0 || mica_py_array_types(m) < 0 ||
        mica_py_stream_types(m) < 0 || mica_py_add_functions(m) < 0 || mica_py_index_types(m) < 0 ||
        mica_py_transform_types(m) < 0 || mica_py_random_types(m) < 0 ||
        mica_py_io_functions(m) < 0 || mica_py_export_functions(m) < 0 ||
        mica_py_memory_functions(m) < 0 || mica_py_watch_functions(m) < 0 ||
        mica_py_find_lapack() < 0 || PyModule_AddFunctions(m, functions) < 0 ||
        PyModule_AddFunctions(m, mica_py_overloads) < 0)
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
