#include "parse_impl.h"

enum {
    ICMP_HEADER_BYTES = 8,
    V6_EXTENSION_BYTES_MAX = 256 * 8, /* of one header: its length octet counts units of 8, less one */
};
_Static_assert(V6_HEADER_BYTES + OX_PACKET_EXTENSIONS_MAX * V6_EXTENSION_BYTES_MAX <= UINT16_MAX,
               "transport_offset holds the longest chain");

/* IPv6 next headers (RFC 8200 section 4, RFC 4302, RFC 4303). */
enum {
    NEXT_HOP_BY_HOP = 0,
    NEXT_ROUTING = 43,
    NEXT_FRAGMENT = 44,
    NEXT_AUTHENTICATION = 51,
    NEXT_DESTINATION = 60,
};

void ox_parse_rtp(const uint8_t *payload, uint32_t payload_len, ox_headers *headers) {
    if (headers->source_port < 1024 || headers->destination_port < 1024) return;
    if (payload_len < RTP_HEADER_BYTES || payload[0] >> 6 != 2) return;
    //= RFC 5761 section 4
    //# payload types 64 to 95 are left to RTCP, whose packet types are 192 to 223
    const uint8_t payload_type = payload[1] & 0x7F;
    if (payload_type >= 64 && payload_type <= 95) return;

    uint32_t header_len = RTP_HEADER_BYTES + 4u * (payload[0] & 0x0F);
    if (payload[0] & 0x10) {
        if (header_len + 4 > payload_len) return;
        header_len += 4 + 4u * ox_load_be16(payload + header_len + 2);
    }
    /* Padding has at least its count octet. The count itself is not judged: SRTP encrypts it. */
    const uint32_t padding_least = payload[0] & 0x20 ? 1 : 0;
    if (header_len + padding_least > payload_len) return;

    headers->rtp = true;
    headers->rtp_sequence = ox_load_be16(payload + 2);
    headers->rtp_ssrc = ox_load_be32(payload + 8);
}

static void parse_tcp(const uint8_t *segment, uint32_t len, ox_headers *headers) {
    if (len < TCP_HEADER_BYTES) return;
    const uint32_t header_len = 4u * (segment[12] >> 4);
    if (header_len < TCP_HEADER_BYTES || header_len > len) return;
    headers->has_transport = true;
    headers->transport_bytes = (uint16_t)header_len;
    headers->source_port = ox_load_be16(segment);
    headers->destination_port = ox_load_be16(segment + 2);
    headers->tcp_flags = segment[13];
}

static void parse_udp(const uint8_t *datagram, uint32_t len, ox_headers *headers) {
    if (len < UDP_HEADER_BYTES) return;
    /* Shorter than the IP payload is allowed: RFC 9868 keeps options in the surplus. */
    const uint32_t stated = ox_load_be16(datagram + 4);
    if (stated < UDP_HEADER_BYTES || stated > len) return;
    headers->has_transport = true;
    headers->transport_bytes = UDP_HEADER_BYTES;
    headers->source_port = ox_load_be16(datagram);
    headers->destination_port = ox_load_be16(datagram + 2);
    ox_parse_rtp(datagram + UDP_HEADER_BYTES, stated - UDP_HEADER_BYTES, headers);
}

static void parse_icmp(const uint8_t *message, uint32_t len, ox_headers *headers) {
    if (len < ICMP_HEADER_BYTES) return;
    headers->has_transport = true;
    headers->transport_bytes = ICMP_HEADER_BYTES;
    headers->icmp_type = message[0];
    headers->icmp_code = message[1];
}

static void parse_transport(const uint8_t *bytes, ox_headers *headers) {
    if (headers->fragment) return;
    const uint8_t *transport = bytes + headers->transport_offset;
    const uint32_t len = headers->total_bytes - headers->transport_offset;
    switch (headers->protocol) {
    case OX_PROTO_TCP: parse_tcp(transport, len, headers); break;
    case OX_PROTO_UDP: parse_udp(transport, len, headers); break;
    case OX_PROTO_ICMP:
        if (headers->version == 4) parse_icmp(transport, len, headers);
        break;
    case OX_PROTO_ICMPV6:
        if (headers->version == 6) parse_icmp(transport, len, headers);
        break;
    default: break;
    }
}

static ox_verdict parse_v4(const uint8_t *bytes, size_t len, ox_headers *headers) {
    if (len < V4_HEADER_BYTES) return OX_DROP_PACKET_TRUNCATED;
    const uint32_t header_len = 4u * (bytes[0] & 0x0F);
    const uint32_t total = ox_load_be16(bytes + 2);
    if (header_len < V4_HEADER_BYTES) return OX_DROP_PACKET_HEADER;
    if (total < header_len) return OX_DROP_PACKET_LENGTH;
    if (len < total) return OX_DROP_PACKET_TRUNCATED;
    if (len > total) return OX_DROP_PACKET_LENGTH;

    const uint16_t flags_and_offset = ox_load_be16(bytes + 6);
    const bool more_fragments = flags_and_offset & 0x2000;
    const uint16_t fragment_offset = flags_and_offset & 0x1FFF;
    headers->version = 4;
    headers->traffic_class = bytes[1];
    headers->total_bytes = total;
    headers->dont_fragment = flags_and_offset & 0x4000;
    headers->fragment = more_fragments || fragment_offset != 0;
    headers->first_fragment = fragment_offset == 0;
    headers->ttl = bytes[8];
    headers->protocol = bytes[9];
    headers->transport_offset = (uint16_t)header_len;
    parse_transport(bytes, headers);
    return OX_PASS;
}

