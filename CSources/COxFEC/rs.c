/** @file  Shapes, the matrix and the part of it to invert, the choice of a variant. */
#include "rs_impl.h"

#include "oxcore/cpu.h"

/* ---- the choice ------------------------------------------------------------------------------------------------- */

static const ox_rs_variant variants[] = {
    {"scalar", 0, NULL, ox_rs_multiply_scalar},
#ifdef __x86_64__
    {"ssse3", OX_CPU_SSSE3, NULL, ox_rs_multiply_ssse3},
    {"avx2", OX_CPU_AVX2, NULL, ox_rs_multiply_avx2},
    {"avx512", OX_CPU_AVX512, NULL, ox_rs_multiply_avx512},
    {"avx2+gfni", OX_CPU_AVX2 | OX_CPU_GFNI, ox_rs_matrices, ox_rs_multiply_avx2_gfni},
    {"avx512+gfni", OX_CPU_AVX512 | OX_CPU_GFNI, ox_rs_matrices, ox_rs_multiply_gfni},
#endif
#ifdef __aarch64__
    {"neon", 0, NULL, ox_rs_multiply_neon},
#endif
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

const ox_rs_variant *ox_rs_variants(uint32_t index) { return index < VARIANTS ? &variants[index] : NULL; }

const char *ox_rs_variant_name(const ox_rs_variant *variant) { return variant->name; }

bool ox_rs_variant_runs(const ox_rs_variant *variant) { return ox_cpu_has(variant->cpu); }

/* Threads that ask at the same time choose the same, so that no order is needed between them. */
static const ox_rs_variant *chosen;

static const ox_rs_variant *choose(void) {
    const ox_rs_variant *variant = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
    if (variant != NULL) return variant;
    uint32_t last = VARIANTS - 1;
    while (!ox_cpu_has(variants[last].cpu)) last--;
    __atomic_store_n(&chosen, &variants[last], __ATOMIC_RELAXED);
    return &variants[last];
}

/* ---- shapes ----------------------------------------------------------------------------------------------------- */

/** The points of Cauchy's matrix. */
static uint32_t point_of_data(uint32_t index) { return index; }
static uint32_t point_of_parity(uint32_t index) { return OX_RS_DATA_MAX + index; }

static uint8_t element(uint32_t parity, uint32_t data) {
    uint32_t numerator = point_of_parity(0) ^ point_of_data(data);
    uint32_t denominator = point_of_parity(parity) ^ point_of_data(data);
    return ox_gf_multiply((uint8_t)numerator, ox_gf_inverse((uint8_t)denominator));
}

size_t ox_rs_bytes(void) { return (sizeof(ox_rs) + 63) & ~(size_t)63; }

ox_rs *ox_rs_init_variant(void *memory, uint32_t data_count, uint32_t parity_count, const ox_rs_variant *variant) {
    OX_ASSERT(data_count >= 1 && data_count <= OX_RS_DATA_MAX && parity_count <= OX_RS_PARITY_MAX);
    ox_rs *rs = memory;
    rs->variant = variant;
    rs->data_count = data_count;
    rs->parity_count = parity_count;
    for (uint32_t j = 0; j < data_count; j++) {
        for (uint32_t i = 0; i < parity_count; i++) rs->factors[j * parity_count + i] = ox_rs_form(variant, element(i, j));
    }
    return rs;
}

ox_rs *ox_rs_init(void *memory, uint32_t data_count, uint32_t parity_count) {
    return ox_rs_init_variant(memory, data_count, parity_count, choose());
}

void ox_rs_encode(const ox_rs *rs, const uint8_t *const *data, uint8_t *const *parity, size_t shard_bytes) {
    OX_ASSERT(shard_bytes > 0 && shard_bytes <= OX_RS_BYTES_MAX);
    if (rs->parity_count == 0) return;
    rs->variant->multiply(&(ox_rs_product){
        .to = parity, .from = data, .factors = rs->factors, .rows = rs->parity_count, .columns = rs->data_count,
        .stride = rs->parity_count, .plain = true, .bytes = shard_bytes});
}

/* ---- shards as they come ---------------------------------------------------------------------------------------- */

ox_status ox_rs_arrived(const ox_rs *rs, ox_rs_present *present, uint32_t index) {
    if (index >= rs->data_count + rs->parity_count) return OX_E_LIMIT;
    if (ox_rs_has(present, index)) return OX_E_AGAIN;
    present->bits[index / 64] |= (uint64_t)1 << index % 64;
    return OX_OK;
}

ox_status ox_rs_update(const ox_rs *rs, ox_rs_present *present, uint32_t index, const uint8_t *data, size_t data_bytes,
                       uint8_t *const *parity) {
    OX_ASSERT(data_bytes <= OX_RS_BYTES_MAX);
    if (index >= rs->data_count) return OX_E_LIMIT;
    const ox_status status = ox_rs_arrived(rs, present, index);
    if (status != OX_OK || rs->parity_count == 0) return status;
    rs->variant->multiply(&(ox_rs_product){
        .to = parity, .start = (const uint8_t *const *)parity, .from = &data,
        .factors = rs->factors + index * rs->parity_count, .rows = rs->parity_count, .columns = 1,
        .stride = rs->parity_count, .plain = true, .bytes = data_bytes});
    return OX_OK;
}

/* ---- recovery --------------------------------------------------------------------------------------------------- */

/** Indices of the first `count` bits that are set. */
static void list_bits(uint64_t bits, uint32_t count, uint8_t *indices) {
    for (uint32_t i = 0; i < count; i++, bits &= bits - 1) indices[i] = (uint8_t)__builtin_ctzll(bits);
}

/**
 * Cauchy's matrix has an inverse in closed form. With a for the parities' points and b for the lost shards', that for b from a is
 *
 *     prod_k (a + b_k) * prod_k (a_k + b) / ((a + b) * prod_{k: a_k != a} (a + a_k) * prod_{k: b_k != b} (b + b_k))
 *
 * divided by what the column of b was multiplied by. Products are sums of logarithms.
 */
static void invert(const ox_rs *rs, ox_rs_loss *loss) {
    const uint32_t count = loss->count;
    uint8_t crossed[OX_RS_PARITY_MAX][OX_RS_PARITY_MAX]; // logarithms of a + b
    uint32_t of_parity[OX_RS_PARITY_MAX], of_lost[OX_RS_PARITY_MAX];
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t b = point_of_data(loss->lost[i]);
        of_lost[i] = 255u - ox_rs_logarithms[point_of_parity(0) ^ b];
        of_parity[i] = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t a = point_of_parity(loss->parity[i]), b = point_of_data(loss->lost[i]);
        for (uint32_t k = 0; k < count; k++) {
            crossed[i][k] = ox_rs_logarithms[a ^ point_of_data(loss->lost[k])];
            of_parity[i] += crossed[i][k];
            of_lost[k] += crossed[i][k];
        }
        for (uint32_t k = 0; k < i; k++) {
            const uint32_t parities = 255u - ox_rs_logarithms[a ^ point_of_parity(loss->parity[k])];
            const uint32_t losses = 255u - ox_rs_logarithms[b ^ point_of_data(loss->lost[k])];
            of_parity[i] += parities;
            of_parity[k] += parities;
            of_lost[i] += losses;
            of_lost[k] += losses;
        }
    }
    for (uint32_t j = 0; j < count; j++) of_lost[j] = ox_rs_exponent(of_lost[j]);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t mine = ox_rs_exponent(of_parity[i]) + 255;
        for (uint32_t j = 0; j < count; j++) {
            const uint32_t exponent = ox_rs_exponent(mine + of_lost[j] - crossed[i][j]);
            loss->inverse[i * count + j] = ox_rs_form(rs->variant, ox_rs_powers[exponent]);
        }
    }
}

