#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "queued.h"

static queued world;

static int open(void **state) {
    (void)state;
    open_queues(&world, pool_of(6000, 32), 6000, 32);
    return 0;
}

static int close(void **state) {
    (void)state;
    end_queues(&world);
    return 0;
}

static ox_queue_class_report report_of(uint32_t queue, ox_class class_) {
    ox_queue_class_report reports[OX_CLASSES];
    ox_queue_status(world.queues[queue], reports);
    return reports[class_];
}

/* Pops one packet of queue 0 and says which flow it was of; -1 for none. */
static int next_flow(void) {
    ox_buf *buf = ox_queue_pop(world.scheduler, world.queues[0], EVERY_CLASS, FOREVER_NS, world.now_ns);
    if (buf == NULL) return -1;
    const ox_headers headers = parsed(buf->data, buf->len);
    const int flow = ox_load_be16(buf->data + ox_headers_bytes(&headers) + 2);
    world.out[0][buf->class_] += check_left(&world, 0, buf);
    world.out_bytes[0][buf->class_] += buf->len;
    ox_pool_put(world.pool, buf);
    return flow;
}

/* ---- classes ------------------------------------------------------------------------------------------------- */

static void the_most_urgent_class_goes_first(void **state) {
    (void)state;
    for (int c = OX_CLASSES - 1; c >= 0; c--) push(&world, 0, (ox_class)c, (uint32_t)c, 100, 1, 0);
    assert_int_equal(ox_queue_waiting(world.queues[0], 1u << OX_CLASS_WEB | 1u << OX_CLASS_BULK), 2);
    for (int c = 0; c < OX_CLASSES; c++) {
        ox_class class_;
        assert_true(pop(&world, 0, EVERY_CLASS, 0, &class_) != 0);
        assert_int_equal(class_, c);
    }
    assert_int_equal(pop(&world, 0, EVERY_CLASS, 0, NULL), 0);
}

static void only_the_classes_that_are_asked_for_leave(void **state) {
    (void)state;
    push(&world, 0, OX_CLASS_BULK, 1, 100, 1, 0);
    assert_int_equal(pop(&world, 0, 1u << OX_CLASS_GAMING, 0, NULL), 0);
    assert_int_equal(pop(&world, 0, 0, 0, NULL), 0);
    assert_true(pop(&world, 0, 1u << OX_CLASS_BULK, 0, NULL) != 0);
}

static void a_class_that_waits_gets_a_sixteenth_of_those_above(void **state) {
    (void)state;
    uint64_t bytes[OX_CLASSES] = {0};
    for (int i = 0; i < 6000; i++) {
        push(&world, 0, OX_CLASS_GAMING, 1, 1000, 1, 0);
        while (ox_queue_waiting(world.queues[0], 1u << OX_CLASS_REALTIME) < 3) push(&world, 0, OX_CLASS_REALTIME, 2, 500, 1, 0);
        while (ox_queue_waiting(world.queues[0], 1u << OX_CLASS_BULK) < 3) push(&world, 0, OX_CLASS_BULK, 3, 1300, 1, 0);
        ox_class class_ = OX_CLASS_GAMING;
        const uint32_t len = pop(&world, 0, EVERY_CLASS, FOREVER_NS, &class_);
        bytes[class_] += len;
    }
    const double above = (double)bytes[OX_CLASS_GAMING];
    assert_in_range((uint64_t)(1000 * (double)bytes[OX_CLASS_REALTIME] / above), 60, 65);
    assert_in_range((uint64_t)(1000 * (double)bytes[OX_CLASS_BULK] / (above + (double)bytes[OX_CLASS_REALTIME])), 60, 65);
}

static void what_a_class_is_owed_does_not_pile_up(void **state) {
    (void)state;
    push(&world, 0, OX_CLASS_GAMING, 1, 100, 1, 0);
    for (int i = 0; i < 100; i++) push(&world, 0, OX_CLASS_BULK, 3, 1000, 1, 0);
    for (int i = 0; i < 5000; i++) {
        push(&world, 0, OX_CLASS_GAMING, 1, 1000, 1, 0);
        assert_true(pop(&world, 0, 1u << OX_CLASS_GAMING, FOREVER_NS, NULL) != 0);
    }
    int out_of_turn = 0;
    for (ox_class class_ = OX_CLASS_BULK; class_ == OX_CLASS_BULK; out_of_turn++)
        assert_true(pop(&world, 0, EVERY_CLASS, FOREVER_NS, &class_) != 0);
    assert_in_range(out_of_turn - 1, 1, 3);
}