/* The length of the extension header of kind `next` at `header`, of which `left` bytes are there; 0 when cut off. */
static uint32_t extension_bytes(uint8_t next, const uint8_t *header, uint32_t left) {
    if (left < 8) return 0;
    uint32_t bytes = 8u * (header[1] + 1u);
    if (next == NEXT_FRAGMENT) bytes = 8;
    if (next == NEXT_AUTHENTICATION) {
        //= RFC 4302 section 2.2
        //# the length of the header in units of 4 octets, less 2
        bytes = 4u * (header[1] + 2u);
        if (bytes < 12) return 0; /* its fixed fields alone */
    }
    return bytes <= left ? bytes : 0;
}

static bool is_extension(uint8_t next) {
    /* Everything else ends the chain: transports, "no next header", and ESP, behind which all is encrypted. */
    return next == NEXT_HOP_BY_HOP || next == NEXT_ROUTING || next == NEXT_FRAGMENT || next == NEXT_AUTHENTICATION ||
           next == NEXT_DESTINATION;
}

/*
 * Walks the chain of extension headers and leaves `protocol` and `transport_offset` at its end. `rerouted`: the destination is
 * not the final one, which the transport checksum is over (RFC 8200 section 8.1).
 */
static ox_verdict parse_extensions(const uint8_t *bytes, ox_headers *headers, bool *rerouted) {
    uint8_t next = bytes[6];
    uint32_t offset = V6_HEADER_BYTES;
    bool fragment_header_seen = false;

    for (uint32_t count = 0; headers->first_fragment && is_extension(next); count++) {
        if (count == OX_PACKET_EXTENSIONS_MAX) return OX_DROP_PACKET_EXTENSIONS;
        const uint8_t *header = bytes + offset;
        const uint32_t header_len = extension_bytes(next, header, headers->total_bytes - offset);
        if (header_len == 0) return OX_DROP_PACKET_EXTENSIONS;
        //= RFC 8200 section 4.1
        //# hop-by-hop options stand directly behind the IPv6 header only
        if (next == NEXT_HOP_BY_HOP && count != 0) return OX_DROP_PACKET_EXTENSIONS;
        if (next == NEXT_FRAGMENT) {
            if (fragment_header_seen) return OX_DROP_PACKET_EXTENSIONS;
            fragment_header_seen = true;
            const uint16_t offset_and_more = ox_load_be16(header + 2);
            headers->first_fragment = (offset_and_more & 0xFFF8) == 0;
            //= RFC 6946 section 4
            //# offset zero and no more fragments: an atomic fragment, which is a whole packet
            headers->fragment = !headers->first_fragment || (offset_and_more & 1);
        }
        if (next == NEXT_ROUTING && header[3] != 0) *rerouted = true; /* segments left */
        next = header[0];
        offset += header_len;
    }
    headers->protocol = next;
    headers->transport_offset = (uint16_t)offset;
    return OX_PASS;
}

static ox_verdict parse_v6(const uint8_t *bytes, size_t len, ox_headers *headers) {
    if (len < V6_HEADER_BYTES) return OX_DROP_PACKET_TRUNCATED;
    const uint32_t payload = ox_load_be16(bytes + 4);
    const uint32_t total = V6_HEADER_BYTES + payload;
    /* A jumbogram (RFC 2675 section 2) states its length in the hop-by-hop header. */
    if (payload == 0 && bytes[6] == NEXT_HOP_BY_HOP) return OX_DROP_PACKET_LENGTH;
    if (len < total) return OX_DROP_PACKET_TRUNCATED;
    if (len > total) return OX_DROP_PACKET_LENGTH;

    headers->version = 6;
    headers->traffic_class = (uint8_t)(ox_load_be16(bytes) >> 4);
    headers->total_bytes = total;
    headers->dont_fragment = true;
    headers->first_fragment = true;
    headers->ttl = bytes[7];
    bool rerouted = false;
    const ox_verdict verdict = parse_extensions(bytes, headers, &rerouted);
    if (verdict != OX_PASS) return verdict;
    if (!rerouted) parse_transport(bytes, headers);
    return OX_PASS;
}

ox_verdict ox_parse(const uint8_t *bytes, size_t len, ox_headers *headers) {
    *headers = (ox_headers){0};
    if (len == 0) return OX_DROP_PACKET_TRUNCATED;
    switch (bytes[0] >> 4) {
    case 4: return parse_v4(bytes, len, headers);
    case 6: return parse_v6(bytes, len, headers);
    default: return OX_DROP_PACKET_VERSION;
    }
}
