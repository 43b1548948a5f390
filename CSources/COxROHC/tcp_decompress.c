#include "tcp.h"

enum {
    MSN_BRIDGES = (1 << TCP_MSN_BITS) - 1, /* packets lost in a row until the MSN's few bits mean another one, in known order */
};

/** The MSN; where the order is known it is a later one for sure, and the whole interval may serve to bridge a loss. */
static uint16_t msn_of(const tcp_rebuild *rebuild, uint32_t bits) {
    const int64_t offset = rebuild->work->known_order ? -1 : TCP_MSN_OFFSET;
    return (uint16_t)rohc_lsb_decode(rebuild->before.msn, bits, TCP_MSN_BITS, offset);
}

/* ---- co_common -------------------------------------------------------------------------------------------------- */

/** Section 8.2, variable_length_32_enc. */
static uint32_t read_variable(rohc_reader *body, uint32_t indicator, uint32_t reference) {
    switch (indicator) {
    case 0: return reference;
    case 1: return rohc_lsb_decode(reference, rohc_read8(body), 8, 63);
    case 2: return rohc_lsb_decode(reference, rohc_read16(body), 16, 16383);
    default: return rohc_read32(body);
    }
}

static void read_id(tcp_rebuild *rebuild, bool whole) {
    const uint32_t inner = rebuild->fixed->ips - 1u;
    tcp_dynamic *now = rebuild->now;
    rohc_reader *body = &rebuild->work->body;
    if (whole) {
        rebuild->ip_id[inner] = rohc_read16(body);
    } else {
        const uint32_t offset = rohc_lsb_decode(rebuild->before.id_offset, rohc_read8(body), 8, 3);
        rebuild->ip_id[inner] = tcp_id_of((uint16_t)offset, now->msn, now->behaviour[inner]);
    }
}

/** The octets behind the first one. */
static bool read_co_common(tcp_rebuild *rebuild, uint8_t *crc) {
    rohc_decompression *work = rebuild->work;
    rohc_reader *body = &work->body;
    tcp_dynamic *now = rebuild->now;
    const tcp_dynamic *before = &rebuild->before;
    const uint32_t inner = rebuild->fixed->ips - 1u;
    const bool v4 = tcp_inner_is_v4(rebuild->fixed);
    const uint8_t *octets = rohc_read(body, CO_COMMON_OCTETS - 1);
    if (octets == NULL || (octets[2] & 0x80) != 0) return false;
    rebuild->irregular_ttl = (work->first & 1) != 0;
    now->msn = msn_of(rebuild, octets[0] & 0xF);
    now->flags = (uint8_t)((before->flags & FLAGS_ECN) | (octets[0] >> 3 & FLAG_ACK) | (octets[0] >> 3 & FLAG_PSH) |
                           tcp_rsf_flags(octets[0] >> 4));
    now->ecn_used = octets[2] >> 6 & 1;
    const uint8_t behaviour = octets[2] >> 1 & 3;
    if ((octets[2] & 1) != 0) now->flags |= FLAG_URG;
    if (!v4 && ((octets[3] & 0x80) != 0 || behaviour <= ID_SWAPPED)) return false;
    now->behaviour[inner] = behaviour;
    if (v4) now->dont_fragment = (uint8_t)((now->dont_fragment & ~(1u << inner)) | (uint32_t)(octets[3] >> 7) << inner);
    *crc = octets[3] & 0x7F;
    now->seq = read_variable(body, octets[1] >> 6, before->seq);
    now->ack = read_variable(body, octets[1] >> 4 & 3, before->ack);
    if ((octets[1] & 8) != 0) now->stride = rohc_read16(body);
    if ((octets[1] & 4) != 0) now->window = rohc_read16(body);
    if (behaviour <= ID_SWAPPED) read_id(rebuild, (octets[1] & 2) != 0);
    if ((octets[1] & 1) != 0) now->urgent = rohc_read16(body);
    if ((octets[2] & 0x20) != 0) {
        const uint8_t dscp = rohc_read8(body);
        if ((dscp & 3) != 0) return false;
        now->tos[inner] = (uint8_t)(dscp | (now->tos[inner] & 3));
    }
    if ((octets[2] & 0x10) != 0) now->ttl[inner] = rohc_read8(body);
    if ((octets[2] & 8) != 0 && !tcp_read_list(rebuild, false)) return false;
    return tcp_read_irregular_chain(rebuild);
}

/* ---- rnd_1 to rnd_8, seq_1 to seq_8 ----------------------------------------------------------------------------- */

