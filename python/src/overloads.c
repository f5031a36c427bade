/* Functions of several forms, which the table's grammar does not say: arange, pad, split,
 * broadcast_shapes. */
#include "array.h"

#include "call.h"
#include "convert.h"
#include "record.h"

/* ---- arange ---- */

typedef struct number {
    double real;
    int64_t integer;
    bool is_integer;
} number;

/* Bools are numbers beside other numbers; alone they are a mistake. */
static bool take_number(const char *name, PyObject *o, bool alone, number *out)
{
    if ((alone && PyBool_Check(o)) || !(PyLong_Check(o) || PyFloat_Check(o))) {
        PyErr_Format(PyBool_Check(o) ? PyExc_ValueError : PyExc_TypeError,
                     "[arange] argument '%s' is of type %s; accepted: int, float", name,
                     mica_py_type_name(o));
        return false;
    }
    out->is_integer = PyLong_Check(o);
    out->integer = out->is_integer ? PyLong_AsLongLong(o) : 0;
    out->real = out->is_integer ? (double)out->integer : PyFloat_AsDouble(o);
    mica_py_name_error("arange", name);
    return !PyErr_Occurred();
}

static bool is_int32(number x)
{
    return x.integer == (int32_t)x.integer;
}

static bool is_dtype(PyObject *o)
{
    return o && Py_TYPE(o) == Py_TYPE(mica_py_dtype_object(MICA_BOOL));
}

/* arange(stop), arange(stop, step, dtype), arange(start, stop), arange(start, stop, step), with
 * keywords and None as in the reference. */
static PyObject *arange(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { "start", "stop", "step", "dtype", "stream", NULL };
    PyObject *start = NULL, *stop = NULL, *step = NULL, *dtype = Py_None, *stream = Py_None;
    if (!mica_py_parse(args, keywords, "|OOOO$O:arange", names, &start, &stop, &step, &dtype,
                       &stream))
        return NULL;
    if (is_dtype(stop))
        return PyErr_Format(PyExc_TypeError,
                            "[arange] dtype is given where stop is expected; name it: dtype=");
    if (is_dtype(step) && dtype == Py_None) {
        dtype = step;
        step = stop;
        stop = start;
        start = NULL;
    }
    if (!start && !stop) return PyErr_Format(PyExc_TypeError, "[arange] stop is missing");
    if (!start || !stop || stop == Py_None) {
        if (!stop || stop == Py_None) stop = start;
        start = NULL;
    }
    if (!stop || stop == Py_None)
        return PyErr_Format(PyExc_TypeError, "[arange] stop must be a number, not None");
    number from = { 0, 0, true }, to, by = { 1, 1, true };
    if (start == Py_None) start = NULL;
    if (step == Py_None) step = NULL;
    if ((start && !take_number("start", start, false, &from)) ||
        !take_number("stop", stop, !start, &to) || (step && !take_number("step", step, false, &by)))
        return NULL;
    mica_dtype d = MICA_FLOAT32;
    if (from.is_integer && to.is_integer && by.is_integer)
        d = is_int32(from) && is_int32(to) && is_int32(by) ? MICA_INT32 : MICA_INT64;
    mica_stream *on;
    bool typed = dtype == Py_None || mica_py_dtype(dtype, &d) == 0;
    if (!typed || mica_py_stream(stream, &on) < 0) {
        mica_py_name_error("arange", typed ? "stream" : "dtype");
        return NULL;
    }
    static uint16_t origin;
    mica_scope s;
    mica_py_begin(&s, on, "arange", &origin);
    return mica_py_finish(&s, mica_arange(&s, from.real, to.real, by.real, d));
}

/* ---- pad ---- */

/* n, (n,) or (before, after), which is one of several where `nested`; false with an exception. */
static bool take_pair(mica_scope *s, PyObject *o, bool nested, int64_t *low, int64_t *high)
{
    mica_dims at;
    if (mica_py_dims("[pad] argument 'pad_width'", s, o, true, &at) < 0) return false;
    if (at.n != 1 && at.n != 2) {
        PyErr_Format(at.n || nested ? PyExc_TypeError : PyExc_ValueError,
                     "[pad] argument 'pad_width' holds %zd widths for an axis; accepted: an int, a "
                     "pair (before, after), or a sequence of pairs",
                     (Py_ssize_t)at.n);
        return false;
    }
    *low = at.at[0];
    *high = at.at[at.n - 1];
    return true;
}

