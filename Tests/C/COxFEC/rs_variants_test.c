#include "groups.h"

/* 1 to 128 and around the powers of two above, and a full packet. */
static const size_t lengths[] = {1,   2,   3,   7,   8,   9,   15,  16,  17,  31,  32,  33,  47,  48,  63,   64,  65,
                                 95,  96,  97,  127, 128, 129, 191, 192, 193, 200, 255, 256, 257, 319, 320,  321, 511,
                                 512, 513, 1400, 1499, 1500};
enum { LENGTHS = sizeof lengths / sizeof lengths[0] };

static bool runs(const ox_rs_variant *variant) {
    if (ox_rs_variant_runs(variant)) return true;
    print_message("SKIP %s: not on this machine\n", ox_rs_variant_name(variant));
    return false;
}

#define EACH_VARIANT(variant)                                                                                        \
    const ox_rs_variant *variant = NULL;                                                                             \
    for (uint32_t number = 0; (variant = ox_rs_variants(number)) != NULL; number++)                                  \
        if (runs(variant))

static void the_first_variant_is_the_scalar_one_and_runs_everywhere(void **state) {
    (void)state;
    assert_string_equal("scalar", ox_rs_variant_name(ox_rs_variants(0)));
    assert_true(ox_rs_variant_runs(ox_rs_variants(0)));
}

/* One matrix over one set of shards, by definition and by each variant, with sources and results beside pages that fault. */
typedef struct product {
    uint32_t rows, columns;
    bool plain, start, behind;
    size_t bytes;
} product;

static void check_product(const ox_rs_variant *variant, const product *c, uint32_t *seed) {
    uint8_t *to[OX_RS_PARITY_MAX], *from[OX_RS_DATA_MAX], *start[OX_RS_PARITY_MAX];
    static uint8_t right[OX_RS_PARITY_MAX][SHARD_MAX];
    static uint64_t forms[OX_RS_PARITY_MAX * OX_RS_DATA_MAX];
    for (uint32_t j = 0; j < c->columns; j++) fill_random(from[j] = guarded(c->bytes, c->behind), c->bytes, seed);
    for (uint32_t i = 0; i < c->rows; i++) {
        fill_random(to[i] = guarded(c->bytes, c->behind), c->bytes, seed);
        fill_random(start[i] = guarded(c->bytes, c->behind), c->bytes, seed);
        for (size_t at = 0; at < c->bytes; at++) right[i][at] = c->start ? start[i][at] : 0;
        for (uint32_t j = 0; j < c->columns; j++) {
            const uint8_t factor = c->plain && i == 0 ? 1 : (uint8_t)next_random(seed);
            forms[j * c->rows + i] = c->plain && i == 0 ? 0x55 : ox_rs_form(variant, factor);
            for (size_t at = 0; at < c->bytes; at++) right[i][at] ^= ox_gf_multiply(factor, from[j][at]);
        }
    }
    ox_rs_product p = {.to = to, .from = (const uint8_t *const *)from, .factors = forms, .rows = c->rows, .stride = c->rows,
                       .columns = c->columns, .plain = c->plain, .bytes = c->bytes};
    if (c->start) p.start = (const uint8_t *const *)start;
    variant->multiply(&p);
    for (uint32_t i = 0; i < c->rows; i++)
        if (memcmp(right[i], to[i], c->bytes) != 0)
            fail_msg("%s: row %u of %u x %u, %zu bytes", variant->name, i, c->rows, c->columns, c->bytes);
    // In place: added to what is there.
    if (c->start) {
        p.to = start;
        variant->multiply(&p);
        for (uint32_t i = 0; i < c->rows; i++)
            if (memcmp(right[i], start[i], c->bytes) != 0)
                fail_msg("%s: in place, row %u of %u x %u, %zu bytes", variant->name, i, c->rows, c->columns, c->bytes);
    }
    for (uint32_t i = 0; i < c->rows; i++) release_guarded(to[i], c->bytes), release_guarded(start[i], c->bytes);
    for (uint32_t j = 0; j < c->columns; j++) release_guarded(from[j], c->bytes);
}

static void every_variant_gives_the_same_at_every_length_and_reads_nothing_else(void **state) {
    (void)state;
    EACH_VARIANT(variant) {
        uint32_t seed = 1;
        for (size_t l = 0; l < LENGTHS; l++) {
            for (uint32_t way = 0; way < 8; way++) {
                const uint32_t rows = 1 + next_random(&seed) % 12, columns = 1 + next_random(&seed) % 9;
                check_product(variant, &(product){rows, columns, way & 1, way & 2, way & 4, lengths[l]}, &seed);
            }
        }
    }
}

