/** @file  What leaves is remembered, so that it can be repaired, and earlier symbols of sparse flows ride along. */
#include "repair.h"

#include <stdlib.h>

enum {
    TELLINGS = 3,           /**< how often the same is said, so that two of them may be lost */
    GAP_US = 1000,          /**< how soon feedback on a gap is wanted where resending is an order */
};

static const uint64_t TELL_NS = 250 * (uint64_t)OX_NS_PER_MS;    /**< between two REPAIRED frames, */
static const uint64_t WISH_NS = OX_NS_PER_SECOND;                /**< and between two that only repeat a wish */

/* ---- memory and orders -------------------------------------------------------------------------------------- */

/** Address space, most of which stays empty until something is repaired. NULL without it. */
ox_session_repair *ox_session_repair_create(void) {
    ox_session_repair *repair = calloc(1, sizeof *repair);
    if (repair == NULL) return NULL;
    void *history = ox_reserve(ox_repair_history_bytes()), *store = ox_reserve(ox_repair_store_bytes());
    repair->pace = ox_reserve(ox_repair_pace_bytes());
    if (history != NULL) repair->history = ox_repair_history_init(history);
    if (store != NULL) repair->store = ox_repair_store_init(store);
    repair->tellings = TELLINGS;
    if (history != NULL && store != NULL && repair->pace != NULL) return repair;
    ox_session_repair_destroy(repair);
    return NULL;
}

void ox_session_repair_destroy(ox_session_repair *repair) {
    if (repair == NULL) return;
    ox_release(repair->history, ox_repair_history_bytes());
    ox_release(repair->store, ox_repair_store_bytes());
    ox_release(repair->pace, ox_repair_pace_bytes());
    free(repair);
}

static uint64_t within(uint64_t value, uint64_t most) { return value < most ? value : most; }

void ox_tunnel_set_repair(ox_tunnel *tunnel, uint32_t id, uint32_t index, const ox_path_repair *repair) {
    ox_peer *peer = id < OX_PEERS_MAX ? tunnel->peers[id] : NULL;
    if (peer == NULL || index >= OX_PATHS_MAX) return;
    ox_path *path = &peer->paths[index];
    ox_path_repair orders = *repair;
    path->repairing = path->repair_reserve = 0;
    for (uint32_t i = 0; i < OX_CLASSES; i++) {
        ox_repair_order *order = &orders.classes[i];
        order->copies = within(order->copies, OX_REPAIR_COPIES_MAX);
        order->permille = within(order->permille, OX_REPAIR_PERMILLE_MAX);
        order->window = within(order->window, OX_REPAIR_WINDOW_MAX);
        order->interleave = within(order->interleave, OX_REPAIR_INTERLEAVE_MAX);
        bool windowed = order->permille > 0 && order->window > 0;
        uint32_t reserve = windowed ? (uint32_t)OX_WINDOW_RESERVE : order->resend != 0 ? (uint32_t)OX_RESEND_RESERVE : 0;
        if (windowed || order->copies > 0 || order->resend != 0) path->repairing |= 1u << i;
        if (reserve > path->repair_reserve) path->repair_reserve = reserve;
    }
    // Any thread may look at them, number by number.
    const uint64_t *from = (const uint64_t *)&orders;
    for (size_t i = 0; i < sizeof orders / sizeof *from; i++) ox_publish((uint64_t *)&path->repair + i, from[i]);
}

/* ---- copies ------------------------------------------------------------------------------------------------- */

/** Bytes of the headers of a raw packet that copies can be a difference from, or 0. */
static uint32_t header_bytes(const uint8_t *packet, uint32_t len) {
    ox_headers headers;
    if (ox_parse(packet, len, &headers) != OX_PASS) return 0;
    uint32_t bytes = ox_headers_bytes(&headers);
    return bytes <= OX_REPAIR_DIFFERENCE_MAX ? bytes : 0;
}

