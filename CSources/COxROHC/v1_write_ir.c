#include "v1_flow.h"

static void write_static_ip(rohc_writer *writer, const v1_ip_fixed *ip, bool last) {
    if (ip->version == 4) {
        rohc_write8(writer, last ? 0xC0 : 0x40);
        rohc_write8(writer, ip->protocol);
        rohc_write(writer, ip->source, 4);
        rohc_write(writer, ip->destination, 4);
        return;
    }
    rohc_write8(writer, (last ? 0xE0u : 0x60u) | ip->flow_label >> 16);
    rohc_write16(writer, ip->flow_label & 0xFFFF);
    rohc_write8(writer, ip->protocol);
    rohc_write(writer, ip->source, 16);
    rohc_write(writer, ip->destination, 16);
}

static void write_static(rohc_writer *writer, v1_kind kind, const v1_fixed_headers *headers) {
    for (uint32_t i = 0; i < headers->ips; i++) {
        const v1_ip_fixed *ip = &headers->ip[i];
        //= RFC 3843 section 3.1
        //# an IP header behind the last one of the chain is payload, and has to be told apart
        const bool last = i + 1 == headers->ips && (ip->protocol == PROTO_IPV4 || ip->protocol == PROTO_IPV6);
        write_static_ip(writer, ip, last);
    }
    if (kind == V1_RTP || kind == V1_UDP) {
        rohc_write16(writer, headers->source_port);
        rohc_write16(writer, headers->destination_port);
    }
    if (kind == V1_RTP || kind == V1_ESP) rohc_write32(writer, headers->identity);
}

/* A list of encoding type 0, with all its items; `octets` holds items of `stride` octets, or extension headers for stride 0. */
static void write_list_head(rohc_writer *writer, uint32_t items) {
    const bool wide = items > 8;
    rohc_write8(writer, (wide ? 0x10u : 0) | items);
    for (uint32_t i = 0; i < items; i++) {
        if (wide) {
            rohc_write8(writer, 0x80 | i);
        } else {
            const uint32_t second = i + 1 < items ? 8 | (i + 1) : 0;
            rohc_write8(writer, (8 | i) << 4 | second);
            i++;
        }
    }
}

/* An item holds its own type where the header says what comes next. */
static void write_extensions(rohc_writer *writer, const v1_flow *flow, const rohc_ip *ip, uint32_t which) {
    const uint32_t items = ip->extensions;
    if (items == 0) {
        rohc_write8(writer, flow->had_list ? 0x20 : 0);
        if (flow->had_list) rohc_write8(writer, flow->gen_id);
        return;
    }
    const uint8_t *octets = flow->extensions + (which == 0 ? 0 : V1_EXTENSIONS_BYTES / 2);
    write_list_head(writer, items);
    for (uint32_t i = 0; i < items; i++) {
        rohc_write8(writer, ip->extension[i].type);
        rohc_write(writer, octets + 1, ip->extension[i].bytes - 1u);
        octets += ip->extension[i].bytes;
    }
}

static void write_dynamic_ip(rohc_writer *writer, const v1_flow *flow, const rohc_ip *ip, uint32_t which) {
    const v1_ip_dynamic *dynamic = &flow->ip[which];
    rohc_write8(writer, dynamic->tos);
    rohc_write8(writer, dynamic->ttl);
    if (ip->version == 4) {
        rohc_write16(writer, dynamic->id);
        rohc_write8(writer, (dynamic->df ? 0x80u : 0) | (dynamic->rnd ? 0x40u : 0) | (dynamic->nbo ? 0x20u : 0) |
                                (dynamic->sid ? 0x10u : 0));
        rohc_write8(writer, 0);
    } else {
        write_extensions(writer, flow, ip, which);
    }
}

static void write_dynamic_rtp(rohc_writer *writer, const v1_flow *flow, const v1_need *need, const ox_rohc_parameters *parameters) {
    const bool extension = (flow->rtp_flags & 0x10) != 0, stride = flow->ts_stride != 0;
    /* X is kept where it is not said. */
    const bool more = extension || stride || flow->had_extension;
    rohc_write8(writer, (flow->rtp_flags & 0xE0u) | (more ? 0x10u : 0) | flow->csrcs);
    rohc_write8(writer, (need->marker ? 0x80u : 0) | flow->payload_type);
    rohc_write16(writer, need->sn & 0xFFFF);
    rohc_write32(writer, need->ts);
    write_list_head(writer, flow->csrcs);
    rohc_write(writer, flow->csrc, 4u * flow->csrcs);
    if (!more) return;
    const uint32_t mode = parameters->bidirectional ? ROHC_MODE_O : ROHC_MODE_U;
    rohc_write8(writer, (extension ? 0x10u : 0) | mode << 2 | (stride ? 1u : 0));
    if (stride) rohc_sdvl_write(writer, flow->ts_stride, 32 - (uint32_t)__builtin_clz(flow->ts_stride));
}

void v1_write_ir(rohc_compression *work, v1_kind kind, const v1_flow *flow, const v1_need *need, bool dynamic_only) {
    rohc_writer *writer = &work->body;
    const rohc_packet *packet = work->packet;
    work->type = dynamic_only ? OX_ROHC_TYPE_IR_DYN : OX_ROHC_TYPE_IR;
    rohc_begin_ir(work, dynamic_only ? TYPE_IR_DYN : TYPE_IR | 1, (uint16_t)kind);
    if (!dynamic_only) write_static(writer, kind, &flow->headers);
    for (uint32_t i = 0; i < packet->ips; i++) write_dynamic_ip(writer, flow, &packet->ip[i], i);
    switch (kind) {
    case V1_ESP: rohc_write32(writer, need->sn); break;
    case V1_IP: rohc_write16(writer, need->sn); break;
    default:
        rohc_write(writer, packet->transport + 6, 2);
        if (kind == V1_RTP) write_dynamic_rtp(writer, flow, need, work->parameters);
        else rohc_write16(writer, need->sn);
        break;
    }
}
