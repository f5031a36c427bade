/* Convolutions: checks, sizes, and what is better said as a matrix product. Channels come last:
   input (N, spatial..., C), weight (O, window..., C / groups), result (N, places..., O). */
#include <stdio.h>

#include "ops/shape.h"

enum { SPATIAL = 3 };

typedef struct geometry {
    const char *name;
    int n;      /* spatial axes */
    bool fixed; /* by the function, not by the input */
    int64_t stride[SPATIAL], low[SPATIAL], high[SPATIAL], kernel_dilation[SPATIAL],
        input_dilation[SPATIAL];
    int64_t groups;
    bool flip;
} geometry;

/* One number for all axes, or one an axis; none: `otherwise`. */
static bool spread(mica_scope *s, const geometry *g, const char *what, mica_dims given,
                   int64_t least, int64_t otherwise, int64_t out[])
{
    if (given.n > 1 && given.n != g->n) {
        bool pairs = !g->fixed && strcmp(what, "padding") == 0;
        char accepted[32] = "1 is";
        if (g->n > 1) snprintf(accepted, sizeof accepted, "1 or %d are", g->n);
        mica__error(s, g->fixed ? MICA_ETYPE : MICA_EVALUE,
                    "[%s] %s has %lld values where %s accepted%s", g->name, what,
                    (long long)given.n, accepted,
                    pairs ? ", or two lists: what comes before and after" : "");
        return false;
    }
    for (int i = 0; i < g->n; i++) {
        out[i] = given.n < 1 ? otherwise : given.at[given.n == 1 ? 0 : i];
        if (out[i] >= least && out[i] <= INT32_MAX && out[i] >= -INT32_MAX) continue;
        if (least == 1 && out[i] < 1)
            mica__error(s, MICA_EVALUE, "[%s] %s must be positive, not %lld", g->name, what,
                        (long long)out[i]);
        else
            mica__error(s, MICA_EVALUE, "[%s] %s must be of 32 bits, not %lld", g->name, what,
                        (long long)out[i]);
        return false;
    }
    return true;
}

/* `axes`: what the function is for, 0 where the input says. */
static bool begin(mica_scope *s, geometry *g, const char *name, int axes, const mica_array *input,
                  const mica_array *weight)
{
    *g = (geometry){ .name = name, .fixed = axes };
    if (!mica__scope_ok(s) || !input || !weight) return false;
    g->n = input->ndim - 2;
    if (g->n < 1 || g->n > SPATIAL || (axes && axes != g->n)) {
        mica__error(s, MICA_EVALUE,
                    "[%s] input %s must have a batch axis, %s spatial axes and channels: "
                    "(N, ..., C)",
                    name, mica__shape_text(mica__dims_of(input)),
                    axes == 3   ? "3"
                    : axes == 2 ? "2"
                    : axes      ? "1"
                                : "1 to 3");
        return false;
    }
    if (weight->ndim == input->ndim) return true;
    mica__error(s, MICA_EVALUE,
                "[%s] weight %s must have as many axes as input %s: (O, ..., C / groups)", name,
                mica__shape_text(mica__dims_of(weight)), mica__shape_text(mica__dims_of(input)));
    return false;
}

static bool check_channels(mica_scope *s, const geometry *g, const mica_array *input,
                           const mica_array *weight)
{
    long long channels = input->shape[g->n + 1], outputs = weight->shape[0];
    int64_t each = weight->shape[g->n + 1], all;
    if (g->groups < 1)
        mica__error(s, MICA_EVALUE, "[%s] groups must be positive, not %lld", g->name,
                    (long long)g->groups);
    else if (channels % g->groups || outputs % g->groups)
        mica__error(s, MICA_EVALUE,
                    "[%s] %lld groups must divide the input's %lld channels and the weight's %lld "
                    "outputs",
                    g->name, (long long)g->groups, channels, outputs);
    else if (__builtin_mul_overflow(each, g->groups, &all) || all != channels)
        mica__error(s, MICA_EVALUE,
                    "[%s] the last axis of weight %s must be the channels of input %s divided by "
                    "%lld groups",
                    g->name, mica__shape_text(mica__dims_of(weight)),
                    mica__shape_text(mica__dims_of(input)), (long long)g->groups);
    else return true;
    return false;
}

