/*
 * Packets of UDP, RTP, ESP and ICMP for the tests of profiles 0x0001 to 0x0004, with every field to be set; and two ends that compress,
 * carry and rebuild them, octet for octet.
 */
#ifndef TESTS_COXROHC_V1_FLOWS_H
#define TESTS_COXROHC_V1_FLOWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "oxcore/packet.h"
#include "oxcore/rohc.h"

enum { V1_PACKET = 512, V1_UDP_PROTO = 17, V1_ESP_PROTO = 50, V1_ICMP_PROTO = 1 };

/* One IP header. Version 0: it is not there. */
typedef struct ip_fields {
    uint8_t version, tos, ttl;
    uint16_t id;
    bool df;
    uint32_t flow_label;
} ip_fields;

typedef struct packet_fields {
    ip_fields outer, inner; /* `inner` alone where there is one */
    uint8_t protocol, host;
    uint16_t ports[2];
    bool checksum, rtp, marker, padding, extension;
    uint8_t payload_type, csrcs;
    uint32_t sn, ts, identity; /* identity: SSRC, SPI */
    uint32_t payload;
    uint8_t destination_options; /* octets of such a header in the inner IPv6 one, of 8 each */
} packet_fields;

static inline uint32_t put_ip(uint8_t *at, const ip_fields *ip, uint8_t protocol, uint8_t host, uint32_t total) {
    if (ip->version == 4) {
        memset(at, 0, 20);
        at[0] = 0x45;
        at[1] = ip->tos;
        ox_store_be16(at + 2, (uint16_t)total);
        ox_store_be16(at + 4, ip->id);
        at[6] = ip->df ? 0x40 : 0;
        at[8] = ip->ttl;
        at[9] = protocol;
        ox_store_be32(at + 12, 0x0A000000u | host);
        ox_store_be32(at + 16, 0x0A000100u | host);
        ox_store_be16(at + 10, ox_checksum_finish(ox_checksum_add(at, 20, 0)));
        return 20;
    }
    memset(at, 0, 40);
    ox_store_be32(at, 6u << 28 | (uint32_t)ip->tos << 20 | ip->flow_label);
    ox_store_be16(at + 4, (uint16_t)(total - 40));
    at[6] = protocol;
    at[7] = ip->ttl;
    at[8] = at[24] = 0xFD;
    at[23] = host;
    at[39] = (uint8_t)(host + 1);
    return 40;
}

static inline uint32_t put_packet(uint8_t *packet, const packet_fields *f) {
    enum { DESTINATION_OPTIONS = 60 };
    const uint32_t inner = f->inner.version == 4 ? 20 : 40, outer = f->outer.version == 0 ? 0 : f->outer.version == 4 ? 20 : 40;
    const uint32_t rtp = f->rtp ? 12 + 4u * f->csrcs : 0, transport = f->protocol == V1_ICMP_PROTO ? 4 : 8;
    const uint32_t total = outer + inner + f->destination_options + transport + rtp + f->payload;
    uint8_t *at = packet;
    if (outer != 0) at += put_ip(at, &f->outer, f->inner.version == 4 ? 4 : 41, (uint8_t)(f->host + 50), total);
    uint8_t *ip = at;
    const uint8_t behind = f->destination_options != 0 ? DESTINATION_OPTIONS : f->protocol;
    at += put_ip(at, &f->inner, behind, f->host, total - outer);
    if (f->destination_options != 0) {
        memset(at, 0x11, f->destination_options);
        at[0] = f->protocol;
        at[1] = (uint8_t)(f->destination_options / 8 - 1);
        at += f->destination_options;
    }
    uint8_t *start = at;
    memset(at, 0, transport + rtp);
    ox_store_be16(at, f->ports[0]);
    ox_store_be16(at + 2, f->ports[1]);
    if (f->protocol == V1_UDP_PROTO) ox_store_be16(at + 4, (uint16_t)(8 + rtp + f->payload));
    if (f->protocol == V1_ESP_PROTO) {
        ox_store_be32(at, f->identity);
        ox_store_be32(at + 4, f->sn);
    }
    at += transport;
    if (f->rtp) {
        at[0] = (uint8_t)(0x80 | (f->padding ? 0x20 : 0) | (f->extension ? 0x10 : 0) | f->csrcs);
        at[1] = (uint8_t)((f->marker ? 0x80 : 0) | f->payload_type);
        ox_store_be16(at + 2, (uint16_t)f->sn);
        ox_store_be32(at + 4, f->ts);
        ox_store_be32(at + 8, f->identity);
        for (uint32_t i = 0; i < f->csrcs; i++) ox_store_be32(at + 12 + 4 * i, 0xC5000000u + i);
        at += rtp;
    }
    for (uint32_t i = 0; i < f->payload; i++) at[i] = (uint8_t)(i * 37 + f->sn);
    if (f->protocol == V1_UDP_PROTO && f->checksum) {
        const ox_headers headers = {.version = f->inner.version, .protocol = f->protocol};
        const uint32_t bytes = 8 + rtp + f->payload;
        const uint16_t sum = ox_checksum_finish(ox_checksum_add(start, bytes, ox_checksum_pseudo(ip, &headers, bytes)));
        ox_store_be16(start + 6, sum == 0 ? 0xFFFF : sum);
    }
    return total;
}

