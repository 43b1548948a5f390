#include "v1.h"

enum { DONT_FRAGMENT = 0x40, MARKER = 0x80 };

static void build_ipv4(rohc_writer *writer, const v1_ip_fixed *fixed, const v1_ip_dynamic *dynamic, uint8_t **header) {
    uint8_t *at = *header = rohc_room(writer, IPV4_BYTES);
    if (at == NULL) return;
    at[0] = 0x45;
    at[1] = dynamic->tos;
    ox_store_be16(at + 4, dynamic->id);
    at[6] = dynamic->df ? DONT_FRAGMENT : 0;
    at[7] = 0;
    at[8] = dynamic->ttl;
    at[9] = fixed->protocol;
    memcpy(at + 12, fixed->source, 4);
    memcpy(at + 16, fixed->destination, 4);
}

/* The items of a list hold their own type where a header says what comes next. */
static void build_ipv6(rohc_writer *writer, const v1_fixed *all, uint32_t which, const v1_ip_dynamic *dynamic, uint8_t **header) {
    const v1_ip_fixed *fixed = &all->ip[which];
    uint8_t *at = *header = rohc_room(writer, IPV6_BYTES);
    if (at == NULL) return;
    ox_store_be32(at, 6u << 28 | (uint32_t)dynamic->tos << 20 | fixed->flow_label);
    at[7] = dynamic->ttl;
    memcpy(at + 8, fixed->source, 16);
    memcpy(at + 24, fixed->destination, 16);
    uint8_t *next = at + 6;
    const uint32_t items = v1_list_items(&all->store, which);
    for (uint32_t i = 0; i < items; i++) {
        uint32_t bytes;
        const uint8_t *item = v1_list_item(&all->store, which, i, &bytes);
        uint8_t *extension = item == NULL ? NULL : rohc_room(writer, bytes);
        if (extension == NULL) {
            writer->full = true;
            return;
        }
        memcpy(extension, item, bytes);
        *next = item[0];
        next = extension;
    }
    *next = fixed->protocol;
}

static void build_rtp(rohc_writer *writer, const v1_fixed *fixed, const v1_dynamic *dynamic, const v1_values *values) {
    const uint32_t csrcs = v1_list_items(&fixed->store, V1_CSRC_LIST);
    uint8_t *at = rohc_room(writer, RTP_BYTES);
    if (at == NULL) return;
    at[0] = (uint8_t)(dynamic->rtp_flags | csrcs);
    at[1] = (uint8_t)(dynamic->payload_type | (values->marker ? MARKER : 0));
    ox_store_be16(at + 2, (uint16_t)values->sn);
    ox_store_be32(at + 4, values->ts);
    ox_store_be32(at + 8, fixed->identity);
    for (uint32_t i = 0; i < csrcs; i++) {
        uint32_t bytes;
        const uint8_t *csrc = v1_list_item(&fixed->store, V1_CSRC_LIST, i, &bytes);
        if (csrc != NULL) rohc_write(writer, csrc, bytes);
    }
}

static void build_transport(rohc_writer *writer, v1_kind kind, const v1_fixed *fixed, const v1_dynamic *dynamic,
                            const v1_values *values, uint8_t **udp) {
    *udp = NULL;
    if (kind == V1_ESP) {
        rohc_write32(writer, fixed->identity);
        rohc_write32(writer, values->sn);
        return;
    }
    if (kind == V1_IP) return;
    *udp = rohc_room(writer, UDP_BYTES);
    if (*udp == NULL) return;
    ox_store_be16(*udp, fixed->source_port);
    ox_store_be16(*udp + 2, fixed->destination_port);
    ox_store_be16(*udp + 6, values->udp_checksum);
    if (kind == V1_RTP) build_rtp(writer, fixed, dynamic, values);
}

