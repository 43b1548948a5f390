#include "sender.h"

static void what_was_never_sent_is_malformed(void **state) {
    (void)state;
    sender s;
    begin(&s);
    ox_feedback f = {.count = 1, .ce = 5, .ranges = {{0, 0}}};
    assert_int_equal(OX_DROP_FRAME_MALFORMED,
                     ox_ledger_feedback(s.ledger, &s.flight, &s.stats, &f, s.now, &s.result));
    send(&s, 10, 100);
    f.ranges[0] = (ox_range){0, 10};
    sender before = s;
    assert_int_equal(OX_DROP_FRAME_MALFORMED,
                     ox_ledger_feedback(s.ledger, &s.flight, &s.stats, &f, s.now, &s.result));
    assert_memory_equal(&before.stats, &s.stats, sizeof s.stats);
    assert_memory_equal(&before.flight, &s.flight, sizeof s.flight);
    assert_int_equal(10, ox_ledger_waiting(s.ledger));
    assert_false(s.result.sampled);
    finish(&s);
}

static void only_eliciting_datagrams_are_in_flight(void **state) {
    (void)state;
    sender s;
    begin(&s);
    send(&s, 5, 100);
    send_one(&s, 50, false);
    assert_int_equal(5, ox_ledger_waiting(s.ledger));
    assert_int_equal(500, s.flight.in_flight);
    ack(&s, 5, 5);
    assert_int_equal(2, ox_ledger_waiting(s.ledger)); // 3 and 4 are not overtaken by 3 yet
    assert_int_equal(200, s.flight.in_flight);
    assert_int_equal(0, s.result.sample.newly_acked);
    assert_int_equal(300, s.result.sample.newly_lost);
    assert_int_equal(0, s.result.sample.sent_ns);
    ack(&s, 0, 3);
    assert_int_equal(1, ox_ledger_waiting(s.ledger));
    assert_int_equal(400, s.result.sample.newly_acked);
    assert_int_equal(400, s.flight.delivered);
    assert_int_equal(550, s.stats.sent_bytes);
    finish(&s);
}

static void an_answer_that_says_nothing_new_is_no_sample(void **state) {
    (void)state;
    sender s;
    begin(&s);
    send(&s, 10, 100);
    send_one(&s, 40, false);
    s.flight.window_limited = true;
    s.now += 20 * MS;
    ack(&s, 0, 9);
    assert_true(s.result.sampled);
    assert_true(s.result.sample.window_limited);
    ox_path_stats before = s.stats;
    ack(&s, 0, 9);
    assert_false(s.result.sampled);
    assert_memory_equal(&before, &s.stats, sizeof before);
    s.flight.window_limited = true;
    ack(&s, 0, 10); // what wants no feedback
    assert_false(s.result.sampled);
    assert_true(s.flight.window_limited);
    finish(&s);
}

static void the_ledger_grows_with_what_is_outstanding(void **state) {
    (void)state;
    sender s;
    begin(&s);
    // Numbers begin anywhere in the ring, so that entries move and stay.
    for (uint32_t start = 0; start < 5000; start += 1237) {
        while (s.next < start) {
            send(&s, 1, 100);
            ack(&s, s.next - 1, s.next - 1);
        }
    }
    assert_int_equal(OX_LEDGER_ENTRIES_MIN, s.ledger->size);
    uint64_t first = s.next;
    for (uint32_t i = 0; i < OX_LEDGER_ENTRIES_MAX; i++) {
        assert_true(ox_ledger_has_room(s.ledger));
        s.now += 1000;
        send(&s, 1, 100 + i % 1000);
        assert_true(s.next - first <= s.ledger->size);
        assert_true(s.ledger->size == OX_LEDGER_ENTRIES_MIN || s.ledger->size <= 4 * (s.next - first));
    }
    assert_false(ox_ledger_has_room(s.ledger));
    assert_int_equal(OX_LEDGER_ENTRIES_MAX, ox_ledger_waiting(s.ledger));
    for (uint32_t i = 0; i < OX_LEDGER_ENTRIES_MAX; i++) {
        assert_int_equal(100 + i % 1000, ox_ledger_at(s.ledger, first + i)->bytes);
        assert_int_equal(s.now - 1000ull * (OX_LEDGER_ENTRIES_MAX - 1 - i), ox_ledger_at(s.ledger, first + i)->sent_ns);
    }
    // One more: the oldest is followed no longer.
    send(&s, 1, 100);
    assert_int_equal(1, s.stats.unresolved);
    ack(&s, 0, s.next - 1);
    assert_int_equal(s.next - 1, s.stats.acknowledged);
    assert_int_equal(0, s.flight.in_flight);
    assert_int_equal(0, s.stats.lost);
    assert_true(ox_ledger_has_room(s.ledger));
    finish(&s);
}

