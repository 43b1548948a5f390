/** @file  Fills datagrams with inner packets: one alone, several in a batch, or a part of one (Wire.md section 6). */
#include "state.h"

enum {
    FRAME_HEAD_BYTES = 1 + OX_FRAME_FIXED_LENGTH_BYTES,
    TAIL_DISTANCE_BYTES = 1,
    HEAD_MIN = 64, /**< a shorter first part is not worth its frame */
};
_Static_assert(OX_BUF_HEADROOM >= OX_HEADER_MAX + OX_FEEDBACK_RIDE_MAX + FRAME_HEAD_BYTES + 2 * TAIL_DISTANCE_BYTES,
               "header, feedback and frame heads fit in front of a packet");
_Static_assert(OX_INNER_MTU - HEAD_MIN < 2 * (OX_MTU_BASE - 64) - HEAD_MIN, "two datagrams carry every inner packet");

/** Before a session sends something else: the half of a packet in the open datagram must have the next number. */
void ox_pack_flush_of(ox_tunnel *tunnel, const ox_session *session, uint64_t now_ns) {
    if (tunnel->open.session == session) ox_pack_flush(tunnel, now_ns);
}

/** A packet is in the open datagram: what repairs that goes by its most urgent class, and by its flows. */
static void join(ox_open *open, uint8_t class_, uint32_t flow) {
    if (open->flow_count == 0 || class_ < open->class_) open->class_ = class_;
    open->packets++;
    for (uint32_t i = 0; i < open->flow_count && i < OX_REPAIR_FLOWS_MAX; i++)
        if (open->flows[i] == flow) return;
    if (open->flow_count < OX_REPAIR_FLOWS_MAX) open->flows[open->flow_count] = flow;
    if (open->flow_count <= OX_REPAIR_FLOWS_MAX) open->flow_count++;
}

/** Feedback on headers rides on every datagram that has room. */
static void ride_compact(ox_session *session, ox_buf *buf) {
    uint8_t frames[OX_FEEDBACK_RIDE_MAX];
    uint32_t room = ox_session_room(session), headroom = ox_buf_headroom(buf);
    room = room > buf->len ? room - buf->len : 0;
    headroom = headroom > OX_HEADER_MAX ? headroom - OX_HEADER_MAX : 0;
    if (room > headroom) room = headroom;
    uint32_t len = ox_compact_tell(session, frames, room < sizeof frames ? room : sizeof frames);
    buf->data -= len;
    buf->len += len;
    memcpy(buf->data, frames, len);
}

/** Seals and sends the datagram that is being filled. */
void ox_pack_flush(ox_tunnel *tunnel, uint64_t now_ns) {
    ox_open open = tunnel->open;
    if (open.session == NULL) return;
    tunnel->open = (ox_open){0};
    ox_session *session = open.session;
    ox_buf *buf = open.buf;
    if (open.batch)
        ox_frame_write_head(buf->data + open.batch_at, OX_FRAME_BATCH, buf->len - open.batch_at - FRAME_HEAD_BYTES);
    uint64_t number = session->next_number;
    if (session->repair != NULL) ox_repair_source(tunnel, &open, now_ns);
    // Feedback rides along once half of its waiting time is over.
    if (session->feedback_due_ns != OX_NEVER && session->feedback_ride_ns <= now_ns) {
        uint8_t frame[OX_FEEDBACK_RIDE_MAX];
        uint32_t room = ox_session_room(session);
        uint32_t spare = room > buf->len ? room - buf->len : 0;
        uint32_t len = ox_feedback_make(session, frame, spare < sizeof frame ? spare : sizeof frame, true, now_ns);
        buf->data -= len;
        buf->len += len;
        memcpy(buf->data, frame, len);
    }
    if (session->compact != NULL) ride_compact(session, buf);
    buf->ecn = ox_seal_ecn(open.ecn);
    uint64_t before = session->peer->paths[session->is.path].stats.sent_bytes;
    if (!ox_session_seal(tunnel, session, buf, true, ox_session_address(session), now_ns)) {
        if (session->repair != NULL) ox_repair_retract(session, number);
        if (open.compact_count > 0) ox_compact_unsent(session);
        // One of them is counted already; what forbids it has not changed.
        ox_verdict why = ox_session_can_send(tunnel, session, ox_session_address(session), now_ns);
        if (open.packets > 1) ox_tunnel_count(tunnel, why, open.packets - 1);
        return;
    }
    uint64_t *carried = session->peer->carried;
    carried[0] += open.packets;
    carried[1]++;
    carried[3] += open.packet_bytes;
    carried[2] += session->peer->paths[session->is.path].stats.sent_bytes - before;
}

