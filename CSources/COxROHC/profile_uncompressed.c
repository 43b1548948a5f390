/*
 * Profile 0x0000 (RFC 3095 section 5.10): whatever no other profile takes. After some IR packets a packet travels as it is, and
 * only its CID makes it longer.
 */
#include "state.h"

typedef struct uncompressed_flow {
    uint8_t due; /* IR packets to be sent */
} uncompressed_flow;
OX_STATIC_ASSERT(sizeof(uncompressed_flow) <= ROHC_FLOW_STATE_BYTES, "it fits into a context");

/* First octets that mean something else in ROHC (RFC 3095 section 5.2). */
static bool is_reserved(uint8_t octet) { return octet >= TYPE_PADDING; }

/*
 * Whether it looks like what it should be. No CRC protects a packet that travels as it is; what has an IP header's first octets and
 * its own length in them is no packet of another profile, for which the context stood before or will stand. `rest` is behind `first`.
 */
static bool is_ip(uint8_t first, const uint8_t *rest, uint32_t bytes) {
    if (first >> 4 == 4) return bytes >= 19 && ox_load_be16(rest + 1) == bytes + 1;
    return first >> 4 == 6 && bytes >= 39 && ox_load_be16(rest + 3) + 39u == bytes;
}

static bool recognise(const rohc_packet *packet) { return packet->len != 0; }

static bool matches(const void *state, const rohc_packet *packet) {
    (void)state;
    (void)packet;
    return true;
}

/* A context id that stood for another flow may still do so at the other end. */
static void open_flow(void *state, const rohc_packet *packet, const ox_rohc_parameters *parameters) {
    ((uncompressed_flow *)state)->due = packet->reused ? ROHC_BRIDGE : parameters->repetitions;
}

static bool compress(rohc_compression *work) {
    uncompressed_flow *flow = work->state;
    const rohc_packet *packet = work->packet;
    if (packet->len == 0) return false;
    if (flow->due != 0 || !is_ip(packet->bytes[0], packet->bytes + 1, packet->len - 1)) {
        if (flow->due != 0) flow->due--;
        rohc_begin_ir(work, TYPE_IR, 0x0000);
        work->consumed = 0;
        work->type = OX_ROHC_TYPE_IR;
        return true;
    }
    *work->first = packet->bytes[0];
    work->consumed = 1;
    work->type = OX_ROHC_TYPE_NORMAL;
    return true;
}

static void feedback(void *state, const rohc_feedback *said) {
    enum { REPEATED = 3 };
    uncompressed_flow *flow = state;
    flow->due = said->ack == ROHC_ACK ? 0 : REPEATED;
}

static ox_rohc_verdict decompress(rohc_decompression *work) {
    work->verified = true;
    if ((work->first & 0xFE) == TYPE_IR) {
        work->type = OX_ROHC_TYPE_IR;
        return OX_ROHC_PASS;
    }
    if (is_reserved(work->first)) return OX_ROHC_TYPE_UNKNOWN;
    if (work->known_order && !is_ip(work->first, work->body.at, rohc_left(&work->body))) return OX_ROHC_AMBIGUOUS;
    work->type = OX_ROHC_TYPE_NORMAL;
    rohc_write8(&work->header, work->first);
    return OX_ROHC_PASS;
}

const rohc_profile rohc_profile_uncompressed = {
    .number = 0x0000,
    .recognise = recognise,
    .matches = matches,
    .open = open_flow,
    .compress = compress,
    .feedback = feedback,
    .decompress = decompress,
};
