#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "packets.h"

#include <stdlib.h>

static packet p;
static ox_headers h;

/* Parses a copy on the heap that ends where the packet ends, so that a read beyond it is seen. */
static ox_verdict parse_bytes(const uint8_t *bytes, size_t len) {
    uint8_t *exact = malloc(len == 0 ? 1 : len);
    assert_non_null(exact);
    memcpy(exact, bytes, len);
    const ox_verdict verdict = ox_parse(len == 0 ? exact + 1 : exact, len, &h);
    free(exact);
    return verdict;
}

/* Parses `p`, and everything around it: each cut of it is truncated, and each byte more is a wrong length. */
static ox_verdict parse(void) {
    end(&p);
    for (size_t len = 0; len < p.len; len += len < 200 ? 1 : 97) {
        assert_int_equal(parse_bytes(p.bytes, len), OX_DROP_PACKET_TRUNCATED);
    }
    p.bytes[p.len] = 0;
    assert_int_equal(parse_bytes(p.bytes, p.len + 1), OX_DROP_PACKET_LENGTH);
    return parse_bytes(p.bytes, p.len);
}

static void check_no_transport(void) {
    assert_false(h.has_transport);
    assert_int_equal(h.transport_bytes, 0);
    assert_int_equal(h.source_port, 0);
    assert_int_equal(h.destination_port, 0);
    assert_int_equal(h.tcp_flags | h.icmp_type | h.icmp_code, 0);
    assert_false(h.rtp);
}

static void udp_over_ipv4_is_read_field_by_field(void **state) {
    (void)state;
    begin_v4(&p, OX_PROTO_UDP, 0);
    put_udp(&p, 53, 40000, "hello", 5);
    assert_int_equal(parse(), OX_PASS);
    assert_int_equal(h.version, 4);
    assert_int_equal(h.protocol, OX_PROTO_UDP);
    assert_int_equal(h.traffic_class, 0xB8);
    assert_int_equal(h.ttl, 63);
    assert_true(h.dont_fragment);
    assert_false(h.fragment);
    assert_true(h.first_fragment);
    assert_true(h.has_transport);
    assert_int_equal(h.source_port, 53);
    assert_int_equal(h.destination_port, 40000);
    assert_int_equal(h.transport_offset, 20);
    assert_int_equal(h.transport_bytes, 8);
    assert_int_equal(h.total_bytes, 33);
    assert_false(h.rtp);
}

static void tcp_over_ipv6_is_read_field_by_field(void **state) {
    (void)state;
    begin_v6(&p, OX_PROTO_TCP);
    put_tcp(&p, 8, 0x12, 100);
    assert_int_equal(parse(), OX_PASS);
    assert_int_equal(h.version, 6);
    assert_int_equal(h.protocol, OX_PROTO_TCP);
    assert_int_equal(h.traffic_class, 0xB8);
    assert_int_equal(h.ttl, 62);
    assert_true(h.dont_fragment);
    assert_true(h.has_transport);
    assert_int_equal(h.source_port, 443);
    assert_int_equal(h.destination_port, 50000);
    assert_int_equal(h.tcp_flags, 0x12);
    assert_int_equal(h.transport_offset, 40);
    assert_int_equal(h.transport_bytes, 32);
    assert_int_equal(h.total_bytes, 172);
}

static void only_versions_4_and_6_are_known(void **state) {
    (void)state;
    for (uint8_t version = 0; version < 16; version++) {
        const uint8_t bytes[60] = {(uint8_t)(version << 4)};
        const ox_verdict verdict = parse_bytes(bytes, sizeof bytes);
        assert_int_equal(verdict == OX_DROP_PACKET_VERSION, version != 4 && version != 6);
        if (version != 4 && version != 6) assert_int_equal(parse_bytes(bytes, 1), OX_DROP_PACKET_VERSION);
    }
    assert_int_equal(parse_bytes((const uint8_t *)"", 0), OX_DROP_PACKET_TRUNCATED);
}

