#include "sender.h"

/* The draft's names: C is the flight, P the entry of a datagram, RS the sample. */

//= RFC 6298 section 2
static void round_trips_are_smoothed(void **state) {
    (void)state;
    sender s;
    begin(&s);
    uint64_t smoothed = 0, variance = 0;
    static const uint64_t rtts[] = {40, 40, 48, 30, 200, 41, 40, 39, 40, 1};
    for (size_t i = 0; i < sizeof rtts / sizeof rtts[0]; i++) {
        send(&s, 1, 100);
        s.now += rtts[i] * MS + 7 * MS;
        ack_after(&s, i, i, 7);
        uint64_t rtt = rtts[i] * MS;
        if (i == 0) {
            smoothed = rtt;
            variance = rtt / 2;
        } else {
            uint64_t off = smoothed > rtt ? smoothed - rtt : rtt - smoothed;
            variance = (3 * variance + off) / 4;
            smoothed = (7 * smoothed + rtt) / 8;
        }
        assert_in_range(s.stats.rtt_smoothed_ns, smoothed - 50, smoothed + 50);
        assert_in_range(s.stats.rtt_variance_ns, variance - 50, variance + 50);
        assert_int_equal(rtt, s.stats.rtt_latest_ns);
        assert_int_equal(i + 1, s.stats.rtt_samples);
        assert_int_equal(rtt, s.result.sample.rtt_ns);
        assert_int_equal(s.stats.rtt_smoothed_ns, s.result.sample.smoothed_ns);
        assert_int_equal(s.stats.rtt_variance_ns, s.result.sample.variance_ns);
    }
    assert_int_equal(1 * MS, s.stats.rtt_min_ns);
    finish(&s);
}

static void only_a_new_largest_number_is_a_round_trip(void **state) {
    (void)state;
    sender s;
    begin(&s);
    send(&s, 10, 100);
    s.now += 40 * MS;
    ack(&s, 5, 5);
    assert_true(s.result.progress);
    assert_int_equal(40 * MS, s.result.sample.rtt_ns);
    s.now += 4 * MS;
    ack(&s, 5, 5);
    assert_false(s.result.progress);
    ack(&s, 3, 3);
    assert_false(s.result.progress);
    assert_int_equal(0, s.result.sample.rtt_ns);
    assert_int_equal(1, s.stats.rtt_samples);
    assert_int_equal(40 * MS, s.stats.rtt_latest_ns);
    assert_int_equal(6, s.result.next_expected);
    // A delay as long as the time that has passed is nonsense: no round trip, and no time of arrival.
    ack_after(&s, 9, 9, 44);
    assert_int_equal(1, s.stats.rtt_samples);
    assert_int_equal(s.now, s.flight.delivered_ns);
    finish(&s);
}

static void a_datagram_remembers_the_flight_when_it_was_sent(void **state) {
    (void)state;
    sender s;
    begin(&s);
    uint64_t start = s.now;
    send(&s, 2, 1000);
    s.now += 10 * MS;
    send(&s, 1, 1000);
    s.now += 10 * MS;
    ack(&s, 0, 0); // 20 ms after
    const ox_path_sample *sample = &s.result.sample;
    assert_true(s.result.sampled);
    assert_int_equal(1000, sample->delivered);
    assert_int_equal(1000, sample->newly_acked);
    assert_int_equal(3000, sample->prior_in_flight);
    assert_int_equal(2000, sample->in_flight);
    assert_int_equal(1000, sample->tx_in_flight); // P itself included
    assert_int_equal(0, sample->prior_delivered);
    assert_int_equal(start, sample->sent_ns);
    assert_int_equal(20 * MS, sample->interval_ns);
    assert_int_equal(1000 * 50, sample->rate);
    assert_int_equal(start, s.flight.first_sent_ns);
    send(&s, 1, 1000); // number 3
    s.now += 20 * MS;
    ack(&s, 1, 3);
    assert_int_equal(1000, sample->prior_delivered);
    assert_int_equal(3000, sample->rate_delivered);
    assert_int_equal(start + 20 * MS, sample->sent_ns);
    assert_int_equal(3000, sample->tx_in_flight);
    assert_int_equal(20 * MS, sample->interval_ns); // of sending and of arriving alike
    assert_int_equal(3000 * 50, sample->rate);
    assert_int_equal(0, sample->in_flight);
    finish(&s);
}

