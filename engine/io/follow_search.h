/* What the search for rules (follow.c) and the rules (follow_rules.c) work on. */
#ifndef MICA_ENGINE_FOLLOW_SEARCH_H
#define MICA_ENGINE_FOLLOW_SEARCH_H

#include "io/follow.h"

enum { MICA__TRACES = 512, MICA__RANGES = 12 };

typedef struct mica__search_axis {
    size_t input, place;
    int64_t was;
} mica__search_axis;

typedef struct mica__search {
    mica_scope *s;
    mica__sizes *z;
    mica__retrace *again;
    void *user;
    mica__layout layout;
    mica__text traces[MICA__TRACES]; /* of them the first is the one of the file */
    size_t n, spent;
    mica__constants constants;
    mica__search_axis *axes;
    size_t naxes, ninputs;
    int64_t *sizes;    /* of the axes, for the next trace */
    mica_dims *shapes; /* over them */
    int64_t prime;
    const char *why;
    bool stopped;
} mica__search;

/* Whether all numbers that differ between the traces follow from sizes; the rules, if they are to
   be kept. Else `why` is the primitive of the first that does not. */
bool mica__find_rules(mica__search *k, bool keep);

#endif
