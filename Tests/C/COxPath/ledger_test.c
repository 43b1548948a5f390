#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oxcore/path.h"

#define MS ((uint64_t)1000000)

typedef struct sent {
    ox_ledger *ledger;
    ox_path_stats stats;
    ox_ledger_result result;
    uint64_t next;
    uint64_t now;
} sent;

static void begin(sent *s) {
    memset(s, 0, sizeof *s);
    s->ledger = ox_ledger_init(malloc(ox_ledger_bytes()));
    s->now = 1000 * MS;
}

static void finish(sent *s) { free(s->ledger); }

static void send(sent *s, uint32_t count, uint32_t bytes) {
    for (uint32_t i = 0; i < count; i++) ox_ledger_sent(s->ledger, &s->stats, s->next++, bytes, true, s->now);
}

static void ack(sent *s, uint64_t first, uint64_t last) {
    ox_feedback f = {.count = 1, .ranges = {{first, last}}};
    assert_int_equal(OX_PASS, ox_ledger_feedback(s->ledger, &s->stats, &f, s->now, &s->result));
}

//= RFC 6298 section 2
static void round_trips_are_smoothed(void **state) {
    (void)state;
    sent s;
    begin(&s);
    uint64_t smoothed = 0, variance = 0;
    static const uint64_t rtts[] = {40, 40, 48, 30, 200, 41, 40, 39, 40, 1};
    for (size_t i = 0; i < sizeof rtts / sizeof rtts[0]; i++) {
        send(&s, 1, 100);
        s.now += rtts[i] * MS + 7 * MS;
        ox_feedback f = {.count = 1, .delay_us = 7000, .ranges = {{i, i}}};
        assert_int_equal(OX_PASS, ox_ledger_feedback(s.ledger, &s.stats, &f, s.now, &s.result));
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
    }
    assert_int_equal(1 * MS, s.stats.rtt_min_ns);
    finish(&s);
}

static void only_a_new_largest_number_is_a_sample(void **state) {
    (void)state;
    sent s;
    begin(&s);
    send(&s, 10, 100);
    s.now += 40 * MS;
    ack(&s, 5, 5);
    assert_true(s.result.progress);
    s.now += 40 * MS;
    ack(&s, 5, 5);
    assert_false(s.result.progress);
    ack(&s, 3, 3);
    assert_false(s.result.progress);
    assert_int_equal(1, s.stats.rtt_samples);
    assert_int_equal(40 * MS, s.stats.rtt_latest_ns);
    assert_int_equal(6, s.result.next_expected);
    // A delay longer than the time that has passed is nonsense, and no sample.
    ox_feedback f = {.count = 1, .delay_us = 81000, .ranges = {{9, 9}}};
    assert_int_equal(OX_PASS, ox_ledger_feedback(s.ledger, &s.stats, &f, s.now, &s.result));
    assert_int_equal(1, s.stats.rtt_samples);
    finish(&s);
}

static void what_was_never_sent_is_malformed(void **state) {
    (void)state;
    sent s;
    begin(&s);
    ox_feedback f = {.count = 1, .ce = 5, .ranges = {{0, 0}}};
    ox_path_stats none = {0};
    assert_int_equal(OX_DROP_FRAME_MALFORMED, ox_ledger_feedback(s.ledger, &s.stats, &f, s.now, &s.result));
    send(&s, 10, 100);
    f.ranges[0] = (ox_range){0, 10};
    none = s.stats;
    assert_int_equal(OX_DROP_FRAME_MALFORMED, ox_ledger_feedback(s.ledger, &s.stats, &f, s.now, &s.result));
    assert_memory_equal(&none, &s.stats, sizeof none);
    assert_int_equal(10, ox_ledger_waiting(s.ledger));
    finish(&s);
}

static void lost_means_that_later_ones_arrived(void **state) {
    (void)state;
    sent s;
    begin(&s);
    send(&s, 100, 100);
    ack(&s, 1, OX_REORDER_THRESHOLD - 1);
    assert_int_equal(0, s.stats.lost);
    ack(&s, OX_REORDER_THRESHOLD, OX_REORDER_THRESHOLD);
    assert_int_equal(1, s.stats.lost); // number 0
    assert_int_equal(OX_REORDER_THRESHOLD, s.stats.acknowledged);
    ack(&s, 0, 0); // it was only late
    assert_int_equal(0, s.stats.lost);
    assert_int_equal(1, s.stats.late);
    ack(&s, 0, 0);
    assert_int_equal(1, s.stats.late);
    assert_int_equal(OX_REORDER_THRESHOLD + 1, s.stats.acknowledged);
    finish(&s);
}

