/** @file  Delivery-rate samples after draft-ietf-ccwg-bbr section 4.1, and round-trip times. */
#include "ledger.h"

void ox_rate_sent(ox_flight *flight, ox_ledger_entry *entry) {
    if (flight->in_flight == 0) {
        // Nothing is on its way: the interval begins with this one, not with the last arrival before the pause.
        flight->first_sent_ns = entry->sent_ns;
        flight->delivered_ns = entry->sent_ns;
        if (flight->app_limited != 0) flight->restarted = true;
    }
    flight->in_flight += entry->bytes;
    entry->first_sent_ns = flight->first_sent_ns;
    entry->delivered_ns = flight->delivered_ns;
    entry->delivered = flight->delivered;
    entry->app_limited = flight->app_limited != 0;
    entry->tx_in_flight = flight->in_flight;
    entry->lost = flight->lost;
}

void ox_flight_mark_app_limited(ox_flight *flight) {
    uint64_t end = flight->delivered + flight->in_flight;
    flight->app_limited = end > 0 ? end : 1;
}

//= RFC 6298 section 2
//# SRTT gains 1/8 of the difference, RTTVAR 1/4
void ox_rate_round_trip(ox_path_stats *stats, uint64_t rtt_ns) {
    ox_publish(&stats->rtt_latest_ns, rtt_ns);
    if (stats->rtt_min_ns == 0 || rtt_ns < stats->rtt_min_ns) ox_publish(&stats->rtt_min_ns, rtt_ns);
    if (stats->rtt_samples == 0) {
        ox_publish(&stats->rtt_smoothed_ns, rtt_ns);
        ox_publish(&stats->rtt_variance_ns, rtt_ns / 2);
    } else {
        uint64_t smoothed = stats->rtt_smoothed_ns;
        uint64_t off = rtt_ns > smoothed ? rtt_ns - smoothed : smoothed - rtt_ns;
        ox_publish(&stats->rtt_variance_ns, stats->rtt_variance_ns - stats->rtt_variance_ns / 4 + off / 4);
        ox_publish(&stats->rtt_smoothed_ns, smoothed - smoothed / 8 + rtt_ns / 8);
    }
    ox_count(&stats->rtt_samples, 1);
}

static uint64_t since(uint64_t later, uint64_t earlier) { return later > earlier ? later - earlier : 0; }

static uint64_t bytes_per_second(uint64_t bytes, uint64_t interval_ns) {
    if (interval_ns == 0) return 0;
    if (bytes <= UINT64_MAX / OX_NS_PER_S) return bytes * OX_NS_PER_S / interval_ns;
    return bytes / (interval_ns / OX_NS_PER_S + 1); // 18 GB and more are not of one round trip
}

/** The newest datagram that is acknowledged now says over which interval its flight was delivered. */
static void sample_rate(const ox_ledger_pass *pass) {
    ox_flight *flight = pass->flight;
    ox_path_sample *sample = &pass->result->sample;
    const ox_ledger_entry *entry = ox_ledger_at(pass->ledger, pass->newest - 1);
    uint64_t send_elapsed = since(entry->sent_ns, entry->first_sent_ns);
    uint64_t ack_elapsed = since(flight->delivered_ns, entry->delivered_ns);
    sample->interval_ns = send_elapsed > ack_elapsed ? send_elapsed : ack_elapsed;
    sample->rate_delivered = flight->delivered - entry->delivered;
    sample->prior_delivered = entry->delivered;
    sample->sent_ns = entry->sent_ns;
    sample->tx_in_flight = entry->tx_in_flight;
    sample->lost_since = flight->lost - entry->lost;
    sample->app_limited = entry->app_limited;
    if (sample->interval_ns >= pass->stats->rtt_min_ns)
        sample->rate = bytes_per_second(sample->rate_delivered, sample->interval_ns);
    // Of all the sessions on the path; one that is replaced is still answered for a while.
    if (entry->sent_ns > flight->first_sent_ns) flight->first_sent_ns = entry->sent_ns;
}

void ox_rate_sample(const ox_ledger_pass *pass) {
    ox_flight *flight = pass->flight;
    ox_path_sample *sample = &pass->result->sample;
    if (flight->app_limited != 0 && flight->delivered > flight->app_limited) flight->app_limited = 0;
    if (pass->newest != 0) sample_rate(pass);
    sample->now_ns = pass->now_ns;
    sample->smoothed_ns = pass->stats->rtt_smoothed_ns;
    sample->variance_ns = pass->stats->rtt_variance_ns;
    sample->latest_ns = pass->stats->rtt_latest_ns;
    sample->delivered = flight->delivered;
    sample->lost = flight->lost;
    sample->in_flight = flight->in_flight;
    sample->ect = pass->ledger->ect_unsampled;
    sample->ce = pass->ledger->ce_unsampled;
    sample->window_limited = flight->window_limited;
    sample->restarted = flight->restarted;
    pass->ledger->ect_unsampled = 0;
    pass->ledger->ce_unsampled = 0;
    flight->window_limited = false;
    flight->restarted = false;
}
