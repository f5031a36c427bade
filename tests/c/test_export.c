/* Functions in files: calls, signatures, sizes, captured arrays, damage, failing allocations. */
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "failing.h"
#include "io/export.h"
#include "mica/mica.h"
#include "ops/infer.h"

static char path[64];

/* {exp(x) @ w + 1, sorted}: w is captured. */
static mica_arrays layer(mica_scope *s, mica_arrays in, void *w)
{
    mica_array **out = mica__scope_alloc(s, 2 * sizeof *out);
    if (!out) return (mica_arrays){ 0, NULL };
    out[0] = mica_add(s, mica_matmul(s, mica_exp(s, in.at[0]), w), mica_number(s, 1));
    out[1] = mica_sort(s, out[0], -1);
    return out[0] && out[1] ? (mica_arrays){ 2, out } : (mica_arrays){ 0, NULL };
}

static mica_arrays difference(mica_scope *s, mica_arrays in, void *user)
{
    (void)user;
    mica_array **out = mica__scope_alloc(s, sizeof *out);
    if (out) out[0] = mica_subtract(s, in.at[0], in.at[1]);
    return out && out[0] ? (mica_arrays){ 1, out } : (mica_arrays){ 0, NULL };
}

static double total(mica_scope *s, mica_array *a)
{
    return mica_item(s, mica_sum(s, a, MICA_ALL_AXES, false));
}

