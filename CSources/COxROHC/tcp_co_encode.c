#include "tcp_flow.h"

/** What the packet has to say that formats differ in. */
typedef struct needs {
    bool common;      /* only co_common says it */
    bool window;
    bool extended;    /* use of ECN, RST, SYN or FIN, list: rnd_8, seq_8 or co_common */
    bool scaled;      /* the sequence number may be scaled */
    bool ack_scaled;
    bool again;       /* a list is told once more, in case that a long loss swallowed it */
    bool same_seq, same_ack; /* they need not be said */
    rohc_spread seq, ack, seq_scale, ack_scale, window_spread, id;
} needs;

/** Distance of the scaled acknowledgement number from each reference's, if all have the same remainder. */
static bool scale_ack(const tcp_facts *facts, rohc_spread *spread) {
    const tcp_history *history = &facts->flow->history;
    const uint32_t stride = facts->stride;
    if (stride == 0 || !tcp_knows(facts, LESSON_STRIDE)) return false;
    const uint32_t scaled = facts->ack / stride, residue = facts->ack % stride;
    *spread = (rohc_spread){.least = INT32_MAX, .most = INT32_MIN};
    const tcp_ring reach = tcp_newest(history->next, history->count, tcp_depth(facts->width), ROHC_WINDOW);
    for (uint32_t i = 0, at = reach.next; i < reach.count; i++) {
        at = tcp_before(reach, at);
        const uint32_t reference = history->ack[at] / stride;
        if (history->ack[at] - reference * stride != residue) return false;
        tcp_widen(spread, (int32_t)(scaled - reference));
    }
    return true;
}

/** Distance of the IP-ID's offset from all that the decompressor may have. */
static rohc_spread id_spread(const tcp_facts *facts) {
    const tcp_marks *marks = &facts->flow->marks;
    rohc_spread spread = {.least = INT32_MAX, .most = INT32_MIN};
    for (uint32_t i = 0; i <= TCP_MARKS; i++) {
        tcp_widen(&spread, (int16_t)(facts->id_offset - marks->id_least[i]));
        tcp_widen(&spread, (int16_t)(facts->id_offset - marks->id_most[i]));
    }
    return spread;
}

static void measure(const tcp_facts *facts, needs *needs) {
    const tcp_flow *flow = facts->flow;
    const tcp_history *history = &flow->history;
    const uint32_t inner = flow->ips - 1u;
    const uint8_t depth = tcp_depth(facts->width);
    const tcp_ring recent = tcp_newest(history->next, history->count, ROHC_WINDOW, ROHC_WINDOW);
    const tcp_ring scales = tcp_newest(flow->scales.next, flow->scales.count, facts->width, depth);
    // What is not scaled fits no number of bits.
    needs->seq_scale = needs->ack_scale = (rohc_spread){.least = INT32_MIN, .most = INT32_MAX};
    needs->seq = tcp_spread32(history->seq, recent, facts->seq);
    needs->ack = tcp_spread32(history->ack, recent, facts->ack);
    needs->same_seq = tcp_knows(facts, LESSON_SEQ);
    needs->same_ack = tcp_knows(facts, LESSON_ACK);
    for (uint32_t i = 0; i < flow->marks.count; i++) {
        tcp_widen(&needs->seq, (int32_t)(facts->seq - flow->marks.seq[i]));
        tcp_widen(&needs->ack, (int32_t)(facts->ack - flow->marks.ack[i]));
    }
    needs->window_spread = tcp_spread16(history->window, recent, facts->window);
    // References of another behaviour are not the decompressor's.
    if (facts->behaviour[inner] <= ID_SWAPPED && tcp_knows(facts, LESSON_BEHAVIOUR))
        needs->id = id_spread(facts);
    else needs->id = (rohc_spread){.least = INT32_MIN, .most = INT32_MAX};
    needs->scaled = facts->payload != 0 && tcp_knows(facts, LESSON_SCALE);
    if (needs->scaled)
        needs->seq_scale = tcp_spread32(flow->scales.scaled, scales, facts->scaled);
    needs->window = !tcp_knows(facts, LESSON_WINDOW);
    needs->extended = !tcp_knows(facts, LESSON_ECN) || (facts->flags & FLAGS_RSF) != 0 ||
                      facts->list_needed;
    needs->again = facts->list_needed && facts->flow->bidirectional && facts->msn % TCP_AGAIN_EACH == 0;
    needs->common = needs->again || (facts->flags & (FLAG_ACK | FLAG_URG)) != FLAG_ACK || !tcp_knows(facts, LESSON_FLAGS) ||
                    !tcp_knows(facts, LESSON_URGENT) || !tcp_knows(facts, LESSON_DSCP) || !tcp_knows(facts, LESSON_DF) ||
                    !tcp_knows(facts, LESSON_BEHAVIOUR) || !tcp_knows(facts, LESSON_TTL) || !tcp_knows(facts, LESSON_JUMP) || (facts->stride != 0 && !tcp_knows(facts, LESSON_STRIDE));
    // Formats with a scaled acknowledgement number have nothing else.
    const bool alone = needs->same_seq && !needs->window && !needs->extended && !needs->common;
    needs->ack_scaled = alone && scale_ack(facts, &needs->ack_scale);
}

