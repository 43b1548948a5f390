/* The chains of received packets (RFC 5225 section 6.5), read into the two parts of the context. */
#include "v2.h"

//= RFC 5225 section 6.8.2.4
//# sdvl: 0, 10, 110, 1110 and 11111111
uint32_t v2_read_sdvl(rohc_reader *reader, uint32_t *value, uint32_t width) {
    const uint8_t first = rohc_read8(reader);
    if (first < 0x80) return *value = first, 7;
    if (first < 0xC0) return *value = (first & 0x3Fu) << 8 | rohc_read8(reader), 14;
    if (first < 0xE0) return *value = (first & 0x1Fu) << 16 | rohc_read16(reader), 21;
    if (first < 0xF0) {
        *value = (first & 0xFu) << 24 | (uint32_t)rohc_read8(reader) << 16;
        *value |= rohc_read16(reader);
        return 28;
    }
    if (first != 0xFF) return 0;
    *value = width == 16 ? rohc_read16(reader) : rohc_read32(reader);
    return 32;
}

/* ---- static --------------------------------------------------------------------------------------------------- */

/** A new item of the chain, all zero, or NULL. */
static uint8_t *add(v2_received *received, v2_kind kind, uint32_t bytes) {
    v2_layout *layout = &received->fixed->layout;
    const uint32_t offset = layout->bytes;
    return v2_layout_add(layout, kind, bytes) ? received->fixed->octets + offset : NULL;
}

static bool copy(rohc_reader *body, uint8_t *to, uint32_t count) {
    const uint8_t *octets = rohc_read(body, count);
    if (octets == NULL) return false;
    if (count != 0) memcpy(to, octets, count);
    return true;
}

/** An IP header; `innermost` says whether it is, `next` what follows. */
static bool read_static_ip(v2_received *received, bool *innermost, uint8_t *next) {
    rohc_reader *body = &received->work->body;
    const uint8_t first = rohc_read8(body);
    *innermost = (first & 0x40) != 0;
    uint8_t *ip;
    if ((first & 0x80) == 0) {
        if ((first & 0x3F) != 0 || (ip = add(received, V2_KIND_IPV4, IPV4_BYTES)) == NULL) return false;
        ip[0] = 0x45;
        ip[9] = *next = rohc_read8(body);
        return copy(body, ip + 12, 8);
    }
    if ((first & 0x20) != 0 || (ip = add(received, V2_KIND_IPV6, IPV6_BYTES)) == NULL) return false;
    ip[0] = 0x60;
    if ((first & 0x10) != 0) {
        ip[1] = first & 0xF;
        if (!copy(body, ip + 2, 2)) return false;
    } else if ((first & 0xF) != 0) {
        return false;
    }
    ip[6] = *next = rohc_read8(body);
    return copy(body, ip + 8, 32);
}

static bool read_static_extension(v2_received *received, uint8_t type, uint8_t *next) {
    rohc_reader *body = &received->work->body;
    *next = rohc_read8(body);
    const uint8_t length = rohc_read8(body);
    const uint32_t bytes = type == PROTO_AH ? 4 * (length + 2u) : 8 * (length + 1u);
    const v2_kind kind = type == PROTO_AH ? V2_KIND_AH : type == PROTO_ROUTING ? V2_KIND_ROUTING : V2_KIND_OPTIONS;
    if (bytes < 12 && type == PROTO_AH) return false;
    uint8_t *extension = add(received, kind, bytes);
    if (extension == NULL) return false;
    extension[0] = *next;
    extension[1] = length;
    if (kind == V2_KIND_AH) return copy(body, extension + 4, 4);
    return kind == V2_KIND_OPTIONS || copy(body, extension + 2, bytes - 2);
}

bool v2_read_static(v2_received *received) {
    rohc_reader *body = &received->work->body;
    v2_fixed *fixed = received->fixed;
    bool innermost = false;
    uint8_t next = 0;
    // What an IP header says of the next one is not compared with what follows: such packets exist, and come out as they were.
    while (!innermost) {
        if (!read_static_ip(received, &innermost, &next)) return false;
        const bool ipv6 = fixed->layout.items[fixed->layout.inner].kind == V2_KIND_IPV6;
        while (v2_is_extension(next, ipv6))
            if (!read_static_extension(received, next, &next)) return false;
    }
    uint8_t *octets;
    switch (received->profile) {
    case V2_PROFILE_UDP: case V2_PROFILE_RTP:
        if (next != PROTO_UDP || (octets = add(received, V2_KIND_UDP, UDP_BYTES)) == NULL || !copy(body, octets, 4)) return false;
        if (received->profile == V2_PROFILE_UDP) break;
        if ((octets = add(received, V2_KIND_RTP, RTP_BYTES)) == NULL || !copy(body, octets + 8, 4)) return false;
        octets[0] = 0x80;
        break;
    case V2_PROFILE_ESP:
        if (next != PROTO_ESP || (octets = add(received, V2_KIND_ESP, ESP_BYTES)) == NULL || !copy(body, octets, 4)) return false;
        break;
    default: break;
    }
    return !body->short_;
}

