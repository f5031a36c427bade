/* Runs a fuzz target over files: those of its corpus, in the ordinary tests. Each is also cut at
   some places, and has some bytes changed. */
#include <dirent.h>
#include <stdio.h>

#include "fuzz.h"

enum { MOST = 1 << 20, CHANGES = 64 };

static int replay(const char *path)
{
    static uint8_t bytes[MOST], changed[MOST];
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    size_t n = fread(bytes, 1, MOST, f);
    fclose(f);
    LLVMFuzzerTestOneInput(bytes, n);
    uint64_t seed = n + 88172645463325252u;
    for (int i = 0; i < CHANGES && n; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        memcpy(changed, bytes, n);
        changed[(seed >> 16) % n] ^= (uint8_t)(1u << (seed & 7));
        LLVMFuzzerTestOneInput(changed, n);
        LLVMFuzzerTestOneInput(bytes, (size_t)(seed >> 16) % n);
    }
    return 1;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        for (const struct dirent *e; folder && (e = readdir(folder));) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
            if (e->d_name[0] != '.') count += replay(path);
        }
        if (folder) closedir(folder);
    }
    printf("%d files\n", count);
    return count ? 0 : 1;
}
