/* Keys of x[key], x[key] = value and x.at[key]: read once, then used for reading or writing. */
#ifndef MICA_PY_INDEX_H
#define MICA_PY_INDEX_H

#include "array.h"

typedef enum item_kind { ITEM_INT, ITEM_SLICE, ITEM_ARRAY, ITEM_NEW, ITEM_ELLIPSIS } item_kind;

/* One item of a key; ints and slices are normalised against their axis by `place`. */
typedef struct item {
    item_kind kind;
    int axis;                  /* the array's axis it stands for; -1: a new axis */
    int64_t start, stop, step; /* ITEM_INT: start */
    mica_array *array;
    const mica_array *mask; /* that `array` was read from, and the axis of it; else NULL */
    int mask_axis;
    bool truth; /* a bool without axes: an axis of size 1 of which it takes all or nothing */
} item;

enum { MAX_ITEMS = 2 * MICA_MAX_NDIM + 1 };

typedef struct key {
    int n;
    item at[MAX_ITEMS];
    int nindexed;      /* items with an array */
    bool separated;    /* something stands between the indexed items */
    bool sliced;       /* some slice is not the whole axis */
    mica_array *array; /* what is indexed, with an axis for each truth value */
} key;

/* Reads `o` as a key of `a`. False, and an exception or a failed scope. */
bool mica_py_read_key(mica_scope *s, key *k, PyObject *o, mica_array *a);

/* For mica_slice_static: the part that slices and ints choose. */
typedef struct bounds {
    int64_t start[MICA_MAX_NDIM], stop[MICA_MAX_NDIM], step[MICA_MAX_NDIM];
    int ndim;
} bounds;
void mica_py_bounds(const key *k, const mica_array *a, bounds *b);
mica_array *mica_py_slice_part(mica_scope *s, mica_array *a, const bounds *b);

/* Index arrays, broadcast to one shape, and their axes. */
typedef struct indices {
    mica_array *at[MICA_MAX_NDIM];
    int64_t axes[MICA_MAX_NDIM], sizes[MICA_MAX_NDIM];
    int n, ndim; /* ndim: of the common shape */
} indices;
bool mica_py_index_arrays(mica_scope *s, const key *k, const mica_array *a, indices *x);

/* Where the result's axes come from, in the result's order: this many of the rest (slices and new
 * axes), then the block of the index arrays' axes, then what is left of the rest. */
int mica_py_rest_before(const key *k);
/* Moves the first n axes behind the following `before` ones; or back. */
mica_array *mica_py_move_block(mica_scope *s, mica_array *r, int n, int before, bool back);

#endif
