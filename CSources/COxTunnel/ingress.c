#include "state.h"

/** One datagram on its way in. */
typedef struct arrival {
    ox_session *session;
    ox_buf *buf;
    uint64_t number;
    uint64_t now_ns;
    bool eliciting;
    bool keepalive;
    bool answered; /**< a challenge: one a datagram */
    bool fed;      /**< a FEEDBACK was applied: one a datagram, for each costs a walk through the ledger */
    bool heard;    /**< an ANSWER was reported: one a datagram */
    bool kept;     /**< the buffer went on with its last frame */
} arrival;

/** Hands an inner packet to the device, if it is one that this peer may send. Takes the buffer. */
static void deliver(ox_tunnel *tunnel, const ox_session *session, ox_buf *buf) {
    ox_headers headers;
    ox_verdict verdict = ox_parse(buf->data, buf->len, &headers);
    if (verdict == OX_PASS && buf->len > OX_INNER_MTU) verdict = OX_DROP_PACKET_TOO_BIG;
    if (verdict == OX_PASS) {
        bool v4 = headers.version == 4;
        int64_t owner = ox_routes_find(tunnel->policy.routes, buf->data + (v4 ? 12 : 8), v4 ? 4 : 16);
        if (owner != (int64_t)session->is.peer) verdict = OX_DROP_SOURCE_NOT_ALLOWED;
    }
    if (verdict == OX_PASS) verdict = ox_ecn_decapsulate(buf->data, buf->ecn);
    if (verdict != OX_PASS) {
        ox_tunnel_drop(tunnel, buf, verdict);
        return;
    }
    ox_count(&session->peer->packets[2], 1);
    ox_count(&session->peer->packets[3], buf->len);
    ox_list_append(&tunnel->device, buf);
}

static void take_batch(ox_tunnel *tunnel, const arrival *a, const ox_frame *frame) {
    for (size_t at = 0; at < frame->len;) {
        uint64_t len = 0;
        uint32_t bytes = ox_varint_read(frame->body + at, frame->len - at, &len);
        if (bytes == 0 || len > frame->len - at - bytes || len > OX_BUF_CONTENT_MAX) {
            ox_tunnel_count(tunnel, OX_DROP_FRAME_MALFORMED, 1);
            return;
        }
        const uint8_t *body = frame->body + at + bytes;
        at += bytes + (size_t)len;
        ox_buf *packet = ox_pool_get(tunnel->is.pool);
        if (packet == NULL) { // each of the others counts too
            ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, 1);
            continue;
        }
        memcpy(packet->data, body, (size_t)len);
        packet->len = (uint32_t)len;
        packet->ecn = a->buf->ecn;
        deliver(tunnel, a->session, packet);
    }
}

/** The last frame's body becomes the buffer's content. */
static ox_buf *keep_body(arrival *a, const ox_frame *frame) {
    ox_buf *buf = a->buf;
    buf->data += frame->body - buf->data;
    buf->len = (uint32_t)frame->len;
    a->kept = true;
    return buf;
}

static void take_tail(ox_tunnel *tunnel, const arrival *a, const ox_frame *frame) {
    uint64_t distance = 0;
    uint32_t bytes = ox_varint_read(frame->body, frame->len, &distance);
    if (bytes == 0 || bytes == frame->len || distance == 0 || distance > a->number) {
        ox_tunnel_count(tunnel, OX_DROP_SPLIT_MALFORMED, 1);
        return;
    }
    ox_buf *packet = ox_split_tail(tunnel, a->session, a->number - distance, frame->body + bytes, frame->len - bytes,
                                   a->buf->ecn);
    if (packet != NULL) deliver(tunnel, a->session, packet);
}

static void take_feedback(ox_tunnel *tunnel, arrival *a, const ox_frame *frame) {
    ox_feedback feedback;
    ox_ledger_result result;
    ox_session *session = a->session;
    if (a->fed) {
        ox_tunnel_count(tunnel, OX_DROP_FRAME_MALFORMED, 1);
        return;
    }
    a->fed = true;
    ox_verdict verdict = ox_feedback_read(frame->body, frame->len, &feedback);
    if (verdict == OX_PASS)
        verdict = ox_ledger_feedback(session->ledger, &session->peer->paths[session->is.path].stats, &feedback,
                                     a->now_ns, &result);
    if (verdict != OX_PASS) {
        ox_tunnel_count(tunnel, verdict, 1);
        return;
    }
    session->next_expected = result.next_expected;
    ox_event event = {.peer = session->is.peer, .session = session->is.local, .size = result.probe_size};
    if (result.probe_size > 0) {
        event.kind = OX_EVENT_MTU_ACKNOWLEDGED;
        ox_tunnel_report(tunnel, &event);
    }
    if (result.black_hole) {
        event.kind = OX_EVENT_MTU_BLACK_HOLE;
        ox_tunnel_report(tunnel, &event);
    }
}

