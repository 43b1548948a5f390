#include "oxcore/path.h"

enum { ABSENT = 0, OUTSTANDING, ACKNOWLEDGED, LOST };

/** How far below the largest acknowledged number feedback is still read: late datagrams beyond are not noticed. */
enum { LATE_REACH = 256 };
_Static_assert((int)LATE_REACH > (int)OX_REORDER_THRESHOLD, "a lost datagram can still come late");
_Static_assert((int)OX_LEDGER_ENTRIES > 2 * (int)LATE_REACH, "the ledger reaches further than feedback is read");

typedef struct entry {
    uint64_t sent_ns;
    uint16_t bytes;
    uint8_t state;
    bool eliciting;
    bool probe;
} entry;

struct ox_ledger {
    uint64_t next;          /**< the next number to be sent */
    uint64_t next_expected; /**< largest acknowledged plus one */
    uint64_t undecided;     /**< no number below is outstanding */
    uint64_t large_passed;  /**< number of the newest acknowledged datagram above OX_MTU_BASE, plus one */
    uint32_t waiting;       /**< eliciting and outstanding */
    uint64_t ect0, ect1, ce; /**< as the last feedback of this session stated them */
    entry entries[OX_LEDGER_ENTRIES];
};

size_t ox_ledger_bytes(void) { return sizeof(ox_ledger); }

ox_ledger *ox_ledger_init(void *memory) {
    memset(memory, 0, sizeof(ox_ledger));
    return memory;
}

static entry *at(ox_ledger *ledger, uint64_t number) { return &ledger->entries[number % OX_LEDGER_ENTRIES]; }

/** The number leaves the outstanding ones. */
static void decide(ox_ledger *ledger, entry *e, uint8_t state) {
    if (e->state == OUTSTANDING && e->eliciting) ledger->waiting--;
    e->state = state;
}

void ox_ledger_sent(ox_ledger *ledger, ox_path_stats *stats, uint64_t number, uint32_t bytes, bool eliciting,
                    uint64_t now_ns) {
    OX_ASSERT(number == ledger->next);
    entry *e = at(ledger, number);
    if (e->state == OUTSTANDING) {
        decide(ledger, e, LOST);
        ox_count(&stats->unresolved, 1);
    }
    if (number >= OX_LEDGER_ENTRIES && ledger->undecided <= number - OX_LEDGER_ENTRIES)
        ledger->undecided = number - OX_LEDGER_ENTRIES + 1;
    *e = (entry){.sent_ns = now_ns, .bytes = (uint16_t)bytes, .state = OUTSTANDING, .eliciting = eliciting};
    ledger->next = number + 1;
    ledger->waiting += eliciting;
    ox_count(&stats->sent, 1);
    ox_count(&stats->sent_bytes, bytes);
}

void ox_ledger_mark_probe(ox_ledger *ledger, uint64_t number) {
    OX_ASSERT(number + 1 == ledger->next);
    at(ledger, number)->probe = true;
}

uint32_t ox_ledger_waiting(const ox_ledger *ledger) { return ledger->waiting; }

//= RFC 6298 section 2
//# SRTT gains 1/8 of the difference, RTTVAR 1/4
static void sample_rtt(ox_path_stats *stats, uint64_t rtt) {
    ox_publish(&stats->rtt_latest_ns, rtt);
    if (stats->rtt_min_ns == 0 || rtt < stats->rtt_min_ns) ox_publish(&stats->rtt_min_ns, rtt);
    if (stats->rtt_samples == 0) {
        ox_publish(&stats->rtt_smoothed_ns, rtt);
        ox_publish(&stats->rtt_variance_ns, rtt / 2);
    } else {
        uint64_t smoothed = stats->rtt_smoothed_ns;
        uint64_t off = rtt > smoothed ? rtt - smoothed : smoothed - rtt;
        ox_publish(&stats->rtt_variance_ns, stats->rtt_variance_ns - stats->rtt_variance_ns / 4 + off / 4);
        ox_publish(&stats->rtt_smoothed_ns, smoothed - smoothed / 8 + rtt / 8);
    }
    ox_count(&stats->rtt_samples, 1);
}

