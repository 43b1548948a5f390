/* A sender and a receiver of version 2 for tests, and packets that are made field by field. */
#ifndef V2_ENDS_H
#define V2_ENDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "CSources/COxROHC/v2.h"

/* What a packet has; the rest is constant. */
typedef struct fields {
    bool ipv6, nested;
    uint8_t protocol, tos, ttl, df; /* protocol 255 is RTP over UDP */
    uint16_t id, outer_id;
    bool checksum;
    uint32_t sequence, ts, ssrc;
    uint8_t payload_type, sources;
    bool marker;
    uint8_t options; /* IPv6: hop-by-hop options of 8 bytes whose content this is; 0 for none */
} fields;

enum { IS_RTP = 255 };

typedef struct ends {
    ox_rohc_compressor *sender;
    ox_rohc_decompressor *receiver;
    uint64_t number, lost;
    uint8_t packet[512];
    uint32_t bytes;
    ox_rohc_compressed made;
} ends;

static inline void ends_open(ends *e, bool bidirectional, uint8_t ratio) {
    const ox_rohc_parameters parameters = {
        .profiles = OX_ROHC_V2, .cid_max = 15, .bidirectional = bidirectional, .reorder_ratio = ratio, .verify_checksums = true,
        .rtp_ports = 1, .rtp_port = {5004},
    };
    *e = (ends){.sender = ox_rohc_compressor_create(&parameters), .receiver = ox_rohc_decompressor_create(&parameters)};
    assert_non_null(e->sender);
    assert_non_null(e->receiver);
}

static inline void ends_close(ends *e) {
    ox_rohc_compressor_destroy(e->sender);
    ox_rohc_decompressor_destroy(e->receiver);
}

static inline uint16_t ones(uint32_t sum, const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    while (sum > 0xFFFF) sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)~sum;
}

static inline uint8_t *put_ipv4(uint8_t *at, const fields *f, uint8_t protocol, uint32_t bytes, uint16_t id) {
    static const uint8_t start[20] = {0x45, [12] = 10, 0, 0, 1, 10, 0, 0, 2};
    memcpy(at, start, 20);
    at[1] = f->tos;
    ox_store_be16(at + 2, (uint16_t)bytes);
    ox_store_be16(at + 4, id);
    at[6] = f->df ? 0x40 : 0;
    at[8] = f->ttl;
    at[9] = protocol;
    ox_store_be16(at + 10, rohc_ipv4_checksum(at));
    return at + 20;
}

static inline uint8_t *put_ipv6(uint8_t *at, const fields *f, uint8_t protocol, uint32_t bytes) {
    memset(at, 0x11, 40);
    ox_store_be32(at, 0x60012345u | (uint32_t)f->tos << 20);
    ox_store_be16(at + 4, (uint16_t)(bytes - 40));
    at[6] = f->options ? PROTO_HOP_BY_HOP : protocol;
    at[7] = f->ttl;
    if (!f->options) return at + 40;
    static const uint8_t padding[8] = {0, 0, 1, 4};
    memcpy(at + 40, padding, 8);
    at[40] = protocol;
    at[44] = f->options;
    return at + 48;
}

static inline uint32_t put_transport(uint8_t *at, const fields *f) {
    enum { PAYLOAD = 20 };
    if (f->protocol == PROTO_ESP) {
        ox_store_be32(at, 0xABCD0123);
        ox_store_be32(at + 4, f->sequence);
        return ESP_BYTES + PAYLOAD;
    }
    if (f->protocol != PROTO_UDP && f->protocol != IS_RTP) return PAYLOAD;
    uint32_t bytes = UDP_BYTES + PAYLOAD;
    ox_store_be16(at, 40000);
    ox_store_be16(at + 2, f->protocol == IS_RTP ? 5004 : 27015);
    if (f->protocol == IS_RTP) {
        bytes += RTP_BYTES + 4u * f->sources;
        at[8] = 0x80 | f->sources;
        at[9] = (uint8_t)(f->marker << 7 | f->payload_type);
        ox_store_be16(at + 10, (uint16_t)f->sequence);
        ox_store_be32(at + 12, f->ts);
        ox_store_be32(at + 16, f->ssrc);
        for (uint32_t i = 0; i < f->sources; i++) ox_store_be32(at + 20 + 4 * i, 0x50000000 + i);
    }
    ox_store_be16(at + 4, (uint16_t)bytes);
    return bytes;
}

