/* Datagrams are lost between two tunnels, and what is in them comes all the same: once, whole, and not said to have arrived. */
#include <sanitizer/allocator_interface.h>

#include "trains.h"

enum { PACKETS = 600, BATCH = 256 };

static packet p, out[BATCH];
static datagram sent[BATCH];
static const ox_class_rule rules[] = {{.class_ = OX_CLASS_GENERAL}, {.class_ = OX_CLASS_GAMING}};

/* Packets sent by number, and which of them have come. */
typedef struct world {
    ends t;
    uint32_t sent, come;
    uint32_t lost, number; /* datagrams from a to b: lost, and all */
    bool seen[PACKETS];
    uint32_t seed;
    bool (*loses)(struct world *w);
} world;

static void begin(world *w, ends_options o, const ox_repair_order *order, bool game) {
    memset(w, 0, sizeof *w);
    o.repair = true;
    if (o.mtu == 0) o.mtu = 1400;
    ends_begin_with(&w->t, o);
    w->seed = 7;
    w->t.a.policy.rules = &rules[game];
    w->t.a.policy.rule_count = 1;
    ox_tunnel_set_policy(w->t.a.tunnel, &w->t.a.policy);
    ox_path_repair repair = {.watch = 1};
    if (order != NULL) repair.classes[game ? OX_CLASS_GAMING : OX_CLASS_GENERAL] = *order;
    ox_tunnel_set_repair(w->t.a.tunnel, 7, 0, &repair);
}

static ox_repair_report repairs(const end_of *e) {
    ox_peer_report report;
    ox_peer_status(e->peer, &report);
    return report.repairs[0];
}

static uint32_t random_of(world *w) { return (w->seed = w->seed * 1664525 + 1013904223) >> 8; }
static bool one_in_twelve(world *w) { return random_of(w) % 12 == 0; }
static bool none(world *w) { return (void)w, false; }

static void take_all(world *w) {
    uint32_t count = take_packets(&w->t.b, out, BATCH);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = ox_load_be32(out[i].bytes + 28);
        assert_true(id < w->sent && !w->seen[id]);
        packet expected;
        make_packet(&expected, 4, out[i].len, id, false, 0);
        ox_store_be32(expected.bytes + 28, id);
        sum_packet(&expected);
        assert_packet(&expected, &out[i]);
        w->seen[id] = true;
        w->come++;
    }
}

/* All that is due, over a path of 5 ms each way that takes no time for b to a: feedback is not lost. */
static void step(world *w, uint64_t ms) {
    for (uint64_t i = 0; i < ms; i++) {
        w->t.now += MS;
        ox_tunnel_advance(w->t.a.tunnel, w->t.now);
        uint32_t count = take_datagrams(&w->t.a, sent, BATCH, false);
        for (uint32_t d = 0; d < count; d++) {
            w->number++;
            bool lost = w->loses != NULL && w->loses(w);
            w->lost += lost;
            if (!lost) give_datagram(&w->t.b, &sent[d], w->t.now);
        }
        ox_tunnel_advance(w->t.b.tunnel, w->t.now);
        take_all(w);
        carry(&w->t.b, &w->t.a, w->t.now);
        forget_events(&w->t.a);
        forget_events(&w->t.b);
    }
}

static void send_one(world *w, size_t len) {
    make_packet(&p, 4, len, w->sent, false, 0);
    ox_store_be32(p.bytes + 28, w->sent++);
    sum_packet(&p);
    send_packet(&w->t.a, &p, w->t.now);
}

static void finish(world *w) {
    forget_packets(&w->t.b);
    forget_datagrams(&w->t.a);
    forget_datagrams(&w->t.b);
    ends_finish(&w->t);
}

/* ---- the three tools ---------------------------------------------------------------------------------------- */

static void copies_bring_back_a_game(void **state) {
    (void)state;
    static world w;
    begin(&w, (ends_options){0}, &(ox_repair_order){.copies = 2, .offsets = {1, 3}, .deadline_ns = 100 * MS}, true);
    w.loses = one_in_twelve;
    for (uint32_t i = 0; i < PACKETS; i++) {
        send_one(&w, 92);
        step(&w, 16);
    }
    assert_true(w.lost > 30 && w.come >= PACKETS - 3);
    ox_repair_report a = repairs(&w.t.a), b = repairs(&w.t.b);
    assert_true(b.by_copy >= w.lost - 3 && b.by_window == 0 && b.by_resend == 0);
    assert_in_range(a.copies, 2 * PACKETS - 4, 2 * PACKETS);
    // A difference: 28 bytes of headers take 10 at most. And the other side says what it recovered.
    assert_true(a.copy_bytes <= a.copies * (5 + 4 + 6 + 64));
    assert_in_range(a.peer_by_copy, b.by_copy - 8, b.by_copy);
    // What was recovered did not arrive, and the sender knows that.
    w.loses = none;
    step(&w, 600);
    assert_int_equal(w.lost, path_stats(&w.t.a).lost);
    finish(&w);
}

