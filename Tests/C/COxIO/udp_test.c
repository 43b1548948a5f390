#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "Tests/C/COxIO/pools.h"
#include "oxcore/io.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static ox_pool *pool;

static int set_up(void **state) {
    (void)state;
    pool = make_pool(4096, 512);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    if (!all_are_back(pool)) return 1;
    ox_pool_destroy(pool);
    return 0;
}

static ox_port *open_port(uint16_t *bound) {
    ox_port *port = NULL;
    assert_int_equal(OX_OK, ox_udp_open(&(ox_udp_parameters){0}, bound, &port));
    assert_true(*bound != 0);
    return port;
}

static ox_address loopback(bool v4, uint16_t port) {
    if (v4) return (ox_address){.ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, .port = port};
    return (ox_address){.ip = {[15] = 1}, .port = port};
}

static bool has_v6(void) {
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_addr = {.s6_addr = {[15] = 1}}};
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0;
    if (fd >= 0) close(fd);
    if (!has) print_message("SKIP: no IPv6 loopback here\n");
    return has;
}

static void add(ox_list *list, const void *bytes, size_t len, ox_address to, uint8_t ecn) {
    ox_buf *buf = ox_pool_get(pool, OX_BUF_SMALL);
    assert_non_null(buf);
    if (len > 0) memcpy(buf->data, bytes, len);
    buf->len = (uint32_t)len;
    buf->address = to;
    buf->ecn = ecn;
    ox_list_append(list, buf);
}

/* Waits for `count` datagrams, up to a second. */
static uint32_t await(ox_port *port, ox_list *list, uint32_t count) {
    ox_port *ports[] = {port};
    for (uint32_t tries = 0; list->count < count && tries < 100; tries++) {
        ox_wait(ports, 1, NULL, 10000000);
        (void)receive(port, pool, list, OX_PORT_BATCH);
    }
    return list->count;
}

static void datagrams_cross_with_their_ecn(void **state) {
    (void)state;
    uint16_t ports[2];
    ox_port *a = open_port(&ports[0]), *b = open_port(&ports[1]);
    for (int family = 0; family < 2; family++) {
        bool v4 = family == 0;
        if (!v4 && !has_v6()) continue;
        for (uint8_t ecn = 0; ecn < 4; ecn++) {
            for (int back = 0; back < 2; back++) {
                ox_list out = {0}, in = {0};
                uint8_t bytes[1472];
                memset(bytes, 0x55 + ecn, sizeof bytes);
                add(&out, bytes, sizeof bytes, loopback(v4, ports[!back]), ecn);
                assert_int_equal(0, ox_port_send(back ? b : a, pool, &out));
                assert_int_equal(1, await(back ? a : b, &in, 1));
                assert_int_equal(sizeof bytes, in.head->len);
                assert_memory_equal(bytes, in.head->data, sizeof bytes);
                assert_int_equal(ecn, in.head->ecn);
                assert_int_equal(0, in.head->handshake);
                ox_address from = loopback(v4, ports[back]);
                assert_memory_equal(&from, &in.head->address, sizeof from);
                ox_pool_put_list(pool, &in);
            }
        }
    }
    ox_port_close(a);
    ox_port_close(b);
}

static void a_mixed_batch_keeps_each_datagrams_address_and_ecn(void **state) {
    (void)state;
    if (!has_v6()) return;
    uint16_t ports[2];
    ox_port *a = open_port(&ports[0]), *b = open_port(&ports[1]);
    ox_list out = {0}, in = {0};
    for (uint8_t i = 0; i < 200; i++) add(&out, (uint8_t[]){0x40, i}, 2, loopback(i % 3 == 0, ports[1]), i % 4);
    assert_int_equal(0, ox_port_send(a, pool, &out));
    assert_int_equal(200, await(b, &in, 200));
    uint8_t i = 0;
    for (ox_buf *buf = in.head; buf != NULL; buf = buf->next, i++) {
        assert_int_equal(i, buf->data[1]);
        assert_int_equal(i % 4, buf->ecn);
        ox_address from = loopback(i % 3 == 0, ports[0]);
        assert_memory_equal(&from, &buf->address, sizeof from);
    }
    ox_pool_put_list(pool, &in);
    ox_port_report report;
    ox_port_status(a, &report);
    assert_int_equal(200, report.sent);
    ox_port_status(b, &report);
    assert_int_equal(200, report.received);
    ox_port_close(a);
    ox_port_close(b);
}

