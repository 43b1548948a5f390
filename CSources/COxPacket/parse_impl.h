/* The seam between the variants of the batch parser: each gives what ox_parse_batch_scalar() gives, for every input. */
#ifndef COXPACKET_PARSE_IMPL_H
#define COXPACKET_PARSE_IMPL_H

#include "oxcore/packet.h"

enum {
    V4_HEADER_BYTES = 20,
    V6_HEADER_BYTES = 40,
    TCP_HEADER_BYTES = 20,
    UDP_HEADER_BYTES = 8,
    RTP_HEADER_BYTES = 12,
    RTP_PORT_MIN = 1024,
    PREFETCH_AHEAD = 16, /* packets */
};

/* Fills the RTP fields, which are zero, when the payload of the UDP datagram in `headers` looks like RTP. */
void ox_parse_rtp(const uint8_t *payload, uint32_t payload_len, ox_headers *headers);

/* ox_parse() and ox_flow_hash() into place `i`. */
void ox_parse_one(const ox_flow_key *key, const uint8_t *packet, uint32_t len, uint32_t i, ox_parsed *parsed);

void ox_parse_batch_scalar(const ox_flow_key *key, const uint8_t *const packets[], const uint32_t lengths[],
                           uint32_t count, ox_parsed *parsed);
#ifdef __x86_64__
void ox_parse_batch_avx2(const ox_flow_key *key, const uint8_t *const packets[], const uint32_t lengths[],
                         uint32_t count, ox_parsed *parsed);
void ox_parse_batch_avx512(const ox_flow_key *key, const uint8_t *const packets[], const uint32_t lengths[],
                           uint32_t count, ox_parsed *parsed);
#endif

#endif
