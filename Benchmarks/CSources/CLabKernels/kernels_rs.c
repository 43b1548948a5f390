#include "../../../CSources/COxFEC/rs_impl.h"
#include "kernels_list.h"
#include "oxcore/cpu.h"

#include <isa-l.h>
#include <isa-l/erasure_code.h>

/* Shards an odd number of lines apart, so that those of a group do not share cache sets. */
enum { LINE = 64, SHARD_MAX = 1472, PEER = 15, VARIANTS_MAX = 16 };
static _Alignas(4096) uint8_t memory[OX_RS_SHARDS_MAX * SHARD_MAX], sums[OX_RS_PARITY_MAX * SHARD_MAX];
static uint8_t *shards[OX_RS_SHARDS_MAX], *present_shards[OX_RS_DATA_MAX], *lost_shards[OX_RS_PARITY_MAX];
static uint8_t *sum_shards[OX_RS_PARITY_MAX];
static _Alignas(64) uint8_t coder[sizeof(ox_rs) + LINE];
static ox_rs *rs;
static ox_rs_present present;

/* ISA-L's: the whole matrix, and tables of 32 bytes for each of its elements. */
static uint8_t matrix[OX_RS_PARITY_MAX * OX_RS_DATA_MAX];
static uint8_t tables[32 * OX_RS_PARITY_MAX * OX_RS_DATA_MAX], some_tables[32 * OX_RS_PARITY_MAX * OX_RS_DATA_MAX];

typedef struct rs_case {
    uint32_t k, r, bytes;
    uint32_t lost; /* data shards; 0: encode */
    bool set_up;   /* only that of a recovery */
} rs_case;

