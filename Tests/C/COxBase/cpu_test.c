#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxcore/cpu.h"

static void a_larger_set_has_the_smaller_one(void **state) {
    (void)state;
    assert_true(ox_cpu_has(0));
    if (ox_cpu_has(OX_CPU_AVX512)) assert_true(ox_cpu_has(OX_CPU_AVX2));
}

static void sets_can_be_left_out(void **state) {
    (void)state;
    uint32_t all = ox_cpu_features();
    ox_cpu_limit(0);
    assert_int_equal(0, ox_cpu_features());
    assert_false(ox_cpu_has(OX_CPU_AVX2));
    ox_cpu_limit(OX_CPU_AVX2);
    assert_int_equal(all & OX_CPU_AVX2, ox_cpu_features());
    ox_cpu_limit(UINT32_MAX);
    assert_int_equal(all, ox_cpu_features());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_larger_set_has_the_smaller_one),
        cmocka_unit_test(sets_can_be_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
