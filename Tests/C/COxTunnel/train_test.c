/* Super-packets cross as trains, whole. */
#include "trains.h"

static shipment s;
static packet in, out[4];
static datagram cars[CARS_MAX];

/* All cars have one size but the last; each tells its place. UDP's first one is as long as whole datagrams allow. */
static void check_cars(const ends *t, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        ox_header header = header_of(&t->b, &cars[i]);
        assert_true(header.car);
        assert_int_equal(i, header.car_index);
        assert_int_equal(i + 1 == count, header.car_last);
        if (is_tcp(&s) && i + 1 < count) assert_int_equal(cars[0].len, cars[i].len);
        if (!is_tcp(&s) && i > 0 && i + 1 < count) assert_int_equal(cars[1].len, cars[i].len);
        if (is_tcp(&s)) assert_true(cars[i].len <= cars[0].len);
    }
}

/* The shipment goes, and comes as it went: one buffer, octet for octet. Returns its cars. */
static uint32_t crosses(ends *t, uint32_t group) {
    send_super(&t->a, &s, t->now);
    uint32_t count = take_cars(&t->a, cars, CARS_MAX);
    check_cars(t, count);
    give_range(&t->b, cars, 0, count, group, t->now);
    ox_list list = {0};
    ox_tunnel_take_device(t->b.tunnel, &list);
    assert_int_equal(1, list.count);
    ox_buf *buf = ox_list_take(&list);
    assert_int_equal(s.p.len, buf->len);
    assert_memory_equal(s.p.bytes, buf->data, buf->len);
    assert_int_equal(s.segment, buf->segment);
    check_super(&t->b, &s, buf);
    expect_all(&s);
    ox_pool_put(t->b.pool, buf);
    assert_int_equal(0, t->b.tunnel->trains_open);
    forget_events(&t->a);
    forget_events(&t->b);
    return count;
}

static void lengths_around_the_limits(ends *t, uint8_t version, uint8_t options, uint32_t group) {
    spec is = tcp_spec(version);
    is.options = options;
    is.flags = ACK | PSH;
    uint32_t head = spec_header_bytes(&is), meta = OX_TRAIN_META_BYTES + head, segment = 1500 - head;
    uint32_t most = (version == 4 ? 65535 : 65575) - head;
    for (uint32_t n = 2; n <= 58; n = n < 5 ? n + 1 : n + 26) {
        for (int around = -2; around <= 2; around++) {
            for (int copied = 0; copied < 2; copied++) {
                // The content alone, or with the copy and its length, fills n cars.
                uint32_t room = room_of(&t->a), full = n * room - (copied ? meta + 1 : 0);
                is.payload = full + (uint32_t)around - meta;
                is.sequence += is.payload;
                if (is.payload <= segment || is.payload > most) continue;
                make_super(&s, is, segment);
                uint32_t count = crosses(t, group);
                assert_true(count == n || count == n + 1);
            }
        }
    }
    const uint32_t others[] = {segment + 1, 2 * segment, 2 * segment + 1, most - 1, most};
    for (uint32_t i = 0; i < 5; i++) {
        is.payload = others[i];
        make_super(&s, is, segment);
        crosses(t, group);
    }
    for (is.payload = 101; is.payload < 3000; is.payload += 13) { // one car is enough at first
        make_super(&s, is, 100);
        uint32_t count = crosses(t, group);
        assert_int_equal(OX_TRAIN_META_BYTES + s.p.len + 1 <= room_of(&t->a), count == 1);
    }
}

static void tcp_of_every_length_crosses(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 9; i++) {
        static const ox_aead aeads[3] = {OX_AEAD_CHACHA20POLY1305, OX_AEAD_AES256GCM, OX_AEAD_NONE};
        ox_aead aead = aeads[i % 3];
        ends t;
        assert_int_equal(OX_OK, ox_init());
        if (!ox_aead_available(aead)) continue;
        ends_begin_with(&t, (ends_options){.aead = aead, .no_encryption = aead == OX_AEAD_NONE, .mtu = 1200 + 34 * i,
                                           .id_bytes = 1 + i / 3});
        lengths_around_the_limits(&t, i % 2 ? 4 : 6, (uint8_t)(i * 12 % 44), i % 2 ? 64 : 1);
        assert_int_equal(0, all_drops(&t.a) + all_drops(&t.b));
        ends_finish(&t);
    }
}

