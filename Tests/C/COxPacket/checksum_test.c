#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxcore/cpu.h"
#include "packets.h"

#include <sys/mman.h>
#include <unistd.h>

/* RFC 1071 section 1, word by word. */
static uint32_t naive_add(const uint8_t *bytes, size_t len, uint32_t start) {
    uint32_t sum = (start & 0xFFFF) + (start >> 16);
    sum = (sum & 0xFFFF) + (sum >> 16);
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return sum;
}

/* The last `writable` bytes before a page that faults. */
static uint8_t *guarded(size_t writable) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t pages = (writable + page - 1) / page;
    uint8_t *memory =
        mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    assert_int_equal(mprotect(memory + pages * page, page, PROT_NONE), 0);
    return memory + pages * page - writable;
}

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

enum { LENGTH_MAX = 65535 + 2 * 65536, OFFSETS = 64 };

static void check_piece(const ox_checksum_variant *variant, const uint8_t *bytes, size_t len, uint32_t start) {
    const uint32_t sum = variant->add(bytes, len, start);
    if (sum != naive_add(bytes, len, start))
        fail_msg("%s: %zu bytes at %zu modulo 64", variant->name, len, (size_t)((uintptr_t)bytes % 64));
}

static void check_variant(const ox_checksum_variant *variant, uint8_t *end) {
    const size_t long_lengths[] = {1499, 1500, 9000, 65535, 65536, 65537, 65599, 2 * 65536 + 1, LENGTH_MAX};
    uint32_t seed = 1;
    for (int pattern = 0; pattern < 3; pattern++) {
        for (uint8_t *at = end - LENGTH_MAX - OFFSETS; at < end; at++)
            *at = pattern == 0 ? (uint8_t)next_random(&seed) : pattern == 1 ? 0xFF : 0x00;
        /* Offset 0 ends at the guard page. */
        for (size_t offset = 0; offset < OFFSETS; offset++) {
            for (size_t len = 0; len < 260; len++)
                check_piece(variant, end - len - offset, len, pattern == 0 ? next_random(&seed) : 0);
            check_piece(variant, end - 1499 - offset, 1499, 0);
            check_piece(variant, end - 1500 - offset, 1500, 1);
        }
        for (size_t i = 0; i < sizeof long_lengths / sizeof long_lengths[0]; i++) {
            for (size_t offset = 0; offset < OFFSETS; offset += pattern == 0 && long_lengths[i] == 65535 ? 1 : 13)
                check_piece(variant, end - long_lengths[i] - offset, long_lengths[i], 0xFFFF);
        }
    }
}

static void every_length_and_offset_equals_the_naive_sum(void **state) {
    (void)state;
    uint8_t *end = guarded(LENGTH_MAX + OFFSETS) + LENGTH_MAX + OFFSETS;
    uint32_t count;
    const ox_checksum_variant *variants = ox_checksum_variants(&count);
    assert_int_equal(variants[0].cpu, 0);
    for (uint32_t i = 0; i < count; i++) {
        if (ox_cpu_has(variants[i].cpu)) check_variant(&variants[i], end);
        else print_message("SKIP %s: not on this machine\n", variants[i].name);
    }
    check_variant(&(ox_checksum_variant){"ox_checksum_add", 0, ox_checksum_add}, end);
}

/* The words that move each intermediate sum of a variant the furthest. */
static void words_at_the_limits_of_a_sum_do_not_overflow_it(void **state) {
    (void)state;
    static const uint8_t words[][2] = {{0x00, 0x00}, {0xFF, 0xFF}, {0x7F, 0xFF}, {0xFF, 0x7F},
                                       {0x80, 0x00}, {0x00, 0x80}, {0x00, 0x01}, {0xFE, 0xFF}};
    static uint8_t bytes[3 * 65536];
    uint32_t count;
    const ox_checksum_variant *variants = ox_checksum_variants(&count);
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = words[w][i % 2];
        for (size_t len = sizeof bytes - 3; len <= sizeof bytes; len++) {
            const uint32_t right = naive_add(bytes, len, 0);
            for (uint32_t i = 0; i < count; i++) {
                if (ox_cpu_has(variants[i].cpu)) assert_int_equal(variants[i].add(bytes, len, 0), right);
            }
        }
    }
}

