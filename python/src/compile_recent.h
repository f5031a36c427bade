/* The programs of a compiled function's recent calls, found without the signature's texts.

   Keys of dicts mostly are the same objects in each call. A signature by identity has their
   addresses in the place of their bytes, and is compared with those of a few calls before: no text
   is looked at, nothing is hashed. A recent call holds the objects, so that no other text can come
   to lie there. Equal texts that are other objects are looked up by the whole signature. */
#ifndef MICA_PY_COMPILE_RECENT_H
#define MICA_PY_COMPILE_RECENT_H

#include "compile_key.h"

enum { MICA_RECENT_CALLS = 4 };

typedef struct mica_py_recent {
    struct mica_py_recent_call {
        char *bytes; /* the signature by identity, and what numbers add */
        size_t bare; /* length without what numbers add */
        size_t n;
        PyObject *texts, *needs, *entry; /* needs: or NULL; entry: NULL while unused */
    } calls[MICA_RECENT_CALLS];
    int oldest;
} mica_py_recent;

/* The entry of a call by the signature by identity; NULL, perhaps with an exception, when it is
 * none of the recent ones. A new reference. */
PyObject *mica_py_recent_find(const mica_py_recent *r, mica_py_key *k);
/* Remembers a call. `bare`: its signature by identity; `k` has its numbers; `texts`: its objects.
 */
int mica_py_recent_add(mica_py_recent *r, mica_py_key *k, PyObject *bare, PyObject *texts,
                       PyObject *needs, PyObject *entry);
int mica_py_recent_traverse(mica_py_recent *r, visitproc visit, void *arg);
void mica_py_recent_clear(mica_py_recent *r);

#endif
