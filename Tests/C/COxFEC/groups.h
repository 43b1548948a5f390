/* Groups of shards to code: random data, parities by definition, buffers beside pages that fault. */
#ifndef TESTS_GROUPS_H
#define TESTS_GROUPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "CSources/COxFEC/rs_impl.h"

#include <sys/mman.h>
#include <unistd.h>

enum { SHARD_MAX = 1504 };

typedef struct group {
    uint32_t k, r;
    size_t bytes;
    ox_rs *rs;
    uint8_t *shards[OX_RS_SHARDS_MAX];
    uint8_t memory[OX_RS_SHARDS_MAX][SHARD_MAX], right[OX_RS_SHARDS_MAX][SHARD_MAX];
} group;

static inline uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static inline void fill_random(uint8_t *bytes, size_t count, uint32_t *seed) {
    for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)next_random(seed);
}

/* By the book: shift, and take the polynomial off. */
static inline uint8_t slow_multiply(uint8_t a, uint8_t b) {
    uint32_t product = 0;
    for (uint32_t bit = 0; bit < 8; bit++)
        if (b >> bit & 1) product ^= (uint32_t)a << bit;
    for (uint32_t bit = 15; bit >= 8; bit--)
        if (product >> bit & 1) product ^= 0x11Du << (bit - 8);
    return (uint8_t)product;
}

static inline uint8_t slow_inverse(uint8_t a) {
    for (uint32_t b = 1; b < 256; b++)
        if (slow_multiply(a, (uint8_t)b) == 1) return (uint8_t)b;
    fail();
    return 0;
}

/* The matrix as rs.h defines it. */
static inline uint8_t slow_element(uint32_t i, uint32_t j) {
    return slow_multiply((uint8_t)(64 + j), slow_inverse((uint8_t)((64 + i) ^ j)));
}

/* A coder at its place; the shards of a group are its own. */
static inline void group_open(group *g, uint32_t k, uint32_t r, size_t bytes, const ox_rs_variant *variant) {
    if (g->rs == NULL) g->rs = aligned_alloc(64, ox_rs_bytes());
    assert_non_null(g->rs);
    g->k = k;
    g->r = r;
    g->bytes = bytes;
    if (variant != NULL) g->rs = ox_rs_init_variant(g->rs, k, r, variant);
    else g->rs = ox_rs_init(g->rs, k, r);
    for (uint32_t i = 0; i < OX_RS_SHARDS_MAX; i++) g->shards[i] = g->memory[i];
}

static inline void group_close(group *g) {
    free(g->rs);
    free(g);
}

/* Random data, and parities by the codec; what is right is kept. */
static inline void group_fill(group *g, uint32_t *seed) {
    for (uint32_t i = 0; i < g->k; i++) fill_random(g->shards[i], g->bytes, seed);
    ox_rs_encode(g->rs, (const uint8_t *const *)g->shards, g->shards + g->k, g->bytes);
    for (uint32_t i = 0; i < g->k + g->r; i++) memcpy(g->right[i], g->shards[i], g->bytes);
}

/* All shards are there, but for those whose bit is in `lost`; these are overwritten. */
static inline ox_rs_present group_lose(group *g, const uint64_t lost[2]) {
    ox_rs_present present = {{0, 0}};
    for (uint32_t i = 0; i < g->k + g->r; i++) {
        if (lost[i / 64] >> i % 64 & 1) memset(g->shards[i], 0xA5, g->bytes);
        else assert_int_equal(OX_OK, ox_rs_arrived(g->rs, &present, i));
    }
    return present;
}

static inline void group_check_data(const group *g) {
    for (uint32_t i = 0; i < g->k; i++) assert_memory_equal(g->right[i], g->shards[i], g->bytes);
}

/* `count` bytes that end right before a page that faults or, with `behind`, begin right behind one. */
static inline uint8_t *guarded(size_t count, bool behind) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (count + page - 1) / page;
    uint8_t *memory = mmap(NULL, (pages + 2) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    assert_int_equal(0, mprotect(memory, page, PROT_NONE));
    assert_int_equal(0, mprotect(memory + (pages + 1) * page, page, PROT_NONE));
    return behind ? memory + page : memory + (pages + 1) * page - count;
}

/* What guarded() gave, for `count` bytes. */
static inline void release_guarded(uint8_t *bytes, size_t count) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (count + page - 1) / page;
    const uintptr_t inside = (uintptr_t)bytes / page * page; // the first page of the bytes
    assert_int_equal(0, munmap((uint8_t *)inside - page, (pages + 2) * page));
}

#endif
