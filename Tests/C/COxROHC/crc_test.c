#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "CSources/COxROHC/state.h"

/* One bit after the other, lowest first: the definition. */
static uint32_t by_bits(const uint8_t *octets, uint32_t count, uint32_t crc, uint32_t polynomial) {
    for (uint32_t i = 0; i < count; i++) {
        crc ^= octets[i];
        for (uint32_t bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
    }
    return crc;
}

static void fill(uint8_t *octets, uint32_t count, uint32_t seed) {
    for (uint32_t i = 0; i < count; i++) octets[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
}

/* The check values of the catalogue of parametrised CRC algorithms, for CRC-3/ROHC, CRC-7/ROHC, CRC-8/ROHC and CRC-32. */
static void check_values(void **state) {
    (void)state;
    const uint8_t *digits = (const uint8_t *)"123456789";
    assert_int_equal(rohc_crc3(digits, 9, CRC3_START), 0x6);
    assert_int_equal(rohc_crc7(digits, 9, CRC7_START), 0x53);
    assert_int_equal(rohc_crc8(digits, 9, CRC8_START), 0xD0);
    assert_int_equal(rohc_fcs32(digits, 9), 0xCBF43926);
}

static void every_length_is_as_bit_by_bit(void **state) {
    (void)state;
    uint8_t octets[208];
    for (uint32_t count = 0; count <= 200; count++) {
        for (uint32_t offset = 0; offset < 8; offset++) {
            fill(octets, sizeof octets, 7 * count + offset);
            const uint8_t *at = octets + offset;
            assert_int_equal(rohc_crc3(at, count, CRC3_START), by_bits(at, count, CRC3_START, 0x6));
            assert_int_equal(rohc_crc7(at, count, CRC7_START), by_bits(at, count, CRC7_START, 0x79));
            assert_int_equal(rohc_crc8(at, count, CRC8_START), by_bits(at, count, CRC8_START, 0xE0));
            assert_int_equal(rohc_fcs32(at, count), ~by_bits(at, count, UINT32_MAX, 0xEDB88320));
        }
    }
}

static void parts_add_up(void **state) {
    (void)state;
    uint8_t octets[60];
    fill(octets, sizeof octets, 99);
    for (uint32_t cut = 0; cut <= sizeof octets; cut++) {
        const uint32_t rest = (uint32_t)sizeof octets - cut;
        assert_int_equal(rohc_crc3(octets + cut, rest, rohc_crc3(octets, cut, CRC3_START)), rohc_crc3(octets, 60, CRC3_START));
        assert_int_equal(rohc_crc7(octets + cut, rest, rohc_crc7(octets, cut, CRC7_START)), rohc_crc7(octets, 60, CRC7_START));
        assert_int_equal(rohc_crc8(octets + cut, rest, rohc_crc8(octets, cut, CRC8_START)), rohc_crc8(octets, 60, CRC8_START));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_values),
        cmocka_unit_test(every_length_is_as_bit_by_bit),
        cmocka_unit_test(parts_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
