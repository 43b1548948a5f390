/**
 * @file  Packets wait in the queue of their path, and leave it as pacer and window allow.
 *
 * A packet that finds its path free goes through the queue at once. What has to wait is in a small buffer, and its peer on
 * the list of those that ox_tunnel_advance() looks at.
 */
#include "state.h"

enum {
    ALL = (1 << OX_CLASSES) - 1,
    COMPANY_MIN = 128,   /**< free bytes in a datagram that are worth to wait for a part of the next packet */
    FLOOR_DATAGRAMS = 2, /**< CoDel holds nothing against a queue that the path empties in the time of so many */
};

/** How soon urgent packets are looked at again that have used their share of the rate up. */

/**
 * Bytes that may leave at once. Where the largest send is shorter than a millisecond at the path's rate, several of them are: a
 * sender that slept between them would not reach the rate.
 */
uint64_t ox_path_quantum(const ox_path_limits *limits, uint64_t rate) {
    uint64_t quantum = limits->quantum != 0 ? limits->quantum : (uint64_t)OX_SEGMENTED_BYTES_MAX, most = rate / 1000;
    return quantum >= OX_SEGMENTED_BYTES_MAX && most > quantum ? most : quantum;
}

/** Bytes of the open datagram, when it is one of this path. */
static uint32_t filling(const ox_tunnel *tunnel, const ox_path *path) {
    const ox_session *session = tunnel->open.session;
    return session != NULL && &session->peer->paths[session->is.path] == path ? tunnel->open.buf->len : 0;
}

static bool has_window(const ox_tunnel *tunnel, const ox_path *path) {
    return path->limits.window == 0 || path->flight.in_flight + filling(tunnel, path) < path->limits.window;
}

/** What may be in flight besides, when urgent packets go ahead. */
static bool has_urgent_window(const ox_path *path) {
    uint64_t window = path->limits.window;
    return window == 0 || path->flight.in_flight < window + window / OX_PACER_URGENT_SHARE + 2 * (uint64_t)path->mtu;
}

/**
 * Had there been more to send, it would have been sent: whatever rate is measured now says less than the path can. To be called before
 * packets are queued, and before feedback changes what is in flight.
 */
void ox_serve_check_limited(const ox_tunnel *tunnel, ox_path *path, uint64_t now_ns) {
    if (ox_queue_waiting(path->queue, ALL) > 0 || filling(tunnel, path) > 0) return;
    if (!has_window(tunnel, path) || !ox_pacer_ready(&path->pacer, now_ns)) return;
    ox_flight_mark_app_limited(&path->flight);
}

/** Whether packets wait for company; not any more once there is enough of it, or an urgent one. */
static bool holds(const ox_tunnel *tunnel, ox_path *path, const ox_session *session, uint64_t now_ns) {
    if (path->hold_until_ns == 0) return false;
    bool longer = now_ns < path->hold_until_ns && ox_queue_waiting(path->queue, OX_URGENT) == 0 &&
                  ox_queue_waiting(path->queue, ALL) < tunnel->policy.hold_packets &&
                  ox_queue_bytes(path->queue) < ox_session_room(session);
    if (!longer) path->hold_until_ns = 0;
    return longer;
}

/** Which classes may send a datagram now, as bits; 0 for none. */
static uint32_t may_send(const ox_tunnel *tunnel, ox_path *path, const ox_session *session, uint64_t now_ns) {
    path->ahead = false;
    bool room = ox_ledger_has_room(session->ledger), window = room && has_window(tunnel, path);
    if (!window) path->flight.window_limited = true; // as it was when nothing waited that could have filled it
    if (window && ox_pacer_ready(&path->pacer, now_ns)) return ALL;
    if (path->limits.urgent == 0 || ox_queue_waiting(path->queue, OX_URGENT) == 0) return 0;
    if (!room || !has_urgent_window(path) || !ox_pacer_ready_urgent(&path->pacer, path->mtu, now_ns)) return 0;
    path->ahead = true;
    return OX_URGENT;
}

/** Whether a datagram that repairs others may leave now; `urgent`: ahead of the pacing where its share allows it. */
bool ox_serve_allows(const ox_tunnel *tunnel, ox_path *path, const ox_session *session, bool urgent, uint64_t now_ns) {
    path->ahead = false;
    if (!ox_ledger_has_room(session->ledger)) return false;
    if (has_window(tunnel, path) && ox_pacer_ready(&path->pacer, now_ns)) return true;
    path->ahead = urgent && path->limits.urgent != 0 && has_urgent_window(path) &&
                  ox_pacer_ready_urgent(&path->pacer, path->mtu, now_ns);
    return path->ahead;
}

