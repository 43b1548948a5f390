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
    uint64_t number;
    uint64_t complement; /* shows a torn record */
} record;

static record record_of(uint64_t number) { return (record){.number = number, .complement = ~number}; }

static ox_ring *make_ring(uint32_t capacity, uint32_t record_bytes) {
    const size_t bytes = (ox_ring_bytes(capacity, record_bytes) + 63) & ~(size_t)63;
    void *memory = aligned_alloc(64, bytes);
    assert_non_null(memory);
    return ox_ring_init(memory, capacity, record_bytes);
}

static void a_full_ring_refuses_and_keeps_its_records(void **state) {
    (void)state;
    for (uint32_t capacity = 1; capacity <= 64; capacity *= 2) {
        ox_ring *ring = make_ring(capacity, sizeof(record));
        record out = record_of(99);
        assert_false(ox_ring_pop(ring, &out));
        assert_int_equal(out.number, 99);
        for (uint32_t round = 0; round < 3; round++) {
            for (uint32_t i = 0; i < capacity; i++) {
                bool was_empty = false;
                assert_true(ox_ring_push(ring, &(record){.number = i}, &was_empty));
                assert_int_equal(was_empty, i == 0);
            }
            bool was_empty = true;
            assert_false(ox_ring_push(ring, &(record){.number = 77}, &was_empty));
            assert_false(was_empty);
            assert_false(ox_ring_push(ring, &(record){.number = 77}, NULL));
            for (uint32_t i = 0; i < capacity; i++) {
                assert_true(ox_ring_pop(ring, &out));
                assert_int_equal(out.number, i);
            }
            assert_false(ox_ring_pop(ring, &out));
        }
        free(ring);
    }
}

static void the_smallest_and_the_largest_records_come_out_whole(void **state) {
    (void)state;
    const uint32_t sizes[] = {8, OX_RING_RECORD_MAX};
    for (size_t s = 0; s < 2; s++) {
        ox_ring *ring = make_ring(4, sizes[s]);
        uint8_t in[OX_RING_RECORD_MAX];
        uint8_t out[OX_RING_RECORD_MAX];
        for (uint32_t i = 0; i < 11; i++) {
            memset(in, (int)i + 1, sizeof in);
            memset(out, 0, sizeof out);
            assert_true(ox_ring_push(ring, in, NULL));
            assert_true(ox_ring_pop(ring, out));
            assert_memory_equal(in, out, sizes[s]);
        }
        free(ring);
    }
    assert_true(ox_ring_bytes(OX_RING_CAPACITY_MAX, OX_RING_RECORD_MAX) > (size_t)1 << 32);
}

static void a_batch_goes_in_and_comes_out_as_far_as_it_fits(void **state) {
    (void)state;
    for (uint32_t capacity = 1; capacity <= 64; capacity *= 2) {
        ox_ring *ring = make_ring(capacity, sizeof(record));
        record in[130], out[130];
        uint64_t pushed = 0, popped = 0;
        assert_int_equal(ox_ring_pop_many(ring, out, 130), 0);
        /* Every size at every place of the ring, round and round. */
        for (uint32_t count = 0; count <= 130; count++) {
            for (uint32_t i = 0; i < count; i++) in[i] = record_of(pushed + i);
            const uint32_t room = capacity - (uint32_t)(pushed - popped);
            assert_int_equal(ox_ring_room(ring), room);
            bool was_empty = false;
            const uint32_t went = ox_ring_push_many(ring, in, count, &was_empty);
            assert_int_equal(went, count < room ? count : room);
            assert_int_equal(was_empty, pushed == popped && went != 0);
            pushed += went;
            const uint32_t max = (count * 7 + 3) % (capacity + 2), there = (uint32_t)(pushed - popped);
            const uint32_t came = ox_ring_pop_many(ring, out, max);
            assert_int_equal(came, max < there ? max : there);
            for (uint32_t i = 0; i < came; i++, popped++) {
                assert_int_equal(out[i].number, popped);
                assert_int_equal(out[i].complement, ~popped);
            }
        }
        free(ring);
    }
}

enum { RECORDS = 200000 };

