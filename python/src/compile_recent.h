/* The programs of a compiled function's recent calls, found without copying and hashing texts.

   Keys of dicts mostly are the same objects in each call. So texts are kept apart from the rest of
   the signature: where that is as in one of a few calls before, they are compared as objects, and
   as texts where the objects differ. */
#ifndef MICA_PY_COMPILE_RECENT_H
#define MICA_PY_COMPILE_RECENT_H

#include "compile_key.h"

enum { MICA_RECENT_CALLS = 4 };

typedef struct mica_py_recent {
    struct mica_py_recent_call {
        char *bytes; /* the signature without texts, and what numbers add */
        size_t bare; /* length without what numbers add */
        size_t n;
        PyObject **texts;
        size_t ntexts;
        PyObject *needs, *entry; /* needs: or NULL; entry: its program */
    } * calls[MICA_RECENT_CALLS];
    int oldest;
} mica_py_recent;

/* The entry of a call whose texts are apart; NULL, perhaps with an exception, when it is none of
 * the recent ones. A new reference. */
PyObject *mica_py_recent_find(const mica_py_recent *r, mica_py_key *k);
/* What a call is remembered by, of its signature with texts apart; NULL and an exception. */
struct mica_py_recent_call *mica_py_recent_begin(const mica_py_key *k);
/* Remembers it, whose numbers `k` has; takes it over. */
int mica_py_recent_add(mica_py_recent *r, struct mica_py_recent_call *c, mica_py_key *k,
                       PyObject *needs, PyObject *entry);
void mica_py_recent_free(struct mica_py_recent_call *c);
int mica_py_recent_traverse(mica_py_recent *r, visitproc visit, void *arg);
void mica_py_recent_clear(mica_py_recent *r);

#endif
