/* Arrays in files: npy (one array) and safetensors (arrays with names, and texts about them). */
#ifndef MICA_IO_H
#define MICA_IO_H

#include "mica/array.h"

/* ---- loading ----
   Files are mapped, not read: a loaded array costs no memory of its own, and loading takes no time
   that depends on the size of the data. A file may be renamed, removed or replaced while its arrays
   are in use. One that is cut short meanwhile fails what reads its arrays then, with MICA_EOS. */

/** What a file holds. It and its arrays belong to the scope that it was loaded into. */
typedef struct mica_table mica_table;

/** Opens an npy or safetensors file (told by its first bytes). An npy file gives a table with one
    array, whose name is "". Fails with MICA_EIO: no such file, or not a complete one of its kind;
    MICA_EVALUE: an element type that mica does not have. */
MICA_API mica_table *mica_load(mica_scope *scope, const char *path);
/** The array of an npy file. */
MICA_API mica_array *mica_load_npy(mica_scope *scope, const char *path);

/** How many arrays there are; 0 for NULL. */
MICA_API size_t mica_table_count(const mica_table *table);
/** The name of array number `i`, in the order of the file; NULL when there is no such array. */
MICA_API const char *mica_table_name(const mica_table *table, size_t i);
/** Array number `i`, in the order of the file; NULL when there is no such array. */
MICA_API mica_array *mica_table_array(const mica_table *table, size_t i);
/** The array of that name; NULL when there is none, which is no failure. */
MICA_API mica_array *mica_table_find(const mica_table *table, const char *name);
/** The array of that name; a missing one fails the scope with MICA_EVALUE. */
MICA_API mica_array *mica_table_get(mica_scope *scope, const mica_table *table, const char *name);

/** A text about a file's content. */
typedef struct mica_metadata {
    const char *key, *value;
} mica_metadata;
/** How many texts there are; 0 for NULL. */
MICA_API size_t mica_table_metadata_count(const mica_table *table);
/** All texts: mica_table_metadata_count of them. NULL when there are none. */
MICA_API const mica_metadata *mica_table_metadata(const mica_table *table);
/** The text of that key; NULL when there is none. */
MICA_API const char *mica_table_text(const mica_table *table, const char *key);

/* ---- saving ----
   Arrays are evaluated first. The file appears, or replaces an old one, when it is complete and
   durable: whatever happens before leaves the old one. The path is taken as it is; no ending is
   added. All return the scope's status. */

/** Writes one array. */
MICA_API int mica_save_npy(mica_scope *scope, const char *path, mica_array *array);
/** Writes arrays under names (names[i] for arrays.at[i]) with `count` texts. Names must differ, be
    UTF-8, and not be "__metadata__". */
MICA_API int mica_save_safetensors(mica_scope *scope, const char *path, const char *const names[],
                                   mica_arrays arrays, const mica_metadata *metadata, size_t count);

#endif