typedef struct pair {
    ox_ring *ring;
    int wake;
    uint64_t wakes;
} pair;

static void *produce(void *argument) {
    pair *p = argument;
    for (uint64_t i = 0; i < RECORDS;) {
        const record r = record_of(i);
        if (ox_ring_push(p->ring, &r, NULL)) {
            i++;
        } else {
            sched_yield();
        }
    }
    return NULL;
}

static void two_threads_pass_every_record_once_and_in_order(void **state) {
    (void)state;
    pair p = {.ring = make_ring(64, sizeof(record))};
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce, &p), 0);
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < RECORDS;) {
        record r;
        if (!ox_ring_pop(p.ring, &r)) {
            sched_yield();
            continue;
        }
        if (r.number != i || r.complement != ~i) wrong++;
        i++;
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    assert_int_equal(wrong, 0);
    free(p.ring);
}

/* The sizes of batches that a side uses in turn. */
static uint32_t next_size(uint32_t size, uint32_t max) { return size % max + 1; }

static void *produce_batches(void *argument) {
    pair *p = argument;
    record batch[100];
    uint32_t size = 1;
    for (uint64_t i = 0; i < RECORDS; size = next_size(size, 100)) {
        const uint32_t count = RECORDS - i < size ? (uint32_t)(RECORDS - i) : size;
        for (uint32_t k = 0; k < count; k++) batch[k] = record_of(i + k);
        const uint32_t went = ox_ring_push_many(p->ring, batch, count, NULL);
        if (went == 0) sched_yield();
        i += went;
    }
    return NULL;
}

static void two_threads_pass_batches_of_any_size(void **state) {
    (void)state;
    pair p = {.ring = make_ring(64, sizeof(record))};
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce_batches, &p), 0);
    uint64_t wrong = 0, received = 0;
    record batch[33];
    for (uint32_t size = 1; received < RECORDS; size = next_size(size, 33)) {
        const uint32_t came = ox_ring_pop_many(p.ring, batch, size);
        if (came == 0) sched_yield();
        for (uint32_t i = 0; i < came; i++, received++)
            if (batch[i].number != received || batch[i].complement != ~received) wrong++;
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    assert_int_equal(wrong, 0);
    free(p.ring);
}

/* Wakes its consumer only when told so, and pushes in short bursts, so that the consumer sleeps often. */
static void *produce_and_wake(void *argument) {
    pair *p = argument;
    for (uint64_t i = 0; i < RECORDS;) {
        const record r = record_of(i);
        bool was_empty = false;
        if (!ox_ring_push(p->ring, &r, &was_empty)) {
            sched_yield();
            continue;
        }
        if (was_empty) {
            p->wakes++;
            const uint64_t one = 1;
            if (write(p->wake, &one, sizeof one) != sizeof one) abort();
        }
        i++;
    }
    return NULL;
}

static void a_consumer_that_sleeps_when_empty_is_always_woken(void **state) {
    (void)state;
    pair p = {.ring = make_ring(64, sizeof(record)), .wake = eventfd(0, EFD_NONBLOCK)};
    assert_true(p.wake >= 0);
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce_and_wake, &p), 0);
    uint64_t received = 0;
    while (received < RECORDS) {
        record r;
        while (ox_ring_pop(p.ring, &r)) {
            assert_true(r.number == received);
            received++;
        }
        if (received == RECORDS) break;
        struct pollfd wait = {.fd = p.wake, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 20000), 1); /* a lost wake-up would end here */
        uint64_t count;
        assert_int_equal(read(p.wake, &count, sizeof count), sizeof count);
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    assert_in_range(p.wakes, 1, RECORDS);
    close(p.wake);
    free(p.ring);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_ring_refuses_and_keeps_its_records),
        cmocka_unit_test(the_smallest_and_the_largest_records_come_out_whole),
        cmocka_unit_test(a_batch_goes_in_and_comes_out_as_far_as_it_fits),
        cmocka_unit_test(two_threads_pass_batches_of_any_size),
        cmocka_unit_test(two_threads_pass_every_record_once_and_in_order),
        cmocka_unit_test(a_consumer_that_sleeps_when_empty_is_always_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
