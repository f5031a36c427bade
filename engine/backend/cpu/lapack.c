/* Finding and opening a library with LAPACK. */
#include "backend/cpu/lapack.h"

#include <stdio.h>

#include "base/config.h"
#include "base/library.h"
#include "base/thread.h"
#include "mica/lapack.h"

/* Opening OpenBLAS maps its code and a work buffer: measured 57 MiB without threads, 8 MiB of stack
   and some more for each thread. When it gets less it prints and ends the process, so the limit is
   looked at before. */
#define ROOM ((uint64_t)512 << 20)

static mica__mutex lock = MICA_MUTEX_INIT;
static atomic_bool ready;
static mica__lapack tables[3]; /* s, d, c */
static char suggested[1024];   /* what the front end found */

int mica_set_lapack(const char *file)
{
    size_t n = file ? strlen(file) : 0;
    if (n >= sizeof suggested)
        return mica__fail(MICA_EVALUE,
                          "[set_lapack] the name of the library has more than %zu bytes",
                          sizeof suggested - 1);
    mica__mutex_lock(&lock);
    memcpy(suggested, n ? file : "", n + 1);
    mica__mutex_unlock(&lock);
    return MICA_OK;
}

/* ---- symbols: "scipy_dgetrf_", "dgetrf_" ---- */

static const char *const prefixes[] = { "scipy_", "" };

typedef void (*function)(void);

static bool find(void *library, const char *prefix, const char *letter, const char *name,
                 function *to)
{
    char full[64];
    snprintf(full, sizeof full, "%s%s%s_", prefix, letter, name);
    return mica__library_find(library, full, to);
}

/* Fills a table; false and the name of what is missing. */
static bool fill(void *library, const char *prefix, int type, mica__lapack *t, const char **missing)
{
    static const char *const letters[] = { "s", "d", "c" };
    bool complex = type == 2;
    const struct {
        const char *name;
        void *to;
    } wanted[] = {
        { "potrf", &t->potrf },
        { "trtri", &t->trtri },
        { "trtrs", &t->trtrs },
        { "getrf", &t->getrf },
        { "getri", &t->getri },
        { "getrs", &t->getrs },
        { "gemm", &t->gemm },
        { "geqrf", &t->geqrf },
        { complex ? "ungqr" : "orgqr", &t->orgqr },
        { "gesdd", complex ? (void *)&t->gesdd_complex : (void *)&t->gesdd },
        { complex ? "heevd" : "syevd", complex ? (void *)&t->heevd : (void *)&t->syevd },
        { "geev", complex ? (void *)&t->geev_complex : (void *)&t->geev },
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        function found;
        *missing = wanted[i].name;
        if (!find(library, prefix, letters[type], wanted[i].name, &found)) return false;
        memcpy(wanted[i].to, &found,
               sizeof found); /* function pointers of any type look alike here */
    }
    return true;
}

static void use_one_thread(void *library)
{
    function set;
    for (size_t i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, "%sopenblas_set_num_threads", prefixes[i]);
        if (mica__library_find(library, name, &set)) {
            void (*threads)(int);
            memcpy(&threads, &set, sizeof threads);
            threads(1);
            return;
        }
    }
}

/* Opens one candidate. A library without all routines (OpenBLAS built without LAPACK) is none. */
static bool open_one(const char *file, char why[256])
{
    void *library = mica__library_open(file, why);
    if (!library) return false;
    const char *missing = "";
    for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes; p++) {
        mica__lapack found[3];
        memset(found, 0, sizeof found);
        bool all = true;
        for (int type = 0; type < 3 && all; type++)
            all = fill(library, prefixes[p], type, &found[type], &missing);
        if (!all) continue;
        memcpy(tables, found, sizeof tables);
        use_one_thread(library);
        return true;
    }
    snprintf(why, 256, "%.180s has no routine %s", file, missing);
    mica__library_close(library);
    return false;
}

static int open_any(const char *operation)
{
    static const char *const system[] = { "libscipy_openblas.so", "libopenblas.so.0",
                                          "libopenblas.so",       "liblapack.so.3",
                                          "liblapack.so",         "libopenblas.dylib",
                                          "liblapack.dylib" };
    char why[256] = "";
    uint64_t left = mica__address_space_left();
    if (left < ROOM) {
        mica__reclaim_memory();
        left = mica__address_space_left();
    }
    if (left < ROOM)
        return mica__fail(MICA_ERUNTIME,
                          "[%s] the limit of the address space leaves %llu MiB, and opening LAPACK "
                          "may take %llu MiB; raise "
                          "the limit (ulimit -v)",
                          operation, (unsigned long long)(left >> 20),
                          (unsigned long long)(ROOM >> 20));
    const char *chosen = mica__setting_text(MICA_SETTING_lapack);
    if (*chosen) {
        if (open_one(chosen, why)) return MICA_OK;
        return mica__fail(MICA_ERUNTIME, "[%s] MICA_LAPACK names a library that cannot be used: %s",
                          operation, why);
    }
    if (*suggested && open_one(suggested, why)) return MICA_OK;
    for (size_t i = 0; i < sizeof system / sizeof *system; i++)
        if (open_one(system[i], why)) return MICA_OK;
    return mica__fail(MICA_ERUNTIME,
                      "[%s] needs a library with LAPACK, and there is none: pip install "
                      "scipy-openblas32, install the system's "
                      "OpenBLAS, or name a file in MICA_LAPACK",
                      operation);
}

int mica__lapack_get(const mica__lapack **routines, const char *operation, unsigned dtype)
{
    if (!atomic_load_explicit(&ready, memory_order_acquire)) {
        mica__mutex_lock(&lock);
        int status =
            atomic_load_explicit(&ready, memory_order_relaxed) ? MICA_OK : open_any(operation);
        if (status == MICA_OK) atomic_store_explicit(&ready, true, memory_order_release);
        mica__mutex_unlock(&lock);
        if (status != MICA_OK) return status;
    }
    *routines = &tables[dtype == MICA_FLOAT32 ? 0 : dtype == MICA_FLOAT64 ? 1 : 2];
    return MICA_OK;
}
