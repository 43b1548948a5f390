/* What a sender remembers: found by number, by flow, and forgotten when it is old. */
#include "symbols.h"

static void a_symbol_is_found_by_its_number(void **state) {
    (void)state;
    ox_repair_history *h = make_history();
    ox_repair_symbol s;
    assert_false(ox_repair_history_find(h, 3, &s));
    for (uint64_t n = 3; n < 60; n += 1 + n % 3) note_symbol(h, n, 0, n, 1000);
    for (uint64_t n = 0; n < 64; n++) {
        bool noted = false;
        for (uint64_t m = 3; m < 60; m += 1 + m % 3) noted |= m == n;
        assert_int_equal(noted, ox_repair_history_find(h, n, &s));
        if (noted) assert_symbol(&s, n);
    }
    end_history(h);
}

static void it_grows_while_symbols_are_young_and_not_otherwise(void **state) {
    (void)state;
    ox_repair_symbol s;
    ox_repair_history *young = make_history(), *old = make_history();
    for (uint64_t n = 0; n < 5000; n++) {
        note_symbol(young, n, 0, n / 100, 1000);
        note_symbol(old, n, 0, 100 * n, 50);
        // The last 64 are there at any rate, and of the young ones up to 1,024.
        for (uint64_t back = 0; back < 64 && back <= n; back += 9) assert_true(ox_repair_history_find(old, n - back, &s));
        uint64_t reach = n < 1023 ? n : 1023;
        assert_true(ox_repair_history_find(young, n - reach, &s));
        assert_symbol(&s, n - reach);
    }
    assert_false(ox_repair_history_find(young, 5000 - 1025, &s));
    assert_false(ox_repair_history_find(old, 5000 - 65, &s));
    end_history(young);
    end_history(old);
}

static void earlier_symbols_of_a_flow_are_found_between_others(void **state) {
    (void)state;
    ox_repair_history *h = make_history();
    ox_repair_symbol found[OX_REPAIR_COPIES_MAX * OX_REPAIR_FLOWS_MAX];
    const uint64_t offsets[] = {1, 3, 6};
    const uint32_t flows[] = {77, 99};
    assert_int_equal(0, ox_repair_history_earlier(h, flows, 2, offsets, 3, found));
    // 77 in each third datagram, 99 in each fifth.
    for (uint64_t n = 0; n <= 60; n++) note_symbol(h, n, n % 3 == 0 ? 77 : n % 5 == 0 ? 99 : 0, n, 1000);
    assert_int_equal(3, ox_repair_history_earlier(h, flows, 1, offsets, 3, found));
    assert_symbol(&found[0], 45);
    assert_symbol(&found[1], 54);
    assert_symbol(&found[2], 60);
    assert_int_equal(4, ox_repair_history_earlier(h, flows, 2, offsets, 2, found));
    for (int i = 1; i < 4; i++) assert_true(found[i].number > found[i - 1].number);
    end_history(h);
}

static void what_did_not_leave_is_taken_back(void **state) {
    (void)state;
    ox_repair_history *h = make_history();
    ox_repair_symbol s, found[OX_REPAIR_COPIES_MAX * OX_REPAIR_FLOWS_MAX];
    note_symbol(h, 1, 5, 1, 100);
    note_symbol(h, 2, 5, 1, 100);
    ox_repair_history_retract(h, 7);
    ox_repair_history_retract(h, 2);
    assert_false(ox_repair_history_find(h, 2, &s));
    assert_int_equal(1, ox_repair_history_earlier(h, (uint32_t[]){5}, 1, (uint64_t[]){1}, 1, found));
    assert_symbol(&found[0], 1);
    note_symbol(h, 2, 5, 1, 100);
    assert_true(ox_repair_history_find(h, 2, &s));
    end_history(h);
}

static void a_combination_covers_its_window_lane_and_room(void **state) {
    (void)state;
    ox_repair_history *h = make_history();
    static uint8_t parity[OX_REPAIR_SYMBOL_MAX];
    ox_repair_window w;
    ox_repair_order order = {.window = 10, .permille = 500, .interleave = 1};
    assert_false(ox_repair_history_combine(h, 1, &order, 0, 0, 1400, 0, parity, &w));
    for (uint64_t n = 100; n < 200; n++) note_symbol(h, n, 0, n, 1000);
    assert_true(ox_repair_history_combine(h, 1, &order, 0, 200, 1400, 9, parity, &w));
    assert_int_equal(190, w.first);
    assert_true(w.map[0] == 0x3ff && w.map[1] == 0 && w.map[2] == 0 && w.seed == 9 && w.parity == parity);
    uint32_t longest = 0;
    for (uint64_t n = 190; n < 200; n++) longest = symbol_len(n) > longest ? symbol_len(n) : longest;
    assert_int_equal(OX_REPAIR_HEAD_BYTES + longest, w.len);
    order.interleave = 3;
    assert_true(ox_repair_history_combine(h, 1, &order, 1, 200, 1400, 9, parity, &w));
    for (uint32_t i = 0; i < 64; i++)
        if (w.map[0] >> i & 1) assert_int_equal(1, (w.first + i - 100) % 3);
    assert_int_equal(10, __builtin_popcountll(w.map[0]));
    // Another class, symbols that are too long for the room, and all of them too old.
    assert_false(ox_repair_history_combine(h, 2, &order, 0, 200, 1400, 9, parity, &w));
    order.interleave = 1;
    assert_true(ox_repair_history_combine(h, 1, &order, 0, 200, 100, 9, parity, &w) && w.len <= 100);
    assert_false(ox_repair_history_combine(h, 1, &order, 0, 200 + OX_REPAIR_SPAN_MAX, 1400, 9, parity, &w));
    end_history(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_symbol_is_found_by_its_number),
        cmocka_unit_test(it_grows_while_symbols_are_young_and_not_otherwise),
        cmocka_unit_test(earlier_symbols_of_a_flow_are_found_between_others),
        cmocka_unit_test(what_did_not_leave_is_taken_back),
        cmocka_unit_test(a_combination_covers_its_window_lane_and_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
