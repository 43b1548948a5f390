/*
 * Packets of any bytes and any pace past rules of any bytes. The input: up to 16 rules of 24 bytes behind their count, then per
 * packet two bytes of time, two of length, and its bytes.
 *
 * Every packet that is one has a class; a rule that states nothing gives every packet its class; and nothing outside of a packet
 * is read.
 */
#include "oxcore/flow.h"

#include <stdlib.h>

enum { RULES = 16, RULE_BYTES = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ox_class_rule rule_of(const uint8_t bytes[RULE_BYTES]) {
    ox_class_rule rule = {.class_ = bytes[0] % OX_CLASSES,
                          .protocol = bytes[1],
                          .dscp = bytes[2] & 0x80 ? bytes[2] & 0xBF : 0,
                          .prefix_bits = bytes[3] % 129,
                          .port_first = ox_load_be16(bytes + 4),
                          .port_last = ox_load_be16(bytes + 6)};
    memcpy(rule.prefix, bytes + 8, sizeof rule.prefix);
    return rule;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ox_class_rule rules[RULES];
    uint32_t count = 0;
    size_t at = 1;
    if (size == 0) return 0;
    for (; count < data[0] % (RULES + 1u) && at + RULE_BYTES <= size; at += RULE_BYTES) rules[count++] = rule_of(data + at);
    static ox_flow_key key;
    ox_flow_key_init(&key, 7);
    ox_classifier *classifier = ox_classifier_create();
    OX_ASSERT(classifier != NULL);
    uint64_t now_ns = 1;
    while (at + 4 <= size) {
        now_ns += (uint64_t)ox_load_be16(data + at) * 10000;
        size_t len = ox_load_be16(data + at + 2);
        at += 4;
        if (len > size - at) len = size - at;
        uint8_t *packet = malloc(len == 0 ? 1 : len); /* of its own, so that a read past its end is seen */
        OX_ASSERT(packet != NULL);
        memcpy(packet, data + at, len);
        at += len;
        ox_headers headers;
        if (ox_parse(packet, len, &headers) == OX_PASS) {
            const uint32_t hash = ox_flow_hash(&key, packet, &headers);
            OX_ASSERT((uint32_t)ox_classify(classifier, rules, count, packet, &headers, hash, now_ns) < OX_CLASSES);
            const ox_class_rule any = {.class_ = OX_CLASS_WEB};
            OX_ASSERT(ox_classify(classifier, &any, 1, packet, &headers, hash, now_ns) == OX_CLASS_WEB);
        }
        free(packet);
    }
    ox_classifier_destroy(classifier);
    return 0;
}
