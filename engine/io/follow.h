/* How the numbers of a traced graph follow from the sizes of its inputs. A shapeless file holds one
   trace, and for each number that is another in traces of other sizes the rule that gives it in all
   of them. What no rule gives keeps the axis at the size of the trace. */
#ifndef MICA_ENGINE_FOLLOW_H
#define MICA_ENGINE_FOLLOW_H

#include "io/export.h"
#include "io/words.h"
#include "ops/prim.h"

/* Axis `axis` of a value of the graph. */
typedef struct mica__size_of {
    uint64_t value, axis;
} mica__size_of;

/* The word at byte `at` of the graph is (factor * product of sizes + addend) / divisor, exactly. */
typedef struct mica__size_rule {
    uint64_t at;
    int64_t factor, addend, divisor;
    size_t n;
    const mica__size_of *sizes;
} mica__size_rule;

/* What sizes axes that vary together may have: least <= size <= most, a multiple of step. Below
   `together` it may be alone, when no other range is smaller than traced: several axes of size 1
   are often a case of their own. */
typedef struct mica__size_range {
    int64_t least, together, most, step;
} mica__size_range;

/* Of one axis of an input: its range + 1, or 0 and the primitive that keeps it as it was. */
typedef struct mica__size_axis {
    uint64_t range;
    const char *primitive;
} mica__size_axis;

typedef struct mica__sizes {
    size_t naxes, nranges, nrules; /* axes: those of all inputs in order */
    mica__size_axis *axes;
    mica__size_range *ranges;
    mica__size_rule *rules; /* by place, ascending */
} mica__sizes;

void mica__sizes_put(mica__text *to, const mica__sizes *z);
/* Reads them again, in memory of the scope; total. */
bool mica__sizes_get(mica__words *w, mica__sizes *z);
/* Whether inputs may have their sizes, given those of the trace; else EVALUE. */
bool mica__sizes_allow(mica_scope *s, const mica__sizes *z, const mica_dims was[],
                       mica_array *const inputs[], size_t n);

/* Works the rules out; shapes for `again` are in the order of the placeholders. False, and the
   scope is marked, on failure. */
bool mica__sizes_find(mica_scope *s, mica__sizes *z, mica_array *const results[], size_t nresults,
                      mica_array *const placeholders[], size_t n, mica__retrace *again, void *user);

/* ---- for follow.c ---- */

typedef struct mica__layout_operation {
    size_t begin, end; /* bytes of the graph */
    mica_prim prim;
    size_t inputs, ninputs; /* places in `inputs` */
    uint64_t values;        /* values that were there before */
} mica__layout_operation;

typedef struct mica__layout_value {
    size_t at; /* of its sizes */
    size_t ndim;
} mica__layout_value;

/* Where things stand in a graph that was written. */
typedef struct mica__layout {
    const char *graph;
    size_t bytes;
    bool *free; /* by byte: it may differ between traces */
    mica__layout_operation *operations;
    mica__layout_value *values;
    uint64_t *inputs;
    struct mica__layout_number {
        size_t at, operation;
    } * numbers; /* those that need a rule where they differ */
    size_t noperations, nvalues, nnumbers;
} mica__layout;
bool mica__layout_make(mica_scope *s, mica__layout *l, const mica__text *graph);
/* The primitive where another graph is built otherwise; NULL for none. */
const char *mica__layout_differs(const mica__layout *l, const mica__text *other);

static inline int64_t mica__word_at(const char *graph, size_t at)
{
    int64_t word;
    memcpy(&word, graph + at, sizeof word);
    return word;
}

#endif
