/* Indexing: x[key], x[key] = value and x.at[key], all by one reading of the key. */
#include "array.h"
#include "mica/index.h"

typedef enum item_kind { ITEM_INT, ITEM_SLICE, ITEM_ARRAY, ITEM_NEW, ITEM_ELLIPSIS } item_kind;

/* One item of a key; ints and slices are normalised against their axis by `place`. */
typedef struct item {
    item_kind kind;
    int axis;                  /* the array's axis it stands for; -1: a new axis */
    int64_t start, stop, step; /* ITEM_INT: start */
    mica_array *array;
} item;

enum { MAX_ITEMS = 2 * MICA_MAX_NDIM + 1 };

typedef struct key {
    int n;
    item at[MAX_ITEMS];
    int nindexed;            /* items with an array */
    bool separated;          /* something stands between the indexed items */
    bool sliced;             /* some slice is not the whole axis */
    const mica_array *array; /* what is indexed */
} key;

/* ---- reading ---- */

static bool refuse(PyObject *o)
{
    PyObject *name = PyType_GetName(Py_TYPE(o));
    if (name)
        PyErr_Format(PyExc_ValueError,
                     "Cannot index mlx array using the given type %U; accepted are ints, slices, "
                     "None, ..., lists of ints, integer and bool arrays, and tuples of these.",
                     name);
    Py_XDECREF(name);
    return false;
}

static bool bound(PyObject *o, int64_t missing, int64_t *out, bool *given)
{
    *given = o != Py_None;
    *out = missing;
    if (!*given) return true;
    PyObject *index = mica_py_array(o) ? NULL : PyNumber_Index(o);
    if (!index) {
        PyErr_Clear();
        PyErr_Format(
            PyExc_ValueError,
            "Slice indices must be integers or None, not %R; evaluate an array with .item() first.",
            (PyObject *)Py_TYPE(o));
        return false;
    }
    int overflow;
    long long v = PyLong_AsLongLongAndOverflow(index, &overflow);
    *out = overflow < 0        ? INT64_MIN / 4
           : overflow > 0      ? INT64_MAX / 4
           : v < INT64_MIN / 4 ? INT64_MIN / 4
           : v > INT64_MAX / 4 ? INT64_MAX / 4
                               : v;
    Py_DECREF(index);
    return true;
}

/* Indices of the true elements of a mask, one array an axis of it. Evaluates. */
static bool add_mask(mica_scope *s, key *k, mica_array *mask)
{
    if (k->n + mask->ndim > MAX_ITEMS) return refuse((PyObject *)mica_py_array_type);
    /* Where the mask stands: behind the axes of the items before it, unless an ellipsis says
     * otherwise (place checks the rest). */
    int first = 0;
    for (int i = 0; i < k->n && first >= 0; i++)
        first = k->at[i].kind == ITEM_ELLIPSIS ? -1 : first + (k->at[i].kind != ITEM_NEW);
    for (int i = 0; first >= 0 && k->array && i < mask->ndim; i++)
        if (first + i >= k->array->ndim || mask->shape[i] != k->array->shape[first + i]) {
            PyErr_Format(
                PyExc_IndexError, "[index] a mask of shape %s does not fit the array's shape %s",
                mica__shape_text(mica__dims_of(mask)), mica__shape_text(mica__dims_of(k->array)));
            return false;
        }
    if (mica_py_need(mask) < 0) return false;
    mica_scope own;
    mica__scope_begin(&own, NULL);
    mica_array *flat = mica_contiguous(&own, mask, false);
    bool ok = flat && mica_py_need(flat) == 0;
    int64_t count = 0;
    for (int64_t i = 0; ok && i < flat->size; i++) count += ((const uint8_t *)flat->data)[i] != 0;
    int64_t *columns[MICA_MAX_NDIM];
    for (int axis = 0; ok && axis < mask->ndim; axis++) {
        item *it = &k->at[k->n++];
        *it = (item){ .kind = ITEM_ARRAY,
                      .array = mica__empty(s, MICA_INT64, (mica_dims){ 1, &count }) };
        ok = it->array != NULL;
        if (ok) columns[axis] = (int64_t *)(void *)it->array->data;
    }
    int64_t index[MICA_MAX_NDIM] = { 0 }, at = 0;
    for (int64_t i = 0; ok && i < flat->size; i++) {
        if (((const uint8_t *)flat->data)[i] &&
            at < count) { /* a mapped file may change meanwhile */
            for (int axis = 0; axis < mask->ndim; axis++) columns[axis][at] = index[axis];
            at++;
        }
        for (int axis = mask->ndim - 1; axis >= 0 && ++index[axis] == mask->shape[axis]; axis--)
            index[axis] = 0;
    }
    int fault = ok ? mica__check_values(flat) : MICA_OK;
    if (fault) mica__scope_failed(&own, fault);
    int status = mica__scope_end(&own);
    if (status && !PyErr_Occurred()) mica_py_raise(status);
    return ok && !PyErr_Occurred() && s->status == MICA_OK;
}

