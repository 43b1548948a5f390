/* Base headers of CO packets to be sent (RFC 5225 section 6.8.2.4): the smallest that says what has to be said. */
#include "v2.h"

static bool sn_fits(const v2_sending *sending, uint32_t k) {
    return rohc_fits(sending->sn, k, v2_reorder(sending->now.ratio, k));
}
static bool id_fits(const v2_sending *sending, uint32_t k) { return rohc_fits(sending->id_offset, k, v2_quarter(k)); }
static bool ts_fits(const v2_sending *sending, uint32_t k) {
    return sending->ts_scalable && rohc_fits(sending->ts_scaled, k, v2_quarter(k));
}

static uint32_t crc3(const v2_sending *sending) { return rohc_crc3(sending->octets, sending->layout.bytes, CRC3_START); }
static uint32_t crc7(const v2_sending *sending) { return rohc_crc7(sending->octets, sending->layout.bytes, CRC7_START); }

static uint32_t id_bits(const v2_sending *sending, uint32_t k) {
    const uint16_t offset = (uint16_t)(v2_id_counted(sending->now.inner.behavior, sending->now.id) - sending->now.sn);
    return offset & ((1u << k) - 1);
}
static uint32_t sn_bits(const v2_sending *sending, uint32_t k) { return sending->now.sn & ((1u << k) - 1); }
static uint32_t ts_bits(const v2_sending *sending, uint32_t k) {
    return sending->now.ts / sending->now.ts_stride & ((1u << k) - 1);
}

static void put(v2_sending *sending, ox_rohc_type type, uint32_t first) {
    sending->work->type = type;
    *sending->work->first = (uint8_t)first;
}

/* ---- co_common ------------------------------------------------------------------------------------------------ */

static void write_sdvl_sn(v2_sending *sending) {
    const uint32_t width = v2_sn_width(sending->profile);
    uint32_t bits = 7;
    while (bits < 32 && (bits > width || !sn_fits(sending, bits))) bits = bits == 28 ? 32 : bits + 7;
    v2_write_sdvl(&sending->work->body, sending->now.sn, bits, width);
}

static void write_variable_id(v2_sending *sending, bool whole) {
    rohc_writer *body = &sending->work->body;
    if (!v2_sequential(sending->now.inner.behavior)) return;
    if (whole) rohc_write16(body, sending->now.id);
    else rohc_write8(body, id_bits(sending, 8));
}

/** With a behavior that is new its reference may have been counted in another way. */
static bool whole_id(const v2_sending *sending) {
    return v2_sequential(sending->now.inner.behavior) && (sending->flow->left[V2_NEWS_FLAGS] != 0 || !id_fits(sending, 8));
}

static void write_common(v2_sending *sending) {
    rohc_writer *body = &sending->work->body;
    const v2_dynamic *now = &sending->now;
    const uint8_t *left = sending->flow->left;
    const bool outer = left[V2_NEWS_OUTER] != 0, flags = outer || left[V2_NEWS_FLAGS] != 0;
    const bool tos = left[V2_NEWS_TOS] != 0, ttl = left[V2_NEWS_TTL] != 0, whole = whole_id(sending);
    put(sending, OX_ROHC_TYPE_V2_CO_COMMON, V2_CO_COMMON);
    rohc_write8(body, (uint32_t)whole << 7 | crc7(sending));
    rohc_write8(body, (uint32_t)flags << 7 | (uint32_t)ttl << 6 | (uint32_t)tos << 5 | (uint32_t)now->ratio << 3 |
                          v2_control_crc(now, &sending->layout, sending->profile));
    if (flags) rohc_write8(body, (uint32_t)outer << 7 | (uint32_t)now->inner.df << 6 | (uint32_t)now->inner.behavior << 4);
    if (tos) rohc_write8(body, now->inner.tos);
    if (ttl) rohc_write8(body, now->inner.ttl);
    if (sending->profile == V2_PROFILE_ESP) write_sdvl_sn(sending);
    else rohc_write8(body, sn_bits(sending, 8));
    write_variable_id(sending, whole);
    v2_write_irregular(sending, outer);
}

