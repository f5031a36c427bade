/* The buffer protocol: the memory itself, with its strides. */
#include "array.h"

#include "backend/cpu/kernel.h"
#include "watch.h"

typedef struct exported {
    mica_array *array;
    Py_ssize_t sizes[2 * MICA_MAX_NDIM];
} exported;

static const char *const formats[MICA_DTYPE_COUNT] = {
    [MICA_BOOL] = "?",
    [MICA_UINT8] = "B",
    [MICA_UINT16] = "H",
    [MICA_UINT32] = "I",
    [MICA_UINT64] = "Q",
    [MICA_INT8] = "b",
    [MICA_INT16] = "h",
    [MICA_INT32] = "i",
    [MICA_INT64] = "q",
    [MICA_FLOAT16] = "e",
    [MICA_FLOAT32] = "f",
    [MICA_FLOAT64] = "d",
    [MICA_BFLOAT16] = "bfloat16",
    [MICA_COMPLEX64] = "Zf",
};

mica_array *mica_py_shareable(PyObject *self, bool rows)
{
    mica_array *a = mica_py_array(self);
    mica_py_watch_leaves(a);
    if (mica_py_need(a) < 0) return NULL;
    bool plain = (!rows || mica__is_row_major(a)) && mica__is_aligned(a);
    if (plain && (!a->buffer || a->buffer->writable) && (a->size <= 1 || a->buffer)) return a;
    mica_scope s;
    mica__scope_begin(&s, NULL);
    mica_array *copy = mica__empty(&s, (mica_dtype)a->dtype, mica__dims_of(a));
    if (copy && a->size) mica__copy_to_row_major(a, copy->data);
    int fault = copy ? mica__check_values(a) : MICA_OK;
    if (fault != MICA_OK) mica__scope_failed(&s, fault);
    if (copy && fault == MICA_OK) mica_py_replace(self, copy);
    int status = mica__scope_end(&s);
    if (status == MICA_OK) return mica_py_array(self);
    mica_py_raise(status);
    return NULL;
}

static int get_buffer(PyObject *self, Py_buffer *view, int flags)
{
    bool strided = (flags & PyBUF_STRIDES) == PyBUF_STRIDES;
    view->obj = NULL;
    mica_array *a = mica_py_shareable(self, !strided);
    if (!a) return -1;
    exported *e = mica__alloc(sizeof *e);
    if (!e) {
        PyErr_NoMemory();
        return -1;
    }
    Py_ssize_t item = mica__dtype_sizes[a->dtype];
    for (int i = 0; i < a->ndim; i++) {
        e->sizes[i] = (Py_ssize_t)a->shape[i];
        e->sizes[MICA_MAX_NDIM + i] = (Py_ssize_t)(a->strides[i] * item);
    }
    e->array = mica_retain(a);
    view->buf = a->data;
    view->itemsize = item;
    view->len = (Py_ssize_t)a->size * item;
    view->readonly = 0;
    view->ndim = a->ndim;
    view->format = (flags & PyBUF_FORMAT) ? (char *)(uintptr_t)formats[a->dtype] : NULL;
    view->shape = (flags & PyBUF_ND) ? e->sizes : NULL;
    view->strides = strided ? e->sizes + MICA_MAX_NDIM : NULL;
    view->suboffsets = NULL;
    view->internal = e;
    Py_INCREF(self);
    view->obj = self;
    return 0;
}

static void release_buffer(PyObject *self, Py_buffer *view)
{
    (void)self;
    exported *e = view->internal;
    mica_release(e->array);
    mica__free(e);
}

PyType_Slot mica_py_buffer_slots[] = {
    { Py_bf_getbuffer, get_buffer },
    { Py_bf_releasebuffer, release_buffer },
    { 0, NULL },
};
