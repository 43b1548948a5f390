#include "CSources/COxWorker/state.h"
#include "workers.h"

#include <poll.h>

static packet in, out;

static void packets_cross(void **state) {
    (void)state;
    sides t;
    sides_begin(&t);
    for (size_t len = 28; len <= 1500; len += 46) {
        make(&in, len, false, 7);
        assert_true(ox_memory_push(t.a.device, in.bytes, in.len, NULL, 0));
        assert_false(turn(&t, &t.a));
        carry(&t.a, &t.b);
        turn(&t, &t.b);
        assert_true(ox_memory_pop(t.b.device, out.bytes, &out.len, NULL, NULL));
        assert_int_equal(in.len, out.len);
        assert_memory_equal(in.bytes, out.bytes, in.len);
        assert_false(ox_memory_pop(t.b.device, out.bytes, &out.len, NULL, NULL));
    }
    ox_worker_report report;
    ox_worker_status(t.a.worker, &report);
    assert_int_equal(33, report.device.received);
    assert_true(report.network.sent >= 33);
    assert_int_equal(2048, report.pool.classes[OX_BUF_SMALL].buffers);
    assert_int_equal(128, report.pool.classes[OX_BUF_LARGE].buffers);
    sides_finish(&t);
}

static void a_full_batch_says_there_is_more(void **state) {
    (void)state;
    sides t;
    sides_begin(&t);
    make(&in, 100, false, 7);
    for (uint32_t i = 0; i < OX_PORT_BATCH + 1; i++) assert_true(ox_memory_push(t.a.device, in.bytes, in.len, NULL, 0));
    assert_true(turn(&t, &t.a));
    assert_false(turn(&t, &t.a));
    carry(&t.a, &t.b);
    turn(&t, &t.b);
    uint32_t got = 0;
    while (ox_memory_pop(t.b.device, out.bytes, &out.len, NULL, NULL)) got++;
    assert_int_equal(OX_PORT_BATCH + 1, got);
    sides_finish(&t);
}

static void orders_to_repair_are_taken_within_their_limits(void **state) {
    (void)state;
    sides t;
    sides_begin(&t);
    ox_order repair = {.kind = OX_ORDER_SET_REPAIR, .peer = 5, .repair = {.watch = 1}};
    repair.repair.classes[OX_CLASS_GAMING] = (ox_repair_order){.copies = 2, .offsets = {1, 3}, .deadline_ns = 70000000};
    repair.repair.classes[OX_CLASS_BULK] =
        (ox_repair_order){.copies = 99, .permille = 1 << 20, .window = 1000, .interleave = 1000, .resend = 1};
    order(&t.a, repair);
    repair.peer = 6; // nobody
    order(&t.a, repair);
    turn(&t, &t.a);
    ox_peer_report report;
    ox_peer_status(t.a.peer, &report);
    const ox_path_repair *is = &report.repair_orders[0];
    assert_memory_equal(&repair.repair.classes[OX_CLASS_GAMING], &is->classes[OX_CLASS_GAMING], sizeof(ox_repair_order));
    const ox_repair_order most = {.copies = OX_REPAIR_COPIES_MAX, .permille = OX_REPAIR_PERMILLE_MAX,
                                  .window = OX_REPAIR_WINDOW_MAX, .interleave = OX_REPAIR_INTERLEAVE_MAX, .resend = 1};
    assert_memory_equal(&most, &is->classes[OX_CLASS_BULK], sizeof most);
    sides_finish(&t);
}

static void the_next_deadline_is_told(void **state) {
    (void)state;
    sides t;
    sides_begin(&t);
    make(&in, 100, false, 7);
    assert_true(ox_memory_push(t.a.device, in.bytes, in.len, NULL, 0));
    turn(&t, &t.a);
    carry(&t.a, &t.b);
    turn(&t, &t.b);
    for (uint32_t i = 0; i < 20 && t.b.next_ns != UINT64_MAX; i++) {
        assert_true(t.b.next_ns > t.now);
        t.now = t.b.next_ns;
        turn(&t, &t.b);
    }
    assert_int_equal(UINT64_MAX, t.b.next_ns);
    assert_int_equal(1, carry(&t.b, &t.a)); // the feedback
    sides_finish(&t);
}

