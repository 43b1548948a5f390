#include "v2.h"

enum { REFRESH_FIRST = 64, REFRESH_LAST = 1024, REFRESH_LAST_ONE_WAY = 256, BACK_MOST = 64 };

/* ---- where the headers are ------------------------------------------------------------------------------------ */

static bool add_extensions(v2_layout *layout, const rohc_packet *packet, const rohc_ip *ip) {
    for (uint32_t i = 0; i < ip->extensions; i++) {
        const rohc_extension *extension = &ip->extension[i];
        const bool authentication = extension->type == PROTO_AH;
        const v2_kind kind = authentication                          ? V2_KIND_AH
                             : extension->type == PROTO_ROUTING ? V2_KIND_ROUTING
                                                                : V2_KIND_OPTIONS;
        // Reserved bits of AH are not carried.
        if (authentication && (extension->bytes < 12 || ox_load_be16(packet->bytes + extension->offset + 2) != 0)) return false;
        if (!v2_layout_add(layout, kind, extension->bytes)) return false;
    }
    return true;
}

static bool is_udp(const rohc_packet *packet) {
    return packet->protocol == PROTO_UDP && packet->transport_bytes >= UDP_BYTES &&
           ox_load_be16(packet->transport + 4) == packet->transport_bytes;
}

static bool is_esp(const rohc_packet *packet) { return packet->protocol == PROTO_ESP && packet->transport_bytes >= ESP_BYTES; }

/** Octets of an RTP header with its CSRCs; 0 where there is none. */
static uint32_t rtp_bytes(const rohc_packet *packet) {
    const uint8_t *rtp = packet->transport + UDP_BYTES;
    if (!is_udp(packet) || packet->transport_bytes < UDP_BYTES + RTP_BYTES || rtp[0] >> 6 != 2) return 0;
    const uint32_t bytes = RTP_BYTES + 4u * (rtp[0] & 0xF);
    return packet->transport_bytes >= UDP_BYTES + bytes ? bytes : 0;
}

/** Whether the packet has the headers of the last one; said of simple chains alone, which most are. */
static bool has_layout(const v2_layout *layout, const rohc_packet *packet, uint16_t profile) {
    if (packet->ips != 1 || packet->ip[0].extensions != 0 || layout->items[0].bytes != packet->ip[0].header_bytes) return false;
    switch (profile) {
    case V2_PROFILE_RTP: return layout->count == 3 && layout->items[2].bytes == rtp_bytes(packet);
    case V2_PROFILE_UDP: return layout->count == 2 && is_udp(packet);
    case V2_PROFILE_ESP: return layout->count == 2 && is_esp(packet);
    default: return false;
    }
}

bool v2_layout_of(v2_layout *layout, const rohc_packet *packet, uint16_t profile) {
    v2_layout_clear(layout);
    for (uint32_t i = 0; i < packet->ips; i++) {
        const rohc_ip *ip = &packet->ip[i];
        const bool ipv4 = ip->version == 4;
        if (!v2_layout_add(layout, ipv4 ? V2_KIND_IPV4 : V2_KIND_IPV6, ipv4 ? IPV4_BYTES : IPV6_BYTES)) return false;
        if (!add_extensions(layout, packet, ip)) return false;
    }
    switch (profile) {
    case V2_PROFILE_RTP: {
        const uint32_t bytes = rtp_bytes(packet);
        return bytes != 0 && v2_layout_add(layout, V2_KIND_UDP, UDP_BYTES) && v2_layout_add(layout, V2_KIND_RTP, bytes);
    }
    case V2_PROFILE_UDP: return is_udp(packet) && v2_layout_add(layout, V2_KIND_UDP, UDP_BYTES);
    case V2_PROFILE_ESP: return is_esp(packet) && v2_layout_add(layout, V2_KIND_ESP, ESP_BYTES);
    default:
        //= RFC 5225 section 6.5
        //# these would be items of the chain, which rohc_packet does not take apart
        return packet->protocol != PROTO_GRE && packet->protocol != PROTO_MINE &&
               !v2_is_extension(packet->protocol, rohc_inner(packet)->version == 6);
    }
}

