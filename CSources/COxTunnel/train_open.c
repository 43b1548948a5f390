/** @file  Opens cars and lays them where they belong in their train (Wire.md section 6.10). */
#include "train.h"

enum { HEADERS_MIN = 20 + 8 /**< IPv4 and UDP */ };

/* ---- what the cars say -------------------------------------------------------------------------------------- */

/** What an IP header says of its packet's length. */
static uint32_t stated_length(const uint8_t *packet) {
    return packet[0] >> 4 == 4 ? ox_load_be16(packet + 2) : 40u + ox_load_be16(packet + 4);
}

static uint32_t stated_slice(const uint8_t *content) { return (uint32_t)content[2] | (uint32_t)content[3] << 8; }

/** Reads meta bytes and headers where car 0 has them, or where their copy was put. False when they make no train. */
static bool learn(ox_train *train) {
    if (train->first_bytes < OX_TRAIN_META_BYTES + HEADERS_MIN) return false;
    const uint8_t *content = ox_train_content(train), *packet = content + OX_TRAIN_META_BYTES;
    uint32_t segment = (uint32_t)content[0] | (uint32_t)content[1] << 8;
    uint32_t slice = stated_slice(content);
    uint32_t total = stated_length(packet);
    if (ox_parse(packet, total, &train->headers) != OX_PASS) return false;
    const ox_headers *h = &train->headers;
    uint32_t header_bytes = ox_headers_bytes(h);
    if (!h->has_transport || h->fragment || (h->protocol != OX_PROTO_TCP && h->protocol != OX_PROTO_UDP)) return false;
    if (segment == 0 || header_bytes > OX_TRAIN_HEADERS_MAX || header_bytes + OX_TRAIN_META_BYTES > train->first_bytes)
        return false;
    if (train->slice != 0 && train->slice != slice) return false;
    // Who may send must not make the system behind cut more than it would have to without trains.
    if (total - header_bytes > segment * (uint32_t)OX_TRAIN_SEGMENTS_MAX) return false;
    uint32_t inside = train->first_bytes - OX_TRAIN_META_BYTES - header_bytes;
    if (header_bytes + inside > total) return false;
    // What lies between two cars lies between two datagrams.
    if (h->protocol == OX_PROTO_UDP && train->last != 0 && (inside % segment != 0 || slice == 0 || slice % segment != 0))
        return false;
    train->slice = slice;
    train->segment = segment;
    train->payload = total - header_bytes;
    train->header_bytes = header_bytes;
    memcpy(train->header, packet, header_bytes);
    return true;
}

/** Whether the cars that are here fit the packet that the headers speak of. */
static bool consistent(const ox_train *train) {
    uint32_t highest = 63 - (uint32_t)__builtin_clzll(train->arrived);
    if (highest > train->last) return false;
    if (train->header_bytes == 0) return true;
    uint32_t packet = OX_TRAIN_META_BYTES + train->header_bytes + train->payload;
    if (train->last == 0) return train->first_bytes == packet;
    if (train->last != OX_TRAIN_LAST_UNKNOWN)
        return train->first_bytes + (train->last - 1) * train->slice + train->last_bytes == packet;
    return highest == 0 || ox_train_payload_before(train, highest + 1) <= train->payload;
}

/* ---- cars coming in ----------------------------------------------------------------------------------------- */

/** Cars of one train that lie in one buffer, opened together. */
typedef struct batch {
    ox_session *session;
    uint64_t first;
    ox_train *train;  /**< NULL when this batch is the first of it */
    ox_buf *to;       /**< where its content goes */
    uint32_t slice;   /**< 0 while unknown */
    uint64_t taken;   /**< bit i: car i is in the batch */
    uint32_t count;
    uint32_t bytes;   /**< of all datagrams that were authentic */
    ox_aead_job jobs[OX_TRAIN_CARS_MAX];
    uint8_t index[OX_TRAIN_CARS_MAX];
    bool last[OX_TRAIN_CARS_MAX];
} batch;

