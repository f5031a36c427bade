/* The loops in use: one table a level, made on first use by laying the units over each other. */
#include "backend/cpu/loops.h"

#include "backend/cpu/isa.h"

enum { EMPTY, FILLING, READY };

static mica__loop_table tables[MICA_ISA_COUNT];
static atomic_int states[MICA_ISA_COUNT];

static void fill(mica__loop_table *table, mica__isa level)
{
    mica__loops_portable(table);
    mica__casts_portable(table);
#if defined(MICA_WITH_V3)
    if (level >= MICA_ISA_V3) {
        mica__loops_v3(table);
        mica__casts_v3(table);
    }
#endif
#if defined(MICA_WITH_V4)
    if (level >= MICA_ISA_V4) {
        mica__loops_v4(table);
        mica__casts_v4(table);
    }
#endif
    (void)level;
}

/* Filling takes a microsecond and cannot fail: who comes second waits for it. */
static const mica__loop_table *table_in_use(void)
{
    mica__isa level = mica__isa_level();
    if (atomic_load_explicit(&states[level], memory_order_acquire) != READY) {
        int expected = EMPTY;
        if (atomic_compare_exchange_strong(&states[level], &expected, FILLING)) {
            fill(&tables[level], level);
            atomic_store_explicit(&states[level], READY, memory_order_release);
        }
        while (atomic_load_explicit(&states[level], memory_order_acquire) != READY) continue;
    }
    return &tables[level];
}

mica__loop *mica__loop_find(mica_prim prim, mica_dtype dtype)
{
    return table_in_use()->loop[prim][dtype];
}

mica__loop *mica__cast_find(mica_dtype from, mica_dtype to)
{
    return table_in_use()->cast[from][to];
}

mica__loop *mica__round_find(mica_dtype half)
{
    return table_in_use()->round[half];
}