static void udp_of_every_size_crosses_and_no_datagram_is_cut(void **state) {
    (void)state;
    for (uint32_t mtu = 1200; mtu <= 1472; mtu += 136) {
        ends t;
        ends_begin_with(&t, (ends_options){.mtu = mtu});
        for (uint32_t size = 1; size <= 1472; size += size < 40 || size > 1100 ? 1 : 7) {
            uint8_t version = size % 2 || size < 4 ? 4 : 6;
            uint32_t head = version == 4 ? 28 : 48, most = OX_INNER_MTU - head;
            if (size > most) continue;
            uint32_t payload = size * (2 + size % 43) - size / 3;
            if (payload > 65000) payload = 65000;
            if (payload % size < 4) payload -= payload % size; // the last one has room for its index
            udp_super(&s, version, payload, size);
            if (size > room_of(&t.a) - 1) { // not one fits into a car: they go packet by packet
                send_super(&t.a, &s, t.now);
                assert_true(take_cars(&t.a, cars, CARS_MAX) >= 2);
                assert_false(header_of(&t.b, &cars[0]).car);
                continue;
            }
            uint32_t count = crosses(&t, size % 3 ? 64 : 1);
            for (uint32_t i = 0; i < count; i++) {
                uint32_t from, until;
                span_of(&t.b, &s, cars, count, i, &from, &until);
                assert_int_equal(0, from % size);
                assert_true(until % size == 0 || until == payload);
            }
        }
        assert_int_equal(0, all_drops(&t.a) + all_drops(&t.b));
        ends_finish(&t);
    }
}

static void udp_that_makes_too_many_cars_goes_packet_by_packet(void **state) {
    (void)state;
    ends t;
    static datagram many[512];
    ends_begin(&t);
    udp_super(&s, 4, 600 * 100, 600); // a car would hold one
    send_super(&t.a, &s, t.now);
    uint32_t count = take_cars(&t.a, many, 512);
    uint32_t got = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_false(header_of(&t.b, &many[i]).car);
        give_datagram(&t.b, &many[i], t.now);
        for (uint32_t n; (n = take_packets(&t.b, out, 4)) > 0; got += n)
            for (uint32_t k = 0; k < n; k++) check_piece(&s, out[k].bytes, (uint32_t)out[k].len);
    }
    assert_int_equal(100, got);
    expect_all(&s);
    assert_int_equal(0, all_drops(&t.a) + all_drops(&t.b));
    ends_finish(&t);
}

static void a_single_segment_is_a_packet(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    for (uint32_t i = 0; i < 2; i++) {
        if (i == 0) tcp_super(&s, 4, 1000, 1000);
        else udp_super(&s, 6, 900, 1000);
        send_super(&t.a, &s, t.now);
        assert_int_equal(1, take_cars(&t.a, cars, 2));
        assert_false(header_of(&t.b, cars).car);
        give_datagram(&t.b, cars, t.now);
        assert_int_equal(1, take_packets(&t.b, out, 2));
        check_piece(&s, out->bytes, (uint32_t)out->len);
        expect_all(&s);
    }
    ends_finish(&t);
}

static void without_the_feature_a_super_packet_is_cut(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        ends t;
        ends_begin_with(&t, (ends_options){.no_train = i % 2 == 0, .mtu = 1472});
        if (i % 2 == 1) {
            t.a.policy.train = false;
            ox_tunnel_set_policy(t.a.tunnel, &t.a.policy);
        }
        if (i < 2) tcp_super(&s, 4, 20 * 1448 - 7, 1448);
        else udp_super(&s, 6, 20 * 1000, 1000);
        send_super(&t.a, &s, t.now);
        uint32_t count = take_cars(&t.a, cars, CARS_MAX), got = 0;
        for (uint32_t c = 0; c < count; c++) {
            assert_false(header_of(&t.b, &cars[c]).car);
            give_datagram(&t.b, &cars[c], t.now);
            for (uint32_t n; (n = take_packets(&t.b, out, 4)) > 0; got += n)
                for (uint32_t k = 0; k < n; k++) check_piece(&s, out[k].bytes, (uint32_t)out[k].len);
        }
        assert_int_equal(20, got);
        expect_all(&s);
        assert_int_equal(0, all_drops(&t.a) + all_drops(&t.b));
        ends_finish(&t);
    }
}

static void what_waited_for_a_session_has_right_checksums(void **state) {
    (void)state;
    ends t;
    ends_begin_with(&t, (ends_options){.unused = true});
    tcp_super(&s, 4, 5 * 1000, 1000);
    send_super(&t.a, &s, t.now);
    udp_super(&s, 4, 700, 1000); // one packet, whose checksum the device left partial
    send_super(&t.a, &s, t.now);
    ox_tunnel_use_session(t.a.tunnel, t.a.local, false, t.now);
    uint32_t count = take_cars(&t.a, cars, CARS_MAX), got = 0;
    static packet all[16];
    for (uint32_t i = 0; i < count; i++) give_datagram(&t.b, &cars[i], t.now);
    got = take_packets(&t.b, all, 16);
    assert_int_equal(6, got);
    check_piece(&s, all[5].bytes, (uint32_t)all[5].len);
    tcp_super(&s, 4, 5 * 1000, 1000);
    for (uint32_t i = 0; i < 5; i++) check_piece(&s, all[i].bytes, (uint32_t)all[i].len);
    expect_all(&s);
    assert_int_equal(0, all_drops(&t.a) + all_drops(&t.b));
    ends_finish(&t);
}