/** Writes a COPY frame; 0 when it does not fit. `base`: the raw packet that it rides with, of `header` bytes, or 0 of them. */
static uint32_t write_copy(const ox_repair_symbol *symbol, uint64_t carrier, const uint8_t *base, uint32_t header,
                           uint8_t *out, size_t room) {
    if (room <= OX_COPY_HEAD_BYTES) return 0;
    ox_copy_frame copy = {.distance = carrier - symbol->number,
                          .difference = symbol->lone && header > 0 && symbol->len >= header,
                          .is_car = symbol->car != OX_REPAIR_NO_CAR,
                          .car = symbol->car};
    uint32_t at = 1 + OX_FRAME_FIXED_LENGTH_BYTES;
    at += ox_copy_write_head(&copy, out + at);
    if (copy.difference) {
        uint32_t len = ox_repair_difference(base, header, symbol->content, symbol->len, out + at, room - at);
        if (len == 0) return 0;
        at += len;
    } else {
        if (symbol->len > room - at) return 0;
        memcpy(out + at, symbol->content, symbol->len);
        at += symbol->len;
    }
    ox_frame_write_head(out, OX_FRAME_COPY, at - 1 - OX_FRAME_FIXED_LENGTH_BYTES);
    return at;
}

/** Writes what rides of the flows of the datagram that leaves; returns its bytes. */
static uint32_t write_copies(ox_path *path, const ox_open *open, const ox_repair_order *order, uint8_t *out, uint32_t room,
                             uint64_t now_ns) {
    const ox_session *session = open->session;
    const ox_buf *buf = open->buf;
    ox_repair_symbol found[OX_REPAIR_COPIES_MAX * OX_REPAIR_FLOWS_MAX];
    uint32_t count = ox_repair_history_earlier(session->repair->history, open->flows, open->flow_count, order->offsets,
                                               (uint32_t)order->copies, found);
    uint32_t header = open->lone && count > 0 ? header_bytes(buf->data, buf->len) : 0, len = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (now_ns - found[i].sent_ns > order->deadline_ns) continue; // a copy would come too late
        uint32_t bytes = write_copy(&found[i], session->next_number, buf->data, header, out + len, room - len);
        ox_count(bytes > 0 ? &path->repairs.copies : &path->repairs.crowded, 1);
        ox_count(&path->repairs.copy_bytes, bytes);
        len += bytes;
    }
    return len;
}

/* ---- symbols ------------------------------------------------------------------------------------------------ */

/** Whether all flows of the datagram are sparse. */
static bool note_flows(const ox_open *open, ox_repair_pace *pace, uint64_t now_ns) {
    if (open->flow_count > OX_REPAIR_FLOWS_MAX) return false;
    bool sparse = open->flow_count > 0;
    for (uint32_t i = 0; i < open->flow_count; i++) sparse &= ox_repair_pace_note(pace, open->flows[i], open->class_, now_ns);
    return sparse;
}

static void note_traffic(ox_path *path, uint8_t class_, bool sparse, uint64_t symbols, uint64_t bytes) {
    if (path->repair.watch == 0) return;
    ox_repair_traffic *traffic = &path->traffic;
    ox_count(sparse ? &traffic->sparse_symbols[class_] : &traffic->dense_symbols[class_], symbols);
    ox_count(sparse ? &traffic->sparse_bytes[class_] : &traffic->dense_bytes[class_], bytes);
}

/** How long a symbol is of use: copies of it ride in datagrams up to then. */
static uint64_t keep_ns(const ox_repair_order *order) { return 2 * order->deadline_ns; }

/** Remembers the symbol that leaves, and writes the copies that ride with it; returns their bytes. */
static uint32_t protect(ox_tunnel *tunnel, const ox_open *open, bool sparse, uint8_t *out, uint32_t room, uint64_t now_ns) {
    ox_session *session = open->session;
    ox_path *path = &session->peer->paths[session->is.path];
    const ox_repair_order *order = &path->repair.classes[open->class_];
    bool copied = sparse && order->copies > 0, windowed = !copied && order->permille > 0 && order->window > 0;
    if (!copied && !windowed && order->resend == 0) return 0;
    ox_repair_symbol symbol = {.number = session->next_number,
                               .sent_ns = now_ns,
                               .content = open->buf->data,
                               .len = (uint16_t)open->buf->len,
                               .car = OX_REPAIR_NO_CAR,
                               .class_ = open->class_,
                               .flow_count = copied ? open->flow_count : 0,
                               .lone = open->lone,
                               .windowed = windowed};
    memcpy(symbol.flows, open->flows, sizeof symbol.flows);
    uint32_t len = copied ? write_copies(path, open, order, out, room, now_ns) : 0;
    ox_repair_history_note(session->repair->history, &symbol, keep_ns(order));
    if (windowed) ox_repair_owe(tunnel, session, (ox_class)open->class_, now_ns);
    return len;
}

