#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oxcore/process.h"

static void a_signal_waits_until_it_is_taken(void **state) {
    (void)state;
    int descriptor = -1;
    const int signals[] = {SIGUSR1, SIGUSR2};
    assert_int_equal(ox_signals_open(signals, 2, &descriptor), OX_OK);
    assert_int_equal(ox_signals_next(descriptor), 0);
    assert_int_equal(pthread_kill(pthread_self(), SIGUSR2), 0);
    struct pollfd entry = {.fd = descriptor, .events = POLLIN};
    assert_int_equal(poll(&entry, 1, 0), 1);
    assert_int_equal(ox_signals_next(descriptor), SIGUSR2);
    assert_int_equal(ox_signals_next(descriptor), 0);
    close(descriptor);
}

static void a_number_that_is_no_signal_is_refused(void **state) {
    (void)state;
    int descriptor = -1;
    const int signals[] = {SIGUSR1, 4096};
    assert_int_equal(ox_signals_open(signals, 2, &descriptor), OX_E_SYSTEM);
    assert_int_equal(errno, EINVAL);
}

static void a_memory_file_is_read_from_its_start(void **state) {
    (void)state;
    int descriptor = -1;
    assert_int_equal(ox_memory_file("abc", 3, &descriptor), OX_OK);
    char bytes[8];
    assert_int_equal(read(descriptor, bytes, sizeof bytes), 3);
    assert_memory_equal(bytes, "abc", 3);
    close(descriptor);
}

static void a_pipe_ends_when_its_only_writer_does(void **state) {
    (void)state;
    int ends[2];
    char byte;
    assert_int_equal(ox_pipe_open(ends), OX_OK);
    assert_int_equal(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(ends[1], F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(ends[1], "x", 1), 1);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

static void the_environment_is_the_process_s_own(void **state) {
    (void)state;
    assert_int_equal(setenv("OX_PROCESS_TEST", "1", 1), 0);
    bool found = false;
    for (char **entry = ox_environment(); *entry != NULL; entry++) found |= strcmp(*entry, "OX_PROCESS_TEST=1") == 0;
    assert_true(found);
}

static void a_name_is_cut_to_fifteen_bytes(void **state) {
    (void)state;
    char before[16], name[16];
    prctl(PR_GET_NAME, before, 0, 0, 0);
    ox_thread_name("0123456789abcdefgh");
    prctl(PR_GET_NAME, name, 0, 0, 0);
    ox_thread_name(before);
    assert_string_equal(name, "0123456789abcde");
}

static void a_thread_is_kept_on_one_cpu(void **state) {
    (void)state;
    cpu_set_t before, now;
    assert_int_equal(0, sched_getaffinity(0, sizeof before, &before));
    uint32_t cpu = 0;
    while (!CPU_ISSET(cpu, &before)) cpu++;
    assert_int_equal(OX_OK, ox_thread_pin(cpu));
    assert_int_equal(0, sched_getaffinity(0, sizeof now, &now));
    assert_true(CPU_COUNT(&now) == 1 && CPU_ISSET(cpu, &now));
    assert_int_equal(cpu, sched_getcpu());
    assert_int_equal(OX_E_SYSTEM, ox_thread_pin(CPU_SETSIZE - 1));
    assert_int_equal(EINVAL, errno);
    assert_int_equal(OX_E_LIMIT, ox_thread_pin(CPU_SETSIZE));
    assert_int_equal(0, sched_setaffinity(0, sizeof before, &before));
}

static void the_capability_is_handed_on_when_it_is_held(void **state) {
    (void)state;
    if (!ox_network_admin_held()) skip();
    pid_t child = fork();
    if (child == 0) {
        bool handed = ox_network_admin_hand_on() == OX_OK;
        _exit(handed && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_ADMIN, 0, 0) == 1 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void *list_when_pinned(void *argument) {
    uint32_t *cpus = argument, one[2];
    assert_int_equal(OX_OK, ox_thread_pin(cpus[0]));
    assert_int_equal(1, ox_cpus_allowed(one, 2));
    assert_int_equal(cpus[0], one[0]);
    return NULL;
}

static void the_allowed_cpus_are_listed(void **state) {
    (void)state;
    uint32_t cpus[CPU_SETSIZE], first = UINT32_MAX;
    const uint32_t count = ox_cpus_allowed(cpus, CPU_SETSIZE);
    assert_true(count >= 1);
    for (uint32_t i = 1; i < count; i++) assert_true(cpus[i - 1] < cpus[i]);
    assert_int_equal(count, ox_cpus_allowed(&first, 1)); /* how many there are, not how many fit */
    assert_int_equal(cpus[0], first);
    pthread_t thread;
    assert_int_equal(0, pthread_create(&thread, NULL, list_when_pinned, cpus));
    assert_int_equal(0, pthread_join(thread, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_waits_until_it_is_taken),
        cmocka_unit_test(a_number_that_is_no_signal_is_refused),
        cmocka_unit_test(a_memory_file_is_read_from_its_start),
        cmocka_unit_test(a_pipe_ends_when_its_only_writer_does),
        cmocka_unit_test(the_environment_is_the_process_s_own),
        cmocka_unit_test(a_name_is_cut_to_fifteen_bytes),
        cmocka_unit_test(a_thread_is_kept_on_one_cpu),
        cmocka_unit_test(the_allowed_cpus_are_listed),
        cmocka_unit_test(the_capability_is_handed_on_when_it_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
