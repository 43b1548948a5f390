#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "Tests/C/COxIO/datagrams.h"

static void a_super_crosses_whole(void **state) {
    (void)state;
    for (int v4 = 0; v4 < 2; v4++) {
        uint16_t bound[2];
        ox_port *a = open_port(true, &bound[0]), *b = open_port(true, &bound[1]);
        ox_list out = {0}, in = {0};
        add(&out, 40 * 1440 - 100, 1440, 0, loopback(v4, bound[1]));
        out.head->ecn = OX_ECN_ECT0;
        assert_int_equal(0, ox_port_send(a, pool, &out));
        await(b, &in, 40);
        assert_int_equal(1, in.count);
        assert_int_equal(1440, in.head->segment);
        assert_int_equal(OX_ECN_ECT0, in.head->ecn);
        assert_int_equal(OX_BUF_LARGE_BYTES, in.head->capacity);
        assert_int_equal(40, check(&in, 0));
        ox_port_report sent = status(a), received = status(b);
        assert_true(sent.sent == 40 && sent.calls_sent == 1 && sent.super_sent == 1 && sent.offload == 1);
        assert_true(received.received == 40 && received.calls_received == 1 && received.super_received == 1);
        ox_port_close(a);
        ox_port_close(b);
    }
}

static void datagrams_of_equal_size_are_gathered(void **state) {
    (void)state;
    uint16_t bound[3];
    ox_port *a = open_port(true, &bound[0]), *b = open_port(true, &bound[1]), *c = open_port(true, &bound[2]);
    ox_list out = {0}, in = {0};
    uint32_t n = 0;
    for (uint32_t i = 0; i < 46; i++) n = add(&out, i == 45 ? 300 : 1400, 0, n, loopback(true, bound[1])); // 65,507 hold 46
    for (uint32_t i = 0; i < 70; i++) n = add(&out, 200, 0, n, loopback(true, bound[1]));                  // 64 and 6
    add(&out, 200, 0, 0, loopback(true, bound[2]));
    add(&out, 200, 0, 1, loopback(true, bound[2]));
    out.tail->ecn = OX_ECN_CE; // another one: another message
    assert_int_equal(0, ox_port_send(a, pool, &out));
    await(b, &in, n);
    static const uint32_t lengths[] = {45 * 1400 + 300, 64 * 200, 6 * 200};
    assert_int_equal(3, in.count);
    ox_buf *buf = in.head;
    for (uint32_t i = 0; i < 3; i++, buf = buf->next) assert_int_equal(lengths[i], buf->len);
    assert_int_equal(n, check(&in, 0));
    await(c, &in, 2);
    assert_true(in.count == 2 && in.head->segment == 0 && in.tail->segment == 0 && in.tail->ecn == OX_ECN_CE);
    check(&in, 0);
    ox_port_report report = status(a);
    assert_true(report.sent == n + 2 && report.calls_sent == 1 && report.super_sent == 3);
    ox_port_close(a);
    ox_port_close(b);
    ox_port_close(c);
}

/* Buffers of all kinds in one list: what arrives is the same with offload on either side and without. */
static void any_mixture_arrives_whole_and_in_order(void **state) {
    (void)state;
    srand(3);
    for (uint32_t round = 0; round < 60; round++) {
        uint16_t bound[2];
        ox_port *a = open_port(round & 1, &bound[0]), *b = open_port(round & 2, &bound[1]);
        ox_list out = {0}, in = {0};
        uint32_t n = 0, bytes = 0;
        while (bytes < 400000 && out.count < 120) {
            uint32_t unit = rand() % 3 == 0 ? 4 + (uint32_t)rand() % 1500 : 700, len = unit;
            if (rand() % 4 == 0) len = 4 + (uint32_t)rand() % 60000;
            if (len / unit > 300 || (len % unit != 0 && len % unit < 4)) continue;
            if (len > unit) n = add(&out, len, (uint16_t)unit, n, loopback(round & 4, bound[1]));
            else n = add(&out, len, 0, n, loopback(round & 4, bound[1]));
            bytes += len;
        }
        assert_int_equal(0, ox_port_send(a, pool, &out));
        await(b, &in, n);
        assert_int_equal(n, check(&in, 0));
        assert_int_equal(n, status(a).sent);
        assert_int_equal(0, status(b).kernel_drops);
        if ((round & 1) == 0) assert_int_equal(0, status(a).super_sent);
        if ((round & 2) == 0) assert_int_equal(0, status(b).super_received);
        ox_port_close(a);
        ox_port_close(b);
    }
}

