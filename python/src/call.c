/* The one dispatcher: places arguments by position and name, converts them by kind, calls the
 * builder, wraps what comes back. */
#include "call.h"

#include "convert.h"
#include "ops/builder.h"
#include "record.h"

/* ---- messages ---- */

/* "exp(a, /, *, stream=None)": the head of the documentation. */
static PyObject *signature_of(const mica_row *row)
{
    const char *doc = row->method.ml_doc;
    return PyUnicode_FromStringAndSize(doc, strstr(doc, "\n--\n") - doc);
}

static void fail_call(const mica_row *row, const char *format, PyObject *name, Py_ssize_t count)
{
    PyObject *signature = signature_of(row);
    PyObject *what =
        name ? PyUnicode_FromFormat(format, name) : PyUnicode_FromFormat(format, count);
    if (signature && what)
        PyErr_Format(PyExc_TypeError, "[%s] %U: the signature is %U", row->name, what, signature);
    Py_XDECREF(signature);
    Py_XDECREF(what);
}

/* `element`: what is wrong inside `o`, or NULL. */
static void fail_type(const mica_row *row, const mica_parameter *p, PyObject *o, PyObject *element)
{
    const char *none = p->accepts_none ? ", None" : "";
    if (element)
        PyErr_Format(PyExc_TypeError,
                     "[%s] argument '%U' holds an element of type %s; accepted: %s%s", row->name,
                     p->name, mica_py_type_name(element), mica_kind_accepts(p->kind), none);
    else
        PyErr_Format(PyExc_TypeError, "[%s] argument '%U' is of type %s; accepted: %s%s", row->name,
                     p->name, mica_py_type_name(o), mica_kind_accepts(p->kind), none);
}

/* Where sizes are meant the reference raises OverflowError, elsewhere TypeError. */
static void fail_size(const mica_row *row, const mica_parameter *p)
{
    bool size = p->kind == MICA_KIND_DIMS || p->kind == MICA_KIND_SHAPE;
    PyErr_Format(size ? PyExc_OverflowError : PyExc_TypeError,
                 "[%s] an integer in argument '%U' is too large", row->name, p->name);
}

static void name_argument(const mica_row *row, const mica_parameter *p)
{
    const char *argument = PyUnicode_AsUTF8AndSize(p->name, NULL);
    mica_py_name_error(row->name, argument ? argument : "?");
}

/* ---- arguments ---- */

static bool place_keywords(const mica_row *row, PyObject *const *values, PyObject *kwnames,
                           PyObject *given[])
{
    Py_ssize_t count = PyTuple_Size(kwnames);
    int first_named = row->variadic ? row->spread + 1 : row->positional_only;
    for (Py_ssize_t k = 0; k < count; k++) {
        PyObject *name = PyTuple_GetItem(kwnames, k);
        int i = first_named;
        while (i <= row->n && row->at[i].name != name) i++;
        if (i > row->n) { /* names from ** are not always interned */
            i = 0;
            while (i <= row->n && PyUnicode_Compare(row->at[i].name, name) != 0) i++;
            if (i < first_named) {
                fail_call(row, "argument '%U' is positional only", name, 0);
                return false;
            }
        }
        if (i > row->n) {
            fail_call(row, "there is no argument '%U'", name, 0);
            return false;
        }
        if (given[i]) {
            fail_call(row, "argument '%U' is given twice", name, 0);
            return false;
        }
        given[i] = values[k];
    }
    return true;
}

static bool is_stream(PyObject *o)
{
    mica_stream *stream;
    bool yes = o != Py_None && mica_py_stream(o, &stream) == 0;
    PyErr_Clear();
    return yes;
}

/* Fills given[0 .. n] (stream last) with what was passed; NULL where nothing was. False and an
 * exception on a wrong call. */
static bool place(const mica_row *row, PyObject *first, PyObject *const *args, Py_ssize_t nargs,
                  PyObject *kwnames, PyObject *given[])
{
    int n = 0;
    PyObject *where = NULL, *const *names = args + nargs; /* the stream; what is given by name */
    if (first) given[n++] = first;
    if (row->variadic) {
        for (Py_ssize_t i = 0; i < row->spread; i++) given[n++] = i < nargs ? args[i] : NULL;
        given[n++] = NULL;
    } else {
        /* A stream may follow the last positional argument without its name, as in many functions
         * of the reference. */
        if (nargs == row->positional - n + 1 && is_stream(args[nargs - 1])) where = args[--nargs];
        if (nargs > row->positional - n) {
            fail_call(row, "%zd positional arguments are too many", NULL, nargs + n);
            return false;
        }
        for (Py_ssize_t i = 0; i < nargs; i++) given[n++] = args[i];
    }
    while (n <= row->n) given[n++] = NULL;
    given[row->n] = where;
    return !kwnames || place_keywords(row, names, kwnames, given);
}

/* A number of a function that is being traced (mica/_number.py): its class is float or int. */
static bool is_stand_in(PyObject *o)
{
    return PyObject_IsInstance(o, (PyObject *)&PyFloat_Type) == 1 ||
           PyObject_IsInstance(o, (PyObject *)&PyLong_Type) == 1;
}