static void test_round_trip(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *x = mica_arange(s, 0, 2, 0.25, MICA_FLOAT32),
               *w = mica_random_normal(s, MICA_SHAPE(4, 3), MICA_FLOAT32, NULL, NULL,
                                       mica_random_key(s, 1));
    x = mica_reshape(s, x, MICA_SHAPE(2, 4));
    mica_arrays in = { 1, &x }, got, want = layer(s, in, w);
    CHECK_EQUAL(mica_export_function(s, path, layer, w, in), MICA_OK);
    mica_imported *f = NULL;
    CHECK_EQUAL(mica_import_function(path, &f), MICA_OK);
    unlink(path); /* the mapping stays */
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(mica_imported_call(s, f, in, NULL, 0, &got), MICA_OK);
        CHECK_EQUAL(got.n, 2);
        for (size_t k = 0; k < got.n; k++) CHECK(total(s, got.at[k]) == total(s, want.at[k]));
    }
    mica_imported_release(f);
    CHECK(total(s, got.at[0]) == total(s, want.at[0])); /* results outlive it */
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void test_signatures(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a = mica_ones(s, MICA_SHAPE(3), MICA_FLOAT32),
               *b = mica_ones(s, MICA_SHAPE(2, 3), MICA_FLOAT32);
    static const char *const names[] = { "y", "x" }, *const other[] = { "x", "y" };
    mica_array *first[2] = { a, a }, *second[2] = { b, a };
    mica_exporter *e = NULL;
    CHECK_EQUAL(mica_exporter_open(path, MICA_EXPORT_MICA, false, "text", &e), MICA_OK);
    CHECK_EQUAL(mica_exporter_add(s, e, difference, NULL, (mica_arrays){ 2, first }, names, 2),
                MICA_OK);
    CHECK_EQUAL(mica_exporter_add(s, e, difference, NULL, (mica_arrays){ 2, second }, NULL, 0),
                MICA_OK);
    mica_scope *t = mica_scope_open(s);
    CHECK_EQUAL(mica_exporter_add(t, e, difference, NULL, (mica_arrays){ 2, second }, NULL, 0),
                MICA_ERUNTIME);
    mica_scope_close(t);
    CHECK_EQUAL(mica_exporter_commit(e), MICA_OK);
    mica_exporter_release(e);
    mica_imported *f = NULL;
    mica_arrays got;
    CHECK_EQUAL(mica_import_function(path, &f), MICA_OK);
    CHECK(strcmp(mica_imported_metadata(f), "text") == 0);
    mica_array *two = mica_full(s, MICA_SHAPE(3), mica_number(s, 2), MICA_FLOAT32);
    mica_array *named[2] = { two, a }; /* x = 2, y = 1: y - x */
    CHECK_EQUAL(mica_imported_call(s, f, (mica_arrays){ 2, named }, other, 2, &got), MICA_OK);
    CHECK(total(s, got.at[0]) == -3);
    t = mica_scope_open(s);
    CHECK_EQUAL(mica_imported_call(t, f, (mica_arrays){ 2, named }, NULL, 0, &got), MICA_EVALUE);
    CHECK(strstr(mica_last_error(), "Possible functions include") != NULL);
    mica_scope_close(t);
    mica_imported_release(f);
    CHECK_EQUAL(mica_import_function("/nonexistent/file", &f), MICA_EIO);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void test_shapeless(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *x = mica_ones(s, MICA_SHAPE(2, 5, 4), MICA_FLOAT32),
               *y = mica_ones(s, MICA_SHAPE(3, 1, 4), MICA_FLOAT32),
               *w = mica_ones(s, MICA_SHAPE(4, 3), MICA_FLOAT32);
    mica_exporter *e = NULL;
    mica_imported *f = NULL;
    mica_arrays got;
    CHECK_EQUAL(mica_exporter_open(path, MICA_EXPORT_MICA, true, NULL, &e), MICA_OK);
    CHECK_EQUAL(mica_exporter_add(s, e, layer, w, (mica_arrays){ 1, &x }, NULL, 0), MICA_OK);
    CHECK_EQUAL(mica_exporter_commit(e), MICA_OK);
    mica_exporter_release(e);
    CHECK_EQUAL(mica_import_function(path, &f), MICA_OK);
    CHECK_EQUAL(mica_imported_call(s, f, (mica_arrays){ 1, &y }, NULL, 0, &got), MICA_OK);
    CHECK_EQUAL(got.at[1]->shape[0], 3);
    CHECK(total(s, got.at[0]) == total(s, layer(s, (mica_arrays){ 1, &y }, w).at[0]));
    mica_imported_release(f);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* Every primitive has a rule, or is one of those that no file may hold. */
static void test_every_primitive(void)
{
    for (int i = 0; i < MICA_PRIM_COUNT; i++) {
        bool apart = i == mica_prim_constant || i == mica_prim_placeholder ||
                     i == mica_prim_alias || i == mica_prim_custom;
        if (mica__infer_knows((mica_prim)i) == apart)
            printf("the primitive %s has no row in ops/infer.def\n", mica__prims[i].name);
        CHECK(mica__infer_knows((mica_prim)i) != apart);
    }
}

/* Nodes that no builder makes. */
static void test_refusals(void)
{
    static const int64_t wrong[] = { 0, 1, 1 }, far[] = { 9 }, one[] = { 1 }, many[] = { 5 };
    mica_scope *s = mica_scope_open(NULL);
    mica_array *x = mica_ones(s, MICA_SHAPE(4), MICA_FLOAT32);
    const struct {
        mica_prim prim;
        union {
            struct mica__slice_params slice;
            struct mica__transpose_params transpose;
            struct mica__sort_params sort;
            struct mica__reshape_params reshape;
            struct mica__gather_params gather;
        } params;
    } nodes[] = {
        { mica_prim_slice, { .slice = { { 1, far }, { 1, one }, { 1, one }, 0 } } },
        { mica_prim_slice, { .slice = { { 1, one }, { 1, one }, { 1, many }, 0 } } },
        { mica_prim_transpose, { .transpose = { { 3, wrong }, 0 } } },
        { mica_prim_sort, { .sort = { .axis = 1 } } },
        { mica_prim_reshape, { .reshape = { { 1, many }, 0 } } },
        { mica_prim_gather, { .gather = { { 1, one }, { 1, one }, 0 } } },
    };
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        mica_scope *t = mica_scope_open(s);
        mica_dtype dtype = MICA_FLOAT32;
        mica_dims shape = mica_shape(x);
        char params[sizeof nodes->params];
        memcpy(params, &nodes[i].params, sizeof params);
        mica__inference n = { t, nodes[i].prim, params, 1, &x, false, 1, &dtype, &shape };
        CHECK(!mica__infer(&n));
        CHECK_EQUAL(mica_scope_close(t), MICA_EIO);
    }
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static mica_array *export_and_call(mica_scope *s)
{
    mica_array *x = mica_ones(s, MICA_SHAPE(2, 4), MICA_FLOAT32),
               *w = mica_ones(s, MICA_SHAPE(4, 3), MICA_FLOAT32);
    mica_imported *f = NULL;
    mica_arrays in = { 1, &x }, got = { 0, NULL };
    if (!x || !w || mica_export_function(s, path, layer, w, in) != MICA_OK) return NULL;
    int status = mica_import_function(path, &f);
    if (status) return mica__scope_failed(s, status);
    if (mica_imported_call(s, f, in, NULL, 0, &got) != MICA_OK) got.n = 0;
    mica_imported_release(f);
    return got.n ? mica_sum(s, got.at[1], MICA_ALL_AXES, false) : NULL;
}

/* The same through a file for MLX. */
static mica_array *export_for_mlx(mica_scope *s)
{
    mica_array *x = mica_ones(s, MICA_SHAPE(2, 4), MICA_FLOAT32),
               *w = mica_ones(s, MICA_SHAPE(4, 3), MICA_FLOAT32);
    mica_exporter *e = NULL;
    mica_imported *f = NULL;
    mica_arrays in = { 1, &x }, got = { 0, NULL };
    if (!x || !w) return NULL;
    int status = mica_exporter_open(path, MICA_EXPORT_MLX, false, "text", &e);
    if (!status && mica_exporter_add(s, e, layer, w, in, NULL, 0) == MICA_OK)
        status = mica_exporter_commit(e);
    mica_exporter_release(e);
    if (!status && s->status == MICA_OK) status = mica_import_function(path, &f);
    if (status) return mica__scope_failed(s, status);
    if (s->status != MICA_OK || mica_imported_call(s, f, in, NULL, 0, &got) != MICA_OK) got.n = 0;
    mica_imported_release(f);
    return got.n ? mica_sum(s, got.at[1], MICA_ALL_AXES, false) : NULL;
}

int main(void)
{
    char folder[] = "/tmp/mica_export_XXXXXX";
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/f", folder);
    test_round_trip();
    test_signatures();
    test_shapeless();
    test_every_primitive();
    test_refusals();
    check_each_failure(export_and_call);
    check_each_failure(export_for_mlx);
    unlink(path);
    rmdir(folder);
    return check_report("export");
}
