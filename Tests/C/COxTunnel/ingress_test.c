#include "ends.h"

static packet in[64], out[64];
static datagram wire[128];

static void give_plain(ends *t, const void *plain, size_t len) {
    seal_plain(&t->a, plain, len, t->now, wire);
    give_datagram(&t->b, wire, t->now);
}

static void only_the_peers_own_addresses_are_sources(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    uint64_t refused = 0;
    for (uint32_t byte = 12; byte < 16; byte++) {
        make_packet(in, 4, 60, 1, false, 0);
        in->bytes[byte] ^= 0x40;
        give_plain(&t, in->bytes, in->len);
        assert_int_equal(++refused, drops(&t.b, OX_DROP_SOURCE_NOT_ALLOWED));
    }
    for (uint32_t byte = 8; byte < 24; byte++) {
        make_packet(in, 6, 60, 1, false, 0);
        in->bytes[byte] ^= 0x40;
        give_plain(&t, in->bytes, in->len);
        assert_int_equal(++refused, drops(&t.b, OX_DROP_SOURCE_NOT_ALLOWED));
    }
    // The peer's IPv4 address as an IPv6 source, mapped, compatible and translated.
    static const uint8_t prefixes[3][12] = {{[10] = 0xff, [11] = 0xff}, {0}, {[8] = 0xff, [9] = 0xff}};
    for (uint32_t i = 0; i < 3; i++) {
        make_packet(in, 6, 60, 1, false, 0);
        memcpy(in->bytes + 8, prefixes[i], 12);
        memcpy(in->bytes + 20, (const uint8_t[]){10, 0, 0, 1}, 4);
        give_plain(&t, in->bytes, in->len);
        assert_int_equal(++refused, drops(&t.b, OX_DROP_SOURCE_NOT_ALLOWED));
    }
    assert_int_equal(refused, all_drops(&t.b));
    assert_int_equal(0, forget_packets(&t.b));
    ends_finish(&t);
}

static void broken_packets_keep_the_parsers_name(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    make_packet(in, 4, 60, 1, false, 0);
    give_plain(&t, in->bytes, 59);
    give_plain(&t, in->bytes, 10);
    assert_int_equal(2, drops(&t.b, OX_DROP_PACKET_TRUNCATED));
    make_packet(in, 4, 1501, 1, false, 0);
    give_plain(&t, in->bytes, in->len);
    assert_int_equal(1, drops(&t.b, OX_DROP_PACKET_TOO_BIG));
    assert_int_equal(3, all_drops(&t.b));
    assert_int_equal(0, forget_packets(&t.b));
    ends_finish(&t);
}

static void unknown_frames_are_skipped(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    uint64_t unknown = 0, delivered = 0;
    make_packet(in, 4, 60, 1, false, 0);
    for (uint32_t type = 8; type < OX_FRAME_COMPRESSED; type++) {
        if (type >> 4 == 4 || type >> 4 == 6) continue; // the first byte of a packet
        uint8_t plain[200] = {(uint8_t)type, 5, 1, 2, 3, 4, 5, 0, 0};
        memcpy(plain + 9, in->bytes, in->len);
        give_plain(&t, plain, 9 + in->len);
        assert_int_equal(++unknown, drops(&t.b, OX_DROP_FRAME_UNKNOWN));
        assert_int_equal(1, take_packets(&t.b, out, 1));
        assert_packet(in, out);
        delivered++;
    }
    // A compressed packet reaches to the end of its datagram.
    give_plain(&t, (const uint8_t[]){OX_FRAME_COMPRESSED, 5, 1, 2}, 4);
    assert_int_equal(++unknown, drops(&t.b, OX_DROP_FRAME_UNKNOWN));
    assert_int_equal(unknown, all_drops(&t.b));
    assert_true(delivered > 80);
    ends_finish(&t);
}

static void malformed_frames_end_their_datagram(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    static const uint8_t bad[][8] = {
        {1},                /* no length */
        {1, 5, 1, 2},       /* longer than the datagram */
        {1, 0x40},          /* half a length */
        {7, 0},             /* a CLOSE without reason */
        {7, 2, 1, 1},       /* with too many */
        {5, 2, 1, 1},       /* a CHALLENGE of two bytes */
        {6, 4, 1, 1, 1, 1}, /* an ANSWER of four */
        {4, 2, 0, 0},       /* FEEDBACK cut off */
        {4, 0},
        {1, 2, 9, 1},       /* a packet longer than its BATCH */
    };
    static const size_t lengths[] = {1, 4, 2, 2, 4, 4, 6, 4, 2, 4};
    forget_events(&t.b);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        give_plain(&t, bad[i], lengths[i]);
        assert_int_equal(i + 1, drops(&t.b, OX_DROP_FRAME_MALFORMED));
    }
    ox_event event;
    while (take_event(&t.b, &event))
        assert_true(event.kind == OX_EVENT_SESSION_CONFIRMED || event.kind == OX_EVENT_ACTIVITY);
    assert_int_equal(0, forget_datagrams(&t.b));
    ends_finish(&t);
}

