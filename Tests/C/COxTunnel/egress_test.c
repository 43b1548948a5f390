#include "ends.h"

static packet in[64], out[64];
static datagram wire[64];

static void lone_packets_cross_both_ways(void **state) {
    (void)state;
    for (int version = 4; version <= 6; version += 2) {
        ends t;
        ends_begin(&t);
        for (int back = 0; back < 2; back++) {
            end_of *from = back ? &t.b : &t.a, *to = back ? &t.a : &t.b;
            for (size_t len = version == 4 ? 28 : 48; len <= 1500; len += 13) {
                make_packet(in, version, len, (uint32_t)len, back, 0);
                send_packet(from, in, t.now);
                carry(from, to, t.now);
                assert_int_equal(1, take_packets(to, out, 64));
                assert_packet(in, out);
            }
        }
        assert_int_equal(0, all_drops(&t.a));
        assert_int_equal(0, all_drops(&t.b));
        ends_finish(&t);
    }
}

static void a_game_packet_costs_at_most_26_bytes(void **state) {
    (void)state;
    for (uint32_t id_bytes = 1; id_bytes <= 3; id_bytes++) {
        ends t;
        ends_begin_with(&t, (ends_options){.id_bytes = id_bytes});
        // Nothing is acknowledged: the packet number takes ever more bytes.
        for (uint32_t i = 0; i < 20000; i++) {
            make_packet(in, 4, 92, i, false, 0);
            send_packet(&t.a, in, t.now);
            assert_int_equal(1, take_datagrams(&t.a, wire, 1, false));
            uint32_t number_bytes = i < 32 ? 1 : i < 8192 ? 2 : 3;
            assert_int_equal(92 + 1 + id_bytes + number_bytes + 16, wire[0].len);
            if (number_bytes <= 2) assert_true(wire[0].len - 92 - 16 >= 3 && wire[0].len - 92 - 16 <= 6);
            assert_true(wire[0].len <= 92 + 26);
        }
        ends_finish(&t);
    }
}

static void small_packets_share_a_datagram(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    ox_list list = {0};
    for (uint32_t i = 0; i < 10; i++) {
        make_packet(&in[i], i % 2 ? 6 : 4, 60 + i, i, false, 0);
        add_packet(&t.a, &list, &in[i]);
    }
    ox_tunnel_egress(t.a.tunnel, &list, t.now);
    assert_int_equal(1, take_datagrams(&t.a, wire, 64, false));
    give_datagram(&t.b, wire, t.now);
    assert_int_equal(10, take_packets(&t.b, out, 64));
    for (uint32_t i = 0; i < 10; i++) assert_packet(&in[i], &out[i]);
    ends_finish(&t);
}

static void batches_are_off_by_policy_or_when_not_agreed(void **state) {
    (void)state;
    for (int by_policy = 0; by_policy < 2; by_policy++) {
        ends t;
        ends_begin_with(&t, (ends_options){.no_batch = !by_policy});
        t.a.policy.batch = !by_policy;
        ox_tunnel_set_policy(t.a.tunnel, &t.a.policy);
        ox_list list = {0};
        for (uint32_t i = 0; i < 10; i++) {
            make_packet(&in[i], 4, i == 5 ? 1500 : 60, i, false, 0);
            add_packet(&t.a, &list, &in[i]);
        }
        ox_tunnel_egress(t.a.tunnel, &list, t.now);
        assert_int_equal(11, take_datagrams(&t.a, wire, 64, false));
        for (uint32_t i = 0; i < 11; i++) give_datagram(&t.b, &wire[i], t.now);
        assert_int_equal(10, take_packets(&t.b, out, 64));
        for (uint32_t i = 0; i < 10; i++) assert_packet(&in[i], &out[i]);
        ends_finish(&t);
    }
}

