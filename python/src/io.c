/* Arrays and files for mica/_files.py, which sorts out what a file is; here bytes become arrays and
 * arrays bytes. */
#include <errno.h>

#include "array.h"

#include "io.h"

#include "io/gguf.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "runtime/memory.h"

/* ---- where the bytes are ---- */

/* A name for messages, of anything. Borrowed from the scope. */
static const char *name_text(mica_scope *s, PyObject *name)
{
    PyObject *text =
        PyUnicode_Check(name) ? PyUnicode_AsEncodedString(name, "utf-8", "backslashreplace") : NULL;
    Py_ssize_t n = text ? PyBytes_Size(text) : 0;
    char *kept = mica__scope_alloc(s, (size_t)n + 1);
    if (kept && n) memcpy(kept, PyBytes_AsString(text), (size_t)n);
    if (kept) kept[n] = 0;
    Py_XDECREF(text);
    PyErr_Clear();
    return kept ? kept : "";
}

/* _room(n) -> uint8 array of n bytes, uninitialised, for _fill */
static PyObject *room(PyObject *m, PyObject *args)
{
    (void)m;
    unsigned long long n;
    if (!PyArg_ParseTuple(args, "K:_room", &n)) return NULL;
    mica_scope s;
    mica__scope_begin(&s, NULL);
    int64_t bytes = n < INT64_MAX ? (int64_t)n : INT64_MAX;
    return mica_py_finish(&s, mica__empty(&s, MICA_UINT8, (mica_dims){ 1, &bytes }));
}

/* _check_room(n): MemoryError where n bytes more would pass the limit */
static PyObject *check_room(PyObject *m, PyObject *args)
{
    (void)m;
    unsigned long long n;
    if (!PyArg_ParseTuple(args, "K:_check_room", &n)) return NULL;
    if (n > SIZE_MAX || !mica__memory_has_room((size_t)n))
        return mica_py_raise(mica__fail_memory("load", (size_t)n));
    Py_RETURN_NONE;
}

/* _fill(room, at, bytes): what a stream has given */
static PyObject *fill(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *o;
    unsigned long long at;
    Py_buffer data;
    if (!PyArg_ParseTuple(args, "OKy*:_fill", &o, &at, &data)) return NULL;
    const mica_array *a = mica_py_array(o);
    uint64_t size = a ? (uint64_t)a->size : 0;
    bool fits = a && a->buffer && at <= size && (uint64_t)data.len <= size - at;
    if (fits) memcpy(a->data + at, data.buf, (size_t)data.len);
    PyBuffer_Release(&data);
    if (!fits) return PyErr_Format(PyExc_ValueError, "[load] bytes beyond their room");
    Py_RETURN_NONE;
}

/* Memory of ours with what a stream has given: a room, or a copy of other bytes. */
static int take_bytes(PyObject *data, uint64_t used, const char *name, mica__source *from)
{
    const mica_array *a = mica_py_array(data);
    if (a) {
        MICA_TRY(mica__source_of_memory(from, a->buffer, name));
        if (used < from->bytes) from->bytes = used;
        return MICA_OK;
    }
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) return MICA_ERUNTIME;
    mica__buffer *b = mica__buffer_new((size_t)view.len);
    if (b && view.len) memcpy(b->data, view.buf, (size_t)view.len);
    int status = b ? mica__source_of_memory(from, b, name) : MICA_EMEMORY;
    mica__buffer_release(b);
    PyBuffer_Release(&view);
    return status;
}

/* (path as bytes, name, 0), (descriptor, name, position), (bytes, name, -1) or (room, name, -1 -
 * how much of it is used). */
