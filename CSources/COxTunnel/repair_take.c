/** @file  Frames that repair: what they bring back goes on as if it had arrived, but is not said to have. */
#include "repair.h"

/** A side that sends REPAIR frames sends more of them: for so long symbols are kept. */
static const uint64_t KEEP_NS = 5 * (uint64_t)OX_NS_PER_SECOND;
static const uint64_t GAP_MOST_NS = 100 * (uint64_t)OX_NS_PER_MS;

static ox_repair_report *report_of(const ox_session *session) { return &session->peer->paths[session->is.path].repairs; }

static void count_late(ox_tunnel *tunnel, ox_session *session) {
    ox_tunnel_count(tunnel, OX_DROP_REPAIR_LATE, 1);
    ox_count(&report_of(session)->late, 1);
    session->repair->own.late++;
}

/* ---- symbols ------------------------------------------------------------------------------------------------ */

/** Hands a symbol on that did not arrive, unless it has come by now. */
static bool recover(ox_tunnel *tunnel, ox_session *session, const ox_repair_symbol *symbol, uint64_t now_ns) {
    ox_verdict verdict = ox_replay_check(&session->replay, symbol->number);
    if (verdict == OX_DROP_TOO_OLD) count_late(tunnel, session);
    if (verdict == OX_DROP_REPLAYED) ox_count(&report_of(session)->unneeded, 1);
    if (verdict != OX_PASS) return false;
    ox_replay_recover(&session->replay, symbol->number);
    ox_ingress_recovered(tunnel, session, symbol, now_ns);
    return true;
}

/** Hands on what combinations give by now. What is being laid in a train must be laid before. */
void ox_repair_drain(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns) {
    ox_session_repair *repair = session->repair;
    if (now_ns >= repair->store_until_ns) return;
    ox_repair_symbol symbol;
    while (ox_repair_store_solved(repair->store, &symbol)) {
        if (!recover(tunnel, session, &symbol, now_ns)) continue;
        repair->own.by_window++;
        ox_count(&report_of(session)->by_window, 1);
    }
    uint64_t given_up = ox_repair_store_given_up(repair->store);
    ox_count(&report_of(session)->given_up, given_up - repair->given_up);
    repair->own.given_up += given_up - repair->given_up;
    repair->given_up = given_up;
}

static bool repairs(uint32_t type) {
    return type == OX_FRAME_COPY || type == OX_FRAME_REPAIR || type == OX_FRAME_REPAIRED || type == OX_FRAME_FEEDBACK ||
           type == OX_FRAME_HEADERS;
}

/** A datagram has arrived: combinations may need what is in it. Called before its frames are read. */
void ox_repair_keep(ox_session *session, uint64_t number, uint8_t car, const uint8_t *plain, uint32_t len, uint64_t now_ns) {
    ox_session_repair *repair = session->repair;
    if (now_ns >= repair->store_until_ns) return;
    //= Wire.md section 6.12
    //# without the frames FEEDBACK, COPY, REPAIR and REPAIRED in front, nor HEADERS
    size_t from = 0;
    if (car == OX_REPAIR_NO_CAR) {
        ox_frame frame;
        for (size_t behind = 0; behind < len; from = behind)
            if (ox_frame_read(plain, len, &behind, &frame) != OX_PASS || !repairs(frame.type)) break;
    }
    if (from < len) ox_repair_store_keep(repair->store, number, car, plain + from, len - from);
}

/* ---- frames ------------------------------------------------------------------------------------------------- */

/** The raw packet that the rest of a datagram ends with: its headers' bytes, 0 when there is none. */
static uint32_t search_base(const uint8_t *bytes, size_t len, const uint8_t **base) {
    ox_frame frame;
    for (size_t offset = 0; offset < len;) {
        if (ox_frame_read(bytes, len, &offset, &frame) != OX_PASS) return 0;
        if (frame.type != OX_FRAME_PACKET) continue;
        ox_headers headers;
        *base = frame.body;
        if (ox_parse(frame.body, frame.len, &headers) != OX_PASS) return 0;
        uint32_t header = ox_headers_bytes(&headers);
        return header <= OX_REPAIR_DIFFERENCE_MAX ? header : 0;
    }
    return 0;
}

/** Likewise, once for all copies in the datagram. */
static uint32_t find_base(ox_repair_frames *frames, const uint8_t *behind, const uint8_t *end) {
    if (!frames->searched) frames->header = search_base(behind, (size_t)(end - behind), &frames->base);
    frames->searched = true;
    return frames->header;
}

static void take_copy(ox_tunnel *tunnel, ox_session *session, uint64_t number, ox_repair_frames *frames,
                      const ox_frame *frame, const uint8_t *end, uint64_t now_ns) {
    ox_session_repair *repair = session->repair;
    ox_copy_frame copy;
    ox_verdict verdict = ox_copy_read(frame->body, frame->len, number, &copy);
    uint8_t undone[OX_REPAIR_CONTENT_MAX];
    ox_repair_symbol symbol = {.number = number - copy.distance,
                               .content = copy.content,
                               .len = (uint16_t)copy.len,
                               .car = copy.is_car ? copy.car : (uint8_t)OX_REPAIR_NO_CAR};
    if (verdict == OX_PASS && copy.len > OX_REPAIR_CONTENT_MAX) verdict = OX_DROP_REPAIR_MALFORMED;
    if (verdict == OX_PASS && copy.difference) {
        uint32_t header = find_base(frames, frame->body + frame->len, end), bytes = 0;
        if (header > 0)
            bytes = ox_repair_undo_difference(frames->base, header, copy.content, copy.len, undone, sizeof undone);
        symbol.content = undone;
        symbol.len = (uint16_t)bytes;
        if (bytes == 0) verdict = OX_DROP_REPAIR_MALFORMED;
    }
    if (verdict != OX_PASS) {
        ox_tunnel_count(tunnel, verdict, 1);
        return;
    }
    if (!recover(tunnel, session, &symbol, now_ns)) return;
    ox_repair_report *report = report_of(session);
    ox_count(copy.resent ? &report->by_resend : &report->by_copy, 1);
    if (copy.resent) repair->own.by_resend++;
    else repair->own.by_copy++;
    if (now_ns >= repair->store_until_ns) return;
    ox_repair_store_keep(repair->store, symbol.number, symbol.car, symbol.content, symbol.len);
    ox_repair_drain(tunnel, session, now_ns);
}