static void windows_bring_back_a_fast_flow(void **state) {
    (void)state;
    static world w;
    begin(&w, (ends_options){0}, &(ox_repair_order){.permille = 500, .window = 40, .interleave = 1, .deadline_ns = 50 * MS}, false);
    for (uint32_t i = 0; i < PACKETS; i++) {
        if (i == 8) w.loses = one_in_twelve;
        send_one(&w, 200 + i % 900);
        step(&w, 1);
    }
    w.loses = none;
    step(&w, 400);
    assert_true(w.lost > 50);
    assert_int_equal(PACKETS, w.come);
    ox_repair_report a = repairs(&w.t.a);
    assert_in_range(a.windows, PACKETS / 2 - 2, PACKETS / 2 + 2);
    assert_true(a.window_bytes > 0 && repairs(&w.t.b).by_window > 30 && a.peer_given_up == 0);
    assert_int_equal(w.lost, path_stats(&w.t.a).lost);
    finish(&w);
}

static void the_end_of_a_run_is_covered_too(void **state) {
    (void)state;
    static world w;
    begin(&w, (ends_options){0}, &(ox_repair_order){.permille = 400, .window = 16, .interleave = 1, .deadline_ns = 50 * MS}, false);
    for (uint32_t i = 0; i < 20; i++) {
        send_one(&w, 500);
        step(&w, 1);
    }
    step(&w, 30);
    w.loses = one_in_twelve; // sends nothing more: what is owed was sent
    uint64_t windows = repairs(&w.t.a).windows;
    step(&w, 100);
    assert_int_equal(windows, repairs(&w.t.a).windows);
    assert_true(windows >= 8);
    finish(&w);
}

static bool the_tenth(world *w) { return w->number == 10; }

static void what_is_lost_is_sent_again(void **state) {
    (void)state;
    static world w;
    begin(&w, (ends_options){0}, &(ox_repair_order){.resend = 1, .deadline_ns = 150 * MS}, true);
    w.loses = the_tenth;
    for (uint32_t i = 0; i < 30; i++) {
        send_one(&w, 92);
        step(&w, 16);
        // It takes the packet behind it, the feedback that is asked for, and no more.
        if (i == 13) assert_int_equal(i + 1, w.come);
    }
    assert_int_equal(30, w.come);
    assert_int_equal(1, repairs(&w.t.a).resent);
    assert_int_equal(1, repairs(&w.t.b).by_resend);
    finish(&w);
}

static void what_would_come_too_late_is_not_sent_again(void **state) {
    (void)state;
    static world w;
    begin(&w, (ends_options){0}, &(ox_repair_order){.resend = 1, .deadline_ns = 5 * MS}, true);
    w.loses = the_tenth;
    for (uint32_t i = 0; i < 30; i++) {
        send_one(&w, 92);
        step(&w, 16);
    }
    assert_int_equal(29, w.come);
    assert_int_equal(0, repairs(&w.t.a).resent);
    finish(&w);
}

/* ---- trains ------------------------------------------------------------------------------------------------- */

static void cars_are_recovered_into_their_trains(void **state) {
    (void)state;
    static shipment s;
    for (uint32_t lose = 0; lose < 9; lose++) {
        static world w;
        begin(&w, (ends_options){0}, &(ox_repair_order){.permille = 600, .window = 40, .interleave = 1, .deadline_ns = 50 * MS}, false);
        for (uint32_t i = 0; i < 4; i++) { // so that the other side keeps what comes
            send_one(&w, 100);
            step(&w, 2);
        }
        step(&w, 30);
        tcp_super(&s, 4, 11000, 1000);
        send_super(&w.t.a, &s, w.t.now);
        uint32_t count = take_cars(&w.t.a, sent, BATCH);
        assert_in_range(count, 8, 14);
        for (uint32_t i = 0; i < count; i++)
            if (i != lose && i != lose + 2) give_datagram(&w.t.b, &sent[i], w.t.now);
        for (uint32_t ms = 0; ms < 40; ms++) {
            w.t.now += MS;
            ox_tunnel_advance(w.t.a.tunnel, w.t.now);
            carry(&w.t.a, &w.t.b, w.t.now);
            ox_tunnel_advance(w.t.b.tunnel, w.t.now);
            collect(&w.t.b, &s);
        }
        expect_all(&s); // and each byte once
        uint32_t missing = (lose < count) + (lose + 2 < count);
        assert_int_equal(missing, repairs(&w.t.b).by_window);
        assert_int_equal(0, drops(&w.t.b, OX_DROP_TRAIN_MALFORMED) + drops(&w.t.b, OX_DROP_TRAIN_UNFINISHED));
        finish(&w);
    }
}