static void a_port_belongs_to_one(void **state) {
    (void)state;
    uint16_t bound, again;
    ox_port *a = open_port(&bound), *second = NULL;
    assert_int_equal(OX_E_SYSTEM, ox_udp_open(&(ox_udp_parameters){.port = bound}, &again, &second));
    assert_int_equal(EADDRINUSE, errno);
    assert_null(second);
    ox_port_close(a);
    assert_int_equal(OX_OK, ox_udp_open(&(ox_udp_parameters){.port = bound}, &again, &second));
    assert_int_equal(bound, again);
    ox_port_close(second);
    // Nor to a stranger's socket for IPv4 alone.
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    assert_int_equal(0, bind(fd, (struct sockaddr *)&name, sizeof name));
    assert_int_equal(0, getsockname(fd, (struct sockaddr *)&name, &len));
    assert_int_equal(OX_E_SYSTEM, ox_udp_open(&(ox_udp_parameters){.port = ntohs(name.sin_port)}, NULL, &second));
    assert_int_equal(EADDRINUSE, errno);
    close(fd);
}

static void the_first_byte_chooses_the_socket(void **state) {
    (void)state;
    uint16_t ports[2];
    ox_port *a = open_port(&ports[0]), *b = open_port(&ports[1]);
    for (uint32_t first = 0; first < 256; first++) {
        ox_list out = {0}, in = {0};
        uint8_t bytes[OX_PORT_HANDSHAKE_MIN] = {(uint8_t)first, 0xff, 0xff};
        add(&out, bytes, sizeof bytes, loopback(true, ports[1]), 0);
        assert_int_equal(0, ox_port_send(a, pool, &out));
        assert_int_equal(1, await(b, &in, 1));
        assert_int_equal(first < 0x40, in.head->handshake);
        assert_int_equal(first, in.head->data[0]);
        ox_pool_put_list(pool, &in);
    }
    ox_port_close(a);
    ox_port_close(b);
}

static void a_flood_of_handshakes_displaces_no_data(void **state) {
    (void)state;
    enum { FLOOD = 2000, DATA = 300 };
    uint16_t ports[2];
    ox_port *a = open_port(&ports[0]), *b = open_port(&ports[1]);
    ox_list out = {0};
    for (uint32_t i = 0; i < FLOOD; i++) {
        uint8_t bytes[300] = {1, 1};
        add(&out, bytes, sizeof bytes, loopback(true, ports[1]), 0);
        if (i % 7 != 0 || i / 7 >= DATA) continue;
        uint8_t data[1400] = {0x40};
        ox_store_be16(data + 1, (uint16_t)(i / 7));
        add(&out, data, sizeof data, loopback(true, ports[1]), 0);
    }
    uint32_t sent_data = out.count - FLOOD;
    (void)ox_port_send(a, pool, &out);
    uint32_t data = 0, handshakes = 0;
    ox_port *watched[] = {b};
    for (uint32_t round = 0; round < 200; round++) {
        ox_list in = {0};
        receive(b, pool, &in, OX_PORT_BATCH);
        uint32_t here = 0;
        for (ox_buf *buf = in.head; buf != NULL; buf = buf->next) {
            here += buf->handshake;
            if (buf->handshake) continue;
            assert_int_equal(data, ox_load_be16(buf->data + 1));
            data++;
        }
        assert_true(here <= OX_HANDSHAKES_PER_RECEIVE);
        handshakes += here;
        ox_pool_put_list(pool, &in);
        if (here == 0 && data == sent_data) break;
        ox_wait(watched, 1, NULL, 1000000);
    }
    ox_port_report report;
    ox_port_status(b, &report);
    assert_int_equal(sent_data, data);
    assert_int_equal(0, report.kernel_drops);
    assert_int_equal(FLOOD, handshakes + report.kernel_drops_handshake);
    ox_port_close(a);
    ox_port_close(b);
}

