/* Signature text to parameter descriptors, and to the documentation that Python shows. */
#include "signature.h"

#include <math.h>
#include <stdlib.h>

#include "core/origin.h"

static const struct {
    const char *name, *accepts;
} kinds[] = {
    [MICA_KIND_ARRAY] = { "array", "array" },
    [MICA_KIND_OPERAND] = { "operand", "array, bool, int, float, complex, NumPy array" },
    [MICA_KIND_KEY] = { "key", "array" },
    [MICA_KIND_INDEX] = { "index", "array, int" },
    [MICA_KIND_ARRAYS] = { "arrays", "sequence of arrays" },
    [MICA_KIND_INT] = { "int", "int" },
    [MICA_KIND_AXIS] = { "axis", "int" },
    [MICA_KIND_AXES] = { "axes", "int, sequence of ints" },
    [MICA_KIND_DIMS] = { "dims", "sequence of ints" },
    [MICA_KIND_SHAPE] = { "shape", "int, sequence of ints" },
    [MICA_KIND_BOOL] = { "bool", "bool" },
    [MICA_KIND_FLOAT] = { "float", "float, int" },
    [MICA_KIND_DTYPE] = { "dtype", "Dtype" },
    [MICA_KIND_STRING] = { "string", "str" },
    [MICA_KIND_MASK] = { "mask", "array, 'causal'" },
    [MICA_KIND_ORDER] = { "order", "int, float, str" },
    [MICA_KIND_STREAM] = { "stream", "Stream, Device, DeviceType" },
};

static const char *const modules[] = { "random", "fast", "linalg", "fft" };

const char *mica_kind_accepts(mica_kind kind)
{
    return kinds[kind].accepts;
}

/* A piece of the signature text, without surrounding blanks. */
typedef struct text {
    const char *at;
    size_t n;
} text;

static text trim(text t)
{
    while (t.n && (*t.at == ' ' || *t.at == '\n')) t.at++, t.n--;
    while (t.n && (t.at[t.n - 1] == ' ' || t.at[t.n - 1] == '\n')) t.n--;
    return t;
}

static bool is(text t, const char *word)
{
    return t.n == strlen(word) && memcmp(t.at, word, t.n) == 0;
}

/* Cuts the text before the first `mark` outside brackets and quotes; false when there is none and
 * all was taken. */
static bool cut(text *rest, char mark, text *out)
{
    int depth = 0;
    char quote = 0;
    for (size_t i = 0; i < rest->n; i++) {
        char c = rest->at[i];
        if (quote) {
            if (c == quote) quote = 0;
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '(' || c == '[') {
            depth++;
        } else if (c == ')' || c == ']') {
            depth--;
        } else if (c == mark && depth == 0) {
            *out = trim((text){ rest->at, i });
            *rest = (text){ rest->at + i + 1, rest->n - i - 1 };
            return true;
        }
    }
    *out = trim(*rest);
    *rest = (text){ rest->at + rest->n, 0 };
    return false;
}

static char *copy(text t)
{
    char *s = malloc(t.n + 1);
    if (!s) {
        PyErr_NoMemory();
        return NULL;
    }
    memcpy(s, t.at, t.n);
    s[t.n] = 0;
    return s;
}

static bool wrong(const mica__function *f, const char *what)
{
    PyErr_Format(PyExc_SystemError, "[%s] %s in the signature \"%s\"", f->name, what, f->signature);
    return false;
}

/* "(1, 2)", "[]" or "1". */
static bool parse_dims(const char *s, mica_dims *out)
{
    size_t capacity = strlen(s);
    int64_t *at = malloc((capacity + 1) * sizeof(int64_t));
    if (!at) {
        PyErr_NoMemory();
        return false;
    }
    out->n = 0;
    out->at = at;
    while (*s) {
        char *end;
        long long value = strtoll(s, &end, 10);
        if (end != s) at[out->n++] = value;
        s = end != s ? end : s + 1;
    }
    return true;
}

static bool parse_dtype(const char *s, mica_dtype *out)
{
    if (strcmp(s, "bool_") == 0) s = "bool";
    for (int d = 0; d < MICA_DTYPE_COUNT; d++) {
        if (strcmp(mica_dtype_name((mica_dtype)d), s) == 0) {
            *out = (mica_dtype)d;
            return true;
        }
    }
    return false;
}

static PyObject *parse_number(const char *s)
{
    if (strcmp(s, "True") == 0) return Py_NewRef(Py_True);
    if (strcmp(s, "False") == 0) return Py_NewRef(Py_False);
    char *end;
    long long whole = strtoll(s, &end, 10);
    if (*s && !*end) return PyLong_FromLongLong(whole);
    double real = strtod(s, &end);
    if (*s && !*end) return PyFloat_FromDouble(real);
    return NULL;
}

