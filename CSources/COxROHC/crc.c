/*
 * The CRCs of ROHC, all of them with the lowest bit first. An octet's CRC is linear, so the table of slice j is what an octet adds
 * that j more octets follow, and each table is told by what its eight bits add.
 *
 * Those of 3 and 7 bits divide x^14 + 1, so bits that are 14 apart count the same: all octets are added up, seven at a time, before
 * the first table is looked at. That of 8 bits has no such short period; it is of packets that are rare.
 */
#include "state.h"

#define BIT(value, bit, adds) ((value) >> (bit) & 1 ? (adds) : 0)
#define ADDS(v, b0, b1, b2, b3, b4, b5, b6, b7)                                                                      \
    (BIT(v, 0, b0) ^ BIT(v, 1, b1) ^ BIT(v, 2, b2) ^ BIT(v, 3, b3) ^ BIT(v, 4, b4) ^ BIT(v, 5, b5) ^ BIT(v, 6, b6) ^ \
     BIT(v, 7, b7))
#define FOUR(v, ...) ADDS(v, __VA_ARGS__), ADDS(v + 1, __VA_ARGS__), ADDS(v + 2, __VA_ARGS__), ADDS(v + 3, __VA_ARGS__)
#define SIXTEEN(v, ...) FOUR(v, __VA_ARGS__), FOUR(v + 4, __VA_ARGS__), FOUR(v + 8, __VA_ARGS__), FOUR(v + 12, __VA_ARGS__)
#define SIXTY_FOUR(v, ...)                                                                                           \
    SIXTEEN(v, __VA_ARGS__), SIXTEEN(v + 16, __VA_ARGS__), SIXTEEN(v + 32, __VA_ARGS__), SIXTEEN(v + 48, __VA_ARGS__)
#define SLICE(...)                                                                                                   \
    { SIXTY_FOUR(0, __VA_ARGS__), SIXTY_FOUR(64, __VA_ARGS__), SIXTY_FOUR(128, __VA_ARGS__), SIXTY_FOUR(192, __VA_ARGS__) }

//= RFC 3095 section 5.9.2
//# C(x) = 1 + x + x^3
static const uint8_t crc3[256] = SLICE(0x06, 0x01, 0x02, 0x04, 0x05, 0x07, 0x03, 0x06);

//# C(x) = 1 + x + x^2 + x^3 + x^6 + x^7
static const uint8_t crc7[2][256] = {
    SLICE(0x40, 0x73, 0x15, 0x2A, 0x54, 0x5B, 0x45, 0x79),
    SLICE(0x45, 0x79, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20),
};

//= RFC 3095 section 5.9.1
//# C(x) = 1 + x + x^2 + x^8
static const uint8_t crc8[8][256] = {
    SLICE(0x91, 0xE3, 0x07, 0x0E, 0x1C, 0x38, 0x70, 0xE0),
    SLICE(0x6D, 0xDA, 0x75, 0xEA, 0x15, 0x2A, 0x54, 0xA8),
    SLICE(0xD0, 0x61, 0xC2, 0x45, 0x8A, 0xD5, 0x6B, 0xD6),
    SLICE(0x8C, 0xD9, 0x73, 0xE6, 0x0D, 0x1A, 0x34, 0x68),
    SLICE(0xE9, 0x13, 0x26, 0x4C, 0x98, 0xF1, 0x23, 0x46),
    SLICE(0x37, 0x6E, 0xDC, 0x79, 0xF2, 0x25, 0x4A, 0x94),
    SLICE(0x51, 0xA2, 0x85, 0xCB, 0x57, 0xAE, 0x9D, 0xFB),
    SLICE(0xFD, 0x3B, 0x76, 0xEC, 0x19, 0x32, 0x64, 0xC8),
};

//= RFC 3095 section 5.2.5.2
//# the FCS of RFC 1662
static const uint32_t fcs32[256] = SLICE(
    0x77073096, 0xEE0E612C, 0x076DC419, 0x0EDB8832,
    0x1DB71064, 0x3B6E20C8, 0x76DC4190, 0xEDB88320);

static inline uint64_t load_le64(const uint8_t *octets) {
    return octets[0] | (uint64_t)octets[1] << 8 | (uint64_t)octets[2] << 16 | (uint64_t)octets[3] << 24 |
           (uint64_t)octets[4] << 32 | (uint64_t)octets[5] << 40 | (uint64_t)octets[6] << 48 | (uint64_t)octets[7] << 56;
}

/* Octets and what goes on from `crc`, added up to the 14 bits that have the same CRC. `count` is not 0. */
static inline uint32_t add_up(const uint8_t *octets, uint32_t count, uint8_t crc) {
    const uint8_t *end = octets + count;
    uint64_t first = 0, sum = 0;
    if (count >= 8) {
        first = load_le64(octets);
    } else {
        for (uint32_t i = 0; i < count; i++) first |= (uint64_t)octets[i] << 8 * i;
    }
    /* From the end on, 4 * 14 bits at a time. The lowest octet of each word is of those before, and goes in the end. */
#pragma GCC unroll 1
    for (; end - octets >= 8; end -= 7) sum ^= load_le64(end - 8);
    sum ^= (first ^ crc) << (64 - 8 * (end - octets));
    sum >>= 8;
    sum ^= sum >> 28;
    return (uint32_t)(sum ^ sum >> 14) & 0x3FFF;
}

uint8_t rohc_crc3(const uint8_t *octets, uint32_t count, uint8_t crc) {
    if (count == 0) return crc;
    const uint32_t bits = add_up(octets, count, crc);
    /* Its own period is 7 bits. */
    return crc3[(bits ^ bits >> 7) << 1 & 0xFF];
}

uint8_t rohc_crc7(const uint8_t *octets, uint32_t count, uint8_t crc) {
    if (count == 0) return crc;
    const uint32_t bits = add_up(octets, count, crc) << 2;
    return crc7[1][bits & 0xFF] ^ crc7[0][bits >> 8];
}

uint8_t rohc_crc8(const uint8_t *octets, uint32_t count, uint8_t crc) {
    for (; count >= 8; count -= 8, octets += 8)
        crc = (uint8_t)(crc8[7][octets[0] ^ crc] ^ crc8[6][octets[1]] ^ crc8[5][octets[2]] ^ crc8[4][octets[3]] ^
                        crc8[3][octets[4]] ^ crc8[2][octets[5]] ^ crc8[1][octets[6]] ^ crc8[0][octets[7]]);
    for (; count != 0; count--) crc = crc8[0][*octets++ ^ crc];
    return crc;
}

uint32_t rohc_fcs32(const uint8_t *octets, uint32_t count) {
    uint32_t fcs = UINT32_MAX;
    for (; count != 0; count--) fcs = fcs >> 8 ^ fcs32[(*octets++ ^ fcs) & 0xFF];
    return ~fcs;
}
