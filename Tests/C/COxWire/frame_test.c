#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oxcore/wire.h"

/* A copy of exactly `len` bytes, so that AddressSanitizer sees every read outside of it. */
static ox_verdict read_frame(const uint8_t *bytes, size_t len, size_t *offset, ox_frame *frame, uint8_t **copy) {
    *copy = malloc(len);
    memcpy(*copy, bytes, len);
    return ox_frame_read(*copy, len, offset, frame);
}

static void frames_come_back(void **state) {
    (void)state;
    static uint8_t bytes[20000];
    static const size_t lengths[] = {0, 1, 63, 64, 1400, 16383};
    static const ox_frame_type types[] = {OX_FRAME_BATCH, OX_FRAME_HEAD,   OX_FRAME_TAIL, OX_FRAME_FEEDBACK,
                                          OX_FRAME_CHALLENGE, OX_FRAME_ANSWER, OX_FRAME_CLOSE};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
            ox_frame frame;
            uint8_t *copy;
            size_t offset = 0;
            assert_int_equal(3, ox_frame_write_head(bytes, types[t], lengths[i]));
            assert_int_equal(OX_PASS, read_frame(bytes, 3 + lengths[i], &offset, &frame, &copy));
            assert_int_equal(types[t], frame.type);
            assert_int_equal(lengths[i], frame.len);
            assert_int_equal(3 + lengths[i], offset);
            assert_ptr_equal(copy + 3, frame.body);
            free(copy);
            for (size_t cut = 1; cut < 3 + lengths[i]; cut += lengths[i] > 100 ? 97 : 1) {
                offset = 0;
                assert_int_equal(OX_DROP_FRAME_MALFORMED, read_frame(bytes, cut, &offset, &frame, &copy));
                free(copy);
            }
        }
    }
}

static void every_first_byte_has_a_meaning(void **state) {
    (void)state;
    for (uint32_t first = 0; first < 256; first++) {
        uint8_t bytes[] = {(uint8_t)first, 2, 0xaa, 0xbb, 0xcc};
        ox_frame frame;
        size_t offset = 0;
        assert_int_equal(OX_PASS, ox_frame_read(bytes, sizeof bytes, &offset, &frame));
        if (first == 0) {
            assert_int_equal(OX_FRAME_PADDING, frame.type);
            assert_int_equal(1, offset);
        } else if (first >> 4 == 4 || first >> 4 == 6) {
            assert_int_equal(OX_FRAME_PACKET, frame.type);
            assert_int_equal(sizeof bytes, frame.len);
            assert_int_equal(sizeof bytes, offset);
        } else if (first >= 128) {
            assert_int_equal(OX_FRAME_COMPRESSED, frame.type);
            assert_ptr_equal(bytes, frame.body);
            assert_int_equal(sizeof bytes, frame.len);
            assert_int_equal(sizeof bytes, offset);
        } else {
            assert_int_equal(first, frame.type);
            assert_int_equal(2, frame.len);
            assert_int_equal(4, offset);
        }
    }
}

static void padding_is_one_frame(void **state) {
    (void)state;
    uint8_t bytes[100] = {[60] = OX_FRAME_CLOSE, 1, 9};
    ox_frame frame;
    size_t offset = 0;
    assert_int_equal(OX_PASS, ox_frame_read(bytes, sizeof bytes, &offset, &frame));
    assert_int_equal(60, offset);
    assert_int_equal(OX_PASS, ox_frame_read(bytes, sizeof bytes, &offset, &frame));
    assert_int_equal(OX_FRAME_CLOSE, frame.type);
    assert_int_equal(OX_PASS, ox_frame_read(bytes, sizeof bytes, &offset, &frame));
    assert_int_equal(OX_FRAME_PADDING, frame.type);
    assert_int_equal(sizeof bytes, offset);
}

static void a_length_of_the_limit_is_malformed(void **state) {
    (void)state;
    const uint8_t bytes[] = {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2};
    ox_frame frame;
    for (size_t len = 1; len <= sizeof bytes; len++) {
        size_t offset = 0;
        assert_int_equal(OX_DROP_FRAME_MALFORMED, ox_frame_read(bytes, len, &offset, &frame));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_back),
        cmocka_unit_test(every_first_byte_has_a_meaning),
        cmocka_unit_test(padding_is_one_frame),
        cmocka_unit_test(a_length_of_the_limit_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
