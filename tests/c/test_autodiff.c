/* Derivatives and batching of views, reductions, scans, sorting and random numbers. */
#include "derivative_check.h"

CASE(broadcast)
{
    return SQ(mica_broadcast_to(s, SQ(x[0]), MICA_SHAPE(2, 3, 4)));
}
CASE(broadcast_0d)
{
    return SQ(mica_broadcast_to(s, x[0], MICA_SHAPE(2, 3)));
}
CASE(reshape)
{
    return SQ(mica_reshape(s, x[0], MICA_SHAPE(4, -1)));
}
CASE(reshape_0d)
{
    return SQ(mica_reshape(s, x[0], MICA_SCALAR));
}
CASE(transpose)
{
    return SQ(mica_transpose(s, x[0], MICA_AXES(2, 0, 1)));
}
CASE(expand)
{
    return SQ(mica_expand_dims(s, x[0], MICA_AXES(0, 2, -1)));
}
CASE(squeeze)
{
    return SQ(mica_squeeze(s, x[0], MICA_AXES(0, -1)));
}
CASE(slice)
{
    return SQ(mica_slice_static(s, x[0], MICA_SHAPE(1, -1), MICA_SHAPE(4, -6), MICA_SHAPE(1, -2)));
}
CASE(slice_empty)
{
    return mica_sum(s, SQ(mica_slice_static(s, x[0], MICA_SHAPE(3), MICA_SHAPE(1), MICA_SHAPE(1))),
                    MICA_ALL_AXES, false);
}
CASE(flip)
{
    return SQ(mica_flip(s, x[0], MICA_AXES(1)));
}
CASE(strided)
{
    return SQ(mica_as_strided(s, SQ(x[0]), MICA_SHAPE(3, 2, 2), MICA_SHAPE(3, 2, -1), 1));
}
CASE(contiguous)
{
    return SQ(mica_contiguous(s, mica_transpose(s, x[0], MICA_ALL_AXES), false));
}
CASE(join)
{
    return SQ(mica_concatenate(s, MICA_ARRAYS(x[0], x[1], SQ(x[0])), 1));
}
CASE(stack)
{
    return SQ(mica_stack(s, MICA_ARRAYS(x[0], x[1]), -1));
}
CASE(cast)
{
    return SQ(mica_astype(s, SQ(mica_astype(s, x[0], MICA_FLOAT64)), MICA_FLOAT64));
}
CASE(pad)
{
    return SQ(mica_pad(s, x[0], MICA_SHAPE(1, 0), MICA_SHAPE(0, 2), "constant", x[1]));
}
CASE(viewed)
{
    return mica_view(s, x[0], MICA_UINT8);
}

CASE(sum)
{
    return SQ(mica_sum(s, x[0], MICA_AXES(0, 2), false));
}
CASE(sum_keep)
{
    return SQ(mica_sum(s, SQ(x[0]), MICA_AXES(1), true));
}
CASE(sum_all)
{
    return SQ(mica_sum(s, x[0], MICA_ALL_AXES, false));
}
CASE(mean)
{
    return SQ(mica_mean(s, SQ(x[0]), MICA_AXES(-1), false));
}
CASE(variance)
{
    return mica_var(s, x[0], MICA_AXES(1), false, 1, MICA_NO_INTEGER);
}
CASE(prod)
{
    return mica_prod(s, x[0], MICA_AXES(0, 2), false);
}
CASE(prod_all)
{
    return mica_prod(s, x[0], MICA_ALL_AXES, false);
}
CASE(max)
{
    return SQ(mica_max(s, x[0], MICA_AXES(0, 2), false));
}
CASE(min)
{
    return SQ(mica_min(s, x[0], MICA_AXES(1), true));
}
CASE(softmax)
{
    return mica_softmax(s, x[0], MICA_AXES(-1), false);
}
CASE(softmax_axes)
{
    return mica_softmax(s, x[0], MICA_AXES(0, 2), true);
}
CASE(logsumexp)
{
    return mica_logsumexp(s, x[0], MICA_AXES(-1), false);
}
CASE(logsumexp_axes)
{
    return mica_logsumexp(s, x[0], MICA_AXES(0, 1), true);
}
CASE(logsumexp_large)
{
    return mica_logsumexp(s, mica_multiply(s, x[0], mica_number(s, 2000)), MICA_AXES(-1), false);
}
CASE(all_any)
{
    return mica_where(s,
                      mica_logical_xor(s, mica_all(s, x[0], MICA_AXES(1), true),
                                       mica_any(s, x[0], MICA_AXES(1), true)),
                      x[1], SQ(x[1]));
}
CASE(argmax)
{
    return mica_argmax(s, x[0], 1, false);
}
CASE(argmin)
{
    return mica_argmin(s, x[0], MICA_FLATTEN, false);
}

