/* Nothing is allocated in a turn. The sanitizer's allocator tells of every malloc and free; a mapping would show. */
#include "workers.h"

#include <fcntl.h>
#include <sanitizer/allocator_interface.h>
#include <stdio.h>
#include <unistd.h>

static bool turning;
static uint64_t allocations;

static void on_malloc(const volatile void *memory, size_t bytes) {
    (void)memory;
    (void)bytes;
    allocations += turning;
}

static void on_free(const volatile void *memory) {
    (void)memory;
    allocations += turning;
}

/* Bytes mapped but for the stack, which may grow. */
static uint64_t mapped_bytes(void) {
    static char text[1 << 20];
    int fd = open("/proc/self/maps", O_RDONLY);
    assert_true(fd >= 0);
    size_t len = 0;
    for (ssize_t n; (n = read(fd, text + len, sizeof text - 1 - len)) > 0;) len += (size_t)n;
    close(fd);
    text[len] = 0;
    uint64_t sum = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = 0;
        unsigned long from = 0, to = 0;
        assert_int_equal(2, sscanf(line, "%lx-%lx", &from, &to));
        if (strstr(line, "[stack]") == NULL) sum += to - from;
    }
    return sum;
}

static void watched_turn(sides *t, side *s) {
    turning = true;
    turn(t, s);
    turning = false;
}

static void cross(sides *t) {
    watched_turn(t, &t->a);
    watched_turn(t, &t->b);
    carry(&t->a, &t->b);
    carry(&t->b, &t->a);
    watched_turn(t, &t->b);
    watched_turn(t, &t->a);
    static uint8_t bytes[OX_BUF_BYTES];
    static ox_event event;
    size_t len;
    while (ox_memory_pop(t->a.device, bytes, &len, NULL, NULL)) {}
    while (ox_memory_pop(t->b.device, bytes, &len, NULL, NULL)) {}
    while (ox_worker_event(t->a.worker, &event)) {}
    while (ox_worker_event(t->b.worker, &event)) {}
}

static void everything(sides *t, const uint8_t *initiation, size_t initiation_len, uint32_t round) {
    static packet p;
    for (uint32_t i = 0; i < 40; i++) {
        make(&p, i % 3 == 0 ? 1500 : 60 + i, false, (uint8_t)i);
        assert_true(ox_memory_push(t->a.device, p.bytes, p.len, NULL, 0));
        make(&p, i % 5 == 0 ? 1400 : 90, true, (uint8_t)i);
        assert_true(ox_memory_push(t->b.device, p.bytes, p.len, NULL, 0));
    }
    assert_true(ox_memory_push(t->a.device, p.bytes, 10, NULL, 0)); // no packet at all
    for (uint32_t i = 0; i < 100; i++) { // more than pass without a cookie
        ox_address from = {.ip = {[10] = 0xff, [11] = 0xff, [15] = (uint8_t)i}, .port = 9};
        assert_true(ox_memory_push(t->b.network, initiation, initiation_len, &from, 0));
    }
    order(&t->a, (ox_order){.kind = OX_ORDER_KEEPALIVE, .session = 1});
    order(&t->a, (ox_order){.kind = OX_ORDER_PROBE, .session = 1, .size = 1300 + round});
    order(&t->a, (ox_order){.kind = OX_ORDER_CHALLENGE, .session = 1, .token = round, .address = t->b.address});
    order(&t->a, (ox_order){.kind = OX_ORDER_SET_MTU, .peer = 5, .size = 1200 + round});
    order(&t->a, (ox_order){.kind = OX_ORDER_HANDSHAKE, .size = 64, .address = t->b.address});
    order(&t->b, (ox_order){.kind = OX_ORDER_CLOSE, .session = 2, .size = 1});
    order(&t->b, (ox_order){.kind = OX_ORDER_SET_POLICY, .object = &t->b.policy});
}

static void a_turn_allocates_nothing(void **state) {
    (void)state;
    sides t;
    sides_begin(&t);
    t.b.policy.handshakes_per_second = 20;
    ox_handshake *handshake = ox_handshake_create();
    uint8_t zero[OX_OFFER_BYTES_MAX] = {0}, initiation[OX_HANDSHAKE_MAX];
    size_t len;
    assert_int_equal(OX_OK, ox_handshake_initiate(handshake, t.a.identity, ox_identity_public(t.b.identity), zero, 1, zero, sizeof zero,
                                                  initiation, &len));
    ox_handshake_destroy(handshake);
    assert_true(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0);
    (void)mapped_bytes();
    uint64_t mapped = mapped_bytes();
    for (uint32_t round = 0; round < 200; round++) {
        everything(&t, initiation, len, round);
        for (uint32_t i = 0; i < 5; i++, t.now += 30 * MS) cross(&t);
    }
    // Without a session packets are staged, and dropped.
    order(&t.a, (ox_order){.kind = OX_ORDER_REMOVE_SESSION, .session = 1});
    watched_turn(&t, &t.a);
    everything(&t, initiation, len, 0);
    cross(&t);
    order(&t.a, (ox_order){.kind = OX_ORDER_DROP_STAGED, .peer = 5, .size = OX_DROP_NO_SESSION});
    cross(&t);
    assert_int_equal(mapped, mapped_bytes());
    assert_int_equal(0, allocations);

    turning = true; // the hooks do see what they should
    void *volatile memory = malloc(1);
    free(memory);
    turning = false;
    assert_int_equal(2, allocations);
    // The workload was what it should be.
    assert_true(drops(&t.b, OX_DROP_HANDSHAKE_COOKIE_SENT) > 0);
    assert_true(drops(&t.a, OX_DROP_NO_SESSION) > 0);
    assert_int_equal(0, drops(&t.b, OX_DROP_SPLIT_MALFORMED) + drops(&t.b, OX_DROP_UNAUTHENTICATED));
    ox_session_destroy(t.a.session);
    t.a.session = NULL;
    sides_finish(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
