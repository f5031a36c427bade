/* Values of gguf files, which are texts, lists of texts or arrays, and files of them. */
#include "io.h"

/* ---- loading ---- */

static PyObject *text_at(const mica_value *v, size_t i)
{
    return PyUnicode_DecodeUTF8(v->texts[i], (Py_ssize_t)v->lengths[i], "surrogateescape");
}

static PyObject *value_of(const mica_value *v)
{
    if (v->array) return mica_py_wrap(v->array);
    if (!v->list) return text_at(v, 0);
    PyObject *list = PyList_New((Py_ssize_t)v->count);
    for (size_t i = 0; list && i < v->count; i++) {
        PyObject *text = text_at(v, i);
        if (!text) Py_CLEAR(list);
        else PyList_SetItem(list, (Py_ssize_t)i, text);
    }
    return list;
}

int mica_py_add_values(PyObject *dict, const mica_table *t)
{
    const mica_value *v = mica_table_values(t);
    for (size_t i = 0; i < mica_table_value_count(t); i++) {
        PyObject *o = value_of(&v[i]);
        int status = o ? PyDict_SetItemString(dict, v[i].key, o) : -1;
        Py_XDECREF(o);
        if (status < 0) return -1;
    }
    return 0;
}

/* ---- saving ---- */

/* A str as UTF-8 in memory of the scope, surrogates as the bytes that they stand for. */
static bool read_text(mica_scope *s, PyObject *o, const char **text, size_t *length)
{
    PyObject *bytes = PyUnicode_Check(o)
                          ? PyUnicode_AsEncodedString(o, "utf-8", "surrogateescape")
                          : (PyErr_Format(PyExc_ValueError,
                                          "[save_gguf] metadata may be str, list of str or array, "
                                          "not %R",
                                          (PyObject *)Py_TYPE(o)),
                             NULL);
    if (!bytes) return false;
    *length = (size_t)PyBytes_Size(bytes);
    char *copy = mica__scope_alloc(s, *length + 1);
    if (copy) *text = memcpy(copy, PyBytes_AsString(bytes), *length + 1);
    Py_DECREF(bytes);
    return copy != NULL;
}

static bool read_value(mica_scope *s, PyObject *key, PyObject *o, mica_value *v)
{
    *v = (mica_value){ .key = mica_py_text_of(s, key, "save_gguf", "the metadata key") };
    if (!v->key) return false;
    mica_array *a = mica_py_array(o);
    if (a) {
        v->array = mica_scope_own(s, mica_retain(a));
        return v->array != NULL;
    }
    v->list = PyList_Check(o);
    v->count = v->list ? (size_t)PyList_Size(o) : 1;
    const char **texts = mica__scope_alloc(s, (v->count + 1) * sizeof *texts);
    size_t *lengths = mica__scope_alloc(s, (v->count + 1) * sizeof *lengths);
    for (size_t i = 0; texts && lengths && i < v->count; i++)
        if (!read_text(s, v->list ? PyList_GetItem(o, (Py_ssize_t)i) : o, &texts[i], &lengths[i]))
            return false;
    v->texts = texts;
    v->lengths = lengths;
    return texts && lengths;
}

typedef struct content {
    const char **names;
    mica_array **arrays;
    mica_value *values;
    size_t n, count;
} content;

static bool read_content(mica_scope *s, PyObject *arrays, PyObject *metadata, content *c)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    size_t n = (size_t)PyDict_Size(arrays), count = (size_t)PyDict_Size(metadata);
    c->names = mica__scope_alloc(s, (n + 1) * sizeof *c->names);
    c->arrays = mica__scope_alloc(s, (n + 1) * sizeof *c->arrays);
    c->values = mica__scope_alloc(s, (count + 1) * sizeof *c->values);
    if (!c->names || !c->arrays || !c->values) return false;
    while (PyDict_Next(arrays, &at, &key, &value)) {
        mica_array *a = mica_py_array(value);
        if (!a) return PyErr_Format(PyExc_TypeError, "[save_gguf] %R is no array", key), false;
        c->names[c->n] = mica_py_text_of(s, key, "save_gguf", "the name");
        c->arrays[c->n] = mica_scope_own(s, mica_retain(a));
        if (!c->names[c->n] || !c->arrays[c->n]) return false;
        c->n++;
    }
    at = 0;
    while (PyDict_Next(metadata, &at, &key, &value))
        if (!read_value(s, key, value, &c->values[c->count++])) return false;
    return true;
}

static void save(mica_scope *s, PyObject *target, const content *c)
{
    mica_arrays arrays = { c->n, c->arrays };
    if (c->n && mica_py_eval(c->arrays, c->n, true) < 0) return;
    if (PyBytes_Check(target)) {
        const char *path = PyBytes_AsString(target);
        Py_BEGIN_ALLOW_THREADS mica_save_gguf(s, path, c->names, arrays, c->values, c->count);
        Py_END_ALLOW_THREADS return;
    }
    mica__sink to = { mica_py_write_piece, target };
    mica_value *values = mica__values_in_order(s, c->values, c->count);
    int status = values ? mica__write_gguf(&to, c->names, arrays, values, c->count) : MICA_OK;
    if (status) mica__scope_failed(s, status);
}

PyObject *mica_py_save_gguf(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *target, *arrays, *metadata;
    if (!PyArg_ParseTuple(args, "OO!O!", &target, &PyDict_Type, &arrays, &PyDict_Type, &metadata))
        return NULL;
    mica_scope s;
    mica__scope_begin(&s, NULL);
    content c = { 0 };
    if (read_content(&s, arrays, metadata, &c)) save(&s, target, &c);
    int status = mica__scope_end(&s);
    if (PyErr_Occurred()) return NULL;
    if (status) return mica_py_raise(status);
    Py_RETURN_NONE;
}
