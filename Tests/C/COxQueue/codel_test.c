#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "queued.h"

static queued world;

static int open(void **state) {
    (void)state;
    open_queues(&world, pool_of(4000, 32), 4000, 32);
    return 0;
}

static int close(void **state) {
    (void)state;
    end_queues(&world);
    return 0;
}

static ox_queue_class_report report_of(ox_class class_) {
    ox_queue_class_report reports[OX_CLASSES];
    ox_queue_status(world.queues[0], reports);
    return reports[class_];
}

/* A flow that comes and leaves at one packet a millisecond, with a standing queue of so many packets. */
static void run(ox_class class_, uint32_t standing, uint32_t milliseconds, uint8_t ecn) {
    for (uint32_t i = 0; i < milliseconds; i++) {
        while (ox_queue_waiting(world.queues[0], 1u << class_) < standing) push(&world, 0, class_, 0, 1000, 1, ecn);
        pop(&world, 0, EVERY_CLASS, 0, NULL);
        world.now_ns += MS;
    }
}

static void a_short_queue_is_left_alone(void **state) {
    (void)state;
    run(OX_CLASS_WEB, 5, 2000, OX_ECN_ECT0);
    assert_int_equal(report_of(OX_CLASS_WEB).dropped_delay + report_of(OX_CLASS_WEB).marked, 0);
}

static void a_long_queue_is_left_alone_for_an_interval(void **state) {
    (void)state;
    run(OX_CLASS_WEB, 20, 100, OX_ECN_NOT_ECT);
    assert_int_equal(report_of(OX_CLASS_WEB).dropped_delay, 0);
    run(OX_CLASS_WEB, 20, 20, OX_ECN_NOT_ECT);
    assert_int_equal(report_of(OX_CLASS_WEB).dropped_delay, 1);
}

/* After the first drop at t the next ones follow after 100 ms, 100/sqrt(2), 100/sqrt(3) and so on. */
static void drops_come_closer_by_the_square_root(void **state) {
    (void)state;
    uint64_t at[8] = {0};
    for (int n = 0; n < 8;) {
        run(OX_CLASS_WEB, 20, 1, OX_ECN_NOT_ECT);
        if (report_of(OX_CLASS_WEB).dropped_delay > (uint64_t)n) at[n++] = world.now_ns;
    }
    const uint64_t expected_us[7] = {100000, 70711, 57735, 50000, 44721, 40825, 37796};
    uint64_t due = at[0];
    for (int n = 0; n < 7; n++) {
        due += expected_us[n] * 1000;
        assert_in_range(at[n + 1], due - MS, due + 2 * MS);
    }
}

static void what_can_be_marked_is_not_dropped(void **state) {
    (void)state;
    for (int ecn = OX_ECN_ECT1; ecn <= OX_ECN_CE; ecn++) run(OX_CLASS_WEB, 20, 1000, (uint8_t)ecn);
    assert_int_equal(report_of(OX_CLASS_WEB).dropped_delay, 0);
    assert_true(report_of(OX_CLASS_WEB).marked > 20);
    run(OX_CLASS_WEB, 20, 1000, OX_ECN_NOT_ECT);
    assert_true(report_of(OX_CLASS_WEB).dropped_delay > 5);
}

static void a_mark_is_congestion_experienced_under_a_right_checksum(void **state) {
    (void)state;
    uint32_t marked = 0;
    for (int i = 0; i < 400; i++) {
        while (ox_queue_waiting(world.queues[0], EVERY_CLASS) < 20)
            push(&world, 0, OX_CLASS_WEB, i & 2, 1000, 1, OX_ECN_ECT0);
        ox_buf *buf = ox_queue_pop(world.scheduler, world.queues[0], EVERY_CLASS, 0, world.now_ns);
        if (ox_ecn_get(buf->data) == OX_ECN_CE) marked++;
        else assert_int_equal(ox_ecn_get(buf->data), OX_ECN_ECT0);
        if (buf->data[0] == 0x45) assert_int_equal(folded(naive_sum(buf->data, 20)), 0xFFFF);
        world.out[0][buf->class_] += check_left(&world, 0, buf);
        world.out_bytes[0][buf->class_] += buf->len;
        ox_pool_put(world.pool, buf);
        world.now_ns += MS;
    }
    assert_true(marked > 3);
    assert_int_equal(report_of(OX_CLASS_WEB).marked, marked);
}