static void every_packet_of_a_batch_counts_when_buffers_are_short(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    ox_list list = {0}, held = {0};
    for (uint32_t i = 0; i < 10; i++) {
        make_packet(in, 4, 60, i, false, 0);
        add_packet(&t.a, &list, in);
    }
    ox_tunnel_egress(t.a.tunnel, &list, t.now);
    assert_int_equal(1, take_datagrams(&t.a, wire, 1, false));
    while (ox_pool_free(t.b.pool, OX_BUF_SMALL) > 4) ox_list_append(&held, ox_pool_get(t.b.pool, OX_BUF_SMALL));
    give_datagram(&t.b, wire, t.now); // takes one itself
    assert_int_equal(3, forget_packets(&t.b));
    assert_int_equal(7, drops(&t.b, OX_DROP_POOL_EMPTY));
    ox_pool_put_list(t.b.pool, &held);
    ends_finish(&t);
}

/* ---- ECN, roaming, control ----------------------------------------------------------------------------------- */

static void ecn_is_carried_by_rfc_6040(void **state) {
    (void)state;
    for (int batch = 0; batch < 2; batch++) {
        for (uint8_t inner = 0; inner < 4; inner++) {
            for (uint8_t outer = 0; outer < 4; outer++) {
                ends t;
                ends_begin(&t);
                ox_list list = {0};
                make_packet(in, batch ? 6 : 4, 100, 1, false, inner);
                for (int i = 0; i <= batch; i++) add_packet(&t.a, &list, in);
                ox_tunnel_egress(t.a.tunnel, &list, t.now);
                assert_int_equal(1, take_datagrams(&t.a, wire, 1, false));
                assert_int_equal(inner == OX_ECN_CE ? OX_ECN_ECT0 : inner, wire[0].ecn); // CE stays inside
                wire[0].ecn = outer;
                give_datagram(&t.b, wire, t.now);
                // RFC 6040 figure 4, in words.
                uint32_t expected = inner;
                if (outer == OX_ECN_CE && inner != OX_ECN_NOT_ECT) expected = OX_ECN_CE;
                if (outer == OX_ECN_ECT1 && inner == OX_ECN_ECT0) expected = OX_ECN_ECT1;
                if (outer == OX_ECN_CE && inner == OX_ECN_NOT_ECT) {
                    assert_int_equal(1 + batch, drops(&t.b, OX_DROP_ECN_NOT_CAPABLE));
                    assert_int_equal(0, forget_packets(&t.b));
                } else {
                    assert_int_equal(1 + batch, take_packets(&t.b, out, 2));
                    assert_int_equal(expected, ox_ecn_get(out->bytes));
                }
                ends_finish(&t);
            }
        }
    }
}

static void packets_of_different_ecn_do_not_share_a_datagram(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    ox_list list = {0};
    for (uint32_t i = 0; i < 6; i++) {
        make_packet(in, 4, 60, i, false, (uint8_t)(i / 2));
        add_packet(&t.a, &list, in);
    }
    ox_tunnel_egress(t.a.tunnel, &list, t.now);
    assert_int_equal(3, take_datagrams(&t.a, wire, 6, false));
    for (uint32_t i = 0; i < 3; i++) assert_int_equal(i, wire[i].ecn);
    ends_finish(&t);
}

