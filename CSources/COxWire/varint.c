#include "oxcore/wire.h"

//= RFC 9000 section 16
//# the two most significant bits of the first byte are the base-2 logarithm of the length
uint32_t ox_varint_bytes(uint64_t value) {
    OX_ASSERT(value < OX_VARINT_LIMIT);
    if (value < 1u << 6) return 1;
    if (value < 1u << 14) return 2;
    if (value < 1u << 30) return 4;
    return 8;
}

uint32_t ox_varint_write(uint8_t *out, uint64_t value) {
    uint32_t bytes = ox_varint_bytes(value);
    for (uint32_t i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    out[0] = (uint8_t)(out[0] | (uint8_t)(__builtin_ctz(bytes) << 6));
    return bytes;
}

uint32_t ox_varint_read(const uint8_t *bytes, size_t len, uint64_t *value) {
    if (len == 0) return 0;
    uint32_t count = 1u << (bytes[0] >> 6);
    if (len < count) return 0;
    uint64_t read = bytes[0] & 0x3f;
    for (uint32_t i = 1; i < count; i++) read = read << 8 | bytes[i];
    *value = read;
    return count;
}
