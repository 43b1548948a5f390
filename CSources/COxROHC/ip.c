#include "state.h"

static bool read_ipv4(rohc_ip *ip, const uint8_t *bytes, uint32_t len) {
    enum { DONT_FRAGMENT = 0x40 };
    if (len < IPV4_BYTES || bytes[0] != 0x45 || ox_load_be16(bytes + 2) != len) return false;
    if ((bytes[6] & ~DONT_FRAGMENT) != 0 || bytes[7] != 0) return false;
    if (ox_load_be16(bytes + 10) != rohc_ipv4_checksum(bytes)) return false;
    ip->protocol = bytes[9];
    ip->header_bytes = IPV4_BYTES;
    return true;
}

/* Octets of an extension header, or 0: it is none that can be in a list, or is cut off. */
static uint32_t extension_bytes(uint8_t type, const uint8_t *bytes, uint32_t len) {
    uint32_t stated;
    if (len < 8) return 0;
    switch (type) {
    case PROTO_HOP_BY_HOP: case PROTO_ROUTING: case PROTO_DESTINATION: stated = 8u * (bytes[1] + 1u); break;
    case PROTO_AH: stated = 4u * (bytes[1] + 2u); break;
    default: return 0;
    }
    return stated >= 8 && stated <= len ? stated : 0;
}

static bool read_ipv6(rohc_packet *packet, rohc_ip *ip, const uint8_t *bytes, uint32_t len) {
    if (len < IPV6_BYTES || ox_load_be16(bytes + 4) != len - IPV6_BYTES) return false;
    ip->protocol = bytes[6];
    uint32_t at = IPV6_BYTES;
    for (;;) {
        const uint32_t extension = extension_bytes(ip->protocol, bytes + at, len - at);
        if (extension == 0) break;
        if (ip->extensions == ROHC_EXTENSIONS || at + extension > OX_ROHC_HEADER_MAX) return false;
        ip->extension[ip->extensions++] = (rohc_extension){
            .type = ip->protocol,
            .offset = (uint16_t)((uint32_t)(bytes - packet->bytes) + at),
            .bytes = (uint16_t)extension,
        };
        ip->protocol = bytes[at];
        at += extension;
    }
    ip->header_bytes = (uint16_t)at;
    return true;
}

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

static uint64_t mix_addresses(uint64_t hash, const rohc_ip *ip) {
    if (ip->version == 4) return mix(hash, ox_load_be64(ip->bytes + 12));
    for (uint32_t i = 8; i < IPV6_BYTES; i += 8) hash = mix(hash, ox_load_be64(ip->bytes + i));
    return hash;
}

static uint32_t hash_of(const rohc_packet *packet) {
    uint64_t hash = packet->protocol;
    for (uint32_t i = 0; i < packet->ips; i++) hash = mix_addresses(hash, &packet->ip[i]);
    switch (packet->protocol) {
    case PROTO_TCP: case PROTO_UDP: case PROTO_ESP:
        if (packet->transport_bytes >= 4) hash = mix(hash, ox_load_be32(packet->transport));
        break;
    default: break;
    }
    /* 0 is that of what no profile but Uncompressed can have. */
    const uint32_t folded = (uint32_t)(hash >> 32 ^ hash);
    return folded == 0 ? 1 : folded;
}

bool rohc_packet_read(rohc_packet *packet, const uint8_t *bytes, uint32_t len) {
    packet->bytes = bytes;
    packet->len = len;
    packet->ips = 0;
    packet->rtp_stride = 0;
    packet->reused = packet->foreign = packet->known_ids = false;
    uint32_t at = 0;
    uint8_t protocol = PROTO_IPV4;
    while (packet->ips < ROHC_IPS && (protocol == PROTO_IPV4 || protocol == PROTO_IPV6)) {
        rohc_ip *ip = &packet->ip[packet->ips];
        ip->bytes = bytes + at;
        ip->extensions = 0;
        ip->version = at < len ? bytes[at] >> 4 : 0;
        if (packet->ips != 0 && ip->version != (protocol == PROTO_IPV4 ? 4 : 6)) return false;
        const bool readable = ip->version == 4   ? read_ipv4(ip, bytes + at, len - at)
                              : ip->version == 6 ? read_ipv6(packet, ip, bytes + at, len - at)
                                                 : false;
        if (!readable) return false;
        at += ip->header_bytes;
        protocol = ip->protocol;
        packet->ips++;
    }
    packet->protocol = protocol;
    packet->transport = bytes + at;
    packet->transport_offset = at;
    packet->transport_bytes = len - at;
    packet->hash = hash_of(packet);
    return true;
}
