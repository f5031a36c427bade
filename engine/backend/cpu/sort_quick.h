/* Quicksort of keys of WIDTH bits: included by sort_isa.c once a width, without guard. */

/* Parts `from` into `to`: keys up to the pivot first, then those above it. Returns how many are in
   the first part. What is free in `to` is as much as what is left in `from`: while that is two
   vectors, a vector can be written to both of its ends. */
static size_t NAME(part)(const KEY *from, KEY *to, size_t n, KEY pivot)
{
    V p = NAME(SIGNED)(pivot - (V){ 0 });
    size_t low = 0, high = n, i = 0;
    for (; i + 2 * (size_t)LANES <= n; i += (size_t)LANES) {
        V v;
        memcpy(&v, from + i, sizeof v);
        unsigned above = NAME(GREATER)(NAME(SIGNED)(v), p);
        size_t count = (size_t)__builtin_popcount(above);
        v = NAME(pack)(v, above);
        memcpy(to + low, &v, sizeof v);
        memcpy(to + high - LANES, &v, sizeof v);
        low += (size_t)LANES - count;
        high -= count;
    }
    for (; i < n; i++) {
        size_t above = from[i] > pivot;
        to[low] = to[high - 1] = from[i];
        low += 1 - above;
        high -= above;
    }
    return low;
}

/* A key from each of `count` stretches, in order. */
static void NAME(sample)(const KEY *keys, size_t n, KEY *some, size_t count)
{
    uint32_t random = (uint32_t)n;
    for (size_t i = 0; i < count; i++) {
        random = random * 1664525u + 1013904223u;
        some[i] = keys[i * (n / count) + (size_t)((uint64_t)random * (n / count) >> 32)];
    }
    NAME(few)(some, some, count);
}

/* About the middle of all keys. */
static KEY NAME(pivot)(const KEY *keys, size_t n)
{
    enum { FEW = 32, MANY = 64 };
    KEY some[MANY];
    size_t count = n < 2048 ? FEW : MANY;
    NAME(sample)(keys, n, some, count);
    return some[count / 2 - 1];
}

/* What is left to do where pivots were bad again and again: n log n whatever the keys. */
static void NAME(heap)(KEY *keys, size_t n)
{
    for (size_t start = n / 2, end = n; end > 1;) {
        KEY k;
        if (start > 0) {
            k = keys[--start];
        } else {
            k = keys[--end];
            keys[end] = keys[0];
        }
        size_t at = start;
        for (size_t child; (child = 2 * at + 1) < end; at = child) {
            if (child + 1 < end && keys[child + 1] > keys[child]) child++;
            if (keys[child] <= k) break;
            keys[at] = keys[child];
        }
        keys[at] = k;
    }
}

/* Sorts `from` into `out`: one of `from` and `other`, which both are written to. */
static void NAME(quick)(KEY *from, KEY *other, KEY *out, size_t n, int depth)
{
    for (; n > (size_t)NAME(MOST); depth--) {
        if (depth == 0 || (n > MICA_SORT_LOOK && mica__parallel_given_up())) {
            if (depth == 0) NAME(heap)(from, n);
            if (out != from) memcpy(out, from, n * sizeof *out);
            return;
        }
        KEY pivot = NAME(pivot)(from, n);
        size_t low = NAME(part)(from, other, n, pivot);
        KEY *swap = from;
        if (low == n) { /* nothing is above: those equal to it are at their place */
            low = pivot > 0 ? NAME(part)(from, other, n, pivot - 1) : 0;
            for (size_t i = low; i < n; i++) out[i] = pivot;
            from = other;
            other = swap;
            n = low;
            continue;
        }
        NAME(quick)(other, from, out, low, depth - 1);
        from = other + low;
        other = swap + low;
        out += low;
        n -= low;
    }
    NAME(few)(from, out, n);
}

static void NAME(sort)(KEY *keys, KEY *other, size_t n)
{
    int depth = 4;
    for (size_t left = n; left > (size_t)NAME(MOST); left /= 2) depth += 2;
    NAME(quick)(keys, other, keys, n, depth);
}
