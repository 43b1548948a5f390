#include "ends.h"

static datagram wire[4096];

typedef struct gate {
    ends t;
    ox_handshake *initiator;
    uint8_t message[OX_HANDSHAKE_MAX];
    size_t len;
} gate;

static void begin(gate *g) {
    ends_begin(&g->t);
    g->initiator = ox_handshake_create();
    g->t.b.policy.handshakes_per_second = 10;
    g->t.b.policy.cookies_per_second = 20;
    g->t.b.policy.source_handshakes_per_second = 4;
    ox_tunnel_set_policy(g->t.b.tunnel, &g->t.b.policy);
    uint8_t payload[OX_OFFER_BYTES_MAX] = {0};
    assert_int_equal(OX_OK, ox_handshake_initiate(g->initiator, g->t.a.identity, ox_identity_public(g->t.b.identity),
                                                  payload, 1, payload, sizeof payload, g->message, &g->len));
    forget_events(&g->t.b);
}

static void finish(gate *g) {
    ox_handshake_destroy(g->initiator);
    ends_finish(&g->t);
}

static void give(gate *g, const uint8_t *bytes, size_t len, ox_address from) {
    static datagram d;
    memcpy(d.bytes, bytes, len);
    d.len = len;
    d.from = from;
    d.ecn = 0;
    give_datagram(&g->t.b, &d, g->t.now);
}

static void give_initiation(gate *g, uint8_t source) { give(g, g->message, g->len, v4_address(source, 1000)); }

static void a_handshake_goes_up_whole(void **state) {
    (void)state;
    gate g;
    ox_event event;
    begin(&g);
    give_initiation(&g, 9);
    assert_true(take_event(&g.t.b, &event));
    assert_int_equal(OX_EVENT_HANDSHAKE, event.kind);
    assert_int_equal(g.len, event.size);
    assert_memory_equal(g.message, event.datagram, g.len);
    assert_int_equal(9, event.address.ip[15]);
    assert_int_equal(0, all_drops(&g.t.b));
    assert_int_equal(0, forget_datagrams(&g.t.b)); // nobody is answered from here
    finish(&g);
}

static void strangers_are_met_with_silence(void **state) {
    (void)state;
    gate g;
    begin(&g);
    for (size_t at = 0; at + OX_MAC_BYTES < g.len; at++) { // mac2 is not looked at without load
        uint8_t forged[OX_HANDSHAKE_MAX];
        memcpy(forged, g.message, g.len);
        forged[at] ^= 0x20;
        uint64_t before = all_drops(&g.t.b);
        give(&g, forged, g.len, v4_address(9, 1));
        assert_int_equal(before + 1, all_drops(&g.t.b));
    }
    for (size_t len = 0; len < g.len; len++) give(&g, g.message, len, v4_address(9, 1));
    static const uint8_t types[] = {0, 4, 5, 0x3f, 0x80, 0xc0, 0xff};
    for (size_t i = 0; i < sizeof types; i++) {
        uint8_t forged[OX_HANDSHAKE_MAX];
        memcpy(forged, g.message, g.len);
        forged[0] = types[i];
        give(&g, forged, g.len, v4_address(9, 1));
    }
    assert_int_equal(g.len - OX_MAC_BYTES + g.len + sizeof types, all_drops(&g.t.b));
    assert_int_equal(0, forget_datagrams(&g.t.b));
    assert_int_equal(0, forget_events(&g.t.b));
    finish(&g);
}

