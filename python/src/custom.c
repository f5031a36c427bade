/* Derivative and batching rules in Python: what mica/_custom.py is made of. */
#include "autodiff/custom.h"

#include "record.h"
#include "transforms.h"

typedef struct python_rules {
    mica__custom_rules rules;
    PyObject *vjp, *jvp, *vmap; /* callables on lists, or NULL */
} python_rules;

static void rules_free(mica__owner *o)
{
    python_rules *r = (python_rules *)(void *)o;
    if (Py_IsInitialized()) {
        PyGILState_STATE gil = PyGILState_Ensure();
        Py_XDECREF(r->vjp);
        Py_XDECREF(r->jvp);
        Py_XDECREF(r->vmap);
        PyGILState_Release(gil);
    }
    mica__free(r);
}

/* Takes over a Python list of `n` arrays (None: NULL) into out; the scope owns them. */
static bool take_list(mica_scope *s, PyObject *list, size_t n, mica_array *out[], const char *what)
{
    bool good = list && PyList_Check(list) && (size_t)PyList_Size(list) == n;
    for (size_t i = 0; good && i < n; i++) {
        PyObject *o = PyList_GetItem(list, (Py_ssize_t)i);
        out[i] = o == Py_None ? NULL : mica_py_array(o);
        if (out[i]) mica_scope_own(s, mica_retain(out[i]));
        good = out[i] || o == Py_None;
    }
    if (!good)
        mica__error(
            s, MICA_EVALUE,
            "[custom_function] the %s rule failed or gave another number of arrays than %zu", what,
            n);
    Py_XDECREF(list);
    return good && s->status == MICA_OK;
}

static bool call_vjp(mica__custom_rules *self, mica_scope *s, mica_array *const arguments[],
                     size_t n, mica_array *const cotangents[], mica_array *const results[],
                     size_t nresults, mica_array *gradients[])
{
    python_rules *r = (python_rules *)(void *)self;
    PyObject *list = PyObject_CallFunction(r->vjp, "NNN", mica_py_list_of(arguments, n),
                                           mica_py_list_of(cotangents, nresults),
                                           mica_py_list_of(results, nresults));
    return take_list(s, list, n, gradients, "vjp");
}

static bool call_jvp(mica__custom_rules *self, mica_scope *s, mica_array *const arguments[],
                     mica_array *const tangents[], size_t n, mica_array *results[], size_t nresults)
{
    python_rules *r = (python_rules *)(void *)self;
    PyObject *list = PyObject_CallFunction(r->jvp, "NN", mica_py_list_of(arguments, n),
                                           mica_py_list_of(tangents, n));
    return take_list(s, list, nresults, results, "jvp");
}

static bool call_vmap(mica__custom_rules *self, mica_scope *s, mica_array *const arguments[],
                      const bool batched[], size_t n, int64_t batch, mica_array *results[],
                      size_t nresults)
{
    python_rules *r = (python_rules *)(void *)self;
    PyObject *axes = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; axes && i < n; i++) {
        PyObject *o = batched[i] ? PyLong_FromLong(0) : (Py_INCREF(Py_None), Py_None);
        PyList_SetItem(axes, (Py_ssize_t)i, o);
    }
    PyObject *list = axes ? PyObject_CallFunction(r->vmap, "NNL", mica_py_list_of(arguments, n),
                                                  axes, (long long)batch)
                          : NULL;
    return take_list(s, list, nresults, results, "vmap");
}

/* _custom(arguments, results, vjp, jvp, vmap) -> results with the rules attached. A rule may be
 * None. */
static PyObject *custom(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *arguments, *results, *rules[3];
    if (!PyArg_ParseTuple(args, "OOOOO:_custom", &arguments, &results, &rules[0], &rules[1],
                          &rules[2]))
        return NULL;
    mica_scope s;
    size_t n = 0, k = 0;
    mica__scope_begin(&s, NULL);
    mica_array **a = mica_py_arrays_of(&s, arguments, false, &n),
               **r = a ? mica_py_arrays_of(&s, results, false, &k) : NULL;
    mica_array **out = r ? mica__scope_alloc(&s, (k + 1) * sizeof *out) : NULL;
    python_rules *p = out ? mica__alloc_zero(1, sizeof *p) : NULL;
    if (p) {
        atomic_init(&p->rules.owner.references, 1);
        p->rules.owner.free = rules_free;
        PyObject **fields[3] = { &p->vjp, &p->jvp, &p->vmap };
        for (int i = 0; i < 3; i++)
            if (rules[i] != Py_None) {
                Py_INCREF(rules[i]);
                *fields[i] = rules[i];
            }
        p->rules.vjp = p->vjp ? call_vjp : NULL;
        p->rules.jvp = p->jvp ? call_jvp : NULL;
        p->rules.vmap = p->vmap ? call_vmap : NULL;
        if (k && !mica__custom_build(&s, &p->rules, a, n, r, k, out)) out = NULL;
        mica__owner_release(&p->rules.owner);
    } else if (out) {
        mica__scope_failed(&s, MICA_EMEMORY);
    }
    return mica_py_finish_list(&s, out, k);
}

/* _depends(inputs, dependencies) -> inputs that wait for the dependencies */
static PyObject *depends(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *inputs, *dependencies;
    if (!PyArg_ParseTuple(args, "OO:_depends", &inputs, &dependencies)) return NULL;
    mica_scope s;
    size_t n = 0, k;
    mica__scope_begin(&s, NULL);
    mica_array **a = mica_py_arrays_of(&s, inputs, false, &n),
               **d = a ? mica_py_arrays_of(&s, dependencies, false, &k) : NULL;
    mica_array **out = d ? mica__scope_alloc(&s, (n + 1) * sizeof *out) : NULL;
    if (out && n && !mica__depends_build(&s, a, n, d, k, out)) out = NULL;
    PyObject *result = mica_py_finish_list(&s, out, n);
    if (!mica_py_recording) return result;
    return mica_py_record_call("_depends", NULL, args, NULL, result);
}

static PyMethodDef functions[] = {
    { "_custom", custom, METH_VARARGS, NULL },
    { "_depends", depends, METH_VARARGS, NULL },
    { NULL, NULL, 0, NULL },
};

int mica_py_custom_functions(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
