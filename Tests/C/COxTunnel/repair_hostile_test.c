/* A peer that has the keys and follows no rules: what it can make a session do is bounded. */
#include "ends.h"

#include "CSources/COxTunnel/repair.h"

enum { BATCH = 512 };

static ends t;
static packet p;
static datagram d, sent[BATCH];
static const ox_class_rule general[] = {{.class_ = OX_CLASS_GENERAL}};

static void begin(const ox_repair_order *order) {
    ends_begin_with(&t, (ends_options){.repair = true, .mtu = 1400});
    t.a.policy.rules = general;
    t.a.policy.rule_count = 1;
    ox_tunnel_set_policy(t.a.tunnel, &t.a.policy);
    ox_path_repair repair = {.watch = 1};
    if (order != NULL) repair.classes[OX_CLASS_GENERAL] = *order;
    ox_tunnel_set_repair(t.a.tunnel, 7, 0, &repair);
}

static void finish(void) {
    forget_packets(&t.a);
    forget_packets(&t.b);
    forget_datagrams(&t.a);
    forget_datagrams(&t.b);
    ends_finish(&t);
}

static ox_repair_report repairs(const end_of *e) {
    ox_peer_report report;
    ox_peer_status(e->peer, &report);
    return report.repairs[0];
}

static void a_datagram_brings_so_many_copies_and_no_more(void **state) {
    (void)state;
    enum { COPIES = 40 };
    begin(NULL);
    for (uint32_t i = 0; i < COPIES; i++) seal_plain(&t.a, "", 0, t.now, &d); // lost
    uint8_t plain[COPIES * 40];
    size_t len = 0;
    for (uint8_t i = 1; i <= COPIES; i++) {
        make_packet(&p, 4, 30, i, false, 0);
        memcpy(plain + len, (uint8_t[]){OX_FRAME_COPY, 32, i, 0}, 4);
        memcpy(plain + len + 4, p.bytes, 30);
        len += 34;
    }
    seal_plain(&t.a, plain, len, t.now, &d);
    give_datagram(&t.b, &d, t.now);
    assert_int_equal(OX_COPIES_MAX, repairs(&t.b).by_copy);
    assert_int_equal(OX_COPIES_MAX, forget_packets(&t.b));
    assert_int_equal(COPIES - OX_COPIES_MAX, drops(&t.b, OX_DROP_REPAIR_MALFORMED));
    finish();
}

/* Sums of what is stated must not wrap: the controller adds them up. */
static void more_than_was_sent_cannot_have_been_repaired(void **state) {
    (void)state;
    begin(NULL);
    uint8_t plain[64] = {OX_FRAME_REPAIRED, 41, 0};
    memset(plain + 3, 0xff, 40);
    for (uint32_t i = 0; i < 3; i++) {
        seal_plain(&t.b, "", 0, t.now, &d);
        seal_plain(&t.a, plain, 43, t.now, &d);
        give_datagram(&t.b, &d, t.now);
    }
    ox_repair_report r = repairs(&t.b);
    uint64_t most = t.b.session->next_number * (OX_COPIES_MAX + 1);
    assert_in_range(r.peer_by_copy, 1, most);
    assert_in_range(r.peer_by_window, 1, most);
    assert_in_range(r.peer_by_resend, 1, most);
    assert_in_range(r.peer_late, 1, most);
    assert_in_range(r.peer_given_up, 1, most);
    finish();
}

/* What a lost datagram said of the session is old. */
static void frames_of_control_are_not_recovered(void **state) {
    (void)state;
    begin(NULL);
    forget_events(&t.b);
    seal_plain(&t.a, "", 0, t.now, &d); // lost
    static const uint8_t close[] = {OX_FRAME_COPY, 5, 1, 0, OX_FRAME_CLOSE, 1, 0};
    seal_plain(&t.a, close, sizeof close, t.now, &d);
    give_datagram(&t.b, &d, t.now);
    assert_int_equal(1, repairs(&t.b).by_copy);
    ox_event event;
    assert_false(find_event(&t.b, OX_EVENT_CLOSED, &event));
    assert_false(t.b.session->closed);
    finish();
}

/* A recovered packet from an address that is not the peer's goes nowhere. */
static void what_is_recovered_may_come_from_the_peer_alone(void **state) {
    (void)state;
    begin(NULL);
    seal_plain(&t.a, "", 0, t.now, &d); // lost
    make_packet(&p, 4, 40, 1, true, 0);
    uint8_t plain[44] = {OX_FRAME_COPY, 42, 1, 0};
    memcpy(plain + 4, p.bytes, 40);
    seal_plain(&t.a, plain, sizeof plain, t.now, &d);
    give_datagram(&t.b, &d, t.now);
    assert_int_equal(1, drops(&t.b, OX_DROP_SOURCE_NOT_ALLOWED));
    assert_int_equal(0, forget_packets(&t.b));
    finish();
}

