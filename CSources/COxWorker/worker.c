#include "state.h"

#include <stdlib.h>

enum {
    SMALL_BUFFERS = 2048,
    LARGE_BUFFERS = 128,
    ORDERS_PER_TURN = 256,
    LOW_SHARE = 8, /**< a pool is low when fewer than one in so many of its buffers are free */
};

/** How often it is seen whether the pool is larger than the load needs. */
static const uint64_t REST_INTERVAL_NS = 5000000000;

/** What a flood of handshakes can make a worker do: OX_HANDSHAKES_PER_RECEIVE checks in so long, and no more wake-ups. */
static const uint64_t HANDSHAKE_PAUSE_NS = 2000000;

_Static_assert((int)OX_PORT_HANDSHAKE_MIN == (int)OX_COOKIE_REPLY_BYTES, "the port takes the shortest handshake datagram");
_Static_assert((int)OX_PORT_HANDSHAKE_MAX == (int)OX_INITIATION_OVERHEAD + (int)OX_HANDSHAKE_PAYLOAD_MAX,
               "and the longest");

static ox_ring *make_ring(uint32_t capacity, uint32_t record) {
    void *memory = aligned_alloc(64, (ox_ring_bytes(capacity, record) + 63) / 64 * 64);
    return memory != NULL ? ox_ring_init(memory, capacity, record) : NULL;
}

/** What holds buffers, of other workers too. */
static void free_holders(ox_worker *worker) {
    ox_tunnel_destroy(worker->tunnel);
    worker->tunnel = NULL;
    ox_handoff_empty(worker);
}

static void free_parts(ox_worker *worker) {
    free_holders(worker);
    ox_cookie_jar_destroy(worker->cookies);
    ox_pool_destroy(worker->pool);
    ox_aead_engine_destroy(worker->engine);
    ox_wake_destroy(worker->ordered);
    ox_wake_destroy(worker->happened);
    free(worker->orders);
    free(worker->events);
    free(worker->inbox);
    free(worker);
}

/** The first buffers of a class. */
static bool fill(ox_worker *worker, const ox_worker_parameters *parameters, ox_buf_class class_, uint32_t buffers) {
    ox_slab *slab = ox_slab_create(&(ox_slab_parameters){
        .class_ = class_, .buffers = buffers, .node = parameters->node, .huge = parameters->huge_pages});
    if (slab == NULL || worker->pool == NULL) {
        ox_slab_destroy(slab);
        return false;
    }
    worker->pages[class_] = ox_slab_pages(slab);
    return ox_pool_add(worker->pool, slab);
}

ox_worker *ox_worker_create(const ox_worker_parameters *parameters) {
    ox_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) return NULL;
    uint32_t small = parameters->small_buffers != 0 ? parameters->small_buffers : (uint32_t)SMALL_BUFFERS;
    uint32_t large = parameters->large_buffers != 0 ? parameters->large_buffers : (uint32_t)LARGE_BUFFERS;
    worker->pool = ox_pool_create();
    bool filled = fill(worker, parameters, OX_BUF_SMALL, small) && fill(worker, parameters, OX_BUF_LARGE, large);
    worker->engine = ox_aead_engine_create();
    worker->cookies = ox_cookie_jar_create(parameters->identity);
    worker->orders = make_ring(OX_ORDERS_CAPACITY, sizeof(ox_order));
    worker->events = make_ring(OX_EVENTS_CAPACITY, sizeof(ox_event));
    worker->ordered = ox_wake_create();
    worker->happened = ox_wake_create();
    bool alone = parameters->workers <= 1;
    if (!alone) worker->inbox = ox_handoff_inbox();
    bool whole = filled && (alone || worker->inbox != NULL) && worker->engine != NULL && worker->cookies != NULL && worker->orders != NULL && worker->events != NULL &&
                 worker->ordered != NULL && worker->happened != NULL;
    if (whole)
        worker->tunnel = ox_tunnel_create(&(ox_tunnel_parameters){
            .session_id_bytes = parameters->session_id_bytes,
            .identity = parameters->identity,
            .pool = worker->pool,
            .engine = worker->engine,
            .events = worker->events,
            .cookies = worker->cookies,
            .worker = parameters->worker,
            .workers = parameters->workers,
        });
    if (worker->tunnel == NULL) {
        free_parts(worker);
        return NULL;
    }
    worker->device = parameters->device;
    worker->network = parameters->network;
    worker->reading = true;
    worker->spin = (ox_spin){.most_ns = parameters->busy_poll_ns, .now_ns = parameters->busy_poll_ns};
    return worker;
}