static void only_eliciting_datagrams_wait(void **state) {
    (void)state;
    sent s;
    begin(&s);
    send(&s, 5, 100);
    ox_ledger_sent(s.ledger, &s.stats, s.next++, 50, false, s.now);
    assert_int_equal(5, ox_ledger_waiting(s.ledger));
    ack(&s, 5, 5);
    assert_int_equal(5, ox_ledger_waiting(s.ledger));
    ack(&s, 0, 3);
    assert_int_equal(1, ox_ledger_waiting(s.ledger));
    send(&s, 40, 100);
    ack(&s, 45, 45);
    assert_int_equal(31, ox_ledger_waiting(s.ledger)); // 4 and 6 to 13 are lost
    finish(&s);
}

static void the_ledger_forgets_the_oldest(void **state) {
    (void)state;
    sent s;
    begin(&s);
    send(&s, OX_LEDGER_ENTRIES + 100, 100);
    assert_int_equal(100, s.stats.unresolved);
    assert_int_equal(OX_LEDGER_ENTRIES, ox_ledger_waiting(s.ledger));
    ack(&s, 0, OX_LEDGER_ENTRIES + 99); // those that were forgotten count no more
    assert_int_equal(OX_LEDGER_ENTRIES, s.stats.acknowledged);
    assert_int_equal(0, ox_ledger_waiting(s.ledger));
    assert_int_equal(0, s.stats.lost);
    send(&s, 3 * OX_LEDGER_ENTRIES, 100);
    ack(&s, s.next - 1, s.next - 1);
    assert_int_equal(100 + 2 * OX_LEDGER_ENTRIES, s.stats.unresolved);
    assert_int_equal(OX_LEDGER_ENTRIES - OX_REORDER_THRESHOLD, s.stats.lost);
    ack(&s, 0, 5); // feedback from long ago
    assert_int_equal(OX_LEDGER_ENTRIES - OX_REORDER_THRESHOLD, s.stats.lost);
    finish(&s);
}

static void marks_only_grow(void **state) {
    (void)state;
    sent s;
    begin(&s);
    send(&s, 10, 100);
    ox_feedback f = {.count = 1, .ect0 = 5, .ect1 = 1, .ce = 2, .ranges = {{0, 5}}};
    assert_int_equal(OX_PASS, ox_ledger_feedback(s.ledger, &s.stats, &f, s.now, &s.result));
    f.ect0 = 3; // an older feedback comes late
    f.ce = 1;
    assert_int_equal(OX_PASS, ox_ledger_feedback(s.ledger, &s.stats, &f, s.now, &s.result));
    f.ect0 = 7;
    f.ce = 3;
    assert_int_equal(OX_PASS, ox_ledger_feedback(s.ledger, &s.stats, &f, s.now, &s.result));
    assert_int_equal(7, s.stats.peer_ect0);
    assert_int_equal(1, s.stats.peer_ect1);
    assert_int_equal(3, s.stats.peer_ce);
    finish(&s);
}

static void probes_are_apart(void **state) {
    (void)state;
    sent s;
    begin(&s);
    send(&s, 1, 1400);
    ox_ledger_mark_probe(s.ledger, 0);
    send(&s, 1, 1472);
    ox_ledger_mark_probe(s.ledger, 1);
    send(&s, 1, 1300);
    ox_ledger_mark_probe(s.ledger, 2);
    send(&s, 50, 100);
    ack(&s, 3, 52);
    assert_int_equal(0, s.stats.lost);
    assert_int_equal(0, s.result.probe_size);
    ack(&s, 0, 2); // late, but there
    assert_int_equal(1472, s.result.probe_size);
    assert_int_equal(0, s.stats.lost);
    assert_int_equal(0, s.stats.late);
    ack(&s, 0, 2);
    assert_int_equal(0, s.result.probe_size);
    finish(&s);
}

static void large_losses_in_a_row_make_a_black_hole(void **state) {
    (void)state;
    sent s;
    begin(&s);
    // Small ones arrive, large ones do not.
    uint32_t holes = 0;
    for (uint32_t i = 0; i < OX_BLACK_HOLE_LOSSES + OX_REORDER_THRESHOLD; i++) {
        send(&s, 1, OX_MTU_BASE + 1);
        send(&s, 1, OX_MTU_BASE);
        ack(&s, s.next - 1, s.next - 1);
        holes += s.result.black_hole;
    }
    assert_in_range(holes, 1, 3);
    finish(&s);
}

