#include "steady.h"

#include <stdlib.h>

enum {
    WAYS = 4,
    SETS = OX_FLOWS_SEEN / WAYS,
    DSCP_STATED = 0x80,
    DSCP_LE = 1, DSCP_CS1 = 8, DSCP_CS5 = 40, DSCP_VA = 44, DSCP_EF = 46, /* RFC 8622, 2474, 5865, 3246 */
    PORT_HTTPS = 443,
};
OX_STATIC_ASSERT((SETS & (SETS - 1)) == 0, "a set is some bits of the hash");

struct ox_classifier {
    ox_pace seen[SETS][WAYS];
};

const char *ox_class_name(ox_class class_) {
    static const char *const names[OX_CLASSES] = {
        [OX_CLASS_GAMING] = "gaming", [OX_CLASS_REALTIME] = "realtime", [OX_CLASS_STREAMING] = "streaming",
        [OX_CLASS_WEB] = "web",       [OX_CLASS_GENERAL] = "general",   [OX_CLASS_BULK] = "bulk"};
    OX_ASSERT((uint32_t)class_ < OX_CLASSES);
    return names[class_];
}

ox_classifier *ox_classifier_create(void) { return calloc(1, sizeof(ox_classifier)); }

void ox_classifier_destroy(ox_classifier *classifier) { free(classifier); }

/* ---- rules --------------------------------------------------------------------------------------------------- */

static bool in_range(const ox_class_rule *rule, uint16_t port) {
    return port != 0 && port >= rule->port_first && port <= rule->port_last;
}

static bool in_prefix(const ox_class_rule *rule, const uint8_t address[16]) {
    const uint32_t bytes = rule->prefix_bits / 8, bits = rule->prefix_bits % 8;
    if (memcmp(rule->prefix, address, bytes) != 0) return false;
    return bits == 0 || (rule->prefix[bytes] ^ address[bytes]) >> (8 - bits) == 0;
}

/* Source and destination in the mapped form. */
static void read_addresses(const uint8_t *packet, const ox_headers *headers, uint8_t addresses[2][16]) {
    if (headers->version == 6) {
        memcpy(addresses, packet + 8, 32);
        return;
    }
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    for (int i = 0; i < 2; i++) {
        memcpy(addresses[i], mapped, sizeof mapped);
        memcpy(addresses[i] + sizeof mapped, packet + 12 + 4 * i, 4);
    }
}

static bool holds(const ox_class_rule *rule, const ox_headers *headers, uint8_t addresses[2][16]) {
    if (rule->protocol != 0 && rule->protocol != headers->protocol) return false;
    if (rule->dscp != 0 && rule->dscp != (DSCP_STATED | headers->traffic_class >> 2)) return false;
    if ((rule->port_first | rule->port_last) != 0 && !in_range(rule, headers->source_port) &&
        !in_range(rule, headers->destination_port))
        return false;
    return rule->prefix_bits == 0 || in_prefix(rule, addresses[0]) || in_prefix(rule, addresses[1]);
}

/* The first rule that holds, or NULL. */
static const ox_class_rule *find_rule(const ox_class_rule *rules, uint32_t count, const uint8_t *packet, const ox_headers *headers) {
    if (count == 0) return NULL;
    OX_ASSERT(count <= OX_CLASS_RULES_MAX);
    uint8_t addresses[2][16];
    read_addresses(packet, headers, addresses);
    for (uint32_t i = 0; i < count; i++)
        if (holds(&rules[i], headers, addresses)) return &rules[i];
    return NULL;
}

/* ---- flows --------------------------------------------------------------------------------------------------- */

/* What is remembered of the flow. One that is new takes the place of one that is silent, or not steady, or else silent longest. */
static ox_pace *pace_of(ox_classifier *classifier, uint32_t hash, uint64_t now_ns) {
    ox_pace *set = classifier->seen[hash & (SETS - 1)], *oldest = NULL;
    for (uint32_t i = 0; i < WAYS; i++) {
        ox_pace *pace = &set[i];
        if (pace->hash == hash && pace->last_ns != 0) return pace;
        const bool steady = pace->steady && !ox_pace_over(pace, now_ns);
        const bool oldest_steady = oldest != NULL && oldest->steady && !ox_pace_over(oldest, now_ns);
        if (oldest == NULL || steady < oldest_steady || (steady == oldest_steady && pace->last_ns < oldest->last_ns)) oldest = pace;
    }
    *oldest = (ox_pace){.hash = hash};
    return oldest;
}

static bool is_steady(ox_classifier *classifier, const ox_headers *headers, uint32_t hash, uint64_t now_ns) {
    if (headers->protocol != OX_PROTO_UDP || headers->fragment || !headers->has_transport) return false;
    /* QUIC: the acknowledgements of a transfer that its server paces are as small and steady as a voice. */
    if (headers->source_port == PORT_HTTPS || headers->destination_port == PORT_HTTPS) return false;
    return ox_pace_note(pace_of(classifier, hash, now_ns), headers->total_bytes, now_ns);
}

ox_class ox_classify(ox_classifier *classifier, const ox_class_rule *rules, uint32_t rule_count, const uint8_t *packet,
                     const ox_headers *headers, uint32_t hash, uint64_t now_ns) {
    const ox_class_rule *rule = find_rule(rules, rule_count, packet, headers);
    if (rule != NULL) return (ox_class)rule->class_;
    switch (headers->traffic_class >> 2) {
    case DSCP_EF: case DSCP_VA: case DSCP_CS5: return OX_CLASS_REALTIME;
    case DSCP_CS1: case DSCP_LE: return OX_CLASS_BULK;
    default: return is_steady(classifier, headers, hash, now_ns) ? OX_CLASS_REALTIME : OX_CLASS_GENERAL;
    }
}
