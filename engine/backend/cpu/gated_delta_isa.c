/* Inner loops of the gated delta rule. */
#include "backend/cpu/gated_delta.h"

#include "backend/cpu/loops.h"
#include "kernel/body.h"

/* A block is PARTS of the instruction set's vectors: wider ones would live in memory. */
#if MICA_LEVEL == 2
#define WIDTH 64
#elif MICA_LEVEL == 1
#define WIDTH 32
#else
#define WIDTH 16
#endif
enum { PARTS = MICA_DELTA_BLOCK / WIDTH };
typedef float float_part __attribute__((vector_size(WIDTH), aligned(4), may_alias));
typedef double double_part __attribute__((vector_size(WIDTH), aligned(8), may_alias));

#define EACH for (int j = 0; j < PARTS; j++)

/* T: the type; V: a part of a block; L: a block's elements. Sums over a row go to two blocks in
 * turn. */
#define LOOPS(suffix, T, V, L)                                                                     \
    typedef struct block_##suffix {                                                                \
        V part[PARTS];                                                                             \
    } block_##suffix;                                                                              \
    /* The sum of a block, folded in halves. */                                                    \
    MICA_BODY T total_##suffix(block_##suffix x)                                                   \
    {                                                                                              \
        T rest[L / PARTS];                                                                         \
        for (int half = PARTS / 2; half; half /= 2)                                                \
            for (int j = 0; j < half; j++) x.part[j] += x.part[j + half];                          \
        memcpy(rest, &x.part[0], sizeof rest);                                                     \
        for (int half = L / PARTS / 2; half; half /= 2)                                            \
            for (int j = 0; j < half; j++) rest[j] += rest[j + half];                              \
        return rest[0];                                                                            \
    }                                                                                              \
    MICA_BODY block_##suffix load_##suffix(const void *numbers)                                    \
    {                                                                                              \
        block_##suffix x;                                                                          \
        memcpy(&x, numbers, sizeof x);                                                             \
        return x;                                                                                  \
    }                                                                                              \
    /* With a = gamma * state, delta = beta (v - a . k), next = a + delta k, out = next . q. */    \
    static void forward_##suffix(const mica__delta_step *p, const void *state, void *next,         \
                                 void *out)                                                        \
    {                                                                                              \
        const T *k = p->k, *q = p->q;                                                              \
        const V *from = state;                                                                     \
        V *to = next;                                                                              \
        block_##suffix v = load_##suffix(p->v), delta, a = { { { 0 } } }, b = a;                   \
        T gamma = (T)p->gamma, beta = (T)p->beta;                                                  \
        size_t i = 0;                                                                              \
        for (; i + 2 <= p->n; i += 2) {                                                            \
            EACH a.part[j] += from[i * PARTS + (size_t)j] * k[i];                                  \
            EACH b.part[j] += from[(i + 1) * PARTS + (size_t)j] * k[i + 1];                        \
        }                                                                                          \
        if (i < p->n) EACH a.part[j] += from[i * PARTS + (size_t)j] * k[i];                        \
        EACH delta.part[j] = (v.part[j] - (a.part[j] + b.part[j]) * gamma) * beta;                 \
        EACH a.part[j] = b.part[j] = (V){ 0 };                                                     \
        for (i = 0; i + 2 <= p->n; i += 2) {                                                       \
            EACH                                                                                   \
            {                                                                                      \
                V x = from[i * PARTS + (size_t)j] * gamma + delta.part[j] * k[i];                  \
                to[i * PARTS + (size_t)j] = x;                                                     \
                a.part[j] += x * q[i];                                                             \
            }                                                                                      \
            EACH                                                                                   \
            {                                                                                      \
                V x = from[(i + 1) * PARTS + (size_t)j] * gamma + delta.part[j] * k[i + 1];        \
                to[(i + 1) * PARTS + (size_t)j] = x;                                               \
                b.part[j] += x * q[i + 1];                                                         \
            }                                                                                      \
        }                                                                                          \
        if (i < p->n) EACH                                                                         \
            {                                                                                      \
                V x = from[i * PARTS + (size_t)j] * gamma + delta.part[j] * k[i];                  \
                to[i * PARTS + (size_t)j] = x;                                                     \
                a.part[j] += x * q[i];                                                             \
            }                                                                                      \
        EACH a.part[j] += b.part[j];                                                               \
        memcpy(out, &a, sizeof a);                                                                 \
    }                                                                                              \
    static void backward_##suffix(const mica__delta_step *p, const void *state, const void *next,  \
                                  void *cotangents, mica__delta_gradients *out)                    \
    {                                                                                              \
        const T *k = p->k, *q = p->q;                                                              \
        const V *from = state, *to = next;                                                         \
        T gamma = (T)p->gamma, beta = (T)p->beta, *dk = out->dk, *dq = out->dq;                    \
        V *g = cotangents;                                                                         \
        block_##suffix v = load_##suffix(p->v), d = load_##suffix(p->d_out),                       \
                       by_state = { { { 0 } } };                                                   \
        block_##suffix by_g = by_state, decay = by_state, delta, dm, scaled, dv, product;          \
        for (size_t i = 0; i < p->n; i++) {                                                        \
            EACH                                                                                   \
            {                                                                                      \
                V sum = g[i * PARTS + (size_t)j] + d.part[j] * q[i];                               \
                g[i * PARTS + (size_t)j] = sum;                                                    \
                by_state.part[j] += from[i * PARTS + (size_t)j] * k[i];                            \
                by_g.part[j] += sum * k[i];                                                        \
                product.part[j] = to[i * PARTS + (size_t)j] * d.part[j];                           \
            }                                                                                      \
            dq[i] += total_##suffix(product);                                                      \
        }                                                                                          \
        EACH                                                                                       \
        {                                                                                          \
            V error = v.part[j] - by_state.part[j] * gamma;                                        \
            delta.part[j] = error * beta;                                                          \
            dv.part[j] = by_g.part[j] * beta;                                                      \
            dm.part[j] = -dv.part[j];                                                              \
            scaled.part[j] = dm.part[j] * gamma;                                                   \
            product.part[j] = by_g.part[j] * error;                                                \
        }                                                                                          \
        memcpy(out->dv, &dv, sizeof dv);                                                           \
        out->dbeta += (double)total_##suffix(product);                                             \
        for (size_t i = 0; i < p->n; i++) {                                                        \
            EACH                                                                                   \
            {                                                                                      \
                V cotangent = g[i * PARTS + (size_t)j], before = from[i * PARTS + (size_t)j];      \
                product.part[j] = delta.part[j] * cotangent + scaled.part[j] * before;             \
                V da = cotangent + dm.part[j] * k[i];                                              \
                decay.part[j] += da * before;                                                      \
                g[i * PARTS + (size_t)j] = da * gamma;                                             \
            }                                                                                      \
            dk[i] += total_##suffix(product);                                                      \
        }                                                                                          \
        out->dgamma += (double)total_##suffix(decay);                                              \
    }                                                                                              \
    static void gather_##suffix(size_t rows, size_t n, const void *from, void *block)              \
    {                                                                                              \
        const T *x = from;                                                                         \
        T *to = block;                                                                             \
        for (size_t i = 0; i < n; i++)                                                             \
            for (size_t r = 0; r < L; r++) to[i * L + r] = r < rows ? x[r * n + i] : 0;            \
    }                                                                                              \
    static void scatter_##suffix(size_t rows, size_t n, const void *block, void *to)               \
    {                                                                                              \
        const T *x = block;                                                                        \
        T *y = to;                                                                                 \
        for (size_t r = 0; r < rows; r++)                                                          \
            for (size_t i = 0; i < n; i++) y[r * n + i] = x[i * L + r];                            \
    }

LOOPS(f32, float, float_part, 16)
LOOPS(f64, double, double_part, 8)

const mica__delta_loops MICA_ISA_FUNCTION(mica__delta_)[2] = {
    { forward_f32, backward_f32, gather_f32, scatter_f32 },
    { forward_f64, backward_f64, gather_f64, scatter_f64 },
};
