/* Inner loops of the gated delta rule. */
#include "backend/cpu/gated_delta.h"

#include "backend/cpu/loops.h"
#include "kernel/body.h"

#define BLOCK(type) __attribute__((vector_size(64), aligned(_Alignof(type)), may_alias))
typedef float float_block BLOCK(float);
typedef double double_block BLOCK(double);

/* T: the type; V, L: a block and its elements. */
#define AT(V, p)  (*(V *)(void *)(p))
#define GET(V, p) (*(const V *)(const void *)(p))
#define LOOPS(suffix, T, V, L)                                                                     \
    MICA_BODY T fold_##suffix(V a, V b, const T *rest)                                             \
    {                                                                                              \
        T lanes[2 * L];                                                                            \
        memcpy(lanes, &a, sizeof a);                                                               \
        memcpy(lanes + L, &b, sizeof b);                                                           \
        for (int j = 0; j < 2 * L; j++) lanes[j] += rest[j];                                       \
        for (int half = L; half; half /= 2)                                                        \
            for (int j = 0; j < half; j++) lanes[j] += lanes[j + half];                            \
        return lanes[0];                                                                           \
    }                                                                                              \
    MICA_BODY T dot_##suffix(size_t n, const T *x, const T *y)                                     \
    {                                                                                              \
        V a = { 0 }, b = { 0 };                                                                    \
        T rest[2 * L] = { 0 };                                                                     \
        size_t i = 0;                                                                              \
        for (; i + 2 * L <= n; i += 2 * L) {                                                       \
            a += GET(V, x + i) * GET(V, y + i);                                                    \
            b += GET(V, x + i + L) * GET(V, y + i + L);                                            \
        }                                                                                          \
        for (size_t j = 0; i < n; i++, j++) rest[j] = x[i] * y[i];                                 \
        return fold_##suffix(a, b, rest);                                                          \
    }                                                                                              \
    /* next = gamma * state + delta * k; returns next . q */                                       \
    MICA_BODY T advance_##suffix(size_t n, const T *state, T gamma, T delta, const T *k,           \
                                 const T *q, T *next)                                              \
    {                                                                                              \
        V a = { 0 }, b = { 0 };                                                                    \
        T rest[2 * L] = { 0 };                                                                     \
        size_t i = 0;                                                                              \
        for (; i + 2 * L <= n; i += 2 * L) {                                                       \
            V x = GET(V, state + i) * gamma + GET(V, k + i) * delta;                               \
            V y = GET(V, state + i + L) * gamma + GET(V, k + i + L) * delta;                       \
            AT(V, next + i) = x;                                                                   \
            AT(V, next + i + L) = y;                                                               \
            a += x * GET(V, q + i);                                                                \
            b += y * GET(V, q + i + L);                                                            \
        }                                                                                          \
        for (size_t j = 0; i < n; i++, j++) {                                                      \
            next[i] = state[i] * gamma + k[i] * delta;                                             \
            rest[j] = next[i] * q[i];                                                              \
        }                                                                                          \
        return fold_##suffix(a, b, rest);                                                          \
    }                                                                                              \
    static void forward_##suffix(const mica__delta_step *p, const void *state, void *next,         \
                                 void *out)                                                        \
    {                                                                                              \
        const T *k = p->k, *q = p->q, *v = p->v;                                                   \
        T gamma = (T)p->gamma, beta = (T)p->beta, *o = out;                                        \
        for (size_t r = 0; r < p->rows; r++) {                                                     \
            const T *from = (const T *)state + r * p->n;                                           \
            T delta = beta * (v[r] - gamma * dot_##suffix(p->n, from, k));                         \
            T y = advance_##suffix(p->n, from, gamma, delta, k, q, (T *)next + r * p->n);          \
            if (o) o[r] = y;                                                                       \
        }                                                                                          \
    }                                                                                              \
    /* With a = gamma * state, m = a . k, delta = beta (v - m), next = a + delta k, o = next . q.  \
     */                                                                                            \
    static void backward_##suffix(const mica__delta_step *p, const void *state, const void *next,  \
                                  const void *d_out, void *cotangents, mica__delta_gradients *out) \
    {                                                                                              \
        const T *k = p->k, *q = p->q, *v = p->v, *d = d_out;                                       \
        T gamma = (T)p->gamma, beta = (T)p->beta, *dk = out->dk, *dq = out->dq, *dv = out->dv;     \
        for (size_t r = 0; r < p->rows; r++) {                                                     \
            const T *from = (const T *)state + r * p->n, *to = (const T *)next + r * p->n;         \
            T *g = (T *)cotangents + r * p->n;                                                     \
            MICA_LOOP                                                                              \
            for (size_t i = 0; i < p->n; i++) {                                                    \
                g[i] += d[r] * q[i];                                                               \
                dq[i] += d[r] * to[i];                                                             \
            }                                                                                      \
            T error = v[r] - gamma * dot_##suffix(p->n, from, k);                                  \
            T ddelta = dot_##suffix(p->n, g, k), delta = beta * error, dm = -beta * ddelta;        \
            out->dbeta += (double)(ddelta * error);                                                \
            dv[r] = beta * ddelta;                                                                 \
            T scaled = dm * gamma;                                                                 \
            MICA_LOOP                                                                              \
            for (size_t i = 0; i < p->n; i++) {                                                    \
                dk[i] += delta * g[i] + scaled * from[i];                                          \
                g[i] += dm * k[i];                                                                 \
            }                                                                                      \
            out->dgamma += (double)dot_##suffix(p->n, g, from);                                    \
            MICA_LOOP                                                                              \
            for (size_t i = 0; i < p->n; i++) g[i] *= gamma;                                       \
        }                                                                                          \
    }

LOOPS(f32, float, float_block, 16)
LOOPS(f64, double, double_block, 8)

const mica__delta_loops MICA_ISA_FUNCTION(mica__delta_)[2] = { { forward_f32, backward_f32 },
                                                               { forward_f64, backward_f64 } };