/* Whether a NumPy array meets numbers and no array: then a number is an array of its own type. */
static bool has_foreign(const mica_row *row, PyObject *const given[], unsigned waiting)
{
    for (int i = 0; i < row->n; i++) {
        PyObject *o = waiting >> i & 1 ? given[i] : NULL;
        if (o && o != Py_None && !row->at[i].apart && !PyFloat_Check(o) && !PyLong_Check(o) &&
            !PyComplex_Check(o) && !is_stand_in(o))
            return true;
    }
    return false;
}

/* Operands that are no arrays, once it is known which array gives its type to NumPy operands; and
   keys that were not given, once nothing else can be wrong with the call. */
static bool convert_operands(const mica_row *row, mica_scope *s, PyObject *const given[],
                             unsigned waiting, mica_array *peer, mica__value values[])
{
    bool foreign = !peer && has_foreign(row, given, waiting);
    for (int i = 0; i < row->n; i++) {
        const mica_parameter *p = &row->at[i];
        if (!(waiting >> i & 1)) continue;
        PyObject *o = given[i] ? given[i] : p->number;
        if (o == Py_None && p->kind == MICA_KIND_OPERAND) {
            fail_type(row, p, o, NULL);
            return false;
        }
        if (p->kind == MICA_KIND_KEY) values[i].array = mica_py_next_key(s);
        else values[i].array = mica_py_operand(s, o, p->apart ? NULL : peer);
        if (foreign && values[i].array && given[i] && !p->apart)
            values[i].array = mica__strong(s, values[i].array, (mica_dtype)values[i].array->dtype);
        if (!values[i].array) {
            name_argument(row, p);
            return false;
        }
    }
    return true;
}

static bool convert_all(const mica_row *row, mica_context *c, PyObject *const given[],
                        mica__value values[])
{
    mica_array *peer = NULL;
    unsigned waiting = 0;
    for (int i = 0; i < row->n; i++) {
        if (row->variadic && i == row->spread) continue;
        const mica_parameter *p = &row->at[i];
        PyObject *o = given[i];
        if (p->kind == MICA_KIND_OPERAND) {
            values[i].array = o ? mica_py_array(o) : NULL;
            if (values[i].array) {
                if (!peer && !p->apart) peer = values[i].array;
                continue;
            }
            if (o ? !(o == Py_None && p->accepts_none) : p->number != NULL) {
                waiting |= 1u << i;
                continue;
            }
        }
        if (p->kind == MICA_KIND_KEY && (o ? o == Py_None : p->has_default)) {
            waiting |= 1u << i;
            continue;
        }
        if (!o) {
            if (!p->has_default) {
                fail_call(row, "argument '%U' is missing", p->name, 0);
                return false;
            }
            values[i] = p->value;
            continue;
        }
        mica_outcome result = mica_py_convert(c, p, o, &values[i]);
        if (result == MICA_TAKEN) {
            if (i == 0 && p->kind == MICA_KIND_ARRAY) peer = values[i].array;
            continue;
        }
        if (result == MICA_WRONG_TYPE) fail_type(row, p, o, c->element);
        else if (result == MICA_TOO_LARGE) fail_size(row, p);
        else if (PyErr_Occurred()) name_argument(row, p);
        return false;
    }
    return !waiting || convert_operands(row, c->scope, given, waiting, peer, values);
}

/* ---- results ---- */

static PyObject *wrap_many(const mica_row *row, mica_arrays many)
{
    Py_ssize_t n = (Py_ssize_t)many.n;
    if (row->bare && n == 1) return mica_py_wrap(many.at[0]);
    PyObject *all = row->tuple ? PyTuple_New(n) : PyList_New(n);
    for (Py_ssize_t i = 0; all && i < n; i++) {
        PyObject *one = mica_py_wrap(many.at[i]);
        if (!one) Py_CLEAR(all);
        else if (row->tuple) PyTuple_SetItem(all, i, one);
        else PyList_SetItem(all, i, one);
    }
    return all;
}

/* The key that a call took from the random state, or NULL. */
static PyObject *drawn_key(const mica_row *row, PyObject *const given[], const mica__value values[])
{
    for (int i = 0; i < row->n; i++)
        if (row->at[i].kind == MICA_KIND_KEY && (!given[i] || given[i] == Py_None))
            return values[i].array ? mica_py_wrap(values[i].array) : NULL;
    return NULL;
}

