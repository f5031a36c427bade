/* Devices, streams and the contexts that select them. */
#include "array.h"

#include "convert.h"
#include "core/current.h"
#include "device.h"
#include "local_key.h"
#include "runtime/runtime.h"

typedef struct device_object {
    PyObject_HEAD int type; /* 0 cpu, 1 gpu */
    int index;
} device_object;

typedef struct stream_object {
    PyObject_HEAD mica_stream *stream; /* NULL in a ThreadLocalStream: resolved by each thread */
    int index;
    int key; /* of a ThreadLocalStream: what threads know their streams for it by */
} stream_object;

typedef struct context_object {
    PyObject_HEAD mica_stream *stream, *previous;
} context_object;

static PyTypeObject *device_type, *stream_type, *local_type, *context_type;
static PyObject *kinds[2]; /* DeviceType.cpu, DeviceType.gpu */

static PyObject *make_device(int type, int index)
{
    device_object *d = PyObject_New(device_object, device_type);
    if (!d) return NULL;
    d->type = type;
    d->index = index;
    return (PyObject *)d;
}

static PyObject *make_stream(mica_stream *s)
{
    stream_object *o = PyObject_New(stream_object, stream_type);
    if (!o) return NULL;
    o->stream = mica_stream_retain(s);
    o->index = mica_stream_index(s);
    o->key = -1;
    return (PyObject *)o;
}

static int kind_of(PyObject *o)
{
    return o == kinds[0] ? 0 : o == kinds[1] ? 1 : -1;
}

int mica_py_device_of(PyObject *o, int *index)
{
    *index = 0;
    int kind = kind_of(o);
    if (kind >= 0) return kind;
    if (Py_TYPE(o) == device_type) {
        *index = ((device_object *)o)->index;
        return ((device_object *)o)->type;
    }
    PyObject *name = PyType_GetName(Py_TYPE(o));
    if (name)
        PyErr_Format(PyExc_TypeError, "a device is needed: mx.cpu, mx.gpu or a Device, not %U",
                     name);
    Py_XDECREF(name);
    return -1;
}

/* The calling thread's stream for a ThreadLocalStream. */
static int local_stream(const stream_object *o, mica_stream **out)
{
    int status = mica__thread_stream((uint64_t)o->key, (uint64_t)o->index, out);
    return status == MICA_OK ? 0 : (mica_py_raise(status), -1);
}

int mica_py_device_for(const char *name, PyObject *o, int *index)
{
    int type = mica_py_device_of(o, index);
    if (type < 0) mica_py_name_error(name, NULL);
    return type;
}

int mica_py_stream(PyObject *o, mica_stream **out)
{
    *out = NULL;
    if (o == Py_None) return 0;
    if (Py_TYPE(o) == stream_type) {
        *out = ((stream_object *)o)->stream;
        return 0;
    }
    if (Py_TYPE(o) == local_type) return local_stream((stream_object *)o, out);
    int index, type = mica_py_device_of(o, &index);
    if (type < 0) {
        PyErr_Clear();
        PyObject *name = PyType_GetName(Py_TYPE(o));
        if (name) PyErr_Format(PyExc_TypeError, "a stream or device is needed, not %U", name);
        Py_XDECREF(name);
        return -1;
    }
    return mica_py_need_cpu("stream", type, index);
}

/* ---- Device ---- */

