/* Packets cross two tunnels with compressed headers: they come out byte by byte or are counted, whatever the channel does. */
#include <sanitizer/allocator_interface.h>

#include "headers.h"
#include "oxcore/rohc.h"

static crossing w;
static const ends_options agreed = {.rohc = true};
static const channel_options clean = {0}, lossy = {.loss = 50, .burst = 1}, bursty = {.loss = 50, .burst = 4},
                             late = {.late = 30, .doubled = 20}, rough = {.loss = 50, .burst = 2, .late = 50, .doubled = 30};

static void all_flows(uint32_t rounds) {
    for (uint32_t i = 0; i < rounds; i++) {
        for (uint32_t back = 0; back < 2; back++) {
            send_flow(&w, back, GAME, 0, 1);
            if (i % 2 == 0) send_flow(&w, back, VOICE, 1, 1);
            if (i % 2 == 1) send_flow(&w, back, GAME_V6, 2, 1);
            if (i % 16 == 0) send_flow(&w, back, PING, 0, 1);
        }
        send_flow(&w, 0, ACK, 3, 1);
        send_flow(&w, 1, DATA, 3, 1 + i % 3);
        pass(&w, 10);
    }
}

/* Bytes on the wire from a to b for packets of one flow, `gap` ms apart, and feedback back. */
static double bytes_of(bool on, flow_kind kind, uint32_t packets, uint32_t gap) {
    crossing_begin(&w, (ends_options){.rohc = on}, clean);
    for (uint32_t i = 0; i < packets; i++) {
        send_flow(&w, 0, kind, 1, 1);
        pass(&w, gap);
    }
    pass(&w, 300);
    assert_int_equal(packets, w.ways[0].come);
    assert_int_equal(0, refused_headers(&w.t.b));
    double bytes = (double)w.ways[0].bytes / packets, whole = (double)(w.ways[0].bytes + w.ways[1].bytes) / packets;
    ox_compact_report a = compact_of(&w.t.a);
    if (on) assert_int_equal(packets, a.packets + a.raw);
    print_message("%s %d: %.2f bytes a packet, %.2f with feedback; headers %llu to %llu, %llu raw\n", on ? "on " : "off", kind,
                  bytes, whole, (unsigned long long)a.octets_in, (unsigned long long)a.octets_out, (unsigned long long)a.raw);
    crossing_finish(&w);
    return bytes;
}

static void headers_shrink(void **state) {
    (void)state;
    static const struct {
        flow_kind kind;
        uint32_t gap;
        double spares;
    } flows[] = {{GAME, 16, 23}, {GAME_V6, 16, 43}, {VOICE, 20, 34}, {ACK, 10, 39}, {DATA, 10, 39}, {PING, 100, 10}};
    for (uint32_t i = 0; i < sizeof flows / sizeof *flows; i++) {
        double off = bytes_of(false, flows[i].kind, 1000, flows[i].gap), on = bytes_of(true, flows[i].kind, 1000, flows[i].gap);
        assert_true(on <= off - flows[i].spares);
    }
}

static void a_channel_that_does_no_harm_costs_no_packet(void **state) {
    (void)state;
    crossing_begin(&w, agreed, clean);
    all_flows(300);
    pass(&w, 100);
    for (uint32_t i = 0; i < 2; i++) assert_int_equal(w.ways[i].sent, w.ways[i].come);
    assert_int_equal(0, all_drops(&w.t.a) + all_drops(&w.t.b));
    crossing_finish(&w);
}

/* Returns how many of some 7,000 packets came and were refused. */
static uint64_t harmed(ends_options o, channel_options channel, const ox_path_repair *repair) {
    crossing_begin(&w, o, channel);
    if (repair != NULL) {
        ox_tunnel_set_repair(w.t.a.tunnel, 7, 0, repair);
        ox_tunnel_set_repair(w.t.b.tunnel, 3, 0, repair);
    }
    all_flows(1000);
    pass(&w, 300);
    uint64_t sent = 0, come = 0, refused = refused_headers(&w.t.a) + refused_headers(&w.t.b), late_refused = 0;
    for (uint32_t i = 0; i < 2; i++) {
        sent += w.ways[i].sent;
        come += w.ways[i].come;
        late_refused += drops(w.ways[i].to, OX_DROP_HEADER_LATE);
        assert_int_equal(0, drops(w.ways[i].to, OX_DROP_HEADER_MALFORMED));
    }
    print_message("loss %u in %u, late %u, doubled %u, repair %d: of %llu packets %llu came, %llu refused, %llu of them late; "
                  "checksum %llu; restored %llu\n",
                  channel.loss, channel.burst, channel.late, channel.doubled, repair != NULL, (unsigned long long)sent,
                  (unsigned long long)come, (unsigned long long)refused, (unsigned long long)late_refused,
                  (unsigned long long)(drops(&w.t.a, OX_DROP_HEADER_CHECKSUM) + drops(&w.t.b, OX_DROP_HEADER_CHECKSUM)),
                  (unsigned long long)(compact_of(&w.t.a).restored + compact_of(&w.t.b).restored));
    if (channel.loss == 0) assert_int_equal(sent, come + refused);
    assert_int_equal(refused, compact_of(&w.t.a).refused + compact_of(&w.t.b).refused);
    crossing_finish(&w);
    return refused;
}

