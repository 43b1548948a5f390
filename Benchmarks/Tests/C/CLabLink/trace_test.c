#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/link.h"
#include "lab/problem.h"
#include "lab/trace.h"

#define MS UINT64_C(1000000)
#define START (17000 * MS)

/* cmocka's assert_float_equal casts the first operand of an expression to float. */
static void assert_near(double got, double expected, double tolerance) {
    if (!(got >= expected - tolerance && got <= expected + tolerance)) fail_msg("%.9g is not %.9g", got, expected);
}

static void lines_become_times(void **state) {
    (void)state;
    static const char text[] = "# made by hand\n1\n1\n\n5 \r\n4294967295";
    uint32_t times[8] = {0};
    uint32_t count = 0;
    assert_true(lab_trace_parse(text, sizeof text - 1, times, 8, &count));
    assert_int_equal(count, 4);
    assert_int_equal(times[0], 1);
    assert_int_equal(times[1], 1);
    assert_int_equal(times[2], 5);
    assert_int_equal(times[3], 4294967295);
}

static void bad_lines_are_named(void **state) {
    (void)state;
    static const char *const texts[] = {"1\nx\n", "1\n-2\n", "1\n2.5\n", "1\n4294967296\n", "1\n 2\n", "3\n2\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint32_t count = 0;
        assert_false(lab_trace_parse(texts[i], strlen(texts[i]), NULL, 0, &count));
        assert_non_null(strstr(lab_problem(), "line 2"));
    }
}

static void a_missing_file_is_a_problem(void **state) {
    (void)state;
    uint32_t count = 0;
    assert_null(lab_trace_load("/nonexistent/trace", &count));
    assert_non_null(strstr(lab_problem(), "/nonexistent/trace"));
}

static lab_link traced(const uint32_t *times, uint32_t count, uint64_t queue_bytes, uint64_t queue_ns) {
    const lab_link_config config = {
        .mtu = 1500, .trace_ms = times, .trace_count = count, .queue_bytes = queue_bytes, .queue_ns = queue_ns};
    assert_null(lab_link_config_problem(&config));
    lab_link link;
    lab_link_start(&link, &config, START);
    return link;
}

static const uint32_t four[] = {2, 2, 7, 10};

static void packets_leave_at_opportunities_and_the_trace_wraps(void **state) {
    (void)state;
    lab_link link = traced(four, 4, 0, 0);
    static const uint64_t expected_ms[] = {2, 2, 7, 10, 12, 12, 17, 20, 22};
    for (size_t i = 0; i < sizeof expected_ms / sizeof expected_ms[0]; i++) {
        assert_int_equal(lab_link_offer(&link, START, 1500).departure_ns, START + expected_ms[i] * MS);
    }
}

static void small_packets_share_an_opportunity_and_large_ones_straddle(void **state) {
    (void)state;
    lab_link link = traced(four, 4, 0, 0);
    assert_int_equal(lab_link_offer(&link, START, 500).departure_ns, START + 2 * MS);
    assert_int_equal(lab_link_offer(&link, START, 1000).departure_ns, START + 2 * MS);
    assert_int_equal(lab_link_offer(&link, START, 1000).departure_ns, START + 2 * MS);
    assert_int_equal(lab_link_offer(&link, START, 1000).departure_ns, START + 7 * MS);
}

static void unused_opportunities_are_gone(void **state) {
    (void)state;
    lab_link link = traced(four, 4, 0, 0);
    assert_int_equal(lab_link_offer(&link, START + 3 * MS, 1500).departure_ns, START + 7 * MS);
    assert_int_equal(lab_link_offer(&link, START + 95 * MS, 1500).departure_ns, START + 97 * MS);
    assert_int_equal(lab_link_offer(&link, START + 102 * MS, 1500).departure_ns, START + 102 * MS);
}

static void the_queue_before_a_trace_is_bounded(void **state) {
    (void)state;
    lab_link by_bytes = traced(four, 4, 3000, 0);
    assert_int_equal(lab_link_offer(&by_bytes, START, 1500).fate, LAB_DELIVERED);
    assert_int_equal(lab_link_offer(&by_bytes, START, 1500).fate, LAB_DELIVERED);
    assert_int_equal(lab_link_offer(&by_bytes, START, 1500).fate, LAB_QUEUE_FULL);
    assert_int_equal(lab_link_offer(&by_bytes, START + 3 * MS, 1500).fate, LAB_DELIVERED);

    lab_link by_time = traced(four, 4, 0, 7 * MS);
    for (int i = 0; i < 3; i++) assert_int_equal(lab_link_offer(&by_time, START, 1500).fate, LAB_DELIVERED);
    assert_int_equal(lab_link_offer(&by_time, START, 1500).fate, LAB_QUEUE_FULL);
}

static void a_saturated_trace_gives_its_mean_rate(void **state) {
    (void)state;
    lab_link link = traced(four, 4, 0, 100 * MS);
    uint64_t bytes = 0;
    uint64_t last = START;
    for (uint64_t i = 0; i < 100000; i++) {
        const uint32_t length = 40 + (uint32_t)(i * 7919 % 1461);
        const lab_passage passage = lab_link_offer(&link, START + i * MS, length);
        if (passage.fate != LAB_DELIVERED) continue;
        bytes += length;
        last = passage.departure_ns;
    }
    /* 4 x 1,500 bytes in 10 ms. */
    assert_near((double)bytes * 1e9 / (double)(last - START), 600000, 6000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_times),
        cmocka_unit_test(bad_lines_are_named),
        cmocka_unit_test(a_missing_file_is_a_problem),
        cmocka_unit_test(packets_leave_at_opportunities_and_the_trace_wraps),
        cmocka_unit_test(small_packets_share_an_opportunity_and_large_ones_straddle),
        cmocka_unit_test(unused_opportunities_are_gone),
        cmocka_unit_test(the_queue_before_a_trace_is_bounded),
        cmocka_unit_test(a_saturated_trace_gives_its_mean_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
