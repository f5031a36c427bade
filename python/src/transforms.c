/* What the transformations in mica/_transforms.py are made of: tracing, walking, trees, programs.
 */
#include "array.h"

#include "autodiff/custom.h"
#include "compile/program.h"

static _Thread_local int transforming; /* open transformations of this thread */

bool mica_py_transforming(void)
{
    return transforming > 0;
}

/* ---- lists of arrays ---- */

/* The arrays of a list; NULL entries for None where `optional`. Memory of the scope. NULL and an
 * exception on failure. */
static mica_array **arrays_of(mica_scope *s, PyObject *list, bool optional, size_t *n)
{
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "a list of arrays is needed");
        return NULL;
    }
    *n = (size_t)PyList_Size(list);
    mica_array **a = mica__scope_alloc(s, (*n + 1) * sizeof *a);
    for (size_t i = 0; a && i < *n; i++) {
        PyObject *o = PyList_GetItem(list, (Py_ssize_t)i);
        a[i] = optional && o == Py_None ? NULL : mica_py_array(o);
        if (a[i] || (optional && o == Py_None)) continue;
        PyErr_Format(PyExc_ValueError, "an array is needed, not %R", (PyObject *)Py_TYPE(o));
        return NULL;
    }
    return a;
}

static PyObject *list_of(mica_array *const a[], size_t n)
{
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *o = a[i] ? mica_py_wrap(a[i]) : (Py_INCREF(Py_None), Py_None);
        if (!o) Py_CLEAR(list);
        else PyList_SetItem(list, (Py_ssize_t)i, o);
    }
    return list;
}

/* Ends a call whose result is the list `a`; fails as the scope or Python did. */
static PyObject *finish_list(mica_scope *s, mica_array *const a[], size_t n)
{
    PyObject *list = s->status == MICA_OK && !PyErr_Occurred() && a ? list_of(a, n) : NULL;
    int status = mica__scope_end(s);
    if (status == MICA_OK || PyErr_Occurred()) return list;
    Py_XDECREF(list);
    return mica_py_raise(status);
}

/* ---- differentiation ---- */

static PyObject *trace_begin(PyObject *m, PyObject *list)
{
    (void)m;
    mica_scope s;
    size_t n;
    mica__scope_begin(&s, NULL);
    mica_array **a = arrays_of(&s, list, false, &n), **tracers = NULL;
    if (a && (tracers = mica__scope_alloc(&s, (n + 1) * sizeof *tracers)) &&
        !mica__trace_begin(&s, a, n, tracers))
        mica__trace_end(NULL, 0);
    else if (tracers) transforming++;
    PyObject *result = finish_list(&s, tracers, n);
    return result;
}

static PyObject *trace_end(PyObject *m, PyObject *list)
{
    (void)m;
    mica_scope s;
    size_t n = 0;
    mica__scope_begin(&s, NULL);
    mica_array **a = arrays_of(&s, list, true, &n);
    if (!mica__trace_end(a, a ? n : 0)) mica__scope_failed(&s, MICA_EMEMORY);
    transforming--;
    int status = mica__scope_end(&s);
    if (PyErr_Occurred()) return NULL;
    if (status != MICA_OK) return mica_py_raise(status);
    Py_RETURN_NONE;
}

static PyObject *pull_back(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *results, *cotangents, *tracers;
    if (!PyArg_ParseTuple(args, "OOO:_pull_back", &results, &cotangents, &tracers)) return NULL;
    mica_scope s;
    size_t n = 0, k = 0, t = 0;
    mica__scope_begin(&s, NULL);
    mica_array **r = arrays_of(&s, results, false, &n),
               **c = r ? arrays_of(&s, cotangents, true, &k) : NULL;
    mica_array **x = c ? arrays_of(&s, tracers, false, &t) : NULL, **g = NULL;
    if (x && k != n)
        PyErr_Format(PyExc_ValueError,
                     "[vjp] Number of cotangents %zu does not match number of outputs %zu.", k, n);
    else if (x && (g = mica__scope_alloc(&s, (t + 1) * sizeof *g)))
        mica__pull_back(&s, r, c, n, x, t, g);
    return finish_list(&s, g, t);
}

