/* The primitives' table in memory, and what follows from typed parameters: size, copy, equality,
 * hash. */
#include "ops/params.h"

#define NO_FIELDS
#define FIELDS(...)    __VA_ARGS__
#define INT(field)     { MICA_FIELD_INT, #field },
#define AXIS(field)    { MICA_FIELD_AXIS, #field },
#define BOOLEAN(field) { MICA_FIELD_BOOLEAN, #field },
#define REAL(field)    { MICA_FIELD_REAL, #field },
#define TYPE(field)    { MICA_FIELD_TYPE, #field },
#define DIMS(field)    { MICA_FIELD_DIMS, #field },
#define AXES(field)    { MICA_FIELD_AXES, #field },
#define POINTER(field) { MICA_FIELD_POINTER, #field },
#define PRIM(name, class, signature, fields, rule, flags)                                          \
    static const mica__field name##_fields[] = { fields{ MICA_FIELD_END, NULL } };
#include "ops/prim.def"
#undef PRIM
#undef FIELDS
#undef INT
#undef AXIS
#undef BOOLEAN
#undef REAL
#undef TYPE
#undef DIMS
#undef AXES
#undef POINTER
#undef NO_FIELDS

#define NONDIFF           MICA_PRIM_NONDIFF
#define INTERNAL          MICA_PRIM_INTERNAL
#define LINEAR            MICA_PRIM_LINEAR
#define STRIDED           MICA_PRIM_STRIDED
#define DONATES           MICA_PRIM_DONATES
#define LONG              MICA_PRIM_LONG
#define PASSES            MICA_PRIM_PASSES
#define PARAMS_SIZE(name) offsetof(struct mica__##name##_params, end)

const mica__prim_info mica__prims[MICA_PRIM_COUNT] = {
#define PRIM(name, class, signature, fields, rule, flags)                                          \
    [mica_prim_##name] = { #name, MICA_CLASS_##class, MICA_RULE_##rule,                            \
                           flags, PARAMS_SIZE(name),  name##_fields },
#include "ops/prim.def"
#undef PRIM
};

static bool is_list(mica__field_kind k)
{
    return k == MICA_FIELD_DIMS || k == MICA_FIELD_AXES;
}
static size_t width(mica__field_kind k)
{
    return is_list(k) ? sizeof(mica_dims) : 8;
}

/* Calls for each field: `cursor` walks over the packed parameters. */
#define EACH_FIELD(prim, field, cursor, params)                                                    \
    const char *cursor = params;                                                                   \
    for (const mica__field *field = mica__prims[prim].fields; field->kind != MICA_FIELD_END;       \
         cursor += width(field->kind), field++)

size_t mica__params_bytes(unsigned prim, const void *params)
{
    size_t bytes = mica__prims[prim].params_size;
    EACH_FIELD(prim, f, at, params)
    if (is_list(f->kind)) {
        const mica_dims *d = (const void *)at;
        if (d->n > 0) bytes += (size_t)d->n * sizeof(int64_t);
    }
    return bytes;
}

void mica__params_copy(unsigned prim, void *to, const void *from)
{
    size_t size = mica__prims[prim].params_size;
    if (!size) return;
    memcpy(to, from, size);
    int64_t *tail = (int64_t *)(void *)((char *)to + size);
    size_t offset = 0;
    for (const mica__field *f = mica__prims[prim].fields; f->kind != MICA_FIELD_END;
         offset += width(f->kind), f++) {
        if (f->kind == MICA_FIELD_POINTER) {
            mica__owner *owner = *(mica__owner **)(void *)((char *)to + offset);
            if (owner) atomic_fetch_add(&owner->references, 1);
        }
        if (!is_list(f->kind)) continue;
        mica_dims *d = (mica_dims *)(void *)((char *)to + offset);
        if (d->n <= 0) continue;
        memcpy(tail, d->at, (size_t)d->n * sizeof *tail);
        d->at = tail;
        tail += d->n;
    }
}

bool mica__params_equal(unsigned prim, const void *a, const void *b)
{
    const char *other = b;
    EACH_FIELD(prim, f, at, a)
    {
        const char *bt = other + (at - (const char *)a);
        if (is_list(f->kind)) {
            const mica_dims *x = (const void *)at, *y = (const void *)bt;
            if (x->n != y->n || (x->n > 0 && memcmp(x->at, y->at, (size_t)x->n * sizeof *x->at)))
                return false;
        } else if (memcmp(at, bt, 8)) {
            return false;
        }
    }
    return true;
}

uint64_t mica__params_hash(unsigned prim, const void *params)
{
    uint64_t h = prim;
    EACH_FIELD(prim, f, at, params)
    if (is_list(f->kind)) {
        const mica_dims *d = (const void *)at;
        h = mica__hash(h, &d->n, sizeof d->n);
        if (d->n > 0) h = mica__hash(h, d->at, (size_t)d->n * sizeof *d->at);
    } else {
        h = mica__hash(h, at, 8);
    }
    return h;
}

void mica__owner_release(mica__owner *o)
{
    if (o && atomic_fetch_sub(&o->references, 1) == 1) o->free(o);
}

void mica__prim_release_params(mica_node *n)
{
    if (!mica__prims[n->prim].params_size) return;
    EACH_FIELD(n->prim, f, at, n->params)
    if (f->kind == MICA_FIELD_POINTER) mica__owner_release(*(mica__owner *const *)(const void *)at);
}
