/* Two workers of one end: packets reach the one that has the peer, and buffers find their way home. */
#include "Tests/C/COxPacket/packets.h"
#include "oxcore/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#define MS ((uint64_t)1000000)
enum { WORKERS = 2, QUEUE = 2048, PEERS = 4, EXCHANGED = 20000 };

typedef struct end_of_tunnel {
    ox_identity *identity;
    ox_worker *workers[WORKERS];
    ox_port *devices[WORKERS], *networks[WORKERS];
    ox_routes *routes;
    ox_policy policy;
    ox_peer *peers[PEERS];
    ox_session *sessions[PEERS];
    uint64_t now, next;
} end_of_tunnel;

static void order(ox_worker *worker, ox_order o) { assert_true(ox_worker_order(worker, &o)); }

/* Peer i, 10.0.0.i, is in worker i % 2, and so is its session, whose local id is i. */
static void add_peer(end_of_tunnel *t, uint32_t id) {
    ox_worker *worker = t->workers[ox_peer_worker(id, WORKERS)];
    uint8_t key[OX_KEY_BYTES] = {(uint8_t)id};
    assert_int_equal(ox_peer_worker(id, WORKERS), ox_udp_worker(id, WORKERS));
    t->peers[id] = ox_peer_create(id);
    t->sessions[id] = ox_session_create(
        &(ox_session_parameters){.peer = id, .local = id, .remote = id, .remote_bytes = 1, .created_ns = t->now},
        ox_keys_create(OX_AEAD_CHACHA20POLY1305, key, key));
    const ox_address address = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 192, [15] = (uint8_t)id}, .port = 7};
    order(worker, (ox_order){.kind = OX_ORDER_ADD_PEER, .object = t->peers[id]});
    order(worker, (ox_order){.kind = OX_ORDER_ADD_SESSION, .session = id, .object = t->sessions[id]});
    order(worker, (ox_order){.kind = OX_ORDER_MOVE_PATH, .peer = id, .address = address});
    order(worker, (ox_order){.kind = OX_ORDER_USE_SESSION, .session = id});
}

static void begin(end_of_tunnel *t) {
    assert_int_equal(OX_OK, ox_init());
    *t = (end_of_tunnel){.now = 1000 * MS};
    uint8_t key[OX_KEY_BYTES];
    ox_key_random(key, true);
    t->identity = ox_identity_create(key);
    ox_route routes[PEERS];
    for (uint32_t i = 0; i < PEERS; i++)
        routes[i] = (ox_route){.ip = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = (uint8_t)i}, .bits = 128, .peer = i};
    t->routes = ox_routes_create(routes, PEERS);
    ox_policy_defaults(&t->policy);
    t->policy.routes = t->routes;
    t->policy.batch = false; /* a datagram each */
    for (uint32_t i = 0; i < WORKERS; i++) {
        t->devices[i] = ox_memory_open(QUEUE);
        t->networks[i] = ox_memory_open(QUEUE);
        t->workers[i] = ox_worker_create(&(ox_worker_parameters){.session_id_bytes = 1,
                                                                 .node = -1,
                                                                 .identity = t->identity,
                                                                 .device = t->devices[i],
                                                                 .network = t->networks[i],
                                                                 .worker = i,
                                                                 .workers = WORKERS});
        assert_non_null(t->workers[i]);
    }
    assert_true(ox_worker_connect(t->workers, WORKERS));
    for (uint32_t i = 0; i < WORKERS; i++)
        order(t->workers[i], (ox_order){.kind = OX_ORDER_SET_POLICY, .object = &t->policy});
    for (uint32_t i = 0; i < PEERS; i++) add_peer(t, i);
    for (uint32_t i = 0; i < WORKERS; i++) ox_worker_turn(t->workers[i], t->now, &t->next);
}

/* In either order, with buffers of each in the other: asserts that all of them are back. */
static void finish(end_of_tunnel *t, bool backwards) {
    for (uint32_t i = 0; i < WORKERS; i++) ox_worker_destroy(t->workers[backwards ? WORKERS - 1 - i : i]);
    for (uint32_t i = 0; i < PEERS; i++) {
        ox_session_destroy(t->sessions[i]);
        ox_peer_destroy(t->peers[i]);
    }
    ox_routes_destroy(t->routes);
    ox_identity_destroy(t->identity);
}

static ox_worker_report report_of(const ox_worker *worker) {
    ox_worker_report report;
    ox_worker_status(worker, &report);
    return report;
}

