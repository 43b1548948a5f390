/* Cars are lost, late, doubled and out of order: what comes is handed on, what does not is all that is missing. */
#include "trains.h"

static shipment s, other;
static packet in;
static datagram cars[CARS_MAX], others[CARS_MAX];

/* Kinds 0 to 3: TCP and UDP over each version, of about a dozen cars. Kind 2 leaves the last no room for a copy. */
static uint32_t depart(ends *t, uint32_t kind) {
    uint32_t fills = room_of(&t->a) - OX_TRAIN_META_BYTES - 28;
    if (kind == 0) tcp_super(&s, 4, 12000, 1448);
    if (kind == 1) tcp_super(&s, 6, 12345, 700);
    if (kind == 2) udp_super(&s, 4, 12 * fills, fills);
    if (kind == 3) udp_super(&s, 6, 120 * 100 + 44, 100);
    send_super(&t->a, &s, t->now);
    return take_cars(&t->a, cars, CARS_MAX);
}

static void give_all_but(ends *t, uint64_t lost, uint32_t count, uint32_t group) {
    uint32_t which[CARS_MAX], n = 0;
    for (uint32_t i = 0; i < count; i++)
        if ((lost >> i & 1) == 0) which[n++] = i;
    give_some(&t->b, cars, which, n, group, false, t->now);
}

static void expect_without(ends *t, uint64_t lost, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t from, until;
        span_of(&t->b, &s, cars, count, i, &from, &until);
        expect_seen(&s, from, until, (lost >> i & 1) == 0);
    }
}

static void every_car_that_is_lost_takes_its_own_bytes_alone(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < 4; kind++) {
        for (uint32_t group = 1; group <= 64; group += 63) {
            ends t;
            ends_begin(&t);
            uint32_t count = 1;
            for (uint32_t lost = 0; lost < count; lost++) {
                count = depart(&t, kind);
                assert_true(count > 8);
                give_all_but(&t, (uint64_t)1 << lost, count, group);
                // What is in order comes at once, what lies behind the hole in due time.
                assert_int_equal(lost > 0, collect(&t.b, &s));
                uint32_t from, until;
                span_of(&t.b, &s, cars, count, lost, &from, &until);
                expect_seen(&s, 0, from, true);
                uint64_t next = ox_tunnel_advance(t.b.tunnel, t.now + t.b.policy.train_wait_ns - 1);
                assert_int_equal(0, collect(&t.b, &s));
                bool readable = lost > 0 || kind != 2;
                bool waits = lost + 1 < count && readable;
                if (waits) assert_true(next <= t.now + t.b.policy.train_wait_ns);
                t.now += t.b.policy.train_wait_ns;
                (void)ox_tunnel_advance(t.b.tunnel, t.now);
                assert_int_equal(waits, collect(&t.b, &s));
                if (readable) expect_without(&t, (uint64_t)1 << lost, count);
                else expect_seen(&s, 0, s.is.payload, false);
                t.now += SECOND;
                (void)ox_tunnel_advance(t.b.tunnel, t.now);
                assert_int_equal(0, t.b.tunnel->trains_open);
                assert_int_equal(ENDS_LARGE, ox_pool_free(t.b.pool, OX_BUF_LARGE));
                forget_events(&t.b);
            }
            assert_int_equal(kind == 2 ? count - 1 : 0, drops(&t.b, OX_DROP_TRAIN_UNFINISHED));
            assert_int_equal(kind == 2 ? count - 1 : 0, all_drops(&t.b));
            forget_datagrams(&t.b);
            ends_finish(&t);
        }
    }
}

static void without_first_and_last_nothing_says_what_it_was(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < 4; kind++) {
        ends t;
        ends_begin(&t);
        uint32_t count = depart(&t, kind);
        give_all_but(&t, 1 | (uint64_t)1 << (count - 1), count, 64);
        t.now += SECOND;
        (void)ox_tunnel_advance(t.b.tunnel, t.now);
        assert_int_equal(0, collect(&t.b, &s));
        assert_int_equal(count - 2, drops(&t.b, OX_DROP_TRAIN_UNFINISHED));
        assert_int_equal(count - 2, all_drops(&t.b));
        ends_finish(&t);
    }
}

static uint64_t seed = 1;