static void without_splits_a_packet_too_big_is_answered(void **state) {
    (void)state;
    for (int version = 4; version <= 6; version += 2) {
        ends t;
        ends_begin_with(&t, (ends_options){.no_split = true});
        uint32_t room = ox_session_room(t.a.session);
        make_packet(in, version, room, 1, false, 0);
        send_packet(&t.a, in, t.now);
        assert_int_equal(1, carry(&t.a, &t.b, t.now));
        assert_int_equal(1, forget_packets(&t.b));
        make_packet(in, version, room + 1, 1, false, 0);
        send_packet(&t.a, in, t.now);
        assert_int_equal(0, forget_datagrams(&t.a));
        assert_int_equal(1, drops(&t.a, OX_DROP_PACKET_TOO_BIG));
        assert_int_equal(1, take_packets(&t.a, out, 64));
        ox_headers headers;
        assert_int_equal(OX_PASS, ox_parse(out->bytes, out->len, &headers));
        const uint8_t *icmp = out->bytes + headers.transport_offset;
        assert_int_equal(version == 4 ? 3 : 2, icmp[0]);
        assert_int_equal(room, version == 4 ? ox_load_be16(icmp + 6) : ox_load_be32(icmp + 4));
        assert_int_equal(1, out->bytes[version == 4 ? 19 : 39]); // to the sender
        ends_finish(&t);
    }
}

static void the_inner_mtu_of_the_policy_holds(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    t.a.policy.inner_mtu = 1400;
    ox_tunnel_set_policy(t.a.tunnel, &t.a.policy);
    make_packet(in, 4, 1400, 1, false, 0);
    send_packet(&t.a, in, t.now);
    assert_true(forget_datagrams(&t.a) > 0);
    make_packet(in, 4, 1401, 1, false, 0);
    send_packet(&t.a, in, t.now);
    assert_int_equal(0, forget_datagrams(&t.a));
    assert_int_equal(1, take_packets(&t.a, out, 64));
    assert_int_equal(1400, ox_load_be16(out->bytes + 26));
    ends_finish(&t);
}

static void what_cannot_leave_has_a_name(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    make_packet(in, 4, 100, 1, false, 0);
    in->bytes[19] = 9;
    send_packet(&t.a, in, t.now);
    assert_int_equal(1, drops(&t.a, OX_DROP_NO_ROUTE));
    make_packet(in, 4, 100, 1, false, 0);
    in->bytes[3]--;
    send_packet(&t.a, in, t.now);
    assert_int_equal(1, drops(&t.a, OX_DROP_PACKET_LENGTH));
    assert_int_equal(2, all_drops(&t.a));
    assert_int_equal(0, forget_datagrams(&t.a));
    ends_finish(&t);
}

static void every_packet_without_an_address_is_counted(void **state) {
    (void)state;
    ends t;
    ends_begin_with(&t, (ends_options){.no_address = true});
    ox_list list = {0};
    for (uint32_t i = 0; i < 10; i++) {
        make_packet(in, 4, i == 9 ? 1500 : 60, i, false, 0);
        add_packet(&t.a, &list, in);
    }
    ox_tunnel_egress(t.a.tunnel, &list, t.now);
    assert_int_equal(0, forget_datagrams(&t.a));
    assert_int_equal(10, drops(&t.a, OX_DROP_NO_ADDRESS));
    assert_int_equal(10, all_drops(&t.a));
    ends_finish(&t);
}

static void packets_wait_for_a_session(void **state) {
    (void)state;
    ends t;
    ox_event event;
    ends_begin_with(&t, (ends_options){.unused = true});
    for (uint32_t i = 0; i < OX_STAGED_MAX + 6; i++) {
        make_packet(in, 4, 40 + i, i, false, 0);
        send_packet(&t.a, in, t.now);
    }
    assert_true(take_event(&t.a, &event));
    assert_int_equal(OX_EVENT_PACKETS_WAITING, event.kind);
    assert_int_equal(7, event.peer);
    assert_false(take_event(&t.a, &event));
    assert_int_equal(6, drops(&t.a, OX_DROP_STAGE_FULL));
    t.now += SECOND; // the controller is asked again once a second
    send_packet(&t.a, in, t.now);
    assert_true(take_event(&t.a, &event));
    assert_int_equal(OX_EVENT_PACKETS_WAITING, event.kind);
    assert_int_equal(7, drops(&t.a, OX_DROP_STAGE_FULL));

    ox_tunnel_use_session(t.a.tunnel, t.a.local, true, t.now);
    carry(&t.a, &t.b, t.now);
    assert_int_equal(OX_STAGED_MAX, take_packets(&t.b, out, 64));
    make_packet(in, 4, 47, 7, false, 0); // the oldest were let go
    assert_packet(in, &out[0]);
    ends_finish(&t);
}