/* A UDP packet to a peer. */
static void make(packet *p, uint32_t to) {
    static const uint8_t payload[600] = {1, 2, 3};
    begin_v4(p, OX_PROTO_UDP, 0);
    p->bytes[12] = p->bytes[16] = 10;
    p->bytes[13] = p->bytes[14] = p->bytes[17] = p->bytes[18] = 0;
    p->bytes[15] = 9;
    p->bytes[19] = (uint8_t)to;
    put_udp(p, 1, 2, payload, sizeof payload);
    end(p);
    ox_headers headers;
    assert_int_equal(OX_PASS, ox_parse(p->bytes, p->len, &headers));
    ox_store_be16(p->bytes + 26, (uint16_t)ox_checksum_pseudo(p->bytes, &headers, (uint32_t)p->len - 20));
    ox_checksum_complete(p->bytes, &headers);
}

/* Datagrams that left by this worker's port, by the peer that they went to. */
static uint32_t count_sent(end_of_tunnel *t, uint32_t worker, uint32_t to[PEERS]) {
    static _Thread_local uint8_t bytes[OX_BUF_BYTES];
    size_t len;
    ox_address address;
    uint32_t count = 0;
    for (; ox_memory_pop(t->networks[worker], bytes, &len, &address, NULL); count++) {
        assert_true(address.ip[15] < PEERS && bytes[1] == address.ip[15]);
        to[address.ip[15]]++;
    }
    return count;
}

static void a_packet_leaves_by_the_worker_that_has_the_peer(void **state) {
    (void)state;
    end_of_tunnel t;
    packet p;
    uint32_t to[PEERS] = {0};
    begin(&t);
    for (uint32_t id = 0; id < PEERS; id++) {
        make(&p, id);
        assert_true(ox_memory_push(t.devices[0], p.bytes, p.len, NULL, 0));
    }
    ox_worker_turn(t.workers[0], t.now, &t.next);
    assert_int_equal(2, count_sent(&t, 0, to));
    assert_int_equal(0, count_sent(&t, 1, to));
    ox_worker_wait(t.workers[1], UINT64_MAX); /* it has been woken */
    ox_worker_turn(t.workers[1], t.now, &t.next);
    assert_int_equal(2, count_sent(&t, 1, to));
    for (uint32_t id = 0; id < PEERS; id++) assert_int_equal(1, to[id]);
    assert_int_equal(2, report_of(t.workers[0]).handed_over);
    assert_int_equal(2, report_of(t.workers[1]).taken_over);
    assert_int_equal(0, report_of(t.workers[1]).handed_over);
    assert_int_equal(2046, report_of(t.workers[0]).pool.classes[OX_BUF_SMALL].free);
    ox_worker_turn(t.workers[0], t.now, &t.next);
    assert_int_equal(2048, report_of(t.workers[0]).pool.classes[OX_BUF_SMALL].free);
    assert_int_equal(2, report_of(t.workers[0]).pool.classes[OX_BUF_SMALL].returned);
    finish(&t, false);
}

static void a_full_inbox_is_a_counted_drop(void **state) {
    (void)state;
    end_of_tunnel t;
    packet p;
    uint32_t to[PEERS] = {0};
    begin(&t);
    make(&p, 1);
    for (uint32_t i = 0; i < OX_INBOX_CAPACITY + 100; i++)
        assert_true(ox_memory_push(t.devices[0], p.bytes, p.len, NULL, 0));
    while (ox_worker_turn(t.workers[0], t.now, &t.next)) {}
    assert_int_equal(100, report_of(t.workers[0]).drops[OX_DROP_HANDOFF_FULL]);
    assert_int_equal(OX_INBOX_CAPACITY, report_of(t.workers[0]).handed_over);
    uint32_t turns = 1;
    while (ox_worker_turn(t.workers[1], t.now, &t.next)) turns++;
    assert_in_range(turns, OX_INBOX_CAPACITY / OX_TURN_PACKETS_MAX, OX_INBOX_CAPACITY / OX_TURN_PACKETS_MAX + 1);
    assert_int_equal(OX_INBOX_CAPACITY, count_sent(&t, 1, to));
    finish(&t, true);
}

