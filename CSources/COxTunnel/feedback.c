/** @file  What a session owes: feedback to the other side, reports of activity to the controller. */
#include "state.h"

static void activate(ox_tunnel *tunnel, ox_session *session, uint64_t due_ns) {
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
    activate(tunnel, session, session->report_due_ns);
}

/** A datagram that wants feedback has arrived. */
void ox_feedback_owe(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns) {
    if (session->unanswered++ == 0) session->feedback_due_ns = now_ns + tunnel->policy.feedback_delay_ns;
    if (session->unanswered >= tunnel->policy.feedback_every) session->feedback_due_ns = now_ns;
    activate(tunnel, session, session->feedback_due_ns);
}

/** Writes the FEEDBACK frame that the session owes, and owes it no more. 0 when it does not fit. */
uint32_t ox_feedback_make(ox_session *session, uint8_t *out, size_t room, uint64_t now_ns) {
    ox_feedback feedback;
    feedback.arrival_us = session->newest_arrival_ns / 1000;
    feedback.delay_us = (now_ns - session->newest_arrival_ns) / 1000;
    if (feedback.delay_us > UINT32_MAX) feedback.delay_us = UINT32_MAX;
    feedback.ect0 = session->ect0;
    feedback.ect1 = session->ect1;
    feedback.ce = session->ce;
    ox_feedback_from_replay(&session->replay, &feedback);
    if (feedback.count == 0) return 0;
    uint32_t len = ox_feedback_write(&feedback, out, room);
    if (len > 0) {
        session->unanswered = 0;
        session->feedback_due_ns = OX_NEVER;
    }
    return len;
}

static void send_feedback(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns) {
    ox_buf *buf = ox_pool_get(tunnel->is.pool, OX_BUF_SMALL);
    if (buf == NULL) {
        ox_tunnel_count(tunnel, OX_DROP_POOL_EMPTY, 1);
        session->feedback_due_ns = now_ns + tunnel->policy.feedback_delay_ns;
        return;
    }
    buf->len = ox_feedback_make(session, buf->data, OX_FEEDBACK_BYTES_MAX, now_ns);
    session->feedback_due_ns = OX_NEVER;
    if (buf->len == 0) ox_pool_put(tunnel->is.pool, buf);
    else ox_session_seal(tunnel, session, buf, false, ox_session_address(session), now_ns);
}

static void report_activity(ox_tunnel *tunnel, ox_session *session, uint64_t now_ns) {
    session->report_due_ns = OX_NEVER;
    session->reported_ns = now_ns;
    ox_tunnel_report(tunnel, &(ox_event){
                                 .kind = OX_EVENT_ACTIVITY,
                                 .peer = session->is.peer,
                                 .session = session->is.local,
                                 .activity = {.received_ns = session->received_ns,
                                              .received_eliciting_ns = session->received_eliciting_ns,
                                              .sent_ns = session->sent_ns,
                                              .sent_eliciting_ns = session->sent_eliciting_ns,
                                              .numbers = session->next_number},
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
        uint64_t due =
            session->feedback_due_ns < session->report_due_ns ? session->feedback_due_ns : session->report_due_ns;
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
    uint64_t next = advance_sessions(tunnel, now_ns);
    return tunnel->trains_due_ns < next ? tunnel->trains_due_ns : next;
}
