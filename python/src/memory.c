/* Memory functions of mica.core. */
#include "array.h"

#include "mica/memory.h"
#include "runtime/liveness.h"
#include "transforms.h"

#define READ(name, function)                                                                       \
    static PyObject *name(PyObject *m, PyObject *unused)                                           \
    {                                                                                              \
        (void)m, (void)unused;                                                                     \
        return PyLong_FromSize_t(function());                                                      \
    }
READ(get_active_memory, mica_memory_active)
READ(get_peak_memory, mica_memory_peak)
READ(get_cache_memory, mica_memory_cached)
READ(get_memory_limit, mica_memory_limit)

static PyObject *reset_peak_memory(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    mica_memory_reset_peak();
    Py_RETURN_NONE;
}
static PyObject *clear_cache(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    mica_memory_clear_cache();
    Py_RETURN_NONE;
}

static PyObject *set_limit(PyObject *args, PyObject *keywords, const char *format,
                           size_t (*set)(size_t))
{
    static char *names[] = { "limit", NULL };
    PyObject *o;
    if (!mica_py_parse(args, keywords, format, names, &o)) return NULL;
    size_t bytes = PyLong_Check(o) ? PyLong_AsSize_t(o) : (size_t)-1;
    if (!PyLong_Check(o) || PyErr_Occurred()) {
        PyErr_Clear();
        return PyErr_Format(PyExc_TypeError, "[%s] limit must be a number of bytes, not %R",
                            strchr(format, ':') + 1, o);
    }
    return PyLong_FromSize_t(set(bytes));
}
static PyObject *set_memory_limit(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    return set_limit(args, keywords, "O:set_memory_limit", mica_memory_set_limit);
}
static PyObject *set_cache_limit(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    return set_limit(args, keywords, "O:set_cache_limit", mica_memory_set_cache_limit);
}
static size_t no_wired_memory(size_t bytes)
{
    (void)bytes;
    return 0;
}
static PyObject *set_wired_limit(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    return set_limit(args, keywords, "O:set_wired_limit", no_wired_memory);
}

/* Arrays that are being computed are waited for. */
static PyObject *get_array_buffer_size(PyObject *m, PyObject *args)
{
    (void)m;
    mica__vec arrays = { 0 };
    size_t bytes = 0;
    int status = mica_py_collect(&arrays, args);
    if (!status) {
        mica_arrays all = { .n = arrays.n, .at = (mica_array *const *)arrays.at };
        int failed;
        Py_BEGIN_ALLOW_THREADS failed = mica_array_buffer_size(all, &bytes);
        Py_END_ALLOW_THREADS if (failed)
        {
            mica_py_raise(failed);
            status = -1;
        }
    }
    for (size_t i = 0; i < arrays.n; i++) mica_release(arrays.at[i]);
    mica__vec_free(&arrays);
    return status ? NULL : PyLong_FromSize_t(bytes);
}

static PyObject *watch_memory(PyObject *m, PyObject *on)
{
    (void)m;
    int truth = PyObject_IsTrue(on);
    if (truth < 0) return NULL;
    mica__memory_watch(truth);
    Py_RETURN_NONE;
}
static PyObject *memory_record(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    mica__memory_record r = mica__memory_recorded();
    return Py_BuildValue("{s:n,s:n,s:s}", "required", (Py_ssize_t)r.required, "evaluations",
                         (Py_ssize_t)r.plans, "largest", r.largest);
}

#define KEYWORDS(f) ((PyCFunction)(void (*)(void))(f))
static PyMethodDef functions[] = {
    { "get_active_memory", get_active_memory, METH_NOARGS,
      "get_active_memory() -> int: bytes in use by arrays." },
    { "get_peak_memory", get_peak_memory, METH_NOARGS,
      "get_peak_memory() -> int: the most bytes in use when memory was taken since the last "
      "reset." },
    { "get_cache_memory", get_cache_memory, METH_NOARGS,
      "get_cache_memory() -> int: freed bytes that are kept for reuse." },
    { "get_memory_limit", get_memory_limit, METH_NOARGS, "get_memory_limit() -> int: bytes." },
    { "reset_peak_memory", reset_peak_memory, METH_NOARGS,
      "reset_peak_memory(): the peak is 0 until memory is next taken." },
    { "clear_cache", clear_cache, METH_NOARGS,
      "clear_cache(): gives cached memory back to the system." },
    { "set_memory_limit", KEYWORDS(set_memory_limit), METH_VARARGS | METH_KEYWORDS,
      "set_memory_limit(limit) -> int: sets bytes, returns the previous limit." },
    { "set_cache_limit", KEYWORDS(set_cache_limit), METH_VARARGS | METH_KEYWORDS,
      "set_cache_limit(limit) -> int: sets bytes, returns the previous limit." },
    { "set_wired_limit", KEYWORDS(set_wired_limit), METH_VARARGS | METH_KEYWORDS,
      "set_wired_limit(limit) -> int: nothing is wired on the CPU; returns 0." },
    { "get_array_buffer_size", get_array_buffer_size, METH_VARARGS,
      "get_array_buffer_size(*trees) -> int: bytes of the memory behind evaluated arrays, alone or "
      "in lists, tuples and dicts. Each buffer counts once, as large as get_active_memory counts "
      "it; of a file, the bytes that the arrays read. An array that holds one number, or repeats "
      "it, has no buffer. ValueError when an array is not evaluated." },
    { "_watch_memory", watch_memory, METH_O, "Starts or stops the record of mica.liveness." },
    { "_memory_record", memory_record, METH_NOARGS, "The record of mica.liveness." },
    { NULL, NULL, 0, NULL },
};

int mica_py_memory_functions(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
