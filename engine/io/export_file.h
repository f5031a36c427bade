/* What writer and reader of files of exported functions agree on. */
#ifndef MICA_ENGINE_EXPORT_FILE_H
#define MICA_ENGINE_EXPORT_FILE_H

#include "io/array_io.h"
#include "mica/export.h"

#define MICA__EXPORT_MAGIC "MICAFUNC"
enum {
    MICA__EXPORT_VERSION = 2,
    MICA__EXPORT_SHAPELESS = 2, /* flag; 1 was that of files without rules for sizes */
    MICA__EXPORT_HEAD = 48,
    MICA__EXPORT_ALIGNMENT = 64,
    MICA__EXPORT_CHECKED = 16 << 20 /* more data than this have no checksum: they are only mapped */
};

/* As mica_import_function, from bytes wherever they are; arrays keep them alive. */
int mica__import_source(const mica__source *from, mica_imported **out);

#endif