static void what_is_on_its_way_at_the_end_goes_home(void **state) {
    (void)state;
    packet p;
    for (uint32_t backwards = 0; backwards < 2; backwards++) {
        end_of_tunnel t;
        begin(&t);
        order(t.workers[1], (ox_order){.kind = OX_ORDER_REMOVE_SESSION, .session = 1});
        for (uint32_t round = 0; round < 2; round++) {
            for (uint32_t i = 0; i < 20; i++) {
                for (uint32_t from = 0; from < WORKERS; from++) {
                    make(&p, 1 - from);
                    assert_true(ox_memory_push(t.devices[from], p.bytes, p.len, NULL, 0));
                }
            }
            for (uint32_t i = 0; i < WORKERS; i++) ox_worker_turn(t.workers[i], t.now, &t.next);
        }
        finish(&t, backwards != 0); /* some staged, some in the inboxes, some on their way back */
    }
}

/* ---- a thread each ------------------------------------------------------------------------------------------- */

typedef struct turner {
    end_of_tunnel *t;
    uint32_t worker;
    uint64_t pushed, sent;
    uint32_t *busy; /* threads that still push */
    pthread_t thread;
} turner;

static uint64_t dropped(const ox_worker *worker) {
    const ox_worker_report report = report_of(worker);
    uint64_t sum = 0;
    for (uint32_t i = 1; i < OX_VERDICT_COUNT; i++) sum += report.drops[i];
    return sum - report.drops[OX_DROP_EVENT_RING_FULL];
}

static void *keep_turning(void *argument) {
    turner *s = argument;
    packet p[PEERS];
    uint32_t to[PEERS] = {0};
    uint64_t now = s->t->now, next;
    for (uint32_t id = 0; id < PEERS; id++) make(&p[id], id);
    bool told = false;
    while (__atomic_load_n(s->busy, __ATOMIC_ACQUIRE) != 0) {
        for (uint32_t i = 0; i < 24 && s->pushed < EXCHANGED; i++, s->pushed++)
            if (!ox_memory_push(s->t->devices[s->worker], p[s->pushed % PEERS].bytes, p[0].len, NULL, 0)) break;
        const bool more = ox_worker_turn(s->t->workers[s->worker], now, &next);
        s->sent += count_sent(s->t, s->worker, to);
        if (!told && s->pushed == EXCHANGED) {
            __atomic_fetch_sub(s->busy, 1, __ATOMIC_RELEASE);
            told = true;
        }
        if (!more) ox_worker_wait(s->t->workers[s->worker], MS / 10);
    }
    return NULL;
}

static void packets_and_buffers_are_conserved_between_threads(void **state) {
    (void)state;
    end_of_tunnel t;
    uint32_t busy = WORKERS;
    turner turners[WORKERS];
    begin(&t);
    for (uint32_t i = 0; i < WORKERS; i++) {
        turners[i] = (turner){.t = &t, .worker = i, .busy = &busy};
        assert_int_equal(0, pthread_create(&turners[i].thread, NULL, keep_turning, &turners[i]));
    }
    for (uint32_t i = 0; i < WORKERS; i++) assert_int_equal(0, pthread_join(turners[i].thread, NULL));
    uint32_t to[PEERS] = {0};
    for (uint32_t round = 0; round < 2; round++) { /* what is on its way there, and its buffers on their way back */
        for (uint32_t i = 0; i < WORKERS; i++) {
            while (ox_worker_turn(t.workers[i], t.now, &t.next)) {}
            turners[i].sent += count_sent(&t, i, to);
        }
    }
    uint64_t pushed = 0, ended = 0, handed = 0, taken = 0;
    for (uint32_t i = 0; i < WORKERS; i++) {
        const ox_worker_report report = report_of(t.workers[i]);
        pushed += turners[i].pushed;
        ended += turners[i].sent + dropped(t.workers[i]);
        handed += report.handed_over;
        taken += report.taken_over;
        for (uint32_t c = 0; c < OX_BUF_CLASSES; c++)
            assert_int_equal(report.pool.classes[c].buffers, report.pool.classes[c].free);
    }
    assert_int_equal(WORKERS * EXCHANGED, pushed);
    assert_int_equal(pushed, ended);
    assert_int_equal(handed, taken);
    assert_true(handed > 0);
    finish(&t, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_leaves_by_the_worker_that_has_the_peer),
        cmocka_unit_test(a_full_inbox_is_a_counted_drop),
        cmocka_unit_test(what_is_on_its_way_at_the_end_goes_home),
        cmocka_unit_test(packets_and_buffers_are_conserved_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
