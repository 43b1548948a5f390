/**
 * @file  The model of one direction of a bad link. (arrival time, packet length) in, fate and departure time out.
 *
 * Stages, in the order in which a packet meets them:
 *
 *     MTU -> bounded queue -> rate or trace -> outage -> loss -> delay and jitter -> reorder, duplicate
 *
 * A packet that is lost has used the bottleneck first, as on a real link. The *index* of a packet is its place among
 * all packets offered to this direction. Whether it is marked for loss, duplication, reordering, and how much jitter
 * it gets, depends on (seed, index) only: not on time, length, or what happened to others.
 *
 * Lengths are those of IP packets: nothing is added for a link layer.
 *
 * Memory:  a plain value, no pointers but the trace, which the caller keeps alive. Copy it to fork a history.
 * Time:    an argument; must not go backwards. No clock and no I/O here.
 */
#ifndef LAB_LINK_H
#define LAB_LINK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LAB_OUTAGES_MAX = 8,          /**< outage schedules of one direction */
    LAB_TRACE_QUANTUM = 1500,     /**< bytes of one delivery opportunity of a trace */
    LAB_MTU_MAX = 65535,          /**< largest IP packet */
};

/* Swift fills a configuration in, and only hands its pointer through. */
#if defined(__has_attribute)
#if __has_attribute(swift_attr)
#define LAB_SAFE_IN_SWIFT __attribute__((swift_attr("safe")))
#endif
#endif
#ifndef LAB_SAFE_IN_SWIFT
#define LAB_SAFE_IN_SWIFT
#endif

typedef enum lab_jitter_shape {
    LAB_JITTER_UNIFORM, /**< delay plus or minus up to `jitter_ns` */
    LAB_JITTER_NORMAL,  /**< `jitter_ns` is the standard deviation; cut at six of them and at no delay at all */
} lab_jitter_shape;

/** The link is down from `at_ns` after its start for `length_ns`, and again every `period_ns` (0: once). */
typedef struct lab_outage {
    uint64_t at_ns;
    uint64_t length_ns;
    uint64_t period_ns;
} lab_outage;

/** All zero is a perfect link with MTU 0; set the MTU. */
typedef struct LAB_SAFE_IN_SWIFT lab_link_config {
    uint64_t seed;
    uint32_t mtu;

    uint64_t rate_bits_per_s; /**< 0: unlimited */
    uint64_t queue_bytes;     /**< what may wait, the packet being sent included; 0: no bound in bytes */
    uint64_t queue_ns;        /**< how long a packet may take from arrival to its last bit sent; 0: no bound in time */
    const uint32_t *trace_ms; /**< delivery opportunities, ascending; the last one is the period. NULL: no trace */
    uint32_t trace_count;

    double loss;              /**< independent loss */
    double bad_from_good;     /**< Gilbert-Elliott p: good to bad, for each packet */
    double good_from_bad;     /**< Gilbert-Elliott r: bad to good, for each packet */
    double loss_in_good;      /**< netem's 1-k */
    double loss_in_bad;       /**< netem's 1-h */

    uint64_t delay_ns;
    uint64_t jitter_ns;
    lab_jitter_shape jitter_shape;
    bool jitter_reorders;     /**< else a packet never leaves before the one that came before it */

    double reorder;           /**< probability of being held back by `reorder_ns`, so that others overtake */
    uint64_t reorder_ns;
    double duplicate;

    lab_outage outages[LAB_OUTAGES_MAX];
    uint32_t outage_count;
} lab_link_config;

typedef enum lab_fate {
    LAB_DELIVERED,
    LAB_LOST,       /**< by loss probability or by the Gilbert-Elliott state */
    LAB_QUEUE_FULL, /**< the bounded queue had no room */
    LAB_OUTAGE,     /**< its last bit would have left during an outage */
    LAB_TOO_BIG,    /**< longer than the MTU */
} lab_fate;

enum { LAB_FATE_COUNT = 5 };

typedef struct lab_passage {
    lab_fate fate;
    uint32_t copies;       /**< 1, or 2 when duplicated. The rest means something for ::LAB_DELIVERED only */
    bool held_back;        /**< chosen for reordering */
    uint64_t index;
    uint64_t departure_ns; /**< when it reaches the far end */
    uint64_t queued_ns;    /**< from its arrival to its last bit sent: waiting and being sent */
} lab_passage;

/** State of one direction. Fields are for reading by tests; set it up with lab_link_start(). */
typedef struct lab_link {
    lab_link_config config;
    uint64_t start_ns;
    uint64_t next_index;
    bool bad;                    /**< Gilbert-Elliott state */
    uint64_t busy_until_ns;      /**< when the last queued bit will have been sent */
    uint64_t carry;              /**< of the division that made `busy_until_ns`, so that the rate is exact */
    uint64_t trace_cursor_bytes; /**< capacity of the trace that is spent or promised */
    uint64_t last_departure_ns;
} lab_link;

/** NULL, or a sentence that says what is wrong with a configuration. */
const char *lab_link_config_problem(const lab_link_config *config);

/** Starts an idle direction. Outages and the trace count from `start_ns`. The configuration has no problem. */
void lab_link_start(lab_link *link, const lab_link_config *config, uint64_t start_ns);

/** Offers the next packet. `bytes` is at least 1. */
lab_passage lab_link_offer(lab_link *link, uint64_t now_ns, uint32_t bytes);

/** Adds a schedule; false when there are ::LAB_OUTAGES_MAX already. */
bool lab_link_config_add_outage(lab_link_config *config, lab_outage outage);

/** The seed of a direction (0: a to b, 1: b to a), so that one seed for a link gives two unrelated patterns. */
uint64_t lab_link_direction_seed(uint64_t seed, uint32_t direction);

#endif