static void losses_harm_nothing_else(void **state) {
    (void)state;
    assert_int_equal(0, harmed(agreed, lossy, NULL));
    // Of TCP 3 packets may be in each of the datagrams: of 6 in a row they are more than 15.
    assert_true(harmed(agreed, bursty, NULL) <= 4);
}

static void late_packets_come_from_the_state_before_them(void **state) {
    (void)state;
    assert_int_equal(0, harmed(agreed, late, NULL));
    assert_int_equal(0, harmed(agreed, rough, NULL));
}

static void recovered_packets_take_their_place(void **state) {
    (void)state;
    ends_options o = {.rohc = true, .repair = true};
    ox_path_repair copies = {.watch = 1}, windows = {.watch = 1};
    for (uint32_t i = 0; i < OX_CLASSES; i++) {
        copies.classes[i] = (ox_repair_order){.copies = 2, .offsets = {1, 3}, .resend = 1, .deadline_ns = 100 * MS};
        windows.classes[i] = (ox_repair_order){.permille = 400, .window = 20, .interleave = 1, .deadline_ns = 100 * MS};
    }
    assert_int_equal(0, harmed(o, lossy, &copies));
    assert_int_equal(0, harmed(o, rough, &copies));
    // Some come so late that several losses were behind each of the states that are kept.
    assert_true(harmed(o, lossy, &windows) <= 8);
    assert_true(harmed(o, rough, &windows) <= 12);
}

/* Datagrams of others that arrive, so that numbers pass. */
static void others(uint32_t count) {
    static const uint8_t padding[2] = {0, 0};
    datagram d;
    for (uint32_t i = 0; i < count; i++) {
        seal_plain(&w.t.a, padding, sizeof padding, w.t.now, &d);
        give_datagram(&w.t.b, &d, w.t.now);
        if (i % 100 == 99) pass(&w, 1);
    }
}

static void a_thin_flow_beside_many_datagrams_loses_none(void **state) {
    (void)state;
    static const flow_kind kinds[] = {GAME, PING, ACK};
    for (uint32_t i = 0; i < 3; i++)
        for (uint32_t between = 1000; between <= 10000; between += 9000) {
            crossing_begin(&w, agreed, clean);
            for (uint32_t n = 0; n < 30; n++) {
                send_flow(&w, 0, kinds[i], 1, 1);
                pass(&w, 20);
                others(between);
            }
            pass(&w, 100);
            assert_int_equal(30, w.ways[0].come);
            assert_int_equal(0, refused_headers(&w.t.b));
            assert_true(compact_of(&w.t.b).restored >= 28);
            crossing_finish(&w);
        }
}

/* Whether packets come after so many of their flow were lost in a row, and nothing else: the refused ones until one does. */
static uint32_t after_outage(flow_kind kind, uint32_t between, uint32_t lost, uint32_t trial) {
    static datagram gone[TAKEN];
    crossing_begin(&w, agreed, clean);
    w.numbers[0][kind][1] = 37 * trial;
    for (uint32_t n = 0; n < 30; n++) {
        send_flow(&w, 0, kind, 1, 1);
        pass(&w, 20);
        others(between);
    }
    pass(&w, 100);
    assert_int_equal(30, w.ways[0].come);
    for (uint32_t n = 0; n < lost; n++) {
        send_flow(&w, 0, kind, 1, 1);
        assert_true(take_datagrams(&w.t.a, gone, TAKEN, true) > 0);
        w.t.now += 2 * MS;
    }
    for (uint32_t n = 0; n < 10; n++) {
        send_flow(&w, 0, kind, 1, 1);
        pass(&w, 40);
    }
    uint32_t refused = (uint32_t)refused_headers(&w.t.b);
    assert_int_equal(40, w.ways[0].come + refused);
    crossing_finish(&w);
    return refused;
}

