#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oxcore/wire.h"

static void headers_come_back(void **state) {
    (void)state;
    static const uint64_t numbers[] = {0, 1, 0x7f, 0x80, 0xff, 0x100, 0xfffe, 0x123456, 0x89abcdef, 0x3fffffffffffffff};
    for (uint32_t session_bytes = 0; session_bytes <= 4; session_bytes++) {
        for (uint32_t number_bytes = 1; number_bytes <= 4; number_bytes++) {
            for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
                uint8_t out[OX_HEADER_MAX + 1];
                memset(out, 0xee, sizeof out);
                uint32_t session = session_bytes == 0 ? 0 : 0xdeadbeefu >> (32 - 8 * session_bytes);
                uint32_t len = ox_header_write(out, session, session_bytes, numbers[i], number_bytes);
                assert_int_equal(1 + session_bytes + number_bytes, len);
                assert_int_equal(0xee, out[len]);
                ox_header header;
                for (uint32_t cut = 0; cut < len; cut++)
                    assert_int_equal(OX_DROP_DATAGRAM_SHORT, ox_header_read(out, cut, session_bytes, &header));
                assert_int_equal(OX_PASS, ox_header_read(out, len, session_bytes, &header));
                assert_int_equal(session, header.session);
                assert_int_equal(number_bytes, header.number_bytes);
                assert_int_equal(len, header.header_bytes);
                uint64_t mask = ((uint64_t)1 << 8 * number_bytes) - 1;
                assert_true(header.truncated == (numbers[i] & mask));
            }
        }
    }
}

static void only_version_1_data_types_are_read(void **state) {
    (void)state;
    for (uint32_t type = 0; type < 256; type++) {
        uint8_t bytes[OX_HEADER_MAX] = {(uint8_t)type};
        ox_header header;
        ox_verdict expected = type >= 0x40 && type <= 0x47 ? OX_PASS : OX_DROP_DATAGRAM_TYPE;
        assert_int_equal(expected, ox_header_read(bytes, sizeof bytes, 4, &header));
        if (expected == OX_PASS) assert_int_equal(type >= 0x44, header.car);
    }
}

static void headers_of_cars_come_back(void **state) {
    (void)state;
    for (uint32_t index = 0; index < OX_TRAIN_CARS_MAX; index++) {
        for (uint32_t id_bytes = 0; id_bytes <= 4; id_bytes++) {
            for (uint32_t number_bytes = 1; number_bytes <= 4; number_bytes++) {
                uint8_t out[OX_HEADER_MAX + 1];
                memset(out, 0xee, sizeof out);
                uint32_t session = id_bytes == 0 ? 0 : 0xdeadbeefu >> (32 - 8 * id_bytes);
                bool last = (index + id_bytes) % 2 == 0;
                uint32_t len = ox_header_write_car(out, session, id_bytes, 0x89abcdef, number_bytes, index, last);
                assert_int_equal(2 + id_bytes + number_bytes, len);
                assert_int_equal(0xee, out[len]);
                ox_header header;
                for (uint32_t cut = 0; cut < len; cut++)
                    assert_int_equal(OX_DROP_DATAGRAM_SHORT, ox_header_read(out, cut, id_bytes, &header));
                assert_int_equal(OX_PASS, ox_header_read(out, len, id_bytes, &header));
                assert_true(header.car && header.car_last == last);
                assert_int_equal(index, header.car_index);
                assert_int_equal(session, header.session);
                assert_int_equal(number_bytes, header.number_bytes);
                assert_int_equal(len, header.header_bytes);
                out[len - 1] |= 0x40; // an index that no train has
                assert_int_equal(OX_DROP_DATAGRAM_TYPE, ox_header_read(out, len, id_bytes, &header));
            }
        }
    }
}

static void agrees(uint64_t number, uint32_t bytes, uint64_t next_expected) {
    uint64_t mask = ((uint64_t)1 << 8 * bytes) - 1;
    assert_true(ox_number_rebuild(next_expected, (uint32_t)(number & mask), bytes) == number);
}

/* The receiver knows anything from what the sender has seen acknowledged to half of the range ahead of the number. */
static void every_receiver_in_range_rebuilds_the_number(void **state) {
    (void)state;
    const uint64_t top = OX_VARINT_LIMIT - 1;
    const uint64_t bases[] = {0, 1, 127, 128, 129, 255, 256, 257, 65535, 65536, 0xffffff, 0x1000000, 0xffffffff, 0x100000000,
                              (uint64_t)1 << 40, top - 70000, top - 300, top - 32};
    for (size_t b = 0; b < sizeof bases / sizeof bases[0]; b++) {
        for (uint64_t outstanding = 0; outstanding < 32; outstanding++) {
            uint64_t number = bases[b] + outstanding;
            assert_int_equal(1, ox_number_bytes(number, bases[b]));
            for (uint64_t next = bases[b]; next <= number + 127; next++) agrees(number, 1, next);
            // From far behind, too: as far as half of the range reaches.
            for (uint64_t back = 0; back <= 128 && back <= number; back++) agrees(number, 1, number - back);
        }
    }
    for (size_t b = 0; b < sizeof bases / sizeof bases[0]; b++) {
        for (uint32_t bytes = 2; bytes <= 4; bytes++) {
            uint64_t half = (uint64_t)1 << (8 * bytes - 1);
            const uint64_t outstandings[] = {half / 1024, half / 4 - 1, half / 4 - 7};
            for (size_t o = 0; o < 3; o++) {
                uint64_t number = bases[b] + outstandings[o];
                if (number > top) continue;
                if (bytes < 4) assert_true(ox_number_bytes(number, bases[b]) <= bytes);
                const uint64_t nexts[] = {bases[b], bases[b] + 1, number - 1, number, number + 1, number + half / 2,
                                          number + half - 1, number >= half ? number - half : number};
                for (size_t n = 0; n < sizeof nexts / sizeof nexts[0]; n++) agrees(number, bytes, nexts[n]);
            }
        }
    }
}

static void number_bytes_grow_with_what_is_outstanding(void **state) {
    (void)state;
    const uint64_t bases[] = {0, 12345, (uint64_t)1 << 61};
    for (size_t b = 0; b < 3; b++) {
        assert_int_equal(1, ox_number_bytes(bases[b], bases[b]));
        assert_int_equal(1, ox_number_bytes(bases[b] + 31, bases[b]));
        assert_int_equal(2, ox_number_bytes(bases[b] + 32, bases[b]));
        assert_int_equal(2, ox_number_bytes(bases[b] + 8191, bases[b]));
        assert_int_equal(3, ox_number_bytes(bases[b] + 8192, bases[b]));
        assert_int_equal(3, ox_number_bytes(bases[b] + (1 << 21) - 1, bases[b]));
        assert_int_equal(4, ox_number_bytes(bases[b] + (1 << 21), bases[b]));
        assert_int_equal(4, ox_number_bytes(bases[b] + ((uint64_t)1 << 31), bases[b]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_come_back),
        cmocka_unit_test(only_version_1_data_types_are_read),
        cmocka_unit_test(headers_of_cars_come_back),
        cmocka_unit_test(every_receiver_in_range_rebuilds_the_number),
        cmocka_unit_test(number_bytes_grow_with_what_is_outstanding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
