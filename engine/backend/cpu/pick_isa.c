/* Strided reads of one axis. The distances that come up most, 0, 2 and -1, have loops of their own:
 * there the compiler stores, shuffles and turns whole vectors. */
#include "backend/cpu/pick.h"

#include "kernel/body.h"

/* memcpy of one element: it may lie anywhere, and becomes one load. */
#define EACH(type, apart)                                                                          \
    for (size_t i = 0; i < n; i++) {                                                               \
        memcpy(&value, from + (int64_t)i * (apart) * (int64_t)sizeof(type), sizeof value);         \
        to[i] = value;                                                                             \
    }
#define PICK(type)                                                                                 \
    static void pick_##type(const char *restrict from, int64_t stride, size_t n,                   \
                            void *restrict out)                                                    \
    {                                                                                              \
        type *restrict to = out;                                                                   \
        type value;                                                                                \
        if (stride == 0) {                                                                         \
            memcpy(&value, from, sizeof value);                                                    \
            for (size_t i = 0; i < n; i++) to[i] = value;                                          \
        } else if (stride == 2) {                                                                  \
            EACH(type, 2)                                                                          \
        } else if (stride == -1) {                                                                 \
            EACH(type, -1)                                                                         \
        } else {                                                                                   \
            EACH(type, stride)                                                                     \
        }                                                                                          \
    }
PICK(uint8_t)
PICK(uint16_t)
PICK(uint32_t)
PICK(uint64_t)

const mica__picks MICA_PASTE(mica__picks_, MICA_ISA_NAME) = { { pick_uint8_t, pick_uint16_t,
                                                                pick_uint32_t, pick_uint64_t } };