static void an_outage_costs_one_packet_more_at_most(void **state) {
    (void)state;
    static const flow_kind kinds[] = {GAME, GAME_V6, VOICE, PING, ACK, DATA};
    for (uint32_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (uint32_t between = 0; between <= 200; between += 40) {
            assert_int_equal(0, after_outage(kinds[i], between, 5, i));
            for (uint32_t lost = 6; lost < 40; lost += 4) assert_true(after_outage(kinds[i], between, lost, lost) <= 1);
        }
}

/* No number of a datagram tells the other side of it, so nothing may build on it. */
static void what_was_not_sent_introduces_flows_anew(void **state) {
    (void)state;
    crossing_begin(&w, agreed, clean);
    for (uint32_t round = 0; round < 5; round++) {
        all_flows(40);
        uint64_t before = compact_of(&w.t.a).octets_out;
        all_flows(1);
        uint64_t steady = compact_of(&w.t.a).octets_out - before;
        ox_compact_unsent(w.t.a.session);
        all_flows(1);
        assert_true(compact_of(&w.t.a).octets_out - before - steady > steady);
    }
    pass(&w, 100);
    for (uint32_t i = 0; i < 2; i++) assert_int_equal(w.ways[i].sent, w.ways[i].come);
    assert_int_equal(0, refused_headers(&w.t.b));
    crossing_finish(&w);
}

static void several_share_a_datagram(void **state) {
    (void)state;
    for (uint32_t rough_too = 0; rough_too < 2; rough_too++) {
        crossing_begin(&w, agreed, rough_too ? rough : clean);
        for (uint32_t i = 0; i < 400; i++) {
            ox_list list = {0};
            static packet p;
            for (uint32_t flow = 0; flow < 6; flow++)
                for (uint32_t n = 0; n < (flow == 3 ? 5 : 1 + i % 2); n++) {
                    make_flow_packet(&w, &p, 0, flow == 3 ? ACK : GAME, flow);
                    remember(&w.ways[0], &p);
                    add_packet(&w.t.a, &list, &p);
                }
            ox_tunnel_egress(w.t.a.tunnel, &list, w.t.now);
            pass(&w, 16);
            if (w.ways[0].sent > RECORDS - 20) break;
        }
        pass(&w, 100);
        ox_compact_report a = compact_of(&w.t.a), b = compact_of(&w.t.b);
        assert_true(a.packets > w.ways[0].sent / 2);
        if (!rough_too) assert_int_equal(w.ways[0].sent, w.ways[0].come);
        print_message("batches: %u sent, %u came, %llu compressed, %llu raw, %llu refused\n", w.ways[0].sent, w.ways[0].come,
                      (unsigned long long)a.packets, (unsigned long long)a.raw, (unsigned long long)b.refused);
        crossing_finish(&w);
    }
}

static void off_costs_nothing(void **state) {
    (void)state;
    crossing_begin(&w, (ends_options){0}, clean);
    all_flows(50);
    ox_compact_report a = compact_of(&w.t.a);
    assert_int_equal(0, a.packets + a.raw + a.told + a.heard);
    // A flow of a few packets stays as it is, and a packet in a packet too.
    crossing_finish(&w);
    crossing_begin(&w, agreed, clean);
    send_flow(&w, 0, GAME, 0, 1);
    pass(&w, 20);
    assert_int_equal(0, compact_of(&w.t.a).packets);
    assert_int_equal(1, compact_of(&w.t.a).raw);
    crossing_finish(&w);
}

static void hostile_frames_are_counted(void **state) {
    (void)state;
    crossing_begin(&w, agreed, clean);
    datagram d;
    static const uint8_t frames[][5] = {{0x80}, {0x85, 0x12, 3, 4, 5}, {0xc1, 0xfd, 6, 7, 8}, {0xff, 0xe0, 1, 2, 3}};
    static const uint8_t lengths[] = {1, 5, 5, 5};
    for (uint32_t i = 0; i < sizeof lengths; i++) {
        seal_plain(&w.t.a, frames[i], lengths[i], w.t.now, &d);
        give_datagram(&w.t.b, &d, w.t.now);
        assert_int_equal(i + 1, refused_headers(&w.t.b));
    }
    // Feedback on what was not sent, and on a channel that there is not.
    static const uint8_t told[][4] = {{0x0b, 2, 0, 0xf1}, {0x0b, 2, 7, 0xf1}, {0x0b, 0}};
    for (uint32_t i = 0; i < 3; i++) {
        seal_plain(&w.t.a, told[i], i == 2 ? 2 : 4, w.t.now, &d);
        give_datagram(&w.t.b, &d, w.t.now);
    }
    assert_int_equal(sizeof lengths + 3, refused_headers(&w.t.b));
    assert_int_equal(0, forget_packets(&w.t.b));
    crossing_finish(&w);
    // Where it was not agreed, all of it is unknown.
    crossing_begin(&w, (ends_options){0}, clean);
    seal_plain(&w.t.a, frames[1], 5, w.t.now, &d);
    give_datagram(&w.t.b, &d, w.t.now);
    seal_plain(&w.t.a, told[0], 4, w.t.now, &d);
    give_datagram(&w.t.b, &d, w.t.now);
    assert_int_equal(2, drops(&w.t.b, OX_DROP_FRAME_UNKNOWN));
    crossing_finish(&w);
}

/* A peer whose compressor is right and whose payload is not: nothing of it is delivered, and its compressor hears of it. */
static void a_wrong_checksum_is_never_delivered(void **state) {
    (void)state;
    static packet p;
    crossing_begin(&w, agreed, clean);
    ox_rohc_compressor *compressor = ox_rohc_compressor_create(&(ox_rohc_parameters){
        .profiles = OX_ROHC_V2 & ~OX_ROHC_TCP, .cid_max = 63, .large_cids = true, .bidirectional = true, .raw = true});
    uint32_t compressed = 0, changed = 0;
    for (uint32_t i = 0; i < 40; i++) {
        ox_rohc_compressed out;
        make_flow_packet(&w, &p, 0, GAME, 1);
        if (ox_rohc_compress(compressor, p.bytes, (uint32_t)p.len, w.t.now, &out) != OX_ROHC_COMPRESSED) continue;
        uint8_t plain[RECORD_BYTES];
        uint32_t rest = (uint32_t)p.len - out.consumed;
        memcpy(plain, out.header, out.header_bytes);
        memcpy(plain + out.header_bytes, p.bytes + out.consumed, rest);
        plain[1] = plain[0];
        plain[0] = (uint8_t)(OX_FRAME_COMPRESSED | out.cid);
        bool changes = i >= 36;
        if (changes) plain[out.header_bytes + 20] ^= 4;
        datagram d;
        seal_plain(&w.t.a, plain, out.header_bytes + rest, w.t.now, &d);
        give_datagram(&w.t.b, &d, w.t.now);
        assert_int_equal(!changes, forget_packets(&w.t.b));
        compressed++;
        changed += changes;
    }
    assert_true(compressed > 30 && changed == 4);
    // The context is in doubt after the first.
    assert_true(drops(&w.t.b, OX_DROP_HEADER_CHECKSUM) >= 1);
    assert_int_equal(changed, refused_headers(&w.t.b));
    assert_int_equal(changed, all_drops(&w.t.b));
    uint64_t told = compact_of(&w.t.b).told;
    w.t.now += 20 * MS;
    ox_tunnel_advance(w.t.b.tunnel, w.t.now);
    assert_true(compact_of(&w.t.b).told > told);
    ox_rohc_compressor_destroy(compressor);
    crossing_finish(&w);
}

static uint64_t allocations;
static bool watching;
static void on_malloc(const volatile void *memory, size_t bytes) { (void)memory, (void)bytes, allocations += watching; }
static void on_free(const volatile void *memory) { (void)memory, allocations += watching; }

static void nothing_is_allocated(void **state) {
    (void)state;
    crossing_begin(&w, agreed, rough);
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
    watching = true;
    all_flows(200);
    watching = false;
    assert_int_equal(0, allocations);
    crossing_finish(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_shrink),
        cmocka_unit_test(a_channel_that_does_no_harm_costs_no_packet),
        cmocka_unit_test(losses_harm_nothing_else),
        cmocka_unit_test(late_packets_come_from_the_state_before_them),
        cmocka_unit_test(recovered_packets_take_their_place),
        cmocka_unit_test(a_thin_flow_beside_many_datagrams_loses_none),
        cmocka_unit_test(an_outage_costs_one_packet_more_at_most),
        cmocka_unit_test(what_was_not_sent_introduces_flows_anew),
        cmocka_unit_test(several_share_a_datagram),
        cmocka_unit_test(off_costs_nothing),
        cmocka_unit_test(hostile_frames_are_counted),
        cmocka_unit_test(a_wrong_checksum_is_never_delivered),
        cmocka_unit_test(nothing_is_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
