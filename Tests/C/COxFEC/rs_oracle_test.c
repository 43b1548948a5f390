/* ISA-L, which was written by others, agrees: on the field, on parities by our matrix, and on what is rebuilt. */
#include "groups.h"

#include <isa-l/erasure_code.h>

static void both_know_the_same_field(void **state) {
    (void)state;
    for (uint32_t a = 0; a < 256; a++)
        for (uint32_t b = 0; b < 256; b++)
            assert_int_equal(gf_mul((uint8_t)a, (uint8_t)b), ox_gf_multiply((uint8_t)a, (uint8_t)b));
    for (uint32_t a = 1; a < 256; a++) assert_int_equal(gf_inv((uint8_t)a), ox_gf_inverse((uint8_t)a));
}

static uint8_t tables[32 * OX_RS_DATA_MAX * OX_RS_PARITY_MAX];

static void check_parities(group *g) {
    static uint8_t matrix[OX_RS_PARITY_MAX * OX_RS_DATA_MAX], theirs[OX_RS_PARITY_MAX][SHARD_MAX];
    uint8_t *parity[OX_RS_PARITY_MAX];
    for (uint32_t i = 0; i < g->r; i++) {
        parity[i] = theirs[i];
        for (uint32_t j = 0; j < g->k; j++) matrix[i * g->k + j] = slow_element(i, j);
    }
    ec_init_tables((int)g->k, (int)g->r, matrix, tables);
    ec_encode_data((int)g->bytes, (int)g->k, (int)g->r, tables, g->shards, parity);
    for (uint32_t i = 0; i < g->r; i++) assert_memory_equal(theirs[i], g->shards[g->k + i], g->bytes);
}

/* By the whole matrix of the shards that are there: theirs knows nothing of missing-by-missing parts. */
static void check_rebuilt(group *g, const ox_rs_present *present, uint64_t lost) {
    static uint8_t matrix[OX_RS_DATA_MAX * OX_RS_DATA_MAX], inverse[OX_RS_DATA_MAX * OX_RS_DATA_MAX], theirs[SHARD_MAX];
    uint8_t *sources[OX_RS_DATA_MAX], *rebuilt = theirs;
    uint32_t rows = 0;
    for (uint32_t i = 0; i < g->k + g->r && rows < g->k; i++) {
        if (!ox_rs_has(present, i)) continue;
        sources[rows] = g->shards[i];
        for (uint32_t j = 0; j < g->k; j++) matrix[rows * g->k + j] = i < g->k ? i == j : slow_element(i - g->k, j);
        rows++;
    }
    assert_int_equal(0, gf_invert_matrix(matrix, inverse, (int)g->k));
    for (uint32_t i = 0; i < g->k; i++) {
        if (!(lost >> i & 1)) continue;
        ec_init_tables((int)g->k, 1, inverse + i * g->k, tables);
        ec_encode_data((int)g->bytes, (int)g->k, 1, tables, sources, &rebuilt);
        assert_memory_equal(g->right[i], theirs, g->bytes);
    }
}

static void both_give_the_same_parities_and_rebuild_the_same_data(void **state) {
    (void)state;
    uint32_t seed = 1;
    group *g = calloc(1, sizeof *g);
    for (uint32_t round = 0; round < 300; round++) {
        const uint32_t k = 1 + next_random(&seed) % OX_RS_DATA_MAX, r = 1 + next_random(&seed) % OX_RS_PARITY_MAX;
        group_open(g, k, r, 1 + next_random(&seed) % 1500, NULL);
        group_fill(g, &seed);
        check_parities(g);
        uint64_t lost[2] = {0, 0};
        for (uint32_t count = 1 + next_random(&seed) % r; count > 0; count--) {
            const uint32_t index = next_random(&seed) % (k + r);
            lost[index / 64] |= (uint64_t)1 << index % 64;
        }
        const ox_rs_present present = group_lose(g, lost);
        assert_int_equal(OX_OK, ox_rs_recover(g->rs, g->shards, &present, g->bytes));
        group_check_data(g);
        check_rebuilt(g, &present, lost[0] & UINT64_MAX >> (64 - k));
    }
    group_close(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_know_the_same_field),
        cmocka_unit_test(both_give_the_same_parities_and_rebuild_the_same_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
