#include "state.h"

/* Options of FEEDBACK-2 (RFC 3095 section 5.7.6.3, RFC 5225 section 6.9.2). */
enum {
    OPTION_CRC = 1,
    OPTION_REJECT = 2,
    OPTION_SN_NOT_VALID = 3, /* TCP and version 2: ACKNUMBER-NOT-VALID */
    OPTION_SN = 4,
};

bool rohc_feedback_next(rohc_reader *reader, const uint8_t **data, uint32_t *count) {
    const uint8_t type = rohc_read8(reader);
    if (reader->short_ || (type & 0xF8) != TYPE_FEEDBACK) return false;
    const uint32_t size = type & 7u;
    *count = size != 0 ? size : rohc_read8(reader);
    *data = rohc_read(reader, *count);
    return !reader->short_;
}

bool rohc_feedback_cid(const uint8_t **data, uint32_t *count, bool large_cids, uint16_t *cid) {
    const uint8_t *octets = *data;
    uint32_t taken = 0;
    *cid = 0;
    if (*count == 0) return false;
    if (large_cids) {
        taken = octets[0] < 0x80 ? 1 : 2;
        if (taken > *count || octets[0] >= 0xC0) return false;
        *cid = taken == 1 ? octets[0] : (uint16_t)(ox_load_be16(octets) & OX_ROHC_LARGE_CID_MAX);
    } else if ((octets[0] & 0xF0) == TYPE_ADD_CID) {
        if (octets[0] == TYPE_PADDING) return false;
        *cid = octets[0] & 0x0F;
        taken = 1;
    }
    *data += taken;
    *count -= taken;
    return *count != 0;
}

static bool read_options(rohc_reader *reader, const uint8_t *element, uint32_t element_bytes, rohc_feedback *feedback) {
    while (rohc_left(reader) != 0) {
        const uint8_t option = rohc_read8(reader);
        const uint8_t *content = rohc_read(reader, option & 0x0F);
        if (reader->short_) return false;
        switch (option >> 4) {
        case OPTION_CRC: {
            if ((option & 0x0F) != 1) return false;
            //= RFC 3095 section 5.7.6.3
            //# over all of the element, with the CRC itself as zero
            const uint32_t at = (uint32_t)(content - element);
            const uint8_t zero = 0;
            uint8_t crc = rohc_crc8(element, at, CRC8_START);
            crc = rohc_crc8(&zero, 1, crc);
            crc = rohc_crc8(content + 1, element_bytes - at - 1, crc);
            if (crc != *content) return false;
            feedback->protected_ = true;
            break;
        }
        case OPTION_REJECT: feedback->reject = true; break;
        case OPTION_SN_NOT_VALID: feedback->sn_valid = false; break;
        case OPTION_SN:
            for (uint32_t i = 0; i < (option & 0x0Fu); i++) {
                feedback->sn = feedback->sn << 8 | content[i];
                feedback->sn_bits = (uint8_t)(feedback->sn_bits + 8 > 32 ? 32 : feedback->sn_bits + 8);
            }
            break;
        default: break; /* to be skipped (RFC 3095 section 5.7.6.9) */
        }
    }
    return true;
}

/* RFC 6846 section 8.3, RFC 5225 section 6.9.1: the CRC is a field. */
static bool read_msn_form(rohc_reader *reader, const uint8_t *element, uint32_t element_bytes, rohc_feedback *feedback) {
    const uint8_t first = rohc_read8(reader);
    feedback->sn = (uint32_t)(first & 0x3F) << 8 | rohc_read8(reader);
    feedback->sn_bits = 14;
    const uint8_t *field = rohc_read(reader, 1);
    if (field == NULL || first >> 6 > ROHC_STATIC_NACK) return false;
    feedback->ack = (rohc_ack)(first >> 6);
    const uint8_t zero = 0;
    const uint32_t at = (uint32_t)(field - element);
    uint8_t crc = rohc_crc8(element, at, CRC8_START);
    crc = rohc_crc8(&zero, 1, crc);
    crc = rohc_crc8(field + 1, element_bytes - at - 1, crc);
    if (crc != *field) return false;
    feedback->protected_ = true;
    return read_options(reader, element, element_bytes, feedback);
}

