#include "v2.h"

/* ---- the header ----------------------------------------------------------------------------------------------- */

static void build_ipv4(const v2_ip *ip, uint16_t id, uint32_t length, uint8_t *header) {
    header[1] = ip->tos;
    ox_store_be16(header + 2, (uint16_t)length);
    ox_store_be16(header + 4, id);
    header[6] = ip->df ? 0x40 : 0;
    header[8] = ip->ttl;
    ox_store_be16(header + 10, rohc_ipv4_checksum(header));
}

static void build_ipv6(const v2_ip *ip, uint32_t length, uint8_t *header) {
    header[0] = (uint8_t)(0x60 | ip->tos >> 4);
    header[1] = (uint8_t)(ip->tos << 4 | (header[1] & 0xF));
    ox_store_be16(header + 4, (uint16_t)(length - IPV6_BYTES));
    header[7] = ip->ttl;
}

static void build_rtp(const v2_received *received, uint8_t *header) {
    const v2_dynamic *now = &received->now;
    header[0] = (uint8_t)(header[0] | now->padding << 5 | now->extension << 4);
    header[1] = (uint8_t)(received->marker << 7 | now->payload_type);
    ox_store_be16(header + 2, (uint16_t)now->sn);
    ox_store_be32(header + 4, now->ts);
}

/** Writes the header, which ends where the payload begins. NULL: it would be too long. */
static const uint8_t *build(v2_received *received) {
    rohc_decompression *work = received->work;
    const v2_layout *layout = &received->fixed->layout;
    const v2_dynamic *now = &received->now;
    const uint32_t whole = layout->bytes + rohc_left(&work->body);
    uint8_t *octets = whole <= OX_ROHC_PACKET_MAX ? rohc_room(&work->header, layout->bytes) : NULL;
    if (octets == NULL) return NULL;
    memcpy(octets, received->fixed->octets, layout->bytes);
    uint32_t authentication = 0;
    for (uint32_t i = 0; i < layout->count; i++) {
        const v2_item *item = &layout->items[i];
        uint8_t *header = octets + item->offset;
        const uint32_t length = whole - item->offset;
        const v2_ip *ip = i == layout->inner ? &now->inner : &now->outer;
        switch ((v2_kind)item->kind) {
        case V2_KIND_IPV4: build_ipv4(ip, i == layout->inner ? now->id : received->outer_id, length, header); break;
        case V2_KIND_IPV6: build_ipv6(ip, length, header); break;
        case V2_KIND_AH:
            ox_store_be32(header + 8, now->authentication[authentication]);
            memcpy(header + 12, received->icv[authentication], item->bytes - 12u);
            authentication++;
            break;
        case V2_KIND_UDP:
            ox_store_be16(header + 4, (uint16_t)length);
            ox_store_be16(header + 6, received->checksum);
            break;
        case V2_KIND_RTP: build_rtp(received, header); break;
        case V2_KIND_ESP: ox_store_be32(header + 4, now->sn); break;
        case V2_KIND_OPTIONS: case V2_KIND_ROUTING: break;
        }
    }
    return octets;
}

uint32_t v2_fixed_extent(const void *fixed) {
    return (uint32_t)offsetof(v2_fixed, octets) + ((const v2_fixed *)fixed)->layout.bytes;
}

/* ---- packets -------------------------------------------------------------------------------------------------- */

/** What the packet had becomes the context's. */
static void keep(v2_received *received) {
    rohc_decompression *work = received->work;
    if (received->fixed_changed) {
        received->fixed->generation++;
        work->fixed_written = true;
    }
    const uint8_t before = received->old->received;
    v2_dynamic *kept = work->dynamic;
    *kept = received->now;
    kept->generation = received->fixed->generation;
    kept->received = (uint8_t)(before + (before < V2_REFERENCES));
}

static ox_rohc_verdict read_ir(v2_received *received) {
    rohc_decompression *work = received->work;
    v2_fixed *fixed = received->fixed;
    const v2_fixed before = *fixed;
    if (work->fresh) fixed->table_known = 0;
    memset(fixed->octets, 0, sizeof fixed->octets);
    memset(&fixed->layout, 0, sizeof fixed->layout);
    v2_layout_clear(&fixed->layout);
    received->now = (v2_dynamic){.inner.behavior = V2_ID_RANDOM, .outer.behavior = V2_ID_RANDOM, .ts_stride = V2_STRIDE};
    if (!v2_read_static(received) || !v2_read_dynamic(received)) return OX_ROHC_MALFORMED;
    received->fixed_changed = work->fresh || !v2_layout_equal(&fixed->layout, &before.layout) ||
                              memcmp(fixed->octets, before.octets, fixed->layout.bytes) != 0 ||
                              memcmp(fixed->table, before.table, sizeof before.table) != 0;
    work->type = OX_ROHC_TYPE_IR;
    work->verified = true;
    if (build(received) == NULL) return OX_ROHC_TOO_LONG;
    keep(received);
    return OX_ROHC_PASS;
}

