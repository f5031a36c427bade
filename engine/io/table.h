/* What a file holds, in memory: arrays under names, texts and values about them. */
#ifndef MICA_ENGINE_TABLE_H
#define MICA_ENGINE_TABLE_H

#include "core/scope.h"
#include "mica/io.h"

struct mica_table {
    size_t count, metadata_count, value_count;
    const char **names;
    mica_array **arrays;
    const char ***by_name; /* places of `names`, in the order of the names */
    mica_metadata *metadata;
    mica_value *values;
};

/* With room for so many arrays, texts and values, in memory of the scope; to be filled, then
   sorted. NULL, and the scope is marked, on failure. */
mica_table *mica__table_new(mica_scope *s, size_t count, size_t metadata_count, size_t value_count);
/* Enters the names into the order in which they are found; an earlier one counts. */
bool mica__table_sort(mica_scope *s, mica_table *t);
/* A name of a sorted table that occurs twice, or NULL. */
const char *mica__table_twin(const mica_table *t);

#endif
