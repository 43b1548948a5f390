/**
 * @file  What is lost: by the number of those that overtook it, by the time since, and all at once for want of feedback.
 *
 * Wire.md section 7.2. Both measures start at those of RFC 9002 section 6.1 and learn from late arrivals, each of which shows a
 * loss to have been spurious. As datagrams leave in order, what is lost is always all that is outstanding below some number.
 */
#include "ledger.h"

enum {
    PERMILLE_DEFAULT = 20,
    PATIENCE_MIN = 1,       /**< eighths of a round-trip time */
    PATIENCE_MAX = 8,
    CALM_ROUND_TRIPS = 16,  /**< without a spurious loss, after which both measures go down a step */
};

#define FEEDBACK_DELAY_NS (100 * OX_NS_PER_MS) /**< how long a receiver keeps the first datagram unanswered, at most */
#define FEEDBACK_EVERY_NS (10 * OX_NS_PER_MS)  /**< the time between two of its feedbacks under load, at most */
#define TIMEOUT_LEAST_NS (250 * OX_NS_PER_MS)
#define TIMEOUT_UNKNOWN_NS OX_NS_PER_S         /**< without a round-trip time */
#define TIMEOUT_MOST_NS (8 * OX_NS_PER_S)

/* ---- one loss -------------------------------------------------------------------------------------------------- */

/** Whether too much of the datagram's flight is lost: the first at which this is so tells how large a flight was too large. */
static void note_excess(const ox_flight *flight, const ox_ledger_entry *entry, ox_path_sample *sample) {
    uint64_t permille = flight->loss_permille > 0 ? flight->loss_permille : PERMILLE_DEFAULT;
    uint64_t lost = flight->lost - entry->lost;
    if (sample->excess_in_flight > 0 || lost * 1000 <= permille * entry->tx_in_flight) return;
    sample->excess_in_flight = entry->tx_in_flight;
    sample->excess_lost = lost;
    sample->excess_bytes = entry->bytes;
}

static void note_loss(const ox_ledger_pass *pass, const ox_ledger_entry *entry) {
    ox_path_sample *sample = &pass->result->sample;
    pass->flight->lost += entry->bytes;
    sample->newly_lost += entry->bytes;
    sample->lost_count++;
    sample->lost_sent_ns = entry->sent_ns;
    if (!pass->ledger->run_counted) sample->loss_runs++;
    pass->ledger->run_counted = true;
    note_excess(pass->flight, entry, sample);
}

static void lose(const ox_ledger_pass *pass, uint64_t number, bool by_time) {
    ox_ledger *ledger = pass->ledger;
    ox_path_stats *stats = pass->stats;
    ox_ledger_entry *entry = ox_ledger_at(ledger, number);
    ox_ledger_settle(ledger, pass->flight, entry, OX_FATE_LOST);
    entry->lost_by_time = by_time;
    if (number != ledger->run_end) ledger->run_counted = false;
    ledger->run_end = number + 1;
    if (entry->probe) return;
    ox_count(&stats->lost, 1);
    if (entry->eliciting) note_loss(pass, entry);
    ox_ledger_result *result = pass->result;
    if (entry->eliciting && result->lost_listed < OX_LOST_LISTED_MAX) result->lost[result->lost_listed++] = number;
    // A burst of losses is no black hole when a large one that was sent later arrived.
    if (entry->bytes <= OX_MTU_BASE || number < ledger->large_passed) return;
    ox_count(&stats->large_losses, 1);
    if (stats->large_losses == OX_BLACK_HOLE_LOSSES) {
        pass->result->black_hole = true;
        ox_publish(&stats->large_losses, 0);
    }
}

/* ---- overtaken ------------------------------------------------------------------------------------------------- */

//= RFC 9002 section 6.1.2
//# a multiple of the larger of SRTT and the latest sample, 9/8 at first
/** A receiver here does not answer at once what arrives out of order: the time between two of its feedbacks comes on top. */
static uint64_t overtaken_for(const ox_ledger *ledger, const ox_path_stats *stats) {
    if (stats->rtt_samples == 0) return TIMEOUT_UNKNOWN_NS;
    uint64_t rtt = stats->rtt_smoothed_ns > stats->rtt_latest_ns ? stats->rtt_smoothed_ns : stats->rtt_latest_ns;
    return rtt + rtt / 8 * ledger->patience + FEEDBACK_EVERY_NS;
}

/** After a while without a spurious loss, an eighth of what the threshold is above its least goes, and an eighth of patience. */
static void calm_down(const ox_ledger_pass *pass) {
    ox_ledger *ledger = pass->ledger;
    uint64_t threshold = pass->stats->reorder_threshold, rtt = pass->stats->rtt_smoothed_ns;
    if (threshold == OX_REORDER_THRESHOLD_MIN && ledger->patience == PATIENCE_MIN) return;
    if (rtt < OX_NS_PER_MS) rtt = OX_NS_PER_MS;
    if (pass->now_ns < ledger->calm_ns + CALM_ROUND_TRIPS * rtt) return;
    ledger->calm_ns = pass->now_ns;
    ox_publish(&pass->stats->reorder_threshold, threshold - (threshold - OX_REORDER_THRESHOLD_MIN + 7) / 8);
    if (ledger->patience > PATIENCE_MIN) ledger->patience--;
}

