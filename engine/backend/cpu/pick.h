/* Elements at equal distances, put side by side: compiled once per instruction set. */
#ifndef MICA_ENGINE_PICK_H
#define MICA_ENGINE_PICK_H

#include "base/base.h"

/* n elements, `stride` elements apart, to `out`; they may lie anywhere (mica__is_aligned). */
typedef void mica__pick(const char *from, int64_t stride, size_t n, void *out);

/* For elements of 1, 2, 4 and 8 bytes. */
typedef struct mica__picks {
    mica__pick *of[4];
} mica__picks;

extern const mica__picks mica__picks_portable, mica__picks_v3, mica__picks_v4;

#endif
