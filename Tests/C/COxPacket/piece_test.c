#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "Tests/C/COxPacket/supers.h"

static uint8_t packet[70000];

/* A super-packet of 10,000 bytes of payload, and its piece: a super-packet of the bytes `from` to `from + len`. */
static ox_headers piece(const spec *s, uint32_t index, uint32_t from, uint32_t len) {
    const uint32_t total = write_packet(packet, s, true);
    const ox_headers headers = parsed(packet, total);
    ox_piece_headers(packet, &headers, index, from, len, s->payload);
    return parsed(packet, ox_headers_bytes(&headers) + len);
}

static void the_lengths_and_sums_are_those_of_the_piece(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        spec s = kind_spec(kind);
        s.payload = 10000;
        const ox_headers headers = piece(&s, 3, 3000, 1999);
        assert_int_equal(headers.total_bytes, spec_header_bytes(&s) + 1999);
        const uint32_t header_bytes = spec_header_bytes(&s);
        s.payload = 1999;
        s.sequence += 3000;
        s.id = (uint16_t)(s.id + (s.version == 4 ? 3 : 0));
        uint8_t whole[3000];
        write_packet(whole, &s, true);
        assert_memory_equal(packet, whole, header_bytes);
    }
}

static void flags_of_the_end_are_on_the_last_piece_alone_and_cwr_on_the_first(void **state) {
    (void)state;
    spec s = tcp_spec(4);
    s.payload = 10000;
    s.flags = FIN | PSH | ACK | URG | ECE | CWR;
    assert_int_equal(piece(&s, 0, 0, 10000).tcp_flags, FIN | PSH | ACK | URG | ECE | CWR);
    assert_int_equal(piece(&s, 0, 0, 9999).tcp_flags, ACK | URG | ECE | CWR);
    assert_int_equal(piece(&s, 1, 1, 9998).tcp_flags, ACK | URG | ECE);
    assert_int_equal(piece(&s, 1, 1, 9999).tcp_flags, FIN | PSH | ACK | URG | ECE);
}

static void sequence_and_identification_wrap(void **state) {
    (void)state;
    spec s = tcp_spec(4);
    s.payload = 10000;
    s.sequence = UINT32_MAX - 999;
    s.id = 0xFFFF;
    piece(&s, 1, 1000, 1000);
    assert_int_equal(ox_load_be32(packet + 24), 0);
    assert_int_equal(ox_load_be16(packet + 4), 0);
}

static void a_piece_is_right_whatever_the_fields_to_be_written_held(void **state) {
    (void)state;
    spec s = udp_spec(4);
    s.payload = 500;
    uint8_t expected[1000];
    write_packet(expected, &s, true);
    const uint32_t total = write_packet(packet, &s, true);
    const ox_headers headers = parsed(packet, total);
    memset(packet + 2, 0xEE, 2);
    memset(packet + 10, 0xEE, 2);
    memset(packet + 24, 0xEE, 4);
    ox_piece_headers(packet, &headers, 0, 0, 500, 500);
    assert_memory_equal(packet, expected, total);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lengths_and_sums_are_those_of_the_piece),
        cmocka_unit_test(flags_of_the_end_are_on_the_last_piece_alone_and_cwr_on_the_first),
        cmocka_unit_test(sequence_and_identification_wrap),
        cmocka_unit_test(a_piece_is_right_whatever_the_fields_to_be_written_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
