/* What a length needs: factors and twiddles, rounded once from double. Plans stay in a bounded
   cache. */
#include <math.h>

#include "backend/cpu/fft.h"
#include "base/thread.h"

enum { CACHED = 64, SMALL = 16 };
#define CACHED_BYTES ((size_t)96 << 20)

static void put_root(int64_t k, int64_t n, float *re, float *im)
{
    double c, s;
    mica__fft_root(k, n, &c, &s);
    *re = (float)c;
    *im = (float)s;
}

bool mica__fft_is_smooth(int64_t n)
{
    for (int64_t p = 2; p <= MICA_FFT_PRIME; p++)
        while (n % p == 0) n /= p;
    return n == 1;
}

/* ---- making ---- */

/* Radix 8 as long as it goes; 2 is better spent as part of two fours. */
static int factor(int64_t n, int radix[MICA_FFT_PASSES])
{
    int passes = 0, twos = 0;
    while (n % 2 == 0) n /= 2, twos++;
    while (twos >= 5 || twos == 3) radix[passes++] = 8, twos -= 3;
    while (twos >= 2) radix[passes++] = 4, twos -= 2;
    if (twos) radix[passes++] = 2;
    for (int p = 3; n > 1; p += 2)
        while (n % p == 0) radix[passes++] = p, n /= p;
    return passes;
}

static int make_passes(mica__fft_plan *p)
{
    int radix[MICA_FFT_PASSES];
    if (!mica__fft_is_smooth(p->n)) return mica__fft_make_convolution(p);
    p->passes = factor(p->n, radix);
    int64_t pairs = 0, left = p->n;
    for (int i = 0; i < p->passes; i++) {
        left /= radix[i];
        pairs += left * (radix[i] - 1) + radix[i];
    }
    float *at = mica__fft_table(p, pairs);
    if (!at) return MICA_EMEMORY;
    int64_t whole = p->n;
    for (int i = 0; i < p->passes; i++) {
        int r = radix[i];
        int64_t m = whole / r;
        p->pass[i] = (mica__fft_pass){ r, at, at + 2 * m * (r - 1) };
        for (int64_t k = 0; k < m; k++)
            for (int64_t j = 1; j < r; j++, at += 2) put_root(k * j, whole, at, at + 1);
        for (int j = 0; j < r; j++, at += 2) {
            put_root(j, r, at, at + 1);
            at[1] = -at[1]; /* the sine itself */
        }
        whole = m;
    }
    return MICA_OK;
}

/* A line of twiddles: exp(-2 pi i k j / n) for all columns j. */
static void fill_line(int64_t k, int64_t columns, int64_t n, float *line)
{
    for (int64_t j = 0; j < columns; j++) put_root(k * j, n, line + j, line + columns + j);
}

static int make_steps(mica__fft_plan *p, int64_t rows)
{
    int64_t columns = p->n / rows;
    p->way = MICA_FFT_STEPS;
    MICA_TRY(mica__fft_plan_take(rows, MICA_FFT_SIDE_BY_SIDE, &p->first));
    MICA_TRY(mica__fft_plan_take(columns, MICA_FFT_SIDE_BY_SIDE, &p->second));
    p->grain = rows;
    if (p->n > 65536)
        for (p->grain = 1; p->grain * p->grain < rows;) p->grain *= 2;
    int64_t lines = (rows + p->grain - 1) / p->grain;
    float *at = mica__fft_table(p, (p->grain + (lines > 1 ? lines : 0)) * columns);
    if (!at) return MICA_EMEMORY;
    p->fine = at;
    for (int64_t k = 0; k < p->grain; k++, at += 2 * columns)
        fill_line(k % p->n, columns, p->n, at);
    if (lines > 1) p->coarse = at;
    for (int64_t k = 0; k < lines && lines > 1; k++, at += 2 * columns)
        fill_line(k * p->grain, columns, p->n, at);
    return MICA_OK;
}

/* The largest divisor up to the square root. */
static int64_t divide(int64_t n)
{
    int64_t d = (int64_t)sqrt((double)n);
    while (d > 1 && (n % d != 0 || d * d > n)) d--;
    return d;
}

static int make_row(mica__fft_plan *p)
{
    if (!mica__fft_is_smooth(p->n)) return mica__fft_make_convolution(p);
    int64_t rows = p->n >= SMALL ? divide(p->n) : 1;
    if (rows >= 4) return make_steps(p, rows);
    p->way = MICA_FFT_DIRECT;
    return mica__fft_plan_take(p->n, MICA_FFT_SIDE_BY_SIDE, &p->first);
}

