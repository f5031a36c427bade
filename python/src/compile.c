/* Calls of compiled functions: the arguments' signature, the program that belongs to it, the run.
   What is not known yet is traced by mica/_compile.py. */
#include "compile_recent.h"

#include <structmember.h>

#include "base/config.h"
#include "compile/program.h"
#include "transforms.h"

typedef struct compiled {
    PyObject_HEAD PyObject *function, *inputs, *outputs;
    PyObject *programs; /* signature -> entry */
    PyObject *needs;    /* signature -> what its numbers are asked for */
    mica_py_recent recent;
} compiled;

/* An entry is a tuple of: the engine's program, the places of the numbers that are inputs, a tree
   in whose arrays' places the results go, the numbers of results and of arrays of the state, and
   None or what gives those to containers that change otherwise too (mica/_state.py). */
enum { ENTRY_PROGRAM, ENTRY_FREE, ENTRY_OUTPUT, ENTRY_RESULTS, ENTRY_STATE, ENTRY_LEAVING };

static int switched_off = -1; /* -1: as the environment says */

static bool is_off(void)
{
    if (switched_off < 0) switched_off = mica__setting_flag(MICA_SETTING_disable_compile);
    return switched_off > 0;
}

/* The values that a program takes: state, arguments, numbers. Memory of the scope. */
static mica_array **inputs_of(mica_scope *s, const mica_py_key *k, PyObject *free)
{
    Py_ssize_t nfree = PyTuple_Size(free);
    size_t n = 0;
    mica_array **in =
        mica__scope_alloc(s, (k->nplaces + k->narrays + (size_t)nfree + 1) * sizeof *in);
    if (!in) return NULL;
    for (size_t i = 0; i < k->nplaces; i++) in[n++] = mica_py_array(k->places[i].value);
    for (size_t i = 0; i < k->narrays; i++) in[n++] = mica_py_array(k->arrays[i]);
    for (Py_ssize_t i = 0; i < nfree; i++) {
        PyObject *number = k->numbers[PyLong_AsSsize_t(PyTuple_GetItem(free, i))];
        mica_dtype d = PyFloat_Check(number) ? MICA_FLOAT64 : MICA_INT64;
        if (!(in[n++] = mica_py_from_object(s, number, d))) return NULL;
    }
    return in;
}

/* Gives the containers of the state their new arrays. */
static int put_state(compiled *f, PyObject *leaving, mica_array *const values[], size_t n)
{
    PyObject *list = mica_py_list_of(values, n);
    if (!list) return -1;
    if (leaving != Py_None) {
        PyObject *done = PyObject_CallMethod(leaving, "give", "OO", f->outputs, list);
        Py_DECREF(list);
        Py_XDECREF(done);
        return done ? 0 : -1;
    }
    mica_py_key k;
    mica_py_key_begin(&k, NULL, true);
    int status = mica_py_key_places(&k, f->outputs);
    for (size_t i = 0; !status && i < k.nplaces && i < n; i++)
        status = mica_py_place_put(&k.places[i], PyList_GetItem(list, (Py_ssize_t)i));
    mica_py_key_end(&k);
    Py_DECREF(list);
    return status;
}

static PyObject *run(compiled *f, const mica_py_key *k, PyObject *entry)
{
    const mica__program *p =
        PyCapsule_GetPointer(PyTuple_GetItem(entry, ENTRY_PROGRAM), "mica.program");
    PyObject *output = PyTuple_GetItem(entry, ENTRY_OUTPUT), *result = NULL;
    PyObject *leaving = PyTuple_GetItem(entry, ENTRY_LEAVING);
    if (!p || !leaving) return NULL;
    size_t nresults = PyLong_AsSize_t(PyTuple_GetItem(entry, ENTRY_RESULTS));
    size_t nstate = PyLong_AsSize_t(PyTuple_GetItem(entry, ENTRY_STATE));
    mica_scope s;
    mica__scope_begin(&s, NULL);
    mica_array **in = inputs_of(&s, k, PyTuple_GetItem(entry, ENTRY_FREE));
    mica_array **out = in ? mica__scope_alloc(&s, (nresults + nstate + 1) * sizeof *out) : NULL;
    if (out && mica__program_run(&s, p, in, out)) {
        if (mica_py_array(output)) {
            result = mica_py_wrap(out[0]);
        } else {
            PyObject *leaves = mica_py_list_of(out, nresults);
            Py_ssize_t next = 0;
            result = leaves ? mica_py_rebuild(output, leaves, &next) : NULL;
            Py_XDECREF(leaves);
        }
        bool changes = nstate || leaving != Py_None;
        if (result && changes && put_state(f, leaving, out + nresults, nstate) < 0)
            Py_CLEAR(result);
    }
    int status = mica__scope_end(&s);
    if (status != MICA_OK && !PyErr_Occurred()) mica_py_raise(status);
    if (!PyErr_Occurred()) return result;
    Py_XDECREF(result);
    return NULL;
}

