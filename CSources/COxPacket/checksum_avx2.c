#include "checksum_impl.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

enum { VECTOR = 32, BLOCK = 4 * VECTOR };

/* The last n bytes of a vector are kept by the mask that starts at byte n. */
static const uint8_t last_bytes[2 * VECTOR] = {[VECTOR ... 2 * VECTOR - 1] = 0xFF};

AVX2 static inline __m256i load(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }

/* 16 words, each less OX_CHECKSUM_BIAS, added in pairs to 8 sums. */
AVX2 static inline __m256i add_words(__m256i sum, __m256i words) {
    const __m256i top_bits = _mm256_set1_epi16((short)0x8000);
    const __m256i pairs = _mm256_madd_epi16(_mm256_xor_si256(words, top_bits), _mm256_set1_epi16(1));
    return _mm256_add_epi32(sum, pairs);
}

/* At least VECTOR bytes, an even number of them, at most OX_CHECKSUM_CHUNK. */
AVX2 static uint64_t sum_chunk(const uint8_t *bytes, size_t len) {
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
    const uint8_t *const end = bytes + len;
    for (; end - bytes >= BLOCK; bytes += BLOCK) {
        a = add_words(a, load(bytes));
        b = add_words(b, load(bytes + VECTOR));
        c = add_words(c, load(bytes + 2 * VECTOR));
        d = add_words(d, load(bytes + 3 * VECTOR));
    }
    for (; end - bytes >= VECTOR; bytes += VECTOR) a = add_words(a, load(bytes));
    size_t vectors = len / VECTOR;
    if (bytes != end) {
        /* The last whole vector again, without what was summed already. */
        const __m256i rest = _mm256_and_si256(load(end - VECTOR), load(last_bytes + (end - bytes)));
        b = add_words(b, rest);
        vectors++;
    }
    const __m256i sums = _mm256_add_epi32(_mm256_add_epi32(a, b), _mm256_add_epi32(c, d));
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1));
    return (uint64_t)((int64_t)_mm_cvtsi128_si32(four) + (int64_t)(vectors * (VECTOR / 2) * OX_CHECKSUM_BIAS));
}

AVX2 uint32_t ox_checksum_avx2(const uint8_t *bytes, size_t len, uint32_t start) {
    uint64_t sum = 0;
    for (; len > OX_CHECKSUM_CHUNK; bytes += OX_CHECKSUM_CHUNK, len -= OX_CHECKSUM_CHUNK)
        sum += sum_chunk(bytes, OX_CHECKSUM_CHUNK);
    if (len < 2 * VECTOR) return ox_checksum_scalar(bytes, len, ox_checksum_swap_and_add(sum, start));
    if (len & 1) sum += bytes[len - 1];
    return ox_checksum_swap_and_add(sum + sum_chunk(bytes, len & ~(size_t)1), start);
}
#endif
