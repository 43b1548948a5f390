/* Packets made by hand, field by field, so that the parser is not tested against itself. */
#ifndef TESTS_COXPACKET_PACKETS_H
#define TESTS_COXPACKET_PACKETS_H

#include "oxcore/packet.h"

typedef struct packet {
    uint8_t bytes[66000];
    size_t len;
} packet;

static inline void put(packet *p, const void *bytes, size_t len) {
    memcpy(p->bytes + p->len, bytes, len);
    p->len += len;
}

static inline void put_fill(packet *p, uint8_t byte, size_t len) {
    memset(p->bytes + p->len, byte, len);
    p->len += len;
}

/* The IPv4 header checksum by RFC 791, word by word. */
static inline uint16_t v4_checksum(const uint8_t *header) {
    uint32_t sum = 0;
    for (size_t i = 0; i < 4u * (header[0] & 15); i += 2) {
        if (i != 10) sum += (uint32_t)header[i] << 8 | header[i + 1];
    }
    while (sum > 0xFFFF) sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)(sum ^ 0xFFFF);
}

/* An IPv4 header with `options` bytes of options, from 10.0.0.1 to 10.0.0.2, DF set. */
static inline void begin_v4(packet *p, uint8_t protocol, size_t options) {
    const uint8_t words = (uint8_t)(5 + options / 4);
    const uint8_t header[20] = {0x40 | words, 0xB8, 0, 0, 0x12, 0x34, 0x40, 0, 63, protocol,
                                0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
    p->len = 0;
    put(p, header, sizeof header);
    put_fill(p, 1, options);
}

/* An IPv6 header from fd00::1 to fd00::2. */
static inline void begin_v6(packet *p, uint8_t next) {
    const uint8_t header[40] = {0x6B, 0x81, 0x23, 0x45, 0, 0, next, 62, 0xFD, [23] = 1, [24] = 0xFD, [39] = 2};
    p->len = 0;
    put(p, header, sizeof header);
}

/* States the length, and the IPv4 checksum, of what was put so far. */
static inline void end(packet *p) {
    if (p->bytes[0] >> 4 == 4) {
        ox_store_be16(p->bytes + 2, (uint16_t)p->len);
        ox_store_be16(p->bytes + 10, v4_checksum(p->bytes));
    } else {
        ox_store_be16(p->bytes + 4, (uint16_t)(p->len - 40));
    }
}

static inline void put_udp(packet *p, uint16_t source, uint16_t destination, const void *payload, size_t len) {
    uint8_t header[8] = {0};
    ox_store_be16(header, source);
    ox_store_be16(header + 2, destination);
    ox_store_be16(header + 4, (uint16_t)(8 + len));
    put(p, header, sizeof header);
    put(p, payload, len);
}

static inline void put_tcp(packet *p, uint8_t header_words, uint8_t flags, size_t payload) {
    uint8_t header[20] = {0x01, 0xBB, 0xC3, 0x50};
    header[12] = (uint8_t)(header_words << 4);
    header[13] = flags;
    put(p, header, sizeof header);
    if (header_words > 5) put_fill(p, 1, 4u * (header_words - 5u));
    put_fill(p, 'x', payload);
}

static inline void put_icmp(packet *p, uint8_t type, uint8_t code, size_t payload) {
    const uint8_t header[8] = {type, code};
    put(p, header, sizeof header);
    put_fill(p, 'p', payload);
}

/* An extension header of `units` times 8 bytes: hop-by-hop, routing or destination options. */
static inline void put_extension(packet *p, uint8_t next, size_t units) {
    const uint8_t header[2] = {next, (uint8_t)(units - 1)};
    put(p, header, sizeof header);
    put_fill(p, 0, 8 * units - 2);
}

static inline void put_fragment(packet *p, uint8_t next, uint16_t offset_units, bool more) {
    uint8_t header[8] = {next};
    ox_store_be16(header + 2, (uint16_t)(offset_units << 3 | (more ? 1 : 0)));
    put(p, header, sizeof header);
}

#endif