/** Slabs on their way between the threads belong to nobody else. */
static void drop_slabs(ox_worker *worker) {
    ox_order order;
    ox_event event = worker->owed;
    if (worker->owes && event.kind == OX_EVENT_SLAB_RETIRED) ox_slab_destroy(event.object);
    while (ox_ring_pop(worker->orders, &order))
        if (order.kind == OX_ORDER_ADD_SLAB) ox_slab_destroy(order.object);
    while (ox_ring_pop(worker->events, &event))
        if (event.kind == OX_EVENT_SLAB_RETIRED) ox_slab_destroy(event.object);
}

void ox_worker_destroy(ox_worker *worker) {
    if (worker == NULL) return;
    drop_slabs(worker);
    ox_port_close(worker->device);
    ox_port_close(worker->network);
    worker->device = worker->network = NULL;
    ox_worker *together[OX_WORKERS_MAX] = {worker};
    free_holders(worker);
    uint32_t count = worker->group != NULL ? ox_handoff_leave(worker, together) : 1;
    for (uint32_t i = 0; i < count; i++) free_parts(together[i]);
}

/* ---- orders ------------------------------------------------------------------------------------------------- */

/** Tries to report what is owed. Unlike other events this one must not be lost: nobody would say it again. */
static void pay(ox_worker *worker) {
    bool was_empty = false;
    if (!worker->owes || !ox_ring_push(worker->events, &worker->owed, &was_empty)) return;
    worker->owes = false;
    if (was_empty) ox_wake_signal(worker->happened);
}

static void owe(ox_worker *worker, ox_event event) {
    OX_ASSERT(!worker->owes);
    worker->owed = event;
    worker->owes = true;
    pay(worker);
}

static void give_back_session(ox_worker *worker, uint32_t id, ox_session *session) {
    if (session == NULL) return;
    owe(worker, (ox_event){.kind = OX_EVENT_SESSION_RETIRED, .session = id, .object = session});
}

static void give_back_peer(ox_worker *worker, uint32_t id, ox_peer *peer) {
    if (peer == NULL) return;
    owe(worker, (ox_event){.kind = OX_EVENT_PEER_RETIRED, .peer = id, .object = peer});
}

static void take_policy(ox_worker *worker, const ox_policy *policy) {
    ox_tunnel_set_policy(worker->tunnel, policy);
    owe(worker, (ox_event){.kind = OX_EVENT_POLICY_TAKEN, .token = policy->epoch});
}

static void add_slab(ox_worker *worker, ox_slab *slab) {
    worker->asked[ox_slab_class(slab)] = false;
    if (!ox_pool_add(worker->pool, slab)) owe(worker, (ox_event){.kind = OX_EVENT_SLAB_RETIRED, .object = slab});
}