static void using_a_session_confirms_it_even_when_all_that_waited_is_dropped(void **state) {
    (void)state;
    ends t;
    ends_begin_with(&t, (ends_options){.unused = true});
    make_packet(in, 4, 60, 1, false, 0);
    send_packet(&t.a, in, t.now);
    t.a.policy.routes = NULL;
    ox_tunnel_set_policy(t.a.tunnel, &t.a.policy);
    ox_tunnel_use_session(t.a.tunnel, t.a.local, true, t.now);
    assert_int_equal(1, drops(&t.a, OX_DROP_NO_ROUTE));
    assert_int_equal(1, forget_datagrams(&t.a));
    ends_finish(&t);
}

static void what_waits_for_many_peers_never_takes_all_buffers(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    enum { PEERS = 64 };
    ox_route routes[PEERS];
    ox_peer *peers[PEERS];
    for (uint32_t i = 0; i < PEERS; i++) {
        routes[i] = v4_route(10, 1, 0, (uint8_t)i, 32, 100 + i);
        peers[i] = ox_peer_create(100 + i);
        ox_tunnel_add_peer(t.a.tunnel, peers[i]);
    }
    ox_routes *many = ox_routes_create(routes, PEERS);
    t.a.policy.routes = many;
    ox_tunnel_set_policy(t.a.tunnel, &t.a.policy);
    for (uint32_t n = 0; n < PEERS * OX_STAGED_MAX; n++) {
        make_packet(in, 4, 60, n, false, 0);
        in->bytes[17] = 1;
        in->bytes[19] = (uint8_t)(n % PEERS);
        ox_store_be16(in->bytes + 10, v4_checksum(in->bytes));
        sum_packet(in);
        send_packet(&t.a, in, t.now);
    }
    assert_true(ox_pool_free(t.a.pool, OX_BUF_SMALL) >= ENDS_POOL / 4);
    assert_int_equal(PEERS * OX_STAGED_MAX,
                     drops(&t.a, OX_DROP_STAGE_FULL) + ENDS_POOL - ox_pool_free(t.a.pool, OX_BUF_SMALL));
    for (uint32_t i = 0; i < PEERS; i++) ox_peer_destroy(ox_tunnel_remove_peer(t.a.tunnel, 100 + i));
    t.a.policy.routes = NULL;
    ox_tunnel_set_policy(t.a.tunnel, &t.a.policy);
    ox_routes_destroy(many);
    ends_finish(&t);
}

static void an_expired_session_neither_sends_nor_receives(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    make_packet(in, 4, 60, 1, false, 0);
    send_packet(&t.a, in, t.now);
    send_packet(&t.a, in, t.now);
    assert_int_equal(2, take_datagrams(&t.a, wire, 2, false));
    give_datagram(&t.b, &wire[0], t.now + t.b.policy.reject_after_ns - 1);
    assert_int_equal(1, forget_packets(&t.b));
    give_datagram(&t.b, &wire[1], t.now + t.b.policy.reject_after_ns);
    assert_int_equal(0, forget_packets(&t.b));
    assert_int_equal(1, drops(&t.b, OX_DROP_KEY_EXPIRED));
    forget_events(&t.a);
    send_packet(&t.a, in, t.now + t.a.policy.reject_after_ns);
    assert_int_equal(0, forget_datagrams(&t.a));
    ox_event event;
    assert_true(find_event(&t.a, OX_EVENT_PACKETS_WAITING, &event));
    ox_tunnel_drop_staged(t.a.tunnel, 7, OX_DROP_NO_SESSION);
    assert_int_equal(1, drops(&t.a, OX_DROP_NO_SESSION));
    ends_finish(&t);
}