void v1_build(rohc_writer *writer, v1_kind kind, const v1_fixed *fixed, const v1_dynamic *dynamic, const v1_values *values,
              uint32_t payload, v1_extent *extent) {
    uint8_t *headers[ROHC_IPS] = {NULL, NULL}, *udp;
    extent->ips = fixed->ips;
    for (uint32_t i = 0; i < fixed->ips; i++) {
        const uint8_t *start = writer->at;
        if (fixed->ip[i].version == 4) build_ipv4(writer, &fixed->ip[i], &dynamic->ip[i], &headers[i]);
        else build_ipv6(writer, fixed, i, &dynamic->ip[i], &headers[i]);
        extent->ip_bytes[i] = (uint16_t)(writer->at - start);
    }
    build_transport(writer, kind, fixed, dynamic, values, &udp);
    if (writer->full) return;
    /* Lengths reach to the end of the packet. */
    const uint8_t *end = writer->at;
    for (uint32_t i = 0; i < fixed->ips; i++) {
        const uint32_t total = (uint32_t)(end - headers[i]) + payload;
        if (total > UINT16_MAX) {
            writer->full = true;
            return;
        }
        if (fixed->ip[i].version == 4) {
            ox_store_be16(headers[i] + 2, (uint16_t)total);
            ox_store_be16(headers[i] + 10, rohc_ipv4_checksum(headers[i]));
        } else {
            ox_store_be16(headers[i] + 4, (uint16_t)(total - IPV6_BYTES));
        }
    }
    if (udp != NULL) ox_store_be16(udp + 4, (uint16_t)((uint32_t)(end - udp) + payload));
}

/* ---- the CRC of the header -------------------------------------------------------------------------------------- */

static uint8_t crc_of(const uint8_t *octets, uint32_t count, uint8_t crc, uint32_t bits) {
    return bits == 3 ? rohc_crc3(octets, count, crc) : rohc_crc7(octets, count, crc);
}

/* Fields are put together first, in the order in which they are added: a run of a few octets would cost as much as one of many. */
static inline uint8_t *gather(uint8_t *to, const uint8_t *octets, uint32_t count) {
    memcpy(to, octets, count);
    return to + count;
}

//= RFC 3095 section 5.9.2
//# first the fields that are static or change seldom, of all headers, then the others: IPv4 octets 3 to 6, 11 and 12; IPv6 5 and 6;
//# UDP 5 to 8; RTP 2 to 8; ESP 5 to 8
uint8_t v1_crc(v1_kind kind, const uint8_t *header, const v1_extent *extent, uint32_t bits) {
    uint8_t gathered[2 * (IPV6_BYTES + 8) + UDP_BYTES + RTP_BYTES], *to = gathered;
    uint8_t crc = bits == 3 ? CRC3_START : CRC7_START;
    const uint8_t *ip[ROHC_IPS], *at = header;
    for (uint32_t i = 0; i < extent->ips; i++) {
        ip[i] = at;
        if (at[0] >> 4 == 4) {
            to = gather(to, at, 2);
            to = gather(to, at + 6, 4);
            to = gather(to, at + 12, 8);
        } else {
            to = gather(to, at, 4);
            to = gather(to, at + 6, IPV6_BYTES - 6);
            if (extent->ip_bytes[i] > IPV6_BYTES) {
                crc = crc_of(gathered, (uint32_t)(to - gathered), crc, bits);
                crc = crc_of(at + IPV6_BYTES, extent->ip_bytes[i] - (uint32_t)IPV6_BYTES, crc, bits);
                to = gathered;
            }
        }
        at += extent->ip_bytes[i];
    }
    if (kind != V1_IP) to = gather(to, at, 4);
    if (kind == V1_RTP) {
        const uint8_t *rtp = at + UDP_BYTES;
        to = gather(to, rtp, 1);
        to = gather(to, rtp + 8, 4);
        if ((rtp[0] & 0x0F) != 0) {
            crc = crc_of(gathered, (uint32_t)(to - gathered), crc, bits);
            crc = crc_of(rtp + RTP_BYTES, 4u * (rtp[0] & 0x0F), crc, bits);
            to = gathered;
        }
    }
    for (uint32_t i = 0; i < extent->ips; i++) {
        if (ip[i][0] >> 4 == 4) {
            to = gather(to, ip[i] + 2, 4);
            to = gather(to, ip[i] + 10, 2);
        } else {
            to = gather(to, ip[i] + 4, 2);
        }
    }
    if (kind != V1_IP) to = gather(to, at + 4, 4);
    if (kind == V1_RTP) to = gather(to, at + UDP_BYTES + 1, 7);
    return crc_of(gathered, (uint32_t)(to - gathered), crc, bits);
}
