/* The few lines that C tests share: CHECK counts and reports, the program's status says whether all
 * held. */
#ifndef MICA_TEST_CHECK_H
#define MICA_TEST_CHECK_H

#include <stdio.h>
#include <string.h>

static int checks, failures;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        checks++;                                                                                  \
        if (!(condition)) {                                                                        \
            failures++;                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
        }                                                                                          \
    } while (0)

/* Both sides are evaluated once and shown when they differ. */
#define CHECK_EQUAL(a, b)                                                                          \
    do {                                                                                           \
        long long check_a = (long long)(a), check_b = (long long)(b);                              \
        checks++;                                                                                  \
        if (check_a != check_b) {                                                                  \
            failures++;                                                                            \
            fprintf(stderr, "%s:%d: %s is %lld, %s is %lld\n", __FILE__, __LINE__, #a, check_a,    \
                    #b, check_b);                                                                  \
        }                                                                                          \
    } while (0)

#define CHECK_TEXT(a, b)                                                                           \
    do {                                                                                           \
        const char *check_a = (a), *check_b = (b);                                                 \
        checks++;                                                                                  \
        if (strcmp(check_a, check_b) != 0) {                                                       \
            failures++;                                                                            \
            fprintf(stderr, "%s:%d: '%s', expected '%s'\n", __FILE__, __LINE__, check_a, check_b); \
        }                                                                                          \
    } while (0)

#define CHECK_MENTIONS(text, part)                                                                 \
    do {                                                                                           \
        const char *check_a = (text), *check_b = (part);                                           \
        checks++;                                                                                  \
        if (!strstr(check_a, check_b)) {                                                           \
            failures++;                                                                            \
            fprintf(stderr, "%s:%d: '%s' does not mention '%s'\n", __FILE__, __LINE__, check_a,    \
                    check_b);                                                                      \
        }                                                                                          \
    } while (0)

static inline int check_report(const char *name)
{
    printf("%s: %d checks, %d failures\n", name, checks, failures);
    return failures != 0;
}

#endif
