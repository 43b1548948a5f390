/**
 * @file  Draws that are a function of (seed, index, purpose) and of nothing else.
 *
 * A generator with a state would tie the fate of packet n to what was asked about packets 0 to n-1. Here draw n is
 * the n-th output of SplitMix64 (Steele, Lea, Flood 2014), computed directly, so nothing that happens to one packet
 * moves the draw of another.
 */
#ifndef LAB_RANDOM_H
#define LAB_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

enum { LAB_PURPOSES_MAX = 16 /**< independent streams for each seed */ };

static inline uint64_t lab_mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/** 64 uniform bits. `purpose` is below ::LAB_PURPOSES_MAX. */
static inline uint64_t lab_draw(uint64_t seed, uint64_t index, uint32_t purpose) {
    return lab_mix(lab_mix(seed) + (index * LAB_PURPOSES_MAX + purpose + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

/** Uniform in [0, 1), in steps of 2^-53. */
static inline double lab_draw_unit(uint64_t seed, uint64_t index, uint32_t purpose) {
    return (double)(lab_draw(seed, index, purpose) >> 11) * 0x1p-53;
}

/** True with the given probability: never for 0, always for 1. */
static inline bool lab_draw_chance(uint64_t seed, uint64_t index, uint32_t purpose, double probability) {
    return lab_draw_unit(seed, index, purpose) < probability;
}

#endif
