/* The doctor at run time: it watches evaluations and keeps, by line of the program, what ran, how
 * long, for how much memory, and what looks like a mistake. Who starts it says what a line is. */
#ifndef MICA_ENGINE_DOCTOR_H
#define MICA_ENGINE_DOCTOR_H

#include "core/watch.h"

/* What was found in graphs: MX201 of the table of rules is MICA_FOUND + 201. */
typedef struct mica__finding {
    uint32_t rule;         /* 201 for MX201; 1402: what MX402 needs to know beside */
    uint32_t prim;         /* the operation at which it shows */
    uint32_t site, cause;  /* its line; the line of what caused it, 0: not known */
    uint64_t count, bytes; /* how often; bytes moved or held because of it, altogether */
} mica__finding;

typedef struct mica__evaluation {
    uint64_t number;
    const char *reason; /* what asked for it: "eval", "item", ... */
    uint32_t site;
    uint32_t thread; /* a small number of its own */
    uint32_t nodes, steps;
    uint64_t graph;              /* equal for evaluations of the same operations */
    uint64_t held;               /* bytes of gradients that somebody holds beside it */
    uint64_t bytes;              /* of all results, views aside */
    uint32_t claim, after;       /* number of its plan; the latest plan whose results it reads */
    int64_t begin, planned, end; /* nanoseconds of a monotonic clock */
    bool waited;
} mica__evaluation;

/* One step that ran. */
typedef struct mica__ran {
    uint64_t evaluation;
    uint32_t site;
    uint32_t prim;   /* of its only, or last, node */
    uint32_t nodes;  /* fused in it */
    uint32_t thread; /* which ran it */
    int64_t begin, end;
    size_t active; /* bytes that arrays hold after it */
} mica__ran;

/* By site. */
typedef struct mica__account {
    uint64_t nodes;       /* that ran */
    uint64_t nanoseconds; /* a fused step's time is shared evenly by its nodes */
    uint64_t taken;       /* bytes of all buffers taken */
    int64_t live;         /* bytes of those that are not given back */
    int64_t at_peak;      /* the same when most memory was held */
} mica__account;

/* Smallest, largest and not finite elements of one operand or result. */
typedef struct mica__range {
    mica_dtype dtype;
    int ndim;
    int64_t shape[8];
    double smallest, largest; /* of the finite ones */
    int64_t nans, infinities;
} mica__range;

/* A plan, kept after it ran: nodes in the order in which they run. */
typedef struct mica__sketch_node {
    uint32_t prim, site, step;
    uint32_t first_input, ninputs; /* in `inputs` */
    mica_dtype dtype;
    int ndim;
    int64_t shape[8]; /* of the first output */
    uint64_t bytes;   /* of all outputs */
    bool kept;        /* false: it lives in the tape only */
    bool view;        /* shares its input's memory where it can */
} mica__sketch_node;

typedef struct mica__sketch_input {
    int64_t node; /* place in `nodes`; negative: it was there before, the same for the same array */
    uint64_t bytes;
    mica_dtype dtype;
    int ndim;
    int64_t shape[8];
} mica__sketch_input;

typedef struct mica__sketch {
    uint64_t evaluation;
    size_t nsteps, nnodes, ninputs;
    mica__sketch_node *nodes;
    mica__sketch_input *inputs;
} mica__sketch;

/* What an evaluation of `roots` would run; nothing runs. The caller frees it. MICA_OK, EMEMORY, or
 * the fault of a failed node. */
int mica__sketch_of(mica__sketch **out, mica_array *const roots[], size_t nroots);
void mica__sketch_free(mica__sketch *s);

/* The first result that is not finite although all operands are. */
typedef struct mica__first_nonfinite {
    bool found;
    uint32_t prim, site;
    uint64_t evaluation;
    mica__range result;
    uint32_t noperands; /* at most 4 are kept */
    mica__range operands[4];
} mica__first_nonfinite;

typedef struct mica__record {
    mica__finding *findings;
    size_t nfindings;
    mica__evaluation *evaluations;
    size_t nevaluations;
    mica__ran *steps;
    size_t nsteps;
    mica__account *accounts; /* by site; accounts[0]: not known */
    size_t naccounts;
    uint64_t total_evaluations, total_steps, total_nodes; /* also those beyond the lists' ends */
    size_t peak;                                          /* bytes, when `at_peak` was noted */
    uint64_t left_out;                                    /* events that found no memory or room */
    mica__first_nonfinite nonfinite;
    uint64_t faults; /* steps that failed; prim and line of the last one */
    uint32_t fault_prim, fault_site;
    mica__sketch *largest; /* of the evaluation with most nodes, or NULL */
} mica__record;

enum {
    MICA_DOCTOR_NONFINITE = 1, /* look for the first NaN or infinity: nothing is fused meanwhile */
    MICA_DOCTOR_STEPS = 2      /* keep every step for a timeline */
};

/* Begins anew with an empty record. `site`: see watch.h; called by threads that build. MICA_OK or
 * EMEMORY. */
int mica__doctor_start(uint32_t (*site)(void), unsigned options);
/* Stops; the record stays until the next start. */
void mica__doctor_stop(void);
bool mica__doctor_is_on(void);
/* The record; valid until the next start or forget. Only while stopped. */
const mica__record *mica__doctor_record(void);
void mica__doctor_forget(void);
/* What the calling thread is about to evaluate for: a literal. */
void mica__doctor_reason(const char *reason);
/* The program evaluates `a`, which has its value already: noted for MX402 if it lies in a file. */
void mica__doctor_evaluated(const mica_array *a);
/* One more sighting of a mistake, by who can see it: not while the caller holds the planner's lock
 * and a lock of its own. */
void mica__doctor_found(uint32_t rule, uint32_t prim, uint32_t site, uint32_t cause,
                        uint64_t bytes);

#endif
