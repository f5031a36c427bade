/* DLPack, both ways: capsules over an array's memory, and arrays of the values of foreign capsules.
   Layouts and the protocol: https://dmlc.github.io/dlpack/latest/c_api.html, version 1.1. */
#include "array.h"

#include "backend/cpu/kernel.h"

typedef struct dl_tensor {
    void *data;
    int32_t device_type, device_id;
    int32_t ndim;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides; /* strides in elements; NULL: row-major */
    uint64_t byte_offset;
} dl_tensor;

typedef struct dl_managed {
    dl_tensor tensor;
    void *context;
    void (*deleter)(struct dl_managed *);
} dl_managed;

typedef struct dl_versioned {
    uint32_t major, minor;
    void *context;
    void (*deleter)(struct dl_versioned *);
    uint64_t flags;
    dl_tensor tensor;
} dl_versioned;

enum { DL_CPU = 1, DL_COPIED = 2 };
enum { DL_INT, DL_UINT, DL_FLOAT, DL_BFLOAT = 4, DL_COMPLEX, DL_BOOL };

static const uint8_t codes[MICA_DTYPE_COUNT] = {
    [MICA_BOOL] = DL_BOOL,       [MICA_UINT8] = DL_UINT,        [MICA_UINT16] = DL_UINT,
    [MICA_UINT32] = DL_UINT,     [MICA_UINT64] = DL_UINT,       [MICA_INT8] = DL_INT,
    [MICA_INT16] = DL_INT,       [MICA_INT32] = DL_INT,         [MICA_INT64] = DL_INT,
    [MICA_FLOAT16] = DL_FLOAT,   [MICA_FLOAT32] = DL_FLOAT,     [MICA_FLOAT64] = DL_FLOAT,
    [MICA_BFLOAT16] = DL_BFLOAT, [MICA_COMPLEX64] = DL_COMPLEX,
};

/* ---- out ---- */

/* What a capsule keeps alive. */
typedef struct exported {
    union {
        dl_managed plain;
        dl_versioned versioned;
    } managed;
    mica_array *array;
    int64_t sizes[2 * MICA_MAX_NDIM];
} exported;

/* Whoever consumed a capsule calls these, on any thread. */
static void delete_plain(dl_managed *m)
{
    exported *e = m->context;
    mica_release(e->array);
    mica__free(e);
}
static void delete_versioned(dl_versioned *m)
{
    exported *e = m->context;
    mica_release(e->array);
    mica__free(e);
}

/* A capsule that nobody consumed frees its tensor. */
static void drop_plain(PyObject *capsule)
{
    dl_managed *m =
        PyCapsule_IsValid(capsule, "dltensor") ? PyCapsule_GetPointer(capsule, "dltensor") : NULL;
    if (m && m->deleter) m->deleter(m);
}
static void drop_versioned(PyObject *capsule)
{
    const char *name = "dltensor_versioned";
    dl_versioned *m = PyCapsule_IsValid(capsule, name) ? PyCapsule_GetPointer(capsule, name) : NULL;
    if (m && m->deleter) m->deleter(m);
}

static dl_tensor tensor_of(exported *e)
{
    const mica_array *a = e->array;
    for (int i = 0; i < a->ndim; i++) {
        e->sizes[i] = a->shape[i];
        e->sizes[MICA_MAX_NDIM + i] = a->strides[i];
    }
    return (dl_tensor){ .data = a->data,
                        .device_type = DL_CPU,
                        .ndim = a->ndim,
                        .code = codes[a->dtype],
                        .bits = (uint8_t)(8 * mica__dtype_sizes[a->dtype]),
                        .lanes = 1,
                        .shape = e->sizes,
                        .strides = e->sizes + MICA_MAX_NDIM };
}

static PyObject *capsule_of(mica_array *a, bool versioned, bool copied)
{
    exported *e = mica__alloc_zero(1, sizeof *e);
    if (!e) return PyErr_NoMemory();
    e->array = a;
    if (versioned) {
        e->managed.versioned = (dl_versioned){ .major = 1,
                                               .minor = 1,
                                               .context = e,
                                               .deleter = delete_versioned,
                                               .flags = copied ? DL_COPIED : 0,
                                               .tensor = tensor_of(e) };
    } else {
        e->managed.plain =
            (dl_managed){ .tensor = tensor_of(e), .context = e, .deleter = delete_plain };
    }
    PyObject *capsule = PyCapsule_New(&e->managed, versioned ? "dltensor_versioned" : "dltensor",
                                      versioned ? drop_versioned : drop_plain);
    if (capsule) mica_retain(a);
    else mica__free(e);
    return capsule;
}

/* (type, id) of a device that is asked for: the CPU or nothing. */
static bool is_cpu(PyObject *device)
{
    int type, id;
    if (device == Py_None) return true;
    if (!PyTuple_Check(device) || !PyArg_ParseTuple(device, "ii:dl_device", &type, &id)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError,
                            "[__dlpack__] dl_device is a pair of ints, (1, 0) for the CPU");
        return false;
    }
    if (type == DL_CPU && id == 0) return true;
    PyErr_Format(PyExc_BufferError,
                 "[__dlpack__] the array is on the CPU, (1, 0), not on device (%d, %d)", type, id);
    return false;
}

