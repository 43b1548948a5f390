#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxcore/ring.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct record {
    uint64_t producer;
    uint64_t number;
    uint64_t complement; /* shows a torn record */
} record;

static record record_of(uint64_t producer, uint64_t number) {
    return (record){.producer = producer, .number = number, .complement = ~(producer << 32 ^ number)};
}

static bool is_whole(const record *r) { return r->complement == ~(r->producer << 32 ^ r->number); }

static ox_mpsc *make_ring(uint32_t capacity, uint32_t record_bytes) {
    const size_t bytes = (ox_mpsc_bytes(capacity, record_bytes) + 63) & ~(size_t)63;
    void *memory = aligned_alloc(64, bytes);
    assert_non_null(memory);
    memset(memory, 0xFF, bytes); /* what was in the memory does not matter */
    return ox_mpsc_init(memory, capacity, record_bytes);
}

static void one_thread_finds_every_batch_as_far_as_it_fits(void **state) {
    (void)state;
    for (uint32_t capacity = 1; capacity <= 64; capacity *= 2) {
        ox_mpsc *ring = make_ring(capacity, sizeof(record));
        record in[130], out[130];
        uint64_t pushed = 0, popped = 0;
        assert_int_equal(ox_mpsc_pop_many(ring, out, 130), 0);
        for (uint32_t step = 0; step < 1000; step++) {
            const uint32_t count = step * 13 % 131;
            for (uint32_t i = 0; i < count; i++) in[i] = record_of(0, pushed + i);
            const uint32_t room = capacity - (uint32_t)(pushed - popped);
            bool was_empty = true;
            const uint32_t went = ox_mpsc_push_many(ring, in, count, &was_empty);
            assert_int_equal(went, count < room ? count : room);
            assert_int_equal(was_empty, pushed == popped && went != 0);
            pushed += went;
            const uint32_t max = step * 7 % (capacity + 2), there = (uint32_t)(pushed - popped);
            const uint32_t came = ox_mpsc_pop_many(ring, out, max);
            assert_int_equal(came, max < there ? max : there);
            for (uint32_t i = 0; i < came; i++, popped++) {
                assert_true(is_whole(&out[i]));
                assert_int_equal(out[i].number, popped);
            }
        }
        free(ring);
    }
}

static void the_smallest_and_the_largest_records_come_out_whole(void **state) {
    (void)state;
    const uint32_t sizes[] = {8, OX_RING_RECORD_MAX};
    for (size_t s = 0; s < 2; s++) {
        ox_mpsc *ring = make_ring(4, sizes[s]);
        static uint8_t in[3 * OX_RING_RECORD_MAX], out[3 * OX_RING_RECORD_MAX];
        for (uint32_t i = 0; i < 11; i++) {
            for (size_t k = 0; k < 3; k++) memset(in + k * sizes[s], (int)(3 * i + k) + 1, sizes[s]);
            memset(out, 0, sizeof out);
            assert_int_equal(ox_mpsc_push_many(ring, in, 3, NULL), 3);
            assert_int_equal(ox_mpsc_pop_many(ring, out, 3), 3);
            assert_memory_equal(in, out, 3 * sizes[s]);
        }
        free(ring);
    }
    assert_true(ox_mpsc_bytes(OX_RING_CAPACITY_MAX, OX_RING_RECORD_MAX) > (size_t)1 << 32);
}

enum { PRODUCERS = 4, RECORDS = 60000, BATCH_MAX = 40 };

typedef struct crowd {
    ox_mpsc *ring;
    int wake; /* -1: the consumer does not sleep */
} crowd;

typedef struct member {
    crowd *crowd;
    uint64_t producer;
    uint64_t wakes;
    pthread_t thread;
} member;

