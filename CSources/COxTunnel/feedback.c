/** @file  What a session owes: feedback to the other side, reports of activity to the controller. */
#include "state.h"

void ox_session_activate(ox_tunnel *tunnel, ox_session *session, uint64_t due_ns) {
    if (due_ns < tunnel->next_due_ns) tunnel->next_due_ns = due_ns;
    if (session->active) return;
    session->active = true;
    session->active_next = tunnel->active;
    tunnel->active = session;
}

void ox_session_deactivate(ox_tunnel *tunnel, ox_session *session) {
    if (!session->active) return;
    ox_session **link = &tunnel->active;
    while (*link != session) link = &(*link)->active_next;
    *link = session->active_next;
    session->active = false;
}

/** Something was sent or received: the controller hears of it soon, but not of each one. */
void ox_session_touch(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns) {
    if (session->report_due_ns != OX_NEVER) return;
    uint64_t interval = (uint64_t)OX_ACTIVITY_INTERVAL_MS * OX_NS_PER_MS;
    uint64_t due = session->reported_ns + interval;
    session->report_due_ns = due > now_ns ? due : now_ns;
    ox_session_activate(tunnel, session, session->report_due_ns);
}

/** How long after the last feedback the next one leaves, when there is enough to say. */
static uint64_t interval(const ox_tunnel *tunnel, const ox_session *session) {
    const ox_policy *policy = &tunnel->policy;
    uint64_t quarter = session->peer->paths[session->is.path].stats.rtt_smoothed_ns / 4;
    if (quarter == 0 || quarter > policy->feedback_most_ns) return policy->feedback_most_ns;
    return quarter < policy->feedback_least_ns ? policy->feedback_least_ns : quarter;
}

//= Wire.md section 6.5
//# a quarter of the round trip after the last one when there is enough to say, or else 100 ms after the first datagram
void ox_feedback_owe(ox_tunnel *tunnel, ox_session *session, uint64_t number, uint32_t bytes, uint64_t now_ns) {
    if (number < session->late_floor) session->late_floor = number;
    if (session->unanswered++ == 0) {
        session->feedback_due_ns = now_ns + tunnel->policy.feedback_delay_ns;
        session->feedback_ride_ns = now_ns + tunnel->policy.feedback_delay_ns / 2;
    }
    session->unanswered_bytes += bytes;
    if (session->unanswered_bytes >= tunnel->policy.feedback_bytes) {
        uint64_t wait = interval(tunnel, session);
        uint64_t due = session->feedback_sent_ns + wait, ride = session->feedback_sent_ns + wait / 2;
        if (due < now_ns) due = now_ns;
        if (due < session->feedback_due_ns) session->feedback_due_ns = due;
        if (ride < session->feedback_ride_ns) session->feedback_ride_ns = ride;
    }
    ox_session_activate(tunnel, session, session->feedback_due_ns);
}

/** Feedback that is owed leaves after `wait_ns`, where that is sooner than it would and not too soon after the last one. */
void ox_feedback_hasten(ox_tunnel *tunnel, ox_session *session, uint64_t wait_ns, uint64_t now_ns) {
    if (session->feedback_due_ns == OX_NEVER) return;
    uint64_t every = interval(tunnel, session), due = now_ns + wait_ns, ride = session->feedback_sent_ns + every / 2;
    if (due < session->feedback_sent_ns + every) due = session->feedback_sent_ns + every;
    if (due >= session->feedback_due_ns) return;
    session->feedback_due_ns = due;
    session->feedback_ride_ns = ride > now_ns ? ride : now_ns;
    ox_session_activate(tunnel, session, due);
}

/** Bytes that a FEEDBACK of so many ranges takes at most, while its gaps and runs are short. */
static uint32_t usual_bytes(const ox_feedback *feedback) { return 32 + 3 * (feedback->count - 1); }

/**
 * Writes the FEEDBACK frame that the session owes, and owes it no more. 0 when it does not fit: `rides` says that it is to be
 * left to a datagram of its own when it would have to be shortened.
 */
uint32_t ox_feedback_make(ox_session *session, uint8_t *out, size_t room, bool rides, uint64_t now_ns) {
    ox_feedback feedback;
    feedback.arrival_us = session->newest_arrival_ns / 1000;
    feedback.delay_us = (now_ns - session->newest_arrival_ns) / 1000;
    if (feedback.delay_us > UINT32_MAX) feedback.delay_us = UINT32_MAX;
    feedback.ect0 = session->ect0;
    feedback.ect1 = session->ect1;
    feedback.ce = session->ce;
    uint64_t floor = session->feedback_floors[OX_FEEDBACK_REPEATS - 1];
    if (session->late_floor < floor) floor = session->late_floor;
    ox_feedback_from_replay(&session->replay, floor, &feedback);
    if (feedback.count == 0 || (rides && usual_bytes(&feedback) > room)) return 0;
    uint32_t len = ox_feedback_write(&feedback, out, room);
    if (len == 0) return 0;
    session->unanswered = 0;
    session->unanswered_bytes = 0;
    session->feedback_due_ns = OX_NEVER;
    session->feedback_sent_ns = now_ns;
    session->late_floor = OX_NEVER;
    for (uint32_t i = OX_FEEDBACK_REPEATS - 1; i > 0; i--) session->feedback_floors[i] = session->feedback_floors[i - 1];
    session->feedback_floors[0] = session->replay.next;
    return len;
}

