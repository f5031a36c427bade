/* What nodes remember that failed, or that cannot be evaluated. */
#include "core/node.h"

static mica__fault *fault_new(int status, const char *message)
{
    size_t length = strlen(message) + 1;
    mica__fault *f = mica__alloc(sizeof *f + length);
    if (!f) return NULL;
    f->status = status;
    memcpy(f->message, message, length);
    return f;
}

void mica__node_made_at(mica_node *n, const char *place)
{
    if (!(n->flags & MICA_NODE_ABSTRACT) || n->link.fault) return;
    n->link.fault = fault_new(MICA_OK, place);
}

const char *mica__node_place(const mica_node *n)
{
    bool has = (n->flags & MICA_NODE_ABSTRACT) && n->link.fault;
    return has ? n->link.fault->message : NULL;
}

void mica__node_fail(mica_node *n, int status, const char *message)
{
    mica__fault *f = fault_new(status, message);
    if (f) n->link.fault = f;
    atomic_store_explicit(&n->state, MICA_NODE_FAILED, memory_order_release);
}

int mica__node_fault(const mica_node *n)
{
    const mica__fault *f = n->link.fault;
    if (!f)
        return mica__fail(MICA_ERUNTIME, "[eval] an operation that this array depends on failed");
    return mica__fail(f->status, "%s", f->message);
}
