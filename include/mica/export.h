/* Functions in files: traced once, written, and called again by whoever loads them. */
#ifndef MICA_EXPORT_H
#define MICA_EXPORT_H

#include "mica/transforms.h"

/** What a file is for. */
typedef enum mica_export_format {
    MICA_EXPORT_MICA, /**< every primitive, other sizes */
    MICA_EXPORT_MLX   /**< MLX 0.32, for the primitives whose parameters it records */
} mica_export_format;

/** Collects traces of a function, one for each signature, for one file. */
typedef struct mica_exporter mica_exporter;
/**
 * Makes one.
 *
 * path       where the file will appear, or replace an old one
 * format     who is to read it
 * shapeless  whether the imported function takes other sizes than those of the trace;
 *            not in files for MLX
 * metadata   a text to keep in the file; NULL for none
 * out        receives the exporter, to be released
 *
 * Returns MICA_OK or a negative status.
 */
MICA_API int mica_exporter_open(const char *path, mica_export_format format, bool shapeless,
                                const char *metadata, mica_exporter **out);
/**
 * Traces the function for arguments of these shapes and types and adds the trace. Captured arrays
 * are evaluated and become part of the file. For shapeless files the function is called again, with
 * placeholders of other sizes; where it fails for them, the axis keeps its size.
 *
 * arguments  positional arguments, then those given by keyword
 * keywords   names of the last `nkeywords` arguments; NULL for none
 *
 * Returns the scope's status. Fails with MICA_ERUNTIME when the signature is there already, with
 * MICA_EVALUE when something in the graph cannot be in such a file.
 */
MICA_API int mica_exporter_add(mica_scope *scope, mica_exporter *exporter, mica_functions *function,
                               void *user, mica_arrays arguments, const char *const keywords[],
                               size_t nkeywords);
/** Writes the file, complete and durable or not at all. More can be added afterwards, and committed
    again. */
MICA_API int mica_exporter_commit(mica_exporter *exporter);
/** Drops the exporter; a file that was committed stays. NULL is fine. */
MICA_API void mica_exporter_release(mica_exporter *exporter);

/** Exports one trace with positional arguments to a file. Returns the scope's status. */
MICA_API int mica_export_function(mica_scope *scope, const char *path, mica_functions *function,
                                  void *user, mica_arrays arguments);

/** The functions of a file. May be used by several threads. */
typedef struct mica_imported mica_imported;
/**
 * Opens a file that mica or MLX exported. The file is mapped: captured arrays take no memory of
 * their own. Whatever the file says, nothing is built that builders could not build, so a damaged
 * or hostile file fails and does no harm.
 *
 * Returns MICA_OK, MICA_EIO (no such file, or none of its kind), or another negative status.
 */
MICA_API int mica_import_function(const char *path, mica_imported **out);
/** The text of the file; "" when there is none. */
MICA_API const char *mica_imported_metadata(const mica_imported *imported);
/**
 * Calls the function whose signature fits: builds its graph on the arguments, which can be
 * differentiated, batched and compiled like any other.
 *
 * arguments  positional arguments, then those given by keyword, in any order
 * keywords   names of the last `nkeywords` arguments; NULL for none
 * results    receives the results, owned by the scope
 *
 * Returns the scope's status. Fails with MICA_EVALUE when no signature fits.
 */
MICA_API int mica_imported_call(mica_scope *scope, mica_imported *imported, mica_arrays arguments,
                                const char *const keywords[], size_t nkeywords,
                                mica_arrays *results);
/** Closes it; NULL is fine. Arrays that came from it stay. */
MICA_API void mica_imported_release(mica_imported *imported);

#endif