static void *produce(void *argument) {
    member *m = argument;
    record batch[BATCH_MAX];
    uint32_t size = (uint32_t)m->producer + 1;
    for (uint64_t i = 0; i < RECORDS; size = size % BATCH_MAX + 1) {
        const uint32_t count = RECORDS - i < size ? (uint32_t)(RECORDS - i) : size;
        for (uint32_t k = 0; k < count; k++) batch[k] = record_of(m->producer, i + k);
        bool was_empty = false;
        const uint32_t went = ox_mpsc_push_many(m->crowd->ring, batch, count, m->crowd->wake >= 0 ? &was_empty : NULL);
        if (went == 0) sched_yield();
        i += went;
        if (!was_empty) continue;
        m->wakes++;
        const uint64_t one = 1;
        if (write(m->crowd->wake, &one, sizeof one) != sizeof one) abort();
    }
    return NULL;
}

/* The model: a counter for each producer. Nothing is lost, doubled, torn or out of its producer's order. */
static uint64_t take_and_check(ox_mpsc *ring, uint32_t max, uint64_t next[PRODUCERS], uint64_t *wrong) {
    record batch[BATCH_MAX];
    const uint32_t came = ox_mpsc_pop_many(ring, batch, max);
    for (uint32_t i = 0; i < came; i++) {
        const record *r = &batch[i];
        if (r->producer >= PRODUCERS || !is_whole(r) || r->number != next[r->producer]++) ++*wrong;
    }
    return came;
}

static void start(crowd *c, member members[PRODUCERS]) {
    for (uint64_t i = 0; i < PRODUCERS; i++) {
        members[i] = (member){.crowd = c, .producer = i};
        assert_int_equal(pthread_create(&members[i].thread, NULL, produce, &members[i]), 0);
    }
}

static void several_producers_keep_their_order_and_lose_nothing(void **state) {
    (void)state;
    /* In a ring of one, in one that is smaller than a batch, and in a roomy one. */
    const uint32_t capacities[] = {1, 16, 1024};
    for (size_t c = 0; c < 3; c++) {
        crowd all = {.ring = make_ring(capacities[c], sizeof(record)), .wake = -1};
        member members[PRODUCERS];
        start(&all, members);
        uint64_t received = 0, wrong = 0, next[PRODUCERS] = {0};
        for (uint32_t max = 1; received < (uint64_t)PRODUCERS * RECORDS; max = max % BATCH_MAX + 1) {
            const uint64_t came = take_and_check(all.ring, max, next, &wrong);
            if (came == 0) sched_yield();
            received += came;
        }
        for (uint64_t i = 0; i < PRODUCERS; i++) {
            assert_int_equal(pthread_join(members[i].thread, NULL), 0);
            assert_int_equal(next[i], RECORDS);
        }
        assert_int_equal(wrong, 0);
        record left;
        assert_int_equal(ox_mpsc_pop_many(all.ring, &left, 1), 0);
        free(all.ring);
    }
}

static void a_consumer_that_sleeps_when_empty_is_always_woken(void **state) {
    (void)state;
    crowd all = {.ring = make_ring(256, sizeof(record)), .wake = eventfd(0, EFD_NONBLOCK)};
    assert_true(all.wake >= 0);
    member members[PRODUCERS];
    start(&all, members);
    uint64_t received = 0, wrong = 0, next[PRODUCERS] = {0};
    for (;;) {
        uint64_t came;
        while ((came = take_and_check(all.ring, BATCH_MAX, next, &wrong)) != 0) received += came;
        if (received == (uint64_t)PRODUCERS * RECORDS) break;
        struct pollfd wait = {.fd = all.wake, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 20000), 1); /* a lost wake-up would end here */
        uint64_t count;
        assert_int_equal(read(all.wake, &count, sizeof count), sizeof count);
    }
    uint64_t wakes = 0;
    for (uint64_t i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_join(members[i].thread, NULL), 0);
        wakes += members[i].wakes;
    }
    assert_int_equal(wrong, 0);
    assert_in_range(wakes, 1, (uint64_t)PRODUCERS * RECORDS);
    close(all.wake);
    free(all.ring);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_finds_every_batch_as_far_as_it_fits),
        cmocka_unit_test(the_smallest_and_the_largest_records_come_out_whole),
        cmocka_unit_test(several_producers_keep_their_order_and_lose_nothing),
        cmocka_unit_test(a_consumer_that_sleeps_when_empty_is_always_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
