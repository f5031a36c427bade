/* Makes the program of a fused step: where operands are read, which loops run, where results go.

   float16 and bfloat16 values live in registers as float32 that was rounded to the half type after
   each operation: the bits are those of operations run one by one. */
#include "backend/cpu/tape_code.h"

#include "backend/cpu/kernel.h"

typedef mica__tape tape;
typedef mica__tape_place place;
typedef mica__tape_call instruction;

static bool half(mica_dtype d)
{
    return mica__is_half(d);
}
static mica_dtype held_as(mica_dtype d)
{
    return half(d) ? MICA_FLOAT32 : d;
}

static instruction *emit(tape *t)
{
    if (t->length == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : 2 * t->step->nops + 8;
        instruction *code = mica__arena_alloc(t->arena, capacity * sizeof *code);
        if (!code) return NULL;
        if (t->length) memcpy(code, t->code, t->length * sizeof *code);
        t->code = code;
        t->capacity = capacity;
    }
    return memset(&t->code[t->length++], 0, sizeof(instruction));
}

static place new_register(tape *t, mica_dtype d)
{
    uint32_t r = t->nfree ? t->free_registers[--t->nfree] : t->nregisters++;
    return (place){ .kind = PLACE_REGISTER, .size = mica__dtype_sizes[d], .reg = r };
}

static void free_register(tape *t, place p)
{
    if (p.kind == PLACE_REGISTER) t->free_registers[t->nfree++] = p.reg;
}

static int missing(const mica_node *n, mica_dtype d)
{
    return mica__fail(MICA_ERUNTIME, "[%s] there is no CPU kernel for %s",
                      mica__prims[n->prim].name, mica_dtype_name(d));
}

/* ---- order of axes ---- */

static bool full_size(const tape *t, const mica_array *a)
{
    return a->size == t->n && t->n > 1;
}

/* Walks axes in the order of the first full-size operand that is dense but not row-major: then
 * results take its layout and nothing is gathered. */
void mica__tape_order(tape *t)
{
    const mica_array *shape_of = &t->step->ops[0].node->out[0];
    t->ndim = shape_of->ndim;
    t->n = shape_of->size;
    t->row_major = true;
    for (int i = 0; i < t->ndim; i++) t->perm[i] = i;
    const mica_array *lead = NULL;
    for (uint32_t e = 0; e < t->step->nexternals; e++) {
        const mica_array *a = t->step->externals[e];
        if (!full_size(t, a) || a->ndim != t->ndim) continue;
        if (mica__is_row_major(a)) return;
        if (!lead) lead = a;
    }
    if (!lead) return;
    int perm[MICA_MAX_NDIM];
    memcpy(perm, t->perm, sizeof perm);
    for (int i = 1; i < t->ndim; i++) /* insertion sort by descending stride, stable */
        for (int k = i; k > 0 && lead->strides[perm[k]] > lead->strides[perm[k - 1]]; k--) {
            int swap = perm[k];
            perm[k] = perm[k - 1];
            perm[k - 1] = swap;
        }
    int64_t stride = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        if (lead->shape[perm[i]] != 1 && lead->strides[perm[i]] != stride) return; /* not dense */
        stride *= lead->shape[perm[i]];
    }
    memcpy(t->perm, perm, sizeof perm);
    for (int i = 0; i < t->ndim; i++) t->row_major = t->row_major && perm[i] == i;
}

/* Strides of an operand over the tape's walk order: 0 where it is broadcast. */
static void walk_strides(const tape *t, const mica_array *a, int64_t shape[], int64_t strides[])
{
    const mica_array *like = &t->step->ops[0].node->out[0];
    int lead = t->ndim - a->ndim;
    for (int i = 0; i < t->ndim; i++) {
        int axis = t->perm[i];
        shape[i] = like->shape[axis];
        strides[i] = axis < lead || a->shape[axis - lead] == 1 ? 0 : a->strides[axis - lead];
    }
}

static bool dense_walk(int ndim, const int64_t *shape, const int64_t *strides)
{
    int64_t stride = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        if (shape[i] == 1) continue;
        if (strides[i] != stride) return false;
        stride *= shape[i];
    }
    return true;
}

/* ---- operands ---- */

/* Makes an external readable: in place when contiguous or a single value, else gathered to a
 * register; halves widened. */
