/* x[key] = value and x.at[key].add(value). */
#include "index.h"
#include "record.h"

#include "convert.h"
#include "mica/index.h"

/* v, which broadcasts to the shape of x[key], in the order of the array's axes: (index axes..., one
 * axis an axis of a). */
static mica_array *arrange(mica_scope *s, const key *k, mica_array *v, const mica_array *part,
                           const indices *x)
{
    int lead = x ? x->ndim : 0, before = x ? mica_py_rest_before(k) : 0, rest = 0;
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
    v = mica_py_move_block(s, v, lead, before, true);
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

static mica_array *update(mica_scope *s, const key *k, mica_array *v, mica_scatter_mode mode)
{
    mica_array *a = k->array;
    bounds b;
    mica_py_bounds(k, a, &b);
    mica_dims start = { b.ndim, b.start }, stop = { b.ndim, b.stop }, step = { b.ndim, b.step };
    if (!k->nindexed) {
        v = arrange(s, k, v, a, NULL);
        return v ? mica_slice_assign(s, a, v, start, stop, step, mode) : NULL;
    }
    mica_array *part = k->sliced ? mica_py_slice_part(s, a, &b) : a;
    indices x;
    if (!part || !mica_py_index_arrays(s, k, part, &x) || !(v = arrange(s, k, v, part, &x)))
        return NULL;
    mica_array *changed = mica_scatter(s, part, (mica_arrays){ (size_t)x.n, x.at }, v,
                                       (mica_dims){ x.n, x.axes }, mode);
    return changed && k->sliced
               ? mica_slice_assign(s, a, changed, start, stop, step, MICA_SCATTER_SET)
               : changed;
}

/* In the shape of `a`: without the axes of truth values. */
static mica_array *updated(mica_scope *s, const key *k, mica_array *a, mica_array *v,
                           mica_scatter_mode mode)
{
    mica_array *r = update(s, k, v, mode);
    return r && r->ndim != a->ndim ? mica__reshape(s, r, a->ndim, a->shape) : r;
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
    if (!repeats) {
        /* One element, or one part that broadcasts to the axes behind the mask's, for each true. */
        int64_t extra = v->ndim - rest.n - 1, lead = extra >= 0;
        for (int64_t i = 0; i < extra; i++)
            if (v->shape[i] != 1)
                return mica__error(s, MICA_EVALUE,
                                   "[index] a value of shape %s for the masked part, which has %d "
                                   "axes",
                                   mica__shape_text(mica__dims_of(v)), (int)rest.n + 1);
        if (extra > 0) v = mica__reshape(s, v, v->ndim - extra, v->shape + extra);
        if (!v) return NULL;
        if (lead) shape[0] = v->shape[0];
        for (int64_t i = 0; i < rest.n; i++) shape[lead + i] = rest.at[i];
        if (rest.n) v = mica_broadcast_to(s, v, (mica_dims){ lead + rest.n, shape });
        return v ? mica_masked_scatter(s, a, mask, v) : NULL;
    }
    for (int i = 0; i < a->ndim; i++) shape[i] = i < mask->ndim ? mask->shape[i] : 1;
    mask = mica__reshape(s, mask, a->ndim, shape);
    if (v->size == 1) v = mica__reshape(s, v, 0, NULL);
    return mask && v ? mica_where(s, mask, v, a) : NULL;
}

/* The value as an array of a's type: numbers are range-checked, arrays are cast. */
static mica_array *value_of(mica_scope *s, const char *name, PyObject *o, mica_array *a)
{
    if (PyList_Check(o) || PyTuple_Check(o) || o == Py_None)
        return mica__error(s, o == Py_None ? MICA_ETYPE : MICA_EVALUE,
                           "[index] a value must be an array or a number, not %s",
                           mica_py_type_name(o));
    mica_array *v = mica_py_operand(s, o, a);
    if (!v && PyErr_Occurred()) mica_py_name_error(name, "value");
    return v ? mica__cast(s, v, (mica_dtype)a->dtype) : NULL;
}

static int write_item(PyObject *self, PyObject *o, PyObject *value)
{
    mica_array *a = mica_py_array(self);
    mica_scope s;
    static uint16_t origin;
    mica_py_begin(&s, NULL, "__setitem__", &origin);
    mica_array *v = value_of(&s, "__setitem__", value, a), *r = NULL,
               *mask = v ? mask_of(&s, o) : NULL;
    key k;
    if (v && mask) r = assign_mask(&s, a, mask, v);
    else if (v && mica_py_read_key(&s, &k, o, a)) r = updated(&s, &k, a, v, MICA_SCATTER_SET);
    if (r && s.status == MICA_OK && !PyErr_Occurred())
        mica_py_replace(self, mica__cast(&s, r, (mica_dtype)a->dtype));
    int status = mica__scope_end(&s);
    if (PyErr_Occurred()) return -1;
    if (status) mica_py_raise(status);
    return status ? -1 : 0;
}

int mica_py_setitem(PyObject *self, PyObject *o, PyObject *value)
{
    if (!value) {
        PyErr_SetString(PyExc_TypeError, "[__delitem__] elements of an array cannot be deleted");
        return -1;
    }
    if (!mica_py_recording) return write_item(self, o, value);
    PyObject *before = mica_py_wrap(mica_py_array(self)), *result = NULL;
    if (before && write_item(self, o, value) == 0) result = Py_NewRef(self);
    if (before) result = mica_py_record_operands("setitem", result, before, o, value);
    Py_XDECREF(before);
    Py_XDECREF(result);
    return result ? 0 : -1;
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

/* One of the updates: what is done to the value, and how it meets the element. */
typedef struct change {
    const char *name;
    mica_scatter_mode mode;
    mica_array *(*prepare)(mica_scope *s, mica_array *v); /* NULL: as it is */
    uint16_t origin;                                      /* of the name, once it was used */
} change;

static PyObject *at_update(PyObject *self, PyObject *value, change *c)
{
    at_object *o = (at_object *)self;
    if (!o->key)
        return PyErr_Format(PyExc_ValueError, "[%s] must be given indices: x.at[indices].%s(value)",
                            c->name, c->name + 3);
    mica_array *a = mica_py_array(o->array);
    mica_scope s;
    mica_py_begin(&s, NULL, c->name, &c->origin);
    mica_array *v = value_of(&s, c->name, value, a);
    key k;
    if (v && c->prepare) v = c->prepare(&s, v);
    v = v ? mica__cast(&s, v, (mica_dtype)a->dtype) : NULL;
    PyObject *result = mica_py_finish(
        &s, v && mica_py_read_key(&s, &k, o->key, a) ? updated(&s, &k, a, v, c->mode) : NULL);
    if (!mica_py_recording) return result;
    PyObject *args = Py_BuildValue("(OOsO)", o->array, o->key, c->name + 3, value);
    if (args) result = mica_py_record_call("at", NULL, args, NULL, result);
    else Py_CLEAR(result);
    Py_XDECREF(args);
    return result;
}

#define UPDATE(function, mode, prepare)                                                            \
    static PyObject *at_##function(PyObject *self, PyObject *v)                                    \
    {                                                                                              \
        static change c = { "at." #function, mode, prepare, 0 };                                   \
        return at_update(self, v, &c);                                                             \
    }
UPDATE(add, MICA_SCATTER_SUM, NULL)
UPDATE(subtract, MICA_SCATTER_SUM, mica_negative)
UPDATE(multiply, MICA_SCATTER_PROD, NULL)
UPDATE(divide, MICA_SCATTER_PROD, mica_reciprocal)
UPDATE(maximum, MICA_SCATTER_MAX, NULL)
UPDATE(minimum, MICA_SCATTER_MIN, NULL)

static PyMethodDef at_methods[] = {
    { "add", at_add, METH_O,
      "add(value) -> array: with value added at the indices; duplicates accumulate." },
    { "subtract", at_subtract, METH_O,
      "subtract(value) -> array: with value subtracted at the indices; duplicates accumulate." },
    { "multiply", at_multiply, METH_O,
      "multiply(value) -> array: with the elements at the indices multiplied by value; duplicates "
      "accumulate." },
    { "divide", at_divide, METH_O,
      "divide(value) -> array: with the elements at the indices divided by value; duplicates "
      "accumulate." },
    { "maximum", at_maximum, METH_O,
      "maximum(value) -> array: with the larger of element and value at the indices; NaN is passed "
      "on." },
    { "minimum", at_minimum, METH_O,
      "minimum(value) -> array: with the smaller of element and value at the indices; NaN is "
      "passed on." },
    { NULL, NULL, 0, NULL },
};
static PyType_Slot at_slots[] = {
    { Py_tp_doc,
      "Indexed updates that return a new array: `x.at[index].add(value)`. The index is any that "
      "reads take: integers, slices, None, `...`, arrays of integers, boolean masks; the value "
      "broadcasts to what it selects and is converted to the array's type. An index out of range "
      "is an IndexError, at the call or, for arrays, at the evaluation." },
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