static void what_ports_refuse_is_counted(void **state) {
    (void)state;
    sides t;
    sides_begin(&t);
    make(&in, 1100, false, 7);
    for (uint32_t i = 0; i < QUEUE + 20; i++) {
        assert_true(ox_memory_push(t.a.device, in.bytes, in.len, NULL, 0));
        turn(&t, &t.a);
    }
    assert_int_equal(20, drops(&t.a, OX_DROP_SEND_FAILED));
    ox_worker_report report;
    ox_worker_status(t.a.worker, &report);
    assert_int_equal(20, report.network.send_failed);
    sides_finish(&t);
}

static void orders_that_cannot_be_give_their_object_back(void **state) {
    (void)state;
    sides t;
    ox_event event;
    sides_begin(&t);
    uint8_t key[OX_KEY_BYTES] = {1};
    static const struct {
        uint32_t peer, local;
    } bad[] = {{5, 1}, {5, 256}, {5, UINT32_MAX}, {6, 9}}; // taken, too large, and a peer unknown
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ox_session *session =
            ox_session_create(&(ox_session_parameters){.peer = bad[i].peer, .local = bad[i].local, .remote_bytes = 1},
                              ox_keys_create(OX_AEAD_CHACHA20POLY1305, key, key));
        order(&t.a, (ox_order){.kind = OX_ORDER_ADD_SESSION, .session = bad[i].local, .object = session});
        turn(&t, &t.a);
        assert_true(find_event(&t.a, OX_EVENT_SESSION_RETIRED, &event));
        assert_ptr_equal(session, event.object);
        ox_session_destroy(session);
    }
    // Orders about what is not there do nothing.
    for (uint32_t kind = OX_ORDER_REMOVE_PEER; kind <= OX_ORDER_DROP_STAGED; kind++) {
        if (kind == OX_ORDER_ADD_SESSION || kind == OX_ORDER_HANDSHAKE) continue;
        order(&t.a, (ox_order){.kind = (ox_order_kind)kind, .peer = 77, .session = 77, .size = OX_DROP_NO_SESSION});
        order(&t.a, (ox_order){.kind = (ox_order_kind)kind, .peer = UINT32_MAX, .session = UINT32_MAX, .size = 1, .path = 9});
    }
    turn(&t, &t.a);
    assert_false(find_event(&t.a, OX_EVENT_SESSION_RETIRED, &event));
    assert_int_equal(0, carry(&t.a, &t.b));
    sides_finish(&t);
}

static void the_queue_of_orders_is_bounded(void **state) {
    (void)state;
    sides t;
    sides_begin(&t);
    ox_order keepalive = {.kind = OX_ORDER_KEEPALIVE, .session = 1};
    for (uint32_t i = 0; i < OX_ORDERS_CAPACITY; i++) order(&t.a, keepalive);
    assert_false(ox_worker_order(t.a.worker, &keepalive));
    uint32_t turns = 0, sent = 0;
    for (bool more = true; more; turns++) {
        more = turn(&t, &t.a);
        uint8_t bytes[OX_BUF_BYTES];
        size_t len;
        while (ox_memory_pop(t.a.network, bytes, &len, NULL, NULL)) sent++;
    }
    assert_int_equal(OX_ORDERS_CAPACITY, sent);
    assert_int_equal(5, turns);
    sides_finish(&t);
}

static void policies_are_echoed(void **state) {
    (void)state;
    sides t;
    ox_event event;
    sides_begin(&t);
    assert_true(find_event(&t.a, OX_EVENT_POLICY_TAKEN, &event));
    assert_int_equal(1, event.token);
    t.a.policy.epoch = 77;
    order(&t.a, (ox_order){.kind = OX_ORDER_SET_POLICY, .object = &t.a.policy});
    turn(&t, &t.a);
    assert_true(find_event(&t.a, OX_EVENT_POLICY_TAKEN, &event));
    assert_int_equal(77, event.token);
    sides_finish(&t);
}

static void what_is_retired_comes_back_although_the_ring_was_full(void **state) {
    (void)state;
    sides t;
    ox_event event;
    sides_begin(&t);
    for (uint32_t i = 0; i < OX_EVENTS_CAPACITY + 50; i++) {
        order(&t.a, (ox_order){.kind = OX_ORDER_SET_POLICY, .object = &t.a.policy});
        turn(&t, &t.a);
    }
    order(&t.a, (ox_order){.kind = OX_ORDER_REMOVE_SESSION, .session = 1});
    order(&t.a, (ox_order){.kind = OX_ORDER_REMOVE_PEER, .peer = 5});
    for (uint32_t i = 0; i < 3; i++) turn(&t, &t.a);
    uint32_t sessions = 0, peers = 0;
    for (uint32_t round = 0; round < 3; round++) {
        while (ox_worker_event(t.a.worker, &event)) {
            sessions += event.kind == OX_EVENT_SESSION_RETIRED && event.object == t.a.session && event.session == 1;
            peers += event.kind == OX_EVENT_PEER_RETIRED && event.object == t.a.peer && event.peer == 5;
        }
        turn(&t, &t.a);
    }
    assert_int_equal(1, sessions);
    assert_int_equal(1, peers);
    ox_session_destroy(t.a.session);
    t.a.session = NULL;
    order(&t.a, (ox_order){.kind = OX_ORDER_ADD_PEER, .object = t.a.peer});
    sides_finish(&t);
}