static void without_ecn_all_are_dropped(void **state) {
    (void)state;
    world.policy.ecn = false;
    ox_scheduler_set_policy(world.scheduler, &world.policy);
    run(OX_CLASS_WEB, 20, 1000, OX_ECN_ECT0);
    assert_int_equal(report_of(OX_CLASS_WEB).marked, 0);
    assert_true(report_of(OX_CLASS_WEB).dropped_delay > 5);
}

static void a_flow_with_one_packet_is_safe_however_late(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        push(&world, 0, OX_CLASS_GAMING, 0, 100, 1, OX_ECN_ECT0);
        push(&world, 0, OX_CLASS_REALTIME, 0, 1400, 1, OX_ECN_NOT_ECT);
        world.now_ns += 500 * MS;
        while (pop(&world, 0, EVERY_CLASS, 0, NULL) != 0) {}
    }
    for (int c = OX_CLASS_GAMING; c <= OX_CLASS_REALTIME; c++)
        assert_int_equal(report_of((ox_class)c).dropped_delay + report_of((ox_class)c).marked, 0);
}

static void a_slow_path_raises_the_target(void **state) {
    (void)state;
    for (int i = 0; i < 2000; i++) {
        while (ox_queue_waiting(world.queues[0], EVERY_CLASS) < 20) push(&world, 0, OX_CLASS_WEB, 0, 1000, 1, 0);
        pop(&world, 0, EVERY_CLASS, 25 * MS, NULL);
        world.now_ns += MS;
    }
    assert_int_equal(report_of(OX_CLASS_WEB).dropped_delay, 0);
}

/* A flow that does not heed drops is dropped from ever more; the others in its class do not notice. */
static void who_does_not_slow_down_suffers_alone(void **state) {
    (void)state;
    for (int i = 0; i < 8000; i++) {
        push(&world, 0, OX_CLASS_WEB, 0, 1400, 1, 0);
        if (i % 20 == 0) push(&world, 0, OX_CLASS_WEB, 4, 200, 1, 0);
        if (i % 4 != 0) pop(&world, 0, EVERY_CLASS, 0, NULL);
        world.now_ns += MS;
        if (i % 20 == 10) assert_int_equal(world.left[0][4], world.pushed[0][4]);
    }
    assert_true(report_of(OX_CLASS_WEB).dropped_delay > 500);
}

/* ---- super-packets ------------------------------------------------------------------------------------------- */

/* One that is not tagged, of so many segments, the last one half as long as the others. */
static ox_buf *push_super(spec s, uint32_t payload, uint32_t segments, uint8_t *copy) {
    s.payload = payload * segments - payload / 2;
    s.flags |= CWR | PSH | FIN;
    ox_buf *buf = buf_of(world.pool, OX_BUF_LARGE, &s, OX_CHECKSUM_PARTIAL);
    buf->segment = (uint16_t)payload;
    buf->transport = s.version == 4 ? 20 : 40;
    buf->protocol = s.protocol;
    memcpy(copy, buf->data, buf->len);
    ox_queue_push(world.scheduler, world.queues[0], buf, OX_CLASS_BULK, 1, world.now_ns);
    world.in[0] += segments;
    return buf;
}

