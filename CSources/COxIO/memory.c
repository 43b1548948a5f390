#include "oxcore/io.h"

#include <stdlib.h>

typedef struct packet {
    ox_address address;
    uint32_t len;
    uint16_t segment, transport;
    uint8_t protocol, ecn;
    bool super;
    uint8_t *large; /**< where a super-packet is, OX_BUF_LARGE_CONTENT_MAX bytes: made for the first one in this place */
    uint8_t bytes[OX_BUF_CONTENT_MAX];
} packet;

typedef struct queue {
    packet *packets;
    uint32_t first, count;
} queue;

typedef struct memory {
    ox_port port;
    uint32_t capacity;
    queue in, out;
    uint64_t received, sent, failed, super_received, super_sent;
} memory;

static bool put(memory *m, queue *q, const uint8_t *bytes, size_t len, const ox_address *address, uint8_t ecn) {
    if (q->count == m->capacity || len > OX_BUF_CONTENT_MAX) return false;
    packet *p = &q->packets[(q->first + q->count++) % m->capacity];
    p->len = (uint32_t)len;
    p->super = false;
    p->segment = 0;
    p->ecn = ecn;
    p->address = address != NULL ? *address : (ox_address){0};
    if (len > 0) memcpy(p->bytes, bytes, len);
    return true;
}

static packet *take(memory *m, queue *q) {
    if (q->count == 0) return NULL;
    packet *p = &q->packets[q->first];
    q->first = (q->first + 1) % m->capacity;
    q->count--;
    return p;
}

/* ---- receive ------------------------------------------------------------------------------------------------ */

static uint32_t packets_in(const packet *p) {
    if (p->segment == 0) return 1;
    uint32_t headers = 0;
    if (p->protocol == OX_PROTO_UDP) headers = p->transport + 8u;
    if (p->protocol == OX_PROTO_TCP) headers = p->transport + 4u * (p->large[p->transport + 12] >> 4);
    return headers + p->segment < p->len ? (p->len - headers + p->segment - 1) / p->segment : 1;
}

static bool memory_receive(ox_port *port, ox_pool *pool, ox_list *out, uint32_t max) {
    memory *m = (memory *)port;
    uint32_t count = 0, bytes = 0;
    for (; count < max && bytes < OX_PORT_BATCH_BYTES && m->in.count > 0; count++) {
        bool super = m->in.packets[m->in.first].super;
        ox_buf *buf = ox_pool_get(pool, super ? OX_BUF_LARGE : OX_BUF_SMALL);
        if (buf == NULL) break;
        packet *p = take(m, &m->in);
        memcpy(buf->data, super ? p->large : p->bytes, p->len);
        buf->len = p->len;
        buf->ecn = p->ecn;
        buf->address = p->address;
        if (super) {
            buf->segment = p->segment;
            buf->transport = p->transport;
            buf->protocol = p->protocol;
            buf->checksum = p->protocol != 0 ? OX_CHECKSUM_PARTIAL : OX_CHECKSUM_UNKNOWN;
        }
        bytes += p->len;
        ox_count(&m->received, packets_in(p));
        ox_count(&m->super_received, super);
        ox_list_append(out, buf);
    }
    return count == max || bytes >= OX_PORT_BATCH_BYTES;
}

/* ---- send --------------------------------------------------------------------------------------------------- */

/** Datagrams of equal size, cut. Returns how many there were no places for. */
static uint32_t put_datagrams(memory *m, const ox_buf *buf, uint32_t *total) {
    uint32_t failed = 0, unit = buf->segment != 0 ? buf->segment : buf->len, at = 0;
    do {
        uint32_t len = buf->len - at < unit ? buf->len - at : unit;
        failed += !put(m, &m->out, buf->data + at, len, &buf->address, buf->ecn);
        (*total)++;
        at += unit;
    } while (at < buf->len);
    return failed;
}

/** A packet of a device: cut, and its checksum completed. */
static uint32_t put_packet(memory *m, ox_pool *pool, ox_buf *buf, uint32_t *total) {
    ox_headers headers;
    ox_list pieces = {0};
    bool known = ox_parse(buf->data, buf->len, &headers) == OX_PASS && headers.has_transport && !headers.fragment &&
                 headers.transport_offset == buf->transport && headers.protocol == buf->protocol;
    if (!known) {
        (*total)++;
        return 1;
    }
    if (buf->segment == 0) {
        ox_checksum_complete(buf->data, &headers);
        return put_datagrams(m, buf, total);
    }
    uint32_t failed = ox_segment(pool, buf, &headers, &pieces);
    *total += failed + pieces.count;
    for (ox_buf *piece; (piece = ox_list_take(&pieces)) != NULL; ox_pool_put(pool, piece))
        failed += !put(m, &m->out, piece->data, piece->len, &buf->address, buf->ecn);
    return failed;
}

