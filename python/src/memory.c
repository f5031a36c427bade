/* Memory functions of mica.core. */
#include "array.h"

#include <stdlib.h>

#include "mica/memory.h"
#include "runtime/liveness.h"

#define READ(name, function)                                                                       \
    static PyObject *name(PyObject *m, PyObject *unused)                                           \
    {                                                                                              \
        (void)m, (void)unused;                                                                     \
        return PyLong_FromSize_t(function());                                                      \
    }
READ(get_active_memory, mica_memory_active)
READ(get_peak_memory, mica_memory_peak)
READ(get_cache_memory, mica_memory_cached)
READ(get_memory_limit, mica_memory_limit)

static PyObject *reset_peak_memory(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    mica_memory_reset_peak();
    Py_RETURN_NONE;
}
static PyObject *clear_cache(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    mica_memory_clear_cache();
    Py_RETURN_NONE;
}

static PyObject *set_limit(PyObject *args, PyObject *keywords, const char *format,
                           size_t (*set)(size_t))
{
    static char *names[] = { "limit", NULL };
    PyObject *o;
    if (!mica_py_parse(args, keywords, format, names, &o)) return NULL;
    size_t bytes = PyLong_Check(o) ? PyLong_AsSize_t(o) : (size_t)-1;
    if (!PyLong_Check(o) || PyErr_Occurred()) {
        PyErr_Clear();
        return PyErr_Format(PyExc_TypeError, "[%s] limit must be a number of bytes, not %R",
                            strchr(format, ':') + 1, o);
    }
    return PyLong_FromSize_t(set(bytes));
}
static PyObject *set_memory_limit(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    return set_limit(args, keywords, "O:set_memory_limit", mica_memory_set_limit);
}
static PyObject *set_cache_limit(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    return set_limit(args, keywords, "O:set_cache_limit", mica_memory_set_cache_limit);
}
static size_t no_wired_memory(size_t bytes)
{
    (void)bytes;
    return 0;
}
static PyObject *set_wired_limit(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    return set_limit(args, keywords, "O:set_wired_limit", no_wired_memory);
}

/* What get_array_buffer_size has met: buffers, which count once and whole, and the ranges of arrays
 * that are parts of a file, which count byte by byte. */
typedef struct range {
    uintptr_t begin, end;
} range;
typedef struct buffers {
    mica__map seen;
    range *ranges;
    size_t n, capacity;
    size_t bytes;
} buffers;

/* From the first to the last byte that the array reads. */
static range range_of(const mica_array *a)
{
    ptrdiff_t item = mica__dtype_sizes[a->dtype];
    range r = { (uintptr_t)a->data, (uintptr_t)a->data };
    if (!a->size) return r;
    for (int i = 0; i < a->ndim; i++) {
        ptrdiff_t last = (ptrdiff_t)((a->shape[i] - 1) * a->strides[i]) * item;
        *(last < 0 ? &r.begin : &r.end) += (uintptr_t)last;
    }
    r.end += (uintptr_t)item;
    return r;
}

static int add_range(buffers *b, range r)
{
    if (b->n == b->capacity) {
        size_t capacity = b->capacity + b->capacity / 2 + 8, bytes;
        range *more = mica__mul_overflow(capacity, sizeof *more, &bytes)
                          ? NULL
                          : mica__realloc(b->ranges, bytes);
        if (!more) return MICA_EMEMORY;
        b->ranges = more;
        b->capacity = capacity;
    }
    b->ranges[b->n++] = r;
    return MICA_OK;
}

static int add_array(buffers *b, mica_array *a)
{
    void *known;
    if (!mica__is_done(a) || !a->buffer) return MICA_OK;
    if (a->buffer->parted) return add_range(b, range_of(a));
    if (mica__map_get(&b->seen, a->buffer, &known)) return MICA_OK;
    b->bytes += a->buffer->bytes;
    return mica__map_set(&b->seen, a->buffer, a);
}

