/* Convolutions as matrix products over windows: the padded input is viewed by strides as (batch, places..., window..., channels), and one product with the
   weights does the rest. Channels come last: input (N, spatial..., C), weight (O, spatial..., C / groups), result (N, places..., O). */
#include "ops/shape.h"

enum { MAX_SPATIAL = 8 };

typedef struct geometry {
    int n; /* spatial axes */
    int64_t stride[MAX_SPATIAL], low[MAX_SPATIAL], high[MAX_SPATIAL], kernel_dilation[MAX_SPATIAL], input_dilation[MAX_SPATIAL];
    int64_t groups;
    bool flip;
} geometry;

/* One number for all axes, or one an axis. */
static bool spread(mica_scope *s, const char *name, const char *what, mica_dims given, int64_t least, int n, int64_t out[])
{
    if (given.n != 1 && given.n != n) {
        mica__error(s, MICA_EVALUE, "[%s] %s has %lld values where 1 or %d are accepted", name, what, (long long)given.n, n);
        return false;
    }
    for (int i = 0; i < n; i++) {
        out[i] = given.at[given.n == 1 ? 0 : i];
        if (out[i] >= least && out[i] <= INT32_MAX) continue;
        mica__error(s, MICA_EVALUE, "[%s] %s must be at least %lld, not %lld", name, what, (long long)least, (long long)out[i]);
        return false;
    }
    return true;
}

static bool check(mica_scope *s, const char *name, const mica_array *input, const mica_array *weight, const geometry *g)
{
    if (g->n < 1 || g->n > MAX_SPATIAL || input->ndim != g->n + 2 || weight->ndim != g->n + 2) {
        mica__error(s, MICA_EVALUE, "[%s] input %s and weight %s must have a batch axis, %d spatial axes and channels", name,
                    mica__shape_text(mica__dims_of(input)), mica__shape_text(mica__dims_of(weight)), g->n);
        return false;
    }
    int64_t channels = input->shape[g->n + 1], outputs = weight->shape[0];
    if (g->groups < 1 || channels % g->groups || outputs % g->groups || weight->shape[g->n + 1] * g->groups != channels) {
        mica__error(s, MICA_EVALUE, "[%s] %lld groups do not divide input channels %lld and weight %s", name, (long long)g->groups, (long long)channels,
                    mica__shape_text(mica__dims_of(weight)));
        return false;
    }
    return true;
}

/* Zeros between elements (input dilation) and around them (padding; negative widths cut). */
static mica_array *spread_out(mica_scope *s, mica_array *a, const geometry *g)
{
    int64_t shape[MICA_MAX_NDIM], start[MICA_MAX_NDIM] = { 0 }, step[MICA_MAX_NDIM], low[MICA_MAX_NDIM] = { 0 }, high[MICA_MAX_NDIM] = { 0 };
    bool dilated = false, cut = false;
    for (int i = 0; i < a->ndim; i++) {
        int k = i - 1;
        bool spatial = k >= 0 && k < g->n;
        step[i] = spatial ? g->input_dilation[k] : 1;
        shape[i] = spatial && a->shape[i] ? (a->shape[i] - 1) * step[i] + 1 : a->shape[i];
        dilated = dilated || step[i] != 1;
        if (!spatial) continue;
        low[i] = g->low[k] > 0 ? g->low[k] : 0;
        high[i] = g->high[k] > 0 ? g->high[k] : 0;
        cut = cut || g->low[k] < 0 || g->high[k] < 0;
    }
    if (dilated) {
        mica_array *zeros = mica__full(s, (mica_dims){ a->ndim, shape }, 0, (mica_dtype)a->dtype);
        struct mica__slice_update_params p = { { a->ndim, start }, { a->ndim, step }, MICA_SCATTER_SET, 0 };
        a = zeros ? mica__build(s, mica_prim_slice_update, &p, 2, (mica_array *[]){ zeros, a }, (mica_dtype)a->dtype, (mica_dims){ a->ndim, shape }) : NULL;
    }
    if (!a) return NULL;
    a = mica_pad(s, a, (mica_dims){ a->ndim, low }, (mica_dims){ a->ndim, high }, "constant", mica_integer(s, 0));
    for (int k = 0; a && cut && k < g->n; k++) {
        int64_t before = g->low[k] < 0 ? -g->low[k] : 0, after = g->high[k] < 0 ? -g->high[k] : 0, size = a->shape[k + 1] - before - after;
        if (before || after) a = mica__slice_axis(s, a, k + 1, before, size < 0 ? 0 : size);
    }
    return a;
}