/* ---- whose packet it is --------------------------------------------------------------------------------------- */

static inline bool same_octets(const v2_flow *flow, const v2_item *item, const uint8_t *header, uint32_t from, uint32_t count) {
    return memcmp(flow->octets + item->offset + from, header + from, count) == 0;
}

/** Whether an IP header has the addresses of an item. */
static bool same_addresses(const v2_flow *flow, const v2_item *item, const rohc_ip *ip) {
    if (ip->version == 4) return item->kind == V2_KIND_IPV4 && same_octets(flow, item, ip->bytes, 12, 8);
    return item->kind == V2_KIND_IPV6 && same_octets(flow, item, ip->bytes, 8, 32);
}

bool v2_matches(const v2_flow *flow, const rohc_packet *packet, uint16_t profile) {
    const v2_layout *layout = &flow->layout;
    if (packet->ips != (layout->outer == V2_NONE ? 1 : 2)) return false;
    if (!same_addresses(flow, &layout->items[layout->inner], rohc_inner(packet))) return false;
    if (packet->ips == 2 && !same_addresses(flow, &layout->items[0], &packet->ip[0])) return false;
    if (profile == V2_PROFILE_IP) return true;
    return packet->transport_bytes >= ESP_BYTES && same_octets(flow, &layout->items[layout->transport], packet->transport, 0, 4);
}

/* ---- what is new ---------------------------------------------------------------------------------------------- */

/**
 * From now on the packets say this, `width` of them where an error would be seen, by an UDP checksum or because the flow has only
 * begun; otherwise until it is acknowledged, or so many that a gap that swallows them all is seen as one.
 */
static void say(v2_sending *sending, v2_news news) {
    v2_flow *flow = sending->flow;
    const bool covered = news > V2_NEWS_OUTER && sending->now.checksum_used;
    // In a context that another flow had, the decompressor does not take this one for young.
    const bool young = flow->sent < V2_REFERENCES && flow->first_irs == 0;
    flow->left[news] = covered || young ? flow->width : V2_REFERENCES;
    flow->since[news] = sending->now.sn;
}

static void read_ip(v2_ip *ip, const uint8_t *header, bool ipv4) {
    if (ipv4) {
        *ip = (v2_ip){.tos = header[1], .ttl = header[8], .df = header[6] >> 6 & 1};
    } else {
        *ip = (v2_ip){.tos = (uint8_t)(header[0] << 4 | header[1] >> 4), .ttl = header[7]};
    }
    ip->behavior = V2_ID_RANDOM;
}

/** Everything that the packet has of what changes. */
static void read_packet(v2_sending *sending) {
    const v2_flow *flow = sending->flow;
    const v2_layout *layout = &sending->layout;
    v2_dynamic *now = &sending->now;
    uint32_t authentications = 0;
    *now = (v2_dynamic){.ratio = sending->work->parameters->reorder_ratio, .sn = flow->last.sn + 1};
    if (!flow->started) now->sn = sending->work->packet->hash;
    for (uint32_t i = 0; i < layout->count; i++) {
        const v2_item *item = &layout->items[i];
        const uint8_t *header = sending->octets + item->offset;
        const bool ipv4 = item->kind == V2_KIND_IPV4;
        switch ((v2_kind)item->kind) {
        case V2_KIND_IPV4: case V2_KIND_IPV6:
            read_ip(i == layout->inner ? &now->inner : &now->outer, header, ipv4);
            if (ipv4 && i == layout->inner) now->id = ox_load_be16(header + 4);
            else if (ipv4 && ox_load_be16(header + 4) == 0) now->outer.behavior = V2_ID_ZERO;
            break;
        case V2_KIND_AH: now->authentication[authentications++] = ox_load_be32(header + 8); break;
        case V2_KIND_UDP: now->checksum_used = ox_load_be16(header + 6) != 0; break;
        case V2_KIND_RTP:
            now->padding = header[0] >> 5 & 1;
            now->extension = header[0] >> 4 & 1;
            sending->marker = header[1] >> 7;
            now->payload_type = header[1] & 0x7F;
            now->sn = ox_load_be16(header + 2);
            now->ts = ox_load_be32(header + 4);
            break;
        case V2_KIND_ESP: now->sn = ox_load_be32(header + 4); break;
        case V2_KIND_OPTIONS: case V2_KIND_ROUTING: break;
        }
    }
    if (v2_sn_width(sending->profile) == 16) now->sn &= 0xFFFF;
}

