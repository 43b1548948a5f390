#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "Tests/C/COxIO/datagrams.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>

enum { SENDERS = 12 };

static void turn(const char *name, uint32_t command, bool on) {
    struct ethtool_value value = {.cmd = command, .data = on};
    struct ifreq r = {.ifr_data = (void *)&value};
    interface_request(SIOCETHTOOL, name, &r);
}

/*
 * Two hosts whose devices cut on one side and put together on the other, as network cards do. The kernel asks a socket of
 * the port's group, chosen by a hash of both addresses, whether to put a flow together: with many senders, each socket.
 */
static void every_flow_is_put_together(void **state) {
    (void)state;
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    bool made = unshare(CLONE_NEWNET) == 0 &&
                system("ip link add oxa type veth peer name oxb && ip link set oxa gso_max_segs 1") == 0;
    if (!made) {
        print_message("SKIP: no pair of devices here\n");
        skip();
    }
    uint16_t bound, number;
    ox_port *senders[SENDERS];
    int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_int_equal(0, unshare(CLONE_NEWNET));
    int there = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_int_equal(0, setns(here, CLONE_NEWNET));
    char command[100];
    snprintf(command, sizeof command, "ip link set oxb netns /proc/%d/fd/%d", getpid(), there);
    assert_int_equal(0, system(command));
    assert_int_equal(0, system("ip addr add 10.9.0.1/24 dev oxa && ip link set oxa up"));
    turn("oxa", ETHTOOL_STSO, false); // while it is on, a veth pair puts nothing together
    for (uint32_t i = 0; i < SENDERS; i++) senders[i] = open_port(true, &number);
    assert_int_equal(0, setns(there, CLONE_NEWNET));
    assert_int_equal(0, system("ip addr add 10.9.0.2/24 dev oxb && ip link set oxb up"));
    turn("oxb", ETHTOOL_SGRO, true);
    ox_port *b = open_port(true, &bound);
    const ox_address to = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 9, [15] = 2}, .port = bound};
    uint32_t n = 0;
    for (uint32_t i = 0; i < SENDERS; i++) {
        ox_list out = {0}, in = {0};
        uint32_t first = n;
        n = add(&out, 40 * 1400, 1400, n, to);
        assert_int_equal(0, ox_port_send(senders[i], pool, &out));
        await(b, &in, n);
        assert_true(in.count <= 4); // 40 datagrams in one buffer, or in a few when the kernel was interrupted
        assert_int_equal(n, check(&in, first));
        ox_port_close(senders[i]);
    }
    ox_port_close(b);
    assert_int_equal(0, setns(home, CLONE_NEWNET));
    close(home);
    close(here);
    close(there);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flow_is_put_together),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
