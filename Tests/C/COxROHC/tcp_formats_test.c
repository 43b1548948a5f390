#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "CSources/COxROHC/tcp.h"

static const tcp_format *format_at(uint32_t set, uint32_t i) { return &tcp_formats[set][i]; }

static void fields_fill_each_format_without_overlap(void **state) {
    (void)state;
    for (uint32_t set = 0; set < 2; set++) {
        for (uint32_t i = 0; i < TCP_FORMATS; i++) {
            const tcp_format *format = format_at(set, i);
            const uint32_t bits = 8u * format->octets;
            uint64_t taken = ((UINT64_C(1) << format->mark_bits) - 1) << (bits - format->mark_bits);
            for (uint32_t field = 0; field < FIELDS; field++) {
                const uint64_t mask = ((UINT64_C(1) << format->bits[field]) - 1) << format->shift[field];
                assert_true((taken & mask) == 0);
                taken |= mask;
            }
            assert_true(taken == (UINT64_C(1) << bits) - 1);
        }
    }
}

static void formats_come_by_size(void **state) {
    (void)state;
    for (uint32_t set = 0; set < 2; set++)
        for (uint32_t i = 1; i < TCP_FORMATS; i++) assert_true(format_at(set, i - 1)->octets <= format_at(set, i)->octets);
}

static void a_first_octet_tells_the_format(void **state) {
    (void)state;
    for (uint32_t set = 0; set < 2; set++) {
        for (uint32_t first = 0; first < 256; first++) {
            uint32_t found = 0;
            for (uint32_t i = 0; i < TCP_FORMATS; i++) {
                const tcp_format *format = format_at(set, i);
                if (first >> (8 - format->mark_bits) != format->mark) continue;
                found++;
                assert_ptr_equal(tcp_format_of((uint8_t)first, set != 0), format);
            }
            assert_true(found <= 1);
            if (found == 0) assert_null(tcp_format_of((uint8_t)first, set != 0));
            // What belongs to co_common and to all profiles is no one's.
            if (first >= 0xE0) assert_int_equal(found, 0);
        }
    }
}

/* Section 8.2: seq_2 is 11010, 7 bits of IP-ID, 4 of the scaled sequence number, 4 of MSN, PSH and CRC. */
static void a_field_lies_where_the_standard_says(void **state) {
    (void)state;
    const tcp_format *format = tcp_format_of(0xD5, true);
    assert_int_equal(format->type, OX_ROHC_TYPE_TCP_SEQ_2);
    const uint64_t octets = 0xD5A7BD; /* 11010 1011010 0111 1011 1 101 */
    assert_int_equal(tcp_get(format, octets, FIELD_ID), 0x5A);
    assert_int_equal(tcp_get(format, octets, FIELD_SCALED), 7);
    assert_int_equal(tcp_get(format, octets, FIELD_MSN), 0xB);
    assert_int_equal(tcp_get(format, octets, FIELD_PSH), 1);
    assert_int_equal(tcp_get(format, octets, FIELD_CRC), 5);
    uint64_t written = UINT64_C(0x1A) << 19;
    written = tcp_put(format, written, FIELD_ID, 0x5A);
    written = tcp_put(format, written, FIELD_SCALED, 7);
    written = tcp_put(format, written, FIELD_MSN, 0xFB);
    written = tcp_put(format, written, FIELD_PSH, 1);
    assert_true(tcp_put(format, written, FIELD_CRC, 5) == octets);
}

static void flags_have_an_index_one_at_a_time(void **state) {
    (void)state;
    for (uint8_t index = 0; index < 4; index++) assert_int_equal(tcp_rsf_index(tcp_rsf_flags(index)), index);
    assert_int_equal(tcp_rsf_index(FLAG_SYN | FLAG_FIN), 4);
    assert_int_equal(tcp_rsf_index(FLAG_ACK | FLAG_FIN), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_fill_each_format_without_overlap),
        cmocka_unit_test(formats_come_by_size),
        cmocka_unit_test(a_first_octet_tells_the_format),
        cmocka_unit_test(a_field_lies_where_the_standard_says),
        cmocka_unit_test(flags_have_an_index_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