/* What None means for a kind. */
static mica__value value_of_none(mica_kind kind)
{
    mica__value v = { .arrays = { 0, NULL } };
    switch (kind) {
    case MICA_KIND_INT: v.integer = MICA_NO_INTEGER; break;
    case MICA_KIND_AXIS: v.axis = MICA_FLATTEN; break;
    case MICA_KIND_AXES:
    case MICA_KIND_DIMS: v.dims = MICA_ALL_AXES; break;
    case MICA_KIND_FLOAT: v.real = NAN; break;
    case MICA_KIND_DTYPE: v.dtype = MICA_DEFAULT_DTYPE; break;
    default: break;
    }
    return v;
}

static bool parse_default(const mica__function *f, mica_parameter *p, text given)
{
    p->has_default = true;
    p->default_text = copy(given);
    if (!p->default_text) return false;
    const char *s = p->default_text;
    if (strcmp(s, "None") == 0) {
        p->accepts_none = true;
        p->value = p->none = value_of_none(p->kind);
        return true;
    }
    char *end = NULL;
    bool ok = true;
    switch (p->kind) {
    case MICA_KIND_OPERAND:
        p->number = parse_number(s);
        ok = p->number != NULL;
        break;
    case MICA_KIND_INT:
        p->value.integer = strtoll(s, &end, 10);
        ok = !*end;
        break;
    case MICA_KIND_AXIS:
        p->value.axis = (int)strtol(s, &end, 10);
        ok = !*end;
        break;
    case MICA_KIND_AXES:
    case MICA_KIND_DIMS:
    case MICA_KIND_SHAPE: ok = parse_dims(s, &p->value.dims); break;
    case MICA_KIND_BOOL:
        p->value.boolean = strcmp(s, "True") == 0;
        ok = p->value.boolean || strcmp(s, "False") == 0;
        break;
    case MICA_KIND_FLOAT:
        p->value.real = strtod(s, &end);
        ok = !*end;
        break;
    case MICA_KIND_DTYPE: /* None asks for the default */
        ok = parse_dtype(s, &p->value.dtype);
        p->accepts_none = true;
        p->none = p->value;
        break;
    case MICA_KIND_STRING:
        ok = given.n >= 2 && (s[0] == '\'' || s[0] == '"') && s[given.n - 1] == s[0];
        if (ok) {
            p->value.string = copy((text){ given.at + 1, given.n - 2 });
            ok = p->value.string != NULL;
        }
        break;
    default: ok = false; break;
    }
    return ok || PyErr_Occurred() ? ok : wrong(f, "a default that does not fit its kind");
}

/* "name: kind? = default" */
static bool parse_parameter(const mica__function *f, text piece, mica_parameter *p)
{
    text name, kind, rest = piece;
    if (!cut(&rest, ':', &name)) return wrong(f, "a parameter without kind");
    bool has_default = cut(&rest, '=', &kind);
    if (kind.n && kind.at[kind.n - 1] == '?') {
        p->accepts_none = true;
        kind.n--;
    }
    size_t k = 0;
    while (k < sizeof(kinds) / sizeof(kinds[0]) && !is(kind, kinds[k].name)) k++;
    if (k == sizeof(kinds) / sizeof(kinds[0])) return wrong(f, "an unknown kind");
    p->kind = (mica_kind)k;
    if (p->kind == MICA_KIND_AXES) p->accepts_none = true;
    p->none = value_of_none(p->kind);
    p->apart = is(name, "condition") || is(name, "offset");
    p->name = PyUnicode_FromStringAndSize(name.at, (Py_ssize_t)name.n);
    if (!p->name) return false;
    PyUnicode_InternInPlace(&p->name);
    return !has_default || parse_default(f, p, trim(rest));
}

static bool parse_parameters(mica_row *row, text rest)
{
    const mica__function *f = row->function;
    bool keyword_only = false;
    for (bool more = true; more;) {
        text piece;
        more = cut(&rest, ',', &piece);
        if (!piece.n) continue;
        if (is(piece, "/")) {
            row->positional_only = row->n;
            continue;
        }
        if (is(piece, "*")) {
            keyword_only = true;
            continue;
        }
        if (row->n == MICA_MAX_PARAMETERS - 1) return wrong(f, "too many parameters");
        if (*piece.at == '*') {
            if (keyword_only) return wrong(f, "a second variadic parameter");
            row->variadic = keyword_only = true;
            row->spread = row->n;
            piece = (text){ piece.at + 1, piece.n - 1 };
        }
        if (!parse_parameter(f, piece, &row->at[row->n])) return false;
        row->n++;
        if (!keyword_only) row->positional = row->n;
    }
    return parse_parameter(f, (text){ "stream: stream? = None", 22 }, &row->at[row->n]);
}

