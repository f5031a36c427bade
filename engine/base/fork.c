/* What happens around fork, in an order that does not depend on which part of the engine was used
   first. */
#include "base/thread.h"

enum { MOST = 16 };

typedef struct handlers {
    void (*before)(void), (*parent)(void), (*child)(void);
} handlers;

static struct {
    mica__mutex lock; /* held across fork */
    handlers outer;
    handlers inner[MOST];
    size_t n;
} known = { .lock = MICA_MUTEX_INIT };

static void call(void (*f)(void))
{
    if (f) f();
}

static void before_fork(void)
{
    mica__mutex_lock(&known.lock);
    void (*first)(void) = known.outer.before;
    mica__mutex_unlock(&known.lock); /* what it waits for may add handlers */
    call(first);
    mica__mutex_lock(&known.lock);
    for (size_t i = known.n; i--;) call(known.inner[i].before);
}
static void after_fork_parent(void)
{
    for (size_t i = 0; i < known.n; i++) call(known.inner[i].parent);
    mica__mutex_unlock(&known.lock);
    call(known.outer.parent);
}
static void after_fork_child(void)
{
    for (size_t i = 0; i < known.n; i++) call(known.inner[i].child);
    mica__mutex_unlock(&known.lock);
    call(known.outer.child);
}

static bool registered;
static void register_all(void)
{
    registered = pthread_atfork(before_fork, after_fork_parent, after_fork_child) == 0;
}

static int add(handlers h, bool outer)
{
    static mica__once once = MICA_ONCE_INIT;
    mica__call_once(&once, register_all);
    mica__mutex_lock(&known.lock);
    bool room = registered && known.n < MOST;
    if (room && outer) known.outer = h;
    else if (room) known.inner[known.n++] = h;
    mica__mutex_unlock(&known.lock);
    return room ? MICA_OK : mica__fail_memory("fork handler", sizeof h);
}

int mica__at_fork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
    return add((handlers){ before, parent, child }, false);
}

int mica__around_fork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
    return add((handlers){ before, parent, child }, true);
}