bool rohc_feedback_read(const uint8_t *element, uint32_t element_bytes, const uint8_t *data, uint32_t count, uint16_t profile,
                        rohc_feedback *feedback) {
    *feedback = (rohc_feedback){.ack = ROHC_ACK, .sn_valid = true};
    if (count == 1) {
        feedback->sn = data[0];
        feedback->sn_bits = 8;
        return true;
    }
    feedback->two = true;
    rohc_reader reader = {.at = data, .end = data + count};
    if (rohc_feedback_is_msn(profile)) return read_msn_form(&reader, element, element_bytes, feedback);
    const uint8_t first = rohc_read8(&reader);
    if (first >> 6 > ROHC_STATIC_NACK) return false;
    feedback->ack = (rohc_ack)(first >> 6);
    feedback->mode = first >> 4 & 3;
    feedback->sn = (uint32_t)(first & 0x0F) << 8 | rohc_read8(&reader);
    feedback->sn_bits = 12;
    return !reader.short_ && read_options(&reader, element, element_bytes, feedback);
}

/* Writes what is behind the CID; the CRC is at `*crc`, still zero. */
static void write_content(rohc_writer *writer, const rohc_feedback_out *feedback, uint16_t profile, uint8_t **crc) {
    const bool msn_form = rohc_feedback_is_msn(profile);
    if (msn_form) {
        rohc_write16(writer, (uint32_t)feedback->ack << 14 | (feedback->sn_bits == 0 ? 0 : feedback->sn & 0x3FFF));
        *crc = rohc_room(writer, 1);
    } else {
        /* The SN option has the low octets of a long number; what is in front of them comes first. */
        const uint32_t option = feedback->sn_bits > 20 ? 3 : feedback->sn_bits > 12 ? 1 : 0;
        const uint32_t front = feedback->sn_bits == 0 ? 0 : feedback->sn >> 8 * option & 0xFFF;
        rohc_write16(writer, (uint32_t)feedback->ack << 14 | (uint32_t)feedback->mode << 12 | front);
        for (uint32_t i = option; i > 0; i--) {
            rohc_write8(writer, OPTION_SN << 4 | 1);
            rohc_write8(writer, feedback->sn >> 8 * (i - 1) & 0xFF);
        }
    }
    if (feedback->sn_bits == 0) rohc_write8(writer, OPTION_SN_NOT_VALID << 4);
    if (!msn_form) {
        rohc_write8(writer, OPTION_CRC << 4 | 1);
        *crc = rohc_room(writer, 1);
    }
    if (*crc != NULL) **crc = 0;
}

void rohc_feedback_write(rohc_writer *writer, const rohc_feedback_out *feedback, uint16_t profile, uint16_t cid, bool large_cids) {
    uint8_t octets[32], *crc = NULL;
    rohc_writer element = {.at = octets, .end = octets + sizeof octets};
    if (large_cids) {
        if (cid < 0x80) rohc_write8(&element, cid);
        else rohc_write16(&element, 0x8000u | cid);
    } else if (cid != 0) {
        rohc_write8(&element, TYPE_ADD_CID | cid);
    }
    write_content(&element, feedback, profile, &crc);
    const uint32_t count = (uint32_t)(element.at - octets);
    *crc = rohc_crc8(octets, count, CRC8_START);
    if ((uint32_t)(writer->end - writer->at) < count + 2) {
        writer->full = true;
        return;
    }
    if (count < 8) {
        rohc_write8(writer, TYPE_FEEDBACK | count);
    } else {
        rohc_write8(writer, TYPE_FEEDBACK);
        rohc_write8(writer, count);
    }
    rohc_write(writer, octets, count);
}
