/* The table of all functions on arrays: what a front end needs to offer each of them without
 * knowing any. */
#ifndef MICA_ENGINE_FUNCTION_H
#define MICA_ENGINE_FUNCTION_H

#include "mica/array.h"

/* One argument, by the kind that the signature gives it (func.def). */
typedef union mica__value {
    mica_array *array;  /* array, operand */
    mica_arrays arrays; /* arrays */
    mica_dims dims;     /* axes, dims, shape */
    int64_t integer;    /* int */
    int axis;           /* axis */
    bool boolean;       /* bool */
    double real;        /* float */
    mica_dtype dtype;   /* dtype */
    const char *string; /* string */
    mica_mask mask;     /* mask */
    mica_order order;   /* order */
} mica__value;

typedef struct mica__function {
    const char *name;      /* "exp", "random_normal" */
    const char *signature; /* as in func.def */
    const char *doc;
    /* Calls the builder with one value for each parameter. Returns the array, or fills *many when
       the signature says that several are returned; NULL, or none, on failure. */
    mica_array *(*call)(mica_scope *scope, const mica__value *values, mica_arrays *many);
} mica__function;

extern const mica__function mica__functions[]; /* ends with an entry without name */
extern const size_t mica__function_count;

#endif
