/** @file  How a symbol lies in memory, here and in the combinations that cross. Private to COxFEC. */
#ifndef COXFEC_REPAIR_SYMBOL_H
#define COXFEC_REPAIR_SYMBOL_H

#include "oxcore/repair.h"

enum { OX_REPAIR_SLOT_BYTES = 1536 };
OX_STATIC_ASSERT((int)OX_REPAIR_SLOT_BYTES >= (int)OX_REPAIR_SYMBOL_MAX && OX_REPAIR_SLOT_BYTES % 64 == 0, "a symbol fits");

static inline uint32_t ox_repair_symbol_write(uint8_t *slot, uint8_t car, const uint8_t *content, size_t len) {
    slot[0] = (uint8_t)len;
    slot[1] = (uint8_t)(len >> 8);
    slot[2] = car;
    if (len > 0) memcpy(slot + OX_REPAIR_HEAD_BYTES, content, len);
    return OX_REPAIR_HEAD_BYTES + (uint32_t)len;
}

/** Bytes of the content of a symbol. */
static inline uint32_t ox_repair_symbol_len(const uint8_t *slot) { return (uint32_t)slot[0] | (uint32_t)slot[1] << 8; }

#endif