static void shutdown_stops_reading_the_device_alone(void **state) {
    (void)state;
    sides t;
    sides_begin(&t);
    make(&in, 100, false, 7);
    order(&t.a, (ox_order){.kind = OX_ORDER_STOP_READING});
    order(&t.a, (ox_order){.kind = OX_ORDER_CLOSE, .session = 1, .size = 4});
    assert_true(ox_memory_push(t.a.device, in.bytes, in.len, NULL, 0));
    turn(&t, &t.a);
    assert_int_equal(1, carry(&t.a, &t.b));
    turn(&t, &t.b);
    ox_event event;
    assert_true(find_event(&t.b, OX_EVENT_CLOSED, &event));
    assert_int_equal(4, event.size);
    make(&in, 100, true, 7);
    assert_true(ox_memory_push(t.b.device, in.bytes, in.len, NULL, 0));
    turn(&t, &t.b);
    carry(&t.b, &t.a);
    turn(&t, &t.a);
    assert_true(ox_memory_pop(t.a.device, out.bytes, &out.len, NULL, NULL));
    sides_finish(&t);
}

static bool readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void a_pool_that_did_not_suffice_is_to_grow(void **state) {
    (void)state;
    sides t;
    sides_begin(&t);
    ox_event event;
    ox_list held = {0};
    ox_pool *pool = t.a.worker->pool;
    turn(&t, &t.a);
    assert_false(find_event(&t.a, OX_EVENT_POOL_LOW, &event));
    for (int round = 0; round < 2; round++) {
        // Within the turn there were none, and at its end all are back.
        for (ox_buf *buf; (buf = ox_pool_get(pool, OX_BUF_LARGE)) != NULL;) ox_list_append(&held, buf);
        ox_pool_put_list(pool, &held);
        turn(&t, &t.a);
        assert_true(find_event(&t.a, OX_EVENT_POOL_LOW, &event));
        assert_int_equal(OX_BUF_LARGE, event.size);
        turn(&t, &t.a);
        assert_false(find_event(&t.a, OX_EVENT_POOL_LOW, &event));
        t.now += 6000 * MS; // a request that nobody answered is made again
        turn(&t, &t.a);
        assert_false(find_event(&t.a, OX_EVENT_POOL_LOW, &event));
    }
    sides_finish(&t);
}

static void events_and_orders_wake(void **state) {
    (void)state;
    sides t;
    ox_event event;
    sides_begin(&t);
    assert_true(readable(ox_worker_event_descriptor(t.a.worker)));
    ox_worker_clear_events(t.a.worker);
    while (ox_worker_event(t.a.worker, &event)) {}
    turn(&t, &t.a);
    assert_false(readable(ox_worker_event_descriptor(t.a.worker)));
    order(&t.a, (ox_order){.kind = OX_ORDER_SET_POLICY, .object = &t.a.policy});
    ox_worker_wake(t.a.worker);
    ox_worker_wait(t.a.worker, UINT64_MAX); // returns at once
    turn(&t, &t.a);
    assert_true(readable(ox_worker_event_descriptor(t.a.worker)));
    ox_worker_wait(t.a.worker, MS); // the flag is down again: returns after its timeout
    sides_finish(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_cross),
        cmocka_unit_test(a_full_batch_says_there_is_more),
        cmocka_unit_test(orders_to_repair_are_taken_within_their_limits),
        cmocka_unit_test(the_next_deadline_is_told),
        cmocka_unit_test(what_ports_refuse_is_counted),
        cmocka_unit_test(orders_that_cannot_be_give_their_object_back),
        cmocka_unit_test(the_queue_of_orders_is_bounded),
        cmocka_unit_test(policies_are_echoed),
        cmocka_unit_test(what_is_retired_comes_back_although_the_ring_was_full),
        cmocka_unit_test(shutdown_stops_reading_the_device_alone),
        cmocka_unit_test(a_pool_that_did_not_suffice_is_to_grow),
        cmocka_unit_test(events_and_orders_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
