/**
 * @file  Flows of a compressor: found by hash, kept in order of use.
 *
 * A flow is *active* while it was used within the last ::FLOW_ACTIVE_NS and the last ::FLOW_ACTIVE_PACKETS a context: such a flow
 * is never evicted where a packet may go out raw.
 */
#ifndef OX_ROHC_COMPRESSOR_H
#define OX_ROHC_COMPRESSOR_H

#include "state.h"

enum {
    NO_FLOW = UINT16_MAX,
    FLOW_ACTIVE_PACKETS = 64, /* of the compressor, for each of its contexts */
    FLOW_CHAIN = 16,          /* flows of one bucket that are looked at */
    NEWCOMERS = 256,          /* UDP flows and the like, before they have a context */
    BASES = 32,               /* flows that context replication looks at */
};
static const uint64_t FLOW_ACTIVE_NS = 2000000000;

typedef struct rohc_flow {
    const rohc_profile *profile; /* NULL: free */
    uint64_t used_ns;
    uint64_t used_packet;        /* of the compressor's */
    uint64_t sent;
    uint32_t hash;
    uint16_t chain;              /* next in its bucket */
    uint16_t newer, older;       /* in order of use */
    uint16_t profile_bit;        /* OX_ROHC_* of it */
    const rohc_profile *told; /* of the last flow of which the other end was told */
    _Alignas(8) uint8_t state[ROHC_FLOW_STATE_BYTES];
} rohc_flow;
OX_STATIC_ASSERT(sizeof(rohc_flow) <= ROHC_CONTEXT_BYTES, "a context takes at most 1 KB");

/** What is known of a flow that has no context yet, or one of UDP that may be of RTP. */
typedef struct newcomer {
    uint32_t hash;
    uint32_t ssrc, timestamp;
    uint16_t sequence;
    uint8_t packets;
    uint16_t ids[ROHC_IPS];
    uint8_t in_order; /* RTP packets that followed each other */
} newcomer;

struct ox_rohc_compressor {
    ox_rohc_parameters parameters;
    uint32_t contexts, buckets_mask;
    uint16_t newest, oldest, unused; /* `unused`: contexts from there on have never been taken */
    uint64_t packets;
    uint64_t octets_in, octets_out, opened, evicted;
    uint64_t acks[3], feedback_ignored;
    uint64_t types[OX_ROHC_TYPE_COUNT];
    newcomer newcomers[NEWCOMERS];
    uint16_t *buckets;
    rohc_flow *flows;
};

enum { RTP_PROFILES = OX_ROHC_RTP | OX_ROHC_V2_RTP };

/** The flow that the packet belongs to, of RTP rather than of another profile; NULL without. */
rohc_flow *rohc_flow_of(ox_rohc_compressor *compressor, const rohc_packet *packet);
/** A free context, or that of the flow that was idle longest; NULL when all are active and `must` is not set. */
rohc_flow *rohc_flow_open(ox_rohc_compressor *compressor, const rohc_profile *profile, rohc_packet *packet, bool must);
/** Forgets a flow. */
void rohc_flow_close(ox_rohc_compressor *compressor, rohc_flow *flow);
/** It is the most recent one now. */
void rohc_flow_use(ox_rohc_compressor *compressor, rohc_flow *flow, uint64_t now_ns);

/** Whether the packet is RTP by the behaviour of its flow, or by a port that the parameters name. Learns from it, and tells the packet
    what TS did. */
bool rohc_newcomer_rtp(ox_rohc_compressor *compressor, rohc_packet *packet);
/** Packets of that flow so far, this one included, at most 255. */
uint32_t rohc_newcomer_packets(const ox_rohc_compressor *compressor, const rohc_packet *packet);

#endif
