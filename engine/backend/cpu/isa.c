/* Probes the processor once; compiled without any instruction set flag. */
#if defined(__linux__)
#define _DEFAULT_SOURCE /* syscall */
#endif
#include "backend/cpu/isa.h"

#include "base/config.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Bits of one word that is published at once: the level plus 1 (0: not probed yet), and the
   features. */
#define LEVEL_MASK    0xfu
#define FEATURE_SHIFT 4

static atomic_uint probed;
static atomic_int cap = MICA_ISA_COUNT;

#if defined(__x86_64__)
typedef struct cpuid_leaf {
    unsigned a, b, c, d; /* the registers */
} cpuid_leaf;

static cpuid_leaf cpuid(unsigned leaf, unsigned subleaf)
{
    cpuid_leaf r = { 0, 0, 0, 0 };
    if (!__get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d)) memset(&r, 0, sizeof r);
    return r;
}

/* The register states that the operating system saves. */
static uint64_t saved_states(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool has_bits(uint64_t value, uint64_t bits)
{
    return (value & bits) == bits;
}

/* Linux hands out the tile registers on request only. */
static bool tiles_permitted(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl)
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
    return false;
#endif
}

static unsigned probe(void)
{
    enum { OSXSAVE = 1 << 27, FMA = 1 << 12, MOVBE = 1 << 22, F16C = 1 << 29, AVX = 1 << 28 };
    enum { BMI1 = 1 << 3, AVX2 = 1 << 5, BMI2 = 1 << 8, LZCNT = 1 << 5 };
    const unsigned avx512_f_dq_cd_bw_vl = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;
    const uint64_t ymm = 0x6, zmm = 0xe6, tiles = 0x60000;

    cpuid_leaf one = cpuid(1, 0), seven = cpuid(7, 0), more = cpuid(7, 1);
    cpuid_leaf extended = cpuid(0x80000001u, 0);
    uint64_t saved = has_bits(one.c, OSXSAVE) ? saved_states() : 0;
    unsigned features = 0;
    mica__isa level = MICA_ISA_PORTABLE;
    if (!has_bits(saved, ymm)) return (unsigned)level + 1;

    if (has_bits(one.c, F16C | AVX)) features |= MICA_ISA_F16C;
    if (has_bits(one.c, FMA | MOVBE | F16C | AVX) && has_bits(seven.b, BMI1 | AVX2 | BMI2) &&
        has_bits(extended.c, LZCNT))
        level = MICA_ISA_V3;
    if (level == MICA_ISA_V3 && has_bits(saved, zmm) && has_bits(seven.b, avx512_f_dq_cd_bw_vl))
        level = MICA_ISA_V4;
    if (level == MICA_ISA_V4) {
        if (has_bits(seven.c, 1u << 11)) features |= MICA_ISA_VNNI;
        if (has_bits(more.a, 1u << 5)) features |= MICA_ISA_AVX512_BF16;
        if (has_bits(seven.d, 1u << 23)) features |= MICA_ISA_AVX512_FP16;
        if (has_bits(saved, tiles) && has_bits(seven.d, 1u << 24) && tiles_permitted()) {
            if (has_bits(seven.d, 1u << 22)) features |= MICA_ISA_AMX_BF16;
            if (has_bits(seven.d, 1u << 25)) features |= MICA_ISA_AMX_INT8;
        }
    }
    return ((unsigned)level + 1) | features << FEATURE_SHIFT;
}
#else
static unsigned probe(void)
{
    return (unsigned)MICA_ISA_PORTABLE + 1;
}
#endif

/* MICA_ISA caps the level; a set of another architecture caps nothing. */
static unsigned apply_setting(unsigned found)
{
    static const struct {
        const char *name;
        mica__isa level;
    } caps[] = { { "baseline", MICA_ISA_PORTABLE }, { "portable", MICA_ISA_PORTABLE },
                 { "avx2", MICA_ISA_V3 },           { "v3", MICA_ISA_V3 },
                 { "avx512", MICA_ISA_V4 },         { "v4", MICA_ISA_V4 } };
    const char *wanted = mica__setting_text(MICA_SETTING_isa);
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++) {
        unsigned word = (unsigned)caps[i].level + 1;
        if (strcmp(wanted, caps[i].name) == 0 && word < (found & LEVEL_MASK))
            return (found & ~LEVEL_MASK) | word;
    }
    return found;
}

/* Threads that come first at the same time all find the same. */
static unsigned found_word(void)
{
    unsigned found = atomic_load_explicit(&probed, memory_order_relaxed);
    if (found == 0) {
        found = apply_setting(probe());
        atomic_store_explicit(&probed, found, memory_order_relaxed);
    }
    return found;
}

mica__isa mica__isa_level(void)
{
    int level = (int)(found_word() & LEVEL_MASK) - 1;
    int limit = atomic_load_explicit(&cap, memory_order_relaxed);
    return (mica__isa)(level < limit ? level : limit);
}

bool mica__isa_has(unsigned features)
{
    mica__isa needed = (features & ~(unsigned)MICA_ISA_F16C) ? MICA_ISA_V4 : MICA_ISA_V3;
    unsigned have = found_word() >> FEATURE_SHIFT;
    return (have & features) == features && mica__isa_level() >= needed;
}

mica__isa mica__isa_cap(mica__isa level)
{
    atomic_store_explicit(&cap, (int)level, memory_order_relaxed);
    return mica__isa_level();
}
