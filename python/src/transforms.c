/* What the transformations in mica/_transforms.py are made of: tracing and walking. */
#include "transforms.h"

#include "autodiff/autodiff.h"
#include "record.h"

static _Thread_local int transforming; /* open transformations of this thread */

bool mica_py_transforming(void)
{
    return transforming > 0;
}

void mica_py_transform_depth(int change)
{
    transforming += change;
}

/* ---- differentiation ---- */

static PyObject *trace_begin(PyObject *m, PyObject *list)
{
    (void)m;
    mica_scope s;
    size_t n;
    mica__scope_begin(&s, NULL);
    mica_array **a = mica_py_arrays_of(&s, list, false, &n), **tracers = NULL;
    if (a && (tracers = mica__scope_alloc(&s, (n + 1) * sizeof *tracers)) &&
        !mica__trace_begin(&s, a, n, tracers))
        mica__trace_end(NULL, 0);
    else if (tracers) transforming++;
    PyObject *result = mica_py_finish_list(&s, tracers, n);
    return result;
}

static PyObject *trace_end(PyObject *m, PyObject *list)
{
    (void)m;
    mica_scope s;
    size_t n = 0;
    mica__scope_begin(&s, NULL);
    mica_array **a = mica_py_arrays_of(&s, list, true, &n);
    if (!mica__trace_end(a, a ? n : 0)) mica__scope_failed(&s, MICA_EMEMORY);
    transforming--;
    int status = mica__scope_end(&s);
    if (PyErr_Occurred()) return NULL;
    if (status != MICA_OK) return mica_py_raise(status);
    Py_RETURN_NONE;
}

static PyObject *pull_back(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *results, *cotangents, *tracers;
    if (!PyArg_ParseTuple(args, "OOO:_pull_back", &results, &cotangents, &tracers)) return NULL;
    mica_scope s;
    size_t n = 0, k = 0, t = 0;
    mica__scope_begin(&s, NULL);
    mica_array **r = mica_py_arrays_of(&s, results, false, &n),
               **c = r ? mica_py_arrays_of(&s, cotangents, true, &k) : NULL;
    mica_array **x = c ? mica_py_arrays_of(&s, tracers, false, &t) : NULL, **g = NULL;
    if (x && k != n)
        PyErr_Format(PyExc_ValueError,
                     "[vjp] Number of cotangents %zu does not match number of outputs %zu.", k, n);
    else if (x && (g = mica__scope_alloc(&s, (t + 1) * sizeof *g)))
        mica__pull_back(&s, r, c, n, x, t, g);
    return mica_py_finish_list(&s, g, t);
}

static PyObject *push_forward(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *results, *tracers, *tangents;
    if (!PyArg_ParseTuple(args, "OOO:_push_forward", &results, &tracers, &tangents)) return NULL;
    mica_scope s;
    size_t n = 0, t = 0, k = 0;
    mica__scope_begin(&s, NULL);
    mica_array **r = mica_py_arrays_of(&s, results, false, &n),
               **x = r ? mica_py_arrays_of(&s, tracers, false, &t) : NULL;
    mica_array **v = x ? mica_py_arrays_of(&s, tangents, true, &k) : NULL, **out = NULL;
    if (v && (out = mica__scope_alloc(&s, (n + 1) * sizeof *out)))
        mica__push_forward(&s, r, n, x, v, t, out);
    return mica_py_finish_list(&s, out, n);
}

/* ---- batching ---- */

static int *axes_of(mica_scope *s, PyObject *list)
{
    Py_ssize_t n = PyList_Size(list);
    int *axes = n < 0 ? NULL : mica__scope_alloc(s, ((size_t)n + 1) * sizeof *axes);
    for (Py_ssize_t i = 0; axes && i < n; i++) {
        PyObject *o = PyList_GetItem(list, i);
        axes[i] = o == Py_None ? MICA_NO_AXIS : (int)PyLong_AsLong(o);
        if (PyErr_Occurred()) return NULL;
    }
    return axes;
}

/* _batch_begin(arrays, axes) -> (placeholders, arrays with the batch axis in front). axes are
 * normalised ints or None. */
static PyObject *batch_begin(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *list, *axis_list, *first = NULL, *second = NULL;
    if (!PyArg_ParseTuple(args, "OO:_batch_begin", &list, &axis_list)) return NULL;
    mica_scope s;
    size_t n;
    mica__scope_begin(&s, NULL);
    mica_array **a = mica_py_arrays_of(&s, list, false, &n);
    int *axes = a ? axes_of(&s, axis_list) : NULL;
    mica_array **holders = axes ? mica__scope_alloc(&s, (n + 1) * sizeof *holders) : NULL;
    mica_array **fronted = holders ? mica__scope_alloc(&s, (n + 1) * sizeof *fronted) : NULL;
    bool *batched = fronted ? mica__scope_alloc(&s, n + 1) : NULL;
    if (batched && mica__batch_begin(&s, a, axes, n, holders, fronted, batched)) {
        first = mica_py_list_of(holders, n);
        second = mica_py_list_of(fronted, n);
    }
    int status = mica__scope_end(&s);
    if (status && !PyErr_Occurred()) mica_py_raise(status);
    if (first && second && !PyErr_Occurred()) {
        transforming++;
        return Py_BuildValue("(NN)", first, second);
    }
    Py_XDECREF(first);
    Py_XDECREF(second);
    return NULL;
}

