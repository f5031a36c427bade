/* Devices, for the file of streams: what there is, and what to say of what there is not. */
#ifndef MICA_PY_DEVICE_H
#define MICA_PY_DEVICE_H

#include "call.h"
#include "mica_python.h"

/* Type (0 cpu, 1 gpu) and index of a Device or DeviceType; -1 with TypeError. */
int mica_py_device_of(PyObject *o, int *index);
/* The same for the function `name`, with which the message of its TypeError begins. */
int mica_py_device_for(const char *name, PyObject *o, int *index);
/* 0 when work for a device runs on the CPU: it is that, or the CPU stands in for it (with one
   warning); else -1 with ValueError or IndexError. */
int mica_py_need_cpu(const char *what, int type, int index);
/* Adds what is known of devices to the module. */
int mica_py_device_functions(PyObject *module);

#endif