/* What is left of it is cut, and is what cutting the whole had given from there on. Takes the buffer. */
static void check_left_of_super(ox_buf *buf, const uint8_t *copy, uint32_t payload, uint32_t segments, uint32_t gone) {
    static uint8_t expected[3000];
    const ox_headers headers = parsed(buf->data, buf->len);
    ox_list pieces = {0};
    world.out[0][OX_CLASS_BULK] += segments - gone;
    world.out_bytes[0][OX_CLASS_BULK] += buf->len;
    if (segments - gone > 1) {
        assert_int_equal(buf->checksum, OX_CHECKSUM_PARTIAL);
        assert_int_equal(ox_segment(world.pool, buf, &headers, &pieces), 0);
        ox_pool_put(world.pool, buf);
    } else {
        assert_int_equal(buf->segment, 0);
        assert_int_equal(buf->checksum, OX_CHECKSUM_VALID);
        assert_true(ox_checksum_verify(buf->data, &headers));
        ox_list_append(&pieces, buf);
    }
    assert_int_equal(pieces.count, segments - gone);
    for (uint32_t i = gone; i < segments; i++) {
        ox_buf *piece = ox_list_take(&pieces);
        const uint32_t len =
            naive_segment(copy, ox_headers_bytes(&headers), payload * segments - payload / 2, payload, i, expected);
        assert_int_equal(piece->len, len);
        assert_memory_equal(piece->data, expected, len);
        ox_pool_put(world.pool, piece);
    }
}

/*
 * Super-packets leave, each a while after the one before, with others behind them. The longer that is, the more of its first
 * segments one has lost. Returns which numbers of them occurred, a bit each.
 */
static uint64_t check_supers(spec s, uint32_t payload, uint32_t segments) {
    static uint8_t copy[70000];
    ox_buf *waiting[4];
    uint64_t seen = 0, queued_ns[4];
    world.policy.interval_us = 4000;
    ox_scheduler_set_policy(world.scheduler, &world.policy);
    uint32_t pushed = 0, left = 0;
    for (uint32_t round = 0; round < 30; round++) {
        for (; pushed < left + 4; pushed++) {
            waiting[pushed % 4] = push_super(s, payload, segments, copy);
            queued_ns[pushed % 4] = world.now_ns;
        }
        world.now_ns += MS * (1 + round % 3);
        const uint64_t before = report_of(OX_CLASS_BULK).dropped_delay;
        ox_buf *buf = ox_queue_pop(world.scheduler, world.queues[0], EVERY_CLASS, 0, world.now_ns);
        uint32_t gone = (uint32_t)(report_of(OX_CLASS_BULK).dropped_delay - before);
        for (; gone >= segments; gone -= segments) left++; /* all of that one: the next one came */
        assert_ptr_equal(buf, waiting[left % 4]);
        assert_int_equal(buf->queued_ns, queued_ns[left++ % 4]);
        seen |= (uint64_t)1 << gone;
        check_left_of_super(buf, copy, payload, segments, gone);
    }
    clear(&world, 0);
    return seen;
}

static void a_super_packet_loses_its_first_segments(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        assert_true((check_supers(kind_spec(kind), 1400, 40) & 0xF) == 0xF);
        assert_true((check_supers(kind_spec(kind), 1000, 5) & 0x7) == 0x7);
        assert_true((check_supers(kind_spec(kind), 9, 350) & 0x3) == 0x3);
    }
}

static void one_that_is_cut_to_a_single_packet_is_one(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) assert_true((check_supers(kind_spec(kind), 1400, 2) & 2) != 0);
}

static void a_super_packet_is_marked_as_a_whole(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        while (ox_queue_waiting(world.queues[0], EVERY_CLASS) < 200) push(&world, 0, OX_CLASS_BULK, 0, 1400, 40, OX_ECN_ECT0);
        pop(&world, 0, EVERY_CLASS, 0, NULL);
        world.now_ns += 2 * MS;
    }
    const ox_queue_class_report report = report_of(OX_CLASS_BULK);
    assert_int_equal(report.dropped_delay, 0);
    assert_true(report.marked >= 80 && report.marked % 40 == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open, close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_short_queue_is_left_alone),
        TEST(a_long_queue_is_left_alone_for_an_interval),
        TEST(drops_come_closer_by_the_square_root),
        TEST(what_can_be_marked_is_not_dropped),
        TEST(a_mark_is_congestion_experienced_under_a_right_checksum),
        TEST(without_ecn_all_are_dropped),
        TEST(a_flow_with_one_packet_is_safe_however_late),
        TEST(a_slow_path_raises_the_target),
        TEST(who_does_not_slow_down_suffers_alone),
        TEST(a_super_packet_loses_its_first_segments),
        TEST(one_that_is_cut_to_a_single_packet_is_one),
        TEST(a_super_packet_is_marked_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
