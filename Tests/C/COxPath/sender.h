/** @file  One session that sends over one path, with invented time: the ground of this room's tests. */
#ifndef OXTEST_SENDER_H
#define OXTEST_SENDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "CSources/COxPath/ledger.h"

#define MS OX_NS_PER_MS
#define SECOND OX_NS_PER_S

typedef struct sender {
    ox_ledger *ledger;
    ox_flight flight;
    ox_path_stats stats;
    ox_ledger_result result;
    uint64_t next;
    uint64_t now;
} sender;

static inline void begin(sender *s) {
    memset(s, 0, sizeof *s);
    s->ledger = ox_ledger_init(malloc(ox_ledger_bytes()));
    s->now = 1000 * MS;
}

static inline void finish(sender *s) { free(s->ledger); }

static inline void send_one(sender *s, uint32_t bytes, bool eliciting) {
    ox_ledger_sent(s->ledger, &s->flight, &s->stats, s->next++, bytes, eliciting, s->now);
}

static inline void send(sender *s, uint32_t count, uint32_t bytes) {
    for (uint32_t i = 0; i < count; i++) send_one(s, bytes, true);
}

static inline void send_probe(sender *s, uint32_t bytes) {
    send_one(s, bytes, true);
    ox_ledger_mark_probe(s->ledger, &s->flight, s->next - 1);
}

static inline void apply(sender *s, const ox_feedback *feedback) {
    assert_int_equal(OX_PASS,
                     ox_ledger_feedback(s->ledger, &s->flight, &s->stats, feedback, s->now, &s->result));
    assert_int_equal(s->flight.in_flight, s->stats.in_flight);
}

static inline void ack_after(sender *s, uint64_t first, uint64_t last, uint64_t delay_ms) {
    ox_feedback f = {.count = 1, .delay_us = delay_ms * 1000, .ranges = {{first, last}}};
    apply(s, &f);
}

static inline void ack(sender *s, uint64_t first, uint64_t last) { ack_after(s, first, last, 0); }

static inline uint64_t due(const sender *s) { return ox_ledger_due(s->ledger, &s->stats); }

static inline void expire(sender *s) {
    ox_ledger_expire(s->ledger, &s->flight, &s->stats, s->now, &s->result);
}

#endif
