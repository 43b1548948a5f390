#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oxcore/wire.h"

static uint64_t seed = 11;

static uint32_t draw(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* Number by number, from the newest down. */
static void naive_ranges(const ox_replay *replay, uint64_t floor, ox_feedback *feedback) {
    feedback->count = 0;
    bool in_range = false;
    for (uint64_t back = 1; back <= replay->window && back <= replay->next; back++) {
        uint64_t number = replay->next - back;
        bool has = ox_replay_has(replay, number);
        if (has && !in_range) {
            if (feedback->count == OX_FEEDBACK_RANGES_MAX || number < floor) return;
            feedback->ranges[feedback->count++] = (ox_range){number, number};
        } else if (has) {
            feedback->ranges[feedback->count - 1].first = number;
        }
        in_range = has;
    }
}

static void assert_ranges(const ox_feedback *want, const ox_feedback *got, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        assert_true(want->ranges[i].first == got->ranges[i].first);
        assert_true(want->ranges[i].last == got->ranges[i].last);
    }
}

static void ranges_equal_a_scan(void **state) {
    (void)state;
    static ox_replay replay;
    static const uint32_t windows[] = {128, 256, 2048, 8192};
    for (uint32_t round = 0; round < 4000; round++) {
        ox_replay_init(&replay, windows[round % 4]);
        uint64_t at = round % 7 == 0 ? OX_VARINT_LIMIT - 100000 : draw(300);
        // From single losses to long runs, and from a few numbers to several windows.
        uint32_t steps = draw(round % 3 == 0 ? 20 : 3 * replay.window / 4), loss = 1 + draw(60), run = 1 + draw(200);
        for (uint32_t i = 0; i < steps; i++) {
            if (draw(loss) == 0) at += 1 + draw(run);
            ox_replay_commit(&replay, at++);
        }
        static const uint32_t below[] = {0, 1, 5, 64, 500, 9000};
        for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
            uint64_t floor = below[i] > 0 && replay.next > below[i] ? replay.next - below[i] : 0;
            ox_feedback want, got;
            naive_ranges(&replay, floor, &want);
            ox_feedback_from_replay(&replay, floor, &got);
            assert_int_equal(want.count, got.count);
            assert_ranges(&want, &got, want.count);
        }
    }
}

static void nothing_reaches_a_floor_above_all(void **state) {
    (void)state;
    static ox_replay replay;
    ox_feedback f;
    ox_replay_init(&replay, 128);
    ox_feedback_from_replay(&replay, 0, &f);
    assert_int_equal(0, f.count);
    ox_replay_commit(&replay, 70);
    ox_feedback_from_replay(&replay, 70, &f);
    assert_int_equal(1, f.count);
    ox_feedback_from_replay(&replay, 71, &f);
    assert_int_equal(0, f.count);
}

/* Every second number is lost: the most ranges that there can be. */
static void a_lossy_window_fits_a_datagram(void **state) {
    (void)state;
    static ox_replay replay;
    ox_replay_init(&replay, OX_REPLAY_WINDOW_MAX);
    for (uint64_t n = 0; n < 3 * OX_REPLAY_WINDOW_MAX; n += 2) ox_replay_commit(&replay, n);
    ox_feedback f = {.arrival_us = UINT32_MAX, .delay_us = 10000};
    ox_feedback_from_replay(&replay, 0, &f);
    assert_int_equal(OX_FEEDBACK_RANGES_MAX, f.count);
    assert_int_equal(replay.next - 1 - 2 * (OX_FEEDBACK_RANGES_MAX - 1), f.ranges[OX_FEEDBACK_RANGES_MAX - 1].last);
    uint8_t out[OX_FEEDBACK_BYTES_MAX];
    uint32_t len = ox_feedback_write(&f, out, sizeof out);
    ox_feedback got;
    assert_int_equal(OX_PASS, ox_feedback_read(out + 3, len - 3, &got));
    assert_int_equal(OX_FEEDBACK_RANGES_MAX, got.count);
    // Where less room is, the newest are told.
    len = ox_feedback_write(&f, out, OX_FEEDBACK_RIDE_MAX);
    assert_in_range(len, OX_FEEDBACK_RIDE_MAX - 1, OX_FEEDBACK_RIDE_MAX);
    assert_int_equal(OX_PASS, ox_feedback_read(out + 3, len - 3, &got));
    assert_in_range(got.count, 30, 45);
    assert_ranges(&f, &got, got.count);
}

static void every_small_bitmap_equals_a_scan(void **state) {
    (void)state;
    static ox_replay replay;
    for (uint64_t start = 50; start < 200; start += 37) {
        for (uint32_t bits = 1; bits < 1 << 12; bits++) {
            ox_replay_init(&replay, 128);
            for (uint32_t i = 0; i < 12; i++)
                if (bits >> i & 1) ox_replay_commit(&replay, start + i);
            ox_feedback want, got;
            naive_ranges(&replay, 0, &want);
            ox_feedback_from_replay(&replay, 0, &got);
            assert_int_equal(want.count, got.count);
            assert_ranges(&want, &got, want.count);
        }
    }
}

static void draw_feedback(ox_feedback *f) {
    memset(f, 0, sizeof *f);
    f->arrival_us = draw(1 << 30);
    f->delay_us = draw(1 << (1 + draw(30)));
    f->ect0 = draw(1000000);
    f->ect1 = draw(100);
    f->ce = draw(1 << 20);
    f->count = 1 + draw(OX_FEEDBACK_RANGES_MAX);
    uint64_t at = draw(3) == 0 ? OX_VARINT_LIMIT - 1 : (uint64_t)1000000 + draw(1 << 30);
    for (uint32_t i = 0; i < f->count; i++) {
        f->ranges[i].last = at;
        f->ranges[i].first = at - draw(1 << draw(12));
        at = f->ranges[i].first - 2 - draw(1 << draw(10));
    }
}

