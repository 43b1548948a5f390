/** @file  What the ledger says goes up: samples for congestion control, and what it means for the path's MTU. */
#include "state.h"

/** Adds what an earlier sample said that nobody heard: a sum of what is new in each, and the rest of the later one. */
static void add_unsaid(ox_path_sample *sample, const ox_path_sample *unsaid) {
    sample->newly_acked += unsaid->newly_acked;
    sample->newly_lost += unsaid->newly_lost;
    sample->newly_late += unsaid->newly_late;
    sample->acked_count += unsaid->acked_count;
    sample->lost_count += unsaid->lost_count;
    sample->late_count += unsaid->late_count;
    sample->loss_runs += unsaid->loss_runs;
    sample->ect += unsaid->ect;
    sample->ce += unsaid->ce;
    sample->window_limited |= unsaid->window_limited;
    sample->restarted |= unsaid->restarted;
    sample->timeout |= unsaid->timeout;
    if (sample->lost_sent_ns == 0) sample->lost_sent_ns = unsaid->lost_sent_ns;
    if (sample->excess_in_flight == 0) {
        sample->excess_in_flight = unsaid->excess_in_flight;
        sample->excess_lost = unsaid->excess_lost;
        sample->excess_bytes = unsaid->excess_bytes;
    }
}

void ox_session_learn(ox_tunnel *tunnel, ox_session *session, const ox_ledger_result *result) {
    ox_path *path = &session->peer->paths[session->is.path];
    ox_event event = {.peer = session->is.peer, .path = session->is.path, .session = session->is.local, .size = result->probe_size};
    if (result->probe_size > 0) {
        event.kind = OX_EVENT_MTU_ACKNOWLEDGED;
        ox_tunnel_report(tunnel, &event);
    }
    if (result->black_hole) {
        event.kind = OX_EVENT_MTU_BLACK_HOLE;
        ox_tunnel_report(tunnel, &event);
    }
    // Nobody decides by it where there are no limits, and nothing is repaired.
    bool wanted = path->limits.rate != 0 || path->limits.window != 0 || path->repair.watch != 0;
    if (!result->sampled || !wanted) return;
    event.kind = OX_EVENT_PATH_SAMPLE;
    event.sample = result->sample;
    add_unsaid(&event.sample, &path->unsaid);
    event.sample.backlog = ox_queue_bytes(path->queue);
    event.sample.urgent = path->urgent_bytes;
    event.sample.mtu = path->mtu;
    if (ox_tunnel_report(tunnel, &event)) {
        path->urgent_bytes = 0;
        path->unsaid = (ox_path_sample){0};
    } else {
        path->unsaid = event.sample;
    }
}