static bool crc_is_right(const v2_received *received, const uint8_t *header) {
    const uint32_t bytes = received->fixed->layout.bytes;
    if (received->crc_bits == 7) return rohc_crc7(header, bytes, CRC7_START) == received->crc;
    return rohc_crc3(header, bytes, CRC3_START) == received->crc;
}

static bool control_crc_is_right(const v2_received *received, uint8_t crc) {
    return v2_control_crc(&received->now, &received->fixed->layout, received->profile) == crc;
}

static ox_rohc_verdict read_repair(v2_received *received) {
    rohc_decompression *work = received->work;
    const uint8_t first = rohc_read8(&work->body), second = rohc_read8(&work->body);
    if (first >= 0x80 || second >= 8) return OX_ROHC_MALFORMED;
    work->type = OX_ROHC_TYPE_V2_CO_REPAIR;
    received->crc = first;
    received->crc_bits = 7;
    if (!v2_read_dynamic(received)) return OX_ROHC_MALFORMED;
    if (!control_crc_is_right(received, second & 7)) return OX_ROHC_CRC;
    return OX_ROHC_PASS;
}

/**
 * Whether the packet overtook nobody. On a channel that says nothing of the order only the compressor's own numbers tell: one that
 * is late by so little that the next packets can do without it leaves the context as it is.
 */
static bool advances(const v2_received *received) {
    if (received->work->known_order) return true;
    const uint32_t width = v2_sn_width(received->profile);
    const uint32_t behind = received->old->sn - received->now.sn;
    return (width == 16 ? behind & 0xFFFF : behind) - 1 >= (uint64_t)v2_reorder(received->old->ratio, 4);
}

static ox_rohc_verdict read_co(v2_received *received) {
    rohc_decompression *work = received->work;
    ox_rohc_verdict verdict;
    received->now = *received->old;
    if (work->first == V2_CO_REPAIR) {
        verdict = read_repair(received);
    } else {
        if (received->old->generation != received->fixed->generation) return OX_ROHC_LATE;
        const uint8_t control = work->first == V2_CO_COMMON && rohc_left(&work->body) >= 2 ? work->body.at[1] & 7 : 0;
        verdict = v2_read_base(received);
        if (verdict == OX_ROHC_PASS && work->first == V2_CO_COMMON && !control_crc_is_right(received, control)) return OX_ROHC_CRC;
    }
    if (verdict != OX_ROHC_PASS) return verdict;
    const uint8_t *header = build(received);
    if (header == NULL) return OX_ROHC_TOO_LONG;
    return crc_is_right(received, header) ? OX_ROHC_PASS : OX_ROHC_CRC;
}

ox_rohc_verdict v2_decompress(rohc_decompression *work, uint16_t profile) {
    v2_received received = {.work = work, .fixed = work->fixed, .old = work->dynamic, .profile = profile};
    ox_rohc_verdict verdict;
    work->sn_bits = (uint8_t)v2_sn_width(profile);
    if (work->first == V2_IR) {
        verdict = read_ir(&received);
        work->sn = received.now.sn;
        return verdict;
    }
    if (work->fresh) return OX_ROHC_NO_CONTEXT;
    const rohc_reader body = work->body;
    const rohc_writer header = work->header;
    verdict = read_co(&received);
    if (verdict == OX_ROHC_CRC && received.has_other) {
        work->body = body;
        work->header = header;
        received = (v2_received){.work = work, .fixed = work->fixed, .old = work->dynamic, .profile = profile, .other = true};
        verdict = read_co(&received);
    }
    if (verdict != OX_ROHC_PASS) return verdict;
    work->verified = received.crc_bits == 7;
    work->sn = received.now.sn;
    if (work->first == V2_CO_REPAIR || advances(&received)) keep(&received);
    return OX_ROHC_PASS;
}
