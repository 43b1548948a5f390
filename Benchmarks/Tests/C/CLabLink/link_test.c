#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab/link.h"
#include "lab/random.h"

#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)
#define START (17 * SECOND)

/* cmocka's assert_float_equal casts the first operand of an expression to float. */
static void assert_near(double got, double expected, double tolerance) {
    if (!(got >= expected - tolerance && got <= expected + tolerance)) fail_msg("%.9g is not %.9g", got, expected);
}

static lab_link started(lab_link_config config) {
    if (config.mtu == 0) config.mtu = 1500;
    assert_null(lab_link_config_problem(&config));
    lab_link link;
    lab_link_start(&link, &config, START);
    return link;
}

static void a_perfect_link_only_delays(void **state) {
    (void)state;
    lab_link link = started((lab_link_config){.delay_ns = 20 * MS});
    for (uint64_t i = 0; i < 100; i++) {
        const lab_passage passage = lab_link_offer(&link, START + i, 1500);
        assert_int_equal(passage.fate, LAB_DELIVERED);
        assert_int_equal(passage.index, i);
        assert_int_equal(passage.copies, 1);
        assert_int_equal(passage.departure_ns, START + i + 20 * MS);
    }
}

static void longer_than_the_mtu_is_too_big(void **state) {
    (void)state;
    lab_link link = started((lab_link_config){.mtu = 1280});
    assert_int_equal(lab_link_offer(&link, START, 1280).fate, LAB_DELIVERED);
    assert_int_equal(lab_link_offer(&link, START, 1281).fate, LAB_TOO_BIG);
}

/* Rate */

static void the_rate_is_exact_for_every_length(void **state) {
    (void)state;
    static const uint64_t rates[] = {64000, 1000000, 20000000, 333333333, 1000000000};
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        for (uint32_t bytes = 20; bytes <= 1500; bytes += 37) {
            lab_link link = started((lab_link_config){.rate_bits_per_s = rates[r]});
            lab_passage last = {0};
            for (int i = 0; i < 1000; i++) last = lab_link_offer(&link, START, bytes);
            const double got = 1000.0 * 8 * bytes / ((double)(last.departure_ns - START) / 1e9);
            /* Better than asked: the remainders of the divisions are carried along. */
            assert_near(got / (double)rates[r], 1, 1e-6);
        }
    }
}

static void the_rate_holds_for_mixed_lengths_and_arrivals(void **state) {
    (void)state;
    lab_link link = started((lab_link_config){.rate_bits_per_s = 20000000, .queue_ns = 50 * MS});
    uint64_t bits = 0;
    uint64_t now = START;
    uint64_t last = START;
    for (uint64_t i = 0; i < 50000; i++) {
        const uint32_t bytes = 40 + (uint32_t)(lab_draw(5, i, 0) % 1461);
        now += lab_draw(5, i, 1) % 400000; /* about 30 mbit offered */
        const lab_passage passage = lab_link_offer(&link, now, bytes);
        if (passage.fate != LAB_DELIVERED) continue;
        assert_true(passage.departure_ns >= last);
        bits += 8 * bytes;
        last = passage.departure_ns;
    }
    assert_near((double)bits * 1e9 / (double)(last - START), 20e6, 0.01 * 20e6);
}

static void an_idle_link_saves_nothing_up(void **state) {
    (void)state;
    lab_link link = started((lab_link_config){.rate_bits_per_s = 12000000});
    assert_int_equal(lab_link_offer(&link, START, 1500).departure_ns, START + MS);
    assert_int_equal(lab_link_offer(&link, START + SECOND, 1500).departure_ns, START + SECOND + MS);
    assert_int_equal(lab_link_offer(&link, START + SECOND, 1500).departure_ns, START + SECOND + 2 * MS);
}

/* Queue */

