/* Kernel of arange. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/loop.h"

enum { PART = 1024, TASK = 64 * 1024 };

typedef struct sequence {
    const struct mica__arange_params *p;
    mica_array *out;
    mica__loop *convert;
    bool integer;
} sequence;

static void arange_task(void *context, size_t task)
{
    const sequence *q = context;
    int64_t first = (int64_t)task * TASK,
            last = first + TASK < q->p->count ? first + TASK : q->p->count;
    size_t item = mica__dtype_sizes[q->out->dtype];
    for (int64_t at = first; at < last; at += PART) {
        int64_t integers[PART], n = last - at < PART ? last - at : PART;
        double reals[PART];
        uint64_t from = (uint64_t)q->p->integer_start,
                 step = (uint64_t)q->p->integer_step; /* wrap as their types do */
        if (q->integer)
            for (int64_t i = 0; i < n; i++)
                integers[i] = (int64_t)(from + (uint64_t)(at + i) * step);
        else
            for (int64_t i = 0; i < n; i++) reals[i] = q->p->start + (double)(at + i) * q->p->step;
        q->convert((size_t)n, (const void *const[]){ q->integer ? (const void *)integers : reals },
                   0, q->out->data + (size_t)at * item);
    }
}

int mica__kernel_arange(mica__launch *l)
{
    mica_dtype d = (mica_dtype)l->out[0].dtype;
    sequence q = { .p = MICA_PARAMS(l->node, arange),
                   .out = &l->out[0],
                   .integer = mica__is_integer(d) };
    q.convert = mica__cast_find(q.integer ? MICA_INT64 : MICA_FLOAT64, d);
    mica__parallel((size_t)((q.p->count + TASK - 1) / TASK), arange_task, &q);
    return MICA_OK;
}
