#ifdef __x86_64__
#include "parse_eight.h"

enum {
    V4_BYTES_MIN = 40, /* of a packet that is looked at here: all loads are inside of it */
    V6_BYTES_MIN = V6_HEADER_BYTES + PIECE,
};
_Static_assert((int)V4_BYTES_MIN >= (int)V4_HEADER_BYTES + (int)PIECE && V4_BYTES_MIN >= 8 + 32,
               "the addresses are read as those of IPv6");

#define NONE 0x80 /* a shuffle writes zero */

/* Octets of the IP header in the order of `pieces`. */
static const uint8_t ip_order[2][PIECE] = {
    {0, 9, 1, 8, 3, 2, 7, 6, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE},
    {0, 6, 1, 7, 5, 4, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE},
};

/* In the 32 bytes from offset 8 lie the addresses of IPv6 whole, and of IPv4 in words 1 and 2. */
static const uint32_t address_words[2][8] = {
    {0, UINT32_MAX, UINT32_MAX, 0, 0, 0, 0, 0},
    {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
};

/* Stands for a packet that is too short to be looked at here. No version of IP: it never passes. */
static const uint8_t blank[V4_BYTES_MIN];

AVX2 static inline __m256i pair(const uint8_t *low, const uint8_t *high) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low)),
                                   _mm_loadu_si128((const __m128i *)high), 1);
}

/* Where the pieces of a packet are. */
typedef struct place {
    const uint8_t *packet;
    const uint8_t *transport;
    uint32_t v6; /* 1 or 0 */
} place;

AVX2 static inline place find_pieces(const uint8_t *packet, uint32_t len) {
    if (len < V4_BYTES_MIN) packet = blank;
    const uint32_t v6 = packet[0] >> 4 == 6;
    const uint32_t v6_whole = v6 & (len >= V6_BYTES_MIN);
    const uint8_t *transport = packet + V4_HEADER_BYTES + v6_whole * (V6_HEADER_BYTES - V4_HEADER_BYTES);
    return (place){.packet = packet, .transport = transport, .v6 = v6};
}

AVX2 static inline __m256i load_addresses(const place *at) {
    return and(_mm256_loadu_si256((const __m256i *)(at->packet + 8)),
               _mm256_loadu_si256((const __m256i *)address_words[at->v6]));
}

AVX2 static inline void load_pieces(const uint8_t *const packets[], const uint32_t lengths[], const ox_flow_key *key,
                                    pieces *q) {
    const __m256i transport_order = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(1, 0, 3, 2, 5, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    const __m256i address_key = _mm256_loadu_si256((const __m256i *)key->words);
    __m256i low[4], high[4];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) {
        const place a = find_pieces(packets[i], lengths[i]), b = find_pieces(packets[i + 4], lengths[i + 4]);
        q->ip[i] = _mm256_shuffle_epi8(pair(a.packet, b.packet), pair(ip_order[a.v6], ip_order[b.v6]));
        q->transport[i] = _mm256_shuffle_epi8(pair(a.transport, b.transport), transport_order);
        low[i] = multiply(load_addresses(&a), address_key);
        high[i] = multiply(load_addresses(&b), address_key);
    }
    q->sums[0] = add_products(low);
    q->sums[1] = add_products(high);
}

/* Eight packets of which none is long enough to be looked at here: the vectors would be for nothing. */
AVX2 static inline bool all_short(const uint32_t lengths[]) {
    const __m256i eight = _mm256_loadu_si256((const __m256i *)lengths);
    return bits(equal(_mm256_max_epu32(eight, each(V4_BYTES_MIN - 1)), each(V4_BYTES_MIN - 1))) == 0xFF;
}

AVX2 void ox_parse_batch_avx2(const ox_flow_key *key, const uint8_t *const packets[], const uint32_t lengths[],
                              uint32_t count, ox_parsed *parsed) {
    leftovers left[OX_PARSE_BATCH_MAX / LANES];
    const uint32_t whole = count / LANES * LANES;
    for (uint32_t i = 0; i < whole; i += LANES) {
        prefetch_eight(packets, i + PREFETCH_AHEAD, count);
        if (all_short(lengths + i)) {
            left[i / LANES] = (leftovers){.other = 0xFF};
            memset(parsed->hashes + i, 0, LANES * sizeof parsed->hashes[0]);
            continue;
        }
        pieces q;
        load_pieces(packets + i, lengths + i, key, &q);
        left[i / LANES] = parse_eight(&q, V6_BYTES_MIN, key, lengths, i, parsed);
    }
    mix_hashes(parsed->hashes, whole);
    for (uint32_t i = 0; i < whole; i += LANES) parse_leftovers(&left[i / LANES], key, packets, lengths, i, parsed);
    for (uint32_t i = whole; i < count; i++) ox_parse_one(key, packets[i], lengths[i], i, parsed);
}
#endif