/* ---- flows --------------------------------------------------------------------------------------------------- */

static void flows_of_a_class_share_by_bytes(void **state) {
    (void)state;
    uint64_t bytes[2] = {0};
    for (int i = 0; i < 4000; i++) {
        while (world.pushed[0][0] - world.left[0][0] < 20)
            push(&world, 0, OX_CLASS_GENERAL, 0, 172, 1, 0);
        while (world.pushed[0][4] - world.left[0][4] < 20)
            push(&world, 0, OX_CLASS_GENERAL, 4, 1372, 1, 0);
        bytes[next_flow() == 4] += 1;
    }
    assert_in_range(bytes[0] * 200 * 100 / (bytes[1] * 1400), 97, 103);
}

static void super_packets_count_their_bytes(void **state) {
    (void)state;
    uint64_t bytes[2] = {0};
    for (int i = 0; i < 2000; i++) {
        while (world.pushed[0][0] - world.left[0][0] < 100) push(&world, 0, OX_CLASS_BULK, 0, 1372, 1, 0);
        while (world.pushed[0][4] - world.left[0][4] < 80) push(&world, 0, OX_CLASS_BULK, 4, 1400, 40, 0);
        const uint32_t before = world.left[0][4];
        next_flow();
        const uint32_t of_supers = world.left[0][4] - before;
        bytes[of_supers != 0] += of_supers != 0 ? of_supers : 1;
    }
    assert_in_range(bytes[0] * 100 / bytes[1], 90, 110);
}

static void a_flow_that_begins_goes_before_those_that_queue(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++)
        for (uint32_t flow = 0; flow < 8; flow++) push(&world, 0, OX_CLASS_GENERAL, flow, 1000, 1, 0);
    for (int i = 0; i < 40; i++) assert_true(next_flow() < 8);
    push(&world, 0, OX_CLASS_GENERAL, 99, 100, 1, 0);
    assert_int_equal(next_flow(), 99);
    /* But only with its quantum, and it is not new again before it has gone round. */
    for (int i = 0; i < 20; i++) push(&world, 0, OX_CLASS_GENERAL, 99, 1000, 1, 0);
    int in_a_row = 0;
    while (next_flow() == 99) in_a_row++;
    assert_in_range(in_a_row, 0, 2);
}

static void more_flows_than_there_are_share_one_and_keep_their_order(void **state) {
    (void)state;
    for (uint32_t flow = 0; flow < OX_QUEUE_FLOWS + 300; flow++) push(&world, flow % 2, OX_CLASS_GENERAL, flow, 20, 1, 0);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 1000; i++) pop(&world, i % 2, EVERY_CLASS, 0, NULL);
        for (uint32_t flow = OX_QUEUE_FLOWS; flow < OX_QUEUE_FLOWS + 600; flow++) push(&world, flow % 2, OX_CLASS_GENERAL, flow, 20, 1, 0);
    }
    check_counters(&world);
    assert_int_equal(world.drops[OX_DROP_QUEUE_FULL], 0);
}

/* ---- a flow whose class changes ------------------------------------------------------------------------------- */

