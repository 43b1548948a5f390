#include "groups.h"

static group *g;

static int open_group(void **state) {
    (void)state;
    g = calloc(1, sizeof *g);
    return g != NULL ? 0 : -1;
}

static int close_group(void **state) {
    (void)state;
    group_close(g);
    return 0;
}

/* ---- the matrix ---------------------------------------------------------------------------------------------- */

static void parities_are_what_the_matrix_says(void **state) {
    (void)state;
    uint32_t seed = 1;
    group_open(g, 64, 32, 5, NULL);
    group_fill(g, &seed);
    for (uint32_t i = 0; i < g->r; i++) {
        for (size_t at = 0; at < g->bytes; at++) {
            uint8_t sum = 0;
            for (uint32_t j = 0; j < g->k; j++) sum ^= slow_multiply(slow_element(i, j), g->shards[j][at]);
            assert_int_equal(sum, g->shards[g->k + i][at]);
        }
    }
}

static void the_first_parity_is_the_xor(void **state) {
    (void)state;
    uint32_t seed = 2;
    group_open(g, 10, 1, 1500, NULL);
    group_fill(g, &seed);
    for (size_t at = 0; at < g->bytes; at++) {
        uint8_t sum = 0;
        for (uint32_t j = 0; j < g->k; j++) sum ^= g->shards[j][at];
        assert_int_equal(sum, g->shards[g->k][at]);
    }
}

static void a_group_can_grow(void **state) {
    (void)state;
    uint32_t seed = 3;
    group_open(g, 20, 4, 100, NULL);
    group_fill(g, &seed);
    // The parities of 7 shards, by a coder for 7; then a coder of the larger shape adds the other 13.
    uint8_t sums[4][100] = {{0}};
    uint8_t *parity[4] = {sums[0], sums[1], sums[2], sums[3]};
    group_open(g, 7, 2, 100, NULL);
    ox_rs_encode(g->rs, (const uint8_t *const *)g->shards, parity, 100);
    ox_rs_present present = {{(1 << 7) - 1, 0}};
    group_open(g, 20, 2, 100, NULL);
    for (uint32_t j = 7; j < 20; j++) assert_int_equal(OX_OK, ox_rs_update(g->rs, &present, j, g->shards[j], 100, parity));
    for (uint32_t i = 0; i < 2; i++) assert_memory_equal(g->right[20 + i], parity[i], 100);
}

/* ---- losses -------------------------------------------------------------------------------------------------- */

static void recover(uint64_t low, uint64_t high) {
    const uint64_t lost[2] = {low, high};
    const ox_rs_present present = group_lose(g, lost);
    assert_int_equal(OX_OK, ox_rs_recover(g->rs, g->shards, &present, g->bytes));
    group_check_data(g);
    for (uint32_t i = 0; i < g->r; i++) memcpy(g->shards[g->k + i], g->right[g->k + i], g->bytes);
}

static void all_losses_of_all_small_groups_are_repaired(void **state) {
    (void)state;
    uint32_t seed = 4;
    for (uint32_t n = 1; n <= 12; n++) {
        for (uint32_t k = 1; k <= n; k++) {
            group_open(g, k, n - k, 9, NULL);
            group_fill(g, &seed);
            for (uint64_t lost = 0; lost < 1u << n; lost++)
                if ((uint32_t)__builtin_popcountll(lost) <= n - k) recover(lost, 0);
        }
    }
}

static void too_many_losses_are_said_and_nothing_is_written(void **state) {
    (void)state;
    uint32_t seed = 5;
    group_open(g, 5, 3, 65, NULL);
    group_fill(g, &seed);
    for (uint64_t lost = 0; lost < 1u << 8; lost++) {
        if (__builtin_popcountll(lost) <= 3) continue;
        for (uint32_t i = 0; i < 8; i++) memcpy(g->shards[i], g->right[i], g->bytes);
        const ox_rs_present present = group_lose(g, (const uint64_t[2]){lost, 0});
        // Parities that are there in the stead of fewer losses among the data would be enough.
        const bool short_of = __builtin_popcountll(lost & 31) + __builtin_popcountll(lost >> 5) > 3;
        assert_true(short_of);
        assert_int_equal(OX_E_SHORT, ox_rs_recover(g->rs, g->shards, &present, g->bytes));
        for (uint32_t i = 0; i < 5; i++) {
            static const uint8_t untouched[65] = {[0 ... 64] = 0xA5};
            assert_memory_equal(lost >> i & 1 ? untouched : g->right[i], g->shards[i], g->bytes);
        }
    }
}

