#include "tcp_flow.h"

enum {
    ECN_QUIET = 32,        /* packets after which ECN is taken for unused */
    ID_STEP_MOST = 64,     /* from one packet of a flow to the next, of a counter that it does not have alone */
    ID_MISFITS = 2,        /* until a behaviour is given up */
    ID_FITS = 4,           /* until another one is taken up */
    STRIDE_LEAST = 100,    /* a shorter one saves nothing */
    STRIDE_SEEN = 2,
};

bool tcp_recognise(const rohc_packet *packet) {
    if (packet->protocol != PROTO_TCP || packet->transport_bytes < TCP_BYTES || packet->transport_offset > TCP_FLOW_CHAIN_MAX)
        return false;
    for (uint32_t i = 0; i < packet->ips; i++)
        for (uint32_t e = 0; e < packet->ip[i].extensions; e++)
            if (packet->ip[i].extension[e].type == PROTO_AH) return false;
    const uint32_t tcp_bytes = packet->transport[12] / 16 * 4u;
    return tcp_bytes >= TCP_BYTES && tcp_bytes <= packet->transport_bytes;
}

/* ---- IP headers ------------------------------------------------------------------------------------------------- */

static void read_ip(tcp_facts *facts, uint32_t i) {
    const uint8_t *header = facts->packet->ip[i].bytes;
    if (header[0] >> 4 == 4) {
        facts->tos[i] = header[1];
        facts->id[i] = ox_load_be16(header + 4);
        facts->dont_fragment = (uint8_t)(facts->dont_fragment | (header[6] >> 6 & 1) << i);
        facts->ttl[i] = header[8];
        facts->behaviour[i] = facts->id[i] == 0 ? ID_ZERO : ID_RANDOM;
    } else {
        facts->tos[i] = (uint8_t)(header[0] << 4 | header[1] >> 4);
        facts->ttl[i] = header[7];
        facts->behaviour[i] = ID_RANDOM;
    }
}

/** What only an IR says: what the static chain has, and extension headers. */
static bool static_as_before(const tcp_facts *facts) {
    const tcp_flow *flow = facts->flow;
    const rohc_packet *packet = facts->packet;
    if (flow->chain_bytes != packet->transport_offset) return false;
    uint32_t at = 0;
    for (uint32_t i = 0; i < packet->ips; i++) {
        const uint8_t *header = packet->ip[i].bytes, *old = flow->chain + at;
        const uint32_t bytes = packet->ip[i].header_bytes;
        if (header[0] >> 4 == 6) {
            if (((ox_load_be32(header) ^ ox_load_be32(old)) & 0xF00FFFFF) != 0 || header[6] != old[6]) return false;
            if (bytes > IPV6_BYTES && memcmp(header + IPV6_BYTES, old + IPV6_BYTES, bytes - IPV6_BYTES) != 0) return false;
        } else if (header[0] != old[0] || header[9] != old[9]) {
            return false;
        }
        at += bytes;
    }
    return true;
}

static void look_at_outer(tcp_facts *facts) {
    const tcp_flow *flow = facts->flow;
    // A random behaviour has room for zeros, too.
    if (flow->behaviour[0] == ID_RANDOM) facts->behaviour[0] = ID_RANDOM;
    if (facts->behaviour[0] != flow->behaviour[0] || facts->ttl[0] != flow->ttl[0] ||
        ((facts->dont_fragment ^ flow->dont_fragment) & 1) != 0)
        facts->new_lessons |= 1u << LESSON_OUTER;
    if (facts->tos[0] != flow->tos[0]) facts->new_lessons |= 1u << LESSON_ECN_BITS;
}

/* ---- the innermost IP-ID (section 6.1.2) ------------------------------------------------------------------------- */

static bool steps(uint16_t from, uint16_t to) {
    const uint16_t step = (uint16_t)(to - from);
    return step >= 1 && step <= ID_STEP_MOST;
}

/** How the IP-ID went on from the packet before. */
static uint8_t behaviour_seen(uint16_t before, uint16_t id) {
    if (before == 0 && id == 0) return ID_ZERO;
    if (steps(before, id)) return ID_SEQUENTIAL;
    return steps(rohc_swap16(before), rohc_swap16(id)) ? ID_SWAPPED : ID_RANDOM;
}

