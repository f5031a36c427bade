/* A scope's inside: what it owns, where it runs, what failed. */
#ifndef MICA_ENGINE_SCOPE_H
#define MICA_ENGINE_SCOPE_H

#include "core/node.h"

struct mica_scope {
    mica_stream *stream; /* NULL: the calling thread's default when a node is made */
    mica_scope *parent;
    int status;
    uint32_t id;     /* tells scopes apart, also those that are closed; never 0 */
    uint16_t origin; /* the public function that builds here; 0: none, errors keep their names */
    bool on_heap;
    char *message;      /* of the first failure; NULL when even that could not be allocated */
    mica_array **owned; /* one reference each */
    size_t n, capacity;
    mica__arena arena;
    mica_array *local[24];
};

/* A scope on the C stack, for one call. */
void mica__scope_begin(mica_scope *s, mica_stream *stream);
int mica__scope_end(mica_scope *s);
/* Marks the scope as failed with the calling thread's last error, unless it is already. Returns
 * NULL for `return mica__scope_fail(s)`. */
void *mica__scope_failed(mica_scope *s, int status);
/* As mica__fail, into the scope. Returns NULL. */
void *mica__error(mica_scope *s, int status, const char *format, ...) MICA_PRINTF(3, 4);
/* Memory of the scope: lists handed to callers. NULL on failure, and the scope is marked. */
void *mica__scope_alloc(mica_scope *s, size_t bytes);
static inline bool mica__scope_ok(const mica_scope *s)
{
    return s && s->status == MICA_OK;
}
/* The scope owns a new reference to output `slot` of a fresh node. NULL on failure (the node is
 * then gone if nothing else holds it). */
mica_array *mica__scope_take(mica_scope *s, mica_node *n, size_t slot);

#endif
