/* The records of a ring, under indices that run freely and are masked at use: "full" and "empty" differ without a spare
 * record. */
#ifndef OX_RING_RECORDS_H
#define OX_RING_RECORDS_H

#include "oxcore/ring.h"

enum { LINE_BYTES = 64 };

static inline void check_ring_limits(const void *memory, uint32_t capacity, uint32_t record_bytes) {
    OX_ASSERT(capacity > 0 && capacity <= OX_RING_CAPACITY_MAX);
    OX_ASSERT((capacity & (capacity - 1)) == 0);
    OX_ASSERT(record_bytes > 0 && record_bytes <= OX_RING_RECORD_MAX);
    OX_ASSERT(record_bytes % 8 == 0);
    OX_ASSERT((uintptr_t)memory % LINE_BYTES == 0);
}

/* What both sides need to find a record. Each has its own copy, on a line that it touches anyway. */
typedef struct ring_shape {
    uint32_t mask;
    uint32_t record_bytes;
    uint8_t *records;
} ring_shape;

static inline uint8_t *ring_record(const ring_shape *shape, uint32_t index) {
    return shape->records + (size_t)(index & shape->mask) * shape->record_bytes;
}

/* A pointer is the record most often handed over: no call for it. */
static inline void copy_record(void *to, const void *from, uint32_t bytes) {
    if (bytes == 8) {
        memcpy(to, from, 8);
    } else {
        memcpy(to, from, bytes);
    }
}

/* `count` records lie in two runs at most: up to the last place, and on from the first. */
static inline uint32_t ring_first_run(const ring_shape *shape, uint32_t index, uint32_t count) {
    const uint32_t to_end = shape->mask + 1 - (index & shape->mask);
    return count < to_end ? count : to_end;
}

static inline void ring_copy_in(const ring_shape *shape, uint32_t index, const uint8_t *from, uint32_t count) {
    const uint32_t run = ring_first_run(shape, index, count);
    const size_t bytes = (size_t)run * shape->record_bytes;
    memcpy(ring_record(shape, index), from, bytes);
    if (count > run) memcpy(shape->records, from + bytes, (size_t)(count - run) * shape->record_bytes);
}

static inline void ring_copy_out(const ring_shape *shape, uint32_t index, uint8_t *to, uint32_t count) {
    const uint32_t run = ring_first_run(shape, index, count);
    const size_t bytes = (size_t)run * shape->record_bytes;
    memcpy(to, ring_record(shape, index), bytes);
    if (count > run) memcpy(to + bytes, shape->records, (size_t)(count - run) * shape->record_bytes);
}

#endif