static void a_flow_whose_class_changes_keeps_its_order(void **state) {
    (void)state;
    ox_class class_;
    for (int i = 0; i < 20; i++) push(&world, 0, OX_CLASS_GENERAL, 1, 1000, 1, 0);
    push(&world, 0, OX_CLASS_GAMING, 2, 1000, 1, 0);
    for (int i = 0; i < 10; i++) push(&world, 0, OX_CLASS_REALTIME, 1, 1000, 1, 0);
    push(&world, 0, OX_CLASS_BULK, 1, 1000, 1, 0);
    assert_int_equal(report_of(0, OX_CLASS_GENERAL).packets, 31);
    assert_int_equal(ox_queue_waiting(world.queues[0], 1u << OX_CLASS_REALTIME | 1u << OX_CLASS_BULK), 0);
    /* Others are not held up by that, nor is the flow of another queue with the same hash. */
    push(&world, 0, OX_CLASS_REALTIME, 3, 1000, 1, 0);
    push(&world, 1, OX_CLASS_REALTIME, 1, 1000, 1, 0);
    assert_int_equal(report_of(0, OX_CLASS_REALTIME).packets, 1);
    assert_int_equal(report_of(1, OX_CLASS_REALTIME).packets, 1);
    while (pop(&world, 0, EVERY_CLASS, FOREVER_NS, NULL) != 0) {}
    assert_int_equal(world.left[0][1], 31);
    /* Once none waits the new class counts. */
    push(&world, 0, OX_CLASS_GENERAL, 4, 1000, 1, 0);
    push(&world, 0, OX_CLASS_REALTIME, 1, 1000, 1, 0);
    assert_true(pop(&world, 0, EVERY_CLASS, FOREVER_NS, &class_) != 0);
    assert_int_equal(class_, OX_CLASS_REALTIME);
    assert_int_equal(world.left[0][1], 32);
}

static void so_does_one_that_shares_with_others(void **state) {
    (void)state;
    for (uint32_t flow = 0; flow < OX_QUEUE_FLOWS; flow++) push(&world, 1, OX_CLASS_GENERAL, flow, 20, 1, 0);
    for (uint32_t flow = 0; flow < 50; flow++) push(&world, 0, OX_CLASS_GENERAL, flow, 20, 1, 0);
    for (uint32_t flow = 50; flow < 100; flow++) push(&world, 0, OX_CLASS_BULK, flow, 20, 1, 0);
    for (uint32_t flow = 25; flow < 75; flow++) push(&world, 0, OX_CLASS_GAMING, flow, 20, 1, 0);
    for (uint32_t flow = 100; flow < 110; flow++) push(&world, 0, OX_CLASS_GAMING, flow, 20, 1, 0);
    assert_int_equal(report_of(0, OX_CLASS_GENERAL).packets, 75);
    assert_int_equal(report_of(0, OX_CLASS_BULK).packets, 75);
    assert_int_equal(report_of(0, OX_CLASS_GAMING).packets, 10);
    /* Flows that are free again do not change that: the later packets still follow the earlier ones. */
    for (uint32_t i = 0; i < 1000; i++) pop(&world, 1, EVERY_CLASS, FOREVER_NS, NULL);
    for (uint32_t flow = 0; flow < 100; flow++) push(&world, 0, OX_CLASS_WEB, flow, 20, 1, 0);
    assert_int_equal(report_of(0, OX_CLASS_WEB).packets, 0);
    ox_class class_;
    while (pop(&world, 0, EVERY_CLASS, FOREVER_NS, NULL) != 0) {}
    for (uint32_t flow = 0; flow < 100; flow++) {
        assert_int_equal(world.left[0][flow], world.pushed[0][flow]);
        push(&world, 0, OX_CLASS_GAMING, flow, 20, 1, 0);
        assert_true(pop(&world, 0, EVERY_CLASS, FOREVER_NS, &class_) != 0);
        assert_int_equal(class_, OX_CLASS_GAMING);
    }
}

/* ---- limits -------------------------------------------------------------------------------------------------- */

static void the_fattest_flow_of_all_queues_loses(void **state) {
    (void)state;
    world.policy.packets_most = 500;
    ox_scheduler_set_policy(world.scheduler, &world.policy);
    for (int i = 0; i < 300; i++) push(&world, 1, OX_CLASS_GENERAL, 1, 1000, 1, 0);
    for (uint32_t i = 0; i < 400; i++) push(&world, 0, OX_CLASS_GENERAL, i, 100, 1, 0);
    assert_int_equal(ox_queue_waiting(world.queues[0], EVERY_CLASS), 400);
    const ox_queue_class_report report = report_of(1, OX_CLASS_GENERAL);
    assert_in_range(report.packets, 100 - 64, 100);
    assert_int_equal(report.dropped_full, 300 - report.packets);
    /* From its head. */
    pop(&world, 1, EVERY_CLASS, 0, NULL);
    assert_int_equal(world.left[1][1], report.dropped_full + 1);
}

