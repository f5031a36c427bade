/* Sorting at most 16 vectors of keys of WIDTH bits in registers: included by sort_isa.c once a
   width, without guard. Each lane is a column of keys. Columns are sorted, then merged by pairs:
   the second is read backwards, so that the two rise and then fall (Batcher 1968). */

enum { NAME(MOST) = 16 * LANES };

/* Columns of 4, 8 and 16 rows, each by itself; the last network is Green's, of 60 comparators. */
#define S(i, j) COMPARE(v[i], v[j])
INLINE void NAME(columns)(V *v, int rows)
{
    /* clang-format off */
    if (rows == 4) {
        S(0, 2) S(1, 3) S(0, 1) S(2, 3) S(1, 2)
    } else if (rows == 8) {
        S(0, 2) S(1, 3) S(4, 6) S(5, 7) S(0, 4) S(1, 5) S(2, 6) S(3, 7)
        S(0, 1) S(2, 3) S(4, 5) S(6, 7) S(2, 4) S(3, 5) S(1, 4) S(3, 6)
        S(1, 2) S(3, 4) S(5, 6)
    } else {
        S(0, 13) S(1, 12) S(2, 15) S(3, 14) S(4, 8) S(5, 6) S(7, 11) S(9, 10)
        S(0, 5) S(1, 7) S(2, 9) S(3, 4) S(6, 13) S(8, 14) S(10, 15) S(11, 12)
        S(0, 1) S(2, 3) S(4, 5) S(6, 8) S(7, 9) S(10, 11) S(12, 13) S(14, 15)
        S(0, 2) S(1, 3) S(4, 10) S(5, 11) S(6, 7) S(8, 9) S(12, 14) S(13, 15)
        S(1, 2) S(3, 12) S(4, 6) S(5, 7) S(8, 10) S(9, 11) S(13, 14) S(1, 4)
        S(2, 6) S(5, 8) S(7, 10) S(9, 13) S(11, 14) S(2, 4) S(3, 6) S(9, 12)
        S(11, 13) S(3, 5) S(6, 8) S(7, 9) S(10, 12) S(3, 4) S(5, 6) S(7, 8)
        S(9, 10) S(11, 12) S(6, 7) S(8, 9)
    }
    /* clang-format on */
}
#undef S

/* Pairs of columns whose numbers differ in the bits `c`, `bit` the highest of them: the lower half
   goes to the column without it. MEET reads the other column backwards, STEP does not. */
#define MEET(c, bit)                                                                               \
    MICA_SORT_UNROLLED for (int i = 0; i < rows / 2; i++)                                          \
    {                                                                                              \
        V a = v[i], b = CHOSEN(v[rows - 1 - i], v[rows - 1 - i], FLIP, c);                         \
        COMPARE(a, b)                                                                              \
        v[i] = CHOSEN(a, b, UPPER, bit);                                                           \
        a = CHOSEN(b, a, UPPER, bit);                                                              \
        v[rows - 1 - i] = CHOSEN(a, a, FLIP, c);                                                   \
    }
#define STEP(c)                                                                                    \
    MICA_SORT_UNROLLED for (int i = 0; i < rows; i++)                                              \
    {                                                                                              \
        V a = v[i], b = CHOSEN(a, a, FLIP, c);                                                     \
        COMPARE(a, b)                                                                              \
        v[i] = CHOSEN(a, b, UPPER, c);                                                             \
    }

/* Columns that rise and fall, to columns that rise. */
INLINE void NAME(settle)(V *v, int rows)
{
    MICA_SORT_UNROLLED for (int d = 8; d; d /= 2)
        MICA_SORT_UNROLLED for (int i = 0; i < 16; i++) if (d < rows && i < rows && !(i & d))
            COMPARE(v[i], v[i + d])
}

INLINE void NAME(merge)(V *v, int rows)
{
    MEET(1, 1)
    NAME(settle)(v, rows);
    MEET(3, 2)
    STEP(1)
    NAME(settle)(v, rows);
#if MICA_LEVEL == 2 || WIDTH == 32
    MEET(7, 4)
    STEP(2)
    STEP(1)
    NAME(settle)(v, rows);
#endif
#if MICA_LEVEL == 2 && WIDTH == 32
    MEET(15, 8)
    STEP(4)
    STEP(2)
    STEP(1)
    NAME(settle)(v, rows);
#endif
}
#undef MEET
#undef STEP

/* Bit `row` of the number of a row changes places with bit `c` of that of a lane. */
#define TURN(row, c)                                                                               \
    MICA_SORT_UNROLLED for (int i = 0; i < 16; i++) if (i < rows && !(i & (row)))                  \
    {                                                                                              \
        V a = v[i], b = v[i + (row)];                                                              \
        v[i] = CHOSEN(a, b, LOW, c);                                                               \
        v[i + (row)] = CHOSEN(a, b, HIGH, c);                                                      \
    }

/* Columns to vectors; where vector i of the result then stands. */
INLINE int NAME(turn)(V *v, int rows, int i)
{
    if (i < 0) {
        TURN(1, 1)
        TURN(2, 2)
#if MICA_LEVEL == 2 || WIDTH == 32
        if (rows > 4) { TURN(4, 4) }
        if (LANES == 8 && rows == 4) { TURN(1, 4) }
#endif
#if MICA_LEVEL == 2 && WIDTH == 32
        if (rows > 8) { TURN(8, 8) }
        if (rows == 8) { TURN(1, 8) }
        if (rows == 4) {
            TURN(1, 4)
            TURN(2, 8)
        }
#endif
        return 0;
    }
    if (rows >= LANES) return i % (rows / LANES) * LANES + i / (rows / LANES);
    if (rows * 2 == LANES) return i * 2 % rows + i * 2 / rows;
    return i;
}
#undef TURN

/* The first n keys of `from` in order, to `out`, which may be the same memory. */
INLINE void NAME(network)(const KEY *from, KEY *out, int n, int rows)
{
    V v[16];
    MICA_SORT_UNROLLED for (int i = 0; i < 16; i++) if (i < rows)
    {
        int left = n - i * LANES;
        if (left >= LANES) memcpy(&v[i], from + i * LANES, sizeof v[i]);
        else if (left > 0) v[i] = NAME(PART)(from + i * LANES, left);
        else v[i] = ~(V){ 0 };
        v[i] = NAME(SIGNED)(v[i]);
    }
    NAME(columns)(v, rows);
    NAME(merge)(v, rows);
    NAME(turn)(v, rows, -1);
    MICA_SORT_UNROLLED for (int i = 0; i < 16; i++) if (i < rows)
    {
        int left = n - i * LANES;
        V keys = NAME(SIGNED)(v[NAME(turn)(v, rows, i)]);
        if (left >= LANES) memcpy(out + i * LANES, &keys, sizeof keys);
        else if (left > 0) NAME(PUT)(out + i * LANES, keys, left);
    }
}

static void NAME(few)(const KEY *from, KEY *out, size_t n)
{
    if (n <= 4 * (size_t)LANES) NAME(network)(from, out, (int)n, 4);
    else if (n <= 8 * (size_t)LANES) NAME(network)(from, out, (int)n, 8);
    else NAME(network)(from, out, (int)n, 16);
}