ox_status ox_rs_find_loss(const ox_rs *rs, const ox_rs_present *present, ox_rs_loss *loss) {
    const uint32_t k = rs->data_count;
    const uint64_t *bits = present->bits;
    const uint64_t parities = k == 64 ? bits[1] : bits[0] >> k | bits[1] << (64 - k);
    if (parities >> rs->parity_count != 0 || (k < 64 && bits[1] >> k != 0)) return OX_E_LIMIT;
    const uint64_t lost = ~bits[0] & UINT64_MAX >> (64 - k);
    const uint32_t count = (uint32_t)__builtin_popcountll(lost);
    if ((uint32_t)__builtin_popcountll(parities) < count) return OX_E_SHORT;
    loss->count = count;
    list_bits(lost, count, loss->lost);
    list_bits(parities, count, loss->parity);
    invert(rs, loss);
    return OX_OK;
}

/** Sums over what is present, by parity, of as many bytes as fit. The rows of even numbers of lines would share cache sets. */
enum { SUMS_BYTES = 16384, LINE = 64 };

static size_t strip_bytes(uint32_t count) {
    const size_t lines = SUMS_BYTES / count / LINE;
    return (lines - (lines % 2 == 0)) * LINE;
}

/** The equations of a group with losses: what the parities and the present data give, for sums of the lost ones. */
typedef struct equations {
    uint64_t factors[OX_RS_DATA_MAX * OX_RS_PARITY_MAX];
    const uint8_t *data[OX_RS_DATA_MAX], *parity[OX_RS_PARITY_MAX];
    uint8_t *lost[OX_RS_PARITY_MAX];
    uint32_t columns;
} equations;

