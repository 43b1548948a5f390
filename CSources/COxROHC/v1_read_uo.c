/*
 * UO-0, UO-1 and UOR-2 with their extensions (RFC 3095 sections 5.7.1 to 5.7.5 and 5.11.4, RFC 3843 section 3.4). What a field
 * has of bits in the base header is followed by what it has in the extension, the lowest bits last.
 */
#include "v1.h"

static void add_bits(v1_bits *bits, uint32_t value, uint32_t count) {
    bits->value = count >= 32 ? value : bits->value << count | value;
    bits->count = (uint8_t)(bits->count + count);
}

/* ---- extension 3 ------------------------------------------------------------------------------------------------- */

/* Flags of one IP header. The last one means something else in each. */
enum { FLAG_TOS = 0x80, FLAG_TTL = 0x40, FLAG_DF = 0x20, FLAG_PR = 0x10, FLAG_IPX = 0x08, FLAG_NBO = 0x04, FLAG_RND = 0x02 };

static bool read_ip_fields(rohc_decompression *work, uint32_t which, uint8_t flags) {
    v1_fixed *fixed = work->fixed;
    v1_ip_dynamic *ip = &((v1_dynamic *)work->dynamic)->ip[which];
    if ((flags & FLAG_TOS) != 0) ip->tos = rohc_read8(&work->body);
    if ((flags & FLAG_TTL) != 0) ip->ttl = rohc_read8(&work->body);
    if ((flags & FLAG_PR) != 0) {
        fixed->ip[which].protocol = rohc_read8(&work->body);
        work->fixed_written = true;
    }
    if (fixed->ip[which].version == 4) {
        ip->df = (flags & FLAG_DF) != 0;
        ip->nbo = (flags & FLAG_NBO) != 0;
        ip->rnd = (flags & FLAG_RND) != 0;
    }
    if ((flags & FLAG_IPX) != 0) {
        work->fixed_written = true;
        return v1_list_read(&fixed->store, which, &work->body);
    }
    return true;
}

static bool read_rtp_fields(rohc_decompression *work, v1_uo *uo) {
    enum { R_PT = 0x20, R_M = 0x10, R_X = 0x08, R_CSRC = 0x04, R_TSS = 0x02, R_TIS = 0x01 };
    v1_fixed *fixed = work->fixed;
    v1_dynamic *dynamic = work->dynamic;
    const uint8_t flags = rohc_read8(&work->body);
    uo->marker = (flags & R_M) != 0;
    dynamic->rtp_flags = (uint8_t)((dynamic->rtp_flags & 0xE0) | ((flags & R_X) != 0 ? 0x10 : 0));
    if ((flags & R_PT) != 0) {
        const uint8_t type = rohc_read8(&work->body);
        dynamic->payload_type = type & 0x7F;
        dynamic->rtp_flags = (uint8_t)((dynamic->rtp_flags & ~0x20) | ((type & 0x80) != 0 ? 0x20 : 0));
    }
    if ((flags & R_CSRC) != 0) {
        work->fixed_written = true;
        if (!v1_list_read(&fixed->store, V1_CSRC_LIST, &work->body)) return false;
    }
    if ((flags & R_TSS) != 0) dynamic->ts_stride = rohc_sdvl_read(&work->body, NULL);
    if ((flags & R_TIS) != 0) (void)rohc_sdvl_read(&work->body, NULL);
    return true;
}