PyObject *mica_py_dlpack(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "stream", "max_version", "dl_device", "copy", NULL };
    PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
    if (!mica_py_parse(args, keywords, "|O$OOO:__dlpack__", names, &stream, &version, &device,
                       &copy))
        return NULL;
    if (stream != Py_None)
        return PyErr_Format(PyExc_ValueError,
                            "[__dlpack__] a CPU array has no stream; pass stream=None");
    if (!is_cpu(device)) return NULL;
    int copies = copy == Py_None ? 0 : PyObject_IsTrue(copy), major = 0, minor = 0;
    if (copies < 0) return NULL;
    if (version != Py_None &&
        (!PyTuple_Check(version) || !PyArg_ParseTuple(version, "ii:max_version", &major, &minor))) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "[__dlpack__] max_version is a pair of ints");
        return NULL;
    }
    mica_array *a = copies ? NULL : mica_py_shareable(self, false);
    if (!copies) return a ? capsule_of(a, major >= 1, false) : NULL;
    mica_scope s;
    mica__scope_begin(&s, NULL);
    a = mica_py_need(mica_py_array(self)) < 0
            ? NULL
            : mica__empty(&s, (mica_dtype)mica_py_array(self)->dtype,
                          mica__dims_of(mica_py_array(self)));
    if (a && a->size) mica__copy_to_row_major(mica_py_array(self), a->data);
    PyObject *capsule = a ? capsule_of(a, major >= 1, true) : NULL;
    int status = mica__scope_end(&s);
    if (status == MICA_OK || PyErr_Occurred()) return capsule;
    Py_XDECREF(capsule);
    return mica_py_raise(status);
}

/* ---- in ---- */

static int dtype_of(const dl_tensor *t)
{
    for (int d = 0; d < MICA_DTYPE_COUNT && t->lanes == 1; d++)
        if (codes[d] == t->code && 8 * mica__dtype_sizes[d] == t->bits) return d;
    return -1;
}

/* A copy of the tensor's values. float64 and complex128 become float32 and complex64 in mx.array
 * only; here float64 stays. */
static mica_array *copy_of(mica_scope *s, const dl_tensor *t)
{
    int d = dtype_of(t);
    int64_t rows[MICA_MAX_NDIM], own[MICA_MAX_NDIM], size;
    if (t->device_type != DL_CPU)
        return mica__error(s, MICA_EVALUE,
                           "[from_dlpack] the tensor is on device type %d; only tensors of the CPU "
                           "(1) can be read",
                           (int)t->device_type);
    if (d < 0)
        return mica__error(
            s, MICA_EVALUE,
            "[from_dlpack] elements of type code %d with %d bits and %d lanes have no counterpart",
            (int)t->code, (int)t->bits, (int)t->lanes);
    if (t->ndim < 0 || t->ndim > MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE,
                           "[from_dlpack] a tensor of %d axes; 0 to %d are accepted", (int)t->ndim,
                           MICA_MAX_NDIM);
    mica_dims shape = { t->ndim, t->shape };
    if ((t->ndim && !t->shape) || !mica__shape_size(shape, &size))
        return mica__error(s, MICA_EVALUE, "[from_dlpack] the tensor has no valid shape");
    if (size && !t->data)
        return mica__error(s, MICA_EVALUE, "[from_dlpack] the tensor has no memory");
    mica_array *a = mica__empty(s, (mica_dtype)d, shape);
    if (!a || !size) return a;
    mica__row_major(t->ndim, t->shape, own);
    mica__row_major(t->ndim, t->shape, rows);
    mica__copy_strided(t->ndim, t->shape, mica__dtype_sizes[d],
                       (const char *)t->data + t->byte_offset, t->strides ? t->strides : rows,
                       a->data, own);
    return a;
}

/* The values of a capsule, which is used up. */
static mica_array *consume(mica_scope *s, PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, "dltensor_versioned")) {
        dl_versioned *m = PyCapsule_GetPointer(capsule, "dltensor_versioned");
        if (m->major > 1)
            return mica__error(s, MICA_EVALUE, "[from_dlpack] DLPack %u is not known; 1 is",
                               m->major);
        mica_array *a = copy_of(s, &m->tensor);
        PyCapsule_SetName(capsule, "used_dltensor_versioned");
        if (m->deleter) m->deleter(m);
        return a;
    }
    if (PyCapsule_IsValid(capsule, "dltensor")) {
        dl_managed *m = PyCapsule_GetPointer(capsule, "dltensor");
        mica_array *a = copy_of(s, &m->tensor);
        PyCapsule_SetName(capsule, "used_dltensor");
        if (m->deleter) m->deleter(m);
        return a;
    }
    PyErr_SetString(
        PyExc_ValueError,
        "[from_dlpack] __dlpack__ gave no capsule that can be read; it may have been used already");
    return NULL;
}

mica_array *mica_py_from_dlpack(mica_scope *s, PyObject *o)
{
    PyObject *method = PyObject_GetAttrString(o, "__dlpack__"), *none = PyTuple_New(0);
    PyObject *keywords = Py_BuildValue("{s:(ii)}", "max_version", 1, 1), *capsule = NULL;
    if (method && none && keywords) capsule = PyObject_Call(method, none, keywords);
    if (method && !capsule && PyErr_ExceptionMatches(PyExc_TypeError)) { /* from before version 1 */
        PyErr_Clear();
        capsule = PyObject_CallNoArgs(method);
    }
    Py_XDECREF(method);
    Py_XDECREF(none);
    Py_XDECREF(keywords);
    mica_array *a = capsule ? consume(s, capsule) : NULL;
    Py_XDECREF(capsule);
    return a;
}
