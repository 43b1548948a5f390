/**
 * @file  What the files of the room share: flows, queues, the scheduler, and how packets come into flows and leave them.
 *
 * A flow is *listed* while it is on the list of new or of old flows of its class (RFC 8290 section 4.2), and *idle* otherwise. A
 * class without packets has none listed, so an empty queue is known to nobody but its owner.
 */
#ifndef OX_QUEUE_STATE_H
#define OX_QUEUE_STATE_H

#include "oxcore/queue.h"

enum {
    NO_FLOW = UINT16_MAX,
    FLOW_BUCKETS = 2 * OX_QUEUE_FLOWS,
    FLOW_BLOCK = 64,
    FLOW_BLOCKS = OX_QUEUE_FLOWS / FLOW_BLOCK,
    DROP_BATCH = 64,      /* packets that the fattest flow loses at once, at most (RFC 8290 section 4.1.3) */
};
OX_STATIC_ASSERT((int)OX_QUEUE_FLOWS < (int)NO_FLOW, "an index is 16 bits");

/** RFC 8289 section 5.3. */
typedef struct codel {
    uint64_t first_above_ns; /**< when the sojourn time will have been above target for an interval; 0: it is below */
    uint64_t drop_next_ns;
    uint32_t count;          /**< since dropping began */
    uint32_t last_count;     /**< of the time before */
    bool dropping;
} codel;

/** CoDel's parameters for one pop. */
typedef struct codel_law {
    uint64_t target_ns, interval_ns;
    uint64_t now_ns;
} codel_law;

typedef struct flow {
    ox_buf *head, *tail;
    struct flow *next;           /**< on the list of its class */
    struct flow *before, *after; /**< idle: among the idle ones. Shared: among the shared ones with packets */
    ox_queue *queue;             /**< NULL: idle */
    uint64_t owner;              /**< with `hash`, whose it is or was last: an idle one keeps what CoDel learned of it */
    uint32_t hash;
    uint32_t bytes;
    uint32_t packets;            /**< a super-packet's count each */
    uint32_t held[OX_BUF_CLASSES]; /**< buffers */
    int32_t deficit;
    codel codel;
    uint16_t chain;              /**< next in its bucket */
    uint16_t index;              /**< in the scheduler's table; ::NO_FLOW for a shared one */
} flow;

typedef struct flow_list {
    flow *head, *tail;
} flow_list;

/** The flows of one class in one queue. */
typedef struct class_flows {
    flow_list fresh; /**< RFC 8290's new queues */
    flow_list old;
    flow shared;     /**< of those that find no free flow */
    uint64_t peak_ns[2];    /**< longest sojourn in this second and in the one before */
    uint64_t peak_second;
} class_flows;

struct ox_queue {
    ox_queue_class_report reports[OX_CLASSES];
    class_flows classes[OX_CLASSES];
    int32_t owed[OX_CLASSES]; /**< bytes that a class may send out of turn, times ::OX_QUEUE_GUARD_SHARE */
    uint64_t number;          /**< the scheduler's, 0 before the first packet: an address may come again */
    uint64_t bytes;
    uint32_t waiting;         /**< bit i: class i has packets */
    bool fifo;                /**< all wait in the shared flow of class general */
};

/** What flows are compared by when one has to lose: buffers of either class of the pool, or bytes. */
enum { BY_BYTES = OX_BUF_CLASSES, MEASURES };

/** One measure of each flow side by side, to find the one with the most. */
typedef struct ranking {
    uint32_t of[OX_QUEUE_FLOWS];
    uint32_t block_most[FLOW_BLOCKS]; /**< what none of a block of them is above */
} ranking;

struct ox_scheduler {
    ox_scheduler_parameters is;
    ox_queue_policy policy;
    uint64_t bytes, packets;       /**< that wait, of all queues */
    uint32_t held[OX_BUF_CLASSES]; /**< buffers */
    uint64_t last_number;          /**< of a queue */
    struct {
        flow *first, *last;
    } idle;                        /**< the one that has been idle longest first */
    flow *shared;                  /**< the shared flows that have packets */
    uint16_t buckets[FLOW_BUCKETS];
    uint32_t in_shared[FLOW_BUCKETS]; /**< packets of the flows of each bucket that wait in shared flows */
    ranking rankings[MEASURES];
    flow flows[OX_QUEUE_FLOWS];
};

static inline ox_buf_class size_of(const ox_buf *buf) { return buf->capacity > OX_BUF_BYTES ? OX_BUF_LARGE : OX_BUF_SMALL; }
static inline bool is_shared(const flow *f) { return f->index == NO_FLOW; }
static inline uint32_t measure_of(const flow *f, uint32_t measure) { return measure == BY_BYTES ? f->bytes : f->held[measure]; }

/** Packets that a buffer stands for. Of a super-packet its headers too. */
uint32_t ox_queue_packets(const ox_buf *buf, ox_headers *headers);

/* ---- flows.c */

void ox_flows_init(ox_scheduler *scheduler);
/** The class in which a packet waits: the one where earlier ones of its flow do, or else its own. */
ox_class ox_flows_class(ox_scheduler *scheduler, const ox_queue *queue, ox_class class_, uint32_t hash);
/** The flow that a packet joins. */
flow *ox_flows_find(ox_scheduler *scheduler, ox_queue *queue, ox_class class_, uint32_t hash);
/** Lists a flow that is idle, among the new ones. */
void ox_flows_wake(ox_scheduler *scheduler, ox_queue *queue, ox_class class_, flow *f);
/** Its turn is over, with nothing left to send. It is on no list. */
void ox_flows_rest(ox_scheduler *scheduler, flow *f);
void ox_flow_list_append(flow_list *list, flow *f);
flow *ox_flow_list_take(flow_list *list);
/** Notes whose a packet is that comes into the shared flow of its class. */
void ox_shared_note(ox_scheduler *scheduler, const ox_queue *queue, ox_buf *buf, uint32_t hash);
/** Puts a packet to the end of a flow. */
void ox_flow_put(ox_scheduler *scheduler, ox_queue *queue, flow *f, ox_buf *buf, uint32_t packets);
/** The first packet. When it was the last one of its class, the class's flows rest. */
ox_buf *ox_flow_take(ox_scheduler *scheduler, ox_queue *queue, flow *f, uint32_t packets);
/** The packet behind `before`, or the first one for NULL; likewise. */
ox_buf *ox_flow_take_behind(ox_scheduler *scheduler, ox_queue *queue, flow *f, ox_buf *before, uint32_t packets);
/** The first packet loses `bytes` and one of the packets that it stands for. */
void ox_flow_shorten(ox_scheduler *scheduler, ox_queue *queue, flow *f, uint32_t bytes);

/* ---- codel.c */

/** The next packet of the flow that CoDel lets go, or NULL when it dropped all there was. */
ox_buf *ox_codel_take(ox_scheduler *scheduler, ox_queue *queue, flow *f, const codel_law *law, uint32_t *packets);

/* ---- scheduler.c */

/** Drops from the fattest flows until all is within the limits. */
void ox_scheduler_make_room(ox_scheduler *scheduler);
/** Whether so many more are within the limits. */
bool ox_scheduler_has_room(const ox_scheduler *scheduler, const ox_buf *buf, uint32_t packets);
/** Gives a buffer that has left its flow back, counted. */
void ox_scheduler_discard(ox_scheduler *scheduler, ox_buf *buf, ox_verdict why, uint32_t packets);

#endif
