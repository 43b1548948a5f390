/* One coalescer, fed by name, for the C tests. Include cmocka first. */
#ifndef TESTS_COXPACKET_COALESCER_WORLD_H
#define TESTS_COXPACKET_COALESCER_WORLD_H

#include "Tests/C/COxPacket/coalesced.h"

static coalesced world;

static inline int set_up(void **state) {
    (void)state;
    world = (coalesced){.pool = pool_of(256, 20), .cut = pool_of(OX_SEGMENTS_MAX, 0)};
    world.coalescer = ox_coalescer_create(world.pool);
    return world.coalescer == NULL;
}

static inline int tear_down(void **state) {
    (void)state;
    ox_coalescer_destroy(world.coalescer);
    const bool whole = ox_pool_free(world.pool, OX_BUF_SMALL) == 256 && ox_pool_free(world.pool, OX_BUF_LARGE) == 20;
    ox_pool_destroy(world.pool);
    ox_pool_destroy(world.cut);
    return whole ? 0 : 1;
}

static inline void give(const spec *s) { enter(&world, buf_of(world.pool, OX_BUF_SMALL, s, OX_CHECKSUM_VALID)); }

/* What follows `s` in its flow. */
static inline void advance(spec *s) {
    s->sequence += s->protocol == OX_PROTO_TCP ? s->payload : 0;
    s->id = (uint16_t)(s->id + (s->version == 4));
    s->fill++;
}

static inline void give_run(spec *s, uint32_t count) {
    for (uint32_t i = 0; i < count; i++, advance(s)) give(s);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
