/* x[key]. */
#include "index.h"
#include "record.h"

#include "mica/index.h"

/* ---- bounds of the sliced part ---- */

/* For mica_slice_static: a negative stop counts from the end there, so "before the first" is -size
 * - 1. Ints are slices of one element. */
void mica_py_bounds(const key *k, const mica_array *a, bounds *b)
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

mica_array *mica_py_slice_part(mica_scope *s, mica_array *a, const bounds *b)
{
    return mica_slice_static(s, a, (mica_dims){ b->ndim, b->start },
                             (mica_dims){ b->ndim, b->stop }, (mica_dims){ b->ndim, b->step });
}

bool mica_py_index_arrays(mica_scope *s, const key *k, const mica_array *a, indices *x)
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

int mica_py_rest_before(const key *k)
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

mica_array *mica_py_move_block(mica_scope *s, mica_array *r, int n, int before, bool back)
{
    if (!r || !n || !before) return r;
    int64_t axes[MICA_MAX_NDIM];
    int first = back ? before : n, total = n + before;
    /* forward: before-axes first, then the block; back: the block first again */
    for (int i = 0; i < r->ndim; i++)
        axes[i] = i >= total ? i : i < total - first ? i + first : i - (total - first);
    return mica_transpose(s, r, (mica_dims){ r->ndim, axes });
}

static mica_array *get(mica_scope *s, const key *k)
{
    mica_array *a = k->array;
    bounds b;
    mica_py_bounds(k, a, &b);
    if (!k->nindexed) return finish_axes(s, k, mica_py_slice_part(s, a, &b), 0);
    if (k->sliced) a = mica_py_slice_part(s, a, &b);
    indices x;
    if (!a || !mica_py_index_arrays(s, k, a, &x)) return NULL;
    mica_array *r = mica_gather(s, a, (mica_arrays){ (size_t)x.n, x.at },
                                (mica_dims){ x.n, x.axes }, (mica_dims){ a->ndim, x.sizes });
    r = r ? finish_axes(s, k, r, x.ndim) : NULL;
    return mica_py_move_block(s, r, x.ndim, mica_py_rest_before(k), false);
}

static PyObject *read_item(PyObject *self, PyObject *o)
{
    mica_array *a = mica_py_array(self);
    if (PyLong_CheckExact(o) && a->ndim) { /* x[i], by far the most frequent */
        int overflow;
        long long i = PyLong_AsLongLongAndOverflow(o, &overflow), n = a->shape[0];
        if (overflow || i < -n || i >= n)
            return PyErr_Format(PyExc_IndexError,
                                "[__getitem__] index %R is out of range for axis 0 with size %lld",
                                o, n);
        return mica_py_array_row(a, i < 0 ? i + n : i);
    }
    key k;
    mica_scope s;
    static uint16_t origin;
    mica_py_begin(&s, NULL, "__getitem__", &origin);
    return mica_py_finish(&s, mica_py_read_key(&s, &k, o, a) ? get(&s, &k) : NULL);
}

PyObject *mica_py_getitem(PyObject *self, PyObject *o)
{
    return mica_py_recorded("getitem", read_item(self, o), self, o);
}
