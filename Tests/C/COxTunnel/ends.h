/* Two tunnels that share a session, and the datagrams between them in the test's hands. */
#ifndef TESTS_COXTUNNEL_ENDS_H
#define TESTS_COXTUNNEL_ENDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "CSources/COxTunnel/state.h"
#include "Tests/C/COxPacket/packets.h"

enum { ENDS_POOL = 2048, ENDS_LARGE = 64, ENDS_EVENTS = 1024 };
#define MS ((uint64_t)1000000)
#define SECOND ((uint64_t)1000000000)

typedef struct datagram {
    uint8_t bytes[OX_BUF_BYTES];
    size_t len;
    ox_address from;
    ox_address to;
    uint8_t ecn;
    bool handshake;
} datagram;

typedef struct end {
    ox_identity *identity;
    ox_pool *pool;
    ox_aead_engine *engine;
    ox_ring *events;
    ox_cookie_jar *cookies;
    ox_tunnel *tunnel;
    ox_peer *peer;
    ox_session *session;
    ox_routes *routes;
    ox_policy policy;
    ox_address address; /* where its datagrams come from */
    uint32_t local;
    uint32_t mtu;
} end_of;

/* `a` is 10.0.0.1 and fd00::1, `b` is 10.0.0.2 and fd00::2: the addresses of packets.h, and of its reverse. */
typedef struct ends {
    end_of a, b;
    uint64_t now;
} ends;

/* All zero is the common case. */
typedef struct ends_options {
    ox_aead aead; /* NONE for ChaCha20-Poly1305 */
    bool no_encryption;
    bool no_batch;
    bool no_split;
    bool no_train;
    bool repair;
    bool rohc;
    bool coalesce; /* off: each packet that comes out is seen alone */
    uint32_t mtu;      /* 0 for 1200 */
    uint32_t id_bytes; /* 0 for 2 */
    uint32_t window;
    bool no_address; /* no path has an address */
    bool unused;     /* the sessions are there, but not used to send */
} ends_options;

static inline ox_address v4_address(uint8_t last, uint16_t port) {
    return (ox_address){.ip = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = last}, .port = port};
}

static inline void ends_keys(const end_of *a, const end_of *b, ox_aead aead, ox_keys *keys[2]) {
    ox_handshake *initiator = ox_handshake_create(), *responder = ox_handshake_create();
    uint8_t message[OX_HANDSHAKE_MAX], payload[OX_HANDSHAKE_PAYLOAD_MAX], remote[OX_KEY_BYTES], psk[OX_KEY_BYTES] = {0};
    size_t len, payload_len;
    uint32_t index;
    assert_int_equal(OX_OK, ox_handshake_initiate(initiator, a->identity, ox_identity_public(b->identity), psk, 1, psk, 8,
                                                  message, &len));
    assert_int_equal(OX_OK, ox_handshake_read_initiation(responder, b->identity, message, len, remote, &index, payload,
                                                         &payload_len));
    assert_int_equal(OX_OK, ox_handshake_respond(responder, psk, 2, psk, 8, message, &len));
    assert_int_equal(OX_OK, ox_handshake_read_response(initiator, a->identity, message, len, &index, payload, &payload_len));
    keys[0] = ox_handshake_keys(initiator, aead);
    keys[1] = ox_handshake_keys(responder, aead);
    ox_handshake_destroy(initiator);
    ox_handshake_destroy(responder);
}

