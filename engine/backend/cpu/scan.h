/* Inner loops of scans, compiled once per instruction set. */
#ifndef MICA_ENGINE_SCAN_H
#define MICA_ENGINE_SCAN_H

#include "core/node.h"

enum { MICA_SCAN_COLUMNS = 256 };
enum { MICA_SCAN_SUM, MICA_SCAN_PROD, MICA_SCAN_MAX, MICA_SCAN_MIN, MICA_SCAN_LOG, MICA_SCANS };

/* Scans m <= MICA_SCAN_COLUMNS columns of n rows side by side; rows are `row` elements apart
 * (negative: from the end). */
typedef void mica__scan_loop(const void *in, void *out, int64_t n, int64_t row, int64_t m,
                             bool inclusive);

typedef struct mica__scan_loops {
    mica__scan_loop *of[MICA_SCANS][MICA_DTYPE_COUNT];
} mica__scan_loops;

extern const mica__scan_loops mica__scan_portable, mica__scan_v3, mica__scan_v4;

#endif
