/** @file  CoDel (RFC 8289) for one flow of FQ-CoDel. */
#include "state.h"

enum { REMEMBERED_INTERVALS = 16 };

/* The largest integer whose square is not above n. */
static uint64_t square_root(uint64_t n) {
    if (n == 0) return 0;
    uint64_t x = (uint64_t)1 << ((64 - (uint32_t)__builtin_clzll(n) + 1) / 2); /* not below the root */
    for (;;) {
        const uint64_t next = (x + n / x) / 2;
        if (next >= x) return x;
        x = next;
    }
}

//= RFC 8289 section 5.4
//# the next drop comes an interval divided by the square root of the drops so far after this one
static uint64_t until_next(const codel_law *law, uint32_t count) {
    return square_root(law->interval_ns * law->interval_ns / count);
}

/* Whether the sojourn time has been above the target for an interval. */
static bool is_standing(flow *f, const codel_law *law) {
    const ox_buf *buf = f->head;
    const uint64_t sojourn = law->now_ns > buf->queued_ns ? law->now_ns - buf->queued_ns : 0;
    /* What waits behind the first packet; of a super-packet the rest of it does. */
    const uint32_t first = buf->segment != 0 && buf->len > OX_INNER_MTU ? OX_INNER_MTU : buf->len;
    if (sojourn < law->target_ns || f->bytes - first <= OX_QUEUE_QUANTUM) {
        f->codel.first_above_ns = 0;
        return false;
    }
    if (f->codel.first_above_ns == 0) {
        f->codel.first_above_ns = law->now_ns + law->interval_ns;
        return false;
    }
    return law->now_ns >= f->codel.first_above_ns;
}

/* RFC 8289 section 5.5: whether the first packet is to be dropped or marked. */
static bool strikes(codel *state, bool standing, const codel_law *law) {
    if (!standing) {
        state->dropping = false;
        return false;
    }
    if (state->dropping) {
        if (law->now_ns < state->drop_next_ns) return false;
        if (state->count < UINT32_MAX) state->count++;
        state->drop_next_ns += until_next(law, state->count);
        return true;
    }
    /* Soon after the last time it goes on where that one had ended. */
    const uint32_t more = state->count - state->last_count;
    const int64_t since = (int64_t)(law->now_ns - state->drop_next_ns);
    state->dropping = true;
    state->count = more > 1 && since < (int64_t)(REMEMBERED_INTERVALS * law->interval_ns) ? more : 1;
    state->last_count = state->count;
    state->drop_next_ns = law->now_ns + until_next(law, state->count);
    return true;
}

static bool mark(ox_buf *buf) {
    //= RFC 3168 section 5
    //# only packets of an ECN-capable transport are marked
    if (ox_ecn_get(buf->data) == OX_ECN_NOT_ECT) return false;
    ox_ecn_set(buf->data, OX_ECN_CE);
    return true;
}

/* Cuts the first segment off the front of a super-packet: its headers move up to what is left. */
static void cut_first(ox_scheduler *scheduler, ox_queue *queue, flow *f, const ox_headers *headers) {
    ox_buf *buf = f->head;
    const uint32_t header_bytes = ox_headers_bytes(headers), cut = buf->segment;
    const uint32_t payload = buf->len - header_bytes, rest = payload - cut;
    memmove(buf->data + cut, buf->data, header_bytes);
    buf->data += cut;
    buf->len -= cut;
    ox_piece_headers(buf->data, headers, 1, cut, rest, payload);
    buf->checksum = OX_CHECKSUM_PARTIAL;
    if (rest <= cut) {
        ox_headers left = *headers;
        left.total_bytes = buf->len;
        ox_checksum_complete(buf->data, &left);
        buf->checksum = OX_CHECKSUM_VALID;
        buf->segment = 0;
    }
    ox_flow_shorten(scheduler, queue, f, cut);
}

static void drop_first(ox_scheduler *scheduler, ox_queue *queue, flow *f, uint32_t packets, const ox_headers *headers) {
    ox_queue_class_report *report = &queue->reports[f->head->class_];
    ox_count(&report->dropped_delay, 1);
    if (packets == 1) {
        ox_scheduler_discard(scheduler, ox_flow_take(scheduler, queue, f, 1), OX_DROP_QUEUE_DELAY, 1);
        return;
    }
    ox_count(&scheduler->is.drops[OX_DROP_QUEUE_DELAY], 1);
    cut_first(scheduler, queue, f, headers);
}

ox_buf *ox_codel_take(ox_scheduler *scheduler, ox_queue *queue, flow *f, const codel_law *law, uint32_t *packets) {
    while (f->head != NULL) {
        ox_headers headers;
        *packets = ox_queue_packets(f->head, &headers);
        ox_queue_class_report *report = &queue->reports[f->head->class_];
        const bool struck = strikes(&f->codel, is_standing(f, law), law);
        const bool marked = struck && scheduler->policy.ecn && mark(f->head);
        if (marked) ox_count(&report->marked, *packets);
        if (!struck || marked) return ox_flow_take(scheduler, queue, f, *packets);
        drop_first(scheduler, queue, f, *packets, &headers);
    }
    return NULL;
}
