#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxcore/queue.h"

static const uint64_t SECOND = 1000000000;
static const uint64_t MS = 1000000;

/* Sends datagrams as soon as they may go, looking each `step_ns`. Returns the bytes that left. */
static uint64_t send_for(ox_pacer *pacer, uint64_t *now_ns, uint64_t duration_ns, uint64_t step_ns, uint32_t bytes) {
    uint64_t sent = 0;
    for (const uint64_t end = *now_ns + duration_ns; *now_ns < end; *now_ns += step_ns) {
        while (ox_pacer_ready(pacer, *now_ns)) {
            ox_pacer_sent(pacer, bytes, false, *now_ns);
            sent += bytes;
        }
    }
    return sent;
}

static void all_zero_has_no_limit(void **state) {
    (void)state;
    ox_pacer pacer = {0};
    for (int i = 0; i < 1000; i++) {
        assert_true(ox_pacer_ready(&pacer, 5));
        assert_true(ox_pacer_ready_urgent(&pacer, 1000000, 5));
        ox_pacer_sent(&pacer, 60000, false, 5);
    }
    assert_int_equal(ox_pacer_due(&pacer), 0);
}

static void the_rate_is_exact_over_hours(void **state) {
    (void)state;
    const uint64_t rates[] = {1, 999, 8000, 12500001, 124999999, 1250000000, 12500000007};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        ox_pacer pacer = {0};
        uint64_t now_ns = 7 * SECOND;
        const uint64_t start_ns = now_ns;
        ox_pacer_set(&pacer, rates[i], 3000, now_ns);
        for (uint64_t n = 0; n < 1000000; n++) {
            assert_true(ox_pacer_ready(&pacer, now_ns));
            ox_pacer_sent(&pacer, 1337, false, now_ns);
            now_ns = pacer.next_ns;
        }
        const unsigned __int128 due = (unsigned __int128)1337 * 1000000 * SECOND / rates[i];
        assert_true(now_ns - start_ns == (uint64_t)due);
    }
}

static void who_comes_late_catches_up_by_a_quantum(void **state) {
    (void)state;
    ox_pacer pacer = {0};
    uint64_t now_ns = SECOND;
    ox_pacer_set(&pacer, 1000000, 10000, now_ns);
    assert_int_equal(send_for(&pacer, &now_ns, SECOND, MS, 1000), 1000000);
    now_ns += 100 * SECOND;
    uint64_t burst = 0;
    for (; ox_pacer_ready(&pacer, now_ns); burst += 1000) ox_pacer_sent(&pacer, 1000, false, now_ns);
    assert_in_range(burst, 10000, 11000);
    /* Late by less than that, every time: the rate is kept. */
    assert_in_range(send_for(&pacer, &now_ns, 10 * SECOND, 7 * MS, 1000), 10000000 - 11000, 10000000 + 1000);
}

static void nothing_is_caught_up_from_before_there_was_a_limit(void **state) {
    (void)state;
    ox_pacer pacer = {0};
    ox_pacer_sent(&pacer, 1000, false, SECOND);
    ox_pacer_set(&pacer, 1000000, 50000, 9 * SECOND);
    assert_true(ox_pacer_ready(&pacer, 9 * SECOND));
    ox_pacer_sent(&pacer, 1000, false, 9 * SECOND);
    assert_int_equal(pacer.next_ns, 9 * SECOND + MS);
}

static void a_raise_takes_effect_at_once(void **state) {
    (void)state;
    ox_pacer pacer = {0};
    ox_pacer_set(&pacer, 1000, 1500, SECOND);
    ox_pacer_sent(&pacer, 1500, false, SECOND);
    assert_int_equal(pacer.next_ns, SECOND + 1500 * MS);
    ox_pacer_set(&pacer, 1000000, 1500, SECOND + 500 * MS);
    assert_int_equal(pacer.next_ns, SECOND + 501 * MS);
    ox_pacer_set(&pacer, 0, 1500, SECOND + 500 * MS);
    assert_true(ox_pacer_ready(&pacer, SECOND + 500 * MS));
}

static void a_cut_does_not_burst(void **state) {
    (void)state;
    ox_pacer pacer = {0};
    uint64_t now_ns = SECOND;
    ox_pacer_set(&pacer, 100000000, 65536, now_ns);
    send_for(&pacer, &now_ns, SECOND, MS / 10, 1400);
    ox_pacer_set(&pacer, 100000, 3000, now_ns);
    assert_in_range(send_for(&pacer, &now_ns, SECOND, MS, 1400), 100000 - 3000, 100000 + 4400);
    ox_pacer_sent(&pacer, 1000, false, now_ns);
    const uint64_t wait = pacer.next_ns - now_ns;
    ox_pacer_set(&pacer, 50000, 3000, now_ns);
    assert_in_range(pacer.next_ns - now_ns, 2 * wait, 2 * wait + 1);
}

static void the_slowest_and_the_largest_do_not_overflow(void **state) {
    (void)state;
    ox_pacer pacer = {0};
    uint64_t now_ns = (uint64_t)1 << 62;
    ox_pacer_set(&pacer, 1, UINT32_MAX, now_ns);
    ox_pacer_sent(&pacer, 65000, false, now_ns);
    assert_true(ox_pacer_ready(&pacer, now_ns + 65000 * SECOND));
    ox_pacer_set(&pacer, UINT64_MAX / 2, UINT32_MAX, now_ns);
    ox_pacer_sent(&pacer, UINT32_MAX, true, now_ns);
    assert_true(ox_pacer_ready_urgent(&pacer, 1, now_ns + SECOND));
    assert_in_range(pacer.next_ns, now_ns - SECOND, now_ns + 1);
}

