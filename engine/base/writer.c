/* Files that appear only when they are complete. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/replaced.h"
#include "base/thread.h"

enum { BUFFER_BYTES = 1 << 16, PIECE = 8 << 20 };

struct mica__writer {
    int folder; /* descriptor of the target's folder; -1 when the target is written directly */
    int file;
    int old;    /* the file that is replaced, where it is large; else -1 */
    bool named; /* the temporary file has a name */
    int error;  /* errno of the first failure */
    size_t buffered;
    uint64_t written;
    char temporary[64]; /* its name in the folder */
    char target[NAME_MAX + 1];
    char path[PATH_MAX];  /* as the caller gave it, for messages */
    const char *function; /* who writes, for messages; static */
    unsigned char buffer[BUFFER_BYTES];
};

static int fail_open(const char *function, const char *path, int error)
{
    int status = mica__fail(MICA_EIO, "[%s] '%s' cannot be written: %s", function, path,
                            *path ? strerror(error) : "the path is empty");
    errno = error;
    return status;
}

/* Follows symbolic links in the last part of `path` (which is rewritten), so that the file they
 * lead to is the one replaced. */
static int follow_links(char path[PATH_MAX])
{
    char link[PATH_MAX], joined[PATH_MAX];
    for (int i = 0; i < 40; i++) {
        ssize_t n = readlink(path, link, sizeof link - 1);
        if (n < 0) return 0; /* no link, or nothing there yet */
        link[n] = '\0';
        const char *slash = strrchr(path, '/');
        int folder = link[0] == '/' || !slash ? 0 : (int)(slash - path + 1);
        int length = snprintf(joined, sizeof joined, "%.*s%s", folder, path, link);
        if (length < 0 || length >= PATH_MAX) return ENAMETOOLONG;
        memcpy(path, joined, (size_t)length + 1);
    }
    return ELOOP;
}

/* Splits into folder (opened) and name. */
static int open_folder(mica__writer *w, char path[PATH_MAX])
{
    char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t n = strlen(name);
    if (!n) return EISDIR;
    if (n > NAME_MAX) return ENAMETOOLONG;
    memcpy(w->target, name, n + 1);
    const char *folder = ".";
    if (slash) {
        slash[slash == path ? 1 : 0] = '\0'; /* "/name" lies in "/" */
        folder = path;
    }
    w->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return w->folder < 0 ? errno : 0;
}

static void new_name(mica__writer *w)
{
    static atomic_uint counter;
    uint64_t seed[3] = { (uint64_t)mica__now(), (uint64_t)getpid(), atomic_fetch_add(&counter, 1) };
    snprintf(w->temporary, sizeof w->temporary, ".mica-%016llx.tmp",
             (unsigned long long)mica__hash((uintptr_t)w, seed, sizeof seed));
}

/* A file without a name vanishes with the process; where the file system has none, one with a name.
 */
static int open_temporary(mica__writer *w)
{
#ifdef O_TMPFILE
    if (access("/proc/self/fd", X_OK) == 0) { /* naming it later goes through here */
        w->file = openat(w->folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
        if (w->file >= 0) return 0;
    }
#endif
    for (int i = 0; i < 100; i++) {
        new_name(w);
        w->file = openat(w->folder, w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->file >= 0) {
            w->named = true;
            return 0;
        }
        if (errno != EEXIST) break;
    }
    return errno;
}

static int open_target(mica__writer *w, char path[PATH_MAX])
{
    struct stat s;
    int error = follow_links(path);
    if (error) return error;
    bool exists = stat(path, &s) == 0;
    if (exists && S_ISDIR(s.st_mode)) return EISDIR;
    if (exists && !S_ISREG(s.st_mode)) {
        w->file = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return w->file < 0 ? errno : 0;
    }
    /* Replacing needs a writable folder only, but a file that must not be written must not be
     * replaced. */
    if (exists && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS)) return errno;
    if (exists) w->old = mica__replaced_keep(path, (uint64_t)s.st_size);
    if ((error = open_folder(w, path)) || (error = open_temporary(w))) return error;
    if (exists) {
        if ((s.st_uid != geteuid() || s.st_gid != getegid()) && fchown(w->file, s.st_uid, s.st_gid))
            errno = 0; /* only root may: the new file is the writer's own then */
        fchmod(w->file, s.st_mode & 0777);
    }
    return 0;
}

static void discard(mica__writer *w)
{
    if (w->file >= 0) close(w->file);
    if (w->named) unlinkat(w->folder, w->temporary, 0);
    if (w->folder >= 0) close(w->folder);
    if (w->old >= 0) close(w->old);
    mica__free(w);
}