static int open_source(PyObject *where, const char *name, long long position, mica__source *from)
{
    mica__mapping *m;
    int status;
    if (position < 0) return take_bytes(where, (uint64_t)(-1 - position), name, from);
    if (PyLong_Check(where)) {
        long descriptor = PyLong_AsLong(where);
        if (descriptor == -1 && PyErr_Occurred()) return MICA_ERUNTIME;
        status = mica__mapping_open_descriptor(&m, (int)descriptor, name);
    } else {
        const char *path = PyBytes_AsString(where);
        if (!path) return MICA_ERUNTIME;
        Py_BEGIN_ALLOW_THREADS status = mica__mapping_open(&m, path);
        Py_END_ALLOW_THREADS
    }
    MICA_TRY(status);
    status = mica__source_of_mapping(from, m, (uint64_t)position);
    mica__mapping_release(m);
    return status;
}

/* ---- loading ---- */

static PyObject *metadata_dict(const mica_table *t)
{
    PyObject *d = PyDict_New();
    const mica_metadata *m = mica_table_metadata(t);
    for (size_t i = 0; d && i < mica_table_metadata_count(t); i++) {
        PyObject *value = PyUnicode_FromString(m[i].value);
        if (!value || PyDict_SetItemString(d, m[i].key, value) < 0) Py_CLEAR(d);
        Py_XDECREF(value);
    }
    return d && mica_py_add_values(d, t) < 0 ? (Py_DECREF(d), NULL) : d;
}

/* (arrays, metadata, end) */
static PyObject *table_dicts(const mica_table *t, uint64_t end)
{
    PyObject *arrays = PyDict_New();
    for (size_t i = 0; arrays && i < mica_table_count(t); i++) {
        PyObject *a = mica_py_wrap(mica_table_array(t, i));
        if (!a || PyDict_SetItemString(arrays, mica_table_name(t, i), a) < 0) Py_CLEAR(arrays);
        Py_XDECREF(a);
    }
    PyObject *metadata = arrays ? metadata_dict(t) : NULL;
    if (metadata) return Py_BuildValue("(NNK)", arrays, metadata, (unsigned long long)end);
    Py_XDECREF(arrays);
    return NULL;
}

/* What formats are called, what reads them (npy files give one array), and how much a stream has to
 * give where the beginning of a file tells it. */
static const struct {
    const char *name;
    mica_table *(*table)(mica_scope *s, const mica__source *from);
    uint64_t (*needed)(const void *start, uint64_t bytes, bool *known);
} formats[] = { { "npy", NULL, mica__npy_needed },
                { "npz", mica__npz_table, NULL },
                { "safetensors", mica__safetensors_table, mica__safetensors_needed },
                { "gguf", mica__gguf_table, mica__gguf_needed } };
enum { FORMATS = sizeof formats / sizeof *formats };

static int format_of(const char *name)
{
    for (int i = 0; i < FORMATS; i++)
        if (strcmp(formats[i].name, name) == 0) return i;
    PyErr_Format(PyExc_ValueError, "[load] no format %s", name);
    return -1;
}

/* _needed(format, bytes that begin a file) -> how many bytes have to be read, as far as these tell,
 * and whether those are the file */
static PyObject *needed(PyObject *m, PyObject *args)
{
    (void)m;
    const char *format;
    Py_buffer start;
    if (!PyArg_ParseTuple(args, "sy*:_needed", &format, &start)) return NULL;
    int kind = format_of(format);
    uint64_t n = (uint64_t)start.len;
    bool known = false;
    if (kind >= 0 && formats[kind].needed) n = formats[kind].needed(start.buf, n, &known);
    PyBuffer_Release(&start);
    return kind < 0 ? NULL : Py_BuildValue("(Ki)", (unsigned long long)n, known);
}

/* How many bytes of the source the file takes, as its header says; others may follow. */
static uint64_t end_of(const mica__source *from, int format)
{
    bool known = false;
    uint64_t n = formats[format].needed ? formats[format].needed(from->base, from->bytes, &known)
                                        : from->bytes;
    return known && n < from->bytes ? n : from->bytes;
}

