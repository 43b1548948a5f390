#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oxcore/io.h"

#include <poll.h>
#include <pthread.h>

static bool readable(const ox_wake *wake) {
    struct pollfd p = {.fd = ox_wake_descriptor(wake), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void a_flag_stays_up_until_it_is_lowered(void **state) {
    (void)state;
    ox_wake *wake = ox_wake_create();
    assert_false(readable(wake));
    for (uint32_t i = 0; i < 3; i++) ox_wake_signal(wake);
    assert_true(readable(wake));
    ox_wake_clear(wake);
    assert_false(readable(wake));
    ox_wake_clear(wake); // does not block
    ox_wake_destroy(wake);
    ox_wake_destroy(NULL);
}

static void *signal_later(void *wake) {
    ox_wait(NULL, 0, NULL, 20000000);
    ox_wake_signal(wake);
    return NULL;
}

static void a_wait_ends_with_the_flag_or_the_time(void **state) {
    (void)state;
    ox_wake *wake = ox_wake_create();
    pthread_t thread;
    ox_port *none[] = {NULL, NULL};
    assert_int_equal(0, pthread_create(&thread, NULL, signal_later, wake));
    ox_wait(none, 2, wake, UINT64_MAX);
    assert_true(readable(wake));
    ox_wait(none, 2, wake, UINT64_MAX); // it is still up
    assert_int_equal(0, pthread_join(thread, NULL));
    ox_wake_clear(wake);
    ox_wait(none, 2, wake, 1000000);
    ox_wait(none, 2, wake, 0);
    ox_wake_destroy(wake);
}

static void spinning_wears_off_and_comes_back(void **state) {
    (void)state;
    ox_wake *wake = ox_wake_create();
    ox_spin spin = {.most_ns = 400000, .now_ns = 400000};
    uint64_t before = spin.now_ns;
    for (uint32_t waits = 0; spin.now_ns != 0; waits++) {
        assert_true(waits < 10);
        ox_wait_spinning(NULL, 0, wake, 500000, &spin);
        assert_true(spin.now_ns <= before / 2);
        before = spin.now_ns;
    }
    ox_wait_spinning(NULL, 0, wake, 0, &spin);
    assert_int_equal(0, spin.now_ns);
    spin.most_ns = (uint64_t)60 * 1000000000;
    ox_wake_signal(wake);
    ox_wait_spinning(NULL, 0, wake, UINT64_MAX, &spin); // found without sleeping: spinning would have been worth it
    assert_int_equal(spin.most_ns, spin.now_ns);
    spin.now_ns = 2000;
    ox_wait_spinning(NULL, 0, wake, UINT64_MAX, &spin); // and was
    assert_int_equal(spin.most_ns, spin.now_ns);
    ox_wake_clear(wake);

    pthread_t thread;
    spin.most_ns = spin.now_ns = 100000; // less than the signal takes, unless the machine stands still
    assert_int_equal(0, pthread_create(&thread, NULL, signal_later, wake));
    ox_wait_spinning(NULL, 0, wake, UINT64_MAX, &spin);
    assert_true(readable(wake));
    assert_true(spin.now_ns == 50000 || spin.now_ns == 100000);
    assert_int_equal(0, pthread_join(thread, NULL));
    ox_wake_destroy(wake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flag_stays_up_until_it_is_lowered),
        cmocka_unit_test(a_wait_ends_with_the_flag_or_the_time),
        cmocka_unit_test(spinning_wears_off_and_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