static void take_window(ox_tunnel *tunnel, ox_session *session, uint64_t number, const ox_frame *frame, uint64_t now_ns) {
    ox_session_repair *repair = session->repair;
    ox_repair_frame read;
    ox_verdict verdict = ox_repair_read(frame->body, frame->len, number, &read);
    if (verdict == OX_PASS && read.len > OX_REPAIR_SYMBOL_MAX) verdict = OX_DROP_REPAIR_MALFORMED;
    if (verdict != OX_PASS) {
        ox_tunnel_count(tunnel, verdict, 1);
        return;
    }
    repair->store_until_ns = now_ns + KEEP_NS;
    ox_repair_window window = {
        .first = number - read.distance, .seed = read.seed, .parity = read.parity, .len = (uint32_t)read.len};
    memcpy(window.map, read.map, sizeof window.map);
    uint64_t arrived[OX_REPAIR_SPAN_MAX / 64] = {0};
    for (uint32_t i = 0; i < OX_REPAIR_SPAN_MAX; i++)
        if (ox_replay_has(&session->replay, window.first + i)) arrived[i / 64] |= (uint64_t)1 << i % 64;
    switch (ox_repair_store_take(repair->store, &window, arrived, session->replay.next)) {
    case OX_REPAIR_TAKEN: break;
    case OX_REPAIR_UNNEEDED: ox_count(&report_of(session)->unneeded, 1); break;
    case OX_REPAIR_TOO_LATE: count_late(tunnel, session); break;
    case OX_REPAIR_WRONG: ox_tunnel_count(tunnel, OX_DROP_REPAIR_MALFORMED, 1); break;
    }
    ox_repair_drain(tunnel, session, now_ns);
}

/** Sums of a session grow: what they grew by is the path's. None is above `most`, or sums of them could wrap. */
static void add_growth(uint64_t *sum, uint64_t *known, uint64_t stated, uint64_t most) {
    if (stated > most) stated = most;
    if (stated <= *known) return;
    ox_count(sum, stated - *known);
    *known = stated;
}

static void take_repaired(ox_tunnel *tunnel, ox_session *session, const ox_frame *frame) {
    ox_repaired read;
    ox_verdict verdict = ox_repaired_read(frame->body, frame->len, &read);
    if (verdict != OX_PASS) {
        ox_tunnel_count(tunnel, verdict, 1);
        return;
    }
    ox_repaired *stated = &session->repair->stated;
    ox_repair_report *report = report_of(session);
    stated->gap_us = read.gap_us;
    // A datagram is recovered once; late is what its COPY frames and its REPAIR frame say.
    uint64_t sent = session->next_number, frames = sent * (OX_COPIES_MAX + 1);
    add_growth(&report->peer_by_copy, &stated->by_copy, read.by_copy, sent);
    add_growth(&report->peer_by_window, &stated->by_window, read.by_window, sent);
    add_growth(&report->peer_by_resend, &stated->by_resend, read.by_resend, sent);
    add_growth(&report->peer_late, &stated->late, read.late, frames);
    add_growth(&report->peer_given_up, &stated->given_up, read.given_up, frames);
}

/** Whether one more frame of this type is read of the datagram. */
static bool admit(ox_repair_frames *frames, uint32_t type) {
    if (type == OX_FRAME_COPY) return frames->copies++ < OX_COPIES_MAX;
    bool *taken = type == OX_FRAME_REPAIR ? &frames->combined : &frames->told;
    bool first = !*taken;
    *taken = true;
    return first;
}

/** Takes a frame of this layer out of the datagram `number`, which reaches to `end`. */
void ox_repair_take(ox_tunnel *tunnel, ox_session *session, uint64_t number, ox_repair_frames *frames,
                    const ox_frame *frame, const uint8_t *end, uint64_t now_ns) {
    if (session->repair == NULL) ox_tunnel_count(tunnel, OX_DROP_FRAME_UNKNOWN, 1);
    else if (!admit(frames, frame->type)) ox_tunnel_count(tunnel, OX_DROP_REPAIR_MALFORMED, 1);
    else if (frame->type == OX_FRAME_COPY) take_copy(tunnel, session, number, frames, frame, end, now_ns);
    else if (frame->type == OX_FRAME_REPAIR) take_window(tunnel, session, number, frame, now_ns);
    else take_repaired(tunnel, session, frame);
}

/** Numbers are missing in front of a datagram that arrived: where the other side asks for it, it hears of it soon. */
void ox_repair_overtaken(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns) {
    uint64_t gap_us = session->repair->stated.gap_us;
    if (gap_us == 0) return;
    uint64_t wait = gap_us < GAP_MOST_NS / 1000 ? gap_us * 1000 : GAP_MOST_NS;
    ox_feedback_hasten(tunnel, session, wait, now_ns);
}