static PyObject *push_forward(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *results, *tracers, *tangents;
    if (!PyArg_ParseTuple(args, "OOO:_push_forward", &results, &tracers, &tangents)) return NULL;
    mica_scope s;
    size_t n = 0, t = 0, k = 0;
    mica__scope_begin(&s, NULL);
    mica_array **r = arrays_of(&s, results, false, &n),
               **x = r ? arrays_of(&s, tracers, false, &t) : NULL;
    mica_array **v = x ? arrays_of(&s, tangents, true, &k) : NULL, **out = NULL;
    if (v && (out = mica__scope_alloc(&s, (n + 1) * sizeof *out)))
        mica__push_forward(&s, r, n, x, v, t, out);
    return finish_list(&s, out, n);
}

/* ---- batching ---- */

static int *axes_of(mica_scope *s, PyObject *list)
{
    Py_ssize_t n = PyList_Size(list);
    int *axes = n < 0 ? NULL : mica__scope_alloc(s, ((size_t)n + 1) * sizeof *axes);
    for (Py_ssize_t i = 0; axes && i < n; i++) {
        PyObject *o = PyList_GetItem(list, i);
        axes[i] = o == Py_None ? MICA_NO_AXIS : (int)PyLong_AsLong(o);
        if (PyErr_Occurred()) return NULL;
    }
    return axes;
}

/* _batch_begin(arrays, axes) -> (placeholders, arrays with the batch axis in front). axes are
 * normalised ints or None. */
static PyObject *batch_begin(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *list, *axis_list, *first = NULL, *second = NULL;
    if (!PyArg_ParseTuple(args, "OO:_batch_begin", &list, &axis_list)) return NULL;
    mica_scope s;
    size_t n;
    mica__scope_begin(&s, NULL);
    mica_array **a = arrays_of(&s, list, false, &n);
    int *axes = a ? axes_of(&s, axis_list) : NULL;
    mica_array **holders = axes ? mica__scope_alloc(&s, (n + 1) * sizeof *holders) : NULL;
    mica_array **fronted = holders ? mica__scope_alloc(&s, (n + 1) * sizeof *fronted) : NULL;
    bool *batched = fronted ? mica__scope_alloc(&s, n + 1) : NULL;
    if (batched && mica__batch_begin(&s, a, axes, n, holders, fronted, batched)) {
        first = list_of(holders, n);
        second = list_of(fronted, n);
    }
    int status = mica__scope_end(&s);
    if (status && !PyErr_Occurred()) mica_py_raise(status);
    if (first && second && !PyErr_Occurred()) {
        transforming++;
        return Py_BuildValue("(NN)", first, second);
    }
    Py_XDECREF(first);
    Py_XDECREF(second);
    return NULL;
}

/* _batch_end(results, placeholders, fronted, axes, batch, out_axes) -> results */
static PyObject *batch_end(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *results, *holders, *fronted, *axis_list, *out_list;
    long long batch;
    if (!PyArg_ParseTuple(args, "OOOOLO:_batch_end", &results, &holders, &fronted, &axis_list,
                          &batch, &out_list))
        return NULL;
    mica_scope s;
    size_t n = 0, k, j;
    mica__scope_begin(&s, NULL);
    mica_array **r = arrays_of(&s, results, false, &n),
               **h = r ? arrays_of(&s, holders, false, &k) : NULL;
    mica_array **f = h ? arrays_of(&s, fronted, false, &j) : NULL, **out = NULL;
    int *axes = f ? axes_of(&s, axis_list) : NULL, *out_axes = axes ? axes_of(&s, out_list) : NULL;
    bool *batched = out_axes ? mica__scope_alloc(&s, k + 1) : NULL;
    if (batched && (out = mica__scope_alloc(&s, (n + 1) * sizeof *out))) {
        for (size_t i = 0; i < k; i++) batched[i] = axes[i] != MICA_NO_AXIS;
        mica__batch_end(&s, r, n, h, f, batched, k, batch, out_axes, true, out);
    }
    return finish_list(&s, out, n);
}

