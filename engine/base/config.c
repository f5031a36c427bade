/* Settings from the environment: parsing, the one reading, overrides. */
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <strings.h>

#include "base/config.h"
#include "base/thread.h"

typedef enum type { FLAG, NUMBER, BYTES, TEXT } type;

static const struct row {
    const char *name, *variable, *alias, *type_name, *value, *doc;
    type type;
} rows[] = {
#define SETTING(name, variable, alias, type, value, doc)                                           \
    { #name, variable, alias, #type, value, doc, type },
#include "base/config.def"
#undef SETTING
};

static const char *const choices[MICA_SETTING_COUNT] = {
#define SETTING(name, variable, alias, type, value, doc)
#define CHOICES(name, words) [MICA_SETTING_##name] = words,
#include "base/config.def"
#undef CHOICES
#undef SETTING
};

enum { TEXT_BYTES = 512 };

static struct state {
    int64_t number;
    char text[TEXT_BYTES], given[TEXT_BYTES];
    mica__setting_source source;
} states[MICA_SETTING_COUNT];

static mica__once once = MICA_ONCE_INIT;

static bool parse_flag(const char *text, int64_t *number)
{
    static const char *const words[2][5] = { { "0", "false", "off", "no", "" },
                                             { "1", "true", "on", "yes", "1" } };
    for (int value = 0; value < 2; value++)
        for (int i = 0; i < 5; i++)
            if (strcasecmp(text, words[value][i]) == 0) {
                *number = value;
                return true;
            }
    return false;
}

/* Digits, then for BYTES perhaps one of K M G T with an optional B or iB. */
static bool parse_number(const char *text, bool unit, int64_t *number)
{
    int64_t n = 0;
    const char *p = text;
    if (*p < '0' || *p > '9') return false;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
            return false;
    if (unit && *p) {
        static const char letters[] = "KMGT";
        for (int i = 0; i < 4; i++)
            if (strncasecmp(p, &letters[i], 1) == 0) {
                for (int k = 0; k <= i; k++)
                    if (__builtin_mul_overflow(n, 1024, &n)) return false;
                p++;
                if (*p == 'i') p++;
                break;
            }
        if (*p == 'B' || *p == 'b') p++;
    }
    if (*p) return false;
    *number = n;
    return true;
}

/* Whether `text` is one of the words, which single spaces part. */
static bool is_choice(const char *words, const char *text)
{
    size_t n = strlen(text);
    for (const char *at = words; n && (at = strstr(at, text)) != NULL; at++)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || !at[n])) return true;
    return n == 0;
}

static bool parse(size_t i, const char *text, int64_t *number)
{
    switch (rows[i].type) {
    case FLAG: return parse_flag(text, number);
    case NUMBER: return parse_number(text, false, number);
    case BYTES:
        if (strcasecmp(text, "auto") == 0) {
            *number = MICA_SETTING_AUTO;
            return true;
        }
        return parse_number(text, true, number);
    case TEXT: break;
    }
    return strlen(text) < TEXT_BYTES && (!choices[i] || is_choice(choices[i], text));
}

static void copy_text(char to[TEXT_BYTES], const char *from)
{
    size_t n = strlen(from);
    if (n >= TEXT_BYTES) n = TEXT_BYTES - 1;
    memcpy(to, from, n);
    to[n] = '\0';
}

static void assign(struct state *s, const char *text, int64_t number, mica__setting_source source)
{
    copy_text(s->text, text);
    s->number = number;
    s->source = source;
}

/* True when the variable decided: with its value, or as one that cannot be understood. */
static bool from_variable(size_t i, const char *variable, mica__setting_source source)
{
    const char *text = variable ? getenv(variable) : NULL;
    int64_t number = 0;
    if (!text || (!*text && source == MICA_SOURCE_ENVIRONMENT)) return false;
    if (rows[i].type == FLAG && source == MICA_SOURCE_ALIAS && strcmp(text, "0") != 0) {
        assign(&states[i], "1", 1, source); /* the reference asks only whether it is there */
        return true;
    }
    if (parse(i, text, &number)) {
        assign(&states[i], text, number, source);
    } else {
        copy_text(states[i].given, text);
        states[i].source = MICA_SOURCE_INVALID;
    }
    return true;
}

static void read_one(size_t i)
{
    int64_t number = 0;
    states[i].given[0] = '\0';
    parse(i, rows[i].value, &number);
    assign(&states[i], rows[i].value, number, MICA_SOURCE_DEFAULT);
    if (!from_variable(i, rows[i].variable, MICA_SOURCE_ENVIRONMENT))
        from_variable(i, rows[i].alias, MICA_SOURCE_ALIAS);
}

static void read_all(void)
{
    for (size_t i = 0; i < MICA_SETTING_COUNT; i++) read_one(i);
}

static const struct state *state_of(mica__setting setting)
{
    mica__call_once(&once, read_all);
    return &states[setting];
}

bool mica__setting_flag(mica__setting setting)
{
    return state_of(setting)->number != 0;
}
int64_t mica__setting_number(mica__setting setting)
{
    return state_of(setting)->number;
}
const char *mica__setting_text(mica__setting setting)
{
    return state_of(setting)->text;
}

int mica__setting_describe(mica__setting_info *info, size_t index)
{
    if (index >= MICA_SETTING_COUNT)
        return mica__fail(MICA_EINDEX, "[settings] there is no setting %zu, only %d", index,
                          MICA_SETTING_COUNT);
    const struct row *r = &rows[index];
    const struct state *s = state_of((mica__setting)index);
    *info = (mica__setting_info){ .name = r->name,
                                  .variable = r->variable,
                                  .alias = r->alias,
                                  .type = r->type_name,
                                  .value = s->text,
                                  .doc = r->doc,
                                  .given = s->source == MICA_SOURCE_INVALID ? s->given : NULL,
                                  .source = s->source };
    return MICA_OK;
}

static int fail_value(size_t i, const char *given)
{
    static const char *const accepted[] = {
        [FLAG] = "0, 1, true, false, on, off, yes, no",
        [NUMBER] = "a whole number from 0",
        [BYTES] = "a number of bytes, perhaps with K, M, G or T, or auto",
        [TEXT] = "a text of less than 512 bytes",
    };
    return mica__fail(MICA_EVALUE, "[settings] %s is '%s'; accepted: %s", rows[i].variable, given,
                      choices[i] ? choices[i] : accepted[rows[i].type]);
}

int mica__settings_check(void)
{
    for (size_t i = 0; i < MICA_SETTING_COUNT; i++) {
        const struct state *s = state_of((mica__setting)i);
        const char *own = s->source == MICA_SOURCE_INVALID ? getenv(rows[i].variable) : NULL;
        if (own && *own) return fail_value(i, s->given);
    }
    return MICA_OK;
}

int mica__setting_override(const char *name, const char *value)
{
    mica__call_once(&once, read_all);
    for (size_t i = 0; i < MICA_SETTING_COUNT; i++) {
        if (strcmp(rows[i].name, name) != 0) continue;
        int64_t number = 0;
        if (!value) {
            read_one(i);
            return MICA_OK;
        }
        if (!parse(i, value, &number)) return fail_value(i, value);
        assign(&states[i], value, number, MICA_SOURCE_OVERRIDE);
        return MICA_OK;
    }
    return mica__fail(MICA_EVALUE, "[settings] there is no setting named '%s'", name);
}
