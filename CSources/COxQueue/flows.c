#include "state.h"

static uint32_t bucket_of(const ox_scheduler *scheduler, uint64_t owner, uint32_t hash) {
    const uint64_t mixed = (owner ^ scheduler->is.seed ^ hash) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(mixed >> 32) & (FLOW_BUCKETS - 1);
}
OX_STATIC_ASSERT((FLOW_BUCKETS & (FLOW_BUCKETS - 1)) == 0, "a bucket is some bits of the hash");

/* ---- the idle ones ------------------------------------------------------------------------------------------- */

static void append_idle(ox_scheduler *scheduler, flow *f) {
    f->after = NULL;
    f->before = scheduler->idle.last;
    if (f->before != NULL) f->before->after = f;
    else scheduler->idle.first = f;
    scheduler->idle.last = f;
}

static void remove_idle(ox_scheduler *scheduler, flow *f) {
    if (f->before != NULL) f->before->after = f->after;
    else scheduler->idle.first = f->after;
    if (f->after != NULL) f->after->before = f->before;
    else scheduler->idle.last = f->before;
}

void ox_flows_init(ox_scheduler *scheduler) {
    memset(scheduler->buckets, 0xFF, sizeof scheduler->buckets);
    for (uint16_t i = 0; i < OX_QUEUE_FLOWS; i++) {
        scheduler->flows[i].index = i;
        scheduler->flows[i].chain = NO_FLOW;
        append_idle(scheduler, &scheduler->flows[i]);
    }
}

void ox_flows_rest(ox_scheduler *scheduler, flow *f) {
    f->queue = NULL;
    if (!is_shared(f)) append_idle(scheduler, f);
}

/* ---- whose is it --------------------------------------------------------------------------------------------- */

static flow *look_up(ox_scheduler *scheduler, uint64_t owner, uint32_t hash) {
    uint16_t index = scheduler->buckets[bucket_of(scheduler, owner, hash)];
    while (index != NO_FLOW) {
        flow *f = &scheduler->flows[index];
        if (f->hash == hash && f->owner == owner) return f;
        index = f->chain;
    }
    return NULL;
}

/* Takes a flow out of the bucket of the one that had it. */
static void forget(ox_scheduler *scheduler, const flow *f) {
    if (f->owner == 0) return;
    uint16_t *at = &scheduler->buckets[bucket_of(scheduler, f->owner, f->hash)];
    while (*at != f->index) at = &scheduler->flows[*at].chain;
    *at = f->chain;
}

/* The flow that has been idle longest, as a new one. NULL when all are in use. */
static flow *begin(ox_scheduler *scheduler, uint64_t owner, uint32_t hash) {
    flow *f = scheduler->idle.first;
    if (f == NULL) return NULL;
    forget(scheduler, f);
    f->owner = owner;
    f->hash = hash;
    f->codel = (codel){0};
    uint16_t *bucket = &scheduler->buckets[bucket_of(scheduler, owner, hash)];
    f->chain = *bucket;
    *bucket = f->index;
    return f;
}

/* ---- the class that it is in already ------------------------------------------------------------------------ */

static uint64_t owner_of(const ox_queue *queue, ox_class class_) { return queue->number * 8 + class_; }

/*
 * In a shared flow each packet has its hash in its headroom, and the bucket is counted: so it costs a walk only for who may be there.
 */
static uint32_t *shared_count(ox_scheduler *scheduler, const ox_queue *queue, ox_class class_, uint32_t hash) {
    return &scheduler->in_shared[bucket_of(scheduler, owner_of(queue, class_), hash)];
}

static uint32_t noted_hash(const ox_buf *buf) { return ox_load_be32(buf->storage); }

void ox_shared_note(ox_scheduler *scheduler, const ox_queue *queue, ox_buf *buf, uint32_t hash) {
    OX_ASSERT(ox_buf_headroom(buf) >= sizeof hash);
    ox_store_be32(buf->storage, hash);
    ++*shared_count(scheduler, queue, (ox_class)buf->class_, hash);
}

static bool waits_in_shared(ox_scheduler *scheduler, const ox_queue *queue, ox_class class_, uint32_t hash) {
    if (*shared_count(scheduler, queue, class_, hash) == 0) return false;
    for (const ox_buf *buf = queue->classes[class_].shared.head; buf != NULL; buf = buf->next)
        if (noted_hash(buf) == hash) return true;
    return false;
}

ox_class ox_flows_class(ox_scheduler *scheduler, const ox_queue *queue, ox_class class_, uint32_t hash) {
    for (uint32_t left = queue->waiting & ~(1u << class_); left != 0; left &= left - 1) {
        const ox_class other = (ox_class)__builtin_ctz(left);
        const flow *f = look_up(scheduler, owner_of(queue, other), hash);
        if (f != NULL ? f->head != NULL : waits_in_shared(scheduler, queue, other, hash)) return other;
    }
    return class_;
}

/* ---- the flow ------------------------------------------------------------------------------------------------- */

flow *ox_flows_find(ox_scheduler *scheduler, ox_queue *queue, ox_class class_, uint32_t hash) {
    class_flows *flows = &queue->classes[class_];
    const uint64_t owner = owner_of(queue, class_);
    flow *f = look_up(scheduler, owner, hash);
    /* Who went into the shared flow stays there until it is empty: else the later packet would overtake the earlier. */
    if (f == NULL && flows->shared.packets == 0) f = begin(scheduler, owner, hash);
    return f != NULL ? f : &flows->shared;
}