static void write_common_ts(v2_sending *sending, bool scaled) {
    rohc_writer *body = &sending->work->body;
    const v2_dynamic *now = &sending->now;
    const rohc_spread spread = scaled ? sending->ts_scaled : sending->ts;
    uint32_t bits = 7;
    while (bits < 32 && !rohc_fits(spread, bits, v2_quarter(bits))) bits = bits == 28 ? 32 : bits + 7;
    v2_write_sdvl(body, scaled ? now->ts / now->ts_stride : now->ts, bits, 32);
    if (sending->flow->left[V2_NEWS_STRIDE] != 0) v2_write_sdvl(body, now->ts_stride, v2_sdvl_bits_of(now->ts_stride), 32);
}

static void write_common_rtp(v2_sending *sending) {
    rohc_writer *body = &sending->work->body;
    const v2_dynamic *now = &sending->now;
    const uint8_t *left = sending->flow->left;
    const bool outer = left[V2_NEWS_OUTER] != 0, tos = left[V2_NEWS_TOS] != 0, ttl = left[V2_NEWS_TTL] != 0;
    const bool flags1 = outer || tos || ttl || left[V2_NEWS_FLAGS] != 0;
    const bool list = left[V2_NEWS_LIST] != 0, type = left[V2_NEWS_TYPE] != 0;
    const bool flags2 = list || type || left[V2_NEWS_BITS] != 0;
    const bool tss = left[V2_NEWS_STRIDE] != 0, tsc = !tss && sending->ts_scalable, whole = whole_id(sending);
    put(sending, OX_ROHC_TYPE_V2_CO_COMMON, V2_CO_COMMON);
    rohc_write8(body, (uint32_t)sending->marker << 7 | crc7(sending));
    rohc_write8(body, (uint32_t)flags1 << 7 | (uint32_t)flags2 << 6 | (uint32_t)tsc << 5 | (uint32_t)tss << 4 |
                          (uint32_t)whole << 3 | v2_control_crc(now, &sending->layout, sending->profile));
    if (flags1)
        rohc_write8(body, (uint32_t)outer << 7 | (uint32_t)ttl << 6 | (uint32_t)tos << 5 | (uint32_t)now->inner.df << 4 |
                              (uint32_t)now->inner.behavior << 2 | now->ratio);
    if (flags2)
        rohc_write8(body, (uint32_t)list << 7 | (uint32_t)type << 6 | (uint32_t)now->padding << 4 |
                              (uint32_t)now->extension << 3);
    if (tos) rohc_write8(body, now->inner.tos);
    if (ttl) rohc_write8(body, now->inner.ttl);
    if (type) rohc_write8(body, now->payload_type);
    write_sdvl_sn(sending);
    write_variable_id(sending, whole);
    write_common_ts(sending, tsc);
    if (list) v2_write_list(sending, false);
    v2_write_irregular(sending, outer);
}

/* ---- pt_0 ----------------------------------------------------------------------------------------------------- */

/** Packets that say the MSN alone. */
static bool write_pt_0(v2_sending *sending) {
    const uint32_t bits = sending->profile == V2_PROFILE_RTP ? 5 : 6;
    if (!sending->strong && sn_fits(sending, 4)) {
        put(sending, OX_ROHC_TYPE_V2_PT_0_CRC3, sn_bits(sending, 4) << 3 | crc3(sending));
        return true;
    }
    if (!sn_fits(sending, bits)) return false;
    put(sending, OX_ROHC_TYPE_V2_PT_0_CRC7, 0x80 | sn_bits(sending, bits) >> 1);
    rohc_write8(&sending->work->body, (sending->now.sn & 1) << 7 | crc7(sending));
    return true;
}

/* ---- UDP, ESP and IP ------------------------------------------------------------------------------------------ */

static bool write_plain_id(v2_sending *sending) {
    rohc_writer *body = &sending->work->body;
    if (!sending->strong && sn_fits(sending, 6) && id_fits(sending, 4)) {
        const uint32_t sn = sn_bits(sending, 6);
        put(sending, OX_ROHC_TYPE_V2_PT_1_SEQ_ID, 0xA0 | crc3(sending) << 2 | sn >> 4);
        rohc_write8(body, (sn & 0xF) << 4 | id_bits(sending, 4));
        return true;
    }
    if (!sn_fits(sending, 8) || !id_fits(sending, 6)) return false;
    const uint32_t id = id_bits(sending, 6);
    put(sending, OX_ROHC_TYPE_V2_PT_2_SEQ_ID, 0xC0 | id >> 1);
    rohc_write8(body, (id & 1) << 7 | crc7(sending));
    rohc_write8(body, sn_bits(sending, 8));
    return true;
}

/* ---- RTP ------------------------------------------------------------------------------------------------------ */

