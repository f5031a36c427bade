/* The text of evaluated arrays. */
#ifndef MICA_ENGINE_PRINT_H
#define MICA_ENGINE_PRINT_H

#include "core/node.h"

/* Digits after the point for floats; -1: six significant digits. Process-wide. */
extern _Atomic int mica__print_precision;

/* "array([1, 2], dtype=int32)": memory of the caller's to mica__free. NULL and a message on
 * failure. The array is evaluated. */
char *mica__describe(const mica_array *a);

#endif