/**
 * The same items with the same static parts; a list of CSRCs may have another length. Addresses and ports are those of the flow:
 * v2_matches() has seen to it.
 */
static bool static_equal(const v2_sending *sending) {
    const v2_flow *flow = sending->flow;
    if (sending->layout.count != flow->layout.count) return false;
    for (uint32_t i = 0; i < sending->layout.count; i++) {
        const v2_item *item = &sending->layout.items[i], *before = &flow->layout.items[i];
        const uint8_t *header = sending->octets + item->offset;
        if (item->kind != before->kind || (item->bytes != before->bytes && item->kind != V2_KIND_RTP)) return false;
        switch ((v2_kind)item->kind) {
        case V2_KIND_IPV4:
            if (!same_octets(flow, before, header, 9, 1)) return false;
            break;
        case V2_KIND_IPV6: {
            const uint32_t label = (ox_load_be32(header) ^ ox_load_be32(flow->octets + before->offset)) & 0xFFFFF;
            if (label != 0 || !same_octets(flow, before, header, 6, 1)) return false;
            break;
        }
        case V2_KIND_OPTIONS:
            if (!same_octets(flow, before, header, 0, 2)) return false;
            break;
        case V2_KIND_ROUTING:
            if (!same_octets(flow, before, header, 0, item->bytes)) return false;
            break;
        case V2_KIND_AH:
            if (!same_octets(flow, before, header, 0, 2) || !same_octets(flow, before, header, 4, 4)) return false;
            break;
        case V2_KIND_UDP: case V2_KIND_ESP: break;
        case V2_KIND_RTP:
            if (!same_octets(flow, before, header, 8, 4)) return false;
            break;
        }
    }
    return true;
}

static bool options_equal(const v2_sending *sending) {
    if (rohc_inner(sending->work->packet)->extensions + sending->work->packet->ip[0].extensions == 0) return true;
    for (uint32_t i = 0; i < sending->layout.count; i++) {
        const v2_item *item = &sending->layout.items[i];
        if (item->kind == V2_KIND_OPTIONS && !same_octets(sending->flow, item, sending->octets + item->offset, 2, item->bytes - 2u))
            return false;
    }
    return true;
}

static bool sources_equal(const v2_sending *sending) {
    const v2_item *now = &sending->layout.items[sending->layout.rtp], *before = &sending->flow->layout.items[sending->layout.rtp];
    return now->bytes == before->bytes &&
           same_octets(sending->flow, before, sending->octets + now->offset, RTP_BYTES, now->bytes - (uint32_t)RTP_BYTES);
}

/**
 * A source that numbers its packets itself may go back. A decompressor that does not know the order of the channel takes such a
 * packet for a late one and keeps its reference, so the packets that follow must not rely on a newer one before it was told.
 */
static void watch_order(v2_sending *sending) {
    v2_flow *flow = sending->flow;
    const uint32_t distance = sending->now.sn - flow->highest;
    const int32_t ahead = v2_sn_width(sending->profile) == 32 ? (int32_t)distance : (int16_t)(uint16_t)distance;
    if (ahead <= 0 && ahead > -BACK_MOST && ++flow->behind < flow->width) return;
    if (ahead <= 0) say(sending, V2_NEWS_REPAIR);
    flow->highest = sending->now.sn;
    flow->behind = 0;
}

