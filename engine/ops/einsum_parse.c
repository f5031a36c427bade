/* The notation of einsum: letters, `...`, commas and an arrow. */
#include "ops/einsum.h"

/* The number of a letter, upper case first as in ASCII; -1 for anything else. */
static int letter(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    return c >= 'a' && c <= 'z' ? 26 + c - 'a' : -1;
}

mica__label_set mica__labels_of(const mica__term *t)
{
    mica__label_set set = { { 0, 0 } };
    for (int i = 0; i < t->n; i++) mica__label_add(&set, t->at[i]);
    return set;
}

/* Axes that `...` stands for: `count` of them. */
static void add_ellipsis(mica__term *t, int count)
{
    for (int i = count; i > 0; i--) t->at[t->n++] = (uint8_t)(MICA_LETTERS + i - 1);
}

/* Letters of one term; *ellipsis: where `...` stood, or -1. False: too many, or something else. */
static bool read_letters(mica_scope *s, const char *name, const char *text, size_t n, mica__term *t,
                         int *ellipsis)
{
    *ellipsis = -1;
    t->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (*ellipsis < 0 && n - i >= 3 && memcmp(text + i, "...", 3) == 0) {
            *ellipsis = t->n;
            i += 2;
            continue;
        }
        int label = letter(text[i]);
        if (label < 0) {
            /* A character of several bytes is shown whole. */
            size_t length = 1;
            while (i + length < n && ((unsigned char)text[i + length] & 0xC0) == 0x80) length++;
            return mica__error(
                s, MICA_EVALUE,
                "[%s] Subscripts must be letters, but got '%.*s'; accepted are letters, one "
                "'...' a term, ',' and one '->'.",
                name, (int)length, text + i);
        }
        if (t->n == MICA_MAX_NDIM)
            return mica__error(s, MICA_EVALUE, "[%s] a term has more than %d subscripts", name,
                               MICA_MAX_NDIM);
        t->at[t->n++] = (uint8_t)label;
    }
    return true;
}

static bool set_sizes(mica_scope *s, const char *name, mica__einsum *e, size_t i,
                      const mica_array *a)
{
    for (int k = 0; k < a->ndim; k++) {
        int64_t *size = &e->size[e->in[i].at[k]];
        if (*size < 0 || *size == 1) *size = a->shape[k];
        else if (a->shape[k] != *size && a->shape[k] != 1)
            return mica__error(
                s, MICA_EVALUE,
                "[%s] Cannot broadcast dimension %d of input %zu with shape %s to size %lld.", name,
                k, i, mica__shape_text(mica__dims_of(a)), (long long)*size);
    }
    return true;
}

static bool read_input(mica_scope *s, const char *name, const char *text, size_t n, mica__einsum *e,
                       size_t i, const mica_array *a)
{
    mica__term letters, *t = &e->in[i];
    int ellipsis;
    if (!read_letters(s, name, text, n, &letters, &ellipsis)) return false;
    if (ellipsis < 0 ? letters.n != a->ndim : letters.n > a->ndim)
        return mica__error(s, MICA_EVALUE,
                           "[%s] Invalid number of subscripts %d for input %zu with %d dimensions.",
                           name, letters.n, i, a->ndim);
    for (int k = 0; k <= letters.n; k++) {
        if (k == ellipsis) add_ellipsis(t, a->ndim - letters.n);
        if (k < letters.n) t->at[t->n++] = letters.at[k];
    }
    return set_sizes(s, name, e, i, a);
}

/* Axes that the widest `...` stands for. */
static int widest_ellipsis(const mica__einsum *e)
{
    int count = 0;
    for (size_t i = 0; i < e->n; i++)
        for (int k = 0; k < e->in[i].n; k++)
            if (e->in[i].at[k] - MICA_LETTERS + 1 > count)
                count = e->in[i].at[k] - MICA_LETTERS + 1;
    return count;
}

