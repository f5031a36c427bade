/* What the files of bindings to files share. */
#ifndef MICA_PYTHON_IO_H
#define MICA_PYTHON_IO_H

#include "array.h"
#include "io/array_io.h"

/* Hands bytes to a Python callable in pieces; for mica__sink. */
int mica_py_write_piece(void *write, const void *data, size_t bytes);
/* A str as UTF-8, copied into the scope; NULL and an exception when it holds NUL. */
const char *mica_py_text_of(mica_scope *s, PyObject *o, const char *function, const char *what);
/* Adds the values of a table to a dict: str, list of str, or array. -1 and an exception. */
int mica_py_add_values(PyObject *dict, const mica_table *t);
PyObject *mica_py_save_gguf(PyObject *module, PyObject *args);

#endif