static void only_the_newest_datagram_says_where_the_peer_is(void **state) {
    (void)state;
    ends t;
    ox_event event;
    ends_begin(&t);
    make_packet(in, 4, 60, 1, false, 0);
    for (uint32_t i = 0; i < 4; i++) {
        send_packet(&t.a, in, t.now);
        assert_int_equal(1, take_datagrams(&t.a, &wire[i], 1, false));
        wire[i].from = v4_address(99, 4444);
    }
    wire[1].from = t.a.address;
    give_datagram(&t.b, &wire[1], t.now);
    assert_true(find_event(&t.b, OX_EVENT_SESSION_CONFIRMED, &event));
    assert_false(find_event(&t.b, OX_EVENT_ADDRESS_CHANGED, &event));
    give_datagram(&t.b, &wire[0], t.now); // late, from elsewhere
    assert_false(find_event(&t.b, OX_EVENT_ADDRESS_CHANGED, &event));
    give_datagram(&t.b, &wire[2], t.now);
    assert_true(find_event(&t.b, OX_EVENT_ADDRESS_CHANGED, &event));
    assert_int_equal(4444, event.address.port);
    assert_int_equal(t.b.local, event.session);
    give_datagram(&t.b, &wire[3], t.now + 100 * MS); // at most every 250 ms
    assert_false(find_event(&t.b, OX_EVENT_ADDRESS_CHANGED, &event));
    // Nothing moves by itself.
    make_packet(in, 4, 60, 1, true, 0);
    send_packet(&t.b, in, t.now);
    assert_int_equal(1, take_datagrams(&t.b, wire, 1, false));
    assert_true(ox_address_equal(&wire[0].to, &t.a.address));
    ox_address moved = v4_address(99, 4444);
    ox_tunnel_move_path(t.b.tunnel, 3, 0, &moved);
    send_packet(&t.b, in, t.now);
    assert_int_equal(1, take_datagrams(&t.b, wire, 1, false));
    assert_int_equal(4444, wire[0].to.port);
    ends_finish(&t);
}

static void a_challenge_is_answered_where_it_came_from(void **state) {
    (void)state;
    ends t;
    ox_event event;
    ends_begin(&t);
    ox_address elsewhere = v4_address(77, 7777);
    ox_tunnel_send_challenge(t.a.tunnel, t.a.local, 0xabcdef, &elsewhere, t.now);
    assert_int_equal(1, take_datagrams(&t.a, wire, 1, false));
    assert_int_equal(7777, wire[0].to.port);
    wire[0].from = v4_address(66, 6666);
    give_datagram(&t.b, wire, t.now);
    assert_int_equal(1, take_datagrams(&t.b, wire, 2, false));
    assert_int_equal(6666, wire[0].to.port);
    wire[0].from = elsewhere;
    give_datagram(&t.a, wire, t.now);
    assert_true(find_event(&t.a, OX_EVENT_CHALLENGE_ANSWERED, &event));
    assert_int_equal(0xabcdef, event.token);
    assert_int_equal(7777, event.address.port);
    // Many in one datagram: one answer.
    uint8_t plain[110];
    for (uint32_t i = 0; i < 10; i++) {
        ox_frame_write_head(plain + 11 * i, OX_FRAME_CHALLENGE, 8);
        memset(plain + 11 * i + 3, (int)i, 8);
    }
    give_plain(&t, plain, sizeof plain);
    assert_int_equal(1, forget_datagrams(&t.b));
    ends_finish(&t);
}

static void a_close_is_reported_and_changes_nothing(void **state) {
    (void)state;
    ends t;
    ox_event event;
    ends_begin(&t);
    ox_tunnel_send_close(t.a.tunnel, t.a.local, 5, t.now);
    carry(&t.a, &t.b, t.now);
    assert_true(find_event(&t.b, OX_EVENT_CLOSED, &event));
    assert_int_equal(5, event.size);
    make_packet(in, 4, 60, 1, false, 0);
    send_packet(&t.a, in, t.now);
    carry(&t.a, &t.b, t.now);
    assert_int_equal(1, forget_packets(&t.b));
    ends_finish(&t);
}

static void without_encryption_only_the_trusted_address_counts(void **state) {
    (void)state;
    ends t;
    ends_begin_with(&t, (ends_options){.no_encryption = true});
    make_packet(in, 4, 92, 1, false, 0);
    send_packet(&t.a, in, t.now);
    assert_int_equal(1, take_datagrams(&t.a, wire, 1, false));
    assert_int_equal(92 + 1 + 2 + 4, wire[0].len); // no tag, and a whole number
    wire[0].from.port++;
    give_datagram(&t.b, wire, t.now);
    assert_int_equal(1, drops(&t.b, OX_DROP_ADDRESS_UNTRUSTED));
    wire[0].from = t.a.address;
    give_datagram(&t.b, wire, t.now);
    assert_int_equal(1, take_packets(&t.b, out, 1));
    assert_packet(in, out);
    ox_address moved = v4_address(99, 4444); // a path that moves does not take the plaintext with it
    ox_tunnel_move_path(t.a.tunnel, 7, 0, &moved);
    send_packet(&t.a, in, t.now);
    assert_int_equal(1, take_datagrams(&t.a, wire, 1, false));
    assert_true(ox_address_equal(&wire[0].to, &t.b.address));
    ends_finish(&t);
}

