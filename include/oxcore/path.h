/**
 * @file  What is in flight on a path, and what feedback says became of it: loss, round-trip time, MTU probes.
 *
 * Threads: a ledger and a path's numbers belong to the worker.
 */
#ifndef OXCORE_PATH_H
#define OXCORE_PATH_H

#include "base.h"
#include "wire.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OX_LEDGER_ENTRIES = 4096,  /**< datagrams of a session whose fate is followed; a power of two */
    OX_REORDER_THRESHOLD = 32, /**< a datagram is lost once one sent this much later has arrived (section 7.2) */
    OX_MTU_BASE = 1200,        /**< UDP payload bytes that every path carries */
    OX_BLACK_HOLE_LOSSES = 8,  /**< larger datagrams lost in a row that make a black hole */
};

/** What is known of one path of a peer. Outlives its sessions. All fields are 64 bits, so that ox_snapshot() can copy it. */
typedef struct ox_path_stats {
    uint64_t rtt_smoothed_ns;  /**< RFC 6298 SRTT; 0 before the first sample */
    uint64_t rtt_variance_ns;  /**< RFC 6298 RTTVAR */
    uint64_t rtt_min_ns;       /**< since the path came to its present address */
    uint64_t rtt_latest_ns;
    uint64_t rtt_samples;
    uint64_t sent;             /**< datagrams */
    uint64_t sent_bytes;       /**< UDP payload bytes */
    uint64_t received;         /**< authenticated datagrams */
    uint64_t received_bytes;
    uint64_t acknowledged;     /**< datagrams known to have arrived */
    uint64_t lost;             /**< datagrams known not to have, less those that came late after all */
    uint64_t late;             /**< taken for lost, then acknowledged */
    uint64_t unresolved;       /**< left the ledger before their fate was known */
    uint64_t peer_ect0, peer_ect1, peer_ce; /**< of what we sent, by codepoint as it arrived */
    uint64_t large_losses;      /**< datagrams above ::OX_MTU_BASE lost since the last one that arrived */
} ox_path_stats;

/** The datagrams that one session sent, by packet number. */
typedef struct ox_ledger ox_ledger;

size_t ox_ledger_bytes(void);
/** Makes an empty ledger in `memory` (ox_ledger_bytes() long, aligned to 8). */
ox_ledger *ox_ledger_init(void *memory);
/** Notes that `number` (one more than the last) left at `now_ns`. `eliciting`: it wants feedback. */
void ox_ledger_sent(ox_ledger *ledger, ox_path_stats *stats, uint64_t number, uint32_t bytes, bool eliciting,
                    uint64_t now_ns);

typedef struct ox_ledger_result {
    uint64_t next_expected; /**< largest acknowledged number plus one */
    uint32_t probe_size;    /**< the largest MTU probe acknowledged now, or 0 */
    bool black_hole;        /**< ::OX_BLACK_HOLE_LOSSES was reached now */
    bool progress;          /**< a number larger than ever before was acknowledged */
} ox_ledger_result;

/**
 * Applies one feedback. Numbers that were never sent make it malformed.
 * @return ::OX_PASS, or ::OX_DROP_FRAME_MALFORMED and nothing is changed.
 */
OX_MUST_USE ox_verdict ox_ledger_feedback(ox_ledger *ledger, ox_path_stats *stats, const ox_feedback *feedback,
                                          uint64_t now_ns, ox_ledger_result *result);
/** Marks the datagram `number`, sent last, as an MTU probe: its loss says nothing about the path's loss. */
void ox_ledger_mark_probe(ox_ledger *ledger, uint64_t number);
/** Datagrams sent that want feedback and have none yet. */
uint32_t ox_ledger_waiting(const ox_ledger *ledger);

#ifdef __cplusplus
}
#endif

#endif
