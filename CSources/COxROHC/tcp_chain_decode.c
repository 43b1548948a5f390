#include "tcp.h"

/* ---- static chain (section 6.2) --------------------------------------------------------------------------------- */

/** Room for so many more octets of the chain, or NULL. */
static uint8_t *chain_room(tcp_fixed *fixed, uint32_t bytes) {
    if (fixed->chain_bytes + bytes > TCP_CHAIN_MAX) return NULL;
    uint8_t *room = fixed->chain + fixed->chain_bytes;
    fixed->chain_bytes = (uint16_t)(fixed->chain_bytes + bytes);
    memset(room, 0, bytes);
    return room;
}

static bool is_extension(uint8_t protocol) {
    return protocol == PROTO_HOP_BY_HOP || protocol == PROTO_ROUTING || protocol == PROTO_DESTINATION;
}

/** Extension headers behind an IPv6 header; a routing header's content is static, that of the others dynamic. */
static bool read_static_extensions(tcp_fixed *fixed, rohc_reader *body, uint8_t *protocol) {
    for (uint32_t count = 0; is_extension(*protocol); count++) {
        const uint8_t type = *protocol;
        const uint8_t *octets = rohc_read(body, 2);
        if (octets == NULL || count == ROHC_EXTENSIONS) return false;
        const uint32_t bytes = (octets[1] + 1u) * 8;
        uint8_t *header = chain_room(fixed, bytes);
        if (header == NULL) return false;
        memcpy(header, octets, 2);
        if (type == PROTO_ROUTING) {
            const uint8_t *value = rohc_read(body, bytes - 2);
            if (value == NULL) return false;
            memcpy(header + 2, value, bytes - 2);
        }
        *protocol = octets[0];
    }
    return true;
}

static bool read_static_v4(tcp_fixed *fixed, rohc_reader *body, uint8_t *protocol) {
    const uint8_t *octets = rohc_read(body, 10);
    uint8_t *header = chain_room(fixed, IPV4_BYTES);
    if (octets == NULL || header == NULL || octets[0] != 0) return false;
    header[0] = 0x45;
    header[9] = *protocol = octets[1];
    memcpy(header + 12, octets + 2, 8);
    return true;
}

static bool read_static_v6(tcp_fixed *fixed, rohc_reader *body, uint8_t *protocol) {
    uint8_t *header = chain_room(fixed, IPV6_BYTES);
    const uint8_t first = rohc_read8(body);
    if (header == NULL || (first & 0x60) != 0) return false;
    header[0] = 0x60;
    if ((first & 0x10) != 0) {
        header[1] = first & 0xF;
        ox_store_be16(header + 2, rohc_read16(body));
    } else if ((first & 0xF) != 0) {
        return false;
    }
    header[6] = *protocol = rohc_read8(body);
    const uint8_t *addresses = rohc_read(body, 32);
    if (addresses == NULL) return false;
    memcpy(header + 8, addresses, 32);
    return read_static_extensions(fixed, body, protocol);
}

bool tcp_read_static_chain(tcp_rebuild *rebuild) {
    tcp_fixed *fixed = rebuild->fixed;
    rohc_reader *body = &rebuild->work->body;
    uint8_t protocol = 0;
    fixed->ips = 0;
    fixed->chain_bytes = 0;
    do {
        if (fixed->ips == ROHC_IPS || rohc_left(body) == 0) return false;
        fixed->ip_offset[fixed->ips++] = fixed->chain_bytes;
        const bool read = *body->at < 0x80 ? read_static_v4(fixed, body, &protocol) : read_static_v6(fixed, body, &protocol);
        if (!read) return false;
        fixed->ip_offset[fixed->ips] = fixed->chain_bytes;
    } while (protocol == PROTO_IPV4 || protocol == PROTO_IPV6);
    fixed->ports[0] = rohc_read16(body);
    fixed->ports[1] = rohc_read16(body);
    rebuild->touched = true;
    return protocol == PROTO_TCP && !body->short_;
}

/* ---- dynamic chain ---------------------------------------------------------------------------------------------- */

/** The extension headers of header `i` in the chain, one after the other. */
static uint8_t *next_extension(tcp_fixed *fixed, uint32_t i, uint8_t *previous, uint8_t *type) {
    uint8_t *header = fixed->chain + fixed->ip_offset[i];
    uint8_t *extension;
    if (previous == NULL) {
        *type = header[6];
        extension = header + IPV6_BYTES;
    } else {
        *type = previous[0];
        extension = previous + (previous[1] + 1u) * 8;
    }
    return is_extension(*type) ? extension : NULL;
}

static bool read_ip_id(tcp_rebuild *rebuild, uint32_t i, uint8_t behaviour) {
    // Only the innermost IP-ID goes with the MSN (section 6.1.2).
    if (behaviour <= ID_SWAPPED && i + 1u != rebuild->fixed->ips) return false;
    rebuild->now->behaviour[i] = behaviour;
    rebuild->ip_id[i] = behaviour == ID_ZERO ? 0 : rohc_read16(&rebuild->work->body);
    return true;
}

