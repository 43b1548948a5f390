/**
 * @file  Packets that wait for their path: classes by strict priority with a guard against starvation, FQ-CoDel with ECN
 *        among the flows of a class (RFC 8290, RFC 8289), and the pacer that says when the path takes the next one.
 *
 * An ox_scheduler has the flows of all queues of a worker; an ox_queue is one path's. Packets come in before compression and
 * encryption, so that CoDel's mark is on the inner packet (RFC 6040), and leave in order within a flow, whatever class it is of.
 *
 * Threads: all of it belongs to the worker; ox_queue_status() may be called from any thread.
 */
#ifndef OXCORE_QUEUE_H
#define OXCORE_QUEUE_H

#include "base.h"
#include "flow.h"
#include "packet.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OX_QUEUE_FLOWS = 2048,         /**< flows with packets waiting, of all queues of a worker; later ones share one a class */
    OX_QUEUE_QUANTUM = 1514,       /**< bytes that a flow may send in its round (RFC 8290 section 5.2) */
    OX_CODEL_TARGET_US = 5000,     /**< RFC 8289 section 4.2 */
    OX_CODEL_INTERVAL_US = 100000, /**< section 4.3 */
    OX_QUEUE_GUARD_SHARE = 16,     /**< a class that waits gets one in so many bytes of those above it, whatever they have */
};

typedef struct ox_scheduler ox_scheduler;

typedef struct ox_scheduler_parameters {
    ox_pool *pool;       /**< where dropped packets go, and where pieces come from; not owned */
    uint64_t *drops;     /**< of ::OX_VERDICT_COUNT: counted here as ::OX_DROP_QUEUE_FULL and ::OX_DROP_QUEUE_DELAY */
    uint64_t seed;
} ox_scheduler_parameters;

/** NULL without memory. */
ox_scheduler *ox_scheduler_create(const ox_scheduler_parameters *parameters);
/** Every queue must be empty. NULL is allowed. */
void ox_scheduler_destroy(ox_scheduler *scheduler);

/** What may be set at any time, for all queues. */
typedef struct ox_queue_policy {
    uint32_t packets_most;  /**< packets that wait, of all queues; each super-packet counts as its segments */
    uint32_t bytes_most;    /**< likewise bytes */
    uint32_t target_us, interval_us; /**< CoDel's; at least the time of one largest datagram is allowed besides (queue_floor_ns) */
    bool fair;              /**< false: one FIFO a queue, limits only, neither classes nor CoDel. A queue takes it over when it is empty */
    bool ecn;               /**< mark instead of dropping where the packet can be marked */
} ox_queue_policy;
void ox_scheduler_set_policy(ox_scheduler *scheduler, const ox_queue_policy *policy);

/** Per class; all fields are 64 bits, so that ox_snapshot() can copy it. */
typedef struct ox_queue_class_report {
    uint64_t packets, bytes;        /**< waiting */
    uint64_t sent, sent_bytes;      /**< went out, ever */
    uint64_t dropped_full;          /**< for want of room */
    uint64_t dropped_delay, marked; /**< by CoDel; all are packets: a super-packet counts as its segments */
    uint64_t sojourn_ns;            /**< smoothed (1/16) time in the queue of what went out */
    uint64_t sojourn_peak_ns;       /**< the longest within the last second or two */
} ox_queue_class_report;

/** One path's queue. NULL without memory. Less than 2 KB: flows are the scheduler's. */
typedef struct ox_queue ox_queue;
ox_queue *ox_queue_create(void);
/** Must be empty; then no scheduler knows it any more. NULL is allowed. */
void ox_queue_destroy(ox_queue *queue);
/** From any thread. */
void ox_queue_status(const ox_queue *queue, ox_queue_class_report reports[OX_CLASSES]);

/** Bytes and packets that wait; 0 when it is empty. `classes`: bit i stands for class i. All of a FIFO waits as class general. */
uint64_t ox_queue_bytes(const ox_queue *queue);
uint32_t ox_queue_waiting(const ox_queue *queue, uint32_t classes);

/**
 * Takes a packet or super-packet in; `hash` is its ox_flow_hash(). A flow whose class has changed goes on in the old one until
 * none of its packets waits there: else the later would overtake the earlier.
 *
 * Without room the flow with the most bytes loses packets from its head (RFC 8290 section 4.1.3), at most 64 or half of them at
 * once; a FIFO loses what comes. Waiting packets hold at most half of the buffers of each class that the pool has; above that the
 * flow with the most buffers of that class loses the first of those. So the caller moves a packet that will wait from a large
 * buffer into a small one where it fits. The packet is one that ox_parse() passed, with 4 bytes of headroom or more, which are
 * the queue's until it leaves. Takes the buffer.
 */
void ox_queue_push(ox_scheduler *scheduler, ox_queue *queue, ox_buf *buf, ox_class class_, uint32_t hash, uint64_t now_ns);
/**
 * The packet that goes next, of those classes, or NULL: the most urgent class that has one, unless one below is owed its share;
 * in it the flow whose turn it is. CoDel drops and marks what waited too long; of a super-packet it drops the first segment
 * alone, and what is left has a partial checksum, or is a packet with a complete one. `buf->class_` says which class it is of,
 * `buf->queued_ns` since when it waited.
 *
 * @param floor_ns  the time that the path takes for a datagram or two: CoDel never holds less against a flow (RFC 8290 section 5.2.2).
 */
ox_buf *ox_queue_pop(ox_scheduler *scheduler, ox_queue *queue, uint32_t classes, uint64_t floor_ns, uint64_t now_ns);
/** Drops all, counted as `why`. Returns how many packets. */
uint64_t ox_queue_clear(ox_scheduler *scheduler, ox_queue *queue, ox_verdict why);

/* ---- pacing --------------------------------------------------------------------------------------------------- */

enum { OX_PACER_URGENT_SHARE = 10 /**< one in so many bytes of the rate may be urgent ones that do not wait */ };

/**
 * Earliest-departure-time pacing: each datagram has a time before which it does not leave, and what comes late may catch up by
 * a quantum. All zero is a pacer without a limit.
 */
typedef struct ox_pacer {
    uint64_t rate;        /**< bytes/s; 0 for no limit */
    uint64_t quantum;     /**< bytes that may leave at once */
    uint64_t next_ns;     /**< earliest departure of the next datagram */
    uint64_t remainder;   /**< and the part of a nanosecond behind it, in 1/rate */
    int64_t urgent;       /**< bytes that urgent packets may still send ahead of it, times ::OX_PACER_URGENT_SHARE; below 0 a debt */
    uint64_t urgent_ns;   /**< when `urgent` was reckoned */
} ox_pacer;

/** A new rate holds for what has not left yet. */
void ox_pacer_set(ox_pacer *pacer, uint64_t rate, uint64_t quantum, uint64_t now_ns);
/** Whether a datagram may leave now. */
bool ox_pacer_ready(const ox_pacer *pacer, uint64_t now_ns);
/** When half a quantum may leave: when it is worth to look again, where nothing else wakes the sender before. */
uint64_t ox_pacer_due(const ox_pacer *pacer);
/** Whether an urgent datagram of so many bytes may leave now although ox_pacer_ready() says no: within a tenth of the rate. */
bool ox_pacer_ready_urgent(ox_pacer *pacer, uint32_t bytes, uint64_t now_ns);
/** `bytes` have left. `urgent`: because ox_pacer_ready_urgent() said so; if they are more than it was asked for, that is a debt. */
void ox_pacer_sent(ox_pacer *pacer, uint32_t bytes, bool urgent, uint64_t now_ns);

#ifdef __cplusplus
}
#endif

#endif
