/* Packets wait for pacer and window, and leave in the order that is right. */
#include "trains.h"

static packet in[1], out[512];
static datagram wire[512];

/* A packet without a DSCP. */
static void make_plain(packet *p, size_t len, uint32_t seed) {
    make_packet(p, 4, len, seed, false, 0);
    p->bytes[1] = 0;
}

static void send_one(end_of *e, size_t len, uint32_t seed, uint64_t now) {
    make_plain(in, len, seed);
    send_packet(e, in, now);
}

static void limit(end_of *e, ox_path_limits limits, uint64_t now) {
    if (limits.quantum == 0) limits.quantum = 2400;
    ox_tunnel_set_limits(e->tunnel, ox_peer_id(e->peer), 0, &limits, now);
}

/* CoDel would drop what these tests have wait. */
static void patient(end_of *e) {
    e->policy.queue.target_us = 10000000;
    ox_tunnel_set_policy(e->tunnel, &e->policy);
}

static uint64_t waiting(const end_of *e) { return ox_queue_bytes(e->peer->paths[0].queue); }

static uint64_t bytes_of(const datagram *datagrams, uint32_t count) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += datagrams[i].len;
    return sum;
}

/* A path of 100 kB/s carries what it may in each tenth of a second, and not more than a quantum sooner. */
static void the_pacer_sets_the_rate(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    patient(&t.a);
    limit(&t.a, (ox_path_limits){.rate = 100000}, t.now);
    for (uint32_t i = 0; i < 60; i++) send_one(&t.a, 1000, i, t.now);
    uint64_t sent = 0, next = t.now;
    for (uint64_t begin = t.now; waiting(&t.a) > 0; t.now = next) {
        next = ox_tunnel_advance(t.a.tunnel, t.now);
        assert_true(next > t.now);
        uint32_t count = take_datagrams(&t.a, wire, 512, false);
        for (uint32_t i = 0; i < count; i++) give_datagram(&t.b, &wire[i], t.now);
        sent += bytes_of(wire, count);
        uint64_t due = (t.now - begin) / 10000; // 100 bytes a millisecond
        assert_in_range(sent, due > 1200 ? due - 1200 : 0, due + 2400 + 1200);
    }
    take_datagrams(&t.a, wire, 512, false);
    assert_true(forget_packets(&t.b) >= 57);
    ends_finish(&t);
}

static void the_window_holds_until_feedback_comes(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    patient(&t.a);
    limit(&t.a, (ox_path_limits){.window = 5000}, t.now);
    for (uint32_t i = 0; i < 20; i++) send_one(&t.a, 1100, i, t.now);
    uint64_t seen = 0;
    for (uint32_t round = 0; round < 10; round++) {
        uint32_t count = take_datagrams(&t.a, wire, 512, false);
        assert_true(bytes_of(wire, count) <= 5000 + 1200);
        assert_true(t.a.peer->paths[0].flight.in_flight <= 5000 + 1200);
        t.now += 10 * MS;
        for (uint32_t i = 0; i < count; i++) give_datagram(&t.b, &wire[i], t.now);
        (void)ox_tunnel_advance(t.b.tunnel, t.now + 10 * MS);
        t.now += 20 * MS;
        carry(&t.b, &t.a, t.now);
        (void)ox_tunnel_advance(t.a.tunnel, t.now);
        seen += forget_packets(&t.b);
    }
    assert_int_equal(20, seen);
    assert_int_equal(0, waiting(&t.a));
    ends_finish(&t);
}

/* What a sample says of a flow that had packets waiting all the time, and of one that had not. */
static void samples_tell_a_backlog_from_too_little_to_send(void **state) {
    (void)state;
    ends t;
    ox_event event;
    ends_begin(&t);
    patient(&t.a);
    limit(&t.a, (ox_path_limits){.rate = 1000000}, t.now);
    uint32_t limited = 0, full = 0;
    for (uint32_t i = 0; i < 400; i++, t.now += MS) {
        // First a packet now and then; later more than the path takes.
        if (i < 200 ? i % 20 == 0 : waiting(&t.a) < 20000)
            for (uint32_t n = 0; n < (i < 200 ? 1u : 20u); n++) send_one(&t.a, 1100, i, t.now);
        (void)ox_tunnel_advance(t.a.tunnel, t.now);
        carry(&t.a, &t.b, t.now);
        (void)ox_tunnel_advance(t.b.tunnel, t.now);
        carry(&t.b, &t.a, t.now);
        forget_packets(&t.b);
        while (take_event(&t.a, &event)) {
            if (event.kind != OX_EVENT_PATH_SAMPLE) continue;
            assert_int_equal(0, event.path);
            assert_int_equal(1200, event.sample.mtu);
            if (i < 200) assert_true(event.sample.app_limited);
            if (i < 200) limited++;
            else if (i > 300 && !event.sample.app_limited) full++;
        }
        forget_events(&t.b);
    }
    assert_true(limited > 0 && full >= 5);
    ends_finish(&t);
}

