/* Delay, jitter, order, copies, outages and configurations: what happens to a packet after the bottleneck. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/link.h"

#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)
#define START (17 * SECOND)

/* cmocka's assert_float_equal casts the first operand of an expression to float. */
static void assert_near(double got, double expected, double tolerance) {
    if (!(got >= expected - tolerance && got <= expected + tolerance)) fail_msg("%.9g is not %.9g", got, expected);
}

static const int MANY = 100000;

static lab_link started(lab_link_config config) {
    if (config.mtu == 0) config.mtu = 1500;
    assert_null(lab_link_config_problem(&config));
    lab_link link;
    lab_link_start(&link, &config, START);
    return link;
}

static void jitter_keeps_order_unless_told_otherwise(void **state) {
    (void)state;
    lab_link_config config = {.seed = 1, .delay_ns = 20 * MS, .jitter_ns = 5 * MS};
    lab_link ordered = started(config);
    config.jitter_reorders = true;
    lab_link free_running = started(config);
    uint64_t last_ordered = 0;
    uint64_t last_free = 0;
    int overtaken = 0;
    for (uint64_t i = 0; i < (uint64_t)MANY; i++) {
        const uint64_t now = START + i * MS;
        const uint64_t a = lab_link_offer(&ordered, now, 100).departure_ns;
        const uint64_t b = lab_link_offer(&free_running, now, 100).departure_ns;
        assert_true(a >= last_ordered);
        assert_in_range(b - now, 15 * MS, 25 * MS);
        overtaken += b < last_free;
        last_ordered = a;
        last_free = b;
    }
    assert_true(overtaken > MANY / 5);
}

/* Mean and variance of the delay, in units of the jitter. */
static void moments(lab_jitter_shape shape, double *mean, double *variance) {
    lab_link link = started((lab_link_config){
        .seed = 6, .delay_ns = 100 * MS, .jitter_ns = MS, .jitter_shape = shape, .jitter_reorders = true});
    double sum = 0;
    double squares = 0;
    for (uint64_t i = 0; i < (uint64_t)MANY; i++) {
        const double way = (double)(lab_link_offer(&link, START + i, 100).departure_ns - START - i) / (double)MS - 100;
        sum += way;
        squares += way * way;
    }
    *mean = sum / MANY;
    *variance = squares / MANY - *mean * *mean;
}

static void jitter_has_its_distribution(void **state) {
    (void)state;
    double mean = 0;
    double variance = 0;
    moments(LAB_JITTER_UNIFORM, &mean, &variance);
    assert_near(mean, 0, 0.01);
    assert_near(variance, 1.0 / 3, 0.01);
    moments(LAB_JITTER_NORMAL, &mean, &variance);
    assert_near(mean, 0, 0.015);
    assert_near(variance, 1, 0.03);
}

static void jitter_never_gives_a_negative_delay(void **state) {
    (void)state;
    lab_link link = started((lab_link_config){.delay_ns = MS, .jitter_ns = 10 * MS, .jitter_reorders = true});
    for (uint64_t i = 0; i < 1000; i++) {
        assert_true(lab_link_offer(&link, START + i, 100).departure_ns >= START + i);
    }
}

static void held_back_packets_are_late_and_stop_nobody(void **state) {
    (void)state;
    lab_link link = started((lab_link_config){.seed = 1, .delay_ns = 5 * MS, .reorder = 0.1, .reorder_ns = 10 * MS});
    int held = 0;
    for (uint64_t i = 0; i < (uint64_t)MANY; i++) {
        const uint64_t now = START + i * MS;
        const lab_passage passage = lab_link_offer(&link, now, 100);
        assert_int_equal(passage.departure_ns - now, passage.held_back ? 15 * MS : 5 * MS);
        held += passage.held_back;
    }
    assert_in_range(held, MANY / 10 - 400, MANY / 10 + 400);
}

static void duplicates_have_their_probability(void **state) {
    (void)state;
    lab_link link = started((lab_link_config){.seed = 1, .duplicate = 0.05});
    int copies = 0;
    for (uint64_t i = 0; i < (uint64_t)MANY; i++) copies += lab_link_offer(&link, START, 100).copies == 2;
    assert_in_range(copies, MANY / 20 - 300, MANY / 20 + 300);
}

/* Outages */

