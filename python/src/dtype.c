/* Dtype, DtypeCategory, finfo, iinfo and the questions about element types. */
#include "array.h"

#include <math.h>

#include "convert.h"

typedef struct dtype_object {
    PyObject_HEAD mica_dtype dtype;
} dtype_object;

static PyTypeObject *dtype_type, *finfo_type, *iinfo_type;
static PyObject *objects[MICA_DTYPE_COUNT];
static PyObject *category_type;

/* Names of the categories in the order of the reference's enumeration; parents by index, -1 for the
 * root. */
static const struct {
    const char *name;
    int parent;
} categories[] = { { "complexfloating", 2 }, { "floating", 2 },        { "inexact", 6 },
                   { "signedinteger", 5 },   { "unsignedinteger", 5 }, { "integer", 6 },
                   { "number", 7 },          { "generic", -1 } };
enum { CATEGORIES = 8 };
static PyObject *category_objects[CATEGORIES];

static int category_of(mica_dtype d)
{
    if (d == MICA_BOOL) return 7;
    if (d == MICA_COMPLEX64) return 0;
    if (mica__is_float(d)) return 1;
    return mica__is_unsigned(d) ? 4 : 3;
}

static bool below(int category, int ancestor)
{
    for (; category >= 0; category = categories[category].parent)
        if (category == ancestor) return true;
    return false;
}

static bool is_dtype(PyObject *o)
{
    return Py_TYPE(o) == dtype_type;
}
static mica_dtype value_of(PyObject *o)
{
    return ((dtype_object *)o)->dtype;
}

static int category_index(PyObject *o)
{
    for (int i = 0; i < CATEGORIES; i++)
        if (category_objects[i] == o) return i;
    return -1;
}

PyObject *mica_py_dtype_object(mica_dtype d)
{
    return objects[d];
}

int mica_py_dtype(PyObject *o, mica_dtype *out)
{
    if (!is_dtype(o)) {
        PyObject *name = PyType_GetName(Py_TYPE(o));
        if (name)
            PyErr_Format(PyExc_TypeError, "a dtype is needed, such as mx.float32, not %U", name);
        Py_XDECREF(name);
        return -1;
    }
    *out = value_of(o);
    return 0;
}

static PyObject *dtype_repr(PyObject *self)
{
    return PyUnicode_FromFormat("mlx.core.%s", mica_dtype_name(value_of(self)));
}
static Py_hash_t dtype_hash(PyObject *self)
{
    return (Py_hash_t)value_of(self);
}
static PyObject *dtype_compare(PyObject *a, PyObject *b, int operation)
{
    if (operation != Py_EQ && operation != Py_NE) Py_RETURN_NOTIMPLEMENTED;
    return PyBool_FromLong((is_dtype(b) && value_of(a) == value_of(b)) == (operation == Py_EQ));
}
static PyObject *dtype_size(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(mica__dtype_sizes[value_of(self)]);
}
/* Pickles by name: an addition, the reference's refuse. */
static PyObject *dtype_reduce(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyUnicode_FromString(value_of(self) == MICA_BOOL ? "bool_"
                                                            : mica_dtype_name(value_of(self)));
}

static PyGetSetDef dtype_getters[] = { { "size", dtype_size, NULL, "Bytes of one element.", NULL },
                                       { NULL, NULL, NULL, NULL, NULL } };
static PyMethodDef dtype_methods[] = { { "__reduce__", dtype_reduce, METH_NOARGS, NULL },
                                       { NULL, NULL, 0, NULL } };
static PyType_Slot dtype_slots[] = {
    { Py_tp_doc, "An element type: mx.float32 and the like. Compares and hashes by type; `size` is "
                 "the number of "
                 "bytes of one element." },
    { Py_tp_repr, dtype_repr },
    { Py_tp_hash, dtype_hash },
    { Py_tp_richcompare, dtype_compare },
    { Py_tp_getset, dtype_getters },
    { Py_tp_methods, dtype_methods },
    { 0, NULL },
};
static PyType_Spec dtype_spec = { "mica.core.Dtype", sizeof(dtype_object), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                  dtype_slots };

/* ---- limits ---- */

static const struct {
    int bits;
    double max, eps, smallest;
} floats[MICA_DTYPE_COUNT] = {
    [MICA_FLOAT16] = { 16, 65504.0, 0x1p-10, 0x1p-14 },
    [MICA_BFLOAT16] = { 16, 3.3895313892515355e38, 0x1p-7, 0x1p-126 },
    [MICA_FLOAT32] = { 32, 3.4028234663852886e38, 0x1p-23, 0x1p-126 },
    [MICA_COMPLEX64] = { 32, 3.4028234663852886e38, 0x1p-23, 0x1p-126 },
    [MICA_FLOAT64] = { 64, 1.7976931348623157e308, 0x1p-52, 0x1p-1022 },
};

