/* Sums over labelled axes: what einsum and its relatives share. */
#ifndef MICA_ENGINE_EINSUM_H
#define MICA_ENGINE_EINSUM_H

#include "ops/builder.h"

/* Labels are numbers: letters first, then the axes that `...` stands for, counted from the last. */
enum { MICA_LETTERS = 52, MICA_LABELS = MICA_LETTERS + MICA_MAX_NDIM };

typedef struct mica__label_set {
    uint64_t bits[2];
} mica__label_set;

static inline void mica__label_add(mica__label_set *set, int label)
{
    set->bits[label / 64] |= (uint64_t)1 << label % 64;
}
static inline bool mica__label_in(const mica__label_set *set, int label)
{
    return set->bits[label / 64] >> label % 64 & 1;
}

/* The labels of an array's axes, in their order. */
typedef struct mica__term {
    int n;
    uint8_t at[MICA_MAX_NDIM];
} mica__term;

mica__label_set mica__labels_of(const mica__term *t);

/* What subscripts and operands say together. */
typedef struct mica__einsum {
    size_t n;       /* operands */
    mica__term *in; /* of each, repeated labels included */
    mica__term out;
    int64_t size[MICA_LABELS]; /* 1 gives way to larger sizes */
    char *text;                /* the subscripts without blanks */
} mica__einsum;

bool mica__einsum_parse(mica_scope *s, const char *name, const char *subscripts,
                        mica_arrays operands, mica__einsum *e);

/* One step: the operands at these places (ascending) are taken out and their result is put at the
   end. Two of them but for the last step, which takes all that are left. */
typedef struct mica__einsum_step {
    int64_t first, second;
    bool all;
} mica__einsum_step;

/* The order of contraction. steps: room for max(1, n - 1), in the scope; returns their number, 0 on
 * failure. */
size_t mica__einsum_plan(mica_scope *s, const mica__einsum *e, mica__einsum_step **steps);
/* What the plan costs, as text of the scope. */
const char *mica__einsum_describe(mica_scope *s, const mica__einsum *e, size_t n,
                                  const mica__einsum_step *steps);

/* The sum of a * b over the labels that `out` lacks; no label is repeated in a term, sizes of equal
   labels are equal, and `out` is made of labels of both. Sums of products are products of matrices.
 */
mica_array *mica__contract(mica_scope *s, const char *name, mica_array *a, const mica__term *a_term,
                           mica_array *b, const mica__term *b_term, const mica__term *out);

#endif
