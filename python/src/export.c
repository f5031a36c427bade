/* What mica/_export.py is made of: files of traces, and a look at a graph's nodes. */
#include "array.h"

#include "io/mlx.h"
#include "ops/builder.h"

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

/* Texts of a list of str, memory of the scope; NULL and an exception on failure. */
static const char **texts_of(mica_scope *s, PyObject *list, size_t *n)
{
    *n = (size_t)PyList_Size(list);
    const char **texts = mica__scope_alloc(s, (*n + 1) * sizeof *texts);
    for (size_t i = 0; texts && i < *n; i++) {
        PyObject *bytes = PyUnicode_AsUTF8String(PyList_GetItem(list, (Py_ssize_t)i));
        size_t size = bytes ? (size_t)PyBytes_Size(bytes) + 1 : 1;
        char *kept = bytes ? mica__scope_alloc(s, size) : NULL;
        texts[i] = kept ? memcpy(kept, PyBytes_AsString(bytes), size) : NULL;
        Py_XDECREF(bytes);
        if (!kept) return NULL;
    }
    return texts;
}

static PyObject *list_of(mica_arrays a)
{
    PyObject *list = PyList_New((Py_ssize_t)a.n);
    for (size_t i = 0; list && i < a.n; i++) {
        PyObject *o = mica_py_wrap(a.at[i]);
        if (!o) Py_CLEAR(list);
        else PyList_SetItem(list, (Py_ssize_t)i, o);
    }
    return list;
}

/* ---- writing ---- */

typedef struct exporter_object {
    PyObject_HEAD mica_exporter *exporter;
} exporter_object;

static PyObject *exporter_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    const char *path, *metadata;
    int shapeless, mlx;
    (void)keywords;
    if (!PyArg_ParseTuple(args, "ypps:_Exporter", &path, &mlx, &shapeless, &metadata)) return NULL;
    exporter_object *o = PyObject_New(exporter_object, type);
    if (!o) return NULL;
    o->exporter = NULL;
    int status = mica_exporter_open(path, mlx ? MICA_EXPORT_MLX : MICA_EXPORT_MICA, shapeless,
                                    metadata, &o->exporter);
    if (!status) return (PyObject *)o;
    Py_DECREF(o);
    return mica_py_raise(status);
}
static void exporter_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    mica_exporter_release(((exporter_object *)self)->exporter);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* What Python calls give: (results, holders), None, or an exception. */
static int retrace(mica_scope *s, const mica_dims shapes[], size_t n, mica_arrays *holders,
                   mica_arrays *results, void *user)
{
    PyObject *list = PyList_New((Py_ssize_t)n), *r, *h;
    for (size_t i = 0; list && i < n; i++) {
        PyObject *shape = PyTuple_New((Py_ssize_t)shapes[i].n);
        for (int64_t k = 0; shape && k < shapes[i].n; k++)
            PyTuple_SetItem(shape, (Py_ssize_t)k, PyLong_FromLongLong(shapes[i].at[k]));
        if (!shape) Py_CLEAR(list);
        else PyList_SetItem(list, (Py_ssize_t)i, shape);
    }
    PyObject *traced = list ? PyObject_CallFunctionObjArgs(user, list, NULL) : NULL;
    Py_XDECREF(list);
    int status = !traced ? -1 : traced != Py_None;
    if (status > 0) {
        if (!PyArg_ParseTuple(traced, "O!O!", &PyList_Type, &r, &PyList_Type, &h)) status = -1;
        else {
            results->at = arrays_of(s, r, &results->n);
            holders->at = results->at ? arrays_of(s, h, &holders->n) : NULL;
            for (size_t i = 0; results->at && i < results->n; i++)
                mica_scope_own(s, mica_retain(results->at[i]));
            for (size_t i = 0; holders->at && i < holders->n; i++)
                mica_scope_own(s, mica_retain(holders->at[i]));
            if (!holders->at) status = -1;
        }
    }
    Py_XDECREF(traced);
    return status;
}

