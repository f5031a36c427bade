/* Read-only file mappings, and the SIGBUS handler that lets them survive a file that shrinks. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/system.h"
#include "base/thread.h"

/* What the signal handler may look at: only atomics, never freed. */
typedef struct slot {
    _Atomic uintptr_t begin, end; /* begin 0: unused */
    atomic_bool faulted;
} slot;

enum { CHUNK = 64 };

typedef struct chunk {
    slot slots[CHUNK];
    struct chunk *_Atomic next;
} chunk;

struct mica__mapping {
    atomic_size_t references;
    slot *place;
    void *base;
    uint64_t bytes;
    dev_t device;
    ino_t file;
    char name[];
};

static chunk first_chunk;
static mica__mutex lock =
    MICA_MUTEX_INIT; /* guards slots against each other, and the installation */
static struct sigaction previous;
static uintptr_t page_size;
/* Not of the initial-exec model: that would put all thread-local variables of the library into the
 * little room that dlopen has. */
static _Thread_local volatile sig_atomic_t handling;

/* ---- the handler ---------------------------------------------------------------------------- */

static slot *slot_of(uintptr_t address)
{
    for (chunk *c = &first_chunk; c; c = atomic_load_explicit(&c->next, memory_order_acquire))
        for (int i = 0; i < CHUNK; i++) {
            uintptr_t begin = atomic_load_explicit(&c->slots[i].begin, memory_order_acquire);
            if (begin && address >= begin &&
                address < atomic_load_explicit(&c->slots[i].end, memory_order_relaxed))
                return &c->slots[i];
        }
    return NULL;
}

/* Puts zeros from the faulting page to the end: one fault for all that is missing. What was still
   there behind it is lost too, but the mapping is flagged, so nobody takes it for data. */
static bool replace_with_zeros(uintptr_t address)
{
    slot *s = slot_of(address);
    if (!s) return false;
    uintptr_t page = address & ~(page_size - 1);
    uintptr_t end =
        (atomic_load_explicit(&s->end, memory_order_relaxed) + page_size - 1) & ~(page_size - 1);
    atomic_store_explicit(&s->faulted, true, memory_order_release);
    return mmap((void *)page, end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                0) != MAP_FAILED;
}

static void pass_on(int number, siginfo_t *info, void *context)
{
    if (!handling && previous.sa_flags & SA_SIGINFO) {
        handling = 1;
        previous.sa_sigaction(number, info, context);
        handling = 0;
    } else if (!handling && previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        handling = 1;
        previous.sa_handler(number);
        handling = 0;
    } else {
        /* What the process would have met without us: the instruction faults again, or the signal
         * is sent again. */
        signal(number, SIG_DFL);
        if (info->si_code <= 0) raise(number);
    }
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    if (info->si_code <= 0 || !replace_with_zeros((uintptr_t)info->si_addr))
        pass_on(number, info, context);
    errno = saved;
}

/* Again at every opening, since other libraries may have put theirs in our place; the lock is held.
 */
static int install_handler(void)
{
    struct sigaction now, ours = { .sa_flags = SA_SIGINFO | SA_ONSTACK };
    page_size = mica__page_size();
    ours.sa_sigaction = on_fault;
    sigemptyset(&ours.sa_mask);
    if (sigaction(SIGBUS, NULL, &now))
        return mica__fail(MICA_EOS, "[load] the handler of SIGBUS cannot be asked for: %s",
                          strerror(errno));
    if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_fault) return MICA_OK;
    previous = now;
    if (sigaction(SIGBUS, &ours, NULL))
        return mica__fail(MICA_EOS, "[load] no handler of SIGBUS can be set: %s", strerror(errno));
    return MICA_OK;
}

/* mmap, which asks again when there was no room. */
static void *map_pages(size_t bytes, int protection, int flags, int descriptor)
{
    void *base = mmap(NULL, bytes, protection, flags, descriptor, 0);
    if (base != MAP_FAILED || errno != ENOMEM) return base;
    mica__reclaim_memory();
    return mmap(NULL, bytes, protection, flags, descriptor, 0);
}

/* ---- slots; the lock is held ---------------------------------------------------------------- */