static bool add_array(mica_scope *s, key *k, mica_array *a)
{
    if (a->dtype == MICA_BOOL && a->ndim) return add_mask(s, k, a);
    if (!mica__is_integer((mica_dtype)a->dtype)) {
        PyErr_Format(
            PyExc_ValueError,
            "Cannot index mlx array with an array of type %s; index arrays hold integers or bools.",
            mica_dtype_name((mica_dtype)a->dtype));
        return false;
    }
    k->at[k->n++] = (item){ .kind = ITEM_ARRAY, .array = a };
    return true;
}

static bool add_item(mica_scope *s, key *k, PyObject *o)
{
    if (k->n >= MAX_ITEMS) {
        PyErr_SetString(PyExc_ValueError, "Too many indices for an array.");
        return false;
    }
    item *it = &k->at[k->n];
    mica_array *a = mica_py_array(o);
    if (a) return add_array(s, k, a);
    if (o == Py_None) *it = (item){ .kind = ITEM_NEW, .axis = -1 };
    else if (o == Py_Ellipsis) *it = (item){ .kind = ITEM_ELLIPSIS };
    else if (PySlice_Check(o)) {
        *it = (item){ .kind = ITEM_SLICE };
        PyObject *parts[3] = { PyObject_GetAttrString(o, "start"),
                               PyObject_GetAttrString(o, "stop"),
                               PyObject_GetAttrString(o, "step") };
        bool start_given, stop_given, step_given;
        bool ok =
            bound(parts[2], 1, &it->step, &step_given) &&
            bound(parts[0], it->step < 0 ? INT64_MAX / 4 : 0, &it->start, &start_given) &&
            bound(parts[1], it->step < 0 ? INT64_MIN / 2 : INT64_MAX / 4, &it->stop, &stop_given);
        for (int i = 0; i < 3; i++) Py_DECREF(parts[i]);
        if (!ok) return false;
        if (it->step == 0) {
            PyErr_SetString(PyExc_ValueError, "A slice step cannot be zero.");
            return false;
        }
    } else if (PyList_Check(o)) {
        a = mica_py_from_object(s, o, MICA_DEFAULT_DTYPE);
        if (a && a->size == 0) a = mica__cast(s, a, MICA_INT32);
        return a && add_array(s, k, a);
    } else if (!PyBool_Check(o) && PyIndex_Check(o)) {
        PyObject *index = PyNumber_Index(o);
        if (!index && PyErr_ExceptionMatches(PyExc_TypeError) &&
            PyObject_CheckBuffer(o)) { /* a NumPy array of several */
            PyErr_Clear();
            a = mica_py_from_object(s, o, MICA_DEFAULT_DTYPE);
            return a && add_array(s, k, a);
        }
        if (!index) return false;
        int overflow;
        it->kind = ITEM_INT;
        it->start = PyLong_AsLongLongAndOverflow(index, &overflow);
        if (overflow) it->start = overflow < 0 ? INT64_MIN : INT64_MAX;
        Py_DECREF(index);
    } else if (PyObject_CheckBuffer(o) && !PyBytes_Check(o) && !PyUnicode_Check(o)) {
        a = mica_py_from_object(s, o, MICA_DEFAULT_DTYPE);
        return a && add_array(s, k, a);
    } else {
        return refuse(o);
    }
    k->n++;
    return true;
}

