/* What the doctor's files share. */
#ifndef MICA_ENGINE_DOCTOR_INSIDE_H
#define MICA_ENGINE_DOCTOR_INSIDE_H

#include "compile/plan.h"
#include "doctor/doctor.h"

/* Looks for mistakes in a plan, under the planner's lock. Returns the bytes of gradients that are
 * held by somebody beside the plan. */
uint64_t mica__doctor_examine(const mica__plan *plan, mica_array *const roots[], size_t nroots);

/* Under the planner's lock. NULL when there is no memory for it, or it is too large. */
mica__sketch *mica__sketch_make(const mica__plan *plan);

/* The range of an evaluated array. */
void mica__doctor_range(const mica_array *a, mica__range *out);
/* Whether an evaluated array of a floating type has a NaN or an infinity. */
bool mica__doctor_is_nonfinite(const mica_array *a);

#endif
