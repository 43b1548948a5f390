#include "oxcore/wire.h"

//= Wire.md section 5.2
//# enough bits that half their range exceeds four times the numbers outstanding
uint32_t ox_number_bytes(uint64_t number, uint64_t next_expected) {
    OX_ASSERT(number >= next_expected);
    uint64_t outstanding = number - next_expected;
    if (outstanding < 1u << 5) return 1;
    if (outstanding < 1u << 13) return 2;
    if (outstanding < 1u << 21) return 3;
    return 4;
}

uint32_t ox_header_write(uint8_t *out, uint32_t session, uint32_t session_bytes, uint64_t number, uint32_t number_bytes) {
    OX_ASSERT(session_bytes <= OX_SESSION_ID_BYTES_MAX && number_bytes >= 1 && number_bytes <= 4);
    uint32_t at = 0;
    out[at++] = (uint8_t)(OX_TYPE_DATA | (number_bytes - 1));
    for (uint32_t i = 0; i < session_bytes; i++) out[at++] = (uint8_t)(session >> 8 * i);
    for (uint32_t i = 0; i < number_bytes; i++) out[at++] = (uint8_t)(number >> 8 * i);
    return at;
}

uint32_t ox_header_write_car(uint8_t *out, uint32_t session, uint32_t session_bytes, uint64_t number,
                             uint32_t number_bytes, uint32_t index, bool last) {
    OX_ASSERT(index < OX_TRAIN_CARS_MAX);
    uint32_t at = ox_header_write(out, session, session_bytes, number, number_bytes);
    out[0] |= OX_TYPE_CAR;
    out[at++] = (uint8_t)(index | (last ? OX_CAR_LAST : 0));
    return at;
}

ox_verdict ox_header_read(const uint8_t *bytes, size_t len, uint32_t session_bytes, ox_header *header) {
    OX_ASSERT(session_bytes <= OX_SESSION_ID_BYTES_MAX);
    if (len == 0) return OX_DROP_DATAGRAM_SHORT;
    if ((bytes[0] & OX_TYPE_MASK) != OX_TYPE_DATA || (bytes[0] & OX_TYPE_RESERVED) != 0) return OX_DROP_DATAGRAM_TYPE;
    uint32_t number_bytes = (uint32_t)(bytes[0] & OX_TYPE_NUMBER_BYTES) + 1;
    bool car = (bytes[0] & OX_TYPE_CAR) != 0;
    uint32_t header_bytes = 1 + session_bytes + number_bytes + car;
    if (len < header_bytes) return OX_DROP_DATAGRAM_SHORT;
    *header = (ox_header){.number_bytes = (uint8_t)number_bytes, .header_bytes = (uint8_t)header_bytes, .car = car};
    const uint8_t *at = bytes + 1;
    for (uint32_t i = 0; i < session_bytes; i++) header->session |= (uint32_t)*at++ << 8 * i;
    for (uint32_t i = 0; i < number_bytes; i++) header->truncated |= (uint32_t)*at++ << 8 * i;
    if (!car) return OX_PASS;
    header->car_last = (*at & OX_CAR_LAST) != 0;
    header->car_index = *at & (uint8_t)~OX_CAR_LAST;
    return header->car_index < OX_TRAIN_CARS_MAX ? OX_PASS : OX_DROP_DATAGRAM_TYPE;
}

uint64_t ox_number_rebuild(uint64_t next_expected, uint32_t truncated, uint32_t number_bytes) {
    OX_ASSERT(number_bytes >= 1 && number_bytes <= 4);
    uint64_t window = (uint64_t)1 << 8 * number_bytes;
    uint64_t candidate = (next_expected & ~(window - 1)) | truncated;
    if (candidate + window / 2 <= next_expected && candidate < UINT64_MAX - window) return candidate + window;
    if (candidate > next_expected + window / 2 && candidate >= window) return candidate - window;
    return candidate;
}
