/* The watcher: notes evaluations, steps and memory as they happen. One lock, taken last. */
#include "base/config.h"
#include "base/thread.h"
#include "doctor/inside.h"
#include "mica/memory.h"

enum {
    EVALUATIONS_KEPT = 1 << 18,
    STEPS_KEPT = 1 << 18,
    FINDINGS_KEPT = 1 << 14, /* kinds of findings, not sightings */
    SITES_KEPT = 1 << 18
};

static mica__mutex lock = MICA_MUTEX_INIT;
static mica__record record;
static size_t findings_room, evaluations_room, steps_room, accounts_room;
static uint32_t *finding_table; /* open addressing by rule and lines; index + 1 */
static size_t finding_table_size;
static size_t live, noted_peak; /* bytes of buffers taken while watching */
static uint32_t (*where)(void);
static uint32_t largest_nodes; /* in record.largest; the planner's lock guards it */
static unsigned watch_options;
static _Atomic uint32_t threads;

static _Thread_local const char *reason;
static _Thread_local uint32_t thread_number;
static _Thread_local uint32_t running; /* the site that the step at hand works for */
static _Thread_local int64_t step_began;
static _Thread_local mica__range *before; /* ranges of the step's operands */
static _Thread_local mica__range operands[4];

static uint32_t this_thread(void)
{
    if (!thread_number) thread_number = atomic_fetch_add(&threads, 1) + 1;
    return thread_number;
}

/* Room for one more element of a list; false, and counted, when there is none. */
static bool grow(void *list, size_t *room, size_t n, size_t size, size_t limit)
{
    if (n < *room) return true;
    size_t wanted = *room ? 2 * *room : 256;
    void **at = list;
    void *grown = n < limit ? mica__realloc(*at, wanted * size) : NULL;
    if (!grown) {
        record.left_out++;
        return false;
    }
    *at = grown;
    *room = wanted;
    return true;
}

static mica__account *account_of(uint32_t site)
{
    if (site >= SITES_KEPT) site = 0;
    while (site >= record.naccounts) {
        if (!grow(&record.accounts, &accounts_room, record.naccounts, sizeof *record.accounts,
                  SITES_KEPT))
            return NULL;
        memset(&record.accounts[record.naccounts++], 0, sizeof *record.accounts);
    }
    return &record.accounts[site];
}

static const mica_node *last_node(const mica__step *step)
{
    if (step->reduced) return step->reduced;
    return step->node ? step->node : step->ops[step->nops - 1].node;
}

static uint32_t nodes_in(const mica__step *step)
{
    return (step->product != NULL) + (step->reshaped != NULL) + (step->node != NULL) + step->nops +
           (step->reduced != NULL);
}

/* ---- findings ---- */

static size_t hash_finding(uint32_t rule, uint32_t site, uint32_t cause)
{
    uint32_t words[3] = { rule, site, cause };
    return (size_t)mica__hash(0, words, sizeof words);
}

