/* Kernel of inflate: members of archives, unpacked when they are used. */
#include "base/inflate.h"

#include "backend/cpu/kernel.h"
#include "base/checksum.h"

static int unpack(const struct mica__inflate_params *p, const char *file, void *to)
{
    size_t bytes = (size_t)p->bytes;
    if (!mica__inflate(to, bytes, file + p->at, (size_t)p->packed))
        return mica__fail(MICA_EVALUE, "[load_npz] the compressed bytes of an array are "
                                       "damaged; copy or write the file again");
    if (mica__crc32(0, to, bytes) != (uint32_t)p->crc)
        return mica__fail(MICA_EVALUE, "[load_npz] the checksum of a compressed array is "
                                       "wrong; copy or write the file again");
    return MICA_OK;
}

/* A batch, which nobody has of files. */
static int unpack_each(mica__launch *l, const struct mica__inflate_params *p)
{
    const mica_array *in = l->in[0];
    mica_array *out = &l->out[0];
    size_t bytes = (size_t)(p->bytes - p->start), file = (size_t)in->shape[in->ndim - 1];
    size_t all = (size_t)out->size * mica__dtype_sizes[out->dtype];
    char *one = mica__arena_alloc(&l->scratch, (size_t)p->bytes);
    if (!one) return MICA_EMEMORY;
    MICA_TRY(mica__allocate_output(out));
    for (size_t i = 0; bytes && i < all / bytes; i++) {
        MICA_TRY(unpack(p, in->data + i * file, one));
        memcpy(out->data + i * bytes, one + p->start, bytes);
    }
    return MICA_OK;
}

/* The array lies behind what describes it, in one memory: nothing is moved. */
int mica__kernel_inflate(mica__launch *l)
{
    const struct mica__inflate_params *p = MICA_PARAMS(l->node, inflate);
    if (l->in[0]->ndim > 1) return unpack_each(l, p);
    mica__buffer *b = mica__buffer_new((size_t)p->bytes);
    if (!b) return MICA_EMEMORY;
    mica__array_set_data(&l->out[0], b, (char *)b->data + p->start, NULL);
    return unpack(p, l->in[0]->data, b->data); /* on failure the output is withdrawn */
}
