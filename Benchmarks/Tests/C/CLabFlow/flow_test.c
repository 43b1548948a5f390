#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/flow.h"

#define MS UINT64_C(1000000)

/* cmocka's assert_float_equal casts the first operand of an expression to float. */
static void assert_near(double got, double expected, double tolerance) {
    if (!(got >= expected - tolerance && got <= expected + tolerance)) fail_msg("%.9g is not %.9g", got, expected);
}

static lab_flow_tally tally;

static int reset(void **state) {
    (void)state;
    lab_flow_tally_free(&tally);
    return 0;
}

static void add(lab_flow_kind kind, uint64_t sequence, uint64_t sent_ns, uint64_t arrival_ns) {
    const lab_flow_header header = {.kind = kind, .flow = 77, .sequence = sequence, .sent_ns = sent_ns};
    assert_true(lab_flow_tally_add(&tally, &header, 100, arrival_ns));
}

static void the_schedule_does_not_drift(void **state) {
    (void)state;
    /* 60 a second: the interval is no whole number of nanoseconds. */
    const lab_flow_plan plan = {.interval_ps = 16666666667, .burst = 1, .size_min = 64, .size_max = 200};
    assert_int_equal(lab_flow_due_ns(&plan, 0), 0);
    assert_int_equal(lab_flow_due_ns(&plan, 60), 1000000000);
    assert_in_range(lab_flow_due_ns(&plan, 216000), UINT64_C(3600000000000), UINT64_C(3600000000100));
}

static void a_burst_is_due_together(void **state) {
    (void)state;
    const lab_flow_plan plan = {.interval_ps = 1000000000, .burst = 4, .size_min = 100, .size_max = 100};
    assert_int_equal(lab_flow_due_ns(&plan, 3), 0);
    assert_int_equal(lab_flow_due_ns(&plan, 4), 4 * MS);
    assert_int_equal(lab_flow_due_ns(&plan, 7), 4 * MS);
}

static void sizes_cover_their_range_and_repeat(void **state) {
    (void)state;
    const lab_flow_plan plan = {.seed = 5, .interval_ps = 1, .burst = 1, .size_min = 64, .size_max = 200};
    bool seen[201] = {false};
    uint64_t sum = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        const uint32_t size = lab_flow_size(&plan, i);
        assert_in_range(size, 64, 200);
        assert_int_equal(size, lab_flow_size(&plan, i));
        seen[size] = true;
        sum += size;
    }
    for (int size = 64; size <= 200; size++) assert_true(seen[size]);
    assert_in_range(sum, 1300000, 1340000);
}

static void a_header_survives_the_wire(void **state) {
    (void)state;
    uint8_t datagram[LAB_FLOW_HEADER];
    const lab_flow_header header = {LAB_FLOW_DATA, UINT64_MAX - 1, UINT64_C(0x0102030405060708), 99};
    lab_flow_encode(datagram, &header);
    assert_int_equal(datagram[16], 1);
    assert_int_equal(datagram[23], 8);
    lab_flow_header decoded;
    assert_true(lab_flow_decode(datagram, sizeof datagram, &decoded));
    assert_int_equal(decoded.kind, header.kind);
    assert_true(decoded.flow == header.flow && decoded.sequence == header.sequence && decoded.sent_ns == 99);
    assert_false(lab_flow_decode(datagram, sizeof datagram - 1, &decoded));
    datagram[4] = 3;
    assert_false(lab_flow_decode(datagram, sizeof datagram, &decoded));
    memset(datagram, 0, sizeof datagram);
    assert_false(lab_flow_decode(datagram, sizeof datagram, &decoded));
}

static void an_rtp_header_in_front_counts_packets_and_time(void **state) {
    (void)state;
    uint8_t datagram[LAB_FLOW_RTP + LAB_FLOW_HEADER];
    const lab_flow_header header = {LAB_FLOW_DATA, UINT64_C(0xfffe00000000beef), 3, 99};
    lab_flow_encode_rtp(datagram, header.flow, 3);
    lab_flow_encode(datagram + LAB_FLOW_RTP, &header);
    /* Version 2, PCMA without the marker; 0xfffe + 3 wraps; 480 ticks. */
    static const uint8_t expected[] = {0x80, 8, 0, 1, 0xff, 0xfe, 0x01, 0xe0, 0, 0, 0xbe, 0xef};
    assert_memory_equal(datagram, expected, sizeof expected);
    lab_flow_header decoded;
    assert_true(lab_flow_decode(datagram, sizeof datagram, &decoded));
    assert_true(decoded.flow == header.flow && decoded.sequence == 3 && decoded.sent_ns == 99);
    assert_false(lab_flow_decode(datagram, sizeof datagram - 1, &decoded));
    lab_flow_encode_rtp(datagram, header.flow, 0);
    assert_int_equal(datagram[1], 0x88);
}

