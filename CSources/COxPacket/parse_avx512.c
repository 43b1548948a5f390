#include "parse_impl.h"

#ifdef __x86_64__
#include "parse_eight.h"

#define AVX512 __attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,bmi2")))

enum { LOADED = 64 }; /* bytes of a packet, or all of it: no field that is read lies behind them */
_Static_assert((int)LOADED >= (int)V6_HEADER_BYTES + (int)PIECE, "IPv6 with the piece of its transport header");

/*
 * Octets of a packet of IPv4 and of IPv6 in the order of `pieces`: 16 of the IP header, 16 of the transport header, and
 * the addresses, in the words where ox_flow_hash() has them. `kept` has a bit for each that is not zero.
 */
static const uint8_t order[2][LOADED] = {
    {0, 9, 1, 8, 3, 2, 7, 6, 0, 0, 0, 0, 0, 0, 0, 0,
     21, 20, 23, 22, 25, 24, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
     0, 0, 0, 0, 12, 13, 14, 15, 16, 17, 18, 19, 0, 0, 0, 0,
     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {0, 6, 1, 7, 5, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
     41, 40, 43, 42, 45, 44, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55,
     8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
     24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39},
};
static const uint64_t kept[2] = {0x00000FF0FFFF00FF, 0xFFFFFFFFFFFF003F};

/* Packets without a byte are not read: this has none of the versions. */
static const uint8_t blank[1];

AVX512 static inline __m512i load_packet(const uint8_t *packet, uint32_t len) {
    if (len == 0) packet = blank;
    const uint32_t v6 = packet[0] >> 4 == 6;
    const __mmask64 inside = _bzhi_u64(UINT64_MAX, len < LOADED ? len : LOADED);
    const __m512i bytes = _mm512_maskz_loadu_epi8(inside, packet);
    return _mm512_maskz_permutexvar_epi8(kept[v6], _mm512_loadu_si512(order[v6]), bytes);
}

AVX512 static inline void load_pieces(const uint8_t *const packets[], const uint32_t lengths[], const ox_flow_key *key,
                                      pieces *q) {
    const __m256i address_key = _mm256_loadu_si256((const __m256i *)key->words);
    __m256i low[4], high[4];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) {
        const __m512i a = load_packet(packets[i], lengths[i]), b = load_packet(packets[i + 4], lengths[i + 4]);
        const __m256i headers_a = _mm512_castsi512_si256(a), headers_b = _mm512_castsi512_si256(b);
        q->ip[i] = _mm256_inserti128_si256(headers_a, _mm256_castsi256_si128(headers_b), 1);
        q->transport[i] = _mm256_permute2x128_si256(headers_a, headers_b, 0x31);
        low[i] = multiply(_mm512_extracti64x4_epi64(a, 1), address_key);
        high[i] = multiply(_mm512_extracti64x4_epi64(b, 1), address_key);
    }
    q->sums[0] = add_products(low);
    q->sums[1] = add_products(high);
}

AVX512 void ox_parse_batch_avx512(const ox_flow_key *key, const uint8_t *const packets[], const uint32_t lengths[],
                                  uint32_t count, ox_parsed *parsed) {
    leftovers left[OX_PARSE_BATCH_MAX / LANES];
    const uint32_t whole = count / LANES * LANES;
    for (uint32_t i = 0; i < whole; i += LANES) {
        pieces q;
        prefetch_eight(packets, i + PREFETCH_AHEAD, count);
        load_pieces(packets + i, lengths + i, key, &q);
        left[i / LANES] = parse_eight(&q, 0, key, lengths, i, parsed);
    }
    mix_hashes(parsed->hashes, whole);
    for (uint32_t i = 0; i < whole; i += LANES) parse_leftovers(&left[i / LANES], key, packets, lengths, i, parsed);
    for (uint32_t i = whole; i < count; i++) ox_parse_one(key, packets[i], lengths[i], i, parsed);
}
#endif