static slot *free_slot(void)
{
    chunk *c = &first_chunk;
    for (;;) {
        for (int i = 0; i < CHUNK; i++)
            if (!atomic_load_explicit(&c->slots[i].begin, memory_order_relaxed))
                return &c->slots[i];
        chunk *next = atomic_load_explicit(&c->next, memory_order_relaxed);
        if (!next) {
            /* Never freed, because the handler may be looking at it: not counted as live either. */
            if (mica__injected_failure()) return NULL;
            next = map_pages(sizeof *next, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
            if (next == MAP_FAILED) {
                mica__fail_memory("load", sizeof *next);
                return NULL;
            }
            atomic_store_explicit(&c->next, next, memory_order_release);
        }
        c = next;
    }
}

static void before_fork(void)
{
    mica__mutex_lock(&lock);
}
static void after_fork(void)
{
    mica__mutex_unlock(&lock);
}
static void register_fork(void)
{
    mica__at_fork(before_fork, after_fork, after_fork);
}

/* Makes the addresses known to the handler. */
static int publish(mica__mapping *m)
{
    static mica__once once = MICA_ONCE_INIT;
    mica__call_once(&once, register_fork);
    mica__mutex_lock(&lock);
    int status = install_handler();
    slot *s = status ? NULL : free_slot();
    if (s) {
        atomic_store_explicit(&s->faulted, false, memory_order_relaxed);
        atomic_store_explicit(&s->end, (uintptr_t)m->base + (uintptr_t)m->bytes,
                              memory_order_relaxed);
        atomic_store_explicit(&s->begin, (uintptr_t)m->base, memory_order_release);
        m->place = s;
    } else if (!status) {
        status = MICA_EMEMORY;
    }
    mica__mutex_unlock(&lock);
    return status;
}

/* ---- mappings ------------------------------------------------------------------------------- */

static int map(mica__mapping *m, int descriptor, const struct stat *s)
{
    static const char nothing[1] = "";
    m->device = s->st_dev;
    m->file = s->st_ino;
    m->bytes = (uint64_t)s->st_size;
    m->base = (void *)(uintptr_t)nothing;
    if (!m->bytes) return MICA_OK;
    if (m->bytes > SIZE_MAX / 2)
        return mica__fail(MICA_EIO, "[load] '%s' is too large to be mapped", m->name);
    void *base = map_pages((size_t)m->bytes, PROT_READ, MAP_PRIVATE, descriptor);
    if (base == MAP_FAILED)
        return mica__fail(MICA_EIO, "[load] '%s' (%llu bytes) cannot be mapped: %s", m->name,
                          (unsigned long long)m->bytes, strerror(errno));
    m->base = base;
    int status = publish(m);
    if (status) munmap(base, (size_t)m->bytes);
    return status;
}

int mica__mapping_open_descriptor(mica__mapping **mapping, int descriptor, const char *name)
{
    struct stat s;
    if (fstat(descriptor, &s))
        return mica__fail(MICA_EIO, "[load] '%s' cannot be examined: %s", name, strerror(errno));
    if (S_ISDIR(s.st_mode))
        return mica__fail(MICA_EIO, "[load] '%s' is a folder, not a file", name);
    if (!S_ISREG(s.st_mode))
        return mica__fail(MICA_EIO, "[load] '%s' is not a regular file, so it cannot be mapped",
                          name);
    size_t n = strlen(name) + 1;
    mica__mapping *m = mica__alloc(sizeof *m + n);
    if (!m) return MICA_EMEMORY;
    memset(m, 0, sizeof *m);
    memcpy(m->name, name, n);
    atomic_init(&m->references, 1);
    int status = map(m, descriptor, &s);
    if (status) mica__free(m);
    else *mapping = m;
    return status;
}

int mica__mapping_open(mica__mapping **mapping, const char *path)
{
    /* Not waiting for the writer of a named pipe. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return mica__fail(MICA_EIO, "[load] '%s' cannot be opened: %s", path, strerror(errno));
    int status = mica__mapping_open_descriptor(mapping, descriptor, path);
    close(descriptor);
    return status;
}

void mica__mapping_retain(mica__mapping *m)
{
    atomic_fetch_add_explicit(&m->references, 1, memory_order_relaxed);
}

void mica__mapping_release(mica__mapping *m)
{
    if (!m || atomic_fetch_sub_explicit(&m->references, 1, memory_order_acq_rel) != 1) return;
    if (m->place) {
        mica__mutex_lock(&lock);
        atomic_store_explicit(&m->place->begin, 0, memory_order_release);
        mica__mutex_unlock(&lock);
        munmap(m->base, (size_t)m->bytes);
    }
    mica__free(m);
}

const void *mica__mapping_base(const mica__mapping *m)
{
    return m->base;
}
uint64_t mica__mapping_bytes(const mica__mapping *m)
{
    return m->bytes;
}
const char *mica__mapping_name(const mica__mapping *m)
{
    return m->name;
}

void mica__mapping_forget(const mica__mapping *m)
{
    if (m->place) madvise(m->base, (size_t)m->bytes, MADV_DONTNEED);
}

bool mica__mapping_intact(const mica__mapping *m)
{
    if (!m->place) return true;
    const volatile char *base = m->base;
    (void)base[m->bytes - 1]; /* the handler flags the mapping when this page is gone */
    return !atomic_load_explicit(&m->place->faulted, memory_order_acquire);
}

int mica__mapping_check(const mica__mapping *m)
{
    if (!m->place) return MICA_OK;
    struct stat s;
    bool faulted = atomic_load_explicit(&m->place->faulted, memory_order_acquire);
    /* The rest of the last page reads as zeros without a fault, so the size counts too. */
    bool cut = !stat(m->name, &s) && s.st_dev == m->device && s.st_ino == m->file &&
               (uint64_t)s.st_size < m->bytes;
    if (cut)
        return mica__fail(
            MICA_EOS, "[load] '%s' was cut from %llu to %llu bytes while its arrays were in use",
            m->name, (unsigned long long)m->bytes, (unsigned long long)s.st_size);
    if (!faulted) return MICA_OK;
    return mica__fail(MICA_EOS,
                      "[load] '%s' (%llu bytes when opened) could not be read: it was cut short or "
                      "its disk failed",
                      m->name, (unsigned long long)m->bytes);
}