static void begin(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, bool lone, uint8_t ecn) {
    OX_ASSERT(tunnel->open.session == NULL);
    tunnel->open = (ox_open){.session = session, .buf = buf, .lone = lone, .ecn = ecn};
}

/** Bytes that `len` more bytes of packet would add to the open datagram. */
static uint32_t growth(const ox_open *open, uint32_t len) {
    uint32_t more = ox_varint_bytes(len) + len;
    if (open->lone) return more + FRAME_HEAD_BYTES + ox_varint_bytes(open->buf->len);
    return open->batch ? more : more + FRAME_HEAD_BYTES;
}

/** Whether the open datagram takes a packet of `len` bytes more. */
static bool has_room(const ox_open *open, uint32_t len) {
    uint32_t more = growth(open, len);
    return open->buf->len + more <= ox_session_room(open->session) && ox_buf_tailroom(open->buf) >= more + open->session->tag_bytes;
}

/** Turns a lone packet into the first of a batch. */
static void frame_lone(ox_open *open) {
    uint8_t length[OX_VARINT_MAX];
    uint32_t bytes = ox_varint_write(length, open->buf->len);
    open->buf->data -= bytes + FRAME_HEAD_BYTES;
    open->buf->len += bytes + FRAME_HEAD_BYTES;
    memcpy(open->buf->data + FRAME_HEAD_BYTES, length, bytes);
    open->batch_at = 0;
    open->batch = true;
    open->lone = false;
}

/** Appends a packet to the open datagram, if it has room. Takes the buffer then. */
static bool append(ox_tunnel *tunnel, ox_buf *buf) {
    ox_open *open = &tunnel->open;
    if (!has_room(open, buf->len)) return false;
    if (open->lone) {
        frame_lone(open);
    } else if (!open->batch) {
        open->batch_at = open->buf->len;
        open->batch = true;
        open->buf->len += FRAME_HEAD_BYTES;
    }
    uint8_t *at = open->buf->data + open->buf->len;
    uint32_t bytes = ox_varint_write(at, buf->len);
    memcpy(at + bytes, buf->data, buf->len);
    open->buf->len += bytes + buf->len;
    join(open, buf->class_, buf->flow);
    ox_pool_put(tunnel->is.pool, buf);
    return true;
}

/** Bytes of HEAD that the open datagram can take of a packet of `len` bytes, 0 when that is too few to be of use. */
static uint32_t head_room(const ox_open *open, uint32_t len, uint32_t room) {
    // Worst case: a lone packet becomes a batch, then a HEAD follows.
    uint32_t framing = open->lone ? FRAME_HEAD_BYTES + ox_varint_bytes(open->buf->len) : 0;
    uint32_t used = open->buf->len + framing + FRAME_HEAD_BYTES;
    uint32_t spare = room > used ? room - used : 0;
    uint32_t tailroom = ox_buf_tailroom(open->buf);
    uint32_t overhead = FRAME_HEAD_BYTES + open->session->tag_bytes;
    if (tailroom < overhead + spare) spare = tailroom > overhead ? tailroom - overhead : 0;
    if (spare >= len) spare = len - 1;
    if (spare < HEAD_MIN) return 0;
    // The rest must fit in one fresh datagram; a packet number may take a byte more by then.
    uint32_t rest = len - spare + FRAME_HEAD_BYTES + TAIL_DISTANCE_BYTES + 1;
    return rest <= room ? spare : 0;
}

