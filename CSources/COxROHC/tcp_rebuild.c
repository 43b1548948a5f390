#include "tcp.h"

void tcp_learn_scaled(tcp_dynamic *now, uint32_t payload) {
    if (payload == 0) return;
    now->scaled = now->seq / payload;
    now->residue = (uint16_t)(now->seq % payload);
    now->has_scaled = true;
}

static void write_ip(const tcp_rebuild *rebuild, uint32_t i, uint8_t *header, uint32_t bytes) {
    const tcp_dynamic *now = rebuild->now;
    if (header[0] >> 4 == 4) {
        header[1] = now->tos[i];
        ox_store_be16(header + 2, (uint16_t)bytes);
        ox_store_be16(header + 4, rebuild->ip_id[i]);
        ox_store_be16(header + 6, (uint16_t)((now->dont_fragment >> i & 1) << 14));
        header[8] = now->ttl[i];
        ox_store_be16(header + 10, rohc_ipv4_checksum(header));
    } else {
        header[0] = (uint8_t)(0x60 | now->tos[i] >> 4);
        header[1] = (uint8_t)(now->tos[i] << 4 | (header[1] & 0xF));
        ox_store_be16(header + 4, (uint16_t)(bytes - IPV6_BYTES));
        header[7] = now->ttl[i];
    }
}

bool tcp_write_header(tcp_rebuild *rebuild) {
    const tcp_fixed *fixed = rebuild->fixed;
    const tcp_dynamic *now = rebuild->now;
    uint32_t options = 0;
    for (uint32_t i = 0; i < now->list.count; i++) options += rebuild->option_bytes[i];
    if (options > TCP_OPTIONS_MAX || options % 4 != 0) return false;
    rebuild->header_bytes = fixed->chain_bytes + TCP_BYTES + options;
    const uint32_t total = rebuild->header_bytes + rohc_left(&rebuild->work->body);
    uint8_t *header = rebuild->header = rohc_room(&rebuild->work->header, rebuild->header_bytes);
    if (header == NULL || total > OX_ROHC_PACKET_MAX) return false;

    memcpy(header, fixed->chain, fixed->chain_bytes);
    for (uint32_t i = 0; i < fixed->ips; i++)
        write_ip(rebuild, i, header + fixed->ip_offset[i], total - fixed->ip_offset[i]);
    uint8_t *tcp = header + fixed->chain_bytes;
    ox_store_be16(tcp, fixed->ports[0]);
    ox_store_be16(tcp + 2, fixed->ports[1]);
    ox_store_be32(tcp + 4, now->seq);
    ox_store_be32(tcp + 8, now->ack);
    tcp[12] = (uint8_t)((TCP_BYTES + options) / 4 << 4 | now->reserved);
    tcp[13] = now->flags;
    ox_store_be16(tcp + 14, now->window);
    ox_store_be16(tcp + 16, rebuild->checksum);
    ox_store_be16(tcp + 18, now->urgent);
    uint8_t *to = tcp + TCP_BYTES;
    for (uint32_t i = 0; i < now->list.count; i++) {
        if (rebuild->option_bytes[i] == 1) *to = rebuild->option[i][0];
        else memcpy(to, rebuild->option[i], rebuild->option_bytes[i]);
        to += rebuild->option_bytes[i];
    }
    return true;
}

bool tcp_checksum_right(const tcp_rebuild *rebuild) {
    const tcp_fixed *fixed = rebuild->fixed;
    const uint8_t *ip = rebuild->header + fixed->ip_offset[fixed->ips - 1];
    const bool v4 = ip[0] >> 4 == 4;
    // Behind a routing header the checksum may be over another destination.
    if (!v4 && ip[6] != PROTO_TCP) return false;
    const uint8_t *tcp = rebuild->header + fixed->chain_bytes;
    const uint32_t tcp_bytes = rebuild->header_bytes - fixed->chain_bytes, payload = rohc_left(&rebuild->work->body);
    uint32_t sum = ox_checksum_add(v4 ? ip + 12 : ip + 8, v4 ? 8 : 32, PROTO_TCP + tcp_bytes + payload);
    sum = ox_checksum_add(tcp, tcp_bytes, sum);
    return ox_checksum_finish(ox_checksum_add(rebuild->work->body.at, payload, sum)) == 0;
}
