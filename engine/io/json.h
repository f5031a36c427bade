/* JSON: a small parser that is total on hostile input, and what a writer needs. */
#ifndef MICA_ENGINE_JSON_H
#define MICA_ENGINE_JSON_H

#include "base/base.h"
#include "base/text.h"

typedef enum mica__json_kind {
    MICA_JSON_NULL,
    MICA_JSON_BOOL,
    MICA_JSON_INTEGER, /* no fraction, no exponent, and it fits in int64 */
    MICA_JSON_DOUBLE,  /* all other numbers; beyond the range of double is an error */
    MICA_JSON_STRING,
    MICA_JSON_ARRAY,
    MICA_JSON_OBJECT
} mica__json_kind;

/* A value in a tree. Members of an object and elements of an array are linked in the order of the
 * text. */
typedef struct mica__json {
    mica__json_kind kind;
    uint32_t count; /* ARRAY, OBJECT: how many members */
    union {
        bool boolean;
        int64_t integer;
        double number;
        const char *string; /* NUL-terminated UTF-8; holds no other NUL: \u0000 is refused */
        struct mica__json *first;
    };
    size_t bytes;    /* STRING: its length */
    const char *key; /* members of an object; else NULL */
    size_t key_bytes;
    struct mica__json *next;
} mica__json;

typedef struct mica__json_limits {
    uint32_t depth; /* nested arrays and objects */
    size_t values;  /* values in all: bounds the memory of the tree */
} mica__json_limits;

/* Parses a whole text: one value, white space around it, nothing else. Strict RFC 8259 in UTF-8; an
   object that has a key twice is refused, as nobody could say which is meant. The tree and its
   strings live in the arena; the text is no longer needed. limits: NULL for depth 64 and 4 million
   values. MICA_EVALUE with line and column, or MICA_EMEMORY. */
int mica__json_parse(mica__json **root, mica__arena *arena, const char *text, size_t bytes,
                     const mica__json_limits *limits);

/* Goes through the members of an object one by one, without a tree of all: what `member` is given
   lives until it returns. limits->values counts for each member. Keys that occur twice are for the
   caller to find. MICA_EVALUE, MICA_EMEMORY, or the first status that `member` returns. */
int mica__json_members(const char *text, size_t bytes, const mica__json_limits *limits,
                       int (*member)(void *user, const mica__json *m), void *user);

/* The member of an object, NULL when there is none or `object` is no object. */
mica__json *mica__json_member(const mica__json *object, const char *key);

/* Appends a string with its quotes and escapes; MICA_EVALUE (in the text's status too) when it is
 * not UTF-8. */
int mica__json_add_string(mica__text *t, const char *string, size_t bytes);

#endif
