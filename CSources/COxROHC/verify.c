#include "decompressor.h"

/* The last IP header, and the offset of what is behind it and its extension headers. False: the checksum is over a destination
   that is not in it, or there is no IP header. */
static bool innermost(const uint8_t *header, uint32_t bytes, uint32_t *ip, uint32_t *transport, uint8_t *protocol) {
    uint32_t at = 0;
    for (;;) {
        *ip = at;
        const uint8_t version = at < bytes ? header[at] >> 4 : 0;
        if (version == 4 && bytes - at >= IPV4_BYTES) {
            *protocol = header[at + 9];
            at += 4u * (header[at] & 0x0F);
        } else if (version == 6 && bytes - at >= IPV6_BYTES) {
            *protocol = header[at + 6];
            at += IPV6_BYTES;
            while (*protocol == PROTO_HOP_BY_HOP || *protocol == PROTO_ROUTING || *protocol == PROTO_DESTINATION ||
                   *protocol == PROTO_AH) {
                if (at + 8 > bytes || (*protocol == PROTO_ROUTING && header[at + 3] != 0)) return false;
                const uint32_t count = *protocol == PROTO_AH ? 4u * (header[at + 1] + 2u) : 8u * (header[at + 1] + 1u);
                *protocol = header[at];
                at += count;
            }
        } else {
            return false;
        }
        *transport = at;
        if (*protocol != PROTO_IPV4 && *protocol != PROTO_IPV6) return at <= bytes;
        if (at >= bytes) return false;
    }
}

/* Headers are words of 32 bits, and many of their fields were written just now: no more than that is read at once. */
static uint64_t add_words(const uint8_t *words, uint32_t bytes) {
    uint64_t sum = 0;
#pragma GCC unroll 1
    for (uint32_t at = 0; at < bytes; at += 4) sum += ox_load_be32(words + at);
    return sum;
}

bool rohc_checksum_right(const ox_rohc_decompressed *out) {
    uint32_t ip, transport;
    uint8_t protocol;
    if (!innermost(out->header, out->header_bytes, &ip, &transport, &protocol)) return true;
    const uint8_t *behind = out->header + transport;
    const uint32_t bytes = out->header_bytes - transport, total = bytes + out->payload_bytes;
    if (protocol == PROTO_UDP) {
        if (bytes < UDP_BYTES || bytes % 4 != 0 || ox_load_be16(behind + 4) != total) return true;
        if (ox_load_be16(behind + 6) == 0) return true; /* over IPv6 too (RFC 6935) */
    } else if (protocol != PROTO_TCP || bytes < TCP_BYTES || bytes % 4 != 0) {
        return true;
    }
    const uint8_t *addresses = out->header + ip + (out->header[ip] >> 4 == 4 ? 12 : 8);
    const uint32_t address_bytes = out->header[ip] >> 4 == 4 ? 8 : 32;
    const uint64_t sum = protocol + total + add_words(addresses, address_bytes) + add_words(behind, bytes);
    const uint32_t folded = (uint32_t)((sum & UINT16_MAX) + (sum >> 16));
    return ox_checksum_add(out->payload, out->payload_bytes, folded) == UINT16_MAX;
}
