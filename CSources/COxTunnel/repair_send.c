/** @file  Datagrams that repair others and carry nothing else: combinations of a window, and symbols sent again. */
#include "repair.h"

enum {
    OWED_MOST = 32,     /**< REPAIR datagrams of a class that wait to be sent */
    MEASURED = 16,      /**< symbols from which the time between them is reckoned */
    UNIT = 1000,        /**< of credit: one datagram */
};

static const uint64_t MEASURE_NS = 20 * (uint64_t)OX_NS_PER_MS; /**< or the time after which it is, */
static const uint64_t MEASURE_LEAST_NS = OX_NS_PER_MS;          /**< and before: a burst does not tell */
static const uint64_t UNKNOWN_NS = OX_NS_PER_MS / 8;            /**< taken for that time until it is known */
static const uint64_t PAUSE_NS = 100 * (uint64_t)OX_NS_PER_MS;  /**< a longer one says nothing of that time */
static const uint64_t SILENCE_NS = 4 * (uint64_t)OX_NS_PER_SECOND;
static const uint64_t CLOSE_LEAST_NS = OX_NS_PER_MS;
static const uint64_t CLOSE_MOST_NS = 20 * (uint64_t)OX_NS_PER_MS;

static void look_at(ox_tunnel *tunnel, ox_session *session, uint64_t due_ns) {
    if (due_ns >= session->repair_due_ns) return;
    session->repair_due_ns = due_ns;
    ox_session_activate(tunnel, session, due_ns);
}

/* ---- windows ------------------------------------------------------------------------------------------------ */

static void measure(ox_window *window, uint64_t now_ns) {
    if (window->measured == 0 || now_ns - window->symbol_ns > PAUSE_NS) {
        window->measured = 1;
        window->measured_ns = now_ns;
        return;
    }
    window->measured++;
    uint64_t measured_for = now_ns - window->measured_ns;
    if (measured_for < (window->measured <= MEASURED ? MEASURE_NS : MEASURE_LEAST_NS)) return;
    uint64_t each = measured_for / (window->measured - 1);
    window->usual_ns = window->usual_ns == 0 ? each : (3 * window->usual_ns + each) / 4;
    window->measured = 1;
    window->measured_ns = now_ns;
}

/** When the next REPAIR datagram of a class is due: never all that are owed at once. */
static uint64_t due_of(const ox_window *window, const ox_repair_order *order) {
    if (order->permille == 0 || order->window == 0) return OX_NEVER;
    // Twice as fast as they become due, so that those of a burst end before the next one.
    uint64_t each = (window->usual_ns != 0 ? window->usual_ns : UNKNOWN_NS) * UNIT / order->permille;
    if (window->credit >= UNIT) return window->sent_ns + each / 2;
    if (!window->uncovered || window->credit <= 0) return OX_NEVER;
    // The last symbols of a run wait for no further ones.
    uint64_t wait = 2 * each;
    if (wait < CLOSE_LEAST_NS) wait = CLOSE_LEAST_NS;
    if (wait > CLOSE_MOST_NS) wait = CLOSE_MOST_NS;
    return window->symbol_ns + wait;
}

/** A symbol that windows cover has left. */
void ox_repair_owe(ox_tunnel *tunnel, ox_session *session, ox_class class_, uint64_t now_ns) {
    ox_window *window = &session->repair->windows[class_];
    const ox_repair_order *order = &session->peer->paths[session->is.path].repair.classes[class_];
    measure(window, now_ns);
    // The first one leaves at once: the other side keeps nothing before it has seen one, nor after a long silence.
    bool unknown = window->sent_ns == 0 || now_ns - window->sent_ns > SILENCE_NS;
    if (unknown && window->credit < UNIT - (int64_t)order->permille) window->credit = UNIT - (int64_t)order->permille;
    window->symbol_ns = now_ns;
    window->uncovered = true;
    window->credit += (int64_t)order->permille;
    if (window->credit > OWED_MOST * UNIT) window->credit = OWED_MOST * UNIT;
    uint64_t due_ns = due_of(window, order);
    look_at(tunnel, session, due_ns > now_ns ? due_ns : now_ns);
}

/** Sends a buffer with one frame of this layer. Returns the datagram's bytes, 0 when it was dropped. */
static uint64_t send_buffer(ox_tunnel *tunnel, ox_session *session, ox_buf *buf, uint64_t now_ns) {
    const ox_path *path = &session->peer->paths[session->is.path];
    uint64_t before = path->stats.sent_bytes;
    return ox_session_seal(tunnel, session, buf, true, ox_session_address(session), now_ns) ? path->stats.sent_bytes - before : 0;
}

