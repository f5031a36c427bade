/* mica.core.array: the object. Its attributes and methods stand in array_members.c, operators in
 * operators.c, values in value.c, indexing in index.c. */
#include "array.h"

#include "convert.h"
#include "core/watch.h"
#include "core/origin.h"

#include <structmember.h>

#include "record.h"
#include "base/system.h"
#include "base/thread.h"
#include "runtime/runtime.h"
#include "watch.h"

PyTypeObject *mica_py_array_type;

/* ---- allocation: objects come from a list of freed ones; the GIL guards it ---- */

enum { KEEP = 1024 };
static void *free_objects;
static int free_count;

static PyObject *new_object(void)
{
    mica_py_object *o = free_objects;
    if (o) {
        free_objects = *(void **)free_objects;
        free_count--;
    } else if (!(o = PyObject_Malloc(sizeof *o))) {
        return PyErr_NoMemory();
    }
    PyObject_Init((PyObject *)o, mica_py_array_type);
    o->value = NULL;
    o->weakrefs = NULL;
    return (PyObject *)o;
}

static void dealloc(PyObject *self)
{
    mica_py_object *o = (mica_py_object *)self;
    if (o->weakrefs) PyObject_ClearWeakRefs(self);
    mica_array *value = o->value;
    o->value = NULL;
    if (free_count < KEEP) {
        *(void **)o = free_objects;
        free_objects = o;
        free_count++;
    } else {
        PyObject_Free(o);
    }
    Py_DECREF(mica_py_array_type);
    mica_release(value);
}

mica_array *mica_py_array(PyObject *o)
{
    return Py_TYPE(o) == mica_py_array_type ? ((mica_py_object *)o)->value : NULL;
}

PyObject *mica_py_wrap(mica_array *a)
{
    PyObject *o = new_object();
    if (mica__node_of(a)->flags & MICA_NODE_ABSTRACT) mica_py_note_place(a);
    if (o) ((mica_py_object *)o)->value = mica_retain(a);
    if (o && mica__watching()) mica_py_watch_wrapped(o, a);
    return o;
}

void mica_py_replace(PyObject *self, mica_array *value)
{
    mica_py_object *o = (mica_py_object *)self;
    mica_array *old = o->value;
    o->value = mica_retain(value);
    mica_release(old);
}

void mica_py_begin(mica_scope *s, mica_stream *on, const char *name, uint16_t *origin)
{
    mica__scope_begin(s, on);
    if (!*origin) *origin = mica__origin_of(name);
    s->origin = *origin;
}

PyObject *mica_py_finish(mica_scope *s, mica_array *result)
{
    PyObject *o = NULL;
    if (PyErr_Occurred()) {
        mica__scope_end(s);
        return NULL;
    }
    result = mica__operand(s, result);
    if (result && s->status == MICA_OK) o = mica_py_wrap(result);
    int status = mica__scope_end(s);
    return status == MICA_OK ? o : mica_py_raise(status);
}

PyObject *mica_py_array_row(mica_array *a, int64_t index)
{
    if (!mica__has_rows(a) || mica__watching()) {
        mica_scope s;
        static uint16_t origin;
        mica_py_begin(&s, NULL, "__getitem__", &origin);
        return mica_py_finish(&s, mica__row(&s, a, index));
    }
    mica_array *row = mica__finished_row(a, index);
    if (!row) return mica_py_raise(mica__last_status());
    PyObject *o = new_object();
    if (o) ((mica_py_object *)o)->value = row;
    else mica_release(row);
    return o;
}

/* ---- evaluation ---- */

/* Between steps: lets Python's signal handlers run (Ctrl-C), at most every 20 ms. They run on the
 * first thread alone; others may still evaluate when the interpreter is gone. */
static int interrupt_hook(void)
{
    static _Thread_local int64_t last_asked;
    int64_t now = mica__now();
    if (now - last_asked < 20000000) return 0;
    last_asked = now;
    if (!mica__is_first_thread()) return 0;
    PyGILState_STATE gil = PyGILState_Ensure();
    int raised = PyErr_CheckSignals();
    PyGILState_Release(gil);
    return raised;
}

/* What leaked out of a function that is traced no more: the state is wrong then, not the call. */
static bool leaked(mica_array *const arrays[], size_t n)
{
    if (mica_py_transforming()) return false;
    for (size_t i = 0; i < n; i++)
        if (mica__node_of(arrays[i])->flags & MICA_NODE_ABSTRACT) return true;
    return false;
}

int mica_py_eval(mica_array *const arrays[], size_t n, bool wait)
{
    int status;
    mica_py_watch_reason(NULL);
    Py_BEGIN_ALLOW_THREADS status = mica__eval(arrays, n, 0, wait);
    Py_END_ALLOW_THREADS if (status == MICA_OK) return 0;
    if (status == MICA_EVALUE && leaked(arrays, n)) status = MICA_ERUNTIME;
    if (!PyErr_Occurred()) mica_py_raise(status);
    return -1;
}

int mica_py_need(mica_array *a)
{
    return mica__is_done(a) ? 0 : mica_py_eval(&a, 1, true);
}

/* ---- construction, length, hashing, printing ---- */

static PyObject *array_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void)type;
    static char *names[] = { "val", "dtype", NULL };
    PyObject *val, *dtype = NULL;
    if (PyTuple_Size(args) == 0 && !keywords) { /* pickles of the reference begin so */
        mica_scope s;
        mica__scope_begin(&s, NULL);
        return mica_py_finish(&s, mica_number(&s, 0));
    }
    if (!mica_py_parse(args, keywords, "O|O:array", names, &val, &dtype)) return NULL;
    mica_dtype d = MICA_DEFAULT_DTYPE;
    if (dtype && dtype != Py_None && mica_py_dtype(dtype, &d) < 0) {
        mica_py_name_error("array", "dtype");
        return NULL;
    }
    static uint16_t origin;
    mica_scope s;
    mica_py_begin(&s, NULL, "array", &origin);
    mica_array *a = mica_py_from_object(&s, val, d);
    if (!a && PyErr_Occurred()) mica_py_name_error("array", NULL);
    return mica_py_finish(&s, a);
}

