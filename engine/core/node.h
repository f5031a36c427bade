/* What an array is: a slot of a node. A node is an operation with its inputs and inline outputs; a
 * buffer is memory that arrays share. */
#ifndef MICA_ENGINE_NODE_H
#define MICA_ENGINE_NODE_H

#include "base/base.h"
#include "mica/array.h"

typedef struct mica_node mica_node;

extern const uint8_t mica__dtype_sizes[MICA_DTYPE_COUNT];

/* Memory behind evaluated arrays. */
typedef struct mica__buffer {
    _Atomic int32_t references;
    bool owned;    /* from mica__memory_take; else release(user) frees it */
    bool writable; /* false: mapped files and foreign memory that must not be donated */
    bool parted;   /* arrays are parts of it, each as large as its elements: a file */
    uint32_t site; /* what a watcher said when the memory was taken */
    void *data;
    size_t bytes;
    void (*release)(void *user);
    void *user;
    int (*check)(void *user); /* status of a mapped file, or NULL */
} mica__buffer;

mica__buffer *
mica__buffer_new(size_t bytes); /* owned, uninitialised; NULL and a message on failure */
mica__buffer *mica__buffer_adopt(void *data, size_t bytes, void (*release)(void *), void *user);
void mica__buffer_retain(mica__buffer *b);
void mica__buffer_release(mica__buffer *b);
/* After values behind the buffer have been read: MICA_EOS when they came from a mapped file that is
 * no longer whole. NULL is fine. */
static inline int mica__buffer_check(const mica__buffer *b)
{
    return b && b->check ? b->check(b->user) : MICA_OK;
}

/* Array flags. */
enum {
    MICA_ARRAY_WEAK = 1, /* a number that takes the type of what it meets */
    MICA_ARRAY_DISPOSABLE =
        2, /* a weak number that nobody else will use: a builder may retype it in place */
    MICA_ARRAY_ROW_MAJOR = 4, /* evaluated and dense in row-major order */
    MICA_ARRAY_SIZED = 8, /* a traced weak integer whose size chose a type or was checked: another
                             may need another trace */
    MICA_ARRAY_MADE = 16, /* of the type that functions take when none is given, noted while
                             somebody watches: later it does not know how it was made */
    MICA_ARRAY_EXPONENT = 32 /* a traced weak integer that chose how a power is computed */
};

struct mica_array {
    _Atomic int32_t uses;  /* references to this output; 0 while nobody needs it */
    _Atomic uint8_t flags; /* a worker sets ROW_MAJOR while others ask whether the array is weak */
    uint8_t slot;          /* which output of its node */
    uint8_t dtype;         /* mica_dtype; it and ndim share a word of two bytes: compilers read them
                              at once, and would read flags too */
    uint8_t ndim;
    int64_t size;
    int64_t *shape;       /* ndim sizes */
    int64_t *strides;     /* ndim strides in elements; valid once evaluated */
    char *data;           /* first element; valid once evaluated */
    mica__buffer *buffer; /* owner of data; NULL: the value lies in `value` */
    union {
        char bytes[8];
        double real;
        int64_t integer;
    } value; /* the element of an array of one that has no buffer */
    union {
        int64_t local[8]; /* shape and strides of up to 4 axes; a node's single output ends behind
                             those in use, so arrays are never copied as a whole */
        union {
            double real;
            int64_t integer;
            mica_complex64 complex;
        } number; /* weak numbers, which are 0-d: what was given, also while they are traced */
    };
};

/* A node's life. Only the planner moves PENDING to SCHEDULED; only its executor moves on (or back,
 * after an interruption). */
enum { MICA_NODE_PENDING, MICA_NODE_SCHEDULED, MICA_NODE_DONE, MICA_NODE_FAILED };