static int load_external(tape *t, uint32_t e)
{
    const mica_array *a = t->step->externals[e];
    mica_dtype d = (mica_dtype)a->dtype;
    uint8_t size = mica__dtype_sizes[d];
    place p;
    if (a->size == 1 && t->n != 0) {
        p = (place){ .kind = PLACE_SCALAR, .size = size, .base = a->data };
        if (half(d) || !mica__is_aligned(a)) {
            double *own = mica__arena_alloc(t->arena, sizeof *own);
            if (!own) return MICA_EMEMORY;
            p.base = memcpy(own, a->data, size);
        }
        if (half(d)) {
            float wide;
            mica__convert(1, p.base, d, &wide, MICA_FLOAT32);
            memcpy(p.base, &wide, sizeof wide);
            p.size = sizeof wide;
        }
        t->loaded[e] = p;
        t->is_loaded[e] = true;
        return MICA_OK;
    }
    int64_t shape[MICA_MAX_NDIM], strides[MICA_MAX_NDIM];
    walk_strides(t, a, shape, strides);
    if (a->size == t->n && mica__is_aligned(a) && dense_walk(t->ndim, shape, strides)) {
        p = (place){ .kind = PLACE_MEMORY, .size = size, .base = a->data };
    } else {
        mica__gather *g = mica__gather_new(t->arena, t->ndim, shape, strides, size, a->data);
        if (!g) return MICA_EMEMORY;
        instruction *i = emit(t);
        if (!i) return MICA_EMEMORY;
        i->gather = g;
        i->out = p = new_register(t, d);
    }
    if (half(d)) {
        instruction *i = emit(t);
        if (!i) return MICA_EMEMORY;
        i->loop = mica__cast_find(d, MICA_FLOAT32);
        i->nin = 1;
        i->in[0] = p;
        i->out = new_register(t, MICA_FLOAT32);
        free_register(t, p);
        p = i->out;
    }
    t->loaded[e] = p;
    t->is_loaded[e] = true;
    return MICA_OK;
}

static int operand(tape *t, int32_t in, place *out)
{
    if (in >= 0) {
        *out = t->values[in];
        return MICA_OK;
    }
    uint32_t e = (uint32_t)~in;
    if (!t->is_loaded[e]) MICA_TRY(load_external(t, e));
    *out = t->loaded[e];
    return MICA_OK;
}

/* After op `index`: registers of values that nobody reads any more are free. */
static void free_dead(tape *t, uint32_t index)
{
    const mica__tape_op *op = &t->step->ops[index];
    for (int k = 0; k < op->nin; k++) {
        bool again = false;
        for (int j = 0; j < k; j++) again = again || op->in[j] == op->in[k];
        if (again) continue;
        if (op->in[k] >= 0) {
            if (t->step->ops[op->in[k]].last == index) free_register(t, t->values[op->in[k]]);
        } else if (t->external_last[~op->in[k]] == index) {
            free_register(t, t->loaded[~op->in[k]]);
        }
    }
}

/* ---- results ---- */

/* Takes over the memory of an operand that dies here and is read for the last time by this op or
 * before. */
static bool donate(tape *t, uint32_t index, mica_array *out)
{
    mica__step *s = t->step;
    size_t bytes = (size_t)t->n * mica__dtype_sizes[out->dtype];
    if (s->recomputable || t->n < 16) return false;
    for (uint32_t e = 0; e < s->nexternals; e++) {
        mica_array *a = s->externals[e];
        mica__buffer *b = a->buffer;
        if (!b || !b->owned || !t->is_loaded[e] || t->external_last[e] > index || a->size != t->n)
            continue;
        if (mica__dtype_sizes[a->dtype] != mica__dtype_sizes[out->dtype] ||
            b->bytes > 2 * bytes + 4096)
            continue;
        if (atomic_load_explicit(&a->uses, memory_order_acquire) != (int32_t)s->edges[e] ||
            atomic_load_explicit(&b->references, memory_order_acquire) != 1 || mica__is_traced(a))
            continue;
        int64_t shape[MICA_MAX_NDIM], strides[MICA_MAX_NDIM];
        walk_strides(t, a, shape, strides);
        if (!mica__is_aligned(a) || !dense_walk(t->ndim, shape, strides)) continue;
        mica__buffer_retain(b);
        out->buffer = b;
        out->data = a->data;
        const mica_node *from = mica__node_of(a);
        t->donated = t->donated || (from != s->product && from != s->reshaped);
        return true;
    }
    return false;
}

static int allocate(tape *t, uint32_t index)
{
    mica_array *out = &t->step->ops[index].node->out[0];
    if (!donate(t, index, out)) {
        if (out->size == 1 && mica__dtype_sizes[out->dtype] <= sizeof out->value) {
            out->buffer = NULL; /* a single value lives in the node */
            out->data = out->value.bytes;
        } else {
            out->buffer = mica__buffer_new((size_t)t->n * mica__dtype_sizes[out->dtype]);
            if (!out->buffer) return MICA_EMEMORY;
            out->data = out->buffer->data;
        }
    }
    int64_t stride = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        out->strides[t->perm[i]] = stride;
        if (out->shape[t->perm[i]] > 1) stride *= out->shape[t->perm[i]];
    }
    if (t->row_major) out->flags |= MICA_ARRAY_ROW_MAJOR;
    return MICA_OK;
}