static void send_window(ox_tunnel *tunnel, ox_session *session, ox_class class_, uint64_t now_ns) {
    ox_session_repair *repair = session->repair;
    ox_path *path = &session->peer->paths[session->is.path];
    const ox_repair_order *order = &path->repair.classes[class_];
    ox_window *window = &repair->windows[class_];
    bool closes = window->credit < UNIT;
    window->credit -= UNIT;
    window->sent_ns = now_ns;
    window->uncovered = false;
    uint32_t lane = window->lane < order->interleave ? window->lane : 0; // orders change
    window->lane = order->interleave > 1 && lane + 1 < order->interleave ? lane + 1 : 0;
    // One that closes a run covers what is newest, whatever the turn.
    ox_repair_order all = *order;
    if (closes) all.interleave = 1;
    ox_buf *buf = ox_pool_get(tunnel->is.pool, OX_BUF_SMALL);
    if (buf == NULL) {
        ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, 1);
        return;
    }
    uint8_t *parity = buf->data + OX_WINDOW_HEAD_BYTES;
    ox_repair_window made;
    if (!ox_repair_history_combine(repair->history, (uint8_t)class_, &all, closes ? 0 : lane, session->next_number,
                                   ox_session_room_whole(session) - OX_WINDOW_HEAD_BYTES, repair->seed, parity, &made)) {
        ox_pool_put(tunnel->is.pool, buf);
        return;
    }
    repair->seed++;
    ox_repair_frame frame = {.distance = session->next_number - made.first, .seed = made.seed};
    memcpy(frame.map, made.map, sizeof frame.map);
    uint8_t head[OX_REPAIR_BODY_HEAD_MAX];
    uint32_t head_bytes = ox_repair_write_head(&frame, head), frame_bytes = 1 + OX_FRAME_FIXED_LENGTH_BYTES;
    OX_ASSERT(head_bytes + frame_bytes <= OX_WINDOW_HEAD_BYTES);
    buf->data = parity - head_bytes - frame_bytes;
    buf->len = frame_bytes + head_bytes + made.len;
    ox_frame_write_head(buf->data, OX_FRAME_REPAIR, head_bytes + made.len);
    memcpy(buf->data + frame_bytes, head, head_bytes);
    uint64_t bytes = send_buffer(tunnel, session, buf, now_ns);
    ox_count(&path->repairs.windows, bytes > 0);
    ox_count(&path->repairs.window_bytes, bytes);
}

/** What could not leave while its symbols were of use is owed no more. */
static void forgive(ox_window *window, const ox_repair_order *order, uint64_t now_ns) {
    if (order->deadline_ns == 0 || now_ns - window->symbol_ns <= order->deadline_ns) return;
    if (window->credit > 0) window->credit = 0;
    window->uncovered = false;
}

/* ---- sent again --------------------------------------------------------------------------------------------- */

/** The symbol that a datagram carried: that of its number, or the one that it sent again. */
static uint64_t symbol_of(const ox_session_repair *repair, uint64_t number) {
    for (uint32_t i = 0; i < OX_RESENDS_MAX; i++)
        if (repair->carriers[i] == number + 1) return repair->resends[i];
    return number;
}

/** Whether a symbol would still be there in time. */
static bool in_time(const ox_path *path, const ox_repair_symbol *symbol, uint64_t now_ns) {
    const ox_repair_order *order = &path->repair.classes[symbol->class_];
    return order->resend != 0 && now_ns + path->stats.rtt_smoothed_ns / 2 <= symbol->sent_ns + order->deadline_ns;
}

/** The ledger takes datagrams for lost. */
void ox_repair_lost(ox_tunnel *tunnel, ox_session *session, const ox_ledger_result *result, uint64_t now_ns) {
    ox_session_repair *repair = session->repair;
    const ox_path *path = &session->peer->paths[session->is.path];
    if (repair == NULL || path->repairing == 0) return;
    for (uint32_t i = 0; i < result->lost_listed && repair->resends_due - repair->resends_done < OX_RESENDS_MAX; i++) {
        ox_repair_symbol symbol;
        if (!ox_repair_history_find(repair->history, symbol_of(repair, result->lost[i]), &symbol)) continue;
        if (!in_time(path, &symbol, now_ns)) continue;
        uint32_t place = repair->resends_due++ % OX_RESENDS_MAX;
        repair->resends[place] = symbol.number;
        repair->carriers[place] = 0;
        look_at(tunnel, session, now_ns);
    }
}

