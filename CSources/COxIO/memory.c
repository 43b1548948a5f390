#include "oxcore/io.h"

#include <stdlib.h>

typedef struct packet {
    ox_address address;
    uint32_t len;
    uint8_t ecn;
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
    uint64_t received, sent, failed;
} memory;

static bool put(memory *m, queue *q, const uint8_t *bytes, size_t len, const ox_address *address, uint8_t ecn) {
    if (q->count == m->capacity || len > OX_BUF_CONTENT_MAX) return false;
    packet *p = &q->packets[(q->first + q->count++) % m->capacity];
    p->len = (uint32_t)len;
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

static uint32_t memory_receive(ox_port *port, ox_pool *pool, ox_list *out, uint32_t max) {
    memory *m = (memory *)port;
    uint32_t count = 0;
    for (; count < max && m->in.count > 0; count++) {
        ox_buf *buf = ox_pool_get(pool);
        if (buf == NULL) break;
        packet *p = take(m, &m->in);
        memcpy(buf->data, p->bytes, p->len);
        buf->len = p->len;
        buf->ecn = p->ecn;
        buf->address = p->address;
        ox_list_append(out, buf);
    }
    ox_count(&m->received, count);
    return count;
}

static uint32_t memory_send(ox_port *port, ox_pool *pool, ox_list *packets) {
    memory *m = (memory *)port;
    uint32_t failed = 0, total = packets->count;
    for (ox_buf *buf; (buf = ox_list_take(packets)) != NULL; ox_pool_put(pool, buf))
        failed += !put(m, &m->out, buf->data, buf->len, &buf->address, buf->ecn);
    ox_count(&m->sent, total - failed);
    ox_count(&m->failed, failed);
    return failed;
}

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
}

static void memory_close(ox_port *port) {
    memory *m = (memory *)port;
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