/* Gives items their axes, spreads the ellipsis, normalises ints and slices. */
static bool place(key *k, const mica_array *a)
{
    int used = 0, ellipsis = -1;
    for (int i = 0; i < k->n; i++) {
        if (k->at[i].kind == ITEM_ELLIPSIS) {
            if (ellipsis >= 0) {
                PyErr_SetString(PyExc_ValueError, "An index can have only one ellipsis (...).");
                return false;
            }
            ellipsis = i;
        } else {
            used += k->at[i].kind != ITEM_NEW;
        }
    }
    if (used > a->ndim) {
        PyErr_Format(PyExc_ValueError,
                     "Too many indices for array with %d dimensions: %d are given.", a->ndim, used);
        return false;
    }
    int fill = a->ndim - used, from = ellipsis >= 0 ? ellipsis + 1 : k->n;
    if (k->n + fill > MAX_ITEMS) {
        PyErr_SetString(PyExc_ValueError, "Too many indices for an array.");
        return false;
    }
    memmove(&k->at[from + fill], &k->at[from], (size_t)(k->n - from) * sizeof(item));
    for (int i = 0; i < fill; i++)
        k->at[from + i] = (item){ .kind = ITEM_SLICE, .stop = INT64_MAX / 4, .step = 1 };
    k->n += fill;
    int axis = 0, last_indexed = -1;
    for (int i = 0; i < k->n; i++) k->nindexed += k->at[i].kind == ITEM_ARRAY;
    for (int i = 0; i < k->n; i++) {
        item *it = &k->at[i];
        if (it->kind == ITEM_NEW || it->kind == ITEM_ELLIPSIS) continue;
        int64_t size = a->shape[axis];
        it->axis = axis++;
        if (it->kind == ITEM_INT) {
            if (it->start < -size || it->start >= size) {
                PyErr_Format(PyExc_IndexError,
                             "[index] index %lld is out of range for axis %d with size %lld",
                             (long long)it->start, it->axis, (long long)size);
                return false;
            }
            if (it->start < 0) it->start += size;
        } else if (it->kind == ITEM_SLICE) {
            int64_t low = it->step < 0 ? -1 : 0, high = it->step < 0 ? size - 1 : size;
            if (it->start < 0) it->start += size;
            if (it->stop < 0 && it->stop > INT64_MIN / 2) it->stop += size;
            it->start = it->start < low ? low : it->start > high ? high : it->start;
            it->stop = it->stop < low ? low : it->stop > high ? high : it->stop;
            if (it->start != 0 || it->stop != size || it->step != 1) k->sliced = true;
        }
    }
    /* Beside index arrays, ints are index arrays of no axes. */
    for (int i = 0; i < k->n; i++) {
        bool indexed = k->at[i].kind == ITEM_ARRAY || (k->nindexed && k->at[i].kind == ITEM_INT);
        if (!indexed) continue;
        if (last_indexed >= 0 && last_indexed != i - 1) k->separated = true;
        last_indexed = i;
    }
    return true;
}

static bool read_key(mica_scope *s, key *k, PyObject *o, const mica_array *a)
{
    memset(k, 0, offsetof(key, at));
    k->nindexed = 0;
    k->array = a;
    k->separated = k->sliced = false;
    if (PyTuple_Check(o)) {
        for (Py_ssize_t i = 0; i < PyTuple_Size(o); i++)
            if (!add_item(s, k, PyTuple_GetItem(o, i))) return false;
    } else if (!add_item(s, k, o)) {
        return false;
    }
    return place(k, a);
}

/* ---- bounds of the sliced part ---- */

typedef struct bounds {
    int64_t start[MICA_MAX_NDIM], stop[MICA_MAX_NDIM], step[MICA_MAX_NDIM];
    int ndim;
} bounds;

/* For mica_slice_static: a negative stop counts from the end there, so "before the first" is -size
 * - 1. Ints are slices of one element. */
