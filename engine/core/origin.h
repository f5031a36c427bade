/* On whose behalf a node is built: errors name the public function that was called, not one of
 * those it is made of. */
#ifndef MICA_ENGINE_ORIGIN_H
#define MICA_ENGINE_ORIGIN_H

#include "base/base.h"

/* An origin's lower bits are the number of a function's name, 0 for none; the upper ones count the
 * axes that vmap has put before those which the function was called with. */
enum { MICA_ORIGIN_NAMES = 1024 };

/* The origin of a function's name, which lives as long as the process: what front ends give to
 * their scopes. 0, which renames nothing, when there are too many. Not while other threads do the
 * same. */
uint16_t mica__origin_of(const char *name);

/* The same function with one more axis in front. */
static inline uint16_t mica__origin_batched(uint16_t origin)
{
    return origin > UINT16_MAX - MICA_ORIGIN_NAMES ? origin
                                                   : (uint16_t)(origin + MICA_ORIGIN_NAMES);
}

/* An axis as the function's caller counts it. */
static inline int64_t mica__origin_axis(uint16_t origin, int64_t axis)
{
    int64_t front = origin / MICA_ORIGIN_NAMES;
    return axis < front ? axis : axis - front;
}

/* Lets the calling thread's last error begin with the origin's name: "[gather] index 7 ..." becomes
 * "[take] index 7 ...". Nothing for origin 0. */
void mica__origin_name_error(uint16_t origin);

#endif
