#include "ends.h"

static packet in[64], out[64];
static datagram wire[128];

static uint32_t send_all(ends *t, const uint32_t *lengths, uint32_t count, int version) {
    ox_list list = {0};
    for (uint32_t i = 0; i < count; i++) {
        make_packet(&in[i], version, lengths[i], 77 * i, false, 0);
        add_packet(&t->a, &list, &in[i]);
    }
    ox_tunnel_egress(t->a.tunnel, &list, t->now);
    return take_datagrams(&t->a, wire, 128, false);
}

/* Gives the datagrams in the order of `order`, and expects each of the packets once. */
static void expect_all(ends *t, const uint32_t *order, uint32_t datagrams, uint32_t packets) {
    for (uint32_t i = 0; i < datagrams; i++) give_datagram(&t->b, &wire[order != NULL ? order[i] : i], t->now);
    assert_int_equal(0, all_drops(&t->b));
    uint32_t got = take_packets(&t->b, out, 64);
    assert_int_equal(packets, got);
    bool seen[64] = {false};
    for (uint32_t i = 0; i < got; i++) {
        uint32_t k = 0;
        while (k < packets && (seen[k] || in[k].len != out[i].len || memcmp(in[k].bytes, out[i].bytes, in[k].len) != 0)) k++;
        assert_true(k < packets);
        seen[k] = true;
    }
}

static void full_packets_cross_any_mtu(void **state) {
    (void)state;
    static const uint32_t mtus[] = {1200, 1201, 1280, 1350, 1472, 1500, 1519, 1520, 1600};
    for (size_t m = 0; m < sizeof mtus / sizeof mtus[0]; m++) {
        for (int version = 4; version <= 6; version += 2) {
            ends t;
            ends_begin_with(&t, (ends_options){.mtu = mtus[m]});
            for (uint32_t count = 1; count <= 40; count++) {
                uint32_t lengths[64];
                for (uint32_t i = 0; i < count; i++) lengths[i] = 1500;
                uint32_t sent = send_all(&t, lengths, count, version);
                // Heads are packed behind tails: not more datagrams than the bytes need, but for frames.
                uint32_t bytes = count * 1500;
                if (mtus[m] < 1520) assert_true(sent <= bytes / (mtus[m] - 100) + 1);
                expect_all(&t, NULL, sent, count);
            }
            ends_finish(&t);
        }
    }
}

static void any_mix_of_lengths_crosses_in_any_order(void **state) {
    (void)state;
    uint32_t seed = 1;
    ends t;
    for (uint32_t round = 0; round < 1500; round++) {
        uint32_t mtu = 1200 + (round / 100 % 5) * 68;
        // Without feedback the numbers take ever more bytes.
        if (round % 100 == 0) ends_begin_with(&t, (ends_options){.mtu = mtu, .id_bytes = 1 + round / 100 % 3});
        uint32_t count = 1 + round % 24, lengths[64], order[128];
        for (uint32_t i = 0; i < count; i++) {
            seed = seed * 1664525 + 1013904223;
            uint32_t kind = seed >> 29;
            lengths[i] = kind < 3 ? 1500 : kind < 5 ? mtu - 60 + (seed >> 8) % 80 : 48 + (seed >> 8) % 1400;
        }
        uint32_t sent = send_all(&t, lengths, count, round % 2 ? 6 : 4);
        for (uint32_t i = 0; i < sent; i++) order[i] = i;
        for (uint32_t i = sent; i > 1; i--) {
            seed = seed * 1664525 + 1013904223;
            uint32_t k = (seed >> 8) % i, held = order[k];
            order[k] = order[i - 1];
            order[i - 1] = held;
        }
        expect_all(&t, order, sent, count);
        if (round % 100 == 99) ends_finish(&t);
    }
}

static void a_tail_may_come_first(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    uint32_t lengths[] = {1500};
    assert_int_equal(2, send_all(&t, lengths, 1, 4));
    uint32_t order[] = {1, 0};
    expect_all(&t, order, 2, 1);
    ends_finish(&t);
}