static void every_variant_gives_the_same_for_every_shape(void **state) {
    (void)state;
    EACH_VARIANT(variant) {
        uint32_t seed = 2;
        for (uint32_t rows = 1; rows <= OX_RS_PARITY_MAX; rows++)
            for (uint32_t columns = 1; columns <= 4; columns++)
                for (size_t bytes = 20; bytes <= 300; bytes += 93)
                    check_product(variant, &(product){rows, columns, rows & 1, columns & 2, bytes & 1, bytes}, &seed);
        check_product(variant, &(product){32, 64, true, false, false, 193}, &seed);
        check_product(variant, &(product){32, 63, false, true, true, 129}, &seed);
    }
}

static void every_variant_knows_all_products(void **state) {
    (void)state;
    uint8_t all[256], product[256];
    for (uint32_t i = 0; i < 256; i++) all[i] = (uint8_t)i;
    EACH_VARIANT(variant) {
        for (uint32_t factor = 0; factor < 256; factor++) {
            const uint64_t form = ox_rs_form(variant, (uint8_t)factor);
            uint8_t *const to = product;
            const uint8_t *const from = all;
            variant->multiply(&(ox_rs_product){
                .to = &to, .from = &from, .factors = &form, .rows = 1, .columns = 1, .stride = 1, .bytes = sizeof all});
            for (uint32_t i = 0; i < 256; i++) assert_int_equal(slow_multiply((uint8_t)factor, (uint8_t)i), product[i]);
        }
    }
}

/* Groups of every variant, through the functions that use it, at unaligned places. */
static void every_variant_codes_the_same_groups(void **state) {
    (void)state;
    static const uint32_t shapes[][2] = {{1, 1}, {4, 1}, {10, 2}, {10, 3}, {16, 4}, {32, 8}, {50, 10}, {64, 32}, {1, 32}};
    group *g = calloc(1, sizeof *g);
    static uint8_t parities[OX_RS_PARITY_MAX][SHARD_MAX];
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        for (size_t l = 0; l < LENGTHS; l++) {
            EACH_VARIANT(variant) {
                uint32_t seed = (uint32_t)(s * LENGTHS + l);
                group_open(g, shapes[s][0], shapes[s][1], lengths[l], variant);
                for (uint32_t i = 0; i < g->k + g->r; i++) g->shards[i] = g->memory[i] + (i + l) % 4;
                group_fill(g, &seed);
                for (uint32_t i = 0; i < g->r; i++) {
                    if (number == 0) memcpy(parities[i], g->right[g->k + i], g->bytes);
                    else assert_memory_equal(parities[i], g->right[g->k + i], g->bytes);
                }
                uint64_t lost[2] = {0, 0};
                for (uint32_t count = g->r < g->k ? g->r : g->k; count > 0; count--)
                    lost[0] |= (uint64_t)1 << next_random(&seed) % g->k;
                const ox_rs_present present = group_lose(g, lost);
                assert_int_equal(OX_OK, ox_rs_recover(g->rs, g->shards, &present, g->bytes));
                group_check_data(g);
            }
        }
    }
    group_close(g);
}

static void shards_beside_pages_that_fault_are_coded_and_repaired(void **state) {
    (void)state;
    static const size_t some[] = {1, 31, 63, 64, 65, 127, 129, 1400, 1499};
    group *g = calloc(1, sizeof *g);
    EACH_VARIANT(variant) {
        for (size_t l = 0; l < sizeof some / sizeof some[0]; l++) {
            uint32_t seed = (uint32_t)l;
            group_open(g, 10, 4, some[l], variant);
            for (uint32_t i = 0; i < 14; i++) g->shards[i] = guarded(g->bytes, i % 2 == 0);
            group_fill(g, &seed);
            const ox_rs_present present = group_lose(g, (const uint64_t[2]){0x10F & ~8u, 0});
            assert_int_equal(OX_OK, ox_rs_recover(g->rs, g->shards, &present, g->bytes));
            group_check_data(g);
            ox_rs_present none = {{0, 0}};
            assert_int_equal(OX_OK, ox_rs_update(g->rs, &none, 9, g->shards[9], g->bytes, g->shards + 10));
            for (uint32_t i = 0; i < 14; i++) release_guarded(g->shards[i], g->bytes);
        }
    }
    group_close(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_variant_is_the_scalar_one_and_runs_everywhere),
        cmocka_unit_test(every_variant_gives_the_same_at_every_length_and_reads_nothing_else),
        cmocka_unit_test(every_variant_gives_the_same_for_every_shape),
        cmocka_unit_test(every_variant_knows_all_products),
        cmocka_unit_test(every_variant_codes_the_same_groups),
        cmocka_unit_test(shards_beside_pages_that_fault_are_coded_and_repaired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