static uint32_t draw(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static void several_are_lost_and_the_rest_comes_in_any_order(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    for (uint32_t round = 0; round < 400; round++) {
        uint32_t kind = round % 4, count = depart(&t, kind), which[CARS_MAX], n = 0;
        uint64_t lost = 0;
        for (uint32_t i = 0; i < count; i++)
            if (round % 8 >= 4 && draw(3) == 0) lost |= (uint64_t)1 << i;
            else which[n++] = i;
        for (uint32_t i = n; i > 1; i--) {
            uint32_t at = draw(i), keep = which[at];
            which[at] = which[i - 1];
            which[i - 1] = keep;
        }
        uint64_t unfinished = drops(&t.b, OX_DROP_TRAIN_UNFINISHED);
        for (uint32_t i = 0, some; i < n; i += some) {
            some = 1 + draw(round % 3 == 0 ? 1 : n - i);
            give_some(&t.b, cars, which + i, some, draw(2) ? 64 : 1, draw(2), t.now);
        }
        (void)collect(&t.b, &s);
        t.now += 200 * MS;
        (void)ox_tunnel_advance(t.b.tunnel, t.now);
        (void)collect(&t.b, &s);
        // A last car that has no copy, and came before all others, has no place.
        bool headed = (lost & 1) == 0 || (kind != 2 && (lost >> (count - 1) & 1) == 0);
        bool placeless = drops(&t.b, OX_DROP_TRAIN_UNFINISHED) - unfinished == 1 && which[0] == count - 1 && kind == 2;
        if (headed) expect_without(&t, lost | (placeless ? (uint64_t)1 << (count - 1) : 0), count);
        else expect_seen(&s, 0, s.is.payload, false);
        forget_events(&t.b);
        forget_datagrams(&t.b);
        if (round % 16 == 0) forget_events(&t.a), carry(&t.b, &t.a, t.now);
    }
    assert_int_equal(drops(&t.b, OX_DROP_TRAIN_UNFINISHED), all_drops(&t.b));
    ends_finish(&t);
}

static void reordering_inside_the_wait_leaves_one_super_packet(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    for (uint32_t kind = 0; kind < 4; kind++) {
        uint32_t count = depart(&t, kind), which[CARS_MAX] = {0};
        for (uint32_t i = 0; i < count; i++) which[i] = count - 1 - i;
        if (kind == 2) which[0] = count - 2, which[1] = count - 1;
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(0, collect(&t.b, &s));
            give_some(&t.b, cars, which + i, 1, 1, false, t.now);
        }
        assert_int_equal(1, collect(&t.b, &s));
        expect_all(&s);
        assert_int_equal(0, t.b.tunnel->trains_open);
    }
    assert_int_equal(0, all_drops(&t.b));
    ends_finish(&t);
}

static void doubles_are_replays(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    uint32_t count = depart(&t, 0), which[2 * CARS_MAX];
    for (uint32_t i = 0; i < count; i++) which[2 * i] = which[2 * i + 1] = i;
    give_some(&t.b, cars, which, 2 * count, 64, false, t.now);
    give_range(&t.b, cars, 0, count, 64, t.now);
    (void)collect(&t.b, &s);
    expect_all(&s);
    assert_int_equal(2 * count, drops(&t.b, OX_DROP_REPLAYED));
    assert_int_equal(2 * count, all_drops(&t.b));
    ends_finish(&t);
}

static void what_is_late_comes_at_once_and_delays_nothing(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    uint32_t count = depart(&t, 0);
    give_range(&t.b, cars, 3, 6, 1, t.now);
    give_range(&t.b, cars, count - 1, count, 1, t.now); // its copy says what the train is
    assert_int_equal(0, collect(&t.b, &s));
    t.now += t.b.policy.train_wait_ns;
    (void)ox_tunnel_advance(t.b.tunnel, t.now);
    assert_int_equal(2, collect(&t.b, &s)); // 3 to 5, and the last
    give_range(&t.b, cars, 2, 3, 1, t.now);
    assert_int_equal(1, collect(&t.b, &s)); // although 0 and 1 are missing too
    give_range(&t.b, cars, 6, count - 1, 1, t.now);
    assert_int_equal(count - 7, collect(&t.b, &s) + (count - 8));
    give_range(&t.b, cars, 0, 2, 64, t.now + 90 * MS);
    assert_int_equal(1, collect(&t.b, &s));
    expect_all(&s);
    assert_int_equal(0, t.b.tunnel->trains_open);

    // A hole that was passed holds up no car behind it.
    count = depart(&t, 1);
    give_range(&t.b, cars, 0, 2, 64, t.now);
    give_range(&t.b, cars, 3, 5, 64, t.now);
    t.now += t.b.policy.train_wait_ns;
    (void)ox_tunnel_advance(t.b.tunnel, t.now);
    assert_int_equal(2, collect(&t.b, &s));
    give_range(&t.b, cars, 5, 7, 64, t.now);
    assert_int_equal(1, collect(&t.b, &s));
    give_range(&t.b, cars, 8, 9, 64, t.now); // but a new one does
    assert_int_equal(0, collect(&t.b, &s));
    give_range(&t.b, cars, 7, 8, 64, t.now);
    assert_int_equal(1, collect(&t.b, &s));
    assert_int_equal(0, all_drops(&t.b));
    ends_finish(&t);
}

