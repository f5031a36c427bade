/* Conversions by kind. A wrong type is told from an exception: who calls knows the argument's name
 * and writes the message. */
#include "convert.h"

#include <limits.h>

#include "call.h"

const char *mica_py_type_name(PyObject *o)
{
    static _Thread_local char text[80];
    PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(o), "__name__");
    const char *s = name ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;
    PyErr_Clear();
    PyOS_snprintf(text, sizeof text, "%s", s ? s : "?");
    Py_XDECREF(name);
    return text;
}

/* Puts `head` before the present exception's message. */
static void prefix_error(const char *head)
{
    PyObject *type = PyErr_Occurred(), *value, *traceback;
    if (type != PyExc_TypeError && type != PyExc_ValueError && type != PyExc_OverflowError &&
        type != PyExc_RuntimeError)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *text = value ? PyObject_Str(value) : NULL;
    const char *s = text ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    if (s && strncmp(s, "[array] ", 8) == 0) s += 8;
    if (!s || *s == '[') {
        PyErr_Restore(type, value, traceback);
    } else {
        PyErr_Format(type, "%s %s", head, s);
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
    }
    Py_XDECREF(text);
}

void mica_py_name_error(const char *function, const char *argument)
{
    char head[160];
    if (argument) PyOS_snprintf(head, sizeof head, "[%s] argument '%s':", function, argument);
    else PyOS_snprintf(head, sizeof head, "[%s]", function);
    prefix_error(head);
}

/* Room for `n` numbers until the call ends. */
static int64_t *take_numbers(mica_context *c, size_t n)
{
    if (n > sizeof c->numbers / sizeof *c->numbers - c->n)
        return mica__scope_alloc(c->scope, n * sizeof(int64_t));
    c->n += n;
    return c->numbers + c->n - n;
}

bool mica_py_is_sequence(PyObject *o)
{
    const mica_array *a = mica_py_array(o);
    if (a || PyUnicode_Check(o) || !PySequence_Check(o)) return a && a->ndim > 0;
    Py_ssize_t n = PySequence_Size(o); /* NumPy's arrays without axes have none */
    if (n < 0) PyErr_Clear();
    return n >= 0;
}

static mica_outcome integer_from(PyObject *o, int64_t *out)
{
    int overflow;
    if (PyLong_Check(o)) {
        *out = PyLong_AsLongLongAndOverflow(o, &overflow);
        return overflow ? MICA_TOO_LARGE : MICA_TAKEN;
    }
    PyObject *number = NULL;
    if (PyIndex_Check(o)) number = PyNumber_Index(o);
    else if (mica_py_array(o)) number = PyNumber_Long(o);
    else return MICA_WRONG_TYPE;
    if (!number) return MICA_RAISED;
    *out = PyLong_AsLongLongAndOverflow(number, &overflow);
    Py_DECREF(number);
    return overflow ? MICA_TOO_LARGE : MICA_TAKEN;
}

/* The element of what `sequence` gave: a new reference, NULL at the end or with an exception. */
static PyObject *element(PyObject *fast, Py_ssize_t i)
{
    if (mica_py_array(fast)) {
        PyObject *at = PyLong_FromSsize_t(i), *item = at ? PyObject_GetItem(fast, at) : NULL;
        Py_XDECREF(at);
        return item;
    }
    if (PyTuple_Check(fast))
        return i < PyTuple_Size(fast) ? Py_NewRef(PyTuple_GetItem(fast, i)) : NULL;
    return i < PyList_Size(fast) ? Py_NewRef(PyList_GetItem(fast, i)) : NULL;
}

/* An array with axes, which may be far larger than a list of its elements could be, or a tuple or
 * list for any other sequence; NULL without exception when `o` is none. */
