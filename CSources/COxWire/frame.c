#include "oxcore/wire.h"

ox_verdict ox_frame_read(const uint8_t *bytes, size_t len, size_t *offset, ox_frame *frame) {
    OX_ASSERT(*offset < len);
    size_t at = *offset;
    uint8_t first = bytes[at];
    if (first == OX_FRAME_PADDING) {
        while (at < len && bytes[at] == OX_FRAME_PADDING) at++;
        *frame = (ox_frame){OX_FRAME_PADDING, bytes + *offset, at - *offset};
        *offset = at;
        return OX_PASS;
    }
    //= Wire.md section 6.1
    //# a first nibble of 4 or 6 begins an IP packet that runs to the end of the datagram
    if (first >> 4 == 4 || first >> 4 == 6) {
        *frame = (ox_frame){OX_FRAME_PACKET, bytes + at, len - at};
        *offset = len;
        return OX_PASS;
    }
    //= Wire.md section 6.16
    //# a first byte of 128 or more begins a compressed packet that runs to the end of the datagram
    if (first >= OX_FRAME_COMPRESSED) {
        *frame = (ox_frame){OX_FRAME_COMPRESSED, bytes + at, len - at};
        *offset = len;
        return OX_PASS;
    }
    uint64_t body = 0;
    uint32_t length_bytes = ox_varint_read(bytes + at + 1, len - at - 1, &body);
    if (length_bytes == 0 || body > len - at - 1 - length_bytes) return OX_DROP_FRAME_MALFORMED;
    *frame = (ox_frame){first, bytes + at + 1 + length_bytes, (size_t)body};
    *offset = at + 1 + length_bytes + (size_t)body;
    return OX_PASS;
}

uint32_t ox_frame_write_head(uint8_t *out, ox_frame_type type, size_t body_len) {
    OX_ASSERT(body_len < 1u << 14);
    out[0] = (uint8_t)type;
    ox_store_be16(out + 1, (uint16_t)(0x4000 | body_len)); // the two-byte form, so that it can be filled in later
    return 1 + OX_FRAME_FIXED_LENGTH_BYTES;
}