static bool fits(const tcp_format *format, tcp_field field, rohc_spread spread) {
    return rohc_fits(spread, format->bits[field], format->offset[field]);
}

static bool says(const tcp_format *format, const needs *needs) {
    if (!tcp_has(format, FIELD_LIST) && needs->extended) return false;
    if (tcp_has(format, FIELD_WINDOW) ? format->bits[FIELD_WINDOW] < 16 && !fits(format, FIELD_WINDOW, needs->window_spread)
                                      : needs->window)
        return false;
    if (tcp_has(format, FIELD_SEQ)) {
        if (!fits(format, FIELD_SEQ, needs->seq)) return false;
    } else if (tcp_has(format, FIELD_SCALED)) {
        if (!needs->scaled || !fits(format, FIELD_SCALED, needs->seq_scale)) return false;
    } else if (!needs->same_seq) {
        return false;
    }
    if (tcp_has(format, FIELD_ACK)) {
        if (!fits(format, FIELD_ACK, needs->ack)) return false;
    } else if (tcp_has(format, FIELD_ACK_SCALED)) {
        if (!needs->ack_scaled || !fits(format, FIELD_ACK_SCALED, needs->ack_scale)) return false;
    } else if (!needs->same_ack) {
        return false;
    }
    return !tcp_has(format, FIELD_ID) || fits(format, FIELD_ID, needs->id);
}

/* ---- co_common -------------------------------------------------------------------------------------------------- */

/** How it says what it may say in several ways. */
typedef struct co_plan {
    uint8_t seq, ack;       /* indicators of variable_length_32_enc */
    bool stride, window, id, whole_id, urgent, dscp, ttl;
    uint32_t octets;        /* without list and irregular chain */
} co_plan;

static uint8_t variable(rohc_spread spread, bool same) {
    if (same) return 0;
    if (rohc_fits(spread, 8, 63)) return 1;
    return rohc_fits(spread, 16, 16383) ? 2 : 3;
}

static void plan_common(const tcp_facts *facts, const needs *needs, co_plan *plan) {
    static const uint8_t octets[4] = {0, 1, 2, 4};
    const uint32_t inner = facts->flow->ips - 1u;
    const bool whole = !tcp_knows(facts, LESSON_JUMP);
    plan->seq = whole ? 3 : variable(needs->seq, needs->same_seq);
    plan->ack = whole || (needs->again && !needs->same_ack) ? 3 : variable(needs->ack, needs->same_ack);
    plan->stride = facts->stride != 0 && !tcp_knows(facts, LESSON_STRIDE);
    plan->window = needs->window;
    plan->id = facts->packet->ip[inner].version == 4 && facts->behaviour[inner] <= ID_SWAPPED;
    plan->whole_id = !rohc_fits(needs->id, 8, 3);
    plan->urgent = !tcp_knows(facts, LESSON_URGENT);
    plan->dscp = !tcp_knows(facts, LESSON_DSCP);
    plan->ttl = !tcp_knows(facts, LESSON_TTL);
    plan->octets = CO_COMMON_OCTETS + octets[plan->seq] + octets[plan->ack] + 2u * plan->stride + 2u * plan->window +
                   (plan->id ? 1u + plan->whole_id : 0) + 2u * plan->urgent + plan->dscp + plan->ttl;
}