static PyObject *sequence(PyObject *o)
{
    const mica_array *array = mica_py_array(o);
    if (PyTuple_Check(o) || PyList_Check(o) || (array && array->ndim)) return Py_NewRef(o);
    if (PyUnicode_Check(o) || PyBytes_Check(o)) return NULL;
    if (!PySequence_Check(o) && !mica_py_array(o)) return NULL;
    PyObject *fast = PySequence_Fast(o, "a sequence is needed");
    if (!fast && PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_Clear();
    return fast;
}

static Py_ssize_t count_of(PyObject *fast)
{
    const mica_array *array = mica_py_array(fast);
    if (array) return (Py_ssize_t)array->shape[0];
    return PyTuple_Check(fast) ? PyTuple_Size(fast) : PyList_Size(fast);
}

static mica_outcome dims_from(mica_context *c, PyObject *o, bool bare, mica_dims *out)
{
    int64_t one;
    const mica_array *array = mica_py_array(o);
    bare = bare && !(array && array->ndim); /* an array of numbers is a sequence */
    mica_outcome result = bare ? integer_from(o, &one) : MICA_WRONG_TYPE;
    if (result == MICA_RAISED && PyErr_ExceptionMatches(PyExc_TypeError) && PySequence_Check(o)) {
        PyErr_Clear(); /* a NumPy array of several numbers */
        result = MICA_WRONG_TYPE;
    }
    if (result == MICA_TAKEN) {
        int64_t *at = take_numbers(c, 1);
        if (!at) return MICA_RAISED;
        *at = one;
        *out = (mica_dims){ 1, at };
        return MICA_TAKEN;
    }
    if (result != MICA_WRONG_TYPE) return result;
    PyObject *fast = sequence(o);
    if (!fast) return PyErr_Occurred() ? MICA_RAISED : MICA_WRONG_TYPE;
    Py_ssize_t n = count_of(fast), i = 0;
    int64_t *at = take_numbers(c, (size_t)n);
    result = at ? MICA_TAKEN : MICA_RAISED;
    for (; i < n && result == MICA_TAKEN; i++) {
        PyObject *item = element(fast, i);
        if (!item && PyErr_Occurred()) result = MICA_RAISED;
        if (!item) break;
        result = integer_from(item, &at[i]);
        if (result == MICA_WRONG_TYPE) c->element = Py_NewRef(item);
        Py_DECREF(item);
    }
    Py_DECREF(fast);
    *out = (mica_dims){ i, at };
    return result;
}

static int report(mica_outcome result, const char *what, PyObject *o, const char *accepted)
{
    char head[160];
    if (result == MICA_TAKEN) return 0;
    if (result == MICA_RAISED) {
        PyOS_snprintf(head, sizeof head, "%s:", what);
        prefix_error(head);
    }
    if (result == MICA_TOO_LARGE)
        PyErr_Format(PyExc_TypeError, "%s has an integer that is too large", what);
    else if (result == MICA_WRONG_TYPE)
        PyErr_Format(PyExc_TypeError, "%s is of type %s; accepted: %s", what, mica_py_type_name(o),
                     accepted);
    return -1;
}

int mica_py_int(const char *what, PyObject *o, int64_t *out)
{
    return report(integer_from(o, out), what, o, "int");
}

int mica_py_axis(const char *what, PyObject *o, int *out)
{
    int64_t axis = 0;
    mica_outcome result = integer_from(o, &axis);
    if (result == MICA_TAKEN && (axis <= INT_MIN || axis > INT_MAX)) result = MICA_TOO_LARGE;
    *out = (int)axis;
    return report(result, what, o, "int");
}

static int numbers(const char *what, mica_scope *s, PyObject *o, bool bare, const char *accepted,
                   mica_dims *out)
{
    mica_context c = { .scope = s,
                       .element = NULL,
                       .n = sizeof c.numbers / sizeof *c.numbers }; /* the scope's memory */
    mica_outcome result = dims_from(&c, o, bare, out);
    Py_XDECREF(c.element);
    if (result == MICA_RAISED && !PyErr_Occurred()) mica_py_raise(s->status);
    return report(result, what, o, accepted);
}

int mica_py_dims(const char *what, mica_scope *s, PyObject *o, bool bare, mica_dims *out)
{
    return numbers(what, s, o, bare, bare ? "int, sequence of ints" : "sequence of ints", out);
}

int mica_py_dims_or_int(const char *what, mica_scope *s, PyObject *o, mica_dims *out)
{
    return numbers(what, s, o, false, "int, sequence of ints", out);
}

mica_outcome mica_py_arrays(mica_context *c, PyObject *const *items, PyObject *fast, size_t n,
                            mica_arrays *out)
{
    mica_scope *s = c->scope;
    mica_array **at = mica__scope_alloc(s, (n ? n : 1) * sizeof *at);
    if (!at) return MICA_RAISED;
    for (size_t i = 0; i < n; i++) {
        PyObject *item = items ? Py_NewRef(items[i]) : element(fast, (Py_ssize_t)i);
        if (!item && PyErr_Occurred()) return MICA_RAISED;
        mica_array *a = item ? mica_py_array(item) : NULL;
        at[i] = a ? mica_scope_own(s, mica_retain(a)) : NULL;
        if (!a) c->element = item;
        else Py_DECREF(item);
        if (!at[i]) return a ? MICA_RAISED : MICA_WRONG_TYPE;
    }
    *out = (mica_arrays){ n, at };
    return MICA_TAKEN;
}

static mica_outcome array_list_from(mica_context *c, PyObject *o, mica_arrays *out)
{
    PyObject *fast = sequence(o);
    if (!fast) return PyErr_Occurred() ? MICA_RAISED : MICA_WRONG_TYPE;
    mica_outcome result = mica_py_arrays(c, NULL, fast, (size_t)count_of(fast), out);
    Py_DECREF(fast);
    return result;
}

/* An index array, or one number, which is then checked at the call. */
static mica_outcome index_from(mica_context *c, PyObject *o, mica_array **out)
{
    int64_t number;
    *out = mica_py_array(o);
    if (*out) return MICA_TAKEN;
    if (!PyLong_Check(o) && !PyFloat_Check(o) && !PyBytes_Check(o) && PyObject_CheckBuffer(o)) {
        *out = mica_py_operand(c->scope, o, NULL);
        return *out ? MICA_TAKEN : MICA_RAISED;
    }
    mica_outcome result = integer_from(o, &number);
    if (result != MICA_TAKEN) return result;
    *out = mica_integer(c->scope, number);
    return *out ? MICA_TAKEN : MICA_RAISED;
}

static mica_outcome real_from(PyObject *o, double *out)
{
    const mica_array *array = mica_py_array(o);
    if (PyUnicode_Check(o) || o == Py_None || (array && array->size != 1)) return MICA_WRONG_TYPE;
    *out = PyFloat_AsDouble(o);
    if (*out != -1.0 || !PyErr_Occurred()) return MICA_TAKEN;
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) return MICA_RAISED;
    PyErr_Clear();
    return MICA_WRONG_TYPE;
}

