#include "decompressor.h"

enum {
    ACK_GAP_LEAST = 1,     /* packets that pass between ACKs, where changes are rare */
    ACK_GAP_MOST = 16,     /* where each packet is one */
    FAILURES_BEFORE = 2,   /* failures in a row that make a NACK: a packet may be late */
    FAILURES_TOLD = 16,    /* of which so many are told, as feedback may be lost, */
    FAILURES_BETWEEN = 8,  /* then one in so many */
    FAILURES_STATIC = 32,  /* and from so many on, the static part is in doubt */
};

static void owe(ox_rohc_decompressor *decompressor, const rohc_feedback_out *feedback, uint16_t profile, uint16_t cid) {
    if (!decompressor->parameters.bidirectional) return;
    rohc_writer writer = {
        .at = decompressor->feedback + decompressor->feedback_bytes,
        .end = decompressor->feedback + sizeof decompressor->feedback,
    };
    rohc_feedback_write(&writer, feedback, profile, cid, decompressor->parameters.large_cids);
    decompressor->feedback_bytes = (uint32_t)(writer.at - decompressor->feedback);
    decompressor->sent_acks[feedback->ack]++;
}

/*
 * A compressor that has something new says it, mostly with a CRC of 7 or 8 bits, and says it again until it is acknowledged. So such a
 * packet is answered: soon, when they are rare, and ever less often while they go on.
 */
void rohc_owe_passed(ox_rohc_decompressor *decompressor, rohc_context *context, const rohc_decompression *work) {
    context->failed = 0;
    if (context->since_ack < UINT8_MAX) context->since_ack++;
    if ((!work->verified && !work->news) || context->profile->number == 0) return;
    const bool ir = work->type == OX_ROHC_TYPE_IR || work->type == OX_ROHC_TYPE_IR_CR;
    const bool first = ir || context->since_ack > 2 * context->ack_gap;
    if (first) context->ack_gap = ACK_GAP_LEAST;
    if (!first && context->since_ack < context->ack_gap) return;
    if (!first && context->ack_gap < ACK_GAP_MOST) context->ack_gap = (uint8_t)(2 * context->ack_gap);
    context->since_ack = 0;
    const rohc_feedback_out ack = {.ack = ROHC_ACK, .mode = ROHC_MODE_O, .sn = work->sn, .sn_bits = work->sn_bits};
    owe(decompressor, &ack, context->profile->number, work->cid);
}

/* Counts a failure; true when it is to be told. */
static bool fails(rohc_context *context) {
    if (context->failed == UINT8_MAX) context->failed -= FAILURES_BETWEEN;
    context->failed++;
    if (context->failed < FAILURES_BEFORE) return false;
    const uint32_t more = context->failed - FAILURES_BEFORE;
    return more < FAILURES_TOLD || more % FAILURES_BETWEEN == 0;
}

void rohc_owe_failed(ox_rohc_decompressor *decompressor, rohc_context *context, uint16_t cid, ox_rohc_verdict verdict, bool ordered) {
    /* It is not late, and if it could be wrong it came after a long loss: nothing is gained by waiting. */
    const bool sure = ordered || verdict == OX_ROHC_AMBIGUOUS;
    if (sure && context->failed < FAILURES_BEFORE - 1) context->failed = FAILURES_BEFORE - 1;
    if (!fails(context)) return;
    const rohc_ack ack = context->failed >= FAILURES_STATIC || verdict == OX_ROHC_AMBIGUOUS ? ROHC_STATIC_NACK : ROHC_NACK;
    const rohc_feedback_out nack = {.ack = ack, .mode = ROHC_MODE_O};
    owe(decompressor, &nack, context->profile->number, cid);
}

void rohc_owe_stranger(ox_rohc_decompressor *decompressor, rohc_context *context, uint16_t cid) {
    if (context->failed < FAILURES_BEFORE - 1) context->failed = FAILURES_BEFORE - 1;
    if (!fails(context)) return;
    /* The profile is not known, so it is said in both forms: each profile ignores the other one. */
    const rohc_feedback_out nack = {.ack = ROHC_STATIC_NACK, .mode = ROHC_MODE_O};
    const uint32_t first_forms = OX_ROHC_RTP | OX_ROHC_UDP | OX_ROHC_ESP | OX_ROHC_IP;
    const uint32_t set = decompressor->parameters.profiles;
    if ((set & first_forms) != 0) owe(decompressor, &nack, 0x0002, cid);
    if ((set & ~(first_forms | OX_ROHC_UNCOMPRESSED)) != 0) owe(decompressor, &nack, 0x0006, cid);
}
