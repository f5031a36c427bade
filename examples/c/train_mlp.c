/* Trains a small network with AdamW to tell the three arms of a noisy spiral apart. One training
   step is a function from the state to the next state, compiled once and replayed. */
#include <mica/mica.h>
#include <stdio.h>

enum {
    ARMS = 3,
    POINTS = 200, /* on each arm */
    HIDDEN = 64,
    LAYERS = 3,
    PARAMETERS = 2 * LAYERS,    /* weight, bias of each layer */
    STATE = 3 * PARAMETERS + 1, /* parameters, first and second moments, step count */
    STEPS = 400
};

struct data {
    mica_array *x, *labels; /* (n, 2) float32, (n, 1) int32 */
};

static mica_array *times(mica_scope *s, double factor, mica_array *a)
{
    return mica_multiply(s, mica_number(s, factor), a);
}

static mica_array *normal(mica_scope *s, mica_dims shape, int64_t seed)
{
    return mica_random_normal(s, shape, MICA_FLOAT32, NULL, NULL, mica_random_key(s, seed));
}

/* Points on the arms, from the centre outwards, with noise in the angle. */
static struct data spiral(mica_scope *s, int64_t seed)
{
    int64_t n = (int64_t)ARMS * POINTS;
    mica_array *i = mica_arange_integer(s, 0, n, 1, MICA_INT32);
    mica_array *arm = mica_floor_divide(s, i, mica_integer(s, POINTS));
    mica_array *radius = times(s, 1.0 / POINTS, mica_remainder(s, i, mica_integer(s, POINTS)));
    mica_array *angle = mica_add(s, mica_add(s, times(s, 4, radius), times(s, 4, arm)),
                                 times(s, 0.2, normal(s, MICA_SHAPE(n), seed)));
    mica_array *x = mica_multiply(s, radius, mica_cos(s, angle));
    mica_array *y = mica_multiply(s, radius, mica_sin(s, angle));
    return (struct data){ .x = mica_stack(s, MICA_ARRAYS(x, y), 1),
                          .labels = mica_expand_dims(s, arm, MICA_AXES(1)) };
}

/* relu(x W + b) ..., the last layer without relu. */
static mica_array *network(mica_scope *s, mica_array *const p[], mica_array *x)
{
    for (int layer = 0; layer < LAYERS; layer++) {
        x = mica_add(s, mica_matmul(s, x, p[2 * layer]), p[2 * layer + 1]);
        if (layer + 1 < LAYERS) x = mica_maximum(s, x, mica_number(s, 0));
    }
    return x;
}

/* Mean cross-entropy. */
static mica_array *loss(mica_scope *s, mica_array *const p[], void *user)
{
    const struct data *d = user;
    mica_array *logits = network(s, p, d->x);
    mica_array *chosen = mica_take_along_axis(s, logits, d->labels, -1);
    mica_array *all = mica_logsumexp(s, logits, MICA_AXES(-1), true);
    return mica_mean(s, mica_subtract(s, all, chosen), MICA_ALL_AXES, false);
}

static double accuracy(mica_scope *s, mica_array *const p[], struct data d)
{
    mica_array *guess = mica_argmax(s, network(s, p, d.x), -1, true);
    return mica_item(s, mica_mean(s, mica_equal(s, guess, d.labels), MICA_ALL_AXES, false));
}

/* AdamW: state {p, m, v, t} to the next state, with the loss behind it. */
static mica_arrays train_step(mica_scope *s, mica_arrays state, void *data)
{
    const double rate = 1e-2, b1 = 0.9, b2 = 0.99, epsilon = 1e-8, decay = 1e-4;
    mica_array *const *p = state.at, *const *m = p + PARAMETERS, *const *v = m + PARAMETERS;
    static _Thread_local mica_array *next[STATE + 1];
    mica_array *value = NULL, *grad[PARAMETERS] = { NULL };
    mica_value_and_grad(s, loss, data, p, PARAMETERS, &value, grad);

    mica_array *one = mica_number(s, 1);
    mica_array *t = mica_add(s, state.at[STATE - 1], one);
    mica_array *correct1 = mica_subtract(s, one, mica_power(s, mica_number(s, b1), t));
    mica_array *correct2 = mica_subtract(s, one, mica_power(s, mica_number(s, b2), t));
    for (int i = 0; i < PARAMETERS; i++) {
        mica_array *mi = mica_add(s, times(s, b1, m[i]), times(s, 1 - b1, grad[i]));
        mica_array *vi = mica_add(s, times(s, b2, v[i]), times(s, 1 - b2, mica_square(s, grad[i])));
        mica_array *scale =
            mica_add(s, mica_sqrt(s, mica_divide(s, vi, correct2)), mica_number(s, epsilon));
        mica_array *update = mica_divide(s, mica_divide(s, mi, correct1), scale);
        next[i] = mica_subtract(s, times(s, 1 - rate * decay, p[i]), times(s, rate, update));
        next[PARAMETERS + i] = mi;
        next[2 * PARAMETERS + i] = vi;
    }
    next[STATE - 1] = t;
    next[STATE] = value;
    return (mica_arrays){ STATE + 1, next };
}

int main(void)
{
    mica_scope *s = mica_scope_open(NULL);
    struct data train = spiral(s, 1), held_out = spiral(s, 2);

    const int64_t sizes[LAYERS + 1] = { 2, HIDDEN, HIDDEN, ARMS };
    mica_array *state[STATE];
    for (int i = 0; i < PARAMETERS; i++) {
        int64_t from = sizes[i / 2], to = sizes[i / 2 + 1];
        state[i] = i % 2 ? mica_zeros(s, MICA_SHAPE(to), MICA_FLOAT32)
                         : times(s, 1.0 / (double)from, normal(s, MICA_SHAPE(from, to), 3 + i));
        state[PARAMETERS + i] = mica_zeros_like(s, state[i], MICA_DEFAULT_DTYPE);
        state[2 * PARAMETERS + i] = mica_zeros_like(s, state[i], MICA_DEFAULT_DTYPE);
    }
    state[STATE - 1] = mica_scalar(s, 0, MICA_FLOAT32);

    mica_compiled *step = NULL;
    mica_compile(train_step, &train, NULL, false, &step);
    for (int i = 1; i <= STEPS; i++) {
        mica_scope *t = mica_scope_open(s);
        mica_arrays out = { 0 };
        mica_compiled_call(t, step, (mica_arrays){ STATE, state }, &out);
        mica_eval(t, out.at, out.n);
        if (i % 100 == 0 && out.n) printf("step %3d   loss %.4f\n", i, mica_item(t, out.at[STATE]));
        mica_scope_close_replacing(t, state, out.at, out.n ? STATE : 0);
    }
    double seen = accuracy(s, state, train), unseen = accuracy(s, state, held_out);
    printf("accuracy: %.1f%% of the training points, %.1f%% of new ones\n", 100 * seen,
           100 * unseen);

    mica_compiled_release(step);
    int status = mica_scope_close(s);
    if (status) fprintf(stderr, "%s\n", mica_last_error());
    return status != MICA_OK || unseen < 0.9;
}
