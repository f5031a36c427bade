/* Inside of evaluation, shared by eval.c (plans and waits), work.c (runs steps), park.c (works that
 * wait), wait.c (threads that wait), stream.c (streams, fork) and executor.c (the threads that
 * serve queues). */
#ifndef MICA_ENGINE_QUEUE_H
#define MICA_ENGINE_QUEUE_H

#include "base/thread.h"
#include "compile/plan.h"
#include "runtime/runtime.h"

enum { FAULT_TEXT = 480 };

/* A fault with its message, kept to be told later. */
typedef struct mica__report {
    int status;
    char message[FAULT_TEXT];
} mica__report;

typedef struct mica__job mica__job;

/* The steps of one plan that belong to one stream. */
typedef struct mica__work {
    struct mica__work *next, *outer; /* outer: what the same thread was in when it began this one */
    mica__job *job;
    mica_stream *stream;
    mica__step **steps;
    size_t n, at;             /* at: the step that comes next */
    bool under_way;           /* its runner is within that step */
    bool given_up;            /* its steps and its stream are others' now (reenter.c) */
    struct mica__work *below; /* on the stack of the thread that asked for it */
} mica__work;

/* One evaluation, shared by its works. */
struct mica__job {
    _Atomic int32_t references, pending; /* pending: works that still run */
    _Atomic bool stop;                   /* who waits was interrupted */
    bool waited;                         /* somebody waits and is told of faults */
    uint64_t watched;                    /* the number that a watcher gave the evaluation */
    _Atomic bool admitted;               /* may take memory (admission.c) */
    _Atomic bool in_turn; /* its steps run in the plan's order, whatever their stream */
    size_t turn;          /* the step that may run then; under the lock */
    size_t need;          /* bytes that it takes at most */
    mica__job *next;      /* among those that wait to be admitted */
    mica_stream *parked;  /* whose works wait to be admitted, or for their turn */
    mica__plan plan;
    mica_array **roots; /* retained while the job lives */
    size_t nroots;
    mica__report report;
};

/* Streams are never freed: pending nodes point to them. Released ones are used again. */
struct mica_stream {
    _Atomic int32_t references; /* of programs; 0: among the free ones */
    int index;
    uint64_t owner;     /* of its key in its thread (mica__thread_stream) */
    bool ready;         /* among those that wait for an executor */
    const void *runner; /* the thread that executes (mica__this_thread), NULL: idle */
    mica__work *running;
    mica__work *head, *tail;
    mica__report report; /* a fault that nobody has been told of */
    mica__work *cut;     /* of the plan that is being cut into works */
    mica_stream **place; /* parked: what points to it in the list of what its first work awaits */
    const mica_node *awaited;
    mica_stream *next, *next_ready, *next_free, *next_parked;
};

/* One lock for planning, queues and states; executing happens outside of it. */
extern mica__mutex mica__queue_lock;

/* Statuses that never leave the runtime. MICA_AGAIN: inputs of the work have been put back to
 * pending by another evaluation; plan again. MICA_PARKED: the work goes on later. */
enum { MICA_AGAIN = 1, MICA_PARKED = 2 };

/* stream.c */
void mica__queue_begin(void); /* before anything else here */
mica_stream *mica__queue_resolve(mica_stream *s);
const void *mica__this_thread(void);
/* Stops all works that run on other threads at their next step; whether there is one. Under the
 * lock. */
bool mica__queue_stop_all(const void *but);
/* Takes works of a job that nobody runs out of the queues: their nodes become pending again. Under
 * the lock. */
void mica__queue_withdraw(mica__job *j);
/* The calling thread has just been told of this fault: mica_synchronize need not tell it again.
 * Under the lock. */
void mica__queue_told(int status);

/* executor.c; all under the lock */
/* Queues a work; fails when the system has no thread at all for it. */
int mica__queue_add(mica_stream *s, mica__work *w);
/* Hands the stream to an executor if it has work, nobody runs it, and it is not parked. */
void mica__queue_ready(mica_stream *s);
/* The stream's runner has left it: what is queued goes on, and who waits looks again. */
void mica__queue_left(mica_stream *s);
bool mica__executors_called(void); /* a stream waits for one, which will come */
/* The calling executor is going to block, and others serve meanwhile; false when there is no other.
 */
