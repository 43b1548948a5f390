#include "compressor.h"

#include <stdlib.h>

void rohc_parameters_check(const ox_rohc_parameters *parameters) {
    OX_ASSERT(parameters->cid_max <= (parameters->large_cids ? OX_ROHC_LARGE_CID_MAX : OX_ROHC_SMALL_CID_MAX));
    OX_ASSERT(parameters->reorder_ratio <= 3 && parameters->repetitions <= ROHC_WINDOW);
    OX_ASSERT(parameters->rtp_ports <= OX_ROHC_RTP_PORTS_MAX);
    OX_ASSERT(parameters->profiles >> OX_ROHC_PROFILES == 0);
    OX_ASSERT((parameters->profiles >> 6 & parameters->profiles >> 1 & 0xF) == 0);
}

static uint32_t buckets_of(const ox_rohc_parameters *parameters) {
    uint32_t buckets = 16;
    while (buckets < 2 * (parameters->cid_max + 1u)) buckets *= 2;
    return buckets;
}

/* The compressor, its buckets, then its flows. */
size_t ox_rohc_compressor_bytes(const ox_rohc_parameters *parameters) {
    return sizeof(ox_rohc_compressor) + buckets_of(parameters) * sizeof(uint16_t) + (parameters->cid_max + 1u) * sizeof(rohc_flow);
}

ox_rohc_compressor *ox_rohc_compressor_init(void *memory, const ox_rohc_parameters *parameters) {
    rohc_parameters_check(parameters);
    ox_rohc_compressor *compressor = memory;
    const uint32_t buckets = buckets_of(parameters);
    compressor->parameters = *parameters;
    if (parameters->repetitions == 0) compressor->parameters.repetitions = ROHC_REPETITIONS;
    compressor->contexts = parameters->cid_max + 1u;
    compressor->buckets_mask = buckets - 1;
    compressor->newest = compressor->oldest = NO_FLOW;
    compressor->buckets = (uint16_t *)(compressor + 1);
    compressor->flows = (rohc_flow *)(compressor->buckets + buckets);
    memset(compressor->buckets, 0xFF, buckets * sizeof *compressor->buckets);
    return compressor;
}

ox_rohc_compressor *ox_rohc_compressor_create(const ox_rohc_parameters *parameters) {
    rohc_parameters_check(parameters);
    void *memory = calloc(1, ox_rohc_compressor_bytes(parameters));
    return memory != NULL ? ox_rohc_compressor_init(memory, parameters) : NULL;
}

void ox_rohc_compressor_destroy(ox_rohc_compressor *compressor) { free(compressor); }

/* Writes the header of a packet of this flow, CID and all. */
static bool compress_in(ox_rohc_compressor *compressor, rohc_flow *flow, const rohc_packet *packet, ox_rohc_compressed *out) {
    const ox_rohc_parameters *parameters = &compressor->parameters;
    const uint16_t cid = (uint16_t)(flow - compressor->flows);
    uint8_t *at = out->header;
    if (!parameters->large_cids && cid != 0) *at++ = (uint8_t)(TYPE_ADD_CID | cid);
    rohc_compression work = {
        .packet = packet, .parameters = parameters, .state = flow->state, .compressor = compressor,
        .cid = cid, .width = parameters->repetitions, .first = at++,
    };
    if (parameters->large_cids) {
        if (cid < 0x80) {
            *at++ = (uint8_t)cid;
        } else {
            ox_store_be16(at, (uint16_t)(0x8000 | cid));
            at += 2;
        }
    }
    work.body = (rohc_writer){.at = at, .end = out->header + sizeof out->header};
    if (!flow->profile->compress(&work) || work.body.full) return false;
    out->header_bytes = (uint32_t)(work.body.at - out->header);
    out->consumed = work.consumed;
    out->type = work.type;
    out->profile = flow->profile->number;
    out->cid = cid;
    const uint8_t first = *work.first;
    //= RFC 3095 section 5.9.1
    //# over the whole header, Add-CID octet or CID included, with the CRC's own octet as zero
    //= RFC 3095 section 5.10.1
    //# profile Uncompressed: from the first octet to the profile's
    const uint32_t covered = out->profile == 0x0000 ? (uint32_t)(at + 1 - out->header) : out->header_bytes;
    if (first == TYPE_IR_DYN || (first & 0xFE) == TYPE_IR) at[1] = rohc_crc8(out->header, covered, CRC8_START);
    return true;
}

/* The first of the profiles that can have the packet. RTP's turn depends on the behaviour of the flow. */
static const rohc_profile *choose(const ox_rohc_compressor *compressor, const rohc_packet *packet, bool rtp) {
    static const uint8_t order[] = {1, 6, 2, 7, 3, 8, 5, 4, 9};
    for (uint32_t i = 0; i < sizeof order; i++) {
        const uint32_t bit = 1u << order[i];
        if ((compressor->parameters.profiles & bit) == 0 || ((bit & RTP_PROFILES) != 0 && !rtp)) continue;
        const rohc_profile *profile = rohc_profiles[order[i]];
        if (profile->compress != NULL && profile->recognise(packet)) return profile;
    }
    return NULL;
}

