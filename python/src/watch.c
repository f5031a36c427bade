/* The doctor's eyes in Python: what other bindings tell it, and what the engine noted, as plain
   objects. */
#include "array.h"
#include "doctor/doctor.h"
#include "ops/prim.h"
#include "site.h"
#include "watch.h"

static PyObject *tracers; /* a list of (weak reference, site) while a trace is watched, or NULL */

void mica_py_watch_reason(const char *reason)
{
    if (!mica__watching()) return;
    mica__site = mica_py_site();
    if (reason) mica__doctor_reason(reason);
}

static void count(const mica_array *a, uint32_t rule, const char *reason)
{
    const mica_node *n = mica__node_of(a);
    mica_py_watch_reason(mica__is_done(a) ? NULL : reason);
    mica__doctor_found(rule, n->prim, mica__site, 0,
                       (uint64_t)a->size * mica__dtype_sizes[a->dtype]);
}

void mica_py_watch_read(const mica_array *a, const char *reason)
{
    if (mica__watching()) count(a, 101, reason);
}

void mica_py_watch_leaves(const mica_array *a)
{
    if (mica__watching()) count(a, 505, "buffer");
}

void mica_py_watch_evaluated(mica_array *const arrays[], size_t n)
{
    if (!mica__watching()) return;
    for (size_t i = 0; i < n; i++) mica__doctor_evaluated(arrays[i]);
}

void mica_py_watch_wrapped(PyObject *o, const mica_array *a)
{
    if (!tracers || !(mica__node_of(a)->flags & MICA_NODE_ABSTRACT)) return;
    PyObject *reference = PyWeakref_NewRef(o, NULL);
    PyObject *pair = reference ? Py_BuildValue("(NI)", reference, mica__site) : NULL;
    if (!pair || PyList_Append(tracers, pair) < 0) PyErr_Clear();
    Py_XDECREF(pair);
}

/* ---- functions of the module ---- */

static PyObject *set_tracers(PyObject *m, PyObject *list)
{
    (void)m;
    PyObject *old = tracers ? tracers : Py_NewRef(Py_None);
    tracers = list == Py_None ? NULL : Py_NewRef(list);
    mica__site_flags = tracers ? MICA_NODE_TRACING : 0;
    return old;
}

static PyObject *start(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *folder;
    unsigned options;
    if (!PyArg_ParseTuple(args, "UI", &folder, &options)) return NULL;
    if (mica_py_site_begin(folder) < 0) return NULL;
    int status = mica__doctor_start(mica_py_site, options);
    if (status != MICA_OK) return mica_py_raise(status);
    Py_RETURN_NONE;
}

static PyObject *stop(PyObject *m, PyObject *unused)
{
    (void)m;
    (void)unused;
    mica__doctor_stop();
    Py_RETURN_NONE;
}

static PyObject *here(PyObject *m, PyObject *unused)
{
    (void)m;
    (void)unused;
    return PyLong_FromUnsignedLong(mica__watching() ? mica_py_site() : 0);
}

static PyObject *in_module(PyObject *m, PyObject *number)
{
    (void)m;
    unsigned long given = PyLong_AsUnsignedLong(number);
    if (PyErr_Occurred()) return NULL;
    return PyLong_FromUnsignedLong(mica_py_site_module((uint32_t)given));
}

static PyObject *at(PyObject *m, PyObject *number)
{
    (void)m;
    unsigned long given = PyLong_AsUnsignedLong(number);
    if (PyErr_Occurred()) return NULL;
    return PyLong_FromUnsignedLong(mica_py_site_stay((uint32_t)given));
}

static PyObject *gradients(PyObject *m, PyObject *arrays)
{
    (void)m;
    if (!PyList_Check(arrays))
        return PyErr_Format(PyExc_TypeError, "[doctor] a list of arrays is needed");
    for (Py_ssize_t i = 0; i < PyList_Size(arrays); i++) {
        mica_array *a = mica_py_array(PyList_GetItem(arrays, i));
        if (a && !mica__is_done(a)) mica__node_of(a)->flags |= MICA_NODE_GRADIENT;
    }
    Py_RETURN_NONE;
}

static PyObject *found(PyObject *m, PyObject *args)
{
    (void)m;
    unsigned rule, at, cause;
    unsigned long long bytes;
    if (!PyArg_ParseTuple(args, "IIIK", &rule, &at, &cause, &bytes)) return NULL;
    mica__doctor_found(rule, mica_prim_constant, at, cause, bytes);
    Py_RETURN_NONE;
}