static bool read_format(tcp_rebuild *rebuild, const tcp_format *format, uint8_t *crc) {
    tcp_dynamic *now = rebuild->now;
    const tcp_dynamic *before = &rebuild->before;
    const uint32_t inner = rebuild->fixed->ips - 1u;
    const uint8_t *rest = rohc_read(&rebuild->work->body, format->octets - 1u);
    if (rest == NULL) return false;
    uint64_t octets = rebuild->work->first;
    for (uint32_t i = 0; i + 1 < format->octets; i++) octets = octets << 8 | rest[i];

    now->msn = msn_of(rebuild, tcp_get(format, octets, FIELD_MSN));
    now->flags = (uint8_t)((before->flags & FLAGS_ECN) | FLAG_ACK | tcp_get(format, octets, FIELD_PSH) << 3);
    *crc = (uint8_t)tcp_get(format, octets, FIELD_CRC);
    const uint32_t steps = rebuild->steps;
    if (tcp_has(format, FIELD_SEQ)) now->seq = tcp_decode(format, octets, FIELD_SEQ, before->seq);
    if (tcp_has(format, FIELD_ACK)) now->ack = tcp_decode(format, octets, FIELD_ACK, before->ack);
    if (tcp_has(format, FIELD_ACK_SCALED)) {
        if (before->stride == 0) return false;
        const uint32_t scaled = tcp_decode(format, octets, FIELD_ACK_SCALED, before->ack / before->stride) +
                                (steps << format->bits[FIELD_ACK_SCALED]);
        now->ack = scaled * before->stride + before->ack % before->stride;
    }
    if (tcp_has(format, FIELD_WINDOW)) now->window = (uint16_t)tcp_decode(format, octets, FIELD_WINDOW, before->window);
    if (tcp_has(format, FIELD_TTL)) now->ttl[inner] = (uint8_t)tcp_decode(format, octets, FIELD_TTL, before->ttl[inner]);
    if (tcp_has(format, FIELD_RSF)) now->flags |= tcp_rsf_flags(tcp_get(format, octets, FIELD_RSF));
    if (tcp_has(format, FIELD_ECN)) now->ecn_used = (uint8_t)tcp_get(format, octets, FIELD_ECN);
    if (tcp_has(format, FIELD_ID)) {
        const uint16_t offset = (uint16_t)tcp_decode(format, octets, FIELD_ID, before->id_offset);
        rebuild->ip_id[inner] = tcp_id_of(offset, now->msn, now->behaviour[inner]);
    }
    if (tcp_has(format, FIELD_LIST) && tcp_get(format, octets, FIELD_LIST) != 0 && !tcp_read_list(rebuild, false)) return false;
    if (!tcp_read_irregular_chain(rebuild)) return false;
    if (tcp_has(format, FIELD_SCALED)) {
        const uint32_t payload = rohc_left(&rebuild->work->body);
        if (!before->has_scaled || payload == 0) return false;
        const uint32_t reference = rebuild->own_scale ? before->seq / payload : before->scaled;
        if (rebuild->own_scale) now->residue = (uint16_t)(before->seq % payload);
        now->scaled = tcp_decode(format, octets, FIELD_SCALED, reference) + (steps << format->bits[FIELD_SCALED]);
        now->seq = now->scaled * payload + now->residue;
    } else {
        tcp_learn_scaled(now, rohc_left(&rebuild->work->body));
    }
    if (tcp_has(format, FIELD_WINDOW) || now->residue != before->residue) rebuild->work->news = true;
    return true;
}

static uint8_t crc_of(const tcp_rebuild *rebuild, uint32_t bits) {
    return bits == 3 ? rohc_crc3(rebuild->header, rebuild->header_bytes, CRC3_START)
                     : rohc_crc7(rebuild->header, rebuild->header_bytes, CRC7_START);
}

/**
 * Flags ACK and URG are 1 and 0 where a format does not say them (section 8.2). Compressors are in use that mean the last ones
 * instead, which is the same but for a packet that follows one without ACK or with URG: there the CRC decides.
 */
static bool crc_right(tcp_rebuild *rebuild, const tcp_format *format, uint8_t crc) {
    const uint32_t bits = format == NULL ? 7 : format->bits[FIELD_CRC];
    if (crc_of(rebuild, bits) == crc) return true;
    const uint8_t inherited = rebuild->before.flags & (FLAG_ACK | FLAG_URG);
    if (format == NULL || inherited == FLAG_ACK) return false;
    uint8_t *flags = rebuild->header + rebuild->fixed->chain_bytes + 13;
    *flags = rebuild->now->flags = (uint8_t)((rebuild->now->flags & ~(FLAG_ACK | FLAG_URG)) | inherited);
    return crc_of(rebuild, bits) == crc;
}

