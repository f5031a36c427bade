/* What a compiled call is known by. */
#include "compile_key.h"

#include <math.h>

#include "core/current.h"

void mica_py_key_begin(mica_py_key *k, PyObject *function, bool shapes)
{
    k->function = function;
    k->shapes = shapes;
    k->traced = k->opaque = k->owned = k->written = k->apart = false;
    k->at = k->bytes;
    k->room = sizeof k->bytes;
    k->arrays = k->few_arrays;
    k->arrays_room = MICA_KEY_ARRAYS;
    k->numbers = k->few_numbers;
    k->numbers_room = MICA_KEY_NUMBERS;
    k->texts = k->few_texts;
    k->texts_room = MICA_KEY_TEXTS;
    k->places = NULL;
    k->n = k->narrays = k->nnumbers = k->ntexts = k->nplaces = k->places_room = 0;
}

void mica_py_key_own(mica_py_key *k)
{
    if (k->owned) return;
    for (size_t i = 0; i < k->narrays; i++) Py_INCREF(k->arrays[i]);
    for (size_t i = 0; i < k->nnumbers; i++) Py_INCREF(k->numbers[i]);
    k->owned = true;
}

void mica_py_key_restart(mica_py_key *k, bool apart)
{
    if (k->owned) {
        for (size_t i = 0; i < k->narrays; i++) Py_DECREF(k->arrays[i]);
        for (size_t i = 0; i < k->nnumbers; i++) Py_DECREF(k->numbers[i]);
    }
    for (size_t i = 0; i < k->nplaces; i++) Py_XDECREF(k->places[i].value);
    k->n = k->narrays = k->nnumbers = k->ntexts = k->nplaces = 0;
    k->traced = k->opaque = k->owned = false;
    k->apart = apart;
}

void mica_py_key_end(mica_py_key *k)
{
    mica_py_key_restart(k, false);
    if (k->at != k->bytes) PyMem_Free(k->at);
    if (k->arrays != k->few_arrays) PyMem_Free(k->arrays);
    if (k->numbers != k->few_numbers) PyMem_Free(k->numbers);
    if (k->texts != k->few_texts) PyMem_Free(k->texts);
    PyMem_Free(k->places);
}

/* Room for `more` items of `size` bytes after `n`; `first` is a list that is not on the heap. */
static int reserve(void **list, const void *first, size_t n, size_t more, size_t *room, size_t size)
{
    if (n + more <= *room) return 0;
    size_t larger = 2 * (n + more);
    void *grown =
        *list == first ? PyMem_Malloc(larger * size) : PyMem_Realloc(*list, larger * size);
    if (!grown) {
        PyErr_NoMemory();
        return -1;
    }
    if (first && *list == first) memcpy(grown, first, n * size);
    *list = grown;
    *room = larger;
    return 0;
}

static int grow_bytes(mica_py_key *k, size_t n)
{
    void *at = k->at;
    if (reserve(&at, k->bytes, k->n, n, &k->room, 1) < 0) return -1;
    k->at = at;
    return 0;
}

/* Inline, as `append` and `put_array`: a call of a hundred arrays takes each a hundred times. */
static inline int put(mica_py_key *k, const void *bytes, size_t n)
{
    if (n > k->room - k->n && grow_bytes(k, n) < 0) return -1;
    memcpy(k->at + k->n, bytes, n);
    k->n += n;
    return 0;
}

int mica_py_key_put(mica_py_key *k, const void *bytes, size_t n)
{
    return put(k, bytes, n);
}

static inline int put_kind(mica_py_key *k, char kind, size_t n)
{
    char bytes[1 + sizeof n];
    uint32_t few = (uint32_t)n;
    bool fits = few == n; /* hashing the signature takes time: counts are mostly small */
    bytes[0] = (char)(fits ? kind : kind | 0x80);
    if (fits) {
        memcpy(bytes + 1, &few, sizeof few);
        return put(k, bytes, 1 + sizeof few);
    }
    memcpy(bytes + 1, &n, sizeof n);
    return put(k, bytes, sizeof bytes);
}

static inline int append_object(PyObject ***list, PyObject **first, size_t *n, size_t *room,
                                PyObject *o)
{
    if (*n == *room) {
        void *at = *list;
        if (reserve(&at, first, *n, 1, room, sizeof o) < 0) return -1;
        *list = at;
    }
    (*list)[(*n)++] = o;
    return 0;
}

