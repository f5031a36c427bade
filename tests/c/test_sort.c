/* Sorting keys in vectors, on each instruction set of this machine, against the C library: every
   length up to some networks', and longer ones that are parted. Keys past the end are left alone.
 */
#include <stdlib.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/sort_loops.h"
#include "check.h"

enum { MOST = 40000, PAST = 64, PATTERNS = 7 };
static uint64_t wanted[MOST], wide[MOST + PAST], wide_memory[MOST], wide_more[MOST];
static uint32_t narrow[MOST + PAST], narrow_memory[MOST], narrow_more[MOST];
static uint64_t state = 1;

static uint64_t draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state ^ state >> 29;
}

static uint64_t key(int pattern, uint64_t i, uint64_t n, uint64_t limit)
{
    switch (pattern) {
    case 0: return draw() & limit;
    case 1: return i;
    case 2: return n - i;
    case 3: return draw() % 3 * (limit / 2);
    case 4: return limit;
    case 5: return draw() % 7 ? i % 16 : limit - i;
    default: return i < n / 2 ? i : n - i;
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Both widths of the n keys in `wanted`, of which 32 bits serve as the narrow ones. */
static bool sorts(const mica__sort_loops *loops, size_t n, bool is_wide)
{
    for (size_t i = 0; i < n + PAST; i++) {
        wide[i] = i < n ? wanted[i] : i;
        narrow[i] = (uint32_t)wide[i];
    }
    if (is_wide) loops->wide(wide, wide_memory, n);
    else loops->narrow(narrow, narrow_memory, n);
    qsort(wanted, n, sizeof *wanted, compare);
    bool same = true;
    for (size_t i = 0; i < n + PAST; i++)
        same = same && (is_wide ? wide[i] : narrow[i]) == (i < n ? wanted[i] : i);
    return same;
}

static void test_lengths(const mica__sort_loops *loops)
{
    static const size_t more[] = { 1000, 2047, 2048, 5000, MOST };
    enum { EACH = 600, MORE = sizeof more / sizeof *more };
    for (int w = 0; w < 2; w++)
        for (size_t j = 0; j < EACH + MORE; j++)
            for (int p = 0; p < PATTERNS; p++) {
                size_t n = j < EACH ? j : more[j - EACH];
                for (size_t i = 0; i < n; i++)
                    wanted[i] = key(p, i, n, w ? UINT64_MAX : UINT32_MAX);
                CHECK(sorts(loops, n, w));
            }
}

/* The kth smallest is in its place, and all others on their side of it in their order. */
static bool parts(const mica__sort_loops *loops, size_t n, size_t kth, bool is_wide)
{
    for (size_t i = 0; i < n; i++) {
        wide[i] = wanted[i];
        narrow[i] = (uint32_t)wanted[i];
    }
    if (is_wide) loops->part_wide(wide, wide_memory, wide_more, n, kth, 0);
    else loops->part_narrow(narrow, narrow_memory, narrow_more, n, kth, 0);
    uint64_t pivot = is_wide ? wide[kth] : narrow[kth];
    size_t place[3] = { 0, 0, 0 };
    for (size_t i = 0; i < n; i++) {
        place[1] += wanted[i] < pivot;
        place[2] += wanted[i] <= pivot;
    }
    bool same = place[1] <= kth && kth < place[2];
    for (size_t i = 0; i < n; i++) {
        size_t to = place[(wanted[i] >= pivot) + (wanted[i] > pivot)]++;
        same = same && (is_wide ? wide[to] : narrow[to]) == wanted[i];
    }
    return same;
}

static void test_parts(const mica__sort_loops *loops)
{
    static const size_t lengths[] = { 1, 3, 8, 17, 64, 129, 257, 1000, 5000, MOST };
    for (int w = 0; w < 2; w++)
        for (size_t j = 0; j < sizeof lengths / sizeof *lengths; j++)
            for (int p = 0; p < PATTERNS; p++)
                for (size_t k = 0; k < 5; k++) {
                    size_t n = lengths[j];
                    for (size_t i = 0; i < n; i++)
                        wanted[i] = key(p, i, n, w ? UINT64_MAX : UINT32_MAX);
                    CHECK(parts(loops, n, k * (n - 1) / 4, w));
                }
}

/* A network that sorts all sequences of zeros and ones sorts everything (Knuth, 5.3.4). */
static void test_zeros_and_ones(const mica__sort_loops *loops)
{
    enum { BITS = 13 };
    bool same = true;
    for (uint64_t m = 0; m < 1u << BITS; m++)
        for (int w = 0; w < 2; w++) {
            for (size_t i = 0; i < BITS; i++) wanted[i] = m >> i & 1;
            same = same && sorts(loops, BITS, w);
        }
    CHECK(same);
}

int main(void)
{
    for (int level = MICA_ISA_PORTABLE; level < MICA_ISA_COUNT; level++) {
        if (mica__isa_cap((mica__isa)level) != (mica__isa)level) break;
        const mica__sort_loops *loops = mica__sort_loops_in_use();
        CHECK(!loops->narrow == !loops->wide);
        CHECK(!loops->narrow == (level == MICA_ISA_PORTABLE));
        if (!loops->narrow) continue;
        test_lengths(loops);
        test_parts(loops);
        test_zeros_and_ones(loops);
    }
    return check_report("sort");
}
