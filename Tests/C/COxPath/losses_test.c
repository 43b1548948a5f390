#include "sender.h"

static const uint64_t RTT = 40 * MS;

/** A session whose path is known to take 40 ms. */
static void begin_known(sender *s) {
    begin(s);
    for (uint32_t i = 0; i < 40; i++) {
        send(s, 1, 100);
        s->now += RTT;
        ack(s, i, i);
    }
    assert_int_equal(RTT, s->stats.rtt_smoothed_ns);
    assert_true(s->stats.rtt_variance_ns < MS / 4);
    assert_int_equal(UINT64_MAX, due(s));
}

static void lost_means_that_later_ones_arrived(void **state) {
    (void)state;
    sender s;
    begin(&s);
    send(&s, 100, 100);
    ack(&s, 1, OX_REORDER_THRESHOLD_MIN - 1);
    assert_int_equal(0, s.stats.lost);
    ack(&s, OX_REORDER_THRESHOLD_MIN, OX_REORDER_THRESHOLD_MIN);
    assert_int_equal(1, s.stats.lost); // number 0
    assert_int_equal(100, s.flight.lost);
    assert_int_equal(100, s.result.sample.newly_lost);
    assert_int_equal(1, s.result.sample.loss_runs);
    assert_int_equal(s.now, s.result.sample.lost_sent_ns);
    assert_int_equal(OX_REORDER_THRESHOLD_MIN, s.stats.acknowledged);
    ack(&s, 0, 0); // it was only late
    assert_int_equal(0, s.stats.lost);
    assert_int_equal(1, s.stats.late);
    assert_int_equal(100, s.flight.lost); // as C.lost goes
    assert_int_equal(100, s.result.sample.newly_late);
    assert_int_equal(100, s.result.sample.newly_acked);
    assert_int_equal(400, s.flight.delivered);
    ack(&s, 0, 0);
    assert_int_equal(1, s.stats.late);
    assert_int_equal(OX_REORDER_THRESHOLD_MIN + 1, s.stats.acknowledged);
    finish(&s);
}

static void late_arrivals_raise_the_threshold(void **state) {
    (void)state;
    sender s;
    begin_known(&s);
    assert_int_equal(OX_REORDER_THRESHOLD_MIN, s.stats.reorder_threshold);
    uint64_t first = s.next;
    send(&s, 101, 100);
    s.now += RTT;
    ack(&s, first + 1, first + 20);
    assert_int_equal(1, s.stats.lost);
    ack(&s, first, first + 100); // it came after 20 others at least
    assert_int_equal(21, s.stats.reorder_threshold);
    first = s.next;
    send(&s, 101, 100);
    s.now += RTT;
    ack(&s, first + 1, first + 20);
    assert_int_equal(0, s.stats.lost);
    ack(&s, first + 1, first + 21);
    assert_int_equal(1, s.stats.lost);
    ack(&s, first, first + 100);
    assert_int_equal(22, s.stats.reorder_threshold);
    // As long as all is in order it goes down again, slowly.
    uint64_t before = s.stats.reorder_threshold, steps = 0;
    for (uint32_t i = 0; i < 16 * 60; i++) {
        send(&s, 1, 100);
        s.now += RTT;
        ack(&s, s.next - 1, s.next - 1);
        assert_true(s.stats.reorder_threshold == before ||
                    s.stats.reorder_threshold == before - (before - OX_REORDER_THRESHOLD_MIN + 7) / 8);
        steps += s.stats.reorder_threshold != before;
        if (i < 15) assert_int_equal(0, steps);
        before = s.stats.reorder_threshold;
    }
    assert_int_equal(OX_REORDER_THRESHOLD_MIN, s.stats.reorder_threshold);
    assert_true(steps >= 10);
    finish(&s);
}

static void the_threshold_has_an_end(void **state) {
    (void)state;
    sender s;
    begin_known(&s);
    uint64_t first = s.next;
    send(&s, 3000, 100);
    s.now += RTT;
    ack(&s, first + 1, first + 2500);
    assert_int_equal(1, s.stats.lost);
    ack(&s, first, first);
    assert_int_equal(0, s.stats.lost);
    assert_int_equal(OX_REORDER_THRESHOLD_MAX, s.stats.reorder_threshold);
    finish(&s);
}

