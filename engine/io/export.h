/* Traced graphs as bytes and back: what files of exported functions are made of. */
#ifndef MICA_ENGINE_EXPORT_H
#define MICA_ENGINE_EXPORT_H

#include "base/text.h"
#include "io/array_io.h"
#include "mica/export.h"

/* Kinds of entries in a graph. */
enum { MICA__ENTRY_END, MICA__ENTRY_CONSTANT, MICA__ENTRY_OPERATION };

/* The captured arrays of one file; what several graphs capture is there once. Starts as { 0 }. */
typedef struct mica__constants {
    mica__map known;    /* array -> its place + 1 */
    mica_array **keys;  /* retained: what was captured, */
    mica_array **dense; /* and its values in row-major order */
    uint64_t *offset;   /* of the values, in the data of the file */
    size_t n, capacity;
    uint64_t bytes; /* of the data */
} mica__constants;
void mica__constants_free(mica__constants *c);

/* Appends the graph between placeholders and results: primitives by name with their typed fields.
   Captured arrays are evaluated and added to the constants. False, and the scope is marked, on
   failure. */
bool mica__graph_write(mica_scope *s, mica__text *to, mica__constants *constants,
                       mica_array *const results[], size_t nresults,
                       mica_array *const placeholders[], size_t n);

/* A graph in a file. */
typedef struct mica__graph_bytes {
    const char *at;
    size_t bytes;
    const mica__source *data; /* what constants lie in; arrays over it keep its owner alive */
} mica__graph_bytes;

/* Builds the graph on inputs, of the types that were written and, but for shapeless files, of the
   shapes. Total: every node is checked by the rule of its primitive (ops/infer.h), so whatever the
   bytes say, what is built is what builders could have built. Fills *results, owned by the scope.
   False, and the scope is marked, on failure: EIO for damage, EVALUE for sizes that cannot be
   followed. sizes: how they are, in shapeless files; else NULL. */
struct mica__sizes;
bool mica__graph_read(mica_scope *s, const mica__graph_bytes *from, const struct mica__sizes *sizes,
                      mica_array *const inputs[], size_t n, mica_arrays *results);

/* ---- for front ends ---- */

/* Traces a function again for arguments of these shapes: 1; 0 when it does not take them; -1 to
   stop, when the front end has an error of its own. Nothing of the trace needs to outlive s. */
typedef int mica__retrace(mica_scope *s, const mica_dims shapes[], size_t n, mica_arrays *holders,
                          mica_arrays *results, void *user);

/* Adds the trace between placeholders and results; the last of them have names. For shapeless files
   the function is traced again. */
int mica__exporter_add(mica_scope *s, mica_exporter *e, mica_array *const results[],
                       size_t nresults, mica_arrays placeholders, const char *const keywords[],
                       size_t nkeywords, mica__retrace *again, void *user);

/* The bytes of the last trace added, as they will be in the file; lent. */
const mica__text *mica__exporter_last(const mica_exporter *e);
/* The functions of a file and what they take. */
struct mica__signature;
size_t mica__imported_count(const mica_imported *m);
const struct mica__signature *mica__imported_signature(const mica_imported *m, size_t i);

#endif
