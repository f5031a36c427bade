/* Selection among keys of WIDTH bits: included by sort_isa.c once a width, without guard. */

/* The kth smallest. `b` and `c` are memory for n keys each. */
static KEY NAME(select)(const KEY *keys, KEY *b, KEY *c, size_t n, size_t kth)
{
    enum { SAMPLE = 64 };
    int depth = 8;
    for (size_t left = n; left > (size_t)NAME(MOST); left /= 2) depth += 2;
    const KEY *from = keys;
    for (; n > (size_t)NAME(MOST) && depth > 0; depth--) {
        if (n > MICA_SORT_LOOK && mica__parallel_given_up()) return 0;
        /* A pivot that leaves the kth on the smaller side, but not by much (Floyd & Rivest 1975).
         */
        KEY some[SAMPLE];
        NAME(sample)(from, n, some, SAMPLE);
        size_t rank = kth * SAMPLE / n, margin = 1 + rank * (SAMPLE - rank) / 256;
        if (kth > n / 2) rank = rank > margin ? rank - margin : 0;
        else rank = rank + margin < SAMPLE ? rank + margin : SAMPLE - 1;
        size_t low = NAME(part)(from, b, n, some[rank]);
        if (low == n) {
            low = some[rank] > 0 ? NAME(part)(from, b, n, some[rank] - 1) : 0;
            if (kth >= low) return some[rank];
        }
        bool below = kth < low;
        from = below ? b : b + low;
        n = below ? low : n - low;
        kth -= below ? 0 : low;
        KEY *swap = b + (below ? 0 : low);
        b = c;
        c = swap;
    }
    if (n <= (size_t)NAME(MOST)) {
        NAME(few)(from, b, n);
    } else {
        memcpy(b, from, n * sizeof *b);
        NAME(heap)(b, n);
    }
    return b[kth];
}

/* Keys below the kth smallest, those alike, those above, each in their order; keys are alike that
 * differ in the bits `alike` only. `b` and `c` are memory for n keys each. */
static void NAME(partition)(KEY *keys, KEY *b, KEY *c, size_t n, size_t kth, KEY alike)
{
    KEY found = NAME(select)(keys, b, c, n, kth), least = found & ~alike, most = found | alike;
    V first = NAME(SIGNED)(least - (V){ 0 }), last = NAME(SIGNED)(most - (V){ 0 });
    size_t below = 0, equal = 0, above = 0, i = 0;
    for (; i + (size_t)LANES <= n; i += (size_t)LANES) {
        V v;
        memcpy(&v, keys + i, sizeof v);
        const unsigned all = (1u << LANES) - 1;
        V w = NAME(SIGNED)(v);
        unsigned under = NAME(GREATER)(first, w), over = NAME(GREATER)(w, last);
        V low = NAME(pack)(v, all ^ under), high = NAME(pack)(v, all ^ over);
        memcpy(keys + below, &low, sizeof low); /* behind what was read */
        memcpy(c + above, &high, sizeof high);
        below += (size_t)__builtin_popcount(under);
        above += (size_t)__builtin_popcount(over);
        if ((under | over) == all) continue;
        V same = NAME(pack)(v, under | over);
        memcpy(b + equal, &same, sizeof same);
        equal += (size_t)__builtin_popcount(all ^ (under | over));
    }
    for (; i < n; i++) {
        KEY k = keys[i];
        if (k < least) keys[below++] = k;
        else if (k > most) c[above++] = k;
        else b[equal++] = k;
    }
    memcpy(keys + below, b, equal * sizeof *b);
    memcpy(keys + below + equal, c, above * sizeof *c);
}
