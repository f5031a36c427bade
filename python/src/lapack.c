/* Finds the library with LAPACK that came with the package: scipy_openblas32, in one of the folders
   modules come from. It is only looked for here, which takes some system calls; linear algebra
   opens it when it is first used. */
#include <stdio.h>
#include <unistd.h>

#include "array.h"
#include "mica/lapack.h"

int mica_py_find_lapack(void)
{
    PyObject *sys = PyImport_ImportModule("sys"),
             *path = sys ? PyObject_GetAttrString(sys, "path") : NULL;
    Py_XDECREF(sys);
    if (!path) return -1;
    for (Py_ssize_t i = 0; PyList_Check(path) && i < PyList_Size(path); i++) {
        PyObject *folder = PyList_GetItem(path, i);
        const char *text = PyUnicode_Check(folder) ? PyUnicode_AsUTF8AndSize(folder, NULL) : NULL;
        char file[1024];
        if (!text) {
            PyErr_Clear();
            continue;
        }
        int n = snprintf(file, sizeof file, "%s/scipy_openblas32/lib/libscipy_openblas.so",
                         *text ? text : ".");
        if (n < (int)sizeof file && access(file, R_OK) == 0 && mica_set_lapack(file) == MICA_OK)
            break;
    }
    Py_DECREF(path);
    return 0;
}
