/* Shared libraries on POSIX. */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/library.h"
#include "base/system.h"

void *mica__library_open(const char *file, char why[256])
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library && why) {
        const char *text = dlerror();
        snprintf(why, 256, "%s", text ? text : "no reason given");
    }
    return library;
}

void mica__library_close(void *library)
{
    if (library) dlclose(library);
}

bool mica__library_find(void *library, const char *name, void (**function)(void))
{
    void *found = dlsym(library, name);
    if (found) memcpy(function, &found, sizeof found);
    return found != NULL;
}

uint64_t mica__address_space_left(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    bool known = file && fscanf(file, "%llu", &pages) == 1;
    if (file) fclose(file);
    uint64_t used = known ? (uint64_t)pages * mica__page_size() : 0;
    return used < limit.rlim_cur ? limit.rlim_cur - used : 0;
}