static void make_bounds(const key *k, const mica_array *a, bounds *b)
{
    b->ndim = a->ndim;
    for (int i = 0; i < k->n; i++) {
        const item *it = &k->at[i];
        if (it->kind == ITEM_NEW || it->kind == ITEM_ELLIPSIS) continue;
        int64_t size = a->shape[it->axis];
        bool whole = it->kind == ITEM_ARRAY || (it->kind == ITEM_INT && k->nindexed);
        b->start[it->axis] = whole ? 0 : it->start;
        b->stop[it->axis] = whole ? size : it->kind == ITEM_INT ? it->start + 1 : it->stop;
        b->step[it->axis] = whole || it->kind == ITEM_INT ? 1 : it->step;
        if (b->step[it->axis] < 0) {
            if (b->stop[it->axis] < 0) b->stop[it->axis] = -size - 1;
            if (b->start[it->axis] < 0) b->start[it->axis] = b->stop[it->axis] = 0;
        }
    }
}

static mica_array *slice_part(mica_scope *s, mica_array *a, const bounds *b)
{
    return mica_slice_static(s, a, (mica_dims){ b->ndim, b->start },
                             (mica_dims){ b->ndim, b->stop }, (mica_dims){ b->ndim, b->step });
}

/* Index arrays, broadcast to one shape, and their axes. */
typedef struct indices {
    mica_array *at[MICA_MAX_NDIM];
    int64_t axes[MICA_MAX_NDIM], sizes[MICA_MAX_NDIM];
    int n, ndim; /* ndim: of the common shape */
} indices;

static bool collect(mica_scope *s, const key *k, const mica_array *a, indices *x)
{
    int64_t common[MICA_MAX_NDIM], next[MICA_MAX_NDIM];
    x->n = x->ndim = 0;
    for (int i = 0; i < a->ndim; i++) x->sizes[i] = a->shape[i];
    for (int i = 0; i < k->n; i++) {
        const item *it = &k->at[i];
        if (it->kind != ITEM_ARRAY && it->kind != ITEM_INT) continue;
        mica_array *index = it->kind == ITEM_ARRAY
                                ? it->array
                                : mica__strong(s, mica_integer(s, it->start), MICA_INT64);
        if (!index) return false;
        int n = mica__broadcast((mica_dims){ x->ndim, common }, mica__dims_of(index), next);
        if (n < 0) {
            mica__error(s, MICA_EVALUE,
                        "[index] index arrays of shapes %s and %s cannot be broadcast together",
                        mica__shape_text((mica_dims){ x->ndim, common }),
                        mica__shape_text(mica__dims_of(index)));
            return false;
        }
        memcpy(common, next, sizeof common);
        x->ndim = n;
        x->axes[x->n] = it->axis;
        x->at[x->n++] = index;
        x->sizes[it->axis] = 1;
    }
    return true;
}

/* Where the result's axes come from, in the result's order: the rest (slices and new axes), and the
 * block of the index arrays' axes. */
static int rest_before(const key *k)
{
    if (k->separated) return 0;
    int n = 0;
    for (int i = 0; i < k->n; i++) {
        if (k->at[i].kind == ITEM_ARRAY || k->at[i].kind == ITEM_INT) return n;
        n += k->at[i].kind != ITEM_ELLIPSIS;
    }
    return n;
}

/* ---- reading ---- */

/* Drops axes of ints (where `ints`), inserts new ones; the first `lead` axes stand apart. */
static mica_array *finish_axes(mica_scope *s, const key *k, mica_array *r, int lead)
{
    int64_t drop[MICA_MAX_NDIM], insert[MICA_MAX_NDIM], nd = 0, ni = 0, at = lead;
    for (int i = 0; i < k->n; i++) {
        const item *it = &k->at[i];
        if (it->kind == ITEM_INT || it->kind == ITEM_ARRAY) drop[nd++] = lead + it->axis;
        else if (it->kind == ITEM_NEW) insert[ni++] = at++;
        else if (it->kind == ITEM_SLICE) at++;
    }
    if (r && nd) r = mica__squeeze_axes(s, r, nd, drop);
    if (r && ni) r = mica_expand_dims(s, r, (mica_dims){ ni, insert });
    return r;
}

/* Moves the first n axes behind the following `before` ones. */
static mica_array *move_block(mica_scope *s, mica_array *r, int n, int before, bool back)
{
    if (!r || !n || !before) return r;
    int64_t axes[MICA_MAX_NDIM];
    int first = back ? before : n, total = n + before;
    /* forward: before-axes first, then the block; back: the block first again */
    for (int i = 0; i < r->ndim; i++)
        axes[i] = i >= total ? i : i < total - first ? i + first : i - (total - first);
    return mica_transpose(s, r, (mica_dims){ r->ndim, axes });
}