static void take_control(ox_tunnel *tunnel, arrival *a, const ox_frame *frame) {
    ox_session *session = a->session;
    bool close = frame->type == OX_FRAME_CLOSE;
    if (frame->len != (close ? 1u : (size_t)OX_CHALLENGE_BYTES)) {
        ox_tunnel_count(tunnel, OX_DROP_FRAME_MALFORMED, 1);
        return;
    }
    ox_event event = {.peer = session->is.peer, .session = session->is.local, .address = a->buf->address};
    if (close) {
        event.kind = OX_EVENT_CLOSED;
        event.size = frame->body[0];
        if (!session->closed) session->closed = ox_tunnel_report(tunnel, &event);
    } else if (frame->type == OX_FRAME_ANSWER) {
        event.kind = OX_EVENT_CHALLENGE_ANSWERED;
        event.token = ox_load_be64(frame->body);
        if (!a->heard) a->heard = ox_tunnel_report(tunnel, &event);
    } else if (!a->answered) {
        a->answered = true;
        ox_session_send_frame(tunnel, session, OX_FRAME_ANSWER, frame->body, OX_CHALLENGE_BYTES, &a->buf->address,
                              a->now_ns);
    }
}

/** False when nothing behind this frame may be read. */
static bool take_frame(ox_tunnel *tunnel, arrival *a, const ox_frame *frame, bool last) {
    if (frame->type != OX_FRAME_FEEDBACK && frame->type != OX_FRAME_CLOSE) a->eliciting = true;
    switch (frame->type) {
    case OX_FRAME_PADDING: return true;
    case OX_FRAME_BATCH: take_batch(tunnel, a, frame); return true;
    case OX_FRAME_TAIL: take_tail(tunnel, a, frame); return true;
    case OX_FRAME_FEEDBACK: take_feedback(tunnel, a, frame); return true;
    case OX_FRAME_PACKET: deliver(tunnel, a->session, keep_body(a, frame)); return true;
    case OX_FRAME_HEAD: {
        if (!last || frame->len == 0) {
            ox_tunnel_count(tunnel, OX_DROP_SPLIT_MALFORMED, 1);
            return false;
        }
        ox_buf *packet = ox_split_head(tunnel, a->session, a->number, keep_body(a, frame));
        if (packet != NULL) deliver(tunnel, a->session, packet);
        return true;
    }
    case OX_FRAME_CHALLENGE:
    case OX_FRAME_ANSWER:
    case OX_FRAME_CLOSE: take_control(tunnel, a, frame); return true;
    default:
        //= Wire.md section 6.9
        //# a frame of unknown type is skipped by its length
        ox_tunnel_count(tunnel, OX_DROP_FRAME_UNKNOWN, 1);
        return true;
    }
}

static void take_frames(ox_tunnel *tunnel, arrival *a) {
    const uint8_t *bytes = a->buf->data;
    size_t len = a->buf->len, offset = 0;
    a->eliciting = a->keepalive = len == 0;
    while (offset < len) {
        ox_frame frame;
        ox_verdict verdict = ox_frame_read(bytes, len, &offset, &frame);
        if (verdict != OX_PASS) {
            ox_tunnel_count(tunnel, verdict, 1);
            return;
        }
        if (!take_frame(tunnel, a, &frame, offset == len)) return;
    }
}

