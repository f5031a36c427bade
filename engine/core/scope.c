/* Scopes: ownership and sticky errors for builders. */
#include <stdio.h>

#include "core/origin.h"
#include "core/scope.h"
#include "core/watch.h"

/* Ids are taken from one counter by the batch: a locked addition for each scope would cost more
 * than the rest of opening one. */
static uint32_t next_id(void)
{
    enum { BATCH = 1 << 12 };
    static _Atomic uint32_t batches;
    static _Thread_local uint32_t last = BATCH - 1;
    if (++last % BATCH == 0)
        last = atomic_fetch_add_explicit(&batches, BATCH, memory_order_relaxed) + 1;
    return last;
}

void mica__scope_begin(mica_scope *s, mica_stream *stream)
{
    s->stream = stream;
    s->parent = NULL;
    s->status = MICA_OK;
    s->id = next_id();
    s->origin = 0;
    s->on_heap = false;
    s->message = NULL;
    s->owned = s->local;
    s->n = 0;
    s->capacity = sizeof s->local / sizeof s->local[0];
    s->arena = (mica__arena){ NULL };
    const mica__watcher *watcher = mica__watching();
    if (watcher) mica__site = watcher->site();
}

int mica__scope_end(mica_scope *s)
{
    for (size_t i = s->n; i-- > 0;) mica_release(s->owned[i]);
    if (s->owned != s->local) mica__free(s->owned);
    s->owned = s->local;
    s->n = 0;
    mica__arena_free(&s->arena);
    int status = s->status;
    if (status != MICA_OK)
        mica__fail(status, "%s", s->message ? s->message : mica_status_text(status));
    mica__free(s->message);
    s->message = NULL;
    return status;
}

mica_scope *mica_scope_open_on(mica_scope *parent, mica_stream *stream)
{
    mica_scope *s = mica__alloc(sizeof *s);
    if (!s) return mica__scope_failed(parent, MICA_EMEMORY);
    mica__scope_begin(s, stream ? stream : parent ? parent->stream : NULL);
    s->parent = parent;
    s->origin = parent ? parent->origin : 0;
    s->on_heap = true;
    mica__live_add(MICA_LIVE_SCOPE, 1);
    return s;
}

mica_scope *mica_scope_open(mica_scope *parent)
{
    return mica_scope_open_on(parent, NULL);
}

static int no_scope(void)
{
    return mica__fail(MICA_EMEMORY, "[scope] there is no scope: opening it failed");
}

int mica_scope_close(mica_scope *s)
{
    if (!s) return no_scope();
    int status = mica__scope_end(s);
    if (s->on_heap) {
        mica__free(s);
        mica__live_add(MICA_LIVE_SCOPE, -1);
    }
    return status;
}

/* Room for `more` references. */
static bool reserve(mica_scope *s, size_t more)
{
    if (s->capacity - s->n >= more) return true;
    size_t capacity = 2 * s->capacity, bytes;
    while (capacity < s->n + more) capacity *= 2;
    if (mica__mul_overflow(capacity, sizeof(mica_array *), &bytes)) return false;
    bool is_local = s->owned == s->local;
    mica_array **owned = mica__realloc(is_local ? NULL : s->owned, bytes);
    if (!owned) return false;
    if (is_local) memcpy(owned, s->local, s->n * sizeof *owned);
    s->owned = owned;
    s->capacity = capacity;
    return true;
}

int mica_scope_close_keeping(mica_scope *s, mica_array **arrays, size_t n)
{
    if (!s) {
        for (size_t i = 0; i < n; i++) arrays[i] = NULL;
        return no_scope();
    }
    mica_scope *parent = s->parent;
    for (size_t i = 0; i < n && s->status == MICA_OK; i++) {
        if (!arrays[i])
            mica__error(s, MICA_EVALUE, "[scope] array %zu of those to keep is NULL", i);
        else if (parent && !mica_scope_own(parent, mica_retain(arrays[i])))
            mica__scope_failed(s, parent->status);
    }
    if (s->status == MICA_OK && !parent)
        for (size_t i = 0; i < n; i++) mica_retain(arrays[i]);
    if (s->status != MICA_OK)
        for (size_t i = 0; i < n; i++) arrays[i] = NULL;
    int status = mica_scope_close(s);
    if (status != MICA_OK && parent) mica__scope_failed(parent, status);
    return status;
}

