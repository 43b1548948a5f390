#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "packets.h"

static packet p;
static uint8_t out[1280];

/* The error about `p`, checked as far as every error must hold; 0 when there is none. */
static uint32_t too_big(uint32_t mtu) {
    end(&p);
    ox_headers headers;
    assert_int_equal(ox_parse(p.bytes, p.len, &headers), OX_PASS);
    const packet before = p;
    memset(out, 0xEE, sizeof out);
    const uint32_t len = ox_icmp_too_big(p.bytes, p.len, &headers, mtu, out);
    assert_memory_equal(p.bytes, before.bytes, p.len);
    for (size_t i = len; i < sizeof out; i++) assert_int_equal(out[i], 0xEE);
    if (len == 0) return 0;

    ox_headers error;
    assert_int_equal(ox_parse(out, len, &error), OX_PASS);
    assert_int_equal(error.version, headers.version);
    assert_true(error.has_transport);
    assert_false(error.fragment);
    const bool v4 = error.version == 4;
    assert_int_equal(error.protocol, v4 ? OX_PROTO_ICMP : OX_PROTO_ICMPV6);
    assert_int_equal(error.icmp_type, v4 ? 3 : 2);
    assert_int_equal(error.icmp_code, v4 ? 4 : 0);
    const size_t address_bytes = v4 ? 4 : 16;
    const size_t source = v4 ? 12 : 8;
    assert_memory_equal(out + source, p.bytes + source + address_bytes, address_bytes);
    assert_memory_equal(out + source + address_bytes, p.bytes + source, address_bytes);
    const uint8_t *icmp = out + error.transport_offset;
    assert_int_equal(ox_load_be32(icmp + 4), mtu);

    /* A sum over a right checksum is all ones. */
    const uint32_t icmp_len = len - error.transport_offset;
    const uint32_t start = v4 ? 0 : ox_checksum_pseudo(out, &error, icmp_len);
    assert_int_equal(ox_checksum_add(icmp, icmp_len, start), 0xFFFF);
    if (v4) assert_int_equal(ox_load_be16(out + 10), v4_checksum(out));

    const size_t limit = v4 ? 576 : 1280;
    const size_t quoted = p.len + error.transport_offset + 8 < limit ? p.len : limit - error.transport_offset - 8;
    assert_int_equal(icmp_len, 8 + quoted);
    assert_memory_equal(icmp + 8, p.bytes, quoted);
    return len;
}

static void v4_quotes_what_fits_in_576_bytes(void **state) {
    (void)state;
    for (size_t payload = 0; payload <= 1472; payload += payload < 515 || payload > 525 ? 5 : 1) {
        uint8_t data[1472] = {1, 2, 3};
        begin_v4(&p, OX_PROTO_UDP, 0);
        put_udp(&p, 5000, 6000, data, payload);
        const uint32_t len = too_big(1400);
        assert_int_equal(len, p.len + 28 < 576 ? p.len + 28 : 576);
    }
}

static void v6_quotes_what_fits_in_1280_bytes(void **state) {
    (void)state;
    for (size_t payload = 0; payload <= 65000; payload += payload < 1175 || payload > 1190 ? 5 : 1) {
        begin_v6(&p, OX_PROTO_TCP);
        put_tcp(&p, 5, 0x10, payload);
        const uint32_t len = too_big(1280);
        assert_int_equal(len, p.len + 48 < 1280 ? p.len + 48 : 1280);
        if (payload == 1500) payload = 64990;
    }
}

static void the_mtu_travels_up_to_its_limit(void **state) {
    (void)state;
    begin_v4(&p, OX_PROTO_UDP, 0);
    assert_int_not_equal(too_big(68), 0);
    assert_int_not_equal(too_big(65535), 0);
}

static void v4_without_df_has_no_error(void **state) {
    (void)state;
    begin_v4(&p, OX_PROTO_UDP, 0);
    p.bytes[6] = 0;
    assert_int_equal(too_big(1400), 0);
}

