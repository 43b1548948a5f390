/** @file  Cuts a super-packet into the cars of a train: its headers once, its payload in datagrams (Wire.md section 6.10). */
#include "state.h"

enum { COPY_MAX = 255 };
_Static_assert((int)OX_TRAIN_CARS_MAX <= (int)OX_SEGMENTS_MAX && (int)OX_TRAIN_CARS_MAX <= (int)OX_AEAD_JOBS_MAX,
               "a train is sealed at once");
_Static_assert((int)OX_BUF_HEADROOM >= (int)OX_TRAIN_META_BYTES, "the meta bytes lie in front of the packet");
_Static_assert((int)OX_BUF_LARGE_BYTES - (int)OX_BUF_HEADROOM - UINT16_MAX > COPY_MAX + 1,
               "the copy of the headers lies behind the packet");

/** How the content of a train (meta bytes, headers, payload) lies in its cars. */
typedef struct plan {
    uint32_t content;
    uint32_t first; /**< content of car 0 */
    uint32_t slice; /**< of each car between it and the last */
    uint32_t cars;
    uint32_t copy;  /**< bytes of meta and headers repeated in the last car, 0 for none */
} plan;

static uint32_t up(uint32_t n, uint32_t unit) { return (n + unit - 1) / unit; }

/** TCP is a stream of bytes: it is cut where datagrams end. */
static void plan_stream(plan *p, uint32_t room) {
    p->cars = up(p->content + 1 + p->copy, room);
    p->slice = room;
    // The copy alone would fill the last car: the others leave it a byte.
    if (p->content <= (p->cars - 1) * room) p->slice = (p->content - 1) / (p->cars - 1);
    p->first = p->slice;
}

/** UDP is cut between its datagrams, so that a lost car costs no more than those that are in it. */
static bool plan_datagrams(plan *p, uint32_t room, uint32_t head, uint32_t segment) {
    p->slice = (room - 1) / segment * segment;
    if (p->slice == 0 || head >= room) return false;
    p->first = head + (room - head) / segment * segment;
    uint32_t rest = p->content - p->first;
    p->cars = rest == 0 ? 2 : 1 + up(rest, p->slice);
    uint32_t last = rest - (p->cars - 2) * p->slice;
    if (last + 1 + p->copy > room) p->copy = 0;
    return true;
}

static bool make_plan(plan *p, const ox_buf *buf, const ox_headers *headers, uint32_t room) {
    uint32_t head = OX_TRAIN_META_BYTES + ox_headers_bytes(headers);
    *p = (plan){.content = OX_TRAIN_META_BYTES + buf->len, .copy = head};
    if (p->content < room) {
        p->first = p->content;
        p->cars = 1;
        p->copy = 0;
        return true;
    }
    if (headers->protocol == OX_PROTO_TCP) plan_stream(p, room);
    else if (!plan_datagrams(p, room, head, buf->segment)) return false;
    return p->cars <= OX_TRAIN_CARS_MAX;
}

static uint32_t car_content(const plan *p, uint32_t index) {
    if (index == 0) return p->first;
    if (index + 1 < p->cars) return p->slice;
    return p->content - p->first - (p->cars - 2) * p->slice;
}

/** The buffer for a datagram of `len` bytes: the one at the list's end, where that leaves in one call with it. */
static ox_buf *place(ox_tunnel *tunnel, ox_list *out, uint32_t len, bool last) {
    ox_buf *buf = out->tail;
    bool fits = buf != NULL && (len == buf->segment || (last && len < buf->segment)) &&
                buf->len / buf->segment < OX_SEGMENTS_MAX && buf->len + len <= OX_SEGMENTED_BYTES_MAX;
    if (fits) return buf;
    buf = ox_pool_get(tunnel->is.pool, OX_BUF_LARGE);
    if (buf == NULL) return NULL;
    buf->segment = (uint16_t)len;
    ox_list_append(out, buf);
    return buf;
}