static void carry_out(ox_worker *worker, const ox_order *order, uint64_t now_ns) {
    ox_tunnel *tunnel = worker->tunnel;
    switch (order->kind) {
    case OX_ORDER_SET_POLICY: take_policy(worker, order->object); break;
    case OX_ORDER_ADD_PEER: ox_tunnel_add_peer(tunnel, order->object); break;
    case OX_ORDER_REMOVE_PEER:
        give_back_peer(worker, order->peer, ox_tunnel_remove_peer(tunnel, order->peer));
        break;
    case OX_ORDER_ADD_SESSION:
        give_back_session(worker, order->session, ox_tunnel_add_session(tunnel, order->object));
        break;
    case OX_ORDER_REMOVE_SESSION:
        give_back_session(worker, order->session, ox_tunnel_remove_session(tunnel, order->session));
        break;
    case OX_ORDER_USE_SESSION: ox_tunnel_use_session(tunnel, order->session, order->size != 0, now_ns); break;
    case OX_ORDER_MOVE_PATH: ox_tunnel_move_path(tunnel, order->peer, order->path, &order->address); break;
    case OX_ORDER_SET_LIMITS: ox_tunnel_set_limits(tunnel, order->peer, order->path, &order->limits, now_ns); break;
    case OX_ORDER_SET_REPAIR: ox_tunnel_set_repair(tunnel, order->peer, order->path, &order->repair); break;
    case OX_ORDER_SET_MTU: ox_tunnel_set_mtu(tunnel, order->peer, order->path, order->size); break;
    case OX_ORDER_CHALLENGE:
        ox_tunnel_send_challenge(tunnel, order->session, order->token, &order->address, now_ns);
        break;
    case OX_ORDER_KEEPALIVE: ox_tunnel_send_keepalive(tunnel, order->session, now_ns); break;
    case OX_ORDER_PROBE: ox_tunnel_send_probe(tunnel, order->session, order->size, now_ns); break;
    case OX_ORDER_CLOSE: ox_tunnel_send_close(tunnel, order->session, (uint8_t)order->size, now_ns); break;
    case OX_ORDER_HANDSHAKE: ox_tunnel_send_handshake(tunnel, order->datagram, order->size, &order->address); break;
    case OX_ORDER_DROP_STAGED: ox_tunnel_drop_staged(tunnel, order->peer, (ox_verdict)order->size); break;
    case OX_ORDER_ADD_SLAB: add_slab(worker, order->object); break;
    case OX_ORDER_STOP_READING: worker->reading = false; break;
    }
}

/* ---- a turn ------------------------------------------------------------------------------------------------- */

static void flush(ox_worker *worker) {
    ox_list datagrams = {0}, packets = {0};
    ox_tunnel_take_network(worker->tunnel, &datagrams);
    ox_tunnel_take_device(worker->tunnel, &packets);
    if (datagrams.count > 0)
        ox_tunnel_count(worker->tunnel, OX_DROP_SEND_FAILED, ox_port_send(worker->network, worker->pool, &datagrams));
    if (packets.count > 0)
        ox_tunnel_count(worker->tunnel, OX_DROP_DEVICE_WRITE, ox_port_send(worker->device, worker->pool, &packets));
}

/** Asks for more buffers before there are none, and gives back what a quieter load leaves over. */
static void balance(ox_worker *worker, uint64_t now_ns) {
    ox_pool_report pool;
    ox_pool_status(worker->pool, &pool);
    for (int class_ = 0; class_ < OX_BUF_CLASSES; class_++) {
        const ox_pool_class_report *is = &pool.classes[class_];
        // At the end of a turn most are back: whether they sufficed within it is what the requests tell.
        bool low = is->free < is->buffers / LOW_SHARE || is->exhausted != worker->exhausted[class_];
        worker->exhausted[class_] = is->exhausted;
        if (!low || worker->asked[class_]) continue;
        worker->asked[class_] =
            ox_tunnel_report(worker->tunnel, &(ox_event){.kind = OX_EVENT_POOL_LOW, .size = (uint32_t)class_});
    }
    worker->grown = pool.classes[OX_BUF_SMALL].slabs + pool.classes[OX_BUF_LARGE].slabs > OX_BUF_CLASSES;
    if (now_ns < worker->rest_ns || worker->owes) return;
    worker->rest_ns = now_ns + REST_INTERVAL_NS;
    // A request that was refused, for others had all that there may be, is made again.
    memset(worker->asked, 0, sizeof worker->asked);
    ox_slab *slab = ox_pool_rest(worker->pool);
    if (slab == NULL) return;
    owe(worker, (ox_event){.kind = OX_EVENT_SLAB_RETIRED, .object = slab});
}