static PyObject *sites(PyObject *m, PyObject *unused)
{
    (void)m;
    (void)unused;
    PyObject *all = PyList_New(0);
    size_t n;
    const mica_py_place *places = mica_py_places(&n);
    for (size_t i = 0; all && i <= n; i++) {
        PyObject *one = i ? Py_BuildValue("(OiI)", places[i].code, places[i].line, places[i].module)
                          : Py_BuildValue("(OiI)", Py_None, 0, 0u);
        if (!one || PyList_Append(all, one) < 0) Py_CLEAR(all);
        Py_XDECREF(one);
    }
    return all;
}

static const char *prim_name(uint32_t prim)
{
    return prim < MICA_PRIM_COUNT ? mica__prims[prim].name : "?";
}

/* Puts a new object into a dictionary; false and an exception on failure. */
static bool put(PyObject *dictionary, const char *key, PyObject *value)
{
    bool ok = value && PyDict_SetItemString(dictionary, key, value) == 0;
    Py_XDECREF(value);
    return ok;
}

static PyObject *shape_of(int ndim, const int64_t *shape)
{
    PyObject *all = PyTuple_New(ndim <= 8 ? ndim : 8);
    for (int i = 0; all && i < ndim && i < 8; i++)
        PyTuple_SetItem(all, i, PyLong_FromLongLong(shape[i]));
    return all;
}

static PyObject *range_of(const mica__range *r)
{
    return Py_BuildValue("(sNddLL)", mica_dtype_name(r->dtype), shape_of(r->ndim, r->shape),
                         r->smallest, r->largest, (long long)r->nans, (long long)r->infinities);
}

static PyObject *nonfinite(const mica__first_nonfinite *f)
{
    if (!f->found) Py_RETURN_NONE;
    PyObject *operands = PyList_New(0);
    for (uint32_t i = 0; operands && i < f->noperands; i++) {
        PyObject *one = range_of(&f->operands[i]);
        if (!one || PyList_Append(operands, one) < 0) Py_CLEAR(operands);
        Py_XDECREF(one);
    }
    return Py_BuildValue("(sIKNN)", prim_name(f->prim), f->site, (unsigned long long)f->evaluation,
                         range_of(&f->result), operands);
}

#define LIST(name, count, ...)                                                                     \
    static PyObject *name(const mica__record *r)                                                   \
    {                                                                                              \
        PyObject *all = PyList_New((Py_ssize_t)r->count);                                          \
        for (size_t i = 0; all && i < r->count; i++) {                                             \
            PyObject *one = Py_BuildValue(__VA_ARGS__);                                            \
            if (!one) Py_CLEAR(all);                                                               \
            else PyList_SetItem(all, (Py_ssize_t)i, one);                                          \
        }                                                                                          \
        return all;                                                                                \
    }
#define F r->findings[i]
LIST(findings, nfindings, "(IsIIKK)", F.rule, prim_name(F.prim), F.site, F.cause,
     (unsigned long long)F.count, (unsigned long long)F.bytes)
#define E r->evaluations[i]
LIST(evaluations, nevaluations, "(sIIIIKKLLLOKII)", E.reason, E.site, E.thread, E.nodes, E.steps,
     (unsigned long long)E.graph, (unsigned long long)E.held, (long long)E.begin,
     (long long)E.planned, (long long)E.end, E.waited ? Py_True : Py_False,
     (unsigned long long)E.bytes, E.claim, E.after)
#define S r->steps[i]
LIST(steps, nsteps, "(KIsIILLK)", (unsigned long long)S.evaluation, S.site, prim_name(S.prim),
     S.nodes, S.thread, (long long)S.begin, (long long)S.end, (unsigned long long)S.active)
#define A r->accounts[i]
LIST(accounts, naccounts, "(KKKL)", (unsigned long long)A.nodes, (unsigned long long)A.nanoseconds,
     (unsigned long long)A.taken, (long long)A.at_peak)

