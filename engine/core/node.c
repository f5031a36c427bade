/* Nodes, arrays and buffers: creation from free lists, reference counts, destruction without
 * recursion. */
#include <pthread.h>
#include <stdlib.h>

#include "core/watch.h"

/* ---- free lists: one a thread and size class of 16 bytes, capped; the rest goes back to the host
   allocator. A list whose cap made nodes go that are wanted again keeps more: a thread that builds
   and drops a large graph over and over does not ask for each of its nodes. ---- */
enum {
    NODE_GRAIN = 16,
    NODE_CLASSES = 128,
    NODE_KEEP = 4096,          /* of a class at first, and of buffers */
    NODE_KEEP_BYTES = 32 << 20 /* of all classes, beyond the first NODE_KEEP of each */
};

typedef struct free_list {
    struct {
        void *head;
        uint32_t count, more; /* more: than NODE_KEEP are kept */
        bool missed;          /* some went to the host allocator since it grew */
    } nodes[NODE_CLASSES];
    size_t more_bytes; /* what the classes may keep beyond NODE_KEEP, together */
    void *buffers;
    uint32_t buffer_count;
    bool registered;
} free_list;

static _Thread_local free_list lists;
static pthread_key_t list_key;
static pthread_once_t list_once = PTHREAD_ONCE_INIT;

static void lists_free(void *p)
{
    free_list *l = p;
    for (int c = 0; c < NODE_CLASSES; c++)
        while (l->nodes[c].head) {
            void *item = l->nodes[c].head;
            l->nodes[c].head = *(void **)item;
            mica__live_add(MICA_LIVE_HOST, 1);
            mica__free(item);
        }
    while (l->buffers) {
        void *item = l->buffers;
        l->buffers = *(void **)item;
        mica__live_add(MICA_LIVE_HOST, 1);
        mica__free(item);
    }
    memset(l, 0, sizeof *l);
}

static void list_key_make(void)
{
    pthread_key_create(&list_key, lists_free);
}

static void lists_register(void)
{
    lists.registered = true;
    pthread_once(&list_once, list_key_make);
    pthread_setspecific(list_key, &lists);
}

/* The list is empty, and what it let go before would have been of use: it may keep twice as much.
 */
static void keep_more(size_t class)
{
    uint32_t more = NODE_KEEP + lists.nodes[class].more;
    size_t bytes = more * class * NODE_GRAIN;
    lists.nodes[class].missed = false;
    if (bytes > NODE_KEEP_BYTES - lists.more_bytes) return;
    lists.more_bytes += bytes;
    lists.nodes[class].more += more;
}

static void *take_new(size_t bytes)
{
    void *item = mica__alloc(bytes);
    if (item) mica__live_add(MICA_LIVE_NODE, 1);
    return item;
}

/* Memory for a node, which is counted as alive. */
static void *take(size_t bytes, uint8_t *class)
{
    size_t c = (bytes + NODE_GRAIN - 1) / NODE_GRAIN;
    if (c >= NODE_CLASSES) {
        *class = 0;
        return take_new(bytes);
    }
    *class = (uint8_t)c;
    void *item = lists.nodes[c].head;
    if (!item) {
        if (lists.nodes[c].missed) keep_more(c);
        return take_new(c * NODE_GRAIN);
    }
    if (mica__injected_failure()) return NULL;
    lists.nodes[c].head = *(void **)item;
    lists.nodes[c].count--;
    mica__live_add_listed(MICA_LIVE_NODE, 1); /* what lies in a list is not alive */
    return item;
}

static void give(void *item, uint8_t class)
{
    if (class == 0 || lists.nodes[class].count >= NODE_KEEP + lists.nodes[class].more) {
        lists.nodes[class].missed = true;
        mica__live_add(MICA_LIVE_NODE, -1);
        mica__free(item);
        return;
    }
    if (!lists.registered) lists_register();
    *(void **)item = lists.nodes[class].head;
    lists.nodes[class].head = item;
    lists.nodes[class].count++;
    mica__live_add_listed(MICA_LIVE_NODE, -1);
}

/* ---- buffers ---- */

static mica__buffer *buffer_take(void)
{
    mica__buffer *b = lists.buffers;
    if (b) {
        if (mica__injected_failure()) return NULL;
        lists.buffers = *(void **)b;
        lists.buffer_count--;
        mica__live_add(MICA_LIVE_HOST, 1);
    } else {
        b = mica__alloc(sizeof *b);
        if (!b) return NULL;
    }
    memset(b, 0, sizeof *b);
    atomic_init(&b->references, 1);
    mica__live_add(MICA_LIVE_BUFFER, 1);
    return b;
}

