/* What the machine and its container grant, as Linux tells it. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#include <unistd.h>

#include "base/system.h"

/* Reads a small file of the kernel; false when there is none. */
static bool read_text(const char *path, char *text, size_t capacity)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    size_t n = 0;
    while (n + 1 < capacity) {
        ssize_t got = read(file, text + n, capacity - 1 - n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        n += (size_t)got;
    }
    close(file);
    text[n] = '\0';
    return true;
}

/* ---- control groups ------------------------------------------------------------------------- */

enum { PATH_BYTES = 1024, TABLE_BYTES = 1 << 16 };

typedef struct group {
    char mount[PATH_BYTES]; /* where the hierarchy is mounted */
    char path[PATH_BYTES];  /* the process' group below it, "" or "/a/b" */
} group;

/* Whether a comma-separated list has the word. */
static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ',') && (p[n] == ',' || p[n] == '\0' || p[n] == '\n'))
            return true;
    return false;
}

/* One line of /proc/self/mountinfo: "id parent dev root mount options ... - type source options".
 */
static bool mounted_here(char *line, const char *controller, char root[PATH_BYTES], group *g)
{
    char *tail = strstr(line, " - ");
    char type[32], options[512];
    if (!tail || sscanf(tail, " - %31s %*s %511s", type, options) != 2) return false;
    if (controller ? strcmp(type, "cgroup") != 0 || !has_word(options, controller)
                   : strcmp(type, "cgroup2") != 0)
        return false;
    return sscanf(line, "%*s %*s %*s %1023s %1023s", root, g->mount) == 2;
}

/* The process' group for a controller of version 1, or (NULL) of version 2. */
static bool find_group(const char *controller, group *g)
{
    char *table = malloc(TABLE_BYTES);
    char root[PATH_BYTES] = "";
    bool found = false;
    if (!table) return false;
    if (read_text("/proc/self/mountinfo", table, TABLE_BYTES)) {
        char *rest = table;
        for (char *line; !found && (line = strsep(&rest, "\n"));)
            found = mounted_here(line, controller, root, g);
    }
    g->path[0] = '\0';
    if (found && read_text("/proc/self/cgroup", table, TABLE_BYTES)) {
        char *rest = table;
        for (char *line; (line = strsep(&rest, "\n"));) { /* "number:controllers:path" */
            char *names = strchr(line, ':');
            char *path = names ? strchr(names + 1, ':') : NULL;
            if (!path) continue;
            *path++ = '\0';
            if (controller ? !has_word(names + 1, controller) : names[1] != '\0') continue;
            /* In a container the mount's root is the container's own group: what lies below counts.
             */
            size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);
            if (strncmp(path, root, n) == 0) path += n;
            else path = "";
            if (strcmp(path, "/") != 0 && strlen(path) < sizeof g->path) strcpy(g->path, path);
            break;
        }
    }
    free(table);
    return found;
}

/* Calls `read` with the text of `file` in the process' group and in each group above it. */
static void each_level(const char *controller, const char *file,
                       void (*each)(const char *text, const char *folder, void *user), void *user)
{
    group g;
    if (!find_group(controller, &g)) return;
    for (;;) {
        char folder[2 * PATH_BYTES], path[2 * PATH_BYTES + 64], text[128];
        snprintf(folder, sizeof folder, "%s%s", g.mount, g.path);
        snprintf(path, sizeof path, "%s/%s", folder, file);
        if (read_text(path, text, sizeof text)) each(text, folder, user);
        char *cut = strrchr(g.path, '/');
        if (!cut) return;
        *cut = '\0';
    }
}

static void least_bytes(const char *text, const char *folder, void *user)
{
    (void)folder;
    uint64_t *least = user;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10); /* "max" is no number: no limit */
    if (end != text && !errno && value && value < *least) *least = value;
}

static void least_quota(double quota, double period, double *least)
{
    if (quota > 0 && period > 0 && quota / period < *least) *least = quota / period;
}

static void quota_2(const char *text, const char *folder, void *user)
{
    (void)folder;
    long long quota, period;
    if (sscanf(text, "%lld %lld", &quota, &period) == 2)
        least_quota((double)quota, (double)period, user);
}

