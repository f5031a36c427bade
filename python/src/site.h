/* Sites of the doctor (core/watch.h) are lines of Python code. */
#ifndef MICA_PY_SITE_H
#define MICA_PY_SITE_H

#include <stddef.h>

#include "mica_python.h"

/* A line of the program while a certain module of the model runs. */
typedef struct mica_py_place {
    PyObject *code; /* kept */
    int line;
    uint32_t module; /* of the model; 0: none */
} mica_py_place;

/* The site of the calling line, 0: not known. With the GIL held, as everything here. */
uint32_t mica_py_site(void);
/* A watch begins: code below `folder` counts for its caller's. -1: an exception is set. */
int mica_py_site_begin(PyObject *folder);
/* A module of the model is entered; returns the last. */
uint32_t mica_py_site_module(uint32_t module);
/* The calling thread stays at a site until it is told otherwise: what runs is a long function of
 * the package, whose frames need not be walked. 0: it does not. Returns what was said last. */
uint32_t mica_py_site_stay(uint32_t number);
/* All sites: numbers 1 to count. */
const mica_py_place *mica_py_places(size_t *count);

#endif