static const rs_case cases[] = {
    {4, 1, 1400, 0, false},   {10, 2, 1400, 0, false},  {10, 3, 1400, 0, false}, {16, 4, 1400, 0, false},
    {32, 8, 1400, 0, false},  {50, 10, 1400, 0, false}, {10, 3, 200, 0, false},  {10, 3, 64, 0, false},
    {16, 4, 1400, 4, false},  {10, 3, 64, 3, false},    {16, 4, 0, 4, true},     {50, 10, 0, 10, true},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static const rs_case *case_of(const lab_kernel *kernel) { return &cases[kernel->choice / VARIANTS_MAX]; }

/* ISA-L leaves the upper halves of vector registers in use, which would slow down all that comes after it without AVX. */
#ifdef __x86_64__
__attribute__((target("avx"))) static void clear_upper_halves(void) { __builtin_ia32_vzeroupper(); }
#endif

static bool open_group(const lab_kernel *kernel) {
    const rs_case *c = case_of(kernel);
    const uint32_t number = kernel->choice % VARIANTS_MAX;
    size_t apart = (c->bytes + LINE - 1) / LINE;
    apart = (apart | 1) * LINE;
    for (uint32_t i = 0; i < c->k + c->r; i++) shards[i] = memory + i * apart;
    for (uint32_t i = 0; i < c->r; i++) sum_shards[i] = sums + i * apart;
    for (size_t i = 0; i < sizeof memory; i++) memory[i] = (uint8_t)(i * 131 >> 3);
    rs = ox_rs_init_variant(coder, c->k, c->r, ox_rs_variants(number == PEER ? 0 : number));
    for (uint32_t i = 0; i < c->r; i++)
        for (uint32_t j = 0; j < c->k; j++)
            matrix[i * c->k + j] = gf_mul((uint8_t)(64 + j), gf_inv((uint8_t)((64 + i) ^ j)));
    ec_init_tables((int)c->k, (int)c->r, matrix, tables);
    present = (ox_rs_present){{0, 0}};
    /* Every other data shard is lost, from the first on; all parities came. */
    for (uint32_t i = 0; i < c->k + c->r; i++)
        if (i >= c->k || i % 2 == 1 || i / 2 >= c->lost) present.bits[i / 64] |= (uint64_t)1 << i % 64;
#ifdef __x86_64__
    if (ox_cpu_has(OX_CPU_AVX2)) clear_upper_halves();
#endif
    return true;
}

static void encode(const lab_kernel *kernel) {
    const rs_case *c = case_of(kernel);
    ox_rs_encode(rs, (const uint8_t *const *)shards, shards + c->k, c->bytes);
}

static void encode_by_peer(const lab_kernel *kernel) {
    const rs_case *c = case_of(kernel);
    ec_encode_data((int)c->bytes, (int)c->k, (int)c->r, tables, shards, shards + c->k);
}

static void recover(const lab_kernel *kernel) {
    if (ox_rs_recover(rs, shards, &present, case_of(kernel)->bytes) != OX_OK) abort();
}

static void set_up(const lab_kernel *kernel) {
    static ox_rs_loss loss;
    (void)kernel;
    if (ox_rs_find_loss(rs, &present, &loss) != OX_OK) abort();
    lab_keep((uintptr_t)&loss);
}

/* ISA-L used well: only the missing-by-missing part is inverted, and the encoder's tables are used again. */
static uint32_t set_up_peer(const rs_case *c, uint8_t *inverse) {
    uint8_t square[OX_RS_PARITY_MAX * OX_RS_PARITY_MAX];
    uint32_t lost = 0, there = 0;
    for (uint32_t j = 0; j < c->k; j++) {
        const bool has = ox_rs_has(&present, j);
        for (uint32_t i = 0; i < c->lost && has; i++)
            memcpy(some_tables + 32 * (i * (c->k - c->lost) + there), tables + 32 * (i * c->k + j), 32);
        for (uint32_t i = 0; i < c->lost && !has; i++) square[i * c->lost + lost] = matrix[i * c->k + j];
        if (has) present_shards[there++] = shards[j];
        else lost_shards[lost++] = shards[j];
    }
    if (gf_invert_matrix(square, inverse, (int)c->lost) != 0) abort();
    return there;
}

static void set_up_by_peer(const lab_kernel *kernel) {
    uint8_t inverse[OX_RS_PARITY_MAX * OX_RS_PARITY_MAX];
    lab_keep(set_up_peer(case_of(kernel), inverse) + inverse[0]);
}

/* As the compiler likes it. */
static void add_shard(uint8_t *restrict to, const uint8_t *restrict from, uint32_t bytes) {
    for (uint32_t at = 0; at < bytes; at++) to[at] ^= from[at];
}

static void recover_by_peer(const lab_kernel *kernel) {
    const rs_case *c = case_of(kernel);
    uint8_t inverse[OX_RS_PARITY_MAX * OX_RS_PARITY_MAX], inverse_tables[32 * OX_RS_PARITY_MAX * OX_RS_PARITY_MAX];
    const uint32_t there = set_up_peer(c, inverse);
    ec_encode_data((int)c->bytes, (int)there, (int)c->lost, some_tables, present_shards, sum_shards);
    for (uint32_t i = 0; i < c->lost; i++) add_shard(sum_shards[i], shards[c->k + i], c->bytes);
    ec_init_tables((int)c->lost, (int)c->lost, inverse, inverse_tables);
    ec_encode_data((int)c->bytes, (int)c->lost, (int)c->lost, inverse_tables, sum_shards, lost_shards);
}

static void add_one(lab_kernels *kernels, uint32_t number, uint32_t variant) {
    static char peer[LAB_KERNEL_NAME_MAX];
    snprintf(peer, sizeof peer, "isa-l %d.%d.%d", ISAL_MAJOR_VERSION, ISAL_MINOR_VERSION, ISAL_PATCH_VERSION);
    const rs_case *c = &cases[number];
    const bool ours = variant != PEER;
    const char *name = ours ? ox_rs_variant_name(ox_rs_variants(variant)) : peer;
    lab_kernel *kernel;
    if (c->set_up) kernel = lab_kernels_add(kernels, name, peer, "set up, (%u,%u), %u lost", c->k, c->r, c->lost);
    else if (c->lost > 0) kernel = lab_kernels_add(kernels, name, peer, "recover, (%u,%u) %u, %u lost", c->k, c->r, c->bytes, c->lost);
    else kernel = lab_kernels_add(kernels, name, peer, "encode, (%u,%u) %u", c->k, c->r, c->bytes);
    if (c->set_up) kernel->run = ours ? set_up : set_up_by_peer;
    else if (c->lost > 0) kernel->run = ours ? recover : recover_by_peer;
    else kernel->run = ours ? encode : encode_by_peer;
    kernel->open = open_group;
    kernel->bytes = c->k * c->bytes;
    kernel->choice = number * VARIANTS_MAX + variant;
}

bool lab_kernels_find_rs(lab_kernels *kernels) {
    kernels->count = 0;
    for (uint32_t number = 0; number < CASES; number++) {
        add_one(kernels, number, PEER);
        for (uint32_t variant = 0; ox_rs_variants(variant) != NULL; variant++)
            if (ox_rs_variant_runs(ox_rs_variants(variant))) add_one(kernels, number, variant);
    }
    return true;
}