/* ---- urgent ones --------------------------------------------------------------------------------------------- */

static void urgent_ones_have_a_tenth_of_the_rate(void **state) {
    (void)state;
    ox_pacer pacer = {0};
    uint64_t now_ns = SECOND, urgent = 0, other = 0;
    ox_pacer_set(&pacer, 1000000, 3000, now_ns);
    /* Both sides want more than all there is; looked at often, so that fractions of bytes would be lost. */
    for (const uint64_t end = now_ns + 10 * SECOND; now_ns < end; now_ns += 333) {
        if (ox_pacer_ready(&pacer, now_ns)) {
            ox_pacer_sent(&pacer, 1000, false, now_ns);
            other += 1000;
        } else if (ox_pacer_ready_urgent(&pacer, 200, now_ns)) {
            ox_pacer_sent(&pacer, 200, true, now_ns);
            urgent += 200;
        }
    }
    assert_in_range(urgent, 990000, 1000000 + 3200);
    assert_in_range(urgent + other, 10000000 - 2000, 10000000 + 6000);
}

/* Who asks for little and sends much pays that back first: over any time it is a tenth, what the bucket holds, and a packet. */
static void a_flood_of_large_ones_has_no_more_than_the_tenth(void **state) {
    (void)state;
    const uint64_t rates[] = {50000, 1000000, 100000000};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        ox_pacer pacer = {0};
        ox_pacer_set(&pacer, rates[i], 3000, SECOND);
        const double bucket = rates[i] / 1000 > 3000 ? (double)rates[i] / 1000 : 3000;
        double sent = 0, ahead = 0, least = 0;
        for (uint64_t now_ns = SECOND; now_ns < 21 * SECOND; now_ns += 97777) {
            const double tenth = (double)rates[i] / 10 * (double)(now_ns - SECOND) / 1e9;
            if (sent - tenth < least) least = sent - tenth;
            for (; ox_pacer_ready_urgent(&pacer, 64, now_ns); sent += 1500) ox_pacer_sent(&pacer, 1500, true, now_ns);
            if (sent - tenth - least > ahead) ahead = sent - tenth - least;
        }
        assert_true(ahead <= bucket + 1500 + 1);
        assert_true(sent >= (double)rates[i] * 2 - 1500);
    }
}

static void two_datagrams_may_always_go_ahead(void **state) {
    (void)state;
    ox_pacer pacer = {0};
    ox_pacer_set(&pacer, 8000, 1500, SECOND);
    ox_pacer_sent(&pacer, 1500, false, SECOND);
    assert_false(ox_pacer_ready(&pacer, SECOND));
    for (int i = 0; i < 2; i++) {
        assert_true(ox_pacer_ready_urgent(&pacer, 1500, SECOND));
        ox_pacer_sent(&pacer, 1500, true, SECOND);
    }
    assert_false(ox_pacer_ready_urgent(&pacer, 1, SECOND));
    /* They count: the next one waits for all three. */
    assert_int_equal(pacer.next_ns, SECOND + 4500 * SECOND / 8000);
    assert_false(ox_pacer_ready_urgent(&pacer, 100, SECOND + 124 * MS));
    assert_true(ox_pacer_ready_urgent(&pacer, 100, SECOND + 126 * MS));
}

static void on_a_broad_path_ten_milliseconds_of_them_may(void **state) {
    (void)state;
    ox_pacer pacer = {0};
    ox_pacer_set(&pacer, 100000000, 65536, SECOND);
    assert_true(ox_pacer_ready_urgent(&pacer, 100000, 100 * SECOND));
    assert_false(ox_pacer_ready_urgent(&pacer, 100001, 100 * SECOND));
}

/* Who sleeps until it is due finds half a quantum to send, and what it slept too long by that much is not lost. */
static void it_is_due_when_half_a_quantum_may_leave(void **state) {
    (void)state;
    ox_pacer pacer = {0};
    ox_pacer_set(&pacer, 1000000, 10000, SECOND);
    ox_pacer_sent(&pacer, 1000, false, SECOND);
    assert_int_equal(pacer.next_ns + 5 * MS, ox_pacer_due(&pacer));
    uint64_t now = ox_pacer_due(&pacer), sent = 0;
    for (; ox_pacer_ready(&pacer, now); sent += 1000) ox_pacer_sent(&pacer, 1000, false, now);
    assert_in_range(sent, 5000, 6000);
    now = ox_pacer_due(&pacer) + 5 * MS;
    for (sent = 0; ox_pacer_ready(&pacer, now); sent += 1000) ox_pacer_sent(&pacer, 1000, false, now);
    assert_in_range(sent, 10000, 11000);
    assert_int_equal(0, ox_pacer_due(&(ox_pacer){0}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_zero_has_no_limit),
        cmocka_unit_test(the_rate_is_exact_over_hours),
        cmocka_unit_test(who_comes_late_catches_up_by_a_quantum),
        cmocka_unit_test(nothing_is_caught_up_from_before_there_was_a_limit),
        cmocka_unit_test(a_raise_takes_effect_at_once),
        cmocka_unit_test(a_cut_does_not_burst),
        cmocka_unit_test(the_slowest_and_the_largest_do_not_overflow),
        cmocka_unit_test(urgent_ones_have_a_tenth_of_the_rate),
        cmocka_unit_test(a_flood_of_large_ones_has_no_more_than_the_tenth),
        cmocka_unit_test(two_datagrams_may_always_go_ahead),
        cmocka_unit_test(on_a_broad_path_ten_milliseconds_of_them_may),
        cmocka_unit_test(it_is_due_when_half_a_quantum_may_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
