/* What a node gives, worked out from its primitive, parameters and inputs alone: how graphs from
   files are checked. */
#ifndef MICA_ENGINE_INFER_H
#define MICA_ENGINE_INFER_H

#include "ops/builder.h"

/* A node that is to be built. Rules read the first part, check it, and write outputs. */
typedef struct mica__inference {
    mica_scope *s;
    mica_prim prim;
    void *params; /* the caller's copy */
    size_t nin;
    mica_array *const *in;
    bool resized; /* the graph is built for other sizes than it was written for */
    size_t nout;
    mica_dtype *dtypes; /* as recorded: replaced by what follows */
    mica_dims *shapes;  /* the same; in memory of the scope */
} mica__inference;

/* Checks everything about a node: what its kernel and its derivatives rely on holds afterwards.
   But for other sizes the outputs must be as recorded. False, and the scope is marked: EIO for what
   no builder makes, EVALUE where sizes may be why. */
bool mica__infer(mica__inference *i);
/* Whether a primitive may stand in a file. */
bool mica__infer_knows(mica_prim prim);

/* ---- for rules (infer.def) ---- */
typedef bool mica__infer_rule(mica__inference *i);

/* Marks the scope: damage, or sizes that the function does not take. */
bool mica__infer_refuse(mica__inference *i, const char *what);
/* Output number k. The sizes are copied. */
bool mica__infer_give(mica__inference *i, size_t k, mica_dtype dtype, mica_dims shape);
/* The same type and shape as an array. */
bool mica__infer_like(mica__inference *i, size_t k, const mica_array *a);
/* So many inputs and outputs, or a refusal. */
bool mica__infer_count(mica__inference *i, size_t nin, size_t nout);
/* Inputs first ... last - 1 have one type. */
bool mica__infer_one_type(mica__inference *i, size_t first, size_t last);
/* 0 <= axis < ndim. */
bool mica__infer_axis(mica__inference *i, int64_t axis, int ndim);
/* Axes of an array of ndim axes, each once; ascending if so wished. */
bool mica__infer_axes(mica__inference *i, mica_dims axes, int64_t ndim, bool ascending);
/* Sizes of an array: their number and product are possible. */
bool mica__infer_sizes(mica__inference *i, mica_dims sizes);
/* The inputs a and b agree in their first n sizes. */
bool mica__infer_leading(mica__inference *i, size_t a, size_t b, int n);
/* An integer type that is not bool. */
static inline bool mica__infer_is_index(const mica_array *a)
{
    return a->dtype != MICA_BOOL && mica__is_integer((mica_dtype)a->dtype);
}
/* The size of an axis counted from the end (1: the last). */
static inline int64_t mica__size_from_end(const mica_array *a, int place)
{
    return a->shape[a->ndim - place];
}

#endif
