#include "state.h"

#include <stdlib.h>

enum {
    OWED_DATAGRAM = OX_QUEUE_QUANTUM * OX_QUEUE_GUARD_SHARE, /* in the unit of `owed` */
    OWED_MOST = 2 * OWED_DATAGRAM,
    NS_PER_US = 1000,
    SOJOURN_WEIGHT = 16,
    FIFO_CLASS = OX_CLASS_GENERAL,
};
static const uint64_t NS_PER_SECOND = 1000000000;

OX_STATIC_ASSERT(sizeof(ox_queue_class_report) % sizeof(uint64_t) == 0, "ox_snapshot() copies it");
OX_STATIC_ASSERT((int)OX_CLASSES <= 8, "a class is 3 bits of a flow's owner");

ox_queue *ox_queue_create(void) {
    ox_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL) return NULL;
    for (uint32_t i = 0; i < OX_CLASSES; i++) queue->classes[i].shared.index = NO_FLOW;
    return queue;
}

void ox_queue_destroy(ox_queue *queue) {
    OX_ASSERT(queue == NULL || queue->bytes == 0);
    free(queue);
}

void ox_queue_status(const ox_queue *queue, ox_queue_class_report reports[OX_CLASSES]) {
    ox_snapshot(reports, queue->reports, sizeof queue->reports);
}

uint64_t ox_queue_bytes(const ox_queue *queue) { return queue->bytes; }

uint32_t ox_queue_waiting(const ox_queue *queue, uint32_t classes) {
    if (queue->fifo) return classes & 1u << FIFO_CLASS ? queue->classes[FIFO_CLASS].shared.packets : 0;
    uint32_t packets = 0;
    for (uint32_t left = queue->waiting & classes; left != 0; left &= left - 1)
        packets += (uint32_t)queue->reports[__builtin_ctz(left)].packets;
    return packets;
}

uint32_t ox_queue_packets(const ox_buf *buf, ox_headers *headers) {
    if (buf->segment == 0) return 1;
    if (ox_parse(buf->data, buf->len, headers) != OX_PASS || !headers->has_transport) return 1;
    if (headers->protocol != OX_PROTO_TCP && headers->protocol != OX_PROTO_UDP) return 1;
    return ox_segments(buf, headers);
}

/* ---- in ------------------------------------------------------------------------------------------------------ */

static void push_fifo(ox_scheduler *scheduler, ox_queue *queue, ox_buf *buf, uint32_t packets) {
    if (!ox_scheduler_has_room(scheduler, buf, packets)) {
        ox_count(&queue->reports[buf->class_].dropped_full, packets);
        ox_scheduler_discard(scheduler, buf, OX_DROP_QUEUE_FULL, packets);
        return;
    }
    flow *f = &queue->classes[FIFO_CLASS].shared;
    f->queue = queue;
    ox_flow_put(scheduler, queue, f, buf, packets);
}

void ox_queue_push(ox_scheduler *scheduler, ox_queue *queue, ox_buf *buf, ox_class class_, uint32_t hash, uint64_t now_ns) {
    OX_ASSERT((uint32_t)class_ < OX_CLASSES && buf->len != 0);
    ox_headers headers;
    buf->class_ = (uint8_t)class_;
    buf->queued_ns = now_ns;
    const uint32_t packets = ox_queue_packets(buf, &headers);
    if (queue->number == 0) queue->number = ++scheduler->last_number;
    /* Between the two ways packets of a flow would overtake each other. */
    if (queue->bytes == 0) queue->fifo = !scheduler->policy.fair;
    if (queue->fifo) {
        push_fifo(scheduler, queue, buf, packets);
        return;
    }
    class_ = ox_flows_class(scheduler, queue, class_, hash);
    buf->class_ = (uint8_t)class_;
    flow *f = ox_flows_find(scheduler, queue, class_, hash);
    ox_flows_wake(scheduler, queue, class_, f);
    if (is_shared(f)) ox_shared_note(scheduler, queue, buf, hash);
    ox_flow_put(scheduler, queue, f, buf, packets);
    ox_scheduler_make_room(scheduler);
}