int mica_py_key_number(mica_py_key *k, PyObject *number)
{
    return append_object(&k->numbers, k->few_numbers, &k->nnumbers, &k->numbers_room, number);
}

static inline int put_array(mica_py_key *k, PyObject *o)
{
    const mica_array *a = mica_py_array(o);
    k->traced |= mica__is_traced(a);
    int ndim = k->shapes ? a->ndim : 0;
    bool wide = false; /* whether sizes take 8 bytes */
    for (int i = 0; i < ndim; i++) wide |= (a->shape[i] >> 32) != 0;
    char bytes[3 + 8 * MICA_MAX_NDIM];
    bytes[0] = wide ? 'B' : 'A';
    bytes[1] = (char)a->dtype;
    bytes[2] = (char)a->ndim;
    size_t item = wide ? sizeof(int64_t) : sizeof(uint32_t);
    for (int i = 0; i < ndim; i++) {
        uint32_t few = (uint32_t)a->shape[i];
        memcpy(bytes + 3 + (size_t)i * item, wide ? (const void *)&a->shape[i] : (const void *)&few,
               item);
    }
    return put(k, bytes, 3 + (size_t)ndim * item);
}

/* ---- constants and trees ---- */

static int put_text(mica_py_key *k, char kind, PyObject *text)
{
    if (k->apart && PyUnicode_CheckExact(text)) {
        if (put(k, &kind, 1) < 0) return -1;
        return append_object(&k->texts, k->few_texts, &k->ntexts, &k->texts_room, text);
    }
    Py_ssize_t n;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &n);
    if (bytes) return put_kind(k, kind, (size_t)n) < 0 ? -1 : mica_py_key_put(k, bytes, (size_t)n);
    PyErr_Clear(); /* lone surrogates */
    PyObject *escaped = PyUnicode_AsEncodedString(text, "unicode_escape", NULL);
    if (!escaped) return -1;
    n = PyBytes_Size(escaped);
    int status = put_kind(k, (char)(kind + 1), (size_t)n) < 0
                     ? -1
                     : mica_py_key_put(k, PyBytes_AsString(escaped), (size_t)n);
    Py_DECREF(escaped);
    return status;
}

/* A text that was made for the signature, written as it is; takes it over. */
static int put_made_text(mica_py_key *k, char kind, PyObject *text)
{
    bool apart = k->apart;
    k->apart = false;
    int status = text ? put_text(k, kind, text) : -1;
    k->apart = apart;
    Py_XDECREF(text);
    return status;
}

/* Objects that are equal when they print alike, of which no code of the program is asked. */
static bool prints_its_value(PyObject *o, int depth)
{
    if (o == Py_None || PyBool_Check(o) || PyLong_CheckExact(o) || PyFloat_CheckExact(o) ||
        PyUnicode_CheckExact(o) || PyBytes_CheckExact(o))
        return true;
    bool all = PyTuple_CheckExact(o) && depth < 8;
    for (Py_ssize_t i = 0; all && i < PyTuple_Size(o); i++)
        all = prints_its_value(PyTuple_GetItem(o, i), depth + 1);
    return all;
}

/* Members of enumerations, which live as long as their class, are themselves only; -1 and an
 * exception. */
static int is_member(PyObject *o)
{
    PyObject *meta = PyType_GetQualName(Py_TYPE((PyObject *)Py_TYPE(o)));
    if (!meta) return -1;
    int is = PyUnicode_CompareWithASCIIString(meta, "EnumType") == 0 ||
             PyUnicode_CompareWithASCIIString(meta, "EnumMeta") == 0;
    Py_DECREF(meta);
    return is;
}

static int put_type(mica_py_key *k, char kind, PyObject *o);

/* A key of a dict: text as it is, other values by how they print. */
static int put_name(mica_py_key *k, PyObject *name)
{
    if (PyUnicode_CheckExact(name)) return put_text(k, 'k', name);
    if (prints_its_value(name, 0)) return put_made_text(k, 'r', PyObject_Repr(name));
    int member = is_member(name);
    if (member < 0) return -1;
    if (member) return put_kind(k, 'm', (size_t)(uintptr_t)name);
    k->opaque = true;
    return put_kind(k, 'o', 0);
}

static int put_type(mica_py_key *k, char kind, PyObject *o)
{
    if (put_kind(k, kind, (size_t)(uintptr_t)Py_TYPE(o)) < 0) return -1;
    return put_made_text(k, 't', PyType_GetQualName(Py_TYPE(o)));
}

