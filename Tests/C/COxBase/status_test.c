#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxcore/base.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void statuses_are_named_as_they_are_written(void **state) {
    (void)state;
    assert_int_equal(OX_OK, 0);
    assert_string_equal(ox_status_name(OX_OK), "OX_OK");
    assert_string_equal(ox_status_name(OX_E_SHORT), "OX_E_SHORT");
    assert_string_equal(ox_status_name(OX_E_UNSUPPORTED), "OX_E_UNSUPPORTED");
    for (int s = OX_OK; s <= OX_E_UNSUPPORTED; s++) {
        for (int other = OX_OK; other < s; other++) {
            assert_string_not_equal(ox_status_name((ox_status)s), ox_status_name((ox_status)other));
        }
    }
}

static void every_verdict_has_a_counter_name_of_its_own(void **state) {
    (void)state;
    assert_int_equal(OX_PASS, 0);
    assert_int_equal(OX_DROP_EVENT_RING_FULL, OX_VERDICT_COUNT - 1);
    assert_string_equal(ox_verdict_name(OX_PASS), "pass");
    assert_string_equal(ox_verdict_name(OX_DROP_REPLAYED), "replayed");
    for (int v = 0; v < OX_VERDICT_COUNT; v++) {
        const char *name = ox_verdict_name((ox_verdict)v);
        for (const char *c = name; *c != 0; c++) assert_true((*c >= 'a' && *c <= 'z') || *c == '_' || *c == '1');
        for (int other = 0; other < v; other++) assert_string_not_equal(name, ox_verdict_name((ox_verdict)other));
    }
}

static void byte_order_is_the_networks(void **state) {
    (void)state;
    uint8_t bytes[9] = {0};
    ox_store_be64(bytes + 1, 0x0102030405060708u);
    for (uint8_t i = 0; i < 9; i++) assert_int_equal(bytes[i], i);
    assert_int_equal(ox_load_be16(bytes + 1), 0x0102);
    assert_int_equal(ox_load_be32(bytes + 1), 0x01020304);
    assert_true(ox_load_be64(bytes + 1) == 0x0102030405060708u);
}

static void addresses_differ_by_ip_port_and_scope(void **state) {
    (void)state;
    const ox_address a = {.ip = {[15] = 1}, .port = 51820};
    ox_address b = a;
    assert_true(ox_address_equal(&a, &b));
    b.ip[0] = 1;
    assert_false(ox_address_equal(&a, &b));
    b = a;
    b.port++;
    assert_false(ox_address_equal(&a, &b));
    b = a;
    b.scope = 2;
    assert_false(ox_address_equal(&a, &b));
    assert_false(ox_address_is_none(&a));
    assert_true(ox_address_is_none(&(ox_address){0}));
}

static void a_failed_assertion_says_what_and_where_and_aborts(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        OX_ASSERT(1 + 1 == 3);
        _exit(0);
    }
    close(ends[1]);
    char said[512] = {0};
    assert_true(read(ends[0], said, sizeof said - 1) > 0);
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, "1 + 1 == 3"));
    assert_non_null(strstr(said, "status_test.c"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_are_named_as_they_are_written),
        cmocka_unit_test(every_verdict_has_a_counter_name_of_its_own),
        cmocka_unit_test(byte_order_is_the_networks),
        cmocka_unit_test(addresses_differ_by_ip_port_and_scope),
        cmocka_unit_test(a_failed_assertion_says_what_and_where_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