static bool read_extension_3(rohc_decompression *work, v1_kind kind, v1_uo *uo) {
    v1_fixed *fixed = work->fixed;
    v1_dynamic *dynamic = work->dynamic;
    const uint32_t inner = fixed->ips - 1u;
    const uint8_t flags = rohc_read8(&work->body);
    const bool has_sn = (flags & 0x20) != 0, has_ts = kind == V1_RTP && (flags & 0x10) != 0;
    const bool has_id = (flags & 0x04) != 0, has_ip = (flags & 0x02) != 0;
    if (kind == V1_RTP) uo->ts_unscaled = (flags & 0x08) == 0;
    const uint8_t ip_flags = has_ip ? rohc_read8(&work->body) : 0;
    const bool has_ip2 = kind == V1_RTP ? (ip_flags & 1) != 0 : (flags & 1) != 0;
    const uint8_t ip2_flags = has_ip2 ? rohc_read8(&work->body) : 0;
    if (has_ip2 && fixed->ips < 2) return false;
    if (has_sn) add_bits(&uo->sn, rohc_read8(&work->body), 8);
    if (has_ts) {
        uint32_t count;
        const uint32_t value = rohc_sdvl_read(&work->body, &count);
        add_bits(&uo->ts, value, count);
    }
    if (has_ip && !read_ip_fields(work, inner, ip_flags)) return false;
    const uint16_t id = has_id ? rohc_read16(&work->body) : 0;
    if (has_ip2) {
        if (!read_ip_fields(work, 0, ip2_flags)) return false;
        if ((ip2_flags & 1) != 0) uo->id[0] = (v1_bits){.value = rohc_read16(&work->body), .count = 16};
    }
    if (has_id) {
        const int which = v1_id_header(fixed, dynamic);
        if (which < 0) return false;
        uo->id[which] = (v1_bits){.value = id, .count = 16};
    }
    return kind != V1_RTP || (flags & 1) == 0 || read_rtp_fields(work, uo);
}

/* ---- extensions 0 to 2 ------------------------------------------------------------------------------------------- */

/* `upper` has the +T bits, `lower` the -T bits; they may be the same. */
static ox_rohc_type read_extension(rohc_decompression *work, v1_kind kind, v1_uo *uo, v1_bits *upper, v1_bits *lower,
                                   v1_bits *second, ox_rohc_type base) {
    const uint8_t type = work->body.at == work->body.end ? 0 : *work->body.at >> 6;
    if (type == 3) return read_extension_3(work, kind, uo) ? (ox_rohc_type)(base + 4) : OX_ROHC_TYPE_RAW;
    const uint8_t first = rohc_read8(&work->body);
    add_bits(&uo->sn, first >> 3 & 7, 3);
    switch (type) {
    case 0: add_bits(upper, first & 7, 3); break;
    case 1:
        add_bits(upper, first & 7, 3);
        add_bits(lower, rohc_read8(&work->body), 8);
        break;
    default:
        /* Where there is no TS, extension 2 is for two IP-IDs, the outer one's first. */
        add_bits(second, first & 7, 3);
        add_bits(second, rohc_read8(&work->body), 8);
        add_bits(lower, rohc_read8(&work->body), 8);
        break;
    }
    return (ox_rohc_type)(base + 1 + type);
}

/* ---- base headers ------------------------------------------------------------------------------------------------ */

/* Whether an extension 3 makes RND of one of the headers such that there is an IP-ID in the base header, or none. */
static int id_header_after(const rohc_decompression *work) {
    const v1_fixed *fixed = work->fixed;
    v1_dynamic dynamic = *(const v1_dynamic *)work->dynamic;
    const uint8_t *at = work->body.at;
    if (rohc_left(&work->body) >= 5 && (at[1] & 0x80) != 0 && at[2] >> 6 == 3 && (at[2] & 2) != 0) {
        dynamic.ip[fixed->ips - 1].rnd = (at[3] & FLAG_RND) != 0;
        if ((at[3] & 1) != 0 && fixed->ips == 2) dynamic.ip[0].rnd = (at[4] & FLAG_RND) != 0;
    }
    return v1_id_header(fixed, &dynamic);
}

static ox_rohc_type read_uo_1(rohc_decompression *work, v1_kind kind, v1_uo *uo) {
    const int which = v1_id_header(work->fixed, work->dynamic);
    const uint8_t first = work->first, octet = rohc_read8(&work->body);
    uo->crc = octet & 7;
    uo->crc_bits = 3;
    if (kind != V1_RTP) {
        if (which >= 0) uo->id[which] = (v1_bits){.value = first & 0x3F, .count = 6};
        uo->sn = (v1_bits){.value = octet >> 3, .count = 5};
        return OX_ROHC_TYPE_UO_1;
    }
    uo->sn = (v1_bits){.value = octet >> 3 & 0x0F, .count = 4};
    if (which < 0) {
        uo->ts = (v1_bits){.value = first & 0x3F, .count = 6};
        uo->marker = (octet & 0x80) != 0;
        return OX_ROHC_TYPE_UO_1_RTP;
    }
    if ((first & 0x20) != 0) {
        uo->ts = (v1_bits){.value = first & 0x1F, .count = 5};
        uo->marker = (octet & 0x80) != 0;
        return OX_ROHC_TYPE_UO_1_TS;
    }
    uo->id[which] = (v1_bits){.value = first & 0x1F, .count = 5};
    if ((octet & 0x80) == 0) return OX_ROHC_TYPE_UO_1_ID;
    return read_extension(work, kind, uo, &uo->id[which], &uo->ts, &uo->id[which], OX_ROHC_TYPE_UO_1_ID);
}