static void a_lost_half_is_counted_once(void **state) {
    (void)state;
    for (uint32_t lost = 0; lost < 2; lost++) {
        ends t;
        ends_begin(&t);
        uint32_t lengths[] = {1500};
        assert_int_equal(2, send_all(&t, lengths, 1, 4));
        give_datagram(&t.b, &wire[1 - lost], t.now);
        assert_int_equal(0, forget_packets(&t.b));
        assert_int_equal(0, all_drops(&t.b));
        ox_session_destroy(ox_tunnel_remove_session(t.b.tunnel, t.b.local));
        assert_int_equal(1, drops(&t.b, OX_DROP_SPLIT_UNFINISHED));
        assert_int_equal(1, all_drops(&t.b));
        t.b.local = 0xffffff;
        ends_finish(&t);
    }
}

static void halves_that_wait_are_bounded(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    // Every HEAD arrives, no TAIL does.
    for (uint32_t i = 0; i < 2 * OX_SPLIT_SLOTS; i++) {
        uint32_t lengths[] = {1500};
        assert_int_equal(2, send_all(&t, lengths, 1, 4));
        give_datagram(&t.b, &wire[0], t.now);
        forget_datagrams(&t.b);
        assert_true(ox_pool_free(t.b.pool, OX_BUF_SMALL) >= ENDS_POOL - OX_SPLIT_SLOTS);
    }
    uint64_t waiting = ENDS_POOL - ox_pool_free(t.b.pool, OX_BUF_SMALL);
    assert_int_equal(2 * OX_SPLIT_SLOTS, waiting + drops(&t.b, OX_DROP_SPLIT_UNFINISHED));
    ends_finish(&t);
}

/* The number of the next datagram from a. */
static uint64_t next_number(const ends *t) { return t->a.session->next_number; }

static uint32_t frame(uint8_t *at, ox_frame_type type, const void *body, uint32_t len) {
    uint32_t head = ox_frame_write_head(at, type, len);
    if (len > 0) memcpy(at + head, body, len);
    return head + len;
}

static void give_plain(ends *t, const uint8_t *plain, size_t len) {
    seal_plain(&t->a, plain, len, t->now, wire);
    give_datagram(&t->b, wire, t->now);
}

static void malformed_halves_have_a_name(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    uint8_t plain[1600], body[1600] = {0};
    uint64_t expected = 0;
    // A TAIL without a distance, without bytes, at distance zero, and before the first number.
    give_plain(&t, plain, frame(plain, OX_FRAME_TAIL, body, 0));
    assert_int_equal(++expected, drops(&t.b, OX_DROP_SPLIT_MALFORMED));
    body[0] = 1;
    give_plain(&t, plain, frame(plain, OX_FRAME_TAIL, body, 1));
    assert_int_equal(++expected, drops(&t.b, OX_DROP_SPLIT_MALFORMED));
    body[0] = 0;
    give_plain(&t, plain, frame(plain, OX_FRAME_TAIL, body, 20));
    assert_int_equal(++expected, drops(&t.b, OX_DROP_SPLIT_MALFORMED));
    body[0] = 63;
    give_plain(&t, plain, frame(plain, OX_FRAME_TAIL, body, 20));
    assert_int_equal(++expected, drops(&t.b, OX_DROP_SPLIT_MALFORMED));
    // A HEAD of nothing, and a HEAD that is not last.
    give_plain(&t, plain, frame(plain, OX_FRAME_HEAD, body, 0));
    assert_int_equal(++expected, drops(&t.b, OX_DROP_SPLIT_MALFORMED));
    uint32_t len = frame(plain, OX_FRAME_HEAD, body, 100);
    len += frame(plain + len, OX_FRAME_BATCH, NULL, 0);
    give_plain(&t, plain, len);
    assert_int_equal(++expected, drops(&t.b, OX_DROP_SPLIT_MALFORMED));
    // Together longer than an inner packet may be.
    make_packet(in, 4, 1500, 1, false, 0);
    uint64_t head = next_number(&t);
    give_plain(&t, plain, frame(plain, OX_FRAME_HEAD, in->bytes, 1000));
    body[0] = (uint8_t)(next_number(&t) - head);
    give_plain(&t, plain, frame(plain, OX_FRAME_TAIL, body, 502));
    assert_int_equal(++expected, drops(&t.b, OX_DROP_SPLIT_MALFORMED));
    // Two TAILs for one HEAD.
    head = next_number(&t) + 5;
    t.a.session->next_number += 6;
    ox_ledger_forget(t.a.session->ledger, &t.a.peer->paths[0].flight, &t.a.peer->paths[0].stats);
    t.a.session->ledger = ox_ledger_init(t.a.session->ledger);
    for (uint64_t i = 0; i < next_number(&t); i++)
        ox_ledger_sent(t.a.session->ledger, &t.a.peer->paths[0].flight, &t.a.peer->paths[0].stats, i, 100, true, 1);
    body[0] = (uint8_t)(next_number(&t) - head);
    give_plain(&t, plain, frame(plain, OX_FRAME_TAIL, body, 502));
    body[0] = (uint8_t)(next_number(&t) - head);
    give_plain(&t, plain, frame(plain, OX_FRAME_TAIL, body, 502));
    assert_int_equal(++expected, drops(&t.b, OX_DROP_SPLIT_MALFORMED));
    assert_int_equal(expected, all_drops(&t.b));
    assert_int_equal(0, forget_packets(&t.b));
    ends_finish(&t);
}