static bool read_dynamic_v4(tcp_rebuild *rebuild, uint32_t i) {
    tcp_dynamic *now = rebuild->now;
    const uint8_t *octets = rohc_read(&rebuild->work->body, 3);
    if (octets == NULL || (octets[0] & 0xF8) != 0) return false;
    now->dont_fragment = (uint8_t)((now->dont_fragment & ~(1u << i)) | (octets[0] >> 2 & 1u) << i);
    now->tos[i] = octets[1];
    now->ttl[i] = octets[2];
    return read_ip_id(rebuild, i, octets[0] & 3);
}

static bool read_dynamic_v6(tcp_rebuild *rebuild, uint32_t i) {
    tcp_fixed *fixed = rebuild->fixed;
    rohc_reader *body = &rebuild->work->body;
    rebuild->now->tos[i] = rohc_read8(body);
    rebuild->now->ttl[i] = rohc_read8(body);
    rebuild->now->behaviour[i] = ID_RANDOM;
    uint8_t type;
    for (uint8_t *e = next_extension(fixed, i, NULL, &type); e != NULL; e = next_extension(fixed, i, e, &type)) {
        if (type == PROTO_ROUTING) continue;
        const uint32_t bytes = (e[1] + 1u) * 8 - 2;
        const uint8_t *value = rohc_read(body, bytes);
        if (value == NULL) return false;
        if (memcmp(e + 2, value, bytes) != 0) rebuild->touched = true;
        memcpy(e + 2, value, bytes);
    }
    return true;
}

static bool read_dynamic_tcp(tcp_rebuild *rebuild) {
    tcp_dynamic *now = rebuild->now;
    rohc_reader *body = &rebuild->work->body;
    const uint8_t first = rohc_read8(body);
    now->ecn_used = first >> 7;
    now->reserved = first & 0xF;
    now->flags = rohc_read8(body);
    now->msn = rohc_read16(body);
    now->seq = rohc_read32(body);
    now->ack = (first & 0x20) != 0 ? 0 : rohc_read32(body);
    now->window = rohc_read16(body);
    rebuild->checksum = rohc_read16(body);
    now->urgent = (first & 0x10) != 0 ? 0 : rohc_read16(body);
    if ((first & 0x40) != 0) now->stride = rohc_read16(body);
    return tcp_read_list(rebuild, true) && tcp_read_options(rebuild, false);
}

static void learn_id_offset(tcp_rebuild *rebuild) {
    const uint32_t inner = rebuild->fixed->ips - 1u;
    rebuild->now->id_offset = tcp_id_offset(rebuild->ip_id[inner], rebuild->now->msn, rebuild->now->behaviour[inner]);
}

bool tcp_read_dynamic_chain(tcp_rebuild *rebuild) {
    const tcp_fixed *fixed = rebuild->fixed;
    for (uint32_t i = 0; i < fixed->ips; i++) {
        const bool v4 = fixed->chain[fixed->ip_offset[i]] >> 4 == 4;
        if (!(v4 ? read_dynamic_v4(rebuild, i) : read_dynamic_v6(rebuild, i))) return false;
    }
    if (!read_dynamic_tcp(rebuild)) return false;
    learn_id_offset(rebuild);
    return !rebuild->work->body.short_;
}

/* ---- replicate chain -------------------------------------------------------------------------------------------- */

static bool read_replicate_v4(tcp_rebuild *rebuild, uint32_t i) {
    tcp_dynamic *now = rebuild->now;
    const uint8_t *octets = rohc_read(&rebuild->work->body, 2);
    if (octets == NULL || (octets[0] & 0xF0) != 0) return false;
    now->dont_fragment = (uint8_t)((now->dont_fragment & ~(1u << i)) | (octets[0] & 1u) << i);
    now->tos[i] = octets[1];
    if (!read_ip_id(rebuild, i, octets[0] >> 2 & 3)) return false;
    if ((octets[0] & 2) != 0) now->ttl[i] = rohc_read8(&rebuild->work->body);
    return true;
}

/** An extension header is equal to the base context's, or of a length that may be another. */
static bool read_replicate_extensions(tcp_fixed *fixed, rohc_reader *body, uint32_t i) {
    uint8_t type;
    for (uint8_t *e = next_extension(fixed, i, NULL, &type); e != NULL; e = next_extension(fixed, i, e, &type)) {
        const uint8_t mark = rohc_read8(body);
        if (mark == 0) continue;
        const uint32_t bytes = (rohc_read8(body) + 1u) * 8, old = (e[1] + 1u) * 8;
        const uint8_t *value = rohc_read(body, bytes - 2);
        if (mark != 0x80 || value == NULL || fixed->chain_bytes + bytes - old > TCP_CHAIN_MAX) return false;
        const uint8_t *behind = e + old, *end = fixed->chain + fixed->chain_bytes;
        memmove(e + bytes, behind, (size_t)(end - behind));
        e[1] = (uint8_t)(bytes / 8 - 1);
        memcpy(e + 2, value, bytes - 2);
        fixed->chain_bytes = (uint16_t)(fixed->chain_bytes + bytes - old);
        for (uint32_t j = i + 1; j <= fixed->ips; j++) fixed->ip_offset[j] = (uint16_t)(fixed->ip_offset[j] + bytes - old);
    }
    return true;
}

