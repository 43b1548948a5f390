/* Two workers over ports in memory; the test is the network between them and the control thread of both. */
#ifndef TESTS_COXWORKER_WORKERS_H
#define TESTS_COXWORKER_WORKERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "Tests/C/COxPacket/packets.h"
#include "oxcore/worker.h"

enum { QUEUE = 512 };
#define MS ((uint64_t)1000000)

typedef struct side {
    ox_identity *identity;
    ox_worker *worker;
    ox_port *device, *network;
    ox_routes *routes;
    ox_policy policy;
    ox_peer *peer;
    ox_session *session;
    ox_address address;
    uint32_t local;
    uint64_t next_ns;
} side;

typedef struct sides {
    side a, b;
    uint64_t now;
} sides;

static inline void order(side *s, ox_order o) { assert_true(ox_worker_order(s->worker, &o)); }

static inline bool turn(sides *t, side *s) { return ox_worker_turn(s->worker, t->now, &s->next_ns); }

static inline bool find_event(side *s, ox_event_kind kind, ox_event *event) {
    while (ox_worker_event(s->worker, event))
        if (event->kind == kind) return true;
    return false;
}

static inline void side_begin(side *s, uint8_t own, uint8_t other) {
    uint8_t key[OX_KEY_BYTES];
    ox_key_random(key, true);
    s->identity = ox_identity_create(key);
    s->device = ox_memory_open(QUEUE);
    s->network = ox_memory_open(QUEUE);
    s->worker = ox_worker_create(&(ox_worker_parameters){
        .session_id_bytes = 1, .node = -1, .identity = s->identity, .device = s->device, .network = s->network});
    assert_non_null(s->worker);
    ox_route routes[2] = {{.ip = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = other}, .bits = 128, .peer = 5},
                          {.ip = {0xfd, [15] = other}, .bits = 128, .peer = 5}};
    s->routes = ox_routes_create(routes, 2);
    ox_policy_defaults(&s->policy);
    s->policy.routes = s->routes;
    s->policy.epoch = 1;
    s->peer = ox_peer_create(5);
    s->local = own;
    s->address = (ox_address){.ip = {[10] = 0xff, [11] = 0xff, [12] = 192, [15] = own}, .port = 1000};
    order(s, (ox_order){.kind = OX_ORDER_SET_POLICY, .object = &s->policy});
    order(s, (ox_order){.kind = OX_ORDER_ADD_PEER, .object = s->peer});
}

static inline void side_session(side *s, const side *other, const uint8_t send[32], const uint8_t receive[32], uint64_t now) {
    s->session = ox_session_create(&(ox_session_parameters){.peer = 5,
                                                            .local = s->local,
                                                            .remote = other->local,
                                                            .remote_bytes = 1,
                                                            .features = OX_FEATURE_BATCH | OX_FEATURE_SPLIT |
                                                                        OX_FEATURE_TRAIN,
                                                            .created_ns = now},
                                   ox_keys_create(OX_AEAD_CHACHA20POLY1305, send, receive));
    order(s, (ox_order){.kind = OX_ORDER_ADD_SESSION, .session = s->local, .object = s->session});
    order(s, (ox_order){.kind = OX_ORDER_MOVE_PATH, .peer = 5, .address = other->address});
    order(s, (ox_order){.kind = OX_ORDER_USE_SESSION, .session = s->local});
}

static inline void sides_begin(sides *t) {
    assert_int_equal(OX_OK, ox_init());
    memset(t, 0, sizeof *t);
    t->now = 1000 * MS;
    side_begin(&t->a, 1, 2);
    side_begin(&t->b, 2, 1);
    uint8_t keys[2][OX_KEY_BYTES];
    ox_key_random(keys[0], false);
    ox_key_random(keys[1], false);
    side_session(&t->a, &t->b, keys[0], keys[1], t->now);
    side_session(&t->b, &t->a, keys[1], keys[0], t->now);
    turn(t, &t->a);
    turn(t, &t->b);
}

static inline void side_finish(sides *t, side *s) {
    ox_event event;
    if (s->session != NULL) {
        order(s, (ox_order){.kind = OX_ORDER_REMOVE_SESSION, .session = s->local});
        turn(t, s);
        assert_true(find_event(s, OX_EVENT_SESSION_RETIRED, &event));
        assert_ptr_equal(s->session, event.object);
        ox_session_destroy(s->session);
    }
    order(s, (ox_order){.kind = OX_ORDER_REMOVE_PEER, .peer = 5});
    turn(t, s);
    assert_true(find_event(s, OX_EVENT_PEER_RETIRED, &event));
    assert_ptr_equal(s->peer, event.object);
    ox_peer_destroy(s->peer);
    ox_worker_destroy(s->worker); // asserts that every buffer is back
    ox_routes_destroy(s->routes);
    ox_identity_destroy(s->identity);
}

static inline void sides_finish(sides *t) {
    side_finish(t, &t->a);
    side_finish(t, &t->b);
}

/* Carries every datagram of one to the other; returns how many. */
static inline uint32_t carry(side *from, side *to) {
    uint8_t bytes[OX_BUF_BYTES];
    size_t len;
    ox_address address;
    uint8_t ecn;
    uint32_t count = 0;
    for (; ox_memory_pop(from->network, bytes, &len, &address, &ecn); count++)
        assert_true(ox_memory_push(to->network, bytes, len, &from->address, ecn));
    return count;
}

/* A UDP packet of `len` bytes from a to b, or back. */
static inline void make(packet *p, size_t len, bool back, uint8_t seed) {
    static const uint8_t payload[OX_INNER_MTU] = {1, 2, 3};
    begin_v4(p, OX_PROTO_UDP, 0);
    p->bytes[8] = seed;
    p->bytes[15] = back ? 2 : 1;
    p->bytes[19] = back ? 1 : 2;
    put_udp(p, 1, 2, payload, len - 28);
    end(p);
    ox_headers headers;
    assert_int_equal(OX_PASS, ox_parse(p->bytes, p->len, &headers));
    ox_store_be16(p->bytes + 26, (uint16_t)ox_checksum_pseudo(p->bytes, &headers, (uint32_t)len - 20));
    ox_checksum_complete(p->bytes, &headers);
}

static inline uint64_t drops(const side *s, ox_verdict verdict) {
    ox_worker_report report;
    ox_worker_status(s->worker, &report);
    return report.drops[verdict];
}

#endif
