#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/histogram.h"
#include "lab/random.h"

static lab_histogram histogram;

static int reset(void **state) {
    (void)state;
    histogram = (lab_histogram){0};
    return 0;
}

static void nothing_recorded_gives_zero(void **state) {
    (void)state;
    assert_int_equal(lab_histogram_quantile(&histogram, 0.5), 0);
}

static void one_value_is_every_quantile(void **state) {
    (void)state;
    lab_histogram_record(&histogram, 123456789);
    assert_int_equal(lab_histogram_quantile(&histogram, 0), 123456789);
    assert_int_equal(lab_histogram_quantile(&histogram, 0.5), 123456789);
    assert_int_equal(lab_histogram_quantile(&histogram, 1), 123456789);
}

static void small_values_are_exact(void **state) {
    (void)state;
    for (uint64_t value = 1; value <= 200; value++) lab_histogram_record(&histogram, value);
    assert_int_equal(lab_histogram_quantile(&histogram, 0.005), 1);
    assert_int_equal(lab_histogram_quantile(&histogram, 0.5), 100);
    assert_int_equal(lab_histogram_quantile(&histogram, 0.99), 198);
    assert_int_equal(lab_histogram_quantile(&histogram, 1), 200);
}

static void every_magnitude_is_within_its_error(void **state) {
    (void)state;
    for (unsigned shift = 0; shift < 64; shift++) {
        for (uint64_t draw = 0; draw < 20; draw++) {
            const uint64_t value = lab_draw(1, draw, shift % LAB_PURPOSES_MAX) >> shift;
            /* A larger one beside it, so that the answer is not the exact maximum. */
            histogram = (lab_histogram){0};
            lab_histogram_record(&histogram, 0);
            lab_histogram_record(&histogram, value);
            lab_histogram_record(&histogram, UINT64_MAX);
            const double got = (double)lab_histogram_quantile(&histogram, 0.6);
            const double error = got > (double)value ? got - (double)value : (double)value - got;
            assert_true(error <= 0.0005 * (double)value);
        }
    }
}

static void extremes_are_exact(void **state) {
    (void)state;
    lab_histogram_record(&histogram, 999999937);
    lab_histogram_record(&histogram, UINT64_MAX);
    lab_histogram_record(&histogram, 1000003);
    assert_int_equal(histogram.min, 1000003);
    assert_true(histogram.max == UINT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_recorded_gives_zero, reset),
        cmocka_unit_test_setup(one_value_is_every_quantile, reset),
        cmocka_unit_test_setup(small_values_are_exact, reset),
        cmocka_unit_test_setup(every_magnitude_is_within_its_error, reset),
        cmocka_unit_test_setup(extremes_are_exact, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
