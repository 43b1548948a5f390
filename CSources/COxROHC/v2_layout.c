#include "v2.h"

void v2_layout_clear(v2_layout *layout) {
    layout->bytes = 0;
    layout->count = 0;
    layout->outer = layout->inner = layout->transport = layout->rtp = V2_NONE;
    layout->authentications = 0;
}

bool v2_layout_add(v2_layout *layout, v2_kind kind, uint32_t bytes) {
    if (layout->count == V2_ITEMS || layout->bytes + bytes > V2_CHAIN_BYTES) return false;
    switch (kind) {
    case V2_KIND_IPV4: case V2_KIND_IPV6:
        if (layout->outer != V2_NONE) return false;
        layout->outer = layout->inner;
        layout->inner = layout->count;
        break;
    case V2_KIND_AH:
        if (layout->authentications == V2_AUTHENTICATIONS) return false;
        layout->authentications++;
        break;
    case V2_KIND_UDP: case V2_KIND_ESP: layout->transport = layout->count; break;
    case V2_KIND_RTP: layout->rtp = layout->count; break;
    case V2_KIND_OPTIONS: case V2_KIND_ROUTING: break;
    }
    layout->items[layout->count++] = (v2_item){.kind = (uint8_t)kind, .offset = layout->bytes, .bytes = (uint16_t)bytes};
    layout->bytes = (uint16_t)(layout->bytes + bytes);
    return true;
}

bool v2_layout_equal(const v2_layout *a, const v2_layout *b) {
    return a->count == b->count && a->bytes == b->bytes && memcmp(a->items, b->items, a->count * sizeof a->items[0]) == 0;
}

bool v2_is_extension(uint8_t protocol, bool ipv6) {
    return protocol == PROTO_AH ||
           (ipv6 && (protocol == PROTO_HOP_BY_HOP || protocol == PROTO_ROUTING || protocol == PROTO_DESTINATION));
}

uint8_t v2_control_crc(const v2_dynamic *dynamic, const v2_layout *layout, uint16_t profile) {
    uint8_t fields[13], count = 0;
    fields[count++] = dynamic->ratio;
    if (profile == V2_PROFILE_RTP) {
        ox_store_be32(fields + count, dynamic->ts_stride);
        ox_store_be32(fields + count + 4, dynamic->time_stride);
        count += 8;
    } else if (profile != V2_PROFILE_ESP) {
        ox_store_be16(fields + count, (uint16_t)dynamic->sn);
        count += 2;
    }
    if (layout->outer != V2_NONE && layout->items[layout->outer].kind == V2_KIND_IPV4) fields[count++] = dynamic->outer.behavior;
    if (layout->items[layout->inner].kind == V2_KIND_IPV4) fields[count++] = dynamic->inner.behavior;
    return rohc_crc3(fields, count, CRC3_START);
}
