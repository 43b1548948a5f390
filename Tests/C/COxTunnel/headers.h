/* Flows whose headers are compressed, and a channel between two tunnels that loses, delays and doubles datagrams. */
#ifndef TESTS_COXTUNNEL_HEADERS_H
#define TESTS_COXTUNNEL_HEADERS_H

#include "ends.h"

enum { RECORDS = 6000, RECORD_BYTES = 320, FLIGHT = 256, DELAY = 5, TAKEN = 256 };

typedef enum flow_kind { GAME, GAME_V6, VOICE, ACK, DATA, PING, FLOW_KINDS } flow_kind;

typedef struct record {
    uint8_t bytes[RECORD_BYTES];
    uint16_t len;
    bool come;
} record;

typedef struct flight {
    datagram is;
    uint64_t due; /* 0: a free place */
} flight;

/* One direction. */
typedef struct way {
    end_of *from, *to;
    record records[RECORDS];
    flight flights[FLIGHT];
    uint32_t sent, come;
    uint32_t datagrams, lost, late, doubled;
    uint64_t bytes;
} way;

typedef struct channel_options {
    uint32_t loss, burst, late, doubled; /* per mille, datagrams, per mille twice */
} channel_options;

typedef struct crossing {
    ends t;
    way ways[2];
    channel_options channel;
    uint32_t seed, burst_left;
    uint32_t numbers[2][FLOW_KINDS][64]; /* packets of each flow so far */
} crossing;

static inline uint32_t crossing_random(crossing *w, uint32_t below) {
    w->seed = w->seed * 1664525 + 1013904223;
    return (w->seed >> 8) % below;
}

static inline void crossing_begin(crossing *w, ends_options o, channel_options channel) {
    memset(w, 0, sizeof *w);
    if (o.mtu == 0) o.mtu = 1400;
    ends_begin_with(&w->t, o);
    w->seed = 11;
    w->channel = channel;
    w->ways[0] = (way){.from = &w->t.a, .to = &w->t.b};
    w->ways[1] = (way){.from = &w->t.b, .to = &w->t.a};
}

/* The next packet of a flow: `which` tells flows of a kind apart. */
static inline void make_flow_packet(crossing *w, packet *p, uint32_t back, flow_kind kind, uint32_t which) {
    uint32_t n = w->numbers[back][kind][which]++;
    uint8_t payload[200];
    for (uint32_t i = 0; i < sizeof payload; i++) payload[i] = (uint8_t)(n * 7 + i * 31 + which + (n >> 8));
    bool v6 = kind == GAME_V6;
    uint8_t protocol = kind == ACK || kind == DATA ? OX_PROTO_TCP : kind == PING ? 1 : OX_PROTO_UDP;
    if (v6) begin_v6(p, protocol);
    else begin_v4(p, protocol, 0);
    p->bytes[v6 ? 23 : 15] = back ? 2 : 1;
    p->bytes[v6 ? 39 : 19] = back ? 1 : 2;
    if (!v6) p->bytes[1] = 0;
    if (!v6) ox_store_be16(p->bytes + 4, (uint16_t)(100 * which + n));
    uint16_t port = (uint16_t)(5000 + which);
    if (protocol == OX_PROTO_UDP) {
        if (kind == VOICE) {
            payload[0] = 0x80;
            payload[1] = 8;
            ox_store_be16(payload + 2, (uint16_t)(9000 + n));
            ox_store_be32(payload + 4, 160 * n);
            ox_store_be32(payload + 8, 0x12345678 + which);
        }
        put_udp(p, port, 6000, payload, kind == VOICE ? 172 : 64);
    } else if (protocol == OX_PROTO_TCP) {
        size_t at = p->len;
        uint32_t moved = 2 * 1380 * n;
        put_tcp(p, 8, 0x10, 0);
        ox_store_be16(p->bytes + at, port);
        ox_store_be32(p->bytes + at + 4, kind == DATA ? 7000 + 180 * n : 7000);
        ox_store_be32(p->bytes + at + 8, kind == DATA ? 500 : 90000 + moved);
        ox_store_be16(p->bytes + at + 14, (uint16_t)(kind == ACK ? 2000 + n / 16 : 501));
        const uint8_t timestamps[12] = {1, 1, 8, 10};
        memcpy(p->bytes + at + 20, timestamps, sizeof timestamps);
        ox_store_be32(p->bytes + at + 24, 100000 + n / 2);
        ox_store_be32(p->bytes + at + 28, 200000 + n / 3);
        if (kind == DATA) put(p, payload, 180);
    } else {
        put_icmp(p, 8, 0, 56);
        ox_store_be16(p->bytes + p->len - 58, (uint16_t)n);
    }
    end(p);
    if (protocol != 1) sum_packet(p);
}

