/* Files: mappings that survive truncation, and files that are written all or not at all. */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/replaced.h"
#include "check.h"

static char folder[] = "/tmp/mica-test-XXXXXX";

static bool child(bool (*body)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        _exit(body() ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- mappings ------------------------------------------------------------------------------- */

static const char *in_folder(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, 512, "%s/%s", folder, name);
    return path;
}

static void put(const char *path, const char *text, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    for (size_t n = 0; n < bytes; n++) fputc(text[n % strlen(text)], f);
    fclose(f);
}

static bool file_is(const char *path, const char *text)
{
    char got[256];
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    size_t n = fread(got, 1, sizeof got, f);
    fclose(f);
    return n == strlen(text) && memcmp(got, text, n) == 0;
}

static void test_mapping(void)
{
    int64_t live = mica__live(MICA_LIVE_HOST);
    mica__mapping *m = NULL;
    put(in_folder("a"), "xyz", 100000);
    CHECK_EQUAL(mica__mapping_open(&m, in_folder("a")), MICA_OK);
    CHECK_EQUAL(mica__mapping_bytes(m), 100000);
    const char *p = mica__mapping_base(m);
    CHECK(p[0] == 'x' && p[99999] == 'x');
    unlink(in_folder("a"));
    CHECK_EQUAL(p[50000], 'z');
    CHECK_EQUAL(mica__mapping_check(m), MICA_OK);
    mica__mapping_retain(m);
    mica__mapping_release(m);
    CHECK_EQUAL(p[50000], 'z');
    mica__mapping_release(m);
    mica__mapping_release(NULL);

    put(in_folder("empty"), "x", 0);
    CHECK_EQUAL(mica__mapping_open(&m, in_folder("empty")), MICA_OK);
    CHECK(mica__mapping_base(m) && !mica__mapping_bytes(m) && !mica__mapping_check(m));
    mica__mapping_release(m);

    mica__mapping *untouched = NULL;
    CHECK_EQUAL(mica__mapping_open(&untouched, in_folder("none")), MICA_EIO);
    CHECK_MENTIONS(mica_last_error(), "none");
    CHECK_EQUAL(mica__mapping_open(&untouched, folder), MICA_EIO);
    CHECK_MENTIONS(mica_last_error(), "folder");
    mkfifo(in_folder("pipe"), 0600);
    CHECK_EQUAL(mica__mapping_open(&untouched, in_folder("pipe")), MICA_EIO);
    CHECK_MENTIONS(mica_last_error(), "regular");
    unlink(in_folder("pipe"));
    CHECK(!untouched);

    mica__mapping *many[200];
    put(in_folder("b"), "0123456789", 5000);
    for (int i = 0; i < 200; i++)
        CHECK_EQUAL(mica__mapping_open(&many[i], in_folder("b")), MICA_OK);
    CHECK_EQUAL(truncate(in_folder("b"), 4990), 0); /* inside the last page: no fault tells */
    CHECK_EQUAL(mica__mapping_check(many[0]), MICA_EOS);
    CHECK_MENTIONS(mica_last_error(), "5000");
    CHECK_MENTIONS(mica_last_error(), "4990");
    CHECK_EQUAL(truncate(in_folder("b"), 0), 0);
    for (int i = 0; i < 200; i++) {
        const volatile char *c = mica__mapping_base(many[i]);
        CHECK_EQUAL(c[4500], 0);
        CHECK_EQUAL(mica__mapping_check(many[i]), MICA_EOS);
    }
    unlink(in_folder("b")); /* the flag of the fault stays when the file cannot be asked */
    CHECK_EQUAL(mica__mapping_check(many[7]), MICA_EOS);
    for (int i = 0; i < 200; i++) mica__mapping_release(many[i]);
    put(in_folder("b"), "x", 5000);
    CHECK_EQUAL(mica__mapping_open(&m, in_folder("b")),
                MICA_OK); /* a reused place has no old flag */
    CHECK_EQUAL(mica__mapping_check(m), MICA_OK);
    mica__mapping_release(m);
    for (int n = 0; n < 2; n++) {
        mica__inject_failure(n);
        int status = mica__mapping_open(&m, in_folder("b"));
        mica__inject_failure(-1);
        if (!status) mica__mapping_release(m);
        CHECK_EQUAL(status, n == 0 ? MICA_EMEMORY : MICA_OK);
    }
    CHECK_EQUAL(mica__live(MICA_LIVE_HOST), live);
}

/* A fault in memory that is not ours reaches the handler that was there before. */
static volatile sig_atomic_t chained;
static void *foreign;
static void earlier_handler(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    chained = info->si_addr == foreign;
    mmap(foreign, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static bool passes_on(void)
{
    struct sigaction ours = { .sa_flags = SA_SIGINFO };
    ours.sa_sigaction = earlier_handler;
    sigaction(SIGBUS, &ours, NULL);
    put(in_folder("c"), "x", 9000);
    mica__mapping *m = NULL;
    int before = failures;
    CHECK_EQUAL(mica__mapping_open(&m, in_folder("c")), MICA_OK);
    int file = open(in_folder("c"), O_RDONLY);
    foreign = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
    CHECK_EQUAL(truncate(in_folder("c"), 0), 0);
    CHECK_EQUAL(*(volatile char *)foreign, 0);
    CHECK(chained);
    CHECK_EQUAL(((const volatile char *)mica__mapping_base(m))[8999], 0);
    CHECK_EQUAL(mica__mapping_check(m), MICA_EOS);
    mica__mapping_release(m);
    return failures == before;
}

/* Without an earlier handler a foreign fault ends the process, as it would without us. */
static bool dies_as_before(void)
{
    signal(SIGBUS, SIG_DFL);
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    put(in_folder("d"), "x", 9000);
    mica__mapping *m = NULL;
    if (mica__mapping_open(&m, in_folder("d"))) return true;
    foreign = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, open(in_folder("d"), O_RDONLY), 0);
    if (truncate(in_folder("d"), 0)) return true;
    return *(volatile char *)foreign + 1;
}

static void test_faults(void)
{
    CHECK(child(passes_on));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        _exit(dies_as_before());
    }
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

/* ---- atomic files --------------------------------------------------------------------------- */

static int files_in_folder(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.' || strncmp(e->d_name, ".mica", 5) == 0;
    closedir(d);
    return n;
}

static int write_text(const char *path, const char *text)
{
    mica__writer *w = NULL;
    MICA_TRY(mica__writer_open(&w, "save", path));
    int status = mica__writer_write(w, text, strlen(text));
    if (status) mica__writer_abort(w);
    return status ? status : mica__writer_commit(w);
}

static mode_t mode_of(const char *path)
{
    struct stat s;
    return stat(path, &s) ? 0 : s.st_mode & 07777;
}

static bool disk_full(void)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = { 100000, 100000 };
    setrlimit(RLIMIT_FSIZE, &limit);
    int before = failures;
    mica__writer *w = NULL;
    static char block[70000];
    CHECK_EQUAL(mica__writer_open(&w, "save", in_folder("full")), MICA_OK);
    CHECK_EQUAL(mica__writer_write(w, block, sizeof block), MICA_OK);
    CHECK_EQUAL(mica__writer_write(w, block, sizeof block), MICA_EOS);
    CHECK_MENTIONS(mica_last_error(), "full");
    CHECK_EQUAL(mica__writer_write(w, block, 1), MICA_EOS);
    CHECK_EQUAL(mica__writer_commit(w), MICA_EOS);
    CHECK(file_is(in_folder("full"), "old"));
    return failures == before;
}

static void test_writer(void)
{
    int64_t live = mica__live(MICA_LIVE_HOST);
    int files = files_in_folder();
    umask(022);
    CHECK_EQUAL(write_text(in_folder("new"), "one"), MICA_OK);
    CHECK(file_is(in_folder("new"), "one"));
    CHECK_EQUAL(mode_of(in_folder("new")), 0644);
    chmod(in_folder("new"), 0640);
    CHECK_EQUAL(write_text(in_folder("new"), "two"), MICA_OK);
    CHECK(file_is(in_folder("new"), "two"));
    CHECK_EQUAL(mode_of(in_folder("new")), 0640);

    mica__writer *w = NULL;
    CHECK_EQUAL(mica__writer_open(&w, "save", in_folder("new")), MICA_OK);
    CHECK_EQUAL(mica__writer_write(w, "three", 5), MICA_OK);
    CHECK(file_is(in_folder("new"), "two"));
    mica__writer_abort(w);
    mica__writer_abort(NULL);
    CHECK(file_is(in_folder("new"), "two"));
    CHECK_EQUAL(files_in_folder(), files + 1);

    /* A process that is killed while it saves leaves the old file (and, here, nothing else). */
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        static char block[300000];
        mica__writer_open(&w, "save", in_folder("new"));
        mica__writer_write(w, block, sizeof block);
        kill(getpid(), SIGKILL);
    }
    waitpid(pid, NULL, 0);
    CHECK(file_is(in_folder("new"), "two"));

    CHECK_EQUAL(symlink("new", in_folder("link")), 0);
    CHECK_EQUAL(symlink(in_folder("link"), in_folder("link2")), 0);
    CHECK_EQUAL(write_text(in_folder("link2"), "four"), MICA_OK);
    CHECK(file_is(in_folder("new"), "four"));
    struct stat s;
    CHECK(!lstat(in_folder("link"), &s) && S_ISLNK(s.st_mode));
    CHECK_EQUAL(symlink("made", in_folder("dangling")), 0);
    CHECK_EQUAL(write_text(in_folder("dangling"), "five"), MICA_OK);
    CHECK(file_is(in_folder("made"), "five"));
    CHECK_EQUAL(symlink("loop", in_folder("loop")), 0);
    CHECK_EQUAL(write_text(in_folder("loop"), "x"), MICA_EIO);

    CHECK_EQUAL(write_text(in_folder("no/such/folder"), "x"), MICA_EIO);
    CHECK_EQUAL(write_text(folder, "x"), MICA_EIO);
    CHECK_EQUAL(write_text("", "x"), MICA_EIO);
    CHECK_EQUAL(write_text(in_folder("ends/"), "x"), MICA_EIO);
    char longer[400];
    memset(longer, 'n', sizeof longer);
    longer[399] = '\0';
    CHECK_EQUAL(write_text(longer, "x"), MICA_EIO);
    CHECK_EQUAL(write_text("/dev/null", "x"), MICA_OK);
    CHECK(!stat("/dev/null", &s) && S_ISCHR(s.st_mode));
    CHECK_EQUAL(write_text("/dev/full", "x"), MICA_EOS);
    CHECK_MENTIONS(mica_last_error(), "/dev/full");

    put(in_folder("full"), "old", 3);
    CHECK(child(disk_full));
    /* In the working folder, without a slash. */
    CHECK_EQUAL(chdir(folder), 0);
    CHECK_EQUAL(write_text("plain", "six"), MICA_OK);
    CHECK(file_is(in_folder("plain"), "six"));
    for (int n = 0; n < 3; n++) {
        mica__inject_failure(n);
        int status = write_text("plain", "seven");
        mica__inject_failure(-1);
        CHECK(status == MICA_OK || status == MICA_EMEMORY);
        CHECK(file_is(in_folder("plain"), status ? "six" : "seven"));
        CHECK_EQUAL(write_text("plain", "six"), MICA_OK);
    }
    static char block[200001];
    memset(block, 'b', sizeof block);
    CHECK_EQUAL(mica__writer_open(&w, "save", "big"), MICA_OK);
    size_t sum = 0;
    for (size_t n = 1; n < sizeof block; n = n * 3 + 1) {
        CHECK_EQUAL(mica__writer_write(w, block, n), MICA_OK);
        sum += n;
    }
    CHECK_EQUAL(mica__writer_commit(w), MICA_OK);
    CHECK(!stat("big", &s) && (size_t)s.st_size == sum);
    DIR *d = opendir(folder);
    for (struct dirent *e; (e = readdir(d));) CHECK(strncmp(e->d_name, ".mica", 5) != 0);
    closedir(d);
    CHECK_EQUAL(mica__live(MICA_LIVE_HOST), live);
}

