/* Datagrams that are not what the peer sent, or not for the first time. */
#include "ends.h"

static packet in[1];
static datagram wire[128];

typedef enum kind { LONE, BATCH, HEAD, TAIL, KEEPALIVE, PROBE, CHALLENGE, ANSWER, CLOSE, FEEDBACK, PIGGYBACK, KINDS } kind;

/* Makes b owe feedback to nobody and a owe some to b. */
static void owe(ends *t) {
    make_packet(in, 4, 60, 1, true, 0);
    send_packet(&t->b, in, t->now);
    carry(&t->b, &t->a, t->now);
    forget_packets(&t->a);
}

/* A datagram of this kind from a to b, which has seen all before it. */
static void make_datagram(ends *t, kind k, datagram *d) {
    ox_list list = {0};
    if (k == FEEDBACK || k == PIGGYBACK) {
        owe(t);
        t->now += 100 * MS;
    }
    switch (k) {
    case BATCH:
        for (uint32_t i = 0; i < 5; i++) {
            make_packet(in, i % 2 ? 4 : 6, 60, i, false, OX_ECN_ECT0);
            add_packet(&t->a, &list, in);
        }
        ox_tunnel_egress(t->a.tunnel, &list, t->now);
        break;
    case HEAD:
    case TAIL:
        make_packet(in, 4, 1500, 9, false, 0);
        send_packet(&t->a, in, t->now);
        assert_int_equal(2, take_datagrams(&t->a, wire, 2, false));
        if (k == TAIL) give_datagram(&t->b, &wire[0], t->now);
        *d = wire[k == TAIL];
        return;
    case KEEPALIVE: ox_tunnel_send_keepalive(t->a.tunnel, t->a.local, t->now); break;
    case PROBE: ox_tunnel_send_probe(t->a.tunnel, t->a.local, 1400, t->now); break;
    case CHALLENGE: ox_tunnel_send_challenge(t->a.tunnel, t->a.local, 0x1122334455667788, &t->b.address, t->now); break;
    case ANSWER:
        ox_tunnel_send_challenge(t->b.tunnel, t->b.local, 0x1122334455667788, &t->a.address, t->now);
        carry(&t->b, &t->a, t->now);
        break;
    case CLOSE: ox_tunnel_send_close(t->a.tunnel, t->a.local, 3, t->now); break;
    case FEEDBACK: ox_tunnel_advance(t->a.tunnel, t->now); break;
    default:
        make_packet(in, 4, 92, 5, false, 0);
        send_packet(&t->a, in, t->now);
    }
    assert_int_equal(1, take_datagrams(&t->a, d, 1, k == PROBE));
}

typedef struct snapshot {
    ox_session session;
    uint32_t free;
    uint64_t drops;
    ox_peer_report report;
    uint8_t ledger[sizeof(uint64_t) * 32]; /* its head, where all its counts are */
} snapshot;

static snapshot look(const ends *t) {
    snapshot s;
    memset(&s, 0, sizeof s);
    memcpy(&s.session, t->b.session, sizeof s.session);
    s.free = ox_pool_free(t->b.pool, OX_BUF_SMALL);
    s.drops = all_drops(&t->b);
    ox_peer_status(t->b.peer, &s.report);
    memcpy(s.ledger, t->b.session->ledger, sizeof s.ledger);
    return s;
}

/* The datagram is dropped under exactly one name, and there is no other trace of it. */
static void expect_nothing(ends *t, const datagram *d, snapshot before) {
    ox_event event;
    give_datagram(&t->b, d, t->now);
    before.drops++;
    snapshot after = look(t);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(0, t->b.tunnel->network.count);
    assert_int_equal(0, t->b.tunnel->device.count);
    assert_false(take_event(&t->b, &event));
}

