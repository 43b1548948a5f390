#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oxcore/wire.h"

enum { NUMBERS = 1 << 18 };

/* The definition: which numbers arrived, and the largest. */
typedef struct model {
    uint64_t base, next, window;
    bool arrived[NUMBERS];
} model;

static model truth;

static void begin(ox_replay *replay, uint32_t window, uint64_t base) {
    ox_replay_init(replay, window);
    memset(&truth, 0, sizeof truth);
    truth.window = window;
    truth.base = base;
}

static ox_verdict expected(uint64_t number) {
    if (number < truth.next && truth.next - number > truth.window) return OX_DROP_TOO_OLD;
    return truth.arrived[number - truth.base] ? OX_DROP_REPLAYED : OX_PASS;
}

static void offer(ox_replay *replay, uint64_t number) {
    ox_verdict verdict = ox_replay_check(replay, number);
    assert_int_equal(expected(number), verdict);
    if (verdict != OX_PASS) return;
    ox_replay_commit(replay, number);
    truth.arrived[number - truth.base] = true;
    if (number >= truth.next) truth.next = number + 1;
    assert_true(replay->next == truth.next);
}

static uint64_t seed = 7;

static uint32_t draw(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static void long_runs_equal_the_definition(void **state) {
    (void)state;
    static const uint32_t windows[] = {128, 256, 2048, 8192};
    static const uint64_t bases[] = {0, ((uint64_t)1 << 62) - NUMBERS};
    for (uint32_t w = 0; w < 4; w++) {
        for (uint32_t round = 0; round < 6; round++) {
            static ox_replay replay;
            uint64_t base = bases[round % 2];
            begin(&replay, windows[w], base);
            uint32_t spread = round / 2 == 0 ? 40 : round / 2 == 1 ? windows[w] + 70 : 3 * windows[w];
            uint64_t at = base;
            for (uint32_t i = 0; i < 60000 && at + 4 * windows[w] + 4 < base + NUMBERS; i++) {
                at += draw(1000) == 0 ? draw(3 * windows[w]) : draw(4);
                uint64_t back = draw(3) == 0 ? draw(spread) : 0;
                uint64_t number = at - base >= back ? at - back : base;
                offer(&replay, number);
                assert_true(ox_replay_has(&replay, number) == (expected(number) == OX_DROP_REPLAYED));
            }
            for (uint64_t number = truth.next > truth.base + 3 * windows[w] ? truth.next - 3 * windows[w] : truth.base;
                 number < truth.next + 10; number++) {
                assert_int_equal(expected(number), ox_replay_check(&replay, number));
                assert_true(ox_replay_has(&replay, number) == (expected(number) == OX_DROP_REPLAYED));
            }
        }
    }
}

/* Every order in which seven numbers can arrive, each of them twice, at places that matter for the window. */
static void permute(uint64_t *numbers, uint32_t at, uint32_t count, uint32_t window) {
    if (at < count) {
        for (uint32_t i = at; i < count; i++) {
            uint64_t held = numbers[at];
            numbers[at] = numbers[i];
            numbers[i] = held;
            permute(numbers, at + 1, count, window);
            numbers[i] = numbers[at];
            numbers[at] = held;
        }
        return;
    }
    static ox_replay replay;
    bool arrived[7] = {false};
    uint64_t next = 0;
    ox_replay_init(&replay, window);
    for (uint32_t twice = 0; twice < 2; twice++) {
        for (uint32_t i = 0; i < count; i++) {
            ox_verdict want = OX_PASS;
            if (numbers[i] < next && next - numbers[i] > window) want = OX_DROP_TOO_OLD;
            else if (arrived[i]) want = OX_DROP_REPLAYED;
            ox_verdict got = ox_replay_check(&replay, numbers[i]);
            assert_int_equal(want, got);
            if (got != OX_PASS) continue;
            ox_replay_commit(&replay, numbers[i]);
            arrived[i] = true;
            if (numbers[i] >= next) next = numbers[i] + 1;
        }
    }
}

static void every_order_of_arrival(void **state) {
    (void)state;
    static const uint32_t windows[] = {128, 256};
    for (uint32_t w = 0; w < 2; w++) {
        uint64_t n = windows[w];
        uint64_t near[7] = {0, 1, 2, 3, 4, 5, 6}, edge[7] = {0, 1, n - 1, n, n + 1, 2 * n - 1, 2 * n},
                 words[7] = {63, 64, 65, n + 63, n + 64, n + 127, 3 * n}, far[7] = {0, n, 2 * n, 3 * n, 4 * n, 1 << 20, 5};
        permute(near, 0, 7, windows[w]);
        permute(edge, 0, 7, windows[w]);
        permute(words, 0, 7, windows[w]);
        permute(far, 0, 7, windows[w]);
    }
}

static void the_window_ends_where_it_says(void **state) {
    (void)state;
    static ox_replay replay;
    for (uint32_t window = OX_REPLAY_WINDOW_MIN; window <= OX_REPLAY_WINDOW_MAX; window *= 2) {
        for (uint64_t top = 10 * window; top < 10 * window + 130; top++) {
            ox_replay_init(&replay, window);
            ox_replay_commit(&replay, top);
            assert_int_equal(OX_PASS, ox_replay_check(&replay, top - window + 1));
            assert_int_equal(OX_DROP_TOO_OLD, ox_replay_check(&replay, top - window));
            assert_int_equal(OX_DROP_TOO_OLD, ox_replay_check(&replay, top - window - 1));
            assert_int_equal(OX_DROP_TOO_OLD, ox_replay_check(&replay, 0));
            assert_int_equal(OX_DROP_REPLAYED, ox_replay_check(&replay, top));
            assert_int_equal(OX_PASS, ox_replay_check(&replay, top + 1));
            assert_int_equal(OX_PASS, ox_replay_check(&replay, OX_VARINT_LIMIT - 1));
        }
    }
}

/* Every jump forward from every place clears exactly what it must. */
static void every_jump_clears_what_it_passes(void **state) {
    (void)state;
    static ox_replay replay;
    const uint32_t window = 128;
    for (uint64_t start = 128; start < 256; start++) {
        for (uint64_t jump = 1; jump <= window + 3; jump++) {
            ox_replay_init(&replay, window);
            for (uint64_t i = start - window + 1; i <= start; i++) ox_replay_commit(&replay, i);
            ox_replay_commit(&replay, start + jump);
            for (uint64_t number = start - window; number <= start + jump; number++) {
                bool inside = start + jump - number < window;
                bool arrived = inside && (number <= start || number == start + jump);
                assert_true(ox_replay_has(&replay, number) == arrived);
            }
        }
    }
}

/* What was recovered is taken, and is told from what arrived until it does; nothing of it is left when the window has passed. */
static void recovered_numbers_are_told_from_those_that_arrived(void **state) {
    (void)state;
    enum { NUMBERS = 3000, NONE = 0, ARRIVED, RECOVERED };
    static ox_replay replay;
    static uint8_t is[NUMBERS + 400];
    uint32_t seed = 1;
    memset(is, NONE, sizeof is);
    ox_replay_init(&replay, 128);
    for (uint64_t next = 0; next < NUMBERS; next = replay.next) {
        seed = seed * 1664525 + 1013904223;
        uint64_t number = next - seed / 64 % (next < 128 ? next + 1 : 128); // some number of the window, or the next one
        if (seed >> 20 & 1) number = next + (seed >> 28 == 0 ? seed / 64 % 200 : seed / 64 % 3);
        if (number >= next || is[number] == NONE) {
            bool recovers = number < next && (seed >> 21 & 1) != 0;
            if (recovers) ox_replay_recover(&replay, number);
            else ox_replay_commit(&replay, number);
            is[number] = recovers ? RECOVERED : ARRIVED;
        } else {
            assert_true(ox_replay_arrive(&replay, number) == (is[number] == RECOVERED));
            is[number] = ARRIVED;
        }
        uint64_t first = replay.next > 128 ? replay.next - 128 : 0;
        for (uint64_t m = first; m < replay.next; m++) {
            assert_true(ox_replay_has(&replay, m) == (is[m] != NONE));
            assert_true(ox_replay_recovered(&replay, m) == (is[m] == RECOVERED));
        }
        if (first > 0) assert_false(ox_replay_recovered(&replay, first - 1) || ox_replay_arrive(&replay, first - 1));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_runs_equal_the_definition),
        cmocka_unit_test(every_order_of_arrival),
        cmocka_unit_test(the_window_ends_where_it_says),
        cmocka_unit_test(every_jump_clears_what_it_passes),
        cmocka_unit_test(recovered_numbers_are_told_from_those_that_arrived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
