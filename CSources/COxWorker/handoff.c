/** @file  Packets that one worker reads from its device and another sends, as it has the peer. */
#include "state.h"

#include <stdlib.h>

enum { BATCH = OX_PORT_BATCH, BATCHES_PER_TURN = OX_TURN_PACKETS_MAX / BATCH };

/** The workers of one end. */
struct ox_worker_group {
    uint32_t count;
    uint32_t left; /**< of them that are not destroyed */
    ox_worker *workers[OX_WORKERS_MAX];
};

ox_mpsc *ox_handoff_inbox(void) {
    size_t bytes = ox_mpsc_bytes(OX_INBOX_CAPACITY, sizeof(ox_buf *));
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    return memory != NULL ? ox_mpsc_init(memory, OX_INBOX_CAPACITY, sizeof(ox_buf *)) : NULL;
}

bool ox_worker_connect(ox_worker *const *workers, uint32_t count) {
    OX_ASSERT(count >= 1 && count <= OX_WORKERS_MAX);
    if (count == 1) return true;
    ox_worker_group *group = calloc(1, sizeof *group);
    if (group == NULL) return false;
    group->count = group->left = count;
    for (uint32_t i = 0; i < count; i++) {
        OX_ASSERT(workers[i]->group == NULL && workers[i]->inbox != NULL);
        group->workers[i] = workers[i];
        workers[i]->group = group;
    }
    return true;
}

/** Pushes the first packets of the list; those that there is no room for end here. */
static void push_batch(ox_worker *worker, ox_worker *to, ox_list *packets) {
    ox_buf *batch[BATCH];
    uint32_t count = 0;
    while (count < BATCH && packets->count != 0) batch[count++] = ox_list_take(packets);
    bool was_empty = false;
    uint32_t pushed = ox_mpsc_push_many(to->inbox, batch, count, &was_empty);
    if (was_empty) ox_wake_signal(to->ordered);
    ox_count(&worker->handed_over, pushed);
    if (pushed == count) return;
    ox_tunnel_count(worker->tunnel, OX_DROP_HANDOFF_FULL, count - pushed);
    for (uint32_t i = pushed; i < count; i++) ox_pool_put(worker->pool, batch[i]);
}

void ox_handoff_send(ox_worker *worker) {
    if (!ox_tunnel_has_away(worker->tunnel)) return;
    for (uint32_t i = 0; i < worker->group->count; i++) {
        ox_list packets = {0};
        ox_tunnel_take_away(worker->tunnel, i, &packets);
        while (packets.count != 0) push_batch(worker, worker->group->workers[i], &packets);
    }
}

/** Returns whether there may be more. */
bool ox_handoff_receive(ox_worker *worker, uint64_t now_ns) {
    ox_buf *batch[BATCH];
    for (uint32_t round = 0; round < BATCHES_PER_TURN; round++) {
        ox_list packets = {0};
        uint32_t count = ox_mpsc_pop_many(worker->inbox, batch, BATCH);
        if (count == 0) return false;
        for (uint32_t i = 0; i < count; i++) ox_list_append(&packets, batch[i]);
        ox_count(&worker->taken_over, count);
        ox_tunnel_egress(worker->tunnel, &packets, now_ns);
    }
    return true;
}

/** At the end: what is in the inbox goes back to where it belongs. */
void ox_handoff_empty(ox_worker *worker) {
    ox_buf *buf;
    while (worker->inbox != NULL && ox_mpsc_pop_many(worker->inbox, &buf, 1) == 1) ox_pool_put(worker->pool, buf);
}

/** The workers whose memory can be freed now, as no other has a buffer of theirs: none until the last leaves, and then all. */
uint32_t ox_handoff_leave(ox_worker *worker, ox_worker *together[OX_WORKERS_MAX]) {
    ox_worker_group *group = worker->group;
    uint32_t count = group->count;
    worker->group = NULL;
    if (--group->left != 0) return 0;
    memcpy(together, group->workers, count * sizeof *together);
    free(group);
    return count;
}