static void write_variable(rohc_writer *body, uint32_t indicator, uint32_t value) {
    if (indicator == 1) rohc_write8(body, value & 0xFF);
    if (indicator == 2) rohc_write16(body, value & 0xFFFF);
    if (indicator == 3) rohc_write32(body, value);
}

static void write_common(tcp_facts *facts, const co_plan *plan, rohc_compression *work) {
    const uint32_t inner = facts->flow->ips - 1u;
    rohc_writer *body = &work->body;
    const bool v4 = facts->packet->ip[inner].version == 4;
    const uint32_t df = v4 ? facts->dont_fragment >> inner & 1u : 0;
    *work->first = CO_COMMON;
    rohc_write8(body, (facts->flags & FLAG_ACK) << 3 | (facts->flags & FLAG_PSH) << 3 |
                          (uint32_t)tcp_rsf_index(facts->flags) << 4 | (facts->msn & 0xF));
    rohc_write8(body, (uint32_t)plan->seq << 6 | (uint32_t)plan->ack << 4 | (uint32_t)plan->stride << 3 |
                          (uint32_t)plan->window << 2 | (uint32_t)(plan->id && plan->whole_id) << 1 | plan->urgent);
    rohc_write8(body, (uint32_t)facts->ecn_used << 6 | (uint32_t)plan->dscp << 5 | (uint32_t)plan->ttl << 4 |
                          (uint32_t)facts->list_needed << 3 | (uint32_t)facts->behaviour[inner] << 1 |
                          ((facts->flags & FLAG_URG) != 0));
    rohc_write8(body, df << 7 | rohc_crc7(facts->packet->bytes, facts->header_bytes, CRC7_START));
    write_variable(body, plan->seq, facts->seq);
    write_variable(body, plan->ack, facts->ack);
    if (plan->stride) rohc_write16(body, facts->stride);
    if (plan->window) rohc_write16(body, facts->window);
    if (plan->id && plan->whole_id) rohc_write16(body, facts->id[inner]);
    else if (plan->id) rohc_write8(body, facts->id_offset & 0xFF);
    if (plan->urgent) rohc_write16(body, facts->urgent);
    if (plan->dscp) rohc_write8(body, facts->tos[inner] & 0xFC);
    if (plan->ttl) rohc_write8(body, facts->ttl[inner]);
    if (plan->seq == 3 && plan->ack == 3) facts->tells |= 1u << LESSON_JUMP;
    facts->tells |= 1u << LESSON_FLAGS | 1u << LESSON_ECN | 1u << LESSON_BEHAVIOUR | 1u << LESSON_DF |
                    (uint32_t)plan->stride << LESSON_STRIDE | (uint32_t)plan->window << LESSON_WINDOW |
                    (uint32_t)plan->urgent << LESSON_URGENT | (uint32_t)plan->dscp << LESSON_DSCP |
                    (uint32_t)plan->ttl << LESSON_TTL | (uint32_t)(plan->seq != 0) << LESSON_SEQ |
                    (uint32_t)(plan->ack != 0) << LESSON_ACK;
    work->type = OX_ROHC_TYPE_TCP_CO_COMMON;
}

/* ---- the others ------------------------------------------------------------------------------------------------- */

