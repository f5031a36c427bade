/* How much memory is behind arrays. */
#include <stdlib.h>

#include "core/node.h"
#include "mica/memory.h"
#include "runtime/memory.h"
#include "runtime/runtime.h"

/* What was met: buffers, which count once and whole, and the ranges of arrays that are parts of a
 * file, which count byte by byte. */
typedef struct range {
    uintptr_t begin, end;
} range;
typedef struct buffers {
    mica__map seen;
    range *ranges;
    size_t n, capacity;
    size_t bytes;
} buffers;

/* From the first to the last byte that the array reads. */
static range range_of(const mica_array *a)
{
    ptrdiff_t item = mica__dtype_sizes[a->dtype];
    range r = { (uintptr_t)a->data, (uintptr_t)a->data };
    if (!a->size) return r;
    for (int i = 0; i < a->ndim; i++) {
        ptrdiff_t last = (ptrdiff_t)((a->shape[i] - 1) * a->strides[i]) * item;
        *(last < 0 ? &r.begin : &r.end) += (uintptr_t)last;
    }
    r.end += (uintptr_t)item;
    return r;
}

static int add_range(buffers *b, range r)
{
    if (b->n == b->capacity) {
        size_t capacity = b->capacity + b->capacity / 2 + 8, bytes;
        range *more = mica__mul_overflow(capacity, sizeof *more, &bytes)
                          ? NULL
                          : mica__realloc(b->ranges, bytes);
        if (!more) return MICA_EMEMORY;
        b->ranges = more;
        b->capacity = capacity;
    }
    b->ranges[b->n++] = r;
    return MICA_OK;
}

static int add_array(buffers *b, const mica_array *a)
{
    void *known;
    if (!a->buffer) return MICA_OK;
    if (a->buffer->parted) return add_range(b, range_of(a));
    if (mica__map_get(&b->seen, a->buffer, &known)) return MICA_OK;
    b->bytes += a->buffer->owned ? mica__memory_class_bytes(a->buffer->bytes) : a->buffer->bytes;
    return mica__map_set(&b->seen, a->buffer, a->buffer);
}

static int by_begin(const void *a, const void *b)
{
    const range *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

static size_t bytes_in_ranges(buffers *b)
{
    size_t bytes = 0;
    uintptr_t end = 0;
    if (b->n) qsort(b->ranges, b->n, sizeof *b->ranges, by_begin);
    for (size_t i = 0; i < b->n; i++) {
        uintptr_t begin = b->ranges[i].begin > end ? b->ranges[i].begin : end;
        if (b->ranges[i].end <= begin) continue;
        bytes += b->ranges[i].end - begin;
        end = b->ranges[i].end;
    }
    return bytes;
}

/* Waits for what is being computed; nothing is computed for the question. */
static int be_there(mica_array *a, size_t number)
{
    if (!a)
        return mica__fail(MICA_EVALUE,
                          "[get_array_buffer_size] array %zu is NULL: the call that should have "
                          "made it failed, ask its scope",
                          number);
    if (mica__state(mica__node_of(a)) != MICA_NODE_PENDING) return mica__need(a);
    return mica__fail(MICA_EVALUE,
                      "[get_array_buffer_size] array %zu of shape %s is not evaluated: evaluate "
                      "arrays before asking for their memory",
                      number, mica__shape_text(mica__dims_of(a)));
}

int mica_array_buffer_size(mica_arrays arrays, size_t *bytes)
{
    buffers b = { 0 };
    int status = MICA_OK;
    if (!bytes || (arrays.n && !arrays.at))
        return mica__fail(MICA_EVALUE, "[get_array_buffer_size] %s is NULL",
                          bytes ? "the list of arrays" : "the place for the result");
    for (size_t i = 0; i < arrays.n && status == MICA_OK; i++) {
        status = be_there(arrays.at[i], i);
        if (status == MICA_OK) status = add_array(&b, arrays.at[i]);
    }
    *bytes = status == MICA_OK ? b.bytes + bytes_in_ranges(&b) : 0;
    mica__map_free(&b.seen);
    mica__free(b.ranges);
    return status;
}
