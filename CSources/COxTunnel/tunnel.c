#include "state.h"

#include <stdlib.h>

void ox_policy_defaults(ox_policy *policy) {
    *policy = (ox_policy){
        .reject_after_ns = (uint64_t)180 * OX_NS_PER_SECOND,
        .feedback_delay_ns = (uint64_t)100 * OX_NS_PER_MS,
        .feedback_least_ns = (uint64_t)2 * OX_NS_PER_MS,
        .feedback_most_ns = (uint64_t)10 * OX_NS_PER_MS,
        .feedback_bytes = 2 * OX_MTU_BASE,
        .handshakes_per_second = 256,
        .cookies_per_second = 16384,
        .source_handshakes_per_second = 16,
        .inner_mtu = OX_INNER_MTU,
        .train_wait_ns = (uint64_t)3 * OX_NS_PER_MS,
        .queue = {.packets_most = 16384,
                  .bytes_most = 16 << 20,
                  .target_us = OX_CODEL_TARGET_US,
                  .interval_us = OX_CODEL_INTERVAL_US,
                  .fair = true,
                  .ecn = true},
        .hold_packets = 64,
        .train = true,
        .coalesce = true,
        .batch = true,
    };
}

/* ---- peers and sessions ------------------------------------------------------------------------------------- */

ox_peer *ox_peer_create(uint32_t id) {
    OX_ASSERT(id < OX_PEERS_MAX);
    ox_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) return NULL;
    peer->id = id;
    for (uint32_t i = 0; i < OX_PATHS_MAX; i++) {
        peer->paths[i].mtu = OX_MTU_BASE;
        peer->paths[i].queue = ox_queue_create();
        if (peer->paths[i].queue != NULL) continue;
        ox_peer_destroy(peer);
        return NULL;
    }
    return peer;
}

void ox_peer_destroy(ox_peer *peer) {
    if (peer == NULL) return;
    OX_ASSERT(peer->staged.count == 0);
    for (uint32_t i = 0; i < OX_PATHS_MAX; i++) ox_queue_destroy(peer->paths[i].queue);
    free(peer);
}

uint32_t ox_peer_id(const ox_peer *peer) { return peer->id; }

void ox_peer_status(const ox_peer *peer, ox_peer_report *report) {
    for (uint32_t i = 0; i < OX_PATHS_MAX; i++)
        ox_snapshot(&report->paths[i], &peer->paths[i].stats, sizeof report->paths[i]);
    for (uint32_t i = 0; i < OX_PATHS_MAX; i++) {
        ox_snapshot(&report->limits[i], &peer->paths[i].limits, sizeof report->limits[i]);
        ox_queue_status(peer->paths[i].queue, report->queues[i]);
        ox_snapshot(&report->repair_orders[i], &peer->paths[i].repair, sizeof report->repair_orders[i]);
        ox_snapshot(&report->repairs[i], &peer->paths[i].repairs, sizeof report->repairs[i]);
        ox_snapshot(&report->compact[i], &peer->paths[i].compact, sizeof report->compact[i]);
    }
    uint64_t packets[4];
    ox_snapshot(packets, peer->packets, sizeof packets);
    report->packets_sent = packets[0];
    report->packet_bytes_sent = packets[1];
    report->packets_received = packets[2];
    report->packet_bytes_received = packets[3];
}

