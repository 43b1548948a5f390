/**
 * @file  Systematic Reed-Solomon erasure code over GF(2^8), and the field's arithmetic.
 *
 * A *group* is `data_count` data shards followed by `parity_count` parity shards, every shard `shard_bytes` long. Any
 * `data_count` shards of a group rebuild the rest. Repairs erasures only: authenticate a shard before it gets here, for a
 * corrupt shard silently corrupts its group.
 *
 * Field:   bytes as polynomials modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11D); addition is XOR.
 * Matrix:  parity i is the sum over j of M[i][j] times data shard j, with M[i][j] = (64 + j) / ((64 + i) + j), where + is the
 *          field's: Cauchy's matrix of 64 + i and j, each column divided by its first element. So M[0][j] is 1, and the first
 *          parity is the XOR of the data. No element depends on `data_count` or `parity_count`: a group may grow, and a coder
 *          of a larger shape goes on with a group of a smaller one. Part of the wire format.
 * Memory:  the caller owns every buffer; nothing here allocates or blocks. No alignment is required, and nothing is read or
 *          written outside of the bytes that are named. Buffers that are written must not overlap others.
 * Threads: after ox_rs_init() a coder is read-only and may be shared. Two calls must not share an output shard.
 * Cost:    data_count x parity_count x shard_bytes byte-multiplications a group; those of the first parity are free.
 */
#ifndef OXCORE_RS_H
#define OXCORE_RS_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OX_RS_DATA_MAX = 64,     /**< data shards in a group */
    OX_RS_PARITY_MAX = 32,   /**< parity shards in a group */
    OX_RS_SHARDS_MAX = OX_RS_DATA_MAX + OX_RS_PARITY_MAX,
    OX_RS_BYTES_MAX = 65536, /**< bytes of a shard */
};

/* ---- groups ---------------------------------------------------------------------------------------------------- */

/** Codes groups of one shape. */
typedef struct ox_rs ox_rs;

/** Bytes to reserve for an ::ox_rs, aligned to 64. A constant of this build. */
size_t ox_rs_bytes(void);
/** Makes a coder in `memory`: 1 to ::OX_RS_DATA_MAX data shards, 0 to ::OX_RS_PARITY_MAX parities. */
ox_rs *ox_rs_init(void *memory, uint32_t data_count, uint32_t parity_count);

/** Writes all parities of a group. `data`: `data_count` pointers; `parity`: `parity_count`. `shard_bytes` is not 0. */
void ox_rs_encode(const ox_rs *rs, const uint8_t *const *data, uint8_t *const *parity, size_t shard_bytes);

/**
 * Which shards of a group are there: bit i of the 128 for shard i, the parities after the data. All zero at the start.
 */
typedef struct ox_rs_present {
    uint64_t bits[2];
} ox_rs_present;

static inline bool ox_rs_has(const ox_rs_present *present, uint32_t index) {
    return (present->bits[index / 64] >> index % 64 & 1) != 0;
}
/**
 * Notes that shard `index` has come.
 * @return ::OX_OK; ::OX_E_LIMIT when a group has no such shard; ::OX_E_AGAIN when it was there before: then the first one
 *         holds, whatever the bytes of this one.
 */
OX_MUST_USE ox_status ox_rs_arrived(const ox_rs *rs, ox_rs_present *present, uint32_t index);

/**
 * Adds one data shard to all parities of its group, which began as zeros. Once the last one is in they are those that
 * ox_rs_encode() writes. A shard may be shorter than the parities: it counts as if zeros followed it.
 * @return as ox_rs_arrived() for a data shard; nothing is added unless ::OX_OK.
 */
OX_MUST_USE ox_status ox_rs_update(const ox_rs *rs, ox_rs_present *present, uint32_t index, const uint8_t *data,
                                   size_t data_bytes, uint8_t *const *parity);

/**
 * Rebuilds the missing *data* shards of a group.
 *
 * @param shards   data then parity pointers, `data_count + parity_count` of them. Missing data shards are written; all others
 *                 that are present are only read, and those of missing parities are not looked at. A shard that was shorter
 *                 than `shard_bytes` when it was added has zeros after it.
 * @param present  of `data_count + parity_count` shards.
 * @return ::OX_OK; ::OX_E_SHORT if fewer than `data_count` shards are present; ::OX_E_LIMIT if a shard is that the group
 *         does not have. Nothing is written unless ::OX_OK.
 */
OX_MUST_USE ox_status ox_rs_recover(const ox_rs *rs, uint8_t *const *shards, const ox_rs_present *present,
                                    size_t shard_bytes);

/* ---- the field ------------------------------------------------------------------------------------------------- */

uint8_t ox_gf_multiply(uint8_t a, uint8_t b);
/** 1 / a; `a` is not 0. */
uint8_t ox_gf_inverse(uint8_t a);

/** to += factor * from. `to` may be `from` itself, which multiplies it by factor + 1. */
void ox_gf_multiply_add(uint8_t *to, const uint8_t *from, uint8_t factor, size_t bytes);
/**
 * to[i] += the sum over j of factors[i * columns + j] * from[j], for each of `rows` outputs. One pass over memory for up to
 * eight outputs: with one row, a repair packet out of its window; with one column, a packet taken out of all equations.
 * `rows` and `columns` are at most ::OX_GF_ROWS_MAX, `from` and `to` do not overlap.
 */
void ox_gf_multiply_add_rows(uint8_t *const *to, uint32_t rows, const uint8_t *const *from, uint32_t columns,
                             const uint8_t *factors, size_t bytes);
enum { OX_GF_ROWS_MAX = 256 };

/* ---- variants -------------------------------------------------------------------------------------------------- */

/** One way to do the arithmetic. All give equal bytes; the last one that the machine has is taken. */
typedef struct ox_rs_variant ox_rs_variant;
/** Those of this build, the scalar one first: for tests and benchmarks. */
const ox_rs_variant *ox_rs_variants(uint32_t index);
const char *ox_rs_variant_name(const ox_rs_variant *variant);
/** Whether this machine can run it. */
bool ox_rs_variant_runs(const ox_rs_variant *variant);
/** As ox_rs_init(), with the variant given. */
ox_rs *ox_rs_init_variant(void *memory, uint32_t data_count, uint32_t parity_count, const ox_rs_variant *variant);

#ifdef __cplusplus
}
#endif

#endif
