/* TCP and UDP packets written field by field, and what segmentation makes of them, without the code under test. */
#ifndef TESTS_COXPACKET_SUPERS_H
#define TESTS_COXPACKET_SUPERS_H

#include "oxcore/packet.h"

#define CHECK(condition) OX_ASSERT(condition)

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10, URG = 0x20, ECE = 0x40, CWR = 0x80 };

typedef struct spec {
    uint8_t version, protocol, tos, ttl;
    bool df;
    uint16_t id; /* IPv4 identification, or the low half of the IPv6 flow label */
    uint8_t host; /* last octet of the source */
    uint16_t source, destination;
    uint32_t sequence, acknowledgement;
    uint16_t window, urgent;
    uint8_t flags;
    uint8_t options, option; /* bytes of TCP options, and what they are filled with */
    uint32_t payload;
    uint8_t fill;
} spec;

static inline ox_pool *pool_of(uint32_t small, uint32_t large) {
    ox_pool *pool = ox_pool_create();
    CHECK(pool != NULL);
    const ox_slab_parameters each[OX_BUF_CLASSES] = {{.class_ = OX_BUF_SMALL, .buffers = small, .node = -1},
                                                     {.class_ = OX_BUF_LARGE, .buffers = large, .node = -1}};
    for (int i = 0; i < OX_BUF_CLASSES; i++) {
        if (each[i].buffers == 0) continue;
        ox_slab *slab = ox_slab_create(&each[i]);
        CHECK(slab != NULL && ox_pool_add(pool, slab));
    }
    return pool;
}

static inline spec tcp_spec(uint8_t version) {
    return (spec){.version = version, .protocol = OX_PROTO_TCP, .ttl = 64, .df = true, .id = 100, .host = 1,
                  .source = 443, .destination = 50000, .sequence = 1000, .acknowledgement = 77, .window = 512,
                  .flags = ACK, .options = 12, .option = 1, .payload = 1000};
}

static inline spec udp_spec(uint8_t version) {
    return (spec){.version = version, .protocol = OX_PROTO_UDP, .ttl = 64, .df = true, .id = 100, .host = 1,
                  .source = 5000, .destination = 6000, .payload = 100};
}

/* Kinds 0 to 3: each protocol over each version. */
static inline spec kind_spec(int kind) {
    return kind & 1 ? tcp_spec(kind & 2 ? 4 : 6) : udp_spec(kind & 2 ? 4 : 6);
}

static inline uint32_t spec_header_bytes(const spec *s) {
    return (s->version == 4 ? 20u : 40u) + (s->protocol == OX_PROTO_TCP ? 20u + s->options : 8u);
}

static inline uint16_t folded(uint32_t sum) {
    while (sum > 0xFFFF) sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)sum;
}

/* Octet by octet, as RFC 1071 says it in words. */
static inline uint32_t naive_sum(const uint8_t *bytes, size_t len) {
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i++) sum += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
    return sum;
}

static inline void naive_v4_checksum(uint8_t *header) {
    ox_store_be16(header + 10, 0);
    ox_store_be16(header + 10, (uint16_t)~folded(naive_sum(header, 20)));
}

/* Writes lengths and checksums of a packet of `len` bytes without IP options; a partial transport checksum if asked. */
static inline void naive_finish(uint8_t *packet, size_t len, bool partial) {
    const bool v4 = packet[0] >> 4 == 4;
    const uint8_t protocol = packet[v4 ? 9 : 6];
    uint8_t *transport = packet + (v4 ? 20 : 40);
    const uint32_t transport_len = (uint32_t)len - (v4 ? 20 : 40);
    uint8_t *field = transport + (protocol == OX_PROTO_TCP ? 16 : 6);
    if (v4) {
        ox_store_be16(packet + 2, (uint16_t)len);
        naive_v4_checksum(packet);
    } else {
        ox_store_be16(packet + 4, (uint16_t)transport_len);
    }
    if (protocol == OX_PROTO_UDP) ox_store_be16(transport + 4, (uint16_t)transport_len);
    ox_store_be16(field, 0);
    const uint32_t addresses = naive_sum(packet + (v4 ? 12 : 8), v4 ? 8 : 32);
    const uint16_t pseudo = folded(addresses + protocol + transport_len);
    uint16_t checksum = (uint16_t)~folded(pseudo + (uint32_t)folded(naive_sum(transport, transport_len)));
    if (checksum == 0 && protocol == OX_PROTO_UDP) checksum = 0xFFFF;
    ox_store_be16(field, partial ? pseudo : checksum);
}

