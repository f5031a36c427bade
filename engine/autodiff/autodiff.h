/* Derivatives and batching of graphs: walkers over nodes, with defaults by class and rules by hand.

   A transformation of a function calls it on tracers, then walks the graph from its results back to
   the tracers and builds ordinary nodes. */
#ifndef MICA_ENGINE_AUTODIFF_H
#define MICA_ENGINE_AUTODIFF_H

#include "mica/transforms.h"
#include "ops/builder.h"

/* d output / d input `argument` as a graph; NULL: zero. */
typedef mica_array *mica__partial_rule(mica_scope *s, const mica_node *n, int argument);
/* cotangents: one an output, NULL: zero. Fills gradients[i] where needed[i]; what stays NULL is
 * zero. */
typedef void mica__vjp_rule(mica_scope *s, const mica_node *n, mica_array *const cotangents[],
                            const bool needed[], mica_array *gradients[]);
/* tangents: one an input, NULL: zero. Fills results, one an output; what stays NULL is zero. */
typedef void mica__jvp_rule(mica_scope *s, const mica_node *n, mica_array *const tangents[],
                            mica_array *results[]);
/* inputs: where batched[i], with the batch axis in front, else as in the node. Fills results, all
 * with the batch axis in front. */
typedef bool mica__vmap_rule(mica_scope *s, const mica_node *n, mica_array *const inputs[],
                             const bool batched[], int64_t batch, mica_array *results[]);

typedef struct mica__rule_set {
    mica__partial_rule *partial;
    mica__vjp_rule *vjp;
    mica__jvp_rule *jvp;
    mica__vmap_rule *vmap;
} mica__rule_set;
extern const mica__rule_set mica__rule_sets[MICA_PRIM_COUNT];

#define PARTIAL(prim) mica__partial_rule mica__partial_##prim;
#define VJP(prim)     mica__vjp_rule mica__vjp_##prim;
#define JVP(prim)     mica__jvp_rule mica__jvp_##prim;
#define VMAP(prim)    mica__vmap_rule mica__vmap_##prim;
#include "autodiff/rules.def"
#undef PARTIAL
#undef VJP
#undef JVP
#undef VMAP

/* Whether the derivative is zero wherever it exists. Of a NONDIFF row that has rules, these are for
 * complex numbers. */
bool mica__is_flat(const mica_node *n);

/* The node again, with other inputs of the same shapes and types, or with given output shapes.
 * params NULL: the node's. Several outputs: results[]. */
bool mica__rebuild(mica_scope *s, const mica_node *n, mica_array *const inputs[],
                   const void *params, mica_array *results[]);
/* The same for one output with another shape. */
mica_array *mica__rebuild_as(mica_scope *s, const mica_node *n, mica_array *const inputs[],
                             const void *params, mica_dims shape);

/* ---- tracing ---- */
/* Tracers for differentiation: the same values under identities of their own. depth counts open
 * transformations of the thread. */
bool mica__trace_begin(mica_scope *s, mica_array *const arguments[], size_t n,
                       mica_array *tracers[]);
/* Ends it: once no transformation is open, evaluated nodes below `results` let go of their inputs.
   False and a message when memory is exhausted: then the results must not be used, for they and all
   made from them would keep their inputs for ever. */
bool mica__trace_end(mica_array *const results[], size_t n);
/* Arguments without value, for vmap and compile. */
mica_array *mica__placeholder(mica_scope *s, mica_dtype dtype, mica_dims shape);

/* ---- walkers over a traced graph; all results are owned by the scope ---- */
/* gradients[i]: cotangent of tracer i, zeros where nothing depends on it. cotangents[k] NULL: zero.
 */
bool mica__pull_back(mica_scope *s, mica_array *const results[], mica_array *const cotangents[],
                     size_t nresults, mica_array *const tracers[], size_t ntracers,
                     mica_array *gradients[]);
/* result_tangents[k]: zeros where nothing depends on the tracers. */
bool mica__push_forward(mica_scope *s, mica_array *const results[], size_t nresults,
                        mica_array *const tracers[], mica_array *const tangents[], size_t ntracers,
                        mica_array *result_tangents[]);
/* Replaces placeholders by inputs (batch axis in front where batched[i]) and rebuilds;
 * out_batched[k] tells whether result k carries the batch axis, in front. */
bool mica__batch(mica_scope *s, mica_array *const results[], size_t nresults,
                 mica_array *const placeholders[], mica_array *const inputs[], const bool batched[],
                 size_t n, int64_t batch, mica_array *out[], bool out_batched[]);

/* A batched array as it is, another repeated along a new front axis (without memory). */
mica_array *mica__with_batch(mica_scope *s, mica_array *a, bool batched, int64_t batch);
/* vmap in two halves around the call. axes are normalised or MICA_NO_AXIS. begin: placeholders for
 * one example, and the arguments with the batch axis in front. */
bool mica__batch_begin(mica_scope *s, mica_array *const arguments[], const int axes[], size_t n,
                       mica_array *holders[], mica_array *fronted[], bool batched[]);
/* end: results with the batch axis at out_axes[i] (each) or out_axes[0]. */
bool mica__batch_end(mica_scope *s, mica_array *const results[], size_t nresults,
                     mica_array *const holders[], mica_array *const fronted[], const bool batched[],
                     size_t n, int64_t batch, const int out_axes[], bool each, mica_array *out[]);

/* Nodes from which results come and that depend on the given sources, inputs first. */
typedef struct mica__graph {
    mica__vec nodes;
    mica__map index; /* node -> its place + 1, only for nodes that depend on a source */
} mica__graph;
bool mica__graph_make(mica_scope *s, mica__graph *g, mica_array *const results[], size_t nresults,
                      mica_array *const sources[], size_t nsources);
void mica__graph_free(mica__graph *g);
/* Place of the array's node, or -1 when it does not depend on a source. */
int64_t mica__graph_find(const mica__graph *g, const mica_array *a);

#endif
