/* Base headers of received CO packets (RFC 5225 section 6.8.2.4). */
#include "v2.h"

static void take_sn(v2_received *received, uint32_t bits, uint32_t count) {
    received->sn = bits;
    received->sn_bits = (uint8_t)count;
}

static void take_id(v2_received *received, uint32_t bits, uint32_t count) {
    received->id = bits;
    received->id_bits = (uint8_t)count;
}

static void take_scaled(v2_received *received, uint32_t bits, uint32_t count) {
    received->ts = bits;
    received->ts_bits = (uint8_t)count;
    received->ts_scaled = true;
}

static void take_crc(v2_received *received, uint32_t crc, uint32_t count) {
    received->crc = (uint8_t)crc;
    received->crc_bits = (uint8_t)count;
}

/* ---- co_common ------------------------------------------------------------------------------------------------ */

/** The IP-ID as co_common has it: 8 bits of its offset, or all of it. */
static void read_variable_id(v2_received *received, bool whole) {
    rohc_reader *body = &received->work->body;
    if (!v2_sequential(received->now.inner.behavior)) return;
    if (whole) take_id(received, rohc_read16(body), 16);
    else take_id(received, rohc_read8(body), 8);
}

static bool read_sdvl_sn(v2_received *received) {
    uint32_t sn, bits = v2_read_sdvl(&received->work->body, &sn, v2_sn_width(received->profile));
    take_sn(received, sn, bits);
    return bits != 0;
}

static void read_flags(v2_received *received, uint32_t df, uint32_t behavior) {
    const v2_layout *layout = &received->fixed->layout;
    if (layout->items[layout->inner].kind != V2_KIND_IPV4) return;
    received->now.inner.df = df & 1;
    received->now.inner.behavior = behavior & 3;
}

/** Of UDP, ESP and IP. */
static bool read_common(v2_received *received) {
    rohc_reader *body = &received->work->body;
    const uint8_t first = rohc_read8(body), second = rohc_read8(body);
    const bool whole_id = first >> 7;
    take_crc(received, first & 0x7F, 7);
    received->now.ratio = second >> 3 & 3;
    if ((second & 0x80) != 0) {
        const uint8_t flags = rohc_read8(body);
        if ((flags & 0xF) != 0) return false;
        received->outer_said = flags >> 7;
        read_flags(received, flags >> 6, flags >> 4);
    }
    if ((second & 0x20) != 0) received->now.inner.tos = rohc_read8(body);
    if ((second & 0x40) != 0) received->now.inner.ttl = rohc_read8(body);
    if (received->profile == V2_PROFILE_ESP) {
        if (!read_sdvl_sn(received)) return false;
    } else {
        take_sn(received, rohc_read8(body), 8);
    }
    read_variable_id(received, whole_id);
    return true;
}

/** The timestamp and its strides of RTP's co_common; `tsc` and `tss` say which there are. */
static bool read_common_ts(v2_received *received, bool tsc, bool tss, bool tis) {
    rohc_reader *body = &received->work->body;
    uint32_t ts, bits;
    if (tsc && tss) return false;
    bits = v2_read_sdvl(body, &ts, 32);
    if (bits == 0) return false;
    received->ts = ts;
    received->ts_bits = (uint8_t)bits;
    received->ts_scaled = tsc;
    if (tss && v2_read_sdvl(body, &received->now.ts_stride, 32) == 0) return false;
    return !tis || v2_read_sdvl(body, &received->now.time_stride, 32) != 0;
}

static bool read_common_rtp(v2_received *received) {
    rohc_reader *body = &received->work->body;
    v2_dynamic *now = &received->now;
    const uint8_t first = rohc_read8(body), second = rohc_read8(body);
    uint8_t flags1 = 0, flags2 = 0;
    received->marker = first >> 7;
    take_crc(received, first & 0x7F, 7);
    if ((second & 0x80) != 0) {
        flags1 = rohc_read8(body);
        received->outer_said = flags1 >> 7;
        read_flags(received, flags1 >> 4, flags1 >> 2);
        now->ratio = flags1 & 3;
    }
    if ((second & 0x40) != 0) {
        flags2 = rohc_read8(body);
        if ((flags2 & 7) != 0) return false;
        now->padding = flags2 >> 4 & 1;
        now->extension = flags2 >> 3 & 1;
    }
    if ((flags1 & 0x20) != 0) now->inner.tos = rohc_read8(body);
    if ((flags1 & 0x40) != 0) now->inner.ttl = rohc_read8(body);
    if ((flags2 & 0x40) != 0) {
        const uint8_t type = rohc_read8(body);
        if (type >= 0x80) return false;
        now->payload_type = type;
    }
    if (!read_sdvl_sn(received)) return false;
    read_variable_id(received, (second & 0x08) != 0);
    if (!read_common_ts(received, (second & 0x20) != 0, (second & 0x10) != 0, (flags2 & 0x20) != 0)) return false;
    return (flags2 & 0x80) == 0 || v2_read_list(received, false);
}

/* ---- pt_0, pt_1 and pt_2 -------------------------------------------------------------------------------------- */

