/* The parameters of a table function, parsed once from its signature text (the grammar stands in
 * func.def). */
#ifndef MICA_PY_SIGNATURE_H
#define MICA_PY_SIGNATURE_H

#include "mica_python.h"
#include "ops/function.h"

/* Parameters of one function, `stream` included. */
#define MICA_MAX_PARAMETERS 16

typedef enum mica_kind {
    MICA_KIND_ARRAY,
    MICA_KIND_OPERAND,
    MICA_KIND_KEY,
    MICA_KIND_INDEX,
    MICA_KIND_ARRAYS,
    MICA_KIND_INT,
    MICA_KIND_AXIS,
    MICA_KIND_AXES,
    MICA_KIND_DIMS,
    MICA_KIND_SHAPE,
    MICA_KIND_BOOL,
    MICA_KIND_FLOAT,
    MICA_KIND_DTYPE,
    MICA_KIND_STRING,
    MICA_KIND_MASK,
    MICA_KIND_ORDER,
    MICA_KIND_STREAM
} mica_kind;

typedef struct mica_parameter {
    PyObject *name;    /* interned */
    PyObject *number;  /* default of an operand: converted anew by each call; or NULL */
    mica__value value; /* default, when has_default and not `number` */
    mica__value none;  /* what None stands for, when accepts_none */
    mica_kind kind;
    bool accepts_none;
    bool has_default;
    bool
        apart; /* an operand whose type has nothing to do with the others': `condition`, `offset` */
    char *default_text; /* as in Python; NULL without default */
} mica_parameter;

/* A callable function. */
typedef struct mica_row {
    const mica__function *function;
    const char *module;  /* "", or the submodule */
    const char *name;    /* within the module */
    uint16_t origin;     /* of the name: errors of what the function is made of begin with it */
    int n;               /* parameters, without the stream that follows them */
    int positional_only; /* the first ones */
    int positional;      /* those that may be given by position */
    bool variadic;       /* all positional arguments from parameter `spread` on make that one */
    int spread;
    bool several; /* returns a list or tuple */
    bool tuple;
    bool bare; /* several, but one alone is returned itself */
    PyMethodDef method;
    PyObject *object;    /* the function in the module */
    mica_parameter at[]; /* n + 1 */
} mica_row;

/* Parses a function's signature; `alias` is another name for it in mica.core, or NULL. The row
 * lives as long as the process. NULL and SystemError for text that does not follow the grammar. */
mica_row *mica_row_parse(const mica__function *function, const char *alias);
/* "array, int, None": for messages. The text is static. */
const char *mica_kind_accepts(mica_kind kind);

#endif
