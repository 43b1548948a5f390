#include "oxcore/cpu.h"

static uint32_t detect(void) {
    uint32_t features = 0;
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("ssse3")) features |= OX_CPU_SSSE3;
    if (__builtin_cpu_supports("gfni")) features |= OX_CPU_GFNI;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) {
        features |= OX_CPU_AVX2;
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni"))
            features |= OX_CPU_AVX512;
    }
#endif
    return features;
}

/* Threads that ask at the same time find the same, so that no order is needed between them. */
enum { KNOWN = 1 << 30 };
static uint32_t found;

void ox_cpu_limit(uint32_t features) {
    __atomic_store_n(&found, (detect() & features) | KNOWN, __ATOMIC_RELAXED);
}

uint32_t ox_cpu_features(void) {
    uint32_t features = __atomic_load_n(&found, __ATOMIC_RELAXED);
    if (features == 0) {
        features = detect() | KNOWN;
        __atomic_store_n(&found, features, __ATOMIC_RELAXED);
    }
    return features & ~(uint32_t)KNOWN;
}