/* ---- dynamic -------------------------------------------------------------------------------------------------- */

static bool read_dynamic_ipv4(v2_received *received, v2_ip *ip, bool innermost) {
    rohc_reader *body = &received->work->body;
    const bool endpoint = innermost && received->profile == V2_PROFILE_IP;
    const uint8_t first = rohc_read8(body);
    if ((first & (endpoint ? 0xE0 : 0xF8)) != 0) return false;
    if (endpoint) received->now.ratio = first >> 3 & 3;
    ip->df = first >> 2 & 1;
    ip->behavior = first & 3;
    ip->tos = rohc_read8(body);
    ip->ttl = rohc_read8(body);
    if (!innermost && v2_sequential(ip->behavior)) return false;
    const uint16_t id = ip->behavior == V2_ID_ZERO ? 0 : rohc_read16(body);
    if (innermost) received->now.id = id;
    else received->outer_id = id;
    if (endpoint) received->now.sn = rohc_read16(body);
    return true;
}

static bool read_dynamic_ipv6(v2_received *received, v2_ip *ip, bool innermost) {
    rohc_reader *body = &received->work->body;
    ip->tos = rohc_read8(body);
    ip->ttl = rohc_read8(body);
    ip->behavior = V2_ID_RANDOM;
    ip->df = 0;
    if (!innermost || received->profile != V2_PROFILE_IP) return true;
    const uint8_t ratio = rohc_read8(body);
    received->now.ratio = ratio & 3;
    received->now.sn = rohc_read16(body);
    return ratio <= 3;
}

static bool read_dynamic_options(v2_received *received, uint8_t *options, uint32_t bytes) {
    const uint8_t *value = rohc_read(&received->work->body, bytes - 2);
    if (value == NULL) return false;
    if (memcmp(options + 2, value, bytes - 2) == 0) return true;
    received->fixed_changed = true;
    memcpy(options + 2, value, bytes - 2);
    return true;
}

static bool read_dynamic_udp(v2_received *received) {
    rohc_reader *body = &received->work->body;
    received->checksum = rohc_read16(body);
    received->now.checksum_used = received->checksum != 0;
    if (received->profile != V2_PROFILE_UDP) return true;
    received->now.sn = rohc_read16(body);
    const uint8_t ratio = rohc_read8(body);
    received->now.ratio = ratio & 3;
    return ratio <= 3;
}

/** A value of RTP's that reverts to its default when it is not there. */
static bool read_stride(rohc_reader *body, bool present, uint32_t otherwise, uint32_t *value) {
    if (present) return v2_read_sdvl(body, value, 32) != 0;
    *value = otherwise;
    return true;
}

static bool read_dynamic_rtp(v2_received *received) {
    enum { LIST = 0x10, TS_STRIDE = 8, TIME_STRIDE = 4, PADDING = 2, EXTENSION = 1 };
    rohc_reader *body = &received->work->body;
    v2_dynamic *now = &received->now;
    const uint8_t flags = rohc_read8(body), type = rohc_read8(body);
    if ((flags & 0x80) != 0) return false;
    now->ratio = flags >> 5 & 3;
    now->padding = (flags & PADDING) != 0;
    now->extension = (flags & EXTENSION) != 0;
    received->marker = type >> 7;
    now->payload_type = type & 0x7F;
    now->sn = rohc_read16(body);
    now->ts = rohc_read32(body);
    if (!read_stride(body, (flags & TS_STRIDE) != 0, V2_STRIDE, &now->ts_stride)) return false;
    if (!read_stride(body, (flags & TIME_STRIDE) != 0, 0, &now->time_stride)) return false;
    if ((flags & LIST) != 0) return v2_read_list(received, true);
    // Without a list there are no sources.
    v2_layout *layout = &received->fixed->layout;
    v2_item *rtp = &layout->items[layout->rtp];
    if (rtp->bytes != RTP_BYTES) {
        received->fixed_changed = true;
        received->fixed->octets[rtp->offset] = 0x80;
        layout->bytes = (uint16_t)(rtp->offset + RTP_BYTES);
        rtp->bytes = RTP_BYTES;
    }
    return true;
}

bool v2_read_dynamic(v2_received *received) {
    rohc_reader *body = &received->work->body;
    v2_fixed *fixed = received->fixed;
    const v2_layout *layout = &fixed->layout;
    received->icvs = 0;
    for (uint32_t i = 0; i < layout->count; i++) {
        const v2_item *item = &layout->items[i];
        const bool innermost = i == layout->inner;
        v2_ip *ip = innermost ? &received->now.inner : &received->now.outer;
        bool fine = true;
        switch ((v2_kind)item->kind) {
        case V2_KIND_IPV4: fine = read_dynamic_ipv4(received, ip, innermost); break;
        case V2_KIND_IPV6: fine = read_dynamic_ipv6(received, ip, innermost); break;
        case V2_KIND_OPTIONS: fine = read_dynamic_options(received, fixed->octets + item->offset, item->bytes); break;
        case V2_KIND_ROUTING: break;
        case V2_KIND_AH:
            received->now.authentication[received->icvs] = rohc_read32(body);
            received->icv[received->icvs++] = rohc_read(body, item->bytes - 12u);
            break;
        case V2_KIND_UDP: fine = read_dynamic_udp(received); break;
        case V2_KIND_RTP: fine = read_dynamic_rtp(received); break;
        case V2_KIND_ESP: {
            received->now.sn = rohc_read32(body);
            const uint8_t ratio = rohc_read8(body);
            received->now.ratio = ratio & 3;
            fine = ratio <= 3;
            break;
        }
        }
        if (!fine) return false;
    }
    return !body->short_;
}