static bool read_replicate_v6(tcp_rebuild *rebuild, uint32_t i) {
    rohc_reader *body = &rebuild->work->body;
    uint8_t *header = rebuild->fixed->chain + rebuild->fixed->ip_offset[i];
    rebuild->now->tos[i] = rohc_read8(body);
    rebuild->now->behaviour[i] = ID_RANDOM;
    const uint8_t label = rohc_read8(body);
    if ((label & 0xE0) != 0) return false;
    header[1] = header[2] = header[3] = 0;
    if ((label & 0x10) != 0) {
        header[1] = label & 0xF;
        ox_store_be16(header + 2, rohc_read16(body));
    } else if (label != 0) {
        return false;
    }
    return read_replicate_extensions(rebuild->fixed, body, i);
}

/** Section 8.2, port_replicate. */
static bool read_port(rohc_reader *body, uint32_t presence, uint16_t *port) {
    if (presence == 1) *port = (uint16_t)rohc_lsb_decode(*port, rohc_read8(body), 8, 64);
    if (presence == 2) *port = rohc_read16(body);
    return presence != 3;
}

static bool read_replicate_tcp(tcp_rebuild *rebuild) {
    tcp_dynamic *now = rebuild->now;
    rohc_reader *body = &rebuild->work->body;
    const uint8_t presence = rohc_read8(body), flags = rohc_read8(body);
    now->ecn_used = flags & 1;
    now->flags = (uint8_t)((now->flags & FLAGS_ECN) | (flags & 0x38) | tcp_rsf_flags(flags >> 1));
    now->msn = rohc_read16(body);
    now->seq = rohc_read32(body);
    if ((presence & 0x80) != 0 || !read_port(body, presence >> 3 & 3, &rebuild->fixed->ports[0]) ||
        !read_port(body, presence >> 1 & 3, &rebuild->fixed->ports[1]))
        return false;
    if ((presence & 0x40) != 0) now->window = rohc_read16(body);
    if ((flags & 0x40) != 0) now->urgent = rohc_read16(body);
    if ((flags & 0x80) != 0) now->ack = rohc_read32(body);
    if (now->ecn_used != 0) {
        const uint8_t ecn = rohc_read8(body);
        if ((ecn & 0xC0) != 0) return false;
        now->reserved = ecn >> 2;
        now->flags = (uint8_t)((now->flags & ~FLAGS_ECN) | ecn << 6);
    }
    rebuild->checksum = rohc_read16(body);
    if ((presence & 1) != 0) now->stride = rohc_read16(body);
    if ((presence & 0x20) != 0 && !tcp_read_list(rebuild, false)) return false;
    return tcp_read_options(rebuild, true);
}

bool tcp_read_replicate_chain(tcp_rebuild *rebuild) {
    const tcp_fixed *fixed = rebuild->fixed;
    for (uint32_t i = 0; i < fixed->ips; i++) {
        const bool v4 = fixed->chain[fixed->ip_offset[i]] >> 4 == 4;
        if (!(v4 ? read_replicate_v4(rebuild, i) : read_replicate_v6(rebuild, i))) return false;
    }
    rebuild->touched = true;
    if (!read_replicate_tcp(rebuild)) return false;
    learn_id_offset(rebuild);
    return !rebuild->work->body.short_;
}

/* ---- irregular chain -------------------------------------------------------------------------------------------- */

bool tcp_read_irregular_chain(tcp_rebuild *rebuild) {
    const tcp_fixed *fixed = rebuild->fixed;
    tcp_dynamic *now = rebuild->now;
    rohc_reader *body = &rebuild->work->body;
    const uint32_t inner = fixed->ips - 1u;
    for (uint32_t i = 0; i <= inner; i++) {
        if (fixed->chain[fixed->ip_offset[i]] >> 4 == 4 && now->behaviour[i] == ID_RANDOM) rebuild->ip_id[i] = rohc_read16(body);
        if (i == inner) break;
        if (now->ecn_used != 0) now->tos[i] = rohc_read8(body);
        if (rebuild->irregular_ttl) now->ttl[i] = rohc_read8(body);
    }
    if (now->ecn_used != 0) {
        const uint8_t ecn = rohc_read8(body);
        now->tos[inner] = (uint8_t)((now->tos[inner] & 0xFC) | ecn >> 6);
        now->reserved = ecn >> 2 & 0xF;
        now->flags = (uint8_t)((now->flags & ~FLAGS_ECN) | ecn << 6);
    }
    rebuild->checksum = rohc_read16(body);
    return tcp_read_options(rebuild, false) && !body->short_;
}