void ox_flows_wake(ox_scheduler *scheduler, ox_queue *queue, ox_class class_, flow *f) {
    if (f->queue != NULL) return;
    if (!is_shared(f)) remove_idle(scheduler, f);
    f->queue = queue;
    f->deficit = OX_QUEUE_QUANTUM;
    ox_flow_list_append(&queue->classes[class_].fresh, f);
}

void ox_flow_list_append(flow_list *list, flow *f) {
    f->next = NULL;
    if (list->tail != NULL) list->tail->next = f;
    else list->head = f;
    list->tail = f;
}

flow *ox_flow_list_take(flow_list *list) {
    flow *f = list->head;
    if (f == NULL) return NULL;
    list->head = f->next;
    if (list->head == NULL) list->tail = NULL;
    return f;
}

/* ---- packets ------------------------------------------------------------------------------------------------- */

static void link_shared(ox_scheduler *scheduler, flow *f) {
    f->before = NULL;
    f->after = scheduler->shared;
    if (f->after != NULL) f->after->before = f;
    scheduler->shared = f;
}

static void unlink_shared(ox_scheduler *scheduler, flow *f) {
    if (f->before != NULL) f->before->after = f->after;
    else scheduler->shared = f->after;
    if (f->after != NULL) f->after->before = f->before;
}

static void rank(ox_scheduler *scheduler, const flow *f, uint32_t measure) {
    if (is_shared(f)) return;
    const uint32_t value = measure_of(f, measure);
    ranking *r = &scheduler->rankings[measure];
    r->of[f->index] = value;
    uint32_t *most = &r->block_most[f->index / FLOW_BLOCK];
    if (value > *most) *most = value;
}

void ox_flow_put(ox_scheduler *scheduler, ox_queue *queue, flow *f, ox_buf *buf, uint32_t packets) {
    if (f->head == NULL && is_shared(f)) link_shared(scheduler, f);
    buf->next = NULL;
    if (f->head == NULL) f->head = f->tail = buf;
    else f->tail = f->tail->next = buf;
    f->packets += packets;
    f->bytes += buf->len;
    f->held[size_of(buf)]++;
    rank(scheduler, f, BY_BYTES);
    rank(scheduler, f, size_of(buf));

    ox_queue_class_report *report = &queue->reports[buf->class_];
    ox_publish(&report->packets, report->packets + packets);
    ox_publish(&report->bytes, report->bytes + buf->len);
    queue->bytes += buf->len;
    queue->waiting |= 1u << buf->class_;
    scheduler->packets += packets;
    scheduler->bytes += buf->len;
    scheduler->held[size_of(buf)]++;
}

static void rest_class(ox_scheduler *scheduler, ox_queue *queue, ox_class class_) {
    class_flows *flows = &queue->classes[class_];
    for (flow *f; (f = ox_flow_list_take(&flows->fresh)) != NULL;) ox_flows_rest(scheduler, f);
    for (flow *f; (f = ox_flow_list_take(&flows->old)) != NULL;) ox_flows_rest(scheduler, f);
    if (queue->owed[class_] > 0) queue->owed[class_] = 0;
}

ox_buf *ox_flow_take(ox_scheduler *scheduler, ox_queue *queue, flow *f, uint32_t packets) {
    return ox_flow_take_behind(scheduler, queue, f, NULL, packets);
}

ox_buf *ox_flow_take_behind(ox_scheduler *scheduler, ox_queue *queue, flow *f, ox_buf *before, uint32_t packets) {
    ox_buf **link = before != NULL ? &before->next : &f->head, *buf = *link;
    *link = buf->next;
    if (buf->next == NULL) f->tail = before;
    buf->next = NULL;
    f->packets -= packets;
    f->bytes -= buf->len;
    f->held[size_of(buf)]--;
    rank(scheduler, f, BY_BYTES);
    rank(scheduler, f, size_of(buf));
    if (is_shared(f) && !queue->fifo) --*shared_count(scheduler, queue, (ox_class)buf->class_, noted_hash(buf));
    if (f->head == NULL) {
        f->codel.first_above_ns = 0;
        f->codel.dropping = false;
        if (is_shared(f)) unlink_shared(scheduler, f);
        if (queue->fifo) f->queue = NULL;
    }
    ox_queue_class_report *report = &queue->reports[buf->class_];
    ox_publish(&report->packets, report->packets - packets);
    ox_publish(&report->bytes, report->bytes - buf->len);
    queue->bytes -= buf->len;
    scheduler->packets -= packets;
    scheduler->bytes -= buf->len;
    scheduler->held[size_of(buf)]--;
    if (report->packets == 0) {
        queue->waiting &= ~(1u << buf->class_);
        if (!queue->fifo) rest_class(scheduler, queue, (ox_class)buf->class_);
    }
    return buf;
}

void ox_flow_shorten(ox_scheduler *scheduler, ox_queue *queue, flow *f, uint32_t bytes) {
    ox_queue_class_report *report = &queue->reports[f->head->class_];
    f->packets--;
    f->bytes -= bytes;
    rank(scheduler, f, BY_BYTES);
    ox_publish(&report->packets, report->packets - 1);
    ox_publish(&report->bytes, report->bytes - bytes);
    queue->bytes -= bytes;
    scheduler->packets--;
    scheduler->bytes -= bytes;
}
