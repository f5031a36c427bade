/* The programs of recent calls. */
#include "compile_recent.h"

/* Whether what numbers add is what it was; -1 and an exception. */
static int same_numbers(const struct mica_py_recent_call *c, mica_py_key *k)
{
    if (!c->needs) return 1;
    size_t n = k->n;
    int status = mica_py_key_numbers(k, c->needs);
    bool same = !status && k->n == c->n && !memcmp(k->at + n, c->bytes + n, c->n - n);
    k->n = n;
    return status ? -1 : same;
}

PyObject *mica_py_recent_find(const mica_py_recent *r, mica_py_key *k)
{
    for (int i = 0; i < MICA_RECENT_CALLS; i++) {
        const struct mica_py_recent_call *c = &r->calls[i];
        if (!c->entry || c->bare != k->n || memcmp(c->bytes, k->at, k->n)) continue;
        int same = same_numbers(c, k);
        if (same) return same > 0 ? Py_NewRef(c->entry) : NULL;
    }
    return NULL;
}

static void forget(struct mica_py_recent_call *c)
{
    struct mica_py_recent_call old = *c; /* what is released may call this function */
    *c = (struct mica_py_recent_call){ 0 };
    PyMem_Free(old.bytes);
    Py_XDECREF(old.texts);
    Py_XDECREF(old.needs);
    Py_XDECREF(old.entry);
}

int mica_py_recent_add(mica_py_recent *r, mica_py_key *k, PyObject *bare, PyObject *texts,
                       PyObject *needs, PyObject *entry)
{
    size_t length = (size_t)PyBytes_Size(bare);
    k->n = 0;
    if (mica_py_key_put(k, PyBytes_AsString(bare), length) < 0 ||
        (needs && mica_py_key_numbers(k, needs) < 0))
        return -1;
    char *bytes = PyMem_Malloc(k->n);
    if (!bytes) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(bytes, k->at, k->n);
    int place = r->oldest;
    r->oldest = (place + 1) % MICA_RECENT_CALLS;
    forget(&r->calls[place]);
    if (r->calls[place].entry) { /* a call from there was quicker */
        PyMem_Free(bytes);
        return 0;
    }
    r->calls[place] = (struct mica_py_recent_call){
        bytes, length, k->n, Py_NewRef(texts), Py_XNewRef(needs), Py_NewRef(entry)
    };
    return 0;
}

int mica_py_recent_traverse(mica_py_recent *r, visitproc visit, void *arg)
{
    for (int i = 0; i < MICA_RECENT_CALLS; i++) {
        Py_VISIT(r->calls[i].texts);
        Py_VISIT(r->calls[i].needs);
        Py_VISIT(r->calls[i].entry);
    }
    return 0;
}

void mica_py_recent_clear(mica_py_recent *r)
{
    for (int i = 0; i < MICA_RECENT_CALLS; i++) forget(&r->calls[i]);
}
