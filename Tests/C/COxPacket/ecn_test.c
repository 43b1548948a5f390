#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "packets.h"

static packet p;

static void v4_sets_ecn_and_keeps_the_checksum_right(void **state) {
    (void)state;
    /* Every identification brings every value of the checksum, its corners 0x0000 and 0xFFFE among them. */
    bool zero_seen = false;
    for (uint32_t id = 0; id <= 0xFFFF; id++) {
        begin_v4(&p, OX_PROTO_UDP, 0);
        ox_store_be16(p.bytes + 4, (uint16_t)id);
        end(&p);
        for (uint8_t step = 0; step < 8; step++) {
            const uint8_t ecn = (uint8_t)((step * 7 + id) & 3);
            ox_ecn_set(p.bytes, ecn);
            assert_int_equal(ox_ecn_get(p.bytes), ecn);
            assert_int_equal(p.bytes[1], 0xB8 | ecn);
            assert_int_equal(ox_load_be16(p.bytes + 10), v4_checksum(p.bytes));
            zero_seen |= ox_load_be16(p.bytes + 10) == 0;
        }
    }
    assert_true(zero_seen);
}

static void v4_options_are_part_of_the_checksum(void **state) {
    (void)state;
    begin_v4(&p, OX_PROTO_UDP, 40);
    end(&p);
    ox_ecn_set(p.bytes, OX_ECN_CE);
    assert_int_equal(ox_load_be16(p.bytes + 10), v4_checksum(p.bytes));
}

static void an_unchanged_field_leaves_every_byte(void **state) {
    (void)state;
    begin_v4(&p, OX_PROTO_UDP, 0);
    end(&p);
    ox_store_be16(p.bytes + 10, 0xFFFF); /* another way to write zero, or wrong: not ours to mend */
    packet before = p;
    ox_ecn_set(p.bytes, OX_ECN_NOT_ECT);
    assert_memory_equal(before.bytes, p.bytes, p.len);
}

static void a_wrong_checksum_stays_as_wrong(void **state) {
    (void)state;
    begin_v4(&p, OX_PROTO_UDP, 0);
    end(&p);
    ox_store_be16(p.bytes + 10, (uint16_t)(v4_checksum(p.bytes) ^ 0x0100));
    ox_ecn_set(p.bytes, OX_ECN_CE);
    assert_int_not_equal(ox_load_be16(p.bytes + 10), v4_checksum(p.bytes));
}

static void v6_sets_ecn_and_nothing_else(void **state) {
    (void)state;
    begin_v6(&p, OX_PROTO_UDP);
    end(&p);
    const packet before = p;
    for (uint8_t ecn = 0; ecn < 4; ecn++) {
        ox_ecn_set(p.bytes, ecn);
        assert_int_equal(ox_ecn_get(p.bytes), ecn);
        assert_int_equal(p.bytes[1] & ~0x30, before.bytes[1] & ~0x30);
        assert_int_equal(p.bytes[0], before.bytes[0]);
        assert_memory_equal(p.bytes + 2, before.bytes + 2, p.len - 2);
    }
}

enum { NOT = OX_ECN_NOT_ECT, E0 = OX_ECN_ECT0, E1 = OX_ECN_ECT1, CE = OX_ECN_CE, DROP = 255 };

static void decapsulation_is_figure_4_of_rfc_6040(void **state) {
    (void)state;
    static const uint8_t order[4] = {NOT, E0, E1, CE}; /* of the figure's rows and columns */
    static const uint8_t figure[4][4] = {
        {NOT, NOT, NOT, DROP},
        {E0, E0, E1, CE},
        {E1, E1, E1, CE},
        {CE, CE, CE, CE},
    };
    for (int version = 4; version <= 6; version += 2) {
        for (int row = 0; row < 4; row++) {
            for (int column = 0; column < 4; column++) {
                if (version == 4) {
                    begin_v4(&p, OX_PROTO_UDP, 0);
                    p.bytes[1] |= order[row];
                } else {
                    begin_v6(&p, OX_PROTO_UDP);
                    p.bytes[1] = (uint8_t)((p.bytes[1] & 0xCF) | order[row] << 4);
                }
                end(&p);
                const packet before = p;
                const ox_verdict verdict = ox_ecn_decapsulate(p.bytes, order[column]);
                if (figure[row][column] == DROP) {
                    assert_int_equal(verdict, OX_DROP_ECN_NOT_CAPABLE);
                    assert_memory_equal(p.bytes, before.bytes, p.len);
                    continue;
                }
                assert_int_equal(verdict, OX_PASS);
                assert_int_equal(ox_ecn_get(p.bytes), figure[row][column]);
                if (version == 4) assert_int_equal(ox_load_be16(p.bytes + 10), v4_checksum(p.bytes));
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v4_sets_ecn_and_keeps_the_checksum_right),
        cmocka_unit_test(v4_options_are_part_of_the_checksum),
        cmocka_unit_test(an_unchanged_field_leaves_every_byte),
        cmocka_unit_test(a_wrong_checksum_stays_as_wrong),
        cmocka_unit_test(v6_sets_ecn_and_nothing_else),
        cmocka_unit_test(decapsulation_is_figure_4_of_rfc_6040),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
