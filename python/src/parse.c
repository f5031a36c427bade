/* Arguments of functions by hand: PyArg_ParseTupleAndKeywords with the house's messages. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "array.h"

/* Python's text without its "name() " in front and " for name()" behind. */
static void bare_text(const char *text, const char *name, char *out, size_t size)
{
    char head[64], tail[64];
    PyOS_snprintf(head, sizeof head, "%s() ", name);
    PyOS_snprintf(tail, sizeof tail, " for %s()", name);
    if (strncmp(text, head, strlen(head)) == 0) text += strlen(head);
    PyOS_snprintf(out, size, "%s", text);
    char *end = strstr(out, tail);
    if (end) memmove(end, end + strlen(tail), strlen(end + strlen(tail)) + 1);
}

/* "a, b, stream", with the n-th named by its place where it has no name. */
static void list_names(char **names, char *out, size_t size)
{
    out[0] = 0;
    for (int i = 0; names[i]; i++) {
        size_t used = strlen(out);
        const char *comma = i ? ", " : "";
        if (*names[i]) PyOS_snprintf(out + used, size - used, "%s%s", comma, names[i]);
        else PyOS_snprintf(out + used, size - used, "%sone by position", comma);
    }
}

/* Puts "[name] " before a TypeError of the parser, and what is accepted behind it. */
static void tell(const char *name, char **names)
{
    PyObject *type, *value, *traceback;
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) return;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *text = value ? PyObject_Str(value) : NULL;
    const char *s = text ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    if (s && *s != '[') {
        char bare[256], accepted[256];
        bare_text(s, name, bare, sizeof bare);
        list_names(names, accepted, sizeof accepted);
        PyErr_Format(PyExc_TypeError, "[%s] %s; the arguments are: %s", name, bare,
                     *accepted ? accepted : "none");
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
    } else {
        PyErr_Restore(type, value, traceback);
    }
    Py_XDECREF(text);
}

bool mica_py_parse(PyObject *args, PyObject *keywords, const char *format, char **names, ...)
{
    va_list out;
    va_start(out, names);
    int taken = PyArg_VaParseTupleAndKeywords(args, keywords, format, names, out);
    va_end(out);
    const char *name = strchr(format, ':');
    if (!taken && name) tell(name + 1, names);
    return taken;
}
