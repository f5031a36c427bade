/* Work whose allocations fail, each in turn. */
#ifndef MICA_TEST_FAILING_H
#define MICA_TEST_FAILING_H

#include "base/base.h"
#include "check.h"
#include "live.h"
#include "mica/mica.h"

/* Each allocation fails in turn: a status, no leak, and the same number the next time. */
static void check_each_failure(mica_array *(*work)(mica_scope *s))
{
    mica_scope *s = mica_scope_open(NULL);
    double expected = mica_item(s, work(s));
    CHECK(expected == expected);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    live before = live_now();
    int failed = 0;
    for (int64_t k = 0; k < 4000; k++) {
        mica__inject_failure(k);
        s = mica_scope_open(NULL);
        double x = mica_item(s, work(s));
        int status = mica_scope_close(s);
        mica__inject_failure(-1);
        CHECK(status == MICA_OK ? x == expected : status == MICA_EMEMORY);
        failed += status != MICA_OK;
        if (status == MICA_OK && k > 100) break;
    }
    CHECK(failed > 50);
    CHECK(live_same(before, live_now()));
}

#endif