static void who_only_answers_needs_no_room(void **state) {
    (void)state;
    sender s;
    begin(&s);
    for (uint32_t i = 0; i < 100000; i++) {
        send_one(&s, 60, false);
        assert_true(ox_ledger_has_room(s.ledger));
    }
    assert_int_equal(OX_LEDGER_ENTRIES_MIN, s.ledger->size);
    assert_int_equal(100000 - OX_LEDGER_ENTRIES_MIN / 2, s.stats.unresolved);
    assert_int_equal(UINT64_MAX, due(&s));
    // What was forgotten is not counted again.
    ack(&s, 0, s.next - 1);
    assert_int_equal(OX_LEDGER_ENTRIES_MIN / 2, s.stats.acknowledged);
    finish(&s);
}

static void marks_only_grow(void **state) {
    (void)state;
    sender s;
    begin(&s);
    send(&s, 10, 100);
    ox_feedback f = {.count = 1, .ect0 = 5, .ect1 = 1, .ce = 2, .ranges = {{0, 5}}};
    apply(&s, &f);
    assert_int_equal(8, s.result.sample.ect);
    assert_int_equal(2, s.result.sample.ce);
    f.ect0 = 3; // an older feedback comes late
    f.ce = 1;
    apply(&s, &f);
    f.ect0 = 7;
    f.ce = 3;
    apply(&s, &f); // says nothing new but the marks: they wait for the next sample
    assert_false(s.result.sampled);
    f.ect0 = 8;
    f.ranges[0].last = 6;
    apply(&s, &f);
    assert_int_equal(4, s.result.sample.ect);
    assert_int_equal(1, s.result.sample.ce);
    assert_int_equal(8, s.stats.peer_ect0);
    assert_int_equal(1, s.stats.peer_ect1);
    assert_int_equal(3, s.stats.peer_ce);
    finish(&s);
}

static void probes_are_apart(void **state) {
    (void)state;
    sender s;
    begin(&s);
    send_probe(&s, 1400);
    send_probe(&s, 1472);
    send_probe(&s, 1300);
    assert_int_equal(1400 + 1472 + 1300, s.flight.in_flight);
    send(&s, 50, 100);
    ack(&s, 3, 52);
    assert_int_equal(0, s.flight.in_flight);
    assert_int_equal(0, s.flight.lost);
    assert_int_equal(0, s.result.sample.newly_lost);
    assert_int_equal(0, s.stats.lost);
    assert_int_equal(0, s.result.probe_size);
    ack(&s, 0, 2); // late, but there
    assert_int_equal(1472, s.result.probe_size);
    assert_int_equal(1400 + 1472 + 1300, s.result.sample.newly_acked);
    assert_int_equal(0, s.result.sample.newly_late);
    assert_int_equal(0, s.stats.lost);
    assert_int_equal(0, s.stats.late);
    ack(&s, 0, 2);
    assert_int_equal(0, s.result.probe_size);
    finish(&s);
}

static void a_session_that_ends_leaves_nothing_in_flight(void **state) {
    (void)state;
    sender s, other;
    begin(&s);
    begin(&other);
    send(&s, 10, 100);
    ox_ledger_sent(other.ledger, &s.flight, &s.stats, 0, 300, true, s.now); // of the session that follows
    ack(&s, 1, 2);
    ox_ledger_forget(s.ledger, &s.flight, &s.stats);
    assert_int_equal(300, s.flight.in_flight);
    assert_int_equal(300, s.stats.in_flight);
    assert_int_equal(200, s.flight.delivered);
    assert_int_equal(8, s.stats.unresolved);
    assert_int_equal(0, s.stats.lost);
    assert_int_equal(0, ox_ledger_waiting(s.ledger));
    assert_int_equal(UINT64_MAX, due(&s));
    ack(&s, 0, 9);
    assert_int_equal(2, s.stats.acknowledged);
    finish(&other);
    finish(&s);
}