static place memory_of(const mica_array *a)
{
    return (place){ .kind = PLACE_MEMORY, .size = mica__dtype_sizes[a->dtype], .base = a->data };
}

/* astype: through the target's own rounding, once. */
static int emit_cast(tape *t, uint32_t index, place in, place *value)
{
    const mica__tape_op *op = &t->step->ops[index];
    mica_array *out = &op->node->out[0];
    mica_dtype from = (mica_dtype)op->node->inputs[0]->dtype, to = (mica_dtype)out->dtype;
    mica_dtype wide = held_as(from);
    if (wide == to && !op->keep &&
        in.kind !=
            PLACE_REGISTER) { /* the widened value is the result; registers would be freed twice */
        *value = in;
        return MICA_OK;
    }
    instruction *i = emit(t);
    if (!i) return MICA_EMEMORY;
    i->nin = 1;
    i->in[0] = in;
    if (!half(to)) {
        i->loop = mica__cast_find(wide, to);
        *value = i->out = op->keep ? memory_of(out) : new_register(t, to);
        return i->loop ? MICA_OK : missing(op->node, from);
    }
    i->loop = mica__cast_find(wide, to);
    place narrow = i->out = op->keep ? memory_of(out) : new_register(t, to);
    if (!i->loop) return missing(op->node, from);
    if (!(i = emit(t))) return MICA_EMEMORY;
    i->nin = 1;
    i->in[0] = narrow;
    i->loop = mica__cast_find(to, MICA_FLOAT32);
    *value = i->out = new_register(t, MICA_FLOAT32);
    free_register(t, narrow);
    return MICA_OK;
}

static int emit_op(tape *t, uint32_t index)
{
    const mica__tape_op *op = &t->step->ops[index];
    mica_node *n = op->node;
    mica_array *out = &n->out[0];
    place in[3];
    for (int k = 0; k < op->nin; k++) MICA_TRY(operand(t, op->in[k], &in[k]));
    if (op->keep) MICA_TRY(allocate(t, index));
    if (n->prim == mica_prim_astype) {
        MICA_TRY(emit_cast(t, index, in[0], &t->values[index]));
        free_dead(t, index);
        return MICA_OK;
    }
    mica_dtype d = (mica_dtype)n->inputs[op->nin - 1]->dtype, result = (mica_dtype)out->dtype;
    mica__loop *loop = mica__loop_find((mica_prim)n->prim, held_as(d));
    if (!loop) return missing(n, d);
    instruction *i = emit(t);
    if (!i) return MICA_EMEMORY;
    i->loop = loop;
    i->nin = op->nin;
    memcpy(i->in, in, sizeof in);
    if (!half(result)) {
        t->values[index] = i->out = op->keep ? memory_of(out) : new_register(t, result);
        free_dead(t, index);
        return MICA_OK;
    }
    place value = i->out = new_register(t, MICA_FLOAT32);
    t->values[index] = value;
    free_dead(t, index);
    bool read_again = op->last != index;
    if (!(i = emit(t))) return MICA_EMEMORY;
    i->nin = 1;
    i->in[0] = value;
    if (op->keep) {
        i->loop = mica__cast_find(MICA_FLOAT32, result);
        i->out = memory_of(out);
        if (!read_again) {
            free_register(t, value);
            return MICA_OK;
        }
        if (!(i = emit(t))) return MICA_EMEMORY;
        i->nin = 1;
        i->in[0] = value;
    }
    i->loop = mica__round_find(result);
    i->out = value;
    return MICA_OK;
}

int mica__tape_compile(tape *t)
{
    mica__step *s = t->step;
    uint32_t n = s->nops, e = s->nexternals;
    size_t most = 4 * ((size_t)n + e) + 8;
    t->values = mica__arena_alloc(t->arena, n * sizeof *t->values);
    t->loaded = mica__arena_alloc(t->arena, (e + 1) * sizeof *t->loaded);
    t->is_loaded = mica__arena_alloc(t->arena, e + 1);
    t->external_last = mica__arena_alloc(t->arena, (e + 1) * sizeof *t->external_last);
    t->free_registers = mica__arena_alloc(t->arena, most * sizeof *t->free_registers);
    if (!t->values || !t->loaded || !t->is_loaded || !t->external_last || !t->free_registers)
        return MICA_EMEMORY;
    memset(t->is_loaded, 0, e + 1);
    for (uint32_t i = 0; i < n; i++)
        for (int k = 0; k < s->ops[i].nin; k++)
            if (s->ops[i].in[k] < 0) t->external_last[~s->ops[i].in[k]] = i;
    for (uint32_t i = 0; i < n; i++) MICA_TRY(emit_op(t, i));
    return MICA_OK;
}
