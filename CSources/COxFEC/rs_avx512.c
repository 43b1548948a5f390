#include "rs_impl.h"

#ifdef __x86_64__
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,bmi2"))) OX_RS_UNCHECKED

enum { VECTOR = 64 };
#define ROWS 8
#define WIDE 4
#define WIDE_OF(rows) ((rows) <= 2 ? 4 : 2)

typedef __m512i vector;
typedef struct factor {
    __m512i low, high; /* products with the low four bits, with the high ones */
} factor;
typedef struct operand {
    __m512i low, high;
} operand;
typedef __mmask64 part;
#define MASKS

TARGET static inline vector load(const uint8_t *p) { return _mm512_loadu_si512(p); }
TARGET static inline vector load_part(const uint8_t *p, part only) { return _mm512_maskz_loadu_epi8(only, p); }
TARGET static inline void store(uint8_t *p, vector v) { _mm512_storeu_si512(p, v); }
TARGET static inline void store_part(uint8_t *p, vector v, part only) { _mm512_mask_storeu_epi8(p, only, v); }
TARGET static inline vector zero(void) { return _mm512_setzero_si512(); }
TARGET static inline vector add(vector a, vector b) { return _mm512_xor_si512(a, b); }
TARGET static inline vector add3(vector a, vector b, vector c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
TARGET static inline factor find_factor(const uint64_t *form) {
    const __m128i *table = (const __m128i *)(const void *)ox_rs_nibbles[*form];
    return (factor){_mm512_broadcast_i32x4(_mm_loadu_si128(table)), _mm512_broadcast_i32x4(_mm_loadu_si128(table + 1))};
}
TARGET static inline operand prepare(vector v) {
    const __m512i four = _mm512_set1_epi8(0x0F);
    return (operand){_mm512_and_si512(v, four), _mm512_and_si512(_mm512_srli_epi64(v, 4), four)};
}
TARGET static inline vector add_product(vector sum, factor f, operand x) {
    return add3(sum, _mm512_shuffle_epi8(f.low, x.low), _mm512_shuffle_epi8(f.high, x.high));
}
TARGET static inline vector add_products(vector sum, factor f, operand x, factor g, operand y) {
    return add_product(add_product(sum, f, x), g, y);
}
TARGET static inline part find_part(size_t count) { return _bzhi_u64(UINT64_MAX, (unsigned)count); }

#include "rs_rows.h"

void ox_rs_multiply_avx512(const ox_rs_product *product) { sum_all(product); }
#endif
