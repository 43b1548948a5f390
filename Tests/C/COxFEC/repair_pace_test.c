/* Which flows are sparse. */
#include "symbols.h"

static void a_game_is_sparse_and_a_download_is_not(void **state) {
    (void)state;
    ox_repair_pace *pace = ox_reserve(ox_repair_pace_bytes());
    uint64_t now = 1000 * MS;
    bool game = true, download = true;
    for (uint32_t us = 0; us < 2000000; us += 500) {
        if (us % 17000 == 0) assert_true(game = ox_repair_pace_note(pace, 1, 0, now + us * 1000));
        download = ox_repair_pace_note(pace, 2, 0, now + us * 1000);
        assert_true(us < 20000 || !download);
    }
    now += 2000 * MS;
    assert_in_range(ox_repair_pace_gap(pace, 0, now), 16 * MS, 18 * MS);
    assert_int_equal(0, ox_repair_pace_gap(pace, 1, now));
    assert_int_equal(0, ox_repair_pace_gap(pace, 0, now + 2100 * MS));
    ox_release(pace, ox_repair_pace_bytes());
}

static void a_heartbeat_does_not_say_how_fast_the_game_is(void **state) {
    (void)state;
    ox_repair_pace *pace = ox_reserve(ox_repair_pace_bytes());
    for (uint64_t ms = 1000; ms < 9000; ms += 20) {
        ox_repair_pace_note(pace, 1, 0, ms * MS);
        if (ms % 1000 == 0) ox_repair_pace_note(pace, 2, 0, ms * MS);
    }
    assert_in_range(ox_repair_pace_gap(pace, 0, 9000 * MS), 19 * MS, 21 * MS);
    ox_release(pace, ox_repair_pace_bytes());
}

static void more_flows_than_there_is_room_for_are_bounded(void **state) {
    (void)state;
    ox_repair_pace *pace = ox_reserve(ox_repair_pace_bytes());
    for (uint32_t i = 0; i < 100000; i++) ox_repair_pace_note(pace, i * 2654435761u, (uint8_t)(i % 6), (1000 + i) * MS / 10);
    ox_release(pace, ox_repair_pace_bytes());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_game_is_sparse_and_a_download_is_not),
        cmocka_unit_test(a_heartbeat_does_not_say_how_fast_the_game_is),
        cmocka_unit_test(more_flows_than_there_is_room_for_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