static PyObject *batch_abandon(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    transforming--;
    Py_RETURN_NONE;
}

/* ---- custom rules ---- */

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
    PyObject *list =
        PyObject_CallFunction(r->vjp, "NNN", list_of(arguments, n), list_of(cotangents, nresults),
                              list_of(results, nresults));
    return take_list(s, list, n, gradients, "vjp");
}

static bool call_jvp(mica__custom_rules *self, mica_scope *s, mica_array *const arguments[],
                     mica_array *const tangents[], size_t n, mica_array *results[], size_t nresults)
{
    python_rules *r = (python_rules *)(void *)self;
    PyObject *list =
        PyObject_CallFunction(r->jvp, "NN", list_of(arguments, n), list_of(tangents, n));
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
    PyObject *list =
        axes ? PyObject_CallFunction(r->vmap, "NNL", list_of(arguments, n), axes, (long long)batch)
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
    mica_array **a = arrays_of(&s, arguments, false, &n),
               **r = a ? arrays_of(&s, results, false, &k) : NULL;
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
    return finish_list(&s, out, k);
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
    mica_array **a = arrays_of(&s, inputs, false, &n),
               **d = a ? arrays_of(&s, dependencies, false, &k) : NULL;
    mica_array **out = d ? mica__scope_alloc(&s, (n + 1) * sizeof *out) : NULL;
    if (out && n && !mica__depends_build(&s, a, n, d, k, out)) out = NULL;
    return finish_list(&s, out, n);
}

/* ---- trees: lists, tuples and dicts; the structure is the tree itself with the arrays taken out
 * ---- */

static int flatten_into(PyObject *o, PyObject *leaves, bool strict)
{
    if (mica_py_array(o)) return PyList_Append(leaves, o);
    bool list = PyList_Check(o), tuple = PyTuple_Check(o);
    if (!list && !tuple && !PyDict_Check(o)) {
        if (!strict) return 0;
        PyErr_SetString(PyExc_ValueError, "[tree_flatten] The argument should contain only arrays");
        return -1;
    }
    if (Py_EnterRecursiveCall(" while flattening a tree")) return -1;
    int status = 0;
    if (list || tuple) {
        for (Py_ssize_t i = 0; !status && i < (list ? PyList_Size(o) : PyTuple_Size(o)); i++)
            status =
                flatten_into(list ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i), leaves, strict);
    } else {
        PyObject *key, *value;
        Py_ssize_t at = 0;
        while (!status && PyDict_Next(o, &at, &key, &value))
            status = flatten_into(value, leaves, strict);
    }
    Py_LeaveRecursiveCall();
    return status;
}

/* _flatten(tree, strict) -> list of its arrays in order; strict: ValueError for other leaves */
static PyObject *flatten(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *tree;
    int strict;
    if (!PyArg_ParseTuple(args, "Op:_flatten", &tree, &strict)) return NULL;
    PyObject *leaves = PyList_New(0);
    if (leaves && flatten_into(tree, leaves, strict) < 0) Py_CLEAR(leaves);
    return leaves;
}

static PyObject *rebuild(PyObject *o, PyObject *leaves, Py_ssize_t *next)
{
    if (mica_py_array(o)) {
        PyObject *leaf = PyList_GetItem(leaves, (*next)++);
        Py_XINCREF(leaf);
        return leaf;
    }
    bool list = PyList_Check(o), tuple = PyTuple_Check(o);
    if (!list && !tuple && !PyDict_Check(o)) {
        Py_INCREF(o);
        return o;
    }
    if (Py_EnterRecursiveCall(" while rebuilding a tree")) return NULL;
    PyObject *out = NULL;
    if (list || tuple) {
        Py_ssize_t n = list ? PyList_Size(o) : PyTuple_Size(o);
        out = list ? PyList_New(n) : PyTuple_New(n);
        for (Py_ssize_t i = 0; out && i < n; i++) {
            PyObject *x =
                rebuild(list ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i), leaves, next);
            if (!x) Py_CLEAR(out);
            else if (list) PyList_SetItem(out, i, x);
            else PyTuple_SetItem(out, i, x);
        }
        if (out && tuple && PyObject_HasAttrString(o, "_fields")) { /* a named tuple */
            PyObject *named = PyObject_CallObject((PyObject *)Py_TYPE(o), out);
            Py_DECREF(out);
            out = named;
        }
    } else {
        PyObject *key, *value;
        Py_ssize_t at = 0;
        out = PyDict_New();
        while (out && PyDict_Next(o, &at, &key, &value)) {
            PyObject *x = rebuild(value, leaves, next);
            if (!x || PyDict_SetItem(out, key, x) < 0) Py_CLEAR(out);
            Py_XDECREF(x);
        }
    }
    Py_LeaveRecursiveCall();
    return out;
}