static void parities_alone_are_enough(void **state) {
    (void)state;
    uint32_t seed = 6;
    static const uint32_t counts[] = {1, 2, 10, 31, 32};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        group_open(g, counts[i], counts[i], 1500, NULL);
        group_fill(g, &seed);
        recover(((uint64_t)1 << counts[i]) - 1, 0);
    }
}

static void one_data_shard_is_every_parity(void **state) {
    (void)state;
    uint32_t seed = 7;
    group_open(g, 1, 32, 63, NULL);
    group_fill(g, &seed);
    for (uint32_t i = 0; i < 32; i++) {
        assert_memory_equal(g->right[0], g->shards[1], g->bytes);
        recover(~((uint64_t)1 << (1 + i)) & 0x1FFFFFFFF, 0); // all but parity i
    }
}

static void the_largest_groups_are_repaired(void **state) {
    (void)state;
    uint32_t seed = 8;
    group_open(g, 64, 32, 1499, NULL);
    group_fill(g, &seed);
    recover(0xFFFFFFFF, 0);
    recover(0xFFFFFFFF00000000, 0);
    recover(0x5555555555555555, 0);
    recover(0x8000000000000001, 0x3FFFFFFF); // what is left are the last two parities
    recover(0, 0xFFFFFFFF);
    for (uint32_t round = 0; round < 200; round++) {
        uint64_t lost[2] = {0, 0};
        for (uint32_t i = 0; i < 32; i++) {
            const uint32_t index = next_random(&seed) % 96;
            lost[index / 64] |= (uint64_t)1 << index % 64;
        }
        recover(lost[0], lost[1]);
    }
}

static void long_shards_are_repaired_in_strips(void **state) {
    (void)state;
    enum { K = 12, R = 10, BYTES = OX_RS_BYTES_MAX };
    uint32_t seed = 9;
    uint8_t *memory = malloc((size_t)(2 * K + R) * BYTES), *shards[K + R];
    assert_non_null(memory);
    for (uint32_t i = 0; i < K + R; i++) shards[i] = memory + (size_t)i * BYTES;
    fill_random(memory, (size_t)K * BYTES, &seed);
    memcpy(memory + (size_t)(K + R) * BYTES, memory, (size_t)K * BYTES);
    group_open(g, K, R, 0, NULL);
    ox_rs_encode(g->rs, (const uint8_t *const *)shards, shards + K, BYTES);
    memset(memory, 0, (size_t)R * BYTES);
    const ox_rs_present present = {{((uint64_t)1 << (K + R)) - (1u << R), 0}};
    assert_int_equal(OX_OK, ox_rs_recover(g->rs, shards, &present, BYTES));
    assert_memory_equal(memory + (size_t)(K + R) * BYTES, memory, (size_t)K * BYTES);
    free(memory);
}

static void no_parities_is_a_shape_too(void **state) {
    (void)state;
    uint32_t seed = 10;
    group_open(g, 64, 0, 20, NULL);
    group_fill(g, &seed);
    recover(0, 0);
    const ox_rs_present present = group_lose(g, (const uint64_t[2]){1, 0});
    assert_int_equal(OX_E_SHORT, ox_rs_recover(g->rs, g->shards, &present, g->bytes));
    ox_rs_present none = {{0, 0}};
    assert_int_equal(OX_OK, ox_rs_update(g->rs, &none, 3, g->shards[3], 20, NULL));
}

/* ---- shards as they come ------------------------------------------------------------------------------------- */

static void parities_grow_with_each_shard_in_any_order(void **state) {
    (void)state;
    uint32_t seed = 11;
    group_open(g, 50, 10, 1500, NULL);
    group_fill(g, &seed);
    for (uint32_t i = 0; i < g->r; i++) memset(g->shards[g->k + i], 0, g->bytes);
    ox_rs_present present = {{0, 0}};
    for (uint32_t i = 0; i < g->k; i++) {
        const uint32_t j = i * 7 % g->k;
        assert_int_equal(OX_OK, ox_rs_update(g->rs, &present, j, g->shards[j], g->bytes, g->shards + g->k));
    }
    for (uint32_t i = 0; i < g->r; i++) assert_memory_equal(g->right[g->k + i], g->shards[g->k + i], g->bytes);
}

