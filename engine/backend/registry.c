/* Makes the backends known to the runtime when the library is loaded. */
#include "base/base.h"

void mica__cpu_register(void);

__attribute__((constructor)) static void start(void) { mica__cpu_register(); }