static PyObject *device_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void)type;
    static char *names[] = { "type", "index", NULL };
    PyObject *kind, *place = NULL;
    int index = 0;
    if (!mica_py_parse(args, keywords, "O|O:Device", names, &kind, &place) ||
        (place && mica_py_axis("[Device] argument 'index'", place, &index) < 0))
        return NULL;
    if (kind_of(kind) < 0)
        return PyErr_Format(PyExc_TypeError, "[Device] type must be mx.cpu or mx.gpu");
    return make_device(kind_of(kind), index);
}
static void plain_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}
static void stream_dealloc(PyObject *self)
{
    mica_stream_release(((stream_object *)self)->stream);
    mica_py_give_key(((stream_object *)self)->key);
    plain_dealloc(self);
}
static PyObject *device_repr(PyObject *self)
{
    device_object *d = (device_object *)self;
    return PyUnicode_FromFormat("Device(%s, %d)", d->type ? "gpu" : "cpu", d->index);
}
static PyObject *device_compare(PyObject *a, PyObject *b, int operation)
{
    if (operation != Py_EQ && operation != Py_NE) Py_RETURN_NOTIMPLEMENTED;
    int index, other = -2;
    if (kind_of(b) >= 0 || Py_TYPE(b) == device_type) other = mica_py_device_of(b, &index);
    device_object *d = (device_object *)a;
    return PyBool_FromLong((other == d->type && index == d->index) == (operation == Py_EQ));
}
static Py_hash_t device_hash(PyObject *self)
{
    return ((device_object *)self)->type * 64 + ((device_object *)self)->index;
}
static PyObject *device_kind(PyObject *self, void *unused)
{
    (void)unused;
    Py_INCREF(kinds[((device_object *)self)->type]);
    return kinds[((device_object *)self)->type];
}
static PyGetSetDef device_getters[] = { { "type", device_kind, NULL, "mx.cpu or mx.gpu.", NULL },
                                        { NULL, NULL, NULL, NULL, NULL } };
static PyType_Slot device_slots[] = {
    { Py_tp_doc, "Device(type, index=0): a device, by its kind and number; the CPU has number 0." },
    { Py_tp_new, device_new },
    { Py_tp_dealloc, plain_dealloc },
    { Py_tp_repr, device_repr },
    { Py_tp_richcompare, device_compare },
    { Py_tp_hash, device_hash },
    { Py_tp_getset, device_getters },
    { 0, NULL },
};
static PyType_Spec device_spec = { "mica.core.Device", sizeof(device_object), 0, Py_TPFLAGS_DEFAULT,
                                   device_slots };

/* ---- Stream ---- */

static PyObject *stream_repr(PyObject *self)
{
    return PyUnicode_FromFormat("%s(Device(cpu, 0), %d)",
                                Py_TYPE(self) == stream_type ? "Stream" : "ThreadLocalStream",
                                ((stream_object *)self)->index);
}
static PyObject *stream_compare(PyObject *a, PyObject *b, int operation)
{
    if ((operation != Py_EQ && operation != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
    bool same =
        Py_TYPE(a) == Py_TYPE(b) && ((stream_object *)a)->index == ((stream_object *)b)->index;
    return PyBool_FromLong(same == (operation == Py_EQ));
}
static Py_hash_t stream_hash(PyObject *self)
{
    return ((stream_object *)self)->index;
}
static PyObject *stream_device(PyObject *self, void *unused)
{
    (void)self, (void)unused;
    return make_device(0, 0);
}
static PyGetSetDef stream_getters[] = { { "device", stream_device, NULL, "The device it runs on.",
                                          NULL },
                                        { NULL, NULL, NULL, NULL, NULL } };
static PyType_Slot stream_slots[] = {
    { Py_tp_doc, "A queue of work on a device. Work on one stream runs in order, on "
                 "different streams at once." },
    { Py_tp_dealloc, stream_dealloc },
    { Py_tp_repr, stream_repr },
    { Py_tp_richcompare, stream_compare },
    { Py_tp_hash, stream_hash },
    { Py_tp_getset, stream_getters },
    { 0, NULL },
};
static PyType_Spec stream_spec = { "mica.core.Stream", sizeof(stream_object), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                   stream_slots };
static PyType_Spec local_spec = { "mica.core.ThreadLocalStream", sizeof(stream_object), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                  stream_slots };

/* ---- StreamContext ---- */

static PyObject *context_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = { "s", NULL };
    PyObject *o;
    mica_stream *s;
    if (!mica_py_parse(args, keywords, "O:StreamContext", names, &o)) return NULL;
    if (o == Py_None)
        return PyErr_Format(PyExc_TypeError, "[stream] a stream or device is needed, not None");
    if (mica_py_stream(o, &s) < 0) {
        mica_py_name_error("StreamContext", NULL);
        return NULL;
    }
    context_object *c = PyObject_New(context_object, type);
    if (!c) return NULL;
    c->stream = mica_stream_retain(s);
    c->previous = NULL;
    return (PyObject *)c;
}
static void context_dealloc(PyObject *self)
{
    mica_stream_release(((context_object *)self)->stream);
    mica_stream_release(((context_object *)self)->previous);
    plain_dealloc(self);
}
static PyObject *context_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    context_object *c = (context_object *)self;
    mica_stream *before = c->previous;
    c->previous = mica_stream_retain(mica__current_stream);
    mica_stream_release(before);
    if (c->stream) mica_set_default_stream(c->stream);
    Py_RETURN_NONE;
}
static PyObject *context_exit(PyObject *self, PyObject *args)
{
    (void)args;
    mica_set_default_stream(((context_object *)self)->previous);
    Py_RETURN_NONE;
}
static PyMethodDef context_methods[] = { { "__enter__", context_enter, METH_NOARGS, NULL },
                                         { "__exit__", context_exit, METH_VARARGS, NULL },
                                         { NULL, NULL, 0, NULL } };
