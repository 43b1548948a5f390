/** @file  Joins the two parts of an inner packet that crossed in two datagrams (Wire.md section 6.3). */
#include "state.h"

_Static_assert(OX_BUF_CONTENT_MAX >= OX_INNER_MTU, "a joined packet fits in the buffer of its head");

/** The one slot that a half may be in: a newer half takes it from an older one, so memory is bounded. */
static ox_half *slot(ox_tunnel *tunnel, const ox_session *session, uint64_t head_number) {
    uint64_t hash = (head_number + (uint64_t)session->is.local * 0x9e3779b97f4a7c15u);
    return &tunnel->halves[hash % OX_SPLIT_SLOTS];
}

static bool matches(const ox_half *half, const ox_session *session, uint64_t head_number) {
    return half->session == session && half->head_number == head_number;
}

static void keep(ox_tunnel *tunnel, ox_half *half, ox_session *session, uint64_t head_number, ox_buf *buf, bool is_head) {
    if (half->session != NULL) ox_tunnel_drop(tunnel, half->buf, OX_DROP_SPLIT_UNFINISHED);
    *half = (ox_half){session, head_number, buf, is_head};
}

/** Appends the tail to the head. NULL, and both counted as one packet, when that is no packet. Takes the head. */
static ox_buf *join(ox_tunnel *tunnel, ox_buf *head, const uint8_t *tail, size_t len, uint8_t ecn) {
    if (head->len + len > OX_INNER_MTU) {
        ox_tunnel_drop(tunnel, head, OX_DROP_SPLIT_MALFORMED);
        return NULL;
    }
    // A HEAD lies behind whatever else its datagram carried: without this there may be no room for the rest.
    memmove(head->storage + OX_BUF_HEADROOM, head->data, head->len);
    head->data = head->storage + OX_BUF_HEADROOM;
    memcpy(head->data + head->len, tail, len);
    head->len += (uint32_t)len;
    //= RFC 3168 section 5.3
    //# a reassembled packet is marked CE when any fragment was
    if (ecn == OX_ECN_CE) head->ecn = OX_ECN_CE;
    return head;
}

/** The first part arrived, in a buffer of its own. The whole packet, when the rest was here. Takes the buffer. */
ox_buf *ox_split_head(ox_tunnel *tunnel, ox_session *session, uint64_t number, ox_buf *buf) {
    ox_half *half = slot(tunnel, session, number);
    if (!matches(half, session, number)) {
        keep(tunnel, half, session, number, buf, true);
        return NULL;
    }
    if (half->is_head) { // two HEADs in one datagram
        ox_tunnel_drop(tunnel, buf, OX_DROP_SPLIT_MALFORMED);
        return NULL;
    }
    ox_buf *tail = half->buf;
    half->session = NULL;
    buf = join(tunnel, buf, tail->data, tail->len, tail->ecn);
    ox_pool_put(tunnel->is.pool, tail);
    return buf;
}

/** The rest arrived. The whole packet, when its first part was here. */
ox_buf *ox_split_tail(ox_tunnel *tunnel, ox_session *session, uint64_t head_number, const uint8_t *bytes, size_t len,
                      uint8_t ecn) {
    ox_half *half = slot(tunnel, session, head_number);
    if (matches(half, session, head_number)) {
        if (!half->is_head) { // a second TAIL for one HEAD
            ox_tunnel_count(tunnel, OX_DROP_SPLIT_MALFORMED, 1);
            return NULL;
        }
        half->session = NULL;
        return join(tunnel, half->buf, bytes, len, ecn);
    }
    ox_buf *buf = len <= OX_INNER_MTU ? ox_pool_get(tunnel->is.pool, OX_BUF_SMALL) : NULL;
    if (buf == NULL) {
        ox_tunnel_count(tunnel, len <= OX_INNER_MTU ? OX_DROP_POOL_EMPTY : OX_DROP_SPLIT_MALFORMED, 1);
        return NULL;
    }
    memcpy(buf->data, bytes, len);
    buf->len = (uint32_t)len;
    buf->ecn = ecn;
    keep(tunnel, half, session, head_number, buf, false);
    return NULL;
}

/** The session ends: so do the halves that wait in it. */
void ox_split_forget(ox_tunnel *tunnel, const ox_session *session) {
    for (uint32_t i = 0; i < OX_SPLIT_SLOTS; i++) {
        ox_half *half = &tunnel->halves[i];
        if (half->session != session) continue;
        half->session = NULL;
        ox_tunnel_drop(tunnel, half->buf, OX_DROP_SPLIT_UNFINISHED);
    }
}
