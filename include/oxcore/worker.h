/**
 * @file  One turn of one thread: takes orders, moves packets between a device and the network through the tunnel.
 *
 * A control thread gives orders, reads events and owns what it makes; the worker's thread turns. Objects that an order hands
 * over come back by an event (::OX_EVENT_SESSION_RETIRED, ::OX_EVENT_PEER_RETIRED, ::OX_EVENT_POLICY_TAKEN).
 *
 * Several workers, a thread each, may share one end: a peer and its sessions are in the one that ox_peer_worker() names, the
 * policy with all routes is in each. A packet that one reads from its device for a peer of another is handed over.
 *
 * Threads: ox_worker_turn() and ox_worker_wait() on the worker's thread; ox_worker_order(), ox_worker_wake() and
 *          ox_worker_event() on one control thread. Both may be the same thread.
 */
#ifndef OXCORE_WORKER_H
#define OXCORE_WORKER_H

#include "base.h"
#include "io.h"
#include "tunnel.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OX_ORDERS_CAPACITY = 1024,
    OX_EVENTS_CAPACITY = 1024,
    OX_INBOX_CAPACITY = 1024, /**< packets that other workers hand to one */
};

typedef enum OX_CLOSED_ENUM ox_order_kind {
    OX_ORDER_SET_POLICY,     /**< object: const ox_policy * */
    OX_ORDER_ADD_PEER,       /**< object: ox_peer * */
    OX_ORDER_REMOVE_PEER,    /**< peer: after its sessions */
    OX_ORDER_ADD_SESSION,    /**< object: ox_session * */
    OX_ORDER_REMOVE_SESSION, /**< session */
    OX_ORDER_USE_SESSION,    /**< session; size: 1 to confirm */
    OX_ORDER_MOVE_PATH,      /**< peer, path, address */
    OX_ORDER_SET_MTU,        /**< peer, path, size */
    OX_ORDER_SET_LIMITS,     /**< peer, path, limits */
    OX_ORDER_SET_REPAIR,     /**< peer, path, repair */
    OX_ORDER_CHALLENGE,      /**< session, token, address */
    OX_ORDER_KEEPALIVE,      /**< session */
    OX_ORDER_PROBE,          /**< session, size */
    OX_ORDER_CLOSE,          /**< session, size: reason */
    OX_ORDER_HANDSHAKE,      /**< datagram, size: its bytes, address */
    OX_ORDER_DROP_STAGED,    /**< peer, size: the ::ox_verdict */
    OX_ORDER_ADD_SLAB,       /**< object: ox_slab *; comes back at once where there is no room for it */
    OX_ORDER_STOP_READING,   /**< read no more from the device: the tunnel is shutting down */
} ox_order_kind;

typedef struct ox_order {
    ox_order_kind kind;
    uint32_t peer;
    uint32_t path;
    uint32_t session;
    uint32_t size;
    uint64_t token;
    void *object;
    ox_address address;
    ox_path_limits limits;
    ox_path_repair repair;
    uint8_t datagram[OX_HANDSHAKE_MAX];
} ox_order;

typedef struct ox_worker ox_worker;

typedef struct ox_worker_parameters {
    uint32_t session_id_bytes;   /**< 1 to 3 */
    uint32_t small_buffers;      /**< of the first slab, 0 for the default: 2,048 */
    uint32_t large_buffers;      /**< likewise, 128 */
    int32_t node;                /**< NUMA node of the memory, or -1 */
    bool huge_pages;             /**< ask for them */
    uint32_t worker;             /**< which of `workers` it is */
    uint32_t workers;            /**< at most ::OX_WORKERS_MAX; 0 is 1 */
    uint64_t busy_poll_ns;       /**< ox_worker_wait() spins so long at most before it sleeps; 0 for never */
    const ox_identity *identity; /**< not owned; outlives the worker */
    ox_port *device;             /**< inner packets; owned from here on */
    ox_port *network;            /**< outer datagrams; owned from here on */
} ox_worker_parameters;

/** Takes all memory that turns will need. NULL without memory, and then the ports are not taken over. */
ox_worker *ox_worker_create(const ox_worker_parameters *parameters);
/**
 * Has the workers of one end hand packets over: `workers[i]` is the one whose parameters say `worker` i. Before the first
 * turn of any. False without memory, and then nothing is done.
 */
OX_MUST_USE bool ox_worker_connect(ox_worker *const *workers, uint32_t count);
/**
 * Closes the ports and frees everything but peers and sessions that were not retired. NULL is allowed. Of connected workers
 * all must have stopped turning; what one has of another's buffers goes back, and the memory of all goes with the last.
 */
void ox_worker_destroy(ox_worker *worker);

/**
 * One bounded round of work. Allocates nothing.
 *
 * @param now_ns   never smaller than at the turn before.
 * @param next_ns  when a timer is due next, UINT64_MAX for never.
 * @return true when there may be more to do at once.
 */
bool ox_worker_turn(ox_worker *worker, uint64_t now_ns, uint64_t *next_ns);
/** Sleeps until there is work, or `timeout_ns` has passed. */
void ox_worker_wait(ox_worker *worker, uint64_t timeout_ns);

/** Queues an order; false, and nothing done, when the queue is full: try again after a turn. */
OX_MUST_USE bool ox_worker_order(ox_worker *worker, const ox_order *order);
/** Ends the worker's wait: to be called after a run of orders. */
void ox_worker_wake(ox_worker *worker);
/** The next event, or false. */
OX_MUST_USE bool ox_worker_event(ox_worker *worker, ox_event *event);
/** Readable when there are events; ox_worker_clear_events() before reading them. */
int ox_worker_event_descriptor(const ox_worker *worker);
void ox_worker_clear_events(ox_worker *worker);

typedef struct ox_worker_report {
    uint64_t drops[OX_VERDICT_COUNT];
    ox_port_report device;
    ox_port_report network;
    ox_pool_report pool;
    ox_pages pages[OX_BUF_CLASSES]; /**< what the first slabs lie in */
    uint64_t handed_over; /**< packets and super-packets from the device that other workers got, whose peers they were for */
    uint64_t taken_over;  /**< likewise from other workers */
} ox_worker_report;

/** A snapshot for people. From any thread. */
void ox_worker_status(const ox_worker *worker, ox_worker_report *report);

/** The ports that it was made with, for tests and simulation. */
ox_port *ox_worker_device(ox_worker *worker);
ox_port *ox_worker_network(ox_worker *worker);

#ifdef __cplusplus
}
#endif

#endif