ox_session *ox_session_create(const ox_session_parameters *parameters, ox_keys *keys) {
    OX_ASSERT(parameters->path < OX_PATHS_MAX && parameters->remote_bytes <= OX_SESSION_ID_BYTES_MAX);
    ox_session *session = calloc(1, sizeof *session);
    void *ledger = ox_reserve(ox_ledger_bytes());
    bool repairs = (parameters->features & OX_FEATURE_REPAIR) != 0;
    ox_session_repair *repair = repairs ? ox_session_repair_create() : NULL;
    bool compacts = (parameters->features & OX_FEATURE_ROHC) != 0;
    ox_session_compact *compact = compacts ? ox_session_compact_create() : NULL;
    if (session == NULL || ledger == NULL || (repairs && repair == NULL) || (compacts && compact == NULL)) {
        ox_session_compact_destroy(compact);
        ox_session_repair_destroy(repair);
        free(session);
        ox_release(ledger, ox_ledger_bytes());
        ox_keys_destroy(keys);
        return NULL;
    }
    session->is = *parameters;
    session->keys = keys;
    session->aead = ox_keys_aead(keys);
    session->tag_bytes = ox_aead_tag_bytes(session->aead);
    session->ledger = ox_ledger_init(ledger);
    ox_replay_init(&session->replay,
                   parameters->replay_window != 0 ? parameters->replay_window : (uint32_t)OX_REPLAY_WINDOW_DEFAULT);
    session->feedback_due_ns = OX_NEVER;
    session->report_due_ns = OX_NEVER;
    session->ledger_due_ns = OX_NEVER;
    session->late_floor = OX_NEVER;
    session->repair = repair;
    session->repair_due_ns = OX_NEVER;
    session->compact = compact;
    return session;
}

void ox_session_destroy(ox_session *session) {
    if (session == NULL) return;
    ox_keys_destroy(session->keys);
    ox_release(session->ledger, ox_ledger_bytes());
    ox_session_repair_destroy(session->repair);
    ox_session_compact_destroy(session->compact);
    free(session);
}

bool ox_session_expired(const ox_tunnel *tunnel, const ox_session *session, uint64_t now_ns) {
    return now_ns >= session->is.created_ns && now_ns - session->is.created_ns >= tunnel->policy.reject_after_ns;
}

/* ---- the tunnel --------------------------------------------------------------------------------------------- */

ox_tunnel *ox_tunnel_create(const ox_tunnel_parameters *parameters) {
    OX_ASSERT(parameters->session_id_bytes >= 1 && parameters->session_id_bytes <= 3);
    OX_ASSERT(parameters->workers <= OX_WORKERS_MAX);
    OX_ASSERT(parameters->worker < parameters->workers || parameters->worker == 0);
    ox_tunnel *tunnel = calloc(1, sizeof *tunnel);
    if (tunnel == NULL) return NULL;
    tunnel->is = *parameters;
    if (tunnel->is.workers == 0) tunnel->is.workers = 1;
    tunnel->session_limit = 1u << 8 * parameters->session_id_bytes;
    tunnel->peers = calloc(OX_PEERS_MAX, sizeof *tunnel->peers);
    tunnel->sessions = calloc(tunnel->session_limit, sizeof *tunnel->sessions);
    tunnel->coalescer = ox_coalescer_create(parameters->pool);
    uint64_t seed;
    ox_random(&seed, sizeof seed);
    tunnel->classifier = ox_classifier_create();
    tunnel->scheduler = ox_scheduler_create(
        &(ox_scheduler_parameters){.pool = parameters->pool, .drops = tunnel->drops, .seed = seed});
    if (tunnel->peers == NULL || tunnel->sessions == NULL || tunnel->coalescer == NULL || tunnel->classifier == NULL ||
        tunnel->scheduler == NULL) {
        ox_scheduler_destroy(tunnel->scheduler);
        ox_classifier_destroy(tunnel->classifier);
        ox_coalescer_destroy(tunnel->coalescer);
        free(tunnel->peers);
        free(tunnel->sessions);
        free(tunnel);
        return NULL;
    }
    ox_policy_defaults(&tunnel->policy);
    ox_scheduler_set_policy(tunnel->scheduler, &tunnel->policy.queue);
    ox_random(&tunnel->gate.seed, sizeof tunnel->gate.seed);
    ox_random(&seed, sizeof seed);
    ox_flow_key_init(&tunnel->flow_key, seed);
    tunnel->next_due_ns = OX_NEVER;
    tunnel->serve_due_ns = OX_NEVER;
    tunnel->trains_due_ns = OX_NEVER;
    return tunnel;
}

