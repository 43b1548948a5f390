#include "ends.h"

static packet in[1], out[256];
static datagram wire[256];

static void send_one(end_of *e, uint32_t seed, bool back, uint64_t now) {
    make_packet(in, 4, 100, seed, back, 0);
    send_packet(e, in, now);
}

/* Turns both ends as time passes, over a link of `delay_ns` each way, in steps of a millisecond. */
static uint32_t idle(ends *t, uint64_t duration_ns) {
    uint32_t carried = 0;
    for (uint64_t end = t->now + duration_ns; t->now < end; t->now += MS) {
        (void)ox_tunnel_advance(t->a.tunnel, t->now);
        (void)ox_tunnel_advance(t->b.tunnel, t->now);
        carried += carry(&t->a, &t->b, t->now) + carry(&t->b, &t->a, t->now);
        forget_packets(&t->a);
        forget_packets(&t->b);
        forget_events(&t->a);
        forget_events(&t->b);
    }
    return carried;
}

static void feedback_leaves_after_its_delay(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    send_one(&t.a, 1, false, t.now);
    carry(&t.a, &t.b, t.now);
    forget_packets(&t.b);
    uint64_t due = t.now + t.b.policy.feedback_delay_ns;
    uint64_t next = ox_tunnel_advance(t.b.tunnel, t.now);
    assert_true(next <= due);
    next = ox_tunnel_advance(t.b.tunnel, due - 1);
    assert_int_equal(due, next);
    assert_int_equal(0, forget_datagrams(&t.b));
    (void)ox_tunnel_advance(t.b.tunnel, due);
    assert_int_equal(1, take_datagrams(&t.b, wire, 1, false));
    assert_int_equal(0, t.b.session->unanswered);
    assert_int_equal(1, ox_ledger_waiting(t.a.session->ledger));
    give_datagram(&t.a, wire, due + 5 * MS);
    assert_int_equal(0, ox_ledger_waiting(t.a.session->ledger));
    // The feedback's own delay is not part of the round trip.
    assert_int_equal(5 * MS, path_stats(&t.a).rtt_latest_ns);
    assert_int_equal(1, path_stats(&t.a).acknowledged);
    ends_finish(&t);
}

/* Enough to say, and a quarter of the round trip after the last one: within 10 ms while none is known. */
static void feedback_leaves_after_so_many_bytes(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    uint64_t last = 0;
    uint32_t frames = 0, bytes = 0;
    for (uint32_t i = 1; i <= 200; i++, t.now += MS) {
        send_one(&t.a, i, false, t.now);
        carry(&t.a, &t.b, t.now);
        forget_packets(&t.b);
        (void)ox_tunnel_advance(t.b.tunnel, t.now);
        bytes += 100;
        if (forget_datagrams(&t.b) == 0) continue;
        if (frames++ > 0) assert_true(t.now - last >= t.b.policy.feedback_most_ns);
        assert_true(bytes >= t.b.policy.feedback_bytes - 10 * 100); // headers and tags are bytes too
        last = t.now;
        bytes = 0;
    }
    assert_in_range(frames, 6, 12);
    ends_finish(&t);
}

static void feedback_rides_along(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    send_one(&t.a, 1, false, t.now);
    carry(&t.a, &t.b, t.now);
    send_one(&t.b, 1, true, t.now + t.b.policy.feedback_delay_ns / 2 - 1); // too early
    carry(&t.b, &t.a, t.now + t.b.policy.feedback_delay_ns / 2 - 1);
    assert_int_equal(0, path_stats(&t.a).acknowledged);
    send_one(&t.b, 2, true, t.now + t.b.policy.feedback_delay_ns / 2);
    assert_int_equal(1, t.b.tunnel->network.count);
    carry(&t.b, &t.a, t.now + t.b.policy.feedback_delay_ns / 2);
    assert_int_equal(1, path_stats(&t.a).acknowledged);
    assert_int_equal(2, take_packets(&t.a, out, 2));
    assert_packet(in, &out[1]);
    (void)ox_tunnel_advance(t.b.tunnel, t.now + 2 * t.b.policy.feedback_delay_ns);
    assert_int_equal(0, forget_datagrams(&t.b)); // owed no more
    forget_packets(&t.b);
    ends_finish(&t);
}