/* ---- what comes late, twice, or wrong ----------------------------------------------------------------------- */

static void an_original_that_comes_late_is_a_duplicate_and_has_arrived(void **state) {
    (void)state;
    static world w;
    begin(&w, (ends_options){0}, &(ox_repair_order){.copies = 1, .offsets = {1}, .deadline_ns = 100 * MS}, true);
    send_one(&w, 92);
    step(&w, 1);
    send_one(&w, 92);
    assert_int_equal(1, take_datagrams(&w.t.a, sent, 1, false));
    datagram late = sent[0];
    w.t.now += 16 * MS;
    send_one(&w, 92);
    step(&w, 1);
    assert_int_equal(3, w.come);
    assert_false(ox_replay_check(&w.t.b.session->replay, 1) == OX_PASS);
    assert_true(ox_replay_recovered(&w.t.b.session->replay, 1));
    // One that is not authentic says nothing.
    datagram forged = late;
    forged.bytes[forged.len - 1] ^= 1;
    give_datagram(&w.t.b, &forged, w.t.now);
    assert_int_equal(1, drops(&w.t.b, OX_DROP_UNAUTHENTICATED));
    assert_true(ox_replay_recovered(&w.t.b.session->replay, 1));
    give_datagram(&w.t.b, &late, w.t.now);
    give_datagram(&w.t.b, &late, w.t.now);
    assert_int_equal(2, drops(&w.t.b, OX_DROP_REPLAYED));
    assert_false(ox_replay_recovered(&w.t.b.session->replay, 1));
    step(&w, 300);
    assert_int_equal(3, w.come);
    assert_int_equal(0, path_stats(&w.t.a).lost);
    assert_int_equal(3, path_stats(&w.t.a).acknowledged);
    finish(&w);
}