static PyObject *exporter_add(PyObject *self, PyObject *args)
{
    PyObject *results, *holders, *names, *again;
    if (!PyArg_ParseTuple(args, "O!O!O!O:add", &PyList_Type, &results, &PyList_Type, &holders,
                          &PyList_Type, &names, &again))
        return NULL;
    mica_scope s;
    size_t n, k, nk;
    mica__scope_begin(&s, NULL);
    mica_array **r = arrays_of(&s, results, &n), **h = r ? arrays_of(&s, holders, &k) : NULL;
    const char **t = h ? texts_of(&s, names, &nk) : NULL;
    if (t)
        mica__exporter_add(&s, ((exporter_object *)self)->exporter, r, n, (mica_arrays){ k, h }, t,
                           nk, retrace, again);
    int status = mica__scope_end(&s);
    if (PyErr_Occurred()) return NULL;
    if (status) return mica_py_raise(status);
    Py_RETURN_NONE;
}
static PyObject *exporter_commit(PyObject *self, PyObject *unused)
{
    (void)unused;
    mica_exporter *e = ((exporter_object *)self)->exporter;
    int status;
    Py_BEGIN_ALLOW_THREADS status = mica_exporter_commit(e);
    Py_END_ALLOW_THREADS if (status) return mica_py_raise(status);
    Py_RETURN_NONE;
}
static PyObject *exporter_last(PyObject *self, PyObject *unused)
{
    (void)unused;
    const mica__text *t = mica__exporter_last(((exporter_object *)self)->exporter);
    return PyBytes_FromStringAndSize(t ? t->at : NULL, t ? (Py_ssize_t)t->n : 0);
}
static PyMethodDef exporter_methods[] = {
    { "last", exporter_last, METH_NOARGS, "last() -> the bytes of the last trace" },
    { "add", exporter_add, METH_VARARGS,
      "add(results, holders, names of the last holders, traces again)" },
    { "commit", exporter_commit, METH_NOARGS, "commit(): the file appears under its path." },
    { NULL, NULL, 0, NULL },
};
static PyType_Slot exporter_slots[] = {
    { Py_tp_doc, "_Exporter(path, for MLX, shapeless, metadata): traces for one file." },
    { Py_tp_new, exporter_new },
    { Py_tp_dealloc, exporter_dealloc },
    { Py_tp_methods, exporter_methods },
    { 0, NULL },
};
static PyType_Spec exporter_spec = { "mica.core._Exporter", sizeof(exporter_object), 0,
                                     Py_TPFLAGS_DEFAULT, exporter_slots };

/* ---- reading ---- */

typedef struct imported_object {
    PyObject_HEAD mica_imported *imported;
} imported_object;

static PyObject *imported_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    const char *path;
    (void)keywords;
    if (!PyArg_ParseTuple(args, "y:_Imported", &path)) return NULL;
    imported_object *o = PyObject_New(imported_object, type);
    if (!o) return NULL;
    o->imported = NULL;
    int status;
    Py_BEGIN_ALLOW_THREADS status = mica_import_function(path, &o->imported);
    Py_END_ALLOW_THREADS if (!status) return (PyObject *)o;
    Py_DECREF(o);
    return mica_py_raise(status);
}
static void imported_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    mica_imported_release(((imported_object *)self)->imported);
    PyObject_Free(self);
    Py_DECREF(type);
}
static PyObject *imported_run(PyObject *self, PyObject *args)
{
    PyObject *arrays, *names, *list = NULL;
    if (!PyArg_ParseTuple(args, "O!O!:run", &PyList_Type, &arrays, &PyList_Type, &names))
        return NULL;
    mica_scope s;
    size_t n, k;
    mica_arrays results = { 0 };
    mica__scope_begin(&s, NULL);
    mica_array **a = arrays_of(&s, arrays, &n);
    const char **t = a ? texts_of(&s, names, &k) : NULL;
    if (t && mica_imported_call(&s, ((imported_object *)self)->imported, (mica_arrays){ n, a }, t,
                                k, &results) == MICA_OK)
        list = list_of(results);
    int status = mica__scope_end(&s);
    return list || PyErr_Occurred() ? list : mica_py_raise(status);
}
static PyObject *imported_metadata(PyObject *self, PyObject *unused)
{
    (void)unused;
    const char *text = mica_imported_metadata(((imported_object *)self)->imported);
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}
static PyMethodDef imported_methods[] = {
    { "run", imported_run, METH_VARARGS, "run(arrays, names of the last arrays) -> list" },
    { "metadata", imported_metadata, METH_NOARGS, "metadata() -> the text of the file" },
    { NULL, NULL, 0, NULL },
};
static PyType_Slot imported_slots[] = {
    { Py_tp_doc, "_Imported(path): the functions of a file." },
    { Py_tp_new, imported_new },
    { Py_tp_dealloc, imported_dealloc },
    { Py_tp_methods, imported_methods },
    { 0, NULL },
};
static PyType_Spec imported_spec = { "mica.core._Imported", sizeof(imported_object), 0,
                                     Py_TPFLAGS_DEFAULT, imported_slots };

/* ---- a look at graphs ---- */

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

/* _sizes_vary(bool) -> what it was */
static PyObject *sizes_vary(PyObject *m, PyObject *o)
{
    (void)m;
    bool before = mica__sizes_vary;
    mica__sizes_vary = PyObject_IsTrue(o) == 1;
    return PyBool_FromLong(before);
}

/* _mlx_parameters(name of a primitive of MLX) -> letters for its parameters (io/mlx.def) */
static PyObject *mlx_parameters(PyObject *m, PyObject *o)
{
    (void)m;
    const char *name = PyBytes_AsString(o);
    const mica__mlx_primitive *p = name ? mica__mlx_find(name, strlen(name)) : NULL;
    if (p) return PyUnicode_FromString(p->parameters);
    return name ? PyErr_Format(PyExc_KeyError, "%s", name) : NULL;
}

static PyMethodDef functions[] = {
    { "_mlx_parameters", mlx_parameters, METH_O, NULL },
    { "_sizes_vary", sizes_vary, METH_O, NULL },
    { "_node", node, METH_O, NULL },
    { "_key", key, METH_O, NULL },
    { NULL, NULL, 0, NULL },
};

int mica_py_export_functions(PyObject *module)
{
    if (!mica_py_add_type(module, &exporter_spec) || !mica_py_add_type(module, &imported_spec))
        return -1;
    return PyModule_AddFunctions(module, functions);
}