static mica_array *get(mica_scope *s, const key *k, mica_array *a)
{
    bounds b;
    make_bounds(k, a, &b);
    if (!k->nindexed) return finish_axes(s, k, slice_part(s, a, &b), 0);
    if (k->sliced) a = slice_part(s, a, &b);
    indices x;
    if (!a || !collect(s, k, a, &x)) return NULL;
    mica_array *r = mica_gather(s, a, (mica_arrays){ (size_t)x.n, x.at },
                                (mica_dims){ x.n, x.axes }, (mica_dims){ a->ndim, x.sizes });
    r = r ? finish_axes(s, k, r, x.ndim) : NULL;
    return move_block(s, r, x.ndim, rest_before(k), false);
}

PyObject *mica_py_getitem(PyObject *self, PyObject *o)
{
    mica_array *a = mica_py_array(self);
    if (PyLong_CheckExact(o) && a->ndim) { /* x[i], by far the most frequent */
        int overflow;
        long long i = PyLong_AsLongLongAndOverflow(o, &overflow), n = a->shape[0];
        if (overflow || i < -n || i >= n)
            return PyErr_Format(PyExc_IndexError,
                                "[index] index %R is out of range for axis 0 with size %lld", o, n);
        return mica_py_array_row(a, i < 0 ? i + n : i);
    }
    key k;
    mica_scope s;
    mica__scope_begin(&s, NULL);
    return mica_py_finish(&s, read_key(&s, &k, o, a) ? get(&s, &k, a) : NULL);
}

/* ---- writing ---- */

/* v, which broadcasts to the shape of x[key], in the order of the array's axes: (index axes..., one
 * axis an axis of a). */
static mica_array *arrange(mica_scope *s, const key *k, mica_array *v, const mica_array *part,
                           const indices *x)
{
    int lead = x ? x->ndim : 0, before = x ? rest_before(k) : 0, rest = 0;
    for (int i = 0; i < k->n; i++) rest += k->at[i].kind == ITEM_SLICE || k->at[i].kind == ITEM_NEW;
    int n = lead + rest;
    /* Leading axes of size 1 that the target lacks are dropped, missing ones added. */
    int64_t shape[2 * MICA_MAX_NDIM];
    int extra = v->ndim > n ? v->ndim - n : 0;
    for (int i = 0; i < extra; i++)
        if (v->shape[i] != 1)
            return mica__error(s, MICA_EVALUE,
                               "[index] a value of shape %s cannot be broadcast to the indexed "
                               "part, which has %d axes",
                               mica__shape_text(mica__dims_of(v)), n);
    int have = v->ndim - extra;
    for (int i = 0; i < n; i++) shape[i] = i < n - have ? 1 : v->shape[extra + i - (n - have)];
    v = mica__reshape(s, v, n, shape);
    v = move_block(s, v, lead, before, true);
    if (!v) return NULL;
    int64_t out[2 * MICA_MAX_NDIM];
    int at = lead, m = 0;
    for (int i = 0; i < lead; i++) out[m++] = v->shape[i];
    for (int i = 0; i < k->n; i++) {
        const item *it = &k->at[i];
        if (it->kind == ITEM_NEW) {
            if (v->shape[at++] != 1)
                return mica__error(s, MICA_EVALUE,
                                   "[index] the value's size on a new axis must be 1");
        } else if (it->kind == ITEM_SLICE) {
            out[m++] = v->shape[at++];
        } else if (it->kind != ITEM_ELLIPSIS) {
            out[m++] = 1;
        }
    }
    (void)part;
    return m > MICA_MAX_NDIM ? mica__error(s, MICA_EVALUE, "[index] too many axes")
                             : mica__reshape(s, v, m, out);
}