void ox_tunnel_destroy(ox_tunnel *tunnel) {
    if (tunnel == NULL) return;
    for (uint32_t i = 0; i < OX_PEERS_MAX; i++) {
        if (tunnel->peers[i] == NULL) continue;
        ox_pool_put_list(tunnel->is.pool, &tunnel->peers[i]->staged);
        ox_serve_forget(tunnel, tunnel->peers[i], OX_DROP_NO_SESSION);
    }
    if (tunnel->open.session != NULL) ox_pool_put(tunnel->is.pool, tunnel->open.buf);
    ox_scheduler_destroy(tunnel->scheduler);
    ox_classifier_destroy(tunnel->classifier);
    for (uint32_t i = 0; i < OX_SPLIT_SLOTS; i++)
        if (tunnel->halves[i].session != NULL) ox_pool_put(tunnel->is.pool, tunnel->halves[i].buf);
    for (uint32_t i = 0; i < OX_TRAIN_SLOTS; i++)
        if (tunnel->trains[i].session != NULL && tunnel->trains[i].buf != NULL)
            ox_pool_put(tunnel->is.pool, tunnel->trains[i].buf);
    ox_coalescer_destroy(tunnel->coalescer);
    ox_pool_put_list(tunnel->is.pool, &tunnel->arrived);
    ox_pool_put_list(tunnel->is.pool, &tunnel->network);
    ox_pool_put_list(tunnel->is.pool, &tunnel->device);
    for (uint32_t i = 0; i < OX_WORKERS_MAX; i++) ox_pool_put_list(tunnel->is.pool, &tunnel->away[i]);
    free(tunnel->sessions);
    free(tunnel->peers);
    free(tunnel);
}

void ox_tunnel_set_policy(ox_tunnel *tunnel, const ox_policy *policy) {
    OX_ASSERT(policy->inner_mtu <= OX_INNER_MTU);
    OX_ASSERT(policy->rule_count <= OX_CLASS_RULES_MAX);
    tunnel->policy = *policy;
    ox_scheduler_set_policy(tunnel->scheduler, &policy->queue);
}

void ox_tunnel_count(ox_tunnel *tunnel, ox_verdict verdict, uint64_t packets) {
    ox_count(&tunnel->drops[verdict], packets);
}

/** Takes a batch of packets off the list, parsed into `parsed`. Returns how many. */
uint32_t ox_tunnel_parse(ox_tunnel *tunnel, ox_list *packets, ox_buf *taken[OX_PARSE_BATCH_MAX]) {
    const uint8_t *bytes[OX_PARSE_BATCH_MAX];
    uint32_t lengths[OX_PARSE_BATCH_MAX], count = 0;
    for (ox_buf *buf; count < OX_PARSE_BATCH_MAX && (buf = ox_list_take(packets)) != NULL; count++) {
        taken[count] = buf;
        bytes[count] = buf->data;
        lengths[count] = buf->len;
    }
    if (count > 0) ox_parse_batch(&tunnel->flow_key, bytes, lengths, count, &tunnel->parsed);
    return count;
}

/**
 * A packet that stays for a while moves into a small buffer, and leaves the large ones to those who come. NULL, and it is
 * counted, when there is none. Takes the buffer.
 */
ox_buf *ox_tunnel_shrink(ox_tunnel *tunnel, ox_buf *buf) {
    if (buf->capacity == OX_BUF_BYTES) return buf;
    ox_buf *small = buf->len <= OX_BUF_CONTENT_MAX ? ox_pool_get(tunnel->is.pool, OX_BUF_SMALL) : NULL;
    if (small == NULL) {
        ox_tunnel_drop(tunnel, buf, OX_DROP_POOL_EMPTY);
        return NULL;
    }
    memcpy(small->data, buf->data, buf->len);
    small->len = buf->len;
    small->checksum = buf->checksum;
    small->transport = buf->transport;
    small->protocol = buf->protocol;
    small->ecn = buf->ecn;
    ox_pool_put(tunnel->is.pool, buf);
    return small;
}