static void send_feedback(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns) {
    ox_buf *buf = ox_pool_get(tunnel->is.pool, OX_BUF_SMALL);
    if (buf == NULL) {
        ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, 1);
        session->feedback_due_ns = now_ns + tunnel->policy.feedback_most_ns;
        return;
    }
    ox_pack_flush_of(tunnel, session, now_ns);
    uint32_t room = ox_session_room(session);
    if (room > OX_FEEDBACK_BYTES_MAX) room = OX_FEEDBACK_BYTES_MAX;
    buf->len = session->feedback_due_ns != OX_NEVER ? ox_feedback_make(session, buf->data, room, false, now_ns) : 0;
    session->feedback_due_ns = OX_NEVER;
    if (buf->len > 0 && session->repair != NULL)
        buf->len += ox_repair_tell(session, buf->data + buf->len, ox_session_room(session) - buf->len, now_ns);
    if (buf->len > 0) buf->len += ox_compact_tell(session, buf->data + buf->len, ox_session_room(session) - buf->len);
    if (buf->len == 0) ox_pool_put(tunnel->is.pool, buf);
    else ox_session_seal(tunnel, session, buf, false, ox_session_address(session), now_ns);
}

/** The ledger is looked at when it says so, or sooner. */
void ox_session_watch(ox_tunnel *tunnel, ox_session *session) {
    session->ledger_due_ns = ox_ledger_due(session->ledger, &session->peer->paths[session->is.path].stats);
    if (session->ledger_due_ns != OX_NEVER) ox_session_activate(tunnel, session, session->ledger_due_ns);
}

/** Losses that no feedback shows. */
static void look_at_ledger(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns) {
    ox_path *path = &session->peer->paths[session->is.path];
    // Since the time was reckoned, feedback may have put it off.
    if (ox_ledger_due(session->ledger, &path->stats) <= now_ns) {
        ox_ledger_result result;
        ox_ledger_expire(session->ledger, &path->flight, &path->stats, now_ns, &result);
        ox_session_learn(tunnel, session, &result);
        ox_repair_lost(tunnel, session, &result, now_ns);
    }
    ox_session_watch(tunnel, session);
}

static void report_activity(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns) {
    session->report_due_ns = OX_NEVER;
    session->reported_ns = now_ns;
    ox_path *path = &session->peer->paths[session->is.path];
    bool watched = session->repair != NULL && path->repair.watch != 0;
    for (uint32_t i = 0; watched && i < OX_CLASSES; i++)
        ox_publish(&path->traffic.sparse_gap_ns[i], ox_repair_gap(session, (ox_class)i, now_ns));
    ox_tunnel_report(tunnel, &(ox_event){
                                 .kind = OX_EVENT_ACTIVITY,
                                 .peer = session->is.peer,
                                 .session = session->is.local,
                                 .activity = {.received_ns = session->received_ns,
                                              .received_eliciting_ns = session->received_eliciting_ns,
                                              .sent_ns = session->sent_ns,
                                              .sent_eliciting_ns = session->sent_eliciting_ns,
                                              .numbers = session->next_number,
                                              .carried_packets = session->peer->carried[0],
                                              .carried_packet_bytes = session->peer->carried[3],
                                              .carried_datagrams = session->peer->carried[1],
                                              .carried_bytes = session->peer->carried[2],
                                              .traffic = watched ? path->traffic : (ox_repair_traffic){0},
                                              .repair = watched ? path->repairs : (ox_repair_report){0}},
                             });
}

static uint64_t advance_sessions(ox_tunnel *tunnel, uint64_t now_ns) {
    if (now_ns < tunnel->next_due_ns) return tunnel->next_due_ns;
    // Sessions that become active meanwhile go to the front of the list, and are seen at the next call.
    uint64_t next = OX_NEVER;
    tunnel->next_due_ns = OX_NEVER;
    for (ox_session **link = &tunnel->active; *link != NULL;) {
        ox_session *session = *link;
        if (session->feedback_due_ns <= now_ns) send_feedback(tunnel, session, now_ns);
        if (session->report_due_ns <= now_ns) report_activity(tunnel, session, now_ns);
        if (session->ledger_due_ns <= now_ns) look_at_ledger(tunnel, session, now_ns);
        if (session->repair_due_ns <= now_ns) ox_repair_serve(tunnel, session, now_ns);
        uint64_t due =
            session->feedback_due_ns < session->report_due_ns ? session->feedback_due_ns : session->report_due_ns;
        if (session->ledger_due_ns < due) due = session->ledger_due_ns;
        if (session->repair_due_ns < due) due = session->repair_due_ns;
        if (due == OX_NEVER) {
            *link = session->active_next;
            session->active = false;
            continue;
        }
        if (due < next) next = due;
        link = &session->active_next;
    }
    if (next < tunnel->next_due_ns) tunnel->next_due_ns = next;
    return tunnel->next_due_ns;
}

uint64_t ox_tunnel_advance(ox_tunnel *tunnel, uint64_t now_ns) {
    ox_train_advance(tunnel, now_ns);
    // The ledger first: what it gives up makes room.
    uint64_t next = advance_sessions(tunnel, now_ns);
    ox_serve_all(tunnel, now_ns);
    if (tunnel->next_due_ns < next) next = tunnel->next_due_ns;
    if (tunnel->serve_due_ns < next) next = tunnel->serve_due_ns;
    return tunnel->trains_due_ns < next ? tunnel->trains_due_ns : next;
}