static mica_outcome mask_from(PyObject *o, mica_mask *out)
{
    if (PyUnicode_Check(o)) {
        out->causal = PyUnicode_CompareWithASCIIString(o, "causal") == 0;
        out->array = NULL;
        if (out->causal) return MICA_TAKEN;
        PyErr_Format(PyExc_ValueError,
                     "there is no mask '%U'; accepted: None, 'causal' or an array", o);
        return MICA_RAISED;
    }
    *out = (mica_mask){ .array = mica_py_array(o) };
    return out->array ? MICA_TAKEN : MICA_WRONG_TYPE;
}

static mica_outcome order_from(PyObject *o, mica_order *out)
{
    out->number = 0;
    if (PyUnicode_Check(o)) {
        out->name = PyUnicode_AsUTF8AndSize(o, NULL);
        if (out->name && !*out->name) out->name = " "; /* no name, and no number either */
        return out->name ? MICA_TAKEN : MICA_RAISED;
    }
    out->name = "";
    return real_from(o, &out->number);
}

mica_outcome mica_py_convert(mica_context *c, const mica_parameter *p, PyObject *o,
                             mica__value *out)
{
    int64_t integer = 0;
    mica_outcome result;
    if (o == Py_None && p->accepts_none) {
        *out = p->none;
        return MICA_TAKEN;
    }
    switch (p->kind) {
    case MICA_KIND_ARRAY:
    case MICA_KIND_KEY:
        out->array = mica_py_array(o);
        return out->array ? MICA_TAKEN : MICA_WRONG_TYPE;
    case MICA_KIND_INDEX: return index_from(c, o, &out->array);
    case MICA_KIND_ARRAYS: return array_list_from(c, o, &out->arrays);
    case MICA_KIND_INT: return integer_from(o, &out->integer);
    case MICA_KIND_AXIS:
        result = integer_from(o, &integer);
        if (result == MICA_TAKEN && (integer <= INT_MIN || integer > INT_MAX))
            return MICA_TOO_LARGE;
        out->axis = (int)integer;
        return result;
    case MICA_KIND_AXES:
    case MICA_KIND_SHAPE: return dims_from(c, o, true, &out->dims);
    case MICA_KIND_DIMS: return dims_from(c, o, false, &out->dims);
    case MICA_KIND_BOOL:
        out->boolean = o == Py_True;
        return o == Py_True || o == Py_False ? MICA_TAKEN : MICA_WRONG_TYPE;
    case MICA_KIND_FLOAT: return real_from(o, &out->real);
    case MICA_KIND_DTYPE: return mica_py_dtype(o, &out->dtype) == 0 ? MICA_TAKEN : MICA_RAISED;
    case MICA_KIND_STRING:
        if (!PyUnicode_Check(o)) return MICA_WRONG_TYPE;
        out->string = PyUnicode_AsUTF8AndSize(o, NULL);
        return out->string ? MICA_TAKEN : MICA_RAISED;
    case MICA_KIND_MASK: return mask_from(o, &out->mask);
    case MICA_KIND_ORDER: return order_from(o, &out->order);
    default: return MICA_WRONG_TYPE;
    }
}