static void find_news(v2_sending *sending) {
    v2_flow *flow = sending->flow;
    const v2_dynamic *now = &sending->now, *last = &flow->last;
    if (!flow->started || !static_equal(sending)) {
        say(sending, V2_NEWS_IR);
        if (!flow->started && flow->first_irs != 0) flow->left[V2_NEWS_IR] = flow->first_irs;
        flow->highest = now->sn;
        return;
    }
    const bool outer = sending->layout.outer != V2_NONE, rtp = sending->layout.rtp != V2_NONE;
    if (now->checksum_used != last->checksum_used || !options_equal(sending)) say(sending, V2_NEWS_REPAIR);
    if (outer && (now->outer.df != last->outer.df || now->outer.behavior != last->outer.behavior)) say(sending, V2_NEWS_REPAIR);
    if (outer && (now->outer.tos != last->outer.tos || now->outer.ttl != last->outer.ttl)) say(sending, V2_NEWS_OUTER);
    if (now->inner.df != last->inner.df || now->inner.behavior != last->inner.behavior) say(sending, V2_NEWS_FLAGS);
    if (now->inner.tos != last->inner.tos) say(sending, V2_NEWS_TOS);
    if (now->inner.ttl != last->inner.ttl) say(sending, V2_NEWS_TTL);
    if (sending->profile == V2_PROFILE_RTP || sending->profile == V2_PROFILE_ESP) watch_order(sending);
    if (!rtp) return;
    if (now->payload_type != last->payload_type) say(sending, V2_NEWS_TYPE);
    if (now->padding != last->padding || now->extension != last->extension) say(sending, V2_NEWS_BITS);
    if (now->ts_stride != last->ts_stride) say(sending, V2_NEWS_STRIDE);
    if (!sources_equal(sending)) say(sending, V2_NEWS_LIST);
}

/* ---- packets -------------------------------------------------------------------------------------------------- */

/** Without an answer ever, the whole context is said again now and then; more often where none can come. */
static bool refresh_is_due(const v2_sending *sending) {
    v2_flow *flow = sending->flow;
    if (flow->since_ir < UINT16_MAX) flow->since_ir++;
    if (flow->answered || flow->since_ir < flow->refresh) return false;
    if (flow->refresh < (sending->work->parameters->bidirectional ? REFRESH_LAST : REFRESH_LAST_ONE_WAY)) flow->refresh *= 2;
    return true;
}

static void write_packet(v2_sending *sending) {
    rohc_compression *work = sending->work;
    v2_flow *flow = sending->flow;
    if (flow->left[V2_NEWS_IR] != 0 || refresh_is_due(sending)) {
        flow->since_ir = 0;
        work->type = OX_ROHC_TYPE_IR;
        rohc_begin_ir(work, V2_IR, sending->profile);
        v2_write_static(sending);
        v2_write_dynamic(sending);
    } else if (flow->left[V2_NEWS_REPAIR] != 0) {
        work->type = OX_ROHC_TYPE_V2_CO_REPAIR;
        *work->first = V2_CO_REPAIR;
        rohc_write8(&work->body, rohc_crc7(sending->octets, sending->layout.bytes, CRC7_START));
        rohc_write8(&work->body, v2_control_crc(&sending->now, &sending->layout, sending->profile));
        v2_write_dynamic(sending);
    } else {
        v2_measure(sending);
        v2_write_base(sending);
    }
}

/** What was sent may be the reference of the next packet. */
static void keep(v2_sending *sending) {
    v2_flow *flow = sending->flow;
    const v2_dynamic *now = &sending->now;
    v2_reference *reference = &flow->references[flow->reference_next];
    *reference = (v2_reference){.sn = now->sn, .ts = now->ts, .id = now->id};
    memcpy(reference->authentication, now->authentication, sizeof reference->authentication);
    flow->reference_next = (flow->reference_next + 1) % V2_REFERENCES;
    if (flow->references_count < V2_REFERENCES) flow->references_count++;
    if (flow->sent < V2_REFERENCES) flow->sent++;
    if (!sending->regular) flow->regular = 0;
    else if (flow->regular < UINT8_MAX) flow->regular++;
    for (uint32_t i = 0; sending->news && i < V2_NEWS_COUNT; i++)
        if (flow->left[i] != 0) flow->left[i]--;
    flow->last = *now;
    if (!sending->same_layout) flow->layout = sending->layout;
    memcpy(flow->octets, sending->octets, sending->layout.bytes);
    flow->started = true;
}

