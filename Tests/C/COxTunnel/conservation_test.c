/* Every packet that enters is delivered once, whole, or was in a datagram that the link lost; all else has a name. */
#include "ends.h"

enum { PACKETS = 400, FLIGHT = 64, SEEDS = 200 };

typedef struct fate {
    packet sent;
    uint8_t halves_lost; /* or 2 for a packet that was lost whole */
    bool split;
    bool delivered;
} fate;

/* One way of the link, and what entered it. */
typedef struct way {
    end_of *from, *to;
    bool back;
    fate fates[PACKETS];
    uint32_t sent, delivered;
    uint32_t id_of_head[4096]; /* by packet number */
    uint64_t numbers, duplicates, lost;
    datagram flight[FLIGHT];
    uint64_t serial[FLIGHT], serials;
    uint32_t in_flight;
} way;

static uint64_t seed, running;

static uint32_t draw(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static uint32_t id_of(const uint8_t *bytes) { return ox_load_be32(bytes + (bytes[0] >> 4 == 4 ? 28 : 48)); }

static void note_lost(way *w, uint32_t id, bool half, bool lost) {
    assert_true(id < w->sent);
    w->fates[id].split |= half;
    if (lost) w->fates[id].halves_lost = (uint8_t)(w->fates[id].halves_lost + (half ? 1 : 2));
}

/* Opens a copy with the receiver's keys, and notes which packets are in it. */
static void inspect(way *w, const datagram *d, bool lost) {
    uint8_t bytes[OX_BUF_BYTES];
    memcpy(bytes, d->bytes, d->len);
    ox_header header;
    assert_int_equal(OX_PASS, ox_header_read(bytes, d->len, 2, &header));
    uint64_t number = ox_number_rebuild(w->numbers, header.truncated, header.number_bytes);
    if (number == w->numbers) w->numbers++;
    size_t len = d->len - header.header_bytes - OX_TAG_BYTES, offset = 0;
    uint8_t *plain = bytes + header.header_bytes;
    ox_aead_job job = {.number = number, .aad = bytes, .from = plain, .to = plain, .len = (uint32_t)len,
                       .aad_len = header.header_bytes};
    ox_keys_open(w->to->engine, w->to->session->keys, 0, &job, 1);
    assert_true(job.authentic);
    while (offset < len) {
        ox_frame frame;
        assert_int_equal(OX_PASS, ox_frame_read(plain, len, &offset, &frame));
        uint64_t value = 0;
        switch (frame.type) {
        case OX_FRAME_PACKET: note_lost(w, id_of(frame.body), false, lost); break;
        case OX_FRAME_BATCH:
            for (size_t at = 0; at < frame.len; at += (size_t)value) {
                at += ox_varint_read(frame.body + at, frame.len - at, &value);
                note_lost(w, id_of(frame.body + at), false, lost);
            }
            break;
        case OX_FRAME_HEAD:
            w->id_of_head[number % 4096] = id_of(frame.body);
            note_lost(w, id_of(frame.body), true, lost);
            break;
        case OX_FRAME_TAIL:
            (void)ox_varint_read(frame.body, frame.len, &value);
            note_lost(w, w->id_of_head[(number - value) % 4096], true, lost);
            break;
        default: assert_int_equal(OX_FRAME_FEEDBACK, frame.type);
        }
    }
    w->lost += lost;
}

static void collect(way *w) {
    static packet out[512];
    uint32_t got = take_packets(w->to, out, 512);
    for (uint32_t i = 0; i < got; i++) {
        uint32_t id = id_of(out[i].bytes);
        assert_true(id < w->sent);
        assert_packet(&w->fates[id].sent, &out[i]);
        assert_false(w->fates[id].delivered);
        w->fates[id].delivered = true;
        w->delivered++;
    }
}

static void send_some(way *w, uint64_t now, uint32_t batch) {
    ox_list list = {0};
    for (uint32_t i = 0; i < batch && w->sent < PACKETS; i++) {
        packet *p = &w->fates[w->sent].sent;
        int version = draw(2) ? 4 : 6;
        size_t len = draw(4) == 0 ? 1500 : draw(3) == 0 ? 1100 + draw(400) : 52 + draw(200);
        make_packet(p, version, len, draw(1 << 30), w->back, (uint8_t)(draw(8) == 0 ? draw(4) : 0));
        ox_store_be32(p->bytes + (version == 4 ? 28 : 48), w->sent++);
        sum_packet(p);
        add_packet(w->from, &list, p);
    }
    ox_tunnel_egress(w->from->tunnel, &list, now);
}

static void deliver_one(way *w, uint64_t now, uint32_t at) {
    // Nothing comes so late that its truncated number means another one.
    for (uint32_t i = 0; i < w->in_flight; i++)
        if (w->serials - w->serial[i] > 50) at = i;
    give_datagram(w->to, &w->flight[at], now);
    w->flight[at] = w->flight[--w->in_flight];
    w->serial[at] = w->serial[w->in_flight];
    collect(w);
}

/* The link loses, delays, swaps and doubles. */
static void cross(way *w, uint64_t now, uint32_t loss_percent) {
    static datagram got[512];
    uint32_t count = take_datagrams(w->from, got, 512, false);
    for (uint32_t i = 0; i < count; i++) {
        bool lost = draw(100) < loss_percent;
        inspect(w, &got[i], lost);
        if (lost) continue;
        for (uint32_t copies = draw(20) == 0 ? 2 : 1, made = 0; made < copies; made++) {
            while (w->in_flight == FLIGHT) deliver_one(w, now, draw(FLIGHT));
            w->serial[w->in_flight] = w->serials++;
            w->flight[w->in_flight++] = got[i];
            w->duplicates += made > 0;
        }
    }
    while (w->in_flight > draw(20)) deliver_one(w, now, draw(w->in_flight));
}

static void check(const way *w) {
    uint64_t unfinished = 0;
    for (uint32_t id = 0; id < w->sent; id++) {
        const fate *f = &w->fates[id];
        assert_int_equal(f->halves_lost == 0, f->delivered);
        unfinished += f->split && f->halves_lost == 1;
    }
    assert_int_equal(unfinished, drops(w->to, OX_DROP_SPLIT_UNFINISHED));
    assert_int_equal(w->duplicates, drops(w->to, OX_DROP_REPLAYED));
    assert_int_equal(unfinished + w->duplicates, all_drops(w->to));
    ox_peer_report sent, received;
    ox_peer_status(w->from->peer, &sent);
    ox_peer_status(w->to->peer, &received);
    assert_int_equal(w->sent, sent.packets_sent);
    assert_int_equal(w->delivered, received.packets_received);
    assert_int_equal(sent.paths[0].sent - w->lost, received.paths[0].received);
    assert_true(sent.paths[0].acknowledged + sent.paths[0].lost + sent.paths[0].unresolved <= sent.paths[0].sent);
}

static void run(uint64_t number, uint32_t loss_percent) {
    static way a, b;
    ends t;
    seed = running = number;
    ends_begin_with(&t, (ends_options){.mtu = 1200 + 68 * (uint32_t)(number % 6)});
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    a.from = b.to = &t.a;
    a.to = b.from = &t.b;
    b.back = true;
    while (a.sent < PACKETS || b.sent < PACKETS) {
        send_some(&a, t.now, draw(12));
        send_some(&b, t.now, draw(6));
        (void)ox_tunnel_advance(t.a.tunnel, t.now);
        (void)ox_tunnel_advance(t.b.tunnel, t.now);
        cross(&a, t.now, loss_percent);
        cross(&b, t.now, loss_percent);
        t.now += draw(30) * MS;
        forget_events(&t.a);
        forget_events(&t.b);
    }
    for (uint32_t i = 0; i < 3; i++) { // what is owed still leaves
        t.now += SECOND;
        (void)ox_tunnel_advance(t.a.tunnel, t.now);
        (void)ox_tunnel_advance(t.b.tunnel, t.now);
        cross(&a, t.now, loss_percent);
        cross(&b, t.now, loss_percent);
        while (a.in_flight > 0) deliver_one(&a, t.now, 0);
        while (b.in_flight > 0) deliver_one(&b, t.now, 0);
    }
    assert_int_equal(0, t.a.tunnel->network.count + t.b.tunnel->network.count);
    // Halves that wait in vain are counted when their session ends.
    ox_session_destroy(ox_tunnel_remove_session(t.a.tunnel, t.a.local));
    ox_session_destroy(ox_tunnel_remove_session(t.b.tunnel, t.b.local));
    t.a.local = t.b.local = UINT32_MAX;
    check(&a);
    check(&b);
    ends_finish(&t);
}

static void nothing_vanishes_on_a_bad_link(void **state) {
    (void)state;
    for (uint64_t number = 0; number < SEEDS; number++) {
        uint32_t loss = (uint32_t)(number % 5) * 8;
        run(number, loss);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_vanishes_on_a_bad_link),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0) print_error("seed=%u\n", (unsigned)running);
    return failed;
}