/* _batch_end(results, placeholders, fronted, axes, out_axes) -> results */
static PyObject *batch_end(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *results, *holders, *fronted, *axis_list, *out_list;
    int64_t batch = 0;
    if (!PyArg_ParseTuple(args, "OOOOO:_batch_end", &results, &holders, &fronted, &axis_list,
                          &out_list))
        return NULL;
    mica_scope s;
    size_t n = 0, k, j;
    mica__scope_begin(&s, NULL);
    mica_array **r = mica_py_arrays_of(&s, results, false, &n),
               **h = r ? mica_py_arrays_of(&s, holders, false, &k) : NULL;
    mica_array **f = h ? mica_py_arrays_of(&s, fronted, false, &j) : NULL, **out = NULL;
    int *axes = f ? axes_of(&s, axis_list) : NULL, *out_axes = axes ? axes_of(&s, out_list) : NULL;
    bool *batched = out_axes ? mica__scope_alloc(&s, k + 1) : NULL;
    if (batched && (out = mica__scope_alloc(&s, (n + 1) * sizeof *out))) {
        for (size_t i = 0; i < k; i++)
            if ((batched[i] = axes[i] != MICA_NO_AXIS)) batch = f[i]->shape[0];
        mica__batch_end(&s, r, n, h, f, batched, k, batch, out_axes, true, out);
    }
    return mica_py_finish_list(&s, out, n);
}

static PyObject *set_transforming(PyObject *m, PyObject *change)
{
    (void)m;
    transforming += (int)PyLong_AsLong(change);
    Py_RETURN_NONE;
}

static PyObject *is_traced(PyObject *m, PyObject *o)
{
    (void)m;
    mica_array *a = mica_py_array(o);
    return PyBool_FromLong(a && mica__is_traced(a));
}

static PyObject *is_stopped(PyObject *m, PyObject *o)
{
    (void)m;
    mica_array *a = mica_py_array(o);
    return PyBool_FromLong(a && mica__node_of(a)->prim == mica_prim_stop_gradient);
}

/* Gives an array object the value of another: how state in containers is updated in place. */
static PyObject *replace(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *to, *from;
    if (!PyArg_ParseTuple(args, "OO:_replace", &to, &from)) return NULL;
    if (!mica_py_array(to) || !mica_py_array(from))
        return PyErr_Format(PyExc_TypeError, "two arrays are needed");
    mica_py_replace(to, mica_py_array(from));
    Py_RETURN_NONE;
}

/* The same, recorded where a function is traced for all sizes. */
#define RECORDED(name)                                                                             \
    static PyObject *recorded_##name(PyObject *m, PyObject *args)                                  \
    {                                                                                              \
        PyObject *result = name(m, args);                                                          \
        if (!mica_py_recording) return result;                                                     \
        return mica_py_record_call("_" #name, NULL, args, NULL, result);                           \
    }
#define RECORDED_ONE(name)                                                                         \
    static PyObject *recorded_##name(PyObject *m, PyObject *o)                                     \
    {                                                                                              \
        return mica_py_recorded("_" #name, name(m, o), o, NULL);                                   \
    }
RECORDED_ONE(trace_begin)
RECORDED_ONE(trace_end)
RECORDED(pull_back)
RECORDED(push_forward)
RECORDED(batch_begin)
RECORDED(batch_end)

static PyObject *batch_close(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    transforming--;
    PyObject *none = PyTuple_New(0), *result = none ? Py_None : NULL;
    Py_XINCREF(result);
    if (none && mica_py_recording)
        result = mica_py_record_call("_batch_close", NULL, none, NULL, result);
    Py_XDECREF(none);
    return result;
}

static PyMethodDef functions[] = {
    { "_trace_begin", recorded_trace_begin, METH_O, NULL },
    { "_trace_end", recorded_trace_end, METH_O, NULL },
    { "_pull_back", recorded_pull_back, METH_VARARGS, NULL },
    { "_push_forward", recorded_push_forward, METH_VARARGS, NULL },
    { "_batch_begin", recorded_batch_begin, METH_VARARGS, NULL },
    { "_batch_end", recorded_batch_end, METH_VARARGS, NULL },
    { "_batch_close", batch_close, METH_NOARGS, NULL },
    { "_transforming", set_transforming, METH_O, NULL },
    { "_is_traced", is_traced, METH_O, NULL },
    { "_is_stopped", is_stopped, METH_O, NULL },
    { "_replace", replace, METH_VARARGS, NULL },
    { NULL, NULL, 0, NULL },
};

int mica_py_transform_types(PyObject *module)
{
    return PyModule_AddFunctions(module, functions) < 0 || mica_py_tree_functions(module) < 0 ||
                   mica_py_custom_functions(module) < 0 || mica_py_record_functions(module) < 0 ||
                   mica_py_place_functions(module) < 0 || mica_py_program_functions(module) < 0 ||
                   mica_py_compile_types(module) < 0
               ? -1
               : 0;
}