static void full_datagrams_leave_no_room_and_stay_within_the_mtu(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    for (uint32_t over = 0; over < 120; over++) {
        send_one(&t.a, 1, false, t.now);
        carry(&t.a, &t.b, t.now);
        t.now += 90 * MS;
        make_packet(in, 4, ox_session_room(t.b.session) - over, over, true, 0);
        send_packet(&t.b, in, t.now);
        assert_true(take_datagrams(&t.b, wire, 4, false) == 1); // asserts the MTU
        give_datagram(&t.a, wire, t.now);
        assert_int_equal(1, take_packets(&t.a, out, 2));
        assert_packet(in, out);
        forget_packets(&t.b);
        t.now += 90 * MS;
        (void)ox_tunnel_advance(t.b.tunnel, t.now);
        carry(&t.b, &t.a, t.now);
    }
    ends_finish(&t);
}

static void two_idle_tunnels_fall_silent(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    send_one(&t.a, 1, false, t.now);
    send_one(&t.b, 1, true, t.now);
    ox_tunnel_send_challenge(t.a.tunnel, t.a.local, 1, &t.b.address, t.now);
    ox_tunnel_send_probe(t.b.tunnel, t.b.local, 1400, t.now);
    ox_tunnel_send_keepalive(t.b.tunnel, t.b.local, t.now);
    assert_true(idle(&t, SECOND) <= 10);
    assert_int_equal(0, idle(&t, 10 * SECOND));
    assert_int_equal(UINT64_MAX, ox_tunnel_advance(t.a.tunnel, t.now));
    assert_int_equal(UINT64_MAX, ox_tunnel_advance(t.b.tunnel, t.now));
    assert_int_equal(0, ox_ledger_waiting(t.a.session->ledger));
    assert_int_equal(0, ox_ledger_waiting(t.b.session->ledger));
    ends_finish(&t);
}

static void statistics_tell_loss_and_round_trip(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    enum { PACKETS = 20000, DELAY_MS = 20 };
    static datagram in_flight[2][64][8];
    static uint32_t count[2][64];
    uint32_t seed = 3, lost = 0, inner = 0, sent_ect0 = 0, marked = 0;
    memset(count, 0, sizeof count);
    for (uint32_t step = 0; inner < PACKETS || step % 500 != 0; step++, t.now += MS) {
        if (inner < PACKETS) {
            make_packet(in, 4, 200, inner, false, OX_ECN_ECT0);
            send_packet(&t.a, in, t.now);
            inner++;
        }
        (void)ox_tunnel_advance(t.a.tunnel, t.now);
        (void)ox_tunnel_advance(t.b.tunnel, t.now);
        for (uint32_t way = 0; way < 2; way++) {
            end_of *from = way ? &t.b : &t.a, *to = way ? &t.a : &t.b;
            uint32_t got = take_datagrams(from, wire, 8, false);
            uint32_t slot = (step + DELAY_MS) % 64;
            count[way][slot] = 0;
            for (uint32_t i = 0; i < got; i++) {
                seed = seed * 1664525 + 1013904223;
                bool drop = seed >> 24 < 13; // about 5 %
                if (way == 0 && wire[i].ecn == OX_ECN_ECT0) {
                    if (!drop && seed >> 16 & 1) wire[i].ecn = OX_ECN_CE;
                    marked += !drop && wire[i].ecn == OX_ECN_CE;
                    sent_ect0 += !drop && wire[i].ecn != OX_ECN_CE;
                }
                lost += drop && way == 0 && inner < PACKETS - 100;
                if (!drop) in_flight[way][slot][count[way][slot]++] = wire[i];
            }
            for (uint32_t i = 0; i < count[way][step % 64]; i++) give_datagram(to, &in_flight[way][step % 64][i], t.now);
            count[way][step % 64] = 0;
        }
        forget_packets(&t.a);
        forget_packets(&t.b);
        forget_events(&t.a);
        forget_events(&t.b);
    }
    ox_path_stats stats = path_stats(&t.a);
    assert_true(stats.sent >= PACKETS && stats.sent <= PACKETS + 1000);
    assert_true(stats.lost >= lost - lost / 50 && stats.lost <= lost + 20);
    assert_int_equal(0, stats.late);
    assert_int_equal(2 * DELAY_MS * MS, stats.rtt_min_ns);
    assert_int_equal(2 * DELAY_MS * MS, stats.rtt_smoothed_ns / MS * MS + (stats.rtt_smoothed_ns % MS > MS / 2 ? MS : 0));
    assert_true(stats.rtt_variance_ns < MS);
    assert_true(stats.peer_ce <= marked && stats.peer_ce + 100 > marked);
    assert_true(stats.peer_ect0 <= sent_ect0 && stats.peer_ect0 + 100 > sent_ect0);
    assert_int_equal(0, all_drops(&t.a));
    ends_finish(&t);
}

