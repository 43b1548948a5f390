#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "Tests/C/COxPacket/supers.h"

static ox_buf *super_of(ox_pool *pool, spec s, uint32_t payload, uint16_t segment) {
    s.payload = payload;
    ox_buf *super = buf_of(pool, OX_BUF_LARGE, &s, OX_CHECKSUM_PARTIAL);
    super->segment = segment;
    super->peer = 9;
    super->ecn = 2;
    return super;
}

static void check_segments(ox_pool *pool, spec s, uint32_t payload, uint16_t segment) {
    ox_buf *super = super_of(pool, s, payload, segment);
    const ox_headers headers = parsed(super->data, super->len);
    const uint32_t count = (payload + segment - 1) / segment;
    assert_int_equal(ox_segments(super, &headers), count);
    ox_list out = {0};
    assert_int_equal(ox_segment(pool, super, &headers, &out), 0);
    assert_int_equal(out.count, count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t expected[OX_BUF_BYTES];
        ox_buf *buf = ox_list_take(&out);
        const uint32_t len = naive_segment(super->data, ox_headers_bytes(&headers), payload, segment, i, expected);
        assert_int_equal(buf->len, len);
        assert_memory_equal(buf->data, expected, len);
        assert_int_equal(buf->segment, 0);
        assert_int_equal(buf->checksum, OX_CHECKSUM_VALID);
        assert_int_equal(buf->transport, headers.transport_offset);
        assert_int_equal(buf->protocol, s.protocol);
        assert_int_equal(buf->peer, 9);
        assert_int_equal(buf->ecn, 2);
        ox_pool_put(pool, buf);
    }
    ox_pool_put(pool, super);
}

static void segments_are_what_was_written_by_hand(void **state) {
    (void)state;
    ox_pool *pool = pool_of(2048, 1);
    static const uint16_t sizes[] = {1, 2, 63, 500, 1448, 1460};
    for (int kind = 0; kind < 4; kind++) {
        spec s = kind_spec(kind);
        if (kind & 1) s.flags = FIN | PSH | ACK | CWR | ECE;
        s.sequence = UINT32_MAX - 2000;
        s.id = 0xFFFE;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const uint32_t size = sizes[i];
            const uint32_t payloads[] = {size, size + 1, 2 * size, 30 * size, 30 * size + size / 2 + 1, 44 * size};
            for (size_t j = 0; j < 6; j++) check_segments(pool, s, payloads[j], sizes[i]);
        }
    }
    ox_pool_destroy(pool);
}

static void the_longest_super_packet_is_cut(void **state) {
    (void)state;
    ox_pool *pool = pool_of(64, 1);
    check_segments(pool, tcp_spec(4), 65535 - 52, 1448);
    check_segments(pool, tcp_spec(6), 65535 - 72, 1428);
    check_segments(pool, udp_spec(6), 65535 - 48, 1452);
    ox_pool_destroy(pool);
}

static void what_finds_no_buffer_is_counted(void **state) {
    (void)state;
    ox_pool *pool = pool_of(3, 1);
    ox_buf *super = super_of(pool, tcp_spec(4), 5001, 1000);
    const ox_headers headers = parsed(super->data, super->len);
    ox_list out = {0};
    assert_int_equal(ox_segment(pool, super, &headers, &out), 3);
    assert_int_equal(out.count, 3);
    assert_int_equal(parsed(out.head->data, out.head->len).total_bytes, 1052);
    ox_pool_put_list(pool, &out);
    ox_pool_put(pool, super);
    ox_pool_destroy(pool);
}

static void a_segment_that_no_small_buffer_holds_is_not_cut(void **state) {
    (void)state;
    ox_pool *pool = pool_of(4, 1);
    const uint16_t most = OX_BUF_CONTENT_MAX - 28;
    check_segments(pool, udp_spec(4), 2u * most, most);
    ox_buf *super = super_of(pool, udp_spec(4), 2u * most + 1, (uint16_t)(most + 1));
    const ox_headers headers = parsed(super->data, super->len);
    ox_list out = {0};
    assert_int_equal(ox_segment(pool, super, &headers, &out), 2);
    assert_int_equal(out.count, 0);
    ox_pool_put(pool, super);
    ox_pool_destroy(pool);
}

static void a_packet_is_one_segment(void **state) {
    (void)state;
    ox_pool *pool = pool_of(1, 1);
    ox_buf *packet = super_of(pool, udp_spec(4), 1000, 0);
    const ox_headers headers = parsed(packet->data, packet->len);
    assert_int_equal(ox_segments(packet, &headers), 1);
    packet->segment = 1000;
    assert_int_equal(ox_segments(packet, &headers), 1);
    packet->segment = 999;
    assert_int_equal(ox_segments(packet, &headers), 2);
    ox_pool_put(pool, packet);
    ox_pool_destroy(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_are_what_was_written_by_hand),
        cmocka_unit_test(the_longest_super_packet_is_cut),
        cmocka_unit_test(what_finds_no_buffer_is_counted),
        cmocka_unit_test(a_segment_that_no_small_buffer_holds_is_not_cut),
        cmocka_unit_test(a_packet_is_one_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
