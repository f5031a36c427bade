/* The random state of each thread: one key, which every draw without a key splits. The functions
 * are rows of the table. */
#include "array.h"

#include "record.h"

#include <time.h>

#include "backend/cpu/random.h"
#include "call.h"
#include "convert.h"

PyTypeObject *mica_py_random_state_type;

/* The key lives in the thread state's dictionary, so it goes with its thread. */
static const char *const SLOT = "mica.random.key";

static mica_array *seeded(mica_scope *s, uint64_t seed)
{
    uint32_t words[2] = { (uint32_t)(seed >> 32), (uint32_t)seed };
    int64_t two = 2;
    return mica_from_data(s, words, (mica_dims){ 1, &two }, MICA_UINT32);
}

static int set_key(mica_array *key)
{
    PyObject *dict = PyThreadState_GetDict(), *o = key ? mica_py_wrap(key) : NULL;
    if (!dict || !o) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_RuntimeError, "[random] this thread has no state");
        Py_XDECREF(o);
        return -1;
    }
    int status = PyDict_SetItemString(dict, SLOT, o);
    Py_DECREF(o);
    return status;
}

/* The thread's key, owned by the scope; made from the clock at the first use. */
static mica_array *get_key(mica_scope *s)
{
    PyObject *dict = PyThreadState_GetDict(), *o = dict ? PyDict_GetItemString(dict, SLOT) : NULL;
    mica_array *key = o ? mica_py_array(o) : NULL;
    if (key) return mica_scope_own(s, mica_retain(key));
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    key = seeded(s, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
    return key && set_key(key) == 0 ? key : NULL;
}

/* The split of a key that is at hand, computed at once: a program that draws and never evaluates
 * would else grow a chain of splits. */
static mica_array *split_now(mica_scope *s, const mica_array *key, mica_array **second)
{
    uint32_t words[2], a[2], b[2];
    int64_t two = 2;
    memcpy(words, key->data, sizeof words);
    mica__threefry_portable(words, 0, 2, 2, a, b);
    *second = mica_from_data(s, b, (mica_dims){ 1, &two }, MICA_UINT32);
    return mica_from_data(s, a, (mica_dims){ 1, &two }, MICA_UINT32);
}

/* next_key(state) -> (draw, new state), for functions that are traced for all sizes. */
static int record_draw(mica_array *state, mica_array *draw, mica_array *next)
{
    PyObject *args = Py_BuildValue("(N)", mica_py_wrap(state)), *result = NULL;
    if (args) result = Py_BuildValue("(NN)", mica_py_wrap(draw), mica_py_wrap(next));
    if (result) result = mica_py_record_call("next_key", NULL, args, NULL, result);
    int status = result ? 0 : -1;
    Py_XDECREF(args);
    Py_XDECREF(result);
    return status;
}

mica_array *mica_py_next_key(mica_scope *s)
{
    mica_array *key = get_key(s);
    if (key && mica__is_done(key) && !mica__is_traced(key) && mica__is_row_major(key)) {
        mica_array *draw, *state = split_now(s, key, &draw);
        return state && draw && set_key(state) == 0 ? draw : NULL;
    }
    mica_array *pair = key ? mica_random_split(s, key, 2) : NULL;
    mica_array *first = pair ? mica__row(s, pair, 0) : NULL,
               *second = first ? mica__row(s, pair, 1) : NULL;
    if (!second || set_key(first) < 0) return NULL;
    return !mica_py_recording || record_draw(key, second, first) == 0 ? second : NULL;
}

/* ---- mx.random.state: a list of one key, for compile's inputs and outputs ---- */

static Py_ssize_t state_length(PyObject *self)
{
    (void)self;
    return 1;
}
static PyObject *state_get(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    mica_scope s;
    mica__scope_begin(&s, NULL);
    return mica_py_finish(&s, get_key(&s));
}
static PyObject *state_item(PyObject *self, Py_ssize_t i)
{
    if (i == 0) return state_get(self, NULL);
    return PyErr_Format(PyExc_IndexError,
                        "[random.state] index %zd is out of range: the state holds one key", i);
}
static PyObject *state_set(PyObject *self, PyObject *o)
{
    (void)self;
    mica_array *key = mica_py_array(o);
    if (!key || key->dtype != MICA_UINT32 || key->size != 2)
        return PyErr_Format(PyExc_ValueError,
                            "[random.state] a key is a uint32 array of shape (2,)");
    if (set_key(key) < 0) return NULL;
    Py_RETURN_NONE;
}
static int state_assign(PyObject *self, Py_ssize_t i, PyObject *o)
{
    if (i != 0 || !o) {
        PyErr_SetString(PyExc_IndexError, "[random.state] only element 0 can be assigned");
        return -1;
    }
    PyObject *r = state_set(self, o);
    Py_XDECREF(r);
    return r ? 0 : -1;
}
static PyMethodDef state_methods[] = {
    { NULL, NULL, 0, NULL },
};
static PyType_Slot state_slots[] = {
    { Py_tp_doc, "The calling thread's random key, as a list of one." },
    { Py_sq_length, state_length },
    { Py_sq_item, state_item },
    { Py_sq_ass_item, state_assign },
    { Py_tp_iter, PySeqIter_New },
    { Py_tp_methods, state_methods },
    { 0, NULL },
};
static PyType_Spec state_spec = { "mica.core.random._RandomState", sizeof(PyObject), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                  state_slots };

/* A seed of 64 bits without sign; false with TypeError. */
static bool seed_of(const char *name, PyObject *o, uint64_t *out)
{
    PyObject *number = PyIndex_Check(o) ? PyNumber_Index(o) : NULL;
    *out = number ? PyLong_AsUnsignedLongLong(number) : 0;
    bool taken = number && !PyErr_Occurred();
    Py_XDECREF(number);
    if (taken) return true;
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, "[%s] a seed is an int from 0 to 2**64 - 1, not %R", name, o);
    return false;
}

