/*
 * The loops of every variant that works on vectors, written once. The file that includes this one has defined
 *
 *   TARGET        the attribute of its functions
 *   VECTOR        bytes of a vector
 *   ROWS          outputs that are summed up in one pass over the inputs, at most 8
 *   WIDE          vectors side by side in an output, where there are that many bytes
 *   vector        the type; load(), store(), zero(), add(), add3() and, without MASKS, mask()
 *   factor        what multiplies, and find_factor() that makes it from its form
 *   operand       what is multiplied, and prepare() that makes it from a vector
 *   add_product() sum + factor * operand, and add_products() for two of each
 *   part          with MASKS: bytes of a vector, find_part() of the first ones, load_part() and store_part(), which touch no
 *                 other ones
 */

#define INLINE TARGET static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

#ifdef MASKS
INLINE vector load_start(const uint8_t *p, part only) { return load_part(p, only); }
#else
/**
 * The last bytes of a product: those of a whole vector, of which some are done already, or of less than one. What is done and
 * added to what was there must not be added again: then `keep` lets only the others through.
 */
typedef struct part {
    vector keep;
    size_t few; /**< bytes, where there is less than a vector; or 0 */
} part;

INLINE vector load_start(const uint8_t *p, part only) {
    if (only.few == 0) return load(p);
    uint8_t bytes[VECTOR] = {0};
    memcpy(bytes, p, only.few);
    return load(bytes);
}
INLINE vector load_part(const uint8_t *p, part only) { return mask(load_start(p, only), only.keep); }
INLINE void store_part(uint8_t *p, vector v, part only) {
    if (only.few == 0) {
        store(p, v);
        return;
    }
    uint8_t bytes[VECTOR];
    store(bytes, v);
    memcpy(p, bytes, only.few);
}
INLINE size_t find_rest(const ox_rs_product *p, size_t at, part *only) {
    static const uint8_t last_bytes[2 * VECTOR] = {[VECTOR ... 2 * VECTOR - 1] = 0xFF}; // of the last n from byte n on
    const bool adds = p->start == (const uint8_t *const *)p->to && p->bytes > VECTOR;
    *only = (part){load(last_bytes + (adds ? p->bytes - at : VECTOR)), p->bytes < VECTOR ? p->bytes : 0};
    return p->bytes < VECTOR ? 0 : p->bytes - VECTOR;
}
#endif

/** `wide` vectors at `at`; with `only`, the last of them in part. */
INLINE void load_wide(vector *to, const uint8_t *from, uint32_t wide, const part *only) {
    UNROLL for (uint32_t w = 0; w < wide; w++) {
        if (only != NULL && w + 1 == wide) to[w] = load_part(from + w * VECTOR, *only);
        else to[w] = load(from + w * VECTOR);
    }
}

/** Two columns: two products are added to a sum at once. */
INLINE void sum_two(vector (*sums)[WIDE], const uint8_t *const *from, const uint64_t *forms, size_t stride, uint32_t rows,
                    bool plain, size_t at, uint32_t wide, const part *only) {
    vector x[WIDE], y[WIDE];
    load_wide(x, from[0] + at, wide, only);
    load_wide(y, from[1] + at, wide, only);
    UNROLL for (uint32_t w = 0; w < wide && plain; w++) sums[0][w] = add3(sums[0][w], x[w], y[w]);
    UNROLL for (uint32_t i = plain; i < rows; i++) {
        const factor f = find_factor(forms + i), g = find_factor(forms + stride + i);
        UNROLL for (uint32_t w = 0; w < wide; w++) sums[i][w] = add_products(sums[i][w], f, prepare(x[w]), g, prepare(y[w]));
    }
}

/** The sums of `rows` outputs stay in registers until all columns are in. */
INLINE void sum_block(const ox_rs_product *p, uint32_t rows, bool plain, size_t at, uint32_t wide, const part *only) {
    vector sums[ROWS][WIDE], x[WIDE];
    UNROLL for (uint32_t i = 0; i < rows; i++) {
        UNROLL for (uint32_t w = 0; w < wide; w++) {
            if (p->start == NULL) sums[i][w] = zero();
            else if (only != NULL && w + 1 == wide) sums[i][w] = load_start(p->start[i] + at + w * VECTOR, *only);
            else sums[i][w] = load(p->start[i] + at + w * VECTOR);
        }
    }
    const size_t stride = p->stride;
    const uint64_t *forms = p->factors;
    const uint8_t *const *from = p->from, *const *const end = from + p->columns;
    for (; end - from >= 2; from += 2, forms += 2 * stride) sum_two(sums, from, forms, stride, rows, plain, at, wide, only);
    if (from != end) {
        load_wide(x, from[0] + at, wide, only);
        UNROLL for (uint32_t w = 0; w < wide && plain; w++) sums[0][w] = add(sums[0][w], x[w]);
        UNROLL for (uint32_t i = plain; i < rows; i++) {
            const factor f = find_factor(forms + i);
            UNROLL for (uint32_t w = 0; w < wide; w++) sums[i][w] = add_product(sums[i][w], f, prepare(x[w]));
        }
    }
    UNROLL for (uint32_t i = 0; i < rows; i++) {
        UNROLL for (uint32_t w = 0; w < wide; w++) {
            if (only != NULL && w + 1 == wide) store_part(p->to[i] + at + w * VECTOR, sums[i][w], *only);
            else store(p->to[i] + at + w * VECTOR, sums[i][w]);
        }
    }
}

