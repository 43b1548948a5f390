#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oxcore/io.h"

static void packets_keep_their_order_address_and_ecn(void **state) {
    (void)state;
    ox_pool *pool = ox_pool_create(16);
    ox_port *port = ox_memory_open(4);
    for (uint32_t round = 0; round < 10; round++) { // the queue goes round
        for (uint8_t i = 0; i < 3; i++) {
            ox_address from = {.ip = {[15] = i}, .port = (uint16_t)(100 + i)};
            assert_true(ox_memory_push(port, &i, 1, &from, i));
        }
        ox_list list = {0};
        assert_int_equal(2, ox_port_receive(port, pool, &list, 2));
        assert_int_equal(1, ox_port_receive(port, pool, &list, 9));
        assert_int_equal(0, ox_port_receive(port, pool, &list, 9));
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
    assert_int_equal(16, ox_pool_status(pool).free);
    ox_pool_destroy(pool);
}

static void both_ways_are_bounded_and_failures_counted(void **state) {
    (void)state;
    ox_pool *pool = ox_pool_create(16);
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
    assert_int_equal(4, ox_port_receive(port, pool, &list, 64));
    for (uint32_t i = 0; i < 3; i++) ox_list_append(&list, ox_pool_get(pool));
    assert_int_equal(3, ox_port_send(port, pool, &list));
    ox_port_report report;
    ox_port_status(port, &report);
    assert_int_equal(4, report.received);
    assert_int_equal(4, report.sent);
    assert_int_equal(3, report.send_failed);
    assert_int_equal(16, ox_pool_status(pool).free);
    ox_port_close(port);
    ox_port_close(NULL);
    ox_pool_destroy(pool);
}

static void without_buffers_packets_wait(void **state) {
    (void)state;
    ox_pool *pool = ox_pool_create(2);
    ox_port *port = ox_memory_open(8);
    for (uint8_t i = 0; i < 4; i++) assert_true(ox_memory_push(port, &i, 1, NULL, 0));
    ox_list list = {0};
    assert_int_equal(2, ox_port_receive(port, pool, &list, 64));
    assert_int_equal(0, ox_port_receive(port, pool, &list, 64));
    ox_pool_put_list(pool, &list);
    assert_int_equal(2, ox_port_receive(port, pool, &list, 64));
    assert_int_equal(2, list.head->data[0]);
    ox_pool_put_list(pool, &list);
    ox_port_close(port);
    ox_pool_destroy(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_keep_their_order_address_and_ecn),
        cmocka_unit_test(both_ways_are_bounded_and_failures_counted),
        cmocka_unit_test(without_buffers_packets_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
