/* Builders of order: sort, partition and their indices, topk, searchsorted. */
#include "ops/shape.h"

/* Operand and axis; the flattened array has one. */
static mica_array *along(mica_scope *s, const char *name, mica_array *a, int *axis)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    if (*axis == MICA_FLATTEN) {
        *axis = 0;
        a = mica__reshape(s, a, 1, (const int64_t[]){ a->size });
    } else if (!mica__check_axis(s, name, MICA_EINDEX, a, *axis, axis)) {
        return NULL;
    }
    if (a && a->shape[*axis] > UINT32_MAX)
        return mica__error(s, MICA_EOVERFLOW,
                           "[%s] %lld elements are more than a uint32 index can tell apart", name,
                           (long long)a->shape[*axis]);
    return a;
}

static mica_array *ordered(mica_scope *s, mica_prim prim, mica_array *a, int axis, bool indices)
{
    a = along(s, mica__prims[prim].name, a, &axis);
    if (!a) return NULL;
    struct mica__sort_params p = { .axis = axis };
    return mica__build(s, prim, &p, 1, &a, indices ? MICA_UINT32 : (mica_dtype)a->dtype,
                       mica__dims_of(a));
}

mica_array *mica_sort(mica_scope *s, mica_array *a, int axis)
{
    return ordered(s, mica_prim_sort, a, axis, false);
}
mica_array *mica_argsort(mica_scope *s, mica_array *a, int axis)
{
    return ordered(s, mica_prim_argsort, a, axis, true);
}

static mica_array *partitioned(mica_scope *s, mica_prim prim, mica_array *a, int64_t kth, int axis,
                               bool indices)
{
    a = along(s, mica__prims[prim].name, a, &axis);
    if (!a) return NULL;
    int64_t n = a->shape[axis], k = kth < 0 ? kth + n : kth;
    if (k < 0 || k >= n)
        return mica__error(s, MICA_EVALUE,
                           "[%s] kth %lld is out of range for %lld elements along axis %d",
                           mica__prims[prim].name, (long long)kth, (long long)n, axis);
    struct mica__partition_params p = { .axis = axis, .kth = k };
    return mica__build(s, prim, &p, 1, &a, indices ? MICA_UINT32 : (mica_dtype)a->dtype,
                       mica__dims_of(a));
}

mica_array *mica_partition(mica_scope *s, mica_array *a, int64_t kth, int axis)
{
    return partitioned(s, mica_prim_partition, a, kth, axis, false);
}

mica_array *mica_argpartition(mica_scope *s, mica_array *a, int64_t kth, int axis)
{
    return partitioned(s, mica_prim_argpartition, a, kth, axis, true);
}

mica_array *mica_topk(mica_scope *s, mica_array *a, int64_t k, int axis)
{
    a = along(s, "topk", a, &axis);
    if (!a) return NULL;
    int64_t n = a->shape[axis];
    if (k < 0 || k > n)
        return mica__error(s, MICA_EVALUE,
                           "[topk] k = %lld, but axis %d of shape %s has %lld elements",
                           (long long)k, axis, mica__shape_text(mica__dims_of(a)), (long long)n);
    if (k == n) return a;
    if (k == 0) return mica__slice_axis(s, a, axis, 0, 0);
    return mica__slice_axis(s, mica_partition(s, a, n - k, axis), axis, n - k, k);
}

mica_array *mica_searchsorted(mica_scope *s, mica_array *sorted_sequence, mica_array *values,
                              const char *side)
{
    if (!mica__ready(s, sorted_sequence) || !values) return NULL;
    bool right = side && strcmp(side, "right") == 0;
    if (!side || (!right && strcmp(side, "left") != 0))
        return mica__error(s, MICA_EVALUE,
                           "[searchsorted] side '%s' is unknown; there are 'left' and 'right'",
                           side ? side : "");
    if (sorted_sequence->ndim != 1)
        return mica__error(s, MICA_EVALUE,
                           "[searchsorted] the sorted sequence must be 1-D, its shape is %s",
                           mica__shape_text(mica__dims_of(sorted_sequence)));
    mica_array *in[2] = { sorted_sequence, values };
    mica_dtype d = mica__result_dtype(in, 2);
    for (int i = 0; i < 2; i++)
        if (!(in[i] = mica__cast(s, in[i], d))) return NULL;
    struct mica__searchsorted_params p = { .right = right };
    return mica__build(s, mica_prim_searchsorted, &p, 2, in, MICA_UINT32, mica__dims_of(in[1]));
}
