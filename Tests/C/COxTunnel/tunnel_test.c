#include "ends.h"

static packet in[1], out[8];
static datagram wire[64];

static void an_inside_that_is_destroyed_returns_its_buffers(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    make_packet(in, 4, 1500, 1, false, 0);
    send_packet(&t.a, in, t.now); // two datagrams wait for the network
    assert_int_equal(2, t.a.tunnel->network.count);
    assert_int_equal(2, take_datagrams(&t.a, wire, 2, false));
    give_datagram(&t.b, &wire[0], t.now); // half of a packet
    make_packet(in, 4, 60, 1, false, 0);
    send_packet(&t.a, in, t.now);
    assert_int_equal(1, take_datagrams(&t.a, wire, 2, false));
    give_datagram(&t.b, &wire[0], t.now); // one for the device
    assert_true(ox_pool_free(t.b.pool, OX_BUF_SMALL) < ENDS_POOL);
    ends_finish(&t);
}

static void a_session_that_is_removed_is_used_no_more(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    make_packet(in, 4, 60, 1, false, 0);
    send_packet(&t.a, in, t.now);
    assert_int_equal(1, take_datagrams(&t.a, wire, 1, false));
    give_datagram(&t.b, wire, t.now); // b owes feedback and a report
    assert_ptr_equal(t.b.session, ox_tunnel_remove_session(t.b.tunnel, t.b.local));
    assert_null(ox_tunnel_remove_session(t.b.tunnel, t.b.local));
    assert_int_equal(UINT64_MAX, ox_tunnel_advance(t.b.tunnel, t.now + SECOND));
    assert_int_equal(0, forget_datagrams(&t.b));
    send_packet(&t.a, in, t.now);
    carry(&t.a, &t.b, t.now);
    assert_int_equal(1, drops(&t.b, OX_DROP_SESSION_UNKNOWN));
    make_packet(in, 4, 60, 1, true, 0);
    send_packet(&t.b, in, t.now);
    assert_int_equal(1, t.b.peer->staged.count);
    forget_packets(&t.b);
    // Its id may be given to another, which starts anew.
    assert_null(ox_tunnel_add_session(t.b.tunnel, t.b.session));
    ends_finish(&t);
}

static void rekeying_honours_the_previous_session(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    make_packet(in, 4, 60, 1, false, 0);
    send_packet(&t.a, in, t.now);
    assert_int_equal(1, take_datagrams(&t.a, wire, 1, false));
    ox_keys *keys[2];
    ends_keys(&t.a, &t.b, OX_AEAD_CHACHA20POLY1305, keys);
    ends_options o = {.mtu = 1200, .id_bytes = 2, .unused = true};
    uint32_t old_a_local = t.a.local, old_b_local = t.b.local;
    t.a.local = 1021;
    t.b.local = 1034;
    end_session(&t.b, &t.a, keys[1], &o, t.now);
    end_session(&t.a, &t.b, keys[0], &o, t.now);
    ox_tunnel_use_session(t.a.tunnel, t.a.local, true, t.now);
    ox_event event;
    forget_events(&t.b);
    assert_int_equal(1, carry(&t.a, &t.b, t.now)); // the keepalive that confirms
    assert_true(find_event(&t.b, OX_EVENT_SESSION_CONFIRMED, &event));
    assert_int_equal(1034, event.session);
    give_datagram(&t.b, wire, t.now); // late, by the previous keys
    assert_int_equal(1, forget_packets(&t.b));
    send_packet(&t.a, in, t.now);
    assert_int_equal(1, take_datagrams(&t.a, wire, 1, false));
    assert_int_equal(1034, wire[0].bytes[1] | wire[0].bytes[2] << 8);
    ox_session_destroy(ox_tunnel_remove_session(t.a.tunnel, old_a_local));
    ox_session_destroy(ox_tunnel_remove_session(t.b.tunnel, old_b_local));
    ends_finish(&t);
}

static void numbers_run_out_before_they_are_ambiguous(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    make_packet(in, 4, 60, 1, false, 0);
    uint64_t last = ((uint64_t)1 << 31) - 1;
    // As if so many had left that nobody acknowledged.
    t.a.session->next_number = last + 1;
    send_packet(&t.a, in, t.now);
    assert_int_equal(1, drops(&t.a, OX_DROP_NUMBERS_SPENT));
    assert_int_equal(0, forget_datagrams(&t.a));
    t.a.session->next_number = 0;
    ends_finish(&t);
}

static void a_peer_that_goes_takes_what_was_staged(void **state) {
    (void)state;
    ends t;
    ends_begin_with(&t, (ends_options){.unused = true});
    make_packet(in, 4, 60, 1, false, 0);
    for (uint32_t i = 0; i < 5; i++) send_packet(&t.a, in, t.now);
    ox_session_destroy(ox_tunnel_remove_session(t.a.tunnel, t.a.local));
    assert_ptr_equal(t.a.peer, ox_tunnel_remove_peer(t.a.tunnel, 7));
    assert_null(ox_tunnel_remove_peer(t.a.tunnel, 7));
    assert_int_equal(5, drops(&t.a, OX_DROP_NO_ROUTE));
    send_packet(&t.a, in, t.now); // its routes are still there: nobody to send to
    assert_int_equal(6, drops(&t.a, OX_DROP_NO_ROUTE));
    ox_tunnel_add_peer(t.a.tunnel, t.a.peer);
    t.a.local = UINT32_MAX;
    ends_finish(&t);
}

static void the_mtu_is_never_below_what_every_path_carries(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    ox_tunnel_set_mtu(t.a.tunnel, 7, 0, 100);
    assert_int_equal(OX_MTU_BASE, t.a.peer->paths[0].mtu);
    ox_tunnel_set_mtu(t.a.tunnel, 7, 0, 9000); // larger than a buffer: packets still fit
    t.a.mtu = 9000;
    ox_list list = {0};
    for (uint32_t i = 0; i < 8; i++) {
        make_packet(in, 4, 700, i, false, 0);
        add_packet(&t.a, &list, in);
    }
    ox_tunnel_egress(t.a.tunnel, &list, t.now);
    carry(&t.a, &t.b, t.now);
    assert_int_equal(8, take_packets(&t.b, out, 8));
    ends_finish(&t);
}

static void handshakes_and_edges(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    (void)ox_tunnel_take_edge(t.a.tunnel);
    assert_false(ox_tunnel_take_edge(t.a.tunnel));
    const uint8_t bytes[64] = {OX_TYPE_COOKIE_REPLY, 1};
    ox_tunnel_send_handshake(t.a.tunnel, bytes, sizeof bytes, &t.b.address);
    assert_int_equal(1, take_datagrams(&t.a, wire, 1, false));
    assert_true(wire[0].handshake);
    assert_memory_equal(bytes, wire[0].bytes, sizeof bytes);
    ox_tunnel_report(t.a.tunnel, &(ox_event){.kind = OX_EVENT_CLOSED});
    assert_true(ox_tunnel_take_edge(t.a.tunnel));
    assert_false(ox_tunnel_take_edge(t.a.tunnel));
    ends_finish(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_inside_that_is_destroyed_returns_its_buffers),
        cmocka_unit_test(a_session_that_is_removed_is_used_no_more),
        cmocka_unit_test(rekeying_honours_the_previous_session),
        cmocka_unit_test(numbers_run_out_before_they_are_ambiguous),
        cmocka_unit_test(a_peer_that_goes_takes_what_was_staged),
        cmocka_unit_test(the_mtu_is_never_below_what_every_path_carries),
        cmocka_unit_test(handshakes_and_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
