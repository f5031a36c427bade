/* Attention in blocks: what the paths share, and their inner loops, compiled once per instruction
   set.

   Scores are computed transposed, keys down and queries across: a strip of queries fills whole
   vectors, so maxima, exponentials and sums run down the keys without crossing lanes, keys are read
   where they lie, and only the few queries are transposed. */
#ifndef MICA_ENGINE_ATTENTION_H
#define MICA_ENGINE_ATTENTION_H

#include "backend/cpu/gemm/kernel.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/loop.h"

/* The score of a masked key: far below all others, so that a row without any other averages the
 * values, as the reference does. */
#define MICA_MASKED_F32 (-3.40282347e38f)
#define MICA_MASKED_F64 (-1.7976931348623157e308)

/* Numbers are float, or double for float64. A strip is `columns` queries; `ld` separates the rows
 * of keys. */
typedef struct mica__attention_loops {
    size_t columns;
    /* out[f * columns + i] = scale * x[i * row + f] for i < count, 0 for the other columns. */
    void (*transpose)(size_t count, size_t features, const void *x, ptrdiff_t row, double scale,
                      void *out);
    /* Adds the mask, or puts the masked score where a bool mask is false: element (query i, key k)
     * at i * query + k * key, in elements. */
    void (*mask)(size_t count, size_t keys, const void *mask, mica_dtype dtype, ptrdiff_t query,
                 ptrdiff_t key, void *scores, ptrdiff_t ld);
    /* Hides, from column i, the keys from visible + i on. */
    void (*hide)(size_t keys, int64_t visible, void *scores, ptrdiff_t ld);
    /* One step of the running softmax, columns wide: scores become exponentials; top and sum go on;
     * factor: what earlier results are worth now. */
    void (*softmax)(size_t keys, void *scores, ptrdiff_t ld, void *top, void *sum, void *factor);
    /* The same for one row of n scores, from nothing: top and sum are written. */
    void (*softmax_row)(size_t n, void *scores, void *top, void *sum);
    /* out[i * row + f] *= factor[i]; true factors of 1 are skipped. */
    void (*rescale)(size_t count, size_t features, void *out, ptrdiff_t row, const void *factor);
    /* Scores to probabilities, in place, and the products' cotangents d to the scores', times
     * scale. */
    void (*backward)(size_t keys, void *scores, void *d, ptrdiff_t ld, const void *top,
                     const void *reciprocal, const void *delta, double scale);
    /* sums[i] = sum over f of x[i * x_row + f] * y[i * y_row + f] */
    void (*dots)(size_t count, size_t features, const void *x, ptrdiff_t x_row, const void *y,
                 ptrdiff_t y_row, void *sums);
} mica__attention_loops;

/* [0] float32, [1] float64 */
extern const mica__attention_loops mica__attention_portable[2], mica__attention_v3[2],
    mica__attention_v4[2];

/* A 4-d view of an operand (batch, heads, rows, features), leading axes folded into batch by their
 * offsets. */
typedef struct mica__heads {
    const mica_array *array;
    const char *data;
    int64_t head, row, feature; /* strides in elements */
} mica__heads;

/* One launch: geometry, element types, loops. */
typedef struct mica__attention {
    const mica__attention_loops *loops;
    const mica__gemm_isa *gemm;
    mica_dtype dtype;
    mica__gemm_store store, numbers; /* of elements; of the arithmetic */
    size_t item, unit;
    mica__loop *up, *down; /* halves; NULL for others */
    double scale;
    bool causal, masked, sinks;
    int64_t batch, heads, groups;            /* groups: query heads for each head of keys */
    int64_t queries, keys, features, values; /* lengths and sizes */
    mica__heads q, k, v, mask;
    const char *sink; /* in elements, stride below; NULL: none */
    int64_t sink_stride;
    char *out, *rows; /* result, and (top, reciprocal sum) of each row */
    mica__loop *sink_up;
    atomic_size_t missing; /* bytes that a task could not get; 0 while all is well */
} mica__attention;

