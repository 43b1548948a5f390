/*
 * Queues with a model beside them: each packet, and each segment of a super-packet, carries in its payload whose it is and its
 * number in that flow. So it is seen whether it leaves in order, once, and with its counters right. A flow may change its class:
 * while none of it can be waiting, its packets are of the class that they were pushed as.
 */
#ifndef TESTS_COXQUEUE_QUEUED_H
#define TESTS_COXQUEUE_QUEUED_H

#include "Tests/C/COxPacket/supers.h"
#include "oxcore/queue.h"

enum { QUEUES = 3, FLOWS = 4096, TAG_BYTES = 8, MAY_JOIN = 0x80, EVERY_CLASS = (1 << OX_CLASSES) - 1 };
static const uint64_t MS = 1000000;
static const uint64_t FOREVER_NS = 1000000 * (uint64_t)1000000000; /* a target that is never reached */

typedef struct queued {
    ox_pool *pool;
    uint32_t small, large;
    ox_scheduler *scheduler;
    ox_queue *queues[QUEUES];
    ox_queue_policy policy;
    uint64_t drops[OX_VERDICT_COUNT];
    uint64_t now_ns;
    /* The model. */
    uint32_t pushed[QUEUES][FLOWS]; /* packets of each flow, ever */
    uint32_t left[QUEUES][FLOWS];   /* one more than the number of the last that left */
    uint64_t in[QUEUES], out[QUEUES][OX_CLASSES], out_bytes[QUEUES][OX_CLASSES], cleared[QUEUES];
} queued;

/* `pool` has so many buffers of each class; it stays the caller's. */
static inline void open_queues(queued *w, ox_pool *pool, uint32_t small, uint32_t large) {
    memset(w, 0, sizeof *w);
    w->pool = pool;
    w->small = small;
    w->large = large;
    const ox_scheduler_parameters parameters = {.pool = w->pool, .drops = w->drops, .seed = 5};
    w->scheduler = ox_scheduler_create(&parameters);
    CHECK(w->scheduler != NULL);
    for (int i = 0; i < QUEUES; i++) CHECK((w->queues[i] = ox_queue_create()) != NULL);
    w->policy = (ox_queue_policy){.packets_most = 10000, .bytes_most = 10000000, .target_us = OX_CODEL_TARGET_US,
                                  .interval_us = OX_CODEL_INTERVAL_US, .fair = true, .ecn = true};
    ox_scheduler_set_policy(w->scheduler, &w->policy);
    w->now_ns = 1000 * MS;
}

static inline uint32_t hash_for(uint32_t flow) { return flow * 2654435761u; }

static inline void tag(uint8_t *at, uint32_t queue, uint8_t class_, uint32_t flow, uint32_t number) {
    at[0] = (uint8_t)queue;
    at[1] = class_;
    ox_store_be16(at + 2, (uint16_t)flow);
    ox_store_be32(at + 4, number);
}

/* A packet with so many bytes of payload for each of `segments`. False when the pool has no buffer for it. */
static inline bool push(queued *w, uint32_t queue, ox_class class_, uint32_t flow, uint32_t payload, uint32_t segments,
                        uint8_t ecn) {
    spec s = flow & 1 ? tcp_spec(flow & 2 ? 6 : 4) : udp_spec(flow & 2 ? 6 : 4);
    s.tos = ecn;
    s.payload = payload * segments;
    s.flags |= CWR;
    const uint32_t len = spec_header_bytes(&s) + s.payload;
    ox_buf *buf = buf_of(w->pool, len > OX_BUF_CONTENT_MAX ? OX_BUF_LARGE : OX_BUF_SMALL, &s,
                         segments > 1 ? OX_CHECKSUM_PARTIAL : OX_CHECKSUM_VALID);
    if (buf == NULL) return false;
    buf->segment = segments > 1 ? (uint16_t)payload : 0;
    buf->transport = s.version == 4 ? 20 : 40;
    buf->protocol = s.protocol;
    const bool waits = w->left[queue][flow] != w->pushed[queue][flow];
    for (uint32_t i = 0; i < segments; i++)
        tag(buf->data + spec_header_bytes(&s) + i * payload, queue, (uint8_t)(class_ | (waits ? MAY_JOIN : 0)), flow,
            w->pushed[queue][flow]++);
    w->in[queue] += segments;
    ox_queue_push(w->scheduler, w->queues[queue], buf, class_, hash_for(flow), w->now_ns);
    return true;
}

