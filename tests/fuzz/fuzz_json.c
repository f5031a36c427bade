/* JSON, as headers of safetensors files have it; what is read as a text is written and read again.
 */
#include "fuzz.h"

#include "io/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mica__source from = fuzz_source(data, size);
    mica__arena arena = { 0 };
    mica__json *root = NULL;
    if (mica__json_parse(&root, &arena, from.base, size, NULL) == MICA_OK &&
        root->kind == MICA_JSON_STRING) {
        mica__text t = { 0 };
        mica__json *again = NULL;
        if (mica__json_add_string(&t, root->string, root->bytes) ||
            mica__json_parse(&again, &arena, t.at, t.n, NULL) || again->bytes != root->bytes ||
            memcmp(again->string, root->string, root->bytes) != 0)
            abort();
        mica__text_free(&t);
    }
    mica__arena_free(&arena);
    fuzz_finish(&from);
    return 0;
}
