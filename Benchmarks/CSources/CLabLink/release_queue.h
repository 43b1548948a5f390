/** @file  Packets on the way, earliest departure first; of equal departures, first come first out. A binary heap. */
#ifndef LAB_RELEASE_QUEUE_H
#define LAB_RELEASE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct lab_release {
    uint64_t departure_ns;
    uint64_t order;  /**< rises with each push of this queue */
    uint32_t buffer;
    uint32_t bytes;
    uint32_t copies;
} lab_release;

typedef struct lab_release_queue {
    lab_release *heap;
    uint32_t count;
    uint32_t capacity;
    uint64_t next_order;
} lab_release_queue;

/** False when there is no memory. */
bool lab_release_queue_open(lab_release_queue *queue, uint32_t capacity);
void lab_release_queue_close(lab_release_queue *queue);

/** The queue is not full. `order` is filled in. */
void lab_release_queue_push(lab_release_queue *queue, lab_release release);

/** The earliest, or NULL. */
static inline const lab_release *lab_release_queue_first(const lab_release_queue *queue) {
    return queue->count == 0 ? 0 : &queue->heap[0];
}

/** The queue is not empty. */
lab_release lab_release_queue_pop(lab_release_queue *queue);

#endif
