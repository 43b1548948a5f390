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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flag_stays_up_until_it_is_lowered),
        cmocka_unit_test(a_wait_ends_with_the_flag_or_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
