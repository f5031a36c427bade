/* The program of a fused step: what tape_code.c makes and tape.c runs. */
#ifndef MICA_ENGINE_TAPE_CODE_H
#define MICA_ENGINE_TAPE_CODE_H

#include "backend/cpu/gather.h"
#include "backend/cpu/loop.h"
#include "compile/plan.h"

/* Where an operand or a result lies. */
typedef enum mica__tape_kind { PLACE_REGISTER, PLACE_MEMORY, PLACE_SCALAR } mica__tape_kind;
typedef struct mica__tape_place {
    mica__tape_kind kind;
    uint8_t size; /* bytes of an element */
    uint32_t reg; /* PLACE_REGISTER */
    char *base;   /* PLACE_MEMORY, PLACE_SCALAR */
} mica__tape_place;

/* One call of a loop, or the gathering of a block of a strided operand. */
typedef struct mica__tape_call {
    mica__loop *loop;
    const mica__gather *gather; /* instead of loop */
    uint8_t nin;
    mica__tape_place in[3], out;
} mica__tape_call;

typedef struct mica__tape {
    mica__arena *arena;
    mica__step *step;
    int64_t n; /* elements */
    int ndim;
    int perm[MICA_MAX_NDIM]; /* the order in which axes are walked */
    mica__tape_call *code;
    size_t length, capacity;
    mica__tape_place *values; /* by op: where its result can be read (halves as float32) */
    mica__tape_place *loaded; /* by external: the same, once used */
    bool *is_loaded;
    uint32_t *free_registers, *external_last;
    uint32_t nfree, nregisters;
    size_t block, register_bytes; /* elements of a block */
    bool row_major;               /* perm is the identity */
    bool donated;                 /* an operand's memory was taken over: there is no second try */
} mica__tape;

/* Chooses the order in which axes are walked. */
void mica__tape_order(mica__tape *t);
/* Makes the loops of all ops; kept results get memory. Fails with EMEMORY, and with ERUNTIME where
 * a loop is missing. */
int mica__tape_compile(mica__tape *t);
/* Chooses the size of blocks, once compiled. */
void mica__tape_size(mica__tape *t);
/* Runs elements start .. start + n of the walk, at most a block; where the values of the op that
   the step reduces lie. */
const void *mica__tape_read(const mica__tape *t, void *registers, int64_t start, size_t n);
/* Asks for the operands of elements that will be read soon; beyond the end nothing happens. */
void mica__tape_fetch(const mica__tape *t, int64_t start, size_t n);

/* tape_reduce.c: puts the tape's axes into an order in which its reduction sees the elements as it
   would in memory; false when results of the tape forbid that. */
bool mica__tape_arrange(mica__tape *t);
/* Whether all values are reduced in another order than that in which operands lie, and there is
   memory to write them down: a transposed copy, made tile by tile, is faster than gathering (64 MB:
   81 ms to 160). */
bool mica__tape_transposes(const mica__tape *t);
/* Runs a compiled tape into the step's reduction. */
int mica__tape_reduce(mica__tape *t);

#endif