/* ---- against the definition, number by number ------------------------------------------------------------------ */

enum { MODEL = 3000, NUMBER_BYTES = 100 };

static uint64_t seed;

static uint32_t draw(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

typedef struct model {
    bool arrives[MODEL], told[MODEL], lost[MODEL];
    uint64_t expected, threshold, late, acknowledged;
} model;

/** Time stands still in these runs, so losses are by number alone. */
static void model_feedback(model *m, const ox_feedback *f, uint64_t sent) {
    for (uint32_t i = 0; i < f->count; i++)
        for (uint64_t n = f->ranges[i].first; n <= f->ranges[i].last; n++) {
            if (m->told[n]) continue;
            m->told[n] = true;
            m->acknowledged++;
            m->late += m->lost[n];
            if (m->lost[n] && m->expected > n && m->expected - n > m->threshold) m->threshold = m->expected - n;
        }
    if (m->threshold > OX_REORDER_THRESHOLD_MAX) m->threshold = OX_REORDER_THRESHOLD_MAX;
    if (f->ranges[0].last >= m->expected) m->expected = f->ranges[0].last + 1;
    for (uint64_t n = 0; n < sent && n + m->threshold < m->expected; n++)
        if (!m->told[n]) m->lost[n] = true;
}

static void check_model(const model *m, const sender *s) {
    uint64_t lost = 0, waiting = 0, ever = 0;
    for (uint64_t n = 0; n < s->next; n++) {
        ever += m->lost[n];
        lost += m->lost[n] && !m->told[n];
        waiting += !m->lost[n] && !m->told[n];
    }
    assert_int_equal(m->acknowledged, s->stats.acknowledged);
    assert_int_equal(lost, s->stats.lost);
    assert_int_equal(m->late, s->stats.late);
    assert_int_equal(waiting, ox_ledger_waiting(s->ledger));
    assert_int_equal(waiting * NUMBER_BYTES, s->flight.in_flight);
    assert_int_equal(ever * NUMBER_BYTES, s->flight.lost);
    assert_int_equal(m->acknowledged * NUMBER_BYTES, s->flight.delivered);
    assert_int_equal(m->expected, s->result.next_expected);
    assert_int_equal(m->threshold, s->stats.reorder_threshold);
}

static void random_runs_equal_the_definition(void **state) {
    (void)state;
    static model m;
    for (uint64_t run = 1; run < 60; run++) {
        seed = run;
        sender s;
        ox_replay replay;
        memset(&m, 0, sizeof m);
        m.threshold = OX_REORDER_THRESHOLD_MIN;
        begin(&s);
        ox_replay_init(&replay, 2048);
        uint32_t loss = (uint32_t)(run % 4) * 10;
        while (s.next < MODEL) {
            // Some leave; each arrives at once, or up to 60 numbers late, or never.
            for (uint32_t n = draw(30); n > 0 && s.next < MODEL; n--) {
                m.arrives[s.next] = draw(100) >= loss;
                send(&s, 1, NUMBER_BYTES);
            }
            for (uint64_t n = s.next > 90 ? s.next - 90 : 0; n < s.next; n++)
                if (m.arrives[n] && ox_replay_check(&replay, n) == OX_PASS && (draw(4) != 0 || n + 60 < s.next))
                    ox_replay_commit(&replay, n);
            if (replay.next == 0 || draw(3) == 0) continue; // feedback is lost, too
            ox_feedback f = {0};
            ox_feedback_from_replay(&replay, draw(2) == 0 || replay.next < 200 ? 0 : replay.next - 200, &f);
            for (uint32_t twice = 0; twice < 2; twice++) apply(&s, &f);
            model_feedback(&m, &f, s.next);
            check_model(&m, &s);
        }
        finish(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_never_sent_is_malformed),
        cmocka_unit_test(only_eliciting_datagrams_are_in_flight),
        cmocka_unit_test(an_answer_that_says_nothing_new_is_no_sample),
        cmocka_unit_test(the_ledger_grows_with_what_is_outstanding),
        cmocka_unit_test(who_only_answers_needs_no_room),
        cmocka_unit_test(marks_only_grow),
        cmocka_unit_test(probes_are_apart),
        cmocka_unit_test(a_session_that_ends_leaves_nothing_in_flight),
        cmocka_unit_test(random_runs_equal_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
