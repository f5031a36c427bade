/* Files of the safetensors format. */
#include "fuzz.h"

#include "io/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_table(data, size, mica__safetensors_table, mica__safetensors_needed);
}
