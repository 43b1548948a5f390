#include "checksum_impl.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,bmi2")))

enum { VECTOR = 64, BLOCK = 4 * VECTOR };

AVX512 static inline __m512i load(const uint8_t *p) { return _mm512_loadu_si512(p); }

/* 32 words, each less OX_CHECKSUM_BIAS, added in pairs to 16 sums. */
AVX512 static inline __m512i add_words(__m512i sum, __m512i words) {
    const __m512i top_bits = _mm512_set1_epi16((short)0x8000);
    return _mm512_dpwssd_epi32(sum, _mm512_xor_si512(words, top_bits), _mm512_set1_epi16(1));
}

/* At most OX_CHECKSUM_CHUNK bytes. */
AVX512 static uint64_t sum_chunk(const uint8_t *bytes, size_t len) {
    __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
    size_t vectors = len / VECTOR;
    for (; len >= BLOCK; bytes += BLOCK, len -= BLOCK) {
        a = add_words(a, load(bytes));
        b = add_words(b, load(bytes + VECTOR));
        c = add_words(c, load(bytes + 2 * VECTOR));
        d = add_words(d, load(bytes + 3 * VECTOR));
    }
    for (; len >= VECTOR; bytes += VECTOR, len -= VECTOR) a = add_words(a, load(bytes));
    if (len != 0) {
        const __mmask64 rest = _bzhi_u64(UINT64_MAX, (unsigned)len);
        b = add_words(b, _mm512_maskz_loadu_epi8(rest, bytes));
        vectors++;
    }
    const __m512i sums = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
    const int64_t sum = _mm512_reduce_add_epi32(sums);
    return (uint64_t)(sum + (int64_t)(vectors * (VECTOR / 2) * OX_CHECKSUM_BIAS));
}

AVX512 uint32_t ox_checksum_avx512(const uint8_t *bytes, size_t len, uint32_t start) {
    if (len < VECTOR) return ox_checksum_scalar(bytes, len, start);
    uint64_t sum = 0;
    for (; len > OX_CHECKSUM_CHUNK; bytes += OX_CHECKSUM_CHUNK, len -= OX_CHECKSUM_CHUNK)
        sum += sum_chunk(bytes, OX_CHECKSUM_CHUNK);
    return ox_checksum_swap_and_add(sum + sum_chunk(bytes, len), start);
}
#endif
