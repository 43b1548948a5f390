/** Pools for the tests of COxIO. */
#ifndef TESTS_COXIO_POOLS_H
#define TESTS_COXIO_POOLS_H

#include "oxcore/io.h"

static inline ox_pool *make_pool(uint32_t small, uint32_t large) {
    ox_pool *made = ox_pool_create();
    const uint32_t buffers[OX_BUF_CLASSES] = {small, large};
    for (uint32_t i = 0; i < OX_BUF_CLASSES; i++) {
        if (buffers[i] == 0) continue;
        ox_slab_parameters parameters = {.class_ = (ox_buf_class)i, .buffers = buffers[i], .node = -1};
        if (!ox_pool_add(made, ox_slab_create(&parameters))) abort();
    }
    return made;
}

static inline bool all_are_back(const ox_pool *p) {
    ox_pool_report report;
    ox_pool_status(p, &report);
    return report.classes[0].free == report.classes[0].buffers && report.classes[1].free == report.classes[1].buffers;
}

/** How many buffers a receive brought. */
static inline uint32_t receive(ox_port *port, ox_pool *from, ox_list *out, uint32_t max) {
    uint32_t before = out->count;
    (void)ox_port_receive(port, from, out, max);
    return out->count - before;
}

#endif