/* ---- documentation ---- */

typedef struct builder {
    char *at;
    size_t n, capacity;
    bool failed;
} builder;

static void put_n(builder *b, const char *s, size_t n)
{
    if (b->n + n + 1 > b->capacity) {
        size_t capacity = 2 * b->capacity + n + 512;
        char *at = realloc(b->at, capacity);
        b->failed = b->failed || !at;
        if (!at) return;
        b->at = at;
        b->capacity = capacity;
    }
    memcpy(b->at + b->n, s, n);
    b->n += n;
    b->at[b->n] = 0;
}

static void put(builder *b, const char *s)
{
    put_n(b, s, strlen(s));
}

static const char *name_of(const mica_parameter *p)
{
    const char *s = PyUnicode_AsUTF8AndSize(p->name, NULL);
    return s ? s : "?";
}

/* inspect.signature reads literals only. */
static const char *literal_default(const mica_parameter *p)
{
    if (p->kind == MICA_KIND_DTYPE || strcmp(p->default_text, "nan") == 0) return "None";
    if (strcmp(p->default_text, "inf") == 0) return "1e999";
    return strcmp(p->default_text, "-inf") == 0 ? "-1e999" : p->default_text;
}

static void put_signature(builder *b, const mica_row *row)
{
    put(b, row->name);
    put(b, "(");
    bool star = false;
    for (int i = 0; i <= row->n; i++) {
        const mica_parameter *p = &row->at[i];
        if (i) put(b, ", ");
        if (row->variadic && i == row->spread) {
            put(b, "*");
            star = true;
        } else if (!star && i >= row->positional) {
            put(b, "*, ");
            star = true;
        }
        put(b, name_of(p));
        if (p->has_default) {
            put(b, "=");
            put(b, literal_default(p));
        }
        if (i + 1 == row->positional_only) put(b, ", /");
    }
    put(b, ")");
}

/* The text that __text_signature__ and __doc__ are cut from. */
static char *documentation(const mica_row *row)
{
    builder b = { NULL, 0, 0, false };
    put_signature(&b, row);
    put(&b, "\n--\n\n");
    put(&b, row->function->doc);
    put(&b, "\n\nArgs:\n");
    for (int i = 0; i <= row->n; i++) {
        const mica_parameter *p = &row->at[i];
        put(&b, row->variadic && i == row->spread ? "    *" : "    ");
        put(&b, name_of(p));
        put(&b, ": ");
        put(&b, row->variadic && i == row->spread ? "arrays" : kinds[p->kind].accepts);
        if (p->accepts_none) put(&b, ", None");
        if (p->has_default) {
            put(&b, "; default ");
            put(&b, p->default_text);
        }
        put(&b, "\n");
    }
    put(&b, "\nReturns:\n    ");
    put(&b, !row->several ? "array" : row->tuple ? "tuple of arrays" : "list of arrays");
    if (!b.failed) return b.at;
    free(b.at);
    PyErr_NoMemory();
    return NULL;
}

/* "random_normal" is `normal` in the submodule `random`. */
static void name_row(mica_row *row)
{
    row->module = "";
    row->name = row->function->name;
    for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
        size_t n = strlen(modules[i]);
        if (strncmp(row->name, modules[i], n) == 0 && row->name[n] == '_') {
            row->module = modules[i];
            row->name += n + 1;
            return;
        }
    }
}

mica_row *mica_row_parse(const mica__function *function, const char *alias)
{
    mica_row *row = calloc(1, sizeof *row + MICA_MAX_PARAMETERS * sizeof(mica_parameter));
    if (!row) {
        PyErr_NoMemory();
        return NULL;
    }
    row->function = function;
    name_row(row);
    if (alias) {
        row->module = "";
        row->name = alias;
    }
    row->origin = mica__origin_of(row->name);
    text parameters = { function->signature, strlen(function->signature) };
    const char *arrow = strstr(function->signature, "->");
    if (arrow) {
        text result = trim((text){ arrow + 2, strlen(arrow + 2) });
        row->tuple = is(result, "tuple") || is(result, "bare_tuple");
        row->bare = is(result, "bare") || is(result, "bare_tuple");
        row->several = row->tuple || row->bare || is(result, "arrays");
        parameters.n = (size_t)(arrow - function->signature);
    }
    if (!parse_parameters(row, parameters)) {
        free(row);
        return NULL;
    }
    row->method.ml_name = row->name;
    row->method.ml_doc = documentation(row);
    if (!row->method.ml_doc) {
        free(row);
        return NULL;
    }
    return row;
}
