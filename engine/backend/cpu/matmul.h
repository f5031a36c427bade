/* Matrix products of evaluated arrays, with or without an epilogue. */
#ifndef MICA_ENGINE_MATMUL_H
#define MICA_ENGINE_MATMUL_H

#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/kernel.h"

/* c = a @ b over equal leading axes; c is row-major. */
int mica__matmul_run(mica__arena *scratch, const mica_array *a, const mica_array *b, mica_array *c,
                     mica__epilogue *epilogue, void *context);

#endif
