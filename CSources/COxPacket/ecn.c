#include "oxcore/packet.h"

enum { ECN_MASK = 3, V6_ECN_SHIFT = 4 };

static bool is_v4(const uint8_t *packet) { return packet[0] >> 4 == 4; }

uint8_t ox_ecn_get(const uint8_t *packet) {
    return is_v4(packet) ? packet[1] & ECN_MASK : packet[1] >> V6_ECN_SHIFT & ECN_MASK;
}

void ox_ecn_set(uint8_t *packet, uint8_t ecn) {
    OX_ASSERT(ecn <= OX_ECN_CE);
    /* A checksum may be stored as 0xFFFF or as 0: an unchanged field leaves it as it was sent. */
    if (ox_ecn_get(packet) == ecn) return;
    if (!is_v4(packet)) {
        packet[1] = (uint8_t)((packet[1] & ~(ECN_MASK << V6_ECN_SHIFT)) | ecn << V6_ECN_SHIFT);
        return;
    }
    const uint16_t before = ox_load_be16(packet);
    packet[1] = (uint8_t)((packet[1] & ~ECN_MASK) | ecn);
    const uint16_t after = ox_load_be16(packet);
    //= RFC 1624 section 3
    //# HC' = ~(~HC + ~m + m')
    const uint16_t checksum = ox_load_be16(packet + 10);
    const uint32_t sum = (uint32_t)(uint16_t)~checksum + (uint16_t)~before + after;
    ox_store_be16(packet + 10, ox_checksum_finish(sum));
}

ox_verdict ox_ecn_decapsulate(uint8_t *packet, uint8_t outer) {
    OX_ASSERT(outer <= OX_ECN_CE);
    //= RFC 6040 section 4.2
    //# figure 4: rows are the arriving inner header, columns the arriving outer one
    static const uint8_t outgoing[4][4] = {
        [OX_ECN_NOT_ECT] = {[OX_ECN_NOT_ECT] = OX_ECN_NOT_ECT,
                            [OX_ECN_ECT0] = OX_ECN_NOT_ECT,
                            [OX_ECN_ECT1] = OX_ECN_NOT_ECT,
                            [OX_ECN_CE] = OX_ECN_NOT_ECT},
        [OX_ECN_ECT0] = {[OX_ECN_NOT_ECT] = OX_ECN_ECT0,
                         [OX_ECN_ECT0] = OX_ECN_ECT0,
                         [OX_ECN_ECT1] = OX_ECN_ECT1,
                         [OX_ECN_CE] = OX_ECN_CE},
        [OX_ECN_ECT1] = {[OX_ECN_NOT_ECT] = OX_ECN_ECT1,
                         [OX_ECN_ECT0] = OX_ECN_ECT1,
                         [OX_ECN_ECT1] = OX_ECN_ECT1,
                         [OX_ECN_CE] = OX_ECN_CE},
        [OX_ECN_CE] = {[OX_ECN_NOT_ECT] = OX_ECN_CE,
                       [OX_ECN_ECT0] = OX_ECN_CE,
                       [OX_ECN_ECT1] = OX_ECN_CE,
                       [OX_ECN_CE] = OX_ECN_CE},
    };
    const uint8_t inner = ox_ecn_get(packet);
    /* Congestion that a flow without ECN can only hear of as a loss. */
    if (inner == OX_ECN_NOT_ECT && outer == OX_ECN_CE) return OX_DROP_ECN_NOT_CAPABLE;
    ox_ecn_set(packet, outgoing[inner][outer]);
    return OX_PASS;
}