/* Node flags. */
enum {
    MICA_NODE_TRACED = 1,      /* depends on an argument that is being differentiated, batched or
                                  compiled: keeps its inputs */
    MICA_NODE_PLACEHOLDER = 2, /* an argument without a value */
    MICA_NODE_ABSTRACT = 4,    /* depends on a placeholder: cannot be evaluated */
    MICA_NODE_ASKED = 8,       /* a cast that the program asked for, not one of promotion; the sum
                                  of addmm */
    MICA_NODE_TRACING = 32,    /* made while a function was traced, and somebody watched */
    MICA_NODE_GRADIENT = 16,   /* an optimizer was given it as a gradient, while somebody watches */
    MICA_NODE_LOADED = 64, /* an array of a file was evaluated as it is, while somebody watched */
    MICA_NODE_SIZED = 128  /* made while a function was traced for any size: what it depends on may
                              be another number for other sizes */
};

/* What a failed node remembers; of an abstract one, status 0 and where user code made it. */
typedef struct mica__fault {
    int status;
    char message[];
} mica__fault;

struct mica_node {
    _Atomic int32_t slots; /* outputs with uses */
    uint16_t prim;
    uint8_t noutputs;
    _Atomic uint8_t state;
    uint8_t flags;
    uint8_t size_class;
    uint16_t origin; /* the public function it was built for, and axes in front (core/origin.h) */
    uint32_t ninputs;
    uint32_t mark;  /* scratch of the planner, under its lock */
    uint32_t claim; /* number of the plan that scheduled it last, under the planner's lock */
    uint32_t site;  /* the line of the program that made it, while somebody watches (watch.h) */
    _Atomic uint32_t holder; /* id of the scope that took the last reference for itself; 0: none */
    mica_stream *stream;
    mica_array **inputs;
    void *params;
    union {
        mica__fault *fault;
        mica_node *next; /* worklist of nodes being destroyed */
    } link;
    mica_array out[];
};

static inline mica_node *mica__node_of(const mica_array *a)
{
    return (mica_node *)(void *)((char *)(uintptr_t)(a - a->slot) - offsetof(mica_node, out));
}

/* For walks through graphs that are larger than the caches. A node is three lines far apart, head,
   output and inputs, and what lies in one says where the next is. Asking for all of them at once,
   and for those of nodes that come soon, spares most of the wait. These are hints: the output is
   taken to be the node's only one, and a wrong guess costs a load. */
static inline void mica__fetch_head(const mica_node *n)
{
#if defined(__GNUC__)
    __builtin_prefetch(n, 1);
#else
    (void)n;
#endif
}
static inline void mica__fetch(const mica_array *a)
{
#if defined(__GNUC__)
    uintptr_t at = (uintptr_t)a;
    __builtin_prefetch((const void *)(at - offsetof(mica_node, out)));
    __builtin_prefetch((const void *)at);
    __builtin_prefetch((const void *)(at + offsetof(mica_array, local)));
#else
    (void)a;
#endif
}

static inline int mica__state(const mica_node *n)
{
    return atomic_load_explicit(&n->state, memory_order_acquire);
}
static inline bool mica__is_done(const mica_array *a)
{
    return mica__state(mica__node_of(a)) == MICA_NODE_DONE;
}
static inline bool mica__is_traced(const mica_array *a)
{
    return (mica__node_of(a)->flags & MICA_NODE_TRACED) != 0;
}

/* Whether an evaluated array lies where elements of its type may lie. Tensors of files, and views
   of bytes, need not: they are read element by element (mica__load_number, copies, tapes), and
   kernels are given a copy. */
static inline bool mica__is_aligned(const mica_array *a)
{
    return (uintptr_t)a->data % mica__dtype_sizes[a->dtype] == 0;
}

/* mica__buffer_check of an evaluated array. */
static inline int mica__check_values(const mica_array *a)
{
    return mica__buffer_check(a->buffer);
}

/* A node with room for its outputs, inputs and `params_bytes` of parameters, state PENDING, outputs
   without shape and uses 0. A single output is to get `ndim` axes. The inputs are filled in by the
   caller, who retains them. NULL and a message on failure. */
