/* Settings from the environment: read once, at the first use of any. The table is config.def. */
#ifndef MICA_ENGINE_CONFIG_H
#define MICA_ENGINE_CONFIG_H

#include "base/base.h"

typedef enum mica__setting {
#define SETTING(name, variable, alias, type, value, doc) MICA_SETTING_##name,
#include "base/config.def"
#undef SETTING
    MICA_SETTING_COUNT
} mica__setting;

typedef enum mica__setting_source {
    MICA_SOURCE_DEFAULT,     /* nobody said anything */
    MICA_SOURCE_ENVIRONMENT, /* the variable of mica */
    MICA_SOURCE_ALIAS,       /* the variable of the reference */
    MICA_SOURCE_OVERRIDE,    /* mica__setting_override */
    MICA_SOURCE_INVALID /* a variable is set to what its type does not accept: the default holds */
} mica__setting_source;

/* "auto" of a setting of type BYTES. */
#define MICA_SETTING_AUTO (-1)

bool mica__setting_flag(mica__setting setting);        /* FLAG */
int64_t mica__setting_number(mica__setting setting);   /* NUMBER, BYTES */
const char *mica__setting_text(mica__setting setting); /* TEXT; valid until the next override */

/* All about one setting, for listings; the texts are static, but `value` and `given` last until the
 * next override. */
typedef struct mica__setting_info {
    const char *name, *variable, *alias; /* alias may be NULL */
    const char *type;                    /* "FLAG", "NUMBER", "BYTES", "TEXT" */
    const char *value;                   /* in force, as text */
    const char *given; /* what the variable said when the source is INVALID, else NULL */
    const char *doc;
    mica__setting_source source;
} mica__setting_info;
/* index: 0 .. MICA_SETTING_COUNT - 1; MICA_EINDEX beyond. */
MICA_API int mica__setting_describe(mica__setting_info *info, size_t index);

/* MICA_EVALUE, and a message with what is accepted, when a variable of mica holds what its setting
   does not take. A variable of the reference is ignored then, as it is there. */
MICA_API int mica__settings_check(void);

/* Sets a setting by name for this process, as tests need; value NULL: back to the environment, read
   anew. Not while other threads run. MICA_EVALUE: no such setting or no such value. */
MICA_API int mica__setting_override(const char *name, const char *value);

#endif
