/* Recording of calls while a function is traced without regard to sizes (mica/_record.py). */
#ifndef MICA_PY_RECORD_H
#define MICA_PY_RECORD_H

#include "array.h"

/* The list that calls of this thread are recorded in; NULL, as nearly always: they are not. */
extern _Thread_local PyObject *mica_py_recording;

/* Records a call: `name` tells which one, or `callable` is it. The result NULL: it failed. Returns
   `result`, or NULL and an exception. */
PyObject *mica_py_record_call(const char *name, PyObject *callable, PyObject *args,
                              PyObject *keywords, PyObject *result);
/* The same for one to three operands. */
PyObject *mica_py_record_operands(const char *name, PyObject *result, PyObject *a, PyObject *b,
                                  PyObject *c);
/* For METH_FASTCALL: `first` may be NULL, and so may `key`, which was drawn where none was given.
 */
PyObject *mica_py_record_vector(PyObject *callable, PyObject *first, PyObject *const *args,
                                Py_ssize_t n, PyObject *names, PyObject *key, PyObject *result);
void mica_py_record_size(PyObject *array);

/* Python code asked for the array's sizes. */
static inline void mica_py_observe(PyObject *array)
{
    if (mica_py_recording) mica_py_record_size(array);
}
static inline PyObject *mica_py_recorded(const char *name, PyObject *result, PyObject *a,
                                         PyObject *b)
{
    return mica_py_recording ? mica_py_record_operands(name, result, a, b, NULL) : result;
}

int mica_py_record_functions(PyObject *module);

#endif
