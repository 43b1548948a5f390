/**
 * @file  What is in flight on a path, and what feedback says became of it: loss, round-trip time, delivery rate, MTU probes.
 *
 * Delivery-rate samples after draft-ietf-ccwg-bbr section 4.1: the state of the connection there is the ox_flight here, that of
 * a packet an entry of the ledger. A flight is of a path and outlives the sessions on it; a ledger is of a session. "Bytes"
 * are those of UDP payload, of datagrams that want feedback.
 *
 * Threads: a ledger, a flight and a path's numbers belong to the worker.
 */
#ifndef OXCORE_PATH_H
#define OXCORE_PATH_H

#include "base.h"
#include "wire.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OX_LEDGER_ENTRIES_MIN = 1024,  /**< datagrams of a session whose fate is followed, at first */
    OX_LEDGER_ENTRIES_MAX = 65536, /**< and at most: the ledger grows into its memory as the flight does; powers of two */
    OX_REORDER_THRESHOLD_MIN = 3,  /**< a datagram is lost once one sent this much later has arrived (RFC 9002 section 6.1.1) */
    OX_REORDER_THRESHOLD_MAX = 1024, /**< what late arrivals can raise that to */
    OX_MTU_BASE = 1200,        /**< UDP payload bytes that every path carries */
    OX_LOST_LISTED_MAX = 64,   /**< numbers that one feedback shows to be lost and that are told one by one */
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
    uint64_t in_flight;         /**< bytes */
    uint64_t reorder_threshold; /**< datagrams: now */
    uint64_t timeouts;          /**< times that all in flight was given up for want of feedback */
    uint64_t answers, answers_late; /**< limits that came in answer to a sample, and those after more than 1 ms */
} ox_path_stats;

/** What the draft calls C: of one path. All zero at the start; ledgers that have something in flight agree with `in_flight`. */
typedef struct ox_flight {
    uint64_t delivered;         /**< bytes, in all */
    uint64_t delivered_ns;      /**< when that grew last; 0 for never */
    uint64_t first_sent_ns;     /**< when the datagram left that was delivered last; or, out of idleness, was sent last */
    uint64_t lost;              /**< bytes, in all; what came late after all is not taken off */
    uint64_t in_flight;         /**< bytes */
    uint64_t app_limited;       /**< `delivered` at which the phase ends that had too little to send; 0 when there is none */
    uint64_t loss_permille;     /**< share of a flight whose loss makes a sample say `excess`; 0 is 20 */
    bool window_limited;        /**< the window was full at some time since the last sample: the sender sets it */
    bool restarted;             /**< something was sent with nothing in flight, in an app-limited phase, since the last sample */
} ox_flight;

/**
 * What one feedback, or the expiry of a timer, says of a path: the draft's RS and, as of now, its C. Times are in the clock of
 * `now_ns`. All fields are 64 bits.
 */
typedef struct ox_path_sample {
    uint64_t now_ns;
    uint64_t rtt_ns;            /**< of the newest datagram that is acknowledged now; 0 for none */
    uint64_t smoothed_ns, variance_ns, latest_ns; /**< SRTT and RTTVAR after it */
    uint64_t delivered;         /**< C.delivered */
    uint64_t lost;              /**< C.lost */
    uint64_t in_flight;         /**< C.inflight, after it */
    uint64_t prior_in_flight;   /**< before it */
    uint64_t newly_acked;       /**< bytes; what came late after all included */
    uint64_t newly_lost;        /**< bytes */
    uint64_t newly_late;        /**< bytes of newly_acked that had been taken for lost: that loss was spurious */
    uint64_t acked_count, lost_count, late_count; /**< likewise datagrams, MTU probes aside */
    uint64_t rate;              /**< bytes/s; 0 when there is no reliable one */
    uint64_t rate_delivered;    /**< RS.delivered: bytes over the interval */
    uint64_t interval_ns;       /**< RS.interval */
    uint64_t prior_delivered;   /**< RS.prior_delivered: C.delivered when the newest datagram was sent */
    uint64_t sent_ns;           /**< when that was; 0 when nothing was acknowledged */
    uint64_t tx_in_flight;      /**< RS.tx_in_flight: C.inflight right after that */
    uint64_t lost_since;        /**< RS.lost: C.lost less what it was then */
    uint64_t app_limited;       /**< 1: RS.is_app_limited */
    uint64_t excess_in_flight;  /**< of the first datagram at whose loss more than `loss_permille` of its flight were lost: its
                                     tx_in_flight; 0 for none */
    uint64_t excess_lost;       /**< what was lost since it was sent, itself included */
    uint64_t excess_bytes;      /**< its own bytes */
    uint64_t loss_runs;         /**< runs of consecutive lost datagrams that begin among newly_lost */
    uint64_t lost_sent_ns;      /**< when the newest of newly_lost was sent */
    uint64_t ect, ce;           /**< datagrams that arrived as ECT(0), ECT(1) or CE, and as CE, since the last sample */
    uint64_t window_limited;    /**< 1: ox_flight.window_limited since the last sample */
    uint64_t restarted;         /**< 1: ox_flight.restarted since the last sample */
    uint64_t timeout;           /**< 1: no feedback for so long that all in flight is given up (the draft's RTO); MTU probes
                                     alone, or a session beside one that has some in flight, are not all */
    uint64_t backlog;           /**< bytes that wait in the path's queue: the tunnel sets it */
    uint64_t urgent;            /**< bytes of gaming and realtime packets sent since the last sample: the tunnel sets it */
    uint64_t mtu;               /**< largest datagram, bytes: C.SMSS; the tunnel sets it */
} ox_path_sample;