/* The entry of a signature; NULL, perhaps with an exception, when there is none yet. *bare receives
 * the signature without what numbers add. New references. */
static PyObject *look_up(compiled *f, mica_py_key *k, PyObject **bare)
{
    PyObject *key = *bare = PyBytes_FromStringAndSize(k->at, (Py_ssize_t)k->n);
    if (!key) return NULL;
    Py_INCREF(key);
    PyObject *needs = k->nnumbers ? PyDict_GetItemWithError(f->needs, key) : NULL;
    if (needs) {
        Py_DECREF(key);
        size_t n = k->n;
        bool ok = mica_py_key_numbers(k, needs) == 0;
        key = ok ? PyBytes_FromStringAndSize(k->at, (Py_ssize_t)k->n) : NULL;
        k->n = n;
    }
    PyObject *entry = key && !PyErr_Occurred() ? PyDict_GetItemWithError(f->programs, key) : NULL;
    Py_XINCREF(entry);
    Py_XDECREF(key);
    return entry;
}

/* A list of the state's arrays; NULL and an exception. */
static PyObject *state_list(const mica_py_key *k)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < k->nplaces; i++)
        if (PyList_Append(list, k->places[i].value) < 0) Py_CLEAR(list);
    return list;
}

/* Asks Python for an entry: _trace(signature, signature without shapes, (args, kwargs) or (args,),
   arrays, numbers, arrays of the state). */
static PyObject *trace(compiled *f, const mica_py_key *k, PyObject *bare, PyObject *given)
{
    mica_py_key loose;
    mica_py_key_begin(&loose, f->function, false);
    PyObject *entry = NULL, *other = NULL;
    if (mica_py_key_of(&loose, given, f->inputs, f->outputs) == 0)
        other = PyBytes_FromStringAndSize(loose.at, (Py_ssize_t)loose.n);
    mica_py_key_end(&loose);
    PyObject *arrays = other ? PyList_New(0) : NULL, *numbers = arrays ? PyList_New(0) : NULL;
    PyObject *state = numbers ? state_list(k) : NULL;
    bool ok = state != NULL;
    for (size_t i = 0; ok && i < k->narrays; i++) ok = PyList_Append(arrays, k->arrays[i]) == 0;
    for (size_t i = 0; ok && i < k->nnumbers; i++) ok = PyList_Append(numbers, k->numbers[i]) == 0;
    if (ok)
        entry = PyObject_CallMethod((PyObject *)f, "_trace", "OOOOOO", bare, other, given, arrays,
                                    numbers, state);
    Py_XDECREF(other);
    Py_XDECREF(arrays);
    Py_XDECREF(numbers);
    Py_XDECREF(state);
    return entry;
}

/* MICA_CHECK=2: the plain call from the state `before`, compared bit by bit by mica/_compile.py.
 * Takes over and returns `result`, or NULL and an exception. */
static PyObject *verified(compiled *f, PyObject *given, PyObject *before, PyObject *result)
{
    if (!result) return NULL;
    PyObject *done = PyObject_CallMethod((PyObject *)f, "_verify", "OOO", given, before, result);
    if (!done) Py_CLEAR(result);
    Py_XDECREF(done);
    return result;
}

/* The entry of a call that is none of the recent ones: looked up by the whole signature, or
 * traced. `k` has the signature with texts apart and is made anew. */
static PyObject *other_entry(compiled *f, mica_py_key *k, PyObject *given)
{
    struct mica_py_recent_call *recent = mica_py_recent_begin(k);
    PyObject *bare = NULL, *entry = NULL;
    if (!recent) return NULL;
    mica_py_key_restart(k, false);
    if (mica_py_key_of(k, given, f->inputs, f->outputs) == 0) {
        mica_py_key_own(k); /* tracing runs code of the program */
        entry = look_up(f, k, &bare);
    }
    if (bare && !entry && !PyErr_Occurred()) entry = trace(f, k, bare, given);
    if (entry) {
        PyObject *needs = k->nnumbers ? PyDict_GetItemWithError(f->needs, bare) : NULL;
        if (mica_py_recent_add(&f->recent, recent, k, needs, entry) < 0) Py_CLEAR(entry);
    } else {
        mica_py_recent_free(recent);
    }
    Py_XDECREF(bare);
    return entry;
}

/* The program that there is or that a trace makes, and its run. */
static PyObject *replay(compiled *f, mica_py_key *k, PyObject *given)
{
    bool verifies = mica__setting_number(MICA_SETTING_check) >= 2;
    if (verifies) mica_py_key_own(k);
    PyObject *before = verifies ? PyObject_CallMethod((PyObject *)f, "_contents", NULL) : NULL;
    if (verifies && !before) return NULL;
    PyObject *result = NULL, *entry = mica_py_recent_find(&f->recent, k);
    if (!entry && !PyErr_Occurred()) entry = other_entry(f, k, given);
    if (entry) result = run(f, k, entry);
    if (before) result = verified(f, given, before, result);
    Py_XDECREF(before);
    Py_XDECREF(entry);
    return result;
}

