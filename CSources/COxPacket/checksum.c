#include "oxcore/packet.h"

static uint32_t fold(uint64_t sum) {
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    return (uint32_t)((sum & UINT16_MAX) + (sum >> 16));
}

uint32_t ox_checksum_add(const uint8_t *bytes, size_t len, uint32_t start) {
    /* Words are summed in the machine's order, four octets at a time, and the folded sum is swapped once: RFC 1071
     * section 2 (B) and (C). */
    uint64_t sum = 0;
    while (len >= 4) {
        uint32_t word;
        memcpy(&word, bytes, 4);
        sum += word;
        bytes += 4;
        len -= 4;
    }
    uint8_t rest[4] = {0};
    for (size_t i = 0; i < len; i++) rest[i] = bytes[i];
    uint32_t word;
    memcpy(&word, rest, 4);
    sum += word;

    uint32_t folded = fold(sum);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    folded = __builtin_bswap16((uint16_t)folded);
#endif
    return fold((uint64_t)folded + start);
}

uint16_t ox_checksum_finish(uint32_t sum) { return (uint16_t)~fold(sum); }

uint32_t ox_checksum_pseudo(const uint8_t *bytes, const ox_headers *headers, uint32_t transport_len) {
    const bool v4 = headers->version == 4;
    const uint8_t *addresses = v4 ? bytes + 12 : bytes + 8;
    const size_t addresses_bytes = v4 ? 8 : 32;
    /* 16 bits of length in IPv4, 32 in IPv6; folding makes them one. */
    const uint32_t length_and_protocol = fold((uint64_t)transport_len + headers->protocol);
    return ox_checksum_add(addresses, addresses_bytes, length_and_protocol);
}
