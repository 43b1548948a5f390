#include "compressor.h"

static uint16_t index_of(const ox_rohc_compressor *compressor, const rohc_flow *flow) {
    return (uint16_t)(flow - compressor->flows);
}

static uint16_t bit_of(const rohc_profile *profile) {
    for (uint32_t i = 0; i < OX_ROHC_PROFILES; i++)
        if (rohc_profiles[i] == profile) return (uint16_t)(1u << i);
    return 0;
}

rohc_flow *rohc_flow_of(ox_rohc_compressor *compressor, const rohc_packet *packet) {
    rohc_flow *found = NULL;
    uint16_t at = compressor->buckets[packet->hash & compressor->buckets_mask];
    for (uint32_t seen = 0; at != NO_FLOW && seen < FLOW_CHAIN; seen++) {
        rohc_flow *flow = &compressor->flows[at];
        const bool rtp = (flow->profile_bit & RTP_PROFILES) != 0;
        if (flow->hash == packet->hash && (rtp || found == NULL) && flow->profile->matches(flow->state, packet)) {
            if (rtp || packet->protocol != PROTO_UDP) return flow;
            found = flow;
        }
        at = flow->chain;
    }
    return found;
}

static void unlink_age(ox_rohc_compressor *compressor, rohc_flow *flow) {
    if (flow->newer != NO_FLOW) compressor->flows[flow->newer].older = flow->older;
    else compressor->newest = flow->older;
    if (flow->older != NO_FLOW) compressor->flows[flow->older].newer = flow->newer;
    else compressor->oldest = flow->newer;
}

static void link_newest(ox_rohc_compressor *compressor, rohc_flow *flow) {
    const uint16_t index = index_of(compressor, flow);
    flow->newer = NO_FLOW;
    flow->older = compressor->newest;
    if (compressor->newest != NO_FLOW) compressor->flows[compressor->newest].newer = index;
    else compressor->oldest = index;
    compressor->newest = index;
}

void rohc_flow_use(ox_rohc_compressor *compressor, rohc_flow *flow, uint64_t now_ns) {
    flow->used_ns = now_ns;
    flow->used_packet = compressor->packets;
    flow->sent++;
    if (compressor->newest == index_of(compressor, flow)) return;
    unlink_age(compressor, flow);
    link_newest(compressor, flow);
}

static void unlink_bucket(ox_rohc_compressor *compressor, rohc_flow *flow) {
    uint16_t *link = &compressor->buckets[flow->hash & compressor->buckets_mask];
    const uint16_t index = index_of(compressor, flow);
    while (*link != index) link = &compressor->flows[*link].chain;
    *link = flow->chain;
}

/* A closed flow keeps its place at the old end, so that it is the next to be taken. */
void rohc_flow_close(ox_rohc_compressor *compressor, rohc_flow *flow) {
    unlink_bucket(compressor, flow);
    unlink_age(compressor, flow);
    flow->profile = NULL;
    flow->newer = compressor->oldest;
    flow->older = NO_FLOW;
    const uint16_t index = index_of(compressor, flow);
    if (compressor->oldest != NO_FLOW) compressor->flows[compressor->oldest].older = index;
    else compressor->newest = index;
    compressor->oldest = index;
}

static bool active(const ox_rohc_compressor *compressor, const rohc_flow *flow, uint64_t now_ns) {
    return flow->profile != NULL && now_ns - flow->used_ns < FLOW_ACTIVE_NS &&
           compressor->packets - flow->used_packet < (uint64_t)FLOW_ACTIVE_PACKETS * compressor->contexts;
}