/** What the arrival of an authentic datagram itself means, whatever is in it. */
static void note_arrival(ox_tunnel *tunnel, arrival *a, uint32_t datagram_bytes) {
    ox_session *session = a->session;
    ox_path *path = &session->peer->paths[session->is.path];
    bool newest = a->number >= session->replay.next;
    ox_replay_commit(&session->replay, a->number);
    if (newest) session->newest_arrival_ns = a->now_ns;
    session->ect0 += a->buf->ecn == OX_ECN_ECT0;
    session->ect1 += a->buf->ecn == OX_ECN_ECT1;
    session->ce += a->buf->ecn == OX_ECN_CE;
    session->received_ns = a->now_ns;
    ox_count(&path->stats.received, 1);
    ox_count(&path->stats.received_bytes, datagram_bytes);
    ox_session_touch(tunnel, session, a->now_ns);
    ox_event event = {.peer = session->is.peer, .session = session->is.local, .address = a->buf->address};
    if (!session->confirmed) {
        event.kind = OX_EVENT_SESSION_CONFIRMED;
        session->confirmed = ox_tunnel_report(tunnel, &event);
    }
    //= Wire.md section 7.3
    //# only the newest datagram says where the peer is
    if (!newest) return;
    if (ox_address_equal(&a->buf->address, ox_session_address(session))) {
        memcpy(path->local, a->buf->local, sizeof path->local);
        return;
    }
    uint64_t interval = (uint64_t)OX_ACTIVITY_INTERVAL_MS * OX_NS_PER_MS;
    if (session->address_reported_ns != 0 && a->now_ns - session->address_reported_ns < interval) return;
    session->address_reported_ns = a->now_ns;
    event.kind = OX_EVENT_ADDRESS_CHANGED;
    ox_tunnel_report(tunnel, &event);
}

/** Finds the session of a data datagram and opens it in place: header and tag are gone when it passes. */
static ox_verdict open_datagram(ox_tunnel *tunnel, arrival *a) {
    ox_buf *buf = a->buf;
    ox_header header;
    ox_verdict verdict = ox_header_read(buf->data, buf->len, tunnel->is.session_id_bytes, &header);
    if (verdict != OX_PASS) return verdict;
    ox_session *session = ox_tunnel_session(tunnel, header.session);
    if (session == NULL) return OX_DROP_SESSION_UNKNOWN;
    if (ox_session_expired(tunnel, session, a->now_ns)) return OX_DROP_KEY_EXPIRED;
    if (session->aead == OX_AEAD_NONE && !ox_address_equal(&buf->address, &session->is.trusted))
        return OX_DROP_ADDRESS_UNTRUSTED;
    if (buf->len < header.header_bytes + session->tag_bytes) return OX_DROP_DATAGRAM_SHORT;
    a->session = session;
    a->number = ox_number_rebuild(session->replay.next, header.truncated, header.number_bytes);
    verdict = ox_replay_check(&session->replay, a->number);
    if (verdict != OX_PASS) return verdict;
    const uint8_t *aad = buf->data;
    buf->data += header.header_bytes;
    buf->len -= header.header_bytes + session->tag_bytes;
    ox_status status = ox_keys_open(session->keys, session->is.path, a->number, aad, header.header_bytes, buf->data, buf->len);
    return status == OX_OK ? OX_PASS : OX_DROP_UNAUTHENTICATED;
}

static void take_datagram(ox_tunnel *tunnel, ox_buf *buf, uint64_t now_ns) {
    if (buf->len == 0 || buf->cut) {
        ox_tunnel_drop(tunnel, buf, buf->cut ? OX_DROP_DATAGRAM_LONG : OX_DROP_DATAGRAM_SHORT);
        return;
    }
    if (buf->data[0] < OX_TYPE_DATA) {
        ox_gate_handshake(tunnel, buf, now_ns);
        return;
    }
    arrival a = {.buf = buf, .now_ns = now_ns};
    uint32_t datagram_bytes = buf->len;
    ox_verdict verdict = open_datagram(tunnel, &a);
    if (verdict != OX_PASS) {
        ox_tunnel_drop(tunnel, buf, verdict);
        return;
    }
    note_arrival(tunnel, &a, datagram_bytes);
    take_frames(tunnel, &a);
    if (a.eliciting) ox_feedback_owe(tunnel, a.session, now_ns);
    if (a.eliciting && !a.keepalive) a.session->received_eliciting_ns = now_ns;
    if (!a.kept) ox_pool_put(tunnel->is.pool, buf);
}

void ox_tunnel_ingress(ox_tunnel *tunnel, ox_list *datagrams, uint64_t now_ns) {
    for (ox_buf *buf; (buf = ox_list_take(datagrams)) != NULL;) take_datagram(tunnel, buf, now_ns);
}
