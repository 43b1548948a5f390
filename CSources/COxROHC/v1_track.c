#include "v1_flow.h"

enum { EARLY = 3 /* packets of a flow in which a first impression counts */ };

static uint8_t one_more(uint8_t count) { return count < UINT8_MAX ? (uint8_t)(count + 1) : count; }

/* ---- IP-ID ------------------------------------------------------------------------------------------------------- */

static void follow_id(v1_id_track *track, uint16_t before, uint16_t id) {
    enum { STEP_MOST = 64 }; /* a host's other flows may share the counter */
    const uint16_t step = (uint16_t)(id - before), swapped = (uint16_t)(rohc_swap16(id) - rohc_swap16(before));
    const bool follows = step >= 1 && step <= STEP_MOST, swaps = swapped >= 1 && swapped <= STEP_MOST;
    track->follows = follows ? one_more(track->follows) : 0;
    track->swapped = swaps ? one_more(track->swapped) : 0;
    track->stays = step == 0 ? one_more(track->stays) : 0;
    track->strays = follows || swaps || step == 0 ? 0 : one_more(track->strays);
}

/* What flags the header's IP-ID shall have. `early`: they are told anyway. Else a change has to look lasting. */
static void judge_id(v1_flow *flow, uint32_t which, bool early) {
    enum { LASTING = 3 };
    v1_ip_dynamic *ip = &flow->ip[which];
    const v1_id_track *track = &flow->track[which];
    const uint8_t enough = early ? 1 : LASTING;
    const v1_ip_dynamic before = *ip;
    if (track->stays >= enough) {
        ip->sid = true;
        ip->rnd = false;
    } else if (track->follows >= enough || track->swapped >= enough) {
        /* Small steps in network order are large ones in the other, but for a step of 257 and the like. */
        ip->rnd = ip->sid = false;
        ip->nbo = track->follows >= track->swapped;
    } else if (track->strays >= (early ? 1 : 2) || (ip->sid && track->stays == 0)) {
        ip->rnd = true;
        ip->sid = false;
        ip->nbo = true;
    }
    if (before.sid != ip->sid) flow->ages.chain = 0;
    if (before.rnd != ip->rnd || before.nbo != ip->nbo) flow->ages.ip[which] = 0;
}

static void track_id(v1_flow *flow, const rohc_packet *packet, uint32_t which) {
    v1_ip_dynamic *ip = &flow->ip[which];
    const uint16_t id = ox_load_be16(packet->ip[which].bytes + 4);
    if (flow->started) {
        follow_id(&flow->track[which], ip->id, id);
        judge_id(flow, which, flow->since_first < EARLY);
    } else {
        ip->nbo = true;
        if (packet->known_ids) follow_id(&flow->track[which], packet->before_ids[which], id);
        if (packet->known_ids) judge_id(flow, which, true);
    }
    ip->id = id;
}