/* _rebuild(tree, arrays) -> the tree with its arrays replaced in order */
static PyObject *rebuild_tree(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *tree, *leaves;
    Py_ssize_t next = 0;
    if (!PyArg_ParseTuple(args, "OO!:_rebuild", &tree, &PyList_Type, &leaves)) return NULL;
    return rebuild(tree, leaves, &next);
}

/* ---- programs ---- */

static void capsule_free(PyObject *capsule)
{
    mica__program_free(PyCapsule_GetPointer(capsule, "mica.program"));
}

/* _placeholders(arrays) -> arrays of their shapes and types without values; weak: kind "float" or
 * "int" of each number, or None */
static PyObject *placeholders(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *list, *weak;
    if (!PyArg_ParseTuple(args, "OO:_placeholders", &list, &weak)) return NULL;
    mica_scope s;
    size_t n = 0;
    mica__scope_begin(&s, NULL);
    mica_array **a = arrays_of(&s, list, false, &n),
               **out = a ? mica__scope_alloc(&s, (n + 1) * sizeof *out) : NULL;
    for (size_t i = 0; out && i < n && s.status == MICA_OK; i++) {
        out[i] = mica__placeholder(&s, (mica_dtype)a[i]->dtype, mica__dims_of(a[i]));
        if (!out[i] || PyObject_IsTrue(PyList_GetItem(weak, (Py_ssize_t)i)) != 1) continue;
        out[i]->flags |= MICA_ARRAY_WEAK; /* a[i] comes from _weak_number */
        if (out[i]->dtype == MICA_INT64)
            memcpy(&out[i]->number.integer, a[i]->data, sizeof(int64_t));
    }
    return finish_list(&s, out, n);
}

static PyObject *make_program(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *results, *holders;
    if (!PyArg_ParseTuple(args, "OO:_program", &results, &holders)) return NULL;
    mica_scope s;
    size_t n, k;
    mica__scope_begin(&s, NULL);
    mica_array **r = arrays_of(&s, results, false, &n),
               **h = r ? arrays_of(&s, holders, false, &k) : NULL;
    mica__program *p = h ? mica__program_make(r, n, h, k) : NULL;
    if (h && !p) mica__scope_failed(&s, MICA_EMEMORY);
    int status = mica__scope_end(&s);
    if (!p) return PyErr_Occurred() ? NULL : mica_py_raise(status);
    PyObject *capsule = PyCapsule_New(p, "mica.program", capsule_free);
    if (!capsule) mica__program_free(p);
    return capsule;
}

static PyObject *run_program(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *capsule, *inputs;
    Py_ssize_t nresults;
    if (!PyArg_ParseTuple(args, "OOn:_run", &capsule, &inputs, &nresults)) return NULL;
    const mica__program *p = PyCapsule_GetPointer(capsule, "mica.program");
    if (!p) return NULL;
    mica_scope s;
    size_t n;
    mica__scope_begin(&s, NULL);
    mica_array **a = arrays_of(&s, inputs, false, &n),
               **out = a ? mica__scope_alloc(&s, ((size_t)nresults + 1) * sizeof *out) : NULL;
    if (out && !mica__program_run(&s, p, a, out)) out = NULL;
    return finish_list(&s, out, (size_t)nresults);
}