/**
 * Few bits are not believed where packets of the flow may be missing: the TCP checksum has to say so, too. It does not cover the IP
 * header, whose changes are told so often that as many may be missing as the MSN counts, and no more.
 */
static bool sure(const tcp_rebuild *rebuild, uint32_t crc_bits) {
    rohc_decompression *work = rebuild->work;
    work->verified = crc_bits != 3;
    if (!work->known_order) return true;
    const uint16_t skipped = (uint16_t)(rebuild->now->msn - rebuild->before.msn - 1);
    if (skipped > work->lost_most) return false;
    // Where the MSN cannot be another one it tells how many they are.
    const uint64_t missing = work->lost_most > MSN_BRIDGES ? work->lost_most : skipped;
    if (missing == 0) return true;
    const uint32_t told = work->parameters->repetitions == 0 ? ROHC_REPETITIONS : work->parameters->repetitions;
    // Without feedback IRs tell it less often.
    if (missing > MSN_BRIDGES || (!work->parameters->bidirectional && missing >= told)) return false;
    if (crc_bits != 3 && missing < told) return true;
    return work->verified = tcp_checksum_right(rebuild);
}

/** Reads and rebuilds the packet, whose format is known; NULL for co_common. */
static ox_rohc_verdict attempt(tcp_rebuild *rebuild, const tcp_format *format) {
    uint8_t crc = 0;
    if (!(format == NULL ? read_co_common(rebuild, &crc) : read_format(rebuild, format, &crc))) return OX_ROHC_MALFORMED;
    if (format == NULL) tcp_learn_scaled(rebuild->now, rohc_left(&rebuild->work->body));
    if (!tcp_write_header(rebuild)) return OX_ROHC_MALFORMED;
    if (!crc_right(rebuild, format, crc)) return OX_ROHC_CRC;
    const uint32_t inner = rebuild->fixed->ips - 1u;
    tcp_dynamic *now = rebuild->now;
    now->id_offset = tcp_id_offset(rebuild->ip_id[inner], now->msn, now->behaviour[inner]);
    return sure(rebuild, format == NULL ? 7 : format->bits[FIELD_CRC]) ? OX_ROHC_PASS : OX_ROHC_AMBIGUOUS;
}

/** Where a packet begins, for one more attempt. */
typedef struct origin {
    const tcp_format *format;
    rohc_reader body;
    rohc_writer header;
} origin;

static ox_rohc_verdict attempt_again(tcp_rebuild *rebuild, const origin *origin) {
    rebuild->work->body = origin->body;
    rebuild->work->header = origin->header;
    *rebuild->now = rebuild->before;
    rebuild->present = 0;
    return attempt(rebuild, origin->format);
}

/**
 * More packets may have been lost than the few bits of a scaled number bridge: then it is one interval further, or more. Or those that
 * told another scale are lost, but not what followed them. CRC and TCP checksum have to say so both, and only a few packets after the
 * loss are tried, so that no chance makes a wrong one right. A number that is not scaled is not repaired: in the checksum 2^16 more of
 * it count as little as a window that is one larger.
 */
static bool repair(tcp_rebuild *rebuild, const origin *origin) {
    enum { STEPS = 3 };
    rohc_decompression *work = rebuild->work;
    const tcp_format *format = origin->format;
    if (format == NULL || !work->known_order || rebuild->touched) return false;
    if (!tcp_has(format, FIELD_SCALED) && !tcp_has(format, FIELD_ACK_SCALED)) return false;
    const bool scaled = tcp_has(format, FIELD_SCALED);
    const uint32_t steps = work->lost_most == 0 ? 0 : STEPS;
    for (uint32_t i = 1; i <= steps + scaled; i++) {
        rebuild->own_scale = i > steps;
        rebuild->steps = rebuild->own_scale ? 0 : (uint8_t)i;
        if (attempt_again(rebuild, origin) != OX_ROHC_PASS) continue;
        if (!work->verified && !(work->verified = tcp_checksum_right(rebuild))) continue;
        work->repaired = true;
        return true;
    }
    return false;
}

