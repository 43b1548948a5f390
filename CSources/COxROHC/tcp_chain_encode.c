#include "tcp_flow.h"

/** What an IR tells: everything that the packet has. */
static uint32_t all_lessons(const tcp_facts *facts) {
    uint32_t lessons = (1u << LESSONS) - 1;
    if (facts->payload == 0) lessons &= ~(1u << LESSON_SCALE);
    if ((facts->items >> ITEM_SACK & 1) == 0) lessons &= ~(1u << LESSON_SACK);
    return lessons;
}

static bool is_v4(const uint8_t *header) { return header[0] >> 4 == 4; }

/** Every option is told, with its content. */
static void write_all_options(tcp_facts *facts, rohc_writer *body) {
    facts->listed = facts->items;
    tcp_write_list(facts, facts->items, body);
}

static void write_label(const uint8_t *header, uint32_t flags, rohc_writer *body) {
    const uint32_t label = ox_load_be32(header) & 0xFFFFF;
    if (label == 0) {
        rohc_write8(body, flags);
    } else {
        rohc_write8(body, flags | 0x10 | label >> 16);
        rohc_write16(body, label & 0xFFFF);
    }
}

/* ---- static chain ----------------------------------------------------------------------------------------------- */

static void write_static_ip(const tcp_facts *facts, const rohc_ip *ip, rohc_writer *body) {
    const uint8_t *header = ip->bytes;
    if (is_v4(header)) {
        rohc_write8(body, 0);
        rohc_write8(body, header[9]);
        rohc_write(body, header + 12, 8);
        return;
    }
    write_label(header, 0x80, body);
    rohc_write8(body, header[6]);
    rohc_write(body, header + 8, 32);
    for (uint32_t e = 0; e < ip->extensions; e++) {
        const rohc_extension *extension = &ip->extension[e];
        const uint8_t *octets = facts->packet->bytes + extension->offset;
        rohc_write(body, octets, extension->type == PROTO_ROUTING ? extension->bytes : 2);
    }
}

/* ---- dynamic chain ---------------------------------------------------------------------------------------------- */

static void write_dynamic_ip(const tcp_facts *facts, uint32_t i, rohc_writer *body) {
    const rohc_ip *ip = &facts->packet->ip[i];
    if (is_v4(ip->bytes)) rohc_write8(body, (facts->dont_fragment >> i & 1u) << 2 | facts->behaviour[i]);
    rohc_write8(body, facts->tos[i]);
    rohc_write8(body, facts->ttl[i]);
    if (is_v4(ip->bytes) && facts->behaviour[i] != ID_ZERO) rohc_write16(body, facts->id[i]);
    for (uint32_t e = 0; e < ip->extensions; e++) {
        const rohc_extension *extension = &ip->extension[e];
        if (extension->type != PROTO_ROUTING) rohc_write(body, facts->packet->bytes + extension->offset + 2, extension->bytes - 2u);
    }
}

static void write_dynamic_tcp(tcp_facts *facts, rohc_writer *body) {
    const bool stride = facts->stride != 0;
    rohc_write8(body, (uint32_t)facts->ecn_used << 7 | (uint32_t)stride << 6 | (facts->ack == 0 ? 0x20u : 0) |
                          (facts->urgent == 0 ? 0x10u : 0) | facts->reserved);
    rohc_write8(body, facts->flags);
    rohc_write16(body, facts->msn);
    rohc_write32(body, facts->seq);
    if (facts->ack != 0) rohc_write32(body, facts->ack);
    rohc_write16(body, facts->window);
    rohc_write16(body, facts->checksum);
    if (facts->urgent != 0) rohc_write16(body, facts->urgent);
    if (stride) rohc_write16(body, facts->stride);
    write_all_options(facts, body);
}

static void write_dynamic_chain(tcp_facts *facts, rohc_writer *body) {
    for (uint32_t i = 0; i < facts->packet->ips; i++) write_dynamic_ip(facts, i, body);
    write_dynamic_tcp(facts, body);
    facts->tells = all_lessons(facts);
}

