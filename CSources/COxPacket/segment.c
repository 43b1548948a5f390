#include "oxcore/packet.h"

static uint32_t payload_bytes(const ox_headers *headers) { return headers->total_bytes - ox_headers_bytes(headers); }

uint32_t ox_segments(const ox_buf *buf, const ox_headers *headers) {
    const uint32_t payload = payload_bytes(headers);
    if (buf->segment == 0 || payload <= buf->segment) return 1;
    return (payload + buf->segment - 1) / buf->segment;
}

uint32_t ox_segment(ox_pool *pool, const ox_buf *super, const ox_headers *headers, ox_list *out) {
    OX_ASSERT(super->segment != 0 && super->len == headers->total_bytes);
    const uint32_t header_bytes = ox_headers_bytes(headers);
    const uint32_t payload = payload_bytes(headers);
    const uint32_t segments = ox_segments(super, headers);
    const uint32_t longest = payload < super->segment ? payload : super->segment;
    if (header_bytes + longest > OX_BUF_CONTENT_MAX) return segments;

    ox_headers piece = *headers;
    for (uint32_t index = 0; index < segments; index++) {
        ox_buf *buf = ox_pool_get(pool, OX_BUF_SMALL);
        if (buf == NULL) return segments - index;
        const uint32_t from = index * super->segment;
        const uint32_t len = payload - from < super->segment ? payload - from : super->segment;
        memcpy(buf->data, super->data, header_bytes);
        memcpy(buf->data + header_bytes, super->data + header_bytes + from, len);
        ox_piece_headers(buf->data, headers, index, from, len, payload);
        piece.total_bytes = header_bytes + len;
        ox_checksum_complete(buf->data, &piece);

        buf->len = piece.total_bytes;
        buf->transport = headers->transport_offset;
        buf->protocol = headers->protocol;
        buf->checksum = OX_CHECKSUM_VALID;
        buf->ecn = super->ecn;
        buf->peer = super->peer;
        ox_list_append(out, buf);
    }
    return 0;
}