/* Without arrow: the axes of `...`, then the letters that occur once, in order. */
static bool imply_output(mica_scope *s, const char *name, mica__einsum *e)
{
    int seen[MICA_LETTERS] = { 0 };
    for (size_t i = 0; i < e->n; i++)
        for (int k = 0; k < e->in[i].n; k++)
            if (e->in[i].at[k] < MICA_LETTERS && seen[e->in[i].at[k]] < 2) seen[e->in[i].at[k]]++;
    int n = widest_ellipsis(e);
    for (int label = 0; label < MICA_LETTERS; label++) n += seen[label] == 1;
    if (n > MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE, "[%s] the result has %d axes: an array has 0 to %d",
                           name, n, MICA_MAX_NDIM);
    add_ellipsis(&e->out, widest_ellipsis(e));
    for (int label = 0; label < MICA_LETTERS; label++)
        if (seen[label] == 1) e->out.at[e->out.n++] = (uint8_t)label;
    return true;
}

static bool read_output(mica_scope *s, const char *name, const char *text, size_t n,
                        mica__einsum *e)
{
    mica__term letters;
    mica__label_set seen = { { 0, 0 } };
    int ellipsis, wide = widest_ellipsis(e);
    if (!read_letters(s, name, text, n, &letters, &ellipsis)) return false;
    for (int k = 0; k < letters.n; k++) {
        if (mica__label_in(&seen, letters.at[k]))
            return mica__error(s, MICA_EVALUE, "[%s] Repeat indices not allowed in output.", name);
        if (e->size[letters.at[k]] < 0)
            return mica__error(
                s, MICA_EVALUE, "[%s] the output's subscript '%c' is in no input of '%s'", name,
                letters.at[k] < 26 ? 'A' + letters.at[k] : 'a' + letters.at[k] - 26, e->text);
        mica__label_add(&seen, letters.at[k]);
    }
    if (letters.n + (ellipsis < 0 ? 0 : wide) > MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE, "[%s] the result has more than %d axes", name,
                           MICA_MAX_NDIM);
    for (int k = 0; k <= letters.n; k++) {
        if (k == ellipsis) add_ellipsis(&e->out, wide);
        if (k < letters.n) e->out.at[e->out.n++] = letters.at[k];
    }
    return true;
}

bool mica__einsum_parse(mica_scope *s, const char *name, const char *subscripts,
                        mica_arrays operands, mica__einsum *e)
{
    if (!mica__scope_ok(s)) return false;
    if (!subscripts) return mica__error(s, MICA_EVALUE, "[%s] the subscripts are NULL", name);
    if (!operands.n)
        return mica__error(s, MICA_EVALUE, "[%s] At least one operand is required.", name);
    *e = (mica__einsum){ .n = operands.n };
    size_t n = 0;
    e->text = mica__scope_alloc(s, strlen(subscripts) + 1);
    e->in = mica__scope_alloc(s, operands.n * sizeof *e->in);
    if (!e->text || !e->in) return false;
    for (const char *c = subscripts; *c; c++)
        if (*c != ' ') e->text[n++] = *c;
    e->text[n] = 0;
    for (int i = 0; i < MICA_LABELS; i++) e->size[i] = -1;
    for (size_t i = 0; i < e->n; i++) e->in[i].n = 0;

    const char *arrow = strstr(e->text, "->"), *end = arrow ? arrow : e->text + n, *at = e->text;
    size_t terms = 1;
    for (const char *c = e->text; c < end; c++) terms += *c == ',';
    if (terms != operands.n)
        return mica__error(
            s, MICA_EVALUE,
            "[%s] Number of operands, %zu, does not match number of input subscripts, %zu", name,
            operands.n, terms);
    for (size_t i = 0; i < e->n; i++) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *stop = comma ? comma : end;
        if (!operands.at[i])
            return mica__error(s, MICA_EVALUE, "[%s] operand %zu is NULL", name, i);
        if (!read_input(s, name, at, (size_t)(stop - at), e, i, operands.at[i])) return false;
        at = stop + 1;
    }
    return arrow ? read_output(s, name, arrow + 2, strlen(arrow + 2), e) : imply_output(s, name, e);
}
