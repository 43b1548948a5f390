/**
 * @file  What the processor can do. It is looked up at the first question; ox_init() need not have come before.
 *
 * Threads: any.
 */
#ifndef OXCORE_CPU_H
#define OXCORE_CPU_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Sets of instructions that variants of inner loops are written for; the operating system keeps their registers. */
enum {
    OX_CPU_AVX2 = 1,
    OX_CPU_AVX512 = 2, /**< what Ice Lake began with: F, BW, DQ, VL, VBMI and VNNI, and OX_CPU_AVX2 */
    OX_CPU_SSSE3 = 4,
    OX_CPU_GFNI = 8,   /**< for the vectors that the machine has otherwise */
};

/** The sets that this machine has. */
uint32_t ox_cpu_features(void);

/** Has ox_cpu_features() leave out all but `features` from now on. What has been chosen by then stays. */
void ox_cpu_limit(uint32_t features);

/** Whether it has all sets of `features`; always true for none. */
static inline bool ox_cpu_has(uint32_t features) { return (features & ~ox_cpu_features()) == 0; }

#ifdef __cplusplus
}
#endif

#endif