CASE(cumsum)
{
    return SQ(mica_cumsum(s, x[0], 1, false, true, MICA_DEFAULT_DTYPE));
}
CASE(cumsum_other)
{
    return SQ(mica_cumsum(s, x[0], 0, true, false, MICA_DEFAULT_DTYPE));
}
CASE(cumprod)
{
    return mica_cumprod(s, x[0], 1, false, true, MICA_DEFAULT_DTYPE);
}
CASE(cumprod_exclusive)
{
    return mica_cumprod(s, x[0], 1, false, false, MICA_DEFAULT_DTYPE);
}
CASE(cumprod_reverse)
{
    return mica_cumprod(s, x[0], 0, true, true, MICA_DEFAULT_DTYPE);
}
CASE(cumprod_both)
{
    return mica_cumprod(s, x[0], 1, true, false, MICA_DEFAULT_DTYPE);
}
CASE(cummax)
{
    return SQ(mica_cummax(s, x[0], 1, false, true));
}
CASE(cummax_reverse)
{
    return SQ(mica_cummax(s, x[0], 0, true, true));
}
CASE(cummax_exclusive)
{
    return mica_exp(s, mica_cummax(s, x[0], 1, false, false));
}
CASE(cummin)
{
    return SQ(mica_cummin(s, x[0], 1, false, true));
}
CASE(cummin_both)
{
    return mica_exp(s, mica_negative(s, mica_cummin(s, x[0], 1, true, false)));
}
CASE(logcumsumexp)
{
    return mica_logcumsumexp(s, x[0], 1, false, true);
}
CASE(logcumsumexp_reverse)
{
    return mica_logcumsumexp(s, x[0], 0, true, true);
}
CASE(logcumsumexp_exclusive)
{
    return mica_exp(s, mica_logcumsumexp(s, x[0], 1, false, false));
}

CASE(sort)
{
    return SQ(mica_sort(s, x[0], 1));
}
CASE(argsort)
{
    return mica_argsort(s, x[0], 0);
}
CASE(partition)
{
    return SQ(mica_partition(s, x[0], 2, 0));
}
CASE(argpartition)
{
    return mica_take_along_axis(s, x[0], mica_argpartition(s, x[0], 1, 1), 1);
}
CASE(topk)
{
    return SQ(mica_topk(s, x[0], 2, 1));
}
CASE(median)
{
    return SQ(mica_median(s, x[0], MICA_AXES(1), false));
}
CASE(searchsorted)
{
    return mica_searchsorted(s, mica_sort(s, x[0], 0), x[1], "left");
}
CASE(searchsorted_right)
{
    return mica_searchsorted(s, mica_sort(s, x[0], 0), x[1], "right");
}
CASE(random_words)
{
    return mica_random_bits(s, MICA_SHAPE(3, 2), 4, x[0]);
}