/* ---- irregular ------------------------------------------------------------------------------------------------ */

static void read_irregular_ah(v2_received *received, uint32_t icv_bytes) {
    rohc_reader *body = &received->work->body;
    const uint32_t index = received->icvs++;
    const uint8_t first = rohc_read8(body);
    uint32_t bits = first & 0x7F, k = 7;
    if (first >= 0x80) {
        bits = bits << 24 | (uint32_t)rohc_read8(body) << 16;
        bits |= rohc_read16(body);
        k = 31;
    }
    received->now.authentication[index] = rohc_lsb_decode(received->old->authentication[index], bits, k, v2_quarter(k));
    received->icv[index] = rohc_read(body, icv_bytes);
}

bool v2_read_irregular(v2_received *received) {
    rohc_reader *body = &received->work->body;
    const v2_layout *layout = &received->fixed->layout;
    v2_dynamic *now = &received->now;
    received->icvs = 0;
    for (uint32_t i = 0; i < layout->count; i++) {
        const v2_item *item = &layout->items[i];
        const bool innermost = i == layout->inner;
        switch ((v2_kind)item->kind) {
        case V2_KIND_IPV4:
            if (innermost && now->inner.behavior == V2_ID_RANDOM) now->id = rohc_read16(body);
            if (!innermost) received->outer_id = now->outer.behavior == V2_ID_RANDOM ? rohc_read16(body) : 0;
            // fall through
        case V2_KIND_IPV6:
            if (innermost || !received->outer_said) break;
            now->outer.tos = rohc_read8(body);
            now->outer.ttl = rohc_read8(body);
            break;
        case V2_KIND_AH: read_irregular_ah(received, item->bytes - 12u); break;
        case V2_KIND_UDP: received->checksum = now->checksum_used ? rohc_read16(body) : 0; break;
        case V2_KIND_OPTIONS: case V2_KIND_ROUTING: case V2_KIND_RTP: case V2_KIND_ESP: break;
        }
    }
    return !body->short_;
}

/* ---- CSRC list ------------------------------------------------------------------------------------------------ */

//= RFC 5225 section 6.6.13.3
//# m indices of 4 or 8 bits, each with a bit that says that its item follows
bool v2_read_list(v2_received *received, bool all) {
    rohc_reader *body = &received->work->body;
    v2_fixed *fixed = received->fixed;
    v2_item *rtp = &fixed->layout.items[fixed->layout.rtp];
    uint8_t indices[V2_SOURCES];
    uint32_t present = 0;
    const uint8_t head = rohc_read8(body), count = head & 0xF;
    const bool wide = (head & 0x10) != 0;
    if ((head & 0xE0) != 0) return false;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t octet = 0;
        if (wide) {
            octet = rohc_read8(body);
            if ((octet & 0x70) != 0) return false;
            indices[i] = octet & 0xF;
            present |= (uint32_t)(octet >> 7) << i;
        } else if (i % 2 == 0) {
            octet = rohc_read8(body);
            indices[i] = octet >> 4 & 7;
            present |= (uint32_t)(octet >> 7) << i;
            if (i + 1 == count && (octet & 0xF) != 0) return false;
            if (i + 1 < count) {
                indices[i + 1] = octet & 7;
                present |= (uint32_t)(octet >> 3 & 1) << (i + 1);
            }
        }
    }
    if (all && present != (1u << count) - 1) return false;
    const uint32_t bytes = RTP_BYTES + 4u * count;
    if (rtp->offset + bytes > V2_CHAIN_BYTES) return false;
    uint8_t *octets = fixed->octets + rtp->offset;
    bool changed = rtp->bytes != bytes;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t index = indices[i];
        uint8_t *source = octets + RTP_BYTES + 4 * i;
        const bool known = (fixed->table_known >> index & 1) != 0;
        if ((present >> i & 1) == 0 && !known) return false;
        if ((present >> i & 1) != 0) {
            const uint32_t item = rohc_read32(body);
            changed = changed || !known || fixed->table[index] != item;
            fixed->table[index] = item;
            fixed->table_known |= (uint16_t)(1u << index);
        }
        changed = changed || ox_load_be32(source) != fixed->table[index];
        ox_store_be32(source, fixed->table[index]);
    }
    octets[0] = (uint8_t)(0x80 | count);
    rtp->bytes = (uint16_t)bytes;
    fixed->layout.bytes = (uint16_t)(rtp->offset + bytes);
    received->fixed_changed = received->fixed_changed || changed;
    return true;
}
