/* Typed parameters, handled by the kinds of their fields. */
#ifndef MICA_ENGINE_PARAMS_H
#define MICA_ENGINE_PARAMS_H

#include "core/node.h"
#include "ops/prim.h"

/* What a POINTER field points to: a reference-counted object that knows how to free itself. */
typedef struct mica__owner {
    _Atomic int32_t references;
    void (*free)(struct mica__owner *self);
} mica__owner;
void mica__owner_release(mica__owner *o);

size_t mica__params_bytes(unsigned prim,
                          const void *params); /* what a node must hold, lists included */
void mica__params_copy(unsigned prim, void *to, const void *from);
bool mica__params_equal(unsigned prim, const void *a, const void *b);
uint64_t mica__params_hash(unsigned prim, const void *params);

/* The parameters of a node, typed: MICA_PARAMS(node, sort)->axis. The struct is never copied as a
   whole: its padding is not stored. */
#define MICA_PARAMS(node, name) ((const struct mica__##name##_params *)(node)->params)

/* Copies them to a struct of the node's primitive, to be changed; lists stay the node's. */
static inline void mica__params_take(const mica_node *n, void *to)
{
    memcpy(to, n->params, mica__prims[n->prim].params_size);
}

#endif
