/* A reduction at work: where its elements come from, how it is cut into tasks, where results go. */
#ifndef MICA_ENGINE_REDUCE_TASKS_H
#define MICA_ENGINE_REDUCE_TASKS_H

#include "backend/cpu/loop.h"
#include "backend/cpu/reduce.h"
#include "backend/cpu/tape_code.h"
#include "backend/cpu/walk.h"

/* Columns side by side; of many columns that a tape computes more, since its operands lie in
   several places. */
enum { MICA_REDUCE_COLUMNS = 128, MICA_REDUCE_WIDE = 256, MICA_REDUCE_WORK = 32 * 1024 };

typedef struct mica__reduction {
    const mica__reducer *loops;
    const char *data;
    const mica__tape *tape; /* instead of data: computes elements, numbered in the order of its
                               walk; strides are those of an array that lies in that order */
    size_t item;            /* bytes of an element of data */
    size_t element;         /* bytes of an element of the loops */
    mica__loop *convert;    /* input to loop type; NULL: the same */
    mica__loop *store;      /* wide to output type */
    size_t store_factor;    /* numbers that `store` converts an element */
    int64_t outputs, count, segments;
    mica__walk kept, reduced;
    int column;                     /* the kept axis that is walked along, -1: rows */
    int64_t columns, blocks, block; /* its size, cut into `blocks` of `block` */
    char *out;
    size_t out_item;
    char *partials; /* outputs x segments wide values, when there are several segments */
    int64_t rows_a_task;
    _Atomic int status; /* EMEMORY: a task had no registers */
} mica__reduction;

/* Loops and types of a reduction's node over elements of type `given`; EVALUE where there are none.
 */
int mica__reduction_init(mica__reduction *r, const mica_node *n, mica_dtype given);
/* Whether elements lie so that reading down long strides would waste a cache line each. */
bool mica__reduction_scattered(const mica__reduction *r, const mica_array *in,
                               const int64_t *strides);
/* Sets the walks over the input, whose elements have these strides. */
void mica__reduction_walk(mica__reduction *r, const mica_node *n, const int64_t *strides);
/* Whether results side by side are reduced row after row: their elements are contiguous. Sets
 * r->column. */
bool mica__reduction_by_columns(mica__reduction *r);
/* Results to r->out. */
int mica__reduction_run(mica__reduction *r);

/* Tasks, for mica__parallel over a mica__reduction. */
void mica__reduce_rows(void *reduction, size_t task);
void mica__reduce_columns(void *reduction, size_t task);
void mica__reduce_combine(void *reduction, size_t task);

#endif