/* [(prim, site, step, dtype, shape, bytes, kept, view, [(node, bytes, dtype, shape), ...]), ...] */
static PyObject *sketched(const mica__sketch *s)
{
    PyObject *all = PyList_New((Py_ssize_t)s->nnodes);
    for (size_t i = 0; all && i < s->nnodes; i++) {
        const mica__sketch_node *n = &s->nodes[i];
        PyObject *inputs = PyList_New((Py_ssize_t)n->ninputs);
        for (uint32_t k = 0; inputs && k < n->ninputs; k++) {
            const mica__sketch_input *in = &s->inputs[n->first_input + k];
            PyObject *one =
                Py_BuildValue("(LKsN)", (long long)in->node, (unsigned long long)in->bytes,
                              mica_dtype_name(in->dtype), shape_of(in->ndim, in->shape));
            if (!one) Py_CLEAR(inputs);
            else PyList_SetItem(inputs, (Py_ssize_t)k, one);
        }
        PyObject *one = Py_BuildValue("(sIIsNKOON)", prim_name(n->prim), n->site, n->step,
                                      mica_dtype_name(n->dtype), shape_of(n->ndim, n->shape),
                                      (unsigned long long)n->bytes, n->kept ? Py_True : Py_False,
                                      n->view ? Py_True : Py_False, inputs);
        if (!one) Py_CLEAR(all);
        else PyList_SetItem(all, (Py_ssize_t)i, one);
    }
    return all;
}

static PyObject *plan(PyObject *m, PyObject *arrays)
{
    (void)m;
    if (!PyList_Check(arrays))
        return PyErr_Format(PyExc_TypeError, "[doctor] a list of arrays is needed");
    mica__vec roots = { 0 };
    int status = MICA_OK;
    for (Py_ssize_t i = 0; i < PyList_Size(arrays) && status == MICA_OK; i++) {
        mica_array *a = mica_py_array(PyList_GetItem(arrays, i));
        if (a) status = mica__vec_push(&roots, a);
    }
    mica__sketch *s = NULL;
    if (status == MICA_OK) status = mica__sketch_of(&s, (mica_array *const *)roots.at, roots.n);
    mica__vec_free(&roots);
    if (status != MICA_OK) return mica_py_raise(status);
    PyObject *all = sketched(s);
    mica__sketch_free(s);
    return all;
}

static PyObject *largest(const mica__record *r)
{
    if (!r->largest) Py_RETURN_NONE;
    return Py_BuildValue("(KN)", (unsigned long long)r->largest->evaluation, sketched(r->largest));
}

static PyObject *record(PyObject *m, PyObject *unused)
{
    (void)m;
    (void)unused;
    const mica__record *r = mica__doctor_record();
    PyObject *all = PyDict_New();
    if (all && put(all, "findings", findings(r)) && put(all, "evaluations", evaluations(r)) &&
        put(all, "steps", steps(r)) && put(all, "accounts", accounts(r)) &&
        put(all, "fault",
            Py_BuildValue("(KsI)", (unsigned long long)r->faults, prim_name(r->fault_prim),
                          r->fault_site)) &&
        put(all, "nonfinite", nonfinite(&r->nonfinite)) && put(all, "largest", largest(r)) &&
        put(all, "peak", PyLong_FromSize_t(r->peak)) &&
        put(all, "nodes", PyLong_FromUnsignedLongLong(r->total_nodes)) &&
        put(all, "total_evaluations", PyLong_FromUnsignedLongLong(r->total_evaluations)) &&
        put(all, "total_steps", PyLong_FromUnsignedLongLong(r->total_steps)) &&
        put(all, "left_out", PyLong_FromUnsignedLongLong(r->left_out)))
        return all;
    Py_XDECREF(all);
    return NULL;
}

static PyMethodDef watch_functions[] = {
    { "_doctor_start", start, METH_VARARGS,
      "_doctor_start(folder, options): lines of files in folder count for their caller's." },
    { "_doctor_stop", stop, METH_NOARGS, "Stops watching." },
    { "_doctor_here", here, METH_NOARGS, "The number of the calling line; 0 when not watching." },
    { "_doctor_module", in_module, METH_O, "Enters a module of the model; returns the last." },
    { "_doctor_at", at, METH_O,
      "This thread stays at a line until it is told otherwise (0); returns the last." },
    { "_doctor_gradients", gradients, METH_O, "Marks arrays as gradients." },
    { "_doctor_tracers", set_tracers, METH_O,
      "Objects that stand for arguments of a trace go to this list; returns the last." },
    { "_doctor_found", found, METH_VARARGS, "_doctor_found(rule, site, cause, bytes)" },
    { "_doctor_sites", sites, METH_NOARGS, "(code, line, module) by number." },
    { "_doctor_plan", plan, METH_O, "What an evaluation of a list of arrays would run." },
    { "_doctor_record", record, METH_NOARGS, "What was noted, as lists of tuples." },
    { NULL, NULL, 0, NULL },
};

int mica_py_watch_functions(PyObject *module)
{
    return PyModule_AddFunctions(module, watch_functions);
}