static void losses_duplicates_and_order_are_told_apart(void **state) {
    (void)state;
    static const uint64_t arrivals[] = {0, 1, 3, 2, 2, 5, 9, 8};
    for (size_t i = 0; i < sizeof arrivals / sizeof arrivals[0]; i++) {
        add(LAB_FLOW_DATA, arrivals[i], arrivals[i] * MS, 20 * MS + i * MS);
    }
    lab_flow_summary summary = lab_flow_tally_summary(&tally);
    assert_false(summary.ended);
    add(LAB_FLOW_END, 11, 0, 0);
    add(LAB_FLOW_END, 11, 0, 0);
    summary = lab_flow_tally_summary(&tally);
    assert_true(summary.started && summary.ended);
    assert_int_equal(summary.ends, 2);
    assert_int_equal(summary.sent, 11);
    assert_int_equal(summary.received, 7);
    assert_int_equal(summary.lost, 4);
    assert_int_equal(summary.duplicates, 1);
    assert_int_equal(summary.reordered, 2);
    assert_int_equal(summary.received_bytes, 700);
    assert_true(lab_flow_tally_has(&tally, 9));
    assert_false(lab_flow_tally_has(&tally, 10));
    assert_false(lab_flow_tally_has(&tally, 4));
}

static void delay_jitter_and_rate_follow_their_definitions(void **state) {
    (void)state;
    /* Delays 10, 26, 10 ms. RFC 3550: J = 0 + 16/16 = 1, then 1 + (16 - 1)/16 = 1.9375 ms. */
    add(LAB_FLOW_DATA, 0, 0, 10 * MS);
    add(LAB_FLOW_DATA, 1, 100 * MS, 126 * MS);
    add(LAB_FLOW_DATA, 2, 200 * MS, 210 * MS);
    const lab_flow_summary summary = lab_flow_tally_summary(&tally);
    assert_int_equal(summary.delay_min_ns, 10 * MS);
    assert_int_equal(summary.delay_max_ns, 26 * MS);
    assert_near(summary.jitter_ns, 1937500, 0.001);
    assert_int_equal(summary.elapsed_ns, 200 * MS);
    assert_near(summary.payload_bits_per_s, 8000, 1e-6);
}

static void other_flows_are_not_counted(void **state) {
    (void)state;
    add(LAB_FLOW_DATA, 0, 0, MS);
    const lab_flow_header other = {.kind = LAB_FLOW_END, .flow = 78, .sequence = 1000};
    assert_true(lab_flow_tally_add(&tally, &other, 100, 2 * MS));
    const lab_flow_summary summary = lab_flow_tally_summary(&tally);
    assert_false(summary.ended);
    assert_int_equal(summary.foreign, 1);
    assert_int_equal(summary.received, 1);
}

static void numbers_have_a_limit(void **state) {
    (void)state;
    add(LAB_FLOW_DATA, LAB_FLOW_SEQUENCES_MAX - 1, 0, MS);
    const lab_flow_header beyond = {.kind = LAB_FLOW_DATA, .flow = 77, .sequence = LAB_FLOW_SEQUENCES_MAX};
    assert_false(lab_flow_tally_add(&tally, &beyond, 100, MS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_schedule_does_not_drift, reset),
        cmocka_unit_test_setup(a_burst_is_due_together, reset),
        cmocka_unit_test_setup(sizes_cover_their_range_and_repeat, reset),
        cmocka_unit_test_setup(a_header_survives_the_wire, reset),
        cmocka_unit_test_setup(an_rtp_header_in_front_counts_packets_and_time, reset),
        cmocka_unit_test_setup(losses_duplicates_and_order_are_told_apart, reset),
        cmocka_unit_test_setup(delay_jitter_and_rate_follow_their_definitions, reset),
        cmocka_unit_test_setup(other_flows_are_not_counted, reset),
        cmocka_unit_test_setup_teardown(numbers_have_a_limit, reset, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
