/* Files of the npz format. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_table(data, size, mica__npz_table, NULL);
}
