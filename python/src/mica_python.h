/* What the bindings share: conversions between Python objects and the engine's types, and the way
 * errors take. */
#ifndef MICA_PYTHON_H
#define MICA_PYTHON_H

#include <Python.h>

#include "core/scope.h"
#include "mica/array.h"

/* The array inside a mica.core.array, borrowed; NULL, without exception, for any other object. */
mica_array *mica_py_array(PyObject *o);
/* A new mica.core.array, which takes a reference of its own; NULL and an exception on failure. */
PyObject *mica_py_wrap(mica_array *a);
/* Any operand: an array, a bool, int, float or complex (a weak number), a NumPy array or an object
   with __mlx_array__. NumPy arrays are converted to the type of `peer` where there is one. The
   result belongs to the scope or to `o`. NULL and an exception on failure. */
mica_array *mica_py_operand(mica_scope *s, PyObject *o, mica_array *peer);
/* The next key of the calling thread's random state, which moves on; it belongs to the scope. NULL
 * and an exception on failure. */
mica_array *mica_py_next_key(mica_scope *s);
/* A stream, device or device type; None gives NULL. 0, or -1 and an exception. */
int mica_py_stream(PyObject *o, mica_stream **out);
/* 0, or -1 and an exception. */
int mica_py_dtype(PyObject *o, mica_dtype *out);
/* Raises the exception that belongs to a status (status.def) with the last error's message. Returns
 * NULL. */
PyObject *mica_py_raise(int status);

#endif
