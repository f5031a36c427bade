/* The Python array object and what the files of the bindings need of each other. */
#ifndef MICA_PY_ARRAY_H
#define MICA_PY_ARRAY_H

#include "mica_python.h"
#include "ops/builder.h"

typedef struct mica_py_object {
    PyObject_HEAD mica_array *value; /* one reference; in-place operators replace it */
    PyObject *weakrefs;
} mica_py_object;
#define SELF(self) ((mica_py_object *)(self))->value

extern PyTypeObject *mica_py_array_type;

/* Gives the object another value (in-place operators, indexed assignment): takes a reference of its
 * own. */
void mica_py_replace(PyObject *self, mica_array *value);
/* Evaluates with the GIL released. 0, or -1 and an exception. */
/* Counts an element of a loop over many, and lets signal handlers run now and then: true when one
 * raises. They may change any list. */
static inline bool mica_py_interrupted(uint64_t *count)
{
    return !(++*count & 0xFFFF) && PyErr_CheckSignals() < 0;
}
int mica_py_eval(mica_array *const arrays[], size_t n, bool wait);
/* Evaluates one array; fast when it is done. */
int mica_py_need(mica_array *a);

/* ---- a call's scope: begins on the C stack, ends with its error raised ---- */
/* a[index] along axis 0; index is in range. */
PyObject *mica_py_array_row(mica_array *a, int64_t index);
/* Closes the scope and wraps `result`; raises what failed. */
PyObject *mica_py_finish(mica_scope *s, mica_array *result);

/* ---- values (from_object.c, from_buffer.c; value.c) ---- */
/* Any Python object as an array: numbers, nested sequences, buffers, DLPack, __mlx_array__. dtype:
 * MICA_DEFAULT_DTYPE for the object's own. NULL and an exception. */
mica_array *mica_py_from_object(mica_scope *s, PyObject *o, mica_dtype dtype);
/* An object with the buffer protocol, copied. NULL and an exception, or a failed scope. */
mica_array *mica_py_from_buffer(mica_scope *s, PyObject *o, mica_dtype dtype);
/* ValueError with the name of the object's type in the place of %U. Returns NULL. */
mica_array *mica_py_refuse(const char *format, PyObject *o);
/* One element as a Python object. */
PyObject *mica_py_element(mica_dtype dtype, const void *element);
PyObject *mica_py_item(mica_array *a);
PyObject *mica_py_tolist(mica_array *a);
PyObject *mica_py_repr(mica_array *a);
PyObject *mica_py_shape_tuple(const mica_array *a);
extern PyMethodDef mica_py_value_methods[];

/* ---- memory for others (buffer.c, dlpack.c) ---- */
/* The object's array, evaluated, with memory that others may read and write; rows: in row-major
   order. What has none (a consumer that wants plain rows, a mapped file, elements out of alignment,
   a repeated number) gets memory of its own first. NULL and an exception. */
mica_array *mica_py_shareable(PyObject *self, bool rows);
extern PyType_Slot mica_py_buffer_slots[];
/* __dlpack__(stream=None, *, max_version=None, dl_device=None, copy=None). */
PyObject *mica_py_dlpack(PyObject *self, PyObject *args, PyObject *keywords);
/* The values behind an object's __dlpack__. NULL and an exception, or a failed scope. */
mica_array *mica_py_from_dlpack(mica_scope *s, PyObject *o);

/* ---- attributes and methods (array_members.c) ---- */
extern PyGetSetDef mica_py_getters[];
extern PyMethodDef mica_py_methods[];

/* A scope of a function by hand, whose name begins its errors; `origin`, 0 at first, is for later
 * calls. */
void mica_py_begin(mica_scope *s, mica_stream *on, const char *name, uint16_t *origin);

/* PyArg_ParseTupleAndKeywords whose errors begin with "[name]", name as in `format` behind its
 * colon, and say what is accepted (parse.c). */
bool mica_py_parse(PyObject *args, PyObject *keywords, const char *format, char **names, ...);

/* ---- functions of the module by hand (overloads.c, products.c) ---- */
extern PyMethodDef mica_py_overloads[];
PyObject *mica_py_tensordot(PyObject *m, PyObject *args, PyObject *keywords);
PyObject *mica_py_einsum_path(PyObject *m, PyObject *args);

PyObject *mica_py_split(PyObject *self, PyObject *args, PyObject *keywords);
PyObject *mica_py_conv_general(PyObject *m, PyObject *args, PyObject *keywords);

/* ---- indexing (index.c) ---- */
PyObject *mica_py_getitem(PyObject *self, PyObject *key);
int mica_py_setitem(PyObject *self, PyObject *key, PyObject *value);
PyObject *mica_py_at(PyObject *self, void *closure);
int mica_py_index_types(PyObject *module);

/* ---- types of other files; each adds its types and functions to the module ---- */
int mica_py_dtype_types(PyObject *module);
int mica_py_stream_types(PyObject *module);
int mica_py_transform_types(PyObject *module);
int mica_py_random_types(PyObject *module);
extern PyTypeObject *mica_py_random_state_type; /* of mx.random.state */
int mica_py_io_functions(PyObject *module);
int mica_py_export_functions(PyObject *module);
int mica_py_memory_functions(PyObject *module);
int mica_py_watch_functions(PyObject *module);
int mica_py_find_lapack(void);
PyObject *mica_py_dtype_object(mica_dtype d); /* borrowed */
void mica_py_plain_repr(PyObject *enums, PyObject *type);
/* Sets the docstring of a type made by calls. */
void mica_py_set_doc(PyObject *type, const char *text);
/* Where an abstract array is made while a transformation is open: the line of user code, for
 * messages (place.c). */
void mica_py_note_place(mica_array *a);
/* Whether a transformation is tracing on this thread. */
bool mica_py_transforming(void);

/* Adds a type made from a spec under its last name. The module keeps a reference, and the returned
 * one is borrowed for the process. */
PyTypeObject *mica_py_add_type(PyObject *module, PyType_Spec *spec);

#endif