static int make_real(mica__fft_plan *p)
{
    int64_t count = p->n / 4 + 1;
    float *at = mica__fft_table(p, count);
    if (!at) return MICA_EMEMORY;
    p->half = at;
    for (int64_t k = 0; k < count; k++) put_root(k, p->n, at + 2 * k, at + 2 * k + 1);
    return MICA_OK;
}

/* What lies in the cache is not alive: its two blocks are counted no more, and again before they
   are freed. */
static void count(const mica__fft_plan *p, int sign)
{
    mica__live_add(MICA_LIVE_HOST, sign * (p->numbers ? 2 : 1));
}

static void destroy(mica__fft_plan *p)
{
    if (!p) return;
    if (p->cached) count(p, 1);
    mica__fft_plan_give(p->first);
    mica__fft_plan_give(p->second);
    mica__fft_plan_give(p->row);
    mica__free(p->numbers);
    mica__free(p);
}

static int make(int64_t n, mica__fft_use use, mica__fft_plan **plan)
{
    mica__fft_plan *p = mica__alloc_zero(1, sizeof *p);
    if (!p) return MICA_EMEMORY;
    p->n = n;
    p->use = use;
    int status = use == MICA_FFT_SIDE_BY_SIDE ? make_passes(p)
                 : use == MICA_FFT_ROW        ? make_row(p)
                                              : make_real(p);
    if (status == MICA_OK) *plan = p;
    else destroy(p);
    return status;
}

/* ---- the cache ---- */

static struct {
    mica__mutex lock;
    mica__fft_plan *plans[CACHED]; /* the one used last stands first */
    int count;
    size_t bytes;
} cache = { .lock = MICA_MUTEX_INIT };
static mica__once registered = MICA_ONCE_INIT;

static void lock_cache(void)
{
    mica__mutex_lock(&cache.lock);
}
static void unlock_cache(void)
{
    mica__mutex_unlock(&cache.lock);
}
static void register_fork(void)
{
    mica__at_fork(lock_cache, unlock_cache, unlock_cache);
}

static mica__fft_plan *find(int64_t n, mica__fft_use use)
{
    for (int i = 0; i < cache.count; i++) {
        mica__fft_plan *p = cache.plans[i];
        if (p->n != n || p->use != use) continue;
        memmove(cache.plans + 1, cache.plans, (size_t)i * sizeof *cache.plans);
        cache.plans[0] = p;
        p->references++;
        return p;
    }
    return NULL;
}

/* Puts p in front with one reference of the cache and one of the caller; plans that leave the cache
 * go to `left`. */
static int enter(mica__fft_plan *p, mica__fft_plan *left[CACHED])
{
    int n = 0;
    while (cache.count && (cache.count == CACHED || cache.bytes + p->bytes > CACHED_BYTES)) {
        mica__fft_plan *last = cache.plans[--cache.count];
        cache.bytes -= last->bytes;
        if (--last->references == 0) left[n++] = last;
    }
    memmove(cache.plans + 1, cache.plans, (size_t)cache.count * sizeof *cache.plans);
    cache.plans[0] = p;
    cache.count++;
    cache.bytes += p->bytes;
    p->references = 2;
    p->cached = true;
    count(p, -1);
    return n;
}

int mica__fft_plan_take(int64_t n, mica__fft_use use, const mica__fft_plan **plan)
{
    mica__call_once(&registered, register_fork);
    lock_cache();
    mica__fft_plan *p = find(n, use);
    unlock_cache();
    if (!p) {
        mica__fft_plan *made, *left[CACHED];
        MICA_TRY(make(n, use, &made));
        lock_cache();
        p = find(n, use); /* another thread may have been faster */
        int gone = 0;
        if (!p) {
            gone = enter(made, left);
            p = made;
            made = NULL;
        }
        unlock_cache();
        destroy(made);
        while (gone) destroy(left[--gone]);
    }
    *plan = p;
    return MICA_OK;
}

void mica__fft_plan_give(const mica__fft_plan *plan)
{
    mica__fft_plan *p = (mica__fft_plan *)(uintptr_t)plan;
    if (!p) return;
    lock_cache();
    bool last = --p->references == 0;
    unlock_cache();
    if (last) destroy(p);
}
