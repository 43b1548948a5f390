#include "oxcore/packet.h"

enum {
    V6_HEADER_BYTES = 40,
    TCP_CHECKSUM = 16, /* offsets in the transport header */
    UDP_CHECKSUM = 6,
    TCP_FIN = 0x01,
    TCP_PSH = 0x08,
    TCP_CWR = 0x80,
};

static void set_tcp(uint8_t *tcp, uint32_t from, bool last) {
    ox_store_be32(tcp + 4, ox_load_be32(tcp + 4) + from);
    /* FIN and PSH speak of the end of the data, CWR (RFC 3168 section 6.1.2) is said once. */
    if (!last) tcp[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
    if (from != 0) tcp[13] &= (uint8_t)~TCP_CWR;
}

static void set_v4(uint8_t *header, const ox_headers *headers, uint32_t index, uint32_t total) {
    ox_store_be16(header + 2, (uint16_t)total);
    ox_store_be16(header + 4, (uint16_t)(ox_load_be16(header + 4) + index));
    ox_store_be16(header + 10, 0);
    ox_store_be16(header + 10, ox_checksum_finish(ox_checksum_add(header, headers->transport_offset, 0)));
}

void ox_piece_headers(uint8_t *header, const ox_headers *headers, uint32_t index, uint32_t from, uint32_t len,
                      uint32_t payload) {
    const bool tcp = headers->protocol == OX_PROTO_TCP;
    const bool v4 = headers->version == 4;
    const uint32_t transport_len = headers->transport_bytes + len;
    const uint32_t total = headers->transport_offset + transport_len;
    OX_ASSERT(headers->has_transport && (tcp || headers->protocol == OX_PROTO_UDP));
    OX_ASSERT(len <= payload && from <= payload - len);
    OX_ASSERT(total <= (v4 ? UINT16_MAX : V6_HEADER_BYTES + UINT16_MAX));

    if (v4) {
        set_v4(header, headers, index, total);
    } else {
        ox_store_be16(header + 4, (uint16_t)(total - V6_HEADER_BYTES));
    }
    uint8_t *transport = header + headers->transport_offset;
    if (tcp) {
        set_tcp(transport, from, from + len == payload);
    } else {
        ox_store_be16(transport + 4, (uint16_t)transport_len);
    }
    const uint32_t pseudo = ox_checksum_pseudo(header, headers, transport_len);
    ox_store_be16(transport + (tcp ? TCP_CHECKSUM : UDP_CHECKSUM), (uint16_t)pseudo);
}
