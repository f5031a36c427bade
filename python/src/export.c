/* What mica/_export.py is made of: graphs to bytes and back, and a look at a graph's nodes. */
#include "array.h"

#include "io/export.h"
#include "ops/prim.h"

/* The arrays of a list, memory of the scope; NULL and an exception on failure. */
static mica_array **arrays_of(mica_scope *s, PyObject *list, size_t *n)
{
    *n = (size_t)PyList_Size(list);
    mica_array **a = mica__scope_alloc(s, (*n + 1) * sizeof *a);
    for (size_t i = 0; a && i < *n; i++) {
        a[i] = mica_py_array(PyList_GetItem(list, (Py_ssize_t)i));
        if (a[i]) continue;
        PyErr_SetString(PyExc_ValueError, "a list of arrays is needed");
        return NULL;
    }
    return a;
}

/* _graph_bytes(results, holders) -> bytes */
static PyObject *graph_bytes(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *results, *holders, *bytes = NULL;
    if (!PyArg_ParseTuple(args, "O!O!:_graph_bytes", &PyList_Type, &results, &PyList_Type,
                          &holders))
        return NULL;
    mica_scope s;
    size_t n, k;
    mica__text text = { 0 };
    mica__scope_begin(&s, NULL);
    mica_array **r = arrays_of(&s, results, &n), **h = r ? arrays_of(&s, holders, &k) : NULL;
    if (h && mica__graph_write(&s, &text, r, n, h, k))
        bytes = PyBytes_FromStringAndSize(text.at, (Py_ssize_t)text.n);
    mica__text_free(&text);
    int status = mica__scope_end(&s);
    return bytes || PyErr_Occurred() ? bytes : mica_py_raise(status);
}

/* _graph_arrays(bytes, inputs) -> list of results */
static PyObject *graph_arrays(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *object, *inputs, *list = NULL;
    char *bytes;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "OO!:_graph_arrays", &object, &PyList_Type, &inputs)) return NULL;
    if (PyBytes_AsStringAndSize(object, &bytes, &size) < 0) return NULL;
    mica_scope s;
    size_t n;
    mica_arrays results = { 0 };
    mica__scope_begin(&s, NULL);
    mica_array **a = arrays_of(&s, inputs, &n);
    if (a && mica__graph_read(&s, bytes, (size_t)size, a, n, &results)) {
        list = PyList_New((Py_ssize_t)results.n);
        for (size_t i = 0; list && i < results.n; i++) {
            PyObject *o = mica_py_wrap(results.at[i]);
            if (!o) Py_CLEAR(list);
            else PyList_SetItem(list, (Py_ssize_t)i, o);
        }
    }
    int status = mica__scope_end(&s);
    return list || PyErr_Occurred() ? list : mica_py_raise(status);
}

static PyObject *key_of(const mica_array *a)
{
    return PyLong_FromVoidPtr((void *)(uintptr_t)a);
}

/* _node(array) -> (name, key of the node, keys of its outputs, inputs); None for an array that is
 * evaluated */
static PyObject *node(PyObject *m, PyObject *o)
{
    (void)m;
    mica_array *a = mica_py_array(o);
    if (!a) return PyErr_Format(PyExc_ValueError, "an array is needed");
    const mica_node *n = mica__node_of(a);
    if (mica__is_done(a) || (n->flags & MICA_NODE_PLACEHOLDER))
        return Py_BuildValue("ON()[]", Py_None, key_of(a));
    PyObject *outputs = PyList_New(n->noutputs), *inputs = PyList_New((Py_ssize_t)n->ninputs);
    for (size_t i = 0; outputs && i < n->noutputs; i++)
        PyList_SetItem(outputs, (Py_ssize_t)i, key_of(&n->out[i]));
    for (size_t i = 0; inputs && i < n->ninputs; i++) {
        PyObject *in = mica_py_wrap(n->inputs[i]);
        if (!in) Py_CLEAR(inputs);
        else PyList_SetItem(inputs, (Py_ssize_t)i, in);
    }
    return outputs && inputs
               ? Py_BuildValue("sNNN", mica__prims[n->prim].name,
                               PyLong_FromVoidPtr((void *)(uintptr_t)n), outputs, inputs)
               : NULL;
}

/* _key(array) -> a number that tells arrays of a graph apart while they live */
static PyObject *key(PyObject *m, PyObject *o)
{
    (void)m;
    mica_array *a = mica_py_array(o);
    return a ? key_of(a) : PyErr_Format(PyExc_ValueError, "an array is needed");
}

static PyMethodDef functions[] = {
    { "_graph_bytes", graph_bytes, METH_VARARGS, NULL },
    { "_graph_arrays", graph_arrays, METH_VARARGS, NULL },
    { "_node", node, METH_O, NULL },
    { "_key", key, METH_O, NULL },
    { NULL, NULL, 0, NULL },
};

int mica_py_export_functions(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