static PyObject *info_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *o;
    (void)keywords;
    if (!PyArg_ParseTuple(args, "O:info", &o)) return NULL;
    mica_dtype d;
    if (mica_py_dtype(o, &d) < 0) {
        mica_py_name_error(type == finfo_type ? "finfo" : "iinfo", "dtype");
        return NULL;
    }
    if (type == finfo_type ? !mica__is_inexact(d) : !mica__is_integer(d))
        return PyErr_Format(PyExc_ValueError, "[%s] %s is not %s type",
                            type == finfo_type ? "finfo" : "iinfo", mica_dtype_name(d),
                            type == finfo_type ? "a floating" : "an integer");
    dtype_object *self = PyObject_New(dtype_object, type);
    if (self) self->dtype = d;
    return (PyObject *)self;
}
static void info_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}
/* Limits of complex numbers are those of their parts. */
static mica_dtype limited(PyObject *self)
{
    return value_of(self) == MICA_COMPLEX64 ? MICA_FLOAT32 : value_of(self);
}
static PyObject *info_dtype(PyObject *self, void *unused)
{
    (void)unused;
    Py_INCREF(objects[limited(self)]);
    return objects[limited(self)];
}
static PyObject *finfo_get(PyObject *self, void *which)
{
    mica_dtype d = value_of(self);
    const char *name = which;
    if (!strcmp(name, "bits")) return PyLong_FromLong(floats[d].bits);
    double x = !strcmp(name, "max")   ? floats[d].max
               : !strcmp(name, "min") ? -floats[d].max
               : !strcmp(name, "eps") ? floats[d].eps
                                      : floats[d].smallest;
    return PyFloat_FromDouble(x);
}
static PyObject *iinfo_get(PyObject *self, void *which)
{
    mica_dtype d = value_of(self);
    int bits = 8 * mica__dtype_sizes[d];
    bool max = !strcmp(which, "max");
    if (mica__is_unsigned(d))
        return PyLong_FromUnsignedLongLong(!max         ? 0
                                           : bits == 64 ? UINT64_MAX
                                                        : (UINT64_C(1) << bits) - 1);
    int64_t largest = bits == 64 ? INT64_MAX : (INT64_C(1) << (bits - 1)) - 1;
    return PyLong_FromLongLong(max ? largest : -largest - 1);
}
static PyObject *finfo_repr(PyObject *self)
{
    char text[32]; /* six digits, as arrays are printed */
    PyOS_snprintf(text, sizeof text, "%g", floats[limited(self)].max);
    return PyUnicode_FromFormat("finfo(min=-%s, max=%s, dtype=%s)", text, text,
                                mica_dtype_name(limited(self)));
}
static PyObject *iinfo_repr(PyObject *self)
{
    PyObject *min = iinfo_get(self, "min"), *max = iinfo_get(self, "max");
    PyObject *r = min && max ? PyUnicode_FromFormat("iinfo(min=%R, max=%R, dtype=%s)", min, max,
                                                    mica_dtype_name(value_of(self)))
                             : NULL;
    Py_XDECREF(min);
    Py_XDECREF(max);
    return r;
}
static PyGetSetDef finfo_getters[] = {
    { "dtype", info_dtype, NULL, "The element type.", NULL },
    { "bits", finfo_get, NULL, "Bits of one element.", "bits" },
    { "min", finfo_get, NULL, "The smallest number.", "min" },
    { "max", finfo_get, NULL, "The largest number.", "max" },
    { "eps", finfo_get, NULL, "The distance from 1 to the next number.", "eps" },
    { "smallest_normal", finfo_get, NULL, "The smallest positive normal number.",
      "smallest_normal" },
    { NULL, NULL, NULL, NULL, NULL },
};
static PyGetSetDef iinfo_getters[] = {
    { "dtype", info_dtype, NULL, "The element type.", NULL },
    { "min", iinfo_get, NULL, "The smallest number.", "min" },
    { "max", iinfo_get, NULL, "The largest number.", "max" },
    { NULL, NULL, NULL, NULL, NULL },
};
static PyType_Slot finfo_slots[] = { { Py_tp_doc, "finfo(dtype): limits of a floating type." },
                                     { Py_tp_new, info_new },
                                     { Py_tp_dealloc, info_dealloc },
                                     { Py_tp_getset, finfo_getters },
                                     { Py_tp_repr, finfo_repr },
                                     { 0, NULL } };
