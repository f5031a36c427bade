/* The signature of a compiled call: everything but the values of arrays, as bytes. */
#ifndef MICA_PY_COMPILE_KEY_H
#define MICA_PY_COMPILE_KEY_H

#include "array.h"

/* Where an array of the state stands. References are borrowed. */
typedef struct mica_py_place {
    PyObject *container; /* a dict, a list, or mx.random.state; NULL: a tuple */
    PyObject *key;       /* of a dict */
    Py_ssize_t index;    /* of a list */
    PyObject *value;     /* owned: mx.random.state makes it */
} mica_py_place;

enum { MICA_KEY_BYTES = 3072, MICA_KEY_ARRAYS = 64, MICA_KEY_NUMBERS = 8, MICA_KEY_TEXTS = 64 };

typedef struct mica_py_key {
    PyObject *function; /* for messages, or NULL */
    bool shapes;        /* sizes belong to the signature */
    bool apart;         /* texts are collected, not written: see compile_recent.h */
    bool traced;        /* an array belongs to an open transformation */
    bool opaque;        /* it has keys of which nobody can say when they are equal */
    bool owned;         /* references to arrays and numbers are not borrowed any more */
    bool written;       /* places are written only: of their arrays nothing counts */
    char *at;
    size_t n, room;
    PyObject **arrays; /* of the arguments, in order; borrowed */
    size_t narrays, arrays_room;
    PyObject **numbers; /* floats and integers of the arguments; borrowed */
    size_t nnumbers, numbers_room;
    PyObject **texts; /* those that are not written; borrowed */
    size_t ntexts, texts_room;
    mica_py_place *places;
    size_t nplaces, places_room;
    char bytes[MICA_KEY_BYTES];
    PyObject *few_arrays[MICA_KEY_ARRAYS], *few_numbers[MICA_KEY_NUMBERS];
    PyObject *few_texts[MICA_KEY_TEXTS];
} mica_py_key;

void mica_py_key_begin(mica_py_key *k, PyObject *function, bool shapes);
/* Takes references to arrays and numbers: before code of the program runs, which may let go of what
 * it gave. Nothing is collected afterwards. */
void mica_py_key_own(mica_py_key *k);
/* Forgets what was written and collected. */
void mica_py_key_restart(mica_py_key *k, bool apart);
void mica_py_key_end(mica_py_key *k);
/* All of these: 0, or -1 and an exception. */
/* The signature of arguments and state; collects arrays, numbers and places of `inputs`. */
int mica_py_key_of(mica_py_key *k, PyObject *given, PyObject *inputs, PyObject *outputs);
int mica_py_key_places(mica_py_key *k, PyObject *state);
/* What numbers add: the values of pinned ones (needs[0], None: all), of others the ranges, what
 * they choose as exponents, and the magnitudes (needs[1] to needs[3]). */
int mica_py_key_numbers(mica_py_key *k, PyObject *needs);
int mica_py_key_number(mica_py_key *k, PyObject *number);
int mica_py_key_put(mica_py_key *k, const void *bytes, size_t n);

int mica_py_place_put(const mica_py_place *place, PyObject *value);

#endif