/* path: nobody asks where the file ends. */
static PyObject *loaded(mica_scope *s, const mica__source *from, int format, bool path)
{
    if (formats[format].table) {
        mica_table *t;
        Py_BEGIN_ALLOW_THREADS t = formats[format].table(s, from);
        Py_END_ALLOW_THREADS if (!t) return NULL;
        return table_dicts(t, path ? from->bytes : end_of(from, format));
    }
    uint64_t used = 0;
    mica_array *a;
    Py_BEGIN_ALLOW_THREADS a = mica__npy_array(s, from, &used);
    Py_END_ALLOW_THREADS PyObject *array = a ? mica_py_wrap(a) : NULL;
    return array ? Py_BuildValue("(NK)", array, (unsigned long long)used) : NULL;
}

/* (array, end) of an npy file, else (arrays, metadata, end): how many bytes the file takes. */
static PyObject *load(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *where, *name, *stream;
    const char *format;
    long long position;
    mica_stream *on;
    int kind, metadata;
    if (!PyArg_ParseTuple(args, "OOLOsp", &where, &name, &position, &stream, &format, &metadata) ||
        mica_py_stream(stream, &on) < 0 || (kind = format_of(format)) < 0)
        return NULL;
    mica_scope s;
    mica__source from = { 0 };
    mica__scope_begin(&s, on);
    PyObject *result = NULL;
    int status = open_source(where, name_text(&s, name), position, &from);
    if (status == MICA_OK) {
        from.arrays_only = !metadata;
        result = loaded(&s, &from, kind, position >= 0 && PyBytes_Check(where));
    } else {
        mica__scope_failed(&s, status);
    }
    mica__source_release(&from);
    status = mica__scope_end(&s);
    if (PyErr_Occurred() || status == MICA_OK) return result;
    Py_XDECREF(result);
    return mica_py_raise(status);
}

/* ---- streams that bytes go to ---- */

enum { PIECE = 1 << 22 };

/* Hands bytes to a Python callable in pieces, each of which it takes whole (mica/_streams.py). */
int mica_py_write_piece(void *write, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes) {
        Py_ssize_t n = bytes < PIECE ? (Py_ssize_t)bytes : PIECE;
        PyObject *piece = PyBytes_FromStringAndSize(at, n);
        PyObject *taken = piece ? PyObject_CallFunctionObjArgs(write, piece, NULL) : NULL;
        Py_XDECREF(piece);
        Py_XDECREF(taken);
        if (!taken) return mica__fail(MICA_ERUNTIME, "[save] the file's write method failed");
        at += n;
        bytes -= (size_t)n;
    }
    return MICA_OK;
}

/* ---- saving ---- */

/* What is to be written: owned by the scope. */
typedef struct content {
    const char **names;
    mica_array **arrays;
    size_t n;
    mica_metadata *metadata;
    size_t count;
} content;

static int save_content(mica_scope *s, PyObject *target, const content *c, bool npy)
{
    mica_arrays arrays = { c->n, c->arrays };
    if (c->n && mica_py_eval(c->arrays, c->n, true) < 0) return -1;
    int status;
    if (PyBytes_Check(target)) {
        const char *path = PyBytes_AsString(target);
        Py_BEGIN_ALLOW_THREADS status =
            npy ? mica_save_npy(s, path, c->arrays[0])
                : mica_save_safetensors(s, path, c->names, arrays, c->metadata, c->count);
        Py_END_ALLOW_THREADS
    } else {
        mica__sink to = { mica_py_write_piece, target };
        status = npy ? mica__write_npy(&to, c->arrays[0])
                     : mica__write_safetensors(&to, c->names, arrays, c->metadata, c->count);
        if (status) mica__scope_failed(s, status);
    }
    return status ? -1 : 0;
}