/* ---- out ----------------------------------------------------------------------------------------------------- */

static ox_class next_class(const ox_queue *queue, uint32_t candidates) {
    const ox_class top = (ox_class)__builtin_ctz(candidates);
    for (uint32_t left = candidates & (candidates - 1); left != 0; left &= left - 1) {
        const ox_class below = (ox_class)__builtin_ctz(left);
        if (queue->owed[below] >= OWED_DATAGRAM) return below;
    }
    return top;
}

/* The packet of the flow whose turn it is: RFC 8290 section 4.2. NULL when CoDel dropped all that the class had. */
static ox_buf *pop_class(ox_scheduler *scheduler, ox_queue *queue, ox_class class_, const codel_law *law, uint32_t *packets) {
    class_flows *flows = &queue->classes[class_];
    for (;;) {
        flow_list *list = flows->fresh.head != NULL ? &flows->fresh : &flows->old;
        flow *f = list->head;
        if (f == NULL) return NULL;
        const bool fresh = list == &flows->fresh;
        if (f->head == NULL) {
            ox_flow_list_take(list);
            /* It goes once round the old ones: else it would come first again with each packet. */
            if (fresh && flows->old.head != NULL) ox_flow_list_append(&flows->old, f);
            else ox_flows_rest(scheduler, f);
            continue;
        }
        const bool alone = f->next == NULL && (!fresh || flows->old.head == NULL);
        if (f->deficit <= 0 && alone) f->deficit = OX_QUEUE_QUANTUM;
        if (f->deficit <= 0) {
            f->deficit += OX_QUEUE_QUANTUM;
            ox_flow_list_append(&flows->old, ox_flow_list_take(list));
            continue;
        }
        ox_buf *buf = ox_codel_take(scheduler, queue, f, law, packets);
        if (buf == NULL) continue;
        f->deficit -= (int32_t)buf->len;
        return buf;
    }
}

static void note_sojourn(ox_queue *queue, const ox_buf *buf, uint64_t now_ns) {
    ox_queue_class_report *report = &queue->reports[buf->class_];
    class_flows *flows = &queue->classes[buf->class_];
    const uint64_t sojourn = now_ns > buf->queued_ns ? now_ns - buf->queued_ns : 0;
    const int64_t off = (int64_t)(sojourn - report->sojourn_ns);
    ox_publish(&report->sojourn_ns, report->sojourn_ns + (uint64_t)(off / SOJOURN_WEIGHT));

    const uint64_t second = now_ns / NS_PER_SECOND;
    if (second != flows->peak_second) {
        flows->peak_ns[1] = second == flows->peak_second + 1 ? flows->peak_ns[0] : 0;
        flows->peak_ns[0] = 0;
        flows->peak_second = second;
    }
    if (sojourn > flows->peak_ns[0]) flows->peak_ns[0] = sojourn;
    ox_publish(&report->sojourn_peak_ns, flows->peak_ns[0] > flows->peak_ns[1] ? flows->peak_ns[0] : flows->peak_ns[1]);
}

/*
 * A class has sent: those below that wait are owed their share of it. What it is owed itself is paid by that; only out of turn
 * does it get into debt.
 */
static void owe(ox_queue *queue, ox_class class_, uint32_t bytes, bool in_turn) {
    const int32_t n = (int32_t)bytes;
    const int32_t most = n > OWED_MOST ? n : OWED_MOST;
    const int32_t left = queue->owed[class_] - n * OX_QUEUE_GUARD_SHARE;
    if (!in_turn || left >= 0) queue->owed[class_] = left;
    else if (queue->owed[class_] > 0) queue->owed[class_] = 0;
    for (uint32_t i = class_ + 1u; i < OX_CLASSES; i++) {
        const int32_t cap = queue->waiting >> i & 1 ? most : 0;
        const int32_t owed = queue->owed[i] + n;
        queue->owed[i] = owed < cap ? owed : cap;
    }
}

