/* Compiled C functions: one program for each signature of the arguments. */
#include "autodiff/autodiff.h"
#include "base/config.h"
#include "base/thread.h"
#include "compile/program.h"

enum { PROGRAMS_KEPT = 64 };

typedef struct entry {
    mica__program *program;
    size_t nresults;
    size_t nsignature;
    uint64_t hash;
    int64_t *signature; /* dtype, ndim, sizes of each argument */
} entry;

struct mica_compiled {
    mica_functions *function;
    void *user;
    void (*free_user)(void *);
    mica__mutex lock;
    entry entries[PROGRAMS_KEPT];
    size_t n, next; /* next: which entry a new one replaces when all are taken */
};

int mica_compile(mica_functions *function, void *user, void (*free_user)(void *), bool shapeless,
                 mica_compiled **out)
{
    (void)shapeless; /* a C function is traced for each shape: it may look at sizes unseen */
    if (!function) return mica__fail(MICA_EVALUE, "[compile] the function is NULL");
    mica_compiled *c = mica__alloc_zero(1, sizeof *c);
    if (!c) return MICA_EMEMORY;
    c->function = function;
    c->user = user;
    c->free_user = free_user;
    mica__mutex_init(&c->lock);
    *out = c;
    return MICA_OK;
}

static void entry_free(entry *e)
{
    mica__program_free(e->program);
    mica__free(e->signature);
    memset(e, 0, sizeof *e);
}

void mica_compiled_release(mica_compiled *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->n; i++) entry_free(&c->entries[i]);
    if (c->free_user) c->free_user(c->user);
    mica__mutex_destroy(&c->lock);
    mica__free(c);
}

/* Types and shapes of the arguments as numbers; memory of the scope. */
static int64_t *signature_of(mica_scope *s, mica_arrays arguments, size_t *n)
{
    size_t count = 0;
    for (size_t i = 0; i < arguments.n; i++) {
        if (!arguments.at[i])
            return mica__error(s, MICA_EVALUE, "[compile] argument %zu is NULL", i);
        count += 2 + arguments.at[i]->ndim;
    }
    int64_t *signature = mica__scope_alloc(s, (count + 1) * sizeof *signature), *at = signature;
    for (size_t i = 0; signature && i < arguments.n; i++) {
        const mica_array *a = arguments.at[i];
        *at++ = a->dtype;
        *at++ = a->ndim;
        for (int k = 0; k < a->ndim; k++) *at++ = a->shape[k];
    }
    *n = count;
    return signature;
}

static uint64_t hash_of(const int64_t *signature, size_t n)
{
    return mica__hash(0, signature, n * sizeof *signature);
}

static entry *look_up(mica_compiled *c, const int64_t *signature, size_t n)
{
    uint64_t hash = hash_of(signature, n);
    for (size_t i = 0; i < c->n; i++) /* at most PROGRAMS_KEPT comparisons of a number */
        if (c->entries[i].hash == hash && c->entries[i].nsignature == n &&
            !memcmp(c->entries[i].signature, signature, n * sizeof *signature))
            return &c->entries[i];
    return NULL;
}

/* Traces the function; the entry takes over the program. */
static entry *trace(mica_scope *s, mica_compiled *c, mica_arrays arguments,
                    const int64_t *signature, size_t n)
{
    mica_array **holders = mica__scope_alloc(s, (arguments.n + 1) * sizeof *holders);
    if (!holders) return NULL;
    for (size_t i = 0; i < arguments.n; i++)
        if (!(holders[i] = mica__placeholder(s, (mica_dtype)arguments.at[i]->dtype,
                                             mica__dims_of(arguments.at[i]))))
            return NULL;
    mica_arrays results = c->function(s, (mica_arrays){ arguments.n, holders }, c->user);
    if (s->status != MICA_OK) return NULL;
    for (size_t i = 0; i < results.n; i++)
        if (!results.at[i])
            return mica__error(s, MICA_EVALUE, "[compile] result %zu of the function is NULL", i);
    int64_t *kept = mica__alloc((n + 1) * sizeof *kept);
    mica__program *program =
        kept ? mica__program_make(results.at, results.n, holders, arguments.n) : NULL;
    if (!program) {
        mica__free(kept);
        return mica__scope_failed(s, MICA_EMEMORY);
    }
    memcpy(kept, signature, n * sizeof *kept);
    entry *e = c->n < PROGRAMS_KEPT ? &c->entries[c->n++] : &c->entries[c->next++ % PROGRAMS_KEPT];
    if (e->program) entry_free(e);
    *e = (entry){ program, results.n, n, hash_of(kept, n), kept };
    return e;
}

/* The calls that the calling thread is within. */
typedef struct call {
    const mica_compiled *compiled;
    const struct call *outer;
    int depth;
} call;
static _Thread_local const call *innermost;
enum { MOST_DEEP = 500 }; /* far from the end of a stack of 8 MiB */

static bool is_within(const mica_compiled *c)
{
    for (const call *at = innermost; at; at = at->outer)
        if (at->compiled == c) return true;
    return false;
}

/* within: of itself. */
static int run_call(mica_scope *s, mica_compiled *c, bool within, mica_arrays arguments,
                    mica_arrays *results)
{
    size_t n = 0;
    int64_t *signature = signature_of(s, arguments, &n);
    if (!signature) return s->status;
    bool traced = false;
    for (size_t i = 0; i < arguments.n; i++) traced = traced || mica__is_traced(arguments.at[i]);
    /* Inside another transformation, and of itself, the function takes part in its graph. */
    if (traced || within || mica__setting_flag(MICA_SETTING_disable_compile)) {
        *results = c->function(s, arguments, c->user);
        return s->status;
    }
    mica__mutex_lock(&c->lock);
    entry *e = look_up(c, signature, n);
    if (!e) e = trace(s, c, arguments, signature, n);
    mica_array **out = e ? mica__scope_alloc(s, (e->nresults + 1) * sizeof *out) : NULL;
    if (out && mica__program_run(s, e->program, arguments.at, out))
        *results = (mica_arrays){ e->nresults, out };
    mica__mutex_unlock(&c->lock);
    return s->status;
}

int mica_compiled_call(mica_scope *s, mica_compiled *c, mica_arrays arguments, mica_arrays *results)
{
    if (!mica__scope_ok(s)) return mica_scope_status(s);
    if (!c || !results) {
        mica__error(s, MICA_EVALUE, "[compile] the %s is NULL",
                    c ? "place for the results" : "compiled function");
        return s->status;
    }
    call here = { c, innermost, innermost ? innermost->depth + 1 : 1 };
    if (here.depth > MOST_DEEP) {
        mica__error(s, MICA_ERUNTIME,
                    "[compile] compiled functions call each other %d deep: a function that calls "
                    "itself needs an end that does not depend on values of arrays",
                    MOST_DEEP);
        return s->status;
    }
    bool within = is_within(c);
    innermost = &here;
    int status = run_call(s, c, within, arguments, results);
    innermost = here.outer;
    return status;
}