static void quota_1(const char *text, const char *folder, void *user)
{
    char path[2 * PATH_BYTES + 64], other[64];
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (read_text(path, other, sizeof other))
        least_quota((double)strtoll(text, NULL, 10), (double)strtoll(other, NULL, 10), user);
}

/* ---- processors ----------------------------------------------------------------------------- */

static size_t affinity(void)
{
    for (size_t count = 1024; count <= (size_t)1 << 20; count *= 4) {
        cpu_set_t *set = CPU_ALLOC(count);
        if (!set) break;
        size_t bytes = CPU_ALLOC_SIZE(count);
        int code = sched_getaffinity(0, bytes, set), error = errno;
        int n = code ? 0 : CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
        if (!code) return n > 0 ? (size_t)n : 1;
        if (error != EINVAL)
            break; /* EINVAL: the machine has more processors than the set has places */
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

bool mica__is_first_thread(void)
{
#ifdef __linux__
    return syscall(SYS_gettid) == getpid();
#else
    return true;
#endif
}

size_t mica__cpu_count(void)
{
    size_t n = affinity();
    double quota = 1e9;
    each_level(NULL, "cpu.max", quota_2, &quota);
    each_level("cpu", "cpu.cfs_quota_us", quota_1, &quota);
    if (quota < (double)n) { /* 1.5 processors keep two threads busy most of the time */
        size_t granted = (size_t)quota;
        n = granted + ((double)granted < quota);
    }
    return n ? n : 1;
}

/* ---- memory --------------------------------------------------------------------------------- */

/* The bytes that /proc/meminfo gives for a name such as "MemTotal:"; false when it has none. */
static bool meminfo(const char *text, const char *name, uint64_t *bytes)
{
    const char *at = strstr(text, name);
    unsigned long long kib;
    if (!at || sscanf(at + strlen(name), " %llu", &kib) != 1) return false;
    *bytes = (uint64_t)kib * 1024;
    return true;
}

static uint64_t group_limit(void)
{
    uint64_t least = UINT64_MAX;
    each_level(NULL, "memory.max", least_bytes, &least);
    each_level("memory", "memory.limit_in_bytes", least_bytes, &least);
    return least;
}

uint64_t mica__memory_physical(void)
{
    uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t limit = group_limit();
    return limit < ram ? limit : ram;
}

uint64_t mica__memory_total(void)
{
    char text[4096];
    uint64_t swap = 0, limit = group_limit();
    uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (read_text("/proc/meminfo", text, sizeof text)) meminfo(text, "SwapTotal:", &swap);
    return limit < ram + swap ? limit : ram + swap;
}

uint64_t mica__memory_available(void)
{
    char text[4096];
    uint64_t available, swap = 0;
    if (!read_text("/proc/meminfo", text, sizeof text) ||
        !meminfo(text, "MemAvailable:", &available))
        return UINT64_MAX;
    meminfo(text, "SwapFree:", &swap);
    return available + swap;
}

/* ---- pages ---------------------------------------------------------------------------------- */

size_t mica__page_size(void)
{
    long size = sysconf(_SC_PAGESIZE);
    return size > 0 ? (size_t)size : 4096;
}

void *mica__pages_map(size_t bytes)
{
    /* Huge pages need blocks that start at their multiples: map more and give the ends back. */
    const size_t huge = (size_t)2 << 20;
    size_t extra = bytes >= huge ? huge : 0, total;
    if (mica__add_overflow(bytes, extra, &total)) return NULL;
    char *p = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED && extra) {
        extra = 0;
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    if (p == MAP_FAILED) return NULL;
    if (extra) {
        size_t head = (huge - (uintptr_t)p % huge) % huge;
        if (head) munmap(p, head);
        if (extra - head) munmap(p + head + bytes, extra - head);
        p += head;
    }
#ifdef MADV_HUGEPAGE
    if (bytes >= huge) madvise(p, bytes, MADV_HUGEPAGE);
#endif
    return p;
}

void mica__pages_unmap(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}
