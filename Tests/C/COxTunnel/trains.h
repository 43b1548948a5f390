/* Super-packets, the cars that they cross as, and what comes out, checked against what went in. */
#ifndef TESTS_COXTUNNEL_TRAINS_H
#define TESTS_COXTUNNEL_TRAINS_H

#include "Tests/C/COxPacket/supers.h"
#include "ends.h"

enum { CARS_MAX = 128, GRO_BYTES = 65535 };

/* A super-packet, and which bytes of its payload came out at the other end. */
typedef struct shipment {
    packet p;
    spec is;
    uint32_t segment, head;
    uint8_t seen[65536];
} shipment;

static inline bool is_tcp(const shipment *s) { return s->is.protocol == OX_PROTO_TCP; }

/* From a to b, checksum partial. A datagram of UDP begins with its index, where that has room. */
static inline void make_super(shipment *s, spec is, uint32_t segment) {
    s->is = is;
    s->segment = segment;
    s->head = spec_header_bytes(&is);
    s->p.len = write_packet(s->p.bytes, &is, true);
    memset(s->seen, 0, sizeof s->seen);
    uint8_t *bytes = s->p.bytes;
    if (is.version == 4) memcpy(bytes + 12, (const uint8_t[8]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
    else memcpy(bytes + 8, (const uint8_t[32]){0xfd, [15] = 1, [16] = 0xfd, [31] = 2}, 32);
    if (is.protocol == OX_PROTO_UDP && segment >= 4)
        for (uint32_t i = 0; i * segment + 4 <= is.payload; i++) ox_store_be32(bytes + s->head + i * segment, i);
    naive_finish(bytes, s->p.len, true);
}

static inline shipment *tcp_super(shipment *s, uint8_t version, uint32_t payload, uint32_t segment) {
    spec is = tcp_spec(version);
    is.payload = payload;
    is.flags = ACK | PSH | FIN | CWR;
    is.sequence = 0xfffff000;
    is.fill = (uint8_t)(payload * 3);
    make_super(s, is, segment);
    return s;
}

static inline shipment *udp_super(shipment *s, uint8_t version, uint32_t payload, uint32_t segment) {
    spec is = udp_spec(version);
    is.payload = payload;
    is.fill = (uint8_t)(payload * 5);
    make_super(s, is, segment);
    return s;
}

static inline ox_buf *super_buffer(end_of *e, const shipment *s) {
    ox_buf *buf = ox_pool_get(e->pool, OX_BUF_LARGE);
    assert_non_null(buf);
    memcpy(buf->data, s->p.bytes, s->p.len);
    buf->len = (uint32_t)s->p.len;
    buf->segment = (uint16_t)s->segment;
    buf->transport = s->is.version == 4 ? 20 : 40;
    buf->protocol = s->is.protocol;
    buf->checksum = OX_CHECKSUM_PARTIAL;
    return buf;
}

static inline void send_super(end_of *e, const shipment *s, uint64_t now) {
    ox_list list = {0};
    ox_list_append(&list, super_buffer(e, s));
    ox_tunnel_egress(e->tunnel, &list, now);
}

/* ---- the network -------------------------------------------------------------------------------------------- */

/* Bytes of plaintext in the datagrams of the next train. */
static inline uint32_t room_of(const end_of *e) {
    return e->mtu - 1 - ox_session_overhead(e->session, e->session->next_number + OX_TRAIN_CARS_MAX);
}

/* Takes the datagrams that an end wants to send, cut as the kernel cuts them. None is above the MTU. */
static inline uint32_t take_cars(end_of *e, datagram *out, uint32_t max) {
    ox_list list = {0};
    ox_tunnel_take_network(e->tunnel, &list);
    uint32_t count = 0;
    for (ox_buf *buf; (buf = ox_list_take(&list)) != NULL; ox_pool_put(e->pool, buf)) {
        uint32_t unit = buf->segment != 0 ? buf->segment : buf->len;
        assert_true(buf->segment == 0 || (buf->len > unit && (buf->len - 1) / unit < OX_SEGMENTS_MAX));
        assert_true(buf->segment == 0 || buf->len <= OX_SEGMENTED_BYTES_MAX);
        for (uint32_t at = 0; at < buf->len; at += unit) {
            datagram *d = &out[count++];
            assert_true(count <= max);
            d->len = buf->len - at < unit ? buf->len - at : unit;
            assert_true(d->len <= e->mtu);
            memcpy(d->bytes, buf->data + at, d->len);
            d->ecn = buf->ecn;
            d->to = buf->address;
            d->from = e->address;
        }
    }
    return count;
}

/* Datagrams as they are received: with `group`, equal ones that follow each other in one buffer, and a shorter last. */
static inline void give_datagrams(end_of *e, const datagram *const *ds, uint32_t count, uint32_t group, bool more,
                                  uint64_t now) {
    ox_list list = {0};
    for (uint32_t i = 0; i < count;) {
        ox_buf *buf = ox_pool_get(e->pool, group > 1 ? OX_BUF_LARGE : OX_BUF_SMALL);
        assert_non_null(buf);
        size_t unit = ds[i]->len;
        uint32_t n = 0;
        do {
            memcpy(buf->data + buf->len, ds[i]->bytes, ds[i]->len);
            buf->len += (uint32_t)ds[i]->len;
            n++;
            i++;
        } while (i < count && n < group && ds[i - 1]->len == unit && ds[i]->len <= unit && ds[i]->ecn == ds[i - 1]->ecn &&
                 buf->len + ds[i]->len <= GRO_BYTES);
        buf->segment = n > 1 ? (uint16_t)unit : 0;
        buf->ecn = ds[i - 1]->ecn;
        buf->address = ds[i - 1]->from;
        ox_list_append(&list, buf);
    }
    ox_tunnel_ingress(e->tunnel, &list, more, now);
}

/* Those of the datagrams that `which` says, in its order. */
static inline void give_some(end_of *e, const datagram *ds, const uint32_t *which, uint32_t count, uint32_t group,
                             bool more, uint64_t now) {
    const datagram *list[2 * CARS_MAX];
    for (uint32_t i = 0; i < count; i++) list[i] = &ds[which[i]];
    give_datagrams(e, list, count, group, more, now);
}

static inline void give_range(end_of *e, const datagram *ds, uint32_t from, uint32_t to, uint32_t group, uint64_t now) {
    uint32_t which[CARS_MAX];
    for (uint32_t i = from; i < to; i++) which[i - from] = i;
    give_some(e, ds, which, to - from, group, false, now);
}

static inline ox_header header_of(const end_of *to, const datagram *d) {
    ox_header header;
    uint32_t id_bytes = to->tunnel->is.session_id_bytes;
    assert_int_equal(OX_PASS, ox_header_read(d->bytes, d->len, id_bytes, &header));
    return header;
}

/* ---- what comes out ------------------------------------------------------------------------------------------ */

/* One packet that came out, its checksum complete, is a part of the shipment that had not come before. */
static inline void check_piece(shipment *s, const uint8_t *bytes, uint32_t len) {
    ox_headers headers;
    assert_int_equal(OX_PASS, ox_parse(bytes, len, &headers));
    assert_int_equal(s->head, ox_headers_bytes(&headers));
    assert_true(ox_checksum_verify(bytes, &headers));
    uint32_t payload = len - s->head, transport = headers.transport_offset, from;
    assert_true(payload > 0 && payload <= s->segment);
    if (is_tcp(s)) from = ox_load_be32(bytes + transport + 4) - s->is.sequence;
    else if (s->is.version == 4) from = (uint16_t)(ox_load_be16(bytes + 4) - s->is.id) * s->segment;
    else from = ox_load_be32(bytes + s->head) * s->segment;
    assert_true(from < s->is.payload && from + payload <= s->is.payload);
    if (!is_tcp(s)) assert_true(payload == s->segment || from + payload == s->is.payload);
    assert_memory_equal(s->p.bytes + s->head + from, bytes + s->head, payload);
    for (uint32_t i = from; i < from + payload; i++) assert_int_equal(0, s->seen[i]++);
    // All of the headers, written anew from those of the super-packet.
    uint8_t expected[256];
    memcpy(expected, s->p.bytes, s->head);
    if (s->is.version == 4) ox_store_be16(expected + 4, (uint16_t)(s->is.id + from / s->segment));
    if (is_tcp(s)) {
        ox_store_be32(expected + transport + 4, s->is.sequence + from);
        if (from + payload < s->is.payload) expected[transport + 13] &= (uint8_t) ~(FIN | PSH);
        if (from > 0) expected[transport + 13] &= (uint8_t)~CWR;
    }
    static uint8_t whole[OX_BUF_BYTES];
    memcpy(whole, expected, s->head);
    memcpy(whole + s->head, bytes + s->head, payload);
    naive_finish(whole, len, false);
    // Where a car ended inside a segment, the next packet's identification is not that of a whole segment.
    if (s->is.version == 4 && from % s->segment != 0) memcpy(whole + 4, bytes + 4, 2), naive_v4_checksum(whole);
    assert_memory_equal(whole, bytes, s->head);
}

/* A buffer for the device, as it would be cut there. */
static inline void check_super(end_of *e, shipment *s, const ox_buf *buf) {
    ox_headers headers;
    ox_list pieces = {0};
    assert_int_equal(OX_PASS, ox_parse(buf->data, buf->len, &headers));
    assert_int_equal(OX_CHECKSUM_PARTIAL, buf->checksum);
    assert_int_equal(headers.transport_offset, buf->transport);
    assert_int_equal(s->is.protocol, buf->protocol);
    if (buf->segment == 0) {
        static uint8_t copy[OX_BUF_BYTES];
        memcpy(copy, buf->data, buf->len);
        ox_checksum_complete(copy, &headers);
        check_piece(s, copy, buf->len);
        return;
    }
    assert_int_equal(s->segment, buf->segment);
    assert_true(buf->len > s->head + s->segment);
    assert_int_equal(0, ox_segment(e->pool, buf, &headers, &pieces));
    for (ox_buf *piece; (piece = ox_list_take(&pieces)) != NULL; ox_pool_put(e->pool, piece))
        check_piece(s, piece->data, piece->len);
}

/* Takes all that the end delivers; returns how many buffers, each checked to be a part of the shipment. */
static inline uint32_t collect(end_of *e, shipment *s) {
    ox_list list = {0};
    ox_tunnel_take_device(e->tunnel, &list);
    uint32_t count = list.count;
    for (ox_buf *buf; (buf = ox_list_take(&list)) != NULL; ox_pool_put(e->pool, buf)) check_super(e, s, buf);
    return count;
}

static inline void expect_seen(const shipment *s, uint32_t from, uint32_t to, bool seen) {
    for (uint32_t i = from; i < to; i++) assert_int_equal(seen, s->seen[i]);
}

static inline void expect_all(const shipment *s) { expect_seen(s, 0, s->is.payload, true); }

/* The bytes of payload that lie in car `index` of `count`. */
static inline void span_of(const end_of *to, const shipment *s, const datagram *cars, uint32_t count, uint32_t index,
                           uint32_t *from, uint32_t *until) {
    uint32_t content = 0, before = OX_TRAIN_META_BYTES + s->head;
    for (uint32_t i = 0; i <= index; i++) {
        *from = content;
        content += (uint32_t)cars[i].len - header_of(to, &cars[i]).header_bytes - to->session->tag_bytes;
    }
    *from = *from > before ? *from - before : 0;
    *until = index + 1 == count ? s->is.payload : content - before;
}

#endif