void tcp_write_ir(tcp_facts *facts, rohc_compression *work) {
    rohc_begin_ir(work, TYPE_IR | 1, 0x0006);
    for (uint32_t i = 0; i < facts->packet->ips; i++) write_static_ip(facts, &facts->packet->ip[i], &work->body);
    rohc_write(&work->body, facts->tcp, 4);
    write_dynamic_chain(facts, &work->body);
    work->type = OX_ROHC_TYPE_IR;
}

void tcp_write_ir_dyn(tcp_facts *facts, rohc_compression *work) {
    rohc_begin_ir(work, TYPE_IR_DYN, 0x0006);
    write_dynamic_chain(facts, &work->body);
    facts->tells &= ~(1u << LESSON_STATIC);
    work->type = OX_ROHC_TYPE_IR_DYN;
}

/* ---- replicate chain (section 7.2) ------------------------------------------------------------------------------- */

/** Whether the decompressor has it: what it acknowledged, where it can. */
static bool base_knows(const tcp_flow *base, uint32_t lesson) {
    return tcp_settled(&base->lesson[lesson], base->bidirectional ? TCP_TOLD : base->width);
}

/** A flow between the same hosts, that the decompressor knows, and whose IP headers differ in nothing that cannot be said. */
static bool is_base(const void *state, const rohc_packet *packet) {
    const tcp_flow *base = state;
    if (base->ips != packet->ips || base->chain_bytes != packet->transport_offset || !base_knows(base, LESSON_STATIC) ||
        !base_knows(base, LESSON_DYNAMIC) || !base_knows(base, LESSON_OUTER) || !base_knows(base, LESSON_TTL))
        return false;
    uint32_t at = 0;
    for (uint32_t i = 0; i < packet->ips; i++) {
        const uint8_t *header = packet->ip[i].bytes, *old = base->chain + at;
        const uint32_t bytes = packet->ip[i].header_bytes;
        if (header[0] >> 4 != old[0] >> 4) return false;
        if (is_v4(header)) {
            if (header[9] != old[9] || memcmp(header + 12, old + 12, 8) != 0) return false;
        } else if (header[6] != old[6] || header[7] != base->ttl[i] || memcmp(header + 8, old + 8, bytes - 8) != 0) {
            return false;
        }
        at += bytes;
    }
    return true;
}

static void write_replicate_ip(const tcp_facts *facts, uint32_t i, const tcp_flow *base, rohc_writer *body) {
    const rohc_ip *ip = &facts->packet->ip[i];
    const bool ttl = facts->ttl[i] != base->ttl[i];
    if (is_v4(ip->bytes)) {
        rohc_write8(body, (uint32_t)facts->behaviour[i] << 2 | (uint32_t)ttl << 1 | (facts->dont_fragment >> i & 1u));
        rohc_write8(body, facts->tos[i]);
        if (facts->behaviour[i] != ID_ZERO) rohc_write16(body, facts->id[i]);
        if (ttl) rohc_write8(body, facts->ttl[i]);
        return;
    }
    rohc_write8(body, facts->tos[i]);
    write_label(ip->bytes, 0, body);
    for (uint32_t e = 0; e < ip->extensions; e++) rohc_write8(body, 0);
}

/** Section 8.2, port_replicate: 0, 1 or 2 octets. The short form only where the high octet is the same, as some expect. */
static uint32_t port_octets(uint16_t port, uint16_t base) {
    if (port == base) return 0;
    const int32_t distance = (int32_t)port - base;
    return port >> 8 == base >> 8 && distance >= -64 && distance <= 191 ? 1 : 2;
}

static void write_port(uint16_t port, uint32_t octets, rohc_writer *body) {
    if (octets == 1) rohc_write8(body, port & 0xFF);
    if (octets == 2) rohc_write16(body, port);
}