void ox_tunnel_drop(ox_tunnel *tunnel, ox_buf *buf, ox_verdict why) {
    OX_ASSERT(why != OX_PASS);
    ox_tunnel_count(tunnel, why, 1);
    ox_pool_put(tunnel->is.pool, buf);
}

void ox_tunnel_drops(const ox_tunnel *tunnel, uint64_t counts[OX_VERDICT_COUNT]) {
    ox_snapshot(counts, tunnel->drops, sizeof tunnel->drops);
}

/** Events that say the same again later, or that strangers cause, leave room for those that happen once. */
static bool can_be_lost(ox_event_kind kind) {
    return kind == OX_EVENT_HANDSHAKE || kind == OX_EVENT_ACTIVITY || kind == OX_EVENT_ADDRESS_CHANGED ||
           kind == OX_EVENT_PACKETS_WAITING || kind == OX_EVENT_CHALLENGE_ANSWERED ||
           kind == OX_EVENT_MTU_ACKNOWLEDGED || kind == OX_EVENT_MTU_BLACK_HOLE || kind == OX_EVENT_PATH_SAMPLE;
}

bool ox_tunnel_report(ox_tunnel *tunnel, const ox_event *event) {
    bool was_empty = false;
    bool fits = !can_be_lost(event->kind) || ox_ring_room(tunnel->is.events) > OX_EVENTS_RESERVED;
    if (!fits || !ox_ring_push(tunnel->is.events, event, &was_empty)) {
        ox_tunnel_count(tunnel, OX_DROP_EVENT_RING_FULL, 1);
        return false;
    }
    if (was_empty) tunnel->events_pushed = true;
    return true;
}

bool ox_tunnel_take_edge(ox_tunnel *tunnel) {
    bool edge = tunnel->events_pushed;
    tunnel->events_pushed = false;
    return edge;
}

void ox_tunnel_take_network(ox_tunnel *tunnel, ox_list *datagrams) { ox_list_concat(datagrams, &tunnel->network); }

void ox_tunnel_take_device(ox_tunnel *tunnel, ox_list *packets) { ox_list_concat(packets, &tunnel->device); }

bool ox_tunnel_has_away(const ox_tunnel *tunnel) { return tunnel->away_count != 0; }

void ox_tunnel_take_away(ox_tunnel *tunnel, uint32_t worker, ox_list *packets) {
    OX_ASSERT(worker < OX_WORKERS_MAX);
    tunnel->away_count -= tunnel->away[worker].count;
    ox_list_concat(packets, &tunnel->away[worker]);
}

/* ---- orders ------------------------------------------------------------------------------------------------- */

void ox_tunnel_add_peer(ox_tunnel *tunnel, ox_peer *peer) {
    OX_ASSERT(tunnel->peers[peer->id] == NULL);
    tunnel->peers[peer->id] = peer;
}

ox_peer *ox_tunnel_remove_peer(ox_tunnel *tunnel, uint32_t id) {
    ox_peer *peer = id < OX_PEERS_MAX ? tunnel->peers[id] : NULL;
    if (peer == NULL) return NULL;
    OX_ASSERT(peer->sessions == 0);
    ox_tunnel_drop_staged(tunnel, id, OX_DROP_NO_ROUTE);
    ox_serve_forget(tunnel, peer, OX_DROP_NO_ROUTE);
    tunnel->peers[id] = NULL;
    return peer;
}

ox_session *ox_tunnel_session(const ox_tunnel *tunnel, uint32_t local) {
    return local < tunnel->session_limit ? tunnel->sessions[local] : NULL;
}