static PyObject *seed(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { "seed", NULL };
    PyObject *o;
    uint64_t n;
    if (!mica_py_parse(args, keywords, "O:seed", names, &o) || !seed_of("seed", o, &n)) return NULL;
    mica_scope s;
    mica__scope_begin(&s, NULL);
    mica_array *key = seeded(&s, n);
    int failed = key ? set_key(key) : -1, status = mica__scope_end(&s);
    if (status) return mica_py_raise(status);
    if (failed) return NULL;
    Py_RETURN_NONE;
}

static PyObject *key(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { "seed", NULL };
    PyObject *o;
    uint64_t n;
    if (!mica_py_parse(args, keywords, "O:key", names, &o) || !seed_of("key", o, &n)) return NULL;
    mica_scope s;
    mica__scope_begin(&s, NULL);
    return mica_py_finish(&s, seeded(&s, n));
}

/* permutation(n) and permutation(array, axis=0), with key and stream. */
static PyObject *permutation(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { "x", "axis", "key", "stream", NULL };
    static uint16_t origin;
    PyObject *x, *at_axis = NULL, *given = Py_None, *stream = Py_None;
    int axis = 0;
    mica_stream *on;
    if (!mica_py_parse(args, keywords, "O|OOO:permutation", names, &x, &at_axis, &given, &stream) ||
        (at_axis && mica_py_axis("[permutation] argument 'axis'", at_axis, &axis) < 0))
        return NULL;
    if (mica_py_stream(stream, &on) < 0) {
        mica_py_name_error("permutation", "stream");
        return NULL;
    }
    mica_scope s;
    mica_py_begin(&s, on, "permutation", &origin);
    mica_array *a = mica_py_array(x), *k = NULL, *result = NULL;
    int64_t n = 0;
    if (given != Py_None && !(k = mica_py_array(given)))
        PyErr_SetString(PyExc_TypeError, "[permutation] argument 'key' must be an array or None");
    else if (!a && !PyLong_Check(x) && !PyIndex_Check(x))
        PyErr_Format(PyExc_TypeError,
                     "[permutation] argument 'x' is of type %s; accepted: int, array",
                     mica_py_type_name(x));
    else if (!a && mica_py_int("[permutation] argument 'x'", x, &n) == 0 && n < 0)
        PyErr_Format(PyExc_ValueError, "[permutation] n must not be negative, not %R", x);
    if (!PyErr_Occurred() && !k) k = mica_py_next_key(&s);
    if (k)
        result = a ? mica_random_permutation(&s, a, axis, k) : mica_random_permutation_of(&s, n, k);
    return mica_py_finish(&s, result);
}

#define KEYWORDS(f) ((PyCFunction)(void (*)(void))(f))

static PyMethodDef functions[] = {
    { "key", KEYWORDS(key), METH_VARARGS | METH_KEYWORDS,
      "key(seed)\n--\n\nA random key, uint32 of shape (2,), from an int of 64 bits." },
    { "permutation", KEYWORDS(permutation), METH_VARARGS | METH_KEYWORDS,
      "permutation(x, axis=0, key=None, stream=None)\n--\n\nA random order of 0 .. x - 1, or of an "
      "array's slices along an axis." },
    { "seed", KEYWORDS(seed), METH_VARARGS | METH_KEYWORDS,
      "seed(seed)\n--\n\nSet the calling thread's random key from an int of 64 bits." },
    { NULL, NULL, 0, NULL },
};

int mica_py_random_types(PyObject *module)
{
    PyObject *random = mica_py_submodule(module, "random");
    if (!random || !(mica_py_random_state_type = (PyTypeObject *)PyType_FromSpec(&state_spec)))
        return -1;
    if (PyModule_AddObjectRef(random, "_RandomState", (PyObject *)mica_py_random_state_type) < 0)
        return -1;
    PyObject *state = (PyObject *)PyObject_New(PyObject, mica_py_random_state_type);
    if (!state || PyModule_AddObjectRef(random, "state", state) < 0) return -1;
    Py_DECREF(state);
    return PyModule_AddFunctions(random, functions);
}