/* Sends `bytes` as one message that the kernel cuts. */
static void send_cut(uint16_t to_port, const uint8_t *bytes, size_t len, int segment) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(to_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(0, setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment));
    assert_int_equal(len, sendto(fd, bytes, len, 0, (struct sockaddr *)&to, sizeof to));
    close(fd);
}

static void handshakes_are_found_among_data(void **state) {
    (void)state;
    uint16_t bound;
    ox_port *b = open_port(true, &bound);
    ox_list in = {0};
    uint8_t bytes[1000];
    memset(bytes, 0x41, sizeof bytes);
    bytes[600] = 1; // the last one, shorter
    send_cut(bound, bytes, 700, 300);
    await(b, &in, 3);
    assert_int_equal(2, in.count);
    assert_true(in.head->handshake == 1 && in.head->len == 100 && in.head->segment == 0 && in.head->address.port != 0);
    assert_true(in.tail->handshake == 0 && in.tail->len == 600 && in.tail->segment == 300);
    ox_pool_put_list(pool, &in);

    bytes[600] = 0x41, bytes[150] = 2; // one in between
    send_cut(bound, bytes, 450, 150);
    await(b, &in, 6);
    assert_true(in.count == 2 && in.head->handshake == 1 && in.head->len == 150 && in.head->data[0] == 2);
    assert_true(in.tail->handshake == 0 && in.tail->len == 300 && in.tail->segment == 150 && in.tail->data[150] == 0x41);
    ox_pool_put_list(pool, &in);

    bytes[0] = 1, bytes[150] = 1; // it comes to a handshake socket, with another and data behind it
    send_cut(bound, bytes, 350, 150);
    await(b, &in, 9);
    uint32_t handshakes = 0, data = 0;
    for (ox_buf *buf = in.head; buf != NULL; buf = buf->next) {
        assert_int_equal(0, buf->segment);
        if (buf->handshake) handshakes++, assert_int_equal(150, buf->len);
        else data++, assert_int_equal(50, buf->len);
    }
    assert_true(handshakes == 2 && data == 1);
    ox_pool_put_list(pool, &in);

    // More of them than are handed out, and such as cannot be one: counted.
    for (uint32_t i = 0; i < 10; i++) bytes[i * 100] = i == 0 ? 0x41 : 1;
    send_cut(bound, bytes, 1000, 100);
    memset(bytes, 1, sizeof bytes);
    send_cut(bound, bytes, 900, 450);
    await(b, &in, 21);
    assert_int_equal(9, in.count);
    assert_int_equal(1 + 2, status(b).kernel_drops_handshake);
    ox_pool_put_list(pool, &in);
    ox_port_close(b);
}

