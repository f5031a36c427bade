/* Placeholders, numbers and programs: what mica/_compile.py traces with. */
#include "compile/program.h"

#include "autodiff/autodiff.h"
#include "transforms.h"

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
    mica_array **a = mica_py_arrays_of(&s, list, false, &n),
               **out = a ? mica__scope_alloc(&s, (n + 1) * sizeof *out) : NULL;
    for (size_t i = 0; out && i < n && s.status == MICA_OK; i++) {
        out[i] = mica__placeholder(&s, (mica_dtype)a[i]->dtype, mica__dims_of(a[i]));
        if (!out[i] || PyObject_IsTrue(PyList_GetItem(weak, (Py_ssize_t)i)) != 1) continue;
        out[i]->flags |= MICA_ARRAY_WEAK; /* a[i] comes from _weak_number */
        if (out[i]->dtype == MICA_INT64)
            memcpy(&out[i]->number.integer, a[i]->data, sizeof(int64_t));
    }
    return mica_py_finish_list(&s, out, n);
}

static PyObject *make_program(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *results, *holders;
    if (!PyArg_ParseTuple(args, "OO:_program", &results, &holders)) return NULL;
    mica_scope s;
    size_t n, k;
    mica__scope_begin(&s, NULL);
    mica_array **r = mica_py_arrays_of(&s, results, false, &n),
               **h = r ? mica_py_arrays_of(&s, holders, false, &k) : NULL;
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
    mica_array **a = mica_py_arrays_of(&s, inputs, false, &n),
               **out = a ? mica__scope_alloc(&s, ((size_t)nresults + 1) * sizeof *out) : NULL;
    if (out && !mica__program_run(&s, p, a, out)) out = NULL;
    return mica_py_finish_list(&s, out, (size_t)nresults);
}

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

/* _asked(array) -> (sized, exponent): what of a traced integer chose a type or a computation. */
static PyObject *asked(PyObject *m, PyObject *o)
{
    (void)m;
    const mica_array *a = mica_py_array(o);
    unsigned flags = a ? a->flags : 0;
    return Py_BuildValue("(OO)", flags & MICA_ARRAY_SIZED ? Py_True : Py_False,
                         flags & MICA_ARRAY_EXPONENT ? Py_True : Py_False);
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
    { "_placeholders", placeholders, METH_VARARGS, NULL },
    { "_program", make_program, METH_VARARGS, NULL },
    { "_run", run_program, METH_VARARGS, NULL },
    { "_mark_weak", mark_weak, METH_VARARGS, NULL },
    { "_asked", asked, METH_O, NULL },
    { "_weak_number", weak_number, METH_O, NULL },
    { NULL, NULL, 0, NULL },
};

int mica_py_program_functions(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