static void bytes_have_a_limit_too(void **state) {
    (void)state;
    world.policy.bytes_most = 200000;
    ox_scheduler_set_policy(world.scheduler, &world.policy);
    for (int i = 0; i < 20; i++) push(&world, 0, OX_CLASS_BULK, 4, 1400, 40, 0);
    assert_in_range(ox_queue_bytes(world.queues[0]), 50000, 200000);
    const ox_queue_class_report report = report_of(0, OX_CLASS_BULK);
    assert_int_equal(report.dropped_full + report.packets, 20 * 40);
}

static void half_of_the_buffers_stay_free(void **state) {
    (void)state;
    for (int i = 0; i < 40; i++) push(&world, 0, OX_CLASS_BULK, 4, 100, 40, 0);
    assert_in_range(ox_pool_free(world.pool, OX_BUF_LARGE), 16, 32);
    for (uint32_t i = 0; i < 5000; i++) push(&world, 0, OX_CLASS_BULK, i % FLOWS, 10, 1, 0);
    assert_in_range(ox_pool_free(world.pool, OX_BUF_SMALL), 3000, 4000);
}

static void who_holds_the_buffers_loses_and_only_what_relieves(void **state) {
    (void)state;
    /* The bulk transfer has by far the most bytes; the small buffers are the flood's, and those of a few others. */
    for (int i = 0; i < 10; i++) push(&world, 0, OX_CLASS_BULK, 4, 1400, 40, 0);
    push(&world, 0, OX_CLASS_BULK, 4, 100, 1, 0);
    for (uint32_t flow = 10; flow < 30; flow++) push(&world, 0, OX_CLASS_GENERAL, flow, 10, 1, 0);
    for (uint32_t i = 0; i < 5000; i++) push(&world, 1, OX_CLASS_GENERAL, 8, 10, 1, 0);
    assert_int_equal(report_of(0, OX_CLASS_BULK).packets, 401);
    assert_int_equal(report_of(0, OX_CLASS_GENERAL).packets, 20);
    assert_int_equal(report_of(1, OX_CLASS_GENERAL).packets, 3000 - 21);
    assert_int_equal(report_of(1, OX_CLASS_GENERAL).dropped_full, 5000 - (3000 - 21));
    /* The other way round as well: supers of one flow above the limit cost that flow, one at a time. */
    for (int i = 0; i < 10; i++) push(&world, 2, OX_CLASS_BULK, 12, 1000, 40, 0);
    assert_int_equal(report_of(2, OX_CLASS_BULK).packets + report_of(0, OX_CLASS_BULK).packets, 16 * 40 + 1);
    assert_int_equal(report_of(1, OX_CLASS_GENERAL).packets, 3000 - 21);
}

/* Each flow of the flood has one packet, and so has the transfer behind its super-packets: those do not go. */
static void a_super_packet_does_not_go_for_a_small_one_behind_it(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) push(&world, 0, OX_CLASS_BULK, 4000, 1400, 40, 0);
    push(&world, 0, OX_CLASS_BULK, 4000, 10, 1, 0);
    for (int i = 0; i < 3; i++) push(&world, 0, OX_CLASS_BULK, 4000, 1400, 2, 0);
    for (uint32_t i = 0; i < 3999; i++) push(&world, i % 2, OX_CLASS_GENERAL, i, 10, 1, 0);
    const ox_queue_class_report report = report_of(0, OX_CLASS_BULK);
    assert_in_range(report.packets, 406, 407);
    assert_in_range(report.dropped_full, 0, 1);
    assert_int_equal(ox_pool_free(world.pool, OX_BUF_LARGE), 32 - 13);
    while (pop(&world, 0, 1u << OX_CLASS_BULK, FOREVER_NS, NULL) != 0) {}
    assert_int_equal(world.left[0][4000], 407);
}

/* ---- without fairness, and away ------------------------------------------------------------------------------ */

