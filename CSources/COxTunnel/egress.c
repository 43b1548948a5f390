#include "state.h"

/** Tells the sender that its packet is too big for us. */
static void answer_too_big(ox_tunnel *tunnel, const ox_buf *buf, const ox_headers *headers, uint32_t mtu) {
    ox_buf *answer = ox_pool_get(tunnel->is.pool);
    if (answer == NULL) return;
    answer->len = ox_icmp_too_big(buf->data, buf->len, headers, mtu, answer->data);
    if (answer->len > 0) ox_list_append(&tunnel->device, answer);
    else ox_pool_put(tunnel->is.pool, answer);
}

/** Keeps a packet until there is a session, and asks for one. Takes the buffer. */
static void stage(ox_tunnel *tunnel, ox_peer *peer, ox_buf *buf, uint64_t now_ns) {
    if (now_ns >= peer->waiting_due_ns &&
        ox_tunnel_report(tunnel, &(ox_event){.kind = OX_EVENT_PACKETS_WAITING, .peer = peer->id}))
        peer->waiting_due_ns = now_ns + OX_NS_PER_SECOND;
    // Peers that are away must not hold the buffers that those who are here need.
    ox_pool_report pool = ox_pool_status(tunnel->is.pool);
    if (peer->staged.count < OX_STAGED_MAX && pool.free < pool.buffers / 2) {
        ox_tunnel_drop(tunnel, buf, OX_DROP_STAGE_FULL);
        return;
    }
    // The newest packets are worth the most by the time there is a session.
    if (peer->staged.count == OX_STAGED_MAX)
        ox_tunnel_drop(tunnel, ox_list_take(&peer->staged), OX_DROP_STAGE_FULL);
    ox_list_append(&peer->staged, buf);
}

/** The peer that an inner packet's destination belongs to, or NULL. */
static ox_peer *find_peer(const ox_tunnel *tunnel, const ox_buf *buf, const ox_headers *headers) {
    bool v4 = headers->version == 4;
    int64_t id = ox_routes_find(tunnel->policy.routes, buf->data + (v4 ? 16 : 24), v4 ? 4 : 16);
    return id >= 0 ? tunnel->peers[id] : NULL;
}

void ox_egress_packet(ox_tunnel *tunnel, ox_buf *buf, uint64_t now_ns) {
    ox_headers headers;
    ox_verdict verdict = ox_parse(buf->data, buf->len, &headers);
    if (verdict != OX_PASS) {
        ox_tunnel_drop(tunnel, buf, verdict);
        return;
    }
    ox_peer *peer = find_peer(tunnel, buf, &headers);
    if (peer == NULL) {
        ox_tunnel_drop(tunnel, buf, OX_DROP_NO_ROUTE);
        return;
    }
    ox_session *session = peer->sending[0];
    if (session == NULL || ox_session_expired(tunnel, session, now_ns)) {
        stage(tunnel, peer, buf, now_ns);
        return;
    }
    // Here, and not only when it is sealed: a datagram may hold many packets, and each counts.
    verdict = ox_session_can_send(tunnel, session, ox_session_address(session), now_ns);
    if (verdict != OX_PASS) {
        ox_tunnel_drop(tunnel, buf, verdict);
        return;
    }
    uint32_t most = tunnel->policy.inner_mtu;
    if ((session->is.features & OX_FEATURE_SPLIT) == 0 && ox_session_room(session) < most)
        most = ox_session_room(session);
    if (buf->len > most) {
        answer_too_big(tunnel, buf, &headers, most);
        ox_tunnel_drop(tunnel, buf, OX_DROP_PACKET_TOO_BIG);
        return;
    }
    ox_count(&peer->packets[0], 1);
    ox_count(&peer->packets[1], buf->len);
    ox_pack(tunnel, session, buf, now_ns);
}

void ox_egress_staged(ox_tunnel *tunnel, ox_peer *peer, uint64_t now_ns) {
    ox_list staged = peer->staged;
    peer->staged = (ox_list){0};
    peer->waiting_due_ns = 0;
    for (ox_buf *buf; (buf = ox_list_take(&staged)) != NULL;) ox_egress_packet(tunnel, buf, now_ns);
    ox_pack_flush(tunnel, now_ns);
}

void ox_tunnel_egress(ox_tunnel *tunnel, ox_list *packets, uint64_t now_ns) {
    for (ox_buf *buf; (buf = ox_list_take(packets)) != NULL;) ox_egress_packet(tunnel, buf, now_ns);
    ox_pack_flush(tunnel, now_ns);
}
