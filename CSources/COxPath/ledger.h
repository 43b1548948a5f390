/**
 * @file  The ledger from inside. Not part of the C API: the files and tests of this room include it.
 *
 * An entry is written when its datagram leaves, and holds what the sample that its acknowledgement gives needs. Below
 * `undecided` nothing is outstanding any more, but what is lost there may still come late, as long as its entry stands.
 */
#ifndef OXPATH_LEDGER_H
#define OXPATH_LEDGER_H

#include "oxcore/path.h"

#define OX_NS_PER_MS ((uint64_t)1000000)
#define OX_NS_PER_S ((uint64_t)1000000000)

typedef enum ox_fate { OX_FATE_OUTSTANDING, OX_FATE_ACKNOWLEDGED, OX_FATE_LOST, OX_FATE_FORGOTTEN } ox_fate;

/** The draft's P. */
typedef struct ox_ledger_entry {
    uint64_t sent_ns;
    uint64_t first_sent_ns;
    uint64_t delivered_ns;
    uint64_t delivered;
    uint64_t lost;
    uint64_t tx_in_flight;
    uint16_t bytes;
    uint8_t fate;          /**< an ::ox_fate */
    bool eliciting : 1;
    bool probe : 1;
    bool app_limited : 1;
    bool lost_by_time : 1; /**< and not by the number of those that overtook it */
} ox_ledger_entry;
OX_STATIC_ASSERT(sizeof(ox_ledger_entry) <= 64, "an entry fits into a cache line");

struct ox_ledger {
    uint64_t next;          /**< the next number to be sent */
    uint64_t next_expected; /**< largest acknowledged plus one */
    uint64_t undecided;     /**< the first outstanding number; `next` when there is none */
    uint64_t grown_from;    /**< the oldest number whose entry stood when the ledger grew last */
    uint64_t large_passed;  /**< number of the newest acknowledged datagram above OX_MTU_BASE, plus one */
    uint64_t heard_ns;      /**< when something was acknowledged last, or sent with nothing waiting: the timeout counts from it */
    uint64_t calm_ns;       /**< when a loss was spurious last, or patience became less */
    uint64_t run_end;       /**< the newest lost number, plus one */
    uint64_t ect0, ect1, ce; /**< as the last feedback of this session stated them */
    uint64_t ect_unsampled, ce_unsampled;
    uint32_t size;          /**< entries in use: a power of two */
    uint32_t waiting;       /**< eliciting and outstanding */
    uint32_t timeouts;      /**< in a row */
    uint32_t patience;      /**< eighths of a round-trip time above one, after which an overtaken datagram is lost */
    bool run_counted;       /**< the run of losses that ends at `run_end` is in a sample */
    uint64_t open[OX_LEDGER_ENTRIES_MAX / 64]; /**< bit n % OX_LEDGER_ENTRIES_MAX: n may yet be acknowledged, lost or not */
    ox_ledger_entry entries[OX_LEDGER_ENTRIES_MAX]; /**< entry n % size */
};

static inline ox_ledger_entry *ox_ledger_at(ox_ledger *ledger, uint64_t number) {
    return &ledger->entries[number & (ledger->size - 1)];
}

/** The oldest number whose entry stands. */
static inline uint64_t ox_ledger_oldest(const ox_ledger *ledger) {
    uint64_t oldest = ledger->next > ledger->size ? ledger->next - ledger->size : 0;
    return oldest > ledger->grown_from ? oldest : ledger->grown_from;
}

/** One feedback, or one look at the timers, on its way through the room. */
typedef struct ox_ledger_pass {
    ox_ledger *ledger;
    ox_flight *flight;
    ox_path_stats *stats;
    ox_ledger_result *result;
    uint64_t now_ns;
    uint64_t newest; /**< the largest eliciting number acknowledged now, plus one; 0 for none */
} ox_ledger_pass;

/** The entry leaves those that are outstanding, and what is in flight. */
void ox_ledger_settle(ox_ledger *ledger, ox_flight *flight, ox_ledger_entry *entry, ox_fate fate);
void ox_ledger_begin(const ox_ledger_pass *pass);
void ox_ledger_end(const ox_ledger_pass *pass);

/* rate.c */

/** OnPacketSent(): what the entry has to remember of the flight, the datagram itself in flight. */
void ox_rate_sent(ox_flight *flight, ox_ledger_entry *entry);
void ox_rate_round_trip(ox_path_stats *stats, uint64_t rtt_ns);
/** GenerateRateSample(), and all else that a sample says. */
void ox_rate_sample(const ox_ledger_pass *pass);

/* losses.c */

/** What later arrivals and the time since say to be lost, is. */
void ox_losses_find(const ox_ledger_pass *pass);
/** `number`, taken for lost, has come: losses are believed later. Before `next_expected` moves. */
void ox_losses_spurious(const ox_ledger_pass *pass, uint64_t number, bool by_time);

#endif
