/* Kernels of random_bits and random_normal. */
#include "backend/cpu/random.h"

#include "backend/cpu/isa.h"
#include "backend/cpu/kernel.h"

enum { PART = 1024, TASK = 16 * 1024 };

/* For `count` words of a key: half = count / 2 pairs, the first words in front, the second behind;
 * an odd word stands between them. */
typedef struct drawing {
    mica__threefry *threefry;
    mica__to_normal *convert; /* NULL: words as they are */
    const uint32_t *keys;
    char *out;
    size_t bytes;            /* of one key's output */
    size_t count, half, odd; /* words of one key */
    size_t tasks;            /* of one key */
} drawing;

static void put(const drawing *d, char *out, size_t word, uint32_t *words, size_t n)
{
    if (d->convert) d->convert(words, n);
    size_t start = word * 4, end = (word + n) * 4;
    if (end > d->bytes) end = d->bytes; /* the last word may be cut */
    memcpy(out + start, words, end - start);
}

static void draw_task(void *context, size_t task)
{
    const drawing *d = context;
    size_t key = task / d->tasks, first = task % d->tasks * TASK,
           last = first + TASK < d->half ? first + TASK : d->half;
    const uint32_t *k = d->keys + 2 * key;
    char *out = d->out + key * d->bytes;
    uint32_t a[PART], b[PART];
    for (size_t i = first; i < last; i += PART) {
        size_t n = last - i < PART ? last - i : PART, second = d->half + d->odd + i;
        d->threefry(k, (uint32_t)i, (uint32_t)second, n, a, b);
        put(d, out, i, a, n);
        put(d, out, second, b, n);
    }
    if (!d->odd || first != 0) return;
    d->threefry(k, (uint32_t)d->half, 0, 1, a, b);
    put(d, out, d->half, a, 1);
}

static int draw(mica__launch *l, bool normal)
{
    const mica_array *keys = l->in[0];
    drawing d = { .threefry = mica__threefry_portable,
                  .keys = (const uint32_t *)(const void *)keys->data,
                  .out = l->out[0].data };
    if (normal) d.convert = mica__to_normal_portable;
#if defined(__x86_64__)
    mica__isa level = mica__isa_level();
    if (level != MICA_ISA_PORTABLE) {
        d.threefry = level == MICA_ISA_V4 ? mica__threefry_v4 : mica__threefry_v3;
        if (normal) d.convert = level == MICA_ISA_V4 ? mica__to_normal_v4 : mica__to_normal_v3;
    }
#endif
    if (l->out[0].size == 0) return MICA_OK;
    size_t nkeys = (size_t)keys->size / 2;
    d.bytes = (size_t)l->out[0].size / nkeys * mica__dtype_sizes[l->out[0].dtype];
    d.count = (d.bytes + 3) / 4;
    d.half = d.count / 2;
    d.odd = d.count % 2;
    d.tasks = d.half ? (d.half + TASK - 1) / TASK : 1;
    mica__parallel(nkeys * d.tasks, draw_task, &d);
    return MICA_OK;
}

int mica__kernel_random_bits(mica__launch *l)
{
    return draw(l, false);
}
int mica__kernel_random_normal(mica__launch *l)
{
    return draw(l, true);
}