static PyObject *save_npy(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *target, *o;
    if (!PyArg_ParseTuple(args, "OO", &target, &o)) return NULL;
    mica_scope s;
    mica__scope_begin(&s, NULL);
    mica_array *a = mica_scope_own(&s, mica_retain(mica_py_array(o)));
    content c = { .arrays = &a, .n = 1 };
    if (!a && s.status == MICA_OK) PyErr_SetString(PyExc_TypeError, "[save] arr must be an array");
    if (a) save_content(&s, target, &c, true);
    int status = mica__scope_end(&s);
    if (status) return mica_py_raise(status);
    return PyErr_Occurred() ? NULL : (Py_INCREF(Py_None), Py_None);
}

/* A str as UTF-8 without NUL, copied into the scope. */
const char *mica_py_text_of(mica_scope *s, PyObject *o, const char *function, const char *what)
{
    PyObject *bytes = PyUnicode_AsUTF8String(o);
    Py_ssize_t n = bytes ? PyBytes_Size(bytes) : 0;
    char *text = bytes ? mica__scope_alloc(s, (size_t)n + 1) : NULL;
    if (text) memcpy(text, PyBytes_AsString(bytes), (size_t)n + 1);
    Py_XDECREF(bytes);
    if (text && strlen(text) != (size_t)n)
        return (void *)PyErr_Format(PyExc_ValueError, "[%s] %s %R holds a NUL character", function,
                                    what, o);
    return text;
}

/* arrays: dict of str and arrays, metadata: dict of str; the caller has checked the types. */
static bool read_content(mica_scope *s, PyObject *arrays, PyObject *metadata, content *c)
{
    PyObject *key, *value;
    Py_ssize_t at = 0, n = PyDict_Size(arrays), count = PyDict_Size(metadata);
    c->names = mica__scope_alloc(s, (size_t)n * sizeof *c->names);
    c->arrays = mica__scope_alloc(s, (size_t)n * sizeof *c->arrays);
    c->metadata = mica__scope_alloc(s, (size_t)count * sizeof *c->metadata);
    if (!c->names || !c->arrays || !c->metadata) return false;
    while (PyDict_Next(arrays, &at, &key, &value)) {
        mica_array *a = mica_py_array(value);
        if (!a)
            return PyErr_Format(PyExc_TypeError, "[save_safetensors] the value of %R is no array",
                                key),
                   false;
        c->names[c->n] = mica_py_text_of(s, key, "save_safetensors", "the name");
        c->arrays[c->n] = mica_scope_own(s, mica_retain(a));
        if (!c->names[c->n] || !c->arrays[c->n]) return false;
        c->n++;
    }
    at = 0;
    while (PyDict_Next(metadata, &at, &key, &value)) {
        mica_metadata *t = &c->metadata[c->count++];
        t->key = mica_py_text_of(s, key, "save_safetensors", "the metadata key");
        t->value =
            t->key ? mica_py_text_of(s, value, "save_safetensors", "the metadata value") : NULL;
        if (!t->value) return false;
    }
    return true;
}

static PyObject *save_safetensors(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *target, *arrays, *metadata;
    if (!PyArg_ParseTuple(args, "OO!O!", &target, &PyDict_Type, &arrays, &PyDict_Type, &metadata))
        return NULL;
    mica_scope s;
    mica__scope_begin(&s, NULL);
    content c = { 0 };
    if (read_content(&s, arrays, metadata, &c)) save_content(&s, target, &c, false);
    int status = mica__scope_end(&s);
    if (status) return mica_py_raise(status);
    return PyErr_Occurred() ? NULL : (Py_INCREF(Py_None), Py_None);
}

/* ---- a file that appears when it is complete, for archives ---- */

typedef struct writer_object {
    PyObject_HEAD mica__writer *writer; /* NULL once committed or dropped */
} writer_object;