void v2_open(v2_flow *flow, const rohc_packet *packet, uint16_t profile) {
    const bool fits = v2_layout_of(&flow->layout, packet, profile);
    OX_ASSERT(fits);
    memcpy(flow->octets, packet->bytes, flow->layout.bytes);
    flow->refresh = REFRESH_FIRST;
    flow->last.ts_stride = packet->rtp_stride != 0 ? packet->rtp_stride : V2_STRIDE;
    flow->last.inner.behavior = v2_first_behavior(packet);
    flow->behaved = packet->known_ids;
    // Where another flow had the context, as far as anybody knows, a packet that meets the old one must not look as if it were right.
    flow->first_irs = packet->reused ? V2_REFERENCES : 0;
}

bool v2_compress(rohc_compression *work, uint16_t profile) {
    v2_sending sending = {.work = work, .flow = work->state, .octets = work->packet->bytes, .profile = profile};
    v2_flow *flow = sending.flow;
    sending.same_layout = has_layout(&flow->layout, work->packet, profile);
    if (sending.same_layout) sending.layout = flow->layout;
    else if (!v2_layout_of(&sending.layout, work->packet, profile)) return false;
    flow->width = work->width;
    read_packet(&sending);
    if (sending.layout.items[sending.layout.inner].kind == V2_KIND_IPV4) v2_follow_id(flow, &sending.now);
    if (profile == V2_PROFILE_RTP) v2_follow_stride(flow, &sending.now);
    find_news(&sending);
    static const uint8_t nothing[V2_NEWS_COUNT];
    sending.news = memcmp(flow->left, nothing, sizeof nothing) != 0;
    sending.regular = v2_is_regular(&sending);
    write_packet(&sending);
    OX_ASSERT(!work->body.full);
    work->consumed = sending.layout.bytes;
    keep(&sending);
    return true;
}

/* ---- feedback ------------------------------------------------------------------------------------------------- */

/** How far `sn` is ahead of another one, in the width that the flow has. */
static int32_t ahead_of(const v2_flow *flow, uint32_t sn, uint32_t other) {
    const bool wide = flow->layout.transport != V2_NONE && flow->layout.items[flow->layout.transport].kind == V2_KIND_ESP;
    return wide ? (int32_t)(sn - other) : (int16_t)(uint16_t)(sn - other);
}

/** The decompressor has what was said up to this packet, and builds on nothing older. */
static void heard(v2_flow *flow, uint32_t sn) {
    for (uint32_t i = 0; i < V2_NEWS_COUNT; i++)
        if (ahead_of(flow, sn, flow->since[i]) >= 0) flow->left[i] = 0;
    for (uint32_t kept = 1; kept <= flow->references_count; kept++) {
        const v2_reference *reference = &flow->references[(flow->reference_next + V2_REFERENCES - kept) % V2_REFERENCES];
        if (ahead_of(flow, reference->sn, sn) == 0) flow->references_count = (uint8_t)kept;
    }
}

void v2_feedback(v2_flow *flow, const rohc_feedback *said) {
    if (!flow->started) return;
    flow->answered = true;
    if (said->ack == ROHC_ACK) {
        const uint32_t mask = said->sn_bits >= 32 ? UINT32_MAX : (1u << said->sn_bits) - 1;
        if (said->sn_valid) heard(flow, flow->last.sn - ((flow->last.sn - said->sn) & mask));
        return;
    }
    // The whole context, if the decompressor has none that it could name a packet of.
    const v2_news news = said->ack == ROHC_STATIC_NACK || !said->sn_valid ? V2_NEWS_IR : V2_NEWS_REPAIR;
    if (flow->left[news] < flow->width) flow->left[news] = flow->width;
    flow->since[news] = flow->last.sn + 1;
    for (uint32_t i = 0; i < V2_TABLE; i++)
        if (flow->table_said[i] > 1) flow->table_said[i] = 1;
}
