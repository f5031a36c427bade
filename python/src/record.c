/* Recording of calls: (which, arguments, keywords, result), arrays as they were then. */
#include "record.h"

_Thread_local PyObject *mica_py_recording;

/* The object with new array objects in it: later writes into arrays do not reach the recording. */
static PyObject *frozen(PyObject *o)
{
    if (mica_py_array(o)) return mica_py_wrap(mica_py_array(o));
    bool list = PyList_Check(o), tuple = PyTuple_Check(o);
    if (PyDict_CheckExact(o)) {
        PyObject *copy = PyDict_New(), *key, *value;
        for (Py_ssize_t at = 0; copy && PyDict_Next(o, &at, &key, &value);) {
            PyObject *item = frozen(value);
            if (!item || PyDict_SetItem(copy, key, item) < 0) Py_CLEAR(copy);
            Py_XDECREF(item);
        }
        return copy;
    }
    if (!list && !tuple) {
        Py_INCREF(o);
        return o;
    }
    Py_ssize_t n = list ? PyList_Size(o) : PyTuple_Size(o);
    PyObject *copy = list ? PyList_New(n) : PyTuple_New(n);
    for (Py_ssize_t i = 0; copy && i < n; i++) {
        PyObject *item = frozen(list ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i));
        if (!item) Py_CLEAR(copy);
        else if (list) PyList_SetItem(copy, i, item);
        else PyTuple_SetItem(copy, i, item);
    }
    return copy;
}

/* Appends (which, args, keywords, result): takes over all four; NULL among them: memory is
 * exhausted. */
static int append(PyObject *which, PyObject *args, PyObject *keywords, PyObject *result)
{
    PyObject *call =
        which && args && keywords && result ? PyTuple_Pack(4, which, args, keywords, result) : NULL;
    int status = call ? PyList_Append(mica_py_recording, call) : -1;
    Py_XDECREF(call);
    Py_XDECREF(which);
    Py_XDECREF(args);
    Py_XDECREF(keywords);
    Py_XDECREF(result);
    return status;
}

static PyObject *none(void)
{
    Py_INCREF(Py_None);
    return Py_None;
}

static void failed(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    append(PyUnicode_FromString("failed"), PyTuple_New(0), none(), none());
    PyErr_Clear();
    PyErr_Restore(type, value, traceback);
}

PyObject *mica_py_record_call(const char *name, PyObject *callable, PyObject *args,
                              PyObject *keywords, PyObject *result)
{
    if (!result) {
        failed();
        return NULL;
    }
    if (result == Py_NotImplemented) return result;
    Py_XINCREF(callable);
    PyObject *which = callable ? callable : PyUnicode_FromString(name);
    if (append(which, frozen(args), keywords ? frozen(keywords) : none(), frozen(result)) == 0)
        return result;
    Py_DECREF(result);
    return NULL;
}

PyObject *mica_py_record_operands(const char *name, PyObject *result, PyObject *a, PyObject *b,
                                  PyObject *c)
{
    PyObject *args = c ? PyTuple_Pack(3, a, b, c) : b ? PyTuple_Pack(2, a, b) : PyTuple_Pack(1, a);
    if (args) result = mica_py_record_call(name, NULL, args, NULL, result);
    else Py_CLEAR(result);
    Py_XDECREF(args);
    return result;
}

PyObject *mica_py_record_vector(PyObject *callable, PyObject *first, PyObject *const *args,
                                Py_ssize_t n, PyObject *names, PyObject *key, PyObject *result)
{
    Py_ssize_t lead = first != NULL, nnames = names ? PyTuple_Size(names) : 0;
    PyObject *all = PyTuple_New(lead + n), *keywords = PyDict_New();
    bool ok = all && keywords;
    for (Py_ssize_t i = 0; ok && i < lead + n; i++) {
        PyObject *o = i < lead ? first : args[i - lead];
        Py_INCREF(o);
        PyTuple_SetItem(all, i, o);
    }
    for (Py_ssize_t i = 0; ok && i < nnames; i++) {
        PyObject *o = frozen(args[n + i]);
        ok = o && PyDict_SetItem(keywords, PyTuple_GetItem(names, i), o) == 0;
        Py_XDECREF(o);
    }
    if (ok && key) ok = PyDict_SetItemString(keywords, "key", key) == 0;
    if (ok) result = mica_py_record_call(NULL, callable, all, keywords, result);
    else Py_CLEAR(result);
    Py_XDECREF(all);
    Py_XDECREF(keywords);
    return result;
}

void mica_py_record_size(PyObject *array)
{
    append(PyUnicode_FromString("observe"), Py_BuildValue("(N)", frozen(array)), none(), none());
    PyErr_Clear();
}

/* ---- for mica/_record.py ---- */

/* _record(list or None) -> what was recorded in before */
static PyObject *record(PyObject *m, PyObject *list)
{
    (void)m;
    PyObject *before = mica_py_recording;
    mica_py_recording = list == Py_None ? NULL : list;
    Py_XINCREF(mica_py_recording);
    return before ? before : none();
}

/* What an array object stands for, as a number: equal for objects of one value. */
static PyObject *address(PyObject *m, PyObject *o)
{
    (void)m;
    return PyLong_FromVoidPtr(mica_py_array(o));
}

/* Whether the array depends on a placeholder. */
static PyObject *is_abstract(PyObject *m, PyObject *o)
{
    (void)m;
    const mica_array *a = mica_py_array(o);
    return PyBool_FromLong(a && (mica__node_of(a)->flags & MICA_NODE_ABSTRACT));
}

/* The sizes, without their being recorded as asked for. */
static PyObject *shape(PyObject *m, PyObject *o)
{
    (void)m;
    const mica_array *a = mica_py_array(o);
    return a ? mica_py_shape_tuple(a) : PyErr_Format(PyExc_TypeError, "an array is needed");
}

static PyMethodDef functions[] = {
    { "_record", record, METH_O, NULL },
    { "_address", address, METH_O, NULL },
    { "_is_abstract", is_abstract, METH_O, NULL },
    { "_shape", shape, METH_O, NULL },
    { NULL, NULL, 0, NULL },
};

int mica_py_record_functions(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
