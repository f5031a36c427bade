/* Files that were replaced, on their way to be freed. */
#ifndef MICA_ENGINE_REPLACED_H
#define MICA_ENGINE_REPLACED_H

#include "base/base.h"

/* A descriptor that keeps the file at `path` when its name goes, or -1 where that is not worth it.
 */
int mica__replaced_keep(const char *path, uint64_t bytes);
/* Closes it, which frees the file, on a thread of its own: a file system takes as long for that as
   for a quarter of writing it. -1 is fine. */
void mica__replaced_free(int descriptor);
/* Until all that was let go has been freed, so that its room counts. */
void mica__replaced_wait(void);

#endif
