/* Files of the npy format. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mica__source from = fuzz_source(data, size);
    mica_scope *s = mica_scope_open(NULL);
    uint64_t used = 0;
    mica_array *a = mica__npy_array(s, &from, &used);
    if (a && used > size) abort();
    fuzz_evaluate(s, a);
    mica_scope_close(s);
    mica__source_release(&from);
    return 0;
}
