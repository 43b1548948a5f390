#include "state.h"

uint32_t rohc_sdvl_bytes(uint32_t bits) {
    if (bits <= 7) return 1;
    if (bits <= 14) return 2;
    if (bits <= 21) return 3;
    return bits <= SDVL_BITS_MAX ? 4 : 0;
}

uint32_t rohc_sdvl_bytes_of(uint32_t value) {
    return rohc_sdvl_bytes(value == 0 ? 0 : 32 - (uint32_t)__builtin_clz(value));
}

//= RFC 3095 section 4.5.6
//# the first bits say how many octets there are: 0, 10, 110 and 111
void rohc_sdvl_write(rohc_writer *writer, uint32_t value, uint32_t bits) {
    switch (rohc_sdvl_bytes(bits)) {
    case 1: rohc_write8(writer, value); break;
    case 2: rohc_write16(writer, 0x8000 | value); break;
    case 3:
        rohc_write8(writer, 0xC0 | value >> 16);
        rohc_write16(writer, value & 0xFFFF);
        break;
    default: rohc_write32(writer, 0xE0000000 | value); break;
    }
}

uint32_t rohc_sdvl_read(rohc_reader *reader, uint32_t *bits) {
    const uint32_t first = rohc_read8(reader);
    uint32_t value = first, carried = 7;
    if (first >> 5 == 7) {
        carried = 29;
        value = (first & 0x1F) << 24 | (uint32_t)rohc_read8(reader) << 16;
        value |= rohc_read16(reader);
    } else if (first >> 5 == 6) {
        carried = 21;
        value = (first & 0x1F) << 16 | rohc_read16(reader);
    } else if (first >> 6 == 2) {
        carried = 14;
        value = (first & 0x3F) << 8 | rohc_read8(reader);
    }
    if (bits != NULL) *bits = carried;
    return value;
}
