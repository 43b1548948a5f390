/** @file  The truth: words of eight bytes at a time, by shifts and masks. */
#include "rs_impl.h"

#define EACH_BYTE 0x0101010101010101u

enum { WORDS = 2, BLOCK = 8 * WORDS };

/** Every byte times x: what leaves at the top comes back as x^4 + x^3 + x^2 + 1. */
static uint64_t times_x(uint64_t word) {
    const uint64_t out = word >> 7 & EACH_BYTE;
    return (word << 1 & ~EACH_BYTE) ^ out * 0x1D;
}

/** Up to BLOCK bytes at `at` of one output; `plain`: all factors are 1. */
static inline __attribute__((always_inline)) void sum_block(const ox_rs_product *p, uint32_t row, size_t at, size_t count,
                                                            bool plain) {
    uint64_t sums[8][WORDS] = {{0}}; // of the inputs whose factor has bit b
    uint64_t words[WORDS] = {0};
    for (uint32_t j = 0; j < p->columns; j++) {
        memcpy(words, p->from[j] + at, count);
        const uint64_t factor = plain ? 1 : p->factors[j * p->stride + row];
        for (uint32_t b = 0; b < (plain ? 1 : 8); b++) {
            const uint64_t all = 0 - (factor >> b & 1);
            for (uint32_t w = 0; w < WORDS; w++) sums[b][w] ^= words[w] & all;
        }
    }
    if (p->start != NULL) memcpy(words, p->start[row] + at, count);
    for (uint32_t w = 0; w < WORDS; w++) {
        uint64_t sum = sums[7][w];
        for (uint32_t b = 7; b-- > 0;) sum = times_x(sum) ^ sums[b][w];
        words[w] = p->start != NULL ? words[w] ^ sum : sum;
    }
    memcpy(p->to[row] + at, words, count);
}

static inline __attribute__((always_inline)) void sum_row(const ox_rs_product *p, uint32_t row, bool plain) {
    size_t at = 0;
    for (; at + BLOCK <= p->bytes; at += BLOCK) sum_block(p, row, at, BLOCK, plain);
    if (at < p->bytes) sum_block(p, row, at, p->bytes - at, plain);
}

void ox_rs_multiply_scalar(const ox_rs_product *product) {
    for (uint32_t row = 0; row < product->rows; row++) {
        if (product->plain && row == 0) sum_row(product, row, true);
        else sum_row(product, row, false);
    }
}
