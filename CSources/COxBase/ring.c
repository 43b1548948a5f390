#include "ring_records.h"

#include <stdatomic.h>

/*
 * Each side keeps the last value it saw of the other's index, and touches the other's cache line only when that value
 * does not suffice. An unused line lies between the two, and one in front of the records: processors fetch in pairs.
 */
struct ox_ring {
    _Alignas(LINE_BYTES) _Atomic uint32_t tail; /* written by the producer */
    uint32_t head_seen;
    ring_shape producer;
    _Alignas(LINE_BYTES) uint8_t between[LINE_BYTES];

    _Alignas(LINE_BYTES) _Atomic uint32_t head; /* written by the consumer */
    uint32_t tail_seen;
    ring_shape consumer;
    _Alignas(LINE_BYTES) uint8_t behind[LINE_BYTES];

    _Alignas(LINE_BYTES) uint8_t records[];
};

_Static_assert(sizeof(ox_ring) == 4 * LINE_BYTES, "producer and consumer have a line each");

size_t ox_ring_bytes(uint32_t capacity, uint32_t record_bytes) {
    check_ring_limits(NULL, capacity, record_bytes);
    return sizeof(ox_ring) + (size_t)capacity * record_bytes;
}

ox_ring *ox_ring_init(void *memory, uint32_t capacity, uint32_t record_bytes) {
    OX_ASSERT(memory != NULL);
    check_ring_limits(memory, capacity, record_bytes);
    ox_ring *ring = memory;
    memset(ring, 0, sizeof *ring);
    ring->producer = (ring_shape){.mask = capacity - 1, .record_bytes = record_bytes, .records = ring->records};
    ring->consumer = ring->producer;
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->head, 0);
    return ring;
}

/* Records that fit, looking at the consumer's index only when fewer than `wanted` are known to. */
static inline uint32_t room_for(ox_ring *ring, uint32_t tail, uint32_t wanted) {
    const uint32_t capacity = ring->producer.mask + 1;
    if (capacity - (tail - ring->head_seen) < wanted)
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
    return capacity - (tail - ring->head_seen);
}

/* Publishes `count` records behind `tail`. */
static inline void publish(ox_ring *ring, uint32_t tail, uint32_t count, bool *was_empty) {
    atomic_store_explicit(&ring->tail, tail + count, memory_order_release);
    if (was_empty == NULL) return;
    /* Pairs with the fence in available(): of "the producer sees the consumer's last pop" and "the consumer sees this
     * push", at least one holds. Otherwise a consumer could go to sleep beside a record that nobody wakes it for. */
    atomic_thread_fence(memory_order_seq_cst);
    ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
    *was_empty = ring->head_seen - tail <= count; /* every earlier record is popped, and some of these may be */
}

bool ox_ring_push(ox_ring *ring, const void *record, bool *was_empty) {
    const uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (room_for(ring, tail, 1) == 0) {
        if (was_empty != NULL) *was_empty = false;
        return false;
    }
    copy_record(ring_record(&ring->producer, tail), record, ring->producer.record_bytes);
    publish(ring, tail, 1, was_empty);
    return true;
}

uint32_t ox_ring_push_many(ox_ring *ring, const void *records, uint32_t count, bool *was_empty) {
    const uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    const uint32_t room = room_for(ring, tail, count);
    if (count > room) count = room;
    if (count == 0) {
        if (was_empty != NULL) *was_empty = false;
        return 0;
    }
    ring_copy_in(&ring->producer, tail, records, count);
    publish(ring, tail, count, was_empty);
    return count;
}

uint32_t ox_ring_room(ox_ring *ring) {
    return room_for(ring, atomic_load_explicit(&ring->tail, memory_order_relaxed), UINT32_MAX);
}

/* Records that are there, looking at the producer's index only when fewer than `wanted` are known to be. */
static inline uint32_t available(ox_ring *ring, uint32_t head, uint32_t wanted) {
    if (ring->tail_seen - head < wanted) {
        /* Only a consumer that finds nothing goes to sleep. */
        if (ring->tail_seen == head) atomic_thread_fence(memory_order_seq_cst);
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
    }
    return ring->tail_seen - head;
}

bool ox_ring_pop(ox_ring *ring, void *record) {
    const uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (available(ring, head, 1) == 0) return false;
    copy_record(record, ring_record(&ring->consumer, head), ring->consumer.record_bytes);
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

uint32_t ox_ring_pop_many(ox_ring *ring, void *records, uint32_t max) {
    const uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    const uint32_t there = available(ring, head, max);
    const uint32_t count = there < max ? there : max;
    if (count == 0) return 0;
    ring_copy_out(&ring->consumer, head, records, count);
    atomic_store_explicit(&ring->head, head + count, memory_order_release);
    return count;
}