static void feedback_that_no_peer_could_send_is_malformed(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    send_one(&t.a, 1, false, t.now);
    forget_datagrams(&t.a);
    ox_path_stats before = path_stats(&t.a);
    ox_feedback feedback = {.count = 1, .ranges = {{0, 1}}}; // number 1 was never sent
    uint8_t plain[OX_FEEDBACK_BYTES_MAX];
    uint32_t len = ox_feedback_write(&feedback, plain, sizeof plain);
    seal_plain(&t.b, plain, len, t.now, wire);
    give_datagram(&t.a, wire, t.now);
    assert_int_equal(1, drops(&t.a, OX_DROP_FRAME_MALFORMED));
    assert_int_equal(before.acknowledged, path_stats(&t.a).acknowledged);
    ends_finish(&t);
}

static void activity_is_reported_seldom(void **state) {
    (void)state;
    ends t;
    ox_event event;
    ends_begin(&t);
    uint32_t reports = 0;
    for (uint32_t i = 0; i < 2000; i++, t.now += MS) {
        send_one(&t.a, i, false, t.now);
        forget_datagrams(&t.a);
        (void)ox_tunnel_advance(t.a.tunnel, t.now);
        while (take_event(&t.a, &event)) {
            if (event.kind != OX_EVENT_ACTIVITY) continue;
            reports++;
            assert_int_equal(t.now, event.activity.sent_ns);
            assert_int_equal(t.now, event.activity.sent_eliciting_ns);
            assert_int_equal(i + 1, event.activity.numbers);
            assert_int_equal(0, event.activity.received_ns);
        }
    }
    assert_in_range(reports, 7, 9);
    ends_finish(&t);
}

static void probes_tell_the_mtu_and_their_loss_is_no_loss(void **state) {
    (void)state;
    ends t;
    ox_event event;
    ends_begin(&t);
    ox_tunnel_send_probe(t.a.tunnel, t.a.local, 1472, t.now);
    assert_int_equal(1, take_datagrams(&t.a, wire, 1, true));
    assert_int_equal(1472, wire[0].len);
    ox_tunnel_send_probe(t.a.tunnel, t.a.local, 1400, t.now);
    assert_int_equal(1, take_datagrams(&t.a, wire, 1, true));
    assert_int_equal(1400, wire[0].len);
    give_datagram(&t.b, wire, t.now);
    for (uint32_t i = 0; i < 100; i++) {
        send_one(&t.a, i, false, t.now);
        carry(&t.a, &t.b, t.now);
        forget_packets(&t.b);
    }
    t.now += 100 * MS;
    (void)ox_tunnel_advance(t.b.tunnel, t.now);
    carry(&t.b, &t.a, t.now);
    assert_true(find_event(&t.a, OX_EVENT_MTU_ACKNOWLEDGED, &event));
    assert_int_equal(1400, event.size);
    assert_int_equal(0, path_stats(&t.a).lost);
    ox_tunnel_set_mtu(t.a.tunnel, 7, 0, 1400);
    t.a.mtu = 1400;
    make_packet(in, 4, 1350, 1, false, 0);
    send_packet(&t.a, in, t.now);
    assert_int_equal(1, forget_datagrams(&t.a));
    ends_finish(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feedback_leaves_after_its_delay),
        cmocka_unit_test(feedback_leaves_after_so_many_bytes),
        cmocka_unit_test(feedback_rides_along),
        cmocka_unit_test(full_datagrams_leave_no_room_and_stay_within_the_mtu),
        cmocka_unit_test(two_idle_tunnels_fall_silent),
        cmocka_unit_test(statistics_tell_loss_and_round_trip),
        cmocka_unit_test(feedback_that_no_peer_could_send_is_malformed),
        cmocka_unit_test(activity_is_reported_seldom),
        cmocka_unit_test(probes_tell_the_mtu_and_their_loss_is_no_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