/* Planning asks which scope holds a pending array. */
static void hold(const mica_scope *s, mica_array *a)
{
    mica_node *n = mica__node_of(a);
    if (mica__state(n) != MICA_NODE_DONE)
        atomic_store_explicit(&n->holder, s->id, memory_order_relaxed);
}

static void let_go(const mica_scope *s, mica_array *a)
{
    mica_node *n = mica__node_of(a);
    if (atomic_load_explicit(&n->holder, memory_order_relaxed) == s->id)
        atomic_store_explicit(&n->holder, 0, memory_order_relaxed);
    mica_release(a);
}

/* The scope's reference to `old`, or a new one when it has none, becomes one to `fresh`. There is
 * room. */
static void replace(mica_scope *s, mica_array *old, mica_array *fresh)
{
    size_t i = s->n;
    while (i > 0 && s->owned[i - 1] != old) i--;
    mica_retain(fresh);
    hold(s, fresh);
    if (i == 0) {
        s->owned[s->n++] = fresh;
        return;
    }
    s->owned[i - 1] = fresh;
    let_go(s, old);
}

int mica_scope_close_replacing(mica_scope *s, mica_array **arrays, mica_array *const values[],
                               size_t n)
{
    if (!s) return no_scope();
    mica_scope *parent = s->parent;
    for (size_t i = 0; i < n && s->status == MICA_OK; i++)
        if (!values[i])
            mica__error(s, MICA_EVALUE, "[scope] value %zu of those to keep is NULL", i);
    if (s->status == MICA_OK && parent && !reserve(parent, n)) mica__scope_failed(s, MICA_EMEMORY);
    for (size_t i = 0; i < n && s->status == MICA_OK; i++) {
        if (parent) replace(parent, arrays[i], values[i]);
        else {
            mica_retain(values[i]);
            mica_release(arrays[i]);
        }
        arrays[i] = values[i];
    }
    int status = mica_scope_close(s);
    if (status != MICA_OK && parent) mica__scope_failed(parent, status);
    return status;
}

int mica_scope_status(const mica_scope *s)
{
    return s ? s->status : MICA_EMEMORY;
}

void *mica__scope_failed(mica_scope *s, int status)
{
    if (!s || s->status != MICA_OK) return NULL;
    s->status = status;
    mica__origin_name_error(s->origin);
    const char *text = mica_last_error();
    size_t length = strlen(text) + 1;
    s->message = mica__alloc(length);
    if (s->message) memcpy(s->message, text, length);
    return NULL;
}

void *mica__error(mica_scope *s, int status, const char *format, ...)
{
    if (s && s->status != MICA_OK) return NULL;
    va_list args;
    va_start(args, format);
    mica__fail_v(status, format, args);
    va_end(args);
    return mica__scope_failed(s, status);
}

void *mica__scope_alloc(mica_scope *s, size_t bytes)
{
    if (!s) return NULL;
    void *memory = mica__arena_alloc(&s->arena, bytes);
    if (!memory) mica__scope_failed(s, MICA_EMEMORY);
    return memory;
}

mica_array *mica_scope_own(mica_scope *s, mica_array *a)
{
    if (!a) return NULL;
    if (!s) {
        mica_release(a);
        return NULL;
    }
    if (!reserve(s, 1)) {
        mica__scope_failed(s, MICA_EMEMORY);
        mica_release(a);
        return NULL;
    }
    hold(s, a);
    s->owned[s->n++] = a;
    return a;
}

mica_array *mica__scope_take(mica_scope *s, mica_node *n, size_t slot)
{
    return mica_scope_own(s, mica__node_output(n, slot));
}
