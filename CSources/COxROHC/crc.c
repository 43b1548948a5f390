/*
 * The CRCs of ROHC, all of them with the lowest bit first, eight octets at a time: an octet's CRC is linear, so the table of
 * slice j is what an octet adds that j more octets follow, and each table is told by what its eight bits add.
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

typedef uint8_t slices[8][256];

//= RFC 3095 section 5.9.2
//# C(x) = 1 + x + x^3
static const slices crc3 = {
    SLICE(0x06, 0x01, 0x02, 0x04, 0x05, 0x07, 0x03, 0x06),
    SLICE(0x03, 0x06, 0x01, 0x02, 0x04, 0x05, 0x07, 0x03),
    SLICE(0x07, 0x03, 0x06, 0x01, 0x02, 0x04, 0x05, 0x07),
    SLICE(0x05, 0x07, 0x03, 0x06, 0x01, 0x02, 0x04, 0x05),
    SLICE(0x04, 0x05, 0x07, 0x03, 0x06, 0x01, 0x02, 0x04),
    SLICE(0x02, 0x04, 0x05, 0x07, 0x03, 0x06, 0x01, 0x02),
    SLICE(0x01, 0x02, 0x04, 0x05, 0x07, 0x03, 0x06, 0x01),
    SLICE(0x06, 0x01, 0x02, 0x04, 0x05, 0x07, 0x03, 0x06),
};

//# C(x) = 1 + x + x^2 + x^3 + x^6 + x^7
static const slices crc7 = {
    SLICE(0x40, 0x73, 0x15, 0x2A, 0x54, 0x5B, 0x45, 0x79),
    SLICE(0x45, 0x79, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20),
    SLICE(0x10, 0x20, 0x40, 0x73, 0x15, 0x2A, 0x54, 0x5B),
    SLICE(0x54, 0x5B, 0x45, 0x79, 0x01, 0x02, 0x04, 0x08),
    SLICE(0x04, 0x08, 0x10, 0x20, 0x40, 0x73, 0x15, 0x2A),
    SLICE(0x15, 0x2A, 0x54, 0x5B, 0x45, 0x79, 0x01, 0x02),
    SLICE(0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x73),
    SLICE(0x40, 0x73, 0x15, 0x2A, 0x54, 0x5B, 0x45, 0x79),
};

//= RFC 3095 section 5.9.1
//# C(x) = 1 + x + x^2 + x^8
static const slices crc8 = {
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

static inline uint8_t add(const slices table, const uint8_t *octets, uint32_t count, uint8_t crc) {
    for (; count >= 8; count -= 8, octets += 8)
        crc = (uint8_t)(table[7][octets[0] ^ crc] ^ table[6][octets[1]] ^ table[5][octets[2]] ^ table[4][octets[3]] ^
                        table[3][octets[4]] ^ table[2][octets[5]] ^ table[1][octets[6]] ^ table[0][octets[7]]);
    if (count >= 4) {
        crc = (uint8_t)(table[3][octets[0] ^ crc] ^ table[2][octets[1]] ^ table[1][octets[2]] ^ table[0][octets[3]]);
        octets += 4;
        count -= 4;
    }
    for (; count != 0; count--) crc = table[0][*octets++ ^ crc];
    return crc;
}

uint8_t rohc_crc3(const uint8_t *octets, uint32_t count, uint8_t crc) { return add(crc3, octets, count, crc); }
uint8_t rohc_crc7(const uint8_t *octets, uint32_t count, uint8_t crc) { return add(crc7, octets, count, crc); }
uint8_t rohc_crc8(const uint8_t *octets, uint32_t count, uint8_t crc) { return add(crc8, octets, count, crc); }

uint32_t rohc_fcs32(const uint8_t *octets, uint32_t count) {
    uint32_t fcs = UINT32_MAX;
    for (; count != 0; count--) fcs = fcs >> 8 ^ fcs32[(*octets++ ^ fcs) & 0xFF];
    return ~fcs;
}
