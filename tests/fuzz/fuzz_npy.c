/* Files of the npy format. */
#include "fuzz.h"

#include "io/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mica__source from = fuzz_source(data, size);
    mica_scope *s = mica_scope_open(NULL);
    uint64_t used = 0;
    mica_array *a = mica__npy_array(s, &from, &used);
    bool known;
    uint64_t most = mica__npy_needed(from.base, size, &known);
    if (a && (used > size || !known || most != used)) abort();
    fuzz_evaluate(s, a);
    mica_scope_close(s);
    fuzz_finish(&from);
    return 0;
}
