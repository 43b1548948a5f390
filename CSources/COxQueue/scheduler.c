#include "state.h"

#include <stdlib.h>

enum { PACKETS_MOST = 10240, BYTES_MOST = 32 << 20 };

ox_scheduler *ox_scheduler_create(const ox_scheduler_parameters *parameters) {
    OX_ASSERT(parameters->pool != NULL && parameters->drops != NULL);
    ox_scheduler *scheduler = calloc(1, sizeof *scheduler);
    if (scheduler == NULL) return NULL;
    scheduler->is = *parameters;
    scheduler->policy = (ox_queue_policy){.packets_most = PACKETS_MOST,
                                          .bytes_most = BYTES_MOST,
                                          .target_us = OX_CODEL_TARGET_US,
                                          .interval_us = OX_CODEL_INTERVAL_US,
                                          .fair = true,
                                          .ecn = true};
    ox_flows_init(scheduler);
    return scheduler;
}

void ox_scheduler_destroy(ox_scheduler *scheduler) {
    OX_ASSERT(scheduler == NULL || scheduler->bytes == 0);
    free(scheduler);
}

void ox_scheduler_set_policy(ox_scheduler *scheduler, const ox_queue_policy *policy) { scheduler->policy = *policy; }

void ox_scheduler_discard(ox_scheduler *scheduler, ox_buf *buf, ox_verdict why, uint32_t packets) {
    ox_count(&scheduler->is.drops[why], packets);
    ox_pool_put(scheduler->is.pool, buf);
}

/* ---- limits -------------------------------------------------------------------------------------------------- */

/* So many buffers of a class may wait: half of those that the pool has. The others are for reading into. */
static bool holds_too_many(const ox_scheduler *scheduler, ox_buf_class class_, uint32_t more) {
    const uint32_t buffers = ox_pool_buffers(scheduler->is.pool, class_);
    return buffers != 0 && scheduler->held[class_] + more > buffers / 2;
}

bool ox_scheduler_has_room(const ox_scheduler *scheduler, const ox_buf *buf, uint32_t packets) {
    return scheduler->packets + packets <= scheduler->policy.packets_most &&
           scheduler->bytes + buf->len <= scheduler->policy.bytes_most && !holds_too_many(scheduler, size_of(buf), 1);
}

static uint32_t index_of_most(const uint32_t *numbers, uint32_t count) {
    uint32_t most = 0, index = 0;
    for (uint32_t i = 0; i < count; i++) most = numbers[i] > most ? numbers[i] : most;
    while (numbers[index] != most) index++;
    return index;
}

/* Flows that lost some leave their block's bound too high: it is brought down when it is the highest. */
static flow *fattest(ox_scheduler *scheduler, uint32_t measure) {
    ranking *r = &scheduler->rankings[measure];
    flow *found = NULL;
    while (found == NULL) {
        const uint32_t block = index_of_most(r->block_most, FLOW_BLOCKS), first = block * FLOW_BLOCK;
        const uint32_t index = first + index_of_most(r->of + first, FLOW_BLOCK);
        if (r->of[index] == r->block_most[block]) found = &scheduler->flows[index];
        r->block_most[block] = r->of[index];
    }
    for (flow *f = scheduler->shared; f != NULL; f = f->after)
        if (measure_of(f, measure) > measure_of(found, measure)) found = f;
    OX_ASSERT(found->queue != NULL && found->head != NULL);
    return found;
}

static void drop_behind(ox_scheduler *scheduler, flow *f, ox_buf *before) {
    ox_queue *queue = f->queue;
    ox_buf *buf = before != NULL ? before->next : f->head;
    ox_headers headers;
    const uint32_t packets = ox_queue_packets(buf, &headers);
    ox_count(&queue->reports[buf->class_].dropped_full, packets);
    ox_flow_take_behind(scheduler, queue, f, before, packets);
    ox_scheduler_discard(scheduler, buf, OX_DROP_QUEUE_FULL, packets);
}

//= RFC 8290 section 4.1.3
//# the queue with the most bytes loses packets from its head, half of its bytes or 64 packets at once
static void drop_fattest(ox_scheduler *scheduler) {
    flow *f = fattest(scheduler, BY_BYTES);
    const uint32_t all = f->bytes;
    for (uint32_t i = 0; i < DROP_BATCH && f->head != NULL && (i == 0 || all - f->bytes < all / 2); i++)
        drop_behind(scheduler, f, NULL);
}

/* The first buffer of that class which the flow holds that has the most of them: nothing else would relieve. */
static void drop_holder(ox_scheduler *scheduler, ox_buf_class class_) {
    flow *f = fattest(scheduler, class_);
    ox_buf *before = NULL;
    for (ox_buf *buf = f->head; size_of(buf) != class_; buf = buf->next) before = buf;
    drop_behind(scheduler, f, before);
}

void ox_scheduler_make_room(ox_scheduler *scheduler) {
    for (uint32_t i = 0; i < OX_BUF_CLASSES; i++)
        while (holds_too_many(scheduler, (ox_buf_class)i, 0)) drop_holder(scheduler, (ox_buf_class)i);
    while (scheduler->packets > scheduler->policy.packets_most || scheduler->bytes > scheduler->policy.bytes_most)
        drop_fattest(scheduler);
}