/** The time that the path takes for the datagrams that CoDel must allow it. */
static uint64_t floor_ns(const ox_path *path) {
    uint64_t bytes = FLOOR_DATAGRAMS * (uint64_t)path->mtu;
    return path->limits.rate == 0 ? 0 : bytes * OX_NS_PER_SECOND / path->limits.rate;
}

/** Sends what one look into the queue gave. Takes the buffer. */
static void send(ox_tunnel *tunnel, ox_path *path, ox_session *session, ox_buf *buf, uint64_t now_ns) {
    bool urgent = buf->class_ == OX_CLASS_GAMING || buf->class_ == OX_CLASS_REALTIME;
    if (urgent) path->urgent_bytes += buf->len;
    if (path->ahead) {
        // What is not urgent and was let out before leaves on its own account.
        path->ahead = false;
        ox_pack_flush_of(tunnel, session, now_ns);
        path->ahead = true;
    }
    ox_egress_send(tunnel, session, buf, now_ns);
    if (path->ahead) ox_pack_flush(tunnel, now_ns);
    path->ahead = false;
    if (urgent && tunnel->open.session == session) tunnel->open.urgent = true;
}

/** Sends what the peer's path allows now. */
void ox_serve_peer(ox_tunnel *tunnel, ox_peer *peer, uint64_t now_ns) {
    ox_path *path = &peer->paths[0];
    ox_session *session = peer->sending[0];
    if (session == NULL || ox_session_can_send(tunnel, session, ox_session_address(session), now_ns) != OX_PASS) return;
    while (ox_queue_waiting(path->queue, ALL) > 0 && !holds(tunnel, path, session, now_ns)) {
        uint32_t classes = may_send(tunnel, path, session, now_ns);
        if (classes == 0) return;
        ox_buf *buf = ox_queue_pop(tunnel->scheduler, path->queue, classes, floor_ns(path), now_ns);
        if (buf == NULL) break; // all were dropped
        send(tunnel, path, session, buf, now_ns);
        if (!has_window(tunnel, path)) path->flight.window_limited = true;
    }
    path->ahead = false;
}

/**
 * The open datagram leaves, unless more will come for it as soon as the pacer lets it: then the end of a packet that was cut
 * waits for the next one.
 */
void ox_serve_settle(ox_tunnel *tunnel, uint64_t now_ns) {
    const ox_session *session = tunnel->open.session;
    if (session == NULL) return;
    const ox_path *path = &session->peer->paths[session->is.path];
    bool more = !tunnel->open.urgent && session->peer->sending[session->is.path] == session &&
                ox_queue_waiting(path->queue, ALL) > 0 && !ox_pacer_ready(&path->pacer, now_ns) &&
                has_window(tunnel, path) && tunnel->open.buf->len + COMPANY_MIN < ox_session_room(session);
    if (!more) ox_pack_flush(tunnel, now_ns);
}

static void enlist(ox_tunnel *tunnel, ox_peer *peer) {
    if (peer->backlogged) return;
    peer->backlogged = true;
    peer->backlog_next = tunnel->backlog;
    tunnel->backlog = peer;
}

/** When the peer may send next, as far as time alone decides. */
static uint64_t due(const ox_tunnel *tunnel, const ox_path *path, const ox_session *session, uint64_t now_ns) {
    if (session == NULL) return OX_NEVER;
    if (ox_session_can_send(tunnel, session, ox_session_address(session), now_ns) != OX_PASS) return OX_NEVER;
    if (path->hold_until_ns != 0) return path->hold_until_ns;
    // What could leave now and has not waits for something else than time.
    bool paced = has_window(tunnel, path) && !ox_pacer_ready(&path->pacer, now_ns);
    uint64_t next = paced ? ox_pacer_due(&path->pacer) : OX_NEVER;
    bool urgent = path->limits.urgent != 0 && ox_queue_waiting(path->queue, OX_URGENT) > 0;
    return urgent && now_ns + OX_AGAIN_NS < next ? now_ns + OX_AGAIN_NS : next;
}

/** Sends what the paths of all peers that wait allow, and reckons when to look again. */
void ox_serve_all(ox_tunnel *tunnel, uint64_t now_ns) {
    tunnel->serve_due_ns = OX_NEVER;
    for (ox_peer **link = &tunnel->backlog; *link != NULL;) {
        ox_peer *peer = *link;
        ox_path *path = &peer->paths[0];
        ox_serve_peer(tunnel, peer, now_ns);
        ox_serve_settle(tunnel, now_ns);
        if (ox_queue_waiting(path->queue, ALL) == 0) {
            *link = peer->backlog_next;
            peer->backlogged = false;
            continue;
        }
        uint64_t next = due(tunnel, path, peer->sending[0], now_ns);
        if (next < tunnel->serve_due_ns) tunnel->serve_due_ns = next;
        link = &peer->backlog_next;
    }
}