bool mica__executor_blocks(void);
void mica__executor_goes_on(void);
/* Not under the lock. Whether a work that began then is to let other streams have the executor. */
bool mica__executor_yields(int64_t began);
void mica__executors_forget(void); /* in a forked child */

/* park.c; all under the lock */
/* Works and threads that wait for nodes, turns or memory. Raised before what is waited for is
 * looked at: who changes it looks here afterwards. */
extern _Atomic uint32_t mica__waiting;
/* The stream's first work waits for the node or, with none, for the job. */
void mica__park(mica_stream *s, const mica_node *n, mica__job *j);
void mica__unpark(mica_stream *s); /* without making it ready */
/* What waits for nodes of the step, for the job's next turn, or for the job, looks again. */
void mica__wake_step(const mica__step *step);
void mica__wake_turn(mica__job *j);
void mica__wake_job(mica__job *j);

/* pause.c */
int mica__pause_begin(void); /* before the first step */
/* Not under the lock. Around a step, from its first write to `at` being the next one. */
void mica__step_enter(mica__work *w);
void mica__step_leave(mica__work *w);

/* reenter.c; push and pop not under the lock */
void mica__reenter_push(mica__work *w); /* the calling thread, which asked for it, runs it */
void mica__reenter_pop(void);
/* Before the calling thread waits: works below on its stack give up what they have not begun. */
void mica__reenter(void);
/* MICA_ERUNTIME when the wait would never end: a work below is within a kernel, and no other runs.
 */
int mica__reenter_check(void);

/* admission.c; all under the lock */
/* Works out what the job needs, its plan being cut into works for so many streams. True: that does
 * not fit, and its steps may have been put into an order that needs less, so it is to be cut again.
 */
bool mica__job_estimate(mica__job *j, size_t streams);
/* The job's works are in their queues. */
void mica__job_join(mica__job *j);
/* Before the calling thread waits within a work of its own, which may be what others wait for. */
void mica__jobs_admit_all(void);
/* One of its pending works has ended, or never begins. */
void mica__job_work_ended(mica__job *j);

/* work.c */
/* Under the lock, before the calling thread lets go of it to run a work: from then on somebody who
 * waits for memory sees that work is on its way. */
void mica__work_begin(void);
/* Works run on other threads, or will. Under the lock. */
bool mica__works_elsewhere(void);
/* Runs one work to its end or first fault: true. False: it goes on later. ask: this is the thread
 * that asked for the evaluation; its works are never parked. */
bool mica__work_run(mica__work *w, bool ask);
/* Under the lock: the calling executor has left a work that goes on later; whether no other is
 * busy.
 */
bool mica__work_set_aside(void);
/* Unfinished nodes become pending again, but for those of a step under way; under the lock. */
void mica__work_put_back(mica__work *w);
void mica__plan_put_back(mica__plan *plan);
/* The nodes of the step that the work was within fail: it cannot be done again. Under the lock. */
void mica__work_lose(const mica__work *w);
/* Keeps the calling thread's last error unless there is one already. Under the lock. */
void mica__report_fault(mica__report *r, int status);
void mica__job_release(mica__job *j);
void mica__works_forget(void); /* in a forked child: those of other threads */

/* wait.c; all under the lock */
/* Whether what a thread waits for has come about. Asked by other threads, under the lock. */
typedef bool mica__over(const void *context);
/* Waits until it is over, or for no reason; ask: asks now and then whether the calling thread is to
 * stop: MICA_EINTERRUPT. */
int mica__queue_wait(bool ask, mica__over *over, const void *context);
/* The same on the thread that asked, or MICA_ERUNTIME where the wait would never end (reenter.c).
 */
int mica__reenter_wait(mica__over *over, const void *context);
/* The same without asking; false when mica__now reached the deadline before. */
bool mica__queue_wait_until(int64_t deadline, mica__over *over, const void *context);
/* A node, a work, a stream or memory has changed: wakes those for whom it is over. */
void mica__queue_tell(void);
void mica__waits_forget(void); /* in a forked child */
/* For tests, not under the lock: how often threads were woken. */
MICA_API uint64_t mica__queue_wakes(void);

#endif
