/* Functions that MLX 0.32 exported: what its files say, as graphs of this engine.

   A file is a text (the version), a count (int32) of functions, whether they are shapeless (1
   byte), a text (metadata), and the functions: names of keywords, identities of the inputs, their
   types, identities of the results, and the arrays in an order in which each comes after what it is
   made of:

     identity(8) 1 inputs stream(12) name parameters outputs     an operation
     identity(8) 0 1 type bytes                                   a constant
     identity(8) 0 0                                              an input

   Lists and texts begin with their length(8); a type is a list of sizes(4 each), the element
   type(4) and its bytes(1). Outputs are a count(8) of others than the array itself: if 0 its type;
   else identities, shapes and element types of all, each a list. */
#ifndef MICA_ENGINE_MLX_H
#define MICA_ENGINE_MLX_H

#include "io/array_io.h"
#include "io/export.h"
#include "io/signature.h"
#include "io/words.h"
#include "ops/prim.h"

enum { MICA_MLX_NUMBERS = 8, MICA_MLX_LISTS = 6 };

struct mlx_call;
typedef bool mica__mlx_rule(struct mlx_call *c);

typedef struct mica__mlx_primitive {
    const char *name, *parameters;
    mica__mlx_rule *rule;
    mica_prim prim;
} mica__mlx_primitive;

/* NULL: none of that name. */
const mica__mlx_primitive *mica__mlx_find(const char *name, size_t bytes);

/* One operation: what the file says, and what a rule makes of it. */
typedef struct mlx_call {
    mica_scope *s;
    const mica__mlx_primitive *p;
    mica_array *const *in;
    size_t nin, nout;
    int64_t numbers[MICA_MLX_NUMBERS]; /* i, b, t and the last of w, in order */
    double reals[3];
    mica_dims lists[MICA_MLX_LISTS];
    const char *text;
    bool shapeless;
    mica_dtype *dtypes; /* of the outputs, as recorded */
    mica_dims *shapes;
    mica_array **out; /* the rule fills it */
} mlx_call;

/* ---- files ---- */
/* Whether the bytes begin as such a file does. */
bool mica__mlx_begins(const mica__source *from);
/* The head of the file: leaves w at the first function. */
bool mica__mlx_head(mica__words *w, uint64_t *functions, bool *shapeless, const char **metadata);
/* Skips a function, of which it reads the signature. */
bool mica__mlx_skip(mica__words *w, mica__signature *g);
/* Builds a function on inputs. */
bool mica__mlx_read(mica_scope *s, const mica__graph_bytes *from, bool shapeless,
                    mica_array *const inputs[], size_t n, mica_arrays *results);

#endif
