/** @file  Packets of one flow differ little in their headers: a copy that rides in a later one says only where. */
#include "oxcore/repair.h"

uint32_t ox_repair_difference(const uint8_t *base, uint32_t header, const uint8_t *packet, uint32_t len, uint8_t *out,
                              size_t room) {
    OX_ASSERT(header >= 1 && header <= OX_REPAIR_DIFFERENCE_MAX && header <= len);
    uint32_t bitmap = (header + 7) / 8, at = bitmap;
    uint8_t changed[OX_REPAIR_DIFFERENCE_MAX / 8] = {0};
    for (uint32_t i = 0; i < header; i++) {
        if (packet[i] == base[i]) continue;
        changed[i / 8] |= (uint8_t)(1u << i % 8);
        if (at == room) return 0;
        if (at < room) out[at] = packet[i];
        at++;
    }
    if (at > room || len - header > room - at) return 0;
    memcpy(out, changed, bitmap);
    memcpy(out + at, packet + header, len - header);
    return at + len - header;
}

uint32_t ox_repair_undo_difference(const uint8_t *base, uint32_t header, const uint8_t *difference, size_t len, uint8_t *out,
                                   size_t room) {
    OX_ASSERT(header >= 1 && header <= OX_REPAIR_DIFFERENCE_MAX);
    size_t at = (header + 7) / 8;
    if (len < at || room < header) return 0;
    if (header % 8 != 0 && difference[at - 1] >> header % 8 != 0) return 0;
    for (uint32_t i = 0; i < header; i++) {
        bool changed = (difference[i / 8] >> i % 8 & 1) != 0;
        if (changed && at == len) return 0;
        out[i] = changed ? difference[at++] : base[i];
    }
    if (len - at > room - header) return 0;
    memcpy(out + header, difference + at, len - at);
    return header + (uint32_t)(len - at);
}
