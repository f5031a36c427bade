/* Derivatives and batching of reads and writes by index, and of matrix products. */
#include "derivative_check.h"

CASE(take)
{
    return SQ(mica_take(s, x[0], x[1], 1));
}
CASE(take_first)
{
    return SQ(mica_take(s, x[0], x[1], 0));
}
CASE(take_flat)
{
    return SQ(mica_take(s, x[0], x[1], MICA_FLATTEN));
}
CASE(gather)
{
    return SQ(mica_gather(s, x[0], MICA_ARRAYS(x[1], x[2]), MICA_AXES(2, 0), MICA_SHAPE(1, 2, 1)));
}
CASE(gather_partial)
{
    return SQ(mica_gather(s, x[0], MICA_ARRAYS(x[1]), MICA_AXES(1), MICA_SHAPE(2, 1)));
}
CASE(gather_none)
{
    return SQ(
        mica_gather(s, x[0], (mica_arrays){ 0, NULL }, (mica_dims){ 0, NULL }, MICA_SHAPE(2, 3)));
}
CASE(take_along)
{
    return SQ(mica_take_along_axis(s, x[0], x[1], 1));
}
CASE(put_along)
{
    return SQ(mica_put_along_axis(s, SQ(x[0]), x[2], x[1], 1));
}
CASE(dynamic_slice)
{
    return SQ(mica_slice(s, x[0], x[1], MICA_AXES(2, 0), MICA_SHAPE(2, 2, 2)));
}
CASE(dynamic_slice_1)
{
    return SQ(mica_slice(s, x[0], x[1], MICA_AXES(1), MICA_SHAPE(3, 2)));
}
CASE(dynamic_update)
{
    return SQ(mica_slice_update(s, SQ(x[0]), x[1], x[2], MICA_AXES(2, 0)));
}
CASE(slice_set)
{
    return SQ(mica_slice_assign(s, SQ(x[0]), x[1], MICA_SHAPE(0, 3), MICA_SHAPE(2, 0),
                                MICA_SHAPE(1, -2), MICA_SCATTER_SET));
}
CASE(slice_sum)
{
    return SQ(mica_slice_assign(s, SQ(x[0]), x[1], MICA_SHAPE(0, 3), MICA_SHAPE(2, 0),
                                MICA_SHAPE(1, -2), MICA_SCATTER_SUM));
}
CASE(slice_prod)
{
    return SQ(mica_slice_assign(s, SQ(x[0]), x[1], MICA_SHAPE(0, 3), MICA_SHAPE(2, 0),
                                MICA_SHAPE(1, -2), MICA_SCATTER_PROD));
}
CASE(slice_max)
{
    return SQ(mica_slice_assign(s, x[0], x[1], MICA_SHAPE(0, 3), MICA_SHAPE(2, 0),
                                MICA_SHAPE(1, -2), MICA_SCATTER_MAX));
}
#define SCATTER(mode)                                                                              \
    mica_exp(s, mica_scatter(s, x[0], MICA_ARRAYS(x[2]), x[1], MICA_AXES(1), MICA_SCATTER_##mode))
CASE(scatter_set)
{
    return SCATTER(SET);
}
CASE(scatter_sum)
{
    return SCATTER(SUM);
}
CASE(scatter_prod)
{
    return SCATTER(PROD);
}
CASE(scatter_max)
{
    return SCATTER(MAX);
}
CASE(scatter_min)
{
    return SCATTER(MIN);
}
CASE(scatter_two)
{
    return SQ(mica_scatter(s, SQ(x[0]), MICA_ARRAYS(x[2], x[3]), x[1], MICA_AXES(2, 0),
                           MICA_SCATTER_SET));
}
CASE(masked)
{
    return SQ(mica_masked_scatter(s, SQ(x[0]), x[2], x[1]));
}
CASE(matmul)
{
    return mica_matmul(s, mica_exp(s, x[0]), mica_sin(s, x[1]));
}
CASE(cross_entropy)
{
    mica_array *picked =
        mica_take_along_axis(s, x[0], mica_expand_dims(s, x[1], MICA_AXES(-1)), -1);
    return mica_mean(s, mica_subtract(s, mica_logsumexp(s, x[0], MICA_AXES(-1), true), picked),
                     MICA_ALL_AXES, false);
}

static const function_case cases[] = {
    { "take", take, { F(3, { 2, 3, 2 }), I(3, 2, { 2, 2 }) }, false },
    { "take rows", take_first, { F(2, { 4, 3 }), I(4, 1, { 5 }) }, false },
    { "take one row", take_first, { F(2, { 4, 3 }), I(4, 0, { 0 }) }, false },
    { "take, flattened", take_flat, { F(2, { 4, 3 }), I(12, 1, { 5 }) }, false },
    { "gather, two axes", gather, { F(3, { 3, 2, 4 }), I(4, 1, { 2 }), I(3, 2, { 2, 1 }) }, false },
    { "gather, part of an axis", gather_partial, { F(2, { 3, 4 }), I(4, 1, { 3 }) }, false },
    { "gather without indices", gather_none, { F(2, { 3, 4 }) }, false },
    { "take_along_axis", take_along, { F(2, { 2, 4 }), I(4, 2, { 2, 3 }) }, false },
    { "put_along_axis", put_along, { F(2, { 2, 4 }), F(2, { 2, 3 }), I(4, 2, { 2, 3 }) }, false },
    { "dynamic slice", dynamic_slice, { F(3, { 3, 2, 4 }), I(2, 1, { 2 }) }, false },
    { "dynamic slice, also shorter", dynamic_slice_1, { F(2, { 4, 3 }), I(2, 1, { 1 }) }, false },
    { "dynamic slice, 0-d start", dynamic_slice_1, { F(2, { 3, 3 }), I(2, 0, { 0 }) }, false },
    { "dynamic slice update",
      dynamic_update,
      { F(3, { 3, 2, 4 }), F(3, { 2, 1, 2 }), I(2, 1, { 2 }) },
      false },
    { "slice_update, set", slice_set, { F(2, { 3, 4 }), F(2, { 2, 2 }) }, false },
    { "slice_update, sum", slice_sum, { F(2, { 3, 4 }), F(1, { 2 }) }, false },
    { "slice_update, prod", slice_prod, { F(2, { 3, 4 }), Z(2, { 2, 2 }) }, false },
    { "slice_update, max", slice_max, { F(2, { 3, 4 }), F(2, { 2, 2 }) }, false },
    { "scatter, set", scatter_set, { F(2, { 2, 4 }), F(3, { 5, 2, 1 }), I(4, 1, { 5 }) }, false },
    { "scatter, sum", scatter_sum, { F(2, { 2, 4 }), F(3, { 5, 2, 1 }), I(4, 1, { 5 }) }, false },
    { "scatter, prod", scatter_prod, { F(2, { 2, 4 }), F(3, { 5, 2, 1 }), I(4, 1, { 5 }) }, false },
    { "scatter, prod with zeros",
      scatter_prod,
      { F(2, { 2, 4 }), Z(3, { 5, 2, 1 }), I(4, 1, { 5 }) },
      true },
    { "scatter, max", scatter_max, { F(2, { 2, 4 }), F(3, { 5, 2, 1 }), I(4, 1, { 5 }) }, false },
    { "scatter, min", scatter_min, { F(2, { 2, 4 }), F(3, { 5, 2, 1 }), I(4, 1, { 5 }) }, false },
    { "scatter, two axes",
      scatter_two,
      { F(3, { 2, 2, 3 }), F(4, { 4, 1, 2, 1 }), I(3, 1, { 4 }), I(2, 1, { 4 }) },
      false },
    { "masked_scatter", masked, { F(2, { 3, 2 }), F(1, { 7 }), M(1, { 3 }) }, false },
    { "masked_scatter, whole mask",
      masked,
      { F(2, { 3, 2 }), F(2, { 2, 4 }), M(2, { 3, 2 }) },
      false },
    { "matmul", matmul, { F(2, { 2, 3 }), F(2, { 3, 2 }) }, false },
    { "cross entropy", cross_entropy, { F(2, { 3, 4 }), I(4, 1, { 3 }) }, false },
};

int main(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) run(&cases[i]);
    return check_report("autodiff_index");
}
