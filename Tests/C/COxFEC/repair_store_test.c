/* What a receiver recovers is what was sent, and what it cannot is bounded and counted. */
#include "symbols.h"

#include "oxcore/rs.h"

enum { NUMBERS = 4000 };

typedef struct world {
    ox_repair_history *h;
    ox_repair_store *store;
    bool known[NUMBERS];
    uint64_t next, recovered;
    uint32_t seed;
} world;

static void begin(world *w) {
    memset(w, 0, sizeof *w);
    w->h = make_history();
    w->store = ox_repair_store_init(ox_reserve(ox_repair_store_bytes()));
}

static void finish(world *w) {
    end_history(w->h);
    ox_release(w->store, ox_repair_store_bytes());
}

static void drain(world *w) {
    ox_repair_symbol s;
    while (ox_repair_store_solved(w->store, &s)) {
        assert_false(w->known[s.number]);
        assert_symbol(&s, s.number);
        w->known[s.number] = true;
        w->recovered++;
    }
}

static void arrive(world *w, uint64_t number) {
    uint8_t bytes[OX_REPAIR_CONTENT_MAX];
    symbol_bytes(number, bytes);
    w->known[number] = true;
    if (number >= w->next) w->next = number + 1;
    ox_repair_store_keep(w->store, number, OX_REPAIR_NO_CAR, bytes, symbol_len(number));
    drain(w);
}

static ox_repair_outcome combine(world *w, const ox_repair_order *order, uint32_t lane, uint64_t number, uint8_t seed) {
    static uint8_t parity[OX_REPAIR_SYMBOL_MAX];
    ox_repair_window window;
    assert_true(ox_repair_history_combine(w->h, 1, order, lane, number, 1400, seed, parity, &window));
    uint64_t arrived[OX_REPAIR_SPAN_MAX / 64] = {0};
    for (uint32_t i = 0; i < OX_REPAIR_SPAN_MAX; i++)
        if (window.first + i < NUMBERS && w->known[window.first + i]) arrived[i / 64] |= (uint64_t)1 << i % 64;
    if (number >= w->next) w->next = number + 1;
    ox_repair_outcome outcome = ox_repair_store_take(w->store, &window, arrived, w->next);
    drain(w);
    return outcome;
}

static uint32_t random_of(world *w) { return (w->seed = w->seed * 1664525 + 1013904223) >> 8; }

/* As many combinations as symbols are missing suffice, whichever are missing and whichever combinations come. */
static void any_symbols_are_recovered_from_as_many_combinations(void **state) {
    (void)state;
    for (uint32_t missing = 1; missing <= 40; missing += 3) {
        world w;
        begin(&w);
        w.seed = missing;
        ox_repair_order order = {.window = 64, .permille = 500};
        bool lost[64] = {false};
        for (uint32_t i = 0; i < missing;) {
            uint32_t which = random_of(&w) % 64;
            i += !lost[which];
            lost[which] = true;
        }
        for (uint64_t n = 0; n < 64; n++) {
            note_symbol(w.h, n, 0, 1, 1000);
            if (!lost[n]) arrive(&w, n);
        }
        for (uint32_t i = 0; i < missing; i++)
            assert_int_equal(OX_REPAIR_TAKEN, combine(&w, &order, 0, 64 + i, (uint8_t)(3 * i + missing)));
        assert_int_equal(missing, w.recovered);
        assert_int_equal(OX_REPAIR_UNNEEDED, combine(&w, &order, 0, 64 + missing, 60));
        assert_int_equal(0, ox_repair_store_given_up(w.store));
        finish(&w);
    }
}

/* A long stream, bursts of losses among symbols and combinations, in disorder: nothing comes twice, nothing comes wrong. */
static void a_sliding_window_repairs_bursts(void **state) {
    (void)state;
    for (uint32_t run = 0; run < 6; run++) {
        world w;
        begin(&w);
        w.seed = run + 1;
        ox_repair_order order = {.window = 40, .permille = 500, .interleave = 1 + run % 3};
        uint64_t lost = 0, held = 0, held_numbers[4];
        bool bad = false;
        for (uint64_t n = 0; n < NUMBERS; n++) {
            bad = bad ? random_of(&w) % 3 != 0 : random_of(&w) % 60 == 0;
            if (n % 3 == 2) {
                if (!bad) combine(&w, &order, (uint32_t)(n / 3 % order.interleave), n, (uint8_t)(n / 3));
                continue;
            }
            note_symbol(w.h, n, 0, n, 100);
            bool late = random_of(&w) % 40 == 0 && held < 4;
            if (bad) lost++;
            else if (late) held_numbers[held++] = n;
            else arrive(&w, n);
            // Originals that come late are known by then, or help.
            if (n % 50 != 49) continue;
            while (held > 0)
                if (!w.known[held_numbers[--held]]) arrive(&w, held_numbers[held]);
        }
        assert_true(lost > 60 && w.recovered > lost * 9 / 10);
        finish(&w);
    }
}

