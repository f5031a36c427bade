/* Builder of cross_entropy. */
#include "ops/builder.h"

mica_array *mica_fast_cross_entropy(mica_scope *s, mica_array *logits, mica_array *targets)
{
    logits = mica__operand(s, logits);
    targets = mica__operand(s, targets);
    if (!mica__ready(s, logits) || !targets) return NULL;
    mica_dtype d = (mica_dtype)logits->dtype,
               wide = d == MICA_FLOAT64 ? MICA_FLOAT64 : MICA_FLOAT32;
    mica_dims rows = { logits->ndim - 1, logits->shape };
    if (!logits->ndim)
        return mica__error(
            s, MICA_EVALUE,
            "[cross_entropy] logits must have at least 1 dimension but got input with "
            "0 dimensions.");
    if (!mica__is_float(d))
        return mica__error(
            s, MICA_EVALUE,
            "[cross_entropy] Received unsupported logits type %s; accepted: float16, "
            "bfloat16, float32, float64.",
            mica_dtype_name(d));
    if (!mica__is_integer((mica_dtype)targets->dtype))
        return mica__error(s, MICA_EVALUE,
                           "[cross_entropy] targets must be integer class indices but got %s.",
                           mica_dtype_name((mica_dtype)targets->dtype));
    if (!mica__shape_equal(mica__dims_of(targets), rows))
        return mica__error(
            s, MICA_EVALUE,
            "[cross_entropy] targets shape %s does not match logits shape %s with the last axis "
            "removed.",
            mica__shape_text(mica__dims_of(targets)), mica__shape_text(mica__dims_of(logits)));
    if (!logits->size)
        return mica__error(s, MICA_EVALUE, "[cross_entropy] logits of shape %s have no elements",
                           mica__shape_text(mica__dims_of(logits)));
    int64_t pair[MICA_MAX_NDIM];
    for (int i = 0; i < logits->ndim; i++) pair[i] = logits->shape[i];
    pair[logits->ndim - 1] = 2;
    mica_dtype dtypes[2] = { MICA_FLOAT32, wide };
    mica_dims shapes[2] = { rows, { logits->ndim, pair } };
    mica_array *out[2];
    mica__build_many(s, mica_prim_cross_entropy, NULL, 2, (mica_array *const[]){ logits, targets },
                     2, dtypes, shapes, out);
    return out[0];
}