rohc_flow *rohc_flow_open(ox_rohc_compressor *compressor, const rohc_profile *profile, rohc_packet *packet, bool must) {
    rohc_flow *flow;
    const rohc_flow *oldest = compressor->oldest == NO_FLOW ? NULL : &compressor->flows[compressor->oldest];
    if (compressor->unused < compressor->contexts && (oldest == NULL || oldest->profile != NULL)) {
        flow = &compressor->flows[compressor->unused++];
    } else {
        flow = &compressor->flows[compressor->oldest];
        if (!must && active(compressor, flow, packet->now_ns)) return NULL;
        if (flow->profile != NULL) {
            unlink_bucket(compressor, flow);
            compressor->evicted++;
        }
        unlink_age(compressor, flow);
    }
    const rohc_profile *before = flow->told;
    packet->reused = before != NULL || compressor->parameters.reused;
    packet->foreign = packet->reused && before != profile;
    memset(flow, 0, sizeof *flow);
    flow->told = before;
    flow->profile = profile;
    flow->profile_bit = bit_of(profile);
    flow->hash = packet->hash;
    flow->used_ns = packet->now_ns;
    flow->used_packet = compressor->packets;
    uint16_t *bucket = &compressor->buckets[packet->hash & compressor->buckets_mask];
    flow->chain = *bucket;
    *bucket = index_of(compressor, flow);
    link_newest(compressor, flow);
    compressor->opened++;
    profile->open(flow->state, packet, &compressor->parameters);
    return flow;
}

const void *rohc_flow_find(const rohc_compression *work, const rohc_profile *profile,
                           bool (*similar)(const void *state, const rohc_packet *packet), uint16_t *cid) {
    const ox_rohc_compressor *compressor = work->compressor;
    uint16_t at = compressor->newest;
    for (uint32_t seen = 0; at != NO_FLOW && seen < BASES; seen++) {
        const rohc_flow *flow = &compressor->flows[at];
        if (at != work->cid && flow->profile == profile && similar(flow->state, work->packet)) {
            *cid = at;
            return flow->state;
        }
        at = flow->older;
    }
    return NULL;
}

/* ---- newcomers ------------------------------------------------------------------------------------------------ */

static newcomer *newcomer_of(const ox_rohc_compressor *compressor, const rohc_packet *packet) {
    return (newcomer *)&compressor->newcomers[packet->hash % NEWCOMERS];
}

uint32_t rohc_newcomer_packets(const ox_rohc_compressor *compressor, const rohc_packet *packet) {
    const newcomer *known = newcomer_of(compressor, packet);
    return known->hash == packet->hash ? known->packets : 0;
}

static bool listed_port(const ox_rohc_parameters *parameters, uint16_t port) {
    for (uint32_t i = 0; i < parameters->rtp_ports; i++)
        if (parameters->rtp_port[i] == port) return true;
    return false;
}

bool rohc_newcomer_rtp(ox_rohc_compressor *compressor, rohc_packet *packet) {
    enum { IN_ORDER_ENOUGH = 1, STEP_MOST = 4 };
    newcomer *known = newcomer_of(compressor, packet);
    if (known->hash != packet->hash || known->packets == 0) *known = (newcomer){.hash = packet->hash};
    packet->known_ids = known->packets != 0;
    if (known->packets < UINT8_MAX) known->packets++;
    for (uint32_t i = 0; i < packet->ips; i++) {
        packet->before_ids[i] = known->ids[i];
        known->ids[i] = packet->ip[i].version == 4 ? ox_load_be16(packet->ip[i].bytes + 4) : 0;
    }
    if (packet->protocol != PROTO_UDP || packet->transport_bytes < UDP_BYTES + RTP_BYTES) return false;

    const uint8_t *rtp = packet->transport + UDP_BYTES;
    const uint8_t payload_type = rtp[1] & 0x7F;
    if (rtp[0] >> 6 != 2) return false;
    if (listed_port(&compressor->parameters, ox_load_be16(packet->transport + 2))) return true;
    //= RFC 5761 section 4
    //# payload types 64 to 95 are left to RTCP
    if (payload_type >= 64 && payload_type <= 95) return false;
    const uint16_t sequence = ox_load_be16(rtp + 2);
    const uint32_t ssrc = ox_load_be32(rtp + 8);
    const uint16_t step = (uint16_t)(sequence - known->sequence);
    const bool follows = known->packets > 1 && known->ssrc == ssrc && step >= 1 && step <= STEP_MOST;
    if (!follows) known->in_order = 0;
    else if (known->in_order < UINT8_MAX) known->in_order++;
    const uint32_t timestamp = ox_load_be32(rtp + 4), grown = timestamp - known->timestamp;
    if (follows && grown != 0 && grown < 1u << 24 && grown % step == 0) packet->rtp_stride = grown / step;
    known->ssrc = ssrc;
    known->timestamp = timestamp;
    known->sequence = sequence;
    return known->in_order >= IN_ORDER_ENOUGH;
}