/* A pair for all axes, or a sequence with one for each. */
static bool pad_widths(mica_scope *s, PyObject *o, int ndim, int64_t low[], int64_t high[])
{
    PyObject *pairs = mica_py_is_sequence(o) ? PySequence_List(o) : NULL;
    PyErr_Clear();
    Py_ssize_t n = pairs ? PyList_Size(pairs) : 0;
    bool nested = n > 0 && mica_py_is_sequence(PyList_GetItem(pairs, 0)), ok = true;
    for (Py_ssize_t i = 1; i < n && nested && ok; i++) {
        ok = mica_py_is_sequence(PyList_GetItem(pairs, i));
        if (!ok)
            PyErr_Format(PyExc_TypeError,
                         "[pad] argument 'pad_width' holds pairs and a %s; accepted: an int, a "
                         "pair (before, after), or a sequence of pairs",
                         mica_py_type_name(PyList_GetItem(pairs, i)));
    }
    if (ok && nested && n != ndim && n != 1) {
        PyErr_Format(PyExc_ValueError,
                     "[pad] %zd pairs of widths are given for an array with %d axes", n, ndim);
        ok = false;
    }
    /* An array of no axes takes any widths, and a sequence of none: pairs for all its axes. */
    bool empty = pairs && n == 0;
    int64_t unused[2];
    if (!ndim && !empty)
        ok = ok &&
             take_pair(s, nested ? PyList_GetItem(pairs, 0) : o, nested, &unused[0], &unused[1]);
    for (int i = 0; i < ndim && ok; i++)
        ok = take_pair(s, nested ? PyList_GetItem(pairs, n == 1 ? 0 : i) : o, nested, &low[i],
                       &high[i]);
    Py_XDECREF(pairs);
    return ok;
}

static PyObject *pad(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { "a", "pad_width", "mode", "constant_values", "stream", NULL };
    static uint16_t origin;
    PyObject *o, *width, *value = NULL, *mode = NULL, *stream = Py_None;
    mica_stream *on;
    if (!mica_py_parse(args, keywords, "OO|UO$O:pad", names, &o, &width, &mode, &value, &stream))
        return NULL;
    mica_array *a = mica_py_array(o), *fill = NULL;
    if (!a)
        return PyErr_Format(PyExc_TypeError, "[pad] argument 'a' is of type %s; accepted: array",
                            mica_py_type_name(o));
    const char *name = mode ? PyUnicode_AsUTF8AndSize(mode, NULL) : "constant";
    if (!name || mica_py_stream(stream, &on) < 0) {
        mica_py_name_error("pad", name ? "stream" : "mode");
        return NULL;
    }
    int64_t low[MICA_MAX_NDIM], high[MICA_MAX_NDIM];
    mica_scope s;
    mica_py_begin(&s, on, "pad", &origin);
    if (!pad_widths(&s, width, a->ndim, low, high)) return mica_py_finish(&s, NULL);
    fill = value ? mica_py_operand(&s, value, a) : mica_integer(&s, 0);
    if (!fill) {
        mica_py_name_error("pad", "constant_values");
        return mica_py_finish(&s, NULL);
    }
    return mica_py_finish(
        &s, mica_pad(&s, a, (mica_dims){ a->ndim, low }, (mica_dims){ a->ndim, high }, name, fill));
}

/* ---- split ---- */

/* split(a, sections) and split(a, [index, ...]). `self`: an array when called as its method. */
static PyObject *cut(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "", "indices_or_sections", "axis", "stream", NULL };
    static uint16_t origin;
    PyObject *o, *cuts, *at_axis = NULL, *stream = Py_None, *result = NULL;
    int axis = 0;
    if (mica_py_array(self)) {
        o = self;
        if (!mica_py_parse(args, keywords, "O|O$O:split", names + 1, &cuts, &at_axis, &stream))
            return NULL;
    } else if (!mica_py_parse(args, keywords, "OO|O$O:split", names, &o, &cuts, &at_axis,
                              &stream)) {
        return NULL;
    }
    mica_array *a = mica_py_array(o);
    mica_stream *on;
    if (!a)
        return PyErr_Format(PyExc_TypeError, "[split] argument 'a' is of type %s; accepted: array",
                            mica_py_type_name(o));
    if (at_axis && mica_py_axis("[split] argument 'axis'", at_axis, &axis) < 0) return NULL;
    if (mica_py_stream(stream, &on) < 0) {
        mica_py_name_error("split", "stream");
        return NULL;
    }
    mica_scope s;
    mica_arrays parts = { 0 };
    mica_py_begin(&s, on, "split", &origin);
    if (PyLong_Check(cuts) || (PyIndex_Check(cuts) && !mica_py_is_sequence(cuts))) {
        int64_t sections;
        if (!mica_py_int("[split] argument 'indices_or_sections'", cuts, &sections))
            parts = mica_split(&s, a, sections, axis);
    } else {
        mica_dims at;
        if (!mica_py_dims_or_int("[split] argument 'indices_or_sections'", &s, cuts, &at))
            parts = mica_split_at(&s, a, at, axis);
    }
    if (!PyErr_Occurred() && s.status == MICA_OK) result = PyList_New((Py_ssize_t)parts.n);
    for (size_t i = 0; result && i < parts.n; i++) {
        PyObject *part = mica_py_wrap(parts.at[i]);
        if (!part) Py_CLEAR(result);
        else PyList_SetItem(result, (Py_ssize_t)i, part);
    }
    int status = mica__scope_end(&s);
    return status && !PyErr_Occurred() ? mica_py_raise(status) : result;
}

