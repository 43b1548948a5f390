#include "rs_impl.h"

#ifdef __x86_64__
#include <immintrin.h>

#define TARGET __attribute__((target("avx2"))) OX_RS_UNCHECKED

enum { VECTOR = 32 };
#define ROWS 4
#define WIDE 2
#define WIDE_OF(rows) 2

typedef __m256i vector;
typedef struct factor {
    __m256i low, high; /* products with the low four bits, with the high ones */
} factor;
typedef struct operand {
    __m256i low, high;
} operand;

TARGET static inline vector load(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
TARGET static inline void store(uint8_t *p, vector v) { _mm256_storeu_si256((__m256i *)(void *)p, v); }
TARGET static inline vector zero(void) { return _mm256_setzero_si256(); }
TARGET static inline vector add(vector a, vector b) { return _mm256_xor_si256(a, b); }
TARGET static inline vector mask(vector v, vector keep) { return _mm256_and_si256(v, keep); }
TARGET static inline vector add3(vector a, vector b, vector c) { return add(a, add(b, c)); }
TARGET static inline factor find_factor(const uint64_t *form) {
    const __m128i *table = (const __m128i *)(const void *)ox_rs_nibbles[*form];
    return (factor){_mm256_broadcastsi128_si256(_mm_loadu_si128(table)),
                    _mm256_broadcastsi128_si256(_mm_loadu_si128(table + 1))};
}
TARGET static inline operand prepare(vector v) {
    const __m256i four = _mm256_set1_epi8(0x0F);
    return (operand){_mm256_and_si256(v, four), _mm256_and_si256(_mm256_srli_epi64(v, 4), four)};
}
TARGET static inline vector add_product(vector sum, factor f, operand x) {
    return add3(sum, _mm256_shuffle_epi8(f.low, x.low), _mm256_shuffle_epi8(f.high, x.high));
}
TARGET static inline vector add_products(vector sum, factor f, operand x, factor g, operand y) {
    return add_product(add_product(sum, f, x), g, y);
}

#include "rs_rows.h"

void ox_rs_multiply_avx2(const ox_rs_product *product) { sum_all(product); }
#endif