static int put_tree(mica_py_key *k, PyObject *o);

static int put_container(mica_py_key *k, PyObject *o)
{
    if (Py_EnterRecursiveCall(" in the arguments of a compiled function")) return -1;
    int status;
    if (Py_IS_TYPE(o, &PyDict_Type) || PyDict_Check(o)) {
        PyObject *name, *value;
        Py_ssize_t at = 0;
        status = put_kind(k, 'D', (size_t)PyDict_Size(o));
        while (!status && PyDict_Next(o, &at, &name, &value))
            status = put_name(k, name) < 0 ? -1 : put_tree(k, value);
    } else {
        bool list = PyList_Check(o);
        Py_ssize_t n = list ? PyList_Size(o) : PyTuple_Size(o);
        status = put_kind(k, 'L', (size_t)n);
        for (Py_ssize_t i = 0; !status && i < n; i++)
            status = put_tree(k, list ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i));
    }
    Py_LeaveRecursiveCall();
    return status;
}

static int refuse(PyObject *o)
{
    PyObject *name = PyType_GetQualName(Py_TYPE(o));
    PyObject *module = PyObject_GetAttrString((PyObject *)Py_TYPE(o), "__module__");
    if (name && module)
        PyErr_Format(PyExc_ValueError,
                     "[compile] Function arguments must be trees of arrays or constants (floats, "
                     "ints, strings, or None), but received type %S.%U.",
                     module, name);
    Py_XDECREF(name);
    Py_XDECREF(module);
    return -1;
}

static int put_tree(mica_py_key *k, PyObject *o)
{
    if (Py_TYPE(o) == mica_py_array_type) {
        if (append_object(&k->arrays, k->few_arrays, &k->narrays, &k->arrays_room, o) < 0)
            return -1;
        return put_array(k, o);
    }
    if (Py_IS_TYPE(o, &PyDict_Type)) return put_container(k, o);
    if (o == Py_None) return mica_py_key_put(k, "N", 1);
    if (PyBool_Check(o)) return mica_py_key_put(k, o == Py_True ? "T" : "F", 1);
    if (PyFloat_CheckExact(o))
        return mica_py_key_put(k, "f", 1) < 0 ? -1 : mica_py_key_number(k, o);
    if (PyLong_CheckExact(o)) return mica_py_key_put(k, "i", 1) < 0 ? -1 : mica_py_key_number(k, o);
    if (PyUnicode_Check(o)) {
        if (!PyUnicode_CheckExact(o) && put_type(k, 'U', o) < 0) return -1;
        return put_text(k, 'S', o);
    }
    if (PyDict_Check(o) || PyList_Check(o) || PyTuple_Check(o)) return put_container(k, o);
    if (PyLong_Check(o) || PyFloat_Check(o))
        return put_type(k, 'n', o) < 0 ? -1 : mica_py_key_number(k, o);
    return refuse(o);
}

/* ---- state ---- */

static int add_place(mica_py_key *k, PyObject *container, PyObject *key, Py_ssize_t index,
                     PyObject *value)
{
    if (k->written) return mica_py_key_put(k, "A", 1);
    void *at = k->places;
    if (reserve(&at, NULL, k->nplaces, 1, &k->places_room, sizeof *k->places) < 0) return -1;
    k->places = at;
    Py_INCREF(value);
    k->places[k->nplaces++] = (mica_py_place){ container, key, index, value };
    return put_array(k, value);
}

/* Of what is neither array nor container nothing counts: it is read when the function is traced. */
int mica_py_key_places(mica_py_key *k, PyObject *o)
{
    bool dict = PyDict_Check(o), list = PyList_Check(o), tuple = PyTuple_Check(o);
    if (Py_TYPE(o) == mica_py_random_state_type) {
        PyObject *value = PySequence_GetItem(o, 0);
        int status = value ? add_place(k, o, NULL, -1, value) : -1;
        Py_XDECREF(value);
        return status;
    }
    if (!dict && !list && !tuple) return mica_py_key_put(k, "o", 1);
    if (Py_EnterRecursiveCall(" in the state of a compiled function")) return -1;
    Py_ssize_t n = dict ? PyDict_Size(o) : list ? PyList_Size(o) : PyTuple_Size(o), at = 0;
    int status = put_kind(k, dict ? 'd' : list ? 'l' : 't', (size_t)n);
    PyObject *name, *value;
    while (dict && !status && PyDict_Next(o, &at, &name, &value)) {
        status = put_name(k, name);
        if (status) break;
        status =
            mica_py_array(value) ? add_place(k, o, name, 0, value) : mica_py_key_places(k, value);
    }
    for (Py_ssize_t i = 0; !dict && !status && i < n; i++) {
        value = list ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i);
        status = mica_py_array(value) ? add_place(k, list ? o : NULL, NULL, i, value)
                                      : mica_py_key_places(k, value);
    }
    Py_LeaveRecursiveCall();
    return status;
}