static PyType_Slot context_slots[] = { { Py_tp_doc,
                                         "StreamContext(s): makes s the default inside `with`." },
                                       { Py_tp_new, context_new },
                                       { Py_tp_dealloc, context_dealloc },
                                       { Py_tp_methods, context_methods },
                                       { 0, NULL } };
static PyType_Spec context_spec = { "mica.core.StreamContext", sizeof(context_object), 0,
                                    Py_TPFLAGS_DEFAULT, context_slots };

/* ---- functions ---- */

static PyObject *default_device(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    return make_device(0, 0);
}
static PyObject *set_default_device(PyObject *m, PyObject *o)
{
    (void)m;
    int index, type = mica_py_device_for("set_default_device", o, &index);
    if (type < 0 || mica_py_need_cpu("set_default_device", type, index) < 0) return NULL;
    Py_RETURN_NONE;
}
static PyObject *default_stream(PyObject *m, PyObject *o)
{
    (void)m;
    int index, type = mica_py_device_for("default_stream", o, &index);
    if (type < 0 || mica_py_need_cpu("default_stream", type, index) < 0) return NULL;
    return make_stream(mica_default_stream());
}
static PyObject *set_default_stream(PyObject *m, PyObject *o)
{
    (void)m;
    mica_stream *s;
    if (Py_TYPE(o) != stream_type && Py_TYPE(o) != local_type)
        return PyErr_Format(PyExc_TypeError, "[set_default_stream] a Stream is needed");
    if (mica_py_stream(o, &s) < 0) return NULL;
    mica_set_default_stream(s);
    Py_RETURN_NONE;
}
static PyObject *new_stream(PyObject *m, PyObject *o)
{
    (void)m;
    int index, type = mica_py_device_for("new_stream", o, &index);
    mica_stream *s;
    if (type < 0 || mica_py_need_cpu("new_stream", type, index) < 0) return NULL;
    int status = mica_stream_new(&s);
    if (status) return mica_py_raise(status);
    PyObject *made = make_stream(s);
    mica_stream_release(s);
    return made;
}
static PyObject *new_thread_local_stream(PyObject *m, PyObject *o)
{
    (void)m;
    static int count;
    int index, type = mica_py_device_for("new_thread_local_stream", o, &index);
    if (type < 0 || mica_py_need_cpu("new_thread_local_stream", type, index) < 0) return NULL;
    stream_object *s = PyObject_New(stream_object, local_type);
    if (!s) return NULL;
    s->stream = NULL;
    s->index = count++;
    s->key = mica_py_take_key();
    if (s->key < 0) Py_CLEAR(s);
    return (PyObject *)s;
}
static PyObject *synchronize(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { "stream", NULL };
    PyObject *o = Py_None;
    mica_stream *s;
    if (!mica_py_parse(args, keywords, "|O:synchronize", names, &o)) return NULL;
    if (mica_py_stream(o, &s) < 0) {
        mica_py_name_error("synchronize", NULL);
        return NULL;
    }
    int status;
    Py_BEGIN_ALLOW_THREADS status = mica_synchronize(s);
    Py_END_ALLOW_THREADS if (status) return mica_py_raise(status);
    Py_RETURN_NONE;
}
static PyObject *clear_streams(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    mica_set_default_stream(NULL);
    Py_RETURN_NONE;
}
static PyObject *stream(PyObject *m, PyObject *o)
{
    (void)m;
    return PyObject_CallFunctionObjArgs((PyObject *)context_type, o, NULL);
}

