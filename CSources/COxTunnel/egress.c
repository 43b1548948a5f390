#include "state.h"

/** Tells the sender that its packet is too big for us. */
static void answer_too_big(ox_tunnel *tunnel, const ox_buf *buf, const ox_headers *headers, uint32_t mtu) {
    ox_buf *answer = ox_pool_get(tunnel->is.pool, OX_BUF_SMALL);
    if (answer == NULL) return;
    answer->len = ox_icmp_too_big(buf->data, buf->len, headers, mtu, answer->data);
    if (answer->len > 0) ox_list_append(&tunnel->device, answer);
    else ox_pool_put(tunnel->is.pool, answer);
}

/** Keeps a packet until there is a session. Takes the buffer. */
static void stage(ox_tunnel *tunnel, ox_peer *peer, ox_buf *buf) {
    // Peers that are away must not hold the buffers that those who are here need.
    if (peer->staged.count < OX_STAGED_MAX && ox_pool_free(tunnel->is.pool, OX_BUF_SMALL) < ox_pool_buffers(tunnel->is.pool, OX_BUF_SMALL) / 2) {
        ox_tunnel_drop(tunnel, buf, OX_DROP_STAGE_FULL);
        return;
    }
    buf = ox_tunnel_shrink(tunnel, buf);
    if (buf == NULL) return;
    // The newest packets are worth the most by the time there is a session.
    if (peer->staged.count == OX_STAGED_MAX)
        ox_tunnel_drop(tunnel, ox_list_take(&peer->staged), OX_DROP_STAGE_FULL);
    ox_list_append(&peer->staged, buf);
}

/** Likewise, in packets of its own size where it is a super-packet; and asks for a session. Takes the buffer. */
static void stage_all(ox_tunnel *tunnel, ox_peer *peer, ox_buf *buf, const ox_headers *headers, uint64_t now_ns) {
    if (now_ns >= peer->waiting_due_ns &&
        ox_tunnel_report(tunnel, &(ox_event){.kind = OX_EVENT_PACKETS_WAITING, .peer = peer->id}))
        peer->waiting_due_ns = now_ns + OX_NS_PER_SECOND;
    if (buf->segment == 0) {
        stage(tunnel, peer, buf);
        return;
    }
    ox_list packets = {0};
    ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, ox_segment(tunnel->is.pool, buf, headers, &packets));
    ox_pool_put(tunnel->is.pool, buf);
    for (ox_buf *packet; (packet = ox_list_take(&packets)) != NULL;) stage(tunnel, peer, packet);
}

/** The peer that an inner packet's destination belongs to, or -1. */
static int64_t find_peer(const ox_tunnel *tunnel, const ox_buf *buf, const ox_headers *headers) {
    bool v4 = headers->version == 4;
    return ox_routes_find(tunnel->policy.routes, buf->data + (v4 ? 16 : 24), v4 ? 4 : 16);
}

/** Whether another worker has the peer: then it is given the packet, which is looked at anew there. */
static bool leave_to_owner(ox_tunnel *tunnel, int64_t id, ox_buf *buf) {
    if (tunnel->is.workers == 1 || id < 0) return false;
    uint32_t owner = ox_peer_worker((uint32_t)id, tunnel->is.workers);
    if (owner == tunnel->is.worker) return false;
    // While it is slow it must not hold the buffers that this one reads into.
    const ox_pool *pool = tunnel->is.pool;
    if (buf->segment == 0 && ox_pool_free(pool, OX_BUF_LARGE) < ox_pool_buffers(pool, OX_BUF_LARGE) / 2) {
        buf = ox_tunnel_shrink(tunnel, buf);
        if (buf == NULL) return true;
    }
    ox_list_append(&tunnel->away[owner], buf);
    tunnel->away_count++;
    return true;
}

/**
 * Completes the checksum of a packet inside the packet (VXLAN, GRE, IP in IP): the device names its transport header. False
 * where there is no such field.
 */
static bool complete_inside(ox_buf *buf) {
    bool udp = buf->protocol == OX_PROTO_UDP;
    uint32_t field = buf->transport + (udp ? 6u : 16u);
    if (field + 2 > buf->len) return false;
    uint16_t sum = ox_checksum_finish(ox_checksum_add(buf->data + buf->transport, buf->len - buf->transport, 0));
    ox_store_be16(buf->data + field, udp && sum == 0 ? UINT16_MAX : sum);
    return true;
}

/** UDP over IPv6 without a checksum: tunnels send it (RFC 6935), and who is on the way lets it pass (RFC 6936 section 4). */
static bool has_none(const ox_buf *buf, const ox_headers *headers) {
    return headers->protocol == OX_PROTO_UDP && ox_load_be16(buf->data + headers->transport_offset + 6) == 0;
}

/**
 * The checksum that a packet leaves with is right: the other side marks it so (Wire.md section 6.11).
 */
static ox_verdict check_sum(ox_buf *buf, const ox_headers *headers) {
    bool known = headers->has_transport && !headers->fragment &&
                 (headers->protocol == OX_PROTO_TCP || headers->protocol == OX_PROTO_UDP);
    if (buf->checksum == OX_CHECKSUM_PARTIAL) {
        bool own = known && buf->transport == headers->transport_offset && buf->protocol == headers->protocol;
        // What the device said of a super-packet must be what is in it.
        if (buf->segment != 0) return own ? OX_PASS : OX_DROP_PACKET_HEADER;
        if (own) {
            ox_checksum_complete(buf->data, headers);
            buf->checksum = OX_CHECKSUM_VALID; // a packet that waits for a session comes by here again
            return OX_PASS;
        }
        if (!complete_inside(buf)) return OX_DROP_PACKET_HEADER;
        buf->checksum = OX_CHECKSUM_UNKNOWN; // that of the packet around it
    }
    if (buf->checksum == OX_CHECKSUM_UNKNOWN && known && !has_none(buf, headers) && !ox_checksum_verify(buf->data, headers))
        return OX_DROP_CHECKSUM_WRONG;
    return OX_PASS;
}

