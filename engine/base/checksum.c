/* CRC-32 with eight tables: eight bytes a step (Kounavis and Berry, "Novel table lookup-based
   algorithms for high-performance CRC generation", 2008). */
#include "base/checksum.h"

#include "base/thread.h"

static uint32_t tables[8][256];
static atomic_bool ready;
static mica__mutex lock = MICA_MUTEX_INIT;

static void fill(void)
{
    mica__mutex_lock(&lock);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
        tables[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++)
            tables[k][i] = tables[k - 1][i] >> 8 ^ tables[0][tables[k - 1][i] & 255];
    atomic_store_explicit(&ready, true, memory_order_release);
    mica__mutex_unlock(&lock);
}

uint32_t mica__crc32(uint32_t crc, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    if (!atomic_load_explicit(&ready, memory_order_acquire)) fill();
    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t low = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                              (uint32_t)p[3] << 24);
        crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^
              tables[4][low >> 24] ^ tables[3][p[4]] ^ tables[2][p[5]] ^ tables[1][p[6]] ^
              tables[0][p[7]];
    }
    for (; n; n--) crc = crc >> 8 ^ tables[0][(crc ^ *p++) & 255];
    return ~crc;
}
