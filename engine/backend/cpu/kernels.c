/* Which kernel runs which primitive. */
#include "backend/cpu/kernel.h"

#define KERNEL(prim) int mica__kernel_##prim(mica__launch *l);
#include "backend/cpu/kernels.def"
#undef KERNEL

mica__kernel *const mica__cpu_kernels[MICA_PRIM_COUNT] = {
#define KERNEL(prim) [mica_prim_##prim] = mica__kernel_##prim,
#include "backend/cpu/kernels.def"
#undef KERNEL
};
