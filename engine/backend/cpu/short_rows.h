/* Which rows are worked on side by side (abreast.h), eight at a time. */
#ifndef MICA_ENGINE_SHORT_ROWS_H
#define MICA_ENGINE_SHORT_ROWS_H

#include "base/base.h"

enum { MICA_ABREAST = 8, MICA_ABREAST_LEAST = 4, MICA_ABREAST_MOST = 32 };

/* Whether rows of n elements are. */
static inline bool mica__is_short(size_t n)
{
    return n >= MICA_ABREAST_LEAST && n <= MICA_ABREAST_MOST;
}

#endif
