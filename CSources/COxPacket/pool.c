#include "oxcore/packet.h"

#include <sys/mman.h>

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

enum { STORAGE_ALIGNMENT = 64 };
_Static_assert(OX_BUF_BYTES % STORAGE_ALIGNMENT == 0, "every storage is aligned when the first one is");
_Static_assert(OX_BUF_CONTENT_MAX >= OX_INNER_MTU, "a whole inner packet fits in one buffer");

/*
 * One mapping: this, the descriptors, the storages. The free list is last in, first out, and descriptors join it only
 * when they first come back, so memory that the load never needed is never touched.
 */
struct ox_pool {
    size_t mapped_bytes;
    uint8_t *storages;
    ox_buf *free_list;
    uint32_t buffers;
    uint32_t fresh; /* descriptors from here on have never been handed out */
    uint32_t free;
    uint32_t free_least;
    uint64_t exhausted;
    _Alignas(STORAGE_ALIGNMENT) ox_buf descriptors[];
};

ox_pool *ox_pool_create(uint32_t buffers) {
    OX_ASSERT(buffers >= 1 && buffers <= OX_POOL_BUFFERS_MAX);
    size_t storages_offset = sizeof(ox_pool) + (size_t)buffers * sizeof(ox_buf);
    storages_offset = (storages_offset + STORAGE_ALIGNMENT - 1) & ~(size_t)(STORAGE_ALIGNMENT - 1);
    const size_t bytes = storages_offset + (size_t)buffers * OX_BUF_BYTES;

    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    ox_pool *pool = memory; /* the kernel's pages are zero */
    pool->mapped_bytes = bytes;
    pool->storages = (uint8_t *)memory + storages_offset;
    pool->buffers = buffers;
    pool->free = buffers;
    pool->free_least = buffers;
    return pool;
}

void ox_pool_destroy(ox_pool *pool) {
    if (pool == NULL) return;
    OX_ASSERT(pool->free == pool->buffers);
    ASAN_UNPOISON_MEMORY_REGION(pool->storages, (size_t)pool->fresh * OX_BUF_BYTES);
    OX_ASSERT(munmap(pool, pool->mapped_bytes) == 0);
}

ox_buf *ox_pool_get(ox_pool *pool) {
    ox_buf *buf = pool->free_list;
    if (buf != NULL) {
        pool->free_list = buf->next;
    } else if (pool->fresh < pool->buffers) {
        buf = &pool->descriptors[pool->fresh++];
    } else {
        pool->exhausted++;
        return NULL;
    }
    pool->free--;
    if (pool->free < pool->free_least) pool->free_least = pool->free;

    uint8_t *storage = pool->storages + (size_t)(buf - pool->descriptors) * OX_BUF_BYTES;
    ASAN_UNPOISON_MEMORY_REGION(storage, (size_t)OX_BUF_BYTES);
    *buf = (ox_buf){.data = storage + OX_BUF_HEADROOM, .storage = storage};
    return buf;
}

void ox_pool_put(ox_pool *pool, ox_buf *buf) {
    const uintptr_t offset = (uintptr_t)buf - (uintptr_t)pool->descriptors;
    OX_ASSERT(offset < pool->fresh * sizeof(ox_buf) && offset % sizeof(ox_buf) == 0); /* a buffer of this pool */
    OX_ASSERT(buf->storage != NULL);                                                  /* put twice */

    ASAN_POISON_MEMORY_REGION(buf->storage, (size_t)OX_BUF_BYTES);
    /* Free buffers have no storage and no content: a second put is noticed, and a late use faults at once. */
    buf->storage = NULL;
    buf->data = NULL;
    buf->len = 0;
    buf->next = pool->free_list;
    pool->free_list = buf;
    pool->free++;
}

void ox_pool_put_list(ox_pool *pool, ox_list *list) {
    for (ox_buf *buf = ox_list_take(list); buf != NULL; buf = ox_list_take(list)) ox_pool_put(pool, buf);
}

ox_pool_report ox_pool_status(const ox_pool *pool) {
    return (ox_pool_report){
        .buffers = pool->buffers,
        .free = pool->free,
        .free_least = pool->free_least,
        .exhausted = pool->exhausted,
    };
}
