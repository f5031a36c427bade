/* What there is to run on: devices, the GPU that is not there, the processor, the settings. */
#include "array.h"

#include "backend/cpu/isa.h"
#include "base/config.h"
#include "device.h"
#include "runtime/pool.h"

/* What to warn of when a program asks for a GPU that is not there and gets the CPU instead; NULL:
   it gets an error. */
static PyObject *stand_in;
static bool has_warned;

int mica_py_need_cpu(const char *what, int type, int index)
{
    if (index == 0 && type == 0) return 0;
    if (index == 0 && stand_in) {
        if (has_warned || !PyUnicode_GetLength(stand_in)) return 0;
        has_warned = true;
        return PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "[%s] %U", what, stand_in);
    }
    if (type == 0)
        PyErr_Format(PyExc_IndexError, "[%s] there is one CPU device, with index 0, not %d", what,
                     index);
    else PyErr_Format(PyExc_ValueError, "[%s] Cannot use gpu: no GPU backend is available", what);
    return -1;
}

static PyObject *set_stand_in(PyObject *m, PyObject *warning)
{
    (void)m;
    if (warning != Py_None && !PyUnicode_Check(warning))
        return PyErr_Format(PyExc_TypeError, "[_stand_in_for_gpu] a text or None is needed");
    Py_XDECREF(stand_in);
    stand_in = warning == Py_None ? NULL : Py_NewRef(warning);
    has_warned = false;
    Py_RETURN_NONE;
}

static PyObject *warned_of_gpu(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    return PyBool_FromLong(has_warned);
}

/* ---- what is known of devices ---- */

static PyObject *is_available(PyObject *m, PyObject *o)
{
    (void)m;
    int index, type = mica_py_device_for("is_available", o, &index);
    return type < 0 ? NULL : PyBool_FromLong(type == 0 && index == 0);
}
static PyObject *device_count(PyObject *m, PyObject *o)
{
    (void)m;
    int index, type = mica_py_device_for("device_count", o, &index);
    return type < 0 ? NULL : PyLong_FromLong(type == 0);
}

static const char *level_name(void)
{
    static const char *const levels[] = { "portable", "x86-64-v3", "x86-64-v4" };
    int level = (int)mica__isa_level();
    return levels[level < 3 ? level : 2];
}

static PyObject *device_info(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *o = Py_None;
    int index = 0, type = 0;
    if (!PyArg_ParseTuple(args, "|O:device_info", &o)) return NULL;
    if (o != Py_None && (type = mica_py_device_for("device_info", o, &index)) < 0) return NULL;
    if (stand_in && index == 0 && (type || o == Py_None)) {
        PyObject *metal = PyImport_ImportModule("mica._metal"),
                 *info = metal ? PyObject_CallMethod(metal, "stand_in_info", NULL) : NULL;
        Py_XDECREF(metal);
        return info;
    }
    if (type) return PyDict_New();
    PyObject *module = PyImport_ImportModule("mica._info"),
             *name = module ? PyObject_CallMethod(module, "processor_name", NULL) : NULL;
    Py_XDECREF(module);
    if (!name) return NULL;
    return Py_BuildValue("{s:N,s:s}", "device_name", name, "architecture", level_name());
}

static PyObject *no_device(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    Py_RETURN_FALSE;
}
/* As the reference on a machine without such a device: programs that may capture run on. */
static PyObject *start_capture(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { "path", NULL };
    PyObject *path;
    if (!mica_py_parse(args, keywords, "U:start_capture", names, &path)) return NULL;
    Py_RETURN_NONE;
}
static PyObject *stop_capture(PyObject *m, PyObject *args, PyObject *keywords)
{
    (void)m;
    static char *names[] = { NULL };
    if (!mica_py_parse(args, keywords, ":stop_capture", names)) return NULL;
    Py_RETURN_NONE;
}

/* ---- what `mica info` prints ---- */