bool ox_worker_turn(ox_worker *worker, uint64_t now_ns, uint64_t *next_ns) {
    ox_wake_clear(worker->ordered);
    bool more = false;
    ox_order order;
    uint32_t orders = 0;
    pay(worker);
    for (; orders < ORDERS_PER_TURN && !worker->owes && ox_ring_pop(worker->orders, &order); orders++)
        carry_out(worker, &order, now_ns);
    more |= orders == ORDERS_PER_TURN;

    ox_list datagrams = {0}, packets = {0};
    if (now_ns >= worker->held_until_ns) worker->network->held = 0;
    bool waiting = ox_port_receive(worker->network, worker->pool, &datagrams, OX_PORT_BATCH);
    more |= waiting;
    if (worker->network->flooded != 0) {
        worker->network->held |= worker->network->flooded;
        worker->held_until_ns = now_ns + HANDSHAKE_PAUSE_NS;
    }
    ox_tunnel_ingress(worker->tunnel, &datagrams, waiting, now_ns);
    if (worker->group != NULL) more |= ox_handoff_receive(worker, now_ns);
    if (worker->reading) {
        more |= ox_port_receive(worker->device, worker->pool, &packets, OX_PORT_BATCH);
        ox_tunnel_egress(worker->tunnel, &packets, now_ns);
        if (worker->device->lost && !worker->owes) {
            worker->reading = false;
            owe(worker, (ox_event){.kind = OX_EVENT_DEVICE_LOST});
        }
    }
    *next_ns = ox_tunnel_advance(worker->tunnel, now_ns);
    if (worker->network->held != 0 && *next_ns > worker->held_until_ns) *next_ns = worker->held_until_ns;
    flush(worker);
    if (worker->group != NULL) ox_handoff_send(worker);
    ox_pool_collect(worker->pool);
    balance(worker, now_ns);
    // A pool that has grown is looked at again even if nothing happens any more.
    if (worker->grown && *next_ns > worker->rest_ns) *next_ns = worker->rest_ns;
    if (ox_tunnel_take_edge(worker->tunnel)) ox_wake_signal(worker->happened);
    return more;
}

void ox_worker_wait(ox_worker *worker, uint64_t timeout_ns) {
    ox_port *ports[] = {worker->network, worker->reading ? worker->device : NULL};
    if (worker->spin.most_ns != 0) ox_wait_spinning(ports, 2, worker->ordered, timeout_ns, &worker->spin);
    else ox_wait(ports, 2, worker->ordered, timeout_ns);
}

/* ---- the control thread's side ------------------------------------------------------------------------------ */

bool ox_worker_order(ox_worker *worker, const ox_order *order) { return ox_ring_push(worker->orders, order, NULL); }

void ox_worker_wake(ox_worker *worker) { ox_wake_signal(worker->ordered); }

bool ox_worker_event(ox_worker *worker, ox_event *event) { return ox_ring_pop(worker->events, event); }

int ox_worker_event_descriptor(const ox_worker *worker) { return ox_wake_descriptor(worker->happened); }

void ox_worker_clear_events(ox_worker *worker) { ox_wake_clear(worker->happened); }

void ox_worker_status(const ox_worker *worker, ox_worker_report *report) {
    memset(report, 0, sizeof *report);
    ox_tunnel_drops(worker->tunnel, report->drops);
    ox_port_status(worker->device, &report->device);
    ox_port_status(worker->network, &report->network);
    ox_pool_status(worker->pool, &report->pool);
    memcpy(report->pages, worker->pages, sizeof report->pages);
    ox_snapshot(&report->handed_over, &worker->handed_over, sizeof worker->handed_over);
    ox_snapshot(&report->taken_over, &worker->taken_over, sizeof worker->taken_over);
}

ox_port *ox_worker_device(ox_worker *worker) { return worker->device; }
ox_port *ox_worker_network(ox_worker *worker) { return worker->network; }