/** Where a car behind the first belongs, or NULL when that is not known, or there is no such place. */
static uint8_t *place(ox_buf *to, uint32_t slice, uint32_t index, uint32_t len) {
    if (index > 1 && slice == 0) return NULL;
    uint32_t offset = OX_TRAIN_BASE + (index - 1) * slice;
    return offset + len + OX_BUF_TAILROOM <= OX_BUF_LARGE_BYTES ? to->storage + offset : NULL;
}

/**
 * Where a car is opened: its place, so that nothing is copied; or where it lies, when a forged one could reach from there
 * into what has arrived. All that is opened in its place by one batch is of one size.
 */
static uint8_t *opened_at(batch *b, uint32_t index, bool last, uint8_t *from, uint32_t len) {
    if (last || len == 0 || len > OX_BUF_CONTENT_MAX) return from;
    if (index == 0) return b->to->storage + OX_TRAIN_BASE - len;
    if (b->train != NULL && index > b->train->last) return from;
    if (b->slice == 0) b->slice = len;
    uint8_t *to = len == b->slice ? place(b->to, b->slice, index, len) : NULL;
    return to != NULL ? to : from;
}

/** Bytes of meta and headers that the last car repeats at its end, or UINT32_MAX where that cannot be. */
static uint32_t copy_bytes(const uint8_t *plain, uint32_t len) {
    uint32_t copy = plain[len - 1];
    return copy + 1 > len || (copy > 0 && copy < OX_TRAIN_META_BYTES + HEADERS_MIN) ? UINT32_MAX : copy;
}

/** The content of the cars between the first and the last, as far as authentic cars tell. */
static uint32_t find_slice(const batch *b) {
    uint32_t told = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        const ox_aead_job *job = &b->jobs[i];
        if (!job->authentic || job->len == 0 || job->len > OX_BUF_CONTENT_MAX) continue;
        if (b->index[i] > 0 && !b->last[i]) return job->len;
        uint32_t copy = b->last[i] ? copy_bytes(job->to, job->len) : 0;
        if (b->last[i] && copy > 0 && copy != UINT32_MAX) told = stated_slice(job->to + job->len - 1 - copy);
        else if (!b->last[i] && job->len >= OX_TRAIN_META_BYTES) told = stated_slice(job->to);
    }
    return told;
}

/** Car 0 alone, or the last car, ends in a copy of meta bytes and headers, and that copy's length. */
static bool take_last(ox_tunnel *tunnel, ox_train *train, uint32_t index, const uint8_t *plain, uint32_t len) {
    uint32_t copy = copy_bytes(plain, len);
    if (copy == UINT32_MAX || train->last != OX_TRAIN_LAST_UNKNOWN) return false;
    uint32_t bytes = len - 1 - copy;
    if (index > 1 && train->slice == 0 && copy == 0) { // it came before all that say where it belongs
        ox_tunnel_count(tunnel, OX_DROP_TRAIN_UNFINISHED, 1);
        return true;
    }
    if (index == 0) train->first_bytes = bytes;
    uint8_t *to = index == 0 ? ox_train_content(train) : place(train->buf, train->slice, index, bytes);
    if (to == NULL) return false;
    memcpy(to, plain, bytes);
    train->last = index;
    train->last_bytes = bytes;
    train->arrived |= ox_train_bit(index);
    const uint8_t *head = plain + bytes;
    if (index == 0 || copy == 0 || train->header_bytes != 0 || (train->arrived & 1) != 0) return true;
    // Car 0 is not here: its length follows from the rest, and its place takes the copy.
    uint32_t content = OX_TRAIN_META_BYTES + stated_length(head + OX_TRAIN_META_BYTES);
    uint32_t others = (index - 1) * stated_slice(head) + bytes;
    if (others >= content || content - others < copy || content - others > OX_BUF_CONTENT_MAX) return false;
    train->first_bytes = content - others;
    memcpy(ox_train_content(train), head, copy);
    return true;
}

