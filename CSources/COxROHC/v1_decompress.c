#include "v1.h"

/* The sequence number of `bits`, `wraps` intervals further than the one that the reference is in. */
static uint32_t decode_sn(const v1_dynamic *dynamic, v1_kind kind, v1_bits bits, uint32_t wraps) {
    const uint32_t width = v1_sn_width(kind), mask = width == 32 ? UINT32_MAX : 0xFFFF;
    if (bits.count >= width) return bits.value & mask;
    const uint32_t sn = rohc_lsb_decode(dynamic->sn, bits.value, bits.count, v1_sn_offset(kind, bits.count));
    return (sn + (wraps << bits.count)) & mask;
}

//= RFC 3095 section 4.5.5
//# the offset of the IP-ID from the sequence number is sent; without bits it has not changed (RFC 4815 section 8.2)
static void decode_id(v1_ip_dynamic *ip, v1_bits bits, uint32_t sn) {
    if (ip->sid) return;
    if (bits.count != 0) ip->offset = (uint16_t)rohc_lsb_decode(ip->offset, bits.value, bits.count > 16 ? 16 : bits.count, 0);
    const uint16_t id = (uint16_t)(sn + ip->offset);
    ip->id = ip->nbo ? id : rohc_swap16(id);
}

static void note_offset(v1_ip_dynamic *ip, uint32_t sn) {
    ip->offset = (uint16_t)((ip->nbo ? ip->id : rohc_swap16(ip->id)) - sn);
}

static void note_ts(v1_dynamic *dynamic, uint32_t ts) {
    dynamic->ts = ts;
    if (dynamic->ts_stride == 0) return;
    dynamic->ts_offset = ts % dynamic->ts_stride;
    dynamic->ts_scaled = ts / dynamic->ts_stride;
}

//= RFC 3095 section 4.5.3
//# TS = TS_SCALED * TS_STRIDE + TS_OFFSET; without bits TS_SCALED goes on with the sequence number
static bool decode_ts(v1_dynamic *dynamic, const v1_uo *uo, uint32_t sn, uint32_t *ts) {
    const v1_bits bits = uo->ts;
    if (uo->ts_unscaled) {
        //= RFC 4815 section 4.2
        //# a packet with Tsc = 0 and no bits of TS is to be discarded
        if (bits.count == 0) return false;
        *ts = bits.count >= 32 ? bits.value
                               : rohc_lsb_decode(dynamic->ts, bits.value, bits.count, v1_ts_offset(bits.count));
        note_ts(dynamic, *ts);
        return true;
    }
    if (bits.count != 0) {
        if (dynamic->ts_stride == 0) return false;
        dynamic->ts_scaled = bits.count >= 32
                                 ? bits.value
                                 : rohc_lsb_decode(dynamic->ts_scaled, bits.value, bits.count, v1_ts_offset(bits.count));
    } else {
        dynamic->ts_scaled += (uint32_t)(int32_t)(int16_t)(sn - dynamic->sn);
    }
    *ts = dynamic->ts = dynamic->ts_scaled * dynamic->ts_stride + dynamic->ts_offset;
    return true;
}

/* One attempt at the header of a UO packet. `dynamic` becomes the state after it. */
static bool attempt(rohc_decompression *work, v1_kind kind, const v1_uo *uo, uint32_t wraps, v1_dynamic *dynamic) {
    const v1_fixed *fixed = work->fixed;
    v1_values values = {.marker = uo->marker, .udp_checksum = uo->udp_checksum};
    values.sn = decode_sn(dynamic, kind, uo->sn, wraps);
    if (kind == V1_RTP && !decode_ts(dynamic, uo, values.sn, &values.ts)) return false;
    dynamic->sn = values.sn;
    for (uint32_t i = 0; i < fixed->ips; i++) {
        if (fixed->ip[i].version != 4) continue;
        if (!dynamic->ip[i].rnd) decode_id(&dynamic->ip[i], uo->id[i], values.sn);
        note_offset(&dynamic->ip[i], values.sn);
    }
    const uint8_t *header = work->header.at;
    v1_extent extent;
    v1_build(&work->header, kind, fixed, dynamic, &values, rohc_left(&work->body), &extent);
    return !work->header.full && v1_crc(kind, header, &extent, uo->crc_bits) == uo->crc;
}

/*
 * Where the channel says how much was lost, a compressor that repeats changes for as long leaves no doubt; after more than that no CRC
 * of a few bits is trusted, and only an IR goes on. Where it says nothing, a failed CRC of 7 bits gets a second attempt:
 */
//= RFC 3095 section 5.3.2.2.4
//# a failed CRC may come from a sequence number that wrapped within a long loss
static ox_rohc_verdict decode_uo(rohc_decompression *work, v1_kind kind, const v1_uo *uo) {
    if (work->known_order && work->lost_most >= v1_bridge(kind, work->parameters)) return OX_ROHC_AMBIGUOUS;
    const bool again = !work->known_order && uo->crc_bits == 7 && uo->sn.count < v1_sn_width(kind);
    uint8_t *start = work->header.at;
    for (uint32_t wraps = 0; wraps <= again; wraps++) {
        v1_dynamic tried = *(const v1_dynamic *)work->dynamic;
        work->header.at = start;
        if (!attempt(work, kind, uo, wraps, &tried)) continue;
        *(v1_dynamic *)work->dynamic = tried;
        work->repaired = wraps != 0;
        return OX_ROHC_PASS;
    }
    return OX_ROHC_CRC;
}

ox_rohc_verdict v1_decompress(rohc_decompression *work, v1_kind kind) {
    v1_fixed *fixed = work->fixed;
    v1_dynamic *dynamic = work->dynamic;
    work->sn_bits = (uint8_t)v1_sn_width(kind);
    if ((work->first & 0xFE) == TYPE_IR || work->first == TYPE_IR_DYN) {
        v1_values values;
        v1_extent extent;
        const ox_rohc_verdict verdict = v1_read_ir(work, kind, &values);
        if (verdict != OX_ROHC_PASS) return verdict;
        dynamic->sn = work->sn = values.sn;
        if (kind == V1_RTP) note_ts(dynamic, values.ts);
        for (uint32_t i = 0; i < fixed->ips; i++) note_offset(&dynamic->ip[i], values.sn);
        v1_build(&work->header, kind, fixed, dynamic, &values, rohc_left(&work->body), &extent);
        return OX_ROHC_PASS;
    }
    v1_uo uo;
    ox_rohc_verdict verdict = v1_read_uo(work, kind, &uo);
    if (verdict != OX_ROHC_PASS) return verdict;
    verdict = decode_uo(work, kind, &uo);
    work->sn = dynamic->sn;
    work->verified = uo.crc_bits == 7;
    return verdict;
}