/* Places along each axis. */
static bool places(mica_scope *s, const geometry *g, const mica_array *input,
                   const mica_array *weight, int64_t out[])
{
    for (int i = 0; i < g->n; i++) {
        int64_t size = input->shape[i + 1], k = weight->shape[i + 1], extent = 0;
        bool over = __builtin_mul_overflow(g->kernel_dilation[i], k - 1, &extent) ||
                    __builtin_add_overflow(extent, 1, &extent);
        if (size) over |= __builtin_mul_overflow(g->input_dilation[i], size - 1, &size), size++;
        if (over || extent > INT64_MAX / 4 || size > INT64_MAX / 4) {
            mica__error(s, MICA_EOVERFLOW, "[%s] the sizes of spatial axis %d do not fit", g->name,
                        i);
            return false;
        }
        size += g->low[i] + g->high[i];
        if (extent < 0) extent = 0; /* no elements */
        if (size < extent || size < 0) {
            mica__error(s, MICA_EVALUE,
                        "[%s] the window, of size %lld with its dilation, does not fit into "
                        "spatial axis %d, of size %lld with its padding",
                        g->name, (long long)extent, i, (long long)size);
            return false;
        }
        out[i + 1] = (size - extent) / g->stride[i] + 1;
    }
    out[0] = input->shape[0];
    out[g->n + 1] = weight->shape[0];
    return true;
}

/* One product of places and weights. */
static bool is_product(const geometry *g, const mica_array *input, const mica_array *weight)
{
    if (g->groups != 1) return false;
    for (int i = 0; i < g->n; i++)
        if (weight->shape[i + 1] != 1 || g->stride[i] != 1 || g->low[i] || g->high[i] ||
            (g->input_dilation[i] != 1 && input->shape[i + 1] > 1))
            return false;
    return true;
}

static mica_array *product(mica_scope *s, mica_array *x, mica_array *w, mica_dims shape)
{
    int64_t channels = x->shape[x->ndim - 1], outputs = w->shape[0], rows = 1;
    for (int i = 0; i < x->ndim - 1; i++) rows *= x->shape[i];
    x = mica__reshape(s, x, 2, (int64_t[]){ rows, channels });
    w = mica__reshape(s, w, 2, (int64_t[]){ outputs, channels });
    mica_array *y = mica_matmul(s, x, mica_swapaxes(s, w, 0, 1));
    return y ? mica__reshape(s, y, shape.n, shape.at) : NULL;
}

static mica_array *build(mica_scope *s, mica_array *input, mica_array *weight, const geometry *g)
{
    mica_array *both[2] = { input, weight };
    mica_dtype d = mica__result_dtype(both, 2);
    if (!mica__is_float((mica_dtype)input->dtype) || !mica__is_float(d))
        return mica__error(
            s, MICA_EVALUE,
            "[%s] input of type %s and weight of type %s: only floating types are accepted",
            g->name, mica_dtype_name((mica_dtype)input->dtype),
            mica_dtype_name((mica_dtype)weight->dtype));
    int64_t out[SPATIAL + 2];
    if (!check_channels(s, g, input, weight) || !places(s, g, input, weight, out)) return NULL;
    mica_dims shape = { g->n + 2, out };
    mica_array *x = mica__cast(s, input, d), *w = mica__cast(s, weight, d);
    if (x && w && is_product(g, x, w)) return product(s, x, w, shape);
    struct mica__conv_params p = { { g->n, g->stride },
                                   { g->n, g->low },
                                   { g->n, g->kernel_dilation },
                                   { g->n, g->input_dilation },
                                   g->groups,
                                   g->flip,
                                   0 };
    return mica__build(s, mica_prim_conv, &p, 2, (mica_array *[]){ x, w }, d, shape);
}

static bool set(mica_scope *s, geometry *g, mica_dims stride, mica_dims padding, mica_dims dilation,
                int64_t groups)
{
    g->groups = groups;
    for (int i = 0; i < g->n; i++) g->input_dilation[i] = 1;
    if (!spread(s, g, "stride", stride, 1, 1, g->stride) ||
        !spread(s, g, "padding", padding, INT64_MIN, 0, g->low) ||
        !spread(s, g, "dilation", dilation, 1, 1, g->kernel_dilation))
        return false;
    memcpy(g->high, g->low, sizeof g->low);
    return true;
}

mica_array *mica_conv_general(mica_scope *s, mica_array *input, mica_array *weight,
                              mica_dims stride, mica_dims padding, mica_dims kernel_dilation,
                              mica_dims input_dilation, int64_t groups, bool flip,
                              mica_dims padding_high)
{
    geometry g;
    if (!begin(s, &g, "conv_general", 0, input, weight) ||
        !set(s, &g, stride, padding, kernel_dilation, groups) ||
        !spread(s, &g, "input dilation", input_dilation, 1, 1, g.input_dilation) ||
        (padding_high.n >= 0 && !spread(s, &g, "padding", padding_high, INT64_MIN, 0, g.high)))
        return NULL;
    g.flip = flip;
    return build(s, input, weight, &g);
}

static mica_array *plain(mica_scope *s, const char *name, int n, mica_array *input,
                         mica_array *weight, mica_dims stride, mica_dims padding,
                         mica_dims dilation, int64_t groups)
{
    geometry g;
    if (!begin(s, &g, name, n, input, weight) || !set(s, &g, stride, padding, dilation, groups))
        return NULL;
    return build(s, input, weight, &g);
}

