#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab/flood.h"
#include "lab/problem.h"

static int listen_on(char to[64]) {
    const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof name;
    assert_int_equal(bind(descriptor, (struct sockaddr *)&name, bytes), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&name, &bytes), 0);
    snprintf(to, 64, "127.0.0.1:%u", (unsigned)ntohs(name.sin_port));
    return descriptor;
}

static void the_prepared_datagrams_arrive_from_several_ports(void **state) {
    (void)state;
    char to[64];
    const int listener = listen_on(to);
    static const uint8_t datagrams[2][3] = {{1, 2, 3}, {4, 5, 6}};
    lab_flood_sent sent;
    assert_true(lab_flood_send(to,
                               &(lab_flood_plan){.datagrams = datagrams[0],
                                                 .datagram_bytes = 3,
                                                 .count = 2,
                                                 .ports = 3,
                                                 .duration_ns = 2000000},
                               &sent));
    assert_true(sent.datagrams >= LAB_FLOOD_BATCH);
    assert_true(sent.elapsed_ns >= 2000000);

    uint64_t got[2] = {0, 0};
    uint16_t ports[3] = {0, 0, 0};
    struct sockaddr_in from;
    socklen_t bytes = sizeof from;
    uint8_t datagram[8];
    while (recvfrom(listener, datagram, sizeof datagram, 0, (struct sockaddr *)&from, &bytes) == 3) {
        const int which = datagram[0] == 4;
        assert_memory_equal(datagram, datagrams[which], 3);
        got[which]++;
        int slot = 0;
        while (slot < 3 && ports[slot] != 0 && ports[slot] != from.sin_port) slot++;
        assert_true(slot < 3);
        ports[slot] = from.sin_port;
    }
    assert_true(got[0] > 0 && got[1] > 0);
    assert_true(ports[1] != 0);
    close(listener);
}

static void what_cannot_be_sent_is_refused_with_a_reason(void **state) {
    (void)state;
    static const uint8_t datagram[1] = {1};
    lab_flood_plan plan = {.datagrams = datagram, .datagram_bytes = 1, .count = 1, .ports = 0, .duration_ns = 1};
    lab_flood_sent sent;
    assert_false(lab_flood_send("127.0.0.1:9", &plan, &sent));
    assert_non_null(strstr(lab_problem(), "source ports"));
    plan.ports = 1;
    plan.count = 0;
    assert_false(lab_flood_send("127.0.0.1:9", &plan, &sent));
    plan.count = 1;
    assert_false(lab_flood_send("nowhere", &plan, &sent));
    assert_non_null(strstr(lab_problem(), "nowhere"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_prepared_datagrams_arrive_from_several_ports),
        cmocka_unit_test(what_cannot_be_sent_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
