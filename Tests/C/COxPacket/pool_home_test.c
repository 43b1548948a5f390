/* Buffers that are put into another pool than their own, by one thread and by two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "oxcore/packet.h"
#include "oxcore/ring.h"

enum { SMALL = 200, LARGE = 8, EXCHANGED = 200000, BATCH = 16, CAPACITY = 64 };

static ox_pool *make_pool(void) {
    ox_pool *pool = ox_pool_create();
    assert_non_null(pool);
    assert_true(ox_pool_add(pool, ox_slab_create(&(ox_slab_parameters){.class_ = OX_BUF_SMALL, .buffers = SMALL, .node = -1})));
    assert_true(ox_pool_add(pool, ox_slab_create(&(ox_slab_parameters){.class_ = OX_BUF_LARGE, .buffers = LARGE, .node = -1})));
    return pool;
}

static ox_pool_class_report report_of(const ox_pool *pool, ox_buf_class class_) {
    ox_pool_report report;
    ox_pool_status(pool, &report);
    return report.classes[class_];
}

static void a_buffer_is_free_when_its_pool_has_collected_it(void **state) {
    (void)state;
    ox_pool *home = make_pool(), *other = make_pool();
    ox_buf *small = ox_pool_get(home, OX_BUF_SMALL), *large = ox_pool_get(home, OX_BUF_LARGE);
    ox_pool_put(other, small);
    ox_pool_put(other, large);
    assert_int_equal(SMALL, ox_pool_free(other, OX_BUF_SMALL));
    assert_int_equal(SMALL - 1, ox_pool_free(home, OX_BUF_SMALL));
    ox_pool_collect(home);
    assert_int_equal(SMALL, ox_pool_free(home, OX_BUF_SMALL));
    assert_int_equal(LARGE, ox_pool_free(home, OX_BUF_LARGE));
    assert_int_equal(1, report_of(home, OX_BUF_SMALL).returned);
    assert_int_equal(1, report_of(home, OX_BUF_LARGE).returned);
    ox_pool_collect(home);
    assert_int_equal(1, report_of(home, OX_BUF_SMALL).returned);
    assert_ptr_equal(large, ox_pool_get(home, OX_BUF_LARGE)); /* it is as warm as any */
    ox_pool_put(home, large);
    ox_pool_destroy(home);
    ox_pool_destroy(other);
}

static void a_list_may_hold_buffers_of_several_pools(void **state) {
    (void)state;
    ox_pool *pools[] = {make_pool(), make_pool(), make_pool()};
    ox_list list = {0};
    for (uint32_t i = 0; i < 150; i++) ox_list_append(&list, ox_pool_get(pools[i % 3], OX_BUF_SMALL));
    ox_pool_put_list(pools[0], &list);
    assert_int_equal(SMALL, ox_pool_free(pools[0], OX_BUF_SMALL));
    for (uint32_t i = 1; i < 3; i++) {
        assert_int_equal(SMALL - 50, ox_pool_free(pools[i], OX_BUF_SMALL));
        ox_pool_collect(pools[i]);
        assert_int_equal(SMALL, ox_pool_free(pools[i], OX_BUF_SMALL));
    }
    for (uint32_t i = 0; i < 3; i++) ox_pool_destroy(pools[i]);
}

static void an_empty_pool_finds_what_others_brought(void **state) {
    (void)state;
    ox_pool *home = make_pool(), *other = make_pool();
    ox_buf *bufs[LARGE];
    for (uint32_t i = 0; i < LARGE; i++) bufs[i] = ox_pool_get(home, OX_BUF_LARGE);
    assert_null(ox_pool_get(home, OX_BUF_LARGE));
    ox_pool_put(other, bufs[3]);
    assert_ptr_equal(bufs[3], ox_pool_get(home, OX_BUF_LARGE));
    assert_int_equal(1, report_of(home, OX_BUF_LARGE).exhausted);
    for (uint32_t i = 0; i < LARGE; i++) ox_pool_put(other, bufs[i]);
    ox_pool_destroy(home); /* brings them home first */
    ox_pool_destroy(other);
}

