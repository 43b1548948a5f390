#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/flow_socket.h"

enum { COUNT = 150, BYTES = 100 };

static int receiver;
static char address[32];

static int listen_on_loopback(void **state) {
    (void)state;
    receiver = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof local;
    if (bind(receiver, (struct sockaddr *)&local, bytes) != 0) return -1;
    if (getsockname(receiver, (struct sockaddr *)&local, &bytes) != 0) return -1;
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(local.sin_port));
    return 0;
}

static int stop_listening(void **state) {
    (void)state;
    return close(receiver);
}

static lab_flow_plan plan_of(uint32_t burst, bool gso) {
    return (lab_flow_plan){
        .interval_ps = 1000000, .burst = burst, .size_min = BYTES, .size_max = BYTES, .count = COUNT, .gso = gso};
}

/* Every datagram by itself, in order, then the end. */
static void expect_whole_flow(uint64_t ends_sent, bool is_rtp) {
    uint64_t next = 0;
    uint32_t ends = 0;
    uint8_t datagram[2 * BYTES];
    for (ssize_t bytes; (bytes = recv(receiver, datagram, sizeof datagram, 0)) >= 0;) {
        lab_flow_header header;
        if (is_rtp) assert_int_equal(datagram[0], 0x80);
        assert_true(lab_flow_decode(datagram, (size_t)bytes, &header));
        if (header.kind == LAB_FLOW_END) {
            assert_int_equal(header.sequence, COUNT);
            ends += 1;
            continue;
        }
        assert_int_equal(bytes, BYTES);
        assert_int_equal(header.sequence, next++);
    }
    assert_int_equal(next, COUNT);
    assert_true(ends > 0);
    assert_int_equal(ends, ends_sent);
}

static void expect_sent(const lab_flow_plan *plan) {
    lab_flow_sent sent;
    assert_true(lab_flow_send(address, plan, &sent));
    assert_int_equal(sent.datagrams, COUNT);
    assert_int_equal(sent.bytes, COUNT * BYTES);
    assert_int_equal(sent.failed, 0);
    assert_int_equal(sent.end_bytes, sent.ends * (plan->rtp ? LAB_FLOW_RTP + LAB_FLOW_HEADER : LAB_FLOW_HEADER));
    expect_whole_flow(sent.ends, plan->rtp);
}

static void bursts_of_every_size_arrive_one_by_one(void **state) {
    (void)state;
    static const uint32_t bursts[] = {1, 7, 64, 65, COUNT};
    for (size_t i = 0; i < sizeof bursts / sizeof bursts[0]; i++) {
        const lab_flow_plan plan = plan_of(bursts[i], false);
        expect_sent(&plan);
    }
}

static void segmented_bursts_arrive_one_by_one(void **state) {
    (void)state;
    const lab_flow_plan plan = plan_of(32, true);
    expect_sent(&plan);
}

static void a_flow_of_rtp_arrives(void **state) {
    (void)state;
    lab_flow_plan plan = plan_of(1, false);
    plan.rtp = true;
    expect_sent(&plan);
    plan.size_min = LAB_FLOW_HEADER;
    lab_flow_sent sent;
    assert_false(lab_flow_send(address, &plan, &sent));
}

static void a_plan_above_its_limit_ends_there(void **state) {
    (void)state;
    lab_flow_plan plan = plan_of(1, false);
    plan.interval_ps = UINT64_C(10000000000); /* 10 ms: 1.5 s in all */
    plan.limit_ns = 100000000;
    lab_flow_sent sent;
    assert_true(lab_flow_send(address, &plan, &sent));
    assert_in_range(sent.datagrams, 1, 20);
}

static void segments_of_several_sizes_are_refused(void **state) {
    (void)state;
    lab_flow_plan plan = plan_of(32, true);
    plan.size_max += 1;
    lab_flow_sent sent;
    assert_false(lab_flow_send(address, &plan, &sent));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bursts_of_every_size_arrive_one_by_one, listen_on_loopback, stop_listening),
        cmocka_unit_test_setup_teardown(segmented_bursts_arrive_one_by_one, listen_on_loopback, stop_listening),
        cmocka_unit_test_setup_teardown(a_flow_of_rtp_arrives, listen_on_loopback, stop_listening),
        cmocka_unit_test_setup_teardown(a_plan_above_its_limit_ends_there, listen_on_loopback, stop_listening),
        cmocka_unit_test_setup_teardown(segments_of_several_sizes_are_refused, listen_on_loopback, stop_listening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
