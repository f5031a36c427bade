/* Makes the backends known to the runtime when the library is loaded. */
#include "runtime/runtime.h"

/* Defined here, so that whoever links a static library with the runtime gets this file too. */
const struct mica__backend *mica__cpu_backend;

void mica__cpu_register(void);

__attribute__((constructor)) static void start(void)
{
    mica__cpu_register();
}