ox_session *ox_tunnel_add_session(ox_tunnel *tunnel, ox_session *session) {
    uint32_t local = session->is.local, peer = session->is.peer;
    if (local >= tunnel->session_limit || tunnel->sessions[local] != NULL) return session;
    if (peer >= OX_PEERS_MAX || tunnel->peers[peer] == NULL) return session;
    session->peer = tunnel->peers[peer];
    session->peer->sessions++;
    tunnel->sessions[local] = session;
    return NULL;
}

ox_session *ox_tunnel_remove_session(ox_tunnel *tunnel, uint32_t local) {
    ox_session *session = ox_tunnel_session(tunnel, local);
    if (session == NULL) return NULL;
    if (tunnel->open.session == session) {
        ox_tunnel_count(tunnel, OX_DROP_NO_SESSION, tunnel->open.packets);
        ox_pool_put(tunnel->is.pool, tunnel->open.buf);
        tunnel->open = (ox_open){0};
    }
    ox_split_forget(tunnel, session);
    ox_train_forget(tunnel, session);
    ox_session_deactivate(tunnel, session);
    ox_ledger_forget(session->ledger, &session->peer->paths[session->is.path].flight,
                     &session->peer->paths[session->is.path].stats);
    if (session->peer->sending[session->is.path] == session) {
        session->peer->sending[session->is.path] = NULL;
        // What waits would be old news by the time there is another.
        ox_serve_forget(tunnel, session->peer, OX_DROP_NO_SESSION);
    }
    session->peer->sessions--;
    tunnel->sessions[local] = NULL;
    return session;
}

void ox_tunnel_use_session(ox_tunnel *tunnel, uint32_t local, bool confirm, uint64_t now_ns) {
    ox_session *session = ox_tunnel_session(tunnel, local);
    if (session == NULL) return;
    session->peer->sending[session->is.path] = session;
    uint64_t unused = session->next_number;
    ox_egress_staged(tunnel, session->peer, now_ns);
    ox_serve_peer(tunnel, session->peer, now_ns);
    if (confirm && session->next_number == unused) ox_tunnel_send_keepalive(tunnel, local, now_ns);
}

//= RFC 9000 section 9.4
//# what was known of the old path's congestion and round trip says nothing of the new one
static void begin_anew(ox_peer *peer, uint32_t index) {
    ox_path *path = &peer->paths[index];
    ox_session *session = peer->sending[index];
    if (session != NULL) ox_ledger_forget(session->ledger, &path->flight, &path->stats);
    // Predecessors of the session may still have something in flight, which their ledgers take off.
    path->flight = (ox_flight){.in_flight = path->flight.in_flight, .loss_permille = path->flight.loss_permille};
    path->pacer = (ox_pacer){0};
    path->unsaid = (ox_path_sample){0};
    ox_publish(&path->stats.rtt_samples, 0);
    ox_publish(&path->stats.rtt_smoothed_ns, 0);
    ox_publish(&path->stats.rtt_variance_ns, 0);
    ox_publish(&path->stats.rtt_latest_ns, 0);
}

void ox_tunnel_move_path(ox_tunnel *tunnel, uint32_t id, uint32_t path, const ox_address *address) {
    ox_peer *peer = id < OX_PEERS_MAX ? tunnel->peers[id] : NULL;
    if (peer == NULL || path >= OX_PATHS_MAX) return;
    ox_path *moved = &peer->paths[path];
    if (ox_address_equal(&moved->address, address)) return;
    // Another port of the same address is the same path behind another NAT entry.
    if (memcmp(moved->address.ip, address->ip, sizeof address->ip) != 0) begin_anew(peer, path);
    moved->address = *address;
    memset(moved->local, 0, sizeof moved->local);
    ox_publish(&moved->stats.rtt_min_ns, 0);
}

void ox_tunnel_set_mtu(ox_tunnel *tunnel, uint32_t id, uint32_t path, uint32_t size) {
    ox_peer *peer = id < OX_PEERS_MAX ? tunnel->peers[id] : NULL;
    if (peer == NULL || path >= OX_PATHS_MAX) return;
    peer->paths[path].mtu = size < OX_MTU_BASE ? OX_MTU_BASE : size;
}

