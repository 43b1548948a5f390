#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oxcore/wire.h"

static void every_length_has_its_values(void **state) {
    (void)state;
    static const struct {
        uint64_t value;
        uint32_t bytes;
        uint8_t wire[8];
    } examples[] = {
        {0, 1, {0}},
        {63, 1, {0x3f}},
        {64, 2, {0x40, 0x40}},
        {16383, 2, {0x7f, 0xff}},
        {16384, 4, {0x80, 0, 0x40, 0}},
        {(1 << 30) - 1, 4, {0xbf, 0xff, 0xff, 0xff}},
        {1 << 30, 8, {0xc0, 0, 0, 0, 0x40, 0, 0, 0}},
        {OX_VARINT_LIMIT - 1, 8, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
        {151288809941952652, 8, {0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c}}, /* RFC 9000 appendix A.1 */
        {494878333, 4, {0x9d, 0x7f, 0x3e, 0x7d}},
        {15293, 2, {0x7b, 0xbd}},
        {37, 1, {0x25}},
    };
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        uint8_t out[OX_VARINT_MAX];
        uint64_t value = 1;
        assert_int_equal(examples[i].bytes, ox_varint_bytes(examples[i].value));
        assert_int_equal(examples[i].bytes, ox_varint_write(out, examples[i].value));
        assert_memory_equal(examples[i].wire, out, examples[i].bytes);
        for (uint32_t cut = 0; cut < examples[i].bytes; cut++) assert_int_equal(0, ox_varint_read(out, cut, &value));
        assert_int_equal(examples[i].bytes, ox_varint_read(out, examples[i].bytes, &value));
        assert_true(value == examples[i].value);
    }
}

static void longer_forms_are_read_too(void **state) {
    (void)state;
    uint64_t value = 0;
    assert_int_equal(2, ox_varint_read((const uint8_t[]){0x40, 0x25}, 2, &value)); // RFC 9000 appendix A.1
    assert_int_equal(37, value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_has_its_values),
        cmocka_unit_test(longer_forms_are_read_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