static void a_burst_of_losses_is_no_black_hole(void **state) {
    (void)state;
    sent s;
    begin(&s);
    uint32_t holes = 0;
    for (uint32_t burst = 0; burst < 20; burst++) {
        // Twenty large datagrams are lost together; those sent after them arrive.
        uint64_t lost = s.next;
        send(&s, 20, 1400);
        send(&s, 200, 1400);
        s.now += 40 * MS;
        ack(&s, lost + 20, s.next - 1);
        holes += s.result.black_hole;
    }
    assert_int_equal(0, holes);
    assert_int_equal(400, s.stats.lost);
    finish(&s);
}

/* ---- against the definition, number by number ------------------------------------------------------------------ */

enum { MODEL = 3000 };

static uint64_t seed;

static uint32_t draw(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static void random_runs_equal_the_definition(void **state) {
    (void)state;
    for (seed = 1; seed < 60;) {
        uint64_t run = seed;
        sent s;
        ox_replay replay;
        static bool arrives[MODEL], told[MODEL], was_lost[MODEL];
        memset(arrives, 0, sizeof arrives);
        memset(told, 0, sizeof told);
        memset(was_lost, 0, sizeof was_lost);
        begin(&s);
        ox_replay_init(&replay, 2048);
        uint64_t largest_told = 0, late = 0;
        bool any = false;
        uint32_t loss = (uint32_t)(run % 4) * 10;
        while (s.next < MODEL) {
            // Some leave; each arrives at once, or up to 60 numbers late, or never.
            for (uint32_t n = draw(30); n > 0 && s.next < MODEL; n--) {
                arrives[s.next] = draw(100) >= loss;
                send(&s, 1, 100);
            }
            for (uint64_t n = s.next > 90 ? s.next - 90 : 0; n < s.next; n++)
                if (arrives[n] && ox_replay_check(&replay, n) == OX_PASS && (draw(4) != 0 || n + 60 < s.next))
                    ox_replay_commit(&replay, n);
            if (replay.next == 0 || draw(3) == 0) continue; // feedback is lost, too
            ox_feedback f = {0};
            ox_feedback_from_replay(&replay, &f);
            for (uint32_t twice = 0; twice < 2; twice++)
                assert_int_equal(OX_PASS, ox_ledger_feedback(s.ledger, &s.stats, &f, s.now, &s.result));
            uint64_t floor = any && largest_told + 1 > 256 ? largest_told + 1 - 256 : 0;
            for (uint32_t i = 0; i < f.count; i++)
                for (uint64_t n = f.ranges[i].first; n <= f.ranges[i].last; n++) {
                    // What is below the reach of feedback stays lost, whatever comes.
                    if (told[n] || (n < floor && was_lost[n])) continue;
                    told[n] = true;
                    late += was_lost[n];
                }
            if (!any || f.ranges[0].last > largest_told) largest_told = f.ranges[0].last;
            any = true;
            uint64_t lost = 0, acknowledged = 0, waiting = 0;
            for (uint64_t n = 0; n < s.next; n++) {
                acknowledged += told[n];
                if (!told[n] && n + OX_REORDER_THRESHOLD <= largest_told) was_lost[n] = true;
                lost += was_lost[n] && !told[n];
                waiting += !was_lost[n] && !told[n];
            }
            assert_int_equal(acknowledged, s.stats.acknowledged);
            assert_int_equal(lost, s.stats.lost);
            assert_int_equal(late, s.stats.late);
            assert_int_equal(waiting, ox_ledger_waiting(s.ledger));
            assert_int_equal(largest_told + 1, s.result.next_expected);
        }
        finish(&s);
        seed = run + 1;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips_are_smoothed),
        cmocka_unit_test(only_a_new_largest_number_is_a_sample),
        cmocka_unit_test(what_was_never_sent_is_malformed),
        cmocka_unit_test(lost_means_that_later_ones_arrived),
        cmocka_unit_test(only_eliciting_datagrams_wait),
        cmocka_unit_test(the_ledger_forgets_the_oldest),
        cmocka_unit_test(marks_only_grow),
        cmocka_unit_test(probes_are_apart),
        cmocka_unit_test(large_losses_in_a_row_make_a_black_hole),
        cmocka_unit_test(a_burst_of_losses_is_no_black_hole),
        cmocka_unit_test(random_runs_equal_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
