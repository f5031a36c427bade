/* Primitives: enum, classes, typed parameters and what is known of each, all from prim.def. */
#ifndef MICA_ENGINE_PRIM_H
#define MICA_ENGINE_PRIM_H

#include "base/base.h"
#include "mica/array.h"

/* How a primitive behaves under the generic machinery. */
typedef enum mica__class {
    MICA_CLASS_SOURCE, /* no inputs, or none that matter to derivatives: constants, arange, random
                          bits */
    MICA_CLASS_UNARY,  /* element-wise with broadcasting: fuse, batch and differentiate by class */
    MICA_CLASS_BINARY,
    MICA_CLASS_TERNARY,
    MICA_CLASS_CAST,    /* element-wise conversion */
    MICA_CLASS_VIEW,    /* only shape, strides and offset change; no kernel where strides allow */
    MICA_CLASS_REDUCE,  /* removes axes */
    MICA_CLASS_AXISOP,  /* works along typed AXIS or AXES fields; batches by shifting them */
    MICA_CLASS_BATCHED, /* works on the last axes, leading axes are a batch */
    MICA_CLASS_SPECIAL  /* own rules throughout */
} mica__class;

/* Every field is 8 bytes (DIMS and AXES: 16), so offsets follow from the kinds. */
typedef mica_dims mica__dims;

typedef enum mica__field_kind {
    MICA_FIELD_END,
    MICA_FIELD_INT,
    MICA_FIELD_AXIS, /* an axis: moves when a batch axis is put in front */
    MICA_FIELD_BOOLEAN,
    MICA_FIELD_REAL,   /* double */
    MICA_FIELD_TYPE,   /* mica_dtype */
    MICA_FIELD_DIMS,   /* sizes */
    MICA_FIELD_AXES,   /* several axes */
    MICA_FIELD_POINTER /* an owner of its own: compared by address, never serialised */
} mica__field_kind;

typedef struct mica__field {
    mica__field_kind kind;
    const char *name;
} mica__field;

/* Flags. */
enum {
    MICA_PRIM_NONDIFF =
        1, /* derivative is zero everywhere it exists, or the result is an index or truth value */
    MICA_PRIM_INTERNAL = 2, /* not exported as a function of its own */
    MICA_PRIM_LINEAR = 4,  /* linear in its first input: jvp applies the operation to the tangent */
    MICA_PRIM_STRIDED = 8, /* its kernel reads any strides; others get row-major inputs */
    MICA_PRIM_DONATES =
        16, /* out[0] has no memory until the kernel gives it some, perhaps that of in[0] */
    MICA_PRIM_PASSES =
        64, /* its outputs are inputs: no memory is taken for them, and inputs come as they lie */
    MICA_PRIM_LONG = 32 /* its kernel stays safe when tasks of its parallel sections are left out:
                           it can be interrupted */
};

/* mica_prim_exp, ...: what a node is. */
typedef enum mica_prim {
#define PRIM(name, class, signature, fields, rule, flags) mica_prim_##name,
#include "ops/prim.def"
#undef PRIM
    MICA_PRIM_COUNT
} mica_prim;

/* struct mica__<name>_params: the typed fields in the order of the row. `end` is not stored. */
#define NO_FIELDS
#define FIELDS(...)    __VA_ARGS__
#define INT(field)     int64_t field;
#define AXIS(field)    int64_t field;
#define BOOLEAN(field) int64_t field;
#define REAL(field)    double field;
#define TYPE(field)    int64_t field;
#define DIMS(field)    mica__dims field;
#define AXES(field)    mica__dims field;
#define POINTER(field) void *field;
#define PRIM(name, class, signature, fields, rule, flags)                                          \
    struct mica__##name##_params {                                                                 \
        fields char end;                                                                           \
    };
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

/* What operands become after promotion, and what the result is (rule.def). */
typedef enum mica__conversion {
    MICA_CONVERT_KEEP,
    MICA_CONVERT_FLOAT,
    MICA_CONVERT_TRUTH
} mica__conversion;
typedef enum mica__out { MICA_OUT_SAME, MICA_OUT_TRUTH, MICA_OUT_REAL } mica__out;
typedef enum mica__rule {
#define RULE(name, convert, accepts, out) MICA_RULE_##name,
#include "ops/rule.def"
#undef RULE
    MICA_RULE_CUSTOM
} mica__rule;

typedef struct mica__prim_info {
    const char *name;
    mica__class class;
    mica__rule rule;
    unsigned flags;
    size_t params_size;        /* bytes stored in a node, DIMS' data aside */
    const mica__field *fields; /* ends with MICA_FIELD_END */
} mica__prim_info;

extern const mica__prim_info mica__prims[MICA_PRIM_COUNT];

#endif