static void write_replicate_tcp(tcp_facts *facts, const tcp_flow *base, rohc_writer *body) {
    const uint16_t ports[2] = {ox_load_be16(facts->tcp), ox_load_be16(facts->tcp + 2)};
    const uint32_t octets[2] = {port_octets(ports[0], base->ports[0]), port_octets(ports[1], base->ports[1])};
    const bool base_stride = base_knows(base, LESSON_STRIDE);
    if (facts->stride == 0 && base_stride) facts->stride = base->stride;
    const bool window = facts->window != base->window || !base_knows(base, LESSON_WINDOW);
    const bool urgent = facts->urgent != base->urgent || !base_knows(base, LESSON_URGENT);
    const bool stride = facts->stride != base->stride || !base_stride;
    rohc_write8(body, (uint32_t)window << 6 | 0x20 | octets[0] << 3 | octets[1] << 1 | stride);
    rohc_write8(body, 0x80 | (uint32_t)urgent << 6 | (facts->flags & 0x38u) | (uint32_t)tcp_rsf_index(facts->flags) << 1 |
                          facts->ecn_used);
    rohc_write16(body, facts->msn);
    rohc_write32(body, facts->seq);
    write_port(ports[0], octets[0], body);
    write_port(ports[1], octets[1], body);
    if (window) rohc_write16(body, facts->window);
    if (urgent) rohc_write16(body, facts->urgent);
    rohc_write32(body, facts->ack);
    if (facts->ecn_used != 0) rohc_write8(body, (uint32_t)facts->reserved << 2 | facts->flags >> 6);
    rohc_write16(body, facts->checksum);
    if (stride) rohc_write16(body, facts->stride);
    write_all_options(facts, body);
}

bool tcp_write_ir_cr(tcp_facts *facts, rohc_compression *work) {
    uint16_t cid;
    if (facts->flow->no_replication || tcp_rsf_index(facts->flags) > 3) return false;
    const tcp_flow *base = rohc_flow_find(work, &rohc_profile_tcp, is_base, &cid);
    if (base == NULL) return false;
    // The ECN bits are the base's unless ECN is used.
    if (facts->reserved != base->reserved || ((facts->flags ^ base->flags) & FLAGS_ECN) != 0 ||
        !base_knows(base, LESSON_ECN_BITS))
        facts->ecn_used = 1;
    rohc_begin_ir(work, TYPE_IR, 0x0006);
    rohc_write8(&work->body, 0x80 | rohc_crc7(facts->packet->bytes, facts->header_bytes, CRC7_START));
    if (work->parameters->large_cids) rohc_sdvl_write(&work->body, cid, cid < 0x80 ? 7 : 14);
    else rohc_write8(&work->body, cid);
    for (uint32_t i = 0; i < facts->packet->ips; i++) write_replicate_ip(facts, i, base, &work->body);
    write_replicate_tcp(facts, base, &work->body);
    facts->tells = all_lessons(facts);
    if (facts->ecn_used != facts->flow->ecn_used) facts->new_lessons |= 1u << LESSON_ECN;
    work->type = OX_ROHC_TYPE_IR_CR;
    return true;
}

/* ---- irregular chain -------------------------------------------------------------------------------------------- */

void tcp_write_irregular_chain(const tcp_facts *facts, uint16_t listed, rohc_writer *body) {
    const uint32_t inner = facts->packet->ips - 1u;
    for (uint32_t i = 0; i <= inner; i++) {
        if (is_v4(facts->packet->ip[i].bytes) && facts->behaviour[i] == ID_RANDOM) rohc_write16(body, facts->id[i]);
        if (i != inner && facts->ecn_used != 0) rohc_write8(body, facts->tos[i]);
    }
    if (facts->ecn_used != 0)
        rohc_write8(body, (facts->tos[inner] & 3u) << 6 | (uint32_t)facts->reserved << 2 | facts->flags >> 6);
    rohc_write16(body, facts->checksum);
    tcp_write_irregular_options(facts, listed, body);
}