static uint8_t behaviour_of(tcp_facts *facts, uint16_t id) {
    tcp_flow *flow = facts->flow;
    const uint8_t old = flow->behaviour[flow->ips - 1u], seen = behaviour_seen(flow->id, id);
    if (seen == old) {
        flow->id_misfits = flow->id_fits = 0;
        return old;
    }
    // After zeros, as of a SYN-ACK, a counter begins.
    if (old == ID_ZERO) return seen == ID_RANDOM ? ID_SEQUENTIAL : seen;
    // As long as the context is being established, a change costs nothing.
    if (!tcp_knows(facts, LESSON_STATIC)) return seen;
    if (seen == ID_RANDOM) {
        flow->id_fits = 0;
        // The IP-ID that was no step from the last one may be the start of further steps.
        if (flow->id_misfits < UINT8_MAX) flow->id_misfits++;
        return flow->id_misfits >= ID_MISFITS ? ID_RANDOM : old;
    }
    if (seen != flow->id_candidate) flow->id_fits = 0;
    flow->id_candidate = seen;
    flow->id_fits++;
    return flow->id_fits >= ID_FITS || seen == ID_ZERO ? seen : old;
}

/** A guess, but where a packet of the flow went out raw before. */
static uint8_t first_behaviour(const tcp_facts *facts) {
    const uint32_t inner = facts->flow->ips - 1u;
    if (facts->id[inner] == 0) return ID_ZERO;
    if (!facts->packet->known_ids) return ID_SEQUENTIAL;
    const uint8_t seen = behaviour_seen(facts->packet->before_ids[inner], facts->id[inner]);
    return facts->packet->before_ids[inner] == 0 && seen == ID_RANDOM ? ID_SEQUENTIAL : seen;
}

static void look_at_inner(tcp_facts *facts) {
    tcp_flow *flow = facts->flow;
    const uint32_t inner = flow->ips - 1u;
    if (facts->packet->ip[inner].version == 4) {
        facts->behaviour[inner] = flow->history.count == 0 ? first_behaviour(facts) : behaviour_of(facts, facts->id[inner]);
        if (facts->behaviour[inner] != flow->behaviour[inner]) facts->new_lessons |= 1u << LESSON_BEHAVIOUR;
    }
    facts->id_offset = tcp_id_offset(facts->id[inner], facts->msn, facts->behaviour[inner]);
    if (facts->ttl[inner] != flow->ttl[inner]) facts->new_lessons |= 1u << LESSON_TTL;
    if (facts->tos[inner] >> 2 != flow->tos[inner] >> 2) facts->new_lessons |= 1u << LESSON_DSCP;
    if ((facts->tos[inner] & 3) != (flow->tos[inner] & 3)) facts->new_lessons |= 1u << LESSON_ECN_BITS;
    if (((facts->dont_fragment ^ flow->dont_fragment) >> inner & 1) != 0) facts->new_lessons |= 1u << LESSON_DF;
}

/* ---- TCP -------------------------------------------------------------------------------------------------------- */

