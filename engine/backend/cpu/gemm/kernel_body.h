/* The body of the tile and dot kernels, included once for each type by a file that defines, for its
   instruction set: NAME(x)        x with a suffix of its own T, B           types of the arithmetic
   and of b in memory ROWS, VECTORS  the largest tile; ROWS is LIST_ROWS' number of entries V, LANES
   vector of T ZERO, LOAD(p), STORE(p, v), LOAD_PART(p, n), STORE_PART(p, v, n), SPREAD(p), FMA(x,
   y, z), ADD(x, y), SUM(v) LOAD_B(p), LOAD_B_PART(p, n)   LANES elements of b, converted; n of
   them, the rest 0 and undefines NAME, T, B, V, LANES and the operations afterwards where they
   change. */

#define ALWAYS static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* Three rows share one pointer: two address registers and the scale of x86 reach them all. */
ALWAYS void NAME(tile)(const int rows, const int vectors, size_t k, const T *a, ptrdiff_t a_row,
                       ptrdiff_t a_col, const B *b, ptrdiff_t b_row, T *c, ptrdiff_t c_row,
                       size_t columns, bool add)
{
    V sum[ROWS][VECTORS];
    const T *row[(ROWS + 2) / 3];
    UNROLL for (int r = 0; r < rows; r++)
    {
        UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = ZERO;
        __builtin_prefetch(c + r * c_row, 1);
    }
    UNROLL for (int r = 0; r < rows; r += 3) row[r / 3] = a + r * a_row;
    for (; k; k--) {
        V y[VECTORS];
        UNROLL for (int v = 0; v < vectors; v++) y[v] = LOAD_B(b + v * LANES);
        UNROLL for (int r = 0; r < rows; r++)
        {
            V x = SPREAD(row[r / 3] + (r % 3) * a_row);
            UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = FMA(x, y[v], sum[r][v]);
        }
        UNROLL for (int r = 0; r < rows; r += 3) row[r / 3] += a_col;
        b += b_row;
    }
    size_t last = columns - (size_t)(vectors - 1) * LANES;
    UNROLL for (int r = 0; r < rows; r++)
    {
        T *to = c + r * c_row;
        V z;
        UNROLL for (int v = 0; v < vectors - 1; v++, to += LANES)
        {
            z = sum[r][v];
            if (add) z = ADD(LOAD(to), z);
            STORE(to, z);
        }
        z = sum[r][vectors - 1];
        if (last == LANES) {
            if (add) z = ADD(LOAD(to), z);
            STORE(to, z);
        } else {
            if (add) z = ADD(LOAD_PART(to, last), z);
            STORE_PART(to, z, last);
        }
    }
}

#define TILE(r)                                                                                    \
    static void NAME(tile_##r)(size_t k, const void *a, ptrdiff_t a_row, ptrdiff_t a_col,          \
                               const void *b, ptrdiff_t b_row, void *c, ptrdiff_t c_row,           \
                               size_t columns, bool add)                                           \
    {                                                                                              \
        if (columns > LANES)                                                                       \
            NAME(tile)(r, VECTORS, k, a, a_row, a_col, b, b_row, c, c_row, columns, add);          \
        else NAME(tile)(r, 1, k, a, a_row, a_col, b, b_row, c, c_row, columns, add);               \
    }
LIST_ROWS(TILE)
#undef TILE
#define ENTRY(r) NAME(tile_##r),
static mica__gemm_tile *const NAME(tiles)[ROWS] = { LIST_ROWS(ENTRY) };
#undef ENTRY

#ifdef SUM
ALWAYS void NAME(dots)(const int rows, const int count, size_t k, const T *a, ptrdiff_t a_row,
                       const B *b, ptrdiff_t b_row, T *c, ptrdiff_t c_row)
{
    V sum[4][4];
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < count; j++) sum[i][j] = ZERO;
    size_t p = 0;
    for (; p + LANES <= k; p += LANES) {
        V y[4];
        UNROLL for (int j = 0; j < count; j++) y[j] = LOAD_B(b + j * b_row + p);
        UNROLL for (int i = 0; i < rows; i++)
        {
            V x = LOAD(a + i * a_row + p);
            UNROLL for (int j = 0; j < count; j++) sum[i][j] = FMA(x, y[j], sum[i][j]);
        }
    }
    if (p < k)
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < count; j++) sum[i][j] =
            FMA(LOAD_PART(a + i * a_row + p, k - p), LOAD_B_PART(b + j * b_row + p, k - p),
                sum[i][j]);
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < count; j++) c[i * c_row + j] =
        SUM(sum[i][j]);
}

static void NAME(dot)(size_t rows, size_t count, size_t k, const void *a, ptrdiff_t a_row,
                      const void *b, ptrdiff_t b_row, void *c, ptrdiff_t c_row)
{
    for (size_t j = 0; j < count; j += 4) {
        const B *y = (const B *)b + (ptrdiff_t)j * b_row;
        bool whole = count - j >= 4;
        for (size_t i = 0; i < rows; i += 4) {
            const T *x = (const T *)a + (ptrdiff_t)i * a_row;
            T *to = (T *)c + (ptrdiff_t)i * c_row + j;
            size_t left = rows - i;
            if (whole && left >= 4) NAME(dots)(4, 4, k, x, a_row, y, b_row, to, c_row);
            else if (whole && left == 3) NAME(dots)(3, 4, k, x, a_row, y, b_row, to, c_row);
            else if (whole && left == 2) NAME(dots)(2, 4, k, x, a_row, y, b_row, to, c_row);
            else if (whole) NAME(dots)(1, 4, k, x, a_row, y, b_row, to, c_row);
            else
                for (size_t r = 0; r < (left < 4 ? left : 4); r++)
                    for (size_t q = 0; q < count - j; q++) NAME(dots)
            (1, 1, k, x + (ptrdiff_t)r * a_row, a_row, y + (ptrdiff_t)q * b_row, b_row,
             to + (ptrdiff_t)r * c_row + q, c_row);
        }
    }
}
#endif

#undef ALWAYS
#undef UNROLL