static void the_receivers_delay_is_not_in_the_rate(void **state) {
    (void)state;
    sender s;
    begin(&s);
    // 1,000 bytes every millisecond, all the time; feedback every 10 ms, from datagrams that arrived up to 9 ms before.
    uint64_t start = s.now, told = 0;
    for (uint32_t step = 0; step < 400; step++, s.now += MS) {
        send(&s, 1, 1000);
        if (step < 60 || step % 10 != 0) continue;
        uint64_t delay = step / 10 % 10; // the newest had arrived so long before the frame was made
        uint64_t newest = step - 20 - delay;
        if (newest < told) continue;
        ack_after(&s, 0, newest, delay);
        told = newest + 1;
        assert_int_equal(start + (step - delay) * MS, s.flight.delivered_ns);
        assert_int_equal(20 * MS, s.result.sample.rtt_ns);
        if (step > 150) assert_int_equal(1000 * 1000, s.result.sample.rate);
    }
    // No arrival is before one that is known.
    send(&s, 1, 1000);
    uint64_t before = s.flight.delivered_ns;
    s.now += 5 * MS;
    ack_after(&s, 0, s.next - 1, 4);
    assert_true(s.flight.delivered_ns >= before);
    finish(&s);
}

static void arrivals_that_come_in_a_heap_do_not_raise_the_rate(void **state) {
    (void)state;
    sender s;
    begin(&s);
    // 100 datagrams over 100 ms; the way back keeps all feedback and lets it go at once.
    for (uint32_t i = 0; i < 100; i++, s.now += MS) send(&s, 1, 1000);
    s.now += 100 * MS;
    for (uint32_t i = 0; i < 100; i += 10) {
        s.now += 1;
        ack(&s, i, i + 9);
        assert_true(s.result.sample.rate <= 1000 * 1000);
    }
    finish(&s);
}

static void less_than_the_shortest_round_trip_is_no_interval(void **state) {
    (void)state;
    sender s;
    begin(&s);
    send(&s, 1, 1000);
    s.now += 40 * MS;
    ack(&s, 0, 0);
    assert_int_equal(1000 * 25, s.result.sample.rate);
    // The path becomes shorter than it ever was, and the feedback's delay is nonsense, so that this is not known.
    send(&s, 1, 1000);
    s.now += 39 * MS;
    ack_after(&s, 1, 1, 40);
    assert_int_equal(39 * MS, s.result.sample.interval_ns);
    assert_int_equal(1000, s.result.sample.rate_delivered);
    assert_int_equal(0, s.result.sample.rate);
    finish(&s);
}

static void a_pause_is_not_in_the_rate(void **state) {
    (void)state;
    sender s;
    begin(&s);
    send(&s, 1, 1000);
    s.now += 20 * MS;
    ack(&s, 0, 0);
    s.now += 10 * SECOND;
    send(&s, 10, 1000);
    assert_int_equal(s.now, s.flight.first_sent_ns);
    assert_int_equal(s.now, s.flight.delivered_ns);
    s.now += 20 * MS;
    ack(&s, 1, 10);
    assert_int_equal(20 * MS, s.result.sample.interval_ns);
    assert_int_equal(10000 * 50, s.result.sample.rate);
    finish(&s);
}

