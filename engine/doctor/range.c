/* Values of evaluated arrays: ranges, and whether all are finite. */
#include <math.h>

#include "doctor/inside.h"

static bool is_number(const mica_array *a)
{
    return mica__is_inexact((mica_dtype)a->dtype) && a->data;
}

/* Calls fn with each element of a floating array, both parts of complex ones; stops when it answers
 * false. */
static void each(const mica_array *a, bool (*fn)(double, void *), void *user)
{
    int64_t at[MICA_MAX_NDIM] = { 0 };
    size_t size = mica__dtype_sizes[a->dtype];
    for (int64_t i = 0; i < a->size; i++) {
        int64_t offset = 0;
        for (int k = 0; k < a->ndim; k++) offset += at[k] * a->strides[k];
        const char *element = a->data + offset * (int64_t)size;
        if (a->dtype == MICA_COMPLEX64) {
            float parts[2];
            memcpy(parts, element, sizeof parts);
            if (!fn((double)parts[0], user) || !fn((double)parts[1], user)) return;
        } else if (!fn(mica__load_number((mica_dtype)a->dtype, element), user)) {
            return;
        }
        for (int k = a->ndim; k-- > 0;) {
            if (++at[k] < a->shape[k]) break;
            at[k] = 0;
        }
    }
}

static bool add(double x, void *user)
{
    mica__range *r = user;
    if (isnan(x)) r->nans++;
    else if (isinf(x)) r->infinities++;
    else {
        if (!(x >= r->smallest)) r->smallest = x;
        if (!(x <= r->largest)) r->largest = x;
    }
    return true;
}

void mica__doctor_range(const mica_array *a, mica__range *out)
{
    *out = (mica__range){ .dtype = (mica_dtype)a->dtype,
                          .ndim = a->ndim <= 8 ? a->ndim : 8,
                          .smallest = (double)NAN,
                          .largest = (double)NAN };
    for (int i = 0; i < out->ndim; i++) out->shape[i] = a->shape[i];
    if (is_number(a)) each(a, add, out);
}

static bool look(double x, void *user)
{
    bool *found = user;
    *found = !isfinite(x);
    return !*found;
}

bool mica__doctor_is_nonfinite(const mica_array *a)
{
    bool found = false;
    if (is_number(a)) each(a, look, &found);
    return found;
}
