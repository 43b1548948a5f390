#include "release_queue.h"

#include <stdlib.h>

static bool leaves_before(const lab_release *a, const lab_release *b) {
    return a->departure_ns != b->departure_ns ? a->departure_ns < b->departure_ns : a->order < b->order;
}

bool lab_release_queue_open(lab_release_queue *queue, uint32_t capacity) {
    *queue = (lab_release_queue){.heap = calloc(capacity, sizeof(lab_release)), .capacity = capacity};
    return queue->heap != NULL;
}

void lab_release_queue_close(lab_release_queue *queue) {
    free(queue->heap);
    *queue = (lab_release_queue){0};
}

void lab_release_queue_push(lab_release_queue *queue, lab_release release) {
    release.order = queue->next_order++;
    uint32_t at = queue->count++;
    while (at > 0) {
        const uint32_t parent = (at - 1) / 2;
        if (!leaves_before(&release, &queue->heap[parent])) break;
        queue->heap[at] = queue->heap[parent];
        at = parent;
    }
    queue->heap[at] = release;
}

lab_release lab_release_queue_pop(lab_release_queue *queue) {
    const lab_release first = queue->heap[0];
    const lab_release last = queue->heap[--queue->count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= queue->count) break;
        if (child + 1 < queue->count && leaves_before(&queue->heap[child + 1], &queue->heap[child])) child += 1;
        if (!leaves_before(&queue->heap[child], &last)) break;
        queue->heap[at] = queue->heap[child];
        at = child;
    }
    if (queue->count > 0) queue->heap[at] = last;
    return first;
}