/* Feedback that is asked for soon comes no more often than any other. */
static void gaps_do_not_make_feedback_ride_on_everything(void **state) {
    (void)state;
    begin(NULL);
    static const uint8_t soon[] = {OX_FRAME_REPAIRED, 6, 1, 0, 0, 0, 0, 0};
    uint64_t told_ns = t.b.session->feedback_sent_ns, told = 0;
    for (uint32_t i = 0; i < 50; i++) {
        t.now += MS / 10;
        seal_plain(&t.a, "", 0, t.now, &d); // lost
        make_packet(&p, 4, 40, i, false, 0);
        uint8_t plain[sizeof soon + 40];
        memcpy(plain, soon, sizeof soon);
        memcpy(plain + sizeof soon, p.bytes, 40);
        seal_plain(&t.a, plain, sizeof plain, t.now, &d);
        give_datagram(&t.b, &d, t.now);
        make_packet(&p, 4, 40, i, true, 0);
        send_packet(&t.b, &p, t.now);
        ox_tunnel_advance(t.b.tunnel, t.now);
        told += t.b.session->feedback_sent_ns != told_ns;
        told_ns = t.b.session->feedback_sent_ns;
        forget_datagrams(&t.b);
    }
    assert_in_range(told, 1, 2);
    finish();
}

/* ---- what we send ------------------------------------------------------------------------------------------- */

static void send_burst(uint32_t count, size_t len) {
    for (uint32_t i = 0; i < count; i++) {
        make_packet(&p, 4, len, i, false, 0);
        send_packet(&t.a, &p, t.now);
    }
}

/* Symbols that leave in one moment say nothing of the time between them. */
static void what_repairs_a_burst_is_no_burst(void **state) {
    (void)state;
    begin(&(ox_repair_order){.permille = 1000, .window = 32, .interleave = 1, .deadline_ns = 100 * MS});
    for (uint32_t round = 0; round < 4; round++) {
        send_burst(40, 1000);
        uint64_t before = repairs(&t.a).windows;
        ox_tunnel_advance(t.a.tunnel, t.now);
        assert_true(repairs(&t.a).windows - before <= 2);
        for (uint32_t us = 0; us < 40000; us += 50) {
            t.now += 50000;
            before = repairs(&t.a).windows;
            ox_tunnel_advance(t.a.tunnel, t.now);
            assert_true(repairs(&t.a).windows - before <= 1);
            forget_datagrams(&t.a);
        }
        assert_true(repairs(&t.a).windows >= 30 * (round + 1));
    }
    finish();
}

/* What a full path held back for too long repairs nothing any more. */
static void what_repairs_too_late_does_not_leave(void **state) {
    (void)state;
    begin(&(ox_repair_order){.permille = 1000, .window = 32, .interleave = 1, .deadline_ns = 20 * MS});
    send_burst(20, 1000);
    const ox_path_limits full = {.window = 1};
    ox_tunnel_set_limits(t.a.tunnel, 7, 0, &full, t.now);
    for (uint32_t ms = 0; ms < 50; ms++) ox_tunnel_advance(t.a.tunnel, t.now += MS);
    uint64_t before = repairs(&t.a).windows;
    ox_tunnel_set_limits(t.a.tunnel, 7, 0, &(ox_path_limits){0}, t.now);
    for (uint32_t ms = 0; ms < 50; ms++) ox_tunnel_advance(t.a.tunnel, t.now += MS);
    assert_int_equal(before, repairs(&t.a).windows);
    finish();
}

/* With nothing else to send, a rate measured by what repairs says nothing of the path. */
static void what_repairs_an_idle_path_is_marked_so(void **state) {
    (void)state;
    begin(&(ox_repair_order){.permille = 150, .window = 16, .interleave = 1, .deadline_ns = 800 * MS});
    const ox_path_limits limits = {.rate = 100000, .quantum = 2000};
    ox_tunnel_set_limits(t.a.tunnel, 7, 0, &limits, t.now);
    ox_path *path = &t.a.peer->paths[0];
    send_burst(20, 1000);
    uint64_t windows = 0, idle = 0;
    for (uint32_t ms = 0; ms < 400; ms++) {
        t.now += MS;
        ox_tunnel_advance(t.a.tunnel, t.now);
        bool repaired = repairs(&t.a).windows > windows;
        windows = repairs(&t.a).windows;
        if (repaired && ox_queue_waiting(path->queue, (1 << OX_CLASSES) - 1) == 0) {
            idle++;
            assert_true(path->flight.app_limited != 0);
        }
        uint32_t count = take_datagrams(&t.a, sent, BATCH, false);
        for (uint32_t i = 0; i < count; i++) give_datagram(&t.b, &sent[i], t.now);
        forget_packets(&t.b);
        if (ox_queue_waiting(path->queue, (1 << OX_CLASSES) - 1) == 0) continue; // the last feedback comes later
        ox_tunnel_advance(t.b.tunnel, t.now);
        carry(&t.b, &t.a, t.now);
    }
    assert_true(windows >= 3 && idle >= 1);
    finish();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_brings_so_many_copies_and_no_more),
        cmocka_unit_test(more_than_was_sent_cannot_have_been_repaired),
        cmocka_unit_test(frames_of_control_are_not_recovered),
        cmocka_unit_test(what_is_recovered_may_come_from_the_peer_alone),
        cmocka_unit_test(gaps_do_not_make_feedback_ride_on_everything),
        cmocka_unit_test(what_repairs_too_late_does_not_leave),
        cmocka_unit_test(what_repairs_a_burst_is_no_burst),
        cmocka_unit_test(what_repairs_an_idle_path_is_marked_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