//= RFC 9002 section 6.1.2
static void what_was_overtaken_waits_a_time(void **state) {
    (void)state;
    sender s;
    begin_known(&s);
    uint64_t sent_ns = s.now, number = s.next;
    send(&s, 2, 100);
    uint64_t wait = RTT + RTT / 8 + 10 * MS; // a receiver may speak every 10 ms only
    assert_true(due(&s) > sent_ns + 200 * MS);
    s.now += RTT;
    ack(&s, number + 1, number + 1);
    assert_int_equal(0, s.stats.lost);
    assert_int_equal(sent_ns + wait, due(&s));
    s.now = sent_ns + wait - 1;
    expire(&s);
    assert_false(s.result.sampled);
    assert_int_equal(number + 2, s.result.next_expected);
    s.now++;
    expire(&s);
    assert_true(s.result.sampled);
    assert_int_equal(100, s.result.sample.newly_lost);
    assert_int_equal(0, s.result.sample.newly_acked);
    assert_int_equal(0, s.result.sample.timeout);
    assert_int_equal(0, s.result.sample.sent_ns);
    assert_int_equal(1, s.stats.lost);
    assert_int_equal(0, s.flight.in_flight);
    assert_int_equal(UINT64_MAX, due(&s));
    // It comes: from then on there is more patience, and in time less again.
    ack(&s, number, number);
    assert_int_equal(0, s.stats.lost);
    assert_int_equal(OX_REORDER_THRESHOLD_MIN, s.stats.reorder_threshold);
    sent_ns = s.now;
    send(&s, 2, 100);
    s.now += RTT;
    ack(&s, s.next - 1, s.next - 1);
    assert_int_equal(sent_ns + wait + RTT / 8, due(&s));
    for (uint32_t i = 0; i < 40; i++) {
        send(&s, 1, 100);
        s.now += RTT;
        ack(&s, s.next - 1, s.next - 1);
    }
    assert_int_equal(1, s.ledger->patience);
    finish(&s);
}

static void patience_has_an_end(void **state) {
    (void)state;
    sender s;
    begin_known(&s);
    for (uint32_t i = 0; i < 12; i++) {
        send(&s, 2, 100);
        s.now += RTT;
        ack(&s, s.next - 1, s.next - 1);
        s.now = due(&s);
        expire(&s);
        assert_int_equal(1, s.stats.lost);
        ack(&s, s.next - 2, s.next - 2);
        assert_int_equal(i < 7 ? i + 2 : 8, s.ledger->patience);
    }
    finish(&s);
}

static void what_is_lost_last_is_found_by_the_next_feedback(void **state) {
    (void)state;
    sender s;
    begin_known(&s);
    send(&s, 1, 100);
    s.now += RTT;
    send(&s, 1, 100);
    s.now += RTT;
    ack(&s, s.next - 1, s.next - 1); // one that left a round trip later
    assert_int_equal(1, s.stats.lost);
    finish(&s);
}

static void silence_gives_everything_up(void **state) {
    (void)state;
    sender s;
    begin(&s);
    // Without a round-trip time a second, then twice as long each time, up to 8 seconds.
    static const uint64_t waits[] = {1, 2, 4, 8, 8};
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        uint64_t sent_ns = s.now;
        send(&s, 3, 100);
        assert_int_equal(sent_ns + waits[i] * SECOND, due(&s));
        s.now = due(&s) - 1;
        expire(&s);
        assert_int_equal(3, ox_ledger_waiting(s.ledger));
        s.now++;
        expire(&s);
        assert_true(s.result.sampled);
        assert_int_equal(1, s.result.sample.timeout);
        assert_int_equal(300, s.result.sample.newly_lost);
        assert_int_equal(300, s.result.sample.prior_in_flight);
        assert_int_equal(0, s.flight.in_flight);
        assert_int_equal(i + 1, s.stats.timeouts);
        assert_int_equal(UINT64_MAX, due(&s));
    }
    assert_int_equal(15, s.stats.lost);
    // It was only slow: all came, and the threshold is none the wiser.
    ack(&s, 0, 14);
    assert_int_equal(0, s.stats.lost);
    assert_int_equal(15, s.stats.late);
    assert_int_equal(1500, s.result.sample.newly_late);
    assert_int_equal(OX_REORDER_THRESHOLD_MIN, s.stats.reorder_threshold);
    assert_true(s.stats.rtt_samples == 1);
    // The first wait is the first again.
    s.now += 1;
    s.stats.rtt_samples = 0;
    send(&s, 1, 100);
    assert_int_equal(s.now + SECOND, due(&s));
    finish(&s);
}