int mica_py_place_put(const mica_py_place *p, PyObject *value)
{
    if (!p->container) return 0;
    if (!p->key) return PySequence_SetItem(p->container, p->index < 0 ? 0 : p->index, value);
    return PyObject_SetItem(p->container, p->key, value);
}

int mica_py_key_of(mica_py_key *k, PyObject *given, PyObject *inputs, PyObject *outputs)
{
    const mica_stream *stream = mica__current_stream;
    if (mica_py_key_put(k, &stream, sizeof stream) < 0 || put_tree(k, given) < 0) return -1;
    if (inputs != Py_None && (mica_py_key_put(k, "s", 1) < 0 || mica_py_key_places(k, inputs) < 0))
        return -1;
    if (outputs == Py_None || outputs == inputs) return 0;
    k->written = true;
    int status = mica_py_key_put(k, "w", 1) < 0 ? -1 : mica_py_key_places(k, outputs);
    k->written = false;
    return status;
}

/* ---- numbers ---- */

static int put_value(mica_py_key *k, PyObject *number)
{
    if (PyFloat_Check(number)) {
        double value = PyFloat_AsDouble(number);
        if (value != value) value = NAN; /* NaN is NaN; -0.0 is not 0.0 */
        if (mica_py_key_put(k, "f", 1) < 0) return -1;
        return mica_py_key_put(k, &value, sizeof value);
    }
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (PyErr_Occurred()) return -1;
    if (!overflow)
        return mica_py_key_put(k, "i", 1) < 0 ? -1 : mica_py_key_put(k, &value, sizeof value);
    return put_made_text(k, 'x', PyNumber_ToBase(number, 16));
}

/* A number for all integers that fit into the same types. */
static int put_range(mica_py_key *k, PyObject *number)
{
    static const int64_t ends[] = { -(INT64_C(1) << 31),
                                    -(INT64_C(1) << 15),
                                    -128,
                                    0,
                                    128,
                                    256,
                                    INT64_C(1) << 15,
                                    INT64_C(1) << 16,
                                    INT64_C(1) << 31,
                                    INT64_C(1) << 32 };
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (PyErr_Occurred()) return -1;
    char range = 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        range += overflow ? overflow > 0 : value >= ends[i];
    return mica_py_key_put(k, &range, 1);
}

/* A number for all exponents whose powers are computed alike: 2, 3, 4 and all others. */
static int put_exponent(mica_py_key *k, PyObject *number)
{
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (PyErr_Occurred()) return -1;
    char exponent = !overflow && value >= 2 && value <= 4 ? (char)value : 0;
    return mica_py_key_put(k, &exponent, 1);
}

/* A number for all integers of about the same magnitude: _MAGNITUDES of mica/_number.py. */
static int put_magnitude(mica_py_key *k, PyObject *number)
{
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (PyErr_Occurred()) return -1;
    char magnitude = 2;
    for (int i = 1; i >= 0; i--) {
        long long end = INT64_C(1) << (i ? 52 : 20);
        if (!overflow && value > -end && value < end) magnitude = (char)i;
    }
    return mica_py_key_put(k, &magnitude, 1);
}

int mica_py_key_numbers(mica_py_key *k, PyObject *needs)
{
    static int (*const puts[])(mica_py_key *, PyObject *) = { put_value, put_range, put_exponent,
                                                              put_magnitude };
    bool all = PyTuple_GetItem(needs, 0) == Py_None;
    int status = mica_py_key_put(k, all ? "a" : "v", 1);
    for (size_t i = 0; !status && all && i < k->nnumbers; i++) status = put_value(k, k->numbers[i]);
    for (int kind = 0; !status && !all && kind < 4; kind++) {
        PyObject *places = PyTuple_GetItem(needs, kind);
        if (!places) return -1;
        for (Py_ssize_t i = 0; !status && i < PyTuple_Size(places); i++)
            status = puts[kind](k, k->numbers[PyLong_AsSsize_t(PyTuple_GetItem(places, i))]);
    }
    return status;
}