static mica_array *convolve(mica_scope *s, const char *name, mica_array *input, mica_array *weight, const geometry *g)
{
    mica_array *both[2] = { input, weight };
    if (!mica__ready(s, input) || !weight || !check(s, name, input, weight, g)) return NULL;
    mica_dtype d = mica__result_dtype(both, 2);
    if (!mica__is_float(d))
        return mica__error(s, MICA_EVALUE, "[%s] only floating types are accepted, not %s", name, mica_dtype_name(d));
    mica_array *x = spread_out(s, mica__cast(s, input, d), g), *w = mica__cast(s, weight, d);
    if (!x || !w) return NULL;
    int n = g->n;
    int64_t groups = g->groups, channels = x->shape[n + 1] / groups, outputs = w->shape[0] / groups, batch = x->shape[0];
    if (g->flip) {
        int64_t axes[MAX_SPATIAL];
        for (int i = 0; i < n; i++) axes[i] = i + 1;
        w = mica_flip(s, w, (mica_dims){ n, axes });
    }
    /* Windows: (N, places..., window..., groups, C / groups). */
    int64_t dense[MICA_MAX_NDIM], shape[MICA_MAX_NDIM], strides[MICA_MAX_NDIM], out[MICA_MAX_NDIM], places = batch, window = channels;
    mica__row_major(x->ndim, x->shape, dense);
    shape[0] = out[0] = batch;
    strides[0] = dense[0];
    for (int i = 0; i < n; i++) {
        int64_t k = weight->shape[i + 1], extent = g->kernel_dilation[i] * (k - 1) + 1, size = (x->shape[i + 1] - extent) / g->stride[i] + 1;
        if (k < 1 || x->shape[i + 1] < extent)
            return mica__error(s, MICA_EVALUE, "[%s] the window, of size %lld with its dilation, does not fit into spatial axis %d of padded size %lld", name,
                               (long long)extent, i, (long long)x->shape[i + 1]);
        shape[1 + i] = out[1 + i] = size;
        strides[1 + i] = dense[i + 1] * g->stride[i];
        shape[1 + n + i] = k;
        strides[1 + n + i] = dense[i + 1] * g->kernel_dilation[i];
        places *= size;
        window *= k;
    }
    shape[2 * n + 1] = groups;
    shape[2 * n + 2] = channels;
    strides[2 * n + 1] = channels;
    strides[2 * n + 2] = 1;
    out[n + 1] = groups * outputs;
    x = mica_as_strided(s, x, (mica_dims){ 2 * n + 3, shape }, (mica_dims){ 2 * n + 3, strides }, 0);
    /* (groups, places, window) @ (groups, window, outputs): groups go to the front. */
    int64_t front[MICA_MAX_NDIM];
    for (int i = 0; i < 2 * n + 3; i++) front[i] = i == 0 ? 2 * n + 1 : i <= 2 * n + 1 ? i - 1 : i;
    if (groups > 1 && x) x = mica__permute(s, x, front);
    x = x ? mica__reshape(s, x, 3, (int64_t[]){ groups, places, window }) : NULL;
    w = w ? mica__reshape(s, w, 3, (int64_t[]){ groups, outputs, window }) : NULL;
    if (!x || !w) return NULL;
    if (groups == 1) {
        x = mica__reshape(s, x, 2, (int64_t[]){ places, window });
        w = mica__reshape(s, w, 2, (int64_t[]){ outputs, window });
        return mica__reshape(s, mica_matmul(s, x, mica_swapaxes(s, w, 0, 1)), n + 2, out);
    }
    x = mica_matmul(s, x, mica_swapaxes(s, w, 1, 2));
    x = x ? mica__permute(s, x, (int64_t[]){ 1, 0, 2 }) : NULL;
    return x ? mica__reshape(s, x, n + 2, out) : NULL;
}

static bool set_geometry(mica_scope *s, const char *name, geometry *g, mica_dims stride, mica_dims padding, mica_dims kernel_dilation, int64_t groups)
{
    g->groups = groups;
    mica_dims one = MICA_SHAPE(1);
    if (!mica__scope_ok(s) || !spread(s, name, "stride", stride, 1, g->n, g->stride) || !spread(s, name, "padding", padding, 0, g->n, g->low) ||
        !spread(s, name, "dilation", kernel_dilation, 1, g->n, g->kernel_dilation) || !spread(s, name, "input dilation", one, 1, g->n, g->input_dilation))
        return false;
    memcpy(g->high, g->low, sizeof g->low);
    return true;
}

