/* Reading a key: Python objects to items, axes for items. */
#include "index.h"

#include "convert.h"

static bool refuse(mica_scope *s, const char *type)
{
    return mica__error(s, MICA_EVALUE,
                       "[index] cannot index an array by a value of type %s; accepted are ints, "
                       "slices, None, ..., lists of ints, integer and bool arrays, and tuples of "
                       "these",
                       type);
}

static bool bound(mica_scope *s, PyObject *o, int64_t missing, int64_t *out, bool *given)
{
    *given = o != Py_None;
    *out = missing;
    if (!*given) return true;
    PyObject *index = mica_py_array(o) ? NULL : PyNumber_Index(o);
    if (!index) {
        PyErr_Clear();
        return mica__error(s, MICA_EVALUE,
                           "[index] slice indices must be integers or None, not %s; evaluate an "
                           "array with .item() first",
                           mica_py_type_name(o));
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

static bool misfit(mica_scope *s, const mica_array *mask, const mica_array *a)
{
    return mica__error(s, MICA_EINDEX,
                       "[index] a mask of shape %s does not fit the array's shape %s",
                       mica__shape_text(mica__dims_of(mask)), mica__shape_text(mica__dims_of(a)));
}

/* Indices of the true elements of a mask, one array an axis of it. Evaluates. */
static bool add_mask(mica_scope *s, key *k, mica_array *mask)
{
    if (k->n + mask->ndim > MAX_ITEMS) return refuse(s, "array");
    /* Where the mask stands: behind the axes of the items before it, unless an ellipsis says
     * otherwise (then place checks it). */
    int first = 0;
    for (int i = 0; i < k->n && first >= 0; i++)
        first = k->at[i].kind == ITEM_ELLIPSIS
                    ? -1
                    : first + (k->at[i].kind != ITEM_NEW && !k->at[i].truth);
    for (int i = 0; first >= 0 && k->array && i < mask->ndim; i++)
        if (first + i >= k->array->ndim || mask->shape[i] != k->array->shape[first + i])
            return misfit(s, mask, k->array);
    if (!mica__mask_has_values(s, "index", mask) || mica_py_need(mask) < 0) return false;
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
                      .mask = mask,
                      .mask_axis = axis,
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

/* A truth value is a mask of no axes: it stands for an axis of size 1 that `place` inserts, of
 * which it takes all or nothing (NumPy's rule). */
static bool add_truth(mica_scope *s, key *k, bool value)
{
    const int64_t count = value;
    mica_array *index = mica__empty(s, MICA_INT64, (mica_dims){ 1, &count });
    if (!index) return false;
    if (value) *(int64_t *)(void *)index->data = 0;
    k->at[k->n++] = (item){ .kind = ITEM_ARRAY, .array = index, .truth = true };
    return true;
}

static bool add_mask_of_no_axes(mica_scope *s, key *k, mica_array *mask)
{
    if (!mica__mask_has_values(s, "index", mask) || mica_py_need(mask) < 0) return false;
    bool value = *(const uint8_t *)mask->data != 0;
    int fault = mica__check_values(mask);
    if (fault) return mica__scope_failed(s, fault) != NULL;
    return add_truth(s, k, value);
}

static bool add_array(mica_scope *s, key *k, mica_array *a)
{
    if (a->dtype == MICA_BOOL) return a->ndim ? add_mask(s, k, a) : add_mask_of_no_axes(s, k, a);
    if (!mica__is_integer((mica_dtype)a->dtype)) {
        return mica__error(s, MICA_EVALUE,
                           "[index] cannot index an array by an array of %s; index arrays hold "
                           "integers or bools",
                           mica_dtype_name((mica_dtype)a->dtype));
    }
    k->at[k->n++] = (item){ .kind = ITEM_ARRAY, .array = a };
    return true;
}

static bool add_item(mica_scope *s, key *k, PyObject *o)
{
    if (k->n >= MAX_ITEMS) {
        return mica__error(s, MICA_EVALUE, "[index] too many indices for an array");
    }
    item *it = &k->at[k->n];
    mica_array *a = mica_py_array(o);
    if (a) return add_array(s, k, a);
    if (PyBool_Check(o)) return add_truth(s, k, o == Py_True);
    if (o == Py_None) *it = (item){ .kind = ITEM_NEW, .axis = -1 };
    else if (o == Py_Ellipsis) *it = (item){ .kind = ITEM_ELLIPSIS };
    else if (PySlice_Check(o)) {
        *it = (item){ .kind = ITEM_SLICE };
        PyObject *parts[3] = { PyObject_GetAttrString(o, "start"),
                               PyObject_GetAttrString(o, "stop"),
                               PyObject_GetAttrString(o, "step") };
        bool start_given, stop_given, step_given;
        bool ok = bound(s, parts[2], 1, &it->step, &step_given) &&
                  bound(s, parts[0], it->step < 0 ? INT64_MAX / 4 : 0, &it->start, &start_given) &&
                  bound(s, parts[1], it->step < 0 ? INT64_MIN / 2 : INT64_MAX / 4, &it->stop,
                        &stop_given);
        for (int i = 0; i < 3; i++) Py_DECREF(parts[i]);
        if (!ok) return false;
        if (it->step == 0) {
            return mica__error(s, MICA_EVALUE, "[index] a slice step cannot be zero");
        }
    } else if (PyList_Check(o)) {
        a = mica_py_from_object(s, o, MICA_DEFAULT_DTYPE);
        if (a && a->size == 0) a = mica__cast(s, a, MICA_INT32);
        return a && add_array(s, k, a);
    } else if (PyIndex_Check(o)) {
        PyObject *index = PyNumber_Index(o);
        if (!index && PyErr_ExceptionMatches(PyExc_TypeError) &&
            PyObject_CheckBuffer(o)) { /* a NumPy array of several */
            PyErr_Clear();
            a = mica_py_from_object(s, o, MICA_DEFAULT_DTYPE);
            return a && add_array(s, k, a);
        }
        if (!index) return false;
        int overflow;
        *it = (item){ .kind = ITEM_INT };
        it->start = PyLong_AsLongLongAndOverflow(index, &overflow);
        if (overflow) it->start = overflow < 0 ? INT64_MIN : INT64_MAX;
        Py_DECREF(index);
    } else if (PyObject_CheckBuffer(o) && !PyBytes_Check(o) && !PyUnicode_Check(o)) {
        a = mica_py_from_object(s, o, MICA_DEFAULT_DTYPE);
        return a && add_array(s, k, a);
    } else {
        return refuse(s, mica_py_type_name(o));
    }
    k->n++;
    return true;
}

/* Spreads the ellipsis: every axis of the array gets its item. */
static bool spread(mica_scope *s, key *k)
{
    int used = 0, ellipsis = -1;
    for (int i = 0; i < k->n; i++) {
        if (k->at[i].kind == ITEM_ELLIPSIS) {
            if (ellipsis >= 0) {
                return mica__error(s, MICA_EVALUE,
                                   "[index] an index can have only one ellipsis (...)");
            }
            ellipsis = i;
        } else {
            used += k->at[i].kind != ITEM_NEW && !k->at[i].truth;
        }
    }
    if (used > k->array->ndim) {
        return mica__error(s, MICA_EVALUE,
                           "[index] too many indices for an array with %d dimensions: %d are given",
                           k->array->ndim, used);
    }
    int fill = k->array->ndim - used, from = ellipsis >= 0 ? ellipsis + 1 : k->n;
    if (k->n + fill > MAX_ITEMS) {
        return mica__error(s, MICA_EVALUE, "[index] too many indices for an array");
    }
    memmove(&k->at[from + fill], &k->at[from], (size_t)(k->n - from) * sizeof(item));
    for (int i = 0; i < fill; i++)
        k->at[from + i] = (item){ .kind = ITEM_SLICE, .stop = INT64_MAX / 4, .step = 1 };
    k->n += fill;
    return true;
}

/* Gives truth values an axis of size 1 in the array. */
static bool insert_axes(mica_scope *s, key *k)
{
    int64_t axes[MAX_ITEMS], n = 0, at = 0;
    for (int i = 0; i < k->n; i++) {
        if (k->at[i].truth) axes[n++] = at;
        at += k->at[i].kind != ITEM_NEW && k->at[i].kind != ITEM_ELLIPSIS;
    }
    if (n) k->array = mica_expand_dims(s, k->array, (mica_dims){ n, axes });
    return k->array != NULL;
}

/* Gives items their axes, normalises ints and slices. */
static bool place(mica_scope *s, key *k)
{
    const mica_array *given = k->array;
    if (!spread(s, k) || !insert_axes(s, k)) return false;
    int axis = 0, truths = 0, last_indexed = -1;
    for (int i = 0; i < k->n; i++) k->nindexed += k->at[i].kind == ITEM_ARRAY;
    for (int i = 0; i < k->n; i++) {
        item *it = &k->at[i];
        if (it->kind == ITEM_NEW || it->kind == ITEM_ELLIPSIS) continue;
        int64_t size = k->array->shape[axis];
        it->axis = axis++;
        truths += it->truth;
        if (it->kind == ITEM_INT) {
            if (it->start < -size || it->start >= size) {
                return mica__error(s, MICA_EINDEX,
                                   "[index] index %lld is out of range for axis %d with size %lld",
                                   (long long)it->start, it->axis - truths, (long long)size);
            }
            if (it->start < 0) it->start += size;
        } else if (it->mask && it->mask->shape[it->mask_axis] != size) {
            return misfit(s, it->mask, given);
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

bool mica_py_read_key(mica_scope *s, key *k, PyObject *o, mica_array *a)
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
    return place(s, k);
}
