#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "CSources/COxROHC/state.h"

/* Whenever the window says that k bits are enough, they are, whichever of its values the decompressor has; and never else. */
static void enough_bits_are_enough(void **state) {
    (void)state;
    static const int64_t offsets[] = {-1, 0, 1, 5, 31};
    uint32_t seed = 1;
    for (uint32_t round = 0; round < 20000; round++) {
        rohc_window window = {0};
        const uint32_t field = round % 2 ? 16 : 32, mask = field == 32 ? UINT32_MAX : 0xFFFF;
        const uint32_t width = 1 + round % ROHC_REFERENCES;
        uint32_t value = seed = seed * 1664525 + 1013904223;
        for (uint32_t i = 0; i < 3 + round % 20; i++) {
            seed = seed * 1664525 + 1013904223;
            value += seed >> 26;
            rohc_window_add(&window, value & mask, (uint8_t)width);
        }
        seed = seed * 1664525 + 1013904223;
        value = (value + (seed >> 24) - 60) & mask;
        const rohc_spread spread = rohc_window_spread(&window, value, field);
        const int64_t p = offsets[round % 5];
        for (uint32_t k = 1; k <= 12; k++) {
            bool right = true;
            for (uint32_t i = 0; i < window.count; i++) {
                const uint32_t decoded = rohc_lsb_decode(window.values[i], value & ((1u << k) - 1), k, p) & mask;
                right = right && decoded == value;
            }
            assert_int_equal(rohc_fits(spread, k, p), right);
        }
    }
}

static void an_empty_window_fits_nothing(void **state) {
    (void)state;
    rohc_window window = {0};
    assert_false(rohc_fits(rohc_window_spread(&window, 5, 16), 16, 0));
    rohc_window_add(&window, 5, 4);
    assert_true(rohc_fits(rohc_window_spread(&window, 5, 16), 1, 0));
}

static void only_the_last_values_count(void **state) {
    (void)state;
    rohc_window window = {0};
    rohc_window_add(&window, 60000, 4);
    for (uint32_t i = 1; i <= 4; i++) rohc_window_add(&window, i, 4);
    const rohc_spread spread = rohc_window_spread(&window, 5, 16);
    assert_int_equal(spread.least, 1);
    assert_int_equal(spread.most, 4);
    /* A window that is emptied begins anew. */
    window.count = 0;
    rohc_window_add(&window, 7, 4);
    assert_int_equal(rohc_window_spread(&window, 9, 16).most, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enough_bits_are_enough),
        cmocka_unit_test(an_empty_window_fits_nothing),
        cmocka_unit_test(only_the_last_values_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