/* The adjoint of a convolution in its input: zeros between the elements, the window reversed. */
static mica_array *transposed(mica_scope *s, const char *name, int n, mica_array *input,
                              mica_array *weight, mica_dims stride, mica_dims padding,
                              mica_dims dilation, mica_dims output_padding, int64_t groups)
{
    geometry g;
    int64_t extra[SPATIAL];
    if (!begin(s, &g, name, n, input, weight) || !set(s, &g, stride, padding, dilation, groups) ||
        !spread(s, &g, "output padding", output_padding, INT64_MIN, 0, extra))
        return NULL;
    g.flip = true;
    for (int i = 0; i < g.n; i++) {
        int64_t reach;
        if (__builtin_mul_overflow(g.kernel_dilation[i], weight->shape[i + 1] - 1, &reach) ||
            reach > INT64_MAX / 4)
            return mica__error(s, MICA_EOVERFLOW, "[%s] the sizes of spatial axis %d do not fit",
                               name, i);
        g.input_dilation[i] = g.stride[i];
        g.stride[i] = 1;
        g.low[i] = reach - g.low[i];
        g.high[i] = g.low[i] + extra[i];
    }
    return build(s, input, weight, &g);
}

#define ONE(x) MICA_SHAPE(x)
mica_array *mica_conv1d(mica_scope *s, mica_array *input, mica_array *weight, int64_t stride,
                        int64_t padding, int64_t dilation, int64_t groups)
{
    return plain(s, "conv1d", 1, input, weight, ONE(stride), ONE(padding), ONE(dilation), groups);
}
mica_array *mica_conv2d(mica_scope *s, mica_array *input, mica_array *weight, mica_dims stride,
                        mica_dims padding, mica_dims dilation, int64_t groups)
{
    return plain(s, "conv2d", 2, input, weight, stride, padding, dilation, groups);
}
mica_array *mica_conv3d(mica_scope *s, mica_array *input, mica_array *weight, mica_dims stride,
                        mica_dims padding, mica_dims dilation, int64_t groups)
{
    return plain(s, "conv3d", 3, input, weight, stride, padding, dilation, groups);
}
mica_array *mica_conv_transpose1d(mica_scope *s, mica_array *input, mica_array *weight,
                                  int64_t stride, int64_t padding, int64_t dilation,
                                  int64_t output_padding, int64_t groups)
{
    return transposed(s, "conv_transpose1d", 1, input, weight, ONE(stride), ONE(padding),
                      ONE(dilation), ONE(output_padding), groups);
}
mica_array *mica_conv_transpose2d(mica_scope *s, mica_array *input, mica_array *weight,
                                  mica_dims stride, mica_dims padding, mica_dims dilation,
                                  mica_dims output_padding, int64_t groups)
{
    return transposed(s, "conv_transpose2d", 2, input, weight, stride, padding, dilation,
                      output_padding, groups);
}
mica_array *mica_conv_transpose3d(mica_scope *s, mica_array *input, mica_array *weight,
                                  mica_dims stride, mica_dims padding, mica_dims dilation,
                                  mica_dims output_padding, int64_t groups)
{
    return transposed(s, "conv_transpose3d", 3, input, weight, stride, padding, dilation,
                      output_padding, groups);
}

mica_array *mica_convolve(mica_scope *s, mica_array *a, mica_array *v, const char *mode)
{
    if (!mica__ready(s, a) || !v) return NULL;
    if (a->ndim != 1 || v->ndim != 1)
        return mica__error(s, MICA_EVALUE, "[convolve] a %s and v %s must have one axis",
                           mica__shape_text(mica__dims_of(a)), mica__shape_text(mica__dims_of(v)));
    if (!a->size || !v->size)
        return mica__error(s, MICA_EVALUE, "[convolve] a and v must not be empty");
    if (v->size > a->size) {
        mica_array *swap = a;
        a = v;
        v = swap;
    }
    int64_t n = v->size, low, high;
    if (!mode) mode = "(null)";
    if (!strcmp(mode, "full")) low = high = n - 1;
    else if (!strcmp(mode, "valid")) low = high = 0;
    else if (!strcmp(mode, "same")) low = n / 2, high = n - 1 - n / 2;
    else
        return mica__error(s, MICA_EVALUE, "[convolve] mode must be full, same or valid, not '%s'",
                           mode);
    geometry g = { .name = "convolve",
                   .n = 1,
                   .stride = { 1 },
                   .low = { low },
                   .high = { high },
                   .kernel_dilation = { 1 },
                   .input_dilation = { 1 },
                   .groups = 1,
                   .flip = true };
    a = mica__reshape(s, a, 3, (int64_t[]){ 1, a->size, 1 });
    v = mica__reshape(s, v, 3, (int64_t[]){ 1, n, 1 });
    a = a && v ? build(s, a, v, &g) : NULL;
    return a ? mica__reshape(s, a, 1, (int64_t[]){ a->size }) : NULL;
}