static void a_sample_of_too_little_to_send_says_so(void **state) {
    (void)state;
    sender s;
    begin(&s);
    ox_flight_mark_app_limited(&s.flight);
    assert_int_equal(1, s.flight.app_limited); // not 0, although nothing was ever sent
    send(&s, 2, 1000);
    assert_true(s.flight.restarted);
    s.now += 20 * MS;
    ack(&s, 0, 0);
    assert_int_equal(1, s.result.sample.app_limited);
    assert_int_equal(1, s.result.sample.restarted);
    assert_false(s.flight.restarted);
    assert_int_equal(0, s.flight.app_limited); // the bubble has left the path
    send(&s, 3, 1000);
    ox_flight_mark_app_limited(&s.flight);
    assert_int_equal(1000 + 4000, s.flight.app_limited);
    send(&s, 1, 1000); // number 5
    s.now += 20 * MS;
    ack(&s, 1, 1); // sent in the first phase
    assert_int_equal(1, s.result.sample.app_limited);
    ack(&s, 2, 4); // sent between
    assert_int_equal(0, s.result.sample.app_limited);
    assert_int_equal(0, s.result.sample.restarted);
    assert_int_equal(5000, s.flight.app_limited); // delivered exactly, but not beyond
    ack(&s, 5, 5);
    assert_int_equal(1, s.result.sample.app_limited);
    assert_int_equal(0, s.flight.app_limited);
    finish(&s);
}

static void a_pause_that_was_no_lack_is_no_restart(void **state) {
    (void)state;
    sender s;
    begin(&s);
    send(&s, 1, 1000);
    assert_false(s.flight.restarted);
    s.now += 20 * MS;
    ack(&s, 0, 0);
    assert_int_equal(0, s.result.sample.restarted);
    assert_int_equal(0, s.result.sample.app_limited);
    finish(&s);
}

static void the_newest_of_all_sessions_begins_the_interval(void **state) {
    (void)state;
    sender s, after;
    begin(&s);
    begin(&after);
    uint64_t start = s.now;
    send(&s, 2, 1000);
    ox_ledger_sent(after.ledger, &s.flight, &s.stats, 0, 1000, true, start + 10 * MS);
    ox_feedback f = {.count = 1, .ranges = {{0, 0}}};
    assert_int_equal(OX_PASS,
                     ox_ledger_feedback(after.ledger, &s.flight, &s.stats, &f, start + 30 * MS, &after.result));
    assert_int_equal(start + 10 * MS, s.flight.first_sent_ns);
    s.now = start + 31 * MS;
    ack(&s, 0, 1); // the session before is still answered
    assert_int_equal(start + 10 * MS, s.flight.first_sent_ns);
    assert_int_equal(start, s.result.sample.sent_ns);
    assert_int_equal(3000, s.result.sample.rate_delivered);
    assert_int_equal(31 * MS, s.result.sample.interval_ns);
    assert_int_equal(0, s.flight.in_flight);
    finish(&after);
    finish(&s);
}

static void enormous_flights_do_not_overflow(void **state) {
    (void)state;
    sender s;
    begin(&s);
    send(&s, 1, 1000);
    s.flight.delivered = (uint64_t)1 << 50;
    s.now += 20 * MS;
    ack(&s, 0, 0);
    assert_true(s.result.sample.rate >= (uint64_t)1 << 49);
    finish(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips_are_smoothed),
        cmocka_unit_test(only_a_new_largest_number_is_a_round_trip),
        cmocka_unit_test(a_datagram_remembers_the_flight_when_it_was_sent),
        cmocka_unit_test(the_receivers_delay_is_not_in_the_rate),
        cmocka_unit_test(arrivals_that_come_in_a_heap_do_not_raise_the_rate),
        cmocka_unit_test(less_than_the_shortest_round_trip_is_no_interval),
        cmocka_unit_test(a_pause_is_not_in_the_rate),
        cmocka_unit_test(a_sample_of_too_little_to_send_says_so),
        cmocka_unit_test(a_pause_that_was_no_lack_is_no_restart),
        cmocka_unit_test(the_newest_of_all_sessions_begins_the_interval),
        cmocka_unit_test(enormous_flights_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
