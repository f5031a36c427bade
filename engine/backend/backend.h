/* What a backend offers to the runtime: it runs steps of a plan, in order. */
#ifndef MICA_ENGINE_BACKEND_H
#define MICA_ENGINE_BACKEND_H

#include "compile/plan.h"

typedef struct mica__backend {
    const char *name;
    /* Runs one step whose inputs are evaluated; afterwards the outputs that are needed have data.
     * On failure the message is the calling thread's. */
    int (*run)(mica__step *step);
} mica__backend;

#endif
