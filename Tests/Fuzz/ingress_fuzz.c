/*
 * A tunnel whose peer is malicious: it holds the session's keys and seals what it likes. The input is a list of steps: a kind,
 * two bytes of length, and that many bytes.
 *
 * Whatever comes, the device gets only packets that parse, from an address of the peer, and super-packets that can be cut into
 * such; no data datagram is longer than the path's MTU; and in the end every buffer is back.
 */
#include "CSources/COxTunnel/state.h"
#include "Tests/C/COxPacket/supers.h"

#include <stdlib.h>

enum { BUFFERS = 1024, LARGE = 16, EVENTS = 512, LOCAL = 9, PEER = 3, STEPS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct world {
    ox_pool *pool;
    ox_tunnel *tunnel;
    ox_session *session;
    ox_peer *peer;
    ox_keys *remote;
    ox_policy policy;
    uint64_t number; /* the peer's next */
    uint64_t train;  /* the number of its train's first car */
    uint64_t now;
    bool probed;
} world;

static ox_identity *identity;
static ox_aead_engine *engine;
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
    engine = ox_aead_engine_create(); /* the malicious peer uses it too */
    ox_route list[2] = {{.ip = {[10] = 0xff, [11] = 0xff, [12] = 10}, .bits = 104, .peer = PEER},
                        {.ip = {0xfd}, .bits = 8, .peer = PEER}};
    routes = ox_routes_create(list, 2);
    ring = ox_ring_init(aligned_alloc(64, (ox_ring_bytes(EVENTS, sizeof(ox_event)) + 63) / 64 * 64), EVENTS, sizeof(ox_event));
    pool = ox_pool_create();
    for (int i = 0; i < OX_BUF_CLASSES; i++) {
        const ox_slab_parameters slab = {.class_ = (ox_buf_class)i, .buffers = i == OX_BUF_SMALL ? BUFFERS : LARGE, .node = -1};
        CHECK(ox_pool_add(pool, ox_slab_create(&slab)));
    }
    tunnel = ox_tunnel_create(&(ox_tunnel_parameters){
        .session_id_bytes = 1, .identity = identity, .pool = pool, .engine = engine, .events = ring, .cookies = jar});
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

static void check_packet(world *w, const ox_buf *buf) {
    ox_headers headers;
    ox_list pieces = {0};
    CHECK(ox_parse(buf->data, buf->len, &headers) == OX_PASS);
    // ICMP errors of our own come from an address of the peer too: that of the packet that was too big.
    CHECK(headers.version == 4 ? buf->data[12] == 10 : buf->data[8] == 0xfd);
    if (buf->checksum == OX_CHECKSUM_PARTIAL)
        CHECK(headers.has_transport && headers.transport_offset == buf->transport && headers.protocol == buf->protocol);
    if (buf->segment == 0) {
        CHECK(buf->len <= OX_INNER_MTU);
        return;
    }
    CHECK(buf->checksum == OX_CHECKSUM_PARTIAL && buf->len > ox_headers_bytes(&headers) + buf->segment);
    (void)ox_segment(w->pool, buf, &headers, &pieces);
    for (ox_buf *piece; (piece = ox_list_take(&pieces)) != NULL; ox_pool_put(w->pool, piece)) {
        CHECK(piece->len <= OX_INNER_MTU && ox_parse(piece->data, piece->len, &headers) == OX_PASS);
        CHECK(headers.has_transport);
    }
}

static void check_datagrams(const world *w, const ox_buf *buf) {
    uint32_t unit = buf->segment != 0 ? buf->segment : buf->len;
    CHECK(!ox_address_is_none(&buf->address) && buf->len > 0);
    CHECK(buf->handshake || w->probed || unit <= OX_MTU_BASE);
    CHECK((buf->data[0] < OX_TYPE_DATA) == (buf->handshake == 1));
    CHECK(buf->len <= OX_SEGMENTED_BYTES_MAX && (buf->len + unit - 1) / unit <= OX_SEGMENTS_MAX);
}

static void collect(world *w) {
    ox_list packets = {0}, datagrams = {0};
    ox_event event;
    ox_tunnel_take_device(w->tunnel, &packets);
    for (ox_buf *buf; (buf = ox_list_take(&packets)) != NULL; ox_pool_put(w->pool, buf)) check_packet(w, buf);
    ox_tunnel_take_network(w->tunnel, &datagrams);
    for (ox_buf *buf; (buf = ox_list_take(&datagrams)) != NULL; ox_pool_put(w->pool, buf)) check_datagrams(w, buf);
    while (ox_ring_pop(ring, &event)) CHECK(event.kind <= OX_EVENT_POLICY_TAKEN);
}

/* The peer seals these bytes, in order or skipping some numbers. */
static void sealed(world *w, const uint8_t *bytes, size_t len, uint8_t how) {
    ox_buf *buf = ox_pool_get(w->pool, OX_BUF_SMALL);
    if (buf == NULL || len > OX_BUF_CONTENT_MAX - OX_HEADER_MAX - OX_TAG_BYTES) {
        if (buf != NULL) ox_pool_put(w->pool, buf);
        return;
    }
    w->number += how >> 5;
    uint64_t number = how >> 2 & 1 && w->number > 5 ? w->number - 5 : w->number++;
    uint32_t header = ox_header_write(buf->data, LOCAL, 1, number, 2);
    if (len > 0) memcpy(buf->data + header, bytes, len);
    ox_aead_job job = {.number = number, .aad = buf->data, .from = buf->data + header, .to = buf->data + header,
                       .len = (uint32_t)len, .aad_len = (uint8_t)header};
    ox_keys_seal(engine, w->remote, 0, &job, 1);
    buf->len = header + (uint32_t)len + OX_TAG_BYTES;
    buf->ecn = how & 3;
    buf->address = peer_address;
    buf->address.port = (uint16_t)(7 + (how >> 3 & 1));
    ox_list list = {0};
    ox_list_append(&list, buf);
    ox_tunnel_ingress(w->tunnel, &list, false, w->now);
}

/* What a train carries: meta bytes, the super-packet, the copy and its length. Returns the bytes without the last two. */
static uint32_t write_content(uint8_t *out, const spec *is, uint32_t segment, uint32_t slice, uint32_t *copy) {
    out[0] = (uint8_t)segment;
    out[1] = (uint8_t)(segment >> 8);
    out[2] = (uint8_t)slice;
    out[3] = (uint8_t)(slice >> 8);
    uint32_t len = OX_TRAIN_META_BYTES + write_packet(out + OX_TRAIN_META_BYTES, is, true);
    *copy = OX_TRAIN_META_BYTES + spec_header_bytes(is);
    memcpy(out + len, out, *copy);
    out[len + *copy] = (uint8_t)*copy;
    return len;
}

/* One car at the end of the buffer: `told` is its index and flags, a change of its length, and a byte that is changed. */
static uint32_t add_car(world *w, uint8_t *to, const uint8_t *content, uint32_t len, uint32_t copy, uint32_t slice,
                        const uint8_t *told) {
    uint32_t index = told[0] & 63, from = index * slice, bytes = slice;
    bool last = told[0] & 64;
    if (last) bytes = from < len ? len - from + copy + 1 : 1;
    bytes += (uint32_t)(int8_t)told[1];
    if (bytes > OX_BUF_CONTENT_MAX - 32) bytes = told[1];
    if (from + bytes > OX_BUF_LARGE_BYTES) from = 0;
    uint32_t header = ox_header_write_car(to, LOCAL, 1, w->train + index, 2 + told[1] % 3, index, last);
    uint8_t *plain = to + header;
    memcpy(plain, content + from, bytes);
    if (bytes > 0) plain[told[2] & 128 ? bytes - 1 - told[2] % 128 % bytes : told[2] % bytes] ^= told[3];
    ox_aead_job job = {.number = w->train + index, .aad = to, .from = plain, .to = plain, .len = bytes,
                       .aad_len = (uint8_t)header};
    ox_keys_seal(engine, w->remote, 0, &job, 1);
    to[header + bytes + OX_TAG_BYTES - 1] ^= told[0] >> 7;
    if (w->number <= w->train + index) w->number = w->train + index + 1;
    return header + bytes + OX_TAG_BYTES;
}

/* Cars of a train, four bytes each: alone, or in one buffer while their sizes allow it. */
static void cars(world *w, const uint8_t *bytes, size_t len, uint8_t how) {
    static uint8_t content[2 * OX_BUF_LARGE_BYTES];
    if (len < 7) return;
    spec is = kind_spec(bytes[0] & 3);
    is.payload = 1 + (uint32_t)(ox_load_be16(bytes + 1) % 60000);
    is.options = is.protocol == OX_PROTO_TCP ? bytes[6] % 11 * 4 : 0;
    is.tos = bytes[6] >> 6;
    uint32_t slice = 1 + ox_load_be16(bytes + 3) % 1500, copy;
    uint32_t content_len = write_content(content, &is, 1 + bytes[5] * 8u, slice, &copy);
    if ((bytes[0] & 8) == 0) w->train = w->number + (bytes[0] >> 4); // else more of the train before
    ox_list list = {0};
    for (size_t at = 7; at + 4 <= len; at += 4) {
        uint8_t car[OX_BUF_BYTES];
        uint32_t car_len = add_car(w, car, content, content_len, copy, slice, bytes + at);
        ox_buf *buf = list.tail;
        bool joins = buf != NULL && (bytes[0] & 4) != 0 && buf->len % buf->segment == 0 && car_len <= buf->segment &&
                     buf->len + car_len <= UINT16_MAX;
        if (!joins) {
            buf = ox_pool_get(w->pool, OX_BUF_LARGE);
            if (buf == NULL) break;
            buf->segment = (uint16_t)car_len;
            buf->ecn = how & 3;
            buf->address = peer_address;
            ox_list_append(&list, buf);
        }
        memcpy(buf->data + buf->len, car, car_len);
        buf->len += car_len;
    }
    ox_tunnel_ingress(w->tunnel, &list, how >> 2 & 1, w->now);
}

/* A super-packet from the device, whose word on it may be wrong. */
static void super(world *w, const uint8_t *bytes, size_t len) {
    if (len < 6) return;
    ox_buf *buf = ox_pool_get(w->pool, OX_BUF_LARGE);
    if (buf == NULL) return;
    spec is = kind_spec(bytes[0] & 3);
    is.payload = ox_load_be16(bytes + 1) % 65000;
    is.options = is.protocol == OX_PROTO_TCP ? bytes[5] % 11 * 4 : 0;
    buf->len = write_packet(buf->data, &is, true);
    buf->segment = ox_load_be16(bytes + 3);
    buf->transport = (uint16_t)((is.version == 4 ? 20 : 40) + (bytes[0] >> 2 & 1));
    buf->protocol = is.protocol;
    buf->checksum = bytes[0] >> 3 & 1 ? OX_CHECKSUM_UNKNOWN : OX_CHECKSUM_PARTIAL;
    if (len >= 8) buf->data[bytes[6] % 60] ^= bytes[7];
    ox_list list = {0};
    ox_list_append(&list, buf);
    ox_tunnel_egress(w->tunnel, &list, w->now);
}

static void raw(world *w, const uint8_t *bytes, size_t len, bool to_network) {
    ox_buf *buf = ox_pool_get(w->pool, OX_BUF_SMALL);
    if (buf == NULL || len > OX_BUF_CONTENT_MAX) {
        if (buf != NULL) ox_pool_put(w->pool, buf);
        return;
    }
    if (len > 0) memcpy(buf->data, bytes, len);
    buf->len = (uint32_t)len;
    buf->address = peer_address;
    ox_list list = {0};
    ox_list_append(&list, buf);
    if (to_network) ox_tunnel_ingress(w->tunnel, &list, false, w->now);
    else ox_tunnel_egress(w->tunnel, &list, w->now);
}

/* Packets for the peer, of the lengths that the bytes say. */
static void egress(world *w, const uint8_t *bytes, size_t len) {
    ox_list list = {0};
    for (size_t i = 0; i < len && i < 16; i++) {
        ox_buf *buf = ox_pool_get(w->pool, OX_BUF_SMALL);
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
    case 6: cars(w, bytes, len, kind >> 3); break;
    case 7: super(w, bytes, len); break;
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
    begin(&w, data[0] & 31);
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
    CHECK(ox_pool_free(w.pool, OX_BUF_SMALL) == BUFFERS && ox_pool_free(w.pool, OX_BUF_LARGE) == LARGE);
    ox_peer_report report;
    ox_peer_status(w.peer, &report);
    const ox_path_stats *stats = &report.paths[0];
    CHECK(stats->acknowledged + stats->lost + stats->unresolved <= stats->sent);
    ox_session_destroy(w.session);
    ox_peer_destroy(w.peer);
    ox_keys_destroy(w.remote);
    return 0;
}