/** Appends a frame of type and body to `plain`. */
static size_t put_frame(uint8_t *plain, size_t at, ox_frame_type type, const uint8_t *body, size_t len) {
    at += ox_frame_write_head(plain + at, type, len);
    memcpy(plain + at, body, len);
    return at + len;
}

static void one_datagram_makes_few_events_whatever_is_in_it(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    uint8_t plain[1100], body[8] = {0};
    size_t answers = 0, closes = 0;
    while (answers + 11 <= sizeof plain) answers = put_frame(plain, answers, OX_FRAME_ANSWER, body, 8);
    forget_events(&t.b);
    give_plain(&t, plain, answers);
    ox_event event;
    uint32_t counts[16] = {0};
    while (take_event(&t.b, &event)) counts[event.kind]++;
    assert_int_equal(1, counts[OX_EVENT_CHALLENGE_ANSWERED]);
    while (closes + 4 <= sizeof plain) closes = put_frame(plain, closes, OX_FRAME_CLOSE, body, 1);
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < 10; i++) give_plain(&t, plain, closes);
    while (take_event(&t.b, &event)) counts[event.kind]++;
    assert_int_equal(1, counts[OX_EVENT_CLOSED]);
    ends_finish(&t);
}

static void one_feedback_a_datagram_is_read(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    make_packet(in, 4, 92, 1, true, 0);
    send_packet(&t.b, in, t.now);
    forget_datagrams(&t.b);
    ox_feedback feedback = {.count = 1, .ranges = {{0, 0}}};
    uint8_t plain[256];
    size_t len = ox_feedback_write(&feedback, plain, sizeof plain);
    len += ox_feedback_write(&feedback, plain + len, sizeof plain - len);
    give_plain(&t, plain, len);
    assert_int_equal(1, path_stats(&t.b).acknowledged);
    assert_int_equal(1, drops(&t.b, OX_DROP_FRAME_MALFORMED));
    ends_finish(&t);
}

static void the_address_that_the_peer_calls_is_the_one_that_speaks(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    static const uint8_t called[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 9};
    static const uint8_t forged[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 66};
    make_packet(in, 4, 92, 1, false, 0);
    for (int genuine = 0; genuine < 2; genuine++) {
        ox_list list = {0};
        send_packet(&t.a, in, t.now);
        assert_int_equal(1, take_datagrams(&t.a, wire, 1, false));
        ox_buf *buf = buffer_of(&t.b, wire[0].bytes, wire[0].len);
        buf->address = t.a.address;
        memcpy(buf->local, genuine ? called : forged, 16);
        if (!genuine) buf->data[buf->len - 1] ^= 1;
        ox_list_append(&list, buf);
        ox_tunnel_ingress(t.b.tunnel, &list, false, t.now);
    }
    assert_int_equal(1, forget_packets(&t.b));
    make_packet(in, 4, 92, 1, true, 0);
    send_packet(&t.b, in, t.now);
    ox_list sent = {0};
    ox_tunnel_take_network(t.b.tunnel, &sent);
    assert_int_equal(1, sent.count);
    assert_memory_equal(called, sent.head->local, 16);
    ox_pool_put_list(t.b.pool, &sent);
    ends_finish(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_peers_own_addresses_are_sources),
        cmocka_unit_test(broken_packets_keep_the_parsers_name),
        cmocka_unit_test(unknown_frames_are_skipped),
        cmocka_unit_test(malformed_frames_end_their_datagram),
        cmocka_unit_test(every_packet_of_a_batch_counts_when_buffers_are_short),
        cmocka_unit_test(ecn_is_carried_by_rfc_6040),
        cmocka_unit_test(packets_of_different_ecn_do_not_share_a_datagram),
        cmocka_unit_test(only_the_newest_datagram_says_where_the_peer_is),
        cmocka_unit_test(a_challenge_is_answered_where_it_came_from),
        cmocka_unit_test(a_close_is_reported_and_changes_nothing),
        cmocka_unit_test(without_encryption_only_the_trusted_address_counts),
        cmocka_unit_test(one_datagram_makes_few_events_whatever_is_in_it),
        cmocka_unit_test(one_feedback_a_datagram_is_read),
        cmocka_unit_test(the_address_that_the_peer_calls_is_the_one_that_speaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