/** The peer goes: what waits for its paths ends as `why`. */
void ox_serve_forget(ox_tunnel *tunnel, ox_peer *peer, ox_verdict why) {
    for (uint32_t i = 0; i < OX_PATHS_MAX; i++) ox_queue_clear(tunnel->scheduler, peer->paths[i].queue, why);
    if (!peer->backlogged) return;
    ox_peer **link = &tunnel->backlog;
    while (*link != peer) link = &(*link)->backlog_next;
    *link = peer->backlog_next;
    peer->backlogged = false;
}

/** Queues one packet or super-packet. Takes the buffer. */
static void push(ox_tunnel *tunnel, ox_path *path, ox_session *session, ox_buf *buf, ox_class class_, uint32_t hash,
                 uint64_t now_ns) {
    bool waits = ox_queue_waiting(path->queue, ALL) > 0;
    if (!waits) {
        uint64_t hold = class_ > OX_CLASS_REALTIME && buf->segment == 0 ? path->limits.hold_ns[class_] : 0;
        path->hold_until_ns = hold != 0 ? now_ns + hold : 0;
        waits = hold != 0 || !has_window(tunnel, path) || !ox_pacer_ready(&path->pacer, now_ns);
    }
    // What has to wait leaves the large buffers to those who come.
    if (waits && buf->segment == 0) {
        buf = ox_tunnel_shrink(tunnel, buf);
        if (buf == NULL) return;
    }
    buf->flow = hash;
    ox_queue_push(tunnel->scheduler, path->queue, buf, class_, hash, now_ns);
    ox_serve_peer(tunnel, session->peer, now_ns);
}

/** Takes a packet or super-packet that ox_parse() passed on its way to the session's path. Takes the buffer. */
void ox_serve_enqueue(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, const ox_headers *headers, uint32_t hash,
                      uint64_t now_ns) {
    ox_path *path = &session->peer->paths[session->is.path];
    ox_class class_ = ox_classify(tunnel->classifier, tunnel->policy.rules, tunnel->policy.rule_count, buf->data, headers,
                                  hash, now_ns);
    ox_serve_check_limited(tunnel, path, now_ns);
    uint64_t quantum = ox_path_quantum(&path->limits, 0);
    bool fits = quantum >= OX_SEGMENTED_BYTES_MAX || buf->len <= quantum;
    // What may go ahead of others does so packet by packet.
    bool goes_ahead = path->limits.urgent != 0 && class_ <= OX_CLASS_REALTIME;
    bool whole = fits && !goes_ahead && tunnel->policy.train && (session->is.features & OX_FEATURE_TRAIN) != 0;
    if (buf->segment == 0 || whole) {
        push(tunnel, path, session, buf, class_, hash, now_ns);
    } else {
        // A burst of the sender's must not become one of the path's.
        ox_list packets = {0};
        ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, ox_segment(tunnel->is.pool, buf, headers, &packets));
        ox_pool_put(tunnel->is.pool, buf);
        for (ox_buf *packet; (packet = ox_list_take(&packets)) != NULL;)
            push(tunnel, path, session, packet, class_, hash, now_ns);
    }
    if (ox_queue_waiting(path->queue, ALL) > 0) enlist(tunnel, session->peer);
}

void ox_tunnel_set_limits(ox_tunnel *tunnel, uint32_t id, uint32_t path, const ox_path_limits *limits, uint64_t now_ns) {
    ox_peer *peer = id < OX_PEERS_MAX ? tunnel->peers[id] : NULL;
    if (peer == NULL || path >= OX_PATHS_MAX) return;
    ox_path *to = &peer->paths[path];
    // Any thread may look at them, number by number.
    const uint64_t *from = (const uint64_t *)limits;
    for (size_t i = 0; i < sizeof *limits / sizeof *from; i++) ox_publish((uint64_t *)&to->limits + i, from[i]);
    to->flight.loss_permille = limits->loss_permille;
    if (limits->answers_ns != 0) {
        ox_count(&to->stats.answers, 1);
        ox_count(&to->stats.answers_late, now_ns > limits->answers_ns + OX_NS_PER_MS);
    }
    ox_pacer_set(&to->pacer, limits->rate, ox_path_quantum(limits, limits->rate), now_ns);
}