static void sessions_are_steered_to_their_workers(void **state) {
    (void)state;
    enum { WORKERS = 3 };
    uint16_t bound, source;
    ox_port *a = open_port(true, &source), *workers[WORKERS];
    ox_udp_parameters parameters = {.offload = true, .workers = WORKERS};
    assert_int_equal(OX_OK, ox_udp_open(&parameters, &bound, workers));
    uint32_t expected[WORKERS] = {0};
    for (uint32_t v4 = 0; v4 < 2; v4++) {
        for (uint32_t session = 0; session < 255; session++) {
            ox_list out = {0}, in = {0};
            for (uint32_t i = 0; i < 3; i++) { // of which the next session's are not gathered with these
                add(&out, 100, 0, i, loopback(v4, bound));
                out.tail->data[1] = (uint8_t)(session + (i == 2));
            }
            assert_int_equal(0, ox_port_send(a, pool, &out));
            for (uint32_t i = 0; i < 2; i++) {
                uint32_t owner = ox_udp_worker(session + i, WORKERS);
                expected[owner] += 2 - i;
                await(workers[owner], &in, expected[owner]);
                assert_int_equal(1, in.count);
                assert_int_equal(session + i, in.head->data[1]);
                ox_pool_put_list(pool, &in);
            }
        }
    }
    // The others have no handshake sockets; what has no session goes to the first one as well.
    ox_list out = {0}, in = {0};
    static const uint32_t lengths[] = {0, 1, 64};
    for (uint32_t i = 0; i < 3; i++) add(&out, lengths[i], 0, 0, loopback(true, bound));
    out.tail->data[0] = 1;
    assert_int_equal(0, ox_port_send(a, pool, &out));
    await(workers[0], &in, expected[0] + 3);
    assert_int_equal(3, in.count);
    assert_int_equal(1, in.tail->handshake);
    ox_pool_put_list(pool, &in);
    for (uint32_t w = 0; w < WORKERS; w++) {
        int fds[OX_PORT_DESCRIPTORS_MAX];
        assert_int_equal(w == 0 ? 2 : 1, workers[w]->operations->descriptors(workers[w], fds));
        assert_int_equal(0, status(workers[w]).kernel_drops);
        // Any of them answers from the same number.
        ox_list answer = {0};
        add(&answer, 50, 0, 0, loopback(true, source));
        assert_int_equal(0, ox_port_send(workers[w], pool, &answer));
        await(a, &in, w + 1);
        assert_int_equal(bound, in.head->address.port);
        ox_pool_put_list(pool, &in);
    }
    for (uint32_t w = 0; w < WORKERS; w++) ox_port_close(workers[w]);
    ox_port_close(a);
}

static void a_receive_stops_after_its_bytes(void **state) {
    (void)state;
    uint16_t bound[2];
    ox_port *a = open_port(true, &bound[0]), *b = open_port(true, &bound[1]);
    ox_list out = {0}, in = {0};
    uint32_t n = 0;
    for (uint32_t i = 0; i < 40; i++) n = add(&out, 40 * 1440, 1440, n, loopback(true, bound[1]));
    assert_int_equal(0, ox_port_send(a, pool, &out)); // 1,600 datagrams at once: nothing is dropped
    uint32_t largest = 0, first = 0;
    for (uint32_t tries = 0; first < n && tries < 100; tries++) {
        (void)receive(b, pool, &in, OX_PORT_BATCH);
        if (tries > 0 && in.count > largest) largest = in.count; // the first knows nothing of their size
        first = check(&in, first);
    }
    assert_int_equal(n, first);
    assert_int_equal(0, status(b).kernel_drops);
    assert_in_range(largest, 3, 4);
    ox_port_close(a);
    ox_port_close(b);
}

static void busy_polling_is_an_option(void **state) {
    (void)state;
    ox_port *port = NULL;
    ox_status opened = ox_udp_open(&(ox_udp_parameters){.busy_poll_us = 50}, NULL, &port);
    if (opened == OX_E_SYSTEM && errno == EPERM) skip();
    assert_int_equal(OX_OK, opened);
    int value = 0;
    socklen_t len = sizeof value;
    assert_int_equal(0, getsockopt(data_socket(port), SOL_SOCKET, SO_BUSY_POLL, &value, &len));
    assert_int_equal(50, value);
    ox_port_close(port);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_super_crosses_whole),
        cmocka_unit_test(datagrams_of_equal_size_are_gathered),
        cmocka_unit_test(any_mixture_arrives_whole_and_in_order),
        cmocka_unit_test(handshakes_are_found_among_data),
        cmocka_unit_test(sessions_are_steered_to_their_workers),
        cmocka_unit_test(a_receive_stops_after_its_bytes),
        cmocka_unit_test(busy_polling_is_an_option),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
