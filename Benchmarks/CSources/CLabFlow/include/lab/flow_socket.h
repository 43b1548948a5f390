/**
 * @file  Runs a test flow over a UDP socket. Each call blocks until it is done, or until SIGINT or SIGTERM.
 *
 * Threads: one; signals are taken for itself, so use it in a process of one thread.
 */
#ifndef LAB_FLOW_SOCKET_H
#define LAB_FLOW_SOCKET_H

#include "flow.h"

typedef struct lab_flow_sent {
    uint64_t datagrams;
    uint64_t bytes;          /**< UDP payload */
    uint64_t failed;         /**< refused by the kernel: took no number */
    uint64_t ends;           /**< ends sent, which are not among the datagrams */
    uint64_t end_bytes;      /**< their UDP payload */
    uint64_t elapsed_ns;     /**< from the first datagram to the last */
    uint64_t lateness_p50_ns; /**< how long after it was due a datagram was handed to the kernel */
    uint64_t lateness_p99_ns;
    uint64_t lateness_max_ns;
    bool interrupted;
} lab_flow_sent;

/**
 * Sends a flow to "address:port" or "[address]:port", then its end, ten times over half a second.
 * @return false when it could not start; lab_problem() says why.
 */
bool lab_flow_send(const char *to, const lab_flow_plan *plan, lab_flow_sent *sent);

typedef struct lab_flow_sink lab_flow_sink;

/** A new sink; NULL when it cannot listen at "address:port" or "[address]:port". lab_problem() says why. */
lab_flow_sink *lab_flow_sink_open(const char *listen);

/**
 * Takes in one flow, the first that arrives. Ends `linger_ns` after the flow's first end, `silence_ns` after the last
 * datagram (or after the call), or with a signal.
 */
bool lab_flow_sink_run(lab_flow_sink *sink, uint64_t linger_ns, uint64_t silence_ns);

lab_flow_summary lab_flow_sink_summary(const lab_flow_sink *sink);

/** The sink's own losses: datagrams that found its receive buffer full. */
uint64_t lab_flow_sink_dropped(const lab_flow_sink *sink);

/** Writes the numbers that did not arrive, one a line. */
bool lab_flow_sink_write_lost(const lab_flow_sink *sink, const char *path);

void lab_flow_sink_free(lab_flow_sink *sink);

#endif
