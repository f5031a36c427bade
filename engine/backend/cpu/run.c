/* The CPU backend: runs one step of a plan, by class of primitive. */
#include "backend/backend.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/tape.h"
#include "core/watch.h"
#include "ops/view.h"
#include "runtime/runtime.h"

int mica__allocate_output(mica_array *out)
{
    size_t bytes = (size_t)out->size * mica__dtype_sizes[out->dtype];
    mica__buffer *b = mica__buffer_new(bytes);
    if (!b) return MICA_EMEMORY;
    mica__array_set_data(out, b, b->data, NULL);
    return MICA_OK;
}

void mica__withdraw(mica_node *n)
{
    for (size_t i = 0; i < n->noutputs; i++) {
        mica__buffer *b = n->out[i].buffer;
        n->out[i].buffer = NULL;
        n->out[i].data = NULL;
        n->out[i].flags &= (uint8_t)~MICA_ARRAY_ROW_MAJOR;
        mica__buffer_release(b);
    }
}

/* An output that shares its input's memory. */
void mica__share(mica_array *out, const mica_array *in, const int64_t *strides, ptrdiff_t offset)
{
    if (in->buffer) {
        mica__buffer_retain(in->buffer);
        mica__array_set_data(out, in->buffer, in->data + offset, strides);
    } else { /* a single value: it moves into the output */
        memcpy(out->value.bytes, in->value.bytes, sizeof out->value);
        mica__array_set_data(out, NULL, out->value.bytes + offset, strides);
    }
}

static void tell_copy(const mica_node *reader, const mica_array *in)
{
    const mica__watcher *watcher = mica__watching();
    if (watcher) watcher->copied(reader, (size_t)in->size * mica__dtype_sizes[in->dtype]);
}

static int run_view(mica_node *n)
{
    const mica_array *in = n->inputs[0];
    mica_array *out = &n->out[0];
    int64_t strides[MICA_MAX_NDIM];
    ptrdiff_t offset = 0;
    if (mica__view_geometry(n, in, strides, &offset)) {
        mica__share(out, in, strides, offset);
        return MICA_OK;
    }
    mica_array copy;
    MICA_TRY(mica__row_major_copy(in, &copy));
    tell_copy(n, in);
    int status = mica__check_values(in);
    if (status == MICA_OK && mica__view_geometry(n, &copy, strides, &offset))
        mica__share(out, &copy, strides, offset);
    else if (status == MICA_OK)
        status =
            mica__fail(MICA_ERUNTIME, "[%s] the view cannot be made", mica__prims[n->prim].name);
    mica__drop_copy(&copy);
    return status;
}

/* Whether a kernel can read an input as it lies. */
static bool readable(const mica_array *in, bool strided)
{
    return (strided || mica__is_row_major(in)) && mica__is_aligned(in);
}

/* What a kernel said, unless a file that it read was cut short: then it saw zeros, which may not
 * have done. */
static int check_inputs(const mica_node *n, int said)
{
    if (said == MICA_EMEMORY || said == MICA_EINTERRUPT) return said;
    for (uint32_t i = 0; i < n->ninputs; i++) {
        int whole = mica__check_values(n->inputs[i]);
        if (whole != MICA_OK) return whole;
    }
    return said;
}

/* Gives kernels aligned inputs, and row-major ones to those that want them: copies replace others
 * for the time of the launch. */
