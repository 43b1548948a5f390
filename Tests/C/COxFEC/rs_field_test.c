#include "groups.h"

static void products_are_those_of_the_polynomial(void **state) {
    (void)state;
    for (uint32_t a = 0; a < 256; a++)
        for (uint32_t b = 0; b < 256; b++)
            assert_int_equal(slow_multiply((uint8_t)a, (uint8_t)b), ox_gf_multiply((uint8_t)a, (uint8_t)b));
}

static void an_inverse_undoes_its_factor(void **state) {
    (void)state;
    for (uint32_t a = 1; a < 256; a++) assert_int_equal(1, ox_gf_multiply((uint8_t)a, ox_gf_inverse((uint8_t)a)));
}

static void a_multiple_is_added_at_every_length_and_factor(void **state) {
    (void)state;
    uint32_t seed = 1;
    for (size_t bytes = 0; bytes <= 300; bytes++) {
        uint8_t to[300], from[300], right[300];
        const uint8_t factor = (uint8_t)bytes;
        fill_random(to, bytes, &seed);
        fill_random(from, bytes, &seed);
        for (size_t i = 0; i < bytes; i++) right[i] = to[i] ^ slow_multiply(factor, from[i]);
        ox_gf_multiply_add(to, from, factor, bytes);
        assert_memory_equal(right, to, bytes);
    }
}

static void a_row_can_be_multiplied_in_place(void **state) {
    (void)state;
    uint32_t seed = 2;
    for (uint32_t factor = 0; factor < 256; factor++) {
        const size_t bytes = factor * 3 + 1;
        uint8_t row[800], right[800];
        fill_random(row, bytes, &seed);
        for (size_t i = 0; i < bytes; i++) right[i] = slow_multiply((uint8_t)factor, row[i]);
        ox_gf_multiply_add(row, row, (uint8_t)(factor ^ 1), bytes);
        assert_memory_equal(right, row, bytes);
    }
}

static void many_rows_are_what_single_ones_give(void **state) {
    (void)state;
    enum { MOST = OX_GF_ROWS_MAX, BYTES = 70 };
    static uint8_t from[MOST][BYTES], to[MOST][BYTES], right[MOST][BYTES], factors[MOST * MOST];
    const uint8_t *sources[MOST];
    uint8_t *results[MOST];
    uint32_t seed = 3;
    for (uint32_t i = 0; i < MOST; i++) sources[i] = from[i], results[i] = to[i];
    fill_random(from[0], sizeof from, &seed);
    fill_random(factors, sizeof factors, &seed);
    static const uint32_t shapes[][2] = {{0, 3}, {3, 0}, {1, 1}, {1, 64}, {1, 256}, {5, 1}, {64, 64}, {256, 7}, {256, 256}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        const uint32_t rows = shapes[s][0], columns = shapes[s][1];
        fill_random(to[0], sizeof to, &seed);
        memcpy(right, to, sizeof to);
        for (uint32_t i = 0; i < rows; i++)
            for (uint32_t j = 0; j < columns; j++) ox_gf_multiply_add(right[i], from[j], factors[i * columns + j], BYTES);
        ox_gf_multiply_add_rows(results, rows, sources, columns, factors, BYTES);
        assert_memory_equal(right, to, sizeof to);
    }
    memcpy(right, to, sizeof to);
    ox_gf_multiply_add_rows(results, 4, sources, 4, factors, 0);
    assert_memory_equal(right, to, sizeof to);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_those_of_the_polynomial),
        cmocka_unit_test(an_inverse_undoes_its_factor),
        cmocka_unit_test(a_multiple_is_added_at_every_length_and_factor),
        cmocka_unit_test(a_row_can_be_multiplied_in_place),
        cmocka_unit_test(many_rows_are_what_single_ones_give),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