static inline void make_packet(ends *e, const fields *f) {
    memset(e->packet, 0x5A, sizeof e->packet);
    const uint32_t inner_bytes = f->ipv6 ? 40 + (f->options ? 8 : 0) : 20;
    uint8_t *inner = e->packet + (f->nested ? 20 : 0), *transport = inner + inner_bytes;
    const uint32_t bytes = put_transport(transport, f);
    const uint8_t protocol = f->protocol == IS_RTP ? PROTO_UDP : f->protocol;
    if (f->nested) put_ipv4(e->packet, f, f->ipv6 ? PROTO_IPV6 : PROTO_IPV4, 20 + inner_bytes + bytes, f->outer_id);
    if (f->ipv6) put_ipv6(inner, f, protocol, inner_bytes + bytes);
    else put_ipv4(inner, f, protocol, inner_bytes + bytes, f->id);
    e->bytes = (uint32_t)(transport - e->packet) + bytes;
    if (protocol != PROTO_UDP) return;
    ox_store_be16(transport + 6, 0);
    if (!f->checksum) return;
    const uint16_t addresses = (uint16_t)~ones(0, inner + (f->ipv6 ? 8 : 12), f->ipv6 ? 32 : 8);
    ox_store_be16(transport + 6, ones(addresses + PROTO_UDP + bytes, transport, bytes));
}

/* Compresses the packet; the type of what became of it. */
static inline ox_rohc_type ends_compress(ends *e, const fields *f) {
    make_packet(e, f);
    e->number++;
    assert_int_equal(OX_ROHC_COMPRESSED, ox_rohc_compress(e->sender, e->packet, e->bytes, e->number * 20000000, &e->made));
    return e->made.type;
}

/* Decompresses what was made last, or something like it, as the packet of that number. */
static inline ox_rohc_verdict ends_receive(ends *e, const ox_rohc_compressed *made, uint64_t number, ox_rohc_decompressed *back) {
    uint8_t wire[1024];
    memcpy(wire, made->header, made->header_bytes);
    memcpy(wire + made->header_bytes, e->packet + made->consumed, e->bytes - made->consumed);
    const ox_rohc_arrival arrival = {.number = number, .lost = e->lost};
    return ox_rohc_decompress(e->receiver, wire, made->header_bytes + e->bytes - made->consumed, &arrival, back);
}

static inline void ends_answer(ends *e) {
    uint8_t elements[OX_ROHC_FEEDBACK_MAX];
    const uint32_t bytes = ox_rohc_feedback_take(e->receiver, elements, sizeof elements);
    ox_rohc_feedback(e->sender, elements, bytes);
}

/* Sends the packet to the other end, where it has to come out as it was. */
static inline ox_rohc_type ends_send(ends *e, const fields *f) {
    static ox_rohc_decompressed back;
    const ox_rohc_type type = ends_compress(e, f);
    assert_int_equal(OX_ROHC_PASS, ends_receive(e, &e->made, e->number, &back));
    assert_int_equal(type, back.type);
    assert_int_equal(e->bytes, back.header_bytes + back.payload_bytes);
    assert_memory_equal(back.header, e->packet, back.header_bytes);
    ends_answer(e);
    return type;
}

/* Loses a packet. */
static inline void ends_lose(ends *e, const fields *f) {
    ends_compress(e, f);
    e->lost++;
}

/* The next packet of the flow: numbers go on by one. */
static inline void next(fields *f) {
    f->id++;
    f->sequence++;
    f->ts += 160;
    f->marker = false;
}

/* Sends until the packets are the smallest. */
static inline void settle(ends *e, fields *f) {
    for (uint32_t i = 0; i < 24; i++, next(f)) ends_send(e, f);
}

#endif