/** The largest number by which the last steps of the acknowledgement number can be divided (section 6.4.8.2). */
static uint16_t stride_of(tcp_facts *facts) {
    tcp_flow *flow = facts->flow;
    const uint32_t step = facts->ack - flow->ack;
    if (flow->history.count == 0 || step == 0 || step > UINT16_MAX) return flow->stride;
    if (flow->stride != 0 && step % flow->stride == 0) {
        flow->step = flow->stride;
        flow->step_seen = 0;
        return flow->stride;
    }
    uint32_t a = step, b = flow->step;
    while (b != 0) {
        const uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    if (a == flow->step) {
        flow->step_seen++;
    } else {
        flow->step = (uint16_t)(a >= STRIDE_LEAST ? a : step);
        flow->step_seen = 1;
    }
    const uint32_t enough = tcp_knows(facts, LESSON_STATIC) ? STRIDE_SEEN : 1;
    return flow->step >= STRIDE_LEAST && flow->step_seen >= enough ? flow->step : flow->stride;
}

static void look_at_ecn(tcp_facts *facts) {
    tcp_flow *flow = facts->flow;
    if (((facts->flags ^ flow->flags) & FLAGS_ECN) != 0 || facts->reserved != flow->reserved)
        facts->new_lessons |= 1u << LESSON_ECN_BITS;
    if (!tcp_knows(facts, LESSON_ECN_BITS)) flow->ecn_quiet = 0;
    else if (flow->ecn_quiet < UINT8_MAX) flow->ecn_quiet++;
    // An IR tells them anyway: what was so since the flow began is not in use.
    const bool in_use = !tcp_knows(facts, LESSON_ECN_BITS) && flow->history.count != 0 &&
                        ((facts->new_lessons >> LESSON_ECN_BITS & 1) != 0 || tcp_knows(facts, LESSON_STATIC));
    facts->ecn_used = in_use || (flow->ecn_used != 0 && flow->ecn_quiet < ECN_QUIET);
    if (facts->ecn_used != flow->ecn_used) facts->new_lessons |= 1u << LESSON_ECN;
}

static void look_at_tcp(tcp_facts *facts) {
    const tcp_flow *flow = facts->flow;
    facts->stride = stride_of(facts);
    if (facts->stride != flow->stride) facts->new_lessons |= 1u << LESSON_STRIDE;
    if (facts->window != flow->window) facts->new_lessons |= 1u << LESSON_WINDOW;
    if (facts->urgent != flow->urgent) facts->new_lessons |= 1u << LESSON_URGENT;
    if (((facts->flags ^ flow->flags) & (FLAG_ACK | FLAG_URG)) != 0) facts->new_lessons |= 1u << LESSON_FLAGS;
    if (facts->payload != 0) {
        facts->scaled = facts->seq / facts->payload;
        facts->residue = (uint16_t)(facts->seq - facts->scaled * facts->payload);
        if (facts->payload != flow->payload || facts->residue != flow->residue) facts->new_lessons |= 1u << LESSON_SCALE;
    }
    look_at_ecn(facts);
}

static bool jumps(uint32_t from, uint32_t to) { return to - from + 0x8000 > UINT16_MAX; }

bool tcp_look(tcp_facts *facts) {
    const rohc_packet *packet = facts->packet;
    tcp_flow *flow = facts->flow;
    const uint8_t *tcp = facts->tcp = packet->transport;
    if (!tcp_recognise(packet)) return false;
    const uint32_t tcp_bytes = tcp[12] / 16 * 4u;
    facts->header_bytes = packet->transport_offset + tcp_bytes;
    facts->payload = packet->transport_bytes - tcp_bytes;
    facts->seq = ox_load_be32(tcp + 4);
    facts->ack = ox_load_be32(tcp + 8);
    facts->reserved = tcp[12] & 0xF;
    facts->flags = tcp[13];
    facts->window = ox_load_be16(tcp + 14);
    facts->checksum = ox_load_be16(tcp + 16);
    facts->urgent = ox_load_be16(tcp + 18);
    facts->msn = (uint16_t)(flow->msn + 1);
    if (facts->seq != flow->seq) facts->new_lessons |= 1u << LESSON_SEQ;
    if (facts->ack != flow->ack) facts->new_lessons |= 1u << LESSON_ACK;
    if (jumps(flow->seq, facts->seq) || jumps(flow->ack, facts->ack)) facts->new_lessons |= 1u << LESSON_JUMP;
    if (!tcp_look_at_options(facts, tcp + TCP_BYTES, tcp_bytes - TCP_BYTES)) return false;

    for (uint32_t i = 0; i < packet->ips; i++) read_ip(facts, i);
    if (flow->ips != packet->ips || !static_as_before(facts)) {
        facts->new_lessons |= 1u << LESSON_STATIC;
        flow->ips = packet->ips;
    }
    if (packet->ips > 1) look_at_outer(facts);
    look_at_inner(facts);
    look_at_tcp(facts);
    return true;
}