mica_node *mica__node_new(unsigned prim, size_t noutputs, int64_t ndim, size_t ninputs,
                          size_t params_bytes);
/* A DONE node of one output, whose values lie in the buffer, and which has no room for anything but
   its shape and strides: files may hold hundreds of thousands of arrays. Takes a reference of its
   own to the buffer. Fails as mica__array_set_shape. */
int mica__node_slim(mica_node **node, unsigned prim, mica_dtype dtype, mica_dims shape,
                    mica__buffer *buffer, const char *data);
/* Makes `to` another name for what `a` holds, while `a` and its axes live. Arrays are not assigned:
   a node's single output ends behind its axes. */
static inline void mica__array_alias(mica_array *to, const mica_array *a)
{
    memcpy((void *)to, (const void *)a, offsetof(mica_array, local));
}

/* Sets an output's type and shape; strides are room only. Fails with EVALUE, EOVERFLOW, EMEMORY. */
int mica__array_set_shape(mica_array *a, mica_dtype dtype, mica_dims shape);
/* Frees a node none of whose outputs was ever used (after a failed construction). */
void mica__node_discard(mica_node *n);
/* Drops the inputs of an evaluated node. */
void mica__node_detach(mica_node *n);
/* Takes a reference to output `slot` of a node of which some output is already held. */
mica_array *mica__node_output(mica_node *n, size_t slot);
/* Gives an output its value: takes over the caller's reference to `buffer` (NULL: inline value).
 * strides NULL: row-major. */
void mica__array_set_data(mica_array *a, mica__buffer *buffer, char *data, const int64_t *strides);
void mica__node_fail(mica_node *n, int status, const char *message);
/* Remembers where user code made an abstract node, for the message of an evaluation; the first
 * place stays. Without memory, or for other nodes, it does nothing. */
void mica__node_made_at(mica_node *n, const char *place);
/* That place, or NULL. */
const char *mica__node_place(const mica_node *n);
int mica__node_fault(
    const mica_node *n); /* re-raises the stored fault on the calling thread, returns its status */

/* ---- shapes ---- */
/* Product of the sizes; false when it overflows or a size is negative. */
bool mica__shape_size(mica_dims shape, int64_t *size);
void mica__row_major(int64_t ndim, const int64_t *shape, int64_t *strides);
bool mica__is_row_major(const mica_array *a); /* evaluated, dense, row-major */
static inline mica_dims mica__dims_of(const mica_array *a)
{
    return (mica_dims){ .n = a->ndim, .at = a->shape };
}
/* "(2, 3)" into a thread-local ring of texts: for messages. */
const char *mica__shape_text(mica_dims shape);
bool mica__shape_equal(mica_dims a, mica_dims b);
/* NumPy broadcasting; out has room for MICA_MAX_NDIM. Returns the number of axes or -1. */
int mica__broadcast(mica_dims a, mica_dims b, int64_t *out);

/* ---- element types ---- */
mica_dtype mica__promote(mica_dtype a, mica_dtype b);
bool mica__is_integer(mica_dtype d); /* without bool */
bool mica__is_unsigned(mica_dtype d);
bool mica__is_float(mica_dtype d); /* real floating */
static inline bool mica__is_half(mica_dtype d)
{
    return d == MICA_FLOAT16 || d == MICA_BFLOAT16;
}
static inline bool mica__is_inexact(mica_dtype d)
{
    return mica__is_float(d) || d == MICA_COMPLEX64;
}
/* Converts one number to an element of `dtype` at `out`, as a C cast does. */
void mica__store_number(mica_dtype dtype, void *out, bool is_integer, int64_t integer, double real,
                        double imaginary);
double mica__load_number(mica_dtype dtype, const void *element);
uint16_t mica__bfloat16_from(float x);
uint16_t mica__float16_from(float x);
float mica__bfloat16_to(uint16_t x);
float mica__float16_to(uint16_t x);

#endif