static void the_queue_is_bounded_in_bytes(void **state) {
    (void)state;
    lab_link link = started((lab_link_config){.rate_bits_per_s = 12000000, .queue_bytes = 15000});
    for (int i = 0; i < 10; i++) assert_int_equal(lab_link_offer(&link, START, 1500).fate, LAB_DELIVERED);
    assert_int_equal(lab_link_offer(&link, START, 1500).fate, LAB_QUEUE_FULL);
    assert_int_equal(lab_link_offer(&link, START, 40).fate, LAB_QUEUE_FULL);
    /* After a millisecond one packet has gone. */
    assert_int_equal(lab_link_offer(&link, START + MS, 1500).fate, LAB_DELIVERED);
    assert_int_equal(lab_link_offer(&link, START + MS, 1500).fate, LAB_QUEUE_FULL);
}

static void the_queue_is_bounded_in_time(void **state) {
    (void)state;
    lab_link link = started((lab_link_config){.rate_bits_per_s = 12000000, .queue_ns = 10 * MS, .delay_ns = 5 * MS});
    uint64_t longest = 0;
    uint32_t full = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        const uint64_t now = START + i * MS / 2;
        const lab_passage passage = lab_link_offer(&link, now, 1500);
        full += passage.fate == LAB_QUEUE_FULL;
        if (passage.fate == LAB_DELIVERED && passage.departure_ns - now > longest) longest = passage.departure_ns - now;
    }
    assert_int_equal(longest, 15 * MS);
    assert_in_range(full, 485, 495);
}

static void the_time_in_the_queue_is_told_without_the_delay(void **state) {
    (void)state;
    lab_link link = started((lab_link_config){.rate_bits_per_s = 12000000, .delay_ns = 5 * MS});
    for (uint64_t i = 1; i <= 10; i++) assert_int_equal(lab_link_offer(&link, START, 1500).queued_ns, i * MS);
    assert_int_equal(lab_link_offer(&link, START + 8 * MS, 1500).queued_ns, 3 * MS);
    link = started((lab_link_config){.delay_ns = 5 * MS});
    assert_int_equal(lab_link_offer(&link, START, 1500).queued_ns, 0);
}

static void a_queue_shorter_than_a_packet_still_passes_packets(void **state) {
    (void)state;
    lab_link link = started((lab_link_config){.rate_bits_per_s = 12000000, .queue_bytes = 100});
    assert_int_equal(lab_link_offer(&link, START, 1500).fate, LAB_DELIVERED);
    assert_int_equal(lab_link_offer(&link, START, 1500).fate, LAB_QUEUE_FULL);
    assert_int_equal(lab_link_offer(&link, START + MS, 1500).fate, LAB_DELIVERED);
}

/* Loss */

static const int MANY = 200000;

static void losses_depend_on_seed_and_index_only(void **state) {
    (void)state;
    const lab_link_config config = {
        .seed = 9, .loss = 0.02, .bad_from_good = 0.01, .good_from_bad = 0.3, .loss_in_bad = 0.9, .duplicate = 0.05,
        .reorder = 0.05, .reorder_ns = MS,
    };
    lab_link slow = started(config);
    lab_link_config other = config;
    other.rate_bits_per_s = 100000000;
    other.delay_ns = 20 * MS;
    other.jitter_ns = 3 * MS;
    lab_link fast = started(other);
    other.seed = 10;
    lab_link reseeded = started(other);
    int differences = 0;
    for (uint64_t i = 0; i < (uint64_t)MANY; i++) {
        const lab_passage a = lab_link_offer(&slow, START + i * SECOND, 1500);
        const lab_passage b = lab_link_offer(&fast, START + i * 7777, 40 + (uint32_t)(i % 1000));
        const lab_passage c = lab_link_offer(&reseeded, START + i * SECOND, 1500);
        assert_int_equal(a.fate, b.fate);
        assert_int_equal(a.copies, b.copies);
        assert_int_equal(a.held_back, b.held_back);
        differences += a.fate != c.fate;
    }
    assert_true(differences > MANY / 50);
}

