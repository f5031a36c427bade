/* Runs a fused step: a program of loops over blocks of elements, whose intermediate results stay in
   registers of one block each (L1). Blocks and tasks do not change any element's arithmetic, so
   neither fusion nor threads change bits. */
#include "backend/cpu/tape.h"

#include "backend/cpu/kernel.h"
#include "backend/cpu/matmul.h"
#include "backend/cpu/tape_code.h"
#include "runtime/runtime.h"

enum { BLOCK = 1024, TASK = 32768, INLINE_WORK = 16384 };

typedef mica__tape tape;
typedef mica__tape_place place;
typedef mica__tape_call instruction;

static void run_block(const tape *t, char *registers, int64_t start, size_t n)
{
    for (size_t k = 0; k < t->length; k++) {
        const instruction *i = &t->code[k];
        char *out = i->out.kind == PLACE_REGISTER ? registers + i->out.reg * t->register_bytes
                                                  : i->out.base + (size_t)start * i->out.size;
        if (i->gather) {
            mica__gather_run(i->gather, start, n, out);
            continue;
        }
        const void *in[3];
        unsigned scalars = 0;
        for (int j = 0; j < i->nin; j++) {
            const place *p = &i->in[j];
            if (p->kind == PLACE_REGISTER) in[j] = registers + p->reg * t->register_bytes;
            else if (p->kind == PLACE_MEMORY) in[j] = p->base + (size_t)start * p->size;
            else {
                in[j] = p->base;
                scalars |= 1u << j;
            }
        }
        i->loop(n, in, scalars, out);
    }
}

const void *mica__tape_read(const tape *t, void *registers, int64_t start, size_t n)
{
    const place *value = &t->values[t->step->reduced_op];
    run_block(t, registers, start, n);
    switch (value->kind) {
    case PLACE_REGISTER: return (char *)registers + value->reg * t->register_bytes;
    case PLACE_MEMORY: return value->base + (size_t)start * value->size;
    default: return value->base; /* of a single element */
    }
}

void mica__tape_fetch(const tape *t, int64_t start, size_t n)
{
#if defined(__GNUC__)
    for (size_t k = 0; k < t->length; k++)
        for (int j = 0; j < t->code[k].nin; j++) {
            const place *p = &t->code[k].in[j];
            if (p->kind != PLACE_MEMORY) continue;
            uintptr_t at = (uintptr_t)p->base + (uintptr_t)start * p->size;
            for (size_t i = 0; i < n * p->size; i += 64) __builtin_prefetch((const void *)(at + i));
        }
#endif
}

typedef struct run {
    const tape *t;
    size_t task;
    _Atomic int status;
} run;

static void run_task(void *context, size_t index)
{
    run *r = context;
    const tape *t = r->t;
    size_t begin = index * r->task, end = begin + r->task;
    if (end > (size_t)t->n) end = (size_t)t->n;
    void *registers = NULL;
    size_t bytes = t->nregisters * t->register_bytes;
    if (bytes && mica__memory_take(bytes, &registers) != MICA_OK) {
        atomic_store(&r->status, MICA_EMEMORY);
        return;
    }
    for (size_t at = begin; at < end; at += t->block)
        run_block(t, registers, (int64_t)at, end - at < t->block ? end - at : t->block);
    mica__memory_give(registers, bytes);
}

/* Blocks so small that all registers fit into half of a usual first-level cache, but not below 128
 * elements. */
static size_t block_size(const tape *t, size_t widest)
{
    size_t block = BLOCK;
    while (block > 128 && t->nregisters * block * widest > 24 * 1024) block /= 2;
    return (size_t)t->n < block ? (size_t)t->n : block;
}

static size_t widest_register(const tape *t)
{
    size_t widest = 4;
    for (size_t i = 0; i < t->length; i++)
        if (t->code[i].out.kind == PLACE_REGISTER && t->code[i].out.size > widest)
            widest = t->code[i].out.size;
    return widest;
}

void mica__tape_size(tape *t)
{
    size_t widest = widest_register(t);
    t->block = block_size(t, widest);
    t->register_bytes = (t->block * widest + 63) & ~(size_t)63;
}

static int execute(tape *t)
{
    if (t->n == 0) return MICA_OK;
    run r = { .t = t };
    size_t work = (size_t)t->n * t->length;
    if (work <= INLINE_WORK && t->nregisters * t->register_bytes <= 16 * 1024) {
        _Alignas(64) char registers[16 * 1024];
        for (int64_t at = 0; at < t->n; at += (int64_t)t->block) {
            size_t left = (size_t)(t->n - at);
            run_block(t, registers, at, left < t->block ? left : t->block);
        }
        return MICA_OK;
    }
    r.task = TASK;
    while (r.task > 4 * t->block && r.task * t->length > 16 * TASK) r.task /= 2;
    r.task = (r.task + t->block - 1) / t->block * t->block;
    if (!t->donated)
        mica__parallel_begin(); /* a result in the place of an operand cannot be taken back */
    mica__parallel(((size_t)t->n + r.task - 1) / r.task, run_task, &r);
    if (mica__parallel_finish()) return mica__fail_interrupted();
    if (r.status != MICA_OK)
        return mica__fail_memory("element-wise chain", t->nregisters * t->register_bytes);
    return MICA_OK;
}

/* ---- as the epilogue of a matrix product ---- */

