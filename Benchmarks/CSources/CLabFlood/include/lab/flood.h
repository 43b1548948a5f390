/**
 * @file  Sends prepared datagrams as fast as one thread can, from many source ports: an attacker for tests.
 *
 * Threads: one; SIGINT and SIGTERM are taken for itself, so use it in a process of one thread.
 */
#ifndef LAB_FLOOD_H
#define LAB_FLOOD_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LAB_FLOOD_PORTS_MAX = 1000,
    LAB_FLOOD_DATAGRAM_MAX = 1472,
    LAB_FLOOD_BATCH = 64, /**< datagrams of one system call: they share a source port */
};

typedef struct lab_flood_plan {
    const uint8_t *datagrams; /**< `count` of them, `datagram_bytes` each; sent in turn, over and over */
    uint32_t datagram_bytes;
    uint32_t count;
    uint32_t ports;           /**< source ports, 1 to ::LAB_FLOOD_PORTS_MAX */
    uint64_t duration_ns;     /**< 0: until a signal */
} lab_flood_plan;

typedef struct lab_flood_sent {
    uint64_t datagrams;
    uint64_t refused;    /**< calls that the kernel refused */
    uint64_t replies;    /**< datagrams that came back */
    uint64_t reply_bytes;
    uint64_t elapsed_ns;
} lab_flood_sent;

/**
 * Floods "address:port" or "[address]:port".
 * @return false when it could not start, or nothing could be sent; lab_problem() says why.
 */
bool lab_flood_send(const char *to, const lab_flood_plan *plan, lab_flood_sent *sent);

#endif