static void resend(ox_tunnel *tunnel, ox_session *session, uint32_t place, const ox_repair_symbol *symbol, uint64_t now_ns) {
    ox_path *path = &session->peer->paths[session->is.path];
    ox_buf *buf = ox_pool_get(tunnel->is.pool, OX_BUF_SMALL);
    if (buf == NULL) {
        ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, 1);
        return;
    }
    uint64_t carrier = session->next_number;
    ox_copy_frame copy = {.distance = carrier - symbol->number,
                          .resent = true,
                          .is_car = symbol->car != OX_REPAIR_NO_CAR,
                          .car = symbol->car};
    uint8_t head[OX_COPY_HEAD_MAX];
    uint32_t head_bytes = ox_copy_write_head(&copy, head);
    buf->len = ox_frame_write_head(buf->data, OX_FRAME_COPY, head_bytes + symbol->len);
    memcpy(buf->data + buf->len, head, head_bytes);
    buf->len += head_bytes;
    memcpy(buf->data + buf->len, symbol->content, symbol->len);
    buf->len += symbol->len;
    if (buf->len > ox_session_room_whole(session)) { // the path has become narrower
        ox_count(&path->repairs.crowded, 1);
        ox_pool_put(tunnel->is.pool, buf);
        return;
    }
    uint64_t bytes = send_buffer(tunnel, session, buf, now_ns);
    ox_count(&path->repairs.resent, bytes > 0);
    ox_count(&path->repairs.resent_bytes, bytes);
    if (bytes > 0) session->repair->carriers[place] = carrier + 1;
}

/* ---- when the path takes them ------------------------------------------------------------------------------- */

/** Whether a datagram of the class may leave now; if not, it is looked at again. */
static bool may_leave(ox_tunnel *tunnel, ox_session *session, uint8_t class_, uint64_t now_ns) {
    ox_path *path = &session->peer->paths[session->is.path];
    if (ox_serve_allows(tunnel, path, session, (OX_URGENT >> class_ & 1) != 0, now_ns)) return true;
    uint64_t due_ns = ox_pacer_ready(&path->pacer, now_ns) ? now_ns + OX_AGAIN_NS : ox_pacer_due(&path->pacer);
    look_at(tunnel, session, due_ns > now_ns ? due_ns : now_ns + OX_AGAIN_NS);
    return false;
}

static void serve_resends(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns) {
    ox_session_repair *repair = session->repair;
    const ox_path *path = &session->peer->paths[session->is.path];
    while (repair->resends_done < repair->resends_due) {
        ox_repair_symbol symbol;
        uint32_t place = repair->resends_done % OX_RESENDS_MAX;
        if (ox_repair_history_find(repair->history, repair->resends[place], &symbol) && in_time(path, &symbol, now_ns)) {
            if (!may_leave(tunnel, session, symbol.class_, now_ns)) return;
            resend(tunnel, session, place, &symbol, now_ns);
        }
        repair->resends_done++;
    }
}

/** Sends what is due of the session and what its path allows. */
void ox_repair_serve(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns) {
    ox_session_repair *repair = session->repair;
    ox_path *path = &session->peer->paths[session->is.path];
    session->repair_due_ns = OX_NEVER;
    if (session->peer->sending[session->is.path] != session) return;
    if (ox_session_can_send(tunnel, session, ox_session_address(session), now_ns) != OX_PASS) return;
    // What is in the open datagram is older, and half of a packet in it must have the next number.
    ox_pack_flush_of(tunnel, session, now_ns);
    ox_serve_check_limited(tunnel, path, now_ns);
    serve_resends(tunnel, session, now_ns);
    for (uint32_t i = 0; i < OX_CLASSES; i++) {
        const ox_repair_order *order = &path->repair.classes[i];
        forgive(&repair->windows[i], order, now_ns);
        uint64_t due_ns;
        while ((due_ns = due_of(&repair->windows[i], order)) <= now_ns) {
            if (!may_leave(tunnel, session, (uint8_t)i, now_ns)) break;
            send_window(tunnel, session, (ox_class)i, now_ns);
        }
        if (due_ns > now_ns && due_ns != OX_NEVER) look_at(tunnel, session, due_ns);
    }
    path->ahead = false;
}
