/* The programs of recent calls. */
#include "compile_recent.h"

static bool same_texts(const struct mica_py_recent_call *c, const mica_py_key *k)
{
    if (c->ntexts != k->ntexts) return false;
    for (size_t i = 0; i < k->ntexts; i++)
        if (c->texts[i] != k->texts[i] && PyUnicode_Compare(c->texts[i], k->texts[i]) != 0)
            return false;
    return true;
}

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
        const struct mica_py_recent_call *c = r->calls[i];
        if (!c || c->bare != k->n || memcmp(c->bytes, k->at, k->n) || !same_texts(c, k)) continue;
        int same = same_numbers(c, k);
        if (same) return same > 0 ? Py_NewRef(c->entry) : NULL;
    }
    return NULL;
}

void mica_py_recent_free(struct mica_py_recent_call *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->ntexts; i++) Py_DECREF(c->texts[i]);
    Py_XDECREF(c->needs);
    Py_XDECREF(c->entry);
    PyMem_Free(c->texts);
    PyMem_Free(c->bytes);
    PyMem_Free(c);
}

struct mica_py_recent_call *mica_py_recent_begin(const mica_py_key *k)
{
    struct mica_py_recent_call *c = PyMem_Calloc(1, sizeof *c);
    if (c) {
        c->bytes = PyMem_Malloc(k->n);
        c->texts = PyMem_Malloc(k->ntexts * sizeof *c->texts);
    }
    if (!c || !c->bytes || !c->texts) {
        mica_py_recent_free(c);
        PyErr_NoMemory();
        return NULL;
    }
    c->bare = c->n = k->n;
    memcpy(c->bytes, k->at, k->n);
    for (; c->ntexts < k->ntexts; c->ntexts++) c->texts[c->ntexts] = Py_NewRef(k->texts[c->ntexts]);
    return c;
}

/* Appends what numbers add. */
static int add_numbers(struct mica_py_recent_call *c, mica_py_key *k, PyObject *needs)
{
    k->n = 0;
    if (mica_py_key_numbers(k, needs) < 0) return -1;
    char *bytes = PyMem_Realloc(c->bytes, c->bare + k->n);
    if (!bytes) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(bytes + c->bare, k->at, k->n);
    c->bytes = bytes;
    c->n = c->bare + k->n;
    c->needs = Py_NewRef(needs);
    return 0;
}

int mica_py_recent_add(mica_py_recent *r, struct mica_py_recent_call *c, mica_py_key *k,
                       PyObject *needs, PyObject *entry)
{
    if (needs && add_numbers(c, k, needs) < 0) {
        mica_py_recent_free(c);
        return -1;
    }
    c->entry = Py_NewRef(entry);
    struct mica_py_recent_call *old = r->calls[r->oldest];
    r->calls[r->oldest] = c;
    r->oldest = (r->oldest + 1) % MICA_RECENT_CALLS;
    mica_py_recent_free(old); /* last: what it releases may call the function */
    return 0;
}

int mica_py_recent_traverse(mica_py_recent *r, visitproc visit, void *arg)
{
    for (int i = 0; i < MICA_RECENT_CALLS; i++) {
        if (!r->calls[i]) continue;
        Py_VISIT(r->calls[i]->needs);
        Py_VISIT(r->calls[i]->entry);
    }
    return 0;
}

void mica_py_recent_clear(mica_py_recent *r)
{
    for (int i = 0; i < MICA_RECENT_CALLS; i++) {
        struct mica_py_recent_call *old = r->calls[i];
        r->calls[i] = NULL;
        mica_py_recent_free(old);
    }
}
