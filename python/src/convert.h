/* Python objects to the values that builders take, kind by kind. */
#ifndef MICA_PY_CONVERT_H
#define MICA_PY_CONVERT_H

#include "signature.h"

typedef enum mica_outcome { MICA_TAKEN, MICA_WRONG_TYPE, MICA_TOO_LARGE, MICA_RAISED } mica_outcome;

/* What the conversions of one call share. */
typedef struct mica_context {
    mica_scope *scope;
    PyObject *element; /* a sequence's element of the wrong type: a reference */
    size_t n;          /* numbers in use */
    int64_t numbers[2 * MICA_MAX_NDIM];
} mica_context;

/* One argument that is not an operand, by the kind of its parameter. */
mica_outcome mica_py_convert(mica_context *c, const mica_parameter *p, PyObject *o,
                             mica__value *out);

/* The arrays in `items`, or, when that is NULL, in the list or tuple `fast`. The scope holds them:
   code that a later conversion runs may change the sequence. */
mica_outcome mica_py_arrays(mica_context *c, PyObject *const *items, PyObject *fast, size_t n,
                            mica_arrays *out);

/* Lets the message of the present exception, when it is of a built-in class, begin with "[function]
   argument 'argument': ", in place of a head "[array]". A NULL argument is left out. */
void mica_py_name_error(const char *function, const char *argument);

/* The name of an object's type, for messages; valid until the next call. */
const char *mica_py_type_name(PyObject *o);

#endif