static mica_array *update(mica_scope *s, const key *k, mica_array *a, mica_array *v,
                          mica_scatter_mode mode)
{
    bounds b;
    make_bounds(k, a, &b);
    mica_dims start = { b.ndim, b.start }, stop = { b.ndim, b.stop }, step = { b.ndim, b.step };
    if (!k->nindexed) {
        v = arrange(s, k, v, a, NULL);
        return v ? mica_slice_assign(s, a, v, start, stop, step, mode) : NULL;
    }
    mica_array *part = k->sliced ? slice_part(s, a, &b) : a;
    indices x;
    if (!part || !collect(s, k, part, &x) || !(v = arrange(s, k, v, part, &x))) return NULL;
    mica_array *changed = mica_scatter(s, part, (mica_arrays){ (size_t)x.n, x.at }, v,
                                       (mica_dims){ x.n, x.axes }, mode);
    return changed && k->sliced
               ? mica_slice_assign(s, a, changed, start, stop, step, MICA_SCATTER_SET)
               : changed;
}

/* A bool array as the only key: its true places take one value, or consecutive elements. */
static mica_array *mask_of(mica_scope *s, PyObject *o)
{
    mica_array *a = mica_py_array(o);
    if (PyBool_Check(o)) return mica_scalar(s, o == Py_True, MICA_BOOL);
    if (!a && PyList_Check(o) && PyList_Size(o)) {
        PyObject *first = PyList_GetItem(o, 0);
        if (PyBool_Check(first) || PyList_Check(first))
            a = mica_py_from_object(s, o, MICA_DEFAULT_DTYPE);
    } else if (!a && PyObject_CheckBuffer(o) && !PyBytes_Check(o)) {
        a = mica_py_from_object(s, o, MICA_DEFAULT_DTYPE);
    }
    if (PyErr_Occurred()) PyErr_Clear();
    return a && a->dtype == MICA_BOOL ? a : NULL;
}

static mica_array *assign_mask(mica_scope *s, mica_array *a, mica_array *mask, mica_array *v)
{
    if (mask->ndim > a->ndim ||
        !mica__shape_equal(mica__dims_of(mask), (mica_dims){ mask->ndim, a->shape }))
        return mica__error(
            s, MICA_EVALUE,
            "[index] the mask's shape %s must equal the leading axes of the array's, %s",
            mica__shape_text(mica__dims_of(mask)), mica__shape_text(mica__dims_of(a)));
    /* What broadcasts to the axes behind the mask's is repeated; other values are consumed in
     * order. */
    mica_dims rest = { a->ndim - mask->ndim, a->shape + mask->ndim };
    int64_t shape[MICA_MAX_NDIM];
    bool repeats = v->size == 1 ||
                   (v->ndim <= rest.n && mica__broadcast(mica__dims_of(v), rest, shape) == rest.n &&
                    mica__shape_equal((mica_dims){ rest.n, shape }, rest));
    if (!repeats) return mica_masked_scatter(s, a, mask, v);
    for (int i = 0; i < a->ndim; i++) shape[i] = i < mask->ndim ? mask->shape[i] : 1;
    mask = mica__reshape(s, mask, a->ndim, shape);
    if (v->size == 1) v = mica__reshape(s, v, 0, NULL);
    return mask && v ? mica_where(s, mask, v, a) : NULL;
}

/* The value as an array of a's type: numbers are range-checked, arrays are cast. */
static mica_array *value_of(mica_scope *s, PyObject *o, mica_array *a)
{
    if (PyList_Check(o) || PyTuple_Check(o) || o == Py_None) {
        PyObject *name = PyType_GetName(Py_TYPE(o));
        if (name)
            PyErr_Format(o == Py_None ? PyExc_TypeError : PyExc_ValueError,
                         "[index] a value must be an array or a number, not %U", name);
        Py_XDECREF(name);
        return NULL;
    }
    mica_array *v = mica_py_operand(s, o, a);
    return v ? mica__cast(s, v, (mica_dtype)a->dtype) : NULL;
}

int mica_py_setitem(PyObject *self, PyObject *o, PyObject *value)
{
    if (!value) {
        PyErr_SetString(PyExc_TypeError, "elements of an array cannot be deleted");
        return -1;
    }
    mica_array *a = mica_py_array(self);
    mica_scope s;
    mica__scope_begin(&s, NULL);
    mica_array *v = value_of(&s, value, a), *r = NULL, *mask = v ? mask_of(&s, o) : NULL;
    key k;
    if (v && mask) r = assign_mask(&s, a, mask, v);
    else if (v && read_key(&s, &k, o, a)) r = update(&s, &k, a, v, MICA_SCATTER_SET);
    if (r && s.status == MICA_OK && !PyErr_Occurred())
        mica_py_replace(self, mica__cast(&s, r, (mica_dtype)a->dtype));
    int status = mica__scope_end(&s);
    if (PyErr_Occurred()) return -1;
    if (status) mica_py_raise(status);
    return status ? -1 : 0;
}