static int run_kernel(mica_node *n)
{
    mica__kernel *kernel = mica__cpu_kernels[n->prim];
    if (!kernel)
        return mica__fail(MICA_ERUNTIME, "[%s] there is no CPU kernel", mica__prims[n->prim].name);
    mica__launch l = {
        .node = n, .ninputs = n->ninputs, .noutputs = n->noutputs, .in = n->inputs, .out = n->out
    };
    unsigned flags = mica__prims[n->prim].flags;
    mica_array *copies = NULL;
    mica_array **inputs = NULL;
    uint32_t ncopies = 0;
    int status = MICA_OK;
    if (flags & MICA_PRIM_LONG) mica__parallel_begin();
    for (uint32_t i = 0; i < n->ninputs && status == MICA_OK; i++) {
        if (flags & MICA_PRIM_PASSES || readable(n->inputs[i], flags & MICA_PRIM_STRIDED)) continue;
        if (!copies) {
            copies = mica__arena_alloc(&l.scratch, n->ninputs * sizeof *copies);
            inputs = mica__arena_alloc(&l.scratch, n->ninputs * sizeof *inputs);
            if (!copies || !inputs) {
                status = MICA_EMEMORY;
                break;
            }
            memcpy(inputs, n->inputs, n->ninputs * sizeof *inputs);
            l.in = inputs;
        }
        status = mica__row_major_copy(n->inputs[i], &copies[ncopies]);
        if (status != MICA_OK) break;
        inputs[i] = &copies[ncopies++];
        tell_copy(n, n->inputs[i]);
    }
    for (size_t i = 0; i < n->noutputs && status == MICA_OK; i++)
        if (!(flags & MICA_PRIM_PASSES) && (i > 0 || !(flags & MICA_PRIM_DONATES)))
            status = mica__allocate_output(&n->out[i]);
    if (status == MICA_OK && !mica__parallel_given_up()) status = kernel(&l);
    if (flags & MICA_PRIM_LONG && mica__parallel_finish()) status = mica__fail_interrupted();
    status = check_inputs(n, status);
    for (uint32_t i = 0; i < ncopies; i++) mica__drop_copy(&copies[i]);
    mica__arena_free(&l.scratch);
    if (status != MICA_OK) mica__withdraw(n);
    return status;
}

int mica__launch_donate(mica__launch *l)
{
    const mica_array *in = l->in[0];
    mica_array *out = &l->out[0];
    if (in == l->node->inputs[0]) { /* the array itself, not a copy of it */
        int32_t edges = 0;
        for (uint32_t i = 0; i < l->node->ninputs; i++) edges += l->node->inputs[i] == in;
        mica__buffer *b = in->buffer;
        if (edges == 1 && b && b->owned && readable(in, false) && !mica__is_traced(in) &&
            atomic_load_explicit(&in->uses, memory_order_acquire) == 1 &&
            atomic_load_explicit(&b->references, memory_order_acquire) == 1 &&
            mica__parallel_keep_on()) {
            mica__buffer_retain(b);
            mica__array_set_data(out, b, in->data, NULL);
            return MICA_OK;
        }
    } else { /* the launch's own copy is ours to take */
        mica__buffer_retain(in->buffer);
        mica__array_set_data(out, in->buffer, in->data, NULL);
        return MICA_OK;
    }
    MICA_TRY(mica__allocate_output(out));
    mica__copy_to_row_major(in, out->data);
    return MICA_OK;
}

/* A tape whose results lie so that its reduction cannot follow it: one after the other. */
static int run_apart(mica__step *step)
{
    mica_node *n = step->reduced;
    mica__tape_op *op = &step->ops[step->reduced_op];
    bool keep = op->keep, recomputable = step->recomputable;
    /* No operand is taken over: the second part may fail and leave all to be done again. */
    op->keep = step->recomputable = true;
    step->reduced = NULL;
    int status = mica__tape_run(step);
    step->reduced = n;
    step->recomputable = recomputable;
    if (status == MICA_OK) {
        status = run_kernel(n);
        for (uint32_t i = 0; i < step->nops && status != MICA_OK; i++)
            if (step->ops[i].keep) mica__withdraw(step->ops[i].node);
    } else if (mica__state(op->node) == MICA_NODE_FAILED) {
        mica__node_fail(n, status, mica_last_error());
    }
    op->keep = keep;
    if (status == MICA_OK && !keep) mica__withdraw(op->node);
    return status;
}

static int run(mica__step *step)
{
    if (step->reduced && !mica__tape_reduces(step)) return run_apart(step);
    if (!step->node) return mica__tape_run(step);
    if (mica__prims[step->node->prim].class == MICA_CLASS_VIEW) return run_view(step->node);
    return run_kernel(step->node);
}

static const mica__backend cpu = { .name = "cpu", .run = run };

void mica__cpu_register(void)
{
    mica__cpu_backend = &cpu;
}
