/**
 * @file  A ring of fixed-size records between one producer thread and one consumer thread.
 *
 * Wait-free on both sides; a full ring refuses, it never waits. Producer and consumer state live on their own cache
 * lines.
 *
 * Memory:  the caller reserves ox_ring_bytes() bytes, aligned to 64, and owns them.
 * Threads: one thread pushes, one thread pops.
 */
#ifndef OXCORE_RING_H
#define OXCORE_RING_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OX_RING_CAPACITY_MAX = 1 << 20, /**< records in a ring; a power of two */
    OX_RING_RECORD_MAX = 4096,      /**< bytes of one record; a multiple of 8 */
};

typedef struct ox_ring ox_ring;

/** Bytes to reserve for a ring of `capacity` records (a power of two) of `record_bytes` each (a multiple of 8). */
size_t ox_ring_bytes(uint32_t capacity, uint32_t record_bytes);

/** Makes an empty ring in `memory`, which is aligned to 64 and ox_ring_bytes() long. Asserts on limits. */
ox_ring *ox_ring_init(void *memory, uint32_t capacity, uint32_t record_bytes);

/**
 * Copies one record in. False, and the ring unchanged, when it is full.
 *
 * @param was_empty  NULL, or told whether the consumer may have found the ring empty before this record and gone to
 *                   sleep, so that it wants waking. A consumer that pops until false before it sleeps misses nothing.
 */
OX_MUST_USE bool ox_ring_push(ox_ring *ring, const void *record, bool *was_empty);

/** How many records fit now. Called by the producer: there may be more room by the time it pushes, never less. */
uint32_t ox_ring_room(ox_ring *ring);

/** Copies the oldest record out. False, and nothing written, when the ring is empty. */
OX_MUST_USE bool ox_ring_pop(ox_ring *ring, void *record);

#ifdef __cplusplus
}
#endif

#endif
