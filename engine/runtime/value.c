/* Values for C programs: single numbers, copies to memory, text. */
#include "core/print.h"
#include "runtime/runtime.h"

/* Evaluates for the scope; false when that fails. */
static bool evaluated(mica_scope *s, mica_array *a)
{
    if (!mica__scope_ok(s)) return false;
    if (!a) {
        mica__error(s, MICA_EVALUE, "[value] the array is NULL");
        return false;
    }
    return mica_eval(s, &a, 1) == MICA_OK;
}

/* After the values have been read. */
static int checked(mica_scope *s, const mica_array *a)
{
    int status = mica__check_values(a);
    if (status != MICA_OK) mica__scope_failed(s, status);
    return status;
}

double mica_item(mica_scope *s, mica_array *a)
{
    if (a && a->size != 1)
        mica__error(s, MICA_EVALUE, "[item] an array of shape %s has no single value",
                    mica__shape_text(mica__dims_of(a)));
    if (!evaluated(s, a)) return 0;
    double number = mica__load_number((mica_dtype)a->dtype, a->data);
    return checked(s, a) == MICA_OK ? number : 0;
}

int mica_to_data(mica_scope *s, mica_array *a, void *data, size_t bytes)
{
    if (!evaluated(s, a)) return mica_scope_status(s);
    size_t item = mica__dtype_sizes[a->dtype], need = (size_t)a->size * item;
    if (bytes < need) {
        mica__error(s, MICA_EVALUE, "[to_data] %zu bytes are given where shape %s of %s takes %zu",
                    bytes, mica__shape_text(mica__dims_of(a)),
                    mica_dtype_name((mica_dtype)a->dtype), need);
        return s->status;
    }
    int64_t index[MICA_MAX_NDIM] = { 0 };
    if (mica__is_row_major(a)) {
        if (need) memcpy(data, a->data, need);
        return checked(s, a);
    }
    const char *from = a->data;
    char *to = data;
    for (int64_t i = 0; i < a->size; i++, to += item) {
        memcpy(to, from, item);
        for (int axis = a->ndim - 1; axis >= 0; axis--) {
            from += a->strides[axis] * (int64_t)item;
            if (++index[axis] < a->shape[axis]) break;
            from -= a->strides[axis] * a->shape[axis] * (int64_t)item;
            index[axis] = 0;
        }
    }
    return checked(s, a);
}

const char *mica_describe(mica_scope *s, mica_array *a)
{
    if (!evaluated(s, a)) return "";
    char *text = mica__describe(a);
    if (checked(s, a) != MICA_OK) {
        mica__free(text);
        return "";
    }
    char *kept =
        text ? mica__scope_alloc(s, strlen(text) + 1) : mica__scope_failed(s, MICA_EMEMORY);
    if (kept) strcpy(kept, text);
    mica__free(text);
    return kept ? kept : "";
}