static void gather(const ox_rs *rs, uint8_t *const *shards, const ox_rs_present *present, const ox_rs_loss *loss,
                   equations *e) {
    const uint32_t count = loss->count, stride = rs->parity_count;
    uint64_t there = present->bits[0] & UINT64_MAX >> (64 - rs->data_count);
    uint64_t *factor = e->factors;
    for (e->columns = 0; there != 0; there &= there - 1, e->columns++) {
        const uint32_t j = (uint32_t)__builtin_ctzll(there);
        e->data[e->columns] = shards[j];
        const uint64_t *column = rs->factors + j * stride;
        for (uint32_t i = 0; i < count; i++) *factor++ = column[loss->parity[i]];
    }
    for (uint32_t i = 0; i < count; i++) {
        e->parity[i] = shards[rs->data_count + loss->parity[i]];
        e->lost[i] = shards[loss->lost[i]];
    }
}

static void solve(const ox_rs *rs, const ox_rs_loss *loss, const equations *e, size_t bytes) {
    _Alignas(64) uint8_t sums[SUMS_BYTES];
    uint8_t *rows[OX_RS_PARITY_MAX];
    const size_t apart = (bytes + LINE - 1) / LINE * LINE;
    for (uint32_t i = 0; i < loss->count; i++) rows[i] = sums + i * (apart + (apart / LINE % 2 == 0) * LINE);
    rs->variant->multiply(&(ox_rs_product){
        .to = rows, .start = e->parity, .from = e->data, .factors = e->factors, .rows = loss->count, .columns = e->columns,
        .stride = loss->count, .plain = loss->parity[0] == 0, .bytes = bytes});
    rs->variant->multiply(&(ox_rs_product){
        .to = e->lost, .from = (const uint8_t *const *)rows, .factors = loss->inverse, .rows = loss->count,
        .columns = loss->count, .stride = loss->count, .bytes = bytes});
}

static void move_on(equations *e, uint32_t count, size_t bytes) {
    for (uint32_t j = 0; j < e->columns; j++) e->data[j] += bytes;
    for (uint32_t i = 0; i < count; i++) {
        e->parity[i] += bytes;
        e->lost[i] += bytes;
    }
}

ox_status ox_rs_recover(const ox_rs *rs, uint8_t *const *shards, const ox_rs_present *present, size_t shard_bytes) {
    OX_ASSERT(shard_bytes > 0 && shard_bytes <= OX_RS_BYTES_MAX);
    ox_rs_loss loss;
    const ox_status status = ox_rs_find_loss(rs, present, &loss);
    if (status != OX_OK || loss.count == 0) return status;
    equations e;
    gather(rs, shards, present, &loss, &e);
    const size_t most = strip_bytes(loss.count);
    for (; shard_bytes > most; shard_bytes -= most) {
        solve(rs, &loss, &e, most);
        move_on(&e, loss.count, most);
    }
    solve(rs, &loss, &e, shard_bytes);
    return OX_OK;
}

/* ---- single rows ------------------------------------------------------------------------------------------------ */

void ox_gf_multiply_add(uint8_t *to, const uint8_t *from, uint8_t factor, size_t bytes) {
    if (factor == 0) return;
    const ox_rs_variant *variant = choose();
    variant->multiply(&(ox_rs_product){
        .to = &to, .start = (const uint8_t *const *)&to, .from = &from,
        .factors = &(const uint64_t){ox_rs_form(variant, factor)}, .rows = 1, .columns = 1, .stride = 1,
        .plain = factor == 1, .bytes = bytes});
}

void ox_gf_multiply_add_rows(uint8_t *const *to, uint32_t rows, const uint8_t *const *from, uint32_t columns,
                             const uint8_t *factors, size_t bytes) {
    enum { FORMS = 1024 };
    uint64_t forms[FORMS];
    OX_ASSERT(rows <= OX_GF_ROWS_MAX && columns <= OX_GF_ROWS_MAX);
    if (rows == 0) return;
    const ox_rs_variant *variant = choose();
    const uint32_t most = FORMS / rows;
    for (uint32_t first = 0; first < columns; first += most) {
        const uint32_t some = columns - first < most ? columns - first : most;
        for (uint32_t i = 0; i < rows; i++) {
            const uint8_t *row = factors + i * columns + first;
            for (uint32_t j = 0; j < some; j++) forms[j * rows + i] = ox_rs_form(variant, row[j]);
        }
        variant->multiply(&(ox_rs_product){
            .to = to, .start = (const uint8_t *const *)to, .from = from + first, .factors = forms, .rows = rows,
            .columns = some, .stride = rows, .bytes = bytes});
    }
}
