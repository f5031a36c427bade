/* The calling thread's last error: its message and its status. */
#include <errno.h>
#include <stdio.h>

#include "base/base.h"

static _Thread_local char message[2048];
static _Thread_local int last_status;

/* Cuts a message that was too long at the start of a UTF-8 character, so that it stays valid text.
 */
static size_t whole_characters(const char *text, size_t length)
{
    size_t start = length;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80) start--;
    if (start == 0) return length;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t need = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    return length - (start - 1) >= need ? length : start - 1;
}

int mica__fail_v(int status, const char *format, va_list args)
{
    /* An argument may be the present message (to put something before it): format aside first. */
    char text[sizeof message];
    int saved = errno;
    int length = vsnprintf(text, sizeof text, format, args);
    if (length < 0) {
        text[0] = '\0';
        length = 0;
    }
    size_t n = (size_t)length;
    if (n >= sizeof text) n = whole_characters(text, sizeof text - 1);
    memcpy(message, text, n);
    message[n] = '\0';
    last_status = status;
    errno = saved;
    return status;
}

int mica__fail(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    mica__fail_v(status, format, args);
    va_end(args);
    return status;
}

void (*_Atomic mica__describe_memory)(char *text, size_t room);

int mica__fail_memory(const char *operation, size_t bytes)
{
    char state[160] = "";
    void (*describe)(char *, size_t) = atomic_load(&mica__describe_memory);
    if (describe) describe(state, sizeof state);
    return mica__fail(MICA_EMEMORY, "[%s] cannot allocate %zu bytes%s", operation, bytes, state);
}

int mica__last_status(void)
{
    return last_status;
}

void mica__clear_error(void)
{
    message[0] = '\0';
    last_status = MICA_OK;
}

const char *mica_last_error(void)
{
    return message;
}

const char *mica_status_text(int status)
{
    switch (status) {
#define STATUS(name, value, exception, text)                                                       \
    case value:                                                                                    \
        return text;
#include "base/status.def"
#undef STATUS
    default: return "an unknown status";
    }
}

#define STATUS(name, value, exception, text)                                                       \
    _Static_assert(MICA_##name == (value), "the enum and the table of status codes agree");
#include "base/status.def"
#undef STATUS

const char *mica_version(void)
{
    return MICA_VERSION;
}