static void buffer_give(mica__buffer *b)
{
    mica__live_add(MICA_LIVE_BUFFER, -1);
    if (lists.buffer_count >= NODE_KEEP) {
        mica__free(b);
        return;
    }
    if (!lists.registered) lists_register();
    *(void **)b = lists.buffers;
    lists.buffers = b;
    lists.buffer_count++;
    mica__live_add(MICA_LIVE_HOST, -1);
}

mica__buffer *mica__buffer_new(size_t bytes)
{
    mica__buffer *b = buffer_take();
    if (!b) return NULL;
    if (mica__memory_take(bytes, &b->data) != MICA_OK) {
        buffer_give(b);
        return NULL;
    }
    b->owned = b->writable = true;
    b->bytes = bytes;
    const mica__watcher *watcher = mica__watching();
    if (watcher) b->site = watcher->took(bytes);
    return b;
}

mica__buffer *mica__buffer_adopt(void *data, size_t bytes, void (*release)(void *), void *user)
{
    mica__buffer *b = buffer_take();
    if (!b) return NULL;
    b->data = data;
    b->bytes = bytes;
    b->release = release;
    b->user = user;
    return b;
}

void mica__buffer_retain(mica__buffer *b)
{
    if (b) atomic_fetch_add_explicit(&b->references, 1, memory_order_relaxed);
}

void mica__buffer_release(mica__buffer *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->references, 1, memory_order_acq_rel) != 1) return;
    if (b->site) {
        const mica__watcher *watcher = mica__watching();
        if (watcher) watcher->gave(b->site, b->bytes);
    }
    if (b->owned) mica__memory_give(b->data, b->bytes);
    else if (b->release) b->release(b->user);
    buffer_give(b);
}

/* ---- nodes ---- */

/* A node of so many bytes, the first `head` of which are zero. */
static mica_node *node_of(unsigned prim, size_t head, size_t bytes)
{
    uint8_t class;
    mica_node *n = take(bytes, &class);
    if (!n) return NULL;
    memset(n, 0, head);
    n->prim = (uint16_t)prim;
    n->size_class = class;
    n->inputs = (mica_array **)(void *)((char *)n + head);
    n->params = (char *)n + head;
    if (mica__watching()) {
        n->site = mica__site;
        n->flags = mica__site_flags;
    }
    return n;
}

/* What `ndim` axes take within an array. */
static size_t axes_bytes(int64_t ndim)
{
    return ndim >= 0 && ndim <= 4 ? 2 * (size_t)ndim * sizeof(int64_t) : 0;
}

/* Of outputs; a single one has room for its axes, or for a weak number's value. */
static size_t outputs_bytes(size_t noutputs, int64_t ndim)
{
    if (noutputs != 1) return noutputs * sizeof(mica_array);
    size_t axes = axes_bytes(ndim), number = sizeof(((mica_array *)0)->number);
    return offsetof(mica_array, local) + (axes > number ? axes : number);
}

mica_node *mica__node_new(unsigned prim, size_t noutputs, int64_t ndim, size_t ninputs,
                          size_t params_bytes)
{
    size_t head = sizeof(mica_node) + outputs_bytes(noutputs, ndim);
    size_t inputs_bytes;
    if (noutputs > 255 || ninputs > UINT32_MAX ||
        mica__mul_overflow(ninputs, sizeof(mica_array *), &inputs_bytes) ||
        mica__add_overflow(head, inputs_bytes, &inputs_bytes) ||
        mica__add_overflow(inputs_bytes, params_bytes, &params_bytes)) {
        mica__fail(MICA_EOVERFLOW, "[graph] a node with %zu inputs and %zu outputs is too large",
                   ninputs, noutputs);
        return NULL;
    }
    mica_node *n = node_of(prim, head, params_bytes);
    if (!n) return NULL;
    n->noutputs = (uint8_t)noutputs;
    n->ninputs = (uint32_t)ninputs;
    n->params = (char *)n + inputs_bytes;
    for (size_t i = 0; i < noutputs; i++) n->out[i].slot = (uint8_t)i;
    return n;
}

int mica__node_slim(mica_node **node, unsigned prim, mica_dtype dtype, mica_dims shape,
                    mica__buffer *buffer, const char *data)
{
    size_t head = sizeof(mica_node) + offsetof(mica_array, local) + axes_bytes(shape.n);
    mica_node *n = node_of(prim, head, head);
    if (!n) return MICA_EMEMORY;
    n->noutputs = 1;
    int status = mica__array_set_shape(&n->out[0], dtype, shape);
    if (status) {
        mica__node_discard(n);
        return status;
    }
    mica__buffer_retain(buffer);
    mica__array_set_data(&n->out[0], buffer, (char *)(uintptr_t)data, NULL);
    atomic_store_explicit(&n->state, MICA_NODE_DONE, memory_order_relaxed);
    *node = n;
    return MICA_OK;
}