static void run_rectangle(void *context, size_t batch, size_t row, size_t col, size_t rows,
                          size_t cols)
{
    run *r = context;
    const tape *t = r->t;
    const mica_array *c = &t->step->product->out[0];
    size_t m = (size_t)c->shape[c->ndim - 2], n = (size_t)c->shape[c->ndim - 1];
    void *registers = NULL;
    size_t bytes = t->nregisters * t->register_bytes;
    if (bytes && mica__memory_take(bytes, &registers) != MICA_OK) {
        atomic_store(&r->status, MICA_EMEMORY);
        return;
    }
    /* Whole rows lie one behind the other: then the rectangle is one run. */
    size_t runs = cols == n ? 1 : rows, length = cols == n ? rows * cols : cols;
    for (size_t i = 0; i < runs; i++) {
        size_t start = (batch * m + row + i) * n + col;
        for (size_t at = 0; at < length; at += t->block)
            run_block(t, registers, (int64_t)(start + at),
                      length - at < t->block ? length - at : t->block);
    }
    mica__memory_give(registers, bytes);
}

/* The product's memory, as the tape's operand: it belongs to what the tape reads, so that a result
 * may take it over. */
static int prepare_product(mica__step *s)
{
    mica_array *c = &s->product->out[0];
    mica__buffer *b = mica__buffer_new((size_t)c->size * mica__dtype_sizes[c->dtype]);
    if (!b) return MICA_EMEMORY;
    mica_array *read = s->reshaped ? &s->reshaped->out[0] : c;
    mica__array_set_data(read, b, b->data, NULL);
    if (s->reshaped) mica__array_set_data(c, NULL, b->data, NULL);
    return MICA_OK;
}

static void drop_product(mica__step *s)
{
    mica_array *arrays[2] = { &s->product->out[0], s->reshaped ? &s->reshaped->out[0] : NULL };
    for (int i = 0; i < 2 && arrays[i]; i++) {
        mica__buffer *b = arrays[i]->buffer;
        arrays[i]->buffer = NULL;
        arrays[i]->data = NULL;
        arrays[i]->flags &= (uint8_t)~MICA_ARRAY_ROW_MAJOR;
        mica__buffer_release(b);
    }
}

static int execute_product(tape *t)
{
    run r = { .t = t };
    mica_node *p = t->step->product;
    mica_array copies[2];
    const mica_array *in[2] = { p->inputs[0], p->inputs[1] };
    int ncopies = 0, status = MICA_OK;
    for (int i = 0; i < 2 && status == MICA_OK; i++) {
        if (mica__is_aligned(in[i])) continue;
        status = mica__row_major_copy(in[i], &copies[ncopies]);
        if (status == MICA_OK) in[i] = &copies[ncopies++];
    }
    if (!t->donated) mica__parallel_begin();
    if (status == MICA_OK)
        status = mica__matmul_run(t->arena, in[0], in[1], &p->out[0], run_rectangle, &r);
    if (mica__parallel_finish()) status = mica__fail_interrupted();
    for (int i = 0; i < ncopies; i++) mica__drop_copy(&copies[i]);
    MICA_TRY(status);
    if (r.status != MICA_OK)
        return mica__fail_memory("epilogue of a matrix product", t->nregisters * t->register_bytes);
    return MICA_OK;
}

/* After a failure: results lose what they were given; nothing that anybody can see has changed
 * unless memory was donated, which is last. */
static void withdraw(mica__step *s)
{
    for (uint32_t i = 0; i < s->nops; i++) {
        mica_array *out = &s->ops[i].node->out[0];
        if (!s->ops[i].keep) continue;
        mica__buffer_release(out->buffer);
        out->buffer = NULL;
        out->data = NULL;
    }
    if (s->reduced) mica__withdraw(s->reduced);
}

/* Inputs from mapped files that are no longer whole. The fault sticks: other inputs may have been
 * donated, so there is no second try. */
static int check_inputs(mica__step *s)
{
    int status = MICA_OK;
    for (uint32_t e = 0; e < s->nexternals && status == MICA_OK; e++)
        status = mica__check_values(s->externals[e]);
    for (uint32_t i = 0; s->product && i < s->product->ninputs && status == MICA_OK; i++)
        status = mica__check_values(s->product->inputs[i]);
    for (uint32_t i = 0; i < s->nops && status != MICA_OK; i++)
        if (s->ops[i].keep) mica__node_fail(s->ops[i].node, status, mica_last_error());
    if (s->reduced && status != MICA_OK) mica__node_fail(s->reduced, status, mica_last_error());
    return status;
}

int mica__tape_run(mica__step *s)
{
    mica__arena arena = { NULL };
    tape t = { .arena = &arena, .step = s };
    int status = s->product ? prepare_product(s) : MICA_OK;
    if (status == MICA_OK) {
        mica__tape_order(&t);
        if (s->reduced) mica__tape_arrange(&t);
        status = mica__tape_compile(&t);
    }
    if (status == MICA_OK) {
        mica__tape_size(&t);
        status = s->product   ? execute_product(&t)
                 : s->reduced ? mica__tape_reduce(&t)
                              : execute(&t);
    }
    if (status == MICA_OK) status = check_inputs(s);
    if (status != MICA_OK) withdraw(s);
    if (s->product) drop_product(s);
    mica__arena_free(&arena);
    return status;
}

bool mica__tape_reduces(mica__step *s)
{
    tape t = { .step = s };
    mica__tape_order(&t);
    return t.n && !mica__tape_transposes(&t) && mica__tape_arrange(&t);
}