/** Notes an authentic car. False when it cannot be one of this train. */
static bool take_car(ox_tunnel *tunnel, const batch *b, uint32_t i) {
    ox_train *train = b->train;
    const ox_aead_job *job = &b->jobs[i];
    uint32_t index = b->index[i];
    if (job->len == 0 || job->len > OX_BUF_CONTENT_MAX) return false;
    if (b->last[i]) return take_last(tunnel, train, index, job->to, job->len);
    if (index == 0) {
        train->first_bytes = job->len;
    } else {
        uint8_t *to = job->len == train->slice ? place(train->buf, train->slice, index, job->len) : NULL;
        if (to == NULL) return false;
        if (to != job->to) memcpy(to, job->to, job->len);
    }
    train->arrived |= ox_train_bit(index);
    return true;
}

/** Lays the authentic cars of a batch where they belong, and what is complete by it goes on. */
static void lay_batch(ox_tunnel *tunnel, batch *b, uint8_t ecn, uint32_t authentic, uint64_t now_ns) {
    ox_session *session = b->session;
    bool sound = true;
    uint64_t waiting = b->train != NULL ? b->train->arrived & ~b->train->given : 0;
    if (b->train == NULL) b->train = ox_train_begin(tunnel, session, b->first, now_ns);
    b->train->buf = b->to;
    if (b->train->slice == 0) b->train->slice = find_slice(b);
    for (uint32_t i = 0; i < b->count && sound; i++)
        if (b->jobs[i].authentic) sound = take_car(tunnel, b, i);
    ox_train *train = b->train;
    train->touched_ns = now_ns;
    if (ecn == OX_ECN_CE || train->ecn != OX_ECN_CE) train->ecn = ecn;
    bool headed = (train->arrived & 1) != 0 || (train->last != OX_TRAIN_LAST_UNKNOWN && train->first_bytes != 0);
    if (sound && train->header_bytes == 0 && headed) sound = learn(train);
    if (sound && train->arrived == 0) {
        ox_train_end(tunnel, train);
    } else if (!sound || !consistent(train)) {
        ox_tunnel_count(tunnel, OX_DROP_TRAIN_MALFORMED, authentic + (uint64_t)__builtin_popcountll(waiting));
        train->arrived = train->given;
        ox_train_end(tunnel, train);
    } else if (ox_train_complete(train)) {
        ox_train_settle(tunnel, session, false, now_ns);
    }
}

static void open_batch(ox_tunnel *tunnel, batch *b, const ox_buf *buf, uint64_t now_ns) {
    ox_session *session = b->session;
    ox_keys_open(tunnel->is.engine, session->keys, session->is.path, b->jobs, b->count);
    bool newest = false;
    uint32_t authentic = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        const ox_aead_job *job = &b->jobs[i];
        if (!job->authentic) {
            ox_tunnel_count(tunnel, OX_DROP_UNAUTHENTICATED, 1);
            continue;
        }
        authentic++;
        uint32_t bytes = job->aad_len + job->len + session->tag_bytes;
        b->bytes += bytes;
        newest |= job->number >= session->replay.next;
        ox_ingress_commit(session, job->number);
        ox_feedback_owe(tunnel, session, job->number, bytes, now_ns);
        if (session->repair != NULL)
            ox_repair_keep(session, job->number, job->aad[job->aad_len - 1], job->to, job->len, now_ns);
    }
    if (authentic == 0) {
        if (b->train == NULL || b->train->buf == NULL) ox_pool_put(tunnel->is.pool, b->to);
        return;
    }
    ox_ingress_note(tunnel, session, buf, newest, authentic, b->bytes, now_ns);
    session->received_eliciting_ns = now_ns;
    lay_batch(tunnel, b, buf->ecn, authentic, now_ns);
    if (session->repair != NULL) ox_repair_drain(tunnel, session, now_ns);
}

