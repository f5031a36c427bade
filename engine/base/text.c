/* Text: a growing buffer, UTF-8, and numbers that do not depend on the locale. */
#define _GNU_SOURCE 1
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/thread.h"

/* Room for n more bytes and a NUL. */
static bool make_room(mica__text *t, size_t n)
{
    size_t need, capacity;
    if (t->status) return false;
    if (mica__add_overflow(t->n, n, &need) || mica__add_overflow(need, 1, &need)) {
        t->status = mica__fail_memory("text", SIZE_MAX);
        return false;
    }
    if (need <= t->capacity) return true;
    if (mica__add_overflow(need, need / 2 + 32, &capacity)) capacity = need;
    char *at = mica__realloc(t->at, capacity);
    if (!at) {
        t->status = MICA_EMEMORY;
        return false;
    }
    t->at = at;
    t->capacity = capacity;
    return true;
}

void mica__text_add(mica__text *t, const void *bytes, size_t n)
{
    if (!make_room(t, n)) return;
    if (n) memcpy(t->at + t->n, bytes, n);
    t->n += n;
    t->at[t->n] = '\0';
}

void mica__text_add_string(mica__text *t, const char *string)
{
    mica__text_add(t, string, strlen(string));
}

void mica__text_add_format(mica__text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 && !t->status)
        t->status = mica__fail(MICA_EVALUE, "[text] '%s' cannot be formatted", format);
    if (n >= 0 && make_room(t, (size_t)n)) {
        vsnprintf(t->at + t->n, (size_t)n + 1, format, again);
        t->n += (size_t)n;
    }
    va_end(again);
}

void mica__text_add_integer(mica__text *t, int64_t value)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)value);
    mica__text_add(t, digits, (size_t)n);
}

void mica__text_add_double(mica__text *t, double value)
{
    char digits[40];
    if (isnan(value) || isinf(value)) {
        mica__text_add_string(t, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
        return;
    }
    int n = snprintf(digits, sizeof digits, "%.17g", value), length = 0;
    /* Whatever the locale puts between whole and fraction (it may be several bytes) becomes one
     * point. */
    for (int i = 0; i < n; i++) {
        bool own = strchr("0123456789+-e", digits[i]) != NULL;
        if (own) digits[length++] = digits[i];
        else if (length && digits[length - 1] != '.') digits[length++] = '.';
    }
    mica__text_add(t, digits, (size_t)length);
}

void mica__text_free(mica__text *t)
{
    mica__free(t->at);
    *t = (mica__text){ 0 };
}

/* ---- UTF-8 ---------------------------------------------------------------------------------- */

/* Bytes of the character at p, 0 if it is none. */
static size_t character(const unsigned char *p, size_t left)
{
    unsigned char c = p[0];
    if (c < 0x80) return 1;
    size_t n = c >= 0xC2 && c <= 0xDF   ? 2
               : c >= 0xE0 && c <= 0xEF ? 3
               : c >= 0xF0 && c <= 0xF4 ? 4
                                        : 0;
    if (!n || left < n) return 0;
    /* The second byte excludes longer forms than needed, surrogates, and what lies beyond the last
     * code point. */
    unsigned char low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    unsigned char high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return n;
}

bool mica__utf8_valid(const char *text, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < bytes;) {
        size_t n = character(p + i, bytes - i);
        if (!n) return false;
        i += n;
    }
    return true;
}

size_t mica__utf8_encode(uint32_t code, char to[4])
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    for (size_t i = n - 1; i > 0; i--, code >>= 6) to[i] = (char)(0x80 | (code & 0x3F));
    to[0] = (char)(leads[n] | code);
    return n;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static locale_t c_locale;
static void make_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

size_t mica__parse_double(const char *text, double *value)
{
    static mica__once once = MICA_ONCE_INIT;
    mica__call_once(&once, make_locale);
    char *end;
    double x = c_locale ? strtod_l(text, &end, c_locale) : strtod(text, &end);
    if (end == text) return 0;
    *value = x;
    return (size_t)(end - text);
}

/* ---- names ---- */

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *mica__twin(const char **names, size_t n)
{
    if (n) qsort(names, n, sizeof *names, by_bytes);
    for (size_t i = 1; i < n; i++)
        if (strcmp(names[i - 1], names[i]) == 0) return names[i];
    return NULL;
}
