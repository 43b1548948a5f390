#include "ledger.h"

size_t ox_ledger_bytes(void) { return sizeof(ox_ledger); }

ox_ledger *ox_ledger_init(void *memory) {
    // What is behind is written before it is read: memory that is not there yet stays away.
    memset(memory, 0, offsetof(ox_ledger, open));
    ox_ledger *ledger = memory;
    ledger->size = OX_LEDGER_ENTRIES_MIN;
    ledger->patience = 1;
    return ledger;
}

bool ox_ledger_has_room(const ox_ledger *ledger) { return ledger->next - ledger->undecided < OX_LEDGER_ENTRIES_MAX; }

uint32_t ox_ledger_waiting(const ox_ledger *ledger) { return ledger->waiting; }

static uint64_t *open_word(ox_ledger *ledger, uint64_t number) {
    return &ledger->open[number / 64 % (OX_LEDGER_ENTRIES_MAX / 64)];
}

static uint64_t open_bit(uint64_t number) { return (uint64_t)1 << number % 64; }

void ox_ledger_settle(ox_ledger *ledger, ox_flight *flight, ox_ledger_entry *entry, ox_fate fate) {
    if (entry->fate == OX_FATE_OUTSTANDING && entry->eliciting) {
        ledger->waiting--;
        OX_ASSERT(flight->in_flight >= entry->bytes);
        flight->in_flight -= entry->bytes;
    }
    entry->fate = (uint8_t)fate;
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

/** The oldest outstanding number is followed no longer. */
static void forget_oldest(ox_ledger *ledger, ox_flight *flight, ox_path_stats *stats) {
    ox_ledger_settle(ledger, flight, ox_ledger_at(ledger, ledger->undecided), OX_FATE_FORGOTTEN);
    *open_word(ledger, ledger->undecided) &= ~open_bit(ledger->undecided);
    ox_count(&stats->unresolved, 1);
    while (ledger->undecided < ledger->next && ox_ledger_at(ledger, ledger->undecided)->fate != OX_FATE_OUTSTANDING)
        ledger->undecided++;
}

/** Twice as many entries: those whose number has the new bit move up, the others are where they have to be. */
static void grow(ox_ledger *ledger) {
    uint32_t size = ledger->size;
    ledger->grown_from = ox_ledger_oldest(ledger);
    for (uint64_t number = ledger->grown_from; number < ledger->next; number++)
        if (number & size) ledger->entries[number & (2 * size - 1)] = ledger->entries[number & (size - 1)];
    ledger->size = 2 * size;
}

/**
 * Makes an entry free. Half of them are kept behind the outstanding ones, so that late arrivals are noticed. A side that only
 * answers is not answered in turn: what wants no feedback is forgotten before the ledger grows because of it.
 */
static void make_room(ox_ledger *ledger, ox_flight *flight, ox_path_stats *stats) {
    while (ledger->next - ledger->undecided >= ledger->size / 2 && !ox_ledger_at(ledger, ledger->undecided)->eliciting)
        forget_oldest(ledger, flight, stats);
    if (ledger->next - ledger->undecided < ledger->size / 2) return;
    if (ledger->size < OX_LEDGER_ENTRIES_MAX) grow(ledger);
    else if (!ox_ledger_has_room(ledger)) forget_oldest(ledger, flight, stats);
}

void ox_ledger_sent(ox_ledger *ledger, ox_flight *flight, ox_path_stats *stats, uint64_t number, uint32_t bytes,
                    bool eliciting, uint64_t now_ns) {
    OX_ASSERT(number == ledger->next && bytes <= UINT16_MAX);
    if (number - ledger->undecided >= ledger->size / 2) make_room(ledger, flight, stats);
    ox_ledger_entry *entry = ox_ledger_at(ledger, number);
    *entry = (ox_ledger_entry){
        .sent_ns = now_ns, .bytes = (uint16_t)bytes, .fate = OX_FATE_OUTSTANDING, .eliciting = eliciting};
    *open_word(ledger, number) |= open_bit(number);
    ledger->next = number + 1;
    if (eliciting) {
        if (ledger->waiting++ == 0) ledger->heard_ns = now_ns;
        ox_rate_sent(flight, entry);
        ox_publish(&stats->in_flight, flight->in_flight);
    }
    ox_count(&stats->sent, 1);
    ox_count(&stats->sent_bytes, bytes);
}

void ox_ledger_mark_probe(ox_ledger *ledger, ox_flight *flight, uint64_t number) {
    OX_ASSERT(number + 1 == ledger->next);
    ox_ledger_entry *entry = ox_ledger_at(ledger, number);
    OX_ASSERT(entry->eliciting && flight->in_flight >= entry->bytes);
    entry->probe = true;
}

void ox_ledger_forget(ox_ledger *ledger, ox_flight *flight, ox_path_stats *stats) {
    while (ledger->undecided < ledger->next) forget_oldest(ledger, flight, stats);
    ox_publish(&stats->in_flight, flight->in_flight);
}

/* ---- feedback -------------------------------------------------------------------------------------------------- */

static void acknowledge(ox_ledger_pass *pass, uint64_t number) {
    ox_path_stats *stats = pass->stats;
    ox_path_sample *sample = &pass->result->sample;
    ox_ledger_entry *entry = ox_ledger_at(pass->ledger, number);
    if (entry->fate == OX_FATE_LOST && !entry->probe) {
        ox_publish(&stats->lost, stats->lost - (stats->lost > 0));
        ox_count(&stats->late, 1);
        if (entry->eliciting) sample->newly_late += entry->bytes;
        if (entry->eliciting) sample->late_count++;
        ox_losses_spurious(pass, number, entry->lost_by_time);
    }
    ox_ledger_settle(pass->ledger, pass->flight, entry, OX_FATE_ACKNOWLEDGED);
    ox_count(&stats->acknowledged, 1);
    if (entry->eliciting) {
        pass->flight->delivered += entry->bytes;
        sample->newly_acked += entry->bytes;
        sample->acked_count += !entry->probe;
        if (number >= pass->newest) pass->newest = number + 1;
    }
    if (entry->probe && entry->bytes > pass->result->probe_size) pass->result->probe_size = entry->bytes;
    if (entry->bytes <= OX_MTU_BASE) return;
    ox_publish(&stats->large_losses, 0);
    if (number >= pass->ledger->large_passed) pass->ledger->large_passed = number + 1;
}

/** What is open of first to last, 64 numbers at a time: feedback repeats itself, and most of it is known. */
static void acknowledge_range(ox_ledger_pass *pass, uint64_t first, uint64_t last) {
    for (uint64_t base = first & ~(uint64_t)63; base <= last; base += 64) {
        uint64_t *word = open_word(pass->ledger, base);
        uint64_t bits = *word;
        if (base < first) bits &= UINT64_MAX << (first - base);
        if (last - base < 63) bits &= UINT64_MAX >> (63 - (last - base));
        *word &= ~bits;
        for (; bits != 0; bits &= bits - 1) acknowledge(pass, base + (uint64_t)__builtin_ctzll(bits));
    }
}

static uint64_t growth(uint64_t *known, uint64_t stated) {
    uint64_t more = stated > *known ? stated - *known : 0;
    *known += more;
    return more;
}

static void count_marks(ox_ledger *ledger, ox_path_stats *stats, const ox_feedback *feedback) {
    uint64_t ect0 = growth(&ledger->ect0, feedback->ect0), ect1 = growth(&ledger->ect1, feedback->ect1);
    uint64_t ce = growth(&ledger->ce, feedback->ce);
    ox_count(&stats->peer_ect0, ect0);
    ox_count(&stats->peer_ect1, ect1);
    ox_count(&stats->peer_ce, ce);
    ledger->ect_unsampled += ect0 + ect1 + ce;
    ledger->ce_unsampled += ce;
}

/**
 * When the newest datagram arrived, in our clock and later by the way back, and with it a round-trip time. When the delay
 * cannot be true, or the newest is none that was not known, it is as if all had arrived now.
 */
static uint64_t arrival(const ox_ledger_pass *pass, const ox_feedback *feedback) {
    uint64_t largest = feedback->ranges[0].last;
    if (!pass->result->progress || largest < ox_ledger_oldest(pass->ledger)) return pass->now_ns;
    if ((*open_word(pass->ledger, largest) & open_bit(largest)) == 0) return pass->now_ns;
    uint64_t sent_ns = ox_ledger_at(pass->ledger, largest)->sent_ns, delay_ns = feedback->delay_us * 1000;
    if (pass->now_ns <= sent_ns || delay_ns >= pass->now_ns - sent_ns) return pass->now_ns;
    uint64_t arrival_ns = pass->now_ns - delay_ns;
    pass->result->sample.rtt_ns = arrival_ns - sent_ns;
    ox_rate_round_trip(pass->stats, arrival_ns - sent_ns);
    return arrival_ns;
}

void ox_ledger_begin(const ox_ledger_pass *pass) {
    memset(pass->result, 0, offsetof(ox_ledger_result, lost));
    pass->result->sample.prior_in_flight = pass->flight->in_flight;
    if (pass->stats->reorder_threshold == 0) ox_publish(&pass->stats->reorder_threshold, OX_REORDER_THRESHOLD_MIN);
}

void ox_ledger_end(const ox_ledger_pass *pass) {
    ox_ledger_result *result = pass->result;
    result->next_expected = pass->ledger->next_expected;
    ox_publish(&pass->stats->in_flight, pass->flight->in_flight);
    result->sampled = result->sample.newly_acked > 0 || result->sample.newly_lost > 0 || result->sample.timeout > 0;
    if (result->sampled) ox_rate_sample(pass);
}

ox_verdict ox_ledger_feedback(ox_ledger *ledger, ox_flight *flight, ox_path_stats *stats, const ox_feedback *feedback,
                              uint64_t now_ns, ox_ledger_result *result) {
    ox_ledger_pass pass = {ledger, flight, stats, result, now_ns, 0};
    uint64_t largest = feedback->ranges[0].last;
    if (largest >= ledger->next) {
        memset(result, 0, offsetof(ox_ledger_result, lost));
        return OX_DROP_FRAME_MALFORMED;
    }
    ox_ledger_begin(&pass);
    result->progress = largest >= ledger->next_expected;
    uint64_t arrival_ns = arrival(&pass, feedback), oldest = ox_ledger_oldest(ledger);
    for (uint32_t i = 0; i < feedback->count && feedback->ranges[i].last >= oldest; i++) {
        const ox_range *range = &feedback->ranges[i];
        acknowledge_range(&pass, range->first > oldest ? range->first : oldest, range->last);
    }
    if (result->sample.newly_acked > 0) {
        if (arrival_ns > flight->delivered_ns) flight->delivered_ns = arrival_ns;
        ledger->heard_ns = now_ns;
        ledger->timeouts = 0;
    }
    if (result->progress) ledger->next_expected = largest + 1;
    ox_losses_find(&pass);
    count_marks(ledger, stats, feedback);
    ox_ledger_end(&pass);
    return OX_PASS;
}
