/* Linear regression by gradient descent: finds the weights that made noisy data. */
#include <mica/mica.h>
#include <math.h>
#include <stdio.h>

enum { SAMPLES = 256, FEATURES = 8, STEPS = 300 };

struct data {
    mica_array *x, *y;
};

static mica_array *normal(mica_scope *s, mica_dims shape, int64_t seed)
{
    return mica_random_normal(s, shape, MICA_FLOAT32, NULL, NULL, mica_random_key(s, seed));
}

/* Mean squared error of the parameters p = {weight, bias}. */
static mica_array *loss(mica_scope *s, mica_array *const p[], void *user)
{
    const struct data *d = user;
    mica_array *prediction = mica_add(s, mica_matmul(s, d->x, p[0]), p[1]);
    return mica_mean(s, mica_square(s, mica_subtract(s, prediction, d->y)), MICA_ALL_AXES, false);
}

/* One step of gradient descent: the parameters, which `s` owns, are replaced. Returns the loss. */
static double descend(mica_scope *s, struct data *d, mica_array *p[2])
{
    mica_scope *t = mica_scope_open(s);
    mica_array *value = NULL, *grad[2] = { NULL }, *next[2];
    mica_value_and_grad(t, loss, d, p, 2, &value, grad);
    for (int i = 0; i < 2; i++)
        next[i] = mica_subtract(t, p[i], mica_multiply(t, mica_number(t, 0.1), grad[i]));
    mica_eval(t, (mica_array *[]){ value, next[0], next[1] }, 3);
    double error = mica_item(t, value);
    mica_scope_close_replacing(t, p, next, 2); /* next takes the place of p, the rest is released */
    return error;
}

int main(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *truth = normal(s, MICA_SHAPE(FEATURES, 1), 0);
    mica_array *noise =
        mica_multiply(s, mica_number(s, 0.01), normal(s, MICA_SHAPE(SAMPLES, 1), 1));
    struct data d = { .x = normal(s, MICA_SHAPE(SAMPLES, FEATURES), 2) };
    d.y = mica_add(s, mica_add(s, mica_matmul(s, d.x, truth), mica_number(s, 0.5)), noise);

    mica_array *p[2] = { mica_zeros(s, MICA_SHAPE(FEATURES, 1), MICA_FLOAT32),
                         mica_zeros(s, MICA_SHAPE(1), MICA_FLOAT32) };
    double error = INFINITY;
    for (int i = 0; i < STEPS; i++) {
        error = descend(s, &d, p);
        if (i % 100 == 0) printf("step %3d   loss %.6f\n", i, error);
    }
    mica_array *distance =
        mica_max(s, mica_abs(s, mica_subtract(s, p[0], truth)), MICA_ALL_AXES, false);
    double worst = mica_item(s, distance), bias = mica_item(s, p[1]);
    printf("step %3d   loss %.6f\nweights are within %.4f of the truth, the bias is %.4f (0.5)\n",
           STEPS, error, worst, bias);

    int status = mica_scope_close(s);
    if (status) fprintf(stderr, "%s\n", mica_last_error());
    return status != MICA_OK || !(worst < 0.01) || !(fabs(bias - 0.5) < 0.01);
}