static int by_begin(const void *a, const void *b)
{
    const range *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

static size_t bytes_in_ranges(buffers *b)
{
    size_t bytes = 0;
    uintptr_t end = 0;
    if (b->n) qsort(b->ranges, b->n, sizeof *b->ranges, by_begin);
    for (size_t i = 0; i < b->n; i++) {
        uintptr_t begin = b->ranges[i].begin > end ? b->ranges[i].begin : end;
        if (b->ranges[i].end <= begin) continue;
        bytes += b->ranges[i].end - begin;
        end = b->ranges[i].end;
    }
    return bytes;
}

/* Bytes of the memory behind the arrays of trees. */
static int add_buffers(PyObject *o, buffers *b)
{
    mica_array *a = mica_py_array(o);
    if (a) return add_array(b, a) == MICA_OK ? 0 : (mica_py_raise(MICA_EMEMORY), -1);
    bool list = PyList_Check(o), tuple = PyTuple_Check(o);
    int status = 0;
    if ((list || tuple || PyDict_Check(o)) && Py_EnterRecursiveCall(" while walking a tree"))
        return -1;
    if (list || tuple) {
        for (Py_ssize_t i = 0; !status && i < (list ? PyList_Size(o) : PyTuple_Size(o)); i++)
            status = add_buffers(list ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i), b);
    } else if (PyDict_Check(o)) {
        PyObject *key, *value;
        Py_ssize_t at = 0;
        while (!status && PyDict_Next(o, &at, &key, &value)) status = add_buffers(value, b);
    } else {
        return 0;
    }
    Py_LeaveRecursiveCall();
    return status;
}
static PyObject *get_array_buffer_size(PyObject *m, PyObject *args)
{
    (void)m;
    buffers b = { 0 };
    int status = add_buffers(args, &b);
    size_t bytes = status ? 0 : b.bytes + bytes_in_ranges(&b);
    mica__map_free(&b.seen);
    mica__free(b.ranges);
    return status ? NULL : PyLong_FromSize_t(bytes);
}

static PyObject *watch_memory(PyObject *m, PyObject *on)
{
    (void)m;
    int truth = PyObject_IsTrue(on);
    if (truth < 0) return NULL;
    mica__memory_watch(truth);
    Py_RETURN_NONE;
}
static PyObject *memory_record(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    mica__memory_record r = mica__memory_recorded();
    return Py_BuildValue("{s:n,s:n,s:s}", "required", (Py_ssize_t)r.required, "evaluations",
                         (Py_ssize_t)r.plans, "largest", r.largest);
}

#define KEYWORDS(f) ((PyCFunction)(void (*)(void))(f))
static PyMethodDef functions[] = {
    { "get_active_memory", get_active_memory, METH_NOARGS,
      "get_active_memory() -> int: bytes in use by arrays." },
    { "get_peak_memory", get_peak_memory, METH_NOARGS,
      "get_peak_memory() -> int: the most bytes in use since the last reset." },
    { "get_cache_memory", get_cache_memory, METH_NOARGS,
      "get_cache_memory() -> int: freed bytes that are kept for reuse." },
    { "get_memory_limit", get_memory_limit, METH_NOARGS, "get_memory_limit() -> int: bytes." },
    { "reset_peak_memory", reset_peak_memory, METH_NOARGS,
      "reset_peak_memory(): the peak becomes 0." },
    { "clear_cache", clear_cache, METH_NOARGS,
      "clear_cache(): gives cached memory back to the system." },
    { "set_memory_limit", KEYWORDS(set_memory_limit), METH_VARARGS | METH_KEYWORDS,
      "set_memory_limit(limit) -> int: sets bytes, returns the previous limit." },
    { "set_cache_limit", KEYWORDS(set_cache_limit), METH_VARARGS | METH_KEYWORDS,
      "set_cache_limit(limit) -> int: sets bytes, returns the previous limit." },
    { "set_wired_limit", KEYWORDS(set_wired_limit), METH_VARARGS | METH_KEYWORDS,
      "set_wired_limit(limit) -> int: nothing is wired on the CPU; returns 0." },
    { "get_array_buffer_size", get_array_buffer_size, METH_VARARGS,
      "get_array_buffer_size(*trees) -> int: bytes behind the arrays, each buffer once." },
    { "_watch_memory", watch_memory, METH_O, "Starts or stops the record of mica.liveness." },
    { "_memory_record", memory_record, METH_NOARGS, "The record of mica.liveness." },
    { NULL, NULL, 0, NULL },
};

int mica_py_memory_functions(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