static PyMethodDef functions[] = {
    { "default_device", default_device, METH_NOARGS, "default_device() -> Device" },
    { "set_default_device", set_default_device, METH_O,
      "set_default_device(device)\n\nRaises ValueError where there is no such device." },
    { "default_stream", default_stream, METH_O,
      "default_stream(device) -> Stream: of the calling thread." },
    { "set_default_stream", set_default_stream, METH_O,
      "set_default_stream(stream): for the calling thread." },
    { "new_stream", new_stream, METH_O, "new_stream(device) -> Stream" },
    { "new_thread_unsafe_stream", new_stream, METH_O,
      "new_thread_unsafe_stream(device) -> Stream: usable from any thread." },
    { "new_thread_local_stream", new_thread_local_stream, METH_O,
      "new_thread_local_stream(device) -> ThreadLocalStream: one stream a thread." },
    { "synchronize", (PyCFunction)(void (*)(void))synchronize, METH_VARARGS | METH_KEYWORDS,
      "synchronize(stream=None): waits until the stream has no work." },
    { "clear_streams", clear_streams, METH_NOARGS,
      "clear_streams(): the calling thread goes back to the process's default stream." },
    { "stream", stream, METH_O, "stream(s) -> StreamContext: makes s the default inside `with`." },
    { NULL, NULL, 0, NULL },
};

int mica_py_stream_types(PyObject *module)
{
    PyObject *enums = PyImport_ImportModule("enum"),
             *members = Py_BuildValue("{s:i,s:i}", "cpu", 0, "gpu", 1);
    PyObject *type =
        enums && members ? PyObject_CallMethod(enums, "Enum", "sO", "DeviceType", members) : NULL;
    mica_py_plain_repr(enums, type);
    Py_XDECREF(enums);
    Py_XDECREF(members);
    if (!type || PyModule_AddObjectRef(module, "DeviceType", type) < 0) return -1;
    PyObject *name = PyObject_GetAttrString(module, "__name__");
    if (name) PyObject_SetAttrString(type, "__module__", name);
    mica_py_set_doc(type,
                    "A kind of device: cpu or gpu. Wherever a device is accepted, so is its kind.");
    Py_XDECREF(name);
    kinds[0] = PyObject_GetAttrString(type, "cpu");
    kinds[1] = PyObject_GetAttrString(type, "gpu");
    Py_DECREF(type);
    if (!kinds[0] || !kinds[1] || PyModule_AddObjectRef(module, "cpu", kinds[0]) < 0 ||
        PyModule_AddObjectRef(module, "gpu", kinds[1]) < 0)
        return -1;
    if (!(device_type = mica_py_add_type(module, &device_spec)) ||
        !(stream_type = mica_py_add_type(module, &stream_spec)) ||
        !(local_type = mica_py_add_type(module, &local_spec)) ||
        !(context_type = mica_py_add_type(module, &context_spec)))
        return -1;
    if (mica_py_device_functions(module) < 0) return -1;
    return PyModule_AddFunctions(module, functions);
}