static PyObject *call(PyObject *self, PyObject *args, PyObject *keywords)
{
    compiled *f = (compiled *)self;
    if (is_off()) return PyObject_Call(f->function, args, keywords);
    bool named = keywords && PyDict_Size(keywords);
    PyObject *given = named ? PyTuple_Pack(2, args, keywords) : PyTuple_Pack(1, args);
    if (!given) return NULL;
    mica_py_key k;
    mica_py_key_begin(&k, f->function, true);
    k.apart = true;
    PyObject *result = NULL;
    if (mica_py_key_of(&k, given, f->inputs, f->outputs) == 0)
        result = k.traced || k.opaque ? PyObject_Call(f->function, args, keywords)
                                      : replay(f, &k, given);
    mica_py_key_end(&k);
    Py_DECREF(given);
    return result;
}

/* _with_numbers(signature, needs, numbers) -> the signature with what its numbers add */
static PyObject *with_numbers(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *bare, *needs, *numbers;
    if (!PyArg_ParseTuple(args, "OOO:_with_numbers", &bare, &needs, &numbers)) return NULL;
    mica_py_key k;
    mica_py_key_begin(&k, NULL, true);
    int status = mica_py_key_put(&k, PyBytes_AsString(bare), (size_t)PyBytes_Size(bare));
    for (Py_ssize_t i = 0; !status && i < PyList_Size(numbers); i++)
        status = mica_py_key_number(&k, PyList_GetItem(numbers, i));
    if (!status) status = mica_py_key_numbers(&k, needs);
    PyObject *key = status ? NULL : PyBytes_FromStringAndSize(k.at, (Py_ssize_t)k.n);
    mica_py_key_end(&k);
    return key;
}

/* _state_arrays(tree) -> the arrays of containers, as state of a function */
static PyObject *state_arrays(PyObject *m, PyObject *tree)
{
    (void)m;
    mica_py_key k;
    mica_py_key_begin(&k, NULL, true);
    PyObject *list = mica_py_key_places(&k, tree) == 0 ? state_list(&k) : NULL;
    mica_py_key_end(&k);
    return list;
}

/* _compile_switch(on) */
static PyObject *compile_switch(PyObject *m, PyObject *on)
{
    (void)m;
    switched_off = !PyObject_IsTrue(on);
    Py_RETURN_NONE;
}

/* ---- the type ---- */

static int init(PyObject *self, PyObject *args, PyObject *keywords)
{
    (void)keywords;
    PyObject *o[5];
    if (!PyArg_ParseTuple(args, "OOOO!O!:_Compiled", &o[0], &o[1], &o[2], &PyDict_Type, &o[3],
                          &PyDict_Type, &o[4]))
        return -1;
    compiled *f = (compiled *)self;
    PyObject **fields[] = { &f->function, &f->inputs, &f->outputs, &f->programs, &f->needs };
    for (int i = 0; i < 5; i++) {
        PyObject *old = *fields[i];
        Py_INCREF(o[i]);
        *fields[i] = o[i];
        Py_XDECREF(old);
    }
    return 0;
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
    compiled *f = (compiled *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(f->function);
    Py_VISIT(f->inputs);
    Py_VISIT(f->outputs);
    Py_VISIT(f->programs);
    Py_VISIT(f->needs);
    return mica_py_recent_traverse(&f->recent, visit, arg);
}

static int clear(PyObject *self)
{
    compiled *f = (compiled *)self;
    Py_CLEAR(f->function);
    Py_CLEAR(f->inputs);
    Py_CLEAR(f->outputs);
    Py_CLEAR(f->programs);
    Py_CLEAR(f->needs);
    mica_py_recent_clear(&f->recent);
    return 0;
}

static void dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    clear(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyType_Slot slots[] = {
    { Py_tp_doc, "The calls of a compiled function." },
    { Py_tp_init, init },
    { Py_tp_call, call },
    { Py_tp_traverse, traverse },
    { Py_tp_clear, clear },
    { Py_tp_dealloc, dealloc },
    { 0, NULL },
};
static PyType_Spec spec = { "mica.core._Compiled", sizeof(compiled), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots };

static PyMethodDef functions[] = {
    { "_with_numbers", with_numbers, METH_VARARGS, NULL },
    { "_state_arrays", state_arrays, METH_O, NULL },
    { "_compile_switch", compile_switch, METH_O, NULL },
    { NULL, NULL, 0, NULL },
};

int mica_py_compile_types(PyObject *module)
{
    return mica_py_add_type(module, &spec) ? PyModule_AddFunctions(module, functions) : -1;
}