static void any_start_is_folded_in(void **state) {
    (void)state;
    const uint8_t bytes[] = {0x12, 0x34, 0x56};
    const uint32_t starts[] = {0, 1, 0xFFFE, 0xFFFF, 0x10000, 0x1FFFE, 0xFFFEFFFF, 0xFFFFFFFF};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        assert_int_equal(ox_checksum_add(bytes, 3, starts[i]), naive_add(bytes, 3, starts[i]));
        assert_int_equal(ox_checksum_finish(starts[i]), 0xFFFF - naive_add(bytes, 0, starts[i]));
    }
}

static void pieces_of_even_length_sum_to_the_whole(void **state) {
    (void)state;
    uint8_t bytes[101];
    uint32_t seed = 2;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)next_random(&seed);
    const uint32_t whole = ox_checksum_add(bytes, sizeof bytes, 0);
    for (size_t cut = 0; cut < sizeof bytes; cut += 2) {
        const uint32_t first = ox_checksum_add(bytes, cut, 0);
        assert_int_equal(ox_checksum_add(bytes + cut, sizeof bytes - cut, first), whole);
    }
}

static void the_example_of_rfc_1071_comes_out(void **state) {
    (void)state;
    const uint8_t bytes[] = {0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7};
    assert_int_equal(ox_checksum_add(bytes, sizeof bytes, 0), 0xDDF2);
    assert_int_equal(ox_checksum_finish(0xDDF2), 0x220D);
}

static void pseudo_headers_are_those_of_the_rfcs(void **state) {
    (void)state;
    uint8_t packet[40];
    uint32_t seed = 3;
    for (size_t i = 0; i < sizeof packet; i++) packet[i] = (uint8_t)next_random(&seed);

    uint8_t v4[12];
    memcpy(v4, packet + 12, 8);
    v4[8] = 0;
    v4[9] = OX_PROTO_UDP;
    ox_store_be16(v4 + 10, 1480);
    const ox_headers headers4 = {.version = 4, .protocol = OX_PROTO_UDP};
    assert_int_equal(ox_checksum_pseudo(packet, &headers4, 1480), naive_add(v4, sizeof v4, 0));

    const uint32_t lengths[] = {0, 1480, 65535, 65536, 0x12345678};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t v6[40];
        memcpy(v6, packet + 8, 32);
        ox_store_be32(v6 + 32, lengths[i]);
        ox_store_be32(v6 + 36, OX_PROTO_TCP);
        const ox_headers headers6 = {.version = 6, .protocol = OX_PROTO_TCP};
        assert_int_equal(ox_checksum_pseudo(packet, &headers6, lengths[i]), naive_add(v6, sizeof v6, 0));
    }
}

/* ---- checksums of packets ---------------------------------------------------------------------------------------- */

static packet p;
static ox_headers h;

static uint32_t transport_checksum_offset(void) {
    return h.transport_offset + (h.protocol == OX_PROTO_UDP ? 6u : 16u);
}

/* A packet of each kind with a right checksum, computed from the pseudo-header word by word. */
static void make(bool v4, bool udp, size_t payload) {
    const uint8_t protocol = udp ? OX_PROTO_UDP : OX_PROTO_TCP;
    if (v4) begin_v4(&p, protocol, 0);
    else begin_v6(&p, protocol);
    static uint8_t bytes[1400];
    uint32_t seed = (uint32_t)payload + 9;
    for (size_t i = 0; i < payload; i++) bytes[i] = (uint8_t)next_random(&seed);
    if (udp) {
        put_udp(&p, 443, 50000, bytes, payload);
    } else {
        put_tcp(&p, 5, 0x10, 0);
        put(&p, bytes, payload);
    }
    end(&p);
    assert_int_equal(ox_parse(p.bytes, p.len, &h), OX_PASS);
    assert_true(h.has_transport);
}

static uint32_t naive_pseudo(uint32_t transport_len) {
    const bool v4 = h.version == 4;
    return naive_add(p.bytes + (v4 ? 12 : 8), v4 ? 8 : 32, transport_len + h.protocol);
}