static void any_byte_tampered_with_leaves_no_trace(void **state) {
    (void)state;
    static const ox_aead aeads[] = {OX_AEAD_CHACHA20POLY1305, OX_AEAD_AES256GCM};
    for (uint32_t n = 0; n < 2; n++) {
        if (!ox_aead_available(aeads[n])) continue;
        for (kind k = 0; k < KINDS; k++) {
            ends t;
            ends_begin_with(&t, (ends_options){.aead = aeads[n], .id_bytes = 1 + k % 3});
            owe(&t); // so that numbers, replay window and ledger are not empty
            make_packet(in, 4, 60, 1, false, 0);
            send_packet(&t.a, in, t.now);
            carry(&t.a, &t.b, t.now);
            static datagram d;
            make_datagram(&t, k, &d);
            forget_packets(&t.b);
            forget_datagrams(&t.b);
            forget_events(&t.b);
            snapshot before = look(&t);
            for (size_t at = 0; at < d.len; at++) {
                for (uint32_t how = 0; how < 10; how++) {
                    // Every bit, all of them, and the smallest change upwards.
                    static datagram forged;
                    forged = d;
                    forged.bytes[at] = (uint8_t)(how < 8 ? d.bytes[at] ^ 1u << how : how == 8 ? d.bytes[at] ^ 0xffu : d.bytes[at] + 1u);
                    expect_nothing(&t, &forged, before);
                    before.drops++;
                }
            }
            for (size_t len = 0; len < d.len; len++) {
                static datagram cut;
                cut = d;
                cut.len = len;
                expect_nothing(&t, &cut, before);
                before.drops++;
            }
            static datagram longer;
            longer = d;
            longer.len = d.len + 1;
            expect_nothing(&t, &longer, before);
            before.drops++;

            give_datagram(&t.b, &d, t.now); // the true one still passes
            assert_int_equal(before.drops, all_drops(&t.b));
            assert_int_equal(before.report.paths[0].received + 1, path_stats(&t.b).received);
            forget_packets(&t.b);
            forget_datagrams(&t.b);
            forget_events(&t.b);
            uint64_t replayed = drops(&t.b, OX_DROP_REPLAYED);
            expect_nothing(&t, &d, look(&t)); // and not twice
            assert_int_equal(replayed + 1, drops(&t.b, OX_DROP_REPLAYED));
            ends_finish(&t);
        }
    }
}

static void a_datagram_for_another_session_or_key_is_refused(void **state) {
    (void)state;
    ends t, other;
    ends_begin(&t);
    ends_begin(&other);
    make_packet(in, 4, 60, 1, false, 0);
    send_packet(&other.a, in, other.now);
    assert_int_equal(1, take_datagrams(&other.a, wire, 1, false));
    forget_events(&t.b);
    expect_nothing(&t, wire, look(&t));
    assert_int_equal(1, drops(&t.b, OX_DROP_UNAUTHENTICATED));
    // Its own datagram, sent back to it.
    send_packet(&t.a, in, t.now);
    assert_int_equal(1, take_datagrams(&t.a, wire, 1, false));
    wire[0].bytes[1] = (uint8_t)t.a.local;
    give_datagram(&t.a, wire, t.now);
    assert_int_equal(1, drops(&t.a, OX_DROP_UNAUTHENTICATED));
    ends_finish(&t);
    ends_finish(&other);
}

static void replays_and_late_datagrams_are_told_apart(void **state) {
    (void)state;
    static datagram many[400];
    for (uint32_t window = 128; window <= 256; window *= 2) {
        ends t;
        ends_begin_with(&t, (ends_options){.window = window});
        for (uint32_t i = 0; i < 400; i++) {
            make_packet(in, 4, 60, i, false, 0);
            send_packet(&t.a, in, t.now);
            assert_int_equal(1, take_datagrams(&t.a, &many[i], 1, false));
        }
        for (uint32_t i = 0; i <= 300; i += 2) give_datagram(&t.b, &many[i], t.now);
        assert_int_equal(151, forget_packets(&t.b));
        for (uint32_t i = 0; i <= 300; i++) {
            uint64_t replayed = drops(&t.b, OX_DROP_REPLAYED), old = drops(&t.b, OX_DROP_TOO_OLD);
            give_datagram(&t.b, &many[i], t.now);
            // A number of one byte that comes later than it can tell is taken for another, and does not open.
            if (i < 32) {
                assert_int_equal(i + 1, drops(&t.b, OX_DROP_UNAUTHENTICATED) + drops(&t.b, OX_DROP_REPLAYED) +
                                            drops(&t.b, OX_DROP_TOO_OLD));
                assert_int_equal(0, forget_packets(&t.b));
                continue;
            }
            bool inside = i + window > 300;
            assert_int_equal(inside && i % 2 == 1 ? 1 : 0, forget_packets(&t.b));
            assert_int_equal(replayed + (inside && i % 2 == 0), drops(&t.b, OX_DROP_REPLAYED));
            assert_int_equal(old + !inside, drops(&t.b, OX_DROP_TOO_OLD));
        }
        ends_finish(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_byte_tampered_with_leaves_no_trace),
        cmocka_unit_test(a_datagram_for_another_session_or_key_is_refused),
        cmocka_unit_test(replays_and_late_datagrams_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