static void load_asks_for_cookies(void **state) {
    (void)state;
    gate g;
    begin(&g);
    for (uint32_t i = 0; i < 10; i++) give_initiation(&g, (uint8_t)i);
    assert_int_equal(10, forget_events(&g.t.b));
    give_initiation(&g, 9);
    assert_int_equal(0, forget_events(&g.t.b));
    assert_int_equal(1, drops(&g.t.b, OX_DROP_HANDSHAKE_COOKIE_SENT));
    assert_int_equal(1, take_datagrams(&g.t.b, wire, 1, false));
    assert_true(wire[0].handshake);
    assert_true(wire[0].len <= g.len);
    uint8_t cookie[OX_COOKIE_BYTES];
    assert_int_equal(OX_OK, ox_cookie_read(ox_identity_public(g.t.b.identity), g.message, g.len, wire[0].bytes, wire[0].len,
                                           cookie));
    ox_handshake_set_mac2(g.message, g.len, cookie);
    give_initiation(&g, 8); // another's cookie
    assert_int_equal(0, forget_events(&g.t.b));
    give(&g, g.message, g.len, v4_address(9, 1001)); // another port
    assert_int_equal(0, forget_events(&g.t.b));
    give_initiation(&g, 9);
    assert_int_equal(1, forget_events(&g.t.b));
    // Its share is 4 a second.
    for (uint32_t i = 0; i < 10; i++) give_initiation(&g, 9);
    assert_int_equal(3, forget_events(&g.t.b));
    assert_int_equal(7, drops(&g.t.b, OX_DROP_HANDSHAKE_RATE));
    g.t.now += SECOND; // still under load in the second after
    give_initiation(&g, 9);
    assert_int_equal(1, forget_events(&g.t.b));
    forget_datagrams(&g.t.b);
    g.t.now += 5 * SECOND; // and over
    give_initiation(&g, 3);
    assert_int_equal(1, forget_events(&g.t.b));
    assert_int_equal(0, forget_datagrams(&g.t.b));
    finish(&g);
}

static void cookies_are_limited_but_never_cease(void **state) {
    (void)state;
    gate g;
    begin(&g);
    for (uint32_t second = 0; second < 5; second++) {
        uint64_t limited = drops(&g.t.b, OX_DROP_HANDSHAKE_COOKIE_LIMIT);
        for (uint32_t i = 0; i < 100; i++) give_initiation(&g, (uint8_t)i);
        uint32_t asked = second == 0 ? 90 : 100;
        assert_int_equal(20, forget_datagrams(&g.t.b));
        assert_int_equal(limited + asked - 20, drops(&g.t.b, OX_DROP_HANDSHAKE_COOKIE_LIMIT));
        g.t.now += SECOND;
    }
    finish(&g);
}

static void one_source_leaves_cookies_for_others(void **state) {
    (void)state;
    gate g;
    begin(&g);
    for (uint32_t i = 0; i < 1000; i++) give_initiation(&g, 1);
    assert_int_equal(10, forget_events(&g.t.b));
    assert_int_equal(8, forget_datagrams(&g.t.b));
    give_initiation(&g, 2);
    assert_int_equal(1, forget_datagrams(&g.t.b));
    g.t.now += SECOND;
    give_initiation(&g, 1);
    assert_int_equal(1, forget_datagrams(&g.t.b));
    finish(&g);
}

static size_t make_response(gate *g, uint8_t out[OX_HANDSHAKE_MAX]) {
    // b initiates, a responds: what b is given is a response to b.
    ox_handshake *responder = ox_handshake_create();
    uint8_t payload[OX_HANDSHAKE_PAYLOAD_MAX] = {0}, message[OX_HANDSHAKE_MAX], remote[OX_KEY_BYTES];
    size_t len, payload_len;
    uint32_t index;
    assert_int_equal(OX_OK, ox_handshake_initiate(g->initiator, g->t.b.identity, ox_identity_public(g->t.a.identity),
                                                  payload, 1, payload, 100, message, &len));
    ox_tunnel_send_handshake(g->t.b.tunnel, message, len, &g->t.a.address);
    assert_int_equal(1, forget_datagrams(&g->t.b));
    assert_int_equal(OX_OK, ox_handshake_read_initiation(responder, g->t.a.identity, message, len, remote, &index, payload,
                                                         &payload_len));
    memset(payload, 0, sizeof payload);
    assert_int_equal(OX_OK, ox_handshake_respond(responder, payload, 2, payload, 100, out, &len));
    ox_handshake_destroy(responder);
    return len;
}

