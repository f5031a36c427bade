/* Batching of random words: more keys. */
#include "autodiff/rule.h"

VMAP_RULE(random_bits)
{
    int64_t room[MICA_MAX_NDIM + 1];
    return mica__batched_result(
        results,
        mica__rebuild_as(s, n, in, NULL, mica__prepend(batch, mica__dims_of(&n->out[0]), 0, room)));
}
