/* The random generator's inner loop, compiled once per instruction set. */
#ifndef MICA_ENGINE_RANDOM_H
#define MICA_ENGINE_RANDOM_H

#include "base/base.h"

/* Both words of the block function for counters (first + i, second + i), i < n. */
typedef void mica__threefry(const uint32_t key[2], uint32_t first, uint32_t second, size_t n,
                            uint32_t *a, uint32_t *b);
mica__threefry mica__threefry_portable, mica__threefry_v3, mica__threefry_v4;

/* Words to normal numbers over sqrt(2), in place (float32 for uint32). */
typedef void mica__to_normal(uint32_t *words, size_t n);
mica__to_normal mica__to_normal_portable, mica__to_normal_v3, mica__to_normal_v4;

#endif