/** Writes the headers of the cars and what is to be sealed into them. False without buffers. */
static bool couple(ox_tunnel *tunnel, ox_session *session, const plan *p, const uint8_t *content, ox_aead_job *jobs,
                   ox_list *out) {
    uint64_t number = session->next_number;
    uint32_t number_bytes = ox_session_number_bytes(session, number + OX_TRAIN_CARS_MAX);
    uint32_t header_bytes = 1 + session->is.remote_bytes + number_bytes + 1;
    for (uint32_t i = 0, from = 0; i < p->cars; i++) {
        bool last = i + 1 == p->cars;
        uint32_t bytes = car_content(p, i);
        uint32_t plain = bytes + (last ? p->copy + 1 : 0);
        uint32_t len = header_bytes + plain + session->tag_bytes;
        ox_buf *buf = place(tunnel, out, len, last);
        if (buf == NULL) return false;
        uint8_t *at = buf->data + buf->len;
        ox_header_write_car(at, session->is.remote, session->is.remote_bytes, number + i, number_bytes, i, last);
        jobs[i] = (ox_aead_job){.number = number + i,
                                .aad = at,
                                .aad_len = (uint8_t)header_bytes,
                                .from = content + from,
                                .to = at + header_bytes,
                                .len = plain};
        buf->len += len;
        from += bytes;
    }
    return true;
}

/**
 * Sends a TCP or UDP super-packet as a train. False, and nothing done, when it is none that can be cut so. Takes the buffer
 * otherwise.
 */
bool ox_cars_send(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, const ox_headers *headers, uint64_t now_ns) {
    plan p;
    uint32_t head = ox_headers_bytes(headers);
    // The numbers of all cars take as many bytes as the last one that there could be.
    uint32_t room = session->peer->paths[session->is.path].mtu - 1 -
                    ox_session_overhead(session, session->next_number + OX_TRAIN_CARS_MAX) -
                    (session->repair != NULL ? session->peer->paths[session->is.path].repair_reserve : 0);
    if (ox_segments(buf, headers) > OX_TRAIN_SEGMENTS_MAX) return false;
    if (head > OX_TRAIN_HEADERS_MAX || !make_plan(&p, buf, headers, room)) return false;
    uint8_t *content = buf->data - OX_TRAIN_META_BYTES;
    content[0] = (uint8_t)buf->segment;
    content[1] = (uint8_t)(buf->segment >> 8);
    content[2] = (uint8_t)p.slice;
    content[3] = (uint8_t)(p.slice >> 8);
    memcpy(content + p.content, content, p.copy);
    content[p.content + p.copy] = (uint8_t)p.copy;

    ox_aead_job jobs[OX_TRAIN_CARS_MAX];
    ox_list out = {0};
    if (!couple(tunnel, session, &p, content, jobs, &out)) {
        ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, ox_segments(buf, headers));
        ox_pool_put_list(tunnel->is.pool, &out);
        ox_pool_put(tunnel->is.pool, buf);
        return true;
    }
    ox_keys_seal(tunnel->is.engine, session->keys, session->is.path, jobs, p.cars);
    for (uint32_t i = 0; i < p.cars; i++) {
        uint32_t len = jobs[i].aad_len + jobs[i].len + session->tag_bytes;
        session->peer->carried[2] += len;
        ox_session_note_sent(tunnel, session, session->next_number++, len, true, now_ns);
    }
    if (session->repair != NULL) ox_repair_cars(tunnel, session, (ox_class)buf->class_, jobs, p.cars, now_ns);
    session->peer->carried[0] += ox_segments(buf, headers);
    session->peer->carried[1] += p.cars;
    const ox_address *to = ox_session_address(session);
    session->peer->carried[3] += buf->len;
    uint8_t ecn = ox_seal_ecn(ox_ecn_get(buf->data));
    for (ox_buf *datagrams; (datagrams = ox_list_take(&out)) != NULL;) {
        uint16_t segment = datagrams->segment;
        ox_session_address_datagram(session, datagrams, to);
        datagrams->segment = datagrams->len > segment ? segment : 0;
        datagrams->ecn = ecn;
        ox_list_append(&tunnel->network, datagrams);
    }
    ox_pool_put(tunnel->is.pool, buf);
    return true;
}
