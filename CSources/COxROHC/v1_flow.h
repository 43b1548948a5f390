/**
 * @file  A flow of profiles 0x0001 to 0x0004 in the compressor.
 *
 * Every field that seldom changes has an *age*: how many packets said its present value. One that is younger than the bridge is said
 * again, until an ACK says that it is known. Fields that change with each packet have windows of what the decompressor may know.
 * So what the decompressor makes of a packet with a CRC of 3 bits is right when it lost less packets than v1_bridge(); and where it
 * lost more, it wants a longer CRC.
 */
#ifndef OX_ROHC_V1_FLOW_H
#define OX_ROHC_V1_FLOW_H

#include "v1.h"

enum {
    V1_EXTENSIONS_BYTES = 320, /* of both IP headers together */
    V1_CSRCS = 15,
    V1_OLD = 255,              /* an age that is beyond all doubt */
};

/** How the IP-ID of an IPv4 header behaves, by what its last values did. */
typedef struct v1_id_track {
    uint8_t follows;  /* consecutive packets whose IP-ID followed the one before, at most 255 */
    uint8_t swapped;  /* likewise with its octets swapped */
    uint8_t stays;    /* likewise, it was the same */
    uint8_t strays;   /* likewise, none of these */
} v1_id_track;

/** Ages. */
typedef struct v1_ages {
    uint8_t fixed;      /* what only an IR says */
    uint8_t chain;      /* what an IR or IR-DYN says: lists, whether there is a UDP checksum, SID */
    uint8_t ip[ROHC_IPS]; /* TOS, TTL, DF, NBO, RND */
    uint8_t rtp;        /* payload type, padding, extension */
    uint8_t stride;     /* TS_STRIDE */
    uint8_t phase;      /* TS_OFFSET: packets that said TS unscaled since it is so */
    uint8_t ts_slope;   /* TS_SCALED minus sequence number */
    uint8_t id[ROHC_IPS]; /* IP-ID minus sequence number */
    uint8_t sn_step;    /* that the sequence number grows by one */
} v1_ages;

typedef struct v1_flow {
    v1_fixed_headers headers;
    v1_ip_dynamic ip[ROHC_IPS];
    v1_id_track track[ROHC_IPS];
    v1_ages ages;
    uint8_t bridge;
    bool started, udp_checksum, had_list, had_extension, bidirectional;
    uint8_t gen_id, since_first; /* packets, at most 255 */
    uint8_t irs_due;      /* IR packets to be sent */
    uint8_t rtp_flags, payload_type, csrcs;
    uint16_t extensions_bytes[ROHC_IPS];
    uint16_t id_offset[ROHC_IPS];
    uint32_t sn, changed_sn;      /* of the last packet; of the last that began to say something new */
    uint32_t ts, ts_stride, ts_offset, ts_scaled, ts_slope, stride_seen;
    uint32_t since_ir, since_chain; /* packets */
    rohc_window sn_window, ts_window, scaled_window, id_window[ROHC_IPS];
    uint8_t csrc[4 * V1_CSRCS];
    uint8_t extensions[V1_EXTENSIONS_BYTES];
} v1_flow;
OX_STATIC_ASSERT(sizeof(v1_flow) <= ROHC_FLOW_STATE_BYTES, "a flow fits into its context");

/** What is to be said about one packet. */
typedef struct v1_need {
    uint32_t sn, ts, ts_scaled;
    bool marker, proof;             /* `proof`: a CRC of 3 bits is not enough */
    rohc_spread sn_spread, ts_spread, scaled_spread, id_spread[ROHC_IPS];
    bool ip[ROHC_IPS], rtp, stride; /* flags of an extension 3 */
    bool ts_bits;                   /* TS cannot be inferred */
    bool ts_scales;                 /* TS_SCALED may be used */
    int which;                      /* header whose IP-ID is in the base header; -1: none */
    int other;                      /* another one with RND = 0; -1: none */
} v1_need;

/** Where RTP or, without it, the payload begins: how many octets a header stands for. */
static inline uint32_t v1_header_bytes(const rohc_packet *packet, v1_kind kind) {
    switch (kind) {
    case V1_RTP: return packet->transport_offset + UDP_BYTES + RTP_BYTES + 4u * (packet->transport[UDP_BYTES] & 0x0F);
    case V1_UDP: return packet->transport_offset + UDP_BYTES;
    case V1_ESP: return packet->transport_offset + ESP_BYTES;
    default: return packet->transport_offset;
    }
}

bool v1_recognise(const rohc_packet *packet, v1_kind kind);
bool v1_matches(const v1_flow *flow, const rohc_packet *packet, v1_kind kind);
void v1_open(v1_flow *flow, const rohc_packet *packet, v1_kind kind, const ox_rohc_parameters *parameters);
bool v1_compress(rohc_compression *work, v1_kind kind);
void v1_feedback(v1_flow *flow, const rohc_feedback *said);

/** v1_track.c: takes over what the packet has; makes ages 0 where it differs from the flow. */
void v1_track(v1_flow *flow, const rohc_packet *packet, v1_kind kind);

/** v1_write_ir.c: IR, or IR-DYN. */
void v1_write_ir(rohc_compression *work, v1_kind kind, const v1_flow *flow, const v1_need *need, bool dynamic_only);
/** v1_write_uo.c: the shortest UO packet that says what is needed. False: there is none, and nothing was written. */
bool v1_write_uo(rohc_compression *work, v1_kind kind, const v1_flow *flow, v1_need *need);

#endif
