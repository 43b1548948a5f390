/** @file  Trains on their way in: what is missing of them, and what goes on (Wire.md section 6.10). */
#include "train.h"

/** How long a car that comes late, after its train was given up, still finds it. */
static const uint64_t KEEP_NS = 100 * (uint64_t)OX_NS_PER_MS;

/* ---- slots -------------------------------------------------------------------------------------------------- */

ox_train *ox_train_find(const ox_session *session, uint64_t first) {
    for (ox_train *train = session->trains; train != NULL; train = train->next)
        if (train->first == first) return train;
    return NULL;
}

/** Forgets a train; cars that arrived and could not go on are counted. */
void ox_train_end(ox_tunnel *tunnel, ox_train *train) {
    ox_train **link = &train->session->trains;
    while (*link != train) link = &(*link)->next;
    *link = train->next;
    uint64_t lost = train->arrived & ~train->given;
    if (lost != 0) ox_tunnel_count(tunnel, OX_DROP_TRAIN_UNFINISHED, (uint64_t)__builtin_popcountll(lost));
    if (train->buf != NULL) ox_pool_put(tunnel->is.pool, train->buf);
    train->buf = NULL;
    train->session = NULL;
    tunnel->trains_open--;
}

void ox_train_forget(ox_tunnel *tunnel, ox_session *session) {
    while (session->trains != NULL) ox_train_end(tunnel, session->trains);
}

static void give(ox_tunnel *tunnel, ox_train *train, bool waits, uint64_t now_ns);

/**
 * A free slot; when there is none, that of the session's own oldest train, so that no peer takes those of others; when it has
 * none, that of the train that was silent for longest.
 */
static ox_train *choose_slot(ox_tunnel *tunnel, const ox_session *session) {
    ox_train *silent = &tunnel->trains[0];
    for (uint32_t i = 0; i < OX_TRAIN_SLOTS; i++) {
        ox_train *train = &tunnel->trains[i];
        if (train->session == NULL) return train;
        if (train->touched_ns < silent->touched_ns) silent = train;
    }
    return session->trains != NULL ? session->trains : silent;
}

ox_train *ox_train_begin(ox_tunnel *tunnel, ox_session *session, uint64_t first, uint64_t now_ns) {
    ox_train *slot = choose_slot(tunnel, session);
    if (slot->session != NULL) {
        give(tunnel, slot, false, now_ns);
        ox_train_end(tunnel, slot);
    }
    *slot = (ox_train){.session = session, .first = first, .last = OX_TRAIN_LAST_UNKNOWN, .due_ns = OX_NEVER};
    tunnel->trains_open++;
    ox_train **link = &session->trains;
    while (*link != NULL && (*link)->first < first) link = &(*link)->next;
    slot->next = *link;
    *link = slot;
    return slot;
}

/* ---- towards the device ------------------------------------------------------------------------------------- */

/** Hands the cars `from` to `to` on as one packet or super-packet, in the train's buffer when no other car is in it. */
static void give_run(ox_tunnel *tunnel, ox_train *train, uint32_t from, uint32_t to) {
    uint64_t run = (to == 63 ? UINT64_MAX : ox_train_bit(to + 1) - 1) & ~(ox_train_bit(from) - 1);
    uint32_t start = from == 0 ? 0 : ox_train_payload_before(train, from);
    uint32_t end = to == train->last ? train->payload : ox_train_payload_before(train, to + 1);
    uint32_t len = end - start, head = train->header_bytes;
    uint8_t *payload = from == 0 ? ox_train_content(train) + ox_train_head_bytes(train)
                                 : train->buf->storage + OX_TRAIN_BASE + (from - 1) * train->slice;
    bool alone = (train->arrived & ~train->given) == run;
    train->given |= run;
    if (len == 0) return; // a last car that held the copy alone
    ox_buf *out = train->buf;
    if (alone) {
        train->buf = NULL;
        out->data = payload - head;
    } else {
        out = ox_pool_get(tunnel->is.pool, head + len <= OX_BUF_CONTENT_MAX ? OX_BUF_SMALL : OX_BUF_LARGE);
        if (out == NULL) {
            ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, (uint64_t)__builtin_popcountll(run));
            return;
        }
        memcpy(out->data + head, payload, len);
    }
    out->len = head + len;
    memcpy(out->data, train->header, head);
    ox_piece_headers(out->data, &train->headers, start / train->segment, start, len, train->payload);
    out->segment = len > train->segment ? (uint16_t)train->segment : 0;
    out->transport = train->headers.transport_offset;
    out->protocol = train->headers.protocol;
    out->checksum = OX_CHECKSUM_PARTIAL;
    out->ecn = train->ecn;
    ox_deliver(tunnel, train->session, out);
}