void ox_losses_spurious(const ox_ledger_pass *pass, uint64_t number, bool by_time) {
    ox_ledger *ledger = pass->ledger;
    // One step a feedback: what it brings late was late together.
    if (by_time && ledger->patience < PATIENCE_MAX && ledger->calm_ns != pass->now_ns) ledger->patience++;
    ledger->calm_ns = pass->now_ns;
    if (ledger->next_expected <= number) return; // it was given up without having been overtaken
    uint64_t enough = ledger->next_expected - number;
    if (enough > OX_REORDER_THRESHOLD_MAX) enough = OX_REORDER_THRESHOLD_MAX;
    if (enough > pass->stats->reorder_threshold) ox_publish(&pass->stats->reorder_threshold, enough);
}

void ox_losses_find(const ox_ledger_pass *pass) {
    ox_ledger *ledger = pass->ledger;
    calm_down(pass);
    uint64_t patience_ns = overtaken_for(ledger, pass->stats);
    uint64_t threshold = pass->stats->reorder_threshold;
    uint64_t end = ledger->next_expected > threshold ? ledger->next_expected - threshold : 0;
    for (; ledger->undecided < ledger->next; ledger->undecided++) {
        uint64_t number = ledger->undecided;
        const ox_ledger_entry *entry = ox_ledger_at(ledger, number);
        if (entry->fate != OX_FATE_OUTSTANDING) continue;
        if (number >= ledger->next_expected) return;
        if (number >= end && pass->now_ns < entry->sent_ns + patience_ns) return;
        lose(pass, number, number >= end);
    }
}

/* ---- no feedback ----------------------------------------------------------------------------------------------- */

static uint64_t timeout(const ox_ledger *ledger, const ox_path_stats *stats) {
    uint64_t wait = TIMEOUT_UNKNOWN_NS;
    if (stats->rtt_samples > 0) {
        uint64_t spread = 4 * stats->rtt_variance_ns > OX_NS_PER_MS ? 4 * stats->rtt_variance_ns : OX_NS_PER_MS;
        wait = stats->rtt_smoothed_ns + spread + FEEDBACK_DELAY_NS + FEEDBACK_EVERY_NS;
    }
    if (wait < TIMEOUT_LEAST_NS) wait = TIMEOUT_LEAST_NS;
    for (uint32_t i = 0; i < ledger->timeouts && wait < TIMEOUT_MOST_NS; i++)
        wait = 2 * wait < TIMEOUT_MOST_NS ? 2 * wait : TIMEOUT_MOST_NS;
    return wait;
}

/** Nothing came for so long that nothing more is expected. */
static void give_up(const ox_ledger_pass *pass) {
    ox_ledger *ledger = pass->ledger;
    uint64_t lost_before = pass->flight->lost;
    for (; ledger->undecided < ledger->next; ledger->undecided++)
        if (ox_ledger_at(ledger, ledger->undecided)->fate == OX_FATE_OUTSTANDING) lose(pass, ledger->undecided, false);
    if (pass->flight->lost == lost_before) return; // MTU probes alone, which are expected to get lost
    ledger->timeouts++;
    // While another session of the path has datagrams in flight, this is the end of a session and not of the path.
    if (pass->flight->in_flight > 0) return;
    pass->result->sample.timeout = 1;
    ox_count(&pass->stats->timeouts, 1);
}

uint64_t ox_ledger_due(const ox_ledger *ledger, const ox_path_stats *stats) {
    uint64_t due = UINT64_MAX;
    if (ledger->waiting > 0) due = ledger->heard_ns + timeout(ledger, stats);
    if (ledger->undecided < ledger->next_expected) {
        const ox_ledger_entry *first = &ledger->entries[ledger->undecided & (ledger->size - 1)];
        uint64_t overtaken = first->sent_ns + overtaken_for(ledger, stats);
        if (overtaken < due) due = overtaken;
    }
    return due;
}

void ox_ledger_expire(ox_ledger *ledger, ox_flight *flight, ox_path_stats *stats, uint64_t now_ns,
                      ox_ledger_result *result) {
    ox_ledger_pass pass = {ledger, flight, stats, result, now_ns, 0};
    ox_ledger_begin(&pass);
    ox_losses_find(&pass);
    if (ledger->waiting > 0 && now_ns >= ledger->heard_ns + timeout(ledger, stats)) give_up(&pass);
    ox_ledger_end(&pass);
}