static PyObject *processor(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    static const struct {
        unsigned bit;
        const char *name;
    } features[] = {
        { MICA_ISA_F16C, "F16C" },
        { MICA_ISA_AVX512_BF16, "AVX512_BF16" },
        { MICA_ISA_AVX512_FP16, "AVX512_FP16" },
        { MICA_ISA_VNNI, "AVX512_VNNI" },
        { MICA_ISA_AMX_BF16, "AMX_BF16" },
        { MICA_ISA_AMX_INT8, "AMX_INT8" },
    };
    PyObject *names = PyList_New(0);
    for (size_t i = 0; names && i < sizeof features / sizeof *features; i++) {
        if (!mica__isa_has(features[i].bit)) continue;
        PyObject *name = PyUnicode_FromString(features[i].name);
        if (!name || PyList_Append(names, name) < 0) Py_CLEAR(names);
        Py_XDECREF(name);
    }
    if (!names) return NULL;
    return Py_BuildValue("{s:s,s:N,s:n}", "level", level_name(), "features", names, "threads",
                         (Py_ssize_t)mica__thread_count());
}

static PyObject *settings(PyObject *m, PyObject *unused)
{
    (void)m, (void)unused;
    static const char *const sources[] = { "default", "environment", "alias", "override",
                                           "invalid" };
    PyObject *all = PyList_New(0);
    for (size_t i = 0; all && i < MICA_SETTING_COUNT; i++) {
        mica__setting_info s;
        if (mica__setting_describe(&s, i)) break;
        PyObject *row = Py_BuildValue("{s:s,s:s,s:z,s:s,s:s,s:z,s:s,s:s}", "name", s.name,
                                      "variable", s.variable, "alias", s.alias, "type", s.type,
                                      "value", s.value, "given", s.given, "doc", s.doc, "source",
                                      sources[s.source <= MICA_SOURCE_INVALID ? s.source : 0]);
        if (!row || PyList_Append(all, row) < 0) Py_CLEAR(all);
        Py_XDECREF(row);
    }
    return all;
}

#define KEYWORDS(f) ((PyCFunction)(void (*)(void))(f))
static PyMethodDef no_cuda[] = { { "is_available", no_device, METH_NOARGS,
                                   "is_available() -> bool: whether there is a CUDA device." },
                                 { NULL, NULL, 0, NULL } };
static PyMethodDef no_metal[] = {
    { "is_available", no_device, METH_NOARGS,
      "is_available() -> bool: whether there is a Metal device." },
    { "start_capture", KEYWORDS(start_capture), METH_VARARGS | METH_KEYWORDS,
      "start_capture(path): nothing is captured without a Metal device." },
    { "stop_capture", KEYWORDS(stop_capture), METH_VARARGS | METH_KEYWORDS,
      "stop_capture(): nothing is captured without a Metal device." },
    { NULL, NULL, 0, NULL },
};
static PyMethodDef functions[] = {
    { "device_info", device_info, METH_VARARGS,
      "device_info(device=None) -> dict: name and architecture; empty where there is no such "
      "device." },
    { "is_available", is_available, METH_O, "is_available(device) -> bool" },
    { "device_count", device_count, METH_O, "device_count(device_type) -> int" },
    { "_stand_in_for_gpu", set_stand_in, METH_O, NULL },
    { "_warned_of_gpu", warned_of_gpu, METH_NOARGS, NULL },
    { "_processor", processor, METH_NOARGS, NULL },
    { "_settings", settings, METH_NOARGS, NULL },
    { NULL, NULL, 0, NULL },
};

int mica_py_device_functions(PyObject *module)
{
    PyObject *cuda = mica_py_submodule(module, "cuda"),
             *metal = cuda ? mica_py_submodule(module, "metal") : NULL;
    if (!metal || PyModule_AddFunctions(cuda, no_cuda) < 0 ||
        PyModule_AddFunctions(metal, no_metal) < 0)
        return -1;
    return PyModule_AddFunctions(module, functions);
}
