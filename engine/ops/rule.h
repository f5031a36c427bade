/* The type rules in memory. */
#ifndef MICA_ENGINE_RULE_H
#define MICA_ENGINE_RULE_H

#include "ops/prim.h"

/* Kinds of element type. */
enum { MICA_KIND_B = 1, MICA_KIND_I = 2, MICA_KIND_F = 4, MICA_KIND_C = 8 };

typedef struct mica__rule_info {
    mica__conversion convert;
    unsigned accepts; /* MICA_KIND bits */
    mica__out out;
} mica__rule_info;

extern const mica__rule_info mica__rules[];

/* The kind of one type. */
unsigned mica__kind_of(mica_dtype d);
/* The type of an element-wise primitive's result for operands of that type, after conversion. */
mica_dtype mica__rule_out(mica_prim prim, mica_dtype in);

#endif
