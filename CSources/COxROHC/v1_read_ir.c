#include "v1.h"

//= RFC 3843 section 3.1
//# profile IP: the highest bit of the version marks a header as the last of the chain, whatever follows it
enum { LAST = 0x80 };

/* ---- static chain (RFC 3095 section 5.7.7.3, RFC 3843 section 3.1) ------------------------------------------------- */

static bool read_static_ip(rohc_reader *reader, v1_ip_fixed *ip, bool *last) {
    const uint8_t first = rohc_read8(reader);
    ip->version = first >> 4 & 7;
    *last = (first & LAST) != 0;
    if (ip->version == 4) {
        const uint8_t *octets = rohc_read(reader, 9);
        if (octets == NULL) return false;
        ip->protocol = octets[0];
        memcpy(ip->source, octets + 1, 4);
        memcpy(ip->destination, octets + 5, 4);
        return true;
    }
    const uint8_t *octets = rohc_read(reader, 35);
    if (ip->version != 6 || octets == NULL) return false;
    ip->flow_label = (uint32_t)(first & 0x0F) << 16 | ox_load_be16(octets);
    ip->protocol = octets[2];
    memcpy(ip->source, octets + 3, 16);
    memcpy(ip->destination, octets + 19, 16);
    return true;
}

static bool read_static(rohc_reader *reader, v1_kind kind, v1_fixed *fixed) {
    v1_ip_fixed before[ROHC_IPS];
    memcpy(before, fixed->ip, sizeof before);
    memset(fixed->ip, 0, sizeof fixed->ip);
    fixed->ips = 0;
    uint8_t protocol;
    bool last;
    do {
        if (fixed->ips == ROHC_IPS) return false;
        v1_ip_fixed *ip = &fixed->ip[fixed->ips++];
        if (!read_static_ip(reader, ip, &last)) return false;
        protocol = ip->protocol;
    } while (!last && (protocol == PROTO_IPV4 || protocol == PROTO_IPV6));
    if (last && kind != V1_IP) return false;
    /* Lists of another flow are none of this one's. */
    if (memcmp(before, fixed->ip, sizeof before) != 0) fixed->store.used = 0;
    switch (kind) {
    case V1_IP: return true;
    case V1_ESP:
        fixed->identity = rohc_read32(reader);
        return protocol == PROTO_ESP;
    default:
        fixed->source_port = rohc_read16(reader);
        fixed->destination_port = rohc_read16(reader);
        if (kind == V1_RTP) fixed->identity = rohc_read32(reader);
        return protocol == PROTO_UDP;
    }
}

/* ---- dynamic chain (sections 5.7.7.4 to 5.7.7.7) -------------------------------------------------------------------- */

static bool read_dynamic_ip(rohc_reader *reader, v1_fixed *fixed, uint32_t which, v1_ip_dynamic *ip) {
    ip->tos = rohc_read8(reader);
    ip->ttl = rohc_read8(reader);
    if (fixed->ip[which].version == 4) {
        ip->id = rohc_read16(reader);
        const uint8_t flags = rohc_read8(reader);
        ip->df = (flags & 0x80) != 0;
        ip->rnd = (flags & 0x40) != 0;
        ip->nbo = (flags & 0x20) != 0;
        ip->sid = (flags & 0x10) != 0;
        if (ip->rnd && ip->sid) return false;
    }
    /* An octet of zero says nothing about the list: an empty one that replaces another has a gen_id. */
    if (rohc_left(reader) != 0 && *reader->at == 0) {
        reader->at++;
        return true;
    }
    return v1_list_read(&fixed->store, which, reader);
}

static bool read_dynamic_rtp(rohc_reader *reader, v1_fixed *fixed, v1_dynamic *dynamic, v1_values *values) {
    const uint8_t flags = rohc_read8(reader), type = rohc_read8(reader);
    dynamic->rtp_flags = (flags & 0xE0) | (dynamic->rtp_flags & 0x10);
    dynamic->payload_type = type & 0x7F;
    values->marker = (type & 0x80) != 0;
    values->sn = rohc_read16(reader);
    values->ts = rohc_read32(reader);
    if (!v1_list_read(&fixed->store, V1_CSRC_LIST, reader)) return false;
    if (v1_list_items(&fixed->store, V1_CSRC_LIST) != (flags & 0x0Fu)) return false;
    if ((flags & 0x10) != 0) {
        const uint8_t more = rohc_read8(reader);
        dynamic->rtp_flags = (uint8_t)((dynamic->rtp_flags & 0xE0) | (more & 0x10));
        if ((more & 1) != 0) dynamic->ts_stride = rohc_sdvl_read(reader, NULL);
        if ((more & 2) != 0) (void)rohc_sdvl_read(reader, NULL); /* TIME_STRIDE: for timers, of which there are none here */
    }
    return true;
}

static bool read_dynamic(rohc_reader *reader, v1_kind kind, v1_fixed *fixed, v1_dynamic *dynamic, v1_values *values) {
    for (uint32_t i = 0; i < fixed->ips; i++)
        if (!read_dynamic_ip(reader, fixed, i, &dynamic->ip[i])) return false;
    switch (kind) {
    case V1_ESP: values->sn = rohc_read32(reader); break;
    case V1_IP: values->sn = rohc_read16(reader); break;
    default:
        values->udp_checksum = rohc_read16(reader);
        dynamic->udp_checksum = values->udp_checksum != 0;
        if (kind == V1_RTP) return read_dynamic_rtp(reader, fixed, dynamic, values);
        values->sn = rohc_read16(reader);
        break;
    }
    return true;
}

ox_rohc_verdict v1_read_ir(rohc_decompression *work, v1_kind kind, v1_values *values) {
    v1_fixed *fixed = work->fixed;
    v1_dynamic *dynamic = work->dynamic;
    *values = (v1_values){0};
    work->verified = true;
    work->fixed_written = true;
    work->type = OX_ROHC_TYPE_IR_DYN;
    if (work->first != TYPE_IR_DYN) {
        work->type = OX_ROHC_TYPE_IR;
        if (!read_static(&work->body, kind, fixed)) return OX_ROHC_MALFORMED;
        if ((work->first & 1) == 0) return OX_ROHC_MALFORMED; /* no dynamic chain, and so no packet */
    } else if (work->fresh) {
        return OX_ROHC_NO_CONTEXT;
    }
    if (!read_dynamic(&work->body, kind, fixed, dynamic, values)) return OX_ROHC_MALFORMED;
    if (work->body.short_) return OX_ROHC_MALFORMED;
    dynamic->complete = true;
    return OX_ROHC_PASS;
}