static void traffic_to_many_peers_does_not_mix(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    // Every other packet goes to a peer without a session: the open datagram of the first is not disturbed.
    ox_peer *other = ox_peer_create(9);
    ox_tunnel_add_peer(t.a.tunnel, other);
    ox_route routes[2] = {v4_route(10, 0, 0, 2, 32, 7), v4_route(10, 0, 0, 0, 24, 9)};
    ox_routes *both = ox_routes_create(routes, 2);
    t.a.policy.routes = both;
    ox_tunnel_set_policy(t.a.tunnel, &t.a.policy);
    ox_list list = {0};
    for (uint32_t i = 0; i < 8; i++) {
        make_packet(in, 4, 60, i, false, 0);
        in->bytes[19] = i % 2 ? 200 : 2;
        ox_store_be16(in->bytes + 10, v4_checksum(in->bytes));
        sum_packet(in);
        add_packet(&t.a, &list, in);
    }
    ox_tunnel_egress(t.a.tunnel, &list, t.now);
    assert_int_equal(1, carry(&t.a, &t.b, t.now));
    assert_int_equal(4, forget_packets(&t.b));
    assert_int_equal(4, other->staged.count);
    ox_peer_destroy(ox_tunnel_remove_peer(t.a.tunnel, 9));
    assert_int_equal(4, all_drops(&t.a));
    t.a.policy.routes = NULL;
    ox_tunnel_set_policy(t.a.tunnel, &t.a.policy);
    ox_routes_destroy(both);
    ends_finish(&t);
}

static void the_controller_is_told_once_a_second_that_packets_wait(void **state) {
    (void)state;
    ends t;
    ends_begin_with(&t, (ends_options){.unused = true});
    forget_events(&t.a);
    uint32_t told = 0;
    ox_event event;
    packet p;
    make_packet(&p, 4, 60, 1, false, 0);
    for (uint32_t i = 0; i < 3000; i++) {
        send_packet(&t.a, &p, t.now + i * MS);
        while (take_event(&t.a, &event)) told += event.kind == OX_EVENT_PACKETS_WAITING;
        // Dropped at once: an empty list must not make it speak again.
        if (i % 2 == 0) ox_tunnel_drop_staged(t.a.tunnel, 7, OX_DROP_NO_SESSION);
    }
    assert_in_range(told, 3, 4);
    ox_tunnel_drop_staged(t.a.tunnel, 7, OX_DROP_NO_SESSION);
    ends_finish(&t);
}

static void a_key_of_aes_gcm_ends_at_its_limit(void **state) {
    (void)state;
    if (!ox_aead_available(OX_AEAD_AES256GCM)) {
        print_message("# SKIP this machine has no AES instructions\n");
        skip();
    }
    ends t;
    ends_begin_with(&t, (ends_options){.aead = OX_AEAD_AES256GCM});
    t.a.session->next_expected = t.a.session->next_number = (UINT64_C(1) << 28) - OX_TRAIN_CARS_MAX - 1;
    packet p;
    make_packet(&p, 4, 60, 1, false, 0);
    ox_verdict last = ox_session_can_send(t.a.tunnel, t.a.session, &t.b.address, t.now);
    assert_int_equal(OX_PASS, last);
    t.a.session->next_number++;
    send_packet(&t.a, &p, t.now);
    assert_int_equal(1, drops(&t.a, OX_DROP_NUMBERS_SPENT));
    assert_int_equal(0, forget_datagrams(&t.a));
    ends_finish(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lone_packets_cross_both_ways),
        cmocka_unit_test(a_game_packet_costs_at_most_26_bytes),
        cmocka_unit_test(small_packets_share_a_datagram),
        cmocka_unit_test(batches_are_off_by_policy_or_when_not_agreed),
        cmocka_unit_test(without_splits_a_packet_too_big_is_answered),
        cmocka_unit_test(the_inner_mtu_of_the_policy_holds),
        cmocka_unit_test(what_cannot_leave_has_a_name),
        cmocka_unit_test(every_packet_without_an_address_is_counted),
        cmocka_unit_test(packets_wait_for_a_session),
        cmocka_unit_test(using_a_session_confirms_it_even_when_all_that_waited_is_dropped),
        cmocka_unit_test(what_waits_for_many_peers_never_takes_all_buffers),
        cmocka_unit_test(an_expired_session_neither_sends_nor_receives),
        cmocka_unit_test(traffic_to_many_peers_does_not_mix),
        cmocka_unit_test(the_controller_is_told_once_a_second_that_packets_wait),
        cmocka_unit_test(a_key_of_aes_gcm_ends_at_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
