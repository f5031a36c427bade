/* Inner loops of convolutions of single channels: vectors run along the channels. */
#include "backend/cpu/conv_loops.h"

#include "backend/cpu/loops.h"
#include "kernel/body.h"

#define BLOCK(type) __attribute__((vector_size(32), aligned(_Alignof(type)), may_alias))
typedef float float_block BLOCK(float);
typedef double double_block BLOCK(double);
typedef float float_one __attribute__((may_alias));
typedef double double_one __attribute__((may_alias));

/* V, L: elements that are worked on at once, a block or a single one; PLACES, TAPS: sums kept in
 * registers. */
#define LOADED(V, p) (*(const V *)(const void *)(p))
enum { PLACES = 4, TAPS = 4 };

#define LOOPS(name, T, V, L)                                                                       \
    MICA_BODY void forward_##name(const mica__depthwise_row *r, int64_t channel, const T *w, T *y, \
                                  int64_t y_place)                                                 \
    {                                                                                              \
        for (int64_t p = 0; p < r->places; p += PLACES) {                                          \
            const T *x = (const T *)r->x + p * r->place + channel;                                 \
            int64_t left = r->places - p, b = left > 1 ? r->place : 0,                             \
                    c = left > 2 ? 2 * r->place : 0, d = left > 3 ? 3 * r->place : 0;              \
            V s0 = { 0 }, s1 = { 0 }, s2 = { 0 }, s3 = { 0 };                                      \
            for (int64_t t = 0; t < r->taps; t++) {                                                \
                const T *at = x + r->at[t];                                                        \
                V u = LOADED(V, w + t * r->channels + channel);                                    \
                s0 += LOADED(V, at) * u;                                                           \
                s1 += LOADED(V, at + b) * u;                                                       \
                s2 += LOADED(V, at + c) * u;                                                       \
                s3 += LOADED(V, at + d) * u;                                                       \
            }                                                                                      \
            T *to = y + p * y_place + channel;                                                     \
            *(V *)(void *)to = s0;                                                                 \
            if (left > 1) *(V *)(void *)(to + y_place) = s1;                                       \
            if (left > 2) *(V *)(void *)(to + 2 * y_place) = s2;                                   \
            if (left > 3) *(V *)(void *)(to + 3 * y_place) = s3;                                   \
        }                                                                                          \
    }                                                                                              \
    MICA_BODY void weight_##name(const mica__depthwise_row *r, int64_t channel, const T *y,        \
                                 int64_t y_place, T *w)                                            \
    {                                                                                              \
        for (int64_t t = 0; t < r->taps; t += TAPS) {                                              \
            int64_t left = r->taps - t;                                                            \
            const T *x = (const T *)r->x + channel, *g = y + channel, *x0 = x + r->at[t],          \
                    *x1 = x + r->at[left > 1 ? t + 1 : t], *x2 = x + r->at[left > 2 ? t + 2 : t],  \
                    *x3 = x + r->at[left > 3 ? t + 3 : t];                                         \
            V s0 = { 0 }, s1 = { 0 }, s2 = { 0 }, s3 = { 0 };                                      \
            for (int64_t p = 0; p < r->places; p++) {                                              \
                V u = LOADED(V, g + p * y_place);                                                  \
                s0 += LOADED(V, x0 + p * r->place) * u;                                            \
                s1 += LOADED(V, x1 + p * r->place) * u;                                            \
                s2 += LOADED(V, x2 + p * r->place) * u;                                            \
                s3 += LOADED(V, x3 + p * r->place) * u;                                            \
            }                                                                                      \
            T *to = w + t * r->channels + channel;                                                 \
            *(V *)(void *)to += s0;                                                                \
            if (left > 1) *(V *)(void *)(to + r->channels) += s1;                                  \
            if (left > 2) *(V *)(void *)(to + 2 * r->channels) += s2;                              \
            if (left > 3) *(V *)(void *)(to + 3 * r->channels) += s3;                              \
        }                                                                                          \
    }

#define TYPE(T, V, L)                                                                              \
    LOOPS(T##_blocks, T, V, L)                                                                     \
    LOOPS(T##_single, T, T##_one, 1)                                                               \
    static void forward_##T(const mica__depthwise_row *r, const void *w, void *y, int64_t y_place) \
    {                                                                                              \
        int64_t i = 0;                                                                             \
        for (; i + L <= r->channels; i += L) forward_##T##_blocks(r, i, w, y, y_place);            \
        for (; i < r->channels; i++) forward_##T##_single(r, i, w, y, y_place);                    \
    }                                                                                              \
    static void weight_##T(const mica__depthwise_row *r, const void *y, int64_t y_place, void *w)  \
    {                                                                                              \
        int64_t i = 0;                                                                             \
        for (; i + L <= r->channels; i += L) weight_##T##_blocks(r, i, y, y_place, w);             \
        for (; i < r->channels; i++) weight_##T##_single(r, i, y, y_place, w);                     \
    }
TYPE(float, float_block, 8)
TYPE(double, double_block, 4)

const mica__depthwise_loops MICA_ISA_FUNCTION(mica__depthwise_)[2] = {
    { forward_float, weight_float }, { forward_double, weight_double }
};
