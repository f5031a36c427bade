/* bfloat16 in the tile registers of AMX. Compile with -march=x86-64-v4 -mamx-tile -mamx-bf16 (and
   only this file so). The process must have asked the system for the tiles (the probe in isa.c
   does). Subnormals count as zero. */
#include "backend/cpu/gemm/kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define SIDE 16 /* rows of a tile, and 32-bit units in one of its rows */
/* clang-format off */
#define LIST_ROWS(X) \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) \
    X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) \
    X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) \
    X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32)
/* clang-format on */

/* Tiles 0 to 3 hold C (upper left, upper right, lower left, lower right), 4 and 5 A, 6 and 7 B. */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

static void configure(size_t upper, size_t lower)
{
    tile_config config = { .palette = 1 };
    size_t rows[8] = { upper, upper, lower, lower, upper, lower, SIDE, SIDE };
    for (int t = 0; t < 8; t++) {
        config.rows[t] = (uint8_t)rows[t];
        config.row_bytes[t] = rows[t] ? SIDE * 4 : 0;
    }
    _tile_loadconfig(&config);
}

/* c may be read and written for 32 columns. a holds rows of pairs, b rows of 32 pairs, steps is a
 * multiple of 16. */
static void multiply(size_t lower, bool right, size_t steps, const float *a, ptrdiff_t a_row,
                     const float *b, ptrdiff_t b_row, float *c, ptrdiff_t c_row, bool add)
{
    const size_t a_bytes = (size_t)a_row * 4, b_bytes = (size_t)b_row * 4,
                 c_bytes = (size_t)c_row * 4;
    float *c_lower = c + SIDE * c_row;
    const float *a_lower = a + SIDE * a_row;
    _tile_zero(0);
    if (right) _tile_zero(1);
    if (lower) _tile_zero(2);
    if (lower && right) _tile_zero(3);
    if (add) {
        _tile_loadd(0, c, c_bytes);
        if (right) _tile_loadd(1, c + SIDE, c_bytes);
        if (lower) _tile_loadd(2, c_lower, c_bytes);
        if (lower && right) _tile_loadd(3, c_lower + SIDE, c_bytes);
    }
    for (size_t p = 0; p < steps; p += SIDE, a += SIDE, a_lower += SIDE, b += SIDE * b_row) {
        _tile_loadd(4, a, a_bytes);
        _tile_loadd(6, b, b_bytes);
        _tile_dpbf16ps(0, 4, 6);
        if (right) {
            _tile_loadd(7, b + SIDE, b_bytes);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (!lower) continue;
        _tile_loadd(5, a_lower, a_bytes);
        _tile_dpbf16ps(2, 5, 6);
        if (right) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, c_bytes);
    if (right) _tile_stored(1, c + SIDE, c_bytes);
    if (lower) _tile_stored(2, c_lower, c_bytes);
    if (lower && right) _tile_stored(3, c_lower + SIDE, c_bytes);
}

static void tile(size_t rows, size_t steps, const void *a, ptrdiff_t a_row, const void *b,
                 ptrdiff_t b_row, float *c, ptrdiff_t c_row, size_t columns, bool add)
{
    size_t upper = rows < SIDE ? rows : SIDE, lower = rows - upper;
    bool right = columns > SIDE;
    configure(upper, lower);
    if (columns == 2 * SIDE || columns == SIDE) {
        multiply(lower, right, steps, a, a_row, b, b_row, c, c_row, add);
    } else {
        float whole[2 * SIDE][2 * SIDE] = { { 0 } };
        for (size_t r = 0; r < rows && add; r++)
            memcpy(whole[r], c + (ptrdiff_t)r * c_row, columns * sizeof *c);
        multiply(lower, right, steps, a, a_row, b, b_row, whole[0], 2 * SIDE, add);
        for (size_t r = 0; r < rows; r++)
            memcpy(c + (ptrdiff_t)r * c_row, whole[r], columns * sizeof *c);
    }
    _tile_release();
}

#define TILE(r)                                                                                    \
    static void tile_##r(size_t k, const void *a, ptrdiff_t a_row, ptrdiff_t a_col, const void *b, \
                         ptrdiff_t b_row, void *c, ptrdiff_t c_row, size_t columns, bool add)      \
    {                                                                                              \
        (void)a_col; /* 1 */                                                                       \
        tile(r, k, a, a_row, b, b_row, c, c_row, columns, add);                                    \
    }
LIST_ROWS(TILE)
#define ENTRY(r) tile_##r,
static mica__gemm_tile *const tiles[2 * SIDE] = { LIST_ROWS(ENTRY) };

const mica__gemm_pairs mica__gemm_amx = {
    .rows = 2 * SIDE, .columns = 2 * SIDE, .step = SIDE, .a_rows = true, .tile = tiles
};
#endif