static void forged_cookie_replies_do_not_displace_responses(void **state) {
    (void)state;
    gate g;
    begin(&g);
    uint8_t response[OX_HANDSHAKE_MAX];
    size_t len = make_response(&g, response);
    uint8_t reply[OX_COOKIE_REPLY_BYTES] = {OX_TYPE_COOKIE_REPLY, OX_WIRE_VERSION, [4] = 2};
    give(&g, reply, sizeof reply, v4_address(9, 1));
    assert_int_equal(1, drops(&g.t.b, OX_DROP_HANDSHAKE_UNEXPECTED));
    assert_int_equal(0, forget_events(&g.t.b));
    reply[4] = 1; // even if the index is guessed
    for (uint32_t second = 0; second < 3; second++) {
        for (uint32_t i = 0; i < 500; i++) give(&g, reply, sizeof reply, v4_address(9, 1)); // anyone can send these
        assert_int_equal(10, forget_events(&g.t.b)); // each second some are looked at
        give(&g, response, len, v4_address(9, 1));
        assert_int_equal(1, forget_events(&g.t.b));
        g.t.now += SECOND;
    }
    finish(&g);
}

static void initiations_do_not_displace_responses(void **state) {
    (void)state;
    gate g;
    begin(&g);
    uint8_t response[OX_HANDSHAKE_MAX];
    for (uint32_t i = 0; i < 500; i++) give_initiation(&g, (uint8_t)i);
    forget_events(&g.t.b);
    forget_datagrams(&g.t.b);
    size_t len = make_response(&g, response);
    give(&g, response, len, v4_address(9, 1));
    assert_int_equal(1, forget_events(&g.t.b));
    finish(&g);
}

static void ipv6_sources_count_by_their_network(void **state) {
    (void)state;
    gate g;
    begin(&g);
    uint32_t passed = 0;
    for (uint32_t i = 0; i < 10; i++) give_initiation(&g, 1); // load
    forget_events(&g.t.b);
    for (uint32_t i = 0; i < 8; i++) {
        ox_address from = {.ip = {0x20, 1, 0xd, 0xb8, [15] = (uint8_t)i}, .port = 5};
        uint8_t cookie[OX_COOKIE_BYTES];
        memset(g.message + g.len - OX_MAC_BYTES, 0, OX_MAC_BYTES);
        give(&g, g.message, g.len, from);
        assert_int_equal(1, take_datagrams(&g.t.b, wire, 1, false));
        assert_int_equal(OX_OK, ox_cookie_read(ox_identity_public(g.t.b.identity), g.message, g.len, wire[0].bytes,
                                               wire[0].len, cookie));
        ox_handshake_set_mac2(g.message, g.len, cookie);
        give(&g, g.message, g.len, from);
        passed += forget_events(&g.t.b);
    }
    assert_int_equal(4, passed);
    finish(&g);
}

static void a_full_ring_is_counted(void **state) {
    (void)state;
    gate g;
    begin(&g);
    g.t.b.policy.handshakes_per_second = 5000;
    ox_tunnel_set_policy(g.t.b.tunnel, &g.t.b.policy);
    forget_events(&g.t.b);
    // Handshakes leave room for what happens once.
    for (uint32_t i = 0; i < ENDS_EVENTS + 10; i++) give_initiation(&g, 1);
    assert_int_equal(OX_EVENTS_RESERVED + 10, drops(&g.t.b, OX_DROP_EVENT_RING_FULL));
    ox_tunnel_send_close(g.t.a.tunnel, g.t.a.local, 1, g.t.now);
    carry(&g.t.a, &g.t.b, g.t.now);
    ox_event event;
    assert_true(find_event(&g.t.b, OX_EVENT_CLOSED, &event));
    finish(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_goes_up_whole),
        cmocka_unit_test(strangers_are_met_with_silence),
        cmocka_unit_test(load_asks_for_cookies),
        cmocka_unit_test(cookies_are_limited_but_never_cease),
        cmocka_unit_test(one_source_leaves_cookies_for_others),
        cmocka_unit_test(forged_cookie_replies_do_not_displace_responses),
        cmocka_unit_test(initiations_do_not_displace_responses),
        cmocka_unit_test(ipv6_sources_count_by_their_network),
        cmocka_unit_test(a_full_ring_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
