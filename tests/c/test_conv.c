/* Convolutions and their derivatives against plain loops in double precision, at every instruction
   set, with the same bits for any number of threads; and with each allocation failing in turn. */
#include <math.h>

#include "backend/cpu/isa.h"
#include "check.h"
#include "ops/builder.h"
#include "runtime/pool.h"

static uint32_t state = 7;
static double noise(void)
{
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / 8388608.0 - 1;
}
static int64_t pick(int64_t low, int64_t high)
{
    state = state * 1664525u + 1013904223u;
    return low + (int64_t)(state >> 8) % (high - low + 1);
}

typedef struct geometry {
    int64_t in[2], window[2], out[2], stride[2], low[2], reach[2], spread[2];
    int64_t batch, groups, inputs, outputs;
    bool flip;
} geometry;

static geometry drawn(void)
{
    geometry g = { .batch = pick(1, 3),
                   .groups = pick(1, 3),
                   .inputs = pick(1, 9),
                   .outputs = pick(1, 20),
                   .flip = pick(0, 1) };
    if (pick(0, 3) == 0) g.inputs = g.outputs = 1, g.groups = pick(1, 70);
    for (int i = 0; i < 2; i++) {
        g.in[i] = pick(1, 12);
        g.window[i] = pick(1, 4);
        g.stride[i] = pick(1, 3);
        g.low[i] = pick(-2, 5);
        g.reach[i] = pick(1, 3);
        g.spread[i] = pick(0, 1) ? 1 : pick(1, 4);
        g.out[i] = pick(1, 80);
    }
    return g;
}

static mica_array *filled(mica_scope *s, mica_dtype d, mica_dims shape)
{
    mica_array *a = mica__empty(s, d, shape);
    for (int64_t i = 0; a && i < a->size; i++)
        mica__store_number(d, a->data + (size_t)i * mica__dtype_sizes[d], false, 0, noise(), 0);
    return a;
}
static double at(const mica_array *a, int64_t i)
{
    return mica__load_number((mica_dtype)a->dtype,
                             a->data + (size_t)i * mica__dtype_sizes[a->dtype]);
}

static mica_array *node(mica_scope *s, const geometry *g, mica_prim prim, mica_array *a,
                        mica_array *b, mica_dims shape)
{
    struct mica__conv_params p = {
        { 2, g->stride }, { 2, g->low }, { 2, g->reach }, { 2, g->spread }, g->groups, g->flip, 0
    };
    return mica__build(s, prim, &p, 2, (mica_array *[]){ a, b }, (mica_dtype)a->dtype, shape);
}

/* Adds products of x, w and y in their places: into y, or into w. sizes: the same of magnitudes. */
static void by_loops(const geometry *g, const mica_array *x, const mica_array *w,
                     const mica_array *y, double *sums, double *sizes)
{
    int64_t channels = g->groups * g->inputs, all = g->groups * g->outputs;
    for (int64_t n = 0; n < g->batch; n++)
        for (int64_t oy = 0; oy < g->out[0]; oy++)
            for (int64_t ox = 0; ox < g->out[1]; ox++)
                for (int64_t ky = 0; ky < g->window[0]; ky++)
                    for (int64_t kx = 0; kx < g->window[1]; kx++) {
                        int64_t py = oy * g->stride[0] + ky * g->reach[0] - g->low[0],
                                px = ox * g->stride[1] + kx * g->reach[1] - g->low[1];
                        if (py < 0 || px < 0 || py % g->spread[0] || px % g->spread[1]) continue;
                        py /= g->spread[0], px /= g->spread[1];
                        if (py >= g->in[0] || px >= g->in[1]) continue;
                        int64_t ty = g->flip ? g->window[0] - 1 - ky : ky,
                                tx = g->flip ? g->window[1] - 1 - kx : kx;
                        for (int64_t o = 0; o < all; o++)
                            for (int64_t i = 0; i < g->inputs; i++) {
                                int64_t to = ((n * g->out[0] + oy) * g->out[1] + ox) * all + o,
                                        of = ((o * g->window[0] + ty) * g->window[1] + tx) *
                                                 g->inputs +
                                             i,
                                        from = ((n * g->in[0] + py) * g->in[1] + px) * channels +
                                               o / g->outputs * g->inputs + i;
                                int64_t sum = w ? to : of;
                                double product = at(x, from) * (w ? at(w, of) : at(y, to));
                                sums[sum] += product;
                                sizes[sum] += fabs(product);
                            }
                    }
}

