#include "v1_flow.h"

enum {
    REFRESH_IR = 1024,   /* U mode: packets between IR packets */
    REFRESH_CHAIN = 256, /* and between IR-DYN packets */
    PROOF = 32,          /* and between those with a CRC of 7 bits */
};

/* ---- which packets, and which flow ------------------------------------------------------------------------------- */

static bool transport_fits(const rohc_packet *packet, v1_kind kind) {
    const uint8_t *transport = packet->transport;
    const uint32_t bytes = packet->transport_bytes;
    switch (kind) {
    case V1_IP: return true;
    case V1_ESP: return packet->protocol == PROTO_ESP && bytes >= ESP_BYTES;
    default: break;
    }
    if (packet->protocol != PROTO_UDP || bytes < UDP_BYTES || ox_load_be16(transport + 4) != bytes) return false;
    if (kind == V1_UDP) return true;
    if (bytes < UDP_BYTES + RTP_BYTES || transport[UDP_BYTES] >> 6 != 2) return false;
    return bytes >= UDP_BYTES + RTP_BYTES + 4u * (transport[UDP_BYTES] & 0x0F);
}

bool v1_recognise(const rohc_packet *packet, v1_kind kind) {
    for (uint32_t i = 0; i < packet->ips; i++) {
        const rohc_ip *ip = &packet->ip[i];
        if (ip->version == 6 && ip->header_bytes - IPV6_BYTES > V1_EXTENSIONS_BYTES / 2) return false;
        /* What AH adds differs in each packet: such packets gain nothing. */
        for (uint32_t e = 0; e < ip->extensions; e++)
            if (ip->extension[e].type == PROTO_AH) return false;
    }
    return transport_fits(packet, kind);
}

static bool same_ip(const v1_ip_fixed *fixed, const rohc_ip *ip) {
    if (fixed->version != ip->version || fixed->protocol != ip->protocol) return false;
    if (ip->version == 4)
        return memcmp(fixed->source, ip->bytes + 12, 4) == 0 && memcmp(fixed->destination, ip->bytes + 16, 4) == 0;
    return memcmp(fixed->source, ip->bytes + 8, 16) == 0 && memcmp(fixed->destination, ip->bytes + 24, 16) == 0;
}

bool v1_matches(const v1_flow *flow, const rohc_packet *packet, v1_kind kind) {
    if (flow->headers.ips != packet->ips || !v1_recognise(packet, kind)) return false;
    for (uint32_t i = 0; i < packet->ips; i++)
        if (!same_ip(&flow->headers.ip[i], &packet->ip[i])) return false;
    const uint8_t *transport = packet->transport;
    switch (kind) {
    case V1_IP: return true;
    case V1_ESP: return flow->headers.identity == ox_load_be32(transport);
    default: break;
    }
    if (flow->headers.source_port != ox_load_be16(transport)) return false;
    if (flow->headers.destination_port != ox_load_be16(transport + 2)) return false;
    return kind != V1_RTP || flow->headers.identity == ox_load_be32(transport + UDP_BYTES + 8);
}

void v1_open(v1_flow *flow, const rohc_packet *packet, v1_kind kind, const ox_rohc_parameters *parameters) {
    flow->bidirectional = parameters->bidirectional;
    flow->bridge = v1_bridge(kind, parameters);
    flow->headers.ips = packet->ips;
    /* Of a list that the decompressor may still have, an IR packet says that it is empty. */
    flow->had_list = packet->reused;
    for (uint32_t i = 0; i < packet->ips; i++) {
        v1_ip_fixed *fixed = &flow->headers.ip[i];
        const rohc_ip *ip = &packet->ip[i];
        const uint32_t address = ip->version == 4 ? 4 : 16;
        fixed->version = ip->version;
        fixed->protocol = ip->protocol;
        memcpy(fixed->source, ip->bytes + (ip->version == 4 ? 12 : 8), address);
        memcpy(fixed->destination, ip->bytes + (ip->version == 4 ? 16 : 24), address);
    }
    const uint8_t *transport = packet->transport;
    if (kind == V1_ESP) flow->headers.identity = ox_load_be32(transport);
    if (kind == V1_RTP) flow->headers.identity = ox_load_be32(transport + UDP_BYTES + 8);
    if (kind == V1_RTP || kind == V1_UDP) {
        flow->headers.source_port = ox_load_be16(transport);
        flow->headers.destination_port = ox_load_be16(transport + 2);
    }
}

/* ---- one packet -------------------------------------------------------------------------------------------------- */

static const rohc_spread STEADY = {0, 0};

static void note_ids(const v1_flow *flow, const rohc_packet *packet, v1_need *need) {
    for (uint32_t i = 0; i < packet->ips; i++) {
        need->ip[i] = flow->ages.ip[i] < flow->bridge;
        if (packet->ip[i].version != 4 || flow->ip[i].rnd) continue;
        const bool steady = flow->ip[i].sid || flow->ages.id[i] >= flow->bridge;
        need->id_spread[i] = steady ? STEADY : rohc_window_spread(&flow->id_window[i], flow->id_offset[i], 16);
        if (need->which >= 0) need->other = need->which;
        need->which = (int)i;
    }
}

