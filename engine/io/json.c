/* JSON: recursive descent over bytes, with bounds on depth and size. */
#include "io/json.h"

#include <math.h>

typedef struct parser {
    const char *start, *at, *end;
    mica__arena *arena;
    uint32_t depth_left;
    size_t values_left;
} parser;

static int fail_at(const parser *p, const char *at, const char *what)
{
    size_t line = 1, column = 1;
    for (const char *c = p->start; c < at; c++) {
        column++;
        if (*c == '\n') {
            line++;
            column = 1;
        }
    }
    return mica__fail(MICA_EVALUE, "[json] line %zu, column %zu: %s", line, column, what);
}

static int fail_here(const parser *p, const char *what)
{
    return fail_at(p, p->at, what);
}

static void skip_space(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
        p->at++;
}

/* Takes the character if it comes next. */
static bool take(parser *p, char c)
{
    if (p->at == p->end || *p->at != c) return false;
    p->at++;
    return true;
}

/* ---- strings -------------------------------------------------------------------------------- */

static int parse_hex(parser *p, uint32_t *code)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p->at < p->end ? *p->at : '\0';
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return fail_here(p, "\\u takes four hexadecimal digits");
        value = value * 16 + (uint32_t)digit;
        p->at++;
    }
    *code = value;
    return MICA_OK;
}

/* After "\u": one code point, which may take a second escape. */
static int parse_code_point(parser *p, uint32_t *code)
{
    MICA_TRY(parse_hex(p, code));
    if (*code == 0) return fail_here(p, "a string must not hold the character \\u0000");
    if (*code < 0xD800 || *code > 0xDFFF) return MICA_OK;
    uint32_t low = 0;
    if (*code > 0xDBFF || !take(p, '\\') || !take(p, 'u'))
        return fail_here(p, "half of a surrogate pair stands alone");
    MICA_TRY(parse_hex(p, &low));
    if (low < 0xDC00 || low > 0xDFFF) return fail_here(p, "half of a surrogate pair stands alone");
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return MICA_OK;
}

/* After a backslash. */
static int parse_escape(parser *p, char **to)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char c = p->at < p->end ? *p->at : '\0';
    const char *known = c ? strchr(names, c) : NULL;
    if (known) {
        p->at++;
        *(*to)++ = meanings[known - names];
        return MICA_OK;
    }
    if (!take(p, 'u')) return fail_here(p, "no such escape in a string");
    uint32_t code = 0;
    MICA_TRY(parse_code_point(p, &code));
    *to += mica__utf8_encode(code, *to); /* at most as long as its escape */
    return MICA_OK;
}

/* At the opening quote. */
static int parse_string(parser *p, const char **string, size_t *bytes)
{
    const char *open = p->at++;
    const char *close = p->at;
    while (close < p->end && *close != '"') close += *close == '\\' && close + 1 < p->end ? 2 : 1;
    if (close >= p->end) return fail_at(p, open, "a string without an end");
    if (!mica__utf8_valid(p->at, (size_t)(close - p->at)))
        return fail_at(p, open, "a string that is not UTF-8");
    char *copy = mica__arena_text(p->arena, p->at, (size_t)(close - p->at)), *to = copy;
    if (!copy) return MICA_EMEMORY;
    while (p->at < close) {
        char c = *p->at++;
        if ((unsigned char)c < 0x20) {
            p->at--;
            return fail_here(p, "a control character in a string");
        }
        if (c == '\\') MICA_TRY(parse_escape(p, &to));
        else *to++ = c;
    }
    p->at++;
    *to = '\0';
    *string = copy;
    *bytes = (size_t)(to - copy);
    return MICA_OK;
}

/* ---- numbers -------------------------------------------------------------------------------- */

enum { NUMBER_BYTES = 512 };

static bool skip_digits(parser *p)
{
    const char *before = p->at;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9') p->at++;
    return p->at > before;
}

static bool fits_integer(const char *digits, const char *end, int64_t *value)
{
    int64_t n = 0;
    bool negative = *digits == '-';
    for (const char *c = digits + negative; c < end; c++) {
        int digit = negative ? '0' - *c : *c - '0';
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, digit, &n)) return false;
    }
    *value = n;
    return true;
}

