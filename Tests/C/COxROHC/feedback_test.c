#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "CSources/COxROHC/state.h"

static const uint16_t profiles[] = {0x0001, 0x0003, 0x0006, 0x0102};

/* Writes one element, and reads it again as the compressor does. */
static bool around(const rohc_feedback_out *out, uint16_t profile, uint16_t cid, bool large, rohc_feedback *in, uint8_t flip) {
    uint8_t octets[32];
    rohc_writer writer = {.at = octets, .end = octets + sizeof octets};
    rohc_feedback_write(&writer, out, profile, cid, large);
    assert_false(writer.full);
    rohc_reader reader = {.at = octets, .end = writer.at};
    const uint8_t *data;
    uint32_t count;
    assert_true(rohc_feedback_next(&reader, &data, &count));
    assert_int_equal(rohc_left(&reader), 0);
    ((uint8_t *)(uintptr_t)data)[count - 1] ^= flip;
    const uint8_t *element = data;
    const uint32_t element_bytes = count;
    uint16_t read_cid;
    assert_true(rohc_feedback_cid(&data, &count, large, &read_cid));
    assert_int_equal(read_cid, cid);
    return rohc_feedback_read(element, element_bytes, data, count, profile, in);
}

static void all_of_it_returns(void **state) {
    (void)state;
    static const uint16_t small[] = {0, 1, 15}, large[] = {0, 127, 128, 16383};
    for (uint32_t p = 0; p < 4; p++) {
        for (uint32_t i = 0; i < 7; i++) {
            const bool is_large = i >= 3;
            const uint16_t cid = is_large ? large[i - 3] : small[i];
            const bool msn = rohc_feedback_is_msn(profiles[p]);
            const rohc_feedback_out out = {.ack = (rohc_ack)(i % 3), .mode = ROHC_MODE_O, .sn = 0xDEADBEEF,
                                           .sn_bits = msn ? 14 : profiles[p] == 0x0003 ? 32 : 16};
            rohc_feedback in;
            assert_true(around(&out, profiles[p], cid, is_large, &in, 0));
            assert_int_equal(in.ack, out.ack);
            assert_true(in.two && in.sn_valid && in.protected_);
            if (!msn) assert_int_equal(in.mode, ROHC_MODE_O);
            assert_true(in.sn_bits >= out.sn_bits);
            const uint32_t mask = out.sn_bits == 32 ? UINT32_MAX : (1u << out.sn_bits) - 1;
            assert_int_equal(in.sn & mask, out.sn & mask);
        }
    }
}

static void an_unknown_number_is_said(void **state) {
    (void)state;
    for (uint32_t p = 0; p < 4; p++) {
        rohc_feedback in;
        assert_true(around(&(rohc_feedback_out){.ack = ROHC_STATIC_NACK}, profiles[p], 3, false, &in, 0));
        assert_int_equal(in.ack, ROHC_STATIC_NACK);
        assert_false(in.sn_valid);
    }
}

static void a_wrong_crc_is_refused(void **state) {
    (void)state;
    for (uint32_t p = 0; p < 4; p++) {
        rohc_feedback in;
        const rohc_feedback_out out = {.ack = ROHC_ACK, .mode = ROHC_MODE_O, .sn = 77, .sn_bits = 12};
        assert_false(around(&out, profiles[p], 0, false, &in, 0x20));
    }
}

static void one_octet_acknowledges(void **state) {
    (void)state;
    const uint8_t octet = 0x55;
    rohc_feedback in;
    assert_true(rohc_feedback_read(&octet, 1, &octet, 1, 0x0001, &in));
    assert_int_equal(in.ack, ROHC_ACK);
    assert_int_equal(in.sn, 0x55);
    assert_int_equal(in.sn_bits, 8);
    assert_false(in.two);
}

static void what_is_cut_off_is_malformed(void **state) {
    (void)state;
    static const uint8_t elements[][3] = {{0xF3, 0x20, 0x01}, {0xF0, 0x05, 0x20}, {0xF0}, {0x00}};
    static const uint32_t counts[] = {3, 3, 1, 1};
    for (uint32_t i = 0; i < 4; i++) {
        rohc_reader reader = {.at = elements[i], .end = elements[i] + counts[i]};
        const uint8_t *data;
        uint32_t count;
        assert_false(rohc_feedback_next(&reader, &data, &count));
    }
    const uint8_t only_cid = 0xE3;
    const uint8_t *data = &only_cid;
    uint32_t count = 1;
    uint16_t cid;
    assert_false(rohc_feedback_cid(&data, &count, false, &cid));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_returns),
        cmocka_unit_test(an_unknown_number_is_said),
        cmocka_unit_test(a_wrong_crc_is_refused),
        cmocka_unit_test(one_octet_acknowledges),
        cmocka_unit_test(what_is_cut_off_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