static uint32_t memory_send(ox_port *port, ox_pool *pool, ox_list *packets) {
    memory *m = (memory *)port;
    uint32_t failed = 0, total = 0;
    for (ox_buf *buf; (buf = ox_list_take(packets)) != NULL; ox_pool_put(pool, buf)) {
        ox_count(&m->super_sent, buf->segment != 0);
        bool partial = buf->checksum == OX_CHECKSUM_PARTIAL;
        failed += partial ? put_packet(m, pool, buf, &total) : put_datagrams(m, buf, &total);
    }
    ox_count(&m->sent, total - failed);
    ox_count(&m->failed, failed);
    return failed;
}

/* ---- the rest of the seam ----------------------------------------------------------------------------------- */

static uint32_t memory_descriptors(ox_port *port, int out[OX_PORT_DESCRIPTORS_MAX]) {
    (void)port;
    (void)out;
    return 0;
}

static void memory_status(const ox_port *port, ox_port_report *report) {
    const memory *m = (const memory *)port;
    ox_snapshot(&report->received, &m->received, 8);
    ox_snapshot(&report->sent, &m->sent, 8);
    ox_snapshot(&report->send_failed, &m->failed, 8);
    ox_snapshot(&report->super_received, &m->super_received, 8);
    ox_snapshot(&report->super_sent, &m->super_sent, 8);
}

static void memory_close(ox_port *port) {
    memory *m = (memory *)port;
    for (uint32_t i = 0; m->in.packets != NULL && i < m->capacity; i++) free(m->in.packets[i].large);
    free(m->in.packets);
    free(m->out.packets);
    free(m);
}

static const ox_port_operations memory_operations = {
    .receive = memory_receive,
    .send = memory_send,
    .descriptors = memory_descriptors,
    .status = memory_status,
    .close = memory_close,
};

ox_port *ox_memory_open(uint32_t capacity) {
    OX_ASSERT(capacity > 0);
    memory *m = calloc(1, sizeof *m);
    if (m == NULL) return NULL;
    m->port.operations = &memory_operations;
    m->capacity = capacity;
    m->in.packets = calloc(capacity, sizeof(packet));
    m->out.packets = calloc(capacity, sizeof(packet));
    if (m->in.packets != NULL && m->out.packets != NULL) return &m->port;
    memory_close(&m->port);
    return NULL;
}

static memory *as_memory(ox_port *port) {
    OX_ASSERT(port->operations == &memory_operations);
    return (memory *)port;
}

bool ox_memory_push(ox_port *port, const uint8_t *bytes, size_t len, const ox_address *from, uint8_t ecn) {
    memory *m = as_memory(port);
    return put(m, &m->in, bytes, len, from, ecn);
}

bool ox_memory_push_super(ox_port *port, const uint8_t *bytes, size_t len, const ox_buf *like) {
    memory *m = as_memory(port);
    OX_ASSERT(like->segment != 0);
    OX_ASSERT(like->protocol == 0 || like->transport + (like->protocol == OX_PROTO_TCP ? 20u : 8u) <= len);
    if (m->in.count == m->capacity || len > OX_BUF_LARGE_CONTENT_MAX) return false;
    packet *p = &m->in.packets[(m->in.first + m->in.count) % m->capacity];
    if (p->large == NULL) p->large = malloc(OX_BUF_LARGE_CONTENT_MAX);
    if (p->large == NULL) return false;
    m->in.count++;
    memcpy(p->large, bytes, len);
    p->super = true;
    p->len = (uint32_t)len;
    p->segment = like->segment;
    p->transport = like->transport;
    p->protocol = like->protocol;
    p->ecn = like->ecn;
    p->address = like->address;
    return true;
}

bool ox_memory_pop(ox_port *port, uint8_t *bytes, size_t *len, ox_address *to, uint8_t *ecn) {
    memory *m = as_memory(port);
    packet *p = take(m, &m->out);
    if (p == NULL) return false;
    memcpy(bytes, p->bytes, p->len);
    *len = p->len;
    if (to != NULL) *to = p->address;
    if (ecn != NULL) *ecn = p->ecn;
    return true;
}
