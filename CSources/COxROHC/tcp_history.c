#include "tcp_flow.h"

/* ---- what was sent ---------------------------------------------------------------------------------------------- */

/** The place of the next entry in a ring of `width`. */
static uint32_t advance(uint8_t *next, uint8_t *count, uint8_t width) {
    const uint32_t place = *next;
    *next = place + 1 == width ? 0 : (uint8_t)(place + 1);
    if (*count < width) (*count)++;
    return place;
}

static void remember_references(const tcp_facts *facts) {
    tcp_flow *flow = facts->flow;
    tcp_history *history = &flow->history;
    uint32_t place = advance(&history->next, &history->count, ROHC_WINDOW);
    history->msn[place] = facts->msn;
    history->seq[place] = facts->seq;
    history->ack[place] = facts->ack;
    history->window[place] = facts->window;
    history->id_offset[place] = facts->id_offset;
    const uint32_t scale = facts->tells >> LESSON_SCALE & 1, sack = facts->tells >> LESSON_SACK & 1;
    history->items[place] = (uint16_t)((facts->listed & ~(TOLD_SCALE | TOLD_SACK)) | scale * TOLD_SCALE | sack * TOLD_SACK);
    if ((facts->items >> ITEM_TIMESTAMPS & 1) != 0) {
        tcp_times *times = &flow->times;
        place = advance(&times->next, &times->count, ROHC_WINDOW);
        times->msn[place] = facts->msn;
        times->ts[place] = facts->values.ts;
        times->echo[place] = facts->values.echo;
    }
    tcp_marks *marks = &flow->marks;
    if ((int16_t)(facts->id_offset - marks->id_least[0]) < 0) marks->id_least[0] = facts->id_offset;
    if ((int16_t)(facts->id_offset - marks->id_most[0]) > 0) marks->id_most[0] = facts->id_offset;
    if (facts->msn % TCP_MARK_EACH == 0 || marks->count == 0) {
        for (uint32_t i = TCP_MARKS - 1; i > 0; i--) {
            marks->msn[i] = marks->msn[i - 1];
            marks->seq[i] = marks->seq[i - 1];
            marks->ack[i] = marks->ack[i - 1];
            marks->ts[i] = marks->ts[i - 1];
            marks->echo[i] = marks->echo[i - 1];
        }
        for (uint32_t i = TCP_MARKS; i > 0; i--) {
            marks->id_least[i] = marks->count == 0 ? facts->id_offset : marks->id_least[i - 1];
            marks->id_most[i] = marks->count == 0 ? facts->id_offset : marks->id_most[i - 1];
        }
        marks->id_least[0] = marks->id_most[0] = facts->id_offset;
        marks->msn[0] = facts->msn;
        marks->seq[0] = facts->seq;
        marks->ack[0] = facts->ack;
        marks->ts[0] = (facts->items >> ITEM_TIMESTAMPS & 1) != 0 ? facts->values.ts : flow->values.ts;
        marks->echo[0] = (facts->items >> ITEM_TIMESTAMPS & 1) != 0 ? facts->values.echo : flow->values.echo;
        if (marks->count < TCP_MARKS) marks->count++;
    }
    if (facts->payload != 0) {
        tcp_scales *scales = &flow->scales;
        // References in another scale are never used.
        if ((facts->new_lessons >> LESSON_SCALE & 1) != 0) scales->count = scales->next = 0;
        place = advance(&scales->next, &scales->count, tcp_depth(facts->width));
        scales->msn[place] = facts->msn;
        scales->scaled[place] = facts->scaled;
    }
}

static void tell(tcp_lesson *lesson, bool is_new, uint32_t told, uint16_t msn) {
    if (is_new) lesson->told = 0;
    if (told == 0 || lesson->told == TCP_TOLD) return;
    if (lesson->told == 0) lesson->msn = msn;
    if (lesson->told < 1 << TCP_MSN_BITS) lesson->told = (uint8_t)(lesson->told + told);
}

