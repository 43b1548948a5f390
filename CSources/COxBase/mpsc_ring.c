#include "ring_records.h"

#include <stdatomic.h>

/*
 * A producer claims places by moving `tail`, fills them, and then writes at the first place of its batch where the batch
 * ends. The consumer reads one such end a batch, and knows that all in front of it is whole. Ends are 64-bit indices and
 * only grow: an end of an earlier round, wherever it was written, is not above the index of the place it is read for.
 */
struct ox_mpsc {
    _Alignas(LINE_BYTES) _Atomic uint64_t tail; /* written by producers */
    _Atomic uint64_t head_seen;                 /* what one of them saw last; it may go back a little */
    _Alignas(LINE_BYTES) uint8_t between[LINE_BYTES];

    _Alignas(LINE_BYTES) _Atomic uint64_t head; /* written by the consumer */
    uint64_t whole;                             /* every record in front of this index is there */
    _Alignas(LINE_BYTES) uint8_t behind[LINE_BYTES];

    _Alignas(LINE_BYTES) ring_shape shape; /* only read from here on */
    _Alignas(LINE_BYTES) _Atomic uint64_t ends[];
};

_Static_assert(sizeof(ox_mpsc) == 5 * LINE_BYTES, "producers, consumer and settings have a line each");

/* The records begin on a line of their own. */
static size_t records_offset(uint32_t capacity) {
    const size_t bytes = sizeof(ox_mpsc) + (size_t)capacity * sizeof(uint64_t);
    return (bytes + LINE_BYTES - 1) & ~(size_t)(LINE_BYTES - 1);
}

size_t ox_mpsc_bytes(uint32_t capacity, uint32_t record_bytes) {
    check_ring_limits(NULL, capacity, record_bytes);
    return records_offset(capacity) + (size_t)capacity * record_bytes;
}

ox_mpsc *ox_mpsc_init(void *memory, uint32_t capacity, uint32_t record_bytes) {
    OX_ASSERT(memory != NULL);
    check_ring_limits(memory, capacity, record_bytes);
    ox_mpsc *ring = memory;
    memset(ring, 0, sizeof *ring);
    ring->shape = (ring_shape){
        .mask = capacity - 1,
        .record_bytes = record_bytes,
        .records = (uint8_t *)memory + records_offset(capacity),
    };
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->head_seen, 0);
    atomic_init(&ring->head, 0);
    for (uint32_t i = 0; i < capacity; i++) atomic_init(&ring->ends[i], 0);
    return ring;
}

/*
 * Records that fit behind `tail`, at most `wanted`. The load of the consumer's index is an acquire, and so is that of what
 * another producer saw of it: the consumer has read what will be overwritten.
 */
static uint32_t room_for(ox_mpsc *ring, uint64_t tail, uint32_t wanted) {
    const uint64_t capacity = (uint64_t)ring->shape.mask + 1;
    uint64_t head = atomic_load_explicit(&ring->head_seen, memory_order_acquire);
    if (tail + wanted > head + capacity) {
        head = atomic_load_explicit(&ring->head, memory_order_acquire);
        atomic_store_explicit(&ring->head_seen, head, memory_order_release);
    }
    const uint64_t end = head + capacity;
    if (tail >= end) return 0;
    return end - tail < wanted ? (uint32_t)(end - tail) : wanted;
}

uint32_t ox_mpsc_push_many(ox_mpsc *ring, const void *records, uint32_t count, bool *was_empty) {
    if (was_empty != NULL) *was_empty = false;
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint32_t fit;
    do {
        fit = room_for(ring, tail, count);
        if (fit == 0) return 0;
        /* A tail that others have moved meanwhile fails here, whatever room it seemed to have. */
    } while (!atomic_compare_exchange_weak_explicit(&ring->tail, &tail, tail + fit, memory_order_relaxed,
                                                    memory_order_relaxed));
    ring_copy_in(&ring->shape, (uint32_t)tail, records, fit);
    atomic_store_explicit(&ring->ends[tail & ring->shape.mask], tail + fit, memory_order_release);

    if (was_empty != NULL) {
        /* Pairs with the fence in ox_mpsc_pop_many(), as in ox_ring_push(). A consumer that sleeps sleeps in front of the
         * first batch that is not whole, and it is that batch's producer who wakes it. */
        atomic_thread_fence(memory_order_seq_cst);
        *was_empty = atomic_load_explicit(&ring->head, memory_order_relaxed) - tail <= fit;
    }
    return fit;
}

/* The end of the batch at `head`, or something not above `head` when it is not whole yet. */
static uint64_t end_at(const ox_mpsc *ring, uint64_t head) {
    return atomic_load_explicit(&ring->ends[head & ring->shape.mask], memory_order_acquire);
}

uint32_t ox_mpsc_pop_many(ox_mpsc *ring, void *records, uint32_t max) {
    if (max == 0) return 0;
    const uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint64_t whole = ring->whole;
    if (whole == head) {
        /* Only a consumer that finds nothing goes to sleep. */
        atomic_thread_fence(memory_order_seq_cst);
        const uint64_t end = end_at(ring, head);
        if (end <= head) return 0;
        whole = end;
    }
    while (whole - head < max) {
        const uint64_t end = end_at(ring, whole);
        if (end <= whole) break;
        whole = end;
    }
    ring->whole = whole;
    const uint32_t count = whole - head < max ? (uint32_t)(whole - head) : max;
    ring_copy_out(&ring->shape, (uint32_t)head, records, count);
    atomic_store_explicit(&ring->head, head + count, memory_order_release);
    return count;
}
