#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "Tests/C/COxIO/pools.h"
#include "oxcore/io.h"

static void packets_keep_their_order_address_and_ecn(void **state) {
    (void)state;
    ox_pool *pool = make_pool(16, 0);
    ox_port *port = ox_memory_open(4);
    for (uint32_t round = 0; round < 10; round++) { // the queue goes round
        for (uint8_t i = 0; i < 3; i++) {
            ox_address from = {.ip = {[15] = i}, .port = (uint16_t)(100 + i)};
            assert_true(ox_memory_push(port, &i, 1, &from, i));
        }
        ox_list list = {0};
        assert_int_equal(2, receive(port, pool, &list, 2));
        assert_int_equal(1, receive(port, pool, &list, 9));
        assert_int_equal(0, receive(port, pool, &list, 9));
        uint8_t expected = 0;
        for (ox_buf *buf = list.head; buf != NULL; buf = buf->next, expected++) {
            assert_int_equal(1, buf->len);
            assert_int_equal(expected, buf->data[0]);
            assert_int_equal(expected, buf->ecn);
            assert_int_equal(100 + expected, buf->address.port);
            assert_int_equal(OX_BUF_HEADROOM, ox_buf_headroom(buf));
        }
        assert_int_equal(0, ox_port_send(port, pool, &list));
        for (uint8_t i = 0; i < 3; i++) {
            uint8_t bytes[OX_BUF_BYTES], ecn;
            size_t len;
            ox_address to;
            assert_true(ox_memory_pop(port, bytes, &len, &to, &ecn));
            assert_true(len == 1 && bytes[0] == i && ecn == i && to.port == 100 + i);
        }
    }
    ox_port_close(port);
    assert_true(all_are_back(pool));
    ox_pool_destroy(pool);
}

static void both_ways_are_bounded_and_failures_counted(void **state) {
    (void)state;
    ox_pool *pool = make_pool(16, 0);
    ox_port *port = ox_memory_open(4);
    uint8_t bytes[OX_BUF_BYTES] = {0};
    size_t len;
    assert_false(ox_memory_pop(port, bytes, &len, NULL, NULL));
    assert_false(ox_memory_push(port, bytes, OX_BUF_CONTENT_MAX + 1, NULL, 0));
    assert_true(ox_memory_push(port, bytes, OX_BUF_CONTENT_MAX, NULL, 0));
    assert_true(ox_memory_push(port, NULL, 0, NULL, 0));
    assert_true(ox_memory_push(port, bytes, 1, NULL, 0));
    assert_true(ox_memory_push(port, bytes, 1, NULL, 0));
    assert_false(ox_memory_push(port, bytes, 1, NULL, 0));
    ox_list list = {0};
    assert_int_equal(4, receive(port, pool, &list, 64));
    for (uint32_t i = 0; i < 3; i++) ox_list_append(&list, ox_pool_get(pool, OX_BUF_SMALL));
    assert_int_equal(3, ox_port_send(port, pool, &list));
    ox_port_report report;
    ox_port_status(port, &report);
    assert_int_equal(4, report.received);
    assert_int_equal(4, report.sent);
    assert_int_equal(3, report.send_failed);
    assert_true(all_are_back(pool));
    ox_port_close(port);
    ox_port_close(NULL);
    ox_pool_destroy(pool);
}

static void without_buffers_packets_wait(void **state) {
    (void)state;
    ox_pool *pool = make_pool(2, 0);
    ox_port *port = ox_memory_open(8);
    for (uint8_t i = 0; i < 4; i++) assert_true(ox_memory_push(port, &i, 1, NULL, 0));
    ox_list list = {0};
    assert_int_equal(2, receive(port, pool, &list, 64));
    assert_int_equal(0, receive(port, pool, &list, 64));
    ox_pool_put_list(pool, &list);
    assert_int_equal(2, receive(port, pool, &list, 64));
    assert_int_equal(2, list.head->data[0]);
    ox_pool_put_list(pool, &list);
    ox_port_close(port);
    ox_pool_destroy(pool);
}

/* A TCP super-packet over IPv4 of `payload` bytes, its checksum partial. */
static uint32_t make_super(uint8_t *bytes, uint32_t payload) {
    uint32_t len = 40 + payload;
    memset(bytes, 0, 40);
    for (uint32_t i = 0; i < payload; i++) bytes[40 + i] = (uint8_t)(i * 7 >> 2);
    bytes[0] = 0x45, bytes[6] = 0x40, bytes[8] = 64, bytes[9] = OX_PROTO_TCP, bytes[12] = 10, bytes[16] = 10, bytes[19] = 1;
    ox_store_be16(bytes + 2, (uint16_t)len);
    ox_store_be16(bytes + 10, ox_checksum_finish(ox_checksum_add(bytes, 20, 0)));
    ox_store_be16(bytes + 20, 1000);
    ox_store_be16(bytes + 22, 2000);
    ox_store_be32(bytes + 24, 0xfffffe00u); // the sequence number wraps
    bytes[32] = 0x50, bytes[33] = 0x18;
    ox_headers headers;
    assert_int_equal(OX_PASS, ox_parse(bytes, len, &headers));
    ox_store_be16(bytes + 36, (uint16_t)~ox_checksum_finish(ox_checksum_pseudo(bytes, &headers, len - 20)));
    return len;
}

