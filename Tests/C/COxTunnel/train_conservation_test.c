/* Whatever the link does to datagrams: each byte that comes out is the one that went in at its place, and comes once. */
#include "trains.h"

enum { TCP_FLOWS = 3, FLOW_BYTES = 1 << 20, UDP_DATAGRAMS = 1 << 14, QUEUE = 1024, SEEDS = 150, ROUNDS = 40, REACH = 20 };

static uint64_t seed, running;
static uint32_t sent[TCP_FLOWS], udp_sent;
static uint8_t seen[TCP_FLOWS][FLOW_BYTES], udp_seen[UDP_DATAGRAMS];
static uint16_t udp_bytes[UDP_DATAGRAMS];
static datagram pool[QUEUE];
static const datagram *queue[QUEUE];
static uint32_t queued, pooled;

static uint32_t draw(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* The byte at this place of a stream, or of a datagram. */
static uint8_t byte_at(uint32_t stream, uint32_t at) { return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16) + stream * 101); }

/* ---- what goes in -------------------------------------------------------------------------------------------- */

static void address(shipment *s, uint8_t version) {
    uint8_t *bytes = s->p.bytes;
    if (version == 4) memcpy(bytes + 12, (const uint8_t[8]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
    else memcpy(bytes + 8, (const uint8_t[32]){0xfd, [15] = 1, [16] = 0xfd, [31] = 2}, 32);
}

static bool add_tcp(end_of *e, ox_list *list, bool super) {
    static shipment s;
    uint32_t flow = draw(TCP_FLOWS), payload = super ? 1500 + draw(draw(2) ? 62000 : 6000) : 1 + draw(1420);
    if (sent[flow] + payload > FLOW_BYTES) return false;
    spec is = tcp_spec(flow == 1 ? 6 : 4);
    is.source = (uint16_t)(1000 + flow);
    is.sequence = 0u - 5000 + sent[flow]; // wraps
    is.payload = payload;
    is.options = (uint8_t)(flow * 4);
    is.flags = (uint8_t)(ACK | (draw(3) ? 0 : PSH));
    s.is = is;
    s.head = spec_header_bytes(&is);
    s.segment = 600 + draw(1500 - s.head - 600);
    s.p.len = write_packet(s.p.bytes, &is, true);
    address(&s, is.version);
    for (uint32_t i = 0; i < payload; i++) s.p.bytes[s.head + i] = byte_at(flow, sent[flow] + i);
    sent[flow] += payload;
    naive_finish(s.p.bytes, s.p.len, super);
    if (super) ox_list_append(list, super_buffer(e, &s));
    else add_packet(e, list, &s.p);
    return true;
}

static bool add_udp(end_of *e, ox_list *list, bool super) {
    static shipment s;
    uint32_t segment = 8 + draw(1440), count = super ? 2 + draw(40) : 1, payload = segment * count;
    if (super && draw(2)) payload -= segment - 8; // a short one at its end
    if (udp_sent + count > UDP_DATAGRAMS || payload > 60000) return false;
    spec is = udp_spec(4);
    is.payload = payload;
    s.is = is;
    s.head = 28;
    s.segment = segment;
    s.p.len = write_packet(s.p.bytes, &is, true);
    address(&s, 4);
    for (uint32_t at = 0; at < payload; at += segment) {
        uint8_t *bytes = s.p.bytes + 28 + at;
        uint32_t len = payload - at < segment ? payload - at : segment;
        for (uint32_t i = 4; i < len; i++) bytes[i] = byte_at(udp_sent, i);
        ox_store_be32(bytes, udp_sent);
        udp_bytes[udp_sent++] = (uint16_t)len;
    }
    naive_finish(s.p.bytes, s.p.len, super);
    if (super) ox_list_append(list, super_buffer(e, &s));
    else add_packet(e, list, &s.p);
    return true;
}

/* ---- the link ------------------------------------------------------------------------------------------------ */

static void enqueue(const datagram *d) {
    if (queued < QUEUE) queue[queued++] = d;
}

static void cross(ends *t, uint32_t loss_percent, bool disorder) {
    uint32_t count = take_cars(&t->a, pool + pooled, QUEUE - pooled);
    for (uint32_t i = pooled; i < pooled + count; i++) {
        if (draw(100) < loss_percent) continue;
        enqueue(&pool[i]);
        if (disorder && draw(30) == 0) enqueue(&pool[i]);
    }
    pooled += count;
    for (uint32_t i = 0; disorder && i + 1 < queued; i++) {
        if (draw(6) != 0) continue;
        uint32_t other = i + draw(queued - i < REACH ? queued - i : REACH);
        const datagram *d = queue[i];
        queue[i] = queue[other];
        queue[other] = d;
    }
}

static void check_packet(const uint8_t *bytes, uint32_t len) {
    ox_headers headers;
    assert_int_equal(OX_PASS, ox_parse(bytes, len, &headers));
    assert_true(ox_checksum_verify(bytes, &headers));
    uint32_t head = ox_headers_bytes(&headers), payload = len - head;
    if (headers.protocol == OX_PROTO_UDP) {
        uint32_t index = ox_load_be32(bytes + head);
        assert_true(index < udp_sent);
        assert_int_equal(udp_bytes[index], payload);
        for (uint32_t i = 4; i < payload; i++) assert_int_equal(byte_at(index, i), bytes[head + i]);
        assert_int_equal(0, udp_seen[index]++);
        return;
    }
    uint32_t flow = headers.source_port - 1000u, at = ox_load_be32(bytes + headers.transport_offset + 4) + 5000;
    assert_true(flow < TCP_FLOWS && at + payload <= sent[flow]);
    for (uint32_t i = 0; i < payload; i++) {
        if (byte_at(flow, at + i) != bytes[head + i]) assert_int_equal(byte_at(flow, at + i), bytes[head + i]);
        if (seen[flow][at + i]++ != 0) fail_msg("flow %u gave byte %u twice", flow, at + i);
    }
}

static void collect_all(end_of *e) {
    ox_list list = {0}, pieces = {0};
    ox_tunnel_take_device(e->tunnel, &list);
    for (ox_buf *buf; (buf = ox_list_take(&list)) != NULL; ox_pool_put(e->pool, buf)) {
        ox_headers headers;
        assert_int_equal(OX_PASS, ox_parse(buf->data, buf->len, &headers));
        if (buf->segment == 0) {
            if (buf->checksum == OX_CHECKSUM_PARTIAL) ox_checksum_complete(buf->data, &headers);
            check_packet(buf->data, buf->len);
            continue;
        }
        assert_int_equal(OX_CHECKSUM_PARTIAL, buf->checksum);
        assert_int_equal(0, ox_segment(e->pool, buf, &headers, &pieces));
        for (ox_buf *piece; (piece = ox_list_take(&pieces)) != NULL; ox_pool_put(e->pool, piece))
            check_packet(piece->data, piece->len);
    }
}

/* Hands over some of what is on the way, as the kernel may group it. */
static void receive(ends *t, uint32_t count) {
    give_datagrams(&t->b, queue, count, draw(2) ? 64 : 1, draw(2), t->now);
    memmove(queue, queue + count, (queued - count) * sizeof queue[0]);
    queued -= count;
    collect_all(&t->b);
}

static void check_all_came(const ends *t, bool disorder) {
    for (uint32_t flow = 0; flow < TCP_FLOWS; flow++)
        for (uint32_t i = 0; i < sent[flow]; i++)
            if (seen[flow][i] != 1) fail_msg("seed %u: flow %u lacks byte %u", (unsigned)running, flow, i);
    uint32_t missing = 0;
    for (uint32_t i = 0; i < udp_sent; i++) missing += udp_seen[i] == 0;
    // A last car of UDP without a copy of the headers that comes first of its train has no place.
    if (drops(&t->b, OX_DROP_TRAIN_UNFINISHED) == 0) assert_int_equal(0, missing);
    if (!disorder) assert_int_equal(0, missing + all_drops(&t->b));
}

static void run(uint64_t number) {
    ends t;
    seed = running = number;
    uint32_t loss = number % 3 == 0 ? 0 : 1 + draw(20);
    bool disorder = number % 2;
    ends_begin_with(&t, (ends_options){.mtu = 1200 + draw(273), .id_bytes = 1 + draw(3), .coalesce = draw(2)});
    memset(sent, 0, sizeof sent);
    memset(seen, 0, sizeof seen);
    memset(udp_seen, 0, sizeof udp_seen);
    udp_sent = queued = pooled = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        ox_list list = {0};
        for (uint32_t i = draw(6); i > 0; i--) {
            bool super = draw(3) == 0;
            (void)(draw(3) ? add_tcp(&t.a, &list, super) : add_udp(&t.a, &list, super));
        }
        ox_tunnel_egress(t.a.tunnel, &list, t.now);
        if (pooled > QUEUE / 2) { // places are used again once all is over
            while (queued > 0) receive(&t, 1 + draw(queued < 64 ? queued : 64));
            pooled = 0;
        }
        cross(&t, loss, disorder);
        while (queued > REACH) receive(&t, 1 + draw(queued < 64 ? queued : 64));
        t.now += draw(4) * MS;
        (void)ox_tunnel_advance(t.b.tunnel, t.now);
        collect_all(&t.b);
        carry(&t.b, &t.a, t.now); // feedback
        forget_events(&t.a);
        forget_events(&t.b);
    }
    while (queued > 0) receive(&t, queued < 64 ? queued : 64);
    t.now += SECOND;
    (void)ox_tunnel_advance(t.b.tunnel, t.now);
    collect_all(&t.b);
    assert_int_equal(0, t.b.tunnel->trains_open);
    assert_int_equal(0, drops(&t.b, OX_DROP_TRAIN_MALFORMED) + drops(&t.b, OX_DROP_UNAUTHENTICATED) +
                            drops(&t.b, OX_DROP_POOL_EMPTY) + all_drops(&t.a));
    if (loss == 0) check_all_came(&t, disorder);
    ends_finish(&t);
}

static void each_byte_comes_out_where_it_went_in(void **state) {
    (void)state;
    for (uint64_t number = 0; number < SEEDS; number++) run(number);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_byte_comes_out_where_it_went_in),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0) print_error("seed=%u\n", (unsigned)running);
    return failed;
}