static void only_the_first_fragment_has_an_error(void **state) {
    (void)state;
    begin_v4(&p, OX_PROTO_UDP, 0);
    put_fill(&p, 0, 64);
    p.bytes[6] = 0x60;
    assert_int_not_equal(too_big(1400), 0);
    p.bytes[7] = 1;
    assert_int_equal(too_big(1400), 0);
    begin_v6(&p, 44);
    put_fragment(&p, OX_PROTO_UDP, 0, true);
    put_fill(&p, 0, 64);
    assert_int_not_equal(too_big(1400), 0);
    begin_v6(&p, 44);
    put_fragment(&p, OX_PROTO_UDP, 1, true);
    put_fill(&p, 0, 64);
    assert_int_equal(too_big(1400), 0);
}

static void errors_have_no_error_and_questions_have_one(void **state) {
    (void)state;
    for (uint32_t type = 0; type < 256; type++) {
        const bool v4_error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
        const bool v6_error = type < 128 || type == 137;
        begin_v4(&p, OX_PROTO_ICMP, 0);
        put_icmp(&p, (uint8_t)type, 0, 32);
        assert_int_equal(too_big(1400) == 0, v4_error);
        p.bytes[6] = 0x60; /* as a first fragment too */
        assert_int_equal(too_big(1400) == 0, v4_error);
        begin_v6(&p, OX_PROTO_ICMPV6);
        put_icmp(&p, (uint8_t)type, 0, 32);
        assert_int_equal(too_big(1400) == 0, v6_error);
        begin_v6(&p, 44);
        put_fragment(&p, OX_PROTO_ICMPV6, 0, true);
        put_icmp(&p, (uint8_t)type, 0, 32);
        assert_int_equal(too_big(1400) == 0, v6_error);
    }
    begin_v4(&p, OX_PROTO_ICMP, 0); /* ICMP of which nothing is there */
    assert_int_equal(too_big(1400), 0);
    begin_v6(&p, OX_PROTO_ICMPV6);
    assert_int_equal(too_big(1400), 0);
}

static void addresses_that_are_not_one_host_have_no_error(void **state) {
    (void)state;
    static const struct {
        uint8_t address[4];
        bool host;
    } v4[] = {
        {{0, 0, 0, 0}, false},         {{0, 1, 2, 3}, false},   {{1, 0, 0, 0}, true},
        {{126, 255, 0, 1}, true},      {{127, 0, 0, 1}, false}, {{128, 0, 0, 1}, true},
        {{223, 255, 255, 255}, true},  {{224, 0, 0, 1}, false}, {{240, 0, 0, 1}, false},
        {{255, 255, 255, 255}, false},
    };
    for (size_t i = 0; i < sizeof v4 / sizeof v4[0]; i++) {
        for (size_t at = 12; at <= 16; at += 4) {
            begin_v4(&p, OX_PROTO_UDP, 0);
            memcpy(p.bytes + at, v4[i].address, 4);
            assert_int_equal(too_big(1400) != 0, v4[i].host);
        }
    }
    static const struct {
        uint8_t address[16];
        bool host;
    } v6[] = {
        {{0}, false},
        {{[15] = 1}, false},
        {{[15] = 2}, true},
        {{[0] = 0x20, [1] = 1, [15] = 1}, true},
        {{[0] = 0xFE, [1] = 0x80, [15] = 1}, true},
        {{[0] = 0xFF, [1] = 2, [15] = 1}, false},
    };
    for (size_t i = 0; i < sizeof v6 / sizeof v6[0]; i++) {
        for (size_t at = 8; at <= 24; at += 16) {
            begin_v6(&p, OX_PROTO_UDP);
            memcpy(p.bytes + at, v6[i].address, 16);
            assert_int_equal(too_big(1400) != 0, v6[i].host);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v4_quotes_what_fits_in_576_bytes),
        cmocka_unit_test(v6_quotes_what_fits_in_1280_bytes),
        cmocka_unit_test(the_mtu_travels_up_to_its_limit),
        cmocka_unit_test(v4_without_df_has_no_error),
        cmocka_unit_test(only_the_first_fragment_has_an_error),
        cmocka_unit_test(errors_have_no_error_and_questions_have_one),
        cmocka_unit_test(addresses_that_are_not_one_host_have_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