/** How much a packet tells of a lesson. The last of the IRs that begin a flow ends those that are told for longer. */
static uint32_t told(const tcp_facts *facts, uint32_t lesson) {
    if ((facts->tells >> lesson & 1) == 0) return 0;
    const uint8_t enough = tcp_enough(facts, lesson);
    return (facts->tells >> LESSON_STATIC & 1) != 0 && !facts->flow->foreign ? (enough + facts->width - 1u) / facts->width : 1;
}

static void remember_options(const tcp_facts *facts) {
    tcp_flow *flow = facts->flow;
    for (uint32_t i = 0; i < facts->list.count; i++) {
        const uint32_t index = facts->list.index[i];
        if (index < ITEM_GENERIC) continue;
        const uint8_t *option = facts->tcp + facts->option_at[i];
        uint8_t *told = &flow->content_told[index - ITEM_GENERIC];
        const bool is_new = (facts->new_contents >> index & 1) != 0;
        if (is_new) *told = 0;
        if (is_new || *told < facts->width) (*told)++;
        // There is room: tcp_look_at_options() has seen to it that the items of one packet fit.
        (void)tcp_pool_put(&flow->pool, index, option[0], false, option + 2, (uint8_t)(facts->option_bytes[i] - 2), facts->items);
    }
    if ((facts->items >> ITEM_TIMESTAMPS & 1) != 0) {
        flow->values.ts = facts->values.ts;
        flow->values.echo = facts->values.echo;
    }
    if ((facts->items >> ITEM_MSS & 1) != 0) flow->values.mss = facts->values.mss;
    if ((facts->items >> ITEM_SCALE & 1) != 0) flow->values.scale = facts->values.scale;
    if ((facts->items >> ITEM_EOL & 1) != 0) flow->values.padding = facts->values.padding;
    if ((facts->items >> ITEM_SACK & 1) != 0) {
        flow->values.blocks = facts->values.blocks;
        memcpy(flow->values.edge, facts->values.edge, sizeof flow->values.edge);
    }
    flow->values.known = (uint8_t)(flow->values.known | (facts->items & 0x7F));
    flow->list = facts->list;
}

void tcp_remember(const tcp_facts *facts) {
    tcp_flow *flow = facts->flow;
    for (uint32_t left = facts->new_lessons | facts->tells; left != 0; left &= left - 1) {
        const uint32_t i = (uint32_t)__builtin_ctz(left);
        tell(&flow->lesson[i], (facts->new_lessons >> i & 1) != 0, told(facts, i), facts->msn);
    }
    for (uint32_t left = facts->items; left != 0; left &= left - 1) {
        const uint32_t i = (uint32_t)__builtin_ctz(left);
        tell(&flow->item[i], (facts->new_items >> i & 1) != 0, facts->listed >> i & 1, facts->msn);
    }
    remember_references(facts);
    remember_options(facts);
    if (facts->payload != 0) {
        flow->payload = (uint16_t)facts->payload;
        flow->residue = facts->residue;
    }
    if ((facts->new_lessons >> LESSON_STATIC & 1) != 0) {
        flow->chain_bytes = (uint16_t)facts->packet->transport_offset;
        memcpy(flow->chain, facts->packet->bytes, flow->chain_bytes);
        flow->ports[0] = ox_load_be16(facts->tcp);
        flow->ports[1] = ox_load_be16(facts->tcp + 2);
    }
    flow->msn = facts->msn;
    if (flow->age < UINT8_MAX) flow->age++;
    const bool ir = (facts->tells >> LESSON_STATIC & 1) != 0;
    flow->since_ir = ir ? 0 : (uint16_t)(flow->since_ir + (flow->since_ir < UINT16_MAX));
    flow->seq = facts->seq;
    flow->ack = facts->ack;
    flow->window = facts->window;
    flow->urgent = facts->urgent;
    flow->stride = facts->stride;
    flow->flags = facts->flags;
    flow->reserved = facts->reserved;
    flow->ecn_used = facts->ecn_used;
    flow->dont_fragment = facts->dont_fragment;
    flow->id = facts->id[flow->ips - 1u];
    memcpy(flow->tos, facts->tos, sizeof flow->tos);
    memcpy(flow->ttl, facts->ttl, sizeof flow->ttl);
    memcpy(flow->behaviour, facts->behaviour, sizeof flow->behaviour);
}

/* ---- feedback --------------------------------------------------------------------------------------------------- */

