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
    bool recovered; /**< it did not arrive itself: what it says of the session is old */
    ox_repair_frames repairs;
} arrival;

/** Leaves the transport checksum to the kernel, as partial: that is how a device is told that it is right. */
static void mark_right(ox_buf *buf, const ox_headers *headers) {
    uint8_t *field = buf->data + headers->transport_offset + (headers->protocol == OX_PROTO_TCP ? 16 : 6);
    uint32_t len = buf->len - headers->transport_offset;
    // Not where there is none, nor where it does not reach to the packet's end.
    if (headers->protocol == OX_PROTO_UDP && ((field[0] | field[1]) == 0 || ox_load_be16(field - 2) != len)) return;
    uint32_t pseudo = ox_checksum_pseudo(buf->data, headers, len);
    ox_store_be16(field, (uint16_t)~ox_checksum_finish(pseudo));
    buf->checksum = OX_CHECKSUM_PARTIAL;
    buf->transport = headers->transport_offset;
    buf->protocol = headers->protocol;
}

/** Hands an inner packet or super-packet on, if it is one that its peer may send. Takes the buffer. */
static void take_parsed(ox_tunnel *tunnel, ox_buf *buf, ox_verdict verdict, const ox_headers *headers, uint32_t hash) {
    uint32_t count = verdict == OX_PASS ? ox_segments(buf, headers) : 1;
    uint32_t packet = buf->segment != 0 ? ox_headers_bytes(headers) + buf->segment : buf->len;
    if (verdict == OX_PASS && packet > OX_INNER_MTU) verdict = OX_DROP_PACKET_TOO_BIG;
    if (verdict == OX_PASS) {
        bool v4 = headers->version == 4;
        int64_t owner = ox_routes_find(tunnel->policy.routes, buf->data + (v4 ? 12 : 8), v4 ? 4 : 16);
        if (owner != (int64_t)buf->peer) verdict = OX_DROP_SOURCE_NOT_ALLOWED;
    }
    if (verdict == OX_PASS) verdict = ox_ecn_decapsulate(buf->data, buf->ecn);
    if (verdict != OX_PASS) {
        ox_tunnel_count(tunnel, verdict, count - 1);
        ox_tunnel_drop(tunnel, buf, verdict);
        return;
    }
    ox_peer *peer = tunnel->peers[buf->peer];
    ox_count(&peer->packets[2], count);
    ox_count(&peer->packets[3], buf->len);
    //= Wire.md section 6.11
    //# As the seal keeps it so, a receiver hands it on as verified.
    bool summed = headers->has_transport && !headers->fragment &&
                  (headers->protocol == OX_PROTO_TCP || headers->protocol == OX_PROTO_UDP);
    if (buf->checksum == OX_CHECKSUM_VALID && summed) mark_right(buf, headers);
    else if (!summed) buf->checksum = OX_CHECKSUM_UNKNOWN;
    if (tunnel->policy.coalesce) ox_coalescer_add(tunnel->coalescer, buf, headers, hash, &tunnel->device);
    else ox_list_append(&tunnel->device, buf);
}

/** An inner packet or super-packet came out of the seal: it goes on at the next ox_deliver_flush(). Takes the buffer. */
void ox_deliver(ox_tunnel *tunnel, const ox_session *session, ox_buf *buf) {
    buf->peer = session->is.peer;
    if (buf->checksum == OX_CHECKSUM_UNKNOWN && (session->is.features & OX_FEATURE_TRAIN) != 0)
        buf->checksum = OX_CHECKSUM_VALID;
    ox_list_append(&tunnel->arrived, buf);
}

/** All that ox_deliver() took goes to the device, in order. */
void ox_deliver_flush(ox_tunnel *tunnel) {
    ox_buf *buffers[OX_PARSE_BATCH_MAX];
    for (uint32_t count; (count = ox_tunnel_parse(tunnel, &tunnel->arrived, buffers)) > 0;)
        for (uint32_t i = 0; i < count; i++)
            take_parsed(tunnel, buffers[i], (ox_verdict)tunnel->parsed.verdicts[i], &tunnel->parsed.headers[i],
                        tunnel->parsed.hashes[i]);
    ox_coalescer_flush(tunnel->coalescer, &tunnel->device);
}

