/* Between the units compiled once per instruction set (loops.c, cast.c) and the table that chooses
   among them. */
#ifndef MICA_ENGINE_LOOPS_H
#define MICA_ENGINE_LOOPS_H

#include "backend/cpu/loop.h"

/* All loops of one level. */
typedef struct mica__loop_table {
    mica__loop *loop[MICA_PRIM_COUNT][MICA_DTYPE_COUNT];
    mica__loop *cast[MICA_DTYPE_COUNT][MICA_DTYPE_COUNT];
    mica__loop *round[MICA_DTYPE_COUNT];
} mica__loop_table;

/* Each writes the entries that its unit has over those of lower levels. */
void mica__loops_portable(mica__loop_table *table);
void mica__casts_portable(mica__loop_table *table);
/* MICA_WITH_<level>: the build has that unit. */
#if defined(MICA_WITH_V3)
void mica__loops_v3(mica__loop_table *table);
void mica__casts_v3(mica__loop_table *table);
#endif
#if defined(MICA_WITH_V4)
void mica__loops_v4(mica__loop_table *table);
void mica__casts_v4(mica__loop_table *table);
#endif

/* In such a unit: the functions' names, and the level as a number for #if. */
#ifdef MICA_ISA_NAME
#define MICA_LEVEL_portable   0
#define MICA_LEVEL_v3         1
#define MICA_LEVEL_v4         2
#define MICA_ISA_PASTE_(a, b) a##b
#define MICA_ISA_PASTE(a, b)  MICA_ISA_PASTE_(a, b)
#define MICA_LEVEL            MICA_ISA_PASTE(MICA_LEVEL_, MICA_ISA_NAME)
#define MICA_ISA_FUNCTION(f)  MICA_ISA_PASTE(f, MICA_ISA_NAME)
#endif

/* The next loop may be vectorised although `out` may be the very pointer of an operand: element i
   is read before it is written, and no other. */
#if defined(__clang__)
/* Many bodies (of integers, of the C library) have no vector form, and need none. */
#pragma clang diagnostic ignored "-Wpass-failed"
#define MICA_LOOP _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define MICA_LOOP _Pragma("GCC ivdep")
#else
#define MICA_LOOP
#endif

/* Copies the first of n elements over the others. */
static inline void mica__spread(void *out, size_t n, size_t size)
{
    size_t done = size, total = n * size;
    while (done < total) {
        size_t step = done < total - done ? done : total - done;
        memcpy((char *)out + done, out, step);
        done += step;
    }
}

#endif