static bool read_plain(v2_received *received) {
    rohc_decompression *work = received->work;
    rohc_reader *body = &work->body;
    const uint32_t first = work->first, second = rohc_read8(body);
    if (first < 0xA0) {
        work->type = OX_ROHC_TYPE_V2_PT_0_CRC7;
        take_sn(received, (first & 0x1F) << 1 | second >> 7, 6);
        take_crc(received, second & 0x7F, 7);
        return true;
    }
    if (first >= 0xE0 || !v2_sequential(received->now.inner.behavior)) return false;
    if (first < 0xC0) {
        work->type = OX_ROHC_TYPE_V2_PT_1_SEQ_ID;
        take_crc(received, first >> 2 & 7, 3);
        take_sn(received, (first & 3) << 4 | second >> 4, 6);
        take_id(received, second & 0xF, 4);
        return true;
    }
    work->type = OX_ROHC_TYPE_V2_PT_2_SEQ_ID;
    take_id(received, (first & 0x1F) << 1 | second >> 7, 6);
    take_crc(received, second & 0x7F, 7);
    take_sn(received, rohc_read8(body), 8);
    return true;
}

/** RTP's, of which the first bits are 10. */
static bool read_rtp_1(v2_received *received) {
    rohc_decompression *work = received->work;
    const uint32_t first = work->first, second = rohc_read8(&work->body);
    const bool sequential = v2_sequential(received->now.inner.behavior);
    if (first < 0x90) {
        work->type = OX_ROHC_TYPE_V2_PT_0_CRC7;
        take_sn(received, (first & 0xF) << 1 | second >> 7, 5);
        take_crc(received, second & 0x7F, 7);
        return true;
    }
    take_crc(received, second & 7, 3);
    if (first < 0xA0) {
        work->type = OX_ROHC_TYPE_V2_PT_1_SEQ_ID;
        take_id(received, first & 0xF, 4);
        take_sn(received, second >> 3, 5);
        return sequential;
    }
    work->type = sequential ? OX_ROHC_TYPE_V2_PT_1_SEQ_TS : OX_ROHC_TYPE_V2_PT_1_RND;
    received->marker = first >> 4 & 1;
    take_sn(received, first & 0xF, 4);
    take_scaled(received, second >> 3, 5);
    return true;
}

/** RTP's, of which the first bits are 110. */
static bool read_rtp_2(v2_received *received) {
    rohc_decompression *work = received->work;
    const uint32_t first = work->first, second = rohc_read8(&work->body), third = rohc_read8(&work->body);
    take_crc(received, third & 0x7F, 7);
    if (!v2_sequential(received->now.inner.behavior)) {
        work->type = OX_ROHC_TYPE_V2_PT_2_RND;
        take_sn(received, (first & 0x1F) << 2 | second >> 6, 7);
        take_scaled(received, second & 0x3F, 6);
        received->marker = third >> 7;
        return true;
    }
    if (first >= 0xD0) {
        work->type = OX_ROHC_TYPE_V2_PT_2_SEQ_TS;
        take_sn(received, (first & 0xF) << 3 | second >> 5, 7);
        take_scaled(received, second & 0x1F, 5);
        received->marker = third >> 7;
        return true;
    }
    work->type = first < 0xC8 ? OX_ROHC_TYPE_V2_PT_2_SEQ_ID : OX_ROHC_TYPE_V2_PT_2_SEQ_BOTH;
    take_sn(received, (first & 7) << 4 | second >> 4, 7);
    take_id(received, (second & 0xF) << 1 | third >> 7, 5);
    if (first >= 0xC8) {
        const uint32_t fourth = rohc_read8(&work->body);
        take_scaled(received, fourth >> 1, 7);
        received->marker = fourth & 1;
    }
    return true;
}

static bool read_format(v2_received *received) {
    rohc_decompression *work = received->work;
    const bool rtp = received->profile == V2_PROFILE_RTP;
    if (work->first == V2_CO_COMMON) {
        work->type = OX_ROHC_TYPE_V2_CO_COMMON;
        return rtp ? read_common_rtp(received) : read_common(received);
    }
    if (work->first < 0x80) {
        work->type = OX_ROHC_TYPE_V2_PT_0_CRC3;
        take_sn(received, work->first >> 3, 4);
        take_crc(received, work->first & 7, 3);
        return true;
    }
    if (!rtp) return read_plain(received);
    if (work->first < 0xC0) return read_rtp_1(received);
    return work->first < 0xE0 && read_rtp_2(received);
}

/* ---- from bits to values -------------------------------------------------------------------------------------- */

/** Whether a wrong MSN would make a wrong header. */
static bool shows(const v2_received *received) {
    return received->profile == V2_PROFILE_RTP || received->profile == V2_PROFILE_ESP ||
           v2_sequential(received->now.inner.behavior);
}

/** Whether the UDP checksum will tell when the header is wrong behind the IP header. */
static bool covered(const v2_received *received) {
    return received->now.checksum_used && received->work->parameters->verify_checksums;
}

