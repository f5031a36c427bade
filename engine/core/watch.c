/* Where a watcher is kept. */
#include "core/watch.h"

const mica__watcher *_Atomic mica__watcher_now;
_Thread_local uint32_t mica__site;
_Thread_local uint8_t mica__site_flags;
