/* The kernel of the Hadamard transform: n = m 2^k, H_n = H_m x H_(2^k) (Kronecker product). Rows
   are transformed in place in float32 or float64. */
#include "backend/cpu/hadamard.h"

#include "backend/cpu/choose.h"
#include "backend/cpu/kernel.h"

enum { WORK = 32 * 1024 };

/* Signs of the matrices that are no products of smaller ones, as everybody uses them: bit j of line
   i is set where the element is -1. */
static const uint32_t twelve[12] = { 0x2,   0xaab, 0x3c8, 0x96e, 0xf20, 0x5ba,
                                     0xc8c, 0x6e6, 0x23c, 0xb96, 0x8f0, 0xe5a };
static const uint32_t twenty[20] = { 0x933de, 0x2e3bd, 0x5477b, 0xa0ef7, 0x499ef, 0x637c1, 0xc6ba2,
                                     0x8d764, 0x1aee8, 0x359f0, 0xfa53,  0x174a7, 0x26d4e, 0x45e9c,
                                     0x83d39, 0xf7a6d, 0xef4fa, 0xdedd5, 0xbdf8b, 0x7bf36 };
static const uint32_t twenty_eight[28] = { 0xcd69e7e, 0x9ad7c7d, 0x37ab8fb, 0x6d571f7, 0xd8ae3ef,
                                           0xb3587df, 0x66b4f3f, 0xb467f43, 0x6acbe87, 0xd593d8e,
                                           0xab27b9c, 0x564f7b8, 0xac9aff0, 0x5b31fe1, 0x87fb325,
                                           0xff66ca,  0x1decd95, 0x39ddb2a, 0x71bf654, 0xe17eca9,
                                           0xc2fd9d2, 0xfcf1299, 0xfbe2532, 0xf7c4ae4, 0xef8d549,
                                           0xdf1ea13, 0xbe3d4a6, 0x7e7a94c };

typedef struct hadamard {
    const mica__hadamard_loops *loops;
    mica__hadamard_matrix matrix;
    int64_t rows, n, a_task;
    double scale;
    mica_dtype dtype;
    const char *in;
    char *out;
    atomic_int status;
} hadamard;

static void rows_task(void *context, size_t task)
{
    hadamard *h = context;
    size_t item = mica__dtype_sizes[h->dtype], bytes = (size_t)h->n * item;
    bool half = mica__is_half(h->dtype), wide = h->dtype == MICA_FLOAT64;
    size_t room = (size_t)h->n * sizeof(float);
    void *memory = NULL;
    if (half && mica__memory_take(room, &memory) != MICA_OK) {
        atomic_store(&h->status, MICA_EMEMORY);
        return;
    }
    int64_t first = (int64_t)task * h->a_task, last = first + h->a_task;
    for (int64_t r = first; r < last && r < h->rows; r++) {
        const char *from = h->in + (size_t)r * bytes;
        char *to = h->out + (size_t)r * bytes;
        if (half) mica__convert((size_t)h->n, from, h->dtype, memory, MICA_FLOAT32);
        else memcpy(to, from, bytes);
        if (wide) h->loops->wide(&h->matrix, h->n, h->scale, (double *)(void *)to);
        else h->loops->single(&h->matrix, h->n, h->scale, half ? memory : (void *)to);
        if (half) mica__convert((size_t)h->n, memory, MICA_FLOAT32, to, h->dtype);
    }
    mica__memory_give(memory, room);
}

int mica__kernel_hadamard(mica__launch *l)
{
    const struct mica__hadamard_params *p = MICA_PARAMS(l->node, hadamard);
    const mica_array *in = l->in[0];
    int64_t n = in->shape[in->ndim - 1];
    if (in->size == 0) return MICA_OK;
    hadamard h = { .loops = MICA_CHOOSE(mica__hadamard_),
                   .matrix = { .size = 1, .transposed = p->transposed },
                   .rows = in->size / n,
                   .n = n,
                   .scale = p->scale,
                   .dtype = (mica_dtype)in->dtype,
                   .in = in->data,
                   .out = l->out[0].data };
    if (n % 3 == 0) h.matrix.size = 12, h.matrix.signs = twelve;
    else if (n % 5 == 0) h.matrix.size = 20, h.matrix.signs = twenty;
    else if (n % 7 == 0) h.matrix.size = 28, h.matrix.signs = twenty_eight;
    atomic_init(&h.status, MICA_OK);
    h.a_task = n < WORK ? WORK / n : 1;
    mica__spread_tasks((h.rows + h.a_task - 1) / h.a_task, in->size, rows_task, &h);
    return atomic_load(&h.status) == MICA_OK
               ? MICA_OK
               : mica__fail_memory("hadamard_transform", (size_t)n * 4);
}
