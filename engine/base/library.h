/* Shared libraries that are opened at run time, and the address space that opening them needs. */
#ifndef MICA_ENGINE_LIBRARY_H
#define MICA_ENGINE_LIBRARY_H

#include "base/base.h"

/* Opens a library whose symbols stay its own. NULL when that fails: `why` (or NULL) then holds the
 * reason. */
void *mica__library_open(const char *file, char why[256]);
void mica__library_close(void *library);

/* A function of a library. ISO C knows no conversion from data to function pointers: `*function` is
   filled in place. False when there is none of that name. */
bool mica__library_find(void *library, const char *name, void (**function)(void));

/* Bytes of address space that the process may still map: UINT64_MAX where there is no limit
 * (RLIMIT_AS). */
uint64_t mica__address_space_left(void);

#endif