static uint32_t depart_other(ends *t) {
    spec is = tcp_spec(6);
    is.payload = 9000;
    make_super(&other, is, 1000);
    send_super(&t->a, &other, t->now);
    return take_cars(&t->a, others, CARS_MAX);
}

/* Takes what comes out, of the one train or of the other. */
static uint32_t collect_both(ends *t) {
    ox_list list = {0};
    ox_tunnel_take_device(t->b.tunnel, &list);
    uint32_t count = list.count;
    for (ox_buf *buf; (buf = ox_list_take(&list)) != NULL; ox_pool_put(t->b.pool, buf))
        check_super(&t->b, buf->data[0] >> 4 == 6 ? &other : &s, buf);
    return count;
}

static void two_trains_interleave(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    for (uint32_t group = 1; group <= 64; group += 63) {
        uint32_t count = depart(&t, 0), more = depart_other(&t), n = 0;
        const datagram *mixed[2 * CARS_MAX];
        for (uint32_t i = 0; i < count || i < more; i++) {
            if (i < count) mixed[n++] = &cars[i];
            if (i < more) mixed[n++] = &others[i];
        }
        give_datagrams(&t.b, mixed, n, group, true, t.now);
        (void)collect_both(&t);
        expect_all(&s);
        expect_all(&other);
    }
    assert_int_equal(0, all_drops(&t.b));
    ends_finish(&t);
}

static void a_newer_train_waits_for_no_older_one(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    uint32_t count = depart(&t, 0), more = depart_other(&t);
    give_all_but(&t, 1 << 3, count, 64);
    assert_int_equal(1, collect_both(&t));
    give_range(&t.b, others, 0, more, 64, t.now);
    assert_int_equal(2, collect_both(&t)); // the rest of the one, then the other
    expect_without(&t, 1 << 3, count);
    expect_all(&other);
    give_range(&t.b, cars, 3, 4, 1, t.now);
    assert_int_equal(1, collect_both(&t));
    expect_all(&s);
    assert_int_equal(0, all_drops(&t.b));
    ends_finish(&t);
}

static void a_packet_behind_a_train_stays_behind(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    uint32_t count = depart(&t, 0);
    make_packet(&in, 4, 60, 1, false, 0);
    send_packet(&t.a, &in, t.now);
    assert_int_equal(1, take_cars(&t.a, others, 1));
    const datagram *list[CARS_MAX];
    for (uint32_t i = 0; i < count; i++) list[i] = &cars[i];
    list[count] = &others[0];
    give_datagrams(&t.b, list, count + 1, 64, false, t.now);
    ox_list got = {0};
    ox_tunnel_take_device(t.b.tunnel, &got);
    assert_int_equal(2, got.count);
    ox_buf *first = ox_list_take(&got), *second = ox_list_take(&got);
    check_super(&t.b, &s, first);
    expect_all(&s);
    assert_int_equal(in.len, second->len);
    ox_pool_put(t.b.pool, first);
    ox_pool_put(t.b.pool, second);
    ends_finish(&t);
}

static void what_is_about_to_be_read_is_waited_for(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    uint32_t count = depart(&t, 0), half[CARS_MAX];
    for (uint32_t i = 0; i < count; i++) half[i] = i;
    give_some(&t.b, cars, half, count / 2, 64, true, t.now);
    assert_int_equal(0, collect(&t.b, &s));
    give_some(&t.b, cars, half + count / 2, count - count / 2, 64, true, t.now);
    assert_int_equal(1, collect(&t.b, &s));
    expect_all(&s);

    count = depart(&t, 0); // but not for ever, when the rest is lost and other sessions keep us busy
    give_some(&t.b, cars, half, count / 2, 64, true, t.now);
    ox_list none = {0};
    ox_tunnel_ingress(t.b.tunnel, &none, true, t.now + t.b.policy.train_wait_ns - 1);
    assert_int_equal(0, collect(&t.b, &s));
    uint64_t next = ox_tunnel_advance(t.b.tunnel, t.now + 1);
    assert_true(next <= t.now + t.b.policy.train_wait_ns);
    (void)ox_tunnel_advance(t.b.tunnel, next);
    assert_int_equal(1, collect(&t.b, &s));
    assert_int_equal(0, all_drops(&t.b));
    ends_finish(&t);
}