static void track_ip(v1_flow *flow, const rohc_packet *packet, uint32_t which) {
    enum { DONT_FRAGMENT = 0x40 };
    v1_ip_dynamic *ip = &flow->ip[which];
    const rohc_ip *from = &packet->ip[which];
    uint8_t tos, ttl;
    bool df = false;
    if (from->version == 4) {
        tos = from->bytes[1];
        ttl = from->bytes[8];
        df = (from->bytes[6] & DONT_FRAGMENT) != 0;
        track_id(flow, packet, which);
    } else {
        tos = (uint8_t)(ox_load_be16(from->bytes) >> 4);
        ttl = from->bytes[7];
        const uint32_t label = ox_load_be32(from->bytes) & 0xFFFFF;
        if (label != flow->headers.ip[which].flow_label) flow->ages.fixed = 0;
        flow->headers.ip[which].flow_label = label;
    }
    if (tos != ip->tos || ttl != ip->ttl || df != ip->df) flow->ages.ip[which] = 0;
    ip->tos = tos;
    ip->ttl = ttl;
    ip->df = df;
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

/* The extension headers of one header lie together, and their `next header` octets are as static as they are. */
static void track_extensions(v1_flow *flow, const rohc_ip *from, uint32_t which) {
    const uint32_t fixed = from->version == 4 ? IPV4_BYTES : IPV6_BYTES, bytes = from->header_bytes - fixed;
    if (bytes == 0 && flow->extensions_bytes[which] == 0) return;
    uint8_t *kept = flow->extensions + (which == 0 ? 0 : V1_EXTENSIONS_BYTES / 2);
    if (bytes != flow->extensions_bytes[which] || memcmp(kept, from->bytes + fixed, bytes) != 0) {
        flow->ages.chain = 0;
        flow->gen_id++;
        memcpy(kept, from->bytes + fixed, bytes);
        flow->extensions_bytes[which] = (uint16_t)bytes;
    }
    flow->had_list = true;
}

static void track_csrcs(v1_flow *flow, const uint8_t *rtp) {
    const uint8_t csrcs = rtp[0] & 0x0F;
    if (csrcs == flow->csrcs && memcmp(flow->csrc, rtp + RTP_BYTES, 4u * csrcs) == 0) return;
    memcpy(flow->csrc, rtp + RTP_BYTES, 4u * csrcs);
    flow->csrcs = csrcs;
    flow->ages.chain = 0;
}

/* ---- RTP timestamps ------------------------------------------------------------------------------------------------ */

/* The step of TS a packet, when two pairs of packets agree on it. */
static uint32_t stride_between(const v1_flow *flow, uint32_t sn, uint32_t ts) {
    const uint16_t packets = (uint16_t)(sn - flow->sn);
    const uint32_t step = ts - flow->ts;
    if (packets == 0 || packets > 16 || step == 0 || step > (1u << 24)) return 0;
    return packets != 1 && step % packets == 0 ? step / packets : step;
}

static void set_stride(v1_flow *flow, uint32_t stride) {
    if (flow->ts_stride == stride) return;
    flow->ts_stride = stride;
    flow->ages.stride = 0;
    flow->ages.phase = 0;
    flow->scaled_window.count = 0;
}

/* Which stride to scale by. 1, which always fits, where there is no other; what is known is kept while it fits. */
static void choose_stride(v1_flow *flow, const rohc_packet *packet, uint32_t sn, uint32_t ts) {
    if (!flow->started) {
        if (packet->rtp_stride != 0) set_stride(flow, packet->rtp_stride);
        return;
    }
    const uint32_t stride = stride_between(flow, sn, ts);
    if (stride != 0 && stride == flow->ts_stride) {
        flow->stride_seen = stride;
        return;
    }
    const bool fits = flow->ts_stride != 0 && ts % flow->ts_stride == flow->ts_offset;
    const bool early = flow->since_first < EARLY || flow->ts_stride <= 1;
    if (stride != 0 && (!fits || early) && (flow->ts_stride == 0 || stride == flow->stride_seen)) set_stride(flow, stride);
    else if (flow->ts_stride == 0) set_stride(flow, 1);
    if (stride != 0) flow->stride_seen = stride;
}

static void track_ts(v1_flow *flow, const rohc_packet *packet, uint32_t sn, uint32_t ts) {
    choose_stride(flow, packet, sn, ts);
    flow->ts = ts;
    if (flow->ts_stride == 0) return;
    const uint32_t offset = ts % flow->ts_stride;
    if (offset != flow->ts_offset || flow->ages.phase == 0) {
        flow->ts_offset = offset;
        flow->ages.phase = 0;
        flow->scaled_window.count = 0;
    }
    flow->ts_scaled = ts / flow->ts_stride;
    const uint32_t slope = flow->ts_scaled - (uint16_t)sn;
    /* The sequence number has 16 bits: its wrap is none of TS's. */
    const bool wrapped = (uint16_t)sn < (uint16_t)flow->sn && slope - flow->ts_slope == 0x10000;
    if (slope != flow->ts_slope && !wrapped) flow->ages.ts_slope = 0;
    flow->ts_slope = slope;
}

static void track_rtp(v1_flow *flow, const rohc_packet *packet, const uint8_t *rtp) {
    const uint8_t flags = rtp[0] & 0xF0, type = rtp[1] & 0x7F;
    if (flags != flow->rtp_flags || type != flow->payload_type) flow->ages.rtp = 0;
    flow->rtp_flags = flags;
    flow->had_extension |= (flags & 0x10) != 0;
    flow->payload_type = type;
    track_csrcs(flow, rtp);
    const uint16_t sn = ox_load_be16(rtp + 2);
    track_ts(flow, packet, sn, ox_load_be32(rtp + 4));
    flow->sn = sn;
}

void v1_track(v1_flow *flow, const rohc_packet *packet, v1_kind kind) {
    const uint32_t before = flow->sn;
    for (uint32_t i = 0; i < packet->ips; i++) {
        track_ip(flow, packet, i);
        track_extensions(flow, &packet->ip[i], i);
    }
    const uint8_t *transport = packet->transport;
    if (kind == V1_ESP) {
        flow->sn = ox_load_be32(transport + 4);
    } else if (kind == V1_IP) {
        flow->sn = (flow->sn + 1) & 0xFFFF;
    } else {
        const bool checksum = ox_load_be16(transport + 6) != 0;
        if (checksum != flow->udp_checksum) flow->ages.chain = 0;
        flow->udp_checksum = checksum;
        if (kind == V1_RTP) track_rtp(flow, packet, transport + UDP_BYTES);
        else flow->sn = (flow->sn + 1) & 0xFFFF;
    }
    if (flow->sn - before != 1) flow->ages.sn_step = 0;
    for (uint32_t i = 0; i < packet->ips; i++) {
        const v1_ip_dynamic *ip = &flow->ip[i];
        if (packet->ip[i].version != 4) continue;
        const uint16_t offset = (uint16_t)((ip->nbo ? ip->id : rohc_swap16(ip->id)) - flow->sn);
        if (offset != flow->id_offset[i]) flow->ages.id[i] = 0;
        flow->id_offset[i] = offset;
    }
    if (flow->since_first < UINT8_MAX) flow->since_first++;
    /* Whoever has a context at all has it from a packet that said all of this. */
    if (!flow->started) memset(&flow->ages, V1_OLD, sizeof flow->ages);
    flow->started = true;
}
