/* Names of public functions by number. */
#include "core/origin.h"

static const char *names[MICA_ORIGIN_NAMES]; /* written while a front end starts */
static _Atomic uint16_t last;

uint16_t mica__origin_of(const char *name)
{
    uint16_t n = atomic_load(&last);
    for (uint16_t i = 1; i <= n; i++)
        if (strcmp(names[i], name) == 0) return i;
    if (n + 1 == MICA_ORIGIN_NAMES) return 0;
    names[n + 1] = name;
    atomic_store(&last, (uint16_t)(n + 1));
    return (uint16_t)(n + 1);
}

void mica__origin_name_error(uint16_t origin)
{
    origin %= MICA_ORIGIN_NAMES;
    if (!origin) return;
    const char *name = names[origin], *text = mica_last_error();
    const char *end = *text == '[' ? strchr(text, ']') : NULL;
    size_t n = strlen(name);
    if (!end) mica__fail(mica__last_status(), "[%s] %s", name, text);
    else if (n != (size_t)(end - text - 1) || strncmp(text + 1, name, n) != 0)
        mica__fail(mica__last_status(), "[%s]%s", name, end + 1);
}
