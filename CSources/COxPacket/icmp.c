#include "oxcore/packet.h"

enum {
    V4_HEADER_BYTES = 20,
    V6_HEADER_BYTES = 40,
    ICMP_HEADER_BYTES = 8,
    V4_ERROR_BYTES_MAX = 576,  /* RFC 1812 section 4.3.2.3 */
    V6_ERROR_BYTES_MAX = 1280, /* RFC 4443 section 2.4 (c) */
    ERROR_TTL = 64,
    ERROR_V4_TOS = 0xC0, /* precedence 6, RFC 1812 section 4.3.2.5 */
    V4_UNREACHABLE = 3,
    V4_FRAGMENTATION_NEEDED = 4,
    V6_PACKET_TOO_BIG = 2,
};

static bool is_v4_error(uint8_t type) {
    /* Unreachable, source quench, redirect, time exceeded, parameter problem: RFC 1122 section 3.2.2. */
    return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

static bool is_v6_error(uint8_t type) {
    /* All below 128, and the redirect: RFC 4443 sections 2.1 and 2.4 (e). */
    return type < 128 || type == 137;
}

/* An error about an error could go on for ever. What cannot be told from an error counts as one. */
static bool may_be_error(const uint8_t *packet, const ox_headers *headers) {
    if (headers->protocol != (headers->version == 4 ? OX_PROTO_ICMP : OX_PROTO_ICMPV6)) return false;
    /* The first fragment of an ICMP message has its type too, though the parser does not say it. */
    if (headers->total_bytes == headers->transport_offset) return true;
    const uint8_t type = packet[headers->transport_offset];
    return headers->version == 4 ? is_v4_error(type) : is_v6_error(type);
}

static bool is_one_v4_host(const uint8_t *address) {
    /* Not "this network", not loopback, and nothing from 224.0.0.0 on: RFC 1812 section 4.3.2.7. */
    return address[0] != 0 && address[0] != 127 && address[0] < 224;
}

static bool is_one_v6_host(const uint8_t *address) {
    static const uint8_t zero[15] = {0};
    const bool unspecified_or_loopback = memcmp(address, zero, 15) == 0 && address[15] <= 1;
    return address[0] != 0xFF && !unspecified_or_loopback;
}

static uint32_t write_v4(const uint8_t *packet, uint32_t quoted, uint32_t mtu, uint8_t *out) {
    const uint32_t total = V4_HEADER_BYTES + ICMP_HEADER_BYTES + quoted;
    memset(out, 0, V4_HEADER_BYTES + ICMP_HEADER_BYTES);
    out[0] = 0x45;
    out[1] = ERROR_V4_TOS;
    ox_store_be16(out + 2, (uint16_t)total);
    out[6] = 0x40; /* DF, so that identification zero is allowed: RFC 6864 section 4.1 */
    out[8] = ERROR_TTL;
    out[9] = OX_PROTO_ICMP;
    memcpy(out + 12, packet + 16, 4);
    memcpy(out + 16, packet + 12, 4);
    ox_store_be16(out + 10, ox_checksum_finish(ox_checksum_add(out, V4_HEADER_BYTES, 0)));

    uint8_t *icmp = out + V4_HEADER_BYTES;
    icmp[0] = V4_UNREACHABLE;
    icmp[1] = V4_FRAGMENTATION_NEEDED;
    ox_store_be16(icmp + 6, (uint16_t)mtu);
    memcpy(icmp + ICMP_HEADER_BYTES, packet, quoted);
    ox_store_be16(icmp + 2, ox_checksum_finish(ox_checksum_add(icmp, ICMP_HEADER_BYTES + quoted, 0)));
    return total;
}

static uint32_t write_v6(const uint8_t *packet, uint32_t quoted, uint32_t mtu, uint8_t *out) {
    const uint32_t message = ICMP_HEADER_BYTES + quoted;
    memset(out, 0, V6_HEADER_BYTES + ICMP_HEADER_BYTES);
    out[0] = 0x60;
    ox_store_be16(out + 4, (uint16_t)message);
    out[6] = OX_PROTO_ICMPV6;
    out[7] = ERROR_TTL;
    memcpy(out + 8, packet + 24, 16);
    memcpy(out + 24, packet + 8, 16);

    uint8_t *icmp = out + V6_HEADER_BYTES;
    icmp[0] = V6_PACKET_TOO_BIG;
    ox_store_be32(icmp + 4, mtu);
    memcpy(icmp + ICMP_HEADER_BYTES, packet, quoted);
    const ox_headers error = {.version = 6, .protocol = OX_PROTO_ICMPV6};
    const uint32_t pseudo = ox_checksum_pseudo(out, &error, message);
    ox_store_be16(icmp + 2, ox_checksum_finish(ox_checksum_add(icmp, message, pseudo)));
    return V6_HEADER_BYTES + message;
}

static uint32_t at_most(size_t len, uint32_t limit) { return len < limit ? (uint32_t)len : limit; }

uint32_t ox_icmp_too_big(const uint8_t *packet, size_t len, const ox_headers *headers, uint32_t mtu, uint8_t *out) {
    OX_ASSERT(len == headers->total_bytes);
    OX_ASSERT(mtu <= UINT16_MAX);
    if (!headers->first_fragment || may_be_error(packet, headers)) return 0;
    if (headers->version == 4) {
        if (!headers->dont_fragment) return 0;
        if (!is_one_v4_host(packet + 12) || !is_one_v4_host(packet + 16)) return 0;
        return write_v4(packet, at_most(len, V4_ERROR_BYTES_MAX - V4_HEADER_BYTES - ICMP_HEADER_BYTES), mtu, out);
    }
    if (!is_one_v6_host(packet + 8) || !is_one_v6_host(packet + 24)) return 0;
    return write_v6(packet, at_most(len, V6_ERROR_BYTES_MAX - V6_HEADER_BYTES - ICMP_HEADER_BYTES), mtu, out);
}
