/* Reading words of 8 bytes, lists and texts from bytes that may lie: nothing is read past the end,
   and nothing is allocated that the bytes could not hold. */
#ifndef MICA_ENGINE_WORDS_H
#define MICA_ENGINE_WORDS_H

#include "core/scope.h"

typedef struct mica__words {
    mica_scope *s;
    const char *at;
    size_t left;
} mica__words;

/* Marks the scope: EIO, with what is wrong. Returns false. */
bool mica__words_broken(const mica__words *w, const char *what);
/* The next bytes; NULL, and the scope is marked, when there are not so many. */
const void *mica__words_take(mica__words *w, size_t bytes);
bool mica__words_get(mica__words *w, uint64_t *word);
/* A count of things that take at least `each` bytes. */
bool mica__words_count(mica__words *w, size_t each, uint64_t *n);
/* A length and so many integers, in memory of the scope; a length of -1 has none. */
bool mica__words_list(mica__words *w, mica_dims *list);
/* An element type and a shape whose bytes can be counted. */
bool mica__words_type(mica__words *w, mica_dtype *dtype, mica_dims *shape);
/* Passes over a type. */
bool mica__words_skip_type(mica__words *w);
/* A length and so many bytes, without NUL among them: a text in memory of the scope. */
bool mica__words_text(mica__words *w, const char **text);

#endif