static inline ox_route v4_route(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint8_t bits, uint32_t peer) {
    return (ox_route){
        .ip = {[10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d}, .bits = (uint8_t)(96 + bits), .peer = peer};
}

static inline void end_begin(end_of *e, uint32_t peer, uint32_t local, uint8_t other, const ends_options *o) {
    uint8_t key[OX_KEY_BYTES];
    ox_key_random(key, true);
    e->identity = ox_identity_create(key);
    e->pool = ox_pool_create();
    e->engine = ox_aead_engine_create();
    uint32_t buffers[OX_BUF_CLASSES] = {ENDS_POOL, ENDS_LARGE};
    for (int i = 0; i < OX_BUF_CLASSES; i++)
        assert_true(ox_pool_add(
            e->pool, ox_slab_create(&(ox_slab_parameters){.class_ = (ox_buf_class)i, .buffers = buffers[i], .node = -1})));
    e->events = ox_ring_init(aligned_alloc(64, (ox_ring_bytes(ENDS_EVENTS, sizeof(ox_event)) + 63) / 64 * 64),
                             ENDS_EVENTS, sizeof(ox_event));
    e->cookies = ox_cookie_jar_create(e->identity);
    e->tunnel = ox_tunnel_create(&(ox_tunnel_parameters){
        .session_id_bytes = o->id_bytes, .identity = e->identity, .pool = e->pool, .engine = e->engine,
        .events = e->events, .cookies = e->cookies});
    ox_route routes[2] = {v4_route(10, 0, 0, other, 32, peer), {.ip = {0xfd, [15] = other}, .bits = 128, .peer = peer}};
    e->routes = ox_routes_create(routes, 2);
    ox_policy_defaults(&e->policy);
    e->policy.routes = e->routes;
    e->policy.coalesce = o->coalesce;
    ox_tunnel_set_policy(e->tunnel, &e->policy);
    e->peer = ox_peer_create(peer);
    ox_tunnel_add_peer(e->tunnel, e->peer);
    e->local = local;
    e->mtu = o->mtu;
    e->address = v4_address(3 - other, (uint16_t)(1000 + peer));
}

static inline void end_session(end_of *e, const end_of *remote, ox_keys *keys, const ends_options *o, uint64_t now) {
    e->session = ox_session_create(&(ox_session_parameters){.peer = ox_peer_id(e->peer),
                                                            .local = e->local,
                                                            .remote = remote->local,
                                                            .remote_bytes = o->id_bytes,
                                                            .features = (o->no_batch ? 0 : OX_FEATURE_BATCH) |
                                                                        (o->no_split ? 0 : OX_FEATURE_SPLIT) |
                                                                        (o->no_train ? 0 : OX_FEATURE_TRAIN) |
                                                                        (o->repair ? OX_FEATURE_REPAIR : 0) |
                                                                        (o->rohc ? OX_FEATURE_ROHC : 0),
                                                            .replay_window = o->window,
                                                            .created_ns = now,
                                                            .trusted = remote->address},
                                   keys);
    assert_null(ox_tunnel_add_session(e->tunnel, e->session));
    if (!o->no_address) ox_tunnel_move_path(e->tunnel, ox_peer_id(e->peer), 0, &remote->address);
    ox_tunnel_set_mtu(e->tunnel, ox_peer_id(e->peer), 0, o->mtu);
    if (!o->unused) ox_tunnel_use_session(e->tunnel, e->local, false, now);
}

static inline bool take_event(end_of *e, ox_event *event) { return ox_ring_pop(e->events, event); }

static inline uint32_t forget_events(end_of *e) {
    ox_event event;
    uint32_t count = 0;
    while (take_event(e, &event)) count++;
    return count;
}

/* The next event of this kind; all before it are forgotten. */
static inline bool find_event(end_of *e, ox_event_kind kind, ox_event *event) {
    while (take_event(e, event))
        if (event->kind == kind) return true;
    return false;
}

static inline void ends_begin_with(ends *t, ends_options o) {
    assert_int_equal(OX_OK, ox_init());
    memset(t, 0, sizeof *t);
    if (o.aead == OX_AEAD_NONE && !o.no_encryption) o.aead = OX_AEAD_CHACHA20POLY1305;
    if (o.mtu == 0) o.mtu = 1200;
    if (o.id_bytes == 0) o.id_bytes = 2;
    t->now = 5 * SECOND;
    end_begin(&t->a, 7, 21, 2, &o);
    end_begin(&t->b, 3, 34, 1, &o);
    ox_keys *keys[2];
    ends_keys(&t->a, &t->b, o.aead, keys);
    end_session(&t->a, &t->b, keys[0], &o, t->now);
    end_session(&t->b, &t->a, keys[1], &o, t->now);
    forget_events(&t->a);
    forget_events(&t->b);
}

static inline void ends_begin(ends *t) { ends_begin_with(t, (ends_options){0}); }

static inline void end_finish(end_of *e) {
    ox_session_destroy(ox_tunnel_remove_session(e->tunnel, e->local));
    ox_peer_destroy(ox_tunnel_remove_peer(e->tunnel, ox_peer_id(e->peer)));
    ox_tunnel_destroy(e->tunnel);
    assert_int_equal(ENDS_POOL, ox_pool_free(e->pool, OX_BUF_SMALL));
    assert_int_equal(ENDS_LARGE, ox_pool_free(e->pool, OX_BUF_LARGE));
    ox_pool_destroy(e->pool);
    ox_aead_engine_destroy(e->engine);
    ox_cookie_jar_destroy(e->cookies);
    free(e->events);
    ox_routes_destroy(e->routes);
    ox_identity_destroy(e->identity);
}

/* Everything goes, and every buffer must be back. */
static inline void ends_finish(ends *t) {
    end_finish(&t->a);
    end_finish(&t->b);
}

static inline uint64_t drops(const end_of *e, ox_verdict verdict) {
    uint64_t counts[OX_VERDICT_COUNT];
    ox_tunnel_drops(e->tunnel, counts);
    return counts[verdict];
}

static inline uint64_t all_drops(const end_of *e) {
    uint64_t counts[OX_VERDICT_COUNT], sum = 0;
    ox_tunnel_drops(e->tunnel, counts);
    for (uint32_t i = 0; i < OX_VERDICT_COUNT; i++) sum += counts[i];
    return sum;
}

/* ---- packets ------------------------------------------------------------------------------------------------ */

/* Gives a TCP or UDP packet its checksum. */
static inline void sum_packet(packet *p) {
    ox_headers headers;
    assert_int_equal(OX_PASS, ox_parse(p->bytes, p->len, &headers));
    uint8_t *field = p->bytes + headers.transport_offset + (headers.protocol == OX_PROTO_TCP ? 16 : 6);
    uint32_t pseudo = ox_checksum_pseudo(p->bytes, &headers, (uint32_t)p->len - headers.transport_offset);
    ox_store_be16(field, (uint16_t)~ox_checksum_finish(pseudo));
    ox_checksum_complete(p->bytes, &headers);
}

/* An inner UDP packet of `len` bytes from a to b, or back, its payload told by `seed`. */
static inline void make_packet(packet *p, int version, size_t len, uint32_t seed, bool back, uint8_t ecn) {
    size_t headers = version == 4 ? 28 : 48;
    assert_true(len >= headers && len <= OX_BUF_CONTENT_MAX);
    uint8_t payload[OX_BUF_CONTENT_MAX];
    for (size_t i = 0; i < len - headers; i++) payload[i] = (uint8_t)((seed >> 8 * (i % 4)) + i * 31);
    if (version == 4) begin_v4(p, OX_PROTO_UDP, 0);
    else begin_v6(p, OX_PROTO_UDP);
    size_t source = version == 4 ? 15 : 23, destination = version == 4 ? 19 : 39;
    p->bytes[source] = back ? 2 : 1;
    p->bytes[destination] = back ? 1 : 2;
    put_udp(p, 5000, 6000, payload, len - headers);
    end(p);
    ox_ecn_set(p->bytes, ecn);
    sum_packet(p);
}

static inline ox_buf *buffer_of(end_of *e, const uint8_t *bytes, size_t len) {
    ox_buf *buf = ox_pool_get(e->pool, OX_BUF_SMALL);
    assert_non_null(buf);
    if (len > 0) memcpy(buf->data, bytes, len);
    buf->len = (uint32_t)len;
    return buf;
}

static inline void add_packet(end_of *e, ox_list *list, const packet *p) {
    ox_list_append(list, buffer_of(e, p->bytes, p->len));
}

static inline void send_packet(end_of *e, const packet *p, uint64_t now) {
    ox_list list = {0};
    add_packet(e, &list, p);
    ox_tunnel_egress(e->tunnel, &list, now);
}

/* Takes what the tunnel wants to send. No data datagram is longer than the path's MTU. Returns how many there were. */
static inline uint32_t take_datagrams(end_of *e, datagram *out, uint32_t max, bool probes) {
    ox_list list = {0};
    ox_tunnel_take_network(e->tunnel, &list);
    uint32_t count = 0;
    for (ox_buf *buf; (buf = ox_list_take(&list)) != NULL; ox_pool_put(e->pool, buf)) {
        assert_true(probes || buf->handshake || buf->len <= e->mtu);
        assert_true(count < max);
        datagram *d = &out[count++];
        memcpy(d->bytes, buf->data, buf->len);
        d->len = buf->len;
        d->ecn = buf->ecn;
        d->to = buf->address;
        d->from = e->address;
        d->handshake = buf->handshake == 1;
    }
    return count;
}

static inline void give_datagram(end_of *e, const datagram *d, uint64_t now) {
    ox_list list = {0};
    ox_buf *buf = buffer_of(e, d->bytes, d->len);
    buf->ecn = d->ecn;
    buf->address = d->from;
    ox_list_append(&list, buf);
    ox_tunnel_ingress(e->tunnel, &list, false, now);
}

/* Does what the kernel does with a partial checksum. */
static inline void complete_packet(packet *p, const ox_buf *buf) {
    ox_headers headers;
    if (buf->checksum != OX_CHECKSUM_PARTIAL || buf->segment != 0) return;
    assert_int_equal(OX_PASS, ox_parse(p->bytes, p->len, &headers));
    assert_int_equal(headers.transport_offset, buf->transport);
    ox_checksum_complete(p->bytes, &headers);
}

/* The next packet that the tunnel delivers to the device; false when there is none. */
static inline uint32_t take_packets(end_of *e, packet *out, uint32_t max) {
    ox_list list = {0};
    ox_tunnel_take_device(e->tunnel, &list);
    uint32_t count = 0;
    for (ox_buf *buf; (buf = ox_list_take(&list)) != NULL; ox_pool_put(e->pool, buf)) {
        assert_true(count < max);
        out[count].len = 0;
        put(&out[count], buf->data, buf->len);
        complete_packet(&out[count++], buf);
    }
    return count;
}

static inline uint32_t forget_packets(end_of *e) {
    ox_list list = {0};
    ox_tunnel_take_device(e->tunnel, &list);
    uint32_t count = list.count;
    ox_pool_put_list(e->pool, &list);
    return count;
}

static inline uint32_t forget_datagrams(end_of *e) {
    ox_list list = {0};
    ox_tunnel_take_network(e->tunnel, &list);
    uint32_t count = list.count;
    ox_pool_put_list(e->pool, &list);
    return count;
}

/* Carries everything from one end to the other; returns how many datagrams. */
static inline uint32_t carry(end_of *from, end_of *to, uint64_t now) {
    static datagram all[512];
    uint32_t count = take_datagrams(from, all, 512, true);
    for (uint32_t i = 0; i < count; i++) give_datagram(to, &all[i], now);
    return count;
}

static inline void assert_packet(const packet *expected, const packet *got) {
    assert_int_equal(expected->len, got->len);
    assert_memory_equal(expected->bytes, got->bytes, got->len);
}

/* Seals arbitrary plaintext with the sender's keys, as a peer that follows no rules would. */
static inline void seal_plain(end_of *e, const void *plain, size_t len, uint64_t now, datagram *out) {
    ox_buf *buf = buffer_of(e, plain, len);
    assert_true(ox_session_seal(e->tunnel, e->session, buf, true, ox_session_address(e->session), now));
    assert_int_equal(1, take_datagrams(e, out, 1, true));
}

static inline ox_path_stats path_stats(const end_of *e) {
    ox_peer_report report;
    ox_peer_status(e->peer, &report);
    return report.paths[0];
}

#endif
