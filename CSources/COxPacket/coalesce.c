#include "oxcore/packet.h"

#include <stdlib.h>

enum {
    RUNS = 16, /* open at a time; a power of two */
    PACKET_BYTES_MAX = 65535,
    V4_HEADER_BYTES = 20,
    V6_HEADER_BYTES = 40,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    NEGATIVE_ZERO = 0xFFFF, /* the other zero of ones' complement: right, but not what segmentation writes */
};
_Static_assert((RUNS & (RUNS - 1)) == 0 && RUNS < 32, "a hash names the run to give up, and `open` has a bit for each");
_Static_assert((int)PACKET_BYTES_MAX <= (int)OX_BUF_LARGE_CONTENT_MAX, "a large buffer holds what a run can become");

/* Packets of one flow, one behind the other in `buf`: the headers of the first, then the payloads. */
typedef struct run {
    ox_buf *buf;
    ox_headers headers; /* of the first packet */
    uint32_t segment;   /* its payload bytes */
    uint32_t segments;
} run;

struct ox_coalescer {
    ox_pool *pool;
    uint32_t open;       /* bit i: runs[i] has a packet */
    uint32_t tags[RUNS]; /* hashes of their flows, next to each other for the search */
    run runs[RUNS];
};

static uint64_t load64(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

/* ---- which packets can be in a run -------------------------------------------------------------------------------- */

static bool has_ports(const ox_headers *headers) {
    return headers->has_transport && (headers->protocol == OX_PROTO_TCP || headers->protocol == OX_PROTO_UDP);
}

static bool ends_run(const ox_headers *headers) { return headers->tcp_flags & TCP_PSH; }

static bool tcp_can_join(const uint8_t *tcp, const ox_buf *buf, const ox_headers *headers) {
    /* The data offset shares its octet with flags that segmentation would repeat (RFC 9293 section 3.1). */
    if ((headers->tcp_flags & ~TCP_PSH) != TCP_ACK || (tcp[12] & 0x0F) != 0) return false;
    return buf->checksum == OX_CHECKSUM_PARTIAL || ox_load_be16(tcp + 16) != NEGATIVE_ZERO;
}

static bool udp_can_join(const uint8_t *udp, const ox_headers *headers) {
    /* Surplus behind the datagram (RFC 9868) has no place in a run, and no checksum (zero) is not given back. */
    return ox_load_be16(udp + 4) == headers->total_bytes - headers->transport_offset && ox_load_be16(udp + 6) != 0;
}

static bool can_join(const ox_buf *buf, const ox_headers *headers) {
    const uint32_t plain = headers->version == 4 ? V4_HEADER_BYTES : V6_HEADER_BYTES;
    if (buf->segment != 0 || buf->checksum == OX_CHECKSUM_UNKNOWN) return false;
    if (headers->transport_offset != plain || headers->total_bytes == ox_headers_bytes(headers)) return false;
    const uint8_t *transport = buf->data + headers->transport_offset;
    return headers->protocol == OX_PROTO_TCP ? tcp_can_join(transport, buf, headers)
                                             : udp_can_join(transport, headers);
}

/* ---- which packets belong together -------------------------------------------------------------------------------- */

static bool same_addresses(const run *r, const uint8_t *packet, const ox_headers *headers) {
    if (r->headers.version != headers->version) return false;
    if (headers->version == 4) return load64(r->buf->data + 12) == load64(packet + 12);
    return memcmp(r->buf->data + 8, packet + 8, 32) == 0;
}

static bool same_flow(const run *r, const uint8_t *packet, const ox_headers *headers) {
    return r->headers.protocol == headers->protocol && r->headers.source_port == headers->source_port &&
           r->headers.destination_port == headers->destination_port && same_addresses(r, packet, headers);
}

/* A wrong sum must stay wrong, and one that segmentation would write otherwise must stay too. */
static bool right_v4_sum(const uint8_t *header) {
    return ox_load_be16(header + 10) != NEGATIVE_ZERO && ox_checksum_add(header, V4_HEADER_BYTES, 0) == 0xFFFF;
}

static bool v4_continues(const run *r, const uint8_t *next, const ox_headers *headers) {
    const uint8_t *first = r->buf->data;
    /* TOS, flags and TTL. */
    if (first[1] != next[1] || ox_load_be16(first + 6) != ox_load_be16(next + 6) || first[8] != next[8]) return false;
    //= RFC 6864 section 4.1
    //# the identification of a datagram with DF set, and not a fragment, has no meaning
    const bool any_id = headers->protocol == OX_PROTO_UDP && headers->dont_fragment;
    const uint16_t id = (uint16_t)(ox_load_be16(first + 4) + r->segments);
    if (!any_id && id != ox_load_be16(next + 4)) return false;
    return right_v4_sum(next) && (r->segments > 1 || right_v4_sum(first));
}

static bool v6_continues(const run *r, const uint8_t *next) {
    /* Traffic class and flow label, hop limit. */
    return memcmp(r->buf->data, next, 4) == 0 && r->buf->data[7] == next[7];
}

static bool tcp_continues(const run *r, const uint8_t *next, const ox_headers *headers) {
    const uint8_t *a = r->buf->data + headers->transport_offset;
    const uint8_t *b = next + headers->transport_offset;
    const uint32_t sent = r->buf->len - ox_headers_bytes(&r->headers);
    if (r->headers.transport_bytes != headers->transport_bytes) return false;
    if (ox_load_be32(a + 4) + sent != ox_load_be32(b + 4)) return false;
    /* Acknowledgement, window, urgent pointer, options; of the flags only PSH may differ, and ends the run. */
    return memcmp(a + 8, b + 8, 4) == 0 && memcmp(a + 14, b + 14, 2) == 0 &&
           memcmp(a + 18, b + 18, headers->transport_bytes - 18u) == 0;
}

static bool continues(const run *r, const ox_buf *buf, const ox_headers *headers, uint32_t payload) {
    if (payload > r->segment || r->buf->len + payload > PACKET_BYTES_MAX) return false;
    if (headers->version == 4 ? !v4_continues(r, buf->data, headers) : !v6_continues(r, buf->data)) return false;
    return headers->protocol == OX_PROTO_UDP || tcp_continues(r, buf->data, headers);
}

/* The open run of the packet's flow, or RUNS. */
static uint32_t find(const ox_coalescer *coalescer, uint32_t tag, const uint8_t *packet, const ox_headers *headers) {
    uint32_t alike = 0;
    for (uint32_t i = 0; i < RUNS; i++) alike |= (uint32_t)(coalescer->tags[i] == tag) << i;
    for (alike &= coalescer->open; alike != 0; alike &= alike - 1) {
        const uint32_t slot = (uint32_t)__builtin_ctz(alike);
        if (same_flow(&coalescer->runs[slot], packet, headers)) return slot;
    }
    return RUNS;
}

/* ---- the runs ----------------------------------------------------------------------------------------------------- */

/* A packet that stayed alone goes on as it came. */
static void emit(ox_coalescer *coalescer, uint32_t slot, ox_list *out) {
    run *r = &coalescer->runs[slot];
    ox_buf *buf = r->buf;
    coalescer->open &= ~(1u << slot);
    if (r->segments > 1) {
        const uint32_t payload = buf->len - ox_headers_bytes(&r->headers);
        ox_piece_headers(buf->data, &r->headers, 0, 0, payload, payload);
        buf->segment = (uint16_t)r->segment;
        buf->transport = r->headers.transport_offset;
        buf->protocol = r->headers.protocol;
        buf->checksum = OX_CHECKSUM_PARTIAL;
    }
    ox_list_append(out, buf);
}

static void begin(ox_coalescer *coalescer, uint32_t tag, ox_buf *buf, const ox_headers *headers, ox_list *out) {
    const uint32_t open = coalescer->open;
    const uint32_t slot = open == (1u << RUNS) - 1 ? tag % RUNS : (uint32_t)__builtin_ctz(~open);
    if (open >> slot & 1) emit(coalescer, slot, out);
    coalescer->open |= 1u << slot;
    coalescer->tags[slot] = tag;
    coalescer->runs[slot] = (run){
        .buf = buf, .headers = *headers, .segment = headers->total_bytes - ox_headers_bytes(headers), .segments = 1};
}

/* Room for `payload` bytes behind the run, in a large buffer when its own is full. False when there is none. */
static bool make_room(ox_coalescer *coalescer, run *r, uint32_t payload) {
    ox_buf *from = r->buf;
    if (ox_buf_tailroom(from) >= payload) return true;
    ox_buf *to = ox_pool_get(coalescer->pool, OX_BUF_LARGE);
    if (to == NULL) return false;
    memcpy(to->data, from->data, from->len);
    to->len = from->len;
    to->ecn = from->ecn;
    to->peer = from->peer;
    to->number = from->number;
    to->address = from->address;
    memcpy(to->local, from->local, sizeof to->local);
    ox_pool_put(coalescer->pool, from);
    r->buf = to;
    return true;
}

/* Takes the packet into the run, or returns false and leaves both as they were. */
static bool extend(ox_coalescer *coalescer, uint32_t slot, ox_buf *buf, const ox_headers *headers, ox_list *out) {
    run *r = &coalescer->runs[slot];
    const uint32_t header_bytes = ox_headers_bytes(headers);
    const uint32_t payload = headers->total_bytes - header_bytes;
    if (!continues(r, buf, headers, payload) || !make_room(coalescer, r, payload)) return false;

    memcpy(r->buf->data + r->buf->len, buf->data + header_bytes, payload);
    r->buf->len += payload;
    r->segments++;
    if (ends_run(headers)) r->buf->data[headers->transport_offset + 13] |= TCP_PSH;
    ox_pool_put(coalescer->pool, buf);
    if (payload < r->segment || ends_run(headers) || r->segments == OX_SEGMENTS_MAX) emit(coalescer, slot, out);
    return true;
}

/* Fragments and the like: what run they follow cannot be told from a port. */
static void emit_addresses(ox_coalescer *coalescer, const uint8_t *packet, const ox_headers *headers, ox_list *out) {
    for (uint32_t left = coalescer->open; left != 0; left &= left - 1) {
        const uint32_t slot = (uint32_t)__builtin_ctz(left);
        if (same_addresses(&coalescer->runs[slot], packet, headers)) emit(coalescer, slot, out);
    }
}

void ox_coalescer_add(ox_coalescer *coalescer, ox_buf *buf, const ox_headers *headers, uint32_t hash, ox_list *out) {
    OX_ASSERT(buf->len == headers->total_bytes);
    if (!has_ports(headers)) {
        emit_addresses(coalescer, buf->data, headers, out);
        ox_list_append(out, buf);
        return;
    }
    const uint32_t slot = find(coalescer, hash, buf->data, headers);
    const bool joins = can_join(buf, headers);
    if (slot != RUNS) {
        if (joins && extend(coalescer, slot, buf, headers, out)) return;
        emit(coalescer, slot, out);
    }
    if (joins && !ends_run(headers)) {
        begin(coalescer, hash, buf, headers, out);
    } else {
        ox_list_append(out, buf);
    }
}

void ox_coalescer_flush(ox_coalescer *coalescer, ox_list *out) {
    while (coalescer->open != 0) emit(coalescer, (uint32_t)__builtin_ctz(coalescer->open), out);
}

ox_coalescer *ox_coalescer_create(ox_pool *pool) {
    ox_coalescer *coalescer = calloc(1, sizeof *coalescer);
    if (coalescer != NULL) coalescer->pool = pool;
    return coalescer;
}

void ox_coalescer_destroy(ox_coalescer *coalescer) {
    if (coalescer == NULL) return;
    ox_list left = {0};
    ox_coalescer_flush(coalescer, &left);
    ox_pool_put_list(coalescer->pool, &left);
    free(coalescer);
}
