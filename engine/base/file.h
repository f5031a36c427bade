/* Files: read-only mappings that survive truncation, and writing that is all or nothing. */
#ifndef MICA_ENGINE_FILE_H
#define MICA_ENGINE_FILE_H

#include "base/base.h"

/* A whole file mapped read-only, reference counted. The descriptor is closed at once: renaming or
   unlinking the file changes nothing. Where the file is cut short or its disk fails while it is
   mapped, zeros are read, and mica__mapping_check tells. */
typedef struct mica__mapping mica__mapping;

/* MICA_EIO: no such file, not a regular file (a pipe has to be read instead), or no address space.
 */
int mica__mapping_open(mica__mapping **mapping, const char *path);
/* As above for an open descriptor, which stays the caller's; `name` is for messages. */
int mica__mapping_open_descriptor(mica__mapping **mapping, int descriptor, const char *name);
void mica__mapping_retain(mica__mapping *m);
void mica__mapping_release(mica__mapping *m); /* NULL is fine */

const void *mica__mapping_base(const mica__mapping *m); /* never NULL, not even for an empty file */
uint64_t mica__mapping_bytes(const mica__mapping *m);
const char *mica__mapping_name(const mica__mapping *m);

/* Lets the pages that were read leave the process: they come back from the file when they are read
   again. For who goes through much of a file once. */
void mica__mapping_forget(const mica__mapping *m);

/* MICA_EOS, with the file's name and sizes, once a read of the mapping has met a page that is no
   longer there (for good), or while the file found under its name is shorter than the mapping. To
   be called after the bytes have been used. */
int mica__mapping_check(const mica__mapping *m);

/* The quick part of the check, without a system call: false once a read has met a missing page, or
   when the last page is missing now. A file that was cut inside its last page is still taken for
   whole: what lies there needs mica__mapping_check. */
bool mica__mapping_intact(const mica__mapping *m);

/* A file that appears, or replaces an old one, only when it is complete: what is written goes to a
   nameless (or temporary) file in the same folder. A symbolic link keeps pointing where it points;
   permissions of an old file are kept; devices and pipes are written directly. */
typedef struct mica__writer mica__writer;

/* MICA_EIO, and errno is what the system said. `function`, which lives on, names who writes in
 * messages. */
int mica__writer_open(mica__writer **writer, const char *function, const char *path);
/* MICA_EOS when the disk is full or fails; later writes and the commit then fail alike. */
/* Fails with MICA_EOS when the file system has no room for so many bytes more. */
int mica__writer_reserve(mica__writer *w, uint64_t bytes);
int mica__writer_write(mica__writer *w, const void *data, size_t bytes);
/* Makes the file durable and visible; on failure the old file is untouched. Frees the writer in any
 * case. */
int mica__writer_commit(mica__writer *w);
void mica__writer_abort(mica__writer *w); /* drops what was written; NULL is fine */

#endif