static int parse_number(parser *p, mica__json *v)
{
    const char *start = p->at;
    bool whole = true;
    take(p, '-');
    if (!take(p, '0') && !skip_digits(p)) return fail_at(p, start, "expected a value");
    if (take(p, '.')) {
        whole = false;
        if (!skip_digits(p)) return fail_here(p, "expected digits after the point");
    }
    if (take(p, 'e') || take(p, 'E')) {
        whole = false;
        if (!take(p, '+')) take(p, '-');
        if (!skip_digits(p)) return fail_here(p, "expected digits in the exponent");
    }
    v->kind = MICA_JSON_INTEGER;
    if (whole && fits_integer(start, p->at, &v->integer)) return MICA_OK;
    char copy[NUMBER_BYTES];
    size_t n = (size_t)(p->at - start);
    if (n >= sizeof copy) return fail_at(p, start, "a number with more digits than are accepted");
    memcpy(copy, start, n);
    copy[n] = '\0';
    v->kind = MICA_JSON_DOUBLE;
    if (!mica__parse_double(copy, &v->number) || isinf(v->number))
        return fail_at(p, start, "a number beyond the range of float64");
    return MICA_OK;
}

/* ---- containers ----------------------------------------------------------------------------- */

static int parse_value(parser *p, mica__json *v);

static bool same_key(const mica__json *a, const mica__json *b)
{
    return a->key_bytes == b->key_bytes && memcmp(a->key, b->key, a->key_bytes) == 0;
}

/* Hashes the keys of a large object, compares those of a small one pair by pair. */
static int find_duplicate(const mica__json *object, const mica__json **duplicate)
{
    *duplicate = NULL;
    if (object->count <= 8) {
        for (const mica__json *a = object->first; a; a = a->next)
            for (const mica__json *b = object->first; b != a; b = b->next)
                if (same_key(a, b)) *duplicate = a;
        return MICA_OK;
    }
    size_t capacity = 16;
    while (capacity < 2 * (size_t)object->count) capacity *= 2;
    const mica__json **table = mica__alloc_zero(capacity, sizeof *table);
    if (!table) return MICA_EMEMORY;
    for (const mica__json *a = object->first; a && !*duplicate; a = a->next) {
        size_t i = (size_t)mica__hash((uintptr_t)table, a->key, a->key_bytes) & (capacity - 1);
        for (; table[i] && !*duplicate; i = (i + 1) & (capacity - 1))
            if (same_key(table[i], a)) *duplicate = a;
        table[i] = a;
    }
    mica__free((void *)table);
    return MICA_OK;
}

static int parse_key(parser *p, mica__json *v)
{
    if (p->at == p->end || *p->at != '"') return fail_here(p, "expected a key in quotes");
    MICA_TRY(parse_string(p, &v->key, &v->key_bytes));
    skip_space(p);
    if (!take(p, ':')) return fail_here(p, "expected ':' after a key");
    skip_space(p);
    return MICA_OK;
}

/* After a member: whether another one follows. */
static int next_member(parser *p, char close, bool *more)
{
    skip_space(p);
    *more = take(p, ',');
    if (!*more && !take(p, close))
        return fail_here(p, close == ']' ? "expected ',' or ']'" : "expected ',' or '}'");
    skip_space(p);
    return MICA_OK;
}

/* After the opening bracket. */
static int parse_members(parser *p, mica__json *v, char close)
{
    mica__json **link = &v->first;
    skip_space(p);
    for (bool more = !take(p, close); more;) {
        mica__json *member = mica__arena_alloc(p->arena, sizeof *member);
        if (!member) return MICA_EMEMORY;
        *member = (mica__json){ 0 };
        if (v->kind == MICA_JSON_OBJECT) MICA_TRY(parse_key(p, member));
        MICA_TRY(parse_value(p, member));
        *link = member;
        link = &member->next;
        v->count++;
        MICA_TRY(next_member(p, close, &more));
    }
    return MICA_OK;
}

static int parse_container(parser *p, mica__json *v, mica__json_kind kind, char close)
{
    const char *open = p->at++;
    if (!p->depth_left) return fail_at(p, open, "nested deeper than is accepted");
    v->kind = kind;
    p->depth_left--;
    MICA_TRY(parse_members(p, v, close));
    p->depth_left++;
    const mica__json *duplicate = NULL;
    if (kind == MICA_JSON_OBJECT) MICA_TRY(find_duplicate(v, &duplicate));
    if (duplicate)
        return mica__fail(MICA_EVALUE, "[json] the key '%s' occurs twice in an object",
                          duplicate->key);
    return MICA_OK;
}

