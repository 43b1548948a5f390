/* The seam between the codec and its variants: each gives what the scalar one gives, for every input. */
#ifndef COXFEC_RS_IMPL_H
#define COXFEC_RS_IMPL_H

#include "oxcore/rs.h"

/** to[i] = start[i] + the sum over j of factor(i, j) * from[j]. */
typedef struct ox_rs_product {
    uint8_t *const *to;
    const uint8_t *const *start; /**< NULL: zeros. May be `to`; then, with one row and one column, to[0] may be from[0] too */
    const uint8_t *const *from;
    const uint64_t *factors; /**< that of row i and column j at [j * stride + i], in the variant's form */
    uint32_t rows, columns, stride;
    bool plain; /**< the factors of row 0 are 1, and not looked at */
    size_t bytes;
} ox_rs_product;

struct ox_rs_variant {
    const char *name;
    uint32_t cpu;          /**< OX_CPU_* that it needs */
    const uint64_t *forms; /**< of each of the 256 factors; NULL: the factor itself */
    void (*multiply)(const ox_rs_product *product);
};

/*
 * Checks of every load and store make minutes of compiling out of seconds, for loops that are unrolled as far as these. The
 * variants' tests put pages that fault around the buffers instead.
 */
#ifdef __clang__
#define OX_RS_UNCHECKED __attribute__((no_sanitize("address", "undefined", "coverage")))
#else
#define OX_RS_UNCHECKED
#endif

void ox_rs_multiply_scalar(const ox_rs_product *product);
#ifdef __x86_64__
void ox_rs_multiply_ssse3(const ox_rs_product *product);
void ox_rs_multiply_avx2(const ox_rs_product *product);
void ox_rs_multiply_avx512(const ox_rs_product *product);
void ox_rs_multiply_avx2_gfni(const ox_rs_product *product);
void ox_rs_multiply_gfni(const ox_rs_product *product);
#endif
#ifdef __aarch64__
void ox_rs_multiply_neon(const ox_rs_product *product);
#endif

/**
 * What shuffles look up: the products of a factor with 0 to 15, then with 0, 16, 32 to 240. In words, whose bytes are in this
 * order on the machines that have such variants.
 */
extern const uint64_t ox_rs_nibbles[256][4];
/** For GFNI: multiplication by a factor, as a matrix of bits. */
extern const uint64_t ox_rs_matrices[256];

static inline uint64_t ox_rs_form(const ox_rs_variant *variant, uint8_t factor) {
    return variant->forms != NULL ? variant->forms[factor] : factor;
}

extern const uint8_t ox_rs_logarithms[256];      /**< to the base x; that of 0 is 0 and means nothing */
extern const uint8_t ox_rs_powers[256];          /**< of x */

/** Modulo 255, as exponents of x are; 255 may stand for 0. Of at most 65,535. */
static inline uint32_t ox_rs_exponent(uint32_t sum) {
    sum = (sum & 255) + (sum >> 8);
    return (sum & 255) + (sum >> 8);
}

/** What recovery has to know of a loss pattern. */
typedef struct ox_rs_loss {
    uint32_t count;                    /**< of data shards missing, and of parities in their stead */
    uint8_t lost[OX_RS_PARITY_MAX];    /**< indices of data shards */
    uint8_t parity[OX_RS_PARITY_MAX];  /**< indices of parities, the first of them in front */
    uint64_t inverse[OX_RS_PARITY_MAX * OX_RS_PARITY_MAX]; /**< of parity i, for lost shard j, at [i * count + j] */
} ox_rs_loss;

struct ox_rs {
    const ox_rs_variant *variant;
    uint32_t data_count, parity_count;
    uint64_t factors[OX_RS_DATA_MAX * OX_RS_PARITY_MAX]; /**< of data shard j in parity i, at [j * parity_count + i] */
};

/** Inverts the missing-by-missing part of the matrix: set-up of ox_rs_recover(). Same statuses; for none lost `count` is 0. */
ox_status ox_rs_find_loss(const ox_rs *rs, const ox_rs_present *present, ox_rs_loss *loss);

#endif
