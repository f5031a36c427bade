/* Fused element-wise steps on the CPU. */
#ifndef MICA_ENGINE_TAPE_H
#define MICA_ENGINE_TAPE_H

#include "compile/plan.h"

/* Runs a step made of tape ops: kept results have data afterwards. */
int mica__tape_run(mica__step *step);
/* Whether the step's reduction can take its elements from the running tape. */
bool mica__tape_reduces(mica__step *step);

#endif
