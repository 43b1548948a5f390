/**
 * @file  Which class of traffic a packet is of: by configured rules, by DSCP, and by what its flow looks like.
 *
 * Threads: a classifier belongs to its worker; rules are immutable.
 */
#ifndef OXCORE_FLOW_H
#define OXCORE_FLOW_H

#include "base.h"
#include "packet.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OX_CLASS_RULES_MAX = 256,
    OX_FLOWS_SEEN = 4096,     /**< flows that a classifier remembers; a power of two */
};

/** The classes of traffic, the most urgent first: the one class enum of the project, whose numbers are priorities. */
typedef enum OX_CLOSED_ENUM ox_class {
    OX_CLASS_GAMING,
    OX_CLASS_REALTIME,
    OX_CLASS_STREAMING,
    OX_CLASS_WEB,
    OX_CLASS_GENERAL,
    OX_CLASS_BULK,
} ox_class;
enum { OX_CLASSES = 6 };

/** "gaming" and so on. */
const char *ox_class_name(ox_class class_);

/** What a packet must be for its class to be known beforehand. All that is stated must hold; the first rule that does counts. */
typedef struct ox_class_rule {
    uint8_t class_;         /**< an ::ox_class */
    uint8_t protocol;       /**< 0 for any */
    uint8_t dscp;           /**< with bit 7 set: the DSCP in the lower 6; 0 for any */
    uint8_t prefix_bits;    /**< of `prefix` in the mapped form (IPv4's plus 96); 0 for any address */
    uint16_t port_first, port_last; /**< source or destination port; 0 and 0 for any */
    uint8_t prefix[16];     /**< source or destination address lies in it; IPv4 mapped */
} ox_class_rule;

typedef struct ox_classifier ox_classifier;
/** NULL without memory. */
ox_classifier *ox_classifier_create(void);
void ox_classifier_destroy(ox_classifier *classifier);
/**
 * The class of a packet that ox_parse() passed, and of which `hash` is the ox_flow_hash(). Rules come first, then DSCP (EF, VA and CS5:
 * realtime; CS1 and LE: bulk), then the flow: UDP datagrams that are small and come at a steady pace, for a while, are realtime.
 * All else is general. A flow does not change its class back and forth.
 */
ox_class ox_classify(ox_classifier *classifier, const ox_class_rule *rules, uint32_t rule_count, const uint8_t *packet,
                     const ox_headers *headers, uint32_t hash, uint64_t now_ns);

#ifdef __cplusplus
}
#endif

#endif