static void a_completed_checksum_verifies_and_a_changed_bit_does_not(void **state) {
    (void)state;
    const size_t payloads[] = {0, 1, 2, 63, 512, 1399, 1400};
    for (int kind = 0; kind < 4; kind++) {
        for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
            make(kind & 1, kind & 2, payloads[i]);
            const uint32_t len = (uint32_t)p.len - h.transport_offset;
            uint8_t *field = p.bytes + transport_checksum_offset();
            ox_store_be16(field, 0);
            const uint32_t pseudo = naive_pseudo(len);
            const uint16_t right = (uint16_t)~naive_add(p.bytes + h.transport_offset, len, pseudo);
            ox_store_be16(field, (uint16_t)pseudo);
            ox_checksum_complete(p.bytes, &h);
            assert_int_equal(ox_load_be16(field), right);
            assert_true(ox_checksum_verify(p.bytes, &h));
            for (size_t bit = 0; bit < 8 * len; bit += len < 100 ? 1 : 61) {
                /* But for the length of UDP, which says what is summed. */
                if ((kind & 2) && bit / 8 >= 4 && bit / 8 < 6) continue;
                p.bytes[h.transport_offset + bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_false(ox_checksum_verify(p.bytes, &h));
                p.bytes[h.transport_offset + bit / 8] ^= (uint8_t)(1 << bit % 8);
            }
        }
    }
}

/* A payload word such that the checksum comes out as zero. */
static void make_zero_sum(bool v4, bool udp) {
    make(v4, udp, 2);
    ox_store_be16(p.bytes + transport_checksum_offset(), 0);
    ox_store_be16(p.bytes + p.len - 2, 0);
    const uint32_t len = (uint32_t)p.len - h.transport_offset;
    const uint32_t rest = naive_add(p.bytes + h.transport_offset, len, naive_pseudo(len));
    ox_store_be16(p.bytes + p.len - 2, (uint16_t)(0xFFFF - rest));
    ox_store_be16(p.bytes + transport_checksum_offset(), (uint16_t)naive_pseudo(len));
    ox_checksum_complete(p.bytes, &h);
}

static void a_udp_checksum_of_zero_is_sent_as_all_ones(void **state) {
    (void)state;
    for (int v4 = 0; v4 < 2; v4++) {
        make_zero_sum(v4, true);
        assert_int_equal(ox_load_be16(p.bytes + transport_checksum_offset()), 0xFFFF);
        assert_true(ox_checksum_verify(p.bytes, &h));
        make_zero_sum(v4, false);
        assert_int_equal(ox_load_be16(p.bytes + transport_checksum_offset()), 0);
        assert_true(ox_checksum_verify(p.bytes, &h));
    }
}

static void udp_without_a_checksum_is_right_over_ipv4_only(void **state) {
    (void)state;
    for (int v4 = 0; v4 < 2; v4++) {
        make(v4, true, 20);
        ox_store_be16(p.bytes + transport_checksum_offset(), 0);
        assert_int_equal(ox_checksum_verify(p.bytes, &h), v4);
    }
}

static void bytes_behind_the_stated_length_of_udp_are_not_summed(void **state) {
    (void)state;
    make(true, true, 20);
    put_fill(&p, 0xA5, 7);
    end(&p);
    assert_int_equal(ox_parse(p.bytes, p.len, &h), OX_PASS);
    ox_store_be16(p.bytes + transport_checksum_offset(), (uint16_t)naive_pseudo(28));
    ox_checksum_complete(p.bytes, &h);
    p.bytes[p.len - 1] ^= 1;
    assert_true(ox_checksum_verify(p.bytes, &h));
    p.bytes[p.len - 8] ^= 1;
    assert_false(ox_checksum_verify(p.bytes, &h));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_and_offset_equals_the_naive_sum),
        cmocka_unit_test(any_start_is_folded_in),
        cmocka_unit_test(pieces_of_even_length_sum_to_the_whole),
        cmocka_unit_test(the_example_of_rfc_1071_comes_out),
        cmocka_unit_test(pseudo_headers_are_those_of_the_rfcs),
        cmocka_unit_test(words_at_the_limits_of_a_sum_do_not_overflow_it),
        cmocka_unit_test(a_completed_checksum_verifies_and_a_changed_bit_does_not),
        cmocka_unit_test(a_udp_checksum_of_zero_is_sent_as_all_ones),
        cmocka_unit_test(udp_without_a_checksum_is_right_over_ipv4_only),
        cmocka_unit_test(bytes_behind_the_stated_length_of_udp_are_not_summed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
