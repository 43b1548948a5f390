/*
 * A tunnel whose peer is malicious: it holds the session's keys and seals what it likes. The input is a list of steps: a kind,
 * two bytes of length, and that many bytes.
 *
 * Whatever comes, the device gets only packets that parse, from an address of the peer; no data datagram is longer than the
 * path's MTU; and in the end every buffer is back.
 */
#include "CSources/COxTunnel/state.h"

#include <stdlib.h>

#define CHECK(condition) OX_ASSERT(condition)

enum { BUFFERS = 1024, EVENTS = 512, LOCAL = 9, PEER = 3, STEPS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct world {
    ox_pool *pool;
    ox_tunnel *tunnel;
    ox_session *session;
    ox_peer *peer;
    ox_keys *remote;
    ox_policy policy;
    uint64_t number; /* the peer's next */
    uint64_t now;
    bool probed;
} world;

static ox_identity *identity;
static ox_cookie_jar *jar;
static ox_routes *routes;
static ox_ring *ring;
static ox_pool *pool; /* these two are made once, for speed: what an input leaves behind in them is checked for */
static ox_tunnel *tunnel;
static const ox_address peer_address = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 192, [15] = 2}, .port = 7};

static void set_up(void) {
    if (identity != NULL) return;
    uint8_t key[OX_KEY_BYTES] = {1};
    CHECK(ox_init() == OX_OK);
    identity = ox_identity_create(key);
    jar = ox_cookie_jar_create(identity);
    ox_route list[2] = {{.ip = {[10] = 0xff, [11] = 0xff, [12] = 10}, .bits = 104, .peer = PEER},
                        {.ip = {0xfd}, .bits = 8, .peer = PEER}};
    routes = ox_routes_create(list, 2);
    ring = ox_ring_init(aligned_alloc(64, (ox_ring_bytes(EVENTS, sizeof(ox_event)) + 63) / 64 * 64), EVENTS, sizeof(ox_event));
    pool = ox_pool_create(BUFFERS);
    tunnel = ox_tunnel_create(&(ox_tunnel_parameters){
        .session_id_bytes = 1, .identity = identity, .pool = pool, .events = ring, .cookies = jar});
}

static void begin(world *w, uint32_t features) {
    uint8_t keys[2][OX_KEY_BYTES] = {{2}, {3}};
    *w = (world){.now = 1000 * (uint64_t)OX_NS_PER_MS};
    w->pool = pool;
    w->tunnel = tunnel;
    ox_policy_defaults(&w->policy);
    w->policy.routes = routes;
    w->policy.handshakes_per_second = 2;
    ox_tunnel_set_policy(w->tunnel, &w->policy);
    w->peer = ox_peer_create(PEER);
    ox_tunnel_add_peer(w->tunnel, w->peer);
    w->session = ox_session_create(&(ox_session_parameters){.peer = PEER,
                                                            .local = LOCAL,
                                                            .remote = LOCAL,
                                                            .remote_bytes = 1,
                                                            .features = features,
                                                            .replay_window = OX_REPLAY_WINDOW_MIN,
                                                            .created_ns = w->now},
                                   ox_keys_create(OX_AEAD_CHACHA20POLY1305, keys[0], keys[1]));
    w->remote = ox_keys_create(OX_AEAD_CHACHA20POLY1305, keys[1], keys[0]);
    CHECK(ox_tunnel_add_session(w->tunnel, w->session) == NULL);
    ox_tunnel_move_path(w->tunnel, PEER, 0, &peer_address);
    ox_tunnel_use_session(w->tunnel, LOCAL, false, w->now);
}

static void check_packet(const ox_buf *buf) {
    ox_headers headers;
    CHECK(buf->len <= OX_INNER_MTU && ox_parse(buf->data, buf->len, &headers) == OX_PASS);
    // ICMP errors of our own come from an address of the peer too: that of the packet that was too big.
    CHECK(headers.version == 4 ? buf->data[12] == 10 : buf->data[8] == 0xfd);
}

static void collect(world *w) {
    ox_list packets = {0}, datagrams = {0};
    ox_event event;
    ox_tunnel_take_device(w->tunnel, &packets);
    for (ox_buf *buf; (buf = ox_list_take(&packets)) != NULL; ox_pool_put(w->pool, buf)) check_packet(buf);
    ox_tunnel_take_network(w->tunnel, &datagrams);
    for (ox_buf *buf; (buf = ox_list_take(&datagrams)) != NULL; ox_pool_put(w->pool, buf)) {
        CHECK(!ox_address_is_none(&buf->address) && buf->len > 0);
        CHECK(buf->handshake || w->probed || buf->len <= OX_MTU_BASE);
        CHECK((buf->data[0] < OX_TYPE_DATA) == (buf->handshake == 1));
    }
    while (ox_ring_pop(ring, &event)) CHECK(event.kind <= OX_EVENT_POLICY_TAKEN);
}

