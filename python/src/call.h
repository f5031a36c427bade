/* One dispatcher for every function of the table: as functions of mica.core, and for the methods of
 * arrays. */
#ifndef MICA_PY_CALL_H
#define MICA_PY_CALL_H

#include "signature.h"

/* Adds every table function to the module mica.core and to its submodules, which are made where
   they do not exist yet, and the aliases of alias.def. 0, or -1 and an exception. */
int mica_py_add_functions(PyObject *core);

/* The submodule mica.core.<name>, made and registered where it does not exist yet; borrowed from
 * `core`. NULL and an exception. */
PyObject *mica_py_submodule(PyObject *core, const char *name);

/* The row of a function, once mica_py_add_functions has run; NULL, without exception, where there
 * is none. */
const mica_row *mica_py_row(const char *function);

/* Calls a function with `first` (or NULL) before the positional arguments: what METH_FASTCALL |
 * METH_KEYWORDS methods need. */
PyObject *mica_py_call(const mica_row *row, PyObject *first, PyObject *const *args,
                       Py_ssize_t nargs, PyObject *kwnames);

/* Conversions by kind, for functions that are not in the table. `what` ("[load] argument 'axis'")
   starts the message of a TypeError. 0, or -1 and an exception. */
int mica_py_int(const char *what, PyObject *o, int64_t *out);
int mica_py_axis(const char *what, PyObject *o, int *out);
/* Lists, tuples and what else has a length and items: arrays with axes, but no text. */
bool mica_py_is_sequence(PyObject *o);
/* A sequence of ints, or one int where `bare`; the list belongs to the scope. */
int mica_py_dims(const char *what, mica_scope *s, PyObject *o, bool bare, mica_dims *out);
/* A sequence of ints, where the caller has taken an int itself: messages name both. */
int mica_py_dims_or_int(const char *what, mica_scope *s, PyObject *o, mica_dims *out);

#endif
