/* The chains of packets to be sent (RFC 5225 section 6.5). */
#include "v2.h"

uint32_t v2_sdvl_bits_of(uint32_t value) {
    if (value < 1u << 7) return 7;
    if (value < 1u << 14) return 14;
    if (value < 1u << 21) return 21;
    return value < 1u << 28 ? 28 : 32;
}

void v2_write_sdvl(rohc_writer *writer, uint32_t value, uint32_t bits, uint32_t width) {
    switch (bits) {
    case 7: rohc_write8(writer, value & 0x7F); break;
    case 14: rohc_write16(writer, 0x8000 | (value & 0x3FFF)); break;
    case 21:
        rohc_write8(writer, 0xC0 | (value >> 16 & 0x1F));
        rohc_write16(writer, value & 0xFFFF);
        break;
    case 28: rohc_write32(writer, 0xE0000000 | (value & 0x0FFFFFFF)); break;
    default:
        rohc_write8(writer, 0xFF);
        if (width == 16) rohc_write16(writer, value & 0xFFFF);
        else rohc_write32(writer, value);
        break;
    }
}

/* ---- static --------------------------------------------------------------------------------------------------- */

static void write_static_ip(const v2_sending *sending, uint32_t index, const uint8_t *ip) {
    rohc_writer *body = &sending->work->body;
    const uint32_t innermost = index == sending->layout.inner ? 0x40 : 0;
    if (sending->layout.items[index].kind == V2_KIND_IPV4) {
        rohc_write8(body, innermost);
        rohc_write8(body, ip[9]);
        rohc_write(body, ip + 12, 8);
        return;
    }
    const uint32_t label = ox_load_be32(ip) & 0xFFFFF;
    rohc_write8(body, 0x80 | innermost | (label == 0 ? 0 : 0x10 | label >> 16));
    if (label != 0) rohc_write16(body, label & 0xFFFF);
    rohc_write8(body, ip[6]);
    rohc_write(body, ip + 8, 32);
}

void v2_write_static(const v2_sending *sending) {
    rohc_writer *body = &sending->work->body;
    for (uint32_t i = 0; i < sending->layout.count; i++) {
        const v2_item *item = &sending->layout.items[i];
        const uint8_t *header = sending->octets + item->offset;
        switch ((v2_kind)item->kind) {
        case V2_KIND_IPV4: case V2_KIND_IPV6: write_static_ip(sending, i, header); break;
        case V2_KIND_OPTIONS: rohc_write(body, header, 2); break;
        case V2_KIND_ROUTING: rohc_write(body, header, item->bytes); break;
        case V2_KIND_AH:
            rohc_write(body, header, 2);
            rohc_write(body, header + 4, 4);
            break;
        case V2_KIND_UDP: case V2_KIND_ESP: rohc_write(body, header, 4); break;
        case V2_KIND_RTP: rohc_write(body, header + 8, 4); break;
        }
    }
}

/* ---- dynamic -------------------------------------------------------------------------------------------------- */

static void write_dynamic_ip(const v2_sending *sending, uint32_t index, const uint8_t *header) {
    rohc_writer *body = &sending->work->body;
    const bool innermost = index == sending->layout.inner, endpoint = innermost && sending->profile == V2_PROFILE_IP;
    const v2_ip *ip = innermost ? &sending->now.inner : &sending->now.outer;
    const bool ipv4 = sending->layout.items[index].kind == V2_KIND_IPV4;
    if (ipv4) rohc_write8(body, (endpoint ? sending->now.ratio << 3 : 0) | ip->df << 2 | ip->behavior);
    rohc_write8(body, ip->tos);
    rohc_write8(body, ip->ttl);
    if (ipv4 && ip->behavior != V2_ID_ZERO) rohc_write(body, header + 4, 2);
    if (!endpoint) return;
    if (!ipv4) rohc_write8(body, sending->now.ratio);
    rohc_write16(body, sending->now.sn & 0xFFFF);
}

static void write_dynamic_rtp(v2_sending *sending, uint32_t sources) {
    enum { LIST = 0x10, TS_STRIDE = 8 };
    rohc_writer *body = &sending->work->body;
    const v2_dynamic *now = &sending->now;
    const bool stride = now->ts_stride != V2_STRIDE;
    rohc_write8(body, (uint32_t)now->ratio << 5 | (sources != 0 ? LIST : 0) | (stride ? TS_STRIDE : 0) |
                          (uint32_t)now->padding << 1 | now->extension);
    rohc_write8(body, (uint32_t)sending->marker << 7 | now->payload_type);
    rohc_write16(body, now->sn & 0xFFFF);
    rohc_write32(body, now->ts);
    if (stride) v2_write_sdvl(body, now->ts_stride, v2_sdvl_bits_of(now->ts_stride), 32);
    if (sources != 0) v2_write_list(sending, true);
}