/* Each segment is of one flow, and later than what left of it before. */
static inline uint32_t check_left(queued *w, uint32_t queue, const ox_buf *buf) {
    const ox_headers headers = parsed(buf->data, buf->len);
    const uint32_t segments = ox_segments(buf, &headers);
    const uint32_t segment = buf->segment != 0 ? buf->segment : buf->len - ox_headers_bytes(&headers);
    for (uint32_t i = 0; i < segments; i++) {
        const uint8_t *at = buf->data + ox_headers_bytes(&headers) + i * segment;
        const uint32_t flow = ox_load_be16(at + 2), number = ox_load_be32(at + 4);
        CHECK(at[0] == queue && flow < FLOWS && ((at[1] & MAY_JOIN) != 0 || at[1] == buf->class_));
        CHECK(number >= w->left[queue][flow] && number < w->pushed[queue][flow]);
        w->left[queue][flow] = number + 1;
    }
    return segments;
}

/* What goes next, checked and given back. Returns its length, or 0 for none. */
static inline uint32_t pop(queued *w, uint32_t queue, uint32_t classes, uint64_t floor_ns, ox_class *class_) {
    ox_buf *buf = ox_queue_pop(w->scheduler, w->queues[queue], classes, floor_ns, w->now_ns);
    if (buf == NULL) return 0;
    CHECK(buf->queued_ns <= w->now_ns && buf->next == NULL);
    w->out[queue][buf->class_] += check_left(w, queue, buf);
    w->out_bytes[queue][buf->class_] += buf->len;
    if (class_ != NULL) *class_ = (ox_class)buf->class_;
    const uint32_t len = buf->len;
    ox_pool_put(w->pool, buf);
    return len;
}

/* Every packet is waiting, out, or counted; and each buffer is in the pool or waits. */
static inline void check_counters(queued *w) {
    uint64_t full = 0, delay = 0, cleared = 0, waiting = 0;
    for (uint32_t q = 0; q < QUEUES; q++) {
        ox_queue_class_report reports[OX_CLASSES];
        ox_queue_status(w->queues[q], reports);
        uint64_t bytes = 0, missing = w->in[q], packets = 0;
        for (uint32_t c = 0; c < OX_CLASSES; c++) {
            CHECK(reports[c].sent == w->out[q][c] && reports[c].sent_bytes == w->out_bytes[q][c]);
            CHECK((reports[c].packets == 0) == (reports[c].bytes == 0));
            missing -= w->out[q][c] + reports[c].packets + reports[c].dropped_full + reports[c].dropped_delay;
            bytes += reports[c].bytes;
            packets += reports[c].packets;
            full += reports[c].dropped_full;
            delay += reports[c].dropped_delay;
        }
        CHECK(missing == w->cleared[q]);
        CHECK(bytes == ox_queue_bytes(w->queues[q]) && packets == ox_queue_waiting(w->queues[q], EVERY_CLASS));
        cleared += w->cleared[q];
        waiting += packets;
        CHECK(bytes <= w->policy.bytes_most);
    }
    CHECK(w->drops[OX_DROP_QUEUE_FULL] == full && w->drops[OX_DROP_QUEUE_DELAY] == delay);
    CHECK(w->drops[OX_DROP_NO_SESSION] == cleared && waiting <= w->policy.packets_most);
    CHECK(ox_pool_free(w->pool, OX_BUF_SMALL) >= w->small / 2 && ox_pool_free(w->pool, OX_BUF_LARGE) >= w->large / 2);
}

/* Takes all out, with nothing dropped: what comes is exactly what waited. */
static inline void drain(queued *w) {
    for (uint32_t q = 0; q < QUEUES; q++) {
        uint64_t bytes = ox_queue_bytes(w->queues[q]);
        for (uint32_t len; (len = pop(w, q, EVERY_CLASS, FOREVER_NS, NULL)) != 0;) bytes -= len;
        CHECK(bytes == 0 && ox_queue_bytes(w->queues[q]) == 0 && ox_queue_waiting(w->queues[q], EVERY_CLASS) == 0);
    }
    CHECK(ox_pool_free(w->pool, OX_BUF_SMALL) == w->small && ox_pool_free(w->pool, OX_BUF_LARGE) == w->large);
}

static inline void clear(queued *w, uint32_t queue) {
    const uint32_t waiting = ox_queue_waiting(w->queues[queue], EVERY_CLASS);
    CHECK(ox_queue_clear(w->scheduler, w->queues[queue], OX_DROP_NO_SESSION) == waiting);
    CHECK(ox_queue_bytes(w->queues[queue]) == 0);
    w->cleared[queue] += waiting;
}

static inline void close_queues(queued *w) {
    drain(w);
    for (int i = 0; i < QUEUES; i++) ox_queue_destroy(w->queues[i]);
    ox_scheduler_destroy(w->scheduler);
}

/* Nothing is unaccounted for, and all of it goes. */
static inline void end_queues(queued *w) {
    check_counters(w);
    close_queues(w);
    ox_pool_destroy(w->pool);
}

#endif
