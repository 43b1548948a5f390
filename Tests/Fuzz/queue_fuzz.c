/*
 * Packets and super-packets of many flows into three queues and out of them, in any order, with CoDel, limits, switches of policy,
 * flows that change their class, and queues that are cleared or replaced. The input: two bytes of policy, then five bytes a step.
 *
 * Whatever comes, a flow keeps its order, every packet leaves once or is counted, all counters are exact, at most half of the
 * pool is held, and in the end every buffer is back.
 */
#include "Tests/C/COxQueue/queued.h"

enum { SMALL = 6000, LARGE = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static queued world;

static void set_policy(uint8_t how, uint8_t limits) {
    world.policy.fair = (how & 1) == 0;
    world.policy.ecn = (how & 2) != 0;
    world.policy.target_us = how & 4 ? 100 : OX_CODEL_TARGET_US;
    world.policy.interval_us = how & 8 ? 1000 : OX_CODEL_INTERVAL_US;
    world.policy.packets_most = limits & 15 ? 300u * (limits & 15) : 10000;
    world.policy.bytes_most = limits >> 4 ? 50000u * (limits >> 4) : 10000000;
    ox_scheduler_set_policy(world.scheduler, &world.policy);
    /* Lower limits hold from the next packet on, if it comes into a fair queue. */
    for (uint32_t q = 0; q < QUEUES; q++) clear(&world, q);
}

/* An empty queue is known to nobody: another may be at its address next. */
static void replace(uint32_t queue) {
    ox_queue_class_report reports[OX_CLASSES];
    ox_queue_status(world.queues[queue], reports);
    if (ox_queue_bytes(world.queues[queue]) != 0) return;
    for (uint32_t c = 0; c < OX_CLASSES; c++) {
        world.drops[OX_DROP_QUEUE_FULL] -= reports[c].dropped_full;
        world.drops[OX_DROP_QUEUE_DELAY] -= reports[c].dropped_delay;
        world.out[queue][c] = world.out_bytes[queue][c] = 0;
    }
    world.drops[OX_DROP_NO_SESSION] -= world.cleared[queue];
    world.cleared[queue] = world.in[queue] = 0;
    ox_queue_destroy(world.queues[queue]);
    CHECK((world.queues[queue] = ox_queue_create()) != NULL);
}

static void step(const uint8_t bytes[5]) {
    const uint32_t queue = bytes[0] >> 4 & 3u, flow = bytes[2] * 16u % FLOWS, count = bytes[4];
    const ox_class class_ = (ox_class)(bytes[1] % OX_CLASSES);
    const uint32_t payload = TAG_BYTES + bytes[3] * 5u, classes = bytes[1] & 128 ? bytes[3] & EVERY_CLASS : EVERY_CLASS;
    const uint64_t floor_ns = bytes[3] & 128 ? MS * (bytes[3] & 15u) : 0;
    if (queue == QUEUES) {
        world.now_ns += MS * bytes[1] / 4;
        return;
    }
    switch (bytes[0] & 15) {
    case 0: case 1: case 2:
        for (uint32_t i = 0; i < count % 32u; i++) push(&world, queue, class_, flow, payload, 1, bytes[2] & 3);
        break;
    case 3:
        for (uint32_t i = 0; i < 8u * count; i++) push(&world, queue, class_, (flow + i) % FLOWS, TAG_BYTES, 1, 0);
        break;
    case 4: case 5:
        push(&world, queue, class_, flow, payload, 2 + count % 40u, bytes[2] & 3);
        break;
    case 6:
        for (uint32_t i = 0; i < count; i++)
            push(&world, queue, (ox_class)((class_ + i) % OX_CLASSES), (flow + i % 3) % FLOWS, payload, 1 + i % 5 / 4, 0);
        break;
    case 7: clear(&world, queue); break;
    case 8: set_policy(bytes[1], bytes[2]); break;
    case 9: replace(queue); break;
    case 10:
        world.policy.fair = !world.policy.fair;
        ox_scheduler_set_policy(world.scheduler, &world.policy);
        break;
    default:
        for (uint32_t i = 0; i < count; i++) {
            pop(&world, queue, classes, floor_ns, NULL);
            if (bytes[0] & 1) world.now_ns += bytes[1] * (MS / 64);
        }
        break;
    }
    check_counters(&world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    static ox_pool *pool;
    if (pool == NULL) pool = pool_of(SMALL, LARGE);
    open_queues(&world, pool, SMALL, LARGE);
    set_policy(data[0], data[1]);
    for (size_t at = 2; at + 5 <= size; at += 5) step(data + at);
    close_queues(&world);
    return 0;
}