static const function_case cases[] = {
    { "broadcast_to", broadcast, { F(2, { 3, 1 }) }, false },
    { "broadcast_to of 0-d", broadcast_0d, { F(0, { 0 }) }, false },
    { "reshape", reshape, { F(2, { 6, 2 }) }, false },
    { "reshape to 0-d", reshape_0d, { F(2, { 1, 1 }) }, false },
    { "transpose", transpose, { F(3, { 2, 3, 4 }) }, false },
    { "expand_dims", expand, { F(2, { 2, 3 }) }, false },
    { "squeeze", squeeze, { F(4, { 1, 2, 3, 1 }) }, false },
    { "slice", slice, { F(2, { 4, 5 }) }, false },
    { "slice, empty", slice_empty, { F(1, { 4 }) }, false },
    { "flip", flip, { F(2, { 2, 3 }) }, false },
    { "as_strided", strided, { F(2, { 4, 3 }) }, false },
    { "contiguous", contiguous, { F(2, { 2, 3 }) }, false },
    { "concatenate", join, { F(2, { 2, 3 }), F(2, { 2, 1 }) }, false },
    { "stack", stack, { F(2, { 2, 3 }), F(2, { 2, 3 }) }, false },
    { "astype", cast, { F(1, { 3 }) }, false },
    { "pad", pad, { F(2, { 2, 3 }), F(0, { 0 }) }, false },
    { "view", viewed, { I(1000, 2, { 2, 3 }) }, false },
    { "sum", sum, { F(3, { 2, 3, 2 }) }, false },
    { "sum, kept axes", sum_keep, { F(2, { 2, 3 }) }, false },
    { "sum of all", sum_all, { F(2, { 2, 3 }) }, false },
    { "mean", mean, { F(2, { 2, 3 }) }, false },
    { "var", variance, { F(2, { 2, 3 }) }, false },
    { "prod", prod, { F(3, { 2, 3, 2 }) }, false },
    { "prod with zeros", prod, { Z(3, { 2, 4, 2 }) }, false },
    { "prod of all with zeros", prod_all, { Z(2, { 2, 2 }) }, false },
    { "max", max, { F(3, { 2, 3, 2 }) }, false },
    { "min", min, { F(2, { 2, 3 }) }, false },
    { "softmax", softmax, { F(2, { 2, 4 }) }, false },
    { "softmax, axes", softmax_axes, { F(3, { 2, 2, 2 }) }, false },
    { "logsumexp", logsumexp, { F(2, { 2, 4 }) }, false },
    { "logsumexp, axes", logsumexp_axes, { F(3, { 2, 2, 2 }) }, false },
    { "logsumexp of large numbers", logsumexp_large, { F(2, { 2, 4 }) }, true },
    { "all, any", all_any, { Z(2, { 2, 3 }), F(2, { 2, 1 }) }, true },
    { "argmax", argmax, { F(2, { 2, 4 }) }, false },
    { "argmin", argmin, { F(2, { 2, 4 }) }, false },
    { "cumsum", cumsum, { F(2, { 2, 4 }) }, false },
    { "cumsum, reverse, exclusive", cumsum_other, { F(2, { 3, 2 }) }, false },
    { "cumprod", cumprod, { F(2, { 2, 4 }) }, false },
    { "cumprod with zeros", cumprod, { Z(2, { 3, 4 }) }, true },
    { "cumprod, exclusive, with zeros", cumprod_exclusive, { Z(2, { 3, 4 }) }, true },
    { "cumprod, reverse, with zeros", cumprod_reverse, { Z(2, { 4, 3 }) }, true },
    { "cumprod, reverse, exclusive, with zeros", cumprod_both, { Z(2, { 3, 4 }) }, true },
    { "cummax", cummax, { F(2, { 2, 5 }) }, false },
    { "cummax, reverse", cummax_reverse, { F(2, { 5, 2 }) }, false },
    { "cummax, exclusive", cummax_exclusive, { F(2, { 2, 5 }) }, false },
    { "cummin", cummin, { F(2, { 2, 5 }) }, false },
    { "cummin, reverse, exclusive", cummin_both, { F(2, { 2, 5 }) }, false },
    { "logcumsumexp", logcumsumexp, { F(2, { 2, 4 }) }, false },
    { "logcumsumexp, reverse", logcumsumexp_reverse, { F(2, { 4, 2 }) }, false },
    { "logcumsumexp, exclusive", logcumsumexp_exclusive, { F(2, { 2, 4 }) }, false },
    { "sort", sort, { F(2, { 2, 5 }) }, false },
    { "argsort", argsort, { F(2, { 5, 2 }) }, false },
    { "partition", partition, { F(2, { 5, 2 }) }, false },
    { "argpartition", argpartition, { F(2, { 2, 5 }) }, false },
    { "topk", topk, { F(2, { 2, 5 }) }, false },
    { "median", median, { F(2, { 2, 4 }) }, false },
    { "searchsorted", searchsorted, { I(9, 1, { 7 }), I(9, 2, { 2, 5 }) }, false },
    { "searchsorted, right", searchsorted_right, { I(9, 1, { 7 }), I(9, 0, { 0 }) }, false },
    { "random_bits", random_words, { { 'k', 0, 1, { 2 } } }, false },
};

int main(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) run(&cases[i]);
    return check_report("autodiff");
}