/** All whole runs of `wide` vectors; returns how many bytes that was. */
INLINE size_t sum_blocks(const ox_rs_product *product, uint32_t rows, bool plain, size_t at, uint32_t wide) {
    const ox_rs_product p = *product; // which nothing that is written can change
    for (; at + wide * VECTOR <= p.bytes; at += wide * VECTOR) sum_block(&p, rows, plain, at, wide, NULL);
    return at;
}

typedef void sum_some(const ox_rs_product *p, size_t at);

#ifdef MASKS
enum { FEW = 4, ENDS = 8 }; // 0: all bytes from `at` on; up to FEW: this many vectors, the last of them in part
#define SUM_END(rows, plain, wide)                                                                                   \
    TARGET static void sum_##rows##_##plain##_##wide(const ox_rs_product *p, size_t at) {                            \
        const part only = find_part(p->bytes - at - (wide - 1) * VECTOR);                                            \
        if (wide == 1 && p->bytes - at == VECTOR) sum_block(p, rows, plain, at, 1, NULL); /* masks are not free */   \
        else sum_block(p, rows, plain, at, wide, &only);                                                             \
    }
#define SUM_ALL(rows, plain, ...)                                                                                    \
    static sum_some *const ends_##rows##_##plain[] = {NULL, __VA_ARGS__};                                            \
    TARGET static void sum_##rows##_##plain(const ox_rs_product *p, size_t at) {                                     \
        at = sum_blocks(p, rows, plain, at, WIDE_OF(rows));                                                          \
        if (at < p->bytes) ends_##rows##_##plain[(p->bytes - at + VECTOR - 1) / VECTOR](p, at);                      \
    }
#define SUM_FEW(rows, plain)                                                                                         \
    SUM_END(rows, plain, 1)                                                                                          \
    SUM_END(rows, plain, 2)                                                                                          \
    SUM_END(rows, plain, 3)                                                                                          \
    SUM_END(rows, plain, 4)                                                                                          \
    SUM_ALL(rows, plain, sum_##rows##_##plain##_1, sum_##rows##_##plain##_2, sum_##rows##_##plain##_3,               \
            sum_##rows##_##plain##_4)
#define SUM_MANY(rows, plain)                                                                                        \
    SUM_END(rows, plain, 1)                                                                                          \
    SUM_END(rows, plain, 2)                                                                                          \
    SUM_ALL(rows, plain, sum_##rows##_##plain##_1, sum_##rows##_##plain##_2)
#define SUMS_FEW(rows, plain)                                                                                        \
    {sum_##rows##_##plain, sum_##rows##_##plain##_1, sum_##rows##_##plain##_2, sum_##rows##_##plain##_3,             \
     sum_##rows##_##plain##_4}
#define SUMS_MANY(rows, plain)                                                                                       \
    {sum_##rows##_##plain, sum_##rows##_##plain##_1, sum_##rows##_##plain##_2, sum_##rows##_##plain,                 \
     sum_##rows##_##plain}
static inline size_t find_end(size_t bytes) { return bytes <= FEW * VECTOR ? (bytes + VECTOR - 1) / VECTOR : 0; }
#else
enum { ENDS = 1 };
#define SUM_FEW(rows, plain)                                                                                         \
    TARGET static void sum_##rows##_##plain(const ox_rs_product *p, size_t at) {                                     \
        at = sum_blocks(p, rows, plain, at, WIDE_OF(rows));                                                          \
        if (WIDE_OF(rows) > 1) at = sum_blocks(p, rows, plain, at, 1);                                               \
        if (at == p->bytes) return;                                                                                  \
        part only;                                                                                                   \
        at = find_rest(p, at, &only);                                                                                \
        sum_block(p, rows, plain, at, 1, &only);                                                                     \
    }
#define SUM_MANY SUM_FEW
#define SUMS_FEW(rows, plain) {sum_##rows##_##plain}
#define SUMS_MANY SUMS_FEW
static inline size_t find_end(size_t bytes) {
    (void)bytes;
    return 0;
}
#endif

#define EACH(X) X(FEW, 1) X(FEW, 2) X(FEW, 3) X(FEW, 4) EACH_MORE(X)
#if ROWS > 4
#define EACH_MORE(X) X(MANY, 5) X(MANY, 6) X(MANY, 7) X(MANY, 8)
#else
#define EACH_MORE(X)
#endif
#define X(some, rows) SUM_##some(rows, 0) SUM_##some(rows, 1)
EACH(X)
#undef X
#define X(some, rows) {SUMS_##some(rows, 0), SUMS_##some(rows, 1)},
static sum_some *const sums_of[ROWS][2][ENDS] = {EACH(X)};
#undef X

/** As many passes over the inputs as it takes, of about equal numbers of rows. */
static void sum_in_passes(ox_rs_product p) {
    for (uint32_t left = p.rows, passes = (left + ROWS - 1) / ROWS; passes > 0; passes--) {
        p.rows = (left + passes - 1) / passes;
        sums_of[p.rows - 1][p.plain][find_end(p.bytes)](&p, 0);
        left -= p.rows;
        p.factors += p.rows;
        if (p.start != NULL) p.start += p.rows;
        p.to += p.rows;
        p.plain = false;
    }
}

static inline void sum_all(const ox_rs_product *p) {
    if (p->rows - 1 < ROWS) sums_of[p->rows - 1][p->plain][find_end(p->bytes)](p, 0);
    else sum_in_passes(*p);
}
