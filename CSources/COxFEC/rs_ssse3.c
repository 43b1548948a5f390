#include "rs_impl.h"

#ifdef __x86_64__
#include <immintrin.h>

#define TARGET __attribute__((target("ssse3"))) OX_RS_UNCHECKED

enum { VECTOR = 16 };
#define ROWS 4
#define WIDE 1
#define WIDE_OF(rows) 1

typedef __m128i vector;
typedef struct factor {
    __m128i low, high; /* products with the low four bits, with the high ones */
} factor;
typedef struct operand {
    __m128i low, high;
} operand;

TARGET static inline vector load(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
TARGET static inline void store(uint8_t *p, vector v) { _mm_storeu_si128((__m128i *)(void *)p, v); }
TARGET static inline vector zero(void) { return _mm_setzero_si128(); }
TARGET static inline vector add(vector a, vector b) { return _mm_xor_si128(a, b); }
TARGET static inline vector mask(vector v, vector keep) { return _mm_and_si128(v, keep); }
TARGET static inline vector add3(vector a, vector b, vector c) { return add(a, add(b, c)); }
TARGET static inline factor find_factor(const uint64_t *form) {
    const uint8_t *table = (const uint8_t *)ox_rs_nibbles[*form];
    return (factor){load(table), load(table + VECTOR)};
}
TARGET static inline operand prepare(vector v) {
    const __m128i four = _mm_set1_epi8(0x0F);
    return (operand){_mm_and_si128(v, four), _mm_and_si128(_mm_srli_epi64(v, 4), four)};
}
TARGET static inline vector add_product(vector sum, factor f, operand x) {
    return add3(sum, _mm_shuffle_epi8(f.low, x.low), _mm_shuffle_epi8(f.high, x.high));
}
TARGET static inline vector add_products(vector sum, factor f, operand x, factor g, operand y) {
    return add_product(add_product(sum, f, x), g, y);
}
#include "rs_rows.h"

void ox_rs_multiply_ssse3(const ox_rs_product *product) { sum_all(product); }
#endif