static ox_rohc_verdict decompress_co(tcp_rebuild *rebuild) {
    rohc_decompression *work = rebuild->work;
    if (work->fresh) return OX_ROHC_NO_CONTEXT;
    const tcp_format *format = tcp_format_of(work->first, tcp_sequential(rebuild->fixed, rebuild->now));
    if (format == NULL && (work->first & 0xFE) != CO_COMMON) return OX_ROHC_TYPE_UNKNOWN;
    work->type = format == NULL ? OX_ROHC_TYPE_TCP_CO_COMMON : format->type;
    const origin origin = {.format = format, .body = work->body, .header = work->header};
    const ox_rohc_verdict verdict = attempt(rebuild, format);
    if (verdict != OX_ROHC_PASS && !repair(rebuild, &origin)) return verdict;
    return OX_ROHC_PASS;
}

/* ---- IR, IR-DYN, IR-CR ------------------------------------------------------------------------------------------ */

/** Copies the base context (RFC 4164 section 3.5.3). */
static bool read_base(tcp_rebuild *rebuild, uint8_t *crc) {
    rohc_decompression *work = rebuild->work;
    const uint8_t octet = rohc_read8(&work->body);
    *crc = octet & 0x7F;
    if (octet < 0x80) return !work->fresh;
    uint32_t cid;
    if (work->parameters->large_cids) {
        cid = rohc_sdvl_read(&work->body, NULL);
    } else {
        cid = rohc_read8(&work->body);
        if (cid > OX_ROHC_SMALL_CID_MAX) return false;
    }
    const void *fixed, *dynamic;
    if (work->body.short_ || cid > work->parameters->cid_max) return false;
    if (!rohc_context_find(work, &rohc_profile_tcp, (uint16_t)cid, &fixed, &dynamic)) return false;
    memcpy(rebuild->fixed, fixed, tcp_fixed_extent(fixed));
    if (!rebuild->fixed->has_pool) memset(&rebuild->fixed->pool, 0, offsetof(tcp_pool, octets));
    *rebuild->now = *(const tcp_dynamic *)dynamic;
    rebuild->before = *rebuild->now;
    return true;
}

static ox_rohc_verdict decompress_ir(tcp_rebuild *rebuild) {
    rohc_decompression *work = rebuild->work;
    uint8_t crc = 0;
    if (work->first == TYPE_IR_DYN) {
        work->type = OX_ROHC_TYPE_IR_DYN;
        if (work->fresh) return OX_ROHC_NO_CONTEXT;
        if (!tcp_read_dynamic_chain(rebuild)) return OX_ROHC_MALFORMED;
    } else if (work->first == TYPE_IR) {
        work->type = OX_ROHC_TYPE_IR_CR;
        if (!read_base(rebuild, &crc)) return OX_ROHC_NO_CONTEXT;
        if (!tcp_read_replicate_chain(rebuild)) return OX_ROHC_MALFORMED;
    } else {
        work->type = OX_ROHC_TYPE_IR;
        if (!tcp_read_static_chain(rebuild) || !tcp_read_dynamic_chain(rebuild)) return OX_ROHC_MALFORMED;
    }
    tcp_learn_scaled(rebuild->now, rohc_left(&work->body));
    if (!tcp_write_header(rebuild)) return OX_ROHC_MALFORMED;
    if (work->first == TYPE_IR && crc_of(rebuild, 7) != crc) return OX_ROHC_CRC;
    work->verified = true;
    return OX_ROHC_PASS;
}

uint32_t tcp_fixed_extent(const void *fixed) {
    const tcp_fixed *known = fixed;
    return known->has_pool ? sizeof *known : (uint32_t)offsetof(tcp_fixed, chain) + known->chain_bytes;
}

ox_rohc_verdict tcp_decompress(rohc_decompression *work) {
    tcp_rebuild rebuild;
    rebuild.work = work;
    rebuild.fixed = work->fixed;
    rebuild.now = work->dynamic;
    rebuild.before = *rebuild.now;
    rebuild.touched = rebuild.irregular_ttl = false;
    rebuild.present = 0;
    rebuild.steps = 0;
    rebuild.own_scale = false;
    memset(rebuild.ip_id, 0, sizeof rebuild.ip_id);

    if (!rebuild.fixed->has_pool) memset(&rebuild.fixed->pool, 0, offsetof(tcp_pool, octets));
    const bool ir = work->first == TYPE_IR_DYN || (work->first & 0xFE) == TYPE_IR;
    const ox_rohc_verdict verdict = ir ? decompress_ir(&rebuild) : decompress_co(&rebuild);
    if (verdict != OX_ROHC_PASS) return verdict;
    work->fixed_written = rebuild.touched;
    work->sn = rebuild.now->msn;
    work->sn_bits = 14;
    return OX_ROHC_PASS;
}