static void the_whole_packet_is_checked_when_joined(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    uint8_t plain[1600], body[1600];
    make_packet(in, 4, 400, 1, false, 0);
    in->bytes[15] = 77; // not the peer's address
    uint64_t head = next_number(&t);
    give_plain(&t, plain, frame(plain, OX_FRAME_HEAD, in->bytes, 200));
    body[0] = (uint8_t)(next_number(&t) - head);
    memcpy(body + 1, in->bytes + 200, 200);
    give_plain(&t, plain, frame(plain, OX_FRAME_TAIL, body, 201));
    assert_int_equal(1, drops(&t.b, OX_DROP_SOURCE_NOT_ALLOWED));
    assert_int_equal(1, all_drops(&t.b));
    assert_int_equal(0, forget_packets(&t.b));
    ends_finish(&t);
}

static void ecn_crosses_a_split(void **state) {
    (void)state;
    for (uint8_t inner = 0; inner < 4; inner++) {
        for (uint8_t first = 0; first < 4; first++) {
            for (uint8_t second = 0; second < 4; second++) {
                for (uint32_t swap = 0; swap < 2; swap++) {
                    ends t;
                    ends_begin(&t);
                    make_packet(in, swap ? 6 : 4, 1500, 1, false, inner);
                    send_packet(&t.a, in, t.now);
                    assert_int_equal(2, take_datagrams(&t.a, wire, 2, false));
                    assert_int_equal(inner == OX_ECN_CE ? OX_ECN_ECT0 : inner, wire[0].ecn);
                    assert_int_equal(inner == OX_ECN_CE ? OX_ECN_ECT0 : inner, wire[1].ecn);
                    // The network changes ECT to CE at most; a path that bleaches both is another test's.
                    wire[0].ecn = first == 3 ? OX_ECN_CE : inner;
                    wire[1].ecn = second == 3 ? OX_ECN_CE : inner;
                    give_datagram(&t.b, &wire[swap], t.now);
                    give_datagram(&t.b, &wire[1 - swap], t.now);
                    bool congested = first == 3 || second == 3;
                    if (inner == OX_ECN_NOT_ECT && congested) {
                        assert_int_equal(1, drops(&t.b, OX_DROP_ECN_NOT_CAPABLE));
                        assert_int_equal(0, forget_packets(&t.b));
                    } else {
                        assert_int_equal(1, take_packets(&t.b, out, 1));
                        ox_ecn_set(in->bytes, congested ? OX_ECN_CE : inner);
                        assert_packet(in, out);
                    }
                    ends_finish(&t);
                }
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_packets_cross_any_mtu),
        cmocka_unit_test(any_mix_of_lengths_crosses_in_any_order),
        cmocka_unit_test(a_tail_may_come_first),
        cmocka_unit_test(a_lost_half_is_counted_once),
        cmocka_unit_test(halves_that_wait_are_bounded),
        cmocka_unit_test(malformed_halves_have_a_name),
        cmocka_unit_test(the_whole_packet_is_checked_when_joined),
        cmocka_unit_test(ecn_crosses_a_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
