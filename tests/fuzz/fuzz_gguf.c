/* Files of the gguf format. */
#include "fuzz.h"

#include "io/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_table(data, size, mica__gguf_table, mica__gguf_needed);
}