static void the_kernel_drops_what_has_no_handshake_length(void **state) {
    (void)state;
    static const uint32_t lengths[] = {1, 63, 64, 328, 329, 1400};
    uint16_t ports[2];
    ox_port *a = open_port(&ports[0]), *b = open_port(&ports[1]);
    for (uint32_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        ox_list out = {0}, in = {0};
        uint8_t bytes[1400] = {1};
        uint8_t data[20] = {0x40};
        add(&out, bytes, lengths[i], loopback(true, ports[1]), 0);
        add(&out, data, sizeof data, loopback(true, ports[1]), 0); // shows that the first one has had its time
        assert_int_equal(0, ox_port_send(a, pool, &out));
        bool fits = lengths[i] >= OX_PORT_HANDSHAKE_MIN && lengths[i] <= OX_PORT_HANDSHAKE_MAX;
        assert_int_equal(1 + fits, await(b, &in, 1 + fits));
        ox_pool_put_list(pool, &in);
    }
    ox_port_report report;
    ox_port_status(b, &report);
    assert_int_equal(4, report.kernel_drops_handshake);
    ox_port_close(a);
    ox_port_close(b);
}

/* 127.0.0.1 and 127.0.0.9 are both ours: what was called at .9 answers from there. */
static void answers_leave_from_the_address_that_was_called(void **state) {
    (void)state;
    uint16_t ports[2];
    ox_port *a = open_port(&ports[0]), *b = open_port(&ports[1]);
    ox_list out = {0}, in = {0};
    static const uint8_t data[20] = {0x40};
    ox_address called = loopback(true, ports[1]);
    called.ip[15] = 9;
    add(&out, data, sizeof data, called, 3);
    assert_int_equal(0, ox_port_send(a, pool, &out));
    assert_int_equal(1, await(b, &in, 1));
    assert_memory_equal(called.ip, in.head->local, 16);
    assert_int_equal(3, in.head->ecn);
    assert_int_equal(0, ox_port_send(b, pool, &in)); // back to where it came from, by the way it came
    assert_int_equal(1, await(a, &in, 1));
    assert_memory_equal(called.ip, in.head->address.ip, 16);
    assert_int_equal(3, in.head->ecn);
    // An address that is not ours any more: the datagram leaves all the same.
    memcpy(in.head->local, (const uint8_t[16]){[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 77}, 16);
    assert_int_equal(0, ox_port_send(a, pool, &in));
    assert_int_equal(1, await(b, &in, 1));
    ox_pool_put_list(pool, &in);
    if (has_v6()) {
        add(&out, data, sizeof data, loopback(false, ports[1]), 2);
        assert_int_equal(0, ox_port_send(a, pool, &out));
        assert_int_equal(1, await(b, &in, 1));
        ox_address v6 = loopback(false, ports[1]);
        assert_memory_equal(v6.ip, in.head->local, 16);
        assert_int_equal(0, ox_port_send(b, pool, &in));
        assert_int_equal(1, await(a, &in, 1));
        in.head->local[0] = 0x20, in.head->local[15] = 0x77;
        assert_int_equal(0, ox_port_send(a, pool, &in));
        assert_int_equal(1, await(b, &in, 1));
        ox_pool_put_list(pool, &in);
    }
    ox_port_close(a);
    ox_port_close(b);
}

/* Sends handshake datagrams from 127.0.0.`host`. */
static void flood_from(uint8_t host, uint16_t to_port, uint32_t count) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000u + host)};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(to_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(0, bind(fd, (struct sockaddr *)&from, sizeof from));
    static const uint8_t bytes[300] = {1, 1};
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(sizeof bytes, sendto(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&to, sizeof to));
    close(fd);
}

static void initiators_are_spread_over_sockets_by_address(void **state) {
    (void)state;
    uint16_t bound;
    ox_port *b = open_port(&bound);
    ox_port *watched[] = {b};
    flood_from(1, bound, 1000);
    ox_list in = {0};
    enum { FROM_ONE_SOCKET = 8 };
    await(b, &in, FROM_ONE_SOCKET);
    assert_int_equal(FROM_ONE_SOCKET, in.count);
    ox_pool_put_list(pool, &in);
    uint32_t flooded = b->flooded;
    assert_true(flooded != 0 && (flooded & (flooded - 1)) == 0); // one address, one socket
    b->held = flooded;
    ox_wait(watched, 1, NULL, 1000000); // not woken for ever by what is held
    assert_int_equal(0, receive(b, pool, &in, OX_PORT_BATCH));
    uint32_t passed = 0;
    for (uint8_t host = 2; host < 66; host++) {
        flood_from(host, bound, 1);
        passed += receive(b, pool, &in, OX_PORT_BATCH);
        ox_pool_put_list(pool, &in);
    }
    assert_in_range(passed, 52, 64); // 31 of 32, about
    b->held = 0;
    assert_true(receive(b, pool, &in, OX_PORT_BATCH) > 0);
    ox_pool_put_list(pool, &in);
    ox_port_close(b);
}