/** Where the content of a batch goes: into what there is of its train, or a fresh buffer. False, and counted, without one. */
static bool begin_batch(ox_tunnel *tunnel, batch *b, ox_session *session, uint64_t first) {
    b->session = session;
    b->first = first;
    b->train = ox_train_find(session, first);
    if (b->train != NULL) b->slice = b->train->slice;
    b->to = b->train != NULL ? b->train->buf : NULL;
    if (b->to == NULL) b->to = ox_pool_get(tunnel->is.pool, OX_BUF_LARGE);
    if (b->to == NULL) ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, 1);
    return b->to != NULL;
}

/** A car that did not arrive, recovered from others. */
void ox_train_take_recovered(ox_tunnel *tunnel, ox_session *session, const ox_repair_symbol *symbol, uint64_t now_ns) {
    uint32_t index = symbol->car & (uint8_t)~OX_CAR_LAST;
    bool last = (symbol->car & OX_CAR_LAST) != 0;
    if (index > symbol->number || index >= OX_TRAIN_CARS_MAX) {
        ox_tunnel_count(tunnel, OX_DROP_TRAIN_MALFORMED, 1);
        return;
    }
    batch b;
    b.slice = 0;
    if (!begin_batch(tunnel, &b, session, symbol->number - index)) return;
    uint8_t content[OX_REPAIR_CONTENT_MAX];
    memcpy(content, symbol->content, symbol->len);
    uint8_t *at = opened_at(&b, index, last, content, symbol->len);
    if (at != content) memcpy(at, content, symbol->len);
    b.jobs[0] = (ox_aead_job){.number = symbol->number, .from = at, .to = at, .len = symbol->len, .authentic = true};
    b.index[0] = (uint8_t)index;
    b.last[0] = last;
    b.count = 1;
    lay_batch(tunnel, &b, OX_ECN_NOT_ECT, 1, now_ns);
}

/** Adds the datagram at `bytes` to the batch, or begins it. False when it belongs into another one. */
static bool add(ox_tunnel *tunnel, batch *b, const ox_opening *o, uint8_t *bytes) {
    uint32_t index = o->header.car_index;
    bool last = o->header.car_last;
    if (index > o->number) {
        ox_tunnel_count(tunnel, OX_DROP_TRAIN_MALFORMED, 1);
        return true;
    }
    if (b->count == 0) {
        if (!begin_batch(tunnel, b, o->session, o->number - index)) return true;
    } else if (b->session != o->session || b->first != o->number - index || (b->taken & ox_train_bit(index)) != 0 ||
               b->count == OX_TRAIN_CARS_MAX) {
        return false;
    }
    uint8_t *from = bytes + o->header.header_bytes;
    b->jobs[b->count] = (ox_aead_job){.number = o->number,
                                      .aad = bytes,
                                      .aad_len = o->header.header_bytes,
                                      .from = from,
                                      .to = opened_at(b, index, last, from, o->len),
                                      .len = o->len};
    b->index[b->count] = (uint8_t)index;
    b->last[b->count++] = last;
    b->taken |= ox_train_bit(index);
    return true;
}

/**
 * Takes the cars of one train that lie one behind the other in `buf`, from `offset` on, where one is. Returns the offset
 * behind them. The buffer stays the caller's.
 */
uint32_t ox_train_take(ox_tunnel *tunnel, ox_buf *buf, uint32_t offset, uint64_t now_ns) {
    batch b;
    b.count = b.bytes = b.slice = 0;
    b.taken = 0;
    uint32_t unit = buf->segment != 0 ? buf->segment : buf->len;
    while (offset < buf->len) {
        uint8_t *bytes = buf->data + offset;
        uint32_t len = buf->len - offset < unit ? buf->len - offset : unit;
        if ((bytes[0] & OX_TYPE_CAR) == 0 || (bytes[0] & OX_TYPE_MASK) != OX_TYPE_DATA) break;
        ox_opening opening;
        ox_verdict verdict = ox_ingress_header(tunnel, buf, bytes, len, now_ns, &opening);
        if (verdict != OX_PASS) ox_tunnel_count(tunnel, verdict, 1);
        else if (!add(tunnel, &b, &opening, bytes)) break;
        offset += len;
    }
    if (b.count > 0) open_batch(tunnel, &b, buf, now_ns);
    return offset;
}
