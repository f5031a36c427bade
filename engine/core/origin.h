/* On whose behalf a node is built: errors name the public function that was called, not one of
 * those it is made of. */
#ifndef MICA_ENGINE_ORIGIN_H
#define MICA_ENGINE_ORIGIN_H

#include "base/base.h"

/* The number of a function's name, which lives as long as the process: what front ends give to
 * their scopes. 0, which renames nothing, when there are too many. Not while other threads do the
 * same. */
uint16_t mica__origin_of(const char *name);

/* Lets the calling thread's last error begin with the origin's name: "[gather] index 7 ..." becomes
 * "[take] index 7 ...". Nothing for origin 0. */
void mica__origin_name_error(uint16_t origin);

#endif