static void a_full_queue_does_not_move_the_pattern(void **state) {
    (void)state;
    lab_link_config config = {.seed = 4, .loss = 0.1, .bad_from_good = 0.05, .good_from_bad = 0.2, .loss_in_bad = 1};
    lab_link open = started(config);
    config.rate_bits_per_s = 1000000;
    config.queue_bytes = 6000;
    lab_link narrow = started(config);
    int both = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        const lab_passage a = lab_link_offer(&open, START + i * MS, 1000);
        const lab_passage b = lab_link_offer(&narrow, START + i * MS, 1000);
        if (b.fate == LAB_QUEUE_FULL) continue;
        assert_int_equal(a.fate, b.fate);
        both += 1;
    }
    assert_in_range(both, 2000, 4000);
}

static void independent_loss_has_its_probability(void **state) {
    (void)state;
    lab_link link = started((lab_link_config){.seed = 1, .loss = 0.01});
    int lost = 0;
    int pairs = 0;
    bool before = false;
    for (uint64_t i = 0; i < (uint64_t)MANY; i++) {
        const bool now = lab_link_offer(&link, START, 100).fate == LAB_LOST;
        lost += now;
        pairs += now && before;
        before = now;
    }
    assert_in_range(lost, 2000 - 180, 2000 + 180); /* four standard deviations of 44.5 */
    assert_in_range(pairs, 3, 40);                 /* 20 expected */
}

static void gilbert_elliott_has_its_loss_and_burst_length(void **state) {
    (void)state;
    const double p = 0.01;
    const double r = 0.25;
    lab_link link = started((lab_link_config){.seed = 2, .bad_from_good = p, .good_from_bad = r, .loss_in_bad = 1});
    int lost = 0;
    int bursts = 0;
    bool before = false;
    for (uint64_t i = 0; i < (uint64_t)MANY; i++) {
        const bool now = lab_link_offer(&link, START, 100).fate == LAB_LOST;
        lost += now;
        bursts += now && !before;
        before = now;
    }
    assert_near((double)lost / MANY, p / (p + r), 0.05 * p / (p + r));
    assert_near((double)lost / bursts, 1 / r, 0.05 / r);
}

static void gilbert_elliott_loses_in_both_states(void **state) {
    (void)state;
    lab_link link = started((lab_link_config){
        .seed = 3, .bad_from_good = 0.02, .good_from_bad = 0.1, .loss_in_good = 0.005, .loss_in_bad = 0.4});
    int lost = 0;
    for (uint64_t i = 0; i < (uint64_t)MANY; i++) lost += lab_link_offer(&link, START, 100).fate == LAB_LOST;
    const double bad = 0.02 / 0.12;
    const double expected = bad * 0.4 + (1 - bad) * 0.005;
    assert_near((double)lost / MANY, expected, 0.05 * expected);
}

static void directions_have_their_own_pattern(void **state) {
    (void)state;
    assert_int_not_equal(lab_link_direction_seed(1, 0), lab_link_direction_seed(1, 1));
    assert_int_not_equal(lab_link_direction_seed(1, 0), lab_link_direction_seed(2, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_perfect_link_only_delays),
        cmocka_unit_test(longer_than_the_mtu_is_too_big),
        cmocka_unit_test(the_rate_is_exact_for_every_length),
        cmocka_unit_test(the_rate_holds_for_mixed_lengths_and_arrivals),
        cmocka_unit_test(an_idle_link_saves_nothing_up),
        cmocka_unit_test(the_queue_is_bounded_in_bytes),
        cmocka_unit_test(the_queue_is_bounded_in_time),
        cmocka_unit_test(the_time_in_the_queue_is_told_without_the_delay),
        cmocka_unit_test(a_queue_shorter_than_a_packet_still_passes_packets),
        cmocka_unit_test(losses_depend_on_seed_and_index_only),
        cmocka_unit_test(a_full_queue_does_not_move_the_pattern),
        cmocka_unit_test(independent_loss_has_its_probability),
        cmocka_unit_test(gilbert_elliott_has_its_loss_and_burst_length),
        cmocka_unit_test(gilbert_elliott_loses_in_both_states),
        cmocka_unit_test(directions_have_their_own_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