static void feedback_comes_back_in_any_room(void **state) {
    (void)state;
    for (uint32_t round = 0; round < 1000; round++) {
        ox_feedback f, got;
        draw_feedback(&f);
        uint32_t before = UINT32_MAX;
        for (size_t room = OX_FEEDBACK_MAX; room > 0; room -= room > 400 ? 211 : room > 200 ? 37 : 1) {
            uint8_t *out = malloc(room);
            uint32_t len = ox_feedback_write(&f, out, room);
            assert_true(len <= room);
            if (len == 0) {
                free(out);
                before = 0;
                continue;
            }
            assert_true(before != 0);
            ox_frame frame;
            size_t offset = 0;
            assert_int_equal(OX_PASS, ox_frame_read(out, len, &offset, &frame));
            assert_int_equal(OX_FRAME_FEEDBACK, frame.type);
            assert_int_equal(len, offset);
            assert_int_equal(OX_PASS, ox_feedback_read(frame.body, frame.len, &got));
            assert_true(got.count >= 1 && got.count <= f.count && got.count <= before);
            before = got.count;
            assert_ranges(&f, &got, got.count);
            assert_int_equal(f.arrival_us, got.arrival_us);
            assert_int_equal(f.delay_us, got.delay_us);
            assert_int_equal(f.ect0, got.ect0);
            assert_int_equal(f.ect1, got.ect1);
            assert_int_equal(f.ce, got.ce);
            // Cut anywhere inside of the first range, and it is no feedback.
            for (size_t cut = 0; cut < 7; cut++)
                assert_int_equal(OX_DROP_FRAME_MALFORMED, ox_feedback_read(frame.body, cut, &got));
            free(out);
        }
    }
}

static void malformed_feedback_is_refused(void **state) {
    (void)state;
    static const struct {
        uint8_t body[16];
        size_t len;
    } bad[] = {
        {{0}, 0},
        {{5, 0, 0, 0, 0, 0}, 6},                                     /* no first range */
        {{5, 0, 0, 0, 0, 0, 6}, 7},                                  /* longer than there are numbers */
        {{5, 0, 0, 0, 0, 0, 0, 4, 0}, 9},                            /* a gap below zero */
        {{5, 0, 0, 0, 0, 0, 0, 0, 4}, 9},                            /* a length below zero */
        {{5, 0, 0, 0, 0, 0, 4, 0, 0}, 9},                            /* a range below 1 */
        {{5, 0, 0, 0, 0, 0, 0, 0}, 8},                               /* a gap without a length */
        {{5, 0xc0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 14},         /* arrival above 32 bits */
        {{5, 0, 0xc0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 14},         /* delay above 32 bits */
    };
    ox_feedback f;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(OX_DROP_FRAME_MALFORMED, ox_feedback_read(bad[i].body, bad[i].len, &f));
    static const uint8_t good[] = {5, 0, 0, 0, 0, 0, 0, 3, 0};
    assert_int_equal(OX_PASS, ox_feedback_read(good, sizeof good, &f));
    assert_int_equal(2, f.count);
    assert_true(f.ranges[1].first == 0 && f.ranges[1].last == 0);
    // One range more than there may be.
    uint8_t many[2 * OX_FEEDBACK_RANGES_MAX + 20] = {0x44, 0xff, 0, 0, 0, 0, 0, 0};
    size_t len = 8 + 2 * (OX_FEEDBACK_RANGES_MAX - 1);
    assert_int_equal(OX_PASS, ox_feedback_read(many, len, &f));
    assert_int_equal(OX_FEEDBACK_RANGES_MAX, f.count);
    assert_int_equal(OX_DROP_FRAME_MALFORMED, ox_feedback_read(many, len + 2, &f));
}

static void what_is_written_always_fits_the_headroom(void **state) {
    (void)state;
    ox_feedback f = {.arrival_us = UINT32_MAX, .delay_us = UINT32_MAX, .ect0 = OX_VARINT_LIMIT - 1, .ect1 = OX_VARINT_LIMIT - 1,
                     .ce = OX_VARINT_LIMIT - 1, .count = 1, .ranges = {{0, OX_VARINT_LIMIT - 1}}};
    uint8_t out[OX_FEEDBACK_RIDE_MAX];
    assert_true(ox_feedback_write(&f, out, sizeof out) > 0);
}

static void what_was_recovered_is_in_no_range(void **state) {
    (void)state;
    static ox_replay replay;
    ox_replay_init(&replay, 256);
    for (uint64_t n = 0; n < 200; n++)
        if (n != 90 && n != 150) ox_replay_commit(&replay, n);
    ox_replay_recover(&replay, 90);
    ox_replay_recover(&replay, 150);
    ox_feedback f;
    ox_feedback_from_replay(&replay, 0, &f);
    assert_int_equal(3, f.count);
    assert_true(f.ranges[0].first == 151 && f.ranges[1].last == 149 && f.ranges[1].first == 91 && f.ranges[2].last == 89);
    assert_true(ox_replay_arrive(&replay, 150));
    ox_feedback_from_replay(&replay, 0, &f);
    assert_int_equal(2, f.count);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_equal_a_scan),
        cmocka_unit_test(nothing_reaches_a_floor_above_all),
        cmocka_unit_test(a_lossy_window_fits_a_datagram),
        cmocka_unit_test(every_small_bitmap_equals_a_scan),
        cmocka_unit_test(feedback_comes_back_in_any_room),
        cmocka_unit_test(malformed_feedback_is_refused),
        cmocka_unit_test(what_is_written_always_fits_the_headroom),
        cmocka_unit_test(what_was_recovered_is_in_no_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
