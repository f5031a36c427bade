/* Arrays in files: npy (one array), npz (several in an archive), safetensors and gguf (arrays with
   names, and texts or values about them). */
#ifndef MICA_IO_H
#define MICA_IO_H

#include "mica/array.h"

/* ---- loading ----
   Files are mapped, not read: a loaded array costs no memory of its own, and loading takes no time
   that depends on the size of the data. A file may be renamed, removed or replaced while its arrays
   are in use. One that is cut short meanwhile fails what reads its arrays then, with MICA_EOS. */

/** What a file holds. It and its arrays belong to the scope that it was loaded into. */
typedef struct mica_table mica_table;

/** Opens an npy, npz, safetensors or gguf file (told by its first bytes). An npy file gives a table
    with one array, whose name is "". Compressed members of npz files are unpacked at once, into
    memory of their own. Blocks of 4 or 8 bits of gguf files (Q4_0, Q4_1, Q8_0) become three arrays
    for mica_dequantize with a group of 32: "x.weight", "x.scales", "x.biases"; other blocks become
    float16 when they are evaluated. Fails with MICA_EIO: no such file, or not a complete one of its
    kind; MICA_EVALUE: an element type that mica does not have. */
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

/** A value about a file's content, as gguf files have them: one text, a list of texts, or numbers.
 */
typedef struct mica_value {
    const char *key;
    mica_array *array;        /**< numbers, 0-d or 1-D; NULL for texts */
    bool list;                /**< texts: a list of them, not one */
    size_t count;             /**< how many texts */
    const char *const *texts; /**< each with a NUL behind it */
    const size_t *lengths; /**< their bytes, which may hold NUL too; NULL when saving: up to NUL */
} mica_value;
/** How many values there are; 0 for NULL. */
MICA_API size_t mica_table_value_count(const mica_table *table);
/** All values: mica_table_value_count of them. */
MICA_API const mica_value *mica_table_values(const mica_table *table);

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
/** Writes arrays under names, with `count` values, to a gguf file: float32, float16, int8, int16
   and int32 arrays of up to 8 axes. Values are texts and real numbers but halves. */
MICA_API int mica_save_gguf(mica_scope *scope, const char *path, const char *const names[],
                            mica_arrays arrays, const mica_value *values, size_t count);

#endif
