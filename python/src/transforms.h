/* What the files of the transformations share: lists and trees of arrays. */
#ifndef MICA_PY_TRANSFORMS_H
#define MICA_PY_TRANSFORMS_H

#include "array.h"

/* The arrays of a list; NULL entries for None where `optional`. Memory of the scope. NULL and an
 * exception on failure. */
mica_array **mica_py_arrays_of(mica_scope *s, PyObject *list, bool optional, size_t *n);
/* A new list of arrays; None for NULL. */
PyObject *mica_py_list_of(mica_array *const a[], size_t n);
/* Ends a call whose result is the list `a`; fails as the scope or Python did. */
PyObject *mica_py_finish_list(mica_scope *s, mica_array *const a[], size_t n);
/* Adds a reference to each array in lists, tuples and dicts (modules are dicts); other leaves are
 * passed over. Recursion is bounded by Python's own limit. -1 with an exception. */
int mica_py_collect(mica__vec *arrays, PyObject *tree);
/* The tree (lists, tuples, dicts) with its arrays replaced, in order, by what the list holds from
 * *next on. */
PyObject *mica_py_rebuild(PyObject *tree, PyObject *leaves, Py_ssize_t *next);
/* How many transformations are open on this thread grows by `change`. */
void mica_py_transform_depth(int change);

/* Each adds its functions and types to the module. */
int mica_py_tree_functions(PyObject *module);
int mica_py_custom_functions(PyObject *module);
int mica_py_program_functions(PyObject *module);
int mica_py_compile_types(PyObject *module);
int mica_py_place_functions(PyObject *module);

#endif
