#include "state.h"

/** Numbers that may be outstanding, those of a train included: four bytes still tell them apart. */
#define OUTSTANDING_MAX (((uint64_t)1 << 31) - OX_TRAIN_CARS_MAX)

//= RFC 9001 appendix B.1.1
//# a key of AES-GCM seals at most 2^28 packets of up to 2^11 bytes
#define GCM_NUMBERS_MAX (((uint64_t)1 << 28) - OX_TRAIN_CARS_MAX)

/** Without a tag nobody notices a number that was rebuilt wrongly, so it travels in four bytes then (section 9). */
uint32_t ox_session_number_bytes(const ox_session *session, uint64_t number) {
    return session->aead == OX_AEAD_NONE ? 4 : ox_number_bytes(number, session->next_expected);
}

/** Bytes of header and tag around the plaintext of the datagram that will have this number. */
uint32_t ox_session_overhead(const ox_session *session, uint64_t number) {
    return 1 + session->is.remote_bytes + ox_session_number_bytes(session, number) + session->tag_bytes;
}

/** Bytes of plaintext that the session's next datagram can carry, and the one after it too: what repairs others takes all. */
uint32_t ox_session_room_whole(const ox_session *session) {
    return session->peer->paths[session->is.path].mtu - ox_session_overhead(session, session->next_number + 1);
}

/** Likewise, so that what repairs it will fit into a datagram too. */
uint32_t ox_session_room(const ox_session *session) {
    uint32_t reserve = session->repair != NULL ? session->peer->paths[session->is.path].repair_reserve : 0;
    return ox_session_room_whole(session) - reserve;
}

/** Where the session's datagrams go: none when the path has no address yet. */
const ox_address *ox_session_address(const ox_session *session) {
    return session->aead == OX_AEAD_NONE ? &session->is.trusted : &session->peer->paths[session->is.path].address;
}

/** ::OX_PASS, or why a datagram cannot leave now. */
ox_verdict ox_session_can_send(const ox_tunnel *tunnel, const ox_session *session, const ox_address *to, uint64_t now_ns) {
    if (ox_address_is_none(to)) return OX_DROP_NO_ADDRESS;
    if (ox_session_expired(tunnel, session, now_ns)) return OX_DROP_KEY_EXPIRED;
    if (session->next_number - session->next_expected >= OUTSTANDING_MAX) return OX_DROP_NUMBERS_SPENT;
    if (session->aead == OX_AEAD_AES256GCM && session->next_number >= GCM_NUMBERS_MAX) return OX_DROP_NUMBERS_SPENT;
    return OX_PASS;
}

/** Puts the header before and the tag behind the plaintext, and the datagram on its way. Takes the buffer. */
bool ox_session_seal(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, bool eliciting, const ox_address *to,
                     uint64_t now_ns) {
    ox_verdict why = ox_session_can_send(tunnel, session, to, now_ns);
    if (why != OX_PASS) {
        ox_tunnel_drop(tunnel, buf, why);
        return false;
    }
    uint64_t number = session->next_number++;
    uint8_t header[OX_HEADER_MAX];
    uint32_t header_bytes = ox_header_write(header, session->is.remote, session->is.remote_bytes, number,
                                            ox_session_number_bytes(session, number));
    OX_ASSERT(ox_buf_headroom(buf) >= header_bytes && ox_buf_tailroom(buf) >= session->tag_bytes);
    ox_aead_job job = {.number = number,
                       .aad = header,
                       .aad_len = (uint8_t)header_bytes,
                       .from = buf->data,
                       .to = buf->data,
                       .len = buf->len};
    ox_keys_seal(tunnel->is.engine, session->keys, session->is.path, &job, 1);
    buf->data -= header_bytes;
    memcpy(buf->data, header, header_bytes);
    buf->len += header_bytes + session->tag_bytes;
    ox_session_address_datagram(session, buf, to);
    ox_session_note_sent(tunnel, session, number, buf->len, eliciting, now_ns);
    ox_list_append(&tunnel->network, buf);
    return true;
}

/** Says where a buffer of datagrams goes, and that it is nothing but that. */
void ox_session_address_datagram(const ox_session *session, ox_buf *buf, const ox_address *to) {
    const ox_path *path = &session->peer->paths[session->is.path];
    buf->address = *to;
    buf->handshake = 0;
    buf->segment = 0;
    if (ox_address_equal(to, &path->address)) memcpy(buf->local, path->local, sizeof buf->local);
    else memset(buf->local, 0, sizeof buf->local);
}

void ox_session_note_sent(ox_tunnel *tunnel, ox_session *session, uint64_t number, uint32_t bytes, bool eliciting,
                          uint64_t now_ns) {
    ox_path *path = &session->peer->paths[session->is.path];
    //= draft-ietf-ccwg-bbr section 5.4.1
    //# out of idleness it paces at the estimated bandwidth, whatever the gain was
    if (eliciting && path->flight.in_flight == 0 && path->flight.app_limited != 0 && path->limits.restart_rate != 0)
        ox_pacer_set(&path->pacer, path->limits.restart_rate, ox_path_quantum(&path->limits, path->limits.restart_rate), now_ns);
    ox_ledger_sent(session->ledger, &path->flight, &path->stats, number, bytes, eliciting, now_ns);
    ox_pacer_sent(&path->pacer, bytes, path->ahead, now_ns);
    session->sent_ns = now_ns;
    if (eliciting) {
        session->sent_eliciting_ns = now_ns;
        if (session->ledger_due_ns == OX_NEVER) ox_session_watch(tunnel, session);
    }
    ox_session_touch(tunnel, session, now_ns);
}

/** Sends a datagram of one frame. */
void ox_session_send_frame(ox_tunnel *tunnel, ox_session *session, ox_frame_type type, const uint8_t *body, uint32_t len,
                           const ox_address *to, uint64_t now_ns) {
    ox_buf *buf = ox_pool_get(tunnel->is.pool, OX_BUF_SMALL);
    if (buf == NULL) {
        ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, 1);
        return;
    }
    ox_pack_flush_of(tunnel, session, now_ns);
    buf->len = ox_frame_write_head(buf->data, type, len);
    memcpy(buf->data + buf->len, body, len);
    buf->len += len;
    ox_session_seal(tunnel, session, buf, type != OX_FRAME_CLOSE, to, now_ns);
}
