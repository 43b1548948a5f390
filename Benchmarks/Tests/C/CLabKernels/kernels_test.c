#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/kernels.h"

static lab_kernels kernels;

static int find(void **state) {
    (void)state;
    return lab_kernels_find(&kernels) ? 0 : -1;
}

static bool has(const char *operation, const char *variant) {
    for (size_t i = 0; i < kernels.count; i++) {
        const lab_kernel *kernel = lab_kernels_at(&kernels, i);
        if (strcmp(kernel->operation, operation) == 0 && strcmp(kernel->variant, variant) == 0) return true;
    }
    return false;
}

static void every_room_is_there(void **state) {
    (void)state;
    assert_true(has("checksum, 1500 bytes", "scalar"));
    assert_true(has("get and put a small buffer", "one at a time"));
    assert_true(has("push and pop, several producers", "32 at a time"));
    assert_true(has("write a data header", "scalar"));
}

static void every_variant_has_its_baseline(void **state) {
    (void)state;
    for (size_t i = 0; i < lab_kernels_count(&kernels); i++) {
        const lab_kernel *kernel = lab_kernels_at(&kernels, i);
        assert_true(has(kernel->operation, kernel->baseline));
    }
}

static void no_name_is_there_twice(void **state) {
    (void)state;
    for (size_t i = 0; i < kernels.count; i++) {
        for (size_t j = 0; j < i; j++) {
            const lab_kernel *one = lab_kernels_at(&kernels, i), *other = lab_kernels_at(&kernels, j);
            assert_true(strcmp(one->operation, other->operation) != 0 || strcmp(one->variant, other->variant) != 0);
        }
    }
}

static void each_takes_time(void **state) {
    (void)state;
    for (size_t i = 0; i < kernels.count; i++) {
        double ns = 0;
        assert_true(lab_kernel_measure(lab_kernels_at(&kernels, i), 10000, &ns));
        assert_true(ns > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_room_is_there),
        cmocka_unit_test(every_variant_has_its_baseline),
        cmocka_unit_test(no_name_is_there_twice),
        cmocka_unit_test(each_takes_time),
    };
    return cmocka_run_group_tests(tests, find, NULL);
}
