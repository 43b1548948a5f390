#include "oxcore/ring.h"

#include <stdatomic.h>

enum { LINE_BYTES = 64 };

/*
 * Indices run freely and are masked at use, so "full" and "empty" differ without a spare record. Each side keeps the
 * last value it saw of the other's index, and touches the other's cache line only when that value does not suffice.
 */
struct ox_ring {
    _Alignas(LINE_BYTES) uint32_t capacity;
    uint32_t record_bytes;

    _Alignas(LINE_BYTES) _Atomic uint32_t tail; /* written by the producer */
    uint32_t head_seen;

    _Alignas(LINE_BYTES) _Atomic uint32_t head; /* written by the consumer */
    uint32_t tail_seen;

    _Alignas(LINE_BYTES) uint8_t records[];
};

_Static_assert(sizeof(ox_ring) == 3 * LINE_BYTES, "settings, producer and consumer have a line each");

static void check_limits(uint32_t capacity, uint32_t record_bytes) {
    OX_ASSERT(capacity > 0 && capacity <= OX_RING_CAPACITY_MAX);
    OX_ASSERT((capacity & (capacity - 1)) == 0);
    OX_ASSERT(record_bytes > 0 && record_bytes <= OX_RING_RECORD_MAX);
    OX_ASSERT(record_bytes % 8 == 0);
}

size_t ox_ring_bytes(uint32_t capacity, uint32_t record_bytes) {
    check_limits(capacity, record_bytes);
    return sizeof(ox_ring) + (size_t)capacity * record_bytes;
}

ox_ring *ox_ring_init(void *memory, uint32_t capacity, uint32_t record_bytes) {
    check_limits(capacity, record_bytes);
    OX_ASSERT(memory != NULL && (uintptr_t)memory % LINE_BYTES == 0);
    ox_ring *ring = memory;
    ring->capacity = capacity;
    ring->record_bytes = record_bytes;
    ring->head_seen = 0;
    ring->tail_seen = 0;
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->head, 0);
    return ring;
}

static uint8_t *record_at(ox_ring *ring, uint32_t index) {
    return ring->records + (size_t)(index & (ring->capacity - 1)) * ring->record_bytes;
}

bool ox_ring_push(ox_ring *ring, const void *record, bool *was_empty) {
    if (was_empty != NULL) *was_empty = false;
    const uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - ring->head_seen == ring->capacity) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail - ring->head_seen == ring->capacity) return false;
    }
    memcpy(record_at(ring, tail), record, ring->record_bytes);
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);

    if (was_empty != NULL) {
        /* Pairs with the fence in ox_ring_pop(): of "the producer sees the consumer's last pop" and "the consumer
         * sees this push", at least one holds. Otherwise a consumer could go to sleep beside a record that nobody
         * wakes it for. */
        atomic_thread_fence(memory_order_seq_cst);
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        *was_empty = ring->head_seen == tail || ring->head_seen == tail + 1;
    }
    return true;
}

uint32_t ox_ring_room(ox_ring *ring) {
    ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
    return ring->capacity - (atomic_load_explicit(&ring->tail, memory_order_relaxed) - ring->head_seen);
}

bool ox_ring_pop(ox_ring *ring, void *record) {
    const uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == ring->tail_seen) {
        atomic_thread_fence(memory_order_seq_cst);
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head == ring->tail_seen) return false;
    }
    memcpy(record, record_at(ring, head), ring->record_bytes);
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}
