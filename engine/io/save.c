/* Arrays to npy, safetensors and gguf files: row by row, without a copy of what is already in
   order. */
#include "io/array_io.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "mica/ops.h"
#include "runtime/runtime.h"

enum { CHUNK_BYTES = 1 << 18 };

/* ---- elements ---- */

/* The values of a mapped file that was cut short are zeros: nobody may take them for data. */
static int written(const mica_array *a, int status)
{
    int values = mica__check_values(a);
    return values ? values : status;
}

/* Elements in row-major order, through a small piece of memory. */
static int write_strided(const mica__sink *to, const mica_array *a)
{
    size_t item = mica__dtype_sizes[a->dtype], most = CHUNK_BYTES / item, n = 0;
    char *chunk = mica__alloc(CHUNK_BYTES);
    if (!chunk) return MICA_EMEMORY;
    int64_t index[MICA_MAX_NDIM] = { 0 };
    const char *from = a->data;
    int status = MICA_OK;
    for (int64_t i = 0; i < a->size && !status; i++) {
        memcpy(chunk + n++ * item, from, item);
        for (int axis = a->ndim - 1; axis >= 0; axis--) {
            ptrdiff_t step = (ptrdiff_t)(a->strides[axis] * (int64_t)item);
            from += step;
            if (++index[axis] < a->shape[axis]) break;
            from -= step * (ptrdiff_t)a->shape[axis];
            index[axis] = 0;
        }
        if (n < most && i + 1 < a->size) continue;
        status = mica__interrupt_hook && mica__interrupt_hook()
                     ? mica__fail_interrupted()
                     : to->write(to->user, chunk, n * item);
        n = 0;
    }
    mica__free(chunk);
    return status;
}

static int write_memory(const mica__sink *to, const mica_array *a)
{
    enum { PIECE = 64 << 20 };
    size_t bytes = (size_t)a->size * mica__dtype_sizes[a->dtype];
    int status = MICA_OK;
    for (size_t at = 0; at < bytes && !status; at += PIECE) {
        if (at && mica__interrupt_hook && mica__interrupt_hook()) return mica__fail_interrupted();
        status = to->write(to->user, a->data + at, bytes - at < PIECE ? bytes - at : PIECE);
    }
    return status;
}

int mica__write_row_major(const mica__sink *to, const mica_array *a)
{
    bool dense = a->size == 0 || mica__is_row_major(a);
    return written(a, dense ? write_memory(to, a) : write_strided(to, a));
}

static bool is_column_major(const mica_array *a)
{
    int64_t stride = 1;
    for (int i = 0; i < a->ndim; i++) {
        if (a->shape[i] != 1 && a->strides[i] != stride) return false;
        stride *= a->shape[i];
    }
    return a->size > 0;
}

/* ---- formats ---- */

int mica__write_npy(const mica__sink *to, const mica_array *a)
{
    mica__text header = { 0 };
    bool columns = !mica__is_row_major(a) && is_column_major(a);
    int status = mica__npy_header(&header, (mica_dtype)a->dtype, a->ndim, a->shape, columns);
    if (!status) status = to->write(to->user, header.at, header.n);
    mica__text_free(&header);
    MICA_TRY(status);
    return columns ? written(a, write_memory(to, a)) : mica__write_row_major(to, a);
}

static int write_tensors(const mica__sink *to, mica__tensor_entry *entries, size_t n,
                         const mica__text_pair *metadata, size_t count)
{
    mica__text header = { 0 };
    int status = mica__safetensors_header(&header, entries, n, metadata, count);
    if (!status) status = to->write(to->user, header.at, header.n);
    mica__text_free(&header);
    for (size_t i = 0; i < n && !status; i++) status = mica__write_row_major(to, entries[i].user);
    return status;
}

int mica__write_safetensors(const mica__sink *to, const char *const names[], mica_arrays arrays,
                            const mica_metadata *metadata, size_t count)
{
    mica__tensor_entry *entries = mica__alloc_zero(arrays.n, sizeof *entries);
    mica__text_pair *texts = mica__alloc_zero(count, sizeof *texts);
    int status = entries && texts ? MICA_OK : MICA_EMEMORY;
    for (size_t i = 0; i < arrays.n && !status; i++) {
        mica_array *a = arrays.at[i];
        entries[i] = (mica__tensor_entry){ .name = names[i],
                                           .dtype = (mica_dtype)a->dtype,
                                           .ndim = a->ndim,
                                           .shape = a->shape,
                                           .user = a };
    }
    for (size_t i = 0; i < count && !status; i++)
        texts[i] = (mica__text_pair){ metadata[i].key, metadata[i].value };
    if (!status) status = write_tensors(to, entries, arrays.n, texts, count);
    mica__free(entries);
    mica__free(texts);
    return status;
}