PyObject *mica_py_split(PyObject *self, PyObject *args, PyObject *keywords)
{
    PyObject *result = cut(self, args, keywords);
    if (!mica_py_recording) return result;
    PyObject *method = mica_py_array(self) ? PyTuple_Pack(1, self) : PyTuple_New(0);
    PyObject *all = method ? PySequence_Concat(method, args) : NULL;
    if (all) result = mica_py_record_call("split", NULL, all, keywords, result);
    else Py_CLEAR(result);
    Py_XDECREF(method);
    Py_XDECREF(all);
    return result;
}

/* ---- shapes ---- */

static PyObject *broadcast_shapes(PyObject *m, PyObject *args)
{
    (void)m;
    int64_t common[MICA_MAX_NDIM], next[MICA_MAX_NDIM], out[MICA_MAX_NDIM];
    int n = 0;
    if (!PyTuple_Size(args))
        return PyErr_Format(PyExc_ValueError,
                            "[broadcast_shapes] Must provide at least one shape.");
    for (Py_ssize_t i = 0; i < PyTuple_Size(args); i++) {
        mica_scope s;
        mica_dims shape;
        mica__scope_begin(&s, NULL);
        if (mica_py_dims("[broadcast_shapes] a shape", &s, PyTuple_GetItem(args, i), false,
                         &shape) < 0)
            return mica_py_finish(&s, NULL);
        Py_ssize_t k = (Py_ssize_t)shape.n;
        if (k <= MICA_MAX_NDIM && k > 0) memcpy(next, shape.at, (size_t)k * sizeof *next);
        mica__scope_end(&s);
        if (k > MICA_MAX_NDIM)
            return PyErr_Format(PyExc_ValueError,
                                "[broadcast_shapes] a shape of %zd axes, more than %d", k,
                                MICA_MAX_NDIM);
        int joint = mica__broadcast((mica_dims){ n, common }, (mica_dims){ k, next }, out);
        if (joint < 0)
            return PyErr_Format(
                PyExc_ValueError,
                "[broadcast_shapes] shape %s cannot be broadcast with %s of those before it",
                mica__shape_text((mica_dims){ k, next }),
                mica__shape_text((mica_dims){ n, common }));
        n = joint;
        memcpy(common, out, sizeof common);
    }
    PyObject *t = PyTuple_New(n);
    for (int i = 0; t && i < n; i++) PyTuple_SetItem(t, i, PyLong_FromLongLong(common[i]));
    return t;
}

/* The same, recorded where a function is traced for all sizes. */
#define RECORDED(name, function)                                                                   \
    static PyObject *recorded_##name(PyObject *m, PyObject *args, PyObject *keywords)              \
    {                                                                                              \
        PyObject *result = function(m, args, keywords);                                            \
        if (!mica_py_recording) return result;                                                     \
        return mica_py_record_call(#name, NULL, args, keywords, result);                           \
    }
RECORDED(pad, pad)
RECORDED(tensordot, mica_py_tensordot)
RECORDED(conv_general, mica_py_conv_general)

#define KEYWORDS(f) ((PyCFunction)(void (*)(void))(f))

PyMethodDef mica_py_overloads[] = {
    { "arange", KEYWORDS(arange), METH_VARARGS | METH_KEYWORDS,
      "arange(start, stop, step, dtype=None, *, stream=None)\n\nstart, start + step, ... below "
      "stop. Also arange(stop, step=None)." },
    { "pad", KEYWORDS(recorded_pad), METH_VARARGS | METH_KEYWORDS,
      "pad(a, pad_width, mode='constant', constant_values=0, *, stream=None)\n\nPads axes. mode: "
      "constant, edge, reflect, symmetric." },
    { "split", KEYWORDS(mica_py_split), METH_VARARGS | METH_KEYWORDS,
      "split(a, /, indices_or_sections, axis=0, *, stream=None) -> list of arrays\n\nEqual "
      "sections, or cuts before the given indices." },
    { "tensordot", KEYWORDS(recorded_tensordot), METH_VARARGS | METH_KEYWORDS,
      "tensordot(a, b, /, axes=2, *, stream=None)\n\nSum of products over the last axes of a and "
      "the first of b (axes: their number), or over the axes in a pair of lists." },
    { "einsum_path", mica_py_einsum_path, METH_VARARGS,
      "einsum_path(subscripts, *operands) -> (list of tuples, str)\n\nThe order in which einsum "
      "contracts, and what it costs." },
    { "conv_general", KEYWORDS(recorded_conv_general), METH_VARARGS | METH_KEYWORDS,
      "conv_general(input, weight, /, stride=1, padding=0, kernel_dilation=1, input_dilation=1, "
      "groups=1, flip=False, *, stream=None)\n\nCross-correlation over one to three axes. padding: "
      "int, one an axis, or (before, after), each with one an axis." },
    { "broadcast_shapes", broadcast_shapes, METH_VARARGS,
      "broadcast_shapes(*shapes) -> tuple of int" },
    { NULL, NULL, 0, NULL },
};