/** A super-packet goes as a train, or packet by packet where it cannot. Takes the buffer. */
static void send_super(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, uint64_t now_ns) {
    ox_headers headers;
    OX_ASSERT(ox_parse(buf->data, buf->len, &headers) == OX_PASS); // it passed before it was queued
    bool train = tunnel->policy.train && (session->is.features & OX_FEATURE_TRAIN) != 0;
    if (train) {
        ox_pack_flush(tunnel, now_ns);
        if (ox_cars_send(tunnel, session, buf, &headers, now_ns)) return;
    }
    ox_list packets = {0};
    uint8_t class_ = buf->class_;
    uint32_t flow = buf->flow;
    ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, ox_segment(tunnel->is.pool, buf, &headers, &packets));
    ox_pool_put(tunnel->is.pool, buf);
    for (ox_buf *packet; (packet = ox_list_take(&packets)) != NULL;) {
        packet->class_ = class_;
        packet->flow = flow;
        ox_pack(tunnel, session, packet, now_ns);
    }
}

/** Sends what left the queue: it goes into the open datagram, or as a train. Takes the buffer. */
void ox_egress_send(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, uint64_t now_ns) {
    if (buf->segment != 0) send_super(tunnel, session, buf, now_ns);
    else ox_pack(tunnel, session, buf, now_ns);
}

/** Queues a packet or super-packet that ox_parse() passed. Takes the buffer. */
static void queue_packet(ox_tunnel *tunnel, ox_buf *buf, const ox_headers *headers, uint32_t hash, uint64_t now_ns) {
    int64_t id = find_peer(tunnel, buf, headers);
    if (leave_to_owner(tunnel, id, buf)) return;
    ox_peer *peer = id >= 0 ? tunnel->peers[id] : NULL;
    if (peer == NULL) {
        ox_tunnel_drop(tunnel, buf, OX_DROP_NO_ROUTE);
        return;
    }
    uint32_t count = ox_segments(buf, headers);
    ox_verdict verdict = check_sum(buf, headers);
    ox_session *session = peer->sending[0];
    if (verdict == OX_PASS && (session == NULL || ox_session_expired(tunnel, session, now_ns))) {
        stage_all(tunnel, peer, buf, headers, now_ns);
        return;
    }
    // Here, and not only when it is sealed: a datagram may hold many packets, and each counts.
    if (verdict == OX_PASS) verdict = ox_session_can_send(tunnel, session, ox_session_address(session), now_ns);
    if (verdict != OX_PASS) {
        ox_tunnel_count(tunnel, verdict, count - 1);
        ox_tunnel_drop(tunnel, buf, verdict);
        return;
    }
    uint32_t most = tunnel->policy.inner_mtu;
    if ((session->is.features & OX_FEATURE_SPLIT) == 0 && ox_session_room(session) < most)
        most = ox_session_room(session);
    uint32_t largest = buf->segment != 0 ? ox_headers_bytes(headers) + buf->segment : buf->len;
    if (largest > most) {
        answer_too_big(tunnel, buf, headers, most);
        ox_tunnel_count(tunnel, OX_DROP_PACKET_TOO_BIG, count - 1);
        ox_tunnel_drop(tunnel, buf, OX_DROP_PACKET_TOO_BIG);
        return;
    }
    ox_count(&peer->packets[0], count);
    ox_count(&peer->packets[1], buf->len);
    ox_serve_enqueue(tunnel, session, buf, headers, hash, now_ns);
}

/** Takes the buffer, of which `verdict`, `headers` and `hash` are what ox_parse_batch() says. */
static void take_parsed(ox_tunnel *tunnel, ox_buf *buf, ox_verdict verdict, const ox_headers *headers, uint32_t hash,
                        uint64_t now_ns) {
    // A device that speaks of segments speaks of TCP or UDP.
    bool cut = headers->has_transport && !headers->fragment && buf->checksum == OX_CHECKSUM_PARTIAL;
    if (verdict == OX_PASS && buf->segment != 0 && !cut) verdict = OX_DROP_PACKET_HEADER;
    if (verdict == OX_PASS && buf->segment != 0 && buf->len <= ox_headers_bytes(headers) + buf->segment)
        buf->segment = 0; // one segment is a packet
    if (verdict != OX_PASS) ox_tunnel_drop(tunnel, buf, verdict);
    else queue_packet(tunnel, buf, headers, hash, now_ns);
}

void ox_tunnel_egress(ox_tunnel *tunnel, ox_list *packets, uint64_t now_ns) {
    ox_buf *buffers[OX_PARSE_BATCH_MAX];
    for (uint32_t count; (count = ox_tunnel_parse(tunnel, packets, buffers)) > 0;)
        for (uint32_t i = 0; i < count; i++)
            take_parsed(tunnel, buffers[i], (ox_verdict)tunnel->parsed.verdicts[i], &tunnel->parsed.headers[i],
                        tunnel->parsed.hashes[i], now_ns);
    ox_serve_settle(tunnel, now_ns);
}

void ox_egress_staged(ox_tunnel *tunnel, ox_peer *peer, uint64_t now_ns) {
    ox_list staged = peer->staged;
    peer->staged = (ox_list){0};
    peer->waiting_due_ns = 0;
    ox_tunnel_egress(tunnel, &staged, now_ns);
}