/* The peer seals these bytes, in order or skipping some numbers. */
static void sealed(world *w, const uint8_t *bytes, size_t len, uint8_t how) {
    ox_buf *buf = ox_pool_get(w->pool);
    if (buf == NULL || len > OX_BUF_CONTENT_MAX - OX_HEADER_MAX - OX_TAG_BYTES) {
        if (buf != NULL) ox_pool_put(w->pool, buf);
        return;
    }
    w->number += how >> 5;
    uint64_t number = how >> 2 & 1 && w->number > 5 ? w->number - 5 : w->number++;
    uint32_t header = ox_header_write(buf->data, LOCAL, 1, number, 2);
    if (len > 0) memcpy(buf->data + header, bytes, len);
    ox_keys_seal(w->remote, 0, number, buf->data, header, buf->data + header, len);
    buf->len = header + (uint32_t)len + OX_TAG_BYTES;
    buf->ecn = how & 3;
    buf->address = peer_address;
    buf->address.port = (uint16_t)(7 + (how >> 3 & 1));
    ox_list list = {0};
    ox_list_append(&list, buf);
    ox_tunnel_ingress(w->tunnel, &list, w->now);
}

static void raw(world *w, const uint8_t *bytes, size_t len, bool to_network) {
    ox_buf *buf = ox_pool_get(w->pool);
    if (buf == NULL || len > OX_BUF_CONTENT_MAX) {
        if (buf != NULL) ox_pool_put(w->pool, buf);
        return;
    }
    if (len > 0) memcpy(buf->data, bytes, len);
    buf->len = (uint32_t)len;
    buf->address = peer_address;
    ox_list list = {0};
    ox_list_append(&list, buf);
    if (to_network) ox_tunnel_ingress(w->tunnel, &list, w->now);
    else ox_tunnel_egress(w->tunnel, &list, w->now);
}

/* Packets for the peer, of the lengths that the bytes say. */
static void egress(world *w, const uint8_t *bytes, size_t len) {
    ox_list list = {0};
    for (size_t i = 0; i < len && i < 16; i++) {
        ox_buf *buf = ox_pool_get(w->pool);
        if (buf == NULL) break;
        buf->len = 20 + 6u * bytes[i];
        if (buf->len > OX_INNER_MTU) buf->len = OX_INNER_MTU;
        memset(buf->data, 0, buf->len);
        memcpy(buf->data, (const uint8_t[]){0x45, bytes[i] & 3, 0, 0, 0, 0, 0x40, 0, 9, 99, 0, 0, 10, 1, 1, 1, 10, 2, 2, 2}, 20);
        ox_store_be16(buf->data + 2, (uint16_t)buf->len);
        ox_list_append(&list, buf);
    }
    ox_tunnel_egress(w->tunnel, &list, w->now);
}

static void step(world *w, uint8_t kind, const uint8_t *bytes, size_t len) {
    switch (kind & 7) {
    default: sealed(w, bytes, len, kind >> 3); break;
    case 1: raw(w, bytes, len, true); break;
    case 2: raw(w, bytes, len, false); break;
    case 3: egress(w, bytes, len); break;
    case 4: w->now += (uint64_t)len * 20 * OX_NS_PER_MS; break;
    case 5:
        w->probed |= kind >> 3 == 1;
        if (kind >> 3 == 0) ox_tunnel_send_keepalive(w->tunnel, LOCAL, w->now);
        else if (kind >> 3 == 1) ox_tunnel_send_probe(w->tunnel, LOCAL, 8 * (uint32_t)len, w->now);
        else if (kind >> 3 == 2) ox_tunnel_send_challenge(w->tunnel, LOCAL, len, &peer_address, w->now);
        else if (kind >> 3 == 3) ox_tunnel_send_close(w->tunnel, LOCAL, (uint8_t)len, w->now);
        break;
    }
    (void)ox_tunnel_advance(w->tunnel, w->now);
    collect(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    set_up();
    world w;
    begin(&w, data[0] & 3);
    size_t at = 1;
    for (uint32_t steps = 0; steps < STEPS_MAX && size - at >= 3; steps++) {
        uint8_t kind = data[at];
        size_t len = ox_load_be16(data + at + 1) & 0x7ff;
        at += 3;
        if (len > size - at) len = size - at;
        step(&w, kind, data + at, len);
        at += len;
    }
    CHECK(ox_tunnel_remove_session(w.tunnel, LOCAL) == w.session);
    CHECK(ox_tunnel_remove_peer(w.tunnel, PEER) == w.peer);
    collect(&w);
    CHECK(ox_pool_status(w.pool).free == BUFFERS);
    ox_peer_report report;
    ox_peer_status(w.peer, &report);
    const ox_path_stats *stats = &report.paths[0];
    CHECK(stats->acknowledged + stats->lost + stats->unresolved <= stats->sent);
    ox_session_destroy(w.session);
    ox_peer_destroy(w.peer);
    ox_keys_destroy(w.remote);
    return 0;
}