static void urgent_packets_go_ahead_within_a_tenth(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    ox_class_rule rule = {.class_ = OX_CLASS_GAMING, .port_first = 7777, .port_last = 7777};
    t.a.policy.rules = &rule;
    t.a.policy.rule_count = 1;
    ox_tunnel_set_policy(t.a.tunnel, &t.a.policy);
    limit(&t.a, (ox_path_limits){.rate = 125000, .window = 4800, .urgent = 1}, t.now);
    t.now += SECOND;
    (void)ox_tunnel_advance(t.a.tunnel, t.now);
    for (uint32_t i = 0; i < 50; i++) send_one(&t.a, 1100, i, t.now);
    take_datagrams(&t.a, wire, 512, false);
    // The window is full and the pacer waits, and still it leaves, alone.
    packet game;
    make_plain(&game, 100, 77);
    ox_store_be16(game.bytes + 20, 7777);
    sum_packet(&game);
    send_packet(&t.a, &game, t.now);
    assert_int_equal(1, take_datagrams(&t.a, wire, 512, false));
    give_datagram(&t.b, &wire[0], t.now);
    assert_int_equal(1, take_packets(&t.b, out, 512));
    assert_packet(&game, out);
    // A class that says gaming and floods does not have the whole path.
    uint64_t sent = 0;
    for (uint32_t i = 0; i < 200; i++) {
        send_packet(&t.a, &game, t.now);
        sent += bytes_of(wire, take_datagrams(&t.a, wire, 512, false));
    }
    assert_true(sent < 6000);
    // Nor by large packets, however long it goes on without feedback.
    packet large;
    make_plain(&large, 1100, 5);
    ox_store_be16(large.bytes + 20, 7777);
    sum_packet(&large);
    sent = 0;
    for (uint32_t i = 0; i < 1000; i++, t.now += MS) {
        for (uint32_t n = 0; n < 3; n++) send_packet(&t.a, &large, t.now);
        (void)ox_tunnel_advance(t.a.tunnel, t.now);
        sent += bytes_of(wire, take_datagrams(&t.a, wire, 512, false));
    }
    assert_true(sent < 20000);
    ends_finish(&t);
}

static void a_burst_larger_than_the_quantum_is_cut(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    patient(&t.a);
    limit(&t.a, (ox_path_limits){.rate = 1000000, .quantum = 2400}, t.now);
    static shipment s;
    tcp_super(&s, 4, 60000, 1000);
    send_super(&t.a, &s, t.now);
    uint32_t count = take_datagrams(&t.a, wire, 512, false);
    assert_true(bytes_of(wire, count) <= 2400 + 2 * 1200);
    assert_true(waiting(&t.a) > 50000);
    uint64_t sent = bytes_of(wire, count);
    for (uint32_t i = 0; i < 60; i++, t.now += MS) {
        (void)ox_tunnel_advance(t.a.tunnel, t.now);
        count = take_datagrams(&t.a, wire, 512, false);
        for (uint32_t d = 0; d < count; d++) assert_true(wire[d].len <= 1200);
        sent += bytes_of(wire, count);
    }
    assert_true(sent > 55000);
    ends_finish(&t);
}

/* The end of a packet that did not fit shares its datagram with the next one, although the pacer lets them go one by one. */
static void halves_share_datagrams_under_pacing(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    patient(&t.a);
    limit(&t.a, (ox_path_limits){.rate = 500000, .quantum = 2400}, t.now);
    for (uint32_t i = 0; i < 40; i++) send_one(&t.a, 1500, i, t.now);
    uint32_t datagrams = 0;
    while (waiting(&t.a) > 0 || t.a.tunnel->open.session != NULL) {
        uint32_t count = take_datagrams(&t.a, wire, 512, false);
        for (uint32_t i = 0; i < count; i++) give_datagram(&t.b, &wire[i], t.now);
        datagrams += count;
        t.now = ox_tunnel_advance(t.a.tunnel, t.now);
    }
    uint32_t count = take_datagrams(&t.a, wire, 512, false);
    for (uint32_t i = 0; i < count; i++) give_datagram(&t.b, &wire[i], t.now);
    datagrams += count;
    assert_int_equal(40, forget_packets(&t.b));
    assert_true(datagrams <= 40 * 1500 / 1150 + 3);
    ends_finish(&t);
}