static inline packet_fields voice_fields(uint8_t version) {
    return (packet_fields){
        .inner = {.version = version, .ttl = 64, .id = 100, .df = true}, .protocol = V1_UDP_PROTO, .host = 7,
        .ports = {40000, 5004}, .checksum = true, .rtp = true, .sn = 5000, .ts = 160 * 777 + 33, .identity = 0x1234ABCD, .payload = 20,
    };
}

static inline packet_fields game_fields(uint8_t version) {
    return (packet_fields){
        .inner = {.version = version, .ttl = 64, .id = 100}, .protocol = V1_UDP_PROTO, .host = 9, .ports = {27015, 27005},
        .checksum = true, .payload = 33,
    };
}

/* ---- two ends ---------------------------------------------------------------------------------------------------- */

typedef struct rohc_ends {
    ox_rohc_parameters parameters;
    ox_rohc_compressor *compressor;
    ox_rohc_decompressor *decompressor;
    ox_rohc_compressed last;
    uint64_t number, now_ns;
    uint64_t types[OX_ROHC_TYPE_COUNT];
    uint8_t wire[V1_PACKET + OX_ROHC_HEADER_MAX];
    uint32_t wire_bytes;
    uint8_t original[V1_PACKET];
    uint32_t original_bytes;
} rohc_ends;

static inline void open_ends(rohc_ends *ends, const ox_rohc_parameters *parameters) {
    memset(ends, 0, sizeof *ends);
    ends->parameters = *parameters;
    ends->compressor = ox_rohc_compressor_create(parameters);
    ends->decompressor = ox_rohc_decompressor_create(parameters);
    assert_non_null(ends->compressor);
    assert_non_null(ends->decompressor);
}

static inline void close_ends(rohc_ends *ends) {
    ox_rohc_compressor_destroy(ends->compressor);
    ox_rohc_decompressor_destroy(ends->decompressor);
}

/* Compresses; false when the packet stays as it is. What is on the wire then is in `wire`. */
static inline bool compress_one(rohc_ends *ends, const uint8_t *packet, uint32_t bytes) {
    ends->now_ns += 20000000;
    memcpy(ends->original, packet, bytes);
    ends->original_bytes = bytes;
    if (ox_rohc_compress(ends->compressor, packet, bytes, ends->now_ns, &ends->last) == OX_ROHC_RAW) return false;
    ends->number++;
    ends->types[ends->last.type]++;
    memcpy(ends->wire, ends->last.header, ends->last.header_bytes);
    memcpy(ends->wire + ends->last.header_bytes, packet + ends->last.consumed, bytes - ends->last.consumed);
    ends->wire_bytes = ends->last.header_bytes + bytes - ends->last.consumed;
    return true;
}

/* Decompresses what is in `wire`, and gives the feedback back. */
static inline ox_rohc_verdict decompress_one(rohc_ends *ends, const ox_rohc_arrival *arrival, ox_rohc_decompressed *out) {
    uint8_t feedback[OX_ROHC_FEEDBACK_MAX];
    const ox_rohc_verdict verdict = ox_rohc_decompress(ends->decompressor, ends->wire, ends->wire_bytes, arrival, out);
    ox_rohc_feedback(ends->compressor, feedback, ox_rohc_feedback_take(ends->decompressor, feedback, sizeof feedback));
    return verdict;
}

static inline void assert_whole(const rohc_ends *ends, const ox_rohc_decompressed *out) {
    assert_int_equal(out->header_bytes + out->payload_bytes, ends->original_bytes);
    assert_memory_equal(out->header, ends->original, out->header_bytes);
    if (out->payload_bytes != 0) assert_memory_equal(out->payload, ends->original + out->header_bytes, out->payload_bytes);
}

/* There and back. Returns the octets of the header, or 0 when the packet stayed as it was. */
static inline uint32_t carry_one(rohc_ends *ends, const packet_fields *fields) {
    uint8_t packet[V1_PACKET];
    ox_rohc_decompressed out;
    const uint32_t bytes = put_packet(packet, fields);
    if (!compress_one(ends, packet, bytes)) return 0;
    const ox_rohc_arrival arrival = {.number = ends->number};
    assert_int_equal(decompress_one(ends, &arrival, &out), OX_ROHC_PASS);
    assert_int_equal(out.type, ends->last.type);
    assert_whole(ends, &out);
    return ends->last.header_bytes;
}

#endif