static void silence_is_measured_in_round_trips(void **state) {
    (void)state;
    sender s;
    begin_known(&s);
    send(&s, 1, 100);
    assert_int_equal(s.now + 250 * MS, due(&s));
    s.stats.rtt_smoothed_ns = 500 * MS;
    s.stats.rtt_variance_ns = 20 * MS;
    assert_int_equal(s.now + 500 * MS + 80 * MS + 110 * MS, due(&s));
    // Others that leave meanwhile do not put it off; what comes does.
    uint64_t sent_ns = s.now;
    s.now += 100 * MS;
    send(&s, 5, 100);
    assert_int_equal(sent_ns + 690 * MS, due(&s));
    ack(&s, s.next - 6, s.next - 6);
    s.stats.rtt_smoothed_ns = 500 * MS;
    s.stats.rtt_variance_ns = 20 * MS;
    assert_int_equal(s.now + 690 * MS, due(&s));
    s.now += 50 * MS;
    ack(&s, s.next - 6, s.next - 6); // nothing new
    assert_int_equal(s.now + 640 * MS, due(&s));
    finish(&s);
}

static void a_probe_that_is_lost_is_no_timeout(void **state) {
    (void)state;
    sender s;
    begin_known(&s);
    send_probe(&s, 1472);
    s.now = due(&s);
    expire(&s);
    assert_false(s.result.sampled);
    assert_int_equal(0, s.stats.timeouts);
    assert_int_equal(0, s.stats.lost);
    assert_int_equal(0, s.flight.in_flight);
    assert_int_equal(0, s.ledger->timeouts);
    finish(&s);
}

static void the_end_of_a_session_is_no_timeout(void **state) {
    (void)state;
    sender s, after;
    begin(&s);
    begin(&after);
    send(&s, 2, 100);
    ox_ledger_sent(after.ledger, &s.flight, &s.stats, 0, 100, true, s.now + SECOND / 2);
    s.now = due(&s);
    expire(&s);
    assert_true(s.result.sampled);
    assert_int_equal(200, s.result.sample.newly_lost);
    assert_int_equal(0, s.result.sample.timeout);
    assert_int_equal(0, s.stats.timeouts);
    ox_ledger_expire(after.ledger, &s.flight, &s.stats, s.now + SECOND, &after.result);
    assert_int_equal(1, after.result.sample.timeout);
    finish(&after);
    finish(&s);
}

static void the_first_loss_that_is_too_much_is_told(void **state) {
    (void)state;
    sender s;
    begin_known(&s);
    uint64_t first = s.next;
    send(&s, 200, 100); // 20,000 bytes in flight
    s.now += RTT;
    // 190 to 194 are lost. 2 % of a flight of 19,400 bytes are 388: number 193 is the first at which more is gone.
    ox_feedback f = {.count = 2, .ranges = {{first + 197, first + 197}, {first, first + 189}}};
    apply(&s, &f);
    assert_int_equal(500, s.result.sample.newly_lost);
    assert_int_equal(19400, s.result.sample.excess_in_flight);
    assert_int_equal(400, s.result.sample.excess_lost);
    assert_int_equal(100, s.result.sample.excess_bytes);
    ack(&s, first + 195, s.next - 1);
    // 3 % of 19,500 are 585.
    s.flight.loss_permille = 30;
    first = s.next;
    send(&s, 200, 100);
    s.now += RTT;
    f = (ox_feedback){.count = 2, .ranges = {{first + 197, first + 197}, {first, first + 189}}};
    apply(&s, &f);
    assert_int_equal(500, s.result.sample.newly_lost);
    assert_int_equal(0, s.result.sample.excess_in_flight);
    // What was lost since the newest was sent that arrived.
    assert_int_equal(500, s.result.sample.lost_since);
    assert_int_equal(19800, s.result.sample.tx_in_flight);
    finish(&s);
}

