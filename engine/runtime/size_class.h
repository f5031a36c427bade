/* Size classes of the allocator's blocks. */
#ifndef MICA_ENGINE_SIZE_CLASS_H
#define MICA_ENGINE_SIZE_CLASS_H

#include "base/base.h"

/* Steps of 64 bytes up to 1 KiB, then 8 steps a power of two up to 1 MiB (at most 12.5% lost), 16
   up to 64 MiB (6.3%), then 32 (3.2%; all of them multiples of a huge page of 2 MiB). */
enum {
    LINE = 64,
    FINE = 10,  /* log2 of the end of the 64-byte steps */
    LARGE = 20, /* from here blocks are mapped, not carved from the heap */
    HUGE = 26,
    LAST = 46, /* requests up to 2^47 bytes */
    FINE_CLASSES = 1 << (FINE - 6),
    LARGE_CLASSES = FINE_CLASSES + (LARGE - FINE) * 8,
    HUGE_CLASSES = LARGE_CLASSES + (HUGE - LARGE) * 16,
    CLASSES = HUGE_CLASSES + (LAST + 1 - HUGE) * 32
};

/* The class of a request and the bytes of its blocks; `bytes` is at most 2^47. */
static inline unsigned size_class(size_t bytes, size_t *size)
{
    if (bytes <= (size_t)1 << FINE) {
        size_t lines = bytes ? (bytes + LINE - 1) / LINE : 1;
        *size = lines * LINE;
        return (unsigned)lines - 1;
    }
    int e = 63 - __builtin_clzll((unsigned long long)bytes - 1); /* 2^e < bytes <= 2^(e+1) */
    int shift = e < LARGE ? 3 : e < HUGE ? 4 : 5;
    int first = e < LARGE  ? FINE_CLASSES + (e - FINE) * 8
                : e < HUGE ? LARGE_CLASSES + (e - LARGE) * 16
                           : HUGE_CLASSES + (e - HUGE) * 32;
    size_t base = (size_t)1 << e, step = base >> shift;
    size_t steps = (bytes - 1 - base) >> (e - shift);
    *size = base + (steps + 1) * step;
    return (unsigned)first + (unsigned)steps;
}

static inline bool class_of(size_t bytes, unsigned *class, size_t *size)
{
    if (bytes > (size_t)1 << (LAST + 1)) return false;
    *class = size_class(bytes, size);
    return true;
}

#endif
