/* mx.conv_general: the table's function, with Python's forms of padding. */
#include "array.h"
#include "call.h"
#include "convert.h"

/* An int, one int an axis, or a pair of such lists: before and after. */
static int paddings(mica_scope *s, PyObject *o, mica_dims *low, mica_dims *high)
{
    const char *what = "[conv_general] argument 'padding'";
    int status = -1;
    *high = (mica_dims){ -1, NULL };
    if (!PyTuple_Check(o) && !PyList_Check(o)) return mica_py_dims(what, s, o, true, low);
    PyObject *first = PySequence_Size(o) == 2 ? PySequence_GetItem(o, 0) : NULL;
    if (first && (PyTuple_Check(first) || PyList_Check(first))) {
        PyObject *second = PySequence_GetItem(o, 1);
        if (second && !mica_py_dims(what, s, first, false, low))
            status = mica_py_dims(what, s, second, false, high);
        Py_XDECREF(second);
    } else {
        status = mica_py_dims(what, s, o, true, low);
    }
    Py_XDECREF(first);
    return status;
}

PyObject *mica_py_conv_general(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { "",
                             "",
                             "stride",
                             "padding",
                             "kernel_dilation",
                             "input_dilation",
                             "groups",
                             "flip",
                             "padding_high",
                             "stream",
                             NULL };
    PyObject *x, *w, *stride = NULL, *padding = NULL, *dilation = NULL, *spread = NULL,
                     *groups = NULL, *stream = Py_None, *flip = Py_False, *after = Py_None;
    if (!mica_py_parse(args, keywords, "OO|OOOOOO$OO:conv_general", names, &x, &w, &stride,
                       &padding, &dilation, &spread, &groups, &flip, &after, &stream))
        return NULL;
    mica_array *input = mica_py_array(x), *weight = mica_py_array(w);
    if (!input || !weight)
        return PyErr_Format(PyExc_TypeError,
                            "[conv_general] argument '%s' is of type %s; accepted: array",
                            input ? "weight" : "input", mica_py_type_name(input ? w : x));
    if (!PyBool_Check(flip))
        return PyErr_Format(PyExc_TypeError,
                            "[conv_general] argument 'flip' is of type %s; accepted: bool",
                            mica_py_type_name(flip));
    mica_stream *on;
    if (mica_py_stream(stream, &on) < 0) {
        mica_py_name_error("conv_general", "stream");
        return NULL;
    }
    static uint16_t origin;
    mica_scope s;
    mica_py_begin(&s, on, "conv_general", &origin);
    mica_dims one = MICA_SHAPE(1), step = one, apart = one, between = one, low = MICA_SHAPE(0),
              high = { -1, NULL };
    int64_t n = 1;
    bool bad =
        (stride && mica_py_dims("[conv_general] argument 'stride'", &s, stride, true, &step)) ||
        (padding && paddings(&s, padding, &low, &high)) ||
        (after != Py_None &&
         mica_py_dims("[conv_general] argument 'padding_high'", &s, after, false, &high)) ||
        (dilation &&
         mica_py_dims("[conv_general] argument 'kernel_dilation'", &s, dilation, true, &apart)) ||
        (spread &&
         mica_py_dims("[conv_general] argument 'input_dilation'", &s, spread, true, &between)) ||
        (groups && mica_py_int("[conv_general] argument 'groups'", groups, &n));
    mica_array *y = bad ? NULL
                        : mica_conv_general(&s, input, weight, step, low, apart, between, n,
                                            flip == Py_True, high);
    if (bad && PyErr_Occurred()) {
        mica__scope_end(&s);
        return NULL;
    }
    return mica_py_finish(&s, y);
}