/* For profiles without TS. */
static ox_rohc_type read_uor_2_plain(rohc_decompression *work, v1_kind kind, v1_uo *uo) {
    uo->sn = (v1_bits){.value = work->first & 0x1F, .count = 5};
    const uint8_t octet = rohc_read8(&work->body);
    uo->crc = octet & 0x7F;
    uo->crc_bits = 7;
    if ((octet & 0x80) == 0) return OX_ROHC_TYPE_UOR_2;
    const int which = v1_id_header(work->fixed, work->dynamic);
    v1_bits none = {0}, *id = which < 0 ? &none : &uo->id[which], *outer = which == 1 ? &uo->id[0] : &none;
    return read_extension(work, kind, uo, id, id, outer, OX_ROHC_TYPE_UOR_2);
}

static ox_rohc_type read_uor_2_rtp(rohc_decompression *work, v1_uo *uo) {
    const int which = id_header_after(work);
    const uint8_t octet = rohc_read8(&work->body), last = rohc_read8(&work->body);
    const uint32_t five = work->first & 0x1F;
    uo->marker = (octet & 0x40) != 0;
    uo->sn = (v1_bits){.value = octet & 0x3F, .count = 6};
    uo->crc = last & 0x7F;
    uo->crc_bits = 7;
    ox_rohc_type type;
    v1_bits *upper = &uo->ts, *lower = &uo->ts;
    if (which < 0) {
        uo->ts = (v1_bits){.value = five << 1 | octet >> 7, .count = 6};
        type = OX_ROHC_TYPE_UOR_2_RTP;
    } else if ((octet & 0x80) == 0) {
        uo->id[which] = (v1_bits){.value = five, .count = 5};
        upper = &uo->id[which];
        type = OX_ROHC_TYPE_UOR_2_ID;
    } else {
        uo->ts = (v1_bits){.value = five, .count = 5};
        lower = &uo->id[which];
        type = OX_ROHC_TYPE_UOR_2_TS;
    }
    if ((last & 0x80) == 0) return type;
    return read_extension(work, V1_RTP, uo, upper, lower, upper, type);
}

ox_rohc_verdict v1_read_uo(rohc_decompression *work, v1_kind kind, v1_uo *uo) {
    v1_fixed *fixed = work->fixed;
    v1_dynamic *dynamic = work->dynamic;
    *uo = (v1_uo){0};
    if ((work->first & 0x80) == 0) {
        uo->sn = (v1_bits){.value = work->first >> 3, .count = 4};
        uo->crc = work->first & 7;
        uo->crc_bits = 3;
        work->type = OX_ROHC_TYPE_UO_0;
    } else if ((work->first & 0xC0) == 0x80) {
        work->type = read_uo_1(work, kind, uo);
    } else if ((work->first & 0xE0) == 0xC0) {
        work->type = kind == V1_RTP ? read_uor_2_rtp(work, uo) : read_uor_2_plain(work, kind, uo);
    } else {
        return OX_ROHC_TYPE_UNKNOWN;
    }
    if (work->type == OX_ROHC_TYPE_RAW) return OX_ROHC_MALFORMED;
    for (uint32_t i = 0; i < fixed->ips; i++)
        if (fixed->ip[i].version == 4 && dynamic->ip[i].rnd) dynamic->ip[i].id = rohc_read16(&work->body);
    if (dynamic->udp_checksum) uo->udp_checksum = rohc_read16(&work->body);
    return work->body.short_ ? OX_ROHC_MALFORMED : OX_ROHC_PASS;
}