void v2_write_dynamic(v2_sending *sending) {
    rohc_writer *body = &sending->work->body;
    for (uint32_t i = 0; i < sending->layout.count; i++) {
        const v2_item *item = &sending->layout.items[i];
        const uint8_t *header = sending->octets + item->offset;
        switch ((v2_kind)item->kind) {
        case V2_KIND_IPV4: case V2_KIND_IPV6: write_dynamic_ip(sending, i, header); break;
        case V2_KIND_OPTIONS: rohc_write(body, header + 2, item->bytes - 2u); break;
        case V2_KIND_ROUTING: break;
        case V2_KIND_AH: rohc_write(body, header + 8, item->bytes - 8u); break;
        case V2_KIND_UDP:
            rohc_write(body, header + 6, 2);
            if (sending->profile != V2_PROFILE_UDP) break;
            rohc_write16(body, sending->now.sn & 0xFFFF);
            rohc_write8(body, sending->now.ratio);
            break;
        case V2_KIND_RTP: write_dynamic_rtp(sending, (item->bytes - RTP_BYTES) / 4u); break;
        case V2_KIND_ESP:
            rohc_write(body, header + 4, 4);
            rohc_write8(body, sending->now.ratio);
            break;
        }
    }
}

/* ---- irregular ------------------------------------------------------------------------------------------------ */

static void write_irregular_ah(const v2_sending *sending, uint32_t index, const uint8_t *header, uint32_t bytes) {
    rohc_writer *body = &sending->work->body;
    const v2_flow *flow = sending->flow;
    const uint32_t number = sending->now.authentication[index];
    bool few = true;
    for (uint32_t i = 1; i <= flow->references_count; i++) {
        const v2_reference *reference = &flow->references[(flow->reference_next + V2_REFERENCES - i) % V2_REFERENCES];
        const int32_t ahead = (int32_t)(number - reference->authentication[index]);
        few = few && rohc_fits((rohc_spread){ahead, ahead}, 7, v2_quarter(7));
    }
    if (few) rohc_write8(body, number & 0x7F);
    else rohc_write32(body, 0x80000000 | number);
    rohc_write(body, header + 12, bytes - 12);
}

void v2_write_irregular(const v2_sending *sending, bool outer_said) {
    rohc_writer *body = &sending->work->body;
    const v2_dynamic *now = &sending->now;
    uint32_t authentications = 0;
    for (uint32_t i = 0; i < sending->layout.count; i++) {
        const v2_item *item = &sending->layout.items[i];
        const uint8_t *header = sending->octets + item->offset;
        const bool innermost = i == sending->layout.inner;
        switch ((v2_kind)item->kind) {
        case V2_KIND_IPV4:
            if ((innermost ? now->inner.behavior : now->outer.behavior) == V2_ID_RANDOM) rohc_write(body, header + 4, 2);
            // fall through
        case V2_KIND_IPV6:
            if (innermost || !outer_said) break;
            rohc_write8(body, now->outer.tos);
            rohc_write8(body, now->outer.ttl);
            break;
        case V2_KIND_AH: write_irregular_ah(sending, authentications++, header, item->bytes); break;
        case V2_KIND_UDP:
            if (now->checksum_used) rohc_write(body, header + 6, 2);
            break;
        case V2_KIND_OPTIONS: case V2_KIND_ROUTING: case V2_KIND_RTP: case V2_KIND_ESP: break;
        }
    }
}

/* ---- CSRC list ------------------------------------------------------------------------------------------------ */

static uint32_t place_of(const v2_flow *flow, uint32_t source) {
    for (uint32_t i = 0; i < V2_TABLE; i++)
        if (flow->table_said[i] != 0 && flow->table[i] == source) return i;
    return V2_TABLE;
}

/** A place for a new source: one that is empty, or else one that this packet does not need. */
static uint32_t place_for(const v2_flow *flow, const uint8_t *sources, uint32_t count) {
    uint32_t needed = 0;
    for (uint32_t i = 0; i < V2_TABLE; i++)
        if (flow->table_said[i] == 0) return i;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t place = place_of(flow, ox_load_be32(sources + 4 * i));
        if (place != V2_TABLE) needed |= 1u << place;
    }
    return (uint32_t)__builtin_ctz(~needed);
}

void v2_write_list(v2_sending *sending, bool all) {
    rohc_writer *body = &sending->work->body;
    v2_flow *flow = sending->flow;
    const v2_item *rtp = &sending->layout.items[sending->layout.rtp];
    const uint8_t *sources = sending->octets + rtp->offset + RTP_BYTES;
    const uint32_t count = (rtp->bytes - RTP_BYTES) / 4u;
    uint8_t places[V2_SOURCES];
    uint32_t present = 0, highest = 0;
    const uint32_t often = sending->now.checksum_used ? flow->width : V2_REFERENCES;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t source = ox_load_be32(sources + 4 * i);
        uint32_t place = place_of(flow, source);
        if (place == V2_TABLE) {
            place = place_for(flow, sources, count);
            flow->table[place] = source;
            flow->table_said[place] = 0;
        }
        if (all || flow->table_said[place] < often) present |= 1u << i;
        if (flow->table_said[place] < V2_REFERENCES) flow->table_said[place]++;
        places[i] = (uint8_t)place;
        if (place > highest) highest = place;
    }
    const bool wide = highest > 7;
    rohc_write8(body, (wide ? 0x10 : 0) | count);
    for (uint32_t i = 0; i < count; i += wide ? 1 : 2) {
        uint32_t octet = (present >> i & 1) << 7 | (wide ? places[i] : (uint32_t)places[i] << 4);
        if (!wide && i + 1 < count) octet |= (present >> (i + 1) & 1) << 3 | places[i + 1];
        rohc_write8(body, octet);
    }
    for (uint32_t i = 0; i < count; i++)
        if ((present >> i & 1) != 0) rohc_write(body, sources + 4 * i, 4);
}
