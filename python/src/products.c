/* tensordot and einsum_path: overloads and results that the table's grammar does not say. */
#include "array.h"

#include "call.h"
#include "convert.h"
#include "ops/einsum.h"
#include "record.h"

/* The two lists of axes in a pair. */
static int axis_pair(mica_scope *s, PyObject *o, mica_dims axes[2])
{
    bool none = PyUnicode_Check(o) || PyDict_Check(o);
    PyObject *two = none ? NULL : PySequence_List(o);
    Py_ssize_t n = two ? PyList_Size(two) : -1;
    if (n < 0) {
        PyErr_Clear();
        PyErr_Format(
            PyExc_TypeError,
            "[tensordot] argument 'axes' is of type %s; accepted: int, pair of sequences of ints",
            mica_py_type_name(o));
        return -1;
    }
    mica_dims more;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (mica_py_dims("[tensordot] an element of argument 'axes'", s, PyList_GetItem(two, i),
                         false, i < 2 ? &axes[i] : &more)) {
            Py_DECREF(two);
            return -1;
        }
    }
    Py_DECREF(two);
    if (n == 2) return 0;
    PyErr_Format(PyExc_ValueError, "[tensordot] axes must be a list of two lists, not of %zd", n);
    return -1;
}

PyObject *mica_py_tensordot(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { "", "", "axes", "stream", NULL };
    PyObject *left, *right, *axes = NULL, *stream = Py_None;
    mica_stream *on;
    if (!mica_py_parse(args, keywords, "OO|O$O:tensordot", names, &left, &right, &axes, &stream))
        return NULL;
    mica_array *a = mica_py_array(left), *b = mica_py_array(right);
    if (!a || !b)
        return PyErr_Format(PyExc_TypeError,
                            "[tensordot] argument '%s' is of type %s; accepted: array",
                            a ? "b" : "a", mica_py_type_name(a ? right : left));
    if (mica_py_stream(stream, &on) < 0) {
        mica_py_name_error("tensordot", "stream");
        return NULL;
    }
    static uint16_t origin;
    mica_scope s;
    mica_py_begin(&s, on, "tensordot", &origin);
    int64_t count = 2;
    mica_dims pair[2];
    bool number =
        axes && (mica_py_array(axes) || PyIndex_Check(axes)) && !mica_py_is_sequence(axes);
    if (!axes || number) {
        int status = axes ? mica_py_int("[tensordot] argument 'axes'", axes, &count) : 0;
        return mica_py_finish(&s, status ? NULL : mica_tensordot(&s, a, b, count));
    }
    bool ready = axis_pair(&s, axes, pair) == 0;
    return mica_py_finish(&s, ready ? mica_tensordot_axes(&s, a, b, pair[0], pair[1]) : NULL);
}

/* [(0, 1), ...]: the operands that each step takes. */
static PyObject *step_list(size_t n, size_t left, const mica__einsum_step *steps)
{
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        size_t taken = steps[i].all ? left : 2;
        PyObject *step = PyTuple_New((Py_ssize_t)taken);
        for (size_t k = 0; step && k < taken; k++) {
            int64_t place = steps[i].all ? (int64_t)k : k ? steps[i].second : steps[i].first;
            PyObject *number = PyLong_FromLongLong(place);
            if (!number || PyTuple_SetItem(step, (Py_ssize_t)k, number)) Py_CLEAR(step);
        }
        if (!step || PyList_SetItem(list, (Py_ssize_t)i, step)) Py_CLEAR(list);
        left -= taken - 1;
    }
    return list;
}

PyObject *mica_py_einsum_path(PyObject *m, PyObject *args)
{
    (void)m;
    Py_ssize_t count = PyTuple_Size(args);
    PyObject *subscripts = count ? PyTuple_GetItem(args, 0) : NULL;
    if (!subscripts || !PyUnicode_Check(subscripts))
        return PyErr_Format(PyExc_TypeError,
                            "[einsum_path] argument 'subscripts' is %s; accepted: str",
                            subscripts ? mica_py_type_name(subscripts) : "missing");
    const char *text = PyUnicode_AsUTF8AndSize(subscripts, NULL);
    if (!text) return NULL;
    mica_scope s;
    mica__scope_begin(&s, NULL);
    mica_array **at = mica__scope_alloc(&s, (size_t)count * sizeof *at);
    PyObject *result = NULL;
    for (Py_ssize_t i = 1; at && i < count; i++)
        if ((at[i - 1] = mica_py_array(PyTuple_GetItem(args, i)))) {
            mica_py_observe(PyTuple_GetItem(args, i));
        } else {
            PyErr_Format(PyExc_TypeError,
                         "[einsum_path] operand %zd is of type %s; accepted: array", i - 1,
                         mica_py_type_name(PyTuple_GetItem(args, i)));
            at = NULL;
        }
    mica__einsum e;
    mica__einsum_step *steps;
    if (at &&
        mica__einsum_parse(&s, "einsum_path", text, (mica_arrays){ (size_t)count - 1, at }, &e)) {
        size_t n = mica__einsum_plan(&s, &e, &steps);
        const char *cost = n ? mica__einsum_describe(&s, &e, n, steps) : NULL;
        if (cost) result = Py_BuildValue("(Ns)", step_list(n, e.n, steps), cost);
    }
    int status = mica__scope_end(&s);
    if (!result && !PyErr_Occurred()) mica_py_raise(status);
    return result;
}