static void remove_folder(void)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlink(in_folder(e->d_name));
    if (d) closedir(d);
    rmdir(folder);
}

/* ---- large files that are replaced ---------------------------------------------------------- */

static int open_descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d)) n++;
    if (d) closedir(d);
    return n;
}

enum { LARGE = 20 << 20 };

static int write_large(const char *path, char value, bool commit)
{
    mica__writer *w = NULL;
    char *data = malloc(LARGE);
    memset(data, value, LARGE);
    int status = mica__writer_open(&w, "save", path);
    if (!status) status = mica__writer_write(w, data, LARGE);
    if (!status && commit) status = mica__writer_commit(w);
    else mica__writer_abort(w);
    free(data);
    return status;
}

static bool is_large(const char *path, char value)
{
    mica__mapping *m = NULL;
    if (mica__mapping_open(&m, path)) return false;
    const char *p = mica__mapping_base(m);
    uint64_t n = mica__mapping_bytes(m);
    bool same = n == LARGE && p[0] == value && memcmp(p, p + 1, n - 1) == 0;
    mica__mapping_release(m);
    return same;
}

static bool replaces_in_child(void)
{
    int before = failures;
    CHECK_EQUAL(write_large(in_folder("large"), 5, true), MICA_OK);
    mica__replaced_wait();
    return failures == before;
}

/* The old file is freed beside the program: nothing of it stays, and a mapping of it still reads
 * it. */
static void test_replaced(void)
{
    const char *path = in_folder("large");
    CHECK_EQUAL(write_large(path, 1, true), MICA_OK);
    int descriptors = open_descriptors();
    mica__mapping *first = NULL;
    CHECK_EQUAL(mica__mapping_open(&first, path), MICA_OK);
    for (char i = 2; i < 5; i++) {
        CHECK_EQUAL(write_large(path, i, true), MICA_OK);
        CHECK(is_large(path, i));
    }
    CHECK_EQUAL(write_large(path, 9, false), MICA_OK); /* dropped */
    CHECK(is_large(path, 4));
    CHECK(child(replaces_in_child));
    CHECK(is_large(path, 5));
    CHECK(first && ((const char *)mica__mapping_base(first))[LARGE - 1] == 1);
    mica__mapping_release(first);
    mica__replaced_wait();
    CHECK_EQUAL(open_descriptors(), descriptors);
    unlink(path);
}

int main(void)
{
    if (!mkdtemp(folder)) return 2;
    test_mapping();
    test_faults();
    test_writer();
    test_replaced();
    remove_folder();
    return check_report("file");
}