int mica__writer_open(mica__writer **writer, const char *function, const char *path)
{
    size_t n = strlen(path);
    if (!n) return fail_open(function, path, ENOENT);
    if (n >= PATH_MAX) return fail_open(function, path, ENAMETOOLONG);
    mica__writer *w = mica__alloc(sizeof *w);
    if (!w) return MICA_EMEMORY;
    w->folder = w->file = w->old = -1;
    w->named = false;
    w->error = 0;
    w->buffered = 0;
    w->written = 0;
    w->function = function;
    memcpy(w->path, path, n + 1);
    char resolved[PATH_MAX];
    memcpy(resolved, path, n + 1);
    mica__replaced_wait();
    int error = open_target(w, resolved);
    if (error) {
        discard(w);
        return fail_open(function, path, error);
    }
    *writer = w;
    return MICA_OK;
}

static int fail_write(mica__writer *w, int error)
{
    if (!w->error) w->error = error;
    return mica__fail(MICA_EOS, "[%s] '%s' cannot be written after %llu bytes: %s", w->function,
                      w->path, (unsigned long long)w->written, strerror(w->error));
}

/* Lets the disk begin with what was just written, while the next piece is copied: measured, 512 MiB
   take 1.4 s instead of 1.8 s. */
static void begin_writing(const mica__writer *w, size_t bytes)
{
#ifdef SYNC_FILE_RANGE_WRITE
    if (w->folder >= 0 && bytes == PIECE)
        sync_file_range(w->file, (off_t)w->written, (off_t)bytes, SYNC_FILE_RANGE_WRITE);
#else
    (void)w, (void)bytes;
#endif
}

static int write_out(mica__writer *w, const unsigned char *data, size_t bytes)
{
    while (bytes) {
        ssize_t n = write(w->file, data, bytes < PIECE ? bytes : PIECE);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail_write(w, n < 0 ? errno : ENOSPC);
        begin_writing(w, (size_t)n);
        data += n;
        bytes -= (size_t)n;
        w->written += (uint64_t)n;
    }
    return MICA_OK;
}

static int flush(mica__writer *w)
{
    size_t n = w->buffered;
    w->buffered = 0;
    return write_out(w, w->buffer, n);
}

int mica__writer_reserve(mica__writer *w, uint64_t bytes)
{
    struct statvfs s;
    if (w->folder < 0 || fstatvfs(w->file, &s))
        return MICA_OK; /* nothing to ask: writing will tell */
    uint64_t room;
    if (__builtin_mul_overflow((uint64_t)s.f_bavail, (uint64_t)s.f_frsize, &room) || bytes <= room)
        return MICA_OK;
    w->error = ENOSPC;
    return mica__fail(MICA_EOS, "[%s] '%s' takes %llu bytes, and its file system has room for %llu",
                      w->function, w->path, (unsigned long long)bytes, (unsigned long long)room);
}

int mica__writer_write(mica__writer *w, const void *data, size_t bytes)
{
    if (w->error) return fail_write(w, w->error);
    if (!bytes) return MICA_OK;
    if (bytes > BUFFER_BYTES - w->buffered) {
        MICA_TRY(flush(w));
        if (bytes >= BUFFER_BYTES) return write_out(w, data, bytes);
    }
    memcpy(w->buffer + w->buffered, data, bytes);
    w->buffered += bytes;
    return MICA_OK;
}

/* Gives the file without a name one that is free. */
static int name_temporary(mica__writer *w)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", w->file);
    for (int i = 0; i < 100 && !w->named; i++) {
        new_name(w);
        if (linkat(AT_FDCWD, self, w->folder, w->temporary, AT_SYMLINK_FOLLOW) == 0)
            w->named = true;
        else if (errno != EEXIST) break;
    }
    return w->named ? MICA_OK : fail_write(w, errno);
}

static int replace_target(mica__writer *w)
{
    if (w->folder < 0) return MICA_OK; /* written directly */
    while (fsync(w->file)) {
        if (errno == EINVAL || errno == ENOTSUP) break; /* a file system without */
        if (errno != EINTR) return fail_write(w, errno);
    }
    if (!w->named) MICA_TRY(name_temporary(w));
    if (renameat(w->folder, w->temporary, w->folder, w->target)) return fail_write(w, errno);
    w->named = false;
    fsync(w->folder); /* the name too; the file is whole either way */
    mica__replaced_free(w->old);
    w->old = -1;
    return MICA_OK;
}

int mica__writer_commit(mica__writer *w)
{
    int status = w->error ? fail_write(w, w->error) : flush(w);
    if (!status) status = replace_target(w);
    if (!status && w->folder < 0) {
        int file = w->file;
        w->file = -1;
        if (close(file)) status = fail_write(w, errno);
    }
    discard(w);
    return status;
}

void mica__writer_abort(mica__writer *w)
{
    if (w) discard(w);
}
