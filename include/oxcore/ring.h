/**
 * @file  Rings of fixed-size records from one thread (::ox_ring) or several (::ox_mpsc) to one consumer thread.
 *
 * A full ring refuses, it never waits. What producers write and what the consumer writes lies on different cache lines,
 * and each side looks at the other's only when what it remembers of it does not suffice. Batches cost little more than
 * one record does.
 *
 * Waking: a push says by `was_empty` (which may be NULL) whether the consumer may have found the ring empty before it and
 * gone to sleep, so that it wants waking. A consumer that pops until nothing comes before it sleeps misses nothing.
 *
 * Memory:  the caller reserves ox_ring_bytes() or ox_mpsc_bytes() bytes, aligned to 64, and owns them.
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

/* ---- one producer, wait-free on both sides ------------------------------------------------------------------- */

typedef struct ox_ring ox_ring;

/** Bytes to reserve for a ring of `capacity` records (a power of two) of `record_bytes` each (a multiple of 8). */
size_t ox_ring_bytes(uint32_t capacity, uint32_t record_bytes);

/** Makes an empty ring in `memory`, which is aligned to 64 and ox_ring_bytes() long. Asserts on limits. */
ox_ring *ox_ring_init(void *memory, uint32_t capacity, uint32_t record_bytes);

/** Copies one record in. False, and the ring unchanged, when it is full. */
OX_MUST_USE bool ox_ring_push(ox_ring *ring, const void *record, bool *was_empty);

/** Copies the first of `count` records in that lie one behind the other: as many as fit. @return how many. */
OX_MUST_USE uint32_t ox_ring_push_many(ox_ring *ring, const void *records, uint32_t count, bool *was_empty);

/** How many records fit now. Called by the producer: there may be more room by the time it pushes, never less. */
uint32_t ox_ring_room(ox_ring *ring);

/** Copies the oldest record out. False, and nothing written, when the ring is empty. */
OX_MUST_USE bool ox_ring_pop(ox_ring *ring, void *record);

/** Copies the oldest records out, up to `max`. @return how many; 0 only when the ring is empty or `max` is 0. */
OX_MUST_USE uint32_t ox_ring_pop_many(ox_ring *ring, void *records, uint32_t max);

/* ---- several producers --------------------------------------------------------------------------------------- */

/**
 * Keeps each producer's order, and the records of one push together. Lock-free: one compare-and-swap a push, however
 * many records. A producer that stops in the middle of a push holds back the records behind its own, and blocks nobody.
 */
typedef struct ox_mpsc ox_mpsc;

/** As ox_ring_bytes(). */
size_t ox_mpsc_bytes(uint32_t capacity, uint32_t record_bytes);

/** As ox_ring_init(). */
ox_mpsc *ox_mpsc_init(void *memory, uint32_t capacity, uint32_t record_bytes);

/** As ox_ring_push_many(), from any thread. */
OX_MUST_USE uint32_t ox_mpsc_push_many(ox_mpsc *ring, const void *records, uint32_t count, bool *was_empty);

/** As ox_ring_pop_many(), from the one consumer. May return fewer than there are: call until 0 before sleeping. */
OX_MUST_USE uint32_t ox_mpsc_pop_many(ox_mpsc *ring, void *records, uint32_t max);

#ifdef __cplusplus
}
#endif

#endif