static PyType_Slot iinfo_slots[] = { { Py_tp_doc, "iinfo(dtype): limits of an integer type." },
                                     { Py_tp_new, info_new },
                                     { Py_tp_dealloc, info_dealloc },
                                     { Py_tp_getset, iinfo_getters },
                                     { Py_tp_repr, iinfo_repr },
                                     { 0, NULL } };
static PyType_Spec finfo_spec = { "mica.core.finfo", sizeof(dtype_object), 0, Py_TPFLAGS_DEFAULT,
                                  finfo_slots };
static PyType_Spec iinfo_spec = { "mica.core.iinfo", sizeof(dtype_object), 0, Py_TPFLAGS_DEFAULT,
                                  iinfo_slots };

/* ---- questions ---- */

static PyObject *issubdtype(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *a, *b;
    if (!PyArg_ParseTuple(args, "OO:issubdtype", &a, &b)) return NULL;
    int ca = category_index(a), cb = category_index(b);
    if ((!is_dtype(a) && ca < 0) || (!is_dtype(b) && cb < 0))
        return PyErr_Format(a == Py_None || b == Py_None ? PyExc_TypeError : PyExc_ValueError,
                            "[issubdtype] both arguments must be a Dtype or a DtypeCategory");
    if (is_dtype(a) && is_dtype(b)) return PyBool_FromLong(value_of(a) == value_of(b));
    if (cb < 0) return PyBool_FromLong(0);
    return PyBool_FromLong(below(is_dtype(a) ? category_of(value_of(a)) : ca, cb));
}

/* One kind, or -1 with an exception of the class. */
static int is_kind(mica_dtype d, PyObject *kind, PyObject *class)
{
    static const struct {
        const char *name;
        int category;
    } kinds[] = { { "bool", -1 },    { "signed integer", 3 }, { "unsigned integer", 4 },
                  { "integral", 5 }, { "real floating", 1 },  { "complex floating", 0 },
                  { "numeric", 6 } };
    if (is_dtype(kind)) return value_of(kind) == d;
    if (PyUnicode_Check(kind))
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            if (!PyUnicode_CompareWithASCIIString(kind, kinds[i].name))
                return kinds[i].category < 0
                           ? d == MICA_BOOL
                           : d != MICA_BOOL && below(category_of(d), kinds[i].category);
    PyErr_Format(
        class,
        "[isdtype] %R is no kind; accepted are a Dtype, \"bool\", \"signed integer\", \"unsigned "
        "integer\", "
        "\"integral\", \"real floating\", \"complex floating\", \"numeric\", or a tuple of these",
        kind);
    return -1;
}

static PyObject *isdtype(PyObject *module, PyObject *args, PyObject *keywords)
{
    (void)module;
    static char *names[] = { "dtype", "kind", NULL };
    PyObject *o, *kind;
    mica_dtype d;
    if (!mica_py_parse(args, keywords, "OO:isdtype", names, &o, &kind)) return NULL;
    if (mica_py_dtype(o, &d) < 0) {
        mica_py_name_error("isdtype", "dtype");
        return NULL;
    }
    bool several = PyTuple_Check(kind);
    int yes = several ? 0 : is_kind(d, kind, kind == Py_None ? PyExc_TypeError : PyExc_ValueError);
    for (Py_ssize_t i = 0; several && !yes && i < PyTuple_Size(kind); i++)
        yes = is_kind(d, PyTuple_GetItem(kind, i), PyExc_ValueError);
    return yes < 0 ? NULL : PyBool_FromLong(yes);
}

static int dtype_or_array(const char *name, PyObject *kind, PyObject *o, mica_dtype *d)
{
    mica_array *a = mica_py_array(o);
    if (a) *d = (mica_dtype)a->dtype;
    else if (is_dtype(o)) *d = value_of(o);
    else {
        PyErr_Format(kind, "[%s] the arguments must be arrays or dtypes, not %R", name, o);
        return -1;
    }
    return 0;
}

static PyObject *result_type(PyObject *module, PyObject *args)
{
    (void)module;
    mica_dtype d = MICA_BOOL, next;
    if (!PyTuple_Size(args))
        return PyErr_Format(PyExc_ValueError,
                            "[result_type] at least one array or dtype is needed");
    for (Py_ssize_t i = 0; i < PyTuple_Size(args); i++) {
        if (dtype_or_array("result_type", PyExc_ValueError, PyTuple_GetItem(args, i), &next) < 0)
            return NULL;
        d = mica__promote(d, next);
    }
    Py_INCREF(objects[d]);
    return objects[d];
}