static bool take_word(parser *p, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0) return false;
    p->at += n;
    return true;
}

static int parse_value(parser *p, mica__json *v)
{
    if (!p->values_left--) {
        p->values_left = 0;
        return fail_here(p, "more values than are accepted");
    }
    if (p->at == p->end) return fail_here(p, "expected a value, found the end");
    switch (*p->at) {
    case '{': return parse_container(p, v, MICA_JSON_OBJECT, '}');
    case '[': return parse_container(p, v, MICA_JSON_ARRAY, ']');
    case '"': v->kind = MICA_JSON_STRING; return parse_string(p, &v->string, &v->bytes);
    case 'n':
        v->kind = MICA_JSON_NULL;
        return take_word(p, "null") ? MICA_OK : fail_here(p, "expected a value");
    case 't':
    case 'f':
        v->kind = MICA_JSON_BOOL;
        v->boolean = *p->at == 't';
        return take_word(p, v->boolean ? "true" : "false") ? MICA_OK
                                                           : fail_here(p, "expected a value");
    default: return parse_number(p, v);
    }
}

static int walk_members(parser *p, const mica__json_limits *limits,
                        int (*member)(void *user, const mica__json *m), void *user)
{
    skip_space(p);
    if (!take(p, '{')) return fail_here(p, "expected an object");
    skip_space(p);
    bool more = !take(p, '}');
    while (more) {
        mica__json m = { 0 };
        mica__arena_reset(p->arena);
        p->values_left = limits->values;
        MICA_TRY(parse_key(p, &m));
        MICA_TRY(parse_value(p, &m));
        MICA_TRY(member(user, &m));
        MICA_TRY(next_member(p, '}', &more));
    }
    skip_space(p);
    return p->at == p->end ? MICA_OK : fail_here(p, "something follows the object");
}

int mica__json_members(const char *text, size_t bytes, const mica__json_limits *limits,
                       int (*member)(void *user, const mica__json *m), void *user)
{
    mica__arena arena = { 0 };
    parser p = { .start = text, .at = text, .end = text + bytes, .arena = &arena };
    p.depth_left = limits->depth;
    int status = walk_members(&p, limits, member, user);
    mica__arena_free(&arena);
    return status;
}

int mica__json_parse(mica__json **root, mica__arena *arena, const char *text, size_t bytes,
                     const mica__json_limits *limits)
{
    parser p = { .start = text, .at = text, .end = text + bytes, .arena = arena };
    p.depth_left = limits ? limits->depth : 64;
    p.values_left = limits ? limits->values : (size_t)4 << 20;
    mica__json *v = mica__arena_alloc(arena, sizeof *v);
    if (!v) return MICA_EMEMORY;
    *v = (mica__json){ 0 };
    skip_space(&p);
    MICA_TRY(parse_value(&p, v));
    skip_space(&p);
    if (p.at != p.end) return fail_here(&p, "something follows the value");
    *root = v;
    return MICA_OK;
}

mica__json *mica__json_member(const mica__json *object, const char *key)
{
    size_t n = strlen(key);
    if (!object || object->kind != MICA_JSON_OBJECT) return NULL;
    for (mica__json *m = object->first; m; m = m->next)
        if (m->key_bytes == n && memcmp(m->key, key, n) == 0) return m;
    return NULL;
}

int mica__json_add_string(mica__text *t, const char *string, size_t bytes)
{
    if (t->status) return t->status;
    if (!mica__utf8_valid(string, bytes))
        return t->status = mica__fail(MICA_EVALUE, "[json] a string is not UTF-8");
    static const char names[] = "btnvfr"; /* 8 to 13; \v has no name in JSON */
    mica__text_add(t, "\"", 1);
    size_t plain = 0;
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)string[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        mica__text_add(t, string + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\') mica__text_add_format(t, "\\%c", c);
        else if (c >= 8 && c <= 13 && c != 11) mica__text_add_format(t, "\\%c", names[c - 8]);
        else mica__text_add_format(t, "\\u%04x", c);
    }
    mica__text_add(t, string + plain, bytes - plain);
    mica__text_add(t, "\"", 1);
    return t->status;
}