static inline void remember(way *way, const packet *p) {
    assert_true(way->sent < RECORDS && p->len <= RECORD_BYTES);
    record *record = &way->records[way->sent++];
    memcpy(record->bytes, p->bytes, p->len);
    record->len = (uint16_t)p->len;
    record->come = false;
}

/* Sends the next packets of a flow at once. */
static inline void send_flow(crossing *w, uint32_t back, flow_kind kind, uint32_t which, uint32_t count) {
    static packet p;
    ox_list list = {0};
    for (uint32_t i = 0; i < count; i++) {
        make_flow_packet(w, &p, back, kind, which);
        remember(&w->ways[back], &p);
        add_packet(w->ways[back].from, &list, &p);
    }
    ox_tunnel_egress(w->ways[back].from->tunnel, &list, w->t.now);
}

static inline void enter(crossing *w, way *way, const datagram *d, uint64_t due) {
    for (uint32_t i = 0; i < FLIGHT; i++) {
        if (way->flights[i].due != 0) continue;
        way->flights[i].is = *d;
        way->flights[i].due = due;
        return;
    }
    fail_msg("the channel is full at %llu", (unsigned long long)w->t.now);
}

static inline bool loses(crossing *w) {
    if (w->burst_left > 0) return w->burst_left--, true;
    if (w->channel.loss == 0 || crossing_random(w, 1000 * w->channel.burst) >= w->channel.loss) return false;
    w->burst_left = w->channel.burst - 1;
    return true;
}

/* What comes out is one of those sent, byte by byte, and came once. */
static inline void take_whole(way *way) {
    static packet out[TAKEN];
    uint32_t count = take_packets(way->to, out, TAKEN);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = way->sent;
        while (at > 0) {
            const record *record = &way->records[--at];
            if (!record->come && record->len == out[i].len && memcmp(record->bytes, out[i].bytes, out[i].len) == 0) break;
            assert_true(at > 0);
        }
        way->records[at].come = true;
        way->come++;
    }
}

static inline void move(crossing *w, way *way) {
    static datagram taken[TAKEN];
    ox_tunnel_advance(way->from->tunnel, w->t.now);
    uint32_t count = take_datagrams(way->from, taken, TAKEN, false);
    for (uint32_t i = 0; i < count; i++) {
        way->datagrams++;
        way->bytes += taken[i].len;
        if (loses(w)) {
            way->lost++;
            continue;
        }
        uint64_t due = w->t.now + DELAY * MS;
        if (crossing_random(w, 1000) < w->channel.late) {
            due += MS * (1 + crossing_random(w, 12));
            way->late++;
        }
        enter(w, way, &taken[i], due);
        if (crossing_random(w, 1000) >= w->channel.doubled) continue;
        enter(w, way, &taken[i], due + MS * crossing_random(w, 5));
        way->doubled++;
    }
    for (uint32_t i = 0; i < FLIGHT; i++) {
        flight *flight = &way->flights[i];
        if (flight->due == 0 || flight->due > w->t.now) continue;
        flight->due = 0;
        give_datagram(way->to, &flight->is, w->t.now);
        take_whole(way);
    }
    forget_events(way->from);
}

static inline void pass(crossing *w, uint32_t ms) {
    for (uint32_t i = 0; i < ms; i++) {
        w->t.now += MS;
        move(w, &w->ways[0]);
        move(w, &w->ways[1]);
    }
}

static inline ox_compact_report compact_of(const end_of *e) {
    ox_peer_report report;
    ox_peer_status(e->peer, &report);
    return report.compact[0];
}

/* Packets that came with compressed headers and could not be restored. */
static inline uint64_t refused_headers(const end_of *e) {
    return drops(e, OX_DROP_HEADER_CONTEXT) + drops(e, OX_DROP_HEADER_LATE) + drops(e, OX_DROP_HEADER_CHECKSUM) +
           drops(e, OX_DROP_HEADER_MALFORMED);
}

static inline void crossing_finish(crossing *w) {
    for (uint32_t i = 0; i < 2; i++) {
        forget_packets(w->ways[i].from);
        forget_datagrams(w->ways[i].from);
    }
    ends_finish(&w->t);
}

#endif