static void supers_of_a_device_come_whole_and_leave_cut(void **state) {
    (void)state;
    ox_pool *pool = make_pool(64, 2);
    ox_port *port = ox_memory_open(64);
    static uint8_t bytes[65536], out[OX_BUF_BYTES];
    uint32_t len = make_super(bytes, 60000), popped = 0;
    const ox_buf like = {.segment = 1400, .transport = 20, .protocol = OX_PROTO_TCP};
    for (uint32_t round = 0; round < 3; round++) {
        assert_true(ox_memory_push_super(port, bytes, len, &like));
        assert_true(ox_memory_push(port, bytes, 1, NULL, 0)); // a packet of the ordinary kind behind it
        ox_list list = {0};
        assert_int_equal(2, receive(port, pool, &list, 64));
        assert_true(list.head->len == len && list.head->segment == 1400 && list.head->transport == 20);
        assert_true(list.head->protocol == OX_PROTO_TCP && list.head->checksum == OX_CHECKSUM_PARTIAL);
        assert_int_equal(OX_BUF_LARGE_BYTES, list.head->capacity);
        assert_true(list.tail->segment == 0 && list.tail->checksum == OX_CHECKSUM_UNKNOWN);
        assert_memory_equal(bytes, list.head->data, len);
        assert_int_equal(0, ox_port_send(port, pool, &list));
        size_t piece;
        for (uint32_t at = 0; at < 60000; at += 1400, popped++) {
            ox_headers headers;
            assert_true(ox_memory_pop(port, out, &piece, NULL, NULL));
            assert_int_equal(OX_PASS, ox_parse(out, piece, &headers));
            assert_true(ox_checksum_verify(out, &headers));
            assert_int_equal((uint32_t)(0xfffffe00u + at), ox_load_be32(out + 24));
            assert_memory_equal(bytes + 40 + at, out + 40, piece - 40);
        }
        assert_true(ox_memory_pop(port, out, &piece, NULL, NULL) && piece == 1);
        assert_false(ox_memory_pop(port, out, &piece, NULL, NULL));
    }
    ox_port_report report;
    ox_port_status(port, &report);
    assert_true(report.received == popped + 3 && report.sent == popped + 3);
    assert_true(report.super_received == 3 && report.super_sent == 3);
    // A single one that is partial is completed.
    ox_list list = {0};
    ox_buf *buf = ox_pool_get(pool, OX_BUF_SMALL);
    buf->len = make_super(buf->data, 100);
    buf->transport = 20, buf->protocol = OX_PROTO_TCP, buf->checksum = OX_CHECKSUM_PARTIAL;
    ox_list_append(&list, buf);
    assert_int_equal(0, ox_port_send(port, pool, &list));
    size_t single;
    ox_headers headers;
    assert_true(ox_memory_pop(port, out, &single, NULL, NULL) && single == 140);
    assert_int_equal(OX_PASS, ox_parse(out, single, &headers));
    assert_true(ox_checksum_verify(out, &headers));
    ox_port_close(port);
    assert_true(all_are_back(pool));
    ox_pool_destroy(pool);
}

static void datagrams_in_one_buffer_come_together_and_leave_apart(void **state) {
    (void)state;
    ox_pool *pool = make_pool(4, 4);
    ox_port *port = ox_memory_open(8);
    static uint8_t bytes[65536], out[OX_BUF_BYTES];
    for (uint32_t i = 0; i < 6500; i++) bytes[i] = (uint8_t)(i / 1000);
    ox_buf like = {.segment = 1000, .ecn = 2, .address = {.ip = {[15] = 4}, .port = 77}};
    assert_true(ox_memory_push_super(port, bytes, 6500, &like));
    assert_false(ox_memory_push_super(port, bytes, OX_BUF_LARGE_CONTENT_MAX + 1, &like));
    ox_list list = {0};
    assert_int_equal(1, receive(port, pool, &list, 64));
    assert_true(list.head->segment == 1000 && list.head->ecn == 2 && list.head->address.port == 77 && list.head->len == 6500);
    assert_int_equal(0, list.head->checksum);
    assert_int_equal(0, ox_port_send(port, pool, &list));
    for (uint32_t i = 0; i < 7; i++) {
        size_t len;
        ox_address to;
        uint8_t ecn;
        assert_true(ox_memory_pop(port, out, &len, &to, &ecn));
        assert_true(len == (i < 6 ? 1000 : 500) && out[0] == i && out[len - 1] == i && to.port == 77 && ecn == 2);
    }
    // Where not all find a place, the others are counted.
    assert_true(ox_memory_push_super(port, bytes, 6500, &like));
    assert_int_equal(1, receive(port, pool, &list, 64));
    ox_buf *more = ox_pool_get(pool, OX_BUF_LARGE);
    more->len = 3000, more->segment = 1000;
    memset(more->data, 9, more->len);
    ox_list_append(&list, more);
    assert_int_equal(2, ox_port_send(port, pool, &list));
    ox_port_report report;
    ox_port_status(port, &report);
    assert_true(report.received == 14 && report.sent == 7 + 8 && report.send_failed == 2);
    ox_port_close(port);
    assert_true(all_are_back(pool));
    ox_pool_destroy(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_keep_their_order_address_and_ecn),
        cmocka_unit_test(both_ways_are_bounded_and_failures_counted),
        cmocka_unit_test(without_buffers_packets_wait),
        cmocka_unit_test(supers_of_a_device_come_whole_and_leave_cut),
        cmocka_unit_test(datagrams_in_one_buffer_come_together_and_leave_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