/** The datagram that is about to leave: frames of this layer go in front of what is in it. */
void ox_repair_source(ox_tunnel *tunnel, const ox_open *open, uint64_t now_ns) {
    ox_session *session = open->session;
    ox_path *path = &session->peer->paths[session->is.path];
    ox_buf *buf = open->buf;
    uint8_t frames[OX_BUF_BYTES];
    uint32_t room = ox_session_room_whole(session), tailroom = ox_buf_tailroom(buf);
    room = room > buf->len ? room - buf->len : 0;
    if (tailroom < room + session->tag_bytes) room = tailroom > session->tag_bytes ? tailroom - session->tag_bytes : 0;
    if (room > sizeof frames) room = sizeof frames;
    uint32_t len = ox_repair_tell(session, frames, room, now_ns);
    if (path->repair.watch != 0 || path->repairing != 0) {
        bool sparse = note_flows(open, session->repair->pace, now_ns);
        note_traffic(path, open->class_, sparse, 1, buf->len + ox_session_overhead(session, session->next_number));
        if ((path->repairing >> open->class_ & 1) != 0) len += protect(tunnel, open, sparse, frames + len, room - len, now_ns);
    }
    if (len == 0) return;
    memmove(buf->data + len, buf->data, buf->len);
    memcpy(buf->data, frames, len);
    buf->len += len;
}

/** The datagram could not be sent. */
void ox_repair_retract(ox_session *session, uint64_t number) { ox_repair_history_retract(session->repair->history, number); }

/** The cars of a train that leave. */
void ox_repair_cars(ox_tunnel *tunnel, ox_session *session, ox_class class_, const ox_aead_job *jobs, uint32_t count,
                    uint64_t now_ns) {
    ox_path *path = &session->peer->paths[session->is.path];
    const ox_repair_order *order = &path->repair.classes[class_];
    bool windowed = order->permille > 0 && order->window > 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const ox_aead_job *job = &jobs[i];
        bytes += job->aad_len + job->len + session->tag_bytes;
        if (!windowed && order->resend == 0) continue;
        ox_repair_symbol symbol = {.number = job->number,
                                   .sent_ns = now_ns,
                                   .content = job->from,
                                   .len = (uint16_t)job->len,
                                   .car = job->aad[job->aad_len - 1],
                                   .class_ = (uint8_t)class_,
                                   .windowed = windowed};
        ox_repair_history_note(session->repair->history, &symbol, keep_ns(order));
        if (windowed) ox_repair_owe(tunnel, session, class_, now_ns);
    }
    note_traffic(path, (uint8_t)class_, false, count, bytes);
}

uint64_t ox_repair_gap(const ox_session *session, ox_class class_, uint64_t now_ns) {
    return session->repair != NULL ? ox_repair_pace_gap(session->repair->pace, (uint8_t)class_, now_ns) : 0;
}

/* ---- what is told ------------------------------------------------------------------------------------------- */

/** Writes the REPAIRED frame that is due; 0 when none is, or it does not fit. */
uint32_t ox_repair_tell(ox_session *session, uint8_t *out, size_t room, uint64_t now_ns) {
    ox_session_repair *repair = session->repair;
    const ox_path *path = &session->peer->paths[session->is.path];
    if (room < OX_REPAIRED_BYTES_MAX) return 0;
    repair->own.gap_us = 0;
    for (uint32_t i = 0; path->repairing != 0 && i < OX_CLASSES; i++)
        if (path->repair.classes[i].resend != 0) repair->own.gap_us = GAP_US;
    bool wishes_other = repair->own.gap_us != repair->told.gap_us;
    bool news = memcmp(&repair->own, &repair->told, sizeof repair->own) != 0;
    uint64_t interval = news || repair->tellings < TELLINGS ? TELL_NS : WISH_NS;
    if (!news && repair->tellings >= TELLINGS && repair->own.gap_us == 0) return 0;
    if (!wishes_other && now_ns - repair->told_ns < interval) return 0;
    repair->tellings = news ? 1 : repair->tellings + 1;
    repair->told = repair->own;
    repair->told_ns = now_ns;
    return ox_repaired_write(&repair->own, out);
}
