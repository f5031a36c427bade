/* Lists and trees of arrays, as the transformations take and give them. */
#include "transforms.h"

/* ---- lists of arrays ---- */

mica_array **mica_py_arrays_of(mica_scope *s, PyObject *list, bool optional, size_t *n)
{
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "a list of arrays is needed");
        return NULL;
    }
    *n = (size_t)PyList_Size(list);
    mica_array **a = mica__scope_alloc(s, (*n + 1) * sizeof *a);
    for (size_t i = 0; a && i < *n; i++) {
        PyObject *o = PyList_GetItem(list, (Py_ssize_t)i);
        a[i] = optional && o == Py_None ? NULL : mica_py_array(o);
        if (a[i] || (optional && o == Py_None)) continue;
        PyErr_Format(PyExc_ValueError, "an array is needed, not %R", (PyObject *)Py_TYPE(o));
        return NULL;
    }
    return a;
}

PyObject *mica_py_list_of(mica_array *const a[], size_t n)
{
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *o = a[i] ? mica_py_wrap(a[i]) : (Py_INCREF(Py_None), Py_None);
        if (!o) Py_CLEAR(list);
        else PyList_SetItem(list, (Py_ssize_t)i, o);
    }
    return list;
}

PyObject *mica_py_finish_list(mica_scope *s, mica_array *const a[], size_t n)
{
    PyObject *list = s->status == MICA_OK && !PyErr_Occurred() && a ? mica_py_list_of(a, n) : NULL;
    int status = mica__scope_end(s);
    if (status == MICA_OK || PyErr_Occurred()) return list;
    Py_XDECREF(list);
    return mica_py_raise(status);
}

/* ---- trees: lists, tuples and dicts; the structure is the tree itself with the arrays taken out
 * ---- */

/* Calls for each leaf of lists, tuples and dicts, in order. Recursion is bounded by Python's own
 * limit, whose error ends with `what`. */
static int walk(PyObject *o, int (*leaf)(void *user, PyObject *o), void *user, const char *what)
{
    bool list = PyList_Check(o), tuple = PyTuple_Check(o);
    if (!list && !tuple && !PyDict_Check(o)) return leaf(user, o);
    if (Py_EnterRecursiveCall(what)) return -1;
    int status = 0;
    if (list || tuple) {
        for (Py_ssize_t i = 0; !status && i < (list ? PyList_Size(o) : PyTuple_Size(o)); i++)
            status = walk(list ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i), leaf, user, what);
    } else {
        PyObject *key, *value;
        Py_ssize_t at = 0;
        while (!status && PyDict_Next(o, &at, &key, &value)) status = walk(value, leaf, user, what);
    }
    Py_LeaveRecursiveCall();
    return status;
}

static int append_array(void *leaves, PyObject *o)
{
    return mica_py_array(o) ? PyList_Append(leaves, o) : 0;
}
static int append_only_array(void *leaves, PyObject *o)
{
    if (mica_py_array(o)) return PyList_Append(leaves, o);
    PyErr_SetString(PyExc_ValueError, "[tree_flatten] The argument should contain only arrays");
    return -1;
}

static int collect(void *arrays, PyObject *o)
{
    mica_array *a = mica_py_array(o);
    if (!a || mica__vec_push(arrays, mica_retain(a)) == MICA_OK) return 0;
    mica_release(a);
    mica_py_raise(MICA_EMEMORY);
    return -1;
}

int mica_py_collect(mica__vec *arrays, PyObject *tree)
{
    return walk(tree, collect, arrays, " while collecting arrays");
}

/* _flatten(tree, strict) -> list of its arrays in order; strict: ValueError for other leaves */
static PyObject *flatten(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *tree;
    int strict;
    if (!PyArg_ParseTuple(args, "Op:_flatten", &tree, &strict)) return NULL;
    PyObject *leaves = PyList_New(0);
    if (leaves && walk(tree, strict ? append_only_array : append_array, leaves,
                       " while flattening a tree") < 0)
        Py_CLEAR(leaves);
    return leaves;
}

PyObject *mica_py_rebuild(PyObject *o, PyObject *leaves, Py_ssize_t *next)
{
    if (mica_py_array(o)) {
        PyObject *leaf = PyList_GetItem(leaves, (*next)++);
        Py_XINCREF(leaf);
        return leaf;
    }
    bool list = PyList_Check(o), tuple = PyTuple_Check(o);
    if (!list && !tuple && !PyDict_Check(o)) {
        Py_INCREF(o);
        return o;
    }
    if (Py_EnterRecursiveCall(" while rebuilding a tree")) return NULL;
    PyObject *out = NULL;
    if (list || tuple) {
        Py_ssize_t n = list ? PyList_Size(o) : PyTuple_Size(o);
        out = list ? PyList_New(n) : PyTuple_New(n);
        for (Py_ssize_t i = 0; out && i < n; i++) {
            PyObject *x =
                mica_py_rebuild(list ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i), leaves, next);
            if (!x) Py_CLEAR(out);
            else if (list) PyList_SetItem(out, i, x);
            else PyTuple_SetItem(out, i, x);
        }
        if (out && tuple && PyObject_HasAttrString(o, "_fields")) { /* a named tuple */
            PyObject *named = PyObject_CallObject((PyObject *)Py_TYPE(o), out);
            Py_DECREF(out);
            out = named;
        }
    } else {
        PyObject *key, *value;
        Py_ssize_t at = 0;
        out = PyDict_New();
        while (out && PyDict_Next(o, &at, &key, &value)) {
            PyObject *x = mica_py_rebuild(value, leaves, next);
            if (!x || PyDict_SetItem(out, key, x) < 0) Py_CLEAR(out);
            Py_XDECREF(x);
        }
    }
    Py_LeaveRecursiveCall();
    return out;
}

/* _rebuild(tree, arrays) -> the tree with its arrays replaced in order */
static PyObject *rebuild_tree(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *tree, *leaves;
    Py_ssize_t next = 0;
    if (!PyArg_ParseTuple(args, "OO!:_rebuild", &tree, &PyList_Type, &leaves)) return NULL;
    return mica_py_rebuild(tree, leaves, &next);
}

static PyMethodDef functions[] = {
    { "_flatten", flatten, METH_VARARGS, NULL },
    { "_rebuild", rebuild_tree, METH_VARARGS, NULL },
    { NULL, NULL, 0, NULL },
};

int mica_py_tree_functions(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