static void a_slab_with_a_buffer_on_its_way_stays(void **state) {
    (void)state;
    ox_pool *home = make_pool(), *other = make_pool();
    ox_slab *second = ox_slab_create(&(ox_slab_parameters){.class_ = OX_BUF_SMALL, .buffers = 50, .node = -1});
    assert_true(ox_pool_add(home, second));
    ox_buf *bufs[SMALL + 1]; /* one of the second slab */
    for (uint32_t i = 0; i <= SMALL; i++) bufs[i] = ox_pool_get(home, OX_BUF_SMALL);
    for (uint32_t i = 0; i < SMALL; i++) ox_pool_put(home, bufs[i]);
    assert_null(ox_pool_rest(home));
    ox_pool_put(other, bufs[SMALL]);
    assert_null(ox_pool_rest(home));
    ox_pool_collect(home);
    assert_ptr_equal(second, ox_pool_rest(home));
    ox_slab_destroy(second);
    ox_pool_destroy(home);
    ox_pool_destroy(other);
}

/* ---- two threads --------------------------------------------------------------------------------------------- */

typedef struct side {
    ox_pool *pool;
    ox_mpsc *inbox, *outbox;
    uint8_t mark;
    uint32_t *busy; /* sides that still send */
    uint64_t sent, received, wrong;
    pthread_t thread;
} side;

static void take_in(side *s) {
    ox_buf *batch[BATCH];
    for (uint32_t count; (count = ox_mpsc_pop_many(s->inbox, batch, BATCH)) != 0;) {
        for (uint32_t i = 0; i < count; i++) {
            s->wrong += batch[i]->len != 100 || batch[i]->data[0] == s->mark || batch[i]->data[99] != batch[i]->data[0];
            ox_pool_put(s->pool, batch[i]);
        }
        s->received += count;
    }
}

/* Sends buffers of its own to the other side, and puts what comes into its own pool. */
static void *exchange(void *argument) {
    side *s = argument;
    while (s->sent < EXCHANGED) {
        ox_buf *batch[BATCH];
        uint32_t count = 0;
        for (; count < BATCH && (batch[count] = ox_pool_get(s->pool, OX_BUF_SMALL)) != NULL; count++) {
            batch[count]->len = 100;
            memset(batch[count]->data, s->mark, 100);
        }
        const uint32_t pushed = count != 0 ? ox_mpsc_push_many(s->outbox, batch, count, NULL) : 0;
        for (uint32_t i = pushed; i < count; i++) ox_pool_put(s->pool, batch[i]);
        s->sent += pushed;
        take_in(s);
        ox_pool_collect(s->pool);
        if (pushed < BATCH) sched_yield();
    }
    __atomic_fetch_sub(s->busy, 1, __ATOMIC_RELEASE);
    for (; __atomic_load_n(s->busy, __ATOMIC_ACQUIRE) != 0; sched_yield()) take_in(s);
    return NULL;
}

static void nothing_is_lost_between_two_threads(void **state) {
    (void)state;
    ox_mpsc *boxes[2];
    side sides[2] = {0};
    uint32_t busy = 2;
    for (uint32_t i = 0; i < 2; i++) {
        void *memory = aligned_alloc(64, (ox_mpsc_bytes(CAPACITY, sizeof(ox_buf *)) + 63) / 64 * 64);
        boxes[i] = ox_mpsc_init(memory, CAPACITY, sizeof(ox_buf *));
    }
    for (uint8_t i = 0; i < 2; i++)
        sides[i] = (side){.pool = make_pool(), .inbox = boxes[i], .outbox = boxes[1 - i], .mark = (uint8_t)(i + 1), .busy = &busy};
    for (uint32_t i = 0; i < 2; i++) assert_int_equal(0, pthread_create(&sides[i].thread, NULL, exchange, &sides[i]));
    for (uint32_t i = 0; i < 2; i++) assert_int_equal(0, pthread_join(sides[i].thread, NULL));
    for (uint32_t i = 0; i < 2; i++) take_in(&sides[i]);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(0, sides[i].wrong);
        assert_int_equal(sides[1 - i].sent, sides[i].received);
        ox_pool_collect(sides[i].pool);
        assert_int_equal(SMALL, ox_pool_free(sides[i].pool, OX_BUF_SMALL));
        assert_int_equal(sides[i].sent, report_of(sides[i].pool, OX_BUF_SMALL).returned);
    }
    for (uint32_t i = 0; i < 2; i++) {
        ox_pool_destroy(sides[i].pool);
        free(boxes[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_is_free_when_its_pool_has_collected_it),
        cmocka_unit_test(a_list_may_hold_buffers_of_several_pools),
        cmocka_unit_test(an_empty_pool_finds_what_others_brought),
        cmocka_unit_test(a_slab_with_a_buffer_on_its_way_stays),
        cmocka_unit_test(nothing_is_lost_between_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
