/* What kernels with loops of their own share: the table of the instruction set in use, and work too
 * small for several threads. */
#ifndef MICA_ENGINE_CHOOSE_H
#define MICA_ENGINE_CHOOSE_H

#include "backend/cpu/isa.h"
#include "runtime/pool.h"

/* MICA_CHOOSE(mica__norm_): the address of the one of mica__norm_portable, mica__norm_v3 and
 * mica__norm_v4 that serves the level in use. */
#if defined(MICA_WITH_V3) && defined(MICA_WITH_V4)
#define MICA_CHOOSE(name)                                                                          \
    (mica__isa_level() >= MICA_ISA_V4   ? &name##v4                                                \
     : mica__isa_level() >= MICA_ISA_V3 ? &name##v3                                                \
                                        : &name##portable)
#elif defined(MICA_WITH_V3)
#define MICA_CHOOSE(name) (mica__isa_level() >= MICA_ISA_V3 ? &name##v3 : &name##portable)
#else
#define MICA_CHOOSE(name) (&name##portable)
#endif

/* mica__parallel, on the calling thread alone where `work` (elements touched, about) would not pay
 * for waking another. */
static inline void mica__spread_tasks(int64_t tasks, int64_t work,
                                      void (*body)(void *context, size_t index), void *context)
{
    if (work >= 32 * 1024) {
        mica__parallel((size_t)tasks, body, context);
        return;
    }
    for (int64_t i = 0; i < tasks; i++) body(context, (size_t)i);
}

#endif
