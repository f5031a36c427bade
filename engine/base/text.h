/* Text: a growing buffer, UTF-8, and numbers that do not depend on the locale. */
#ifndef MICA_ENGINE_TEXT_H
#define MICA_ENGINE_TEXT_H

#include "base/base.h"

/* Starts as { 0 }; `at` ends with a NUL once something was added. The first failure sticks: later
 * additions do nothing. */
typedef struct mica__text {
    char *at;
    size_t n, capacity;
    int status;
} mica__text;

void mica__text_add(mica__text *t, const void *bytes, size_t n);
void mica__text_add_string(mica__text *t, const char *string);
void mica__text_add_format(mica__text *t, const char *format, ...) MICA_PRINTF(2, 3);
void mica__text_add_integer(mica__text *t, int64_t value);
/* 17 significant digits, which every double comes back from; "nan", "inf", "-inf". */
void mica__text_add_double(mica__text *t, double value);
void mica__text_free(mica__text *t);

/* Whether the bytes are valid UTF-8: shortest forms, no surrogates, at most U+10FFFF. */
bool mica__utf8_valid(const char *text, size_t bytes);
/* Writes one code point as 1 to 4 bytes; returns how many. */
size_t mica__utf8_encode(uint32_t code, char to[4]);

/* The number that starts `text` (as strtod in the C locale); returns the characters read, 0 for
 * none. */
size_t mica__parse_double(const char *text, double *value);

/* One of the names that are there more than once, NULL when there is none. Sorts the list. */
const char *mica__twin(const char **names, size_t n);

#endif
