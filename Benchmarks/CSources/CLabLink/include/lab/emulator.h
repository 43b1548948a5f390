/**
 * @file  Runs the link model in real time between two TUN devices, in one thread.
 *
 * It sleeps until shortly before the next release and spins the rest, at most 50 us, so that a release is late by the
 * time it takes to notice, not by the time it takes to wake up. Spinning is rationed, and under full load it
 * rests now and then: a real-time thread that never sleeps is stopped by the kernel for tens of milliseconds.
 *
 * Memory:  all taken by lab_emulator_new(); none after it.
 * Threads: one. From lab_emulator_new() on SIGINT and SIGTERM end lab_emulator_run() and nothing else: they stay
 *          blocked in this thread, so use it in a process of one thread.
 */
#ifndef LAB_EMULATOR_H
#define LAB_EMULATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "link.h"
#include "tun.h"

enum { LAB_A_TO_B = 0, LAB_B_TO_A = 1, LAB_DIRECTIONS = 2 };

enum {
    LAB_BUFFERS_MIN = 16,
    LAB_BUFFERS_MAX = 1 << 20,
    LAB_SPIN_MAX_NS = 50000, /**< spin before a release */
};

/** What happened in one direction. Offered = delivered + in flight + the losses by the model and by the emulator. */
typedef struct lab_direction_report {
    uint64_t offered_packets;
    uint64_t offered_bytes;
    uint64_t delivered_packets; /**< originals; copies are in `duplicated` */
    uint64_t delivered_bytes;
    uint64_t in_flight;         /**< not yet due when it stopped */
    /* by the model */
    uint64_t lost;
    uint64_t queue_full;
    uint64_t outage;
    uint64_t too_big;
    uint64_t duplicated;        /**< second copies delivered */
    uint64_t held_back;
    /* by the emulator itself: not part of the link that was asked for */
    uint64_t write_failed;
    uint64_t buffers_exhausted;
    uint64_t device_dropped;    /**< the kernel's queue before the emulator was full */
    uint64_t housekeeping;      /**< the kernel's IPv6 neighbour and multicast chatter: dropped, took no index */
    /* how long a packet took from its arrival to its last bit sent, of those that the model delivers */
    uint64_t queue_p50_ns;
    uint64_t queue_p95_ns;
    uint64_t queue_p99_ns;
    /* how long after its departure time a packet was written */
    uint64_t lateness_p50_ns;
    uint64_t lateness_p99_ns;
    uint64_t lateness_max_ns;
} lab_direction_report;

typedef struct lab_emulator lab_emulator;

/**
 * Joins two devices, which stay open until the emulator is freed. `buffers` packets may be on the way, both
 * directions together.
 * The traces of the configurations outlive the emulator. NULL when that failed; lab_problem() says why.
 */
lab_emulator *lab_emulator_new(const lab_tun *a, const lab_tun *b, const lab_link_config *a_to_b,
                               const lab_link_config *b_to_a, uint32_t buffers);

/** True when the kernel grants a real-time priority. Not granted is no failure: releases are later then. */
bool lab_emulator_use_realtime(void);

/**
 * Forwards until SIGINT, SIGTERM, or the end of `duration_ns` (0: no end).
 * @return false when a device failed; lab_problem() says why. The report is valid all the same.
 */
bool lab_emulator_run(lab_emulator *emulator, uint64_t duration_ns);

lab_direction_report lab_emulator_report(const lab_emulator *emulator, int direction);

void lab_emulator_free(lab_emulator *emulator);

#endif