mica_array *mica_conv_general(mica_scope *s, mica_array *input, mica_array *weight, mica_dims stride, mica_dims padding, mica_dims kernel_dilation,
                              mica_dims input_dilation, int64_t groups, bool flip)
{
    geometry g = { .n = input ? input->ndim - 2 : 1, .flip = flip };
    if (g.n < 1 || g.n > MAX_SPATIAL) return mica__error(s, MICA_EVALUE, "[conv_general] the input must have 1 to %d spatial axes, not %d", MAX_SPATIAL, g.n);
    if (!set_geometry(s, "conv_general", &g, stride, padding, kernel_dilation, groups) ||
        !spread(s, "conv_general", "input dilation", input_dilation, 1, g.n, g.input_dilation))
        return NULL;
    return convolve(s, "conv_general", input, weight, &g);
}

static mica_array *plain(mica_scope *s, const char *name, int n, mica_array *input, mica_array *weight, mica_dims stride, mica_dims padding,
                         mica_dims dilation, int64_t groups)
{
    geometry g = { .n = n };
    return set_geometry(s, name, &g, stride, padding, dilation, groups) ? convolve(s, name, input, weight, &g) : NULL;
}

/* The adjoint of a convolution in its input: zeros between the elements, the window reversed. */
static mica_array *transposed(mica_scope *s, const char *name, int n, mica_array *input, mica_array *weight, mica_dims stride, mica_dims padding,
                              mica_dims dilation, mica_dims output_padding, int64_t groups)
{
    geometry g = { .n = n, .flip = true };
    int64_t extra[MAX_SPATIAL];
    if (!set_geometry(s, name, &g, stride, padding, dilation, groups) || !spread(s, name, "output padding", output_padding, 0, n, extra) || !weight) return NULL;
    for (int i = 0; i < n && weight->ndim == n + 2; i++) {
        int64_t reach = g.kernel_dilation[i] * (weight->shape[i + 1] - 1);
        g.input_dilation[i] = g.stride[i];
        g.stride[i] = 1;
        g.low[i] = reach - g.low[i];
        g.high[i] = g.low[i] + extra[i];
    }
    return convolve(s, name, input, weight, &g);
}

#define ONE(x) MICA_SHAPE(x)
mica_array *mica_conv1d(mica_scope *s, mica_array *input, mica_array *weight, int64_t stride, int64_t padding, int64_t dilation, int64_t groups)
{
    return plain(s, "conv1d", 1, input, weight, ONE(stride), ONE(padding), ONE(dilation), groups);
}
mica_array *mica_conv2d(mica_scope *s, mica_array *input, mica_array *weight, mica_dims stride, mica_dims padding, mica_dims dilation, int64_t groups)
{
    return plain(s, "conv2d", 2, input, weight, stride, padding, dilation, groups);
}
mica_array *mica_conv3d(mica_scope *s, mica_array *input, mica_array *weight, mica_dims stride, mica_dims padding, mica_dims dilation, int64_t groups)
{
    return plain(s, "conv3d", 3, input, weight, stride, padding, dilation, groups);
}
mica_array *mica_conv_transpose1d(mica_scope *s, mica_array *input, mica_array *weight, int64_t stride, int64_t padding, int64_t dilation,
                                  int64_t output_padding, int64_t groups)
{
    return transposed(s, "conv_transpose1d", 1, input, weight, ONE(stride), ONE(padding), ONE(dilation), ONE(output_padding), groups);
}
mica_array *mica_conv_transpose2d(mica_scope *s, mica_array *input, mica_array *weight, mica_dims stride, mica_dims padding, mica_dims dilation,
                                  mica_dims output_padding, int64_t groups)
{
    return transposed(s, "conv_transpose2d", 2, input, weight, stride, padding, dilation, output_padding, groups);
}
mica_array *mica_conv_transpose3d(mica_scope *s, mica_array *input, mica_array *weight, mica_dims stride, mica_dims padding, mica_dims dilation,
                                  mica_dims output_padding, int64_t groups)
{
    return transposed(s, "conv_transpose3d", 3, input, weight, stride, padding, dilation, output_padding, groups);
}
