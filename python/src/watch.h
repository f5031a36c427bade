/* What other bindings tell the doctor; nothing happens while nobody watches. */
#ifndef MICA_PY_WATCH_H
#define MICA_PY_WATCH_H

#include "core/watch.h"
#include "mica_python.h"

/* The calling line is about to evaluate for `reason`, a literal; NULL: as said before. With the GIL
 * held. */
void mica_py_watch_reason(const char *reason);
/* The calling line reads values: MX101 counts them. */
void mica_py_watch_read(const mica_array *a, const char *reason);

/* The program evaluates these arrays; some may have their values already (MX402). */
void mica_py_watch_evaluated(mica_array *const arrays[], size_t n);

/* A new object holds `a`: those that stand for arguments of a trace are remembered (MX304). */
void mica_py_watch_wrapped(PyObject *o, const mica_array *a);
/* The values go to NumPy or another library: MX505 counts them. */
void mica_py_watch_leaves(const mica_array *a);

#endif