/* ---- x.at[key].add(v) ---- */

typedef struct at_object {
    PyObject_HEAD PyObject *array, *key; /* key NULL until indexed */
} at_object;

static PyTypeObject *at_type;

static PyObject *make_at(PyObject *array, PyObject *k)
{
    at_object *o = PyObject_New(at_object, at_type);
    if (!o) return NULL;
    Py_INCREF(array);
    Py_XINCREF(k);
    o->array = array;
    o->key = k;
    return (PyObject *)o;
}
PyObject *mica_py_at(PyObject *self, void *closure)
{
    (void)closure;
    return make_at(self, NULL);
}
static void at_dealloc(PyObject *self)
{
    Py_DECREF(((at_object *)self)->array);
    Py_XDECREF(((at_object *)self)->key);
    PyObject_Free(self);
    Py_DECREF(at_type);
}
static PyObject *at_index(PyObject *self, PyObject *k)
{
    return make_at(((at_object *)self)->array, k);
}

typedef mica_array *prepare(mica_scope *s, mica_array *v);
static mica_array *as_it_is(mica_scope *s, mica_array *v)
{
    (void)s;
    return v;
}

static PyObject *at_update(PyObject *self, PyObject *value, mica_scatter_mode mode, prepare *change)
{
    at_object *o = (at_object *)self;
    if (!o->key)
        return PyErr_Format(PyExc_ValueError, "[at] must be given indices: x.at[idx].add(v)");
    mica_array *a = mica_py_array(o->array);
    mica_scope s;
    mica__scope_begin(&s, NULL);
    mica_array *v = value_of(&s, value, a);
    key k;
    v = v ? change(&s, v) : NULL;
    v = v ? mica__cast(&s, v, (mica_dtype)a->dtype) : NULL;
    return mica_py_finish(&s, v && read_key(&s, &k, o->key, a) ? update(&s, &k, a, v, mode) : NULL);
}
static PyObject *at_add(PyObject *self, PyObject *v)
{
    return at_update(self, v, MICA_SCATTER_SUM, as_it_is);
}
static PyObject *at_subtract(PyObject *self, PyObject *v)
{
    return at_update(self, v, MICA_SCATTER_SUM, mica_negative);
}
static PyObject *at_multiply(PyObject *self, PyObject *v)
{
    return at_update(self, v, MICA_SCATTER_PROD, as_it_is);
}
static PyObject *at_divide(PyObject *self, PyObject *v)
{
    return at_update(self, v, MICA_SCATTER_PROD, mica_reciprocal);
}
static PyObject *at_maximum(PyObject *self, PyObject *v)
{
    return at_update(self, v, MICA_SCATTER_MAX, as_it_is);
}
static PyObject *at_minimum(PyObject *self, PyObject *v)
{
    return at_update(self, v, MICA_SCATTER_MIN, as_it_is);
}

static PyMethodDef at_methods[] = {
    { "add", at_add, METH_O,
      "add(value) -> array: with value added at the indices; duplicates accumulate." },
    { "subtract", at_subtract, METH_O, "subtract(value) -> array" },
    { "multiply", at_multiply, METH_O, "multiply(value) -> array" },
    { "divide", at_divide, METH_O, "divide(value) -> array" },
    { "maximum", at_maximum, METH_O, "maximum(value) -> array" },
    { "minimum", at_minimum, METH_O, "minimum(value) -> array" },
    { NULL, NULL, 0, NULL },
};
static PyType_Slot at_slots[] = {
    { Py_tp_doc, "Indexed updates that return a new array." },
    { Py_tp_dealloc, at_dealloc },
    { Py_mp_subscript, at_index },
    { Py_tp_methods, at_methods },
    { 0, NULL },
};
static PyType_Spec at_spec = { "mica.core.ArrayAt", sizeof(at_object), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, at_slots };

int mica_py_index_types(PyObject *module)
{
    at_type = mica_py_add_type(module, &at_spec);
    return at_type ? 0 : -1;
}