static void note_sent(ox_queue *queue, const ox_buf *buf, uint32_t packets, uint64_t now_ns) {
    ox_queue_class_report *report = &queue->reports[buf->class_];
    ox_count(&report->sent, packets);
    ox_count(&report->sent_bytes, buf->len);
    note_sojourn(queue, buf, now_ns);
}

static ox_buf *pop_fifo(ox_scheduler *scheduler, ox_queue *queue, uint32_t classes, uint64_t now_ns) {
    flow *f = &queue->classes[FIFO_CLASS].shared;
    if (f->head == NULL || (classes & 1u << FIFO_CLASS) == 0) return NULL;
    ox_headers headers;
    const uint32_t packets = ox_queue_packets(f->head, &headers);
    ox_buf *buf = ox_flow_take(scheduler, queue, f, packets);
    note_sent(queue, buf, packets, now_ns);
    return buf;
}

static codel_law law_of(const ox_queue_policy *policy, uint64_t floor_ns, uint64_t now_ns) {
    codel_law law = {.target_ns = (uint64_t)policy->target_us * NS_PER_US,
                     .interval_ns = (uint64_t)policy->interval_us * NS_PER_US,
                     .now_ns = now_ns};
    /* A path so slow that a datagram takes longer than the target: the interval is as much longer. */
    if (floor_ns > law.target_ns) {
        law.interval_ns += floor_ns - law.target_ns;
        law.target_ns = floor_ns;
    }
    if (law.interval_ns > UINT32_MAX) law.interval_ns = UINT32_MAX; /* its square is 64 bits */
    return law;
}

ox_buf *ox_queue_pop(ox_scheduler *scheduler, ox_queue *queue, uint32_t classes, uint64_t floor_ns, uint64_t now_ns) {
    if (queue->fifo) return pop_fifo(scheduler, queue, classes, now_ns);
    const codel_law law = law_of(&scheduler->policy, floor_ns, now_ns);
    while ((queue->waiting & classes) != 0) {
        const uint32_t candidates = queue->waiting & classes;
        const ox_class class_ = next_class(queue, candidates);
        uint32_t packets = 0;
        ox_buf *buf = pop_class(scheduler, queue, class_, &law, &packets);
        if (buf == NULL) continue;
        owe(queue, class_, buf->len, class_ == (ox_class)__builtin_ctz(candidates));
        note_sent(queue, buf, packets, now_ns);
        return buf;
    }
    return NULL;
}

/* ---- away ---------------------------------------------------------------------------------------------------- */

static uint64_t clear_flow(ox_scheduler *scheduler, ox_queue *queue, flow *f, ox_verdict why) {
    uint64_t count = 0;
    while (f->head != NULL) {
        ox_headers headers;
        const uint32_t packets = ox_queue_packets(f->head, &headers);
        ox_scheduler_discard(scheduler, ox_flow_take(scheduler, queue, f, packets), why, packets);
        count += packets;
    }
    return count;
}

uint64_t ox_queue_clear(ox_scheduler *scheduler, ox_queue *queue, ox_verdict why) {
    uint64_t count = 0;
    if (queue->fifo) count = clear_flow(scheduler, queue, &queue->classes[FIFO_CLASS].shared, why);
    while (queue->waiting != 0) {
        class_flows *flows = &queue->classes[__builtin_ctz(queue->waiting)];
        flow_list *list = flows->fresh.head != NULL ? &flows->fresh : &flows->old;
        flow *f = list->head;
        if (f->head != NULL) {
            count += clear_flow(scheduler, queue, f, why);
            continue;
        }
        ox_flows_rest(scheduler, ox_flow_list_take(list));
    }
    return count;
}
