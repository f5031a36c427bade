/* Types of the inputs of one exported graph. */
#ifndef MICA_ENGINE_SIGNATURE_H
#define MICA_ENGINE_SIGNATURE_H

#include "base/text.h"
#include "core/scope.h"

/* Positional inputs, then those with names, ascending by name. */
typedef struct mica__signature {
    size_t n, nkeywords;
    mica_dtype *dtypes; /* n of each */
    mica_dims *shapes;
    const char **keywords; /* nkeywords */
} mica__signature;

/* That of arrays, the last of which have names; memory of `keeper`. order: which array stands at
   each place of the signature (n of them). */
bool mica__signature_of(mica_scope *keeper, mica__signature *out, mica_arrays arguments,
                        const char *const keywords[], size_t nkeywords, size_t *order);
/* Whether arrays of the other's types may be given. */
bool mica__signature_accepts(const mica__signature *own, const mica__signature *given,
                             bool shapeless);
/* Inputs as lines for messages. */
void mica__signature_describe(mica__text *to, const mica__signature *g, const char *indent);

#endif
