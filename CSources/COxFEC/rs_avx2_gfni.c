#include "rs_impl.h"

#ifdef __x86_64__
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,gfni"))) OX_RS_UNCHECKED

enum { VECTOR = 32 };
#define ROWS 4
#define WIDE 2
#define WIDE_OF(rows) 2

typedef __m256i vector, factor, operand;
TARGET static inline vector load(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
TARGET static inline void store(uint8_t *p, vector v) { _mm256_storeu_si256((__m256i *)(void *)p, v); }
TARGET static inline vector zero(void) { return _mm256_setzero_si256(); }
TARGET static inline vector add(vector a, vector b) { return _mm256_xor_si256(a, b); }
TARGET static inline vector mask(vector v, vector keep) { return _mm256_and_si256(v, keep); }
TARGET static inline vector add3(vector a, vector b, vector c) { return add(a, add(b, c)); }
TARGET static inline factor find_factor(const uint64_t *form) { return _mm256_set1_epi64x((long long)*form); }
TARGET static inline operand prepare(vector v) { return v; }
TARGET static inline vector add_product(vector sum, factor f, operand x) {
    return add(sum, _mm256_gf2p8affine_epi64_epi8(x, f, 0));
}
TARGET static inline vector add_products(vector sum, factor f, operand x, factor g, operand y) {
    return add3(sum, _mm256_gf2p8affine_epi64_epi8(x, f, 0), _mm256_gf2p8affine_epi64_epi8(y, g, 0));
}

#include "rs_rows.h"

void ox_rs_multiply_avx2_gfni(const ox_rs_product *product) { sum_all(product); }
#endif