void ox_tunnel_send_challenge(ox_tunnel *tunnel, uint32_t local, uint64_t token, const ox_address *to, uint64_t now_ns) {
    ox_session *session = ox_tunnel_session(tunnel, local);
    if (session == NULL) return;
    uint8_t body[OX_CHALLENGE_BYTES];
    ox_store_be64(body, token);
    const ox_address *where = ox_address_is_none(to) ? ox_session_address(session) : to;
    ox_session_send_frame(tunnel, session, OX_FRAME_CHALLENGE, body, sizeof body, where, now_ns);
}

void ox_tunnel_send_close(ox_tunnel *tunnel, uint32_t local, uint8_t reason, uint64_t now_ns) {
    ox_session *session = ox_tunnel_session(tunnel, local);
    if (session == NULL) return;
    ox_session_send_frame(tunnel, session, OX_FRAME_CLOSE, &reason, 1, ox_session_address(session), now_ns);
}

void ox_tunnel_send_keepalive(ox_tunnel *tunnel, uint32_t local, uint64_t now_ns) {
    ox_session *session = ox_tunnel_session(tunnel, local);
    if (session == NULL) return;
    ox_buf *buf = ox_pool_get(tunnel->is.pool, OX_BUF_SMALL);
    if (buf == NULL) {
        ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, 1);
        return;
    }
    ox_pack_flush_of(tunnel, session, now_ns);
    ox_session_seal(tunnel, session, buf, true, ox_session_address(session), now_ns);
}

void ox_tunnel_send_probe(ox_tunnel *tunnel, uint32_t local, uint32_t size, uint64_t now_ns) {
    ox_session *session = ox_tunnel_session(tunnel, local);
    if (session == NULL) return;
    ox_pack_flush_of(tunnel, session, now_ns);
    uint32_t used = ox_session_overhead(session, session->next_number);
    if (size < used || size - used > OX_BUF_CONTENT_MAX - OX_HEADER_MAX) return;
    ox_buf *buf = ox_pool_get(tunnel->is.pool, OX_BUF_SMALL);
    if (buf == NULL) {
        ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, 1);
        return;
    }
    memset(buf->data, OX_FRAME_PADDING, size - used);
    buf->len = size - used;
    uint64_t number = session->next_number;
    uint64_t eliciting_ns = session->sent_eliciting_ns;
    if (ox_session_seal(tunnel, session, buf, true, ox_session_address(session), now_ns))
        ox_ledger_mark_probe(session->ledger, &session->peer->paths[session->is.path].flight, number);
    // A probe that vanishes says that it was too large, not that the peer is gone.
    session->sent_eliciting_ns = eliciting_ns;
}

void ox_tunnel_send_handshake(ox_tunnel *tunnel, const uint8_t *bytes, size_t len, const ox_address *to) {
    OX_ASSERT(len <= OX_HANDSHAKE_MAX);
    ox_buf *buf = ox_pool_get(tunnel->is.pool, OX_BUF_SMALL);
    if (buf == NULL) {
        ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, 1);
        return;
    }
    memcpy(buf->data, bytes, len);
    buf->len = (uint32_t)len;
    buf->address = *to;
    buf->handshake = 1;
    ox_gate_await(tunnel, bytes, len);
    ox_gate_answer_from(tunnel, buf);
    ox_list_append(&tunnel->network, buf);
}

void ox_tunnel_drop_staged(ox_tunnel *tunnel, uint32_t id, ox_verdict why) {
    ox_peer *peer = id < OX_PEERS_MAX ? tunnel->peers[id] : NULL;
    if (peer == NULL) return;
    ox_tunnel_count(tunnel, why, peer->staged.count);
    ox_pool_put_list(tunnel->is.pool, &peer->staged);
    if (peer->sending[0] == NULL) ox_serve_forget(tunnel, peer, why);
}
