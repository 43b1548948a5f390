/*
 * Whatever two sessions of a path send, and whatever their peer says became of it, the books agree: each byte that wants feedback is
 * delivered, lost, in flight or forgotten, and never two of these. The input is a list of operations, two bytes or more each.
 */
#include "CSources/COxPath/ledger.h"

#include <stdlib.h>

#define CHECK(condition) OX_ASSERT(condition)

enum { SESSIONS = 2, SENT_MAX = 20000, LOOKED_AT_ALWAYS = 600 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct books {
    ox_ledger *ledgers[SESSIONS];
    ox_flight flight;
    ox_path_stats stats;
    ox_ledger_result result;
    uint64_t now;
    uint64_t sent_bytes; /**< that want feedback */
    uint64_t acked, lost, late; /**< bytes, as samples say */
    const uint8_t *at, *end;
} books;

static uint32_t take(books *b) { return b->at < b->end ? *b->at++ : 0; }

/* ---- what must hold -------------------------------------------------------------------------------------------- */

static void check_ledger(const books *b, ox_ledger *ledger, uint64_t *in_flight) {
    uint32_t waiting = 0;
    CHECK(ledger->undecided <= ledger->next && ledger->next_expected <= ledger->next);
    CHECK(ledger->next - ledger->undecided <= ledger->size);
    for (uint64_t n = ox_ledger_oldest(ledger); n < ledger->next; n++) {
        const ox_ledger_entry *e = ox_ledger_at(ledger, n);
        bool open = ledger->open[n / 64 % (OX_LEDGER_ENTRIES_MAX / 64)] >> n % 64 & 1;
        CHECK(open == (e->fate == OX_FATE_OUTSTANDING || e->fate == OX_FATE_LOST));
        CHECK(e->fate != OX_FATE_OUTSTANDING || n >= ledger->undecided);
        CHECK(e->fate == OX_FATE_OUTSTANDING || n != ledger->undecided);
        CHECK(e->fate != OX_FATE_ACKNOWLEDGED || n < ledger->next_expected);
        if (e->fate != OX_FATE_OUTSTANDING || !e->eliciting) continue;
        waiting++;
        *in_flight += e->bytes;
        CHECK(e->tx_in_flight >= e->bytes && e->delivered <= b->flight.delivered && e->lost <= b->flight.lost);
        CHECK(e->first_sent_ns <= e->sent_ns && e->delivered_ns <= e->sent_ns && e->sent_ns <= b->now);
    }
    CHECK(waiting == ox_ledger_waiting(ledger));
}

static void check_books(books *b) {
    const ox_flight *f = &b->flight;
    const ox_path_stats *s = &b->stats;
    uint64_t in_flight = 0;
    for (uint32_t i = 0; i < SESSIONS; i++) check_ledger(b, b->ledgers[i], &in_flight);
    CHECK(f->in_flight == in_flight && s->in_flight == in_flight);
    CHECK(b->acked == f->delivered && b->lost == f->lost && b->late <= b->lost && b->late <= b->acked);
    CHECK(f->delivered + f->in_flight + (b->lost - b->late) <= b->sent_bytes);
    CHECK(s->acknowledged + s->lost + s->unresolved <= s->sent && s->late <= s->acknowledged);
    CHECK(f->delivered_ns <= b->now && f->first_sent_ns <= b->now);
    CHECK(s->reorder_threshold == 0 || (s->reorder_threshold >= OX_REORDER_THRESHOLD_MIN &&
                                        s->reorder_threshold <= OX_REORDER_THRESHOLD_MAX));
}

static void check_result(books *b, const ox_flight *before) {
    const ox_path_sample *s = &b->result.sample;
    b->acked += s->newly_acked;
    b->lost += s->newly_lost;
    b->late += s->newly_late;
    CHECK(s->newly_late <= s->newly_acked && s->loss_runs <= s->newly_lost);
    CHECK(b->result.sampled == (s->newly_acked > 0 || s->newly_lost > 0 || s->timeout > 0));
    CHECK(b->flight.delivered_ns >= before->delivered_ns && b->flight.first_sent_ns >= before->first_sent_ns);
    if (!b->result.sampled) return;
    CHECK(!b->flight.window_limited && !b->flight.restarted);
    CHECK(s->delivered == b->flight.delivered && s->lost == b->flight.lost && s->in_flight == b->flight.in_flight);
    CHECK(s->prior_in_flight == before->in_flight && s->delivered - before->delivered == s->newly_acked);
    CHECK(s->rate_delivered >= s->newly_acked || s->sent_ns == 0 || s->prior_delivered <= before->delivered);
    CHECK(s->rate == 0 || (s->interval_ns > 0 && s->interval_ns >= b->stats.rtt_min_ns && s->sent_ns > 0));
    CHECK(s->excess_in_flight == 0 || (s->excess_lost >= s->excess_bytes && s->excess_bytes > 0));
    CHECK(s->lost_since <= s->lost && s->ce <= s->ect && s->lost_sent_ns <= b->now);
    CHECK(!s->timeout || (s->in_flight == 0 && s->newly_lost > 0));
}

/* ---- operations ------------------------------------------------------------------------------------------------ */

static void send(books *b, ox_ledger *ledger, uint32_t count, uint32_t bytes, bool eliciting, bool probe) {
    for (uint32_t i = 0; i < count && ledger->next < SENT_MAX; i++) {
        b->now += 50;
        ox_ledger_sent(ledger, &b->flight, &b->stats, ledger->next, bytes, eliciting, b->now);
        if (eliciting && probe) ox_ledger_mark_probe(ledger, &b->flight, ledger->next - 1);
        if (eliciting) b->sent_bytes += bytes;
    }
}

/* Ranges from above the newest number down, as gaps and lengths come. */
static void feedback(books *b, ox_ledger *ledger, uint32_t count) {
    ox_feedback f = {.ect0 = take(b), .ce = take(b), .delay_us = take(b) << (take(b) & 15)};
    uint64_t last = ledger->next + 2;
    while (f.count <= count) {
        uint32_t shift = take(b) & 7, gap = 2 + (take(b) << shift), length = take(b) << shift;
        if (last < gap) break;
        last -= gap;
        uint64_t first = last > length ? last - length : 0;
        f.ranges[f.count++] = (ox_range){first, last};
        last = first;
    }
    if (f.count == 0) return;
    ox_flight before = b->flight;
    ox_path_stats stats = b->stats;
    ox_verdict verdict = ox_ledger_feedback(ledger, &b->flight, &b->stats, &f, b->now, &b->result);
    CHECK((verdict == OX_PASS) == (f.ranges[0].last < ledger->next));
    check_result(b, &before);
    if (verdict != OX_PASS) {
        CHECK(memcmp(&stats, &b->stats, sizeof stats) == 0 && !b->result.sampled);
        return;
    }
    CHECK(b->result.next_expected > f.ranges[0].last && b->result.next_expected <= ledger->next);
    stats = b->stats;
    before = b->flight;
    CHECK(ox_ledger_feedback(ledger, &b->flight, &b->stats, &f, b->now, &b->result) == OX_PASS); // nothing new
    CHECK(!b->result.sampled && memcmp(&stats, &b->stats, sizeof stats) == 0);
    check_result(b, &before);
}

static void expire(books *b, ox_ledger *ledger, bool when_due) {
    uint64_t due = ox_ledger_due(ledger, &b->stats);
    CHECK((due == UINT64_MAX) == (ledger->waiting == 0 && ledger->undecided >= ledger->next_expected));
    if (when_due && due != UINT64_MAX && due > b->now) b->now = due;
    uint64_t undecided = ledger->undecided;
    ox_flight before = b->flight;
    ox_ledger_expire(ledger, &b->flight, &b->stats, b->now, &b->result);
    check_result(b, &before);
    CHECK(due > b->now || ledger->undecided > undecided); // what is due is done
    CHECK(due <= b->now || !b->result.sampled);           // and nothing before
    CHECK(ox_ledger_due(ledger, &b->stats) > b->now);
}

static void operate(books *b, uint32_t op, uint32_t value) {
    ox_ledger *ledger = b->ledgers[op >> 7];
    switch (op & 7) {
    case 0: send(b, ledger, value & 31, 40 + 45 * (op >> 3 & 15) * (value >> 5), true, false); break;
    case 1: send(b, ledger, (value & 15) << (op >> 3 & 7), 40 + value, value & 16, value & 32); break;
    case 2:
    case 3: feedback(b, ledger, op >> 3 & 15); break;
    case 4: b->now += (uint64_t)value << (op >> 3 & 15) << 5; break;
    case 5: expire(b, ledger, value & 1); break;
    case 6:
        if (value & 1) ox_flight_mark_app_limited(&b->flight);
        if (value & 2) b->flight.window_limited = true;
        b->flight.loss_permille = value >> 2;
        break;
    default:
        if (value == 255) ox_ledger_forget(ledger, &b->flight, &b->stats);
        else send(b, ledger, value & 7, 1400, true, value & 8);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static books b;
    static void *memory[SESSIONS];
    memset(&b, 0, sizeof b);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        if (memory[i] == NULL) memory[i] = malloc(ox_ledger_bytes());
        CHECK(memory[i] != NULL);
        b.ledgers[i] = ox_ledger_init(memory[i]);
    }
    b.now = OX_NS_PER_S;
    b.at = data;
    b.end = data + size;
    while (b.at < b.end) {
        uint32_t op = take(&b), value = take(&b);
        operate(&b, op, value);
        if (b.ledgers[0]->next + b.ledgers[1]->next < LOOKED_AT_ALWAYS) check_books(&b);
    }
    check_books(&b);
    for (uint32_t i = 0; i < SESSIONS; i++) ox_ledger_forget(b.ledgers[i], &b.flight, &b.stats);
    CHECK(b.flight.in_flight == 0);
    check_books(&b);
    return 0;
}
