/* Words of files of exported functions. */
#include "io/words.h"

bool mica__words_broken(const mica__words *w, const char *what)
{
    mica__error(w->s, MICA_EIO, "[import_function] the file is damaged: %s", what);
    return false;
}

const void *mica__words_take(mica__words *w, size_t bytes)
{
    if (bytes > w->left) {
        mica__words_broken(w, "it ends too early");
        return NULL;
    }
    const void *at = w->at;
    w->at += bytes;
    w->left -= bytes;
    return at;
}

bool mica__words_get(mica__words *w, uint64_t *word)
{
    const void *at = mica__words_take(w, sizeof *word);
    if (at) memcpy(word, at, sizeof *word);
    return at != NULL;
}

bool mica__words_count(mica__words *w, size_t each, uint64_t *n)
{
    return mica__words_get(w, n) &&
           (*n <= w->left / each || mica__words_broken(w, "a count is larger than the file"));
}

bool mica__words_list(mica__words *w, mica_dims *list)
{
    uint64_t n;
    if (!mica__words_get(w, &n)) return false;
    *list = (mica_dims){ .n = (int64_t)n };
    if ((int64_t)n == -1) return true;
    if (n > w->left / 8) return mica__words_broken(w, "a list is longer than the file");
    int64_t *at = mica__scope_alloc(w->s, ((size_t)n + 1) * sizeof *at);
    if (!at) return false;
    memcpy(at, mica__words_take(w, (size_t)n * sizeof *at), (size_t)n * sizeof *at);
    list->at = at;
    return true;
}

bool mica__words_type(mica__words *w, mica_dtype *dtype, mica_dims *shape)
{
    uint64_t t;
    int64_t size;
    size_t bytes;
    if (!mica__words_get(w, &t) || !mica__words_list(w, shape)) return false;
    if (t >= MICA_DTYPE_COUNT) return mica__words_broken(w, "unknown element type");
    if (shape->n < 0 || shape->n > MICA_MAX_NDIM || !mica__shape_size(*shape, &size) ||
        mica__mul_overflow((size_t)size, mica__dtype_sizes[t], &bytes))
        return mica__words_broken(w, "impossible shape");
    *dtype = (mica_dtype)t;
    return true;
}

bool mica__words_skip_type(mica__words *w)
{
    uint64_t dtype, n;
    return mica__words_get(w, &dtype) && mica__words_count(w, 8, &n) &&
           mica__words_take(w, (size_t)n * 8);
}

bool mica__words_text(mica__words *w, const char **text)
{
    uint64_t n;
    if (!mica__words_count(w, 1, &n)) return false;
    char *kept = mica__scope_alloc(w->s, (size_t)n + 1);
    const void *at = kept ? mica__words_take(w, (size_t)n) : NULL;
    if (!at) return false;
    if (n) memcpy(kept, at, (size_t)n);
    kept[n] = 0;
    *text = kept;
    return strlen(kept) == n || mica__words_broken(w, "a text with a NUL character");
}