void mica__attention_open(mica__attention *a, const mica__launch *l);
mica__heads mica__heads_of(const mica_array *x);
/* First element of (batch, head) in bytes. */
const char *mica__heads_at(const mica__heads *h, size_t item, int64_t batch, int64_t head);
/* Rows [first, first + count) of a head as numbers, features contiguous: where they lie, else
   copied to `buffer` with rows of mica__padded(features) numbers. `whole`: only whole vectors may
   be read where they lie. *row: the distance of rows. */
const void *mica__attention_rows(const mica__attention *a, const mica__heads *h, const char *head,
                                 int64_t features, int64_t first, int64_t count, bool whole,
                                 void *buffer, ptrdiff_t *row);
/* Rows of values for a product that reads them as elements of *store: where they lie, or a copy. */
const void *mica__attention_values(const mica__attention *a, const char *head, int64_t key,
                                   int64_t n, void *buffer, mica__gemm_store *store,
                                   ptrdiff_t *row);
/* Stores `features` numbers of `count` rows as elements, row-major. */
void mica__attention_store(const mica__attention *a, int64_t count, int64_t features,
                           const void *numbers, ptrdiff_t row, char *out);
/* Number of the first keys that query i sees; all when it would see none. */
static inline int64_t mica__attention_limit(const mica__attention *a, int64_t query)
{
    int64_t limit = query + a->keys - a->queries + 1;
    return !a->causal || limit <= 0 || limit > a->keys ? a->keys : limit;
}
/* The sink of a query head as a number at `out`; false: there is none. */
bool mica__attention_sink(const mica__attention *a, int64_t head, void *out);
/* Matrix product of rows x depth by depth x columns in tiles: c (+)= a b. b holds elements of
 * `store`. */
void mica__attention_product(const mica__attention *a, mica__gemm_store store, size_t rows,
                             size_t columns, size_t depth, const void *x, ptrdiff_t x_row,
                             ptrdiff_t x_column, const void *b, ptrdiff_t b_row, void *c,
                             ptrdiff_t c_row, bool add);
/* Scores of a strip, masked: queries [query, query + count) from `turned` (scaled), keys [key, key
 * + n). */
void mica__attention_scores(const mica__attention *a, int64_t batch, int64_t head, int64_t query,
                            int64_t count, int64_t key, int64_t n, const void *turned,
                            const void *k, ptrdiff_t k_row, void *scores, ptrdiff_t ld);
/* Few queries: rows of scores over parts of the keys. */
bool mica__attention_is_narrow(const mica__attention *a);
int mica__attention_narrow(mica__attention *a);

/* Number i at `at`. */
static inline void mica__attention_set(const mica__attention *a, char *at, size_t i, double value)
{
    if (a->unit == 8) ((double *)(void *)at)[i] = value;
    else ((float *)(void *)at)[i] = (float)value;
}
static inline double mica__attention_get(const mica__attention *a, const char *at, size_t i)
{
    return a->unit == 8 ? ((const double *)(const void *)at)[i]
                        : (double)((const float *)(const void *)at)[i];
}

/* Queries of a block; keys of a step, whole tiles of the matrix product. */
enum { MICA_ATTENTION_BLOCK = 128 };
static inline int64_t mica__attention_step(const mica__attention *a)
{
    return MICA_ATTENTION_BLOCK / (int64_t)a->gemm->rows * (int64_t)a->gemm->rows;
}
/* How many keys the queries [first, first + count) need. */
int64_t mica__attention_reach(const mica__attention *a, int64_t first, int64_t count);

/* What the launch returns once its tasks are done. */
static inline int mica__attention_status(mica__attention *a)
{
    size_t missing = atomic_load(&a->missing);
    return missing ? mica__fail_memory("scaled_dot_product_attention", missing) : MICA_OK;
}

/* A part of a task's memory; parts lie one behind the other, each on a boundary of 64 bytes. */
typedef struct mica__attention_part {
    char **at;
    int64_t numbers;
} mica__attention_part;
/* Takes memory for all parts; *bytes is what mica__memory_give wants. NULL, and `missing` is set,
 * when there is none. */
void *mica__attention_take(mica__attention *a, const mica__attention_part parts[], size_t n,
                           size_t *bytes);

/* Features padded to whole vectors. */
static inline int64_t mica__padded(int64_t n)
{
    return (n + 15) / 16 * 16;
}
static inline int64_t mica__smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t mica__parts(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

#endif