static void an_unfair_queue_is_a_fifo_that_drops_what_comes(void **state) {
    (void)state;
    world.policy.fair = false;
    world.policy.packets_most = 10;
    ox_scheduler_set_policy(world.scheduler, &world.policy);
    for (uint32_t i = 0; i < 12; i++) push(&world, 0, (ox_class)(i % OX_CLASSES), i, 100, 1, 0);
    assert_int_equal(report_of(0, OX_CLASS_BULK).packets, 1);
    assert_int_equal(report_of(0, OX_CLASS_BULK).dropped_full, 1);
    world.now_ns += 10000 * MS; /* nor has it CoDel */
    assert_int_equal(ox_queue_waiting(world.queues[0], 1u << OX_CLASS_GENERAL), 10);
    assert_int_equal(ox_queue_waiting(world.queues[0], 1u << OX_CLASS_GAMING), 0);
    for (int i = 0; i < 10; i++) assert_int_equal(next_flow(), i);
    assert_int_equal(next_flow(), -1);
}

static void the_other_way_begins_with_an_empty_queue(void **state) {
    (void)state;
    push(&world, 0, OX_CLASS_BULK, 1, 100, 1, 0);
    world.policy.fair = false;
    ox_scheduler_set_policy(world.scheduler, &world.policy);
    push(&world, 0, OX_CLASS_GAMING, 2, 100, 1, 0);
    assert_int_equal(next_flow(), 2);
    assert_int_equal(next_flow(), 1);
    push(&world, 0, OX_CLASS_BULK, 1, 100, 1, 0);
    push(&world, 0, OX_CLASS_GAMING, 2, 100, 1, 0);
    assert_int_equal(next_flow(), 1);
    assert_int_equal(next_flow(), 2);
}

static void what_is_cleared_is_counted(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 60; i++) push(&world, i % 2, (ox_class)(i % OX_CLASSES), i, 100, 1 + i % 3, 0);
    clear(&world, 0);
    assert_int_equal(ox_queue_waiting(world.queues[0], EVERY_CLASS), 0);
    check_counters(&world);
    assert_int_equal(ox_queue_clear(world.scheduler, world.queues[0], OX_DROP_NO_SESSION), 0);
    clear(&world, 1);
    world.policy.fair = false;
    ox_scheduler_set_policy(world.scheduler, &world.policy);
    for (uint32_t i = 0; i < 6; i++) push(&world, 2, (ox_class)(i % OX_CLASSES), i, 100, 1, 0);
    clear(&world, 2);
}

static void the_longest_wait_is_told_for_a_second_or_two(void **state) {
    (void)state;
    push(&world, 0, OX_CLASS_WEB, 1, 100, 1, 0);
    world.now_ns += 30 * MS;
    pop(&world, 0, EVERY_CLASS, 0, NULL);
    assert_int_equal(report_of(0, OX_CLASS_WEB).sojourn_peak_ns, 30 * MS);
    assert_int_equal(report_of(0, OX_CLASS_WEB).sojourn_ns, 30 * MS / 16);
    for (int i = 0; i < 25; i++) {
        push(&world, 0, OX_CLASS_WEB, 1, 100, 1, 0);
        world.now_ns += MS;
        pop(&world, 0, EVERY_CLASS, 0, NULL);
        world.now_ns += 99 * MS;
        if (i < 9) assert_int_equal(report_of(0, OX_CLASS_WEB).sojourn_peak_ns, 30 * MS);
    }
    assert_int_equal(report_of(0, OX_CLASS_WEB).sojourn_peak_ns, MS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open, close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_most_urgent_class_goes_first),
        TEST(only_the_classes_that_are_asked_for_leave),
        TEST(a_class_that_waits_gets_a_sixteenth_of_those_above),
        TEST(what_a_class_is_owed_does_not_pile_up),
        TEST(flows_of_a_class_share_by_bytes),
        TEST(super_packets_count_their_bytes),
        TEST(a_flow_that_begins_goes_before_those_that_queue),
        TEST(more_flows_than_there_are_share_one_and_keep_their_order),
        TEST(a_flow_whose_class_changes_keeps_its_order),
        TEST(so_does_one_that_shares_with_others),
        TEST(the_fattest_flow_of_all_queues_loses),
        TEST(bytes_have_a_limit_too),
        TEST(half_of_the_buffers_stay_free),
        TEST(who_holds_the_buffers_loses_and_only_what_relieves),
        TEST(a_super_packet_does_not_go_for_a_small_one_behind_it),
        TEST(an_unfair_queue_is_a_fifo_that_drops_what_comes),
        TEST(the_other_way_begins_with_an_empty_queue),
        TEST(what_is_cleared_is_counted),
        TEST(the_longest_wait_is_told_for_a_second_or_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
