#include "tcp_flow.h"

static void open_flow(void *state, const rohc_packet *packet, const ox_rohc_parameters *parameters) {
    tcp_flow *flow = state;
    // Any number will do, but not the same for all flows (section 6.1.1).
    flow->msn = (uint16_t)(packet->hash >> 8);
    flow->width = parameters->repetitions;
    flow->bidirectional = parameters->bidirectional;
    flow->foreign = packet->foreign;
}

static bool matches(const void *state, const rohc_packet *packet) {
    const tcp_flow *flow = state;
    if (packet->protocol != PROTO_TCP || flow->ips != packet->ips || packet->transport_bytes < TCP_BYTES) return false;
    uint32_t at = 0;
    for (uint32_t i = 0; i < packet->ips; i++) {
        const uint8_t *header = packet->ip[i].bytes, *old = flow->chain + at;
        const bool v4 = header[0] >> 4 == 4;
        // With other extension headers it is the same flow only if it has the same octets in all.
        if (at + packet->ip[i].header_bytes > flow->chain_bytes || header[0] >> 4 != old[0] >> 4) return false;
        if (v4 ? memcmp(header + 12, old + 12, 8) != 0 : memcmp(header + 8, old + 8, 32) != 0) return false;
        at += packet->ip[i].header_bytes;
    }
    return at == flow->chain_bytes && ox_load_be16(packet->transport) == flow->ports[0] &&
           ox_load_be16(packet->transport + 2) == flow->ports[1];
}

/** Without a way back for feedback, what was lost is told again from time to time, and ever less often. */
static bool refresh_due(tcp_flow *flow, const ox_rohc_parameters *parameters) {
    if (parameters->bidirectional || flow->since_ir < (uint32_t)TCP_REFRESH_FIRST << flow->refreshes) return false;
    if (flow->refreshes < TCP_REFRESHES) flow->refreshes++;
    return true;
}

static bool compress(rohc_compression *work) {
    tcp_facts facts = {.packet = work->packet, .flow = work->state, .width = work->width};
    if (!tcp_look(&facts)) return false;
    if (!tcp_knows(&facts, LESSON_STATIC)) {
        if (!tcp_write_ir_cr(&facts, work)) tcp_write_ir(&facts, work);
    } else if (refresh_due(facts.flow, work->parameters)) {
        tcp_write_ir(&facts, work);
    } else if (!tcp_knows(&facts, LESSON_DYNAMIC) || !tcp_knows(&facts, LESSON_OUTER) || !tcp_write_co(&facts, work)) {
        tcp_write_ir_dyn(&facts, work);
    }
    work->consumed = facts.header_bytes;
    tcp_remember(&facts);
    return true;
}

const rohc_profile rohc_profile_tcp = {
    .number = 0x0006,
    .fixed_bytes = sizeof(tcp_fixed),
    .dynamic_bytes = sizeof(tcp_dynamic),
    .recognise = tcp_recognise,
    .matches = matches,
    .open = open_flow,
    .compress = compress,
    .feedback = tcp_feedback,
    .fixed_extent = tcp_fixed_extent,
    .decompress = tcp_decompress,
};