static void the_ipv4_header_length_has_two_limits(void **state) {
    (void)state;
    begin_v4(&p, OX_PROTO_UDP, 40);
    put_udp(&p, 1, 2, "x", 1);
    assert_int_equal(parse(), OX_PASS);
    assert_int_equal(h.transport_offset, 60);
    assert_true(h.has_transport);
    for (uint8_t words = 0; words < 5; words++) {
        p.bytes[0] = 0x40 | words;
        assert_int_equal(parse_bytes(p.bytes, p.len), OX_DROP_PACKET_HEADER);
    }
    begin_v4(&p, OX_PROTO_UDP, 0);
    end(&p);
    assert_int_equal(parse_bytes(p.bytes, 20), OX_PASS);
    p.bytes[0] = 0x46; /* a header longer than the packet */
    assert_int_equal(parse_bytes(p.bytes, 20), OX_DROP_PACKET_LENGTH);
    p.bytes[0] = 0x45;
    for (uint16_t total = 0; total < 20; total++) {
        ox_store_be16(p.bytes + 2, total);
        assert_int_equal(parse_bytes(p.bytes, 20), OX_DROP_PACKET_LENGTH);
    }
    begin_v4(&p, OX_PROTO_TCP, 0);
    put_tcp(&p, 5, 0, 65535 - 40);
    assert_int_equal(parse(), OX_PASS);
    assert_int_equal(h.total_bytes, 65535);
}

static void implausible_tcp_headers_are_no_transport(void **state) {
    (void)state;
    for (uint8_t words = 0; words < 16; words++) {
        begin_v4(&p, OX_PROTO_TCP, 0);
        put_tcp(&p, words, 2, 8); /* from 7 words on the options are put as well */
        assert_int_equal(parse(), OX_PASS);
        assert_int_equal(h.has_transport, words >= 5);
        if (words < 5) check_no_transport();
        if (words < 6) continue;
        p.len -= 8; /* the header ends with the packet */
        assert_int_equal(parse(), OX_PASS);
        assert_true(h.has_transport);
        p.len -= 1;
        assert_int_equal(parse(), OX_PASS);
        check_no_transport();
    }
    begin_v4(&p, OX_PROTO_TCP, 0);
    put_tcp(&p, 5, 2, 0);
    p.len -= 1;
    assert_int_equal(parse(), OX_PASS);
    check_no_transport();
}

static void udp_lengths_must_fit(void **state) {
    (void)state;
    for (uint16_t stated = 0; stated < 64; stated++) {
        begin_v6(&p, OX_PROTO_UDP);
        put_udp(&p, 7, 8, "0123456789", 10);
        ox_store_be16(p.bytes + 44, stated);
        assert_int_equal(parse(), OX_PASS);
        assert_int_equal(h.has_transport, stated >= 8 && stated <= 18);
        if (!h.has_transport) check_no_transport();
    }
    begin_v6(&p, OX_PROTO_UDP);
    put_udp(&p, 7, 8, "", 0);
    assert_int_equal(parse(), OX_PASS);
    assert_true(h.has_transport);
    p.len -= 1;
    assert_int_equal(parse(), OX_PASS);
    check_no_transport();
}

static void icmp_belongs_to_its_ip_version(void **state) {
    (void)state;
    const uint8_t protocols[] = {OX_PROTO_ICMP, OX_PROTO_ICMPV6};
    for (size_t i = 0; i < 2; i++) {
        begin_v4(&p, protocols[i], 0);
        put_icmp(&p, 8, 1, 0);
        assert_int_equal(parse(), OX_PASS);
        assert_int_equal(h.has_transport, i == 0);
        begin_v6(&p, protocols[i]);
        put_icmp(&p, 128, 1, 0);
        assert_int_equal(parse(), OX_PASS);
        assert_int_equal(h.has_transport, i == 1);
        if (i == 0) continue;
        assert_int_equal(h.icmp_type, 128);
        assert_int_equal(h.icmp_code, 1);
        assert_int_equal(h.transport_bytes, 8);
        p.len -= 1;
        assert_int_equal(parse(), OX_PASS);
        check_no_transport();
    }
}

