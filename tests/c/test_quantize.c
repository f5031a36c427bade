/* Matrices in few bits from C: memory that runs out at any place. */
#include "failing.h"
#include "mica/mica.h"

static mica_array *numbers(mica_scope *s, mica_dims shape, uint64_t seed)
{
    return mica_random_normal(s, shape, MICA_FLOAT32, NULL, NULL, mica_random_key(s, seed));
}

static mica_array *total(mica_scope *s, mica_array *a)
{
    return mica_sum(s, a, MICA_ALL_AXES, false);
}

/* Products with few rows and with many, from both sides, of one matrix and of gathered ones. */
static mica_array *products(mica_scope *s, const char *mode, bool affine)
{
    mica_arrays q = mica_quantize(s, numbers(s, MICA_SHAPE(3, 64, 64), 1), MICA_NO_INTEGER,
                                  MICA_NO_INTEGER, mode, NULL);
    if (q.n < 2) return NULL;
    mica_array *w = q.at[0], *scales = q.at[1], *biases = affine ? q.at[2] : NULL;
    mica_array *few = numbers(s, MICA_SHAPE(3, 2, 64), 2),
               *many = numbers(s, MICA_SHAPE(3, 20, 64), 3);
    const int32_t places[4] = { 2, 0, 1, 2 };
    mica_array *rhs = mica_from_data(s, places, MICA_SHAPE(4), MICA_INT32);
    mica_array *lhs = mica_from_data(s, places, MICA_SHAPE(4), MICA_INT32);
    mica_array *sum = total(s, mica_dequantize(s, w, scales, biases, MICA_NO_INTEGER,
                                               MICA_NO_INTEGER, mode, NULL, MICA_FLOAT32));
    for (int i = 0; i < 4; i++) {
        mica_array *x = i & 1 ? few : many;
        mica_array *y = mica_quantized_matmul(s, x, w, scales, biases, i & 2, MICA_NO_INTEGER,
                                              MICA_NO_INTEGER, mode);
        mica_array *z = mica_gather_qmm(s, x, w, scales, biases, lhs, rhs, i & 2, MICA_NO_INTEGER,
                                        MICA_NO_INTEGER, mode, NULL, false);
        sum = mica_add(s, sum, mica_add(s, total(s, y), total(s, z)));
    }
    return sum;
}

static mica_array *all_of_them(mica_scope *s)
{
    return mica_add(s, products(s, "affine", true), products(s, "nvfp4", false));
}

int main(void)
{
    check_each_failure(all_of_them);
    return check_report("quantize");
}
