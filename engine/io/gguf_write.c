/* Headers of gguf files written; gguf.c describes them. */
#include "io/gguf.h"

static void put(mica__text *t, size_t bytes, uint64_t word)
{
    unsigned char out[8];
    for (size_t i = 0; i < bytes; i++) out[i] = (unsigned char)(word >> 8 * i);
    mica__text_add(t, out, bytes);
}

static void put_text(mica__text *t, const char *text, size_t n)
{
    put(t, 8, n);
    mica__text_add(t, text, n);
}

static int put_value(mica__text *t, const mica__gguf_value *v, const void *numbers)
{
    if (!mica__utf8_valid(v->key, strlen(v->key)))
        return mica__fail(MICA_EVALUE, "[save_gguf] the name of a value is not UTF-8");
    put_text(t, v->key, strlen(v->key));
    put(t, 4, v->list ? MICA_GGUF_VALUE_ARRAY : v->type);
    if (v->list) {
        put(t, 4, v->type);
        put(t, 8, v->count);
    }
    if (v->type == MICA_GGUF_VALUE_STRING)
        for (uint64_t i = 0; i < v->count; i++) put_text(t, v->texts[i], v->lengths[i]);
    else mica__text_add(t, numbers, (size_t)v->count * mica__gguf_number_bytes[v->type]);
    return MICA_OK;
}

static int put_tensor(mica__text *t, mica__gguf_tensor *x, uint64_t *end)
{
    uint32_t elements = 1, bytes = 1;
    uint64_t size = 1;
    bool empty = false;
    if (!mica__utf8_valid(x->name, strlen(x->name)))
        return mica__fail(MICA_EVALUE, "[save_gguf] the name of an array is not UTF-8");
    if (x->ndim > MICA__GGUF_AXES)
        return mica__fail(MICA_EVALUE,
                          "[save_gguf] '%s' has %d axes; arrays of gguf files have at most 8",
                          x->name, x->ndim);
    put_text(t, x->name, strlen(x->name));
    put(t, 4, (uint64_t)x->ndim);
    for (int i = x->ndim - 1; i >= 0; i--) {
        put(t, 8, (uint64_t)x->shape[i]);
        empty |= !x->shape[i];
        if (x->shape[i] && __builtin_mul_overflow(size, (uint64_t)x->shape[i], &size))
            return mica__fail(MICA_EOVERFLOW, "[save_gguf] '%s' is too large", x->name);
    }
    mica__gguf_block(x->type, &elements, &bytes);
    if (empty) size = 0;
    x->offset = *end;
    if (__builtin_mul_overflow(size / elements, bytes, &x->bytes) ||
        __builtin_add_overflow(*end, x->bytes, end) ||
        __builtin_add_overflow(*end, -*end & (MICA__GGUF_ALIGNMENT - 1), end))
        return mica__fail(MICA_EOVERFLOW, "[save_gguf] the arrays are too large");
    put(t, 4, x->type);
    put(t, 8, x->offset);
    return MICA_OK;
}

static int check_given(const mica__gguf_tensor *tensors, size_t n, const mica__gguf_value *values,
                       size_t nvalues)
{
    size_t most = n > nvalues ? n : nvalues;
    const char **names = mica__alloc_zero(most, sizeof *names);
    if (!names) return MICA_EMEMORY;
    for (size_t i = 0; i < n; i++) names[i] = tensors[i].name;
    bool twice = mica__twin(names, n);
    for (size_t i = 0; i < nvalues; i++) names[i] = values[i].key;
    twice = twice || mica__twin(names, nvalues);
    mica__free(names);
    return twice ? mica__fail(MICA_EVALUE, "[save_gguf] a name is there twice") : MICA_OK;
}

int mica__gguf_header(mica__text *header, mica__gguf_tensor *tensors, size_t ntensors,
                      const mica__gguf_value *values, const void *const numbers[], size_t nvalues)
{
    static const char zeros[MICA__GGUF_ALIGNMENT];
    uint64_t end = 0;
    MICA_TRY(check_given(tensors, ntensors, values, nvalues));
    mica__text_add(header, "GGUF", 4);
    put(header, 4, 3);
    put(header, 8, ntensors);
    put(header, 8, nvalues);
    for (size_t i = 0; i < nvalues; i++) MICA_TRY(put_value(header, &values[i], numbers[i]));
    for (size_t i = 0; i < ntensors; i++) MICA_TRY(put_tensor(header, &tensors[i], &end));
    mica__text_add(header, zeros, -header->n & (MICA__GGUF_ALIGNMENT - 1));
    for (size_t i = 0; i < ntensors; i++) tensors[i].offset += header->n;
    return header->status;
}