static void acknowledge(ox_ledger *ledger, ox_path_stats *stats, uint64_t number, ox_ledger_result *result) {
    entry *e = at(ledger, number);
    if (e->state == ACKNOWLEDGED || e->state == ABSENT) return;
    if (e->state == LOST) {
        if (!e->probe) {
            ox_publish(&stats->lost, stats->lost - (stats->lost > 0));
            ox_count(&stats->late, 1);
        }
    }
    decide(ledger, e, ACKNOWLEDGED);
    ox_count(&stats->acknowledged, 1);
    if (e->probe && e->bytes > result->probe_size) result->probe_size = e->bytes;
    if (e->bytes <= OX_MTU_BASE) return;
    ox_publish(&stats->large_losses, 0);
    if (number >= ledger->large_passed) ledger->large_passed = number + 1;
}

/** Everything sent long enough before the largest acknowledged number, and not acknowledged, is lost. */
static void find_losses(ox_ledger *ledger, ox_path_stats *stats, ox_ledger_result *result) {
    if (ledger->next_expected <= OX_REORDER_THRESHOLD) return;
    uint64_t end = ledger->next_expected - OX_REORDER_THRESHOLD;
    for (; ledger->undecided < end; ledger->undecided++) {
        entry *e = at(ledger, ledger->undecided);
        if (e->state != OUTSTANDING) continue;
        decide(ledger, e, LOST);
        if (e->probe) continue;
        ox_count(&stats->lost, 1);
        // A burst of losses is no black hole when a large one that was sent later arrived.
        if (e->bytes <= OX_MTU_BASE || ledger->undecided < ledger->large_passed) continue;
        ox_count(&stats->large_losses, 1);
        if (stats->large_losses == OX_BLACK_HOLE_LOSSES) {
            result->black_hole = true;
            ox_publish(&stats->large_losses, 0);
        }
    }
}

static void count_marks(ox_ledger *ledger, ox_path_stats *stats, const ox_feedback *feedback) {
    ox_count(&stats->peer_ect0, feedback->ect0 > ledger->ect0 ? feedback->ect0 - ledger->ect0 : 0);
    ox_count(&stats->peer_ect1, feedback->ect1 > ledger->ect1 ? feedback->ect1 - ledger->ect1 : 0);
    ox_count(&stats->peer_ce, feedback->ce > ledger->ce ? feedback->ce - ledger->ce : 0);
    ledger->ect0 = feedback->ect0 > ledger->ect0 ? feedback->ect0 : ledger->ect0;
    ledger->ect1 = feedback->ect1 > ledger->ect1 ? feedback->ect1 : ledger->ect1;
    ledger->ce = feedback->ce > ledger->ce ? feedback->ce : ledger->ce;
}

ox_verdict ox_ledger_feedback(ox_ledger *ledger, ox_path_stats *stats, const ox_feedback *feedback, uint64_t now_ns,
                              ox_ledger_result *result) {
    memset(result, 0, sizeof *result);
    uint64_t largest = feedback->ranges[0].last;
    if (largest >= ledger->next) return OX_DROP_FRAME_MALFORMED;
    result->progress = largest >= ledger->next_expected;
    entry *newest = at(ledger, largest);
    bool in_ledger = ledger->next - largest <= OX_LEDGER_ENTRIES;
    if (result->progress && in_ledger && newest->state == OUTSTANDING && now_ns > newest->sent_ns) {
        uint64_t elapsed = now_ns - newest->sent_ns, delay = feedback->delay_us * 1000;
        if (delay < elapsed) sample_rtt(stats, elapsed - delay);
    }
    uint64_t floor = ledger->next_expected > LATE_REACH ? ledger->next_expected - LATE_REACH : 0;
    if (floor > ledger->undecided) floor = ledger->undecided;
    if (ledger->next - floor > OX_LEDGER_ENTRIES) floor = ledger->next - OX_LEDGER_ENTRIES;
    for (uint32_t i = 0; i < feedback->count && feedback->ranges[i].last >= floor; i++) {
        uint64_t first = feedback->ranges[i].first > floor ? feedback->ranges[i].first : floor;
        for (uint64_t number = first; number <= feedback->ranges[i].last; number++)
            acknowledge(ledger, stats, number, result);
    }
    if (result->progress) ledger->next_expected = largest + 1;
    find_losses(ledger, stats, result);
    count_marks(ledger, stats, feedback);
    result->next_expected = ledger->next_expected;
    return OX_PASS;
}