static void packets_wait_for_company_where_they_are_told_to(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    limit(&t.a, (ox_path_limits){.hold_ns = {[OX_CLASS_GENERAL] = 2 * MS}, .quantum = 60000}, t.now);
    send_one(&t.a, 100, 1, t.now);
    assert_int_equal(0, take_datagrams(&t.a, wire, 512, false));
    assert_int_equal(t.now + 2 * MS, ox_tunnel_advance(t.a.tunnel, t.now));
    send_one(&t.a, 100, 2, t.now + MS);
    assert_int_equal(0, take_datagrams(&t.a, wire, 512, false));
    (void)ox_tunnel_advance(t.a.tunnel, t.now + 2 * MS);
    assert_int_equal(1, take_datagrams(&t.a, wire, 512, false));
    give_datagram(&t.b, &wire[0], t.now + 2 * MS);
    assert_int_equal(2, forget_packets(&t.b));
    // Enough for a datagram does not wait, and neither does an urgent packet.
    t.now += 10 * MS;
    for (uint32_t i = 0; i < 11; i++) send_one(&t.a, 110, i, t.now);
    assert_true(take_datagrams(&t.a, wire, 512, false) >= 1);
    t.now += 10 * MS;
    (void)ox_tunnel_advance(t.a.tunnel, t.now);
    forget_datagrams(&t.a);
    make_plain(in, 100, 9);
    in->bytes[1] = 46 << 2; // EF
    sum_packet(in);
    send_packet(&t.a, in, t.now);
    assert_int_equal(1, take_datagrams(&t.a, wire, 512, false));
    ends_finish(&t);
}

static void a_peer_that_goes_takes_its_queue_along(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    limit(&t.a, (ox_path_limits){.rate = 1000}, t.now);
    for (uint32_t i = 0; i < 30; i++) send_one(&t.a, 900, i, t.now);
    forget_datagrams(&t.a);
    assert_true(waiting(&t.a) > 0);
    ends_finish(&t); // asserts that every buffer is back
}

/* Eight packets, most of which wait: the path takes one in a second. */
static void backlog_of_eight(ends *t) {
    patient(&t->a);
    limit(&t->a, (ox_path_limits){.rate = 1000}, t->now);
    for (uint32_t i = 0; i < 8; i++) send_one(&t->a, 900, i, t->now);
}

/* A second session of the two, beside the first. */
static void begin_second(ends *t, uint64_t now) {
    ox_keys *keys[2];
    ends_options o = {.mtu = 1200, .id_bytes = 2};
    t->a.local = 50;
    t->b.local = 51;
    ends_keys(&t->a, &t->b, OX_AEAD_CHACHA20POLY1305, keys);
    end_session(&t->b, &t->a, keys[1], &o, now);
    end_session(&t->a, &t->b, keys[0], &o, now);
}

/* What waits when a session is replaced leaves by its successor. */
static void the_queue_outlives_the_session(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    backlog_of_eight(&t);
    uint32_t before = take_datagrams(&t.a, wire, 512, false);
    for (uint32_t i = 0; i < before; i++) give_datagram(&t.b, &wire[i], t.now);
    assert_true(t.a.peer->paths[0].flight.in_flight > 0);
    uint32_t first_a = t.a.local, first_b = t.b.local;
    begin_second(&t, t.now);
    ox_session_destroy(ox_tunnel_remove_session(t.a.tunnel, first_a));
    ox_session_destroy(ox_tunnel_remove_session(t.b.tunnel, first_b));
    limit(&t.a, (ox_path_limits){.quantum = 60000}, t.now);
    (void)ox_tunnel_advance(t.a.tunnel, t.now);
    carry(&t.a, &t.b, t.now);
    assert_int_equal(8, forget_packets(&t.b));
    ends_finish(&t);
}

