/* Nothing is allocated in a turn. The sanitizer's allocator tells of every malloc and free; a mapping would show. */
#include "Tests/C/COxPacket/supers.h"
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

/* Carries every datagram, those of one size that follow each other in one buffer, a shorter one behind them. */
static void carry_grouped(side *from, side *to) {
    static uint8_t run[OX_BUF_LARGE_CONTENT_MAX], bytes[OX_BUF_BYTES];
    ox_buf like = {.address = from->address};
    size_t len, filled = 0;
    uint8_t ecn;
    for (bool more = true; more;) {
        more = ox_memory_pop(from->network, bytes, &len, NULL, &ecn);
        bool joins = more && filled > 0 && filled % like.segment == 0 && len <= like.segment && ecn == like.ecn &&
                     filled + len <= UINT16_MAX;
        if (filled > 0 && !joins) {
            if (filled <= like.segment) assert_true(ox_memory_push(to->network, run, filled, &from->address, like.ecn));
            else assert_true(ox_memory_push_super(to->network, run, filled, &like));
            filled = 0;
        }
        if (!more) break;
        if (filled == 0) like.segment = (uint16_t)len;
        like.ecn = ecn;
        memcpy(run + filled, bytes, len);
        filled += len;
    }
}

static void cross(sides *t) {
    watched_turn(t, &t->a);
    watched_turn(t, &t->b);
    carry_grouped(&t->a, &t->b);
    carry_grouped(&t->b, &t->a);
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

/* A TCP or UDP packet, or a super-packet with `segment`, into a side's device. */
static void push(side *s, bool back, spec is, uint32_t segment) {
    static uint8_t bytes[OX_BUF_LARGE_CONTENT_MAX];
    size_t len = write_packet(bytes, &is, segment != 0);
    memcpy(bytes + 12, (const uint8_t[8]){10, 0, 0, back ? 2 : 1, 10, 0, 0, back ? 1 : 2}, 8);
    naive_finish(bytes, len, segment != 0);
    ox_buf like = {.segment = (uint16_t)segment, .transport = 20, .protocol = is.protocol};
    if (segment != 0) assert_true(ox_memory_push_super(s->device, bytes, len, &like));
    else assert_true(ox_memory_push(s->device, bytes, len, NULL, 0));
}

/* Trains, and packets that become super-packets at the other end. */
static void streams(side *s, bool back, uint32_t round) {
    spec tcp = tcp_spec(4), udp = udp_spec(4);
    tcp.payload = 65535 - spec_header_bytes(&tcp) - round * 50;
    push(s, back, tcp, 1448);
    udp.payload = 20000 + round;
    push(s, back, udp, 1000);
    tcp.source++;
    tcp.payload = 500;
    for (uint32_t i = 0; i < 8; i++, tcp.sequence += 500, tcp.id++) push(s, back, tcp, 0);
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
    streams(&t->a, false, round);
    streams(&t->b, true, round);
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
    // Packets wait for pacer and window, for company, and too long.
    for (uint32_t round = 0; round < 60; round++) {
        ox_path_limits limits = {.rate = 1000000 + 1000 * round, .quantum = 4800, .window = 40000, .urgent = round % 2,
                                 .loss_permille = 20, .hold_ns = {[OX_CLASS_GENERAL] = round % 3 * MS}};
        order(&t.a, (ox_order){.kind = OX_ORDER_SET_LIMITS, .peer = 5, .limits = limits});
        everything(&t, initiation, len, round);
        for (uint32_t i = 0; i < 10; i++, t.now += 7 * MS) cross(&t);
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
    assert_true(drops(&t.a, OX_DROP_QUEUE_DELAY) > 0);
    for (uint32_t i = 0; i < 2; i++) {
        ox_worker_report report;
        ox_worker_status(i == 0 ? t.a.worker : t.b.worker, &report);
        assert_true(report.device.super_sent >= 3 * 190 && report.network.super_received >= 2 * 190);
        assert_int_equal(0, report.drops[OX_DROP_TRAIN_MALFORMED] + report.drops[OX_DROP_TRAIN_UNFINISHED] +
                                report.drops[OX_DROP_POOL_EMPTY] + report.drops[OX_DROP_DEVICE_WRITE]);
    }
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
