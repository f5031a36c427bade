/* Inner loops of rotary embeddings. */
#include "backend/cpu/rope.h"

#include "backend/cpu/loops.h"
#include "kernel/scalar.h"

static void angles(size_t n, double position, const double *restrict frequency,
                   float *restrict cosine, float *restrict sine)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t turns;
        double r = wide_reduce(position * frequency[i], &turns);
        double s = wide_sin_reduced(r), c = wide_cos_reduced(r);
        float low = (float)(turns & 1 ? c : s), high = (float)(turns & 1 ? s : c);
        sine[i] = turns & 2 ? -low : low;
        cosine[i] = (turns + 1) & 2 ? -high : high;
    }
}

#define TURN(suffix, T)                                                                            \
    static void turn_##suffix(size_t half, bool traditional, const T *restrict x,                  \
                              const T *restrict c, const T *restrict s, T *restrict out)           \
    {                                                                                              \
        if (traditional) {                                                                         \
            for (size_t i = 0; i < half; i++) {                                                    \
                T a = x[2 * i], b = x[2 * i + 1];                                                  \
                out[2 * i] = a * c[i] - b * s[i];                                                  \
                out[2 * i + 1] = a * s[i] + b * c[i];                                              \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        for (size_t i = 0; i < half; i++) {                                                        \
            T a = x[i], b = x[half + i];                                                           \
            out[i] = a * c[i] - b * s[i];                                                          \
            out[half + i] = a * s[i] + b * c[i];                                                   \
        }                                                                                          \
    }
TURN(f32, float)
TURN(f64, double)

const mica__rope_loops MICA_ISA_FUNCTION(mica__rope_) = { angles, turn_f32, turn_f64 };