static void an_outage_is_down_from_its_first_to_its_last_moment(void **state) {
    (void)state;
    lab_link_config config = {.delay_ns = 50 * MS};
    assert_true(lab_link_config_add_outage(&config, (lab_outage){.at_ns = SECOND, .length_ns = 200 * MS}));
    lab_link link = started(config);
    assert_int_equal(lab_link_offer(&link, START + SECOND - 1, 100).fate, LAB_DELIVERED);
    assert_int_equal(lab_link_offer(&link, START + SECOND, 100).fate, LAB_OUTAGE);
    assert_int_equal(lab_link_offer(&link, START + SECOND + 200 * MS - 1, 100).fate, LAB_OUTAGE);
    assert_int_equal(lab_link_offer(&link, START + SECOND + 200 * MS, 100).fate, LAB_DELIVERED);
    assert_int_equal(lab_link_offer(&link, START + 11 * SECOND + 1, 100).fate, LAB_DELIVERED);
}

static void outages_come_again_and_add_up(void **state) {
    (void)state;
    lab_link_config config = {0};
    const lab_outage every_second = {.at_ns = SECOND, .length_ns = 100 * MS, .period_ns = SECOND};
    (void)lab_link_config_add_outage(&config, every_second);
    (void)lab_link_config_add_outage(&config, (lab_outage){.at_ns = 1050 * MS, .length_ns = 100 * MS});
    lab_link link = started(config);
    int down = 0;
    for (uint64_t ms = 0; ms < 10000; ms++) down += lab_link_offer(&link, START + ms * MS, 100).fate == LAB_OUTAGE;
    assert_int_equal(down, 9 * 100 + 50);
}

static void what_is_in_the_queue_when_the_link_goes_down_is_gone(void **state) {
    (void)state;
    lab_link_config config = {.rate_bits_per_s = 12000000};
    (void)lab_link_config_add_outage(&config, (lab_outage){.at_ns = 5 * MS, .length_ns = 5 * MS});
    lab_link link = started(config);
    int delivered = 0;
    for (int i = 0; i < 20; i++) delivered += lab_link_offer(&link, START, 1500).fate == LAB_DELIVERED;
    assert_int_equal(delivered, 15);
}

static void there_is_a_limit_of_schedules(void **state) {
    (void)state;
    lab_link_config config = {0};
    for (int i = 0; i < LAB_OUTAGES_MAX; i++) assert_true(lab_link_config_add_outage(&config, (lab_outage){0, 1, 0}));
    assert_false(lab_link_config_add_outage(&config, (lab_outage){0, 1, 0}));
}

static void unsound_configurations_have_a_problem(void **state) {
    (void)state;
    static const uint32_t backwards[] = {2, 1};
    static const uint32_t zero[] = {0, 0};
    const lab_link_config configs[] = {
        {.mtu = 0},
        {.mtu = LAB_MTU_MAX + 1},
        {.mtu = 1500, .loss = 1.1},
        {.mtu = 1500, .duplicate = -0.1},
        {.mtu = 1500, .bad_from_good = 0.1},
        {.mtu = 1500, .queue_ns = MS},
        {.mtu = 1500, .outages = {{.length_ns = 0}}, .outage_count = 1},
        {.mtu = 1500, .outages = {{.length_ns = 5, .period_ns = 5}}, .outage_count = 1},
        {.mtu = 1500, .trace_ms = backwards, .trace_count = 2},
        {.mtu = 1500, .trace_ms = zero, .trace_count = 2},
        {.mtu = 1500, .trace_ms = backwards, .trace_count = 0},
        {.mtu = 1500, .trace_ms = backwards, .trace_count = 1, .rate_bits_per_s = 1},
    };
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        if (lab_link_config_problem(&configs[i]) == NULL) fail_msg("configuration %zu was accepted", i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jitter_keeps_order_unless_told_otherwise),
        cmocka_unit_test(jitter_has_its_distribution),
        cmocka_unit_test(jitter_never_gives_a_negative_delay),
        cmocka_unit_test(held_back_packets_are_late_and_stop_nobody),
        cmocka_unit_test(duplicates_have_their_probability),
        cmocka_unit_test(an_outage_is_down_from_its_first_to_its_last_moment),
        cmocka_unit_test(outages_come_again_and_add_up),
        cmocka_unit_test(what_is_in_the_queue_when_the_link_goes_down_is_gone),
        cmocka_unit_test(there_is_a_limit_of_schedules),
        cmocka_unit_test(unsound_configurations_have_a_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
