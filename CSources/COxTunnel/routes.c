#include "oxcore/tunnel.h"

#include <stdlib.h>

/**
 * A binary trie over the 128-bit mapped form, its chains without a branch compressed: a node is made only where a
 * prefix ends or two prefixes part. At most two nodes a route.
 */
typedef struct node {
    uint64_t key[2];   /**< the prefix, high half first, bits behind `bits` zero */
    uint32_t child[2]; /**< 0 for none: node 0 is the root, and nobody's child */
    int32_t peer;      /**< -1 where no route ends */
    uint8_t bits;
} node;

struct ox_routes {
    uint32_t count;
    node nodes[];
};

static uint64_t bit(const uint64_t key[2], uint32_t at) { return key[at / 64] >> (63 - at % 64) & 1; }

static void mask(uint64_t key[2], uint32_t bits) {
    if (bits < 64) key[0] &= bits == 0 ? 0 : UINT64_MAX << (64 - bits);
    if (bits <= 64) key[1] = 0;
    else if (bits < 128) key[1] &= UINT64_MAX << (128 - bits);
}

/** Leading bits that two keys share, at most `most`. */
static uint32_t shared(const uint64_t a[2], const uint64_t b[2], uint32_t most) {
    uint64_t high = a[0] ^ b[0], low = a[1] ^ b[1];
    uint32_t same = high != 0 ? (uint32_t)__builtin_clzll(high) : low != 0 ? 64 + (uint32_t)__builtin_clzll(low) : 128;
    return same < most ? same : most;
}

static uint32_t add(ox_routes *routes, const uint64_t key[2], uint32_t bits, int32_t peer) {
    uint32_t index = routes->count++;
    node *n = &routes->nodes[index];
    *n = (node){.key = {key[0], key[1]}, .peer = peer, .bits = (uint8_t)bits};
    mask(n->key, bits);
    return index;
}

static void insert(ox_routes *routes, const uint64_t key[2], uint32_t bits, int32_t peer) {
    uint32_t at = 0;
    for (;;) {
        if (routes->nodes[at].bits == bits) {
            routes->nodes[at].peer = peer;
            return;
        }
        uint64_t side = bit(key, routes->nodes[at].bits);
        uint32_t below = routes->nodes[at].child[side];
        if (below == 0) {
            uint32_t leaf = add(routes, key, bits, peer);
            routes->nodes[at].child[side] = leaf;
            return;
        }
        uint32_t below_bits = routes->nodes[below].bits;
        uint32_t same = shared(key, routes->nodes[below].key, bits < below_bits ? bits : below_bits);
        if (same == below_bits) {
            at = below;
            continue;
        }
        uint32_t middle = add(routes, key, same, same == bits ? peer : -1);
        routes->nodes[middle].child[bit(routes->nodes[below].key, same)] = below;
        if (same != bits) {
            uint32_t leaf = add(routes, key, bits, peer);
            routes->nodes[middle].child[bit(key, same)] = leaf;
        }
        routes->nodes[at].child[side] = middle;
        return;
    }
}

ox_routes *ox_routes_create(const ox_route *list, size_t count) {
    OX_ASSERT(count <= OX_ROUTES_MAX);
    ox_routes *routes = calloc(1, sizeof *routes + (2 * count + 1) * sizeof(node));
    if (routes == NULL) return NULL;
    uint64_t root[2] = {0, 0};
    add(routes, root, 0, -1);
    for (size_t i = 0; i < count; i++) {
        OX_ASSERT(list[i].bits <= 128 && list[i].peer < OX_PEERS_MAX);
        uint64_t key[2] = {ox_load_be64(list[i].ip), ox_load_be64(list[i].ip + 8)};
        mask(key, list[i].bits);
        insert(routes, key, list[i].bits, (int32_t)list[i].peer);
    }
    return routes;
}

void ox_routes_destroy(ox_routes *routes) { free(routes); }

int64_t ox_routes_find(const ox_routes *routes, const uint8_t *ip, uint32_t family_bytes) {
    OX_ASSERT(family_bytes == 4 || family_bytes == 16);
    if (routes == NULL) return -1;
    uint64_t key[2];
    if (family_bytes == 4) {
        key[0] = 0;
        key[1] = (uint64_t)0xffff << 32 | ox_load_be32(ip);
    } else {
        key[0] = ox_load_be64(ip);
        key[1] = ox_load_be64(ip + 8);
    }
    // An IPv6 packet with a mapped address would match IPv4's routes, and ::/0 must not catch IPv4.
    bool mapped = key[0] == 0 && key[1] >> 32 == 0xffff;
    if (mapped != (family_bytes == 4)) return -1;
    int64_t found = -1;
    for (uint32_t at = 0;;) {
        const node *n = &routes->nodes[at];
        if (shared(key, n->key, n->bits) != n->bits) return found;
        if (n->peer >= 0 && (family_bytes == 16 || n->bits >= 96)) found = n->peer;
        if (n->bits == 128) return found;
        at = n->child[bit(key, n->bits)];
        if (at == 0) return found;
    }
}
