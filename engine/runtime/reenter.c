/* Evaluating within an evaluation: signal handlers run on the thread that evaluates, and may ask
   for what the evaluation below them, on the same stack, was computing or stands before in a queue.

   So before such a thread waits, its works below give back what they have not begun, and their
   streams; they end when the handler returns, and what is still missing is planned again. A work
   that is within a kernel cannot: handlers run there only when the kernel takes long, and waiting
   for that one is an error, since nobody could end the wait. */
#include "runtime/queue.h"

static _Thread_local mica__work *top;

void mica__reenter_push(mica__work *w)
{
    w->below = top;
    top = w;
}
void mica__reenter_pop(void)
{
    top = top->below;
}

static void give_up(mica__work *w)
{
    mica_stream *s = w->stream;
    mica__work_put_back(w);
    w->given_up = true;
    s->running = w->outer;
    if (w->outer) return;
    s->runner = NULL;
    mica__queue_left(s);
}

void mica__reenter(void)
{
    if (!top) return;
    mica__jobs_admit_all();
    for (mica__work *w = top; w && !w->under_way; w = w->below)
        if (!w->given_up) give_up(w);
}

int mica__reenter_check(void)
{
    const mica__work *w = top;
    while (w && !w->under_way) w = w->below;
    if (!w || mica__works_elsewhere()) return MICA_OK;
    return mica__fail(MICA_ERUNTIME,
                      "[eval] a signal handler waits for the operation that it interrupted; let it "
                      "return first, and evaluate there what does not depend on that operation");
}

int mica__reenter_wait(mica__over *over, const void *context)
{
    MICA_TRY(mica__reenter_check());
    return mica__queue_wait(true, over, context);
}
