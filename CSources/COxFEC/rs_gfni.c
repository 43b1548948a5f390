#include "rs_impl.h"

#ifdef __x86_64__
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,gfni,bmi2"))) OX_RS_UNCHECKED

enum { VECTOR = 64 };
#define ROWS 8
#define WIDE 4
#define WIDE_OF(rows) ((rows) <= 4 ? 4 : 2)

typedef __m512i vector, factor, operand;
typedef __mmask64 part;
#define MASKS

TARGET static inline vector load(const uint8_t *p) { return _mm512_loadu_si512(p); }
TARGET static inline vector load_part(const uint8_t *p, part only) { return _mm512_maskz_loadu_epi8(only, p); }
TARGET static inline void store(uint8_t *p, vector v) { _mm512_storeu_si512(p, v); }
TARGET static inline void store_part(uint8_t *p, vector v, part only) { _mm512_mask_storeu_epi8(p, only, v); }
TARGET static inline vector zero(void) { return _mm512_setzero_si512(); }
TARGET static inline vector add(vector a, vector b) { return _mm512_xor_si512(a, b); }
TARGET static inline vector add3(vector a, vector b, vector c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
TARGET static inline factor find_factor(const uint64_t *form) { return _mm512_set1_epi64((long long)*form); }
TARGET static inline operand prepare(vector v) { return v; }
TARGET static inline vector add_product(vector sum, factor f, operand x) {
    return add(sum, _mm512_gf2p8affine_epi64_epi8(x, f, 0));
}
TARGET static inline vector add_products(vector sum, factor f, operand x, factor g, operand y) {
    return add3(sum, _mm512_gf2p8affine_epi64_epi8(x, f, 0), _mm512_gf2p8affine_epi64_epi8(y, g, 0));
}
TARGET static inline part find_part(size_t count) { return _bzhi_u64(UINT64_MAX, (unsigned)count); }

#include "rs_rows.h"

void ox_rs_multiply_gfni(const ox_rs_product *product) { sum_all(product); }
#endif
