/* The frames of the repair layer: what is written is read, every cut of it is refused or shorter, and nothing else passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oxcore/wire.h"

static void a_copy_is_read_as_written(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < 6; kind++) {
        ox_copy_frame copy = {.distance = kind == 0 ? 1 : (uint64_t)1 << 7 * kind, .difference = kind % 2 == 1,
                              .resent = kind > 2, .is_car = kind % 2 == 0, .car = (uint8_t)(0x80 | kind)};
        uint8_t body[64] = {0};
        uint32_t head = ox_copy_write_head(&copy, body);
        assert_true(head <= OX_COPY_HEAD_MAX);
        memset(body + head, 0x45, 20);
        ox_copy_frame read;
        assert_int_equal(OX_PASS, ox_copy_read(body, head + 20, copy.distance, &read));
        assert_int_equal(copy.distance, read.distance);
        assert_true(read.difference == copy.difference && read.resent == copy.resent && read.is_car == copy.is_car);
        assert_int_equal(copy.is_car ? copy.car : 0, read.car);
        assert_true(read.content == body + head && read.len == 20);
        assert_int_equal(OX_DROP_REPAIR_MALFORMED, ox_copy_read(body, head + 20, copy.distance - 1, &read));
        for (uint32_t len = 0; len <= head; len++) {
            uint8_t *cut = malloc(len + 1);
            memcpy(cut, body, len);
            assert_int_equal(OX_DROP_REPAIR_MALFORMED, ox_copy_read(cut, len, copy.distance, &read));
            free(cut);
        }
    }
}

static void a_repair_is_read_as_written(void **state) {
    (void)state;
    const uint64_t maps[][OX_REPAIR_MAP_WORDS] = {{1}, {0xff}, {1, 1}, {UINT64_MAX}, {3, 0, (uint64_t)1 << 63}, {0x1ff, 0x100}};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        ox_repair_frame frame = {.distance = 500, .seed = (uint8_t)(40 * i)}, read;
        memcpy(frame.map, maps[i], sizeof frame.map);
        uint8_t body[64] = {0};
        uint32_t head = ox_repair_write_head(&frame, body);
        assert_int_equal(OX_PASS, ox_repair_read(body, head + 10, 500, &read));
        assert_int_equal(500, read.distance);
        assert_int_equal(frame.seed, read.seed);
        assert_memory_equal(frame.map, read.map, sizeof frame.map);
        assert_true(read.parity == body + head && read.len == 10);
        assert_int_equal(OX_DROP_REPAIR_MALFORMED, ox_repair_read(body, head + 10, 499, &read));
        for (uint32_t len = 0; len < head + 3; len++) {
            uint8_t *cut = malloc(len + 1);
            memcpy(cut, body, len);
            assert_int_equal(OX_DROP_REPAIR_MALFORMED, ox_repair_read(cut, len, 500, &read));
            free(cut);
        }
    }
}

static void a_repair_covers_numbers_below_its_own_and_no_more_than_there_can_be(void **state) {
    (void)state;
    ox_repair_frame frame = {.distance = 8, .map = {0xff}}, read;
    uint8_t body[64] = {0};
    uint32_t head = ox_repair_write_head(&frame, body);
    assert_int_equal(OX_PASS, ox_repair_read(body, head + 3, 9, &read));
    frame.distance = 7; // the last one would be its own
    head = ox_repair_write_head(&frame, body);
    assert_int_equal(OX_DROP_REPAIR_MALFORMED, ox_repair_read(body, head + 3, 9, &read));
    frame = (ox_repair_frame){.distance = 300, .map = {UINT64_MAX, 1}}; // 65 of them
    head = ox_repair_write_head(&frame, body);
    assert_int_equal(OX_DROP_REPAIR_MALFORMED, ox_repair_read(body, head + 3, 900, &read));
}

static void a_repaired_is_read_as_written_and_may_grow(void **state) {
    (void)state;
    const ox_repaired told = {.gap_us = 1000, .by_copy = 1, .by_window = 70, .by_resend = 1u << 20, .late = OX_VARINT_LIMIT - 1};
    uint8_t bytes[OX_REPAIRED_BYTES_MAX];
    uint32_t len = ox_repaired_write(&told, bytes);
    size_t offset = 0;
    ox_frame frame;
    ox_repaired read;
    assert_int_equal(OX_PASS, ox_frame_read(bytes, len, &offset, &frame));
    assert_true(frame.type == OX_FRAME_REPAIRED && offset == len);
    assert_int_equal(OX_PASS, ox_repaired_read(frame.body, frame.len, &read));
    assert_memory_equal(&told, &read, sizeof told);
    uint8_t longer[OX_REPAIRED_BYTES_MAX + 4] = {0};
    memcpy(longer, frame.body, frame.len);
    assert_int_equal(OX_PASS, ox_repaired_read(longer, frame.len + 4, &read));
    for (size_t cut = 0; cut < frame.len; cut++)
        assert_int_equal(OX_DROP_REPAIR_MALFORMED, ox_repaired_read(frame.body, cut, &read));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_read_as_written),
        cmocka_unit_test(a_repair_is_read_as_written),
        cmocka_unit_test(a_repair_covers_numbers_below_its_own_and_no_more_than_there_can_be),
        cmocka_unit_test(a_repaired_is_read_as_written_and_may_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