static void write_format(tcp_facts *facts, const tcp_format *format, rohc_compression *work) {
    const uint32_t inner = facts->flow->ips - 1u;
    uint64_t octets = (uint64_t)format->mark << (8 * format->octets - format->mark_bits);
    octets = tcp_put(format, octets, FIELD_MSN, facts->msn);
    octets = tcp_put(format, octets, FIELD_PSH, (facts->flags & FLAG_PSH) != 0);
    octets = tcp_put(format, octets, FIELD_SEQ, facts->seq);
    octets = tcp_put(format, octets, FIELD_ACK, facts->ack);
    octets = tcp_put(format, octets, FIELD_ID, facts->id_offset);
    octets = tcp_put(format, octets, FIELD_WINDOW, facts->window);
    if (tcp_has(format, FIELD_SCALED)) octets = tcp_put(format, octets, FIELD_SCALED, facts->scaled);
    if (tcp_has(format, FIELD_ACK_SCALED)) octets = tcp_put(format, octets, FIELD_ACK_SCALED, facts->ack / facts->stride);
    if (tcp_has(format, FIELD_LIST)) {
        octets = tcp_put(format, octets, FIELD_TTL, facts->ttl[inner]);
        octets = tcp_put(format, octets, FIELD_RSF, tcp_rsf_index(facts->flags));
        octets = tcp_put(format, octets, FIELD_LIST, facts->list_needed);
        octets = tcp_put(format, octets, FIELD_ECN, facts->ecn_used);
        facts->tells |= 1u << LESSON_TTL | 1u << LESSON_ECN;
    }
    const uint8_t crc = format->bits[FIELD_CRC] == 3 ? rohc_crc3(facts->packet->bytes, facts->header_bytes, CRC3_START)
                                                     : rohc_crc7(facts->packet->bytes, facts->header_bytes, CRC7_START);
    octets = tcp_put(format, octets, FIELD_CRC, crc);
    *work->first = (uint8_t)(octets >> (8 * format->octets - 8));
    for (uint32_t i = format->octets - 1u; i-- > 0;) rohc_write8(&work->body, (uint32_t)(octets >> 8 * i) & 0xFF);
    facts->tells |= (uint32_t)tcp_has(format, FIELD_WINDOW) << LESSON_WINDOW |
                    (uint32_t)(tcp_has(format, FIELD_SEQ) || tcp_has(format, FIELD_SCALED)) << LESSON_SEQ |
                    (uint32_t)(tcp_has(format, FIELD_ACK) || tcp_has(format, FIELD_ACK_SCALED)) << LESSON_ACK;
    work->type = format->type;
}

bool tcp_write_co(tcp_facts *facts, rohc_compression *work) {
    if (tcp_rsf_index(facts->flags) > 3) return false;
    needs needs;
    co_plan plan;
    measure(facts, &needs);
    const uint32_t inner = facts->flow->ips - 1u;
    const bool sequential = facts->packet->ip[inner].version == 4 && facts->behaviour[inner] <= ID_SWAPPED;
    const tcp_format *format = NULL;
    // The last two are the only ones with a window, and with whatever seldom changes.
    const uint32_t from = needs.extended ? TCP_FORMATS - 1 : needs.window ? TCP_FORMATS - 2 : 0;
    for (uint32_t i = from; i < TCP_FORMATS && format == NULL && !needs.common; i++)
        if (says(&tcp_formats[sequential][i], &needs)) format = &tcp_formats[sequential][i];
    if (format == NULL || format->octets > CO_COMMON_OCTETS) plan_common(facts, &needs, &plan);
    if (format == NULL || (format->octets > CO_COMMON_OCTETS && plan.octets < format->octets)) write_common(facts, &plan, work);
    else write_format(facts, format, work);

    const uint16_t listed = facts->list_needed ? facts->listed : 0;
    facts->listed = listed;
    if (facts->list_needed) {
        tcp_write_list(facts, listed, &work->body);
        facts->tells |= 1u << LESSON_LIST;
    }
    const bool scaled = work->type != OX_ROHC_TYPE_TCP_CO_COMMON && tcp_has(format, FIELD_SCALED);
    if (facts->payload != 0 && !scaled) facts->tells |= 1u << LESSON_SCALE;
    if (facts->ecn_used != 0) facts->tells |= 1u << LESSON_ECN_BITS;
    tcp_write_irregular_chain(facts, listed, &work->body);
    return true;
}