int mica__array_set_shape(mica_array *a, mica_dtype dtype, mica_dims shape)
{
    int64_t size;
    if (shape.n < 0) return mica__fail(MICA_EVALUE, "[array] a shape is needed, but none is given");
    if (shape.n > MICA_MAX_NDIM)
        return mica__fail(MICA_EVALUE,
                          "[array] %lld axes are more than the %d that an array can have",
                          (long long)shape.n, MICA_MAX_NDIM);
    if (!mica__shape_size(shape, &size)) {
        for (int64_t i = 0; i < shape.n; i++)
            if (shape.at[i] < 0)
                return mica__fail(MICA_EVALUE, "[array] shape %s has a negative size",
                                  mica__shape_text(shape));
        return mica__fail(MICA_EOVERFLOW,
                          "[array] shape %s has more elements than can be addressed",
                          mica__shape_text(shape));
    }
    a->dtype = (uint8_t)dtype;
    a->ndim = (uint8_t)shape.n;
    a->size = size;
    a->shape = a->local;
    if (shape.n > 4) {
        int64_t *axes = mica__alloc(2 * (size_t)shape.n * sizeof(int64_t));
        if (!axes) return MICA_EMEMORY;
        a->shape = axes;
    }
    a->strides = a->shape + shape.n;
    for (int64_t i = 0; i < shape.n; i++) a->shape[i] = shape.at[i];
    return MICA_OK;
}

static void array_clear(mica_array *a)
{
    mica__buffer *b = a->buffer;
    a->buffer = NULL;
    a->data = NULL;
    mica__buffer_release(b);
}

static void node_free(mica_node *n)
{
    for (size_t i = 0; i < n->noutputs; i++) {
        array_clear(&n->out[i]);
        if (n->out[i].shape != n->out[i].local) mica__free(n->out[i].shape);
    }
    give(n, n->size_class);
}

void mica__prim_release_params(mica_node *n); /* ops/prim.c: POINTER fields own references */

/* Takes one off a count; true when it was the last. Nobody can raise a count of one but its holder,
 * who is here: then nothing has to be locked. */
static bool last_one(_Atomic int32_t *count)
{
    if (atomic_load_explicit(count, memory_order_acquire) != 1)
        return atomic_fetch_sub_explicit(count, 1, memory_order_acq_rel) == 1;
    atomic_store_explicit(count, 0, memory_order_relaxed);
    return true;
}

/* Drops one use; true when the node has none left. */
static bool drop(mica_array *a)
{
    return last_one(&a->uses) && last_one(&mica__node_of(a)->slots);
}

static void destroy(mica_node *first)
{
    first->stream = NULL;
    mica_node *list = first;
    mica__fault *fault = first->link.fault;
    mica__free(fault);
    first->link.next = NULL;
    while (list) {
        mica_node *n = list;
        list = n->link.next;
        for (size_t i = 0; i < n->ninputs; i++) {
            mica_array *input = n->inputs[i];
            mica__fetch(input);
            if (!drop(input)) continue;
            mica_node *m = mica__node_of(input);
            mica__free(m->link.fault);
            m->link.next = list;
            list = m;
        }
        mica__prim_release_params(n);
        node_free(n);
    }
}

mica_array *mica_retain(mica_array *a)
{
    if (a && atomic_fetch_add_explicit(&a->uses, 1, memory_order_relaxed) == 0)
        atomic_fetch_add_explicit(&mica__node_of(a)->slots, 1, memory_order_relaxed);
    return a;
}

void mica_release(mica_array *a)
{
    if (a && drop(a)) destroy(mica__node_of(a));
}

mica_array *mica__node_output(mica_node *n, size_t slot)
{
    return mica_retain(&n->out[slot]);
}

void mica__node_discard(mica_node *n)
{
    destroy(n);
}

void mica__node_detach(mica_node *n)
{
    size_t count = n->ninputs;
    n->ninputs = 0;
    for (size_t i = 0; i < count; i++) mica_release(n->inputs[i]);
}

void mica__array_set_data(mica_array *a, mica__buffer *buffer, char *data, const int64_t *strides)
{
    a->buffer = buffer;
    a->data = data;
    if (!strides) {
        mica__row_major(a->ndim, a->shape, a->strides);
        a->flags |= MICA_ARRAY_ROW_MAJOR;
        return;
    }
    for (int i = 0; i < a->ndim; i++) a->strides[i] = strides[i];
    if (mica__is_row_major(a)) a->flags |= MICA_ARRAY_ROW_MAJOR;
}
