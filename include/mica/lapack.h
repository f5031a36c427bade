/* Where linear algebra (mica_linalg_*) finds LAPACK. */
#ifndef MICA_LAPACK_H
#define MICA_LAPACK_H

#include "mica/base.h"

/**
 * Names the library with LAPACK to open at the first use, such as the file of OpenBLAS in the
 * Python package scipy-openblas32; NULL: none. The setting MICA_LAPACK comes before it, the
 * system's OpenBLAS and LAPACK come after it. Without effect once a library is open. Returns
 * MICA_EVALUE for a name that is too long.
 */
MICA_API int mica_set_lapack(const char *file);

#endif