/* Without a successor it is dropped, under a name, and nothing is in flight any more. */
static void the_queue_ends_with_the_last_session(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    backlog_of_eight(&t);
    uint32_t sent = forget_datagrams(&t.a);
    ox_session_destroy(ox_tunnel_remove_session(t.a.tunnel, t.a.local));
    assert_int_equal(8 - sent, drops(&t.a, OX_DROP_NO_SESSION));
    assert_int_equal(0, waiting(&t.a));
    assert_int_equal(0, t.a.peer->paths[0].flight.in_flight);
    assert_int_equal(OX_NEVER, ox_tunnel_advance(t.a.tunnel, t.now + MS));
    ends_finish(&t);
}

/* A session that may not send any more leaves no timer that is due at once and for ever. */
static void an_expired_session_is_not_due(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    limit(&t.a, (ox_path_limits){.rate = 1000, .urgent = 1, .hold_ns = {[OX_CLASS_GENERAL] = 2 * MS}}, t.now);
    for (uint32_t i = 0; i < 8; i++) send_one(&t.a, 900, i, t.now);
    forget_datagrams(&t.a);
    t.now += 200 * SECOND;
    for (uint32_t i = 0; i < 6; i++) {
        uint64_t next = ox_tunnel_advance(t.a.tunnel, t.now);
        assert_true(next > t.now);
        if (next == OX_NEVER) break;
        t.now = next;
    }
    forget_datagrams(&t.a);
    ends_finish(&t);
}

/* What the old place lost does not fill the window of the new one. */
static void a_path_to_another_place_begins_empty(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    patient(&t.a);
    limit(&t.a, (ox_path_limits){.window = 3000}, t.now);
    for (uint32_t i = 0; i < 8; i++) send_one(&t.a, 1000, i, t.now);
    assert_int_equal(3, forget_datagrams(&t.a));
    ox_address there = v4_address(77, 4000);
    ox_tunnel_move_path(t.a.tunnel, ox_peer_id(t.a.peer), 0, &there);
    assert_int_equal(0, t.a.peer->paths[0].flight.in_flight);
    (void)ox_tunnel_advance(t.a.tunnel, t.now);
    assert_int_equal(3, take_datagrams(&t.a, wire, 512, false));
    assert_true(ox_address_equal(&there, &wire[0].to));
    // Another port is the same place.
    there.port++;
    ox_tunnel_move_path(t.a.tunnel, ox_peer_id(t.a.peer), 0, &there);
    assert_true(t.a.peer->paths[0].flight.in_flight > 0);
    ends_finish(&t);
}

/* Samples that find the event ring full are in the next one. */
static void samples_that_nobody_heard_are_in_the_next(void **state) {
    (void)state;
    ends t;
    ox_event event;
    ends_begin(&t);
    limit(&t.a, (ox_path_limits){.rate = 10000000, .quantum = 60000}, t.now);
    uint64_t acked = 0;
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 5; i++) send_one(&t.a, 1000, i, t.now);
        carry(&t.a, &t.b, t.now);
        forget_packets(&t.b);
        t.now += 200 * MS;
        if (round < 2) // no room
            while (ox_tunnel_report(t.a.tunnel, &(ox_event){.kind = OX_EVENT_DEVICE_LOST})) {}
        (void)ox_tunnel_advance(t.b.tunnel, t.now);
        carry(&t.b, &t.a, t.now);
        while (take_event(&t.a, &event))
            if (event.kind == OX_EVENT_PATH_SAMPLE) acked += event.sample.newly_acked;
    }
    assert_true(acked >= 15 * 1000);
    ends_finish(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pacer_sets_the_rate),
        cmocka_unit_test(the_window_holds_until_feedback_comes),
        cmocka_unit_test(samples_tell_a_backlog_from_too_little_to_send),
        cmocka_unit_test(urgent_packets_go_ahead_within_a_tenth),
        cmocka_unit_test(a_burst_larger_than_the_quantum_is_cut),
        cmocka_unit_test(halves_share_datagrams_under_pacing),
        cmocka_unit_test(packets_wait_for_company_where_they_are_told_to),
        cmocka_unit_test(a_peer_that_goes_takes_its_queue_along),
        cmocka_unit_test(the_queue_outlives_the_session),
        cmocka_unit_test(the_queue_ends_with_the_last_session),
        cmocka_unit_test(an_expired_session_is_not_due),
        cmocka_unit_test(a_path_to_another_place_begins_empty),
        cmocka_unit_test(samples_that_nobody_heard_are_in_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