static void without_large_buffers_all_its_packets_are_counted(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    for (uint32_t left = 0; left < 2; left++) {
        ox_list held = {0}, list = {0};
        tcp_super(&s, 4, 65535 - 52, 1448); // two buffers of cars
        ox_list_append(&list, super_buffer(&t.a, &s));
        while (ox_pool_free(t.a.pool, OX_BUF_LARGE) > left) ox_list_append(&held, ox_pool_get(t.a.pool, OX_BUF_LARGE));
        ox_tunnel_egress(t.a.tunnel, &list, t.now);
        assert_int_equal((left + 1) * 46, drops(&t.a, OX_DROP_POOL_EMPTY));
        assert_int_equal(0, forget_datagrams(&t.a));
        ox_pool_put_list(t.a.pool, &held);
    }
    tcp_super(&s, 4, 30000, 1448); // and at the other end, each car
    send_super(&t.a, &s, t.now);
    uint32_t count = take_cars(&t.a, cars, CARS_MAX);
    ox_list held = {0};
    while (ox_pool_free(t.b.pool, OX_BUF_LARGE) > 0) ox_list_append(&held, ox_pool_get(t.b.pool, OX_BUF_LARGE));
    give_range(&t.b, cars, 0, count, 1, t.now);
    assert_int_equal(count, drops(&t.b, OX_DROP_POOL_EMPTY));
    ox_pool_put_list(t.b.pool, &held);
    give_range(&t.b, cars, 0, count, 1, t.now); // as if it had not come
    assert_int_equal(1, collect(&t.b, &s));
    expect_all(&s);
    ends_finish(&t);
}

static void what_the_device_says_must_be_true(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    for (uint32_t i = 0; i < 5; i++) {
        tcp_super(&s, 4, 5000, 1000);
        ox_list list = {0};
        ox_buf *buf = super_buffer(&t.a, &s);
        if (i == 0) buf->transport++;
        if (i == 1) buf->checksum = OX_CHECKSUM_UNKNOWN;
        if (i == 2) buf->data[9] = 99; // neither TCP nor UDP
        if (i == 3) buf->data[6] |= 0x20; // a fragment
        if (i == 4) buf->data[s.is.version == 4 ? 32 : 52] = 0x10; // no TCP header
        ox_list_append(&list, buf);
        ox_tunnel_egress(t.a.tunnel, &list, t.now);
        assert_int_equal(5 + i, drops(&t.a, OX_DROP_PACKET_HEADER)); // the first had packets in it
        assert_int_equal(0, forget_datagrams(&t.a));
    }
    ends_finish(&t);
}

static void trains_and_datagrams_share_a_receive_buffer(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    // 44 of one train, two of the next and raw datagrams between them, all of one size, in one buffer.
    shipment *second = test_calloc(1, sizeof *second);
    tcp_super(&s, 4, 64000, 1448);
    send_super(&t.a, &s, t.now);
    uint32_t count = take_cars(&t.a, cars, CARS_MAX);
    assert_true(count > 46);
    make_packet(&in, 4, cars[0].len - 1 - 2 - 2 - OX_TAG_BYTES, 5, false, 0); // a raw packet that makes a datagram as long
    send_packet(&t.a, &in, t.now);
    uint32_t raw = count;
    assert_int_equal(1, take_cars(&t.a, cars + raw, 1));
    spec is = tcp_spec(6);
    is.payload = 20000;
    make_super(second, is, 1428);
    send_super(&t.a, second, t.now);
    uint32_t more = take_cars(&t.a, cars + raw + 1, CARS_MAX - raw - 1);
    assert_int_equal(cars[0].len, cars[raw].len);
    assert_int_equal(cars[0].len, cars[raw + 1].len);
    uint32_t which[CARS_MAX], n = 0;
    for (uint32_t i = 0; i < 44; i++) which[n++] = i;
    which[n++] = raw;
    which[n++] = raw + 1;
    which[n++] = raw + 2;
    give_some(&t.b, cars, which, n, 64, true, t.now);
    give_range(&t.b, cars, 44, count, 64, t.now);
    give_range(&t.b, cars, raw + 3, raw + 1 + more, 64, t.now);
    ox_list list = {0};
    ox_tunnel_take_device(t.b.tunnel, &list);
    uint32_t packets = 0;
    for (ox_buf *buf; (buf = ox_list_take(&list)) != NULL; ox_pool_put(t.b.pool, buf)) {
        if (buf->data[0] >> 4 == 6) check_super(&t.b, second, buf);
        else if (buf->data[9] == OX_PROTO_TCP) check_super(&t.b, &s, buf);
        else {
            out->len = 0;
            put(out, buf->data, buf->len);
            complete_packet(out, buf);
            assert_packet(&in, out);
            packets++;
        }
    }
    expect_all(&s);
    expect_all(second);
    assert_int_equal(1, packets);
    assert_int_equal(0, all_drops(&t.b));
    test_free(second);
    ends_finish(&t);
}