static bool write_rnd_ts(v2_sending *sending) {
    rohc_writer *body = &sending->work->body;
    if (!sending->strong && sn_fits(sending, 4) && ts_fits(sending, 5)) {
        put(sending, OX_ROHC_TYPE_V2_PT_1_RND, 0xA0 | (uint32_t)sending->marker << 4 | sn_bits(sending, 4));
        rohc_write8(body, ts_bits(sending, 5) << 3 | crc3(sending));
        return true;
    }
    if (!sn_fits(sending, 7) || !ts_fits(sending, 6)) return false;
    const uint32_t sn = sn_bits(sending, 7);
    put(sending, OX_ROHC_TYPE_V2_PT_2_RND, 0xC0 | sn >> 2);
    rohc_write8(body, (sn & 3) << 6 | ts_bits(sending, 6));
    rohc_write8(body, (uint32_t)sending->marker << 7 | crc7(sending));
    return true;
}

static bool write_seq_ts(v2_sending *sending) {
    rohc_writer *body = &sending->work->body;
    if (!sending->strong && sn_fits(sending, 4) && ts_fits(sending, 5)) {
        put(sending, OX_ROHC_TYPE_V2_PT_1_SEQ_TS, 0xA0 | (uint32_t)sending->marker << 4 | sn_bits(sending, 4));
        rohc_write8(body, ts_bits(sending, 5) << 3 | crc3(sending));
        return true;
    }
    if (!sn_fits(sending, 7) || !ts_fits(sending, 5)) return false;
    const uint32_t sn = sn_bits(sending, 7);
    put(sending, OX_ROHC_TYPE_V2_PT_2_SEQ_TS, 0xD0 | sn >> 3);
    rohc_write8(body, (sn & 7) << 5 | ts_bits(sending, 5));
    rohc_write8(body, (uint32_t)sending->marker << 7 | crc7(sending));
    return true;
}

/** The formats with 7 bits of MSN and 5 of the IP-ID, with or without a timestamp. */
static void write_seq_7(v2_sending *sending, ox_rohc_type type, uint32_t first) {
    rohc_writer *body = &sending->work->body;
    const uint32_t sn = sn_bits(sending, 7), id = id_bits(sending, 5);
    put(sending, type, first | sn >> 4);
    rohc_write8(body, (sn & 0xF) << 4 | id >> 1);
    rohc_write8(body, (id & 1) << 7 | crc7(sending));
}

static bool write_seq_id(v2_sending *sending) {
    if (!sending->strong && sn_fits(sending, 5) && id_fits(sending, 4)) {
        put(sending, OX_ROHC_TYPE_V2_PT_1_SEQ_ID, 0x90 | id_bits(sending, 4));
        rohc_write8(&sending->work->body, sn_bits(sending, 5) << 3 | crc3(sending));
        return true;
    }
    if (!sn_fits(sending, 7) || !id_fits(sending, 5)) return false;
    write_seq_7(sending, OX_ROHC_TYPE_V2_PT_2_SEQ_ID, 0xC0);
    return true;
}

static bool write_seq_both(v2_sending *sending) {
    if (!sn_fits(sending, 7) || !id_fits(sending, 5) || !ts_fits(sending, 7)) return false;
    write_seq_7(sending, OX_ROHC_TYPE_V2_PT_2_SEQ_BOTH, 0xC8);
    rohc_write8(&sending->work->body, ts_bits(sending, 7) << 1 | sending->marker);
    return true;
}

static bool write_rtp(v2_sending *sending) {
    const bool silent = sending->ts_inferred && !sending->marker;
    if (silent && sending->id_inferred && write_pt_0(sending)) return true;
    if (!v2_sequential(sending->now.inner.behavior)) return write_rnd_ts(sending);
    if (silent && write_seq_id(sending)) return true;
    if (sending->id_inferred && write_seq_ts(sending)) return true;
    return write_seq_both(sending);
}

static bool write_plain(v2_sending *sending) {
    if (sending->id_inferred && write_pt_0(sending)) return true;
    return v2_sequential(sending->now.inner.behavior) && write_plain_id(sending);
}

void v2_write_base(v2_sending *sending) {
    const bool rtp = sending->profile == V2_PROFILE_RTP;
    if (!sending->news && (rtp ? write_rtp(sending) : write_plain(sending))) v2_write_irregular(sending, false);
    else if (rtp) write_common_rtp(sending);
    else write_common(sending);
}
