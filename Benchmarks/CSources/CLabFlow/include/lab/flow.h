/**
 * @file  A UDP test flow: what a sender sends when, how a datagram looks, and what a sink makes of what arrives.
 *        No sockets and no clock here.
 *
 * A datagram begins with 32 bytes, big-endian: magic, kind, three zeros, flow, sequence number (of an end: how many
 * were sent), sending time in nanoseconds of CLOCK_MONOTONIC. The rest is padding. In a flow of RTP all that comes behind
 * an RTP header (RFC 3550 section 5.1).
 */
#ifndef LAB_FLOW_H
#define LAB_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lab/histogram.h"

enum {
    LAB_FLOW_HEADER = 32,
    LAB_FLOW_RTP = 12,                  /**< in front of it, in a flow of RTP */
    LAB_FLOW_DATAGRAM_MAX = 65507,      /**< UDP payload over IPv4 */
    LAB_FLOW_SEQUENCES_MAX = 1 << 27,   /**< datagrams of one flow that a sink can tell apart */
};

typedef enum lab_flow_kind { LAB_FLOW_DATA = 1, LAB_FLOW_END = 2 } lab_flow_kind;

/** An absolute schedule, so that a late datagram does not move the ones after it. */
typedef struct lab_flow_plan {
    uint64_t seed;        /**< of the sizes */
    uint64_t interval_ps; /**< mean picoseconds between datagrams */
    uint32_t burst;       /**< datagrams that are due at the same time, at least 1; they go in one system call, up to 64 */
    uint32_t size_min;    /**< UDP payload bytes, at least ::LAB_FLOW_HEADER, and ::LAB_FLOW_RTP more with `rtp` */
    uint32_t size_max;
    uint64_t count;
    uint64_t limit_ns;    /**< ends then, whatever is left; 0 for never: of a plan that may be above the machine's means */
    bool gso;             /**< one UDP_SEGMENT call a burst, in place of separate datagrams: sizes must be equal */
    bool rtp;             /**< an RTP header in front, of G.711: 160 ticks of its clock a datagram */
} lab_flow_plan;

/** Nanoseconds from the start of the flow to datagram `index`. */
uint64_t lab_flow_due_ns(const lab_flow_plan *plan, uint64_t index);

/** UDP payload bytes of datagram `index`: uniform from `size_min` to `size_max`, by seed and index only. */
uint32_t lab_flow_size(const lab_flow_plan *plan, uint64_t index);

typedef struct lab_flow_header {
    lab_flow_kind kind;
    uint64_t flow;
    uint64_t sequence;
    uint64_t sent_ns;
} lab_flow_header;

void lab_flow_encode(uint8_t datagram[LAB_FLOW_HEADER], const lab_flow_header *header);

/** The RTP header of datagram `index` of a flow: its marker is set at the first one, its timestamp counts from there. */
void lab_flow_encode_rtp(uint8_t datagram[LAB_FLOW_RTP], uint64_t flow, uint64_t index);

/** With an RTP header in front or without one. False when this is no datagram of a test flow. */
bool lab_flow_decode(const uint8_t *datagram, size_t bytes, lab_flow_header *header);

/** What a sink knows of one flow. */
typedef struct lab_flow_tally {
    bool started;           /**< `flow` is known */
    bool ended;             /**< an end arrived: `sent` is known */
    uint64_t flow;
    uint64_t ends;          /**< ends that arrived, copies too */
    uint64_t sent;
    uint64_t received;      /**< first copies */
    uint64_t received_bytes;
    uint64_t duplicates;
    uint64_t reordered;     /**< arrived after one with a higher number (RFC 4737 section 3.3) */
    uint64_t foreign;       /**< datagrams of other flows, or of none */
    uint64_t next_sequence; /**< one above the highest number seen */
    uint64_t first_arrival_ns;
    uint64_t last_arrival_ns;
    uint64_t first_bytes;   /**< payload of the first arrival: it lies before the time that a rate is measured over */
    double jitter_ns;       /**< RFC 3550 section 6.4.1 */
    int64_t last_transit_ns;
    lab_histogram delay;
    uint8_t *seen;          /**< a bit for each number */
    size_t seen_bytes;
} lab_flow_tally;

/** Returns false, and lab_problem() says so, when the numbers need more memory than there is. */
bool lab_flow_tally_add(lab_flow_tally *tally, const lab_flow_header *header, size_t bytes, uint64_t arrival_ns);

bool lab_flow_tally_has(const lab_flow_tally *tally, uint64_t sequence);

/** A tally in plain values. `sent` and `lost` mean nothing when the flow has not `ended`. */
typedef struct lab_flow_summary {
    bool started;
    bool ended;
    uint64_t ends;
    uint64_t sent;
    uint64_t received;
    uint64_t received_bytes;
    uint64_t lost;
    uint64_t duplicates;
    uint64_t reordered;
    uint64_t foreign;
    uint64_t delay_min_ns;
    uint64_t delay_p50_ns;
    uint64_t delay_p90_ns;
    uint64_t delay_p99_ns;
    uint64_t delay_max_ns;
    double jitter_ns;
    uint64_t elapsed_ns;       /**< from the first arrival to the last */
    double payload_bits_per_s; /**< over that time, without the first datagram, which came before it; 0: unknown */
} lab_flow_summary;

lab_flow_summary lab_flow_tally_summary(const lab_flow_tally *tally);

void lab_flow_tally_free(lab_flow_tally *tally);

#endif