/** Whether the MSN counts the compressor's packets: that of RTP and ESP is the source's. */
static bool counts(const v2_received *received) {
    return received->profile == V2_PROFILE_UDP || received->profile == V2_PROFILE_IP;
}

/**
 * The MSN. Where the channel tells the order, that of UDP and IP is above the one before, for the compressor counts its packets;
 * and where more may be missing than the bits can bridge nothing is believed, whatever the CRC says.
 */
static bool decode_sn(v2_received *received) {
    const rohc_decompression *work = received->work;
    const uint32_t width = v2_sn_width(received->profile), k = received->sn_bits;
    if (k == 32 || k > width) {
        received->now.sn = received->sn;
    } else {
        const int64_t p = work->known_order && counts(received) ? -1 : v2_reorder(received->now.ratio, k);
        const uint64_t forward = (uint64_t)(((int64_t)1 << k) - 1 - p);
        received->now.sn = rohc_lsb_decode(received->old->sn, received->sn, k, p);
        if (work->known_order && shows(received) && work->lost_most >= forward) {
            // Where a checksum tells, it is this, or the most that can be missing for a source that counts its packets.
            if (!covered(received) || received->profile != V2_PROFILE_RTP || work->lost_most > UINT16_MAX / 2) return false;
            const uint32_t most = received->old->sn + (uint32_t)work->lost_most + 1;
            received->has_other = true;
            if (received->other) received->now.sn = most - ((most - received->sn) & ((1u << k) - 1));
        }
    }
    if (width == 16) received->now.sn &= 0xFFFF;
    return true;
}

static void decode_id(v2_received *received) {
    const v2_dynamic *old = received->old;
    v2_dynamic *now = &received->now;
    const uint8_t behavior = now->inner.behavior;
    const uint16_t reference = v2_id_counted(behavior, old->id);
    if (behavior == V2_ID_ZERO) {
        now->id = 0;
    } else if (v2_sequential(behavior) && received->id_bits == 16) {
        now->id = (uint16_t)received->id;
    } else if (v2_sequential(behavior)) {
        uint16_t offset = (uint16_t)(reference - old->sn);
        if (received->id_bits != 0)
            offset = (uint16_t)rohc_lsb_decode(offset, received->id, received->id_bits, v2_quarter(received->id_bits));
        now->id = v2_id_counted(behavior, (uint16_t)(offset + now->sn));
    }
}

//= RFC 5225 section 6.6.8
//# a packet with scaled bits and a stride of zero is not delivered
static bool decode_ts(v2_received *received) {
    const v2_dynamic *old = received->old;
    v2_dynamic *now = &received->now;
    const uint32_t k = received->ts_bits;
    if (k == 0) {
        const uint32_t passed = (uint32_t)(int32_t)(int16_t)(uint16_t)(now->sn - old->sn);
        now->ts = old->ts + passed * now->ts_stride;
        return true;
    }
    if (!received->ts_scaled) {
        now->ts = k == 32 ? received->ts : rohc_lsb_decode(old->ts, received->ts, k, v2_quarter(k));
        return true;
    }
    // Without an agreed clock there is no timer-based timestamp (section 6.6.9).
    if (now->ts_stride == 0 || now->time_stride != 0) return false;
    const uint32_t reference = old->ts / now->ts_stride;
    const uint32_t scaled = k == 32 ? received->ts : rohc_lsb_decode(reference, received->ts, k, v2_quarter(k));
    now->ts = scaled * now->ts_stride + old->ts % now->ts_stride;
    return true;
}

/**
 * Whether so many may be missing that all that said a change could be among them: then a CRC of a few bits would be all that tells.
 * In a context that is new a change is said as often as `repetitions` has it; later on until it was acknowledged or
 * ::V2_REFERENCES times, but for what an UDP checksum covers.
 */
static bool doubtful(const v2_received *received) {
    enum { REPETITIONS = 3 };
    const rohc_decompression *work = received->work;
    const uint32_t said = work->parameters->repetitions == 0 ? REPETITIONS : work->parameters->repetitions;
    if (!work->known_order || work->lost_most < said) return false;
    uint64_t missing = work->lost_most;
    // An MSN that cannot be another one tells how many they are.
    if (counts(received) && missing < UINT64_C(1) << received->sn_bits)
        missing = (uint16_t)(received->now.sn - received->old->sn - 1);
    if (missing < said) return false;
    if (received->old->received < V2_REFERENCES) return true;
    if (missing >= V2_REFERENCES) return true;
    if (received->crc_bits != 3) return false;
    return received->profile == V2_PROFILE_RTP && received->now.checksum_used && !covered(received);
}

ox_rohc_verdict v2_read_base(v2_received *received) {
    if (!read_format(received)) return OX_ROHC_MALFORMED;
    if (!decode_sn(received) || doubtful(received)) return OX_ROHC_AMBIGUOUS;
    decode_id(received);
    if (received->profile == V2_PROFILE_RTP && !decode_ts(received)) return OX_ROHC_CRC;
    return v2_read_irregular(received) ? OX_ROHC_PASS : OX_ROHC_MALFORMED;
}