/** Gives on what has come in order; with `waits` not what lies behind a missing car, unless that has waited enough. */
static void give(ox_tunnel *tunnel, ox_train *train, bool waits, uint64_t now_ns) {
    if (train->header_bytes == 0) return;
    if (now_ns >= train->due_ns) waits = false;
    uint64_t pending;
    while ((pending = train->arrived & ~train->given) != 0) {
        uint32_t from = (uint32_t)__builtin_ctzll(pending);
        // A hole that cars went past is waited for no more, and what comes late comes in no order.
        uint32_t next = train->given == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(train->given);
        if (from > next && waits) {
            if (train->due_ns == OX_NEVER) train->due_ns = now_ns + tunnel->policy.train_wait_ns;
            return;
        }
        uint64_t behind = ~(pending >> from);
        uint32_t to = from + (behind == 0 ? 64 - from : (uint32_t)__builtin_ctzll(behind)) - 1;
        give_run(tunnel, train, from, to);
    }
    train->due_ns = OX_NEVER;
}

bool ox_train_complete(const ox_train *train) {
    if (train->header_bytes == 0 || train->last == OX_TRAIN_LAST_UNKNOWN) return false;
    uint64_t all = train->last == 63 ? UINT64_MAX : ox_train_bit(train->last + 1) - 1;
    return train->arrived == all;
}

static void look_again(ox_tunnel *tunnel, const ox_train *train) {
    uint64_t due = train->touched_ns + KEEP_NS;
    if (train->due_ns < due) due = train->due_ns;
    if (due < tunnel->trains_due_ns) tunnel->trains_due_ns = due;
}

/**
 * Gives on what the session's trains have. A train that has a newer one behind it waits no longer; with `more`, cars that
 * are about to be read are waited for.
 */
void ox_train_settle(ox_tunnel *tunnel, ox_session *session, bool more, uint64_t now_ns) {
    for (ox_train *train = session->trains, *next; train != NULL; train = next) {
        next = train->next;
        if (next == NULL && more && !ox_train_complete(train) && now_ns < train->due_ns) {
            if (train->due_ns == OX_NEVER) train->due_ns = now_ns + tunnel->policy.train_wait_ns;
            look_again(tunnel, train);
            return;
        }
        give(tunnel, train, next == NULL, now_ns);
        if (ox_train_complete(train) && train->given == train->arrived) ox_train_end(tunnel, train);
        else look_again(tunnel, train);
    }
}

void ox_train_settle_all(ox_tunnel *tunnel, bool more, uint64_t now_ns) {
    for (uint32_t i = 0; i < OX_TRAIN_SLOTS && tunnel->trains_open > 0; i++)
        if (tunnel->trains[i].session != NULL && (tunnel->trains[i].arrived & ~tunnel->trains[i].given) != 0)
            ox_train_settle(tunnel, tunnel->trains[i].session, more, now_ns);
}

/** Trains whose cars have waited long enough, or that nobody asks for any more. */
void ox_train_advance(ox_tunnel *tunnel, uint64_t now_ns) {
    if (now_ns < tunnel->trains_due_ns) return;
    tunnel->trains_due_ns = OX_NEVER;
    for (uint32_t i = 0; i < OX_TRAIN_SLOTS; i++) {
        ox_train *train = &tunnel->trains[i];
        if (train->session == NULL) continue;
        if (now_ns >= train->due_ns) give(tunnel, train, false, now_ns);
        if (now_ns >= train->touched_ns + KEEP_NS) ox_train_end(tunnel, train);
        else look_again(tunnel, train);
    }
    ox_deliver_flush(tunnel);
}