/** Whether `a` is the MSN `b` or one before it. */
static bool reaches(uint16_t a, uint16_t b) { return (int16_t)(b - a) >= 0; }

/** The entry of the packet itself, which takes the place of all before it: they are no references any more. -1 without one. */
static int entry_of(const uint16_t *msns, uint32_t count, uint16_t msn) {
    for (uint32_t i = 0; i < count; i++)
        if (msns[i] == msn) return (int)i;
    return -1;
}

static void narrow(tcp_flow *flow, uint16_t msn) {
    tcp_history *history = &flow->history;
    const int reference = entry_of(history->msn, history->count, msn);
    for (uint32_t i = 0; reference >= 0 && i < history->count; i++) {
        if (!reaches(history->msn[i], history->msn[reference])) continue;
        history->seq[i] = history->seq[reference];
        history->ack[i] = history->ack[reference];
        history->window[i] = history->window[reference];
        history->id_offset[i] = history->id_offset[reference];
    }
    tcp_marks *marks = &flow->marks;
    for (uint32_t i = 0; reference >= 0 && i < marks->count; i++) {
        if (!reaches(marks->msn[i], msn)) continue;
        marks->seq[i] = history->seq[reference];
        marks->ack[i] = history->ack[reference];
        marks->id_least[i + 1] = marks->id_most[i + 1] = history->id_offset[reference];
    }
    tcp_times *times = &flow->times;
    const int time = entry_of(times->msn, times->count, msn);
    for (uint32_t i = 0; time >= 0 && i < times->count; i++) {
        if (!reaches(times->msn[i], times->msn[time])) continue;
        times->ts[i] = times->ts[time];
        times->echo[i] = times->echo[time];
    }
    for (uint32_t i = 0; time >= 0 && i < marks->count; i++) {
        if (!reaches(marks->msn[i], msn)) continue;
        marks->ts[i] = times->ts[time];
        marks->echo[i] = times->echo[time];
    }
    tcp_scales *scales = &flow->scales;
    const int scale = entry_of(scales->msn, scales->count, msn);
    for (uint32_t i = 0; scale >= 0 && i < scales->count; i++)
        if (reaches(scales->msn[i], scales->msn[scale])) scales->scaled[i] = scales->scaled[scale];
}

static void settle(tcp_lesson *lesson, uint16_t msn) {
    if (lesson->told != 0 && reaches(lesson->msn, msn)) lesson->told = TCP_TOLD;
}

void tcp_feedback(void *state, const rohc_feedback *feedback) {
    tcp_flow *flow = state;
    if (flow->ips == 0) return;
    if (feedback->ack == ROHC_STATIC_NACK || !feedback->sn_valid) {
        if (feedback->ack == ROHC_ACK) return;
        flow->lesson[LESSON_STATIC].told = 0;
        flow->no_replication = true;
        return;
    }
    if (feedback->ack == ROHC_NACK) {
        flow->lesson[LESSON_DYNAMIC].told = 0;
        return;
    }
    const uint16_t mask = feedback->sn_bits >= 16 ? 0xFFFF : (uint16_t)((1u << feedback->sn_bits) - 1);
    const uint16_t msn = (uint16_t)(flow->msn - ((flow->msn - feedback->sn) & mask));
    // A lesson is told by every packet until it is settled, so by this one; but for those that not every packet can tell.
    for (uint32_t i = 0; i < LESSONS; i++)
        if (i != LESSON_SCALE && i != LESSON_SACK) settle(&flow->lesson[i], msn);
    const int entry = entry_of(flow->history.msn, flow->history.count, msn);
    const uint32_t told = entry < 0 ? 0 : flow->history.items[entry];
    if ((told & TOLD_SCALE) != 0) settle(&flow->lesson[LESSON_SCALE], msn);
    if ((told & TOLD_SACK) != 0) settle(&flow->lesson[LESSON_SACK], msn);
    for (uint32_t i = 0; i < TCP_ITEMS; i++)
        if ((told >> i & 1) != 0 && i != ITEM_NOP && i != ITEM_SACK_PERMITTED) settle(&flow->item[i], msn);
    narrow(flow, msn);
}