/** A packet with compressed headers; `whole`: it is the rest of its datagram. */
static void take_compressed(ox_tunnel *tunnel, arrival *a, const uint8_t *body, size_t len, bool whole) {
    ox_buf *buf = a->buf;
    ox_buf *packet = ox_compact_restore(tunnel, a->session, a->number, buf, buf->data + (body - buf->data), len, whole);
    if (packet == NULL) return;
    a->kept = packet == buf;
    ox_deliver(tunnel, a->session, packet);
}

static void take_batch(ox_tunnel *tunnel, arrival *a, const ox_frame *frame) {
    for (size_t at = 0; at < frame->len;) {
        uint64_t len = 0;
        uint32_t bytes = ox_varint_read(frame->body + at, frame->len - at, &len);
        if (bytes == 0 || len > frame->len - at - bytes || len > OX_BUF_CONTENT_MAX) {
            ox_tunnel_count(tunnel, OX_DROP_FRAME_MALFORMED, 1);
            return;
        }
        const uint8_t *body = frame->body + at + bytes;
        at += bytes + (size_t)len;
        if (len > 0 && body[0] >= OX_FRAME_COMPRESSED && a->session->compact != NULL) {
            take_compressed(tunnel, a, body, (size_t)len, false);
            continue;
        }
        ox_buf *packet = ox_pool_get(tunnel->is.pool, OX_BUF_SMALL);
        if (packet == NULL) { // each of the others counts too
            ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, 1);
            continue;
        }
        memcpy(packet->data, body, (size_t)len);
        packet->len = (uint32_t)len;
        packet->ecn = a->buf->ecn;
        ox_deliver(tunnel, a->session, packet);
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
    if (packet != NULL) ox_deliver(tunnel, a->session, packet);
}