//= Wire.md section 6.3
//# the first part ends a datagram, the second begins a later one of the same session
static void split(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, uint8_t ecn, uint64_t now_ns) {
    uint32_t room = ox_session_room(session);
    uint32_t len = tunnel->open.session != NULL ? head_room(&tunnel->open, buf->len, room) : 0;
    if (len == 0) {
        ox_pack_flush(tunnel, now_ns);
        ox_buf *first = ox_pool_get(tunnel->is.pool, OX_BUF_SMALL);
        if (first == NULL) {
            ox_tunnel_drop(tunnel, buf, OX_DROP_POOL_EMPTY);
            return;
        }
        begin(tunnel, session, first, false, ecn);
        len = head_room(&tunnel->open, buf->len, ox_session_room(session));
        OX_ASSERT(len > 0);
    }
    ox_open *open = &tunnel->open;
    if (open->lone) frame_lone(open);
    if (open->batch) { // its length is known now, and the HEAD must stay outside of it
        ox_frame_write_head(open->buf->data + open->batch_at, OX_FRAME_BATCH,
                            open->buf->len - open->batch_at - FRAME_HEAD_BYTES);
        open->batch = false;
    }
    uint8_t *at = open->buf->data + open->buf->len;
    uint32_t head_bytes = ox_frame_write_head(at, OX_FRAME_HEAD, len);
    memcpy(at + head_bytes, buf->data, len);
    open->buf->len += head_bytes + len;
    uint64_t head_number = session->next_number;
    join(open, buf->class_, buf->flow);
    open->packet_bytes += buf->len;
    ox_pack_flush(tunnel, now_ns);
    if (session->next_number == head_number) { // it could not be sent, so neither can the rest
        ox_tunnel_drop(tunnel, buf, OX_DROP_NO_SESSION);
        return;
    }
    // The rest moves to where the packet began, so that there is room behind it for the next packet.
    uint8_t *start = buf->storage + OX_BUF_HEADROOM;
    memmove(start, buf->data + len, buf->len - len);
    buf->data = start;
    buf->len -= len;
    uint8_t distance[OX_VARINT_MAX];
    uint32_t distance_bytes = ox_varint_write(distance, session->next_number - head_number);
    buf->data -= distance_bytes;
    buf->len += distance_bytes;
    memcpy(buf->data, distance, distance_bytes);
    uint32_t body = buf->len;
    buf->data -= FRAME_HEAD_BYTES;
    buf->len += FRAME_HEAD_BYTES;
    ox_frame_write_head(buf->data, OX_FRAME_TAIL, body);
    begin(tunnel, session, buf, false, ecn);
    tunnel->open.class_ = buf->class_;
    tunnel->open.flows[0] = buf->flow;
    tunnel->open.flow_count = 1;
}

/** Puts one inner packet into the next datagram of its session. Takes the buffer. */
void ox_pack(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, uint64_t now_ns) {
    bool batch = tunnel->policy.batch && (session->is.features & OX_FEATURE_BATCH) != 0;
    uint8_t ecn = ox_ecn_get(buf->data);
    ox_open *open = &tunnel->open;
    if (open->session != NULL && (open->session != session || open->ecn != ecn)) ox_pack_flush(tunnel, now_ns);
    // Whether what stands before it could be sent has to be known when a packet is compressed.
    if (open->session != NULL && ox_compact_fits(session, buf->len) && !has_room(open, buf->len + OX_COMPACT_GROWTH))
        ox_pack_flush(tunnel, now_ns);
    uint32_t len = buf->len, key = ox_compact_packet(tunnel, session, buf, now_ns);
    // The path may have become narrower, or the session another, while it waited.
    bool fits = buf->len <= ox_session_room(session);
    if (!fits && (session->is.features & OX_FEATURE_SPLIT) == 0) {
        ox_tunnel_drop(tunnel, buf, OX_DROP_PACKET_TOO_BIG);
        return;
    }
    if (!fits) {
        split(tunnel, session, buf, ecn, now_ns);
    } else if (open->session == NULL || !batch || !append(tunnel, buf)) {
        ox_pack_flush(tunnel, now_ns);
        begin(tunnel, session, buf, true, ecn);
        join(&tunnel->open, buf->class_, buf->flow);
    }
    if (fits) open->packet_bytes += len;
    if (key != 0) open->compact[open->compact_count++] = key;
    if (!batch) ox_pack_flush(tunnel, now_ns);
}