static inline uint32_t write_packet(uint8_t *out, const spec *s, bool partial) {
    const uint32_t len = spec_header_bytes(s) + s->payload;
    memset(out, 0, spec_header_bytes(s));
    uint8_t *transport = out + (s->version == 4 ? 20 : 40);
    if (s->version == 4) {
        const uint8_t header[20] = {0x45, s->tos, 0, 0, (uint8_t)(s->id >> 8), (uint8_t)s->id, s->df ? 0x40 : 0, 0,
                                    s->ttl, s->protocol, 0, 0, 10, 99, 0, s->host, 10, 98, 0, 2};
        memcpy(out, header, sizeof header);
    } else {
        const uint8_t header[40] = {(uint8_t)(0x60 | s->tos >> 4), (uint8_t)(s->tos << 4), 0, 0, 0, 0, s->protocol,
                                    s->ttl, 0xFD, 0x63, [23] = s->host, [24] = 0xFD, 0x62, [39] = 2};
        memcpy(out, header, sizeof header);
        if (!s->df) ox_store_be16(out + 2, s->id);
    }
    ox_store_be16(transport, s->source);
    ox_store_be16(transport + 2, s->destination);
    if (s->protocol == OX_PROTO_TCP) {
        ox_store_be32(transport + 4, s->sequence);
        ox_store_be32(transport + 8, s->acknowledgement);
        transport[12] = (uint8_t)((5 + s->options / 4) << 4);
        transport[13] = s->flags;
        ox_store_be16(transport + 14, s->window);
        ox_store_be16(transport + 18, s->urgent);
        memset(transport + 20, s->option, s->options);
    }
    for (uint32_t i = 0; i < s->payload; i++) out[len - s->payload + i] = (uint8_t)(s->fill + i * 7 + (i >> 8));
    naive_finish(out, len, partial);
    return len;
}

/* Segment `index` of a super-packet that `super` begins: written with what RFC 9293, RFC 3168 and the kernel agree on. */
static inline uint32_t naive_segment(const uint8_t *super, uint32_t header_bytes, uint32_t payload, uint32_t segment,
                                     uint32_t index, uint8_t *out) {
    const uint32_t from = index * segment;
    const uint32_t len = payload - from < segment ? payload - from : segment;
    const bool v4 = super[0] >> 4 == 4;
    uint8_t *transport = out + (v4 ? 20 : 40);
    memcpy(out, super, header_bytes);
    memcpy(out + header_bytes, super + header_bytes + from, len);
    if (v4) ox_store_be16(out + 4, (uint16_t)(ox_load_be16(super + 4) + index));
    if (super[v4 ? 9 : 6] == OX_PROTO_TCP) {
        ox_store_be32(transport + 4, ox_load_be32(transport + 4) + from);
        if (from + len < payload) transport[13] &= (uint8_t)~(FIN | PSH);
        if (index > 0) transport[13] &= (uint8_t)~CWR;
    }
    naive_finish(out, header_bytes + len, false);
    return header_bytes + len;
}

static inline ox_headers parsed(const uint8_t *bytes, size_t len) {
    ox_headers headers;
    CHECK(ox_parse(bytes, len, &headers) == OX_PASS);
    return headers;
}

static inline uint32_t hash_of(const uint8_t *bytes, const ox_headers *headers) {
    static ox_flow_key key;
    ox_flow_key_init(&key, 7);
    return ox_flow_hash(&key, bytes, headers);
}

/* The packet in a buffer of the class, or NULL when there is none. */
static inline ox_buf *buf_of(ox_pool *pool, ox_buf_class class_, const spec *s, uint8_t checksum) {
    ox_buf *buf = ox_pool_get(pool, class_);
    if (buf == NULL) return NULL;
    buf->len = write_packet(buf->data, s, checksum == OX_CHECKSUM_PARTIAL);
    buf->checksum = checksum;
    return buf;
}

#endif