static void note_needs(const v1_flow *flow, const rohc_packet *packet, v1_kind kind, v1_need *need) {
    *need = (v1_need){.sn = flow->sn, .which = -1, .other = -1};
    if (flow->ages.sn_step >= flow->bridge) need->sn_spread = (rohc_spread){1, flow->bridge};
    else need->sn_spread = rohc_window_spread(&flow->sn_window, flow->sn, v1_sn_width(kind));
    note_ids(flow, packet, need);
    if (kind != V1_RTP) return;
    need->marker = (packet->transport[UDP_BYTES + 1] & 0x80) != 0;
    need->rtp = flow->ages.rtp < flow->bridge;
    need->stride = flow->ts_stride != 0 && flow->ages.stride < flow->bridge;
    need->ts = flow->ts;
    need->ts_scaled = flow->ts_scaled;
    need->ts_scales = flow->ts_stride != 0 && !need->stride && flow->ages.phase >= flow->bridge;
    need->ts_bits = !need->ts_scales || flow->ages.ts_slope < flow->bridge;
}

static void older(uint8_t *age) {
    if (*age < V1_OLD) (*age)++;
}

/* The packet said all that is young, in the form that `type` stands for. */
static void note_sent(v1_flow *flow, const rohc_packet *packet, const v1_need *need, v1_kind kind, ox_rohc_type type) {
    v1_ages *ages = &flow->ages;
    const bool ir = type == OX_ROHC_TYPE_IR, chain = ir || type == OX_ROHC_TYPE_IR_DYN;
    flow->since_ir = ir ? 0 : flow->since_ir + 1;
    flow->since_chain = chain ? 0 : flow->since_chain + 1;
    if (ir) older(&ages->fixed);
    if (chain) older(&ages->chain);
    for (uint32_t i = 0; i < packet->ips; i++) {
        if (chain || need->ip[i]) older(&ages->ip[i]);
        if (packet->ip[i].version != 4) continue;
        older(&ages->id[i]);
        rohc_window_add(&flow->id_window[i], flow->id_offset[i], flow->bridge);
    }
    older(&ages->sn_step);
    rohc_window_add(&flow->sn_window, flow->sn, flow->bridge);
    if (kind != V1_RTP) return;
    if (chain || need->rtp) older(&ages->rtp);
    if (chain || need->stride) older(&ages->stride);
    if (chain || !need->ts_scales) older(&ages->phase);
    older(&ages->ts_slope);
    rohc_window_add(&flow->ts_window, flow->ts, flow->bridge);
    if (flow->ts_stride != 0) rohc_window_add(&flow->scaled_window, flow->ts_scaled, flow->bridge);
}

static bool any_new(const v1_ages *ages) {
    return ages->fixed == 0 || ages->chain == 0 || ages->ip[0] == 0 || ages->ip[1] == 0 || ages->rtp == 0 || ages->stride == 0 ||
           ages->phase == 0 || ages->ts_slope == 0 || ages->id[0] == 0 || ages->id[1] == 0;
}

/* Without feedback, what was missed is to be said again, and proved now and then by a CRC of 7 bits. */
static void refresh(v1_flow *flow) {
    if (flow->since_ir >= REFRESH_IR) flow->irs_due = 1;
    else if (flow->since_chain >= REFRESH_CHAIN) flow->ages.chain = (uint8_t)(flow->bridge - 1);
}

bool v1_compress(rohc_compression *work, v1_kind kind) {
    v1_flow *flow = work->state;
    const rohc_packet *packet = work->packet;
    /* Until an ACK, a context id may still stand for another flow at the other end: CRCs of 3 bits are no defence. */
    const bool first = !flow->started;
    if (first) flow->irs_due = packet->reused ? ROHC_BRIDGE : work->width;
    v1_track(flow, packet, kind);
    if (first || any_new(&flow->ages)) flow->changed_sn = flow->sn;
    if (!flow->bidirectional) refresh(flow);
    v1_need need;
    note_needs(flow, packet, kind, &need);
    need.proof = !flow->bidirectional && flow->since_chain % PROOF == PROOF - 1;
    work->consumed = v1_header_bytes(packet, kind);
    if (flow->irs_due != 0 || flow->ages.fixed < flow->bridge) {
        v1_write_ir(work, kind, flow, &need, false);
        if (flow->irs_due != 0) flow->irs_due--;
    } else if (flow->ages.chain < flow->bridge || !v1_write_uo(work, kind, flow, &need)) {
        v1_write_ir(work, kind, flow, &need, true);
    }
    note_sent(flow, packet, &need, kind, work->type);
    return true;
}

/* ---- feedback ---------------------------------------------------------------------------------------------------- */

void v1_feedback(v1_flow *flow, const rohc_feedback *said) {
    if (said->ack == ROHC_STATIC_NACK) {
        flow->ages.fixed = flow->ages.chain = 0;
        flow->changed_sn = flow->sn + 1;
    } else if (said->ack == ROHC_NACK) {
        flow->ages.chain = 0;
        flow->changed_sn = flow->sn + 1;
    } else if (said->sn_valid && said->sn_bits != 0) {
        //= RFC 3095 section 5.3.1.1.2
        //# what an acknowledged packet said, the decompressor knows
        const uint32_t shift = 32u - (said->sn_bits < 16 ? said->sn_bits : 16);
        const int32_t since = (int32_t)((said->sn - flow->changed_sn) << shift) >> shift;
        const int32_t ahead = (int32_t)((flow->sn - said->sn) << shift) >> shift;
        if (since < 0 || ahead < 0) return;
        const uint8_t step = flow->ages.sn_step;
        memset(&flow->ages, V1_OLD, sizeof flow->ages);
        flow->ages.sn_step = step;
        flow->irs_due = 0;
    }
}