static void runs_of_losses_are_counted_once(void **state) {
    (void)state;
    sender s;
    begin_known(&s);
    uint64_t first = s.next;
    send(&s, 20, 100);
    send_one(&s, 100, false);
    send(&s, 20, 100);
    s.now += MS; // so that time says nothing
    // 0 to 4 arrive, 5 to 9 are lost, 10 arrives, 11 is lost, 12 arrives; 13 to 29 are lost with what wants no feedback.
    ox_feedback f = {.count = 3,
                     .ranges = {{first + 12, first + 12}, {first + 10, first + 10}, {first, first + 4}}};
    apply(&s, &f);
    assert_int_equal(500, s.result.sample.newly_lost);
    assert_int_equal(1, s.result.sample.loss_runs);
    f.count = 4;
    f.ranges[0] = (ox_range){first + 30, first + 30};
    f.ranges[1] = (ox_range){first + 12, first + 12};
    f.ranges[2] = (ox_range){first + 10, first + 10};
    f.ranges[3] = (ox_range){first, first + 4};
    apply(&s, &f);
    assert_int_equal(2, s.result.sample.loss_runs); // 11, and 13 to 27
    assert_int_equal(100 + 14 * 100, s.result.sample.newly_lost);
    f.ranges[0].last = first + 33;
    apply(&s, &f);
    assert_int_equal(200, s.result.sample.newly_lost);
    assert_int_equal(0, s.result.sample.loss_runs); // 28 and 29 go on
    finish(&s);
}

static void large_losses_in_a_row_make_a_black_hole(void **state) {
    (void)state;
    sender s;
    begin(&s);
    // Small ones arrive, large ones do not.
    uint32_t holes = 0;
    for (uint32_t i = 0; i < OX_BLACK_HOLE_LOSSES + 32; i++) {
        send(&s, 1, OX_MTU_BASE + 1);
        send(&s, 1, OX_MTU_BASE);
        ack(&s, s.next - 1, s.next - 1);
        holes += s.result.black_hole;
    }
    assert_in_range(holes, (OX_BLACK_HOLE_LOSSES + 30) / OX_BLACK_HOLE_LOSSES, 5);
    finish(&s);
    // Only large ones are sent: nothing comes.
    begin(&s);
    send(&s, OX_BLACK_HOLE_LOSSES, OX_MTU_BASE + 1);
    s.now = due(&s);
    expire(&s);
    assert_true(s.result.black_hole);
    finish(&s);
}

static void a_burst_of_losses_is_no_black_hole(void **state) {
    (void)state;
    sender s;
    begin(&s);
    uint32_t holes = 0;
    for (uint32_t burst = 0; burst < 20; burst++) {
        // Twenty large datagrams are lost together; those sent after them arrive.
        uint64_t lost = s.next;
        send(&s, 20, 1400);
        send(&s, 200, 1400);
        s.now += RTT;
        ack(&s, lost + 20, s.next - 1);
        holes += s.result.black_hole;
    }
    assert_int_equal(0, holes);
    assert_int_equal(400, s.stats.lost);
    finish(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_means_that_later_ones_arrived),
        cmocka_unit_test(late_arrivals_raise_the_threshold),
        cmocka_unit_test(the_threshold_has_an_end),
        cmocka_unit_test(what_was_overtaken_waits_a_time),
        cmocka_unit_test(patience_has_an_end),
        cmocka_unit_test(what_is_lost_last_is_found_by_the_next_feedback),
        cmocka_unit_test(silence_gives_everything_up),
        cmocka_unit_test(silence_is_measured_in_round_trips),
        cmocka_unit_test(a_probe_that_is_lost_is_no_timeout),
        cmocka_unit_test(the_end_of_a_session_is_no_timeout),
        cmocka_unit_test(the_first_loss_that_is_too_much_is_told),
        cmocka_unit_test(runs_of_losses_are_counted_once),
        cmocka_unit_test(large_losses_in_a_row_make_a_black_hole),
        cmocka_unit_test(a_burst_of_losses_is_no_black_hole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