static void a_late_original_makes_a_combination_simpler(void **state) {
    (void)state;
    world w;
    begin(&w);
    ox_repair_order order = {.window = 8, .permille = 500};
    for (uint64_t n = 0; n < 8; n++) {
        note_symbol(w.h, n, 0, n, 100);
        if (n != 2 && n != 5) arrive(&w, n);
    }
    assert_int_equal(OX_REPAIR_TAKEN, combine(&w, &order, 0, 8, 1));
    assert_int_equal(0, w.recovered);
    arrive(&w, 5);
    assert_int_equal(1, w.recovered);
    assert_true(w.known[2]);
    finish(&w);
}

/* Numbers run ahead while a combination waits: what is kept of a newer one is not what the older one was. */
static void a_symbol_whose_place_a_newer_one_took_is_still_itself(void **state) {
    (void)state;
    world w;
    begin(&w);
    ox_repair_order order = {.window = 8, .permille = 500};
    for (uint64_t n = 0; n < 8; n++) {
        note_symbol(w.h, n, 0, n, 100);
        if (n != 2 && n != 5) arrive(&w, n);
    }
    assert_int_equal(OX_REPAIR_TAKEN, combine(&w, &order, 0, 8, 1));
    arrive(&w, 2 + 512);
    arrive(&w, 5);
    assert_int_equal(1, w.recovered);
    assert_true(w.known[2]);
    finish(&w);
}

/* A combination is as long as the longest symbol in it: a few bytes do not turn into many. */
static void a_combination_does_not_grow(void **state) {
    (void)state;
    enum { LONG = 400, SHORT = 10 };
    ox_repair_store *store = ox_repair_store_init(ox_reserve(ox_repair_store_bytes()));
    uint8_t wanted[OX_REPAIR_HEAD_BYTES + LONG] = {LONG & 0xff, LONG >> 8, OX_REPAIR_NO_CAR}, other[sizeof wanted] = {0};
    uint8_t first = ox_repair_coefficient(0, 20), second = ox_repair_coefficient(0, 21), parity[SHORT] = {0};
    memcpy(other, wanted, OX_REPAIR_HEAD_BYTES);
    for (uint32_t i = OX_REPAIR_HEAD_BYTES; i < sizeof wanted; i++) wanted[i] = (uint8_t)i;
    // Behind the first bytes their sum is zero.
    ox_gf_multiply_add(other + SHORT, wanted + SHORT, ox_gf_multiply(first, ox_gf_inverse(second)), sizeof wanted - SHORT);
    ox_gf_multiply_add(parity, wanted, first, SHORT);
    ox_gf_multiply_add(parity, other, second, SHORT);
    ox_repair_window window = {.first = 20, .map = {3}, .parity = parity, .len = SHORT};
    assert_int_equal(OX_REPAIR_TAKEN, ox_repair_store_take(store, &window, (uint64_t[3]){0}, 23));
    ox_repair_store_keep(store, 21, OX_REPAIR_NO_CAR, other + OX_REPAIR_HEAD_BYTES, LONG);
    ox_repair_symbol s;
    assert_false(ox_repair_store_solved(store, &s));
    assert_int_equal(1, ox_repair_store_given_up(store));
    ox_release(store, ox_repair_store_bytes());
}

static void what_came_before_anything_was_kept_follows_as_well(void **state) {
    (void)state;
    world w;
    ox_repair_symbol s;
    static uint8_t parity[OX_REPAIR_SYMBOL_MAX];
    ox_repair_window window;
    begin(&w);
    ox_repair_order order = {.window = 3, .permille = 500};
    for (uint64_t n = 0; n < 3; n++) note_symbol(w.h, n, 0, n, 100);
    // 0 and 1 arrived, 2 did not, and nothing was kept: it takes three.
    for (uint8_t i = 0; i < 3; i++) {
        assert_false(ox_repair_store_solved(w.store, &s));
        assert_true(ox_repair_history_combine(w.h, 1, &order, 0, 3 + i, 1400, i, parity, &window));
        assert_int_equal(OX_REPAIR_TAKEN, ox_repair_store_take(w.store, &window, (uint64_t[3]){3}, 4 + i));
    }
    for (uint64_t n = 0; n < 3; n++) {
        assert_true(ox_repair_store_solved(w.store, &s));
        assert_symbol(&s, n);
    }
    finish(&w);
}

