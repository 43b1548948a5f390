#include "tcp.h"

/** Takes an item's content out of the pool. */
static void drop(tcp_pool *pool, uint32_t index) {
    if (!tcp_known(pool, index)) return;
    const tcp_generic gone = pool->item[index - ITEM_GENERIC];
    pool->known = (uint16_t)(pool->known & ~(1u << index));
    memmove(pool->octets + gone.at, pool->octets + gone.at + gone.bytes, (size_t)(pool->used - gone.at - gone.bytes));
    pool->used = (uint8_t)(pool->used - gone.bytes);
    for (uint32_t i = 0; i < TCP_GENERICS; i++)
        if (tcp_known(pool, i + ITEM_GENERIC) && pool->item[i].at > gone.at)
            pool->item[i].at = (uint8_t)(pool->item[i].at - gone.bytes);
}

bool tcp_pool_put(tcp_pool *pool, uint32_t index, uint8_t kind, bool stable, const uint8_t *content, uint8_t bytes,
                  uint16_t keep) {
    OX_ASSERT(index >= ITEM_GENERIC && index < TCP_ITEMS);
    tcp_generic *item = &pool->item[index - ITEM_GENERIC];
    if (!tcp_known(pool, index) || item->bytes != bytes) {
        drop(pool, index);
        if (pool->used + bytes > TCP_POOL_MAX)
            for (uint32_t i = ITEM_GENERIC; i < TCP_ITEMS; i++)
                if ((keep >> i & 1) == 0) drop(pool, i);
        if (pool->used + bytes > TCP_POOL_MAX) return false;
        item->at = pool->used;
        item->bytes = bytes;
        pool->used = (uint8_t)(pool->used + bytes);
        pool->known = (uint16_t)(pool->known | 1u << index);
    }
    item->kind = kind;
    pool->stable = (uint16_t)(stable ? pool->stable | 1u << index : pool->stable & ~(1u << index));
    if (bytes != 0) memcpy(pool->octets + item->at, content, bytes);
    return true;
}
