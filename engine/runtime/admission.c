/* Admission: which evaluations run side by side when memory is short.

   Each evaluation says what it needs at most: its results and what kernels take while they run, or,
   where that does not fit, the peak that liveness requires of its order. Evaluations that do not
   fit beside those that were admitted wait, the oldest first, and hold nothing meanwhile.

   No circle of waiting can form. Those admitted are always the oldest unfinished ones, since nobody
   overtakes. An evaluation waits only for nodes that it or an older one claimed, and stands in
   queues only behind older ones; so of those admitted the oldest waits for nobody. When nothing is
   admitted the oldest begins, however much it needs: then it has all memory that evaluations can
   have, and what does not fit then does not fit at all. Within an evaluation on several streams
   that was told to save memory steps run in the plan's order, in which each comes after those that
   it needs. A thread that waits while a work of its own is interrupted (a signal handler that
   evaluates) may wait for what waits for that one: then everything is let in. */
#include "runtime/liveness.h"
#include "runtime/memory.h"
#include "runtime/queue.h"

/* What is counted as needed at most: more than there is, and sums of it do not overflow. */
#define MOST ((size_t)1 << 47)

static struct {
    mica__job *first, *last; /* waiting, the oldest first */
    size_t admitted;         /* unfinished evaluations that may run */
    size_t promised;         /* what they need at most */
} admission;

static bool fits(size_t need)
{
    return mica__memory_has_room(admission.promised + need);
}

bool mica__job_estimate(mica__job *j, size_t streams)
{
    size_t scratch, results = mica__plan_results(&j->plan, &scratch), all, sum;
    bool known =
        !mica__mul_overflow(scratch, streams, &all) && !mica__add_overflow(results, all, &sum);
    j->need = known && sum < MOST ? sum : MOST;
    if (j->plan.nsteps < 2 || (!admission.first && fits(j->need))) return false;
    size_t peak = mica__plan_save_memory(&j->plan);
    if (peak < results && !mica__add_overflow(peak, scratch, &sum) && sum < j->need) j->need = sum;
    j->in_turn = streams > 1;
    return true;
}

static void admit(mica__job *j)
{
    admission.admitted++;
    admission.promised += j->need;
    atomic_store(&j->admitted, true);
    mica__wake_job(j);
}

static mica__job *take_first(void)
{
    mica__job *j = admission.first;
    admission.first = j->next;
    if (!admission.first) admission.last = NULL;
    return j;
}

static void admit_waiting(bool all)
{
    bool any = false;
    for (; admission.first && (all || !admission.admitted || fits(admission.first->need));
         any = true)
        admit(take_first());
    if (any) mica__queue_tell();
}

void mica__job_join(mica__job *j)
{
    if (!admission.first && (!admission.admitted || fits(j->need))) {
        admit(j);
        return;
    }
    j->next = NULL;
    if (admission.last) admission.last->next = j;
    else admission.first = j;
    admission.last = j;
}

void mica__jobs_admit_all(void)
{
    admit_waiting(true);
}

static void leave(mica__job *j)
{
    if (atomic_load(&j->admitted)) {
        admission.admitted--;
        admission.promised -= j->need;
    } else {
        mica__job *before = NULL;
        for (mica__job *k = admission.first; k != j; k = k->next) before = k;
        if (before) before->next = j->next;
        else admission.first = j->next;
        if (admission.last == j) admission.last = before;
    }
    admit_waiting(false);
}

void mica__job_work_ended(mica__job *j)
{
    if (atomic_fetch_sub(&j->pending, 1) == 1) leave(j);
}