static PyObject *can_cast(PyObject *module, PyObject *args, PyObject *keywords)
{
    (void)module;
    static char *names[] = { "from_", "to", NULL };
    PyObject *from, *to;
    mica_dtype f, t;
    if (!mica_py_parse(args, keywords, "OO:can_cast", names, &from, &to)) return NULL;
    if (mica_py_dtype(to, &t) < 0) {
        mica_py_name_error("can_cast", "to");
        return NULL;
    }
    if (dtype_or_array("can_cast", from == Py_None ? PyExc_TypeError : PyExc_ValueError, from, &f) <
        0)
        return NULL;
    return PyBool_FromLong(mica__promote(f, t) == t);
}

static PyMethodDef functions[] = {
    { "issubdtype", issubdtype, METH_VARARGS,
      "issubdtype(arg1, arg2) -> bool: whether a type or category belongs to another." },
    { "isdtype", (PyCFunction)(void (*)(void))isdtype, METH_VARARGS | METH_KEYWORDS,
      "isdtype(dtype, kind) -> bool, as in the array API standard." },
    { "result_type", result_type, METH_VARARGS,
      "result_type(*arrays_and_dtypes) -> Dtype: what they promote to." },
    { "can_cast", (PyCFunction)(void (*)(void))can_cast, METH_VARARGS | METH_KEYWORDS,
      "can_cast(from_, to) -> bool: whether promotion keeps `to`." },
    { NULL, NULL, 0, NULL },
};

/* Members of an enumeration print as DeviceType.cpu, without their value. */
void mica_py_plain_repr(PyObject *enums, PyObject *type)
{
    PyObject *base = type ? PyObject_GetAttrString(enums, "Enum") : NULL,
             *text = base ? PyObject_GetAttrString(base, "__str__") : NULL;
    if (text) PyObject_SetAttrString(type, "__repr__", text);
    Py_XDECREF(base);
    Py_XDECREF(text);
}

/* The docstring of an enumeration; without one it is Enum's own. */
void mica_py_set_doc(PyObject *type, const char *text)
{
    PyObject *doc = PyUnicode_FromString(text);
    if (doc) PyObject_SetAttrString(type, "__doc__", doc);
    Py_XDECREF(doc);
}

/* DtypeCategory is an enum.Enum, as a Python user expects of one. */
static int add_categories(PyObject *module)
{
    PyObject *enums = PyImport_ImportModule("enum"), *members = PyDict_New();
    for (int i = 0; members && i < CATEGORIES; i++) {
        PyObject *n = PyLong_FromLong(i);
        PyDict_SetItemString(members, categories[i].name, n);
        Py_XDECREF(n);
    }
    category_type =
        enums ? PyObject_CallMethod(enums, "Enum", "sO", "DtypeCategory", members) : NULL;
    mica_py_plain_repr(enums, category_type);
    Py_XDECREF(enums);
    Py_XDECREF(members);
    if (!category_type || PyModule_AddObjectRef(module, "DtypeCategory", category_type) < 0)
        return -1;
    PyObject *name = PyObject_GetAttrString(module, "__name__");
    if (name) PyObject_SetAttrString(category_type, "__module__", name);
    mica_py_set_doc(
        category_type,
        "A kind of element types, as issubdtype takes it: generic holds bool and number, "
        "number holds integer (signedinteger, unsignedinteger) and inexact (floating, "
        "complexfloating).");
    Py_XDECREF(name);
    for (int i = 0; i < CATEGORIES; i++) {
        category_objects[i] = PyObject_GetAttrString(category_type, categories[i].name);
        if (!category_objects[i] ||
            PyModule_AddObjectRef(module, categories[i].name, category_objects[i]) < 0)
            return -1;
    }
    return 0;
}

int mica_py_dtype_types(PyObject *module)
{
    dtype_type = mica_py_add_type(module, &dtype_spec);
    finfo_type = dtype_type ? mica_py_add_type(module, &finfo_spec) : NULL;
    iinfo_type = finfo_type ? mica_py_add_type(module, &iinfo_spec) : NULL;
    if (!iinfo_type) return -1;
    for (int d = 0; d < MICA_DTYPE_COUNT; d++) {
        dtype_object *o = PyObject_New(dtype_object, dtype_type);
        if (!o) return -1;
        o->dtype = (mica_dtype)d;
        objects[d] = (PyObject *)o;
        if (PyModule_AddObjectRef(module, d == MICA_BOOL ? "bool_" : mica_dtype_name((mica_dtype)d),
                                  objects[d]) < 0)
            return -1;
    }
    return add_categories(module) < 0 ? -1 : PyModule_AddFunctions(module, functions);
}
