/* The doctor's half in the engine: what it notes of evaluations, memory and mistakes, that it costs
 * no result when memory runs short, and that plans can be looked at without running. */
#include <stdlib.h>

#include "base/config.h"
#include "doctor/doctor.h"
#include "failing.h"
#include "ops/prim.h"

static uint32_t line;

static uint32_t here(void)
{
    return line;
}

static const mica__finding *found(uint32_t rule)
{
    const mica__record *r = mica__doctor_record();
    for (size_t i = 0; i < r->nfindings; i++)
        if (r->findings[i].rule == rule) return &r->findings[i];
    return NULL;
}

/* Lines are said by opening a scope on each. */
static mica_array *on_line(mica_scope *s, uint32_t number,
                           mica_array *(*make)(mica_scope *, void *), void *user)
{
    line = number;
    mica_scope *t = mica_scope_open(s);
    mica_array *a = make(t, user);
    mica_scope_close_keeping(t, &a, 1);
    return mica_scope_own(s, a);
}

static mica_array *make_half(mica_scope *s, void *user)
{
    (void)user;
    return mica_ones(s, MICA_SHAPE(64, 64), MICA_FLOAT16);
}
static mica_array *make_number(mica_scope *s, void *user)
{
    (void)user;
    return mica_scalar(s, 2, MICA_FLOAT32);
}
static mica_array *make_product(mica_scope *s, void *user)
{
    mica_array **ab = user;
    return mica_multiply(s, ab[0], ab[1]);
}

static void test_promotion_and_lines(void)
{
    live before = live_now();
    CHECK_EQUAL(mica__doctor_start(here, MICA_DOCTOR_STEPS), MICA_OK);
    CHECK(mica__doctor_is_on());
    CHECK_EQUAL(mica__doctor_start(here, 0), MICA_ERUNTIME);
    mica_scope *s = mica_scope_open(NULL);
    mica_array *ab[2] = { on_line(s, 10, make_half, NULL), on_line(s, 11, make_number, NULL) };
    mica_array *product = on_line(s, 12, make_product, ab);
    CHECK_EQUAL(mica_dtype_of(product), MICA_FLOAT32);
    CHECK_EQUAL(mica_eval(s, &product, 1), MICA_OK);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    mica__doctor_stop();
    const mica__finding *f = found(201);
    CHECK(f != NULL);
    if (f) {
        CHECK_EQUAL(f->site, 12);
        CHECK_EQUAL(f->cause, 11);
        CHECK_EQUAL(f->count, 1);
        CHECK_EQUAL(f->bytes, 4 * 64 * 64);
    }
    const mica__record *r = mica__doctor_record();
    CHECK_EQUAL(r->total_evaluations, 1);
    CHECK_EQUAL(r->nevaluations, 1);
    CHECK_EQUAL(r->evaluations[0].nodes, 3); /* broadcast, cast, product */
    CHECK(r->evaluations[0].begin <= r->evaluations[0].planned);
    CHECK(r->evaluations[0].planned <= r->evaluations[0].end);
    CHECK_EQUAL(r->nsteps, r->total_steps);
    CHECK_EQUAL(r->accounts[12].taken, 4 * 64 * 64);
    CHECK_EQUAL(r->accounts[12].live, 0);
    CHECK_EQUAL(r->accounts[12].at_peak, 4 * 64 * 64);
    CHECK_EQUAL(r->left_out, 0);
    CHECK(r->largest && r->largest->nnodes == 3);
    mica__doctor_forget();
    CHECK(live_same(before, live_now()));
}

static mica_array *chain(mica_scope *s)
{
    mica_array *x = mica_ones(s, MICA_SHAPE(32, 32), MICA_FLOAT32);
    for (int i = 0; i < 10; i++)
        x = mica_add(s, mica_matmul(s, x, x), mica_sum(s, x, MICA_ALL_AXES, false));
    return mica_mean(s, x, MICA_ALL_AXES, false);
}

/* Each allocation fails in turn while the doctor watches: what it cannot note it leaves out. */
static void test_failures(void)
{
    line = 1;
    CHECK_EQUAL(mica__doctor_start(here, MICA_DOCTOR_STEPS), MICA_OK);
    check_each_failure(chain);
    mica__doctor_stop();
    mica__doctor_forget();
}

static void test_nothing_runs_for_a_sketch(void)
{
    live before = live_now();
    mica_scope *s = mica_scope_open(NULL);
    mica_array *x = mica_ones(s, MICA_SHAPE(32, 32), MICA_FLOAT32);
    mica_array *y = mica_add(s, mica_exp(s, mica_matmul(s, x, x)), x);
    mica__sketch *plan = NULL;
    CHECK_EQUAL(mica__sketch_of(&plan, &y, 1), MICA_OK);
    CHECK(!mica__is_done(y));
    CHECK_EQUAL(plan->nnodes, 4);
    const mica__sketch_node *last = &plan->nodes[plan->nnodes - 1];
    CHECK_EQUAL(last->prim, mica_prim_add);
    CHECK_EQUAL(last->bytes, 4 * 32 * 32);
    CHECK(last->kept);
    CHECK(plan->inputs[last->first_input].node >= 0);
    mica__sketch_free(plan);
    for (int64_t k = 0; k < 12; k++) { /* it fails cleanly too */
        mica__inject_failure(k);
        plan = NULL;
        int status = mica__sketch_of(&plan, &y, 1);
        mica__inject_failure(-1);
        CHECK(status == MICA_OK ? plan != NULL : status == MICA_EMEMORY && !plan);
        mica__sketch_free(plan);
    }
    CHECK(mica_item(s, mica_sum(s, y, MICA_ALL_AXES, false)) > 0);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    CHECK(live_same(before, live_now()));
}

static void test_first_nonfinite(void)
{
    line = 7;
    CHECK_EQUAL(mica__doctor_start(here, MICA_DOCTOR_NONFINITE), MICA_OK);
    CHECK(!mica__setting_flag(MICA_SETTING_fuse));
    mica_scope *s = mica_scope_open(NULL);
    float values[3] = { 1, 0, 2 };
    mica_array *x = mica_from_data(s, values, MICA_SHAPE(3), MICA_FLOAT32);
    mica_array *y = mica_multiply(s, mica_log(s, x), mica_number(s, 0));
    CHECK_EQUAL(mica_eval(s, &y, 1), MICA_OK);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    mica__doctor_stop();
    CHECK(mica__setting_flag(MICA_SETTING_fuse));
    const mica__first_nonfinite *f = &mica__doctor_record()->nonfinite;
    CHECK(f->found);
    CHECK_EQUAL(f->prim, mica_prim_log);
    CHECK_EQUAL(f->site, 7);
    CHECK_EQUAL(f->result.infinities, 1);
    CHECK_EQUAL(f->noperands, 1);
    CHECK(f->operands[0].smallest == 0 && f->operands[0].largest == 2);
    mica__doctor_forget();
}

int main(void)
{
    test_promotion_and_lines();
    test_failures();
    test_nothing_runs_for_a_sketch();
    test_first_nonfinite();
    return check_report("doctor");
}