static void the_longest_and_the_empty_are_whole(void **state) {
    (void)state;
    uint16_t bound;
    ox_port *b = open_port(&bound);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(bound), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static uint8_t bytes[65507];
    memset(bytes, 0x41, sizeof bytes);
    static const size_t lengths[] = {OX_BUF_CONTENT_MAX, OX_BUF_CONTENT_MAX + 1, 9000, 65507, 0, 1};
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(lengths[i], sendto(fd, bytes, lengths[i], 0, (struct sockaddr *)&to, sizeof to));
        ox_list in = {0};
        assert_int_equal(1, await(b, &in, 1));
        assert_int_equal(0, in.head->cut);
        assert_int_equal(0, in.head->segment);
        assert_int_equal(lengths[i], in.head->len);
        ox_pool_put_list(pool, &in);
    }
    close(fd);
    ox_port_close(b);
}

static void a_refused_datagram_is_passed_over(void **state) {
    (void)state;
    uint16_t ports[2];
    ox_port *a = open_port(&ports[0]), *b = open_port(&ports[1]);
    ox_list out = {0}, in = {0};
    for (uint8_t i = 0; i < 9; i++) { // every third goes to where no route can lead
        ox_address to = loopback(true, ports[1]);
        if (i % 3 == 1) to = (ox_address){.ip = {[10] = 0xff, [11] = 0xff, [12] = 255, [13] = 255, [14] = 255, [15] = 255}, .port = 9};
        add(&out, (uint8_t[]){0x40, i}, 2, to, 0);
    }
    assert_int_equal(3, ox_port_send(a, pool, &out));
    assert_int_equal(6, await(b, &in, 6));
    ox_port_report report;
    ox_port_status(a, &report);
    assert_int_equal(3, report.send_failed);
    assert_int_equal(6, report.sent);
    assert_int_equal(EACCES, report.send_errno); // broadcast
    ox_pool_put_list(pool, &in);
    ox_port_close(a);
    ox_port_close(b);
}

static void without_buffers_datagrams_wait(void **state) {
    (void)state;
    uint16_t ports[2];
    ox_port *a = open_port(&ports[0]), *b = open_port(&ports[1]);
    ox_pool *small = make_pool(2, 2);
    ox_list out = {0}, in = {0};
    for (uint8_t i = 0; i < 5; i++) add(&out, (uint8_t[]){0x40, i}, 2, loopback(true, ports[1]), 0);
    assert_int_equal(0, ox_port_send(a, pool, &out));
    ox_port *watched[] = {b};
    ox_wait(watched, 1, NULL, 1000000000);
    assert_int_equal(2, receive(b, small, &in, OX_PORT_BATCH));
    assert_int_equal(0, receive(b, small, &in, OX_PORT_BATCH));
    ox_pool_put_list(small, &in);
    assert_int_equal(3, await(b, &in, 3));
    ox_pool_put_list(pool, &in);
    ox_pool_destroy(small);
    ox_port_close(a);
    ox_port_close(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_cross_with_their_ecn),
        cmocka_unit_test(a_mixed_batch_keeps_each_datagrams_address_and_ecn),
        cmocka_unit_test(a_port_belongs_to_one),
        cmocka_unit_test(the_first_byte_chooses_the_socket),
        cmocka_unit_test(a_flood_of_handshakes_displaces_no_data),
        cmocka_unit_test(answers_leave_from_the_address_that_was_called),
        cmocka_unit_test(the_kernel_drops_what_has_no_handshake_length),
        cmocka_unit_test(initiators_are_spread_over_sockets_by_address),
        cmocka_unit_test(the_longest_and_the_empty_are_whole),
        cmocka_unit_test(a_refused_datagram_is_passed_over),
        cmocka_unit_test(without_buffers_datagrams_wait),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