static void packets_that_arrive_together_leave_together(void **state) {
    (void)state;
    for (uint32_t coalesce = 0; coalesce < 2; coalesce++) {
        ends t;
        ends_begin_with(&t, (ends_options){.coalesce = coalesce, .no_train = coalesce == 0});
        spec is = tcp_spec(4);
        is.payload = 500;
        ox_list list = {0};
        for (uint32_t i = 0; i < 8; i++, is.sequence += 500, is.id++) {
            is.flags = i == 7 ? ACK | PSH : ACK;
            make_super(&s, is, 0);
            naive_finish(s.p.bytes, s.p.len, false);
            add_packet(&t.a, &list, &s.p);
        }
        ox_tunnel_egress(t.a.tunnel, &list, t.now);
        uint32_t count = take_cars(&t.a, cars, CARS_MAX);
        give_range(&t.b, cars, 0, count, 64, t.now);
        ox_list got = {0};
        ox_tunnel_take_device(t.b.tunnel, &got);
        assert_int_equal(coalesce ? 1 : 8, got.count);
        assert_int_equal(coalesce ? 500 : 0, got.head->segment);
        assert_int_equal(coalesce ? 4000 + 52 : 552, got.head->len);
        ox_pool_put_list(t.b.pool, &got);
        ends_finish(&t);
    }
}

static void congestion_seen_by_one_car_is_seen_by_the_packet(void **state) {
    (void)state;
    ends t;
    ends_begin(&t);
    for (uint32_t marked = 0; marked < 4; marked++) {
        spec is = tcp_spec(4);
        is.payload = 3600;
        is.tos = OX_ECN_ECT0;
        make_super(&s, is, 1000);
        send_super(&t.a, &s, t.now);
        uint32_t count = take_cars(&t.a, cars, CARS_MAX);
        assert_int_equal(4, count);
        for (uint32_t i = 0; i < count; i++) assert_int_equal(OX_ECN_ECT0, cars[i].ecn);
        cars[marked].ecn = OX_ECN_CE;
        give_range(&t.b, cars, 0, count, 1, t.now);
        assert_int_equal(1, take_packets(&t.b, out, 1));
        assert_int_equal(OX_ECN_CE, ox_ecn_get(out->bytes));
    }
    assert_int_equal(4, t.b.session->ce);
    assert_int_equal(12, t.b.session->ect0);
    ends_finish(&t);
}

static void a_train_costs_what_its_datagrams_cost(void **state) {
    (void)state;
    ends t;
    ends_begin_with(&t, (ends_options){.mtu = 1472});
    tcp_super(&s, 4, 65535 - 52, 1448);
    send_super(&t.a, &s, t.now);
    uint32_t count = take_cars(&t.a, cars, CARS_MAX), bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += (uint32_t)cars[i].len;
    // A header and a tag each, meta and headers twice, and a length.
    uint32_t header = header_of(&t.b, cars).header_bytes;
    assert_int_equal(65535 + OX_TRAIN_META_BYTES + 52 + OX_TRAIN_META_BYTES + 1 + count * (header + OX_TAG_BYTES), bytes);
    assert_int_equal(46, count);
    assert_true((65535 - 52) * 1000 / bytes >= 983);
    ends_finish(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_of_every_length_crosses),
        cmocka_unit_test(udp_of_every_size_crosses_and_no_datagram_is_cut),
        cmocka_unit_test(udp_that_makes_too_many_cars_goes_packet_by_packet),
        cmocka_unit_test(a_single_segment_is_a_packet),
        cmocka_unit_test(without_the_feature_a_super_packet_is_cut),
        cmocka_unit_test(what_waited_for_a_session_has_right_checksums),
        cmocka_unit_test(without_large_buffers_all_its_packets_are_counted),
        cmocka_unit_test(what_the_device_says_must_be_true),
        cmocka_unit_test(trains_and_datagrams_share_a_receive_buffer),
        cmocka_unit_test(packets_that_arrive_together_leave_together),
        cmocka_unit_test(congestion_seen_by_one_car_is_seen_by_the_packet),
        cmocka_unit_test(a_train_costs_what_its_datagrams_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