static void a_session_that_goes_takes_its_trains_along(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t count = depart(&t, i % 4);
        give_range(&t.b, cars, 2, count - 1, 64, t.now);
    }
    assert_int_equal(5, t.b.tunnel->trains_open);
    assert_true(ox_pool_free(t.b.pool, OX_BUF_LARGE) < ENDS_LARGE);
    ox_session_destroy(ox_tunnel_remove_session(t.b.tunnel, t.b.local));
    t.b.local = UINT32_MAX;
    assert_int_equal(0, t.b.tunnel->trains_open);
    assert_int_equal(ENDS_LARGE, ox_pool_free(t.b.pool, OX_BUF_LARGE));
    assert_true(drops(&t.b, OX_DROP_TRAIN_UNFINISHED) > 0);
    (void)ox_tunnel_advance(t.b.tunnel, t.now + SECOND);
    ends_finish(&t);
}

static void a_tunnel_that_goes_returns_the_buffers_of_its_trains(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    uint32_t count = depart(&t, 0);
    give_range(&t.b, cars, 2, count - 1, 64, t.now);
    ox_tunnel *tunnel = t.b.tunnel;
    assert_int_equal(1, tunnel->trains_open);
    ox_tunnel_destroy(tunnel);
    assert_int_equal(ENDS_LARGE, ox_pool_free(t.b.pool, OX_BUF_LARGE));
    // Another in its place, for ends_finish().
    t.b.tunnel = ox_tunnel_create(&(ox_tunnel_parameters){.session_id_bytes = 2, .identity = t.b.identity, .pool = t.b.pool,
                                                          .engine = t.b.engine, .events = t.b.events, .cookies = t.b.cookies});
    ox_session_destroy(t.b.session);
    ox_peer_destroy(t.b.peer);
    t.b.peer = ox_peer_create(3);
    ox_tunnel_add_peer(t.b.tunnel, t.b.peer);
    ends_finish(&t);
}

static void more_trains_than_slots_give_up_the_longest_silent(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    enum { TRAINS = OX_TRAIN_SLOTS + 8 };
    uint32_t gone = 0;
    for (uint32_t i = 0; i < TRAINS; i++, t.now += MS / 4) {
        uint32_t count = depart(&t, 0);
        give_range(&t.b, cars, 3, count - 1, 64, t.now); // neither first nor last: nothing can be given on
        gone += i < TRAINS - OX_TRAIN_SLOTS ? count - 4 : 0;
        assert_true(t.b.tunnel->trains_open <= OX_TRAIN_SLOTS);
    }
    assert_int_equal(OX_TRAIN_SLOTS, t.b.tunnel->trains_open);
    assert_int_equal(gone, drops(&t.b, OX_DROP_TRAIN_UNFINISHED));
    assert_int_equal(0, forget_packets(&t.b));
    uint32_t count = depart(&t, 1); // and one that is whole needs a slot for a moment
    give_range(&t.b, cars, 0, count, 64, t.now);
    assert_int_equal(1, collect(&t.b, &s));
    expect_all(&s);
    t.now += SECOND;
    (void)ox_tunnel_advance(t.b.tunnel, t.now);
    assert_int_equal(0, t.b.tunnel->trains_open);
    assert_int_equal(ENDS_LARGE, ox_pool_free(t.b.pool, OX_BUF_LARGE));
    ends_finish(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_car_that_is_lost_takes_its_own_bytes_alone),
        cmocka_unit_test(without_first_and_last_nothing_says_what_it_was),
        cmocka_unit_test(several_are_lost_and_the_rest_comes_in_any_order),
        cmocka_unit_test(reordering_inside_the_wait_leaves_one_super_packet),
        cmocka_unit_test(doubles_are_replays),
        cmocka_unit_test(what_is_late_comes_at_once_and_delays_nothing),
        cmocka_unit_test(two_trains_interleave),
        cmocka_unit_test(a_newer_train_waits_for_no_older_one),
        cmocka_unit_test(a_packet_behind_a_train_stays_behind),
        cmocka_unit_test(what_is_about_to_be_read_is_waited_for),
        cmocka_unit_test(a_session_that_goes_takes_its_trains_along),
        cmocka_unit_test(a_tunnel_that_goes_returns_the_buffers_of_its_trains),
        cmocka_unit_test(more_trains_than_slots_give_up_the_longest_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
