/**
 * @file  Header compression in the lab: seeded flows like those that people have, what they cost in bytes and time, what a channel
 *        that loses and reorders does to them, and a filter for tests with other implementations.
 *
 * Threads: one.
 */
#ifndef LAB_ROHC_H
#define LAB_ROHC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LAB_ROHC_NAME_MAX = 32,
    LAB_ROHC_PORTS_MAX = 16,
    LAB_ROHC_TYPES_MAX = 96,    /**< kinds of ROHC packets */
    LAB_ROHC_PACKET_MAX = 1600, /**< longest packet of a generated flow */
};

/* ---- flows ---------------------------------------------------------------------------------------------------- */

/** Names of the flows, in order; NULL behind the last. */
const char *lab_rohc_flow_name(size_t index);

/** How packets go on; what a flow is made of is in its generator. */
typedef struct lab_rohc_flow lab_rohc_flow;

/** A flow of that name. NULL, and lab_problem() says why, when there is none. */
lab_rohc_flow *lab_rohc_flow_create(const char *name, uint64_t seed);
void lab_rohc_flow_destroy(lab_rohc_flow *flow);

/** Writes the next packet into `packet`, of at least ::LAB_ROHC_PACKET_MAX bytes, and returns its length. */
uint32_t lab_rohc_flow_next(lab_rohc_flow *flow, uint8_t *packet, uint64_t *now_ns, uint32_t *header_bytes);

/* ---- both ends ------------------------------------------------------------------------------------------------ */

/** What both ends agree on. */
typedef struct lab_rohc_options {
    uint32_t profiles; /**< a set, as ox_rohc_parameters has it */
    uint16_t cid_max;
    bool large_cids, bidirectional;
    uint8_t reorder_ratio, repetitions;
    uint8_t rtp_ports;
    uint16_t rtp_port[LAB_ROHC_PORTS_MAX];
} lab_rohc_options;

/** The profiles of that name: v1, v2, or one of them such as "udp" or "v2-udp". 0: there is none. */
uint32_t lab_rohc_profiles_of(const char *name);
/** Whether they exclude each other. */
bool lab_rohc_profiles_clash(uint32_t profiles);

/* ---- measurements --------------------------------------------------------------------------------------------- */

/** Processor time of one packet, over many short rounds. */
typedef struct lab_rohc_time {
    double median_ns;
    double best_ns; /**< of the round that was disturbed least */
} lab_rohc_time;

typedef struct lab_rohc_cost {
    uint64_t packets;
    double header_in, header_out;              /**< bytes, the mean */
    uint32_t packets_to_smallest;              /**< packets until the first of the smallest kind; 0: it never came */
    lab_rohc_time compress, decompress;
    lab_rohc_time first_compress, first_decompress; /**< of the first packet of a flow */
    double context_bytes_sender, context_bytes_receiver;
    uint64_t wrong, refused;                   /**< must be 0 */
} lab_rohc_cost;

/** Sends `packets` of a flow through both ends; feedback comes back at once. False, and lab_problem() says why, when it cannot. */
bool lab_rohc_measure(const char *flow, const lab_rohc_options *options, uint64_t packets, uint64_t seed, lab_rohc_cost *cost);

/** A channel. Probabilities are of a packet. */
typedef struct lab_rohc_channel {
    double loss;
    uint32_t burst;         /**< packets that are lost one after the other, the mean; 1 is independent loss */
    double late;            /**< come 1 to `late_places` places later */
    uint32_t late_places;
    double duplicate;       /**< come twice, the second time 1 to 4 places later */
    bool unnumbered;        /**< the receiver is not told the packets' numbers */
    uint64_t feedback_ns;   /**< time that feedback takes back */
} lab_rohc_channel;

typedef struct lab_rohc_tally {
    uint64_t packets;
    uint64_t lost;       /**< by the channel */
    uint64_t exact, wrong;
    uint64_t refused;    /**< arrived, and did not come out */
    uint64_t refused_late;
    uint64_t duplicates; /**< that were dropped */
    double header_out;
} lab_rohc_tally;

bool lab_rohc_pass(const char *flow, const lab_rohc_options *options, const lab_rohc_channel *channel, uint64_t packets,
                   uint64_t seed, lab_rohc_tally *tally);

/** Adds how often each kind of packet was sent, over `packets` of the flow, to `types`. */
bool lab_rohc_types(const char *flow, const lab_rohc_options *options, uint64_t packets, uint64_t seed, bool lossy,
                    uint64_t types[LAB_ROHC_TYPES_MAX]);
/** The name of a kind, NULL behind the last. */
const char *lab_rohc_type_name(size_t index);

/* ---- filter --------------------------------------------------------------------------------------------------- */

/**
 * Compresses, or decompresses, standard input to standard output until its end. Both are records of a 32-bit big-endian length and so
 * many bytes; those of feedback have a 32-bit big-endian index before the length.
 *
 * @param feedback  a compressor's: the file of what the other end says; a decompressor's: where it writes what it says. NULL for none.
 * @return false, and lab_problem() says why, for what is no record.
 */
bool lab_rohc_filter(const lab_rohc_options *options, bool decompress, const char *feedback);

/** Writes the packets of a flow to standard output as such records. */
bool lab_rohc_write(const char *flow, uint64_t packets, uint64_t seed);

#endif