PyObject *mica_py_call(const mica_row *row, PyObject *first, PyObject *const *args,
                       Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *given[MICA_MAX_PARAMETERS];
    mica__value values[MICA_MAX_PARAMETERS];
    mica_scope scope;
    mica_stream *stream = NULL;
    if (!place(row, first, args, nargs, kwnames, given)) return NULL;
    PyObject *where = given[row->n];
    if (where && where != Py_None && mica_py_stream(where, &stream) < 0) {
        name_argument(row, &row->at[row->n]);
        return NULL;
    }

    mica__scope_begin(&scope, stream);
    scope.origin = row->origin;
    PyObject *result = NULL;
    mica_context c;
    c.scope = &scope;
    c.element = NULL;
    c.n = 0;
    bool ready = convert_all(row, &c, given, values);
    if (ready && row->variadic) {
        size_t n = nargs > row->spread ? (size_t)(nargs - row->spread) : 0;
        mica_outcome taken =
            mica_py_arrays(&c, args + row->spread, NULL, n, &values[row->spread].arrays);
        if (taken == MICA_WRONG_TYPE)
            fail_type(row, &row->at[row->spread], args[row->spread], c.element);
        ready = taken == MICA_TAKEN;
    }
    Py_XDECREF(c.element);
    PyObject *drawn = ready && mica_py_recording ? drawn_key(row, given, values) : NULL;
    if (ready) {
        mica_arrays many = { 0, NULL };
        mica_array *one = row->function->call(&scope, values, &many);
        if (scope.status == MICA_OK && row->several) result = wrap_many(row, many);
        if (scope.status == MICA_OK && one) result = mica_py_wrap(one);
    }
    int status = mica__scope_end(&scope);
    if (!result && !PyErr_Occurred()) mica_py_raise(status);
    if (mica_py_recording)
        result = mica_py_record_vector(row->object, first, args, nargs, kwnames, drawn, result);
    Py_XDECREF(drawn);
    return result;
}

/* ---- functions as Python objects ----
   `self` of each function is a module object of its own, whose state is the row: so pickle, repr
   and help treat it as a module's function. */

static PyObject *call(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    const mica_row *const *row = PyModule_GetState(self);
    return mica_py_call(*row, NULL, args, nargs, kwnames);
}

static struct PyModuleDef holder = { PyModuleDef_HEAD_INIT, .m_name = "mica.core",
                                     .m_size = sizeof(mica_row *) };

static PyObject *make_function(mica_row *row, PyObject *module)
{
    PyObject *self = PyModule_Create(&holder);
    if (!self) return NULL;
    *(mica_row **)PyModule_GetState(self) = row;
    row->method.ml_meth = (PyCFunction)(void (*)(void))call;
    row->method.ml_flags = METH_FASTCALL | METH_KEYWORDS;
    PyObject *name = PyModule_GetNameObject(module);
    PyObject *function = name ? PyCFunction_NewEx(&row->method, self, name) : NULL;
    Py_XDECREF(name);
    Py_DECREF(self);
    Py_XINCREF(function);
    row->object = function;
    return function;
}

PyObject *mica_py_submodule(PyObject *core, const char *name)
{
    PyObject *module = PyObject_GetAttrString(core, name);
    if (module) {
        Py_DECREF(module); /* core holds it */
        return module;
    }
    PyErr_Clear();
    PyObject *full = PyUnicode_FromFormat("mica.core.%s", name);
    if (!full) return NULL;
    module = PyModule_NewObject(full);
    PyObject *loaded = PyImport_GetModuleDict();
    bool ok = module && PyObject_SetItem(loaded, full, module) == 0 &&
              PyModule_AddObjectRef(core, name, module) == 0;
    Py_DECREF(full);
    Py_XDECREF(module);
    return ok ? module : NULL;
}

/* Rows in the order of the table; they live as long as the process. */
static mica_row **all_rows;

const mica_row *mica_py_row(const char *function)
{
    for (size_t i = 0; all_rows && i < mica__function_count; i++)
        if (strcmp(all_rows[i]->function->name, function) == 0) return all_rows[i];
    return NULL;
}

static int parse_rows(void)
{
    if (all_rows) return 0;
    mica_row **parsed = PyMem_Calloc(mica__function_count + 1, sizeof *parsed);
    if (!parsed) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < mica__function_count; i++) {
        parsed[i] = mica_row_parse(&mica__functions[i], NULL);
        if (!parsed[i]) return -1;
    }
    all_rows = parsed;
    return 0;
}

static int add_alias(PyObject *core, const char *alias, const char *function)
{
    const mica_row *original = mica_py_row(function);
    if (!original) return 0;
    mica_row *row = mica_row_parse(original->function, alias);
    PyObject *object = row ? make_function(row, core) : NULL;
    int status = object ? PyModule_AddObjectRef(core, alias, object) : -1;
    Py_XDECREF(object);
    return status;
}

int mica_py_add_functions(PyObject *core)
{
    if (parse_rows() < 0) return -1;
    for (size_t i = 0; i < mica__function_count; i++) {
        mica_row *row = all_rows[i];
        PyObject *module = *row->module ? mica_py_submodule(core, row->module) : core;
        PyObject *function = module ? make_function(row, module) : NULL;
        int status = function ? PyModule_AddObjectRef(module, row->name, function) : -1;
        Py_XDECREF(function);
        if (status < 0) return -1;
    }
#define ALIAS(name, function)                                                                      \
    if (add_alias(core, #name, #function) < 0) return -1;
#include "alias.def"
#undef ALIAS
    return 0;
}
