/* What a file holds, in memory: arrays under names, texts and values about them. */
#ifndef MICA_ENGINE_TABLE_H
#define MICA_ENGINE_TABLE_H

#include "io/array_io.h"

struct mica_table {
    size_t count, metadata_count, value_count;
    size_t room;   /* for so many arrays */
    uint64_t read; /* bytes of the file since pages were let go of (mica__table_saw) */
    const char **names;
    mica_array **arrays;
    const char ***by_name; /* places of `names`, in the order of the names */
    mica_metadata *metadata;
    mica_value *values;
};

/* With room for so many arrays, and with texts and values to be filled in, in memory of the scope.
   Arrays are added one by one while the file is read, and nothing else is kept of it: a file may
   have hundreds of thousands. Then it is sorted. NULL, and the scope is marked, on failure. */
mica_table *mica__table_new(mica_scope *s, size_t room, size_t metadata_count, size_t value_count);
/* Under a copy of a name of so many bytes. False, and the scope is marked, when there is no room;
   a table or array of NULL is passed on as a failure. */
bool mica__table_add(mica_scope *s, mica_table *t, const char *name, size_t bytes, mica_array *a);
/* So many bytes of the file were read: now and then its pages are let go of, so that the file and
   what is made of it are not in memory together. */
void mica__table_saw(mica_table *t, const mica__source *from, uint64_t bytes);
/* Enters the names into the order in which they are found; an earlier one counts. */
bool mica__table_sort(mica_scope *s, mica_table *t);
/* A name of a sorted table that occurs twice, or NULL. */
const char *mica__table_twin(const mica_table *t);

#endif
