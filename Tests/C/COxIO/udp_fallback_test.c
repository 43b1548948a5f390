#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "Tests/C/COxIO/datagrams.h"

#include <fcntl.h>
#include <linux/if_tun.h>

static void set_mtu(int mtu) {
    struct ifreq r = {.ifr_mtu = mtu};
    interface_request(SIOCSIFMTU, "lo", &r);
}

static void what_the_kernel_refuses_at_any_time_goes_one_by_one(void **state) {
    (void)state;
    for (int v4 = 0; v4 < 2; v4++) {
        uint16_t bound[2];
        ox_port *a = open_port(true, &bound[0]), *b = open_port(true, &bound[1]);
        ox_list out = {0}, in = {0};
        uint32_t n = add(&out, 30 * 1000, 1000, 0, loopback(v4, bound[1]));
        assert_int_equal(0, ox_port_send(a, pool, &out));
        await(b, &in, n);
        n = check(&in, 0);
        assert_int_equal(1, status(a).offload);
        // Without checksums the kernel does not cut: EINVAL.
        int one = 1;
        if (v4) assert_int_equal(0, setsockopt(data_socket(a), SOL_SOCKET, SO_NO_CHECK, &one, sizeof one));
        else assert_int_equal(0, setsockopt(data_socket(a), SOL_UDP, UDP_NO_CHECK6_TX, &one, sizeof one));
        int zeroes = 1;
        assert_int_equal(0, setsockopt(data_socket(b), SOL_UDP, UDP_NO_CHECK6_RX, &zeroes, sizeof zeroes));
        for (uint32_t round = 0; round < 2; round++) {
            n = add(&out, 600, 0, n, loopback(v4, bound[1]));
            n = add(&out, 20 * 1000 - 1, 1000, n, loopback(v4, bound[1]));
            for (uint32_t i = 0; i < 10; i++) n = add(&out, 700, 0, n, loopback(v4, bound[1]));
            n = add(&out, 900, 0, n, loopback(v4, bound[1]));
        }
        uint32_t first = 30;
        assert_int_equal(0, ox_port_send(a, pool, &out));
        await(b, &in, n);
        assert_int_equal(n, check(&in, first));
        ox_port_report report = status(a);
        assert_true(report.sent == n && report.send_failed == 0 && report.offload == 0 && report.offload_fallbacks == 1);
        first = n;
        n = add(&out, 20 * 1000, 1000, n, loopback(v4, bound[1]));
        assert_int_equal(0, ox_port_send(a, pool, &out));
        await(b, &in, n);
        assert_int_equal(n, check(&in, first));
        assert_int_equal(report.super_sent, status(a).super_sent);
        assert_int_equal(1, status(a).offload_fallbacks);
        ox_port_close(a);
        ox_port_close(b);
    }
}

/* The MTU and a lost address are not the offload's fault. */
static void offload_survives_what_is_not_its_fault(void **state) {
    (void)state;
    if (!own_namespace) skip();
    for (int v4 = 0; v4 < 2; v4++) {
        uint16_t bound[2];
        ox_port *a = open_port(true, &bound[0]), *b = open_port(true, &bound[1]);
        ox_list out = {0}, in = {0};
        set_mtu(1500);
        add(&out, 10 * 1600, 1600, 0, loopback(v4, bound[1]));
        assert_int_equal(10, ox_port_send(a, pool, &out));
        set_mtu(65536);
        ox_port_report report = status(a);
        assert_true(report.send_failed == 10 && report.send_errno == EMSGSIZE);
        assert_true(report.offload == 1 && report.offload_fallbacks == 0);
        uint32_t n = add(&out, 10 * 1000, 1000, 0, loopback(v4, bound[1]));
        if (v4) memcpy(out.head->local, (const uint8_t[16]){[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 7}, 16);
        else memcpy(out.head->local, (const uint8_t[16]){0x20, 1, 0xd, 0xb8, [15] = 7}, 16);
        assert_int_equal(0, ox_port_send(a, pool, &out));
        await(b, &in, n);
        assert_int_equal(n, check(&in, 0));
        assert_true(status(a).offload == 1 && status(a).offload_fallbacks == 0);
        // An address of our own is kept.
        n = add(&out, 10 * 1000, 1000, 0, loopback(v4, bound[1]));
        memcpy(out.head->local, out.head->address.ip, 16);
        out.head->local[15] = v4 ? 99 : 1;
        uint8_t local[16];
        memcpy(local, out.head->local, 16);
        assert_int_equal(0, ox_port_send(a, pool, &out));
        await(b, &in, 20);
        assert_memory_equal(local, in.head->address.ip, 16);
        check(&in, 0);
        ox_port_close(a);
        ox_port_close(b);
    }
}

/* A neighbour that never answers: what is sent to it waits in the kernel, at the socket's expense. */
static void a_full_socket_fails_each_datagram(void **state) {
    (void)state;
    int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    if (tap < 0 || ioctl(tap, TUNSETIFF, &r) != 0) skip();
    struct sockaddr_in *address = (struct sockaddr_in *)&r.ifr_addr;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a090001)};
    interface_request(SIOCSIFADDR, r.ifr_name, &r);
    bring_up(r.ifr_name);
    uint16_t bound;
    ox_port *a = open_port(true, &bound);
    int small = 1;
    assert_int_equal(0, setsockopt(data_socket(a), SOL_SOCKET, SO_SNDBUF, &small, sizeof small));
    ox_list out = {0};
    ox_address to = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 9, [15] = 2}, .port = 9};
    for (uint32_t i = 0; i < 4; i++) add(&out, 40 * 1440, 1440, i * 40, to);
    assert_int_equal(120, ox_port_send(a, pool, &out));
    ox_port_report report = status(a);
    assert_true(report.send_failed == 120 && report.sent == 40 && report.send_errno == EAGAIN);
    assert_true(report.offload == 1 && report.offload_fallbacks == 0);
    ox_port_close(a);
    close(tap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_kernel_refuses_at_any_time_goes_one_by_one),
        cmocka_unit_test(offload_survives_what_is_not_its_fault),
        cmocka_unit_test(a_full_socket_fails_each_datagram),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
