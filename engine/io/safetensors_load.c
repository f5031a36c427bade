/* safetensors files as tables of arrays. */
#include <stdio.h>

#include "io/array_io.h"
#include "io/safetensors.h"
#include "io/table.h"

/* ---- whether tensors overlap ---- */

typedef struct extent {
    uint64_t begin, end;
} extent;

typedef struct extents {
    extent *at;
    size_t n, room;
} extents;

static int note_extent(void *user, const mica__tensor_entry *e)
{
    extents *x = user;
    if (e->bytes && x->n < x->room) x->at[x->n++] = (extent){ e->offset, e->offset + e->bytes };
    return MICA_OK;
}

static int pass_over(void *user, const char *key, const char *value)
{
    (void)user, (void)key, (void)value;
    return MICA_OK;
}

static int compare(const void *a, const void *b)
{
    const extent *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* For the message: two tensors that hold a byte. */
typedef struct sharers {
    uint64_t byte;
    char names[2][64];
    int n;
} sharers;

static int note_sharer(void *user, const mica__tensor_entry *e)
{
    sharers *both = user;
    if (both->n < 2 && e->offset <= both->byte && both->byte < e->offset + e->bytes)
        snprintf(both->names[both->n++], sizeof both->names[0], "%s", e->name);
    return MICA_OK;
}

static int fail_overlap(const mica__source *from, uint64_t byte)
{
    sharers both = { .byte = byte };
    mica__safetensors_visitor visitor = { note_sharer, pass_over, &both };
    MICA_TRY(mica__safetensors_read(from->base, from->bytes, from->name, &visitor));
    return mica__fail(MICA_EIO,
                      "[load_safetensors] '%s', tensors '%s' and '%s' overlap: both hold byte %llu "
                      "of the file. Is its header damaged?",
                      from->name, both.names[0], both.names[1], (unsigned long long)byte);
}

/* Of a file with at most `most` tensors that are not in order: refuses those that lie over each
   other, as the format does. The header is read again. */
static int check_overlaps(const mica__source *from, size_t most)
{
    extents x = { .room = most };
    mica__safetensors_visitor visitor = { note_extent, pass_over, &x };
    x.at = mica__alloc_zero(most, sizeof *x.at);
    if (!x.at) return MICA_EMEMORY;
    int status = mica__safetensors_read(from->base, from->bytes, from->name, &visitor);
    if (!status) mica__sort(x.at, x.n, sizeof *x.at, compare);
    for (size_t i = 1; i < x.n && !status; i++)
        if (x.at[i].begin < x.at[i - 1].end) status = fail_overlap(from, x.at[i].begin);
    mica__free(x.at);
    return status;
}

/* ---- arrays ---- */

enum { DESCRIBED = 64 }; /* bytes of an entry beside its name, about */

/* What the header tells, entry by entry. */
typedef struct filling {
    mica_scope *s;
    const mica__source *from;
    mica_table *table;
    mica__vec texts;
    uint64_t end;   /* of the last tensor */
    bool unordered; /* one began before the end of that before it */
} filling;

static int add_tensor(void *user, const mica__tensor_entry *e)
{
    filling *f = user;
    size_t n = strlen(e->name);
    mica_array *a = mica__tensor(f->s, f->from, e->offset, e->bytes, e->dtype, false,
                                 (mica_dims){ e->ndim, e->shape });
    f->unordered |= e->bytes && e->offset < f->end;
    if (e->bytes) f->end = e->offset + e->bytes;
    mica__table_saw(f->table, f->from, n + DESCRIBED);
    return mica__table_add(f->s, f->table, e->name, n, a) ? MICA_OK : f->s->status;
}

static int add_text(void *user, const char *key, const char *value)
{
    filling *f = user;
    if (f->from->arrays_only) return MICA_OK;
    for (int i = 0; i < 2; i++) {
        const char *given = i ? value : key;
        char *text = mica__arena_text(&f->s->arena, given, strlen(given));
        if (!text) return MICA_EMEMORY;
        MICA_TRY(mica__vec_push(&f->texts, text));
    }
    return MICA_OK;
}

static mica_table *filled(const filling *f)
{
    mica_table *t = f->table;
    t->metadata_count = f->texts.n / 2;
    t->metadata = mica__scope_alloc(f->s, t->metadata_count * sizeof *t->metadata);
    if (!t->metadata || !mica__table_sort(f->s, t)) return NULL;
    for (size_t i = 0; i < t->metadata_count; i++)
        t->metadata[i] = (mica_metadata){ f->texts.at[2 * i], f->texts.at[2 * i + 1] };
    const char *twin = mica__table_twin(t);
    if (!twin) return t;
    return mica__error(f->s, MICA_EIO, "[load_safetensors] '%s', tensor '%s': it is there twice",
                       f->from->name, twin);
}

mica_table *mica__safetensors_table(mica_scope *s, const mica__source *from)
{
    mica__blocks blocks = { 0 };
    mica__source whole = *from;
    whole.blocks = &blocks;
    filling f = { .s = s, .from = &whole };
    mica__safetensors_visitor visitor = { add_tensor, add_text, &f };
    if (!mica__scope_ok(s)) return NULL;
    /* Room for all that may come: what is never written takes no memory. */
    f.table = mica__table_new(s, mica__safetensors_most(from->base, from->bytes), 0, 0);
    if (!f.table) return NULL;
    int status = mica__safetensors_read(from->base, from->bytes, from->name, &visitor);
    if (!status && f.unordered) status = check_overlaps(from, f.table->count);
    mica_table *t = status ? mica__scope_failed(s, status) : filled(&f);
    mica__vec_free(&f.texts);
    mica__blocks_free(&blocks);
    return t;
}