static bool near(const mica_array *got, const double *sums, const double *sizes)
{
    mica_dtype d = (mica_dtype)got->dtype;
    double half = d == MICA_FLOAT16 ? 1e-3 : d == MICA_BFLOAT16 ? 8e-3 : 0;
    double single = d == MICA_FLOAT64 ? 1e-14 : 2e-6;
    double least = d == MICA_FLOAT16 ? 6e-8 : 0; /* below its normal numbers */
    for (int64_t i = 0; i < got->size; i++)
        if (!(fabs(at(got, i) - sums[i]) <=
              half * fabs(sums[i]) + single * (sizes[i] + 1e-3) + least))
            return false;
    return true;
}

static bool same_bits(const mica_array *a, const mica_array *b)
{
    return !memcmp(a->data, b->data, (size_t)a->size * mica__dtype_sizes[a->dtype]);
}

static void check_one(const geometry *g, mica_dtype d)
{
    mica_scope *s = mica_scope_open(NULL);
    int64_t xs[4] = { g->batch, g->in[0], g->in[1], g->groups * g->inputs },
            ws[4] = { g->groups * g->outputs, g->window[0], g->window[1], g->inputs },
            ys[4] = { g->batch, g->out[0], g->out[1], g->groups * g->outputs };
    mica_dims yd = { 4, ys }, wd = { 4, ws };
    mica_array *x = filled(s, d, (mica_dims){ 4, xs }), *w = filled(s, d, wd),
               *y = filled(s, d, yd);
    size_t ny = (size_t)y->size, nw = (size_t)w->size;
    double *sums = mica__alloc_zero(2 * (ny + nw), sizeof *sums), *more = sums + 2 * ny;
    by_loops(g, x, w, NULL, sums, sums + ny);
    by_loops(g, x, NULL, y, more, more + nw);
    for (int level = MICA_ISA_PORTABLE; level < MICA_ISA_COUNT; level++) {
        if (mica__isa_cap((mica__isa)level) != (mica__isa)level) break;
        mica_array *first[2] = { NULL, NULL };
        for (size_t threads = 1; threads <= 3; threads += 2) {
            mica__set_thread_count(threads);
            mica_array *r[2] = { node(s, g, mica_prim_conv, x, w, yd),
                                 node(s, g, mica_prim_conv_weight, x, y, wd) };
            CHECK_EQUAL(mica_eval(s, r, 2), MICA_OK);
            CHECK(near(r[0], sums, sums + ny));
            CHECK(near(r[1], more, more + nw));
            if (first[0]) CHECK(same_bits(first[0], r[0]) && same_bits(first[1], r[1]));
            first[0] = r[0];
            first[1] = r[1];
        }
    }
    mica__isa_cap(MICA_ISA_COUNT);
    mica__set_thread_count(0);
    mica__free(sums);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* Every allocation fails once: the evaluation says so, and works when it is tried again. */
static void check_memory(bool depthwise)
{
    int64_t c = depthwise ? 5 : 4;
    for (int64_t k = 0; k < 60; k++) {
        mica_scope *s = mica_scope_open(NULL);
        mica_array *x = filled(s, MICA_FLOAT16, MICA_SHAPE(2, 7, 9, c)),
                   *w = filled(s, MICA_FLOAT16, MICA_SHAPE(c, 3, 2, depthwise ? 1 : c));
        geometry g = { .stride = { 2, 1 },
                       .low = { 1, 1 },
                       .reach = { 1, 1 },
                       .spread = { 1, 2 },
                       .groups = depthwise ? c : 1 };
        mica_array *y = node(s, &g, mica_prim_conv, x, w, MICA_SHAPE(2, 4, 17, c)),
                   *v = node(s, &g, mica_prim_conv_weight, x, y, mica__dims_of(w));
        mica__inject_failure(k);
        int status = mica_eval(s, &v, 1);
        mica__inject_failure(-1);
        CHECK(status == MICA_OK || status == MICA_EMEMORY);
        mica_scope_close(s);
        if (status != MICA_OK) continue;
        s = mica_scope_open(NULL);
        CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    }
}

int main(void)
{
    const mica_dtype types[] = { MICA_FLOAT32, MICA_FLOAT64, MICA_FLOAT16, MICA_BFLOAT16 };
    for (int i = 0; i < 60; i++) {
        geometry g = drawn();
        check_one(&g, types[i % 4]);
    }
    for (int i = 0; i < 16; i++) { /* inputs that processors may multiply in pairs */
        geometry g = drawn();
        g.inputs = 32 * pick(1, 3);
        g.outputs = pick(1, 40);
        g.batch = g.groups = pick(1, 2);
        for (int k = 0; k < 2; k++) g.out[k] = pick(1, 9 + 30 * k);
        check_one(&g, MICA_BFLOAT16);
    }
    check_memory(false);
    check_memory(true);
    CHECK_EQUAL(mica__live(MICA_LIVE_SCOPE), 0);
    return check_report("conv");
}