static void ipv4_fragments_have_no_transport(void **state) {
    (void)state;
    static const struct {
        uint16_t field;
        bool fragment, first, dont_fragment;
    } cases[] = {
        {0x0000, false, true, false}, {0x4000, false, true, true},  {0x2000, true, true, false},
        {0x0001, true, false, false}, {0x1000, true, false, false}, {0x3FFF, true, false, false},
        {0x6000, true, true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_v4(&p, OX_PROTO_UDP, 0);
        put_udp(&p, 7, 8, "payload!", 8);
        ox_store_be16(p.bytes + 6, cases[i].field);
        assert_int_equal(parse(), OX_PASS);
        assert_int_equal(h.fragment, cases[i].fragment);
        assert_int_equal(h.first_fragment, cases[i].first);
        assert_int_equal(h.dont_fragment, cases[i].dont_fragment);
        assert_int_equal(h.has_transport, !cases[i].fragment);
        if (cases[i].fragment) check_no_transport();
    }
}

static void a_chain_of_every_extension_leads_to_the_transport(void **state) {
    (void)state;
    begin_v6(&p, 0);
    put_extension(&p, 60, 1);
    put_extension(&p, 43, 2);
    put_extension(&p, 51, 3);
    put(&p, (const uint8_t[]){60, 4}, 2); /* authentication: (4 + 2) x 4 bytes */
    put_fill(&p, 0, 22);
    put_extension(&p, OX_PROTO_UDP, 256);
    put_udp(&p, 7, 8, "x", 1);
    assert_int_equal(parse(), OX_PASS);
    assert_int_equal(h.protocol, OX_PROTO_UDP);
    assert_int_equal(h.transport_offset, 40 + 8 + 16 + 24 + 24 + 2048);
    assert_true(h.has_transport);
    assert_int_equal(h.destination_port, 8);
}

static void a_routing_header_with_segments_left_hides_the_transport(void **state) {
    (void)state;
    for (uint8_t left = 0; left < 3; left++) {
        begin_v6(&p, 43);
        put_extension(&p, OX_PROTO_UDP, 3);
        p.bytes[43] = left;
        put_udp(&p, 7, 8, "x", 1);
        assert_int_equal(parse(), OX_PASS);
        assert_int_equal(h.protocol, OX_PROTO_UDP);
        assert_int_equal(h.transport_offset, 64);
        assert_int_equal(h.has_transport, left == 0);
        if (left != 0) check_no_transport();
    }
}

static void the_number_of_extensions_is_limited(void **state) {
    (void)state;
    for (int count = OX_PACKET_EXTENSIONS_MAX; count <= OX_PACKET_EXTENSIONS_MAX + 1; count++) {
        begin_v6(&p, 60);
        for (int i = 0; i < count - 1; i++) put_extension(&p, 60, 256);
        put_extension(&p, OX_PROTO_TCP, 256);
        put_tcp(&p, 5, 0, 0);
        const ox_verdict expected = count > OX_PACKET_EXTENSIONS_MAX ? OX_DROP_PACKET_EXTENSIONS : OX_PASS;
        assert_int_equal(parse(), expected);
        if (expected == OX_PASS) assert_true(h.has_transport);
    }
}

static void hop_by_hop_stands_first_or_nowhere(void **state) {
    (void)state;
    begin_v6(&p, 0);
    put_extension(&p, OX_PROTO_TCP, 1);
    put_tcp(&p, 5, 0, 0);
    assert_int_equal(parse(), OX_PASS);
    begin_v6(&p, 60);
    put_extension(&p, 0, 1);
    put_extension(&p, OX_PROTO_TCP, 1);
    put_tcp(&p, 5, 0, 0);
    assert_int_equal(parse(), OX_DROP_PACKET_EXTENSIONS);
    begin_v6(&p, 0);
    put_extension(&p, 0, 1);
    put_extension(&p, OX_PROTO_TCP, 1);
    assert_int_equal(parse(), OX_DROP_PACKET_EXTENSIONS);
}

static void an_extension_must_end_inside_the_packet(void **state) {
    (void)state;
    const uint8_t kinds[] = {0, 43, 44, 60};
    for (size_t i = 0; i < sizeof kinds; i++) {
        begin_v6(&p, kinds[i]);
        put_extension(&p, 59, 1);
        assert_int_equal(parse(), OX_PASS);
        assert_int_equal(h.protocol, 59);
        assert_int_equal(h.transport_offset, p.len);
        check_no_transport();
        for (p.len = 47; p.len > 40; p.len--) assert_int_equal(parse(), OX_DROP_PACKET_EXTENSIONS);
        if (kinds[i] == 44) continue; /* its second octet is reserved, and not a length */
        begin_v6(&p, kinds[i]);
        put_extension(&p, 59, 1);
        p.bytes[41] = 1;
        assert_int_equal(parse(), OX_DROP_PACKET_EXTENSIONS);
    }
}

static void authentication_headers_count_in_fours(void **state) {
    (void)state;
    for (uint8_t stated = 0; stated < 8; stated++) {
        begin_v6(&p, 51);
        put(&p, (const uint8_t[]){OX_PROTO_UDP, stated}, 2);
        put_fill(&p, 0, 4u * (stated + 2u) - 2);
        put_udp(&p, 7, 8, "", 0);
        const bool whole = stated >= 1; /* 12 bytes of fixed fields */
        assert_int_equal(parse(), whole ? OX_PASS : OX_DROP_PACKET_EXTENSIONS);
        if (!whole) continue;
        assert_int_equal(h.transport_offset, 40 + 4 * (stated + 2));
        assert_true(h.has_transport);
        p.len -= 9;
        assert_int_equal(parse(), OX_DROP_PACKET_EXTENSIONS);
    }
}

static void what_is_encrypted_or_unknown_ends_the_chain(void **state) {
    (void)state;
    const uint8_t last[] = {50, 59, 135, 139, 253};
    for (size_t i = 0; i < sizeof last; i++) {
        begin_v6(&p, 60);
        put_extension(&p, last[i], 1);
        put_fill(&p, 60, 64);
        assert_int_equal(parse(), OX_PASS);
        assert_int_equal(h.protocol, last[i]);
        assert_int_equal(h.transport_offset, 48);
        check_no_transport();
    }
}

static void ipv6_fragments_have_no_transport(void **state) {
    (void)state;
    begin_v6(&p, 44);
    put_fragment(&p, OX_PROTO_UDP, 0, true);
    put_udp(&p, 7, 8, "payload!", 8);
    assert_int_equal(parse(), OX_PASS);
    assert_true(h.fragment);
    assert_true(h.first_fragment);
    assert_int_equal(h.transport_offset, 48);
    check_no_transport();

    for (int more = 0; more < 2; more++) {
        begin_v6(&p, 44);
        put_fragment(&p, 60, 1, more); /* what follows is data, not a header */
        put_fill(&p, 0xFF, 64);
        assert_int_equal(parse(), OX_PASS);
        assert_true(h.fragment);
        assert_false(h.first_fragment);
        assert_int_equal(h.protocol, 60);
        assert_int_equal(h.transport_offset, 48);
        check_no_transport();
    }

    begin_v6(&p, 44); /* an atomic fragment, with its reserved octet set */
    put_fragment(&p, OX_PROTO_UDP, 0, false);
    p.bytes[41] = 0xFF;
    put_udp(&p, 7, 8, "payload!", 8);
    assert_int_equal(parse(), OX_PASS);
    assert_false(h.fragment);
    assert_true(h.first_fragment);
    assert_true(h.has_transport);

    begin_v6(&p, 44);
    put_fragment(&p, 44, 0, false);
    put_fragment(&p, OX_PROTO_UDP, 0, false);
    put_udp(&p, 7, 8, "payload!", 8);
    assert_int_equal(parse(), OX_DROP_PACKET_EXTENSIONS);

    begin_v6(&p, 44); /* the first fragment holds the whole chain, RFC 7112 */
    put_fragment(&p, 60, 0, true);
    put_fill(&p, 0xFF, 64);
    assert_int_equal(parse(), OX_DROP_PACKET_EXTENSIONS);
}

static void jumbograms_are_refused(void **state) {
    (void)state;
    begin_v6(&p, 0);
    put(&p, (const uint8_t[]){OX_PROTO_UDP, 0, 0xC2, 4, 0, 1, 0, 0}, 8);
    put_udp(&p, 7, 8, "", 0);
    end(&p);
    ox_store_be16(p.bytes + 4, 0);
    assert_int_equal(parse_bytes(p.bytes, p.len), OX_DROP_PACKET_LENGTH);
    assert_int_equal(parse_bytes(p.bytes, 40), OX_DROP_PACKET_LENGTH);
    begin_v6(&p, 59); /* an empty packet is none */
    assert_int_equal(parse(), OX_PASS);
    assert_int_equal(h.total_bytes, 40);
    begin_v6(&p, OX_PROTO_TCP);
    put_tcp(&p, 5, 0, 65535 - 20);
    assert_int_equal(parse(), OX_PASS);
    assert_int_equal(h.total_bytes, 65575);
}

static bool looks_like_rtp(uint16_t source, uint16_t destination, const uint8_t *payload, size_t len) {
    begin_v4(&p, OX_PROTO_UDP, 0);
    put_udp(&p, source, destination, payload, len);
    assert_int_equal(parse(), OX_PASS);
    assert_true(h.has_transport);
    if (!h.rtp) assert_int_equal(h.rtp_ssrc | h.rtp_sequence, 0);
    return h.rtp;
}

static void rtp_is_told_by_version_type_and_ports(void **state) {
    (void)state;
    uint8_t rtp[172] = {0x80, 0, 0xAB, 0xCD, 0, 0, 0, 1, 0xDE, 0xAD, 0xBE, 0xEF};
    assert_true(looks_like_rtp(5004, 5006, rtp, sizeof rtp));
    assert_int_equal(h.rtp_sequence, 0xABCD);
    assert_int_equal(h.rtp_ssrc, 0xDEADBEEF);
    assert_true(looks_like_rtp(1024, 1024, rtp, sizeof rtp));
    assert_false(looks_like_rtp(1023, 1024, rtp, sizeof rtp));
    assert_false(looks_like_rtp(1024, 1023, rtp, sizeof rtp));
    for (uint8_t version = 0; version < 4; version++) {
        rtp[0] = (uint8_t)(version << 6);
        assert_int_equal(looks_like_rtp(5004, 5006, rtp, sizeof rtp), version == 2);
    }
    rtp[0] = 0x80;
    for (uint32_t type = 0; type < 256; type++) {
        rtp[1] = (uint8_t)type;
        const bool rtcp = (type & 0x7F) >= 64 && (type & 0x7F) <= 95;
        assert_int_equal(looks_like_rtp(5004, 5006, rtp, sizeof rtp), !rtcp);
    }
}

static void rtp_lengths_must_fit(void **state) {
    (void)state;
    uint8_t rtp[172] = {0x80};
    assert_true(looks_like_rtp(5004, 5006, rtp, 12));
    assert_false(looks_like_rtp(5004, 5006, rtp, 11));
    for (uint8_t sources = 0; sources < 16; sources++) {
        rtp[0] = 0x80 | sources;
        const size_t header = 12u + 4u * sources;
        assert_true(looks_like_rtp(5004, 5006, rtp, header));
        assert_false(looks_like_rtp(5004, 5006, rtp, header - 1));
        rtp[0] = 0xA0 | sources; /* padding: one octet at least */
        assert_true(looks_like_rtp(5004, 5006, rtp, header + 1));
        assert_false(looks_like_rtp(5004, 5006, rtp, header));
        rtp[0] = 0x90 | sources; /* an extension of three words */
        ox_store_be16(rtp + header + 2, 3);
        assert_true(looks_like_rtp(5004, 5006, rtp, header + 16));
        assert_false(looks_like_rtp(5004, 5006, rtp, header + 15));
        assert_false(looks_like_rtp(5004, 5006, rtp, header + 3));
        ox_store_be16(rtp + header + 2, 0);
        assert_true(looks_like_rtp(5004, 5006, rtp, header + 4));
    }
}

static void rtp_ends_where_udp_says(void **state) {
    (void)state;
    const uint8_t rtp[24] = {0x80};
    begin_v4(&p, OX_PROTO_UDP, 0);
    put_udp(&p, 5004, 5006, rtp, sizeof rtp);
    ox_store_be16(p.bytes + 24, 8 + 12);
    assert_int_equal(parse(), OX_PASS);
    assert_true(h.rtp);
    ox_store_be16(p.bytes + 24, 8 + 11);
    assert_int_equal(parse(), OX_PASS);
    assert_false(h.rtp);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_over_ipv4_is_read_field_by_field),
        cmocka_unit_test(tcp_over_ipv6_is_read_field_by_field),
        cmocka_unit_test(only_versions_4_and_6_are_known),
        cmocka_unit_test(the_ipv4_header_length_has_two_limits),
        cmocka_unit_test(implausible_tcp_headers_are_no_transport),
        cmocka_unit_test(udp_lengths_must_fit),
        cmocka_unit_test(icmp_belongs_to_its_ip_version),
        cmocka_unit_test(ipv4_fragments_have_no_transport),
        cmocka_unit_test(a_chain_of_every_extension_leads_to_the_transport),
        cmocka_unit_test(a_routing_header_with_segments_left_hides_the_transport),
        cmocka_unit_test(the_number_of_extensions_is_limited),
        cmocka_unit_test(hop_by_hop_stands_first_or_nowhere),
        cmocka_unit_test(an_extension_must_end_inside_the_packet),
        cmocka_unit_test(authentication_headers_count_in_fours),
        cmocka_unit_test(what_is_encrypted_or_unknown_ends_the_chain),
        cmocka_unit_test(ipv6_fragments_have_no_transport),
        cmocka_unit_test(jumbograms_are_refused),
        cmocka_unit_test(rtp_is_told_by_version_type_and_ports),
        cmocka_unit_test(rtp_lengths_must_fit),
        cmocka_unit_test(rtp_ends_where_udp_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