/* Frames that a peer should not send: each is counted, and the tunnel goes on. */
static void malformed_frames_are_counted(void **state) {
    (void)state;
    static world w;
    begin(&w, (ends_options){0}, NULL, true);
    for (uint32_t i = 0; i < 5; i++) send_one(&w, 92);
    step(&w, 1);
    static const struct {
        uint8_t type, len, body[16];
    } wrong[] = {
        {OX_FRAME_COPY, 0, {0}},
        {OX_FRAME_COPY, 3, {0, 0, 0x45}},            // distance 0
        {OX_FRAME_COPY, 4, {0x7f, 0xff, 0, 0x45}},   // above its own number
        {OX_FRAME_COPY, 2, {1, 0}},                  // no content
        {OX_FRAME_COPY, 3, {1, 0x08, 0x45}},         // an unknown flag
        {OX_FRAME_COPY, 4, {1, 0x02, 0x45, 1}},      // no such place in a train
        {OX_FRAME_COPY, 4, {1, 0x03, 0x05, 1}},      // a car is no difference
        {OX_FRAME_REPAIR, 5, {3, 0, 1, 1, 0}},       // parity too short
        {OX_FRAME_REPAIR, 7, {3, 0, 1, 2, 0, 0, 0}}, // the first one is not covered
        {OX_FRAME_REPAIR, 7, {3, 0, 0, 1, 0, 0, 0}}, // an empty map
        {OX_FRAME_REPAIR, 7, {3, 0, 1, 9, 0, 0, 0}}, // covers itself
        {OX_FRAME_REPAIR, 7, {3, 0, 25, 1, 0, 0, 0}}, // a map longer than there can be
        {OX_FRAME_REPAIRED, 3, {1, 2, 3}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t frame[32] = {wrong[i].type, wrong[i].len};
        memcpy(frame + 2, wrong[i].body, wrong[i].len);
        datagram d;
        seal_plain(&w.t.a, frame, 2u + wrong[i].len, w.t.now, &d);
        give_datagram(&w.t.b, &d, w.t.now);
        assert_int_equal(i + 1, drops(&w.t.b, OX_DROP_REPAIR_MALFORMED));
    }
    // A second REPAIR, a second REPAIRED, a difference from nothing.
    static const uint8_t twice[] = {OX_FRAME_REPAIR, 7, 3, 0, 1, 1, 0, 0, 0, OX_FRAME_REPAIR, 7, 3, 0, 1, 1, 0, 0, 0};
    static const uint8_t told[] = {OX_FRAME_REPAIRED, 6, 0, 0, 0, 0, 0, 0, OX_FRAME_REPAIRED, 6, 0, 0, 0, 0, 0, 0};
    datagram d, gap;
    uint64_t before = drops(&w.t.b, OX_DROP_REPAIR_MALFORMED);
    seal_plain(&w.t.a, twice, sizeof twice, w.t.now, &d);
    give_datagram(&w.t.b, &d, w.t.now);
    seal_plain(&w.t.a, told, sizeof told, w.t.now, &d);
    give_datagram(&w.t.b, &d, w.t.now);
    seal_plain(&w.t.a, "", 0, w.t.now, &gap);
    seal_plain(&w.t.a, (uint8_t[]){OX_FRAME_COPY, 4, 1, 1, 0x45, 0x46}, 6, w.t.now, &d);
    give_datagram(&w.t.b, &d, w.t.now);
    assert_int_equal(before + 3, drops(&w.t.b, OX_DROP_REPAIR_MALFORMED));
    step(&w, 1);
    send_one(&w, 92);
    step(&w, 1);
    assert_int_equal(6, w.come);
    finish(&w);
}

/* Every cut of datagrams with copies and combinations in them, and every byte of them changed, sealed as if they were right. */
static void cut_and_changed_frames_do_no_harm(void **state) {
    (void)state;
    static world w;
    begin(&w, (ends_options){0}, NULL, true);
    static uint8_t plain[400];
    for (uint32_t kind = 0; kind < 3; kind++)
        for (uint32_t at = 0; at < 200; at += 3) {
            for (uint32_t i = 0; i < sizeof plain; i++) plain[i] = (uint8_t)random_of(&w);
            const uint8_t heads[3][6] = {{OX_FRAME_COPY, 0x40, 180, 2, 0}, {OX_FRAME_COPY, 0x40, 180, 2, 1},
                                         {OX_FRAME_REPAIR, 0x40, 180, 0x42, 7, 16}};
            memcpy(plain, heads[kind], 6);
            make_packet(&p, 4, 92, at, false, 0);
            memcpy(plain + 183, p.bytes, 92);
            if (kind == 2) plain[7] |= 1;
            plain[random_of(&w) % 275] ^= (uint8_t)random_of(&w);
            datagram d;
            seal_plain(&w.t.a, plain, at % 2 == 0 ? 275 : 1 + at, w.t.now, &d);
            if (at % 5 != 0) give_datagram(&w.t.b, &d, w.t.now);
            forget_packets(&w.t.b);
        }
    step(&w, 1);
    uint32_t come = w.come;
    send_one(&w, 92);
    w.seen[0] = false;
    step(&w, 1);
    assert_int_equal(come + 1, w.come);
    finish(&w);
}

static void repairs_of_what_is_too_old_are_late(void **state) {
    (void)state;
    static world w;
    begin(&w, (ends_options){.window = 128}, NULL, true);
    datagram d;
    for (uint32_t i = 0; i < 400; i++) {
        seal_plain(&w.t.a, "", 0, w.t.now, &d);
        if (i > 300) give_datagram(&w.t.b, &d, w.t.now);
    }
    seal_plain(&w.t.a, (uint8_t[]){OX_FRAME_COPY, 5, 0x41, 0x50, 0, 0x45, 0}, 7, w.t.now, &d);
    give_datagram(&w.t.b, &d, w.t.now);
    seal_plain(&w.t.a, (uint8_t[]){OX_FRAME_REPAIR, 9, 0x41, 0x90, 1, 1, 1, 9, 0, 0, 0}, 11, w.t.now, &d);
    give_datagram(&w.t.b, &d, w.t.now);
    assert_int_equal(2, drops(&w.t.b, OX_DROP_REPAIR_LATE));
    assert_int_equal(2, repairs(&w.t.b).late);
    finish(&w);
}

/* ---- what it costs ------------------------------------------------------------------------------------------ */

static uint64_t bytes_of_a_game(bool agreed, const ox_repair_order *order) {
    static world w;
    begin(&w, (ends_options){0}, order, true);
    if (!agreed) {
        ox_session_repair_destroy(w.t.a.session->repair);
        w.t.a.session->repair = NULL;
    }
    for (uint32_t i = 0; i < 100; i++) {
        send_one(&w, 92);
        step(&w, 16);
    }
    assert_int_equal(100, w.come);
    uint64_t bytes = path_stats(&w.t.a).sent_bytes;
    finish(&w);
    return bytes;
}

static void without_orders_or_agreement_it_costs_no_byte(void **state) {
    (void)state;
    const ox_repair_order copies = {.copies = 2, .offsets = {1, 2}, .deadline_ns = 100 * MS};
    uint64_t plain = bytes_of_a_game(false, NULL);
    assert_int_equal(plain, bytes_of_a_game(true, NULL));
    assert_int_equal(plain, bytes_of_a_game(false, &copies));
    uint64_t repaired = bytes_of_a_game(true, &copies), outside = 100 * 28;
    assert_true(repaired > plain && repaired + outside <= (plain + outside) * 220 / 100);
}

/* Full datagrams, whatever the order: what repairs them fits into one too, and none is longer than the path carries. */
static void what_repairs_full_datagrams_fits(void **state) {
    (void)state;
    static world w;
    begin(&w, (ends_options){.mtu = 1250}, &(ox_repair_order){.permille = 1000, .window = 64, .interleave = 1, .resend = 1, .deadline_ns = 100 * MS}, false);
    for (uint32_t i = 0; i < PACKETS; i++) {
        if (i == 8) w.loses = one_in_twelve;
        send_one(&w, 1150 + i % 351);
        step(&w, 1);
    }
    w.loses = none;
    step(&w, 300);
    assert_int_equal(PACKETS, w.come);
    finish(&w);
}

/* REPAIR datagrams are paced like any other, and wait for their turn. */
static void what_repairs_is_paced(void **state) {
    (void)state;
    static world w;
    begin(&w, (ends_options){0}, &(ox_repair_order){.permille = 1000, .window = 8, .interleave = 1, .deadline_ns = 800 * MS}, false);
    const ox_path_limits limits = {.rate = 100000, .quantum = 2000};
    ox_tunnel_set_limits(w.t.a.tunnel, 7, 0, &limits, w.t.now);
    for (uint32_t i = 0; i < 10; i++) send_one(&w, 1000);
    uint64_t before = path_stats(&w.t.a).sent_bytes;
    for (uint64_t ms = 1; ms < 300; ms++) {
        step(&w, 1);
        assert_true(path_stats(&w.t.a).sent_bytes - before <= limits.quantum + 1400 + ms * limits.rate / 1000);
    }
    assert_int_equal(10, w.come);
    assert_in_range(repairs(&w.t.a).windows, 9, 11);
    finish(&w);
}

static uint64_t allocations;
static bool watching;
static void on_malloc(const volatile void *memory, size_t bytes) { (void)memory, (void)bytes, allocations += watching; }
static void on_free(const volatile void *memory) { (void)memory, allocations += watching; }

static void nothing_is_allocated(void **state) {
    (void)state;
    static world w;
    begin(&w, (ends_options){0}, &(ox_repair_order){.permille = 500, .window = 64, .interleave = 2, .resend = 1, .deadline_ns = 200 * MS}, false);
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
    w.loses = one_in_twelve;
    watching = true;
    for (uint32_t i = 0; i < PACKETS; i++) {
        send_one(&w, 200 + i % 900);
        step(&w, 1);
    }
    watching = false;
    assert_int_equal(0, allocations);
    assert_true(repairs(&w.t.b).by_window > 10 && repairs(&w.t.a).resent > 10);
    finish(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_bring_back_a_game),
        cmocka_unit_test(windows_bring_back_a_fast_flow),
        cmocka_unit_test(the_end_of_a_run_is_covered_too),
        cmocka_unit_test(what_is_lost_is_sent_again),
        cmocka_unit_test(what_would_come_too_late_is_not_sent_again),
        cmocka_unit_test(cars_are_recovered_into_their_trains),
        cmocka_unit_test(an_original_that_comes_late_is_a_duplicate_and_has_arrived),
        cmocka_unit_test(malformed_frames_are_counted),
        cmocka_unit_test(cut_and_changed_frames_do_no_harm),
        cmocka_unit_test(repairs_of_what_is_too_old_are_late),
        cmocka_unit_test(without_orders_or_agreement_it_costs_no_byte),
        cmocka_unit_test(what_repairs_full_datagrams_fits),
        cmocka_unit_test(what_repairs_is_paced),
        cmocka_unit_test(nothing_is_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
