#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxcore/packet.h"

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

static void every_length_and_offset_equals_the_naive_sum(void **state) {
    (void)state;
    enum { BYTES = 1500 + 64 };
    uint8_t *end = guarded(BYTES) + BYTES;
    uint32_t seed = 1;
    for (int pattern = 0; pattern < 3; pattern++) {
        for (uint8_t *at = end - BYTES; at < end; at++) {
            *at = pattern == 0 ? (uint8_t)next_random(&seed) : pattern == 1 ? 0xFF : 0x00;
        }
        for (size_t len = 0; len <= 1500; len = len == 259 ? 1499 : len + 1) {
            for (size_t offset = 0; offset < 64; offset++) {
                const uint8_t *bytes = end - len - offset; /* offset 0 ends at the guard page */
                const uint32_t start = pattern == 0 ? next_random(&seed) : 0;
                assert_int_equal(ox_checksum_add(bytes, len, start), naive_add(bytes, len, start));
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_and_offset_equals_the_naive_sum),
        cmocka_unit_test(any_start_is_folded_in),
        cmocka_unit_test(pieces_of_even_length_sum_to_the_whole),
        cmocka_unit_test(the_example_of_rfc_1071_comes_out),
        cmocka_unit_test(pseudo_headers_are_those_of_the_rfcs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