/* Whether a flow without a context shall have one with this packet, whose header would be `out`. */
static bool pays(const ox_rohc_compressor *compressor, const rohc_packet *packet, const ox_rohc_compressed *out) {
    enum { WAIT_MOST = 3 };
    if (!compressor->parameters.raw) return true;
    const uint32_t grown = out->header_bytes > out->consumed ? out->header_bytes - out->consumed : 0;
    if (packet->protocol == PROTO_TCP && grown == 0) return true;
    return rohc_newcomer_packets(compressor, packet) > (grown < 2 ? 1 + grown : WAIT_MOST);
}

static ox_rohc_outcome outcome_raw(ox_rohc_compressor *compressor, ox_rohc_compressed *out) {
    out->header_bytes = out->consumed = 0;
    out->type = OX_ROHC_TYPE_RAW;
    compressor->types[OX_ROHC_TYPE_RAW]++;
    return OX_ROHC_RAW;
}

static ox_rohc_outcome done(ox_rohc_compressor *compressor, rohc_flow *flow, uint64_t now_ns, const ox_rohc_compressed *out) {
    rohc_flow_use(compressor, flow, now_ns);
    flow->told = flow->profile;
    compressor->types[out->type]++;
    compressor->octets_in += out->consumed;
    compressor->octets_out += out->header_bytes;
    return OX_ROHC_COMPRESSED;
}

/* What no other profile takes. All such packets share one flow. */
static ox_rohc_outcome uncompressed(ox_rohc_compressor *compressor, rohc_packet *packet, ox_rohc_compressed *out) {
    if (compressor->parameters.raw || rohc_profile_uncompressed.compress == NULL) return outcome_raw(compressor, out);
    packet->hash = 0;
    rohc_flow *flow = rohc_flow_of(compressor, packet);
    if (flow == NULL) flow = rohc_flow_open(compressor, &rohc_profile_uncompressed, packet, true);
    if (!compress_in(compressor, flow, packet, out)) return outcome_raw(compressor, out);
    return done(compressor, flow, packet->now_ns, out);
}

ox_rohc_outcome ox_rohc_compress(ox_rohc_compressor *compressor, const uint8_t *bytes, uint32_t len, uint64_t now_ns,
                                 ox_rohc_compressed *out) {
    rohc_packet packet;
    compressor->packets++;
    if (len > OX_ROHC_PACKET_MAX || !rohc_packet_read(&packet, bytes, len)) {
        packet = (rohc_packet){.bytes = bytes, .len = len, .now_ns = now_ns};
        return uncompressed(compressor, &packet, out);
    }
    packet.now_ns = now_ns;
    rohc_flow *flow = rohc_flow_of(compressor, &packet);
    const bool rtp_may_be = (compressor->parameters.profiles & RTP_PROFILES) != 0 && packet.protocol == PROTO_UDP;
    const bool plain_udp = flow != NULL && (flow->profile_bit & RTP_PROFILES) == 0;
    bool rtp = false;
    if (flow == NULL || (rtp_may_be && plain_udp)) rtp = rohc_newcomer_rtp(compressor, &packet);
    if (rtp && plain_udp) {
        rohc_flow_close(compressor, flow);
        flow = NULL;
    }
    if (flow != NULL) {
        if (!compress_in(compressor, flow, &packet, out)) return uncompressed(compressor, &packet, out);
        return done(compressor, flow, now_ns, out);
    }
    const rohc_profile *profile = choose(compressor, &packet, rtp);
    if (profile == NULL) return uncompressed(compressor, &packet, out);
    flow = rohc_flow_open(compressor, profile, &packet, !compressor->parameters.raw);
    if (flow == NULL) return outcome_raw(compressor, out);
    if (!compress_in(compressor, flow, &packet, out) || !pays(compressor, &packet, out)) {
        rohc_flow_close(compressor, flow);
        return uncompressed(compressor, &packet, out);
    }
    return done(compressor, flow, now_ns, out);
}

void ox_rohc_feedback(ox_rohc_compressor *compressor, const uint8_t *elements, uint32_t len) {
    rohc_reader reader = {.at = elements, .end = elements + len};
    while (rohc_left(&reader) != 0) {
        const uint8_t *data;
        uint32_t count;
        uint16_t cid;
        rohc_feedback feedback;
        if (!rohc_feedback_next(&reader, &data, &count)) {
            compressor->feedback_ignored++;
            return;
        }
        const uint8_t *element = data;
        const uint32_t element_bytes = count;
        rohc_flow *flow = NULL;
        if (rohc_feedback_cid(&data, &count, compressor->parameters.large_cids, &cid) && cid < compressor->unused)
            flow = &compressor->flows[cid];
        if (flow == NULL || flow->profile == NULL || flow->profile->feedback == NULL ||
            !rohc_feedback_read(element, element_bytes, data, count, flow->profile->number, &feedback)) {
            compressor->feedback_ignored++;
            continue;
        }
        compressor->acks[feedback.ack]++;
        flow->profile->feedback(flow->state, &feedback);
    }
}

void ox_rohc_compressor_status(const ox_rohc_compressor *compressor, ox_rohc_compressor_report *report) {
    *report = (ox_rohc_compressor_report){
        .packets = compressor->packets, .octets_in = compressor->octets_in, .octets_out = compressor->octets_out,
        .contexts_opened = compressor->opened, .contexts_evicted = compressor->evicted,
        .acks = compressor->acks[ROHC_ACK], .nacks = compressor->acks[ROHC_NACK],
        .static_nacks = compressor->acks[ROHC_STATIC_NACK], .feedback_ignored = compressor->feedback_ignored,
    };
    memcpy(report->types, compressor->types, sizeof report->types);
}
