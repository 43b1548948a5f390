/*
 * A coalescer with a record of what went in: what comes out, cut again, must be exactly that, flow by flow and in order.
 */
#ifndef TESTS_COXPACKET_COALESCED_H
#define TESTS_COXPACKET_COALESCED_H

#include "Tests/C/COxPacket/supers.h"

enum { PACKETS_MAX = 512 };

typedef struct entered {
    uint8_t bytes[4096];
    ox_headers headers;
    bool super, left;
} entered;

typedef struct coalesced {
    ox_pool *pool;
    ox_pool *cut; /* for the segments of the check */
    ox_coalescer *coalescer;
    ox_list out;
    uint32_t count;
    entered in[PACKETS_MAX];
    uint32_t supers; /* super-packets that the coalescer made */
} coalesced;

static inline bool ported(const ox_headers *h) {
    return h->has_transport && (h->protocol == OX_PROTO_TCP || h->protocol == OX_PROTO_UDP);
}

static inline bool same_hosts(const uint8_t *a, const uint8_t *b) {
    if (a[0] >> 4 != b[0] >> 4) return false;
    return a[0] >> 4 == 4 ? memcmp(a + 12, b + 12, 8) == 0 : memcmp(a + 8, b + 8, 32) == 0;
}

static inline bool one_flow(const uint8_t *a, const ox_headers *h, const uint8_t *b, const ox_headers *i) {
    if (!same_hosts(a, b) || ported(h) != ported(i)) return false;
    return !ported(h) || (h->protocol == i->protocol && h->source_port == i->source_port &&
                          h->destination_port == i->destination_port);
}

/* The buffer goes in. Its `number` is the test's. */
static inline void enter(coalesced *c, ox_buf *buf) {
    CHECK(c->count < PACKETS_MAX && buf->len <= sizeof c->in[0].bytes);
    entered *e = &c->in[c->count++];
    buf->number = c->count;
    memcpy(e->bytes, buf->data, buf->len);
    e->headers = parsed(buf->data, buf->len);
    e->super = buf->segment != 0;
    e->left = false;
    if (buf->checksum == OX_CHECKSUM_PARTIAL && !e->super) ox_checksum_complete(e->bytes, &e->headers);
    const ox_headers headers = e->headers;
    ox_coalescer_add(c->coalescer, buf, &headers, hash_of(buf->data, &headers), &c->out);
}

/* Only the identification of a UDP datagram with DF may be another one. */
static inline void check_bytes(const entered *e, const uint8_t *packet, const ox_headers *headers) {
    uint8_t expected[sizeof e->bytes];
    memcpy(expected, e->bytes, e->headers.total_bytes);
    if (headers->version == 4 && headers->protocol == OX_PROTO_UDP && headers->dont_fragment &&
        ox_load_be16(packet + 4) != ox_load_be16(expected + 4)) {
        memcpy(expected + 4, packet + 4, 2);
        naive_v4_checksum(expected);
    }
    CHECK(headers->total_bytes == e->headers.total_bytes);
    CHECK(memcmp(packet, expected, headers->total_bytes) == 0);
}

static inline void leaves(coalesced *c, const uint8_t *packet, uint32_t len, bool super) {
    const ox_headers headers = parsed(packet, len);
    uint32_t i = 0;
    while (i < c->count && (c->in[i].left || !one_flow(packet, &headers, c->in[i].bytes, &c->in[i].headers))) i++;
    CHECK(i < c->count);
    entered *e = &c->in[i];
    CHECK(e->super == super);
    check_bytes(e, packet, &headers);
    e->left = true;
    for (uint32_t before = 0; before < i && !ported(&headers); before++)
        CHECK(c->in[before].left || !same_hosts(packet, c->in[before].bytes));
}

static inline void check_super(coalesced *c, const ox_buf *buf) {
    const ox_headers headers = parsed(buf->data, buf->len);
    const uint32_t segments = ox_segments(buf, &headers);
    c->supers++;
    CHECK(buf->checksum == OX_CHECKSUM_PARTIAL && buf->len <= 65535);
    CHECK(segments >= 2 && segments <= OX_SEGMENTS_MAX);
    CHECK(buf->transport == headers.transport_offset && buf->protocol == headers.protocol);
    uint8_t copy[128];
    memcpy(copy, buf->data, ox_headers_bytes(&headers));
    const uint32_t payload = buf->len - ox_headers_bytes(&headers);
    ox_piece_headers(copy, &headers, 0, 0, payload, payload);
    CHECK(memcmp(copy, buf->data, ox_headers_bytes(&headers)) == 0);

    ox_list cut = {0};
    CHECK(ox_segment(c->cut, buf, &headers, &cut) == 0 && cut.count == segments);
    for (ox_buf *piece; (piece = ox_list_take(&cut)) != NULL; ox_pool_put(c->cut, piece))
        leaves(c, piece->data, piece->len, false);
}

/* Looks at what came out so far; returns how many buffers that were. */
static inline uint32_t collect(coalesced *c) {
    const uint32_t count = c->out.count;
    for (ox_buf *buf; (buf = ox_list_take(&c->out)) != NULL; ox_pool_put(c->pool, buf)) {
        const bool passed = buf->segment == 0 || c->in[buf->number - 1].super;
        if (!passed) {
            check_super(c, buf);
            continue;
        }
        const ox_headers headers = parsed(buf->data, buf->len);
        if (buf->segment == 0 && buf->checksum == OX_CHECKSUM_PARTIAL) ox_checksum_complete(buf->data, &headers);
        leaves(c, buf->data, buf->len, buf->segment != 0);
    }
    return count;
}

/* Everything that went in must be out; the record begins anew. */
static inline uint32_t flush(coalesced *c) {
    uint32_t count = collect(c);
    ox_coalescer_flush(c->coalescer, &c->out);
    count += collect(c);
    for (uint32_t i = 0; i < c->count; i++) CHECK(c->in[i].left);
    c->count = 0;
    return count;
}

#endif