/* ---- files ---- */

static int write_file(void *writer, const void *data, size_t bytes)
{
    return mica__writer_write(writer, data, bytes);
}

/* Before anything is written: whether the elements of all arrays have room. */
static int reserve(mica__writer *w, mica_arrays arrays)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < arrays.n; i++)
        if (__builtin_add_overflow(
                bytes, (uint64_t)arrays.at[i]->size * mica__dtype_sizes[arrays.at[i]->dtype],
                &bytes))
            bytes = UINT64_MAX;
    return mica__writer_reserve(w, bytes);
}

static int open_file(mica_scope *s, const char *path, mica__writer **w)
{
    int status = mica__writer_open(w, "save", path);
    if (status) mica__scope_failed(s, status);
    return status;
}

static int end_file(mica_scope *s, mica__writer *w, int status)
{
    if (status) mica__writer_abort(w);
    else status = mica__writer_commit(w);
    if (status) mica__scope_failed(s, status);
    return status;
}

int mica_save_npy(mica_scope *s, const char *path, mica_array *a)
{
    if (!mica__scope_ok(s)) return mica_scope_status(s);
    if (!path) mica__error(s, MICA_EVALUE, "[save] the path is NULL");
    mica__writer *w;
    MICA_TRY(mica_eval(s, &a, 1));
    int status = open_file(s, path, &w);
    if (status) return status;
    status = reserve(w, (mica_arrays){ 1, &a });
    if (!status) status = mica__write_npy(&(mica__sink){ write_file, w }, a);
    return end_file(s, w, status);
}

/* Whether there are a path and all names; else the scope is marked. */
static bool are_named(mica_scope *s, const char *function, const char *path,
                      const char *const names[], size_t n)
{
    if (!mica__scope_ok(s)) return false;
    if (!path) return mica__error(s, MICA_EVALUE, "[%s] the path is NULL", function);
    for (size_t i = 0; i < n; i++)
        if (!names[i]) return mica__error(s, MICA_EVALUE, "[%s] name %zu is NULL", function, i);
    return true;
}

static bool all_given(mica_scope *s, const char *path, const char *const names[], size_t n,
                      const mica_metadata *metadata, size_t count)
{
    if (!are_named(s, "save_safetensors", path, names, n)) return false;
    for (size_t i = 0; i < count; i++)
        if (!metadata[i].key || !metadata[i].value)
            return mica__error(s, MICA_EVALUE, "[save_safetensors] metadata %zu are NULL", i);
    return true;
}

int mica_save_safetensors(mica_scope *s, const char *path, const char *const names[],
                          mica_arrays arrays, const mica_metadata *metadata, size_t count)
{
    if (!all_given(s, path, names, arrays.n, metadata, count)) return mica_scope_status(s);
    mica__writer *w;
    MICA_TRY(mica_eval(s, arrays.at, arrays.n));
    int status = open_file(s, path, &w);
    if (status) return status;
    mica__sink to = { write_file, w };
    status = reserve(w, arrays);
    if (!status) status = mica__write_safetensors(&to, names, arrays, metadata, count);
    return end_file(s, w, status);
}

static bool values_given(mica_scope *s, const char *path, const char *const names[], size_t n,
                         const mica_value *values, size_t count)
{
    if (!are_named(s, "save_gguf", path, names, n)) return false;
    for (size_t i = 0; i < count; i++)
        if (!values[i].key || (!values[i].array && values[i].count && !values[i].texts))
            return mica__error(s, MICA_EVALUE, "[save_gguf] value %zu is NULL", i);
    return true;
}

mica_value *mica__values_in_order(mica_scope *s, const mica_value *values, size_t count)
{
    mica_value *own = mica__scope_alloc(s, (count + 1) * sizeof *own);
    for (size_t i = 0; own && i < count; i++) {
        own[i] = values[i];
        if (!values[i].array) continue;
        own[i].array = mica_contiguous(s, values[i].array, false);
        if (!own[i].array || mica_eval(s, &own[i].array, 1) != MICA_OK) return NULL;
    }
    return own;
}

int mica_save_gguf(mica_scope *s, const char *path, const char *const names[], mica_arrays arrays,
                   const mica_value *values, size_t count)
{
    if (!values_given(s, path, names, arrays.n, values, count)) return mica_scope_status(s);
    mica__writer *w;
    values = mica__values_in_order(s, values, count);
    if (!values) return s->status;
    MICA_TRY(mica_eval(s, arrays.at, arrays.n));
    int status = open_file(s, path, &w);
    if (status) return status;
    mica__sink to = { write_file, w };
    status = reserve(w, arrays);
    if (!status) status = mica__write_gguf(&to, names, arrays, values, count);
    return end_file(s, w, status);
}