static void what_lies_too_far_back_is_late_and_what_had_arrived_is_not_given_up(void **state) {
    (void)state;
    ox_repair_store *store = ox_repair_store_init(ox_reserve(ox_repair_store_bytes()));
    static const uint8_t parity[200];
    ox_repair_window window = {.first = 100, .map = {7}, .parity = parity, .len = 200};
    assert_int_equal(OX_REPAIR_TOO_LATE, ox_repair_store_take(store, &window, (uint64_t[3]){0}, 1000));
    assert_int_equal(OX_REPAIR_TAKEN, ox_repair_store_take(store, &window, (uint64_t[3]){3}, 200));
    window.first = 900;
    assert_int_equal(OX_REPAIR_TAKEN, ox_repair_store_take(store, &window, (uint64_t[3]){0}, 1000));
    assert_int_equal(1, ox_repair_store_given_up(store));
    ox_release(store, ox_repair_store_bytes());
}

static void a_combination_shorter_than_what_it_covers_is_wrong(void **state) {
    (void)state;
    world w;
    begin(&w);
    arrive(&w, 4);
    uint8_t parity[OX_REPAIR_SYMBOL_MAX] = {0};
    ox_repair_window window = {.first = 4, .map = {3}, .parity = parity, .len = OX_REPAIR_HEAD_BYTES};
    assert_int_equal(OX_REPAIR_WRONG, ox_repair_store_take(w.store, &window, (uint64_t[3]){1}, 7));
    // What solves to no symbol is given up.
    window = (ox_repair_window){.first = 9, .map = {1}, .parity = memset(parity, 0xee, 600), .len = 600};
    assert_int_equal(OX_REPAIR_TAKEN, ox_repair_store_take(w.store, &window, (uint64_t[3]){0}, 10));
    ox_repair_symbol s;
    assert_false(ox_repair_store_solved(w.store, &s));
    assert_int_equal(1, ox_repair_store_given_up(w.store));
    finish(&w);
}

/* Windows of which hardly anything comes: what is oldest goes, and each is given up once. */
static void a_flood_of_half_filled_windows_is_bounded(void **state) {
    (void)state;
    ox_repair_store *store = ox_repair_store_init(ox_reserve(ox_repair_store_bytes()));
    static uint8_t parity[OX_REPAIR_SYMBOL_MAX], bytes[100];
    uint32_t seed = 1, taken = 0;
    ox_repair_symbol s;
    for (uint64_t n = 200; n < 40000; n++) {
        seed = seed * 1664525 + 1013904223;
        for (uint32_t i = 0; i < sizeof parity; i++) parity[i] = (uint8_t)(seed >> 8 * (i % 4));
        ox_repair_window window = {.first = n - 190 + seed % 100, .seed = (uint8_t)(seed >> 9), .parity = parity,
                                   .len = OX_REPAIR_HEAD_BYTES + 100 + seed % 1400};
        window.map[0] = 1 | (uint64_t)seed * 0x9e3779b97f4a7c15u;
        taken += ox_repair_store_take(store, &window, (uint64_t[3]){0}, n) == OX_REPAIR_TAKEN;
        if (seed % 3 == 0) ox_repair_store_keep(store, n - seed % 150, OX_REPAIR_NO_CAR, bytes, sizeof bytes);
        while (ox_repair_store_solved(store, &s)) assert_true(s.len <= OX_REPAIR_CONTENT_MAX);
    }
    assert_true(taken > 10000 && ox_repair_store_given_up(store) > 1000);
    assert_true(ox_repair_store_given_up(store) <= 64 * (uint64_t)taken);
    ox_release(store, ox_repair_store_bytes());
}

static void coefficients_are_never_zero_and_differ_within_a_span(void **state) {
    (void)state;
    for (uint32_t seed = 0; seed < 256; seed++) {
        bool seen[256] = {false};
        for (uint64_t n = 1000; n < 1000 + OX_REPAIR_SPAN_MAX; n++) {
            uint8_t c = ox_repair_coefficient((uint8_t)seed, n);
            assert_true(c != 0 && !seen[c]);
            seen[c] = true;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_symbols_are_recovered_from_as_many_combinations),
        cmocka_unit_test(a_sliding_window_repairs_bursts),
        cmocka_unit_test(a_late_original_makes_a_combination_simpler),
        cmocka_unit_test(a_symbol_whose_place_a_newer_one_took_is_still_itself),
        cmocka_unit_test(a_combination_does_not_grow),
        cmocka_unit_test(what_came_before_anything_was_kept_follows_as_well),
        cmocka_unit_test(what_lies_too_far_back_is_late_and_what_had_arrived_is_not_given_up),
        cmocka_unit_test(a_combination_shorter_than_what_it_covers_is_wrong),
        cmocka_unit_test(a_flood_of_half_filled_windows_is_bounded),
        cmocka_unit_test(coefficients_are_never_zero_and_differ_within_a_span),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
