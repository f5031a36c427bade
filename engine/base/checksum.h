/* CRC-32 (ISO 3309, as zip and gzip use it). */
#ifndef MICA_ENGINE_CHECKSUM_H
#define MICA_ENGINE_CHECKSUM_H

#include "base/base.h"

/* Of bytes that continue those of `crc`; 0 to begin. */
uint32_t mica__crc32(uint32_t crc, const void *bytes, size_t n);

#endif