static PyObject *set_transforming(PyObject *m, PyObject *change)
{
    (void)m;
    transforming += (int)PyLong_AsLong(change);
    Py_RETURN_NONE;
}

static PyObject *is_traced(PyObject *m, PyObject *o)
{
    (void)m;
    mica_array *a = mica_py_array(o);
    return PyBool_FromLong(a && mica__is_traced(a));
}

static PyObject *is_stopped(PyObject *m, PyObject *o)
{
    (void)m;
    mica_array *a = mica_py_array(o);
    return PyBool_FromLong(a && mica__node_of(a)->prim == mica_prim_stop_gradient);
}

/* Gives an array object the value of another: how state in containers is updated in place. */
static PyObject *replace(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *to, *from;
    if (!PyArg_ParseTuple(args, "OO:_replace", &to, &from)) return NULL;
    if (!mica_py_array(to) || !mica_py_array(from))
        return PyErr_Format(PyExc_TypeError, "two arrays are needed");
    mica_py_replace(to, mica_py_array(from));
    Py_RETURN_NONE;
}

/* A fresh result as a number that takes the type of what it meets. */
/* _mark_weak(array, value): a number made of traced numbers, now `value`. */
static PyObject *mark_weak(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *o, *value;
    if (!PyArg_ParseTuple(args, "OO:_mark_weak", &o, &value)) return NULL;
    mica_array *a = mica_py_array(o);
    if (!a || a->ndim) return PyErr_Format(PyExc_TypeError, "a 0-d array is needed");
    if (PyLong_Check(value)) {
        a->number.integer = PyLong_AsLongLong(value);
        if (PyErr_Occurred()) return NULL;
    }
    a->flags |= MICA_ARRAY_WEAK;
    Py_INCREF(o);
    return o;
}

/* _is_sized(array): whether the size of a traced integer was asked for. */
static PyObject *is_sized(PyObject *m, PyObject *o)
{
    (void)m;
    const mica_array *a = mica_py_array(o);
    return PyBool_FromLong(a && (a->flags & MICA_ARRAY_SIZED));
}

/* _number(value) -> a 0-d array of the number's full precision: float64 or int64 */
static PyObject *weak_number(PyObject *m, PyObject *o)
{
    (void)m;
    mica_scope s;
    mica__scope_begin(&s, NULL);
    return mica_py_finish(&s,
                          mica_py_from_object(&s, o, PyFloat_Check(o) ? MICA_FLOAT64 : MICA_INT64));
}

static PyMethodDef functions[] = {
    { "_trace_begin", trace_begin, METH_O, NULL },
    { "_trace_end", trace_end, METH_O, NULL },
    { "_pull_back", pull_back, METH_VARARGS, NULL },
    { "_push_forward", push_forward, METH_VARARGS, NULL },
    { "_batch_begin", batch_begin, METH_VARARGS, NULL },
    { "_batch_end", batch_end, METH_VARARGS, NULL },
    { "_batch_close", batch_abandon, METH_NOARGS, NULL },
    { "_custom", custom, METH_VARARGS, NULL },
    { "_depends", depends, METH_VARARGS, NULL },
    { "_flatten", flatten, METH_VARARGS, NULL },
    { "_rebuild", rebuild_tree, METH_VARARGS, NULL },
    { "_placeholders", placeholders, METH_VARARGS, NULL },
    { "_program", make_program, METH_VARARGS, NULL },
    { "_run", run_program, METH_VARARGS, NULL },
    { "_transforming", set_transforming, METH_O, NULL },
    { "_is_traced", is_traced, METH_O, NULL },
    { "_is_stopped", is_stopped, METH_O, NULL },
    { "_mark_weak", mark_weak, METH_VARARGS, NULL },
    { "_is_sized", is_sized, METH_O, NULL },
    { "_replace", replace, METH_VARARGS, NULL },
    { "_weak_number", weak_number, METH_O, NULL },
    { NULL, NULL, 0, NULL },
};

int mica_py_transform_types(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