static void take_feedback(ox_tunnel *tunnel, arrival *a, const ox_frame *frame) {
    ox_feedback feedback;
    ox_ledger_result result;
    ox_session *session = a->session;
    ox_path *path = &session->peer->paths[session->is.path];
    if (a->fed) {
        ox_tunnel_count(tunnel, OX_DROP_FRAME_MALFORMED, 1);
        return;
    }
    a->fed = true;
    ox_verdict verdict = ox_feedback_read(frame->body, frame->len, &feedback);
    ox_serve_check_limited(tunnel, path, a->now_ns);
    if (verdict == OX_PASS)
        verdict = ox_ledger_feedback(session->ledger, &path->flight, &path->stats, &feedback, a->now_ns, &result);
    if (verdict != OX_PASS) {
        ox_tunnel_count(tunnel, verdict, 1);
        return;
    }
    session->next_expected = result.next_expected;
    ox_session_learn(tunnel, session, &result);
    ox_repair_lost(tunnel, session, &result, a->now_ns);
    ox_session_watch(tunnel, session); // what was overtaken is lost sooner
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

/** Frames that carry inner packets, or parts of them. */
static bool carries(uint32_t type) {
    return type == OX_FRAME_BATCH || type == OX_FRAME_HEAD || type == OX_FRAME_TAIL || type == OX_FRAME_PACKET ||
           type == OX_FRAME_COMPRESSED;
}

/** False when nothing behind this frame may be read. */
static bool take_frame(ox_tunnel *tunnel, arrival *a, const ox_frame *frame, bool last) {
    if (a->recovered && !carries(frame->type)) return true;
    if (frame->type != OX_FRAME_FEEDBACK && frame->type != OX_FRAME_CLOSE && frame->type != OX_FRAME_REPAIRED &&
        frame->type != OX_FRAME_HEADERS)
        a->eliciting = true;
    switch (frame->type) {
    case OX_FRAME_PADDING: return true;
    case OX_FRAME_BATCH: take_batch(tunnel, a, frame); return true;
    case OX_FRAME_TAIL: take_tail(tunnel, a, frame); return true;
    case OX_FRAME_FEEDBACK: take_feedback(tunnel, a, frame); return true;
    case OX_FRAME_PACKET: ox_deliver(tunnel, a->session, keep_body(a, frame)); return true;
    case OX_FRAME_COMPRESSED:
        if (a->session->compact == NULL) ox_tunnel_count(tunnel, OX_DROP_FRAME_UNKNOWN, 1);
        else take_compressed(tunnel, a, frame->body, frame->len, true);
        return true;
    case OX_FRAME_HEADERS:
        if (a->session->compact == NULL) ox_tunnel_count(tunnel, OX_DROP_FRAME_UNKNOWN, 1);
        else ox_compact_heard(tunnel, a->session, frame);
        return true;
    case OX_FRAME_HEAD: {
        if (!last || frame->len == 0) {
            ox_tunnel_count(tunnel, OX_DROP_SPLIT_MALFORMED, 1);
            return false;
        }
        ox_buf *head = ox_tunnel_shrink(tunnel, keep_body(a, frame));
        ox_buf *packet = head != NULL ? ox_split_head(tunnel, a->session, a->number, head) : NULL;
        if (packet != NULL) ox_deliver(tunnel, a->session, packet);
        return true;
    }
    case OX_FRAME_CHALLENGE:
    case OX_FRAME_ANSWER:
    case OX_FRAME_CLOSE: take_control(tunnel, a, frame); return true;
    case OX_FRAME_COPY:
    case OX_FRAME_REPAIR:
    case OX_FRAME_REPAIRED:
        ox_repair_take(tunnel, a->session, a->number, &a->repairs, frame, a->buf->data + a->buf->len, a->now_ns);
        return true;
    default:
        //= Wire.md section 6.9
        //# a frame of unknown type is skipped by its length
        ox_tunnel_count(tunnel, OX_DROP_FRAME_UNKNOWN, 1);
        return true;
    }
}

static void take_frames(ox_tunnel *tunnel, arrival *a) {
    // What came before in a train goes before.
    if (a->session->trains != NULL) ox_train_settle(tunnel, a->session, false, a->now_ns);
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

/** The symbol of a datagram that did not arrive goes where that would have gone. */
void ox_ingress_recovered(ox_tunnel *tunnel, ox_session *session, const ox_repair_symbol *symbol, uint64_t now_ns) {
    if (symbol->car != OX_REPAIR_NO_CAR) {
        ox_train_take_recovered(tunnel, session, symbol, now_ns);
        return;
    }
    ox_buf *buf = ox_pool_get(tunnel->is.pool, OX_BUF_SMALL);
    if (buf == NULL) {
        ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, 1);
        return;
    }
    memcpy(buf->data, symbol->content, symbol->len);
    buf->len = symbol->len;
    arrival a = {.session = session, .buf = buf, .number = symbol->number, .now_ns = now_ns, .recovered = true};
    take_frames(tunnel, &a);
    if (!a.kept) ox_pool_put(tunnel->is.pool, buf);
}

/** An authentic datagram has arrived; the numbers that it passes over are missing. */
void ox_ingress_commit(ox_session *session, uint64_t number) {
    if (number > session->replay.next) ox_compact_missed(session, number - session->replay.next);
    ox_replay_commit(&session->replay, number);
}

/** What the arrival of authentic datagrams means, whatever is in them. `newest`: one of them is the newest there was. */
void ox_ingress_note(ox_tunnel *tunnel, ox_session *session, const ox_buf *buf, bool newest, uint32_t datagrams,
                     uint32_t bytes, uint64_t now_ns) {
    ox_path *path = &session->peer->paths[session->is.path];
    if (newest) session->newest_arrival_ns = now_ns;
    if (buf->ecn == OX_ECN_ECT0) session->ect0 += datagrams;
    if (buf->ecn == OX_ECN_ECT1) session->ect1 += datagrams;
    if (buf->ecn == OX_ECN_CE) session->ce += datagrams;
    session->received_ns = now_ns;
    ox_count(&path->stats.received, datagrams);
    ox_count(&path->stats.received_bytes, bytes);
    ox_session_touch(tunnel, session, now_ns);
    ox_event event = {.peer = session->is.peer, .session = session->is.local, .address = buf->address};
    if (!session->confirmed) {
        event.kind = OX_EVENT_SESSION_CONFIRMED;
        session->confirmed = ox_tunnel_report(tunnel, &event);
    }
    //= Wire.md section 7.3
    //# only the newest datagram says where the peer is
    if (!newest) return;
    if (ox_address_equal(&buf->address, ox_session_address(session))) {
        memcpy(path->local, buf->local, sizeof path->local);
        return;
    }
    uint64_t interval = (uint64_t)OX_ACTIVITY_INTERVAL_MS * OX_NS_PER_MS;
    if (session->address_reported_ns != 0 && now_ns - session->address_reported_ns < interval) return;
    session->address_reported_ns = now_ns;
    event.kind = OX_EVENT_ADDRESS_CHANGED;
    ox_tunnel_report(tunnel, &event);
}

/** Reads the header of a data datagram that came in `buf`: all that can be said of it before it is opened. */
ox_verdict ox_ingress_header(const ox_tunnel *tunnel, const ox_buf *buf, const uint8_t *bytes, uint32_t len,
                             uint64_t now_ns, ox_opening *opening) {
    ox_verdict verdict = ox_header_read(bytes, len, tunnel->is.session_id_bytes, &opening->header);
    if (verdict != OX_PASS) return verdict;
    const ox_header *header = &opening->header;
    ox_session *session = ox_tunnel_session(tunnel, header->session);
    if (session == NULL) return OX_DROP_SESSION_UNKNOWN;
    if (ox_session_expired(tunnel, session, now_ns)) return OX_DROP_KEY_EXPIRED;
    if (session->aead == OX_AEAD_NONE && !ox_address_equal(&buf->address, &session->is.trusted))
        return OX_DROP_ADDRESS_UNTRUSTED;
    if (len < header->header_bytes + session->tag_bytes) return OX_DROP_DATAGRAM_SHORT;
    opening->session = session;
    opening->number = ox_number_rebuild(session->replay.next, header->truncated, header->number_bytes);
    opening->len = len - header->header_bytes - session->tag_bytes;
    return ox_replay_check(&session->replay, opening->number);
}

/** Opens the data datagram at `bytes` into the arrival's buffer, which may be the one that it lies in. */
static ox_verdict open_datagram(ox_tunnel *tunnel, arrival *a, uint8_t *bytes, uint32_t len) {
    ox_opening o;
    ox_verdict verdict = ox_ingress_header(tunnel, a->buf, bytes, len, a->now_ns, &o);
    // One that was recovered and comes after all is opened too: only what is authentic may say that it was not lost.
    bool again = verdict == OX_DROP_REPLAYED && ox_replay_recovered(&o.session->replay, o.number);
    if (verdict != OX_PASS && !again) return verdict;
    a->session = o.session;
    a->number = o.number;
    ox_buf *buf = a->buf;
    if (bytes == buf->data) buf->data += o.header.header_bytes;
    buf->len = o.len;
    ox_aead_job job = {.number = o.number,
                       .aad = bytes,
                       .aad_len = o.header.header_bytes,
                       .from = bytes + o.header.header_bytes,
                       .to = buf->data,
                       .len = o.len};
    ox_keys_open(tunnel->is.engine, o.session->keys, o.session->is.path, &job, 1);
    return job.authentic ? OX_PASS : OX_DROP_UNAUTHENTICATED;
}

/** Takes the data datagram at `bytes`, to be opened into `buf`. Takes the buffer. */
static void take_data(ox_tunnel *tunnel, ox_buf *buf, uint8_t *bytes, uint32_t len, uint64_t now_ns) {
    arrival a = {.buf = buf, .now_ns = now_ns};
    ox_verdict verdict = open_datagram(tunnel, &a, bytes, len);
    if (verdict != OX_PASS) {
        ox_tunnel_drop(tunnel, buf, verdict);
        return;
    }
    uint64_t expected = a.session->replay.next;
    bool newest = a.number >= expected, again = ox_replay_arrive(&a.session->replay, a.number);
    if (!again) ox_ingress_commit(a.session, a.number);
    ox_ingress_note(tunnel, a.session, buf, newest, 1, len, now_ns);
    if (again) {
        ox_feedback_owe(tunnel, a.session, a.number, len, now_ns);
        ox_tunnel_drop(tunnel, buf, OX_DROP_REPLAYED);
        return;
    }
    if (a.session->repair != NULL) {
        ox_repair_keep(a.session, a.number, OX_REPAIR_NO_CAR, buf->data, buf->len, now_ns);
        ox_repair_drain(tunnel, a.session, now_ns);
    }
    take_frames(tunnel, &a);
    if (a.eliciting) ox_feedback_owe(tunnel, a.session, a.number, len, now_ns);
    if (a.session->compact != NULL) ox_compact_hasten(tunnel, a.session, now_ns);
    if (a.number > expected && a.session->repair != NULL) ox_repair_overtaken(tunnel, a.session, now_ns);
    if (a.eliciting && !a.keepalive) a.session->received_eliciting_ns = now_ns;
    if (!a.kept) ox_pool_put(tunnel->is.pool, buf);
}

static bool is_car(const uint8_t *bytes) {
    return (bytes[0] & (OX_TYPE_MASK | OX_TYPE_CAR)) == (OX_TYPE_DATA | OX_TYPE_CAR);
}

/** One of several datagrams in a buffer: it is opened into one of its own. */
static void take_one_of_many(ox_tunnel *tunnel, const ox_buf *buf, uint8_t *bytes, uint32_t len, uint64_t now_ns) {
    ox_verdict why = OX_PASS;
    if (bytes[0] < OX_TYPE_DATA) why = OX_DROP_DATAGRAM_TYPE; // handshakes do not come in such company
    else if (len > OX_BUF_CONTENT_MAX) why = OX_DROP_DATAGRAM_LONG;
    ox_buf *own = why == OX_PASS ? ox_pool_get(tunnel->is.pool, OX_BUF_SMALL) : NULL;
    if (own == NULL) {
        ox_tunnel_count(tunnel, why != OX_PASS ? why : OX_DROP_POOL_EMPTY, 1);
        return;
    }
    own->address = buf->address;
    memcpy(own->local, buf->local, sizeof own->local);
    own->ecn = buf->ecn;
    take_data(tunnel, own, bytes, len, now_ns);
}

/** Takes all that lies in a buffer: one datagram, or several of equal size. Takes the buffer. */
static void take_buffer(ox_tunnel *tunnel, ox_buf *buf, uint64_t now_ns) {
    if (buf->len == 0 || buf->cut) {
        ox_tunnel_drop(tunnel, buf, buf->cut ? OX_DROP_DATAGRAM_LONG : OX_DROP_DATAGRAM_SHORT);
        return;
    }
    if (buf->segment == 0 && !is_car(buf->data)) {
        if (buf->data[0] < OX_TYPE_DATA) ox_gate_handshake(tunnel, buf, now_ns);
        else if (buf->len > OX_BUF_CONTENT_MAX) ox_tunnel_drop(tunnel, buf, OX_DROP_DATAGRAM_LONG);
        else take_data(tunnel, buf, buf->data, buf->len, now_ns);
        return;
    }
    for (uint32_t offset = 0; offset < buf->len;) {
        uint8_t *bytes = buf->data + offset;
        uint32_t len = buf->len - offset;
        if (buf->segment != 0 && len > buf->segment) len = buf->segment;
        if (is_car(bytes)) {
            offset = ox_train_take(tunnel, buf, offset, now_ns);
        } else {
            take_one_of_many(tunnel, buf, bytes, len, now_ns);
            offset += len;
        }
    }
    ox_pool_put(tunnel->is.pool, buf);
}

void ox_tunnel_ingress(ox_tunnel *tunnel, ox_list *datagrams, bool more, uint64_t now_ns) {
    for (ox_buf *buf; (buf = ox_list_take(datagrams)) != NULL;) take_buffer(tunnel, buf, now_ns);
    if (tunnel->trains_open > 0) ox_train_settle_all(tunnel, more, now_ns);
    ox_deliver_flush(tunnel);
}
