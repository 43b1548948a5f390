#include "rs_impl.h"

#ifdef __aarch64__
#include <arm_neon.h>

#define TARGET OX_RS_UNCHECKED

enum { VECTOR = 16 };
#define ROWS 8
#define WIDE 1
#define WIDE_OF(rows) 1

typedef uint8x16_t vector;
typedef struct factor {
    uint8x16_t low, high; /* products with the low four bits, with the high ones */
} factor;
typedef struct operand {
    uint8x16_t low, high;
} operand;

TARGET static inline vector load(const uint8_t *p) { return vld1q_u8(p); }
TARGET static inline void store(uint8_t *p, vector v) { vst1q_u8(p, v); }
TARGET static inline vector zero(void) { return vdupq_n_u8(0); }
TARGET static inline vector add(vector a, vector b) { return veorq_u8(a, b); }
TARGET static inline vector mask(vector v, vector keep) { return vandq_u8(v, keep); }
TARGET static inline vector add3(vector a, vector b, vector c) { return add(a, add(b, c)); }
TARGET static inline factor find_factor(const uint64_t *form) {
    const uint8_t *table = (const uint8_t *)ox_rs_nibbles[*form];
    return (factor){load(table), load(table + VECTOR)};
}
TARGET static inline operand prepare(vector v) { return (operand){vandq_u8(v, vdupq_n_u8(0x0F)), vshrq_n_u8(v, 4)}; }
TARGET static inline vector add_product(vector sum, factor f, operand x) {
    return add3(sum, vqtbl1q_u8(f.low, x.low), vqtbl1q_u8(f.high, x.high));
}
TARGET static inline vector add_products(vector sum, factor f, operand x, factor g, operand y) {
    return add_product(add_product(sum, f, x), g, y);
}

#include "rs_rows.h"

void ox_rs_multiply_neon(const ox_rs_product *product) { sum_all(product); }
#endif