static bool grow_table(void)
{
    if (2 * (record.nfindings + 1) <= finding_table_size) return true;
    size_t size = finding_table_size ? 2 * finding_table_size : 64;
    uint32_t *table = mica__alloc_zero(size, sizeof *table);
    if (!table) return false;
    for (uint32_t i = 0; i < record.nfindings; i++) {
        const mica__finding *f = &record.findings[i];
        size_t at = hash_finding(f->rule, f->site, f->cause) & (size - 1);
        while (table[at]) at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    mica__free(finding_table);
    finding_table = table;
    finding_table_size = size;
    return true;
}

static mica__finding *finding_of(uint32_t rule, uint32_t prim, uint32_t site, uint32_t cause)
{
    if (!grow_table()) return NULL;
    size_t at = hash_finding(rule, site, cause) & (finding_table_size - 1);
    for (; finding_table[at]; at = (at + 1) & (finding_table_size - 1)) {
        mica__finding *f = &record.findings[finding_table[at] - 1];
        if (f->rule == rule && f->site == site && f->cause == cause) return f;
    }
    if (!grow(&record.findings, &findings_room, record.nfindings, sizeof *record.findings,
              FINDINGS_KEPT))
        return NULL;
    record.findings[record.nfindings] = (mica__finding){ rule, prim, site, cause, 0, 0 };
    finding_table[at] = (uint32_t)++record.nfindings;
    return &record.findings[record.nfindings - 1];
}

void mica__doctor_found(uint32_t rule, uint32_t prim, uint32_t site, uint32_t cause, uint64_t bytes)
{
    mica__mutex_lock(&lock);
    mica__finding *f = finding_of(rule, prim, site, cause);
    if (f) {
        f->count++;
        f->bytes += bytes;
    } else {
        record.left_out++;
    }
    mica__mutex_unlock(&lock);
}

/* Arrays of mapped files have their values when they are made; no plan will show them. */
void mica__doctor_evaluated(const mica_array *a)
{
    mica_node *n = mica__node_of(a);
    if (!mica__is_done(a) || n->prim != mica_prim_constant || !a->buffer || !a->buffer->check)
        return;
    n->flags |= MICA_NODE_LOADED;
    mica__doctor_found(1402, n->prim, mica__site, n->site, 0);
}

/* ---- evaluations ---- */

void mica__doctor_reason(const char *text)
{
    reason = text;
}

static uint64_t evaluation_begins(void)
{
    mica__mutex_lock(&lock);
    uint64_t number = ++record.total_evaluations;
    if (grow(&record.evaluations, &evaluations_room, record.nevaluations,
             sizeof *record.evaluations, EVALUATIONS_KEPT))
        record.evaluations[record.nevaluations++] =
            (mica__evaluation){ .number = number,
                                .reason = reason ? reason : "eval",
                                .site = mica__site,
                                .thread = this_thread(),
                                .begin = mica__now() };
    mica__mutex_unlock(&lock);
    reason = NULL;
    return number;
}

/* The list is in the order of numbers, without gaps before its end. */
static mica__evaluation *evaluation_of(uint64_t number)
{
    return number && number <= record.nevaluations ? &record.evaluations[number - 1] : NULL;
}

/* What is told of a plan: its operations, the size of its results, the latest plan it reads from.
 */
typedef struct summary {
    uint64_t graph, bytes;
    uint32_t after;
} summary;

static void summarize(mica_node *n, void *user)
{
    summary *s = user;
    uint32_t words[2] = { n->prim, n->site };
    s->graph = mica__hash(s->graph, words, sizeof words);
    if (mica__prims[n->prim].class != MICA_CLASS_VIEW)
        for (size_t i = 0; i < n->noutputs; i++)
            s->bytes += (uint64_t)n->out[i].size * mica__dtype_sizes[n->out[i].dtype];
    for (uint32_t i = 0; i < n->ninputs; i++) {
        const mica_node *m = mica__node_of(n->inputs[i]);
        if (mica__state(m) == MICA_NODE_DONE && m->claim > s->after) s->after = m->claim;
    }
}

static void planned(uint64_t number, const mica__plan *plan, mica_array *const roots[],
                    size_t nroots)
{
    uint64_t held = mica__doctor_examine(plan, roots, nroots);
    summary sum = { 0 };
    uint32_t nodes = 0;
    for (size_t i = 0; i < plan->nsteps; i++) {
        nodes += nodes_in(&plan->steps[i]);
        mica__step_each(&plan->steps[i], summarize, &sum);
    }
    bool largest = nodes > largest_nodes;
    mica__sketch *sketch = largest ? mica__sketch_make(plan) : NULL;
    mica__mutex_lock(&lock);
    if (sketch) {
        mica__sketch_free(record.largest);
        record.largest = sketch;
        sketch->evaluation = number;
        largest_nodes = nodes;
    }
    mica__evaluation *e = evaluation_of(number);
    if (e) {
        e->nodes += nodes;
        e->steps += (uint32_t)plan->nsteps;
        e->graph = sum.graph;
        e->bytes += sum.bytes;
        e->claim = plan->claim;
        e->after = sum.after;
        e->held = held;
        e->planned = mica__now();
    }
    mica__mutex_unlock(&lock);
}

static void evaluation_ends(uint64_t number, bool waited)
{
    mica__mutex_lock(&lock);
    mica__evaluation *e = evaluation_of(number);
    if (e) {
        e->end = mica__now();
        e->waited = waited;
    }
    mica__mutex_unlock(&lock);
}

/* ---- the first value that is not finite ---- */

static void look_before(const mica__step *step)
{
    before = NULL;
    if (!step->node && step->nops != 1) return;
    const mica_node *n = step->node ? step->node : step->ops[0].node;
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (mica__doctor_is_nonfinite(n->inputs[i])) return; /* not the first */
    for (uint32_t i = 0; i < n->ninputs && i < 4; i++)
        mica__doctor_range(n->inputs[i], &operands[i]);
    before = operands;
}

static void look_after(const mica__step *step)
{
    const mica_node *n = last_node(step);
    if (!before) return;
    for (uint32_t i = 0; i < n->noutputs; i++) {
        if (!n->out[i].data || !mica__doctor_is_nonfinite(&n->out[i])) continue;
        mica__first_nonfinite first = { .found = true,
                                        .prim = n->prim,
                                        .site = n->site,
                                        .noperands = n->ninputs < 4 ? n->ninputs : 4 };
        mica__doctor_range(&n->out[i], &first.result);
        memcpy(first.operands, operands, sizeof operands);
        mica__mutex_lock(&lock);
        first.evaluation = record.total_evaluations;
        if (!record.nonfinite.found) record.nonfinite = first;
        mica__mutex_unlock(&lock);
        return;
    }
}

/* ---- steps ---- */

static void step_begins(const mica__step *step)
{
    running = last_node(step)->site;
    if (watch_options & MICA_DOCTOR_NONFINITE && !record.nonfinite.found) look_before(step);
    step_began = mica__now();
}

static void charge(mica_node *n, void *user)
{
    const uint64_t *nanoseconds = user; /* of each node of the step */
    mica__account *a = account_of(n->site);
    if (!a) return;
    a->nodes++;
    a->nanoseconds += *nanoseconds;
}

static void step_ends(const mica__step *step, int status)
{
    int64_t now = mica__now();
    if (status == MICA_OK && watch_options & MICA_DOCTOR_NONFINITE && !record.nonfinite.found)
        look_after(step);
    uint32_t nodes = nodes_in(step);
    uint64_t each = (uint64_t)(now - step_began) / nodes;
    uint32_t thread = this_thread();
    mica__mutex_lock(&lock);
    mica__step_each(step, charge, &each);
    if (status < 0 && status != MICA_EINTERRUPT) {
        record.faults++;
        record.fault_prim = last_node(step)->prim;
        record.fault_site = last_node(step)->site;
    }
    record.total_steps++;
    record.total_nodes += nodes;
    if (watch_options & MICA_DOCTOR_STEPS &&
        grow(&record.steps, &steps_room, record.nsteps, sizeof *record.steps, STEPS_KEPT))
        record.steps[record.nsteps++] = (mica__ran){ .evaluation = record.total_evaluations,
                                                     .site = last_node(step)->site,
                                                     .prim = last_node(step)->prim,
                                                     .nodes = nodes,
                                                     .thread = thread,
                                                     .begin = step_began,
                                                     .end = now,
                                                     .active = mica_memory_active() };
    mica__mutex_unlock(&lock);
    running = 0;
}

/* ---- memory ---- */

/* Notes who holds what at a new peak; not for each rise of a few bytes. */
static void note_peak(void)
{
    if (live <= noted_peak + noted_peak / 64) return;
    noted_peak = record.peak = live;
    for (size_t i = 0; i < record.naccounts; i++)
        record.accounts[i].at_peak = record.accounts[i].live;
}

static uint32_t took(size_t bytes)
{
    uint32_t site = running ? running : mica__site;
    if (!site || bytes == 0) return 0;
    mica__mutex_lock(&lock);
    mica__account *a = account_of(site);
    if (a) {
        a->taken += bytes;
        a->live += (int64_t)bytes;
        live += bytes;
        note_peak();
    }
    mica__mutex_unlock(&lock);
    return a ? site : 0;
}

static void gave(uint32_t site, size_t bytes)
{
    mica__mutex_lock(&lock);
    if (site < record.naccounts && record.accounts[site].live >= (int64_t)bytes) {
        record.accounts[site].live -= (int64_t)bytes; /* else it was taken before this watch */
        live -= bytes <= live ? bytes : live;
    }
    mica__mutex_unlock(&lock);
}

static void copied(const mica_node *reader, size_t bytes)
{
    if (reader->site) mica__doctor_found(701, reader->prim, reader->site, 0, bytes);
}

static void captured(const mica_array *a)
{
    const mica_node *n = mica__node_of(a);
    if (n->flags & MICA_NODE_TRACING) return; /* a constant of the function itself */
    mica__doctor_found(303, n->prim, mica__site, n->site,
                       (size_t)a->size * mica__dtype_sizes[a->dtype]);
}

static void absorbed(uint32_t rule, const mica_array *result, const mica_array *cause)
{
    const mica_node *n = mica__node_of(result);
    if (mica__site)
        mica__doctor_found(rule, n->prim, mica__site, cause ? mica__node_of(cause)->site : 0,
                           (size_t)result->size * mica__dtype_sizes[result->dtype]);
}

/* ---- on and off ---- */

static uint32_t site_now(void)
{
    return where ? where() : 0;
}

static const mica__watcher watcher = { .site = site_now,
                                       .evaluation_begins = evaluation_begins,
                                       .planned = planned,
                                       .evaluation_ends = evaluation_ends,
                                       .step_begins = step_begins,
                                       .step_ends = step_ends,
                                       .took = took,
                                       .gave = gave,
                                       .copied = copied,
                                       .captured = captured,
                                       .absorbed = absorbed };

void mica__doctor_forget(void)
{
    mica__mutex_lock(&lock);
    mica__free(record.findings);
    mica__free(record.evaluations);
    mica__free(record.steps);
    mica__free(record.accounts);
    mica__free(finding_table);
    mica__sketch_free(record.largest);
    memset(&record, 0, sizeof record);
    finding_table = NULL;
    finding_table_size = findings_room = evaluations_room = steps_room = accounts_room = 0;
    live = noted_peak = 0;
    largest_nodes = 0;
    mica__mutex_unlock(&lock);
}

int mica__doctor_start(uint32_t (*site)(void), unsigned options)
{
    if (mica__doctor_is_on()) return mica__fail(MICA_ERUNTIME, "[doctor] it watches already");
    mica__doctor_forget();
    where = site;
    watch_options = options;
    if (options & MICA_DOCTOR_NONFINITE) MICA_TRY(mica__setting_override("fuse", "0"));
    atomic_store(&mica__watcher_now, &watcher);
    return MICA_OK;
}

void mica__doctor_stop(void)
{
    if (!mica__doctor_is_on()) return;
    atomic_store(&mica__watcher_now, NULL);
    if (watch_options & MICA_DOCTOR_NONFINITE) mica__setting_override("fuse", NULL);
}

bool mica__doctor_is_on(void)
{
    return atomic_load(&mica__watcher_now) != NULL;
}

const mica__record *mica__doctor_record(void)
{
    return &record;
}