static PyObject *writer_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    const char *path;
    if (keywords && PyDict_Size(keywords))
        return PyErr_Format(PyExc_TypeError, "_Writer takes no keyword arguments");
    if (!PyArg_ParseTuple(args, "y:_Writer", &path)) return NULL;
    writer_object *w = PyObject_New(writer_object, type);
    if (!w) return NULL;
    w->writer = NULL;
    int status = mica__writer_open(&w->writer, "save", path), error = errno;
    if (!status) return (PyObject *)w;
    Py_DECREF(w);
    if (status != MICA_EIO) return mica_py_raise(status);
    errno = error; /* archives are written as Python's zipfile would */
    return PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
}
static void writer_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    mica__writer_abort(((writer_object *)self)->writer);
    PyObject_Free(self);
    Py_DECREF(type);
}
static PyObject *writer_write(PyObject *self, PyObject *data)
{
    writer_object *w = (writer_object *)self;
    Py_buffer view;
    if (!w->writer) return PyErr_Format(PyExc_ValueError, "[save] the file is closed");
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) return NULL;
    int status = mica__writer_write(w->writer, view.buf, (size_t)view.len);
    Py_ssize_t n = view.len;
    PyBuffer_Release(&view);
    return status ? mica_py_raise(status) : PyLong_FromSsize_t(n);
}
static PyObject *writer_flush(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    Py_RETURN_NONE;
}
static PyObject *writer_commit(PyObject *self, PyObject *unused)
{
    (void)unused;
    writer_object *o = (writer_object *)self;
    mica__writer *w = o->writer;
    int status;
    if (!w) return PyErr_Format(PyExc_ValueError, "[save] the file is closed");
    o->writer = NULL;
    Py_BEGIN_ALLOW_THREADS status = mica__writer_commit(w);
    Py_END_ALLOW_THREADS if (status) return mica_py_raise(status);
    Py_RETURN_NONE;
}

static PyMethodDef writer_methods[] = {
    { "write", writer_write, METH_O, "write(data) -> int" },
    { "flush", writer_flush, METH_NOARGS, NULL },
    { "commit", writer_commit, METH_NOARGS, "commit(): the file appears under its path." },
    { NULL, NULL, 0, NULL },
};
static PyType_Slot writer_slots[] = {
    { Py_tp_doc, "_Writer(path): dropped without commit, it leaves no trace." },
    { Py_tp_new, writer_new },
    { Py_tp_dealloc, writer_dealloc },
    { Py_tp_methods, writer_methods },
    { 0, NULL },
};
static PyType_Spec writer_spec = { "mica.core._Writer", sizeof(writer_object), 0,
                                   Py_TPFLAGS_DEFAULT, writer_slots };

/* ---- the module ---- */

static PyMethodDef functions[] = {
    { "_load", load, METH_VARARGS,
      "_load(where, name, position, stream, format, with metadata) -> (array, bytes used) or "
      "(dict, metadata)" },
    { "_needed", needed, METH_VARARGS, NULL },
    { "_room", room, METH_VARARGS, NULL },
    { "_check_room", check_room, METH_VARARGS, NULL },
    { "_fill", fill, METH_VARARGS, NULL },
    { "_save_gguf", mica_py_save_gguf, METH_VARARGS,
      "_save_gguf(path or write, arrays, metadata)" },
    { "_save_npy", save_npy, METH_VARARGS, "_save_npy(path or write, array)" },
    { "_save_safetensors", save_safetensors, METH_VARARGS,
      "_save_safetensors(path or write, arrays, metadata)" },
    { NULL, NULL, 0, NULL },
};

int mica_py_io_functions(PyObject *module)
{
    static const char *const names[] = {
        "load", "save", "savez", "savez_compressed", "save_safetensors", "save_gguf"
    };
    if (PyModule_AddFunctions(module, functions) < 0 || !mica_py_add_type(module, &writer_spec))
        return -1;
    PyObject *files = PyImport_ImportModule("mica._files");
    int status = files ? 0 : -1;
    for (size_t i = 0; !status && i < sizeof names / sizeof *names; i++) {
        PyObject *o = PyObject_GetAttrString(files, names[i]);
        status = o ? PyModule_AddObjectRef(module, names[i], o) : -1;
        Py_XDECREF(o);
    }
    Py_XDECREF(files);
    return status;
}
