/* Kernel of inflate: members of archives, unpacked when they are used. */
#include "base/inflate.h"

#include "backend/cpu/kernel.h"
#include "base/checksum.h"

int mica__kernel_inflate(mica__launch *l)
{
    const mica_array *in = l->in[0];
    mica_array *out = &l->out[0];
    size_t packed = (size_t)in->shape[in->ndim - 1], bytes = (size_t)out->shape[out->ndim - 1];
    uint32_t crc = (uint32_t)MICA_PARAMS(l->node, inflate)->crc;
    for (int64_t i = 0; i < (bytes ? out->size / (int64_t)bytes : 0); i++) {
        char *to = out->data + (size_t)i * bytes;
        if (!mica__inflate(to, bytes, in->data + (size_t)i * packed, packed))
            return mica__fail(MICA_EVALUE, "[load_npz] the compressed bytes of an array are "
                                           "damaged; copy or write the file again");
        if (mica__crc32(0, to, bytes) != crc)
            return mica__fail(MICA_EVALUE, "[load_npz] the checksum of a compressed array is "
                                           "wrong; copy or write the file again");
    }
    return MICA_OK;
}