/** The datagrams that one session sent, by packet number. */
typedef struct ox_ledger ox_ledger;

/** Virtual memory that a ledger may grow into: give it memory that is not there until it is touched. */
size_t ox_ledger_bytes(void);
/** Makes an empty ledger in `memory`: ox_ledger_bytes() long, aligned to 8. */
ox_ledger *ox_ledger_init(void *memory);
/** Whether another datagram can be followed: when not, each one that is sent makes the oldest one unresolved. */
bool ox_ledger_has_room(const ox_ledger *ledger);
/** Notes that `number` (one more than the last) left at `now_ns`. `eliciting`: it wants feedback, and counts as in flight. */
void ox_ledger_sent(ox_ledger *ledger, ox_flight *flight, ox_path_stats *stats, uint64_t number, uint32_t bytes,
                    bool eliciting, uint64_t now_ns);
/** There is nothing to send although there could be: MarkConnectionAppLimited(). */
void ox_flight_mark_app_limited(ox_flight *flight);

typedef struct ox_ledger_result {
    uint64_t next_expected; /**< largest acknowledged number plus one */
    uint32_t probe_size;    /**< the largest MTU probe acknowledged now, or 0 */
    bool black_hole;        /**< ::OX_BLACK_HOLE_LOSSES was reached now */
    bool progress;          /**< a number larger than ever before was acknowledged */
    bool sampled;           /**< something was acknowledged or lost: `sample` holds */
    ox_path_sample sample;
    uint32_t lost_listed;   /**< how many of `lost` hold: the first ones that were taken for lost now */
    uint64_t lost[OX_LOST_LISTED_MAX];
} ox_ledger_result;

/**
 * Applies one feedback. Numbers that were never sent make it malformed.
 * @return ::OX_PASS, or ::OX_DROP_FRAME_MALFORMED and nothing is changed.
 */
OX_MUST_USE ox_verdict ox_ledger_feedback(ox_ledger *ledger, ox_flight *flight, ox_path_stats *stats,
                                          const ox_feedback *feedback, uint64_t now_ns, ox_ledger_result *result);
/** When ox_ledger_expire() has something to do, if no feedback comes before; UINT64_MAX for never. */
uint64_t ox_ledger_due(const ox_ledger *ledger, const ox_path_stats *stats);
/** Losses that time alone shows: of datagrams that others overtook (RFC 9002 section 6.1.2), and of all for want of feedback. */
void ox_ledger_expire(ox_ledger *ledger, ox_flight *flight, ox_path_stats *stats, uint64_t now_ns, ox_ledger_result *result);
/** The session ends: what it has in flight is forgotten, neither delivered nor lost. */
void ox_ledger_forget(ox_ledger *ledger, ox_flight *flight, ox_path_stats *stats);
/** Marks the datagram `number`, sent last, as an MTU probe: its loss says nothing about the path's loss. */
void ox_ledger_mark_probe(ox_ledger *ledger, ox_flight *flight, uint64_t number);
/** Datagrams sent that want feedback and have none yet. */
uint32_t ox_ledger_waiting(const ox_ledger *ledger);

#ifdef __cplusplus
}
#endif

#endif