static void the_longest_of_unequal_shards_is_repaired(void **state) {
    (void)state;
    static const size_t lengths[] = {1, 64, 700, 1500, 63, 1499, 0, 65};
    enum { K = sizeof lengths / sizeof lengths[0] };
    uint32_t seed = 12;
    group_open(g, K, 3, 1500, NULL);
    ox_rs_present present = {{0, 0}};
    for (uint32_t i = 0; i < 3; i++) memset(g->shards[K + i], 0, g->bytes);
    for (uint32_t j = 0; j < K; j++) {
        memset(g->shards[j], 0, g->bytes);
        fill_random(g->shards[j], lengths[j], &seed);
        memcpy(g->right[j], g->shards[j], g->bytes);
        // The shard alone, so that a read past its end is seen.
        uint8_t *own = malloc(lengths[j]);
        memcpy(own, g->shards[j], lengths[j]);
        assert_int_equal(OX_OK, ox_rs_update(g->rs, &present, j, own, lengths[j], g->shards + K));
        free(own);
    }
    for (uint32_t i = 0; i < 3; i++) memcpy(g->right[K + i], g->shards[K + i], g->bytes);
    recover(1 << 3, 0);
    recover(1 << 3 | 1 << 5 | 1 << 6, 0);
}

static void a_shard_counts_once_whatever_its_second_bytes(void **state) {
    (void)state;
    uint32_t seed = 13;
    group_open(g, 4, 2, 100, NULL);
    group_fill(g, &seed);
    for (uint32_t i = 0; i < g->r; i++) memset(g->shards[g->k + i], 0, g->bytes);
    ox_rs_present present = {{0, 0}};
    uint8_t other[100];
    for (uint32_t j = 0; j < g->k; j++) {
        assert_int_equal(OX_OK, ox_rs_update(g->rs, &present, j, g->shards[j], g->bytes, g->shards + g->k));
        fill_random(other, sizeof other, &seed);
        const ox_rs_present before = present;
        assert_int_equal(OX_E_AGAIN, ox_rs_update(g->rs, &present, j, other, sizeof other, g->shards + g->k));
        assert_int_equal(OX_E_AGAIN, ox_rs_arrived(g->rs, &present, j));
        assert_memory_equal(&before, &present, sizeof before);
    }
    for (uint32_t i = 0; i < g->r; i++) assert_memory_equal(g->right[g->k + i], g->shards[g->k + i], g->bytes);
}

static void an_index_that_a_group_has_not_is_refused(void **state) {
    (void)state;
    uint32_t seed = 14;
    group_open(g, 4, 2, 10, NULL);
    group_fill(g, &seed);
    static const uint32_t wrong[] = {6, 63, 64, 127, 128, UINT32_MAX};
    ox_rs_present present = {{0, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(OX_E_LIMIT, ox_rs_arrived(g->rs, &present, wrong[i]));
        assert_int_equal(OX_E_LIMIT, ox_rs_update(g->rs, &present, wrong[i], g->shards[0], 10, g->shards + 4));
    }
    // A parity is not added to parities.
    assert_int_equal(OX_E_LIMIT, ox_rs_update(g->rs, &present, 4, g->shards[0], 10, g->shards + 4));
    assert_true(present.bits[0] == 0 && present.bits[1] == 0);
    for (uint32_t i = 6; i < 128; i++) {
        ox_rs_present more = {{0x3E, 0}};
        more.bits[i / 64] |= (uint64_t)1 << i % 64;
        assert_int_equal(OX_E_LIMIT, ox_rs_recover(g->rs, g->shards, &more, 10));
    }
    group_open(g, 64, 32, 10, NULL);
    const ox_rs_present more = {{UINT64_MAX, (uint64_t)1 << 32}};
    assert_int_equal(OX_E_LIMIT, ox_rs_recover(g->rs, g->shards, &more, 10));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parities_are_what_the_matrix_says),
        cmocka_unit_test(the_first_parity_is_the_xor),
        cmocka_unit_test(a_group_can_grow),
        cmocka_unit_test(all_losses_of_all_small_groups_are_repaired),
        cmocka_unit_test(too_many_losses_are_said_and_nothing_is_written),
        cmocka_unit_test(parities_alone_are_enough),
        cmocka_unit_test(one_data_shard_is_every_parity),
        cmocka_unit_test(the_largest_groups_are_repaired),
        cmocka_unit_test(long_shards_are_repaired_in_strips),
        cmocka_unit_test(no_parities_is_a_shape_too),
        cmocka_unit_test(parities_grow_with_each_shard_in_any_order),
        cmocka_unit_test(the_longest_of_unequal_shards_is_repaired),
        cmocka_unit_test(a_shard_counts_once_whatever_its_second_bytes),
        cmocka_unit_test(an_index_that_a_group_has_not_is_refused),
    };
    return cmocka_run_group_tests(tests, open_group, close_group);
}
