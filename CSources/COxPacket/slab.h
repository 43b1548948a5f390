/* What a slab is: between slab.c, which maps it, and pool.c, which hands its buffers out. */
#ifndef OX_SLAB_H
#define OX_SLAB_H

#include "oxcore/packet.h"

#if defined(__SANITIZE_ADDRESS__)
#define OX_POOL_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OX_POOL_POISON 1
#endif
#endif

#ifdef OX_POOL_POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, bytes) ((void)(start), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(start, bytes) ((void)(start), (void)(bytes))
#endif

enum { LINE_BYTES = 64, CELL_BYTES = 128 };

/* A power of two, so that a buffer's number needs no division. */
typedef union cell {
    ox_buf buf;
    _Alignas(LINE_BYTES) uint8_t bytes[CELL_BYTES];
} cell;
_Static_assert(sizeof(cell) == CELL_BYTES, "two lines hold a descriptor");

/*
 * One mapping: this, the stack of free buffers, the descriptors, the storages. A buffer joins the stack only when it first
 * comes back, so memory that the load never needed is never touched.
 */
struct ox_slab {
    cell *cells;
    uint8_t *storages;
    size_t stride;     /* from one storage to the next */
    ox_buf **returned; /* free buffers that have been out before, the last one back on top */
    uint32_t returned_count;
    uint32_t capacity; /* bytes of one storage */
    uint32_t buffers;
    uint32_t fresh;    /* cells from here on have never been handed out */
    uint32_t reserve;  /* free buffers here: returned and never handed out. Others may be on the pool's hot stack */
    ox_buf_class class_;
    ox_pages pages;
    ox_pool *pool;     /* NULL while it is in none */
    ox_slab *next;     /* of the same class in the pool, in the order in which they came */
    uint32_t index;    /* in the pool's table */
    size_t mapped_bytes;
};

#endif
