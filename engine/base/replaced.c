/* Frees replaced files while the program goes on. */
#define _GNU_SOURCE 1
#include "base/replaced.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/thread.h"

enum { LARGE = 16 << 20 };

static mica__mutex lock = MICA_MUTEX_INIT;
static mica__condition changed = MICA_CONDITION_INIT;
static unsigned closing; /* threads at work */

static void before_fork(void)
{
    mica__mutex_lock(&lock);
}
static void after_fork_parent(void)
{
    mica__mutex_unlock(&lock);
}
/* The child has none of the threads; what they were to close is the parent's matter. */
static void after_fork_child(void)
{
    closing = 0;
    mica__condition_init(&changed);
    mica__mutex_unlock(&lock);
}
static void register_fork(void)
{
    mica__at_fork(before_fork, after_fork_parent, after_fork_child);
}

int mica__replaced_keep(const char *path, uint64_t bytes)
{
#ifdef O_PATH
    if (bytes >= LARGE) return open(path, O_PATH | O_CLOEXEC);
#endif
    (void)path, (void)bytes;
    return -1;
}

static void close_one(void *descriptor)
{
    close((int)(intptr_t)descriptor);
    mica__mutex_lock(&lock);
    closing--;
    mica__condition_broadcast(&changed);
    mica__mutex_unlock(&lock);
}

void mica__replaced_free(int descriptor)
{
    static mica__once once = MICA_ONCE_INIT;
    mica__thread thread;
    if (descriptor < 0) return;
    mica__call_once(&once, register_fork);
    mica__mutex_lock(&lock);
    closing++;
    mica__mutex_unlock(&lock);
    void *argument = (void *)(intptr_t)descriptor;
    if (mica__thread_start(&thread, "mica-free-file", close_one, argument) == MICA_OK) {
        mica__thread_detach(&thread);
        return;
    }
    mica__clear_error();
    close_one(argument);
}

void mica__replaced_wait(void)
{
    mica__mutex_lock(&lock);
    while (closing) mica__condition_wait(&changed, &lock);
    mica__mutex_unlock(&lock);
}