static int array_init(PyObject *self, PyObject *args, PyObject *keywords)
{
    (void)self;
    if (PyTuple_Size(args) || keywords) return 0;
    PyErr_SetString(PyExc_TypeError, "array() missing required argument 'val' (pos 1)");
    return -1;
}

static Py_ssize_t length(PyObject *self)
{
    mica_py_observe(self);
    mica_array *a = SELF(self);
    if (a->ndim) return (Py_ssize_t)a->shape[0];
    PyErr_SetString(PyExc_TypeError, "len() of 0-dimensional array");
    return -1;
}

static PyObject *repr(PyObject *self)
{
    return mica_py_repr(SELF(self));
}
static Py_hash_t hash(PyObject *self)
{
    return (Py_hash_t)((uintptr_t)self >> 4);
}

static PyMemberDef members[] = {
    { "__weaklistoffset__", T_PYSSIZET, offsetof(mica_py_object, weakrefs), READONLY, NULL },
    { NULL, 0, 0, 0, NULL },
};

/* ---- iteration: rows, without evaluating ---- */

typedef struct iterator {
    PyObject_HEAD PyObject *array;
    int64_t next;
} iterator;
static PyTypeObject *iterator_type;

static PyObject *iterate(PyObject *self)
{
    mica_py_observe(self);
    if (!SELF(self)->ndim) {
        PyErr_SetString(PyExc_TypeError, "iterating a 0-d array: it has no axis to iterate over");
        return NULL;
    }
    iterator *it = PyObject_New(iterator, iterator_type);
    if (!it) return NULL;
    Py_INCREF(self);
    it->array = self;
    it->next = 0;
    return (PyObject *)it;
}

static PyObject *iterator_next(PyObject *self)
{
    iterator *it = (iterator *)self;
    mica_array *a = SELF(it->array);
    if (!a->ndim || it->next >= a->shape[0]) return NULL;
    int64_t i = it->next++;
    PyObject *row = mica_py_array_row(a, i);
    PyObject *index = mica_py_recording ? PyLong_FromLongLong(i) : NULL;
    if (index) row = mica_py_recorded("getitem", row, it->array, index);
    Py_XDECREF(index);
    return row;
}

static void iterator_dealloc(PyObject *self)
{
    Py_DECREF(((iterator *)self)->array);
    PyObject_Free(self);
    Py_DECREF(iterator_type);
}

static PyObject *iterator_self(PyObject *self)
{
    Py_INCREF(self);
    return self;
}

extern PyType_Slot mica_py_operator_slots[];

static PyType_Slot iterator_slots[] = {
    { Py_tp_doc, "Hands out an array's parts along its first axis, as views; made by iter(x)." },
    { Py_tp_iter, iterator_self },
    { Py_tp_iternext, iterator_next },
    { Py_tp_dealloc, iterator_dealloc },
    { 0, NULL },
};
static PyType_Spec iterator_spec = { "mica.core.ArrayIterator", sizeof(iterator), 0,
                                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                     iterator_slots };

static PyType_Slot own_slots[] = {
    { Py_tp_doc, "array(val, dtype=None)\n--\n\nA lazy n-dimensional array. Operations build a "
                 "graph; values are computed when they are needed." },
    { Py_tp_new, array_new },
    { Py_tp_init, array_init },
    { Py_tp_dealloc, dealloc },
    { Py_tp_repr, repr },
    { Py_tp_hash, hash },
    { Py_tp_iter, iterate },
    { Py_tp_getset, mica_py_getters },
    { Py_tp_members, members },
    { Py_mp_length, length },
    { Py_mp_subscript, mica_py_getitem },
    { Py_mp_ass_subscript, mica_py_setitem },
    { 0, NULL },
};

PyTypeObject *mica_py_add_type(PyObject *module, PyType_Spec *spec)
{
    PyObject *type = PyType_FromSpec(spec);
    if (!type) return NULL;
    if (PyModule_AddObjectRef(module, strrchr(spec->name, '.') + 1, type) < 0) {
        Py_DECREF(type);
        return NULL;
    }
    return (PyTypeObject *)type; /* the process keeps this reference */
}

static size_t append(PyType_Slot *to, size_t n, const PyType_Slot *from)
{
    while (from->slot) to[n++] = *from++;
    return n;
}

int mica_py_array_types(PyObject *module)
{
    static PyMethodDef all_methods[128];
    size_t m = 0;
    for (const PyMethodDef *d = mica_py_methods; d->ml_name; d++) all_methods[m++] = *d;
    for (const PyMethodDef *d = mica_py_value_methods; d->ml_name; d++) all_methods[m++] = *d;
    static PyType_Slot slots[96];
    size_t n = append(slots, 0, own_slots);
    n = append(slots, n, mica_py_operator_slots);
    n = append(slots, n, mica_py_buffer_slots);
    slots[n++] = (PyType_Slot){ Py_tp_methods, all_methods };
    static PyType_Spec spec = { "mica.core.array", sizeof(mica_py_object), 0, Py_TPFLAGS_DEFAULT,
                                slots };
    mica_py_array_type = mica_py_add_type(module, &spec);
    mica__interrupt_hook = interrupt_hook;
    iterator_type = mica_py_array_type ? mica_py_add_type(module, &iterator_spec) : NULL;
    return iterator_type ? 0 : -1;
}
