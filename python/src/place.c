/* Where in the user's Python code an array was made that has no value: for the message when
   somebody asks for it. */
#include "array.h"

static PyObject *package; /* the folder of mica's own code */

/* The folder of the module's file; NULL, without exception, where it is not known. */
static PyObject *find_package(void)
{
    PyObject *module = PyImport_ImportModule("mica"), *file = NULL, *folder = NULL;
    if (module) file = PyObject_GetAttrString(module, "__file__");
    Py_ssize_t n = file ? PyUnicode_GetLength(file) : 0, end;
    if (n > 0 && (end = PyUnicode_FindChar(file, '/', 0, n, -1)) > 0)
        folder = PyUnicode_Substring(file, 0, end + 1);
    PyErr_Clear();
    Py_XDECREF(module);
    Py_XDECREF(file);
    return folder;
}

/* The last answer: most arrays are made by the line that made the one before. */
static struct {
    PyObject *code, *text;
    int line;
} last;

/* "file:line, in function" of a frame; NULL for one of mica's own files. */
static PyObject *text_of(PyFrameObject *frame)
{
    PyObject *code = (PyObject *)PyFrame_GetCode(frame), *text = NULL;
    int line = PyFrame_GetLineNumber(frame);
    if (code == last.code && line == last.line) {
        Py_DECREF(code);
        Py_INCREF(last.text);
        return last.text;
    }
    PyObject *file = PyObject_GetAttrString(code, "co_filename");
    PyObject *name = file ? PyObject_GetAttrString(code, "co_name") : NULL;
    bool own = !name || (package && PyUnicode_Tailmatch(file, package, 0, PY_SSIZE_T_MAX, -1) == 1);
    if (!own) text = PyUnicode_FromFormat("%U:%d, in %U", file, line, name);
    if (text) {
        Py_XDECREF(last.code);
        Py_XDECREF(last.text);
        Py_INCREF(code);
        Py_INCREF(text);
        last.code = code;
        last.text = text;
        last.line = line;
    }
    Py_DECREF(code);
    Py_XDECREF(file);
    Py_XDECREF(name);
    return text;
}

void mica_py_note_place(mica_array *a)
{
    if (!mica_py_transforming() || mica__node_place(mica__node_of(a)) || PyErr_Occurred()) return;
    if (!package) package = find_package();
    PyObject *frame = (PyObject *)PyEval_GetFrame(), *text = NULL;
    Py_XINCREF(frame);
    while (frame && frame != Py_None && !text) {
        text = text_of((PyFrameObject *)frame);
        PyObject *back = text ? NULL : PyObject_GetAttrString(frame, "f_back");
        Py_DECREF(frame);
        frame = back;
    }
    Py_XDECREF(frame);
    const char *place = text ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    if (place) mica__node_made_at(mica__node_of(a), place);
    Py_XDECREF(text);
    PyErr_Clear();
}

/* _made_at(arrays, place): for placeholders, which no line of user code makes. */
static PyObject *made_at(PyObject *m, PyObject *args)
{
    (void)m;
    PyObject *list;
    const char *place;
    if (!PyArg_ParseTuple(args, "O!s:_made_at", &PyList_Type, &list, &place)) return NULL;
    for (Py_ssize_t i = 0; i < PyList_Size(list); i++) {
        mica_array *a = mica_py_array(PyList_GetItem(list, i));
        if (a) mica__node_made_at(mica__node_of(a), place);
    }
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    { "_made_at", made_at, METH_VARARGS, NULL },
    { NULL, NULL, 0, NULL },
};

int mica_py_place_functions(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
